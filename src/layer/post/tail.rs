//! What was last heard of a run: what was running at its end, and the end of the log that tells
//! most.

use std::path::{Path, PathBuf};

use crate::adapter::journal;
use crate::adapter::workspace::files;
use crate::domain::receipt::{InFlight, InFlightKind};
use crate::domain::run::ids::RelPath;

/// What the journals of a run without a receipt last told. A dispatcher's script keeps one of its
/// own below ours, which may be ahead of it by a moment: it may know the test where ours knows the
/// file.
pub(super) fn last_known(dir: &Path) -> Option<InFlight> {
    let journals = files::list(dir)
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.file_name() == journal::FILE);
    let journals = journals.filter(|(path, _)| !is_artifact(path));
    let mut reported = journals.filter_map(|(_, path)| journal::read_state(&path)?.in_flight());
    let first = reported.next()?;
    if first.kind != InFlightKind::File {
        return Some(first);
    }
    let of_the_file = |other: &InFlight| {
        let file = other.file.as_ref().map(|file| file.replace('\\', "/")).unwrap_or_default();
        other.kind != InFlightKind::File && file.ends_with(&first.name)
    };
    let file = first.file.clone();
    Some(reported.find(of_the_file).map_or(first, |deeper| InFlight { file, ..deeper }))
}

/// How much of a log's end is read, and how many lines of it are told.
const LOG_BYTES: u64 = 16 << 10;
const LOG_LINES: usize = 15;

/// The end of the log that tells most: of what was running at the end, else of the dispatcher.
/// Empty where there is no log or nothing in it, none where there are logs and none of them is the
/// one.
pub(super) fn log_end(dir: &Path, running: Option<&InFlight>) -> Option<Vec<String>> {
    let running = running.and_then(|running| running.file.as_deref());
    let running = running.and_then(|file| file.rsplit(['/', '\\']).next());
    let is_log = |path: &RelPath| path.as_str().ends_with(".log") && !is_artifact(path);
    let logs: Vec<(RelPath, PathBuf)> =
        files::list(dir).into_iter().flatten().filter(|(path, _)| is_log(path)).collect();
    if logs.is_empty() {
        return Some(Vec::new());
    }
    let of = |wanted: &dyn Fn(&RelPath) -> bool| {
        logs.iter().find(|(path, _)| wanted(path)).map(|(_, path)| path)
    };
    let log = running
        .and_then(|name| of(&|path| path.file_name().contains(name)))
        .or_else(|| of(&|path| path.file_name() == "dispatcher.log"));
    let bytes = files::last_bytes(log?, LOG_BYTES).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Some(
        lines[lines.len().saturating_sub(LOG_LINES)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect(),
    )
}

/// What tests left is theirs, whatever it is called.
fn is_artifact(path: &RelPath) -> bool {
    path.as_str().split('/').any(|part| part == "artifacts")
}
