//! The journal: every event of a run, one JSON line each, flushed as it happens.
//!
//! What was known survives whatever ends the process. The same fold that reads it back keeps the
//! live state.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::run::event::{Event, Record, RunState, SCHEMA, fold};
use crate::domain::run::redact::Redactor;

/// File name in the results folder.
pub(crate) const FILE: &str = "dispatcher-events.ndjson";

/// Sees every event with the state after it.
pub(crate) type Watch = Box<dyn Fn(&Event, &RunState) + Send + Sync>;

/// An open journal; events come from several threads.
pub(crate) struct Journal {
    world: World,
    inner: Mutex<Inner>,
    watch: Watch,
    redactor: Redactor,
}

struct Inner {
    file: Option<File>,
    seq: u64,
    state: RunState,
}

impl Journal {
    /// A new journal in the results folder; `watch` sees every event with the state after it.
    pub(crate) fn create(
        world: &World,
        results: &Path,
        redactor: Redactor,
        watch: Watch,
    ) -> std::io::Result<Self> {
        let file = files::create(&results.join(FILE))?;
        let inner = Inner { file: Some(file), seq: 0, state: RunState::default() };
        Ok(Self { world: world.clone(), inner: Mutex::new(inner), watch, redactor })
    }

    /// Writes one event. A journal that cannot be written goes on in memory.
    pub(crate) fn emit(&self, event: Event) {
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.seq += 1;
        inner.state.apply(&event);
        let record =
            Record { schema: SCHEMA.to_owned(), seq: inner.seq, ts_utc: self.world.now(), event };
        if let (Ok(mut line), Some(file)) = (serde_json::to_vec(&record), &mut inner.file) {
            // The mask holds no character that JSON escapes: a masked line is still a line.
            line = self.redactor.mask(&line).into_owned();
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                tracing::warn!("the journal cannot be written on: {error}");
                inner.file = None;
            }
        }
        (self.watch)(&record.event, &inner.state);
    }

    /// The state now.
    pub(crate) fn state(&self) -> RunState {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner).state.clone()
    }
}

/// Writes an event behind whatever a writer that is gone left, a torn line included. There is
/// nobody left to be told that this failed. (On Windows nobody is left to write it.)
#[cfg(unix)]
pub(crate) fn append(world: &World, path: &Path, event: Event) {
    let before = files::read_bounded(path).unwrap_or_default();
    let last = before
        .rsplit(|byte| *byte == b'\n')
        .find_map(|line| serde_json::from_slice::<Record>(line).ok());
    let seq = last.map_or(0, |record| record.seq) + 1;
    let record = Record { schema: SCHEMA.to_owned(), seq, ts_utc: world.now(), event };
    let torn = before.last().is_some_and(|byte| *byte != b'\n');
    if let Ok(line) = serde_json::to_string(&record) {
        let _ = files::append(path, &format!("{}{line}\n", if torn { "\n" } else { "" }));
    }
}

/// The state that a journal on disk tells of, after whatever ended its writer. A torn last line and
/// lines of another schema are passed over.
pub(crate) fn read_state(path: &Path) -> Option<RunState> {
    let bytes = files::read_bounded(path).ok()?;
    let events: Vec<Event> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Record>(line).ok())
        .filter(|record| record.schema == SCHEMA)
        .map(|record| record.event)
        .collect();
    (!events.is_empty()).then(|| fold(&events))
}
