//! The `command` dispatcher: any argv that leaves results files where globs find them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Dispatched, Plan};
use crate::adapter::process::{Job, LineSink, Live, copy_masked, supervise};
use crate::adapter::results::{self, Reading};
use crate::adapter::workspace::files;
use crate::adapter::workspace::globs::Globs;
use crate::domain::event::Event;
use crate::domain::fault::Fault;
use crate::domain::ids::{RelPath, Sha256};
use crate::domain::outcome::ChildEnd;
use crate::domain::receipt::{Accounted, Accounting};

/// Name of the log in the results folder.
const LOG: &str = "dispatcher.log";

/// Runs the command and brings its results files into the results folder.
pub(crate) fn dispatch(plan: &Plan) -> Result<Dispatched, Fault> {
    let globs = Globs::compile(&plan.profile.results.value)
        .map_err(|why| Fault::ProfileInvalid(format!("dispatcher.results: {why}")))?;
    let before = snapshot(plan, &globs);
    let live = plan.live.clone();
    let live: Live = Box::new(move |lines| live(lines));
    let sink = Arc::new(LineSink::new(plan.results.join(LOG), plan.redactor.clone(), Some(live)));

    plan.journal.emit(Event::DispatcherStart { kind: "command".to_owned(), files: plan.files.len() as u64 });
    let ended = {
        let sink = sink.clone();
        supervise(&plan.world, &job(plan), Arc::new(move |stream, bytes: &[u8]| sink.take(stream, bytes)))
    };
    let stored = sink.finish();
    plan.note_truncation(LOG, &stored);
    report_end(plan, &ended.end);

    let mut faults = Vec::new();
    if let Some(why) = stored.failed {
        faults.push(Fault::ResultsDirUnusable { path: LOG.to_owned(), why });
    }
    let (reports, stale) = collect(plan, &globs, &before, &mut faults)?;
    if reports.is_empty() && !faults.iter().any(|fault| matches!(fault, Fault::ResultsInvalid { .. })) {
        faults.extend(no_results(plan, &ended.end, &stale));
    }
    let state = Accounted::Unknown;
    Ok(Dispatched {
        end: ended.end,
        duration: ended.duration,
        // Nothing in a results file names the files it came from.
        accounting: plan.files.iter().map(|path| Accounting { path: path.clone(), state }).collect(),
        reports,
        faults,
        interrupted: 0,
        in_flight: None,
        peak_in_flight: None,
        verdict: None,
    })
}

/// A path that begins with a hyphen must not be read as a flag.
fn as_argument(file: &RelPath) -> OsString {
    if file.as_str().starts_with('-') { format!("./{file}").into() } else { file.as_str().into() }
}

/// The argv with an argument `{files}` replaced by the selected files, one argument each.
fn job(plan: &Plan) -> Job {
    let argv = plan.profile.command.value.iter().flat_map(|argument| -> Vec<OsString> {
        if argument == "{files}" { plan.files.iter().map(as_argument).collect() } else { vec![argument.into()] }
    });
    plan.job(argv.collect(), None, plan.run_limit(), None)
}

pub(super) fn report_end(plan: &Plan, end: &ChildEnd) {
    match end {
        ChildEnd::TimedOut(limit, _) => plan.journal.emit(Event::LimitReached { limit: limit.as_str().to_owned() }),
        ChildEnd::Cancelled => plan.journal.emit(Event::CancelRequested),
        _ => {}
    }
    plan.journal.emit(Event::RunEnd { outcome: end.describe() });
}

type Stamp = (u64, SystemTime, Option<Sha256>);

fn snapshot(plan: &Plan, globs: &Globs) -> BTreeMap<RelPath, Stamp> {
    globs
        .find(&plan.root, &plan.results)
        .files
        .into_iter()
        .filter_map(|(path, absolute)| {
            let (size, modified) = files::stamp(&absolute)?;
            let digest = files::digest_file(&absolute).ok().map(|(_, digest)| digest);
            Some((path, (size, modified, digest)))
        })
        .collect()
}

/// Results of this run, and files that match and are as they were before it.
type Collected = (Vec<(RelPath, Reading)>, Vec<RelPath>);

/// Copies what is new or changed into `reports/`, redacted; names what is as it was before.
fn collect(
    plan: &Plan,
    globs: &Globs,
    before: &BTreeMap<RelPath, Stamp>,
    faults: &mut Vec<Fault>,
) -> Result<Collected, Fault> {
    let (mut reports, mut stale) = (Vec::new(), Vec::new());
    let matches = globs.find(&plan.root, &plan.results);
    for why in matches.problems {
        faults.push(Fault::ResultsInvalid { path: "a match of the results globs".to_owned(), why });
    }
    for (path, absolute) in matches.files {
        if before.get(&path).is_some_and(|stamp| unchanged(&absolute, stamp)) {
            stale.push(path);
            continue;
        }
        let target = path.below("reports");
        let unusable =
            |error: std::io::Error| Fault::ResultsDirUnusable { path: target.to_string(), why: error.to_string() };
        let reading = results::read(&absolute).map_err(unusable)?;
        copy_masked(&plan.redactor, &absolute, &plan.results.join(target.as_str())).map_err(unusable)?;
        reports.push((target, reading));
    }
    Ok((reports, stale))
}

fn unchanged(path: &Path, (size, modified, digest): &Stamp) -> bool {
    let Some((now_size, now_modified)) = files::stamp(path) else { return false };
    now_size == *size && now_modified == *modified && files::digest_file(path).ok().map(|(_, d)| d) == *digest
}

/// Why there are no results: only a plain exit leaves that open, every other end has its own reason.
fn no_results(plan: &Plan, end: &ChildEnd, stale: &[RelPath]) -> Option<Fault> {
    let ChildEnd::Exited(code) = end else { return None };
    let globs = plan.profile.results.value.join(", ");
    Some(Fault::ResultsMissing(match stale.first() {
        Some(path) => format!("exit code {code}; {path} is there and was not written by this run"),
        None => format!("exit code {code}; nothing matches {globs}"),
    }))
}
