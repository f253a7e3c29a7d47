//! The report of a run for a person at a terminal: failing tests first, then counts, verdict, fix
//! and command.

use anstyle::{AnsiColor, Style};

use super::quote::{line, printable, shortened};
use super::text::{self, RunReport, at};
use crate::domain::receipt::{Classification, GateStatus, InFlightKind};
use crate::domain::results::failure::{self, Failure};
use crate::domain::verdict::classify::class_of;
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};

/// How the report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct View {
    /// With colors.
    pub(crate) color: bool,
    /// With every warning, and not only those that the reader can act on in this run.
    pub(crate) all: bool,
}

/// How many groups of failures are shown, and how many lines of each.
const GROUPS: usize = 10;
const MESSAGE_LINES: usize = 12;
const OUTPUT_LINES: usize = 8;
const WIDTH: usize = 200;
/// How many further findings are shown.
const FINDINGS: usize = 10;
/// The width of the labels.
const LABEL: usize = 10;

/// The whole report.
pub(crate) fn report(run_report: &RunReport, view: View) -> String {
    let mut page = Page { out: String::new(), view };
    failures(&mut page, run_report);
    log_end(&mut page, run_report);
    findings(&mut page, run_report);
    counts(&mut page, run_report);
    verdict(&mut page, run_report);
    paths(&mut page, run_report);
    page.out
}

/// What is written, line by line.
struct Page {
    out: String,
    view: View,
}

impl Page {
    fn styled(&self, style: Style, text: &str) -> String {
        match self.view.color {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A label and what belongs to it.
    fn labelled(&mut self, label: &str, style: Style, text: &str) {
        let label = self.styled(style, &format!("{label:<LABEL$}"));
        self.line(&format!("{label} {text}"));
    }
}

const BOLD: Style = Style::new().bold();
const RED: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GREEN: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const YELLOW: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const DIM: Style = Style::new().dimmed();

/// Failures that are alike stand together, the largest group first.
fn failures(page: &mut Page, run_report: &RunReport) {
    let groups = failure::groups(&run_report.failures);
    for group in groups.iter().take(GROUPS) {
        one(page, run_report, group.first);
        if let Some(next) = group.others.first() {
            let more = group.others.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let name = shortened(&printable(&next.name), WIDTH);
            page.line(&format!("  The same in {name}{more}."));
        }
        page.line("");
    }
    if groups.len() > GROUPS {
        page.line(&format!("{} more kinds of failure are in the page.\n", groups.len() - GROUPS));
    }
}

fn one(page: &mut Page, run_report: &RunReport, failure: &Failure) {
    let word = if failure.errored { "ERROR" } else { "FAIL" };
    let place = run_report
        .repeat
        .place(failure)
        .filter(|(file, line)| line.is_some() || *file != failure.name);
    let place = place.map(|(file, line)| format!(" ({})", at(&printable(&file), line)));
    let name = shortened(&printable(&failure.name), WIDTH);
    let word = page.styled(RED, word);
    page.line(&format!("{word} {name}{}", place.unwrap_or_default()));
    let message: Vec<&str> = failure.message.lines().collect();
    let shown = message.iter().filter(|text| !text.trim().is_empty()).take(MESSAGE_LINES);
    let shown: Vec<String> = shown.map(|text| shortened(&line(text), WIDTH)).collect();
    for text in &shown {
        page.line(&format!("  | {text}"));
    }
    // What a script printed last is its message too.
    let output =
        failure.output.lines().filter(|text| !text.trim().is_empty() && !message.contains(text));
    let output: Vec<&str> = output.collect();
    for text in &output[output.len().saturating_sub(OUTPUT_LINES)..] {
        let text = shortened(&line(text), WIDTH);
        page.line(&page.styled(DIM, &format!("  | {text}")));
    }
}

/// The end of the log, where the tests could not be run or their results could not be read.
fn log_end(page: &mut Page, run_report: &RunReport) {
    if run_report.log_end.is_empty() || !run_report.failures.is_empty() {
        return;
    }
    page.line("Last lines of the log:");
    for text in &run_report.log_end[run_report.log_end.len().saturating_sub(OUTPUT_LINES)..] {
        page.line(&format!("  | {}", shortened(&line(text), WIDTH)));
    }
    page.line("");
}

/// Whether a reader can act on a warning in this run.
fn is_for_the_reader(code: ReasonCode, layer: Layer) -> bool {
    use ReasonCode as C;
    let of_the_host = matches!(code, C::SessionLockHeld | C::PathHygiene | C::ClockSkew);
    layer > Layer::Context && !of_the_host
}

/// Further findings, beside the one that decides.
fn findings(page: &mut Page, run_report: &RunReport) {
    let all = page.view.all;
    // What failed stands above, with its place.
    let shown_above = |code: ReasonCode, layer: Layer| {
        let of_tests = class_of(code, layer).0 == Classification::TestFailures;
        of_tests && !run_report.failures.is_empty()
    };
    let shown = |(code, layer, severity, _): &&(ReasonCode, Layer, Severity, String)| {
        let reported = match severity {
            Severity::Informs => false,
            Severity::Warns => all || is_for_the_reader(*code, *layer),
            Severity::Fails | Severity::Blocks => true,
        };
        reported && !shown_above(*code, *layer)
    };
    let findings: Vec<_> = run_report.reasons.iter().skip(1).filter(shown).collect();
    for (code, _, severity, detail) in findings.iter().take(FINDINGS) {
        let (word, style) =
            if *severity == Severity::Warns { ("Warning", YELLOW) } else { ("Also", RED) };
        page.labelled(word, style, &format!("{code}: {}", shortened(&printable(detail), WIDTH)));
    }
    if findings.len() > FINDINGS {
        let more = findings.len() - FINDINGS;
        page.labelled(
            "",
            BOLD,
            &format!("{more} more findings are in pester-operator-outcome.json"),
        );
    }
    for leak in &run_report.leaks {
        page.labelled(
            "Leaked",
            YELLOW,
            &format!("process {} {}", leak.pid, printable(&leak.command)),
        );
    }
    if let Some(running) = &run_report.in_flight {
        let kind = match running.kind {
            InFlightKind::Test => "test",
            InFlightKind::Block => "block",
            InFlightKind::File => "file",
        };
        page.labelled("Running", YELLOW, &format!("{kind} {}", printable(&running.name)));
    }
    if let Some(triage) = &run_report.triage {
        page.labelled("Baseline", BOLD, &printable(&text::triage_line(triage)));
    }
    // Of a run that tested nothing, or something else, the difference to a green one explains
    // nothing.
    let comparable = matches!(
        run_report.classification,
        Classification::TestFailures | Classification::SeamDefect
    ) && run_report.repeat.command.is_empty();
    let since =
        run_report.since_green.iter().filter(|since| comparable && !since.changes.is_empty());
    for since in since {
        let run = printable(&since.run_id.to_string());
        page.labelled("Changed", BOLD, &format!("since run {run} passed on this host:"));
        for change in since.changes.iter().take(3) {
            page.line(&format!("{:LABEL$} {}", "", printable(&text::change_line(change))));
        }
    }
}

fn counts(page: &mut Page, run_report: &RunReport) {
    let counted = text::counts(&run_report.counts);
    if !counted.is_empty() {
        let took = run_report
            .duration_ms
            .map(|ms| format!(" in {}", text::seconds(ms)))
            .unwrap_or_default();
        page.labelled("Tests", BOLD, &format!("{counted}{took}{}", text::how_sure(run_report)));
    }
    if !run_report.reports.is_empty() {
        page.labelled(
            "Results",
            BOLD,
            &printable(&shortened(&run_report.reports.join(", "), WIDTH)),
        );
    }
    for excluded in &run_report.excluded {
        page.labelled("Excluded", BOLD, &printable(excluded));
    }
}

fn verdict(page: &mut Page, run_report: &RunReport) {
    let style = match run_report.gate {
        GateStatus::Pass => GREEN,
        GateStatus::Notice => YELLOW,
        GateStatus::Fail => RED,
    };
    let (words, name) = (run_report.classification.words(), run_report.classification.as_str());
    let layer =
        run_report.failed_layer.map(|layer| format!(", caused by {layer}")).unwrap_or_default();
    let cancelled = matches!(run_report.reasons.first(), Some((ReasonCode::RunCancelled, ..)));
    match run_report.classification {
        Classification::Completed => page.labelled("Verdict", style, words),
        _ if cancelled => page.labelled("Verdict", style, "cancelled"),
        _ => page.labelled("Verdict", style, &format!("{words} ({name}){layer}")),
    }
    // Which tests failed stands above.
    let reported =
        |code: ReasonCode| code == ReasonCode::TestsFailed && !run_report.failures.is_empty();
    if let Some((code, _, severity, detail)) =
        run_report.reasons.first().filter(|(code, ..)| !reported(*code))
        && *severity > Severity::Informs
    {
        page.labelled("Reason", BOLD, code.as_str());
        page.labelled("Detail", BOLD, &shortened(&printable(detail), 500));
    }
    if run_report.gate == GateStatus::Notice {
        page.labelled("", style, "failed, but allowed to pass by policy");
    }
    if run_report.classification == Classification::Completed {
        return;
    }
    if run_report.next_action_id != "no-action" {
        page.labelled("Fix", BOLD, &sentence(&run_report.next_action));
    }
    let (label, command) = match &run_report.replay {
        // The evidence only repeats that somebody cancelled the run.
        Some(_) if cancelled => ("Run again", run_report.repeat.run()),
        Some(replay) => (replay.label(), replay.command.clone()),
        None => return,
    };
    let label = page.styled(BOLD, &format!("{label}:"));
    page.line(&format!("{label} {}", printable(&command)));
}

/// The text with a capital letter at its beginning.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Where the evidence is.
fn paths(page: &mut Page, run_report: &RunReport) {
    let red = run_report.classification != Classification::Completed;
    let paths = &run_report.paths;
    let shown = [
        ("Log", paths.log.as_ref().filter(|_| red)),
        ("Summary", paths.summary.as_ref().filter(|_| red)),
        ("Page", paths.page.as_ref()),
        ("Evidence", paths.folder.as_ref()),
    ];
    for (label, path) in shown {
        if let Some(path) = path {
            page.labelled(label, DIM, &printable(path));
        }
    }
}
