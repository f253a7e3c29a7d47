//! From how the dispatcher ended and what it left to findings: mechanics, no meaning.

use crate::adapter::dispatcher::{Dispatched, OwnVerdict};
use crate::adapter::results::Reading;
use crate::domain::config::{DispatcherKind, EmptyPolicy, Leaks};
use crate::domain::receipt::{DispatcherProfile, Leak};
use crate::domain::results::case::Case;
use crate::domain::results::counts::Counts;
use crate::domain::verdict::fault::{Fault, Finding, charge, good};
use crate::domain::verdict::outcome::ChildEnd;
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};
use crate::report::quote::printable;

/// What the run came to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) counts: Counts,
    pub(super) findings: Vec<Finding>,
    pub(super) xml_status: &'static str,
    pub(super) read_any: bool,
    pub(super) gate_notice: bool,
}

/// All reports together.
#[derive(Debug, Default)]
struct Read {
    counts: Counts,
    first: Option<Case>,
    faults: Vec<Fault>,
    status: Option<&'static str>,
    files: usize,
}

/// Judges a run.
pub(super) fn judge(
    dispatched: &Dispatched,
    leaks: &[Leak],
    profile: &DispatcherProfile,
) -> Judged {
    let mut read = read_reports(dispatched);
    if let Some(own) = &dispatched.verdict {
        return by_own_verdict(dispatched, own, leaks, profile, read);
    }
    read.counts.failed_files += dispatched
        .faults
        .iter()
        .filter(|fault| matches!(fault, Fault::TestFileFailedToLoad { .. }))
        .count() as u64;
    let mut judged = Judged {
        xml_status: read.status.unwrap_or(if read.files == 0 { "missing" } else { "complete" }),
        read_any: read.files > 0,
        ..Judged::default()
    };
    let mut faults = end_fault(&dispatched.end).into_iter().collect::<Vec<_>>();
    faults.extend(dispatched.faults.iter().cloned());
    faults.append(&mut read.faults);
    faults.extend(tests_failed(dispatched, &read));
    if read.counts.failed_blocks > 0 {
        let blocks = read.counts.failed_blocks;
        faults.push(Fault::SetupOrTeardownFailed(format!(
            "{blocks} failures stand outside any test case"
        )));
    }
    faults.extend(exit_code_mismatch(dispatched, profile, &read));
    judged.findings.extend(faults.iter().map(|fault| charge(fault, Layer::Execute)));
    judged.findings.extend(leaked(leaks, profile));
    empty_run(dispatched, profile, &read, &mut judged);
    judged.counts = read.counts;
    passed(&mut judged);
    judged
}

/// A dispatcher's own verdict stands; a report that is broken or missing is a warning beside it.
fn by_own_verdict(
    dispatched: &Dispatched,
    own: &OwnVerdict,
    leaks: &[Leak],
    profile: &DispatcherProfile,
    read: Read,
) -> Judged {
    let mut judged = Judged {
        counts: own.counts,
        xml_status: read.status.unwrap_or(if read.files == 0 { "missing" } else { "complete" }),
        read_any: own.complete,
        ..Judged::default()
    };
    let end = end_fault(&dispatched.end);
    judged
        .findings
        .extend(end.iter().chain(&dispatched.faults).map(|fault| charge(fault, Layer::Execute)));
    judged.findings.extend(
        read.faults.iter().map(|fault| charge(fault, Layer::Execute).at_most(Severity::Warns)),
    );
    judged.findings.extend(leaked(leaks, profile));
    if own.complete {
        let files = Read { counts: own.counts, files: 1, ..Read::default() };
        empty_run(dispatched, profile, &files, &mut judged);
    }
    passed(&mut judged);
    judged
}

/// Says so where the tests passed.
fn passed(judged: &mut Judged) {
    if judged.findings.iter().any(Finding::stops) || judged.counts.executed() == 0 {
        return;
    }
    let Counts { passed, skipped, total, .. } = judged.counts;
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    let detail = format!("{passed} of {total} tests passed{skipped}");
    judged.findings.push(good(ReasonCode::TestsPassed, Layer::Execute, detail));
}

fn read_reports(dispatched: &Dispatched) -> Read {
    let mut read = Read::default();
    for (path, reading) in &dispatched.reports {
        read.take(path.as_str(), reading);
    }
    read
}

impl Read {
    fn take(&mut self, path: &str, reading: &Reading) {
        self.files += 1;
        self.counts.merge(&reading.counts);
        for note in &reading.notes {
            tracing::info!("{}: {}", printable(path), printable(note));
        }
        if self.first.is_none() {
            self.first = reading.failures.first().cloned();
        }
        if let Some(defect) = &reading.defect {
            self.status = Some(self.status.unwrap_or(defect.word()));
            self.faults.push(defect.fault(path));
        }
    }
}

fn end_fault(end: &ChildEnd) -> Option<Fault> {
    match end {
        ChildEnd::Exited(_) => None,
        ChildEnd::NotFound => {
            Some(Fault::DispatcherMissing("the dispatcher's program is not on PATH".to_owned()))
        }
        ChildEnd::NotStarted(why) => Some(Fault::DispatcherNotStarted {
            program: "the dispatcher".to_owned(),
            why: why.clone(),
        }),
        ChildEnd::Signalled(signal) => {
            Some(Fault::DispatcherCrashed(format!("signal {signal} ended the dispatcher")))
        }
        ChildEnd::TimedOut(limit, after) => {
            Some(Fault::DispatcherTimedOut { limit: limit.as_str(), after: after.to_string() })
        }
        ChildEnd::Cancelled => Some(Fault::RunCancelled),
        ChildEnd::Lost(why) => Some(Fault::DispatcherCrashed(why.clone())),
    }
}

/// Failures that no other reason already speaks of: a file that timed out, did not load, lacked
/// its interpreter or was ended with the run is in the report as an error of its own.
fn tests_failed(dispatched: &Dispatched, read: &Read) -> Option<Fault> {
    let spoken_of = dispatched
        .faults
        .iter()
        .filter(|fault| {
            matches!(
                fault,
                Fault::TestTimedOut { .. }
                    | Fault::TestFileFailedToLoad { .. }
                    | Fault::ProgramMissing { .. }
                    | Fault::TestProgramMissing(_)
            )
        })
        .count() as u64;
    let Counts { failed, errors, total, .. } = read.counts;
    let errors_left = errors.saturating_sub(spoken_of + dispatched.interrupted);
    (failed + errors_left > 0).then(|| Fault::TestsFailed {
        failed,
        errors: errors_left,
        total,
        first: read.first.as_ref().map_or_else(String::new, |first| {
            let message = first.message.lines().next().unwrap_or_default();
            if message.is_empty() { first.id() } else { format!("{} ({message})", first.id()) }
        }),
    })
}

/// A command's exit code and its results must tell one story. (The pool's exit code is made from
/// its results; a run that was ended has none of its own.)
fn exit_code_mismatch(
    dispatched: &Dispatched,
    profile: &DispatcherProfile,
    read: &Read,
) -> Option<Fault> {
    let ChildEnd::Exited(code) = dispatched.end else { return None };
    if profile.kind.value != DispatcherKind::Command || read.files == 0 {
        return None;
    }
    let failures = read.counts.failures();
    // That no test ran says more than the exit code of a runner that says the same.
    if read.counts.total == 0 && failures == 0 && profile.zero_tests.value == EmptyPolicy::Fail {
        return None;
    }
    match (code, failures) {
        (0, 0) => None,
        (0, failures) => Some(Fault::ExitCodeMismatch(format!(
            "the command ended with exit code 0, and its results hold {failures} failures"
        ))),
        (code, 0) => Some(Fault::ExitCodeMismatch(format!(
            "the command ended with exit code {code}, and its results hold no failure"
        ))),
        _ => None,
    }
}

fn leaked(leaks: &[Leak], profile: &DispatcherProfile) -> Option<Finding> {
    let first = leaks.first()?;
    let by = first.file.as_ref().map(|file| format!(" (started by {file})")).unwrap_or_default();
    let fault =
        Fault::LeaksDetected { count: leaks.len(), shown: format!("{}{by}", first.command) };
    let finding = charge(&fault, Layer::Execute);
    Some(if profile.leaks.value == Leaks::Fail { finding.blocking() } else { finding })
}

/// A run that ended by itself and proved nothing.
fn empty_run(
    dispatched: &Dispatched,
    profile: &DispatcherProfile,
    read: &Read,
    judged: &mut Judged,
) {
    let by_itself = matches!(dispatched.end, ChildEnd::Exited(_));
    if !by_itself
        || read.files == 0
        || read.status.is_some()
        || read.counts.executed() > 0
        || read.counts.failures() > 0
    {
        return;
    }
    let (fault, policy) = if read.counts.skipped > 0 {
        (Fault::AllTestsSkipped(read.counts.skipped), profile.all_skipped.value)
    } else {
        let not_run = read.counts.not_run;
        let detail = if not_run > 0 {
            let (tag, exclude) =
                (profile.tag.value.join(", "), profile.exclude_tag.value.join(", "));
            match (tag.is_empty(), exclude.is_empty()) {
                (false, _) => {
                    format!(
                        "the tag filters left out all {not_run} tests \
                         (tag: {tag}; exclude-tag: {exclude})"
                    )
                }
                (true, false) => {
                    format!("the tag filter left out all {not_run} tests (exclude-tag: {exclude})")
                }
                (true, true) => format!("none of the {not_run} tests was run"),
            }
        } else {
            match dispatched.end {
                ChildEnd::Exited(code) if code != 0 => {
                    format!("the results contain no test (exit code {code})")
                }
                _ => "the results contain no test".to_owned(),
            }
        };
        (Fault::ZeroTestsExecuted(detail), profile.zero_tests.value)
    };
    let finding = charge(&fault, Layer::Execute);
    judged.gate_notice =
        policy == EmptyPolicy::Notice && !judged.findings.iter().any(Finding::stops);
    judged.findings.push(match policy {
        EmptyPolicy::Pass => finding.at_most(Severity::Informs),
        EmptyPolicy::Fail | EmptyPolicy::Notice => finding,
    });
}
