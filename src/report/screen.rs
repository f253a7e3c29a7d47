//! The report of a run for a person at a terminal: failing tests first, then counts, verdict, fix
//! and command.

use anstyle::{AnsiColor, Style};

use super::quote::{line, printable, shortened};
use super::text::{self, Story, at};
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
pub(crate) fn report(story: &Story, view: View) -> String {
    let mut page = Page { out: String::new(), view };
    failures(&mut page, story);
    log_end(&mut page, story);
    findings(&mut page, story);
    counts(&mut page, story);
    verdict(&mut page, story);
    paths(&mut page, story);
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
fn failures(page: &mut Page, story: &Story) {
    let groups = failure::groups(&story.failures);
    for group in groups.iter().take(GROUPS) {
        one(page, story, group.first);
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

fn one(page: &mut Page, story: &Story, failure: &Failure) {
    let word = if failure.errored { "ERROR" } else { "FAIL" };
    let place =
        story.repeat.place(failure).filter(|(file, line)| line.is_some() || *file != failure.name);
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
fn log_end(page: &mut Page, story: &Story) {
    if story.log_end.is_empty() || !story.failures.is_empty() {
        return;
    }
    page.line("Last lines of the log:");
    for text in &story.log_end[story.log_end.len().saturating_sub(OUTPUT_LINES)..] {
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
fn findings(page: &mut Page, story: &Story) {
    let all = page.view.all;
    // What failed stands above, with its place.
    let shown_above = |code: ReasonCode, layer: Layer| {
        let of_tests = class_of(code, layer).0 == Classification::TestFailures;
        of_tests && !story.failures.is_empty()
    };
    let shown = |(code, layer, severity, _): &&(ReasonCode, Layer, Severity, String)| {
        let told = match severity {
            Severity::Informs => false,
            Severity::Warns => all || is_for_the_reader(*code, *layer),
            Severity::Fails | Severity::Blocks => true,
        };
        told && !shown_above(*code, *layer)
    };
    let findings: Vec<_> = story.reasons.iter().skip(1).filter(shown).collect();
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
    for leak in &story.leaks {
        page.labelled(
            "Leaked",
            YELLOW,
            &format!("process {} {}", leak.pid, printable(&leak.command)),
        );
    }
    if let Some(running) = &story.in_flight {
        let kind = match running.kind {
            InFlightKind::Test => "test",
            InFlightKind::Block => "block",
            InFlightKind::File => "file",
        };
        page.labelled("Running", YELLOW, &format!("{kind} {}", printable(&running.name)));
    }
    if let Some(triage) = &story.triage {
        page.labelled("Baseline", BOLD, &printable(&text::triage_line(triage)));
    }
    // Of a run that tested nothing, or something else, the difference to a green one explains
    // nothing.
    let comparable =
        matches!(story.classification, Classification::TestFailures | Classification::SeamDefect)
            && story.repeat.command.is_empty();
    let since = story.since_green.iter().filter(|since| comparable && !since.changes.is_empty());
    for since in since {
        let run = printable(&since.run_id.to_string());
        page.labelled("Changed", BOLD, &format!("since run {run} passed on this host:"));
        for change in since.changes.iter().take(3) {
            page.line(&format!("{:LABEL$} {}", "", printable(&text::change_line(change))));
        }
    }
}

fn counts(page: &mut Page, story: &Story) {
    let counted = text::counts(&story.counts);
    if !counted.is_empty() {
        let took =
            story.duration_ms.map(|ms| format!(" in {}", text::seconds(ms))).unwrap_or_default();
        page.labelled("Tests", BOLD, &format!("{counted}{took}{}", text::how_sure(story)));
    }
    if !story.reports.is_empty() {
        page.labelled("Results", BOLD, &printable(&shortened(&story.reports.join(", "), WIDTH)));
    }
    for excluded in &story.excluded {
        page.labelled("Excluded", BOLD, &printable(excluded));
    }
}

fn verdict(page: &mut Page, story: &Story) {
    let style = match story.gate {
        GateStatus::Pass => GREEN,
        GateStatus::Notice => YELLOW,
        GateStatus::Fail => RED,
    };
    let (words, name) = (story.classification.words(), story.classification.as_str());
    let layer = story.failed_layer.map(|layer| format!(", caused by {layer}")).unwrap_or_default();
    let cancelled = matches!(story.reasons.first(), Some((ReasonCode::RunCancelled, ..)));
    match story.classification {
        Classification::Completed => page.labelled("Verdict", style, words),
        _ if cancelled => page.labelled("Verdict", style, "cancelled"),
        _ => page.labelled("Verdict", style, &format!("{words} ({name}){layer}")),
    }
    // Which tests failed stands above.
    let told = |code: ReasonCode| code == ReasonCode::TestsFailed && !story.failures.is_empty();
    if let Some((code, _, severity, detail)) =
        story.reasons.first().filter(|(code, ..)| !told(*code))
        && *severity > Severity::Informs
    {
        page.labelled("Reason", BOLD, code.as_str());
        page.labelled("Detail", BOLD, &shortened(&printable(detail), 500));
    }
    if story.gate == GateStatus::Notice {
        page.labelled("", style, "failed, but allowed to pass by policy");
    }
    if story.classification == Classification::Completed {
        return;
    }
    if story.next_action_id != "no-action" {
        page.labelled("Fix", BOLD, &sentence(&story.next_action));
    }
    let (label, command) = match &story.replay {
        // The evidence only repeats that somebody cancelled the run.
        Some(_) if cancelled => ("Run again", story.repeat.run()),
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
fn paths(page: &mut Page, story: &Story) {
    let red = story.classification != Classification::Completed;
    let paths = &story.paths;
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
