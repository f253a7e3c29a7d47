//! The job summary: Markdown in which nothing that came from outside is markup.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::quote::{line as text_line, printable, shortened};
use super::text::{self, RunReport, at};
use crate::domain::receipt::GateStatus;
use crate::domain::results::failure::{self, Group};
use crate::domain::results::triage::Category;
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::{Layer, Severity};

/// The summary.
pub(crate) fn summary(run_report: &RunReport) -> String {
    let mut out = String::new();
    let mark = match run_report.gate {
        GateStatus::Pass => "✅",
        GateStatus::Notice => "⚠️",
        GateStatus::Fail => "❌",
    };
    let _ = writeln!(out, "## {mark} pester-gate: {}\n", run_report.classification.as_str());
    let _ = writeln!(out, "{}\n", code(&run_report.headline));
    let counted = text::counts(&run_report.counts);
    if !counted.is_empty() {
        let _ = writeln!(out, "**Tests:** {counted}{}\n", text::how_sure(run_report));
    }
    for excluded in &run_report.excluded {
        let _ = writeln!(out, "**Excluded:** {}\n", code(excluded));
    }
    if let Some(running) = &run_report.in_flight {
        let _ = writeln!(out, "**Running at the end:** {}\n", code(&running.name));
    }
    if run_report.next_action_id != "no-action" {
        let _ = writeln!(out, "**Fix:** {}\n", run_report.next_action);
    }
    if let Some(replay) = &run_report.replay {
        let _ = writeln!(out, "**{}:** {}\n", replay.label(), whole_code(&replay.command));
    }
    layers(&mut out, run_report);
    failures(&mut out, run_report);
    not_run(&mut out, run_report);
    if !run_report.log_end.is_empty() {
        out.push_str("### Last lines of the log\n\n");
        let lines: Vec<&str> = run_report.log_end.iter().map(String::as_str).collect();
        out.push_str(&block(lines.iter()));
    }
    reasons(&mut out, run_report);
    triage(&mut out, run_report);
    since_green(&mut out, run_report);
    out
}

/// How many entries of a comparison are shown.
const ENTRIES: usize = 15;

fn triage(out: &mut String, run_report: &RunReport) {
    let Some(triage) = &run_report.triage else { return };
    let run = triage
        .baseline
        .as_ref()
        .map(|baseline| format!("run {}", code(&baseline.run_id.to_string())));
    let run = run.unwrap_or_else(|| "an earlier run".to_owned());
    let _ = writeln!(out, "### Compared with {run}\n\n{}\n", code(&text::triage_line(triage)));
    for limit in triage.limits.iter().filter(|_| !triage.counts.is_empty()) {
        let _ = writeln!(out, "- {}", code(limit));
    }
    let telling: Vec<_> =
        triage.entries.iter().filter(|entry| entry.score >= Category::Added.score()).collect();
    if telling.is_empty() {
        return;
    }
    out.push_str("| difference | test | file |\n|---|---|---|\n");
    for entry in telling.iter().take(ENTRIES) {
        let other = if entry.same_failure == Some(false) { " (with another failure)" } else { "" };
        let file = entry.file.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "| {}{other} | {} | {} |",
            entry.category.as_str(),
            cell(&entry.name),
            cell(file)
        );
    }
    if telling.len() > ENTRIES {
        let _ = writeln!(out, "\n{} more in `pester-triage.json`", telling.len() - ENTRIES);
    }
    out.push('\n');
}

fn since_green(out: &mut String, run_report: &RunReport) {
    let Some(since) = &run_report.since_green else { return };
    let _ = writeln!(out, "### Changed on this host since the last passing run\n");
    let _ = writeln!(out, "Run {}, {}.\n", code(&since.run_id.to_string()), since.at_utc);
    if since.changes.is_empty() {
        out.push_str("No change was found in the tools, the settings and the tests.\n\n");
        return;
    }
    out.push_str("| change (most likely cause first) | before | now |\n|---|---|---|\n");
    for change in since.changes.iter().take(ENTRIES) {
        let cells = text::change_row(change).map(|text| match text.as_str() {
            "(none)" => text,
            text => cell(text),
        });
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    let more = since.more + since.changes.len().saturating_sub(ENTRIES) as u64;
    if more > 0 {
        let _ = writeln!(out, "\n{more} more in `pester-operator-outcome.json`");
    }
    out.push('\n');
}

/// Files of the plan that no test of is told, and why.
fn not_run(out: &mut String, run_report: &RunReport) {
    if run_report.not_run.is_empty() {
        return;
    }
    out.push_str("### Files that did not finish\n\n");
    for (file, state) in run_report.not_run.iter().take(ENTRIES) {
        let _ = writeln!(out, "- {}: {state}", code(file));
    }
    if run_report.not_run.len() > ENTRIES {
        let _ = writeln!(
            out,
            "- {} more in `pester-run-receipt.json`",
            run_report.not_run.len() - ENTRIES
        );
    }
    out.push('\n');
}

/// A layer's own job: its status and what it found, in a line each.
pub(crate) fn layer(layer: Layer, status: &str, findings: &[Finding]) -> String {
    let mark = match status {
        "ready" => "✅",
        "warning" => "⚠️",
        _ => "❌",
    };
    let reported = |finding: &&Finding| finding.severity() > Severity::Informs;
    let mut out = format!("{mark} **pester-gate {layer}: {status}**\n\n");
    for finding in findings {
        let _ = writeln!(out, "- {}: {}", finding.code(), code(finding.detail()));
    }
    if let Some(finding) = findings.first().filter(reported) {
        let _ = writeln!(out, "- **Fix:** {}", finding.code().row().remedy);
    }
    out.push('\n');
    out
}

/// The decision of route, with every fact that it used.
pub(crate) fn route(
    finding: Option<&Finding>,
    admitted: bool,
    facts: &BTreeMap<String, Value>,
) -> String {
    let mut out = String::new();
    let mark = if admitted { "✅ allowed" } else { "❌ refused" };
    let _ = writeln!(out, "## pester-gate route: {mark}\n");
    if let Some(finding) = finding {
        let _ = writeln!(out, "{}: {}\n", finding.code(), code(finding.detail()));
        if !admitted {
            let _ = writeln!(out, "**Fix:** {}\n", finding.code().row().remedy);
        }
    }
    out.push_str("| fact | value |\n|---|---|\n");
    for (name, value) in facts {
        let _ = writeln!(out, "| {name} | {} |", cell(&value.to_string()));
    }
    out
}

fn layers(out: &mut String, run_report: &RunReport) {
    if let Some(bearing) = text::bearing(run_report) {
        let _ = writeln!(out, "{bearing}\n");
    }
    out.push_str("| layer | status |\n|---|---|\n");
    for line in &run_report.layers {
        let _ = writeln!(
            out,
            "| {} | {}{} |",
            line.layer,
            cell(&line.status),
            text::fault_mark(run_report, line)
        );
    }
    out.push('\n');
}

/// How large a summary may grow; GitHub takes 1 MiB of a step and drops what is larger.
const BUDGET: usize = 900 << 10;
/// How many reasons are shown.
const REASONS: usize = 50;
/// How many groups of failures are shown whole.
const GROUPS: usize = 20;
/// How many lines of a message, and of an output, are shown.
const MESSAGE_LINES: usize = 6;
const OUTPUT_LINES: usize = 10;

fn failures(out: &mut String, run_report: &RunReport) {
    if run_report.failures.is_empty() {
        return;
    }
    out.push_str("### Failures, grouped by cause\n\n");
    let groups = failure::groups(&run_report.failures);
    let mut shown = 0;
    for group in groups.iter().take(GROUPS) {
        let text = group_text(group, run_report);
        if out.len() + text.len() > BUDGET {
            break;
        }
        out.push_str(&text);
        shown += 1 + group.others.len();
    }
    if run_report.failures.len() > shown {
        let _ =
            writeln!(out, "{} more in `pester-failures.json`\n", run_report.failures.len() - shown);
    }
    let not_listed = text::not_listed(run_report);
    if not_listed > 0 {
        let _ = writeln!(out, "{not_listed} more in the raw results only\n");
    }
}

/// One group: where, what, the end of its output, and how it is repeated.
fn group_text(group: &Group<'_>, run_report: &RunReport) -> String {
    let failure = group.first;
    let mut out = String::new();
    // A file without a line is named by the command below.
    let place = run_report.repeat.place(failure).filter(|(_, line)| line.is_some());
    let place = place.map(|(file, line)| format!(" at {}", code(&at(&file, line))));
    let _ = writeln!(
        out,
        "**{}** {}{}\n",
        failure.class().heading(),
        code(&failure.name),
        place.unwrap_or_default()
    );
    let lines: Vec<&str> = failure.output.lines().collect();
    let end = &lines[lines.len().saturating_sub(OUTPUT_LINES)..];
    let message: Vec<&str> = failure.message.lines().take(MESSAGE_LINES).collect();
    // What a script printed last is its message too.
    let output = end.iter().filter(|line| !message.contains(*line));
    let said = block(message.iter().chain(output));
    out.push_str(if said.is_empty() { "The report gives no message.\n\n" } else { &said });
    // Where no file is known the run is what can be repeated.
    let again = run_report.repeat.file(failure).unwrap_or_else(|| run_report.repeat.run());
    if run_report.replay.as_ref().is_none_or(|replay| replay.command != again) {
        let _ = writeln!(out, "Reproduce: {}\n", whole_code(&again));
    }
    if !group.others.is_empty() {
        let names: Vec<String> =
            group.others.iter().take(10).map(|other| code(&other.name)).collect();
        let more = group.others.len().saturating_sub(10);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(
            out,
            "{} more with the same cause: {}{more}\n",
            group.others.len(),
            names.join(", ")
        );
    }
    out
}

/// Lines from outside as a code block: nothing in it is markup, and it ends where it ends.
fn block<'a>(lines: impl Iterator<Item = &'a &'a str>) -> String {
    let lines: Vec<String> = lines.map(|line| shortened(&text_line(line), 300)).collect();
    if lines.is_empty() {
        return String::new();
    }
    let longest =
        lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n\n", lines.join("\n"))
}

fn reasons(out: &mut String, run_report: &RunReport) {
    // The deciding one stands above, with what to do.
    let telling: Vec<_> = run_report
        .reasons
        .iter()
        .skip(1)
        .filter(|(_, _, severity, _)| *severity >= Severity::Warns)
        .collect();
    if telling.is_empty() {
        return;
    }
    out.push_str(
        "### Other findings\n\n| reason | caused by | detail | fix |\n|---|---|---|---|\n",
    );
    for (code, layer, severity, detail) in telling.iter().take(REASONS) {
        let (charged, next) =
            (text::caused_by(*code, *layer), code.row().remedy.replace('|', "\\|"));
        let mild = if *severity == Severity::Warns { " (warns)" } else { "" };
        let _ = writeln!(out, "| {code}{mild} | {charged} | {} | {next} |", cell(detail));
    }
    if telling.len() > REASONS {
        let _ =
            writeln!(out, "\n{} more in `pester-operator-outcome.json`", telling.len() - REASONS);
    }
    out.push('\n');
}

/// Text from outside as a code span: nothing in it is markup. Its fence is longer than any run of
/// backticks in it, and what is invisible is written out.
pub(crate) fn code(text: &str) -> String {
    whole_code(&shortened(text, 500))
}

/// The same, however long: half a command is none.
fn whole_code(text: &str) -> String {
    let text = printable(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad =
        if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The same inside a table, where a bar would end the cell.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_inside_its_span() {
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a ` b `` c"), "```a ` b `` c```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(code("a\n# b"), r"`a\u{a}# b`");
        assert_eq!(cell("a|b"), r"`a\|b`");
        assert_eq!(block(["a", "```", "# b\u{1b}"].iter()), "````text\na\n```\n# b\n````\n\n");
        assert_eq!(block([].iter()), "");
    }
}
