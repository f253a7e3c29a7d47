//! Plain text for people.

use super::again::{Replay, Reproduce};
use super::quote::{printable, shortened};
use crate::domain::receipt::{Change, SinceGreen};
use crate::domain::receipt::{Classification, GateStatus, InFlight, Leak};
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::Failure;
use crate::domain::results::test_list::Test;
use crate::domain::results::triage::{Category, Triage};
use crate::domain::verdict::classify::class_of;
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};

impl RunReport {
    /// The verdict and nothing that came from outside.
    pub(crate) fn bare(&self) -> Self {
        let code = self.reasons.first().map_or("", |(code, ..)| code.as_str());
        Self {
            headline: format!("{}: {code}", self.classification.as_str()),
            replay: None,
            reasons: Vec::new(),
            failures: Vec::new(),
            in_flight: None,
            leaks: Vec::new(),
            paths: Paths::default(),
            excluded: Vec::new(),
            reports: Vec::new(),
            not_run: Vec::new(),
            log_end: Vec::new(),
            stops: Vec::new(),
            slowest: Vec::new(),
            tests: Vec::new(),
            triage: None,
            since_green: None,
            ..self.clone()
        }
    }
}

/// Whether any test ran, by what was left of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestsRan {
    /// Nothing was started.
    No,
    /// Some were counted.
    Yes,
    /// Something was started, or may have been, and nothing was counted.
    Unknown,
}

/// One layer's line.
#[derive(Debug, Clone)]
pub(crate) struct LayerLine {
    /// The layer.
    pub(crate) layer: Layer,
    /// Its status, its job's result, or `unknown`.
    pub(crate) status: String,
}

/// Where a person looks further; nothing where a file was not written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The dispatcher's log.
    pub(crate) log: Option<String>,
    /// The Markdown summary.
    pub(crate) summary: Option<String>,
    /// The HTML page.
    pub(crate) page: Option<String>,
    /// The folder of the evidence.
    pub(crate) folder: Option<String>,
}

/// When a layer was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worked {
    /// Which.
    pub(crate) layer: Layer,
    /// When it began, after the first, in milliseconds.
    pub(crate) from_ms: u64,
    /// For how long.
    pub(crate) took_ms: u64,
}

/// Everything that a report says.
#[derive(Debug, Clone)]
pub(crate) struct RunReport {
    /// What the run came to.
    pub(crate) classification: Classification,
    /// What a required check is told.
    pub(crate) gate: GateStatus,
    /// The layer at fault.
    pub(crate) failed_layer: Option<Layer>,
    /// One line.
    pub(crate) headline: String,
    /// Stable id of the next action.
    pub(crate) next_action_id: &'static str,
    /// What a person does next.
    pub(crate) next_action: String,
    /// The command that shows it again.
    pub(crate) replay: Option<Reproduce>,
    /// Every reason, the deciding one first.
    pub(crate) reasons: Vec<(ReasonCode, Layer, Severity, String)>,
    /// Whether any test ran.
    pub(crate) tests_ran: TestsRan,
    /// Every layer.
    pub(crate) layers: Vec<LayerLine>,
    /// What the tests came to.
    pub(crate) counts: Counts,
    /// How the run and its parts are repeated.
    pub(crate) repeat: Replay,
    /// What failed, in file order.
    pub(crate) failures: Vec<Failure>,
    /// What was running at the end.
    pub(crate) in_flight: Option<InFlight>,
    /// What outlived the tests.
    pub(crate) leaks: Vec<Leak>,
    /// How long the dispatcher ran.
    pub(crate) duration_ms: Option<u64>,
    /// Where the evidence is.
    pub(crate) paths: Paths,
    /// Tests and files that a rule left out, in a line each.
    pub(crate) excluded: Vec<String>,
    /// Results files that the gate found by itself.
    pub(crate) reports: Vec<String>,
    /// The end of the log that tells most, where the seam is at fault.
    pub(crate) log_end: Vec<String>,
    /// What stops the gate beside tests: reason, layer, detail, and the command that shows it
    /// again.
    pub(crate) stops: Vec<(ReasonCode, Layer, String, String)>,
    /// Files of the plan that did not run to their end, and what became of them.
    pub(crate) not_run: Vec<(String, &'static str)>,
    /// The slowest tests.
    pub(crate) slowest: Vec<Test>,
    /// Tests with what they took: those that failed, then the slowest.
    pub(crate) tests: Vec<Test>,
    /// How many tests there are.
    pub(crate) tests_listed: u64,
    /// What is new against an earlier run.
    pub(crate) triage: Option<Triage>,
    /// What changed on the host since it was last green.
    pub(crate) since_green: Option<SinceGreen>,
    /// When each layer was at work, in its order.
    pub(crate) timeline: Vec<Worked>,
}

/// Failures that were counted and are told of nowhere but in the raw results.
pub(crate) fn not_listed(run_report: &RunReport) -> u64 {
    let counted = run_report.counts.failed.saturating_add(run_report.counts.errors);
    counted.saturating_sub(run_report.failures.len() as u64)
}

/// `file:line`, or the file alone.
pub(crate) fn at(file: &str, line: Option<u64>) -> String {
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

/// `12 passed, 1 failed, 2 skipped`, without the zeros; nothing where nothing was counted.
pub(crate) fn counts(counts: &Counts) -> String {
    let parts = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.errors, if counts.errors == 1 { "error" } else { "errors" }),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
        (
            counts.failed_blocks,
            if counts.failed_blocks == 1 { "failed block" } else { "failed blocks" },
        ),
        (
            counts.failed_files,
            if counts.failed_files == 1 { "failed file" } else { "failed files" },
        ),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    parts.join(", ")
}

/// `1.2 s`, `3 min 4 s`.
pub(crate) fn seconds(ms: u64) -> String {
    if ms >= 60_000 {
        return format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000);
    }
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// What a test took: `3.4 ms`, `1.2 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.1} ms") } else { seconds(ms as u64) }
}

/// One line for one layer: `selection  ready      3 of 5 files`.
pub(crate) fn layer_line(layer: Layer, status: &str, detail: &str) -> String {
    format!("{:<10} {status:<13} {}", layer.as_str(), shortened(&printable(detail), 160))
        .trim_end()
        .to_owned()
}

/// Marks the failed layer. If its own status is good, a later layer found the problem.
pub(crate) fn fault_mark(run_report: &RunReport, line: &LayerLine) -> &'static str {
    let good = ["ready", "warning", "completed"].contains(&line.status.as_str());
    match (run_report.failed_layer == Some(line.layer), good) {
        (true, true) => " ← failed layer (a later layer found the problem)",
        (true, false) => " ← failed layer",
        (false, _) => "",
    }
}

/// What the verdict says of the tests, in a sentence; nothing where they passed.
pub(crate) fn bearing(run_report: &RunReport) -> Option<String> {
    match (run_report.classification, run_report.failed_layer) {
        (Classification::Completed, _) => None,
        (Classification::TestFailures, _) => {
            Some("The run is complete: the failures are in the tests.".to_owned())
        }
        (_, None) => None,
        (_, Some(layer)) => Some(match run_report.tests_ran {
            TestsRan::No => format!("No test ran. The failed layer is {layer}."),
            TestsRan::Unknown => {
                format!("The failed layer is {layer}. It is unknown whether any test ran.")
            }
            TestsRan::Yes => {
                format!(
                    "The failed layer is {layer}. The test results are not reliable until this \
                     is fixed."
                )
            }
        }),
    }
}

/// Marks the counts of a harness failure: some results may be missing.
pub(crate) fn how_sure(run_report: &RunReport) -> &'static str {
    if run_report.classification == Classification::SeamDefect {
        " (may be incomplete)"
    } else {
        ""
    }
}

/// Returns the cause of a reason for a person: the tests, or a layer.
pub(crate) fn caused_by(code: ReasonCode, layer: Layer) -> &'static str {
    match class_of(code, layer).0 {
        Classification::TestFailures => "the tests",
        _ => layer.as_str(),
    }
}

/// What is new against a baseline: `regressed: 1 regression, 2 added (against run 7)`.
pub(crate) fn triage_line(triage: &Triage) -> String {
    let of = |category: &Category| {
        let count = triage.counts.get(category).copied().unwrap_or_default();
        (count > 0).then(|| format!("{count} {}", category.as_str()))
    };
    let counts: Vec<String> = Category::ALL.iter().filter_map(of).collect();
    let reported = if counts.is_empty() { triage.limits.join("; ") } else { counts.join(", ") };
    let run =
        triage.baseline.as_ref().map(|baseline| format!(" (against run {})", baseline.run_id));
    format!("{}: {reported}{}", triage.status.as_str(), run.unwrap_or_default())
}

/// `probe.dotnet.version: 8.0.1 -> 9.0.0`.
pub(crate) fn change_line(change: &Change) -> String {
    // Digests of files say nothing to a person.
    if let Some(file) = change.what.strip_prefix("file.") {
        let what = match (&change.was, &change.is) {
            (None, _) => "was not in that run",
            (_, None) => "is not in this run",
            _ => "changed",
        };
        return format!("{file} {what}");
    }
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "(none)".to_owned());
    format!("{}: {} -> {}", change.what, side(&change.was), side(&change.is))
}

/// A change as a row of a table: what changed, before, now. Digests of files say nothing to a
/// person.
pub(crate) fn change_row(change: &Change) -> [String; 3] {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "(none)".to_owned());
    let Some(file) = change.what.strip_prefix("file.") else {
        return [change.what.clone(), side(&change.was), side(&change.is)];
    };
    let (was, is) = match (&change.was, &change.is) {
        (None, _) => ("not run", "run"),
        (_, None) => ("run", "not run"),
        _ => ("as it was", "changed"),
    };
    [file.to_owned(), was.to_owned(), is.to_owned()]
}

/// A failure's name, place and first line of message.
pub(crate) fn failure_line(failure: &Failure) -> String {
    let mut line = failure.name.clone();
    let place = Replay::default().place(failure);
    if let Some((file, line_number)) =
        place.filter(|(file, line)| *file != failure.name || line.is_some())
    {
        line.push_str(&format!(" ({})", at(&file, line_number)));
    }
    let message = failure.message.lines().next().unwrap_or_default();
    if !message.is_empty() {
        line.push_str(": ");
        line.push_str(&shortened(message, 200));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_zeros_out() {
        let some = Counts { passed: 2, skipped: 1, total: 3, ..Counts::default() };
        assert_eq!(counts(&some), "2 passed, 1 skipped");
        assert_eq!(counts(&Counts::default()), "");
    }
}
