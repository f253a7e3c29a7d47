//! The report as one page: nothing is loaded, nothing that came from outside is markup.

use std::fmt::Write;

use super::quote::{line, printable, shortened};
use super::text::{self, RunReport, at};
use crate::domain::receipt::GateStatus;
use crate::domain::results::failure::Failure;
use crate::domain::results::triage::Category;
use crate::domain::verdict::reason::Severity;

/// How much of a failure's output is on the page, in lines.
const OUTPUT_LINES: usize = 60;
/// How large the failures may grow, in bytes, before they are told in a line each; and that once
/// more.
const BUDGET: usize = 8 << 20;
/// How many rows a table shows that may be long.
const ROWS: usize = 200;
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub(crate) fn page(run_report: &RunReport) -> String {
    let mut out = String::with_capacity(16 << 10);
    let (class, word) = match run_report.gate {
        GateStatus::Pass => ("pass", "pass"),
        GateStatus::Notice => ("notice", "notice: failed, but allowed to pass by policy"),
        GateStatus::Fail => ("fail", "fail"),
    };
    let title = format!("pester-gate: {}", run_report.classification.as_str());
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escaped(&title)
    );
    let _ = writeln!(
        out,
        "<header class=\"{class}\">\n<h1>{}</h1>\n<p class=\"gate\">gate: {word}</p>\n\
         <p><code>{}</code></p>",
        escaped(&title),
        escaped(&run_report.headline)
    );
    let counted = text::counts(&run_report.counts);
    if !counted.is_empty() {
        let took = run_report
            .duration_ms
            .map(|ms| format!(" in {}", text::seconds(ms)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "<p>{}</p>",
            escaped(&format!("{counted}{took}{}", text::how_sure(run_report)))
        );
    }
    for excluded in &run_report.excluded {
        let _ = writeln!(out, "<p>Excluded: {}</p>", escaped(excluded));
    }
    if let Some(running) = &run_report.in_flight {
        let _ = writeln!(out, "<p>Running at the end: <code>{}</code></p>", escaped(&running.name));
    }
    if let Some(bearing) = text::bearing(run_report) {
        let _ = writeln!(out, "<p>{bearing}</p>");
    }
    if run_report.next_action_id != "no-action" {
        let _ = writeln!(out, "<p><strong>Fix:</strong> {}</p>", escaped(&run_report.next_action));
    }
    if let Some(replay) = &run_report.replay {
        let command = escaped(&replay.command);
        let _ = writeln!(out, "<p><strong>{}:</strong> <code>{command}</code></p>", replay.label());
    }
    out.push_str("</header>\n<main>\n");
    layers(&mut out, run_report);
    filter(&mut out, run_report);
    failures(&mut out, run_report);
    not_run(&mut out, run_report);
    if !run_report.log_end.is_empty() {
        let text = lines(&run_report.log_end.join("\n"), usize::MAX);
        section(&mut out, "log", "Last lines of the log");
        let _ = writeln!(out, "<pre>{text}</pre>\n</section>");
    }
    reasons(&mut out, run_report);
    triage(&mut out, run_report);
    since_green(&mut out, run_report);
    tests(&mut out, run_report);
    let _ = write!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// Begins a section with its heading; the caller ends it.
fn section(out: &mut String, id: &str, heading: &str) {
    let _ = write!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n");
}

/// Begins a table with its headings; the caller ends it.
fn table(out: &mut String, columns: &[&str]) {
    out.push_str("<table>\n");
    headings(out, columns);
}

fn headings(out: &mut String, columns: &[&str]) {
    let cells: String =
        columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
    let _ = write!(out, "<thead><tr>{cells}</tr></thead>\n<tbody>\n");
}

fn layers(out: &mut String, run_report: &RunReport) {
    section(out, "layers", "Layers");
    out.push_str("<ol class=\"layers\">\n");
    for line in &run_report.layers {
        let mark =
            if run_report.failed_layer == Some(line.layer) { " class=\"fault\"" } else { "" };
        let said = text::fault_mark(run_report, line).replace(" ←", ",");
        let _ =
            writeln!(out, "<li{mark}><b>{}</b> {}{said}</li>", line.layer, escaped(&line.status));
    }
    out.push_str("</ol>\n");
    timeline(out, run_report);
    out.push_str("</section>\n");
}

/// When each layer was at work, as bars on one scale and in words.
fn timeline(out: &mut String, run_report: &RunReport) {
    let Some(end) = run_report.timeline.iter().map(|worked| worked.from_ms + worked.took_ms).max()
    else {
        return;
    };
    let share = |ms: u64| ms as f64 * 100.0 / end.max(1) as f64;
    out.push_str(
        "<table class=\"timeline\">\n<caption>Start and duration of each layer</caption>\n",
    );
    let bar = "<span class=\"unseen\">as a bar</span>";
    headings(out, &["layer", "started after", "duration", bar]);
    for worked in &run_report.timeline {
        let fault = if run_report.failed_layer == Some(worked.layer) { " fault" } else { "" };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>\
             <td class=\"bar\"><i class=\"span{fault}\" \
             style=\"margin-left:{:.2}%;width:{:.2}%\"></i></td></tr>",
            worked.layer,
            text::milliseconds(worked.from_ms as f64),
            text::milliseconds(worked.took_ms as f64),
            share(worked.from_ms).min(99.0),
            share(worked.took_ms).clamp(0.5, 100.0)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

/// One filter for all that can be many.
fn filter(out: &mut String, run_report: &RunReport) {
    let shown = run_report.failures.len() + run_report.tests.len();
    if shown == 0 {
        return;
    }
    let _ = writeln!(
        out,
        "<search>\n<label for=\"filter\">Filter failures and tests by name, file, class, message \
         or output</label>\n<input id=\"filter\" type=\"search\" autocomplete=\"off\"> \
         <output id=\"shown\" for=\"filter\">{shown} of {shown} rows</output>\n</search>"
    );
}

fn failures(out: &mut String, run_report: &RunReport) {
    if run_report.failures.is_empty() {
        return;
    }
    section(out, "failures", "Failures");
    let not_listed = text::not_listed(run_report);
    if not_listed > 0 {
        let _ = writeln!(out, "<p>{not_listed} more are in the raw results only.</p>");
    }
    let begin = out.len();
    for (at, failure) in run_report.failures.iter().enumerate() {
        // Past the budget, a failure gets one line; the rest is in `pester-failures.json`.
        if out.len() - begin > BUDGET {
            in_short(out, run_report, failure);
        } else {
            one(out, run_report, failure);
        }
        if out.len() - begin > 2 * BUDGET {
            let more = run_report.failures.len() - at - 1;
            let _ = writeln!(out, "<p>{more} more are in <code>pester-failures.json</code>.</p>");
            break;
        }
    }
    out.push_str("</section>\n");
}

fn in_short(out: &mut String, run_report: &RunReport, failure: &Failure) {
    let place = run_report.repeat.place(failure).map(|(file, line)| at(&file, line));
    let _ = writeln!(
        out,
        "<p class=\"failure\"><span class=\"class\">{}</span> {} <small>{}</small> {}</p>",
        failure.class().heading(),
        escaped(&shortened(&failure.name, 300)),
        escaped(&place.unwrap_or_default()),
        escaped(&shortened(failure.message.lines().next().unwrap_or_default(), 200))
    );
}

fn one(out: &mut String, run_report: &RunReport, failure: &Failure) {
    let place = run_report.repeat.place(failure).map(|(file, line)| at(&file, line));
    let _ = writeln!(
        out,
        "<details class=\"failure\"><summary><span class=\"class\">{}</span> {} \
         <small>{}</small></summary>",
        failure.class().heading(),
        escaped(&failure.name),
        escaped(&place.unwrap_or_default())
    );
    let _ = writeln!(out, "<pre>{}</pre>", lines(&failure.message, usize::MAX));
    if !failure.output.trim().is_empty() {
        let _ = writeln!(
            out,
            "<p>Last lines of the output:</p>\n<pre>{}</pre>",
            lines(&failure.output, OUTPUT_LINES)
        );
    }
    let _ = writeln!(out, "<p>{}</p>\n<dl>", escaped(failure.remedy()));
    let commands = [
        ("run", Some(run_report.repeat.run())),
        ("file", run_report.repeat.file(failure)),
        ("test", run_report.repeat.test(failure)),
    ];
    for (what, command) in commands {
        if let Some(command) = command {
            let _ = writeln!(
                out,
                "<dt>Reproduce the {what}</dt><dd><code>{}</code></dd>",
                escaped(&command)
            );
        }
    }
    let _ = writeln!(
        out,
        "<dt>signature</dt><dd><code>{}</code></dd>\n</dl></details>",
        failure.signature()
    );
}

fn reasons(out: &mut String, run_report: &RunReport) {
    section(out, "reasons", "Reasons");
    table(out, &["reason", "caused by", "detail"]);
    for (code, layer, severity, detail) in &run_report.reasons {
        let quiet = if *severity < Severity::Warns { " class=\"quiet\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr{quiet}><td>{code}</td><td>{}</td><td>{}</td></tr>",
            text::caused_by(*code, *layer),
            escaped(detail)
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn not_run(out: &mut String, run_report: &RunReport) {
    if run_report.not_run.is_empty() {
        return;
    }
    section(out, "not-run", "Files that did not finish");
    out.push_str("<ul>\n");
    for (file, state) in run_report.not_run.iter().take(ROWS) {
        let _ = writeln!(out, "<li><code>{}</code>: {state}</li>", escaped(file));
    }
    out.push_str("</ul>\n");
    more(out, run_report.not_run.len() as u64, "pester-run-receipt.json");
    out.push_str("</section>\n");
}

fn triage(out: &mut String, run_report: &RunReport) {
    let Some(triage) = &run_report.triage else { return };
    section(out, "triage", "Compared with an earlier run");
    let _ = writeln!(out, "<p>{}</p>", escaped(&text::triage_line(triage)));
    for limit in triage.limits.iter().filter(|_| !triage.counts.is_empty()) {
        let _ = writeln!(out, "<p>{}</p>", escaped(limit));
    }
    let telling: Vec<_> =
        triage.entries.iter().filter(|entry| entry.score >= Category::Added.score()).collect();
    if !telling.is_empty() {
        table(out, &["difference", "test", "file"]);
        for entry in telling.iter().take(ROWS) {
            let file = entry.file.as_deref().unwrap_or_default();
            let row = (entry.category.as_str(), escaped(&entry.name), escaped(file));
            let _ =
                writeln!(out, "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", row.0, row.1, row.2);
        }
        out.push_str("</tbody>\n</table>\n");
        more(out, telling.len() as u64, "pester-triage.json");
    }
    out.push_str("</section>\n");
}

fn since_green(out: &mut String, run_report: &RunReport) {
    let Some(since) = &run_report.since_green else { return };
    section(out, "since", "Changed on this host since the last passing run");
    let run = escaped(&since.run_id.to_string());
    let _ = writeln!(out, "<p>Run <code>{run}</code>, {}.</p>", since.at_utc);
    if since.changes.is_empty() {
        out.push_str("<p>No change was found in the tools, the settings and the tests.</p>\n");
    } else {
        table(out, &["change (most likely cause first)", "before", "now"]);
        for change in &since.changes {
            let cells = text::change_row(change).map(|cell| escaped(&cell)).join("</td><td>");
            let _ = writeln!(out, "<tr><td>{cells}</td></tr>");
        }
        out.push_str("</tbody>\n</table>\n");
    }
    out.push_str("</section>\n");
}

/// Tests with what they took: those that failed, then the slowest.
fn tests(out: &mut String, run_report: &RunReport) {
    if run_report.tests.is_empty() {
        return;
    }
    section(out, "tests", "Tests: failed first, then the slowest");
    table(out, &["duration", "outcome", "test", "file"]);
    for test in &run_report.tests {
        let took = test.duration_ms.map_or_else(String::new, text::milliseconds);
        let outcome = serde_json::to_value(test.outcome).ok();
        let outcome = outcome.as_ref().and_then(|word| word.as_str()).unwrap_or_default();
        let mark = if test.failed() { " class=\"test bad\"" } else { " class=\"test\"" };
        let (name, file) = (
            escaped(&shortened(&test.name, 300)),
            escaped(test.file.as_deref().unwrap_or_default()),
        );
        let _ = writeln!(
            out,
            "<tr{mark}><td>{took}</td><td>{outcome}</td><td>{name}</td><td>{file}</td></tr>"
        );
    }
    out.push_str("</tbody>\n</table>\n");
    let hidden = run_report.tests_listed.saturating_sub(run_report.tests.len() as u64);
    if hidden > 0 {
        let _ = writeln!(out, "<p>{hidden} more are in <code>pester-tests.json</code>.</p>");
    }
    out.push_str("</section>\n");
}

fn more(out: &mut String, of: u64, file: &str) {
    if let Some(more) = of.checked_sub(ROWS as u64).filter(|more| *more > 0) {
        let _ = writeln!(out, "<p>{more} more are in <code>{file}</code>.</p>");
    }
}

/// The last lines of a text, each made visible, as HTML.
fn lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(most)..];
    end.iter().map(|one| markup_free(&shortened(&line(one), 2000))).collect::<Vec<_>>().join("\n")
}

/// Text as HTML, in an element or an attribute; what is invisible is written out.
fn escaped(text: &str) -> String {
    markup_free(&printable(text))
}

/// Visible text as HTML.
fn markup_free(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            escaped("<script>alert('x')</script>&\"\u{202e}"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\u{202e}"
        );
        assert_eq!(lines("a\n<b>\nc", 2), "&lt;b&gt;\nc");
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("innerHTML") && !STYLE.contains("url("));
    }
}
