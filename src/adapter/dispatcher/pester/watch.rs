//! The script's journal, followed while it grows and told on as events of ours, so that a killed
//! process leaves the name of the test that was running.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Batch;
use crate::adapter::dispatcher::Plan;
use crate::adapter::journal::{self, Journal};
use crate::adapter::workspace::files;
use crate::domain::config::quantity::Span;
use crate::domain::results::pester::same_file;
use crate::domain::run::event::{Event, Record};
use crate::domain::verdict::outcome::{ChildEnd, Limit};

/// What the journal tells: limits of one test and one file, and whether it ended.
pub(super) struct Watch {
    /// The planned files, as PowerShell names them and as we do.
    names: HashMap<String, String>,
    /// Whether file starts and ends are told by us, because each file has a process.
    framed: bool,
    file: Option<Span>,
    test: Option<Span>,
    now: Mutex<Marks>,
}

#[derive(Default)]
pub(super) struct Marks {
    file: Option<Instant>,
    test: Option<Instant>,
    pub(super) any: bool,
    pub(super) ended: bool,
    pub(super) end_result: Option<String>,
    pub(super) failed: u64,
    pub(super) refused: Option<String>,
    pub(super) found: Vec<String>,
    pub(super) missing: usize,
}

impl Watch {
    pub(super) fn new(plan: &Plan, batch: &Batch<'_>, absolute: &[String]) -> Self {
        let names =
            absolute.iter().cloned().zip(batch.files.iter().map(ToString::to_string)).collect();
        let framed = batch.only.is_some();
        let profile = &plan.profile;
        Self {
            names,
            framed,
            file: profile.file_limit.value,
            test: profile.test_limit.value,
            now: Mutex::default(),
        }
    }

    pub(super) fn marks(&self) -> std::sync::MutexGuard<'_, Marks> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn see(&self, plan: &Plan, event: &Event) {
        let mut marks = self.marks();
        marks.any = true;
        match event {
            Event::FileStart { .. } => marks.file = Some(plan.world.tick()),
            Event::FileEnd { .. } => (marks.file, marks.test) = (None, None),
            Event::TestStart { .. } => marks.test = Some(plan.world.tick()),
            Event::TestEnd { outcome, .. } => {
                marks.test = None;
                marks.failed += u64::from(outcome == "Failed");
            }
            Event::AdapterEnd { result } => {
                marks.ended = true;
                marks.end_result = Some(result.clone());
            }
            Event::AdapterStart { found, .. } => marks.found.clone_from(found),
            Event::AdapterRefused { reason, .. } => marks.refused = Some(reason.clone()),
            Event::FileMissing { .. } => marks.missing += 1,
            _ => {}
        }
    }

    /// Which limit is reached. A test or file that hangs takes the one process with it.
    pub(super) fn over(&self) -> Option<ChildEnd> {
        let marks = self.marks();
        let reached = |since: Option<Instant>, span: Option<Span>| {
            Some(since?.elapsed() >= span?.as_duration())
        };
        if reached(marks.test, self.test) == Some(true) {
            return self.test.map(|span| ChildEnd::TimedOut(Limit::Test, span));
        }
        if reached(marks.file, self.file) == Some(true) {
            return self.file.map(|span| ChildEnd::TimedOut(Limit::File, span));
        }
        None
    }
}

/// No line of a journal comes near it.
const LINE: usize = 1 << 20;

/// Follows the script's journal, in its output folder, to its end; a torn last line is passed over.
/// It is a file that tests can write to as well: no link is followed, and no more is read than any
/// journal holds.
pub(super) fn follow(plan: &Plan, output: &Path, watch: &Watch, done: &AtomicBool) {
    let path = output.join(journal::FILE);
    let (mut read, mut pending) = (0u64, Vec::new());
    loop {
        let last = done.load(Ordering::SeqCst);
        while let Some(more) = next_part(&path, read) {
            read += more.len() as u64;
            pending.extend(more);
            let whole = pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in pending[..whole].split(|byte| *byte == b'\n') {
                if let Ok(record) = serde_json::from_slice::<Record>(line) {
                    watch.see(plan, &record.event);
                    watch.tell(&plan.journal, record.event);
                }
            }
            pending.drain(..whole);
            if pending.len() > LINE {
                pending.clear();
            }
        }
        if last {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// What stands behind the first `read` bytes, a piece of it.
fn next_part(path: &Path, read: u64) -> Option<Vec<u8>> {
    if read >= files::READ_LIMIT || !files::is_plain_file(path) {
        return None;
    }
    let mut file = files::open(path).ok()?;
    file.seek(SeekFrom::Start(read)).ok()?;
    let mut more = Vec::new();
    file.take(LINE as u64).read_to_end(&mut more).ok()?;
    (!more.is_empty()).then_some(more)
}

impl Watch {
    /// Tells it on as an event of ours, with the file's own name. The script's frame of the run is
    /// not ours: of `run-end` there is one, at the very end.
    fn tell(&self, journal: &Journal, mut event: Event) {
        let frame = matches!(event, Event::FileStart { .. } | Event::FileEnd { .. });
        if matches!(event, Event::RunEnd { .. } | Event::Unknown) || (frame && self.framed) {
            return;
        }
        if let Some(file) = event.file_mut() {
            // Nearly always to the letter; Windows may write it otherwise.
            let other = || {
                self.names
                    .iter()
                    .find(|(absolute, _)| same_file(absolute, file))
                    .map(|(_, own)| own)
            };
            if let Some(own) = self.names.get(file.as_str()).or_else(other) {
                *file = own.clone();
            }
        }
        journal.emit(event);
    }
}
