//! The `command` dispatcher: any argv that leaves results files, or prints them.

mod output;
mod reports;

use std::ffi::OsString;
use std::sync::Arc;

use self::output::Output;
use self::reports::{Collected, Wanted};
use super::{Dispatched, Plan};
use crate::adapter::process::{Job, LineSink, Live, Stream, supervise};
use crate::adapter::receipt_store::shown;
use crate::adapter::results::readable;
use crate::domain::config::settings::takes_files;
use crate::domain::config::{FILES_ARGUMENT, STANDARD_OUTPUT, WarnOrFail};
use crate::domain::receipt::{Accounted, Accounting};
use crate::domain::results::accounted::{Accounts, account};
use crate::domain::results::test_runner::{TestRunner, writes_report};
use crate::domain::run::event::Event;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::fault::{Fault, MissingResults};
use crate::domain::verdict::outcome::ChildEnd;
use crate::report::quote::{shortened, without_escapes};

/// Name of the log in the results folder.
pub(crate) const LOG: &str = "dispatcher.log";
/// How many lines of the log stand in a message.
const LINES_SAID: usize = 3;
const LINE_SAID: usize = 90;

/// Runs the command and brings its results files into the results folder.
pub(crate) fn dispatch(plan: &Plan) -> Result<Dispatched, Fault> {
    let wanted = Wanted::of(plan)?;
    let before = wanted.look(plan);
    let live = plan.live.clone();
    let redactor = wanted.output.then(|| plan.redactor.clone());
    let live: Live = Box::new(move |lines| match &redactor {
        // A stream of events is for programs. Decoded text can hold a secret that its JSON did not.
        Some(redactor) => match redactor.mask_text(&readable(lines)) {
            text if text.is_empty() => {}
            text => live(&text),
        },
        None => live(lines),
    });
    let sink = Arc::new(LineSink::new(plan.results.join(LOG), plan.redactor.clone(), Some(live)));
    let output =
        wanted.output.then(Output::new).transpose().map_err(Output::unusable)?.map(Arc::new);

    plan.journal.emit(Event::DispatcherStart {
        kind: "command".to_owned(),
        files: plan.files.len() as u64,
    });
    let ended = {
        let (sink, output) = (sink.clone(), output.clone());
        let take = move |stream, bytes: &[u8]| {
            if let Some(output) = output.as_ref().filter(|_| stream == Stream::Stdout) {
                output.take(bytes);
            }
            sink.take(stream, bytes);
        };
        supervise(&plan.world, &job(plan), Arc::new(take))
    };
    let stored = sink.finish();
    plan.note_truncation(LOG, &stored);
    report_end(plan, &ended.end);

    let mut faults = Vec::new();
    if let Some(why) = stored.failed {
        faults.push(Fault::ResultsDirUnusable { path: LOG.to_owned(), why });
    }
    let mut collected = wanted.collect(plan, &before, &mut faults)?;
    if let Some(output) = &output {
        collected.take_output(plan, output, &wanted)?;
    }
    if collected.reports.is_empty()
        && !faults.iter().any(|fault| matches!(fault, Fault::ResultsInvalid { .. }))
    {
        faults.extend(no_results(plan, &ended.end, &collected, &stored.tail));
    }
    let by_itself = matches!(ended.end, ChildEnd::Exited(_));
    let (accounting, unaccounted) = accounting(plan, &collected, by_itself && faults.is_empty());
    faults.extend(unaccounted);
    Ok(Dispatched {
        end: ended.end,
        duration: ended.duration,
        accounting,
        reports: collected.reports,
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
        match argument == FILES_ARGUMENT {
            true => plan.files.iter().map(as_argument).collect(),
            false => vec![argument.into()],
        }
    });
    plan.job(argv.collect(), None, plan.run_limit(), None)
}

pub(super) fn report_end(plan: &Plan, end: &ChildEnd) {
    match end {
        ChildEnd::TimedOut(limit, _) => {
            plan.journal.emit(Event::LimitReached { limit: limit.as_str().to_owned() })
        }
        ChildEnd::Cancelled => plan.journal.emit(Event::CancelRequested),
        _ => {}
    }
    plan.journal.emit(Event::RunEnd { outcome: end.describe() });
}

/// What became of each file, and a file that no test case names: the command was given it and
/// nothing proves that it ran. Without `{files}` the command chooses by itself, and nothing is
/// claimed.
fn accounting(
    plan: &Plan,
    collected: &Collected,
    judged: bool,
) -> (Vec<Accounting>, Option<Fault>) {
    let with = |state: &dyn Fn(&RelPath) -> Accounted| {
        plan.files
            .iter()
            .map(|path| Accounting { path: path.clone(), state: state(path) })
            .collect()
    };
    if !takes_files(&plan.profile.command.value) {
        return (with(&|_| Accounted::Unknown), None);
    }
    let names = collected.names.iter().map(String::as_str);
    let Accounts::Named(files) = account(&plan.files, names, &[shown(&plan.root)]) else {
        let count = plan.files.len();
        let fault = (judged && collected.cases > 0).then_some(Fault::FilesNotNamed { count });
        return (with(&|_| Accounted::Unknown), fault.map(|fault| softened(plan, fault)));
    };
    let ran = |path: &RelPath| match files.get(path) {
        Some(true) => Accounted::Ran,
        _ => Accounted::Unknown,
    };
    let silent = plan.files.iter().find(|path| files.get(*path) == Some(&false)).filter(|_| judged);
    let fault = silent.map(|path| Fault::TestFileNotAccounted { path: path.to_string() });
    (with(&ran), fault.map(|fault| softened(plan, fault)))
}

/// The policy's say: a warning where the configuration wants one.
fn softened(plan: &Plan, fault: Fault) -> Fault {
    match plan.profile.unaccounted.value {
        WarnOrFail::Fail => fault,
        WarnOrFail::Warn => Fault::Softened(Box::new(fault)),
    }
}

/// Why there are no results: only a plain exit leaves that open, every other end has its own
/// reason.
fn no_results(plan: &Plan, end: &ChildEnd, collected: &Collected, tail: &str) -> Option<Fault> {
    let ChildEnd::Exited(code) = *end else { return None };
    let runner = TestRunner::of(&plan.profile.command.value);
    let argv = &plan.profile.command.value;
    let option = runner.map(TestRunner::report_option);
    if let Some((runner, option)) = runner.zip(option)
        && plan.profile.results.value.is_empty()
        && !writes_report(runner, argv)
    {
        return Some(Fault::ResultsMissing(MissingResults::NoReport { code, option }));
    }
    let named = plan.profile.results.value.iter().filter(|glob| *glob != STANDARD_OUTPUT);
    let globs = named.cloned().collect::<Vec<_>>().join(", ");
    if code != 0 {
        let option = option.filter(|_| plan.profile.results.value.is_empty());
        return Some(Fault::DispatcherFailed {
            code,
            said: first_errors(tail),
            log: LOG.to_owned(),
            option,
            globs: Some(globs).filter(|globs| !globs.is_empty()),
        });
    }
    // A runner that writes its report needs no option, but the right glob.
    let option = option
        .filter(|_| globs.is_empty() || !runner.is_some_and(|runner| writes_report(runner, argv)));
    Some(Fault::ResultsMissing(match collected.stale.first() {
        Some(path) => MissingResults::Stale { path: path.to_string() },
        None if globs.is_empty() => MissingResults::NothingWritten { option },
        None => MissingResults::NoMatch { globs, root: shown(&plan.root), option },
    }))
}

/// The lines that say what went wrong: the first that speak of an error, else the last.
fn first_errors(tail: &str) -> String {
    let tail = without_escapes(tail);
    let lines: Vec<&str> = tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let speaks = |line: &&&str| {
        let line = line.to_ascii_lowercase();
        [
            "error",
            "fatal",
            "panic",
            "cannot",
            "not found",
            "no such",
            "unrecognized",
            "unknown",
            "invalid",
            "usage",
        ]
        .iter()
        .any(|word| line.contains(word))
    };
    let errors: Vec<&str> = lines.iter().filter(speaks).take(LINES_SAID).copied().collect();
    let said = if errors.is_empty() {
        lines[lines.len().saturating_sub(LINES_SAID)..].to_vec()
    } else {
        errors
    };
    said.iter().map(|line| shortened(line, LINE_SAID)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_the_lines_that_speak_of_an_error() {
        assert_eq!(first_errors("a\nsrc/x.rs:3: error: no\nb\n"), "src/x.rs:3: error: no");
        assert_eq!(first_errors("a\nb\nc\nd\n"), "b; c; d");
        assert_eq!(first_errors("\n"), "");
    }
}
