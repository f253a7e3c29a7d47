//! The report as one page: nothing is loaded, nothing that came from outside is markup.

use std::fmt::Write;

use super::quote::{printable, shortened};
use super::text::{self, Story, at};
use crate::domain::failure::Failure;
use crate::domain::reason::Severity;
use crate::domain::receipt::GateStatus;

/// How much of a failure's output is on the page, in lines.
const OUTPUT_LINES: usize = 60;
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub(crate) fn page(story: &Story) -> String {
    let mut out = String::with_capacity(16 << 10);
    let (class, word) = match story.gate {
        GateStatus::Pass => ("pass", "pass"),
        GateStatus::Notice => ("notice", "notice: let through although it is not green"),
        GateStatus::Fail => ("fail", "fail"),
    };
    let title = format!("pester-gate: {}", story.classification.as_str());
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escaped(&title)
    );
    let _ = writeln!(
        out,
        "<header class=\"{class}\">\n<h1>{}</h1>\n<p class=\"gate\">gate: {word}</p>\n<p><code>{}</code></p>",
        escaped(&title),
        escaped(&story.headline)
    );
    let counted = text::counts(&story.counts);
    if !counted.is_empty() {
        let took = story.duration_ms.map(|ms| format!(" in {}", text::seconds(ms))).unwrap_or_default();
        let _ = writeln!(out, "<p>{}</p>", escaped(&format!("{counted}{took}")));
    }
    if let Some(running) = &story.in_flight {
        let _ = writeln!(out, "<p>In flight at the end: <code>{}</code></p>", escaped(&running.name));
    }
    if story.next_action_id != "no-action" {
        let _ = writeln!(out, "<p><strong>Next:</strong> {}</p>", escaped(&story.next_action));
    }
    if let Some(replay) = &story.replay {
        let _ = writeln!(out, "<p><strong>See it again:</strong> <code>{}</code></p>", escaped(replay));
    }
    out.push_str("</header>\n<main>\n");
    layers(&mut out, story);
    failures(&mut out, story);
    reasons(&mut out, story);
    let _ = write!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn layers(out: &mut String, story: &Story) {
    out.push_str("<section aria-labelledby=\"layers\">\n<h2 id=\"layers\">Layers</h2>\n<ol class=\"layers\">\n");
    for line in &story.layers {
        let fault = story.failed_layer == Some(line.layer);
        let mark = if fault { " class=\"fault\"" } else { "" };
        let said = if fault { ", at fault" } else { "" };
        let _ = writeln!(out, "<li{mark}><b>{}</b> {}{said}</li>", line.layer, escaped(&line.status));
    }
    out.push_str("</ol>\n</section>\n");
}

fn failures(out: &mut String, story: &Story) {
    if story.failures.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "<section aria-labelledby=\"failures\">\n<h2 id=\"failures\">Failures</h2>\n\
         <p><label for=\"filter\">Filter by name, file, class, message or output</label>\n\
         <input id=\"filter\" type=\"search\" autocomplete=\"off\"> <output id=\"shown\" for=\"filter\">{0} of {0}</output></p>",
        story.failures.len()
    );
    let untold = text::untold(story);
    if untold > 0 {
        let _ = writeln!(out, "<p>{untold} more are in the raw results alone.</p>");
    }
    for failure in &story.failures {
        one(out, story, failure);
    }
    out.push_str("</section>\n");
}

fn one(out: &mut String, story: &Story, failure: &Failure) {
    let place = story.repeat.place(failure).map(|(file, line)| at(&file, line));
    let _ = writeln!(
        out,
        "<details class=\"failure\"><summary><span class=\"class\">{}</span> {} <small>{}</small></summary>",
        failure.class().as_str(),
        escaped(&failure.name),
        escaped(&place.unwrap_or_default())
    );
    let _ = writeln!(out, "<pre>{}</pre>", lines(&failure.message, usize::MAX));
    if !failure.output.trim().is_empty() {
        let _ = writeln!(out, "<p>The end of its output:</p>\n<pre>{}</pre>", lines(&failure.output, OUTPUT_LINES));
    }
    let _ = writeln!(out, "<p>{}</p>\n<dl>", escaped(failure.class().remedy()));
    let commands =
        [("run", Some(story.repeat.run())), ("file", story.repeat.file(failure)), ("test", story.repeat.test(failure))];
    for (what, command) in commands {
        if let Some(command) = command {
            let _ = writeln!(out, "<dt>again, the {what}</dt><dd><code>{}</code></dd>", escaped(&command));
        }
    }
    let _ = writeln!(out, "<dt>signature</dt><dd><code>{}</code></dd>\n</dl></details>", failure.signature());
}

fn reasons(out: &mut String, story: &Story) {
    out.push_str(
        "<section aria-labelledby=\"reasons\">\n<h2 id=\"reasons\">Reasons, the deciding one first</h2>\n\
         <table>\n<thead><tr><th scope=\"col\">reason</th><th scope=\"col\">charged to</th><th scope=\"col\">detail</th></tr></thead>\n<tbody>\n",
    );
    for (code, layer, severity, detail) in &story.reasons {
        let quiet = if *severity < Severity::Warns { " class=\"quiet\"" } else { "" };
        let _ = writeln!(out, "<tr{quiet}><td>{code}</td><td>{layer}</td><td>{}</td></tr>", escaped(detail));
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

/// The last lines of a text, each made visible, as HTML.
fn lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(most)..];
    end.iter().map(|line| escaped(&shortened(line, 2000))).collect::<Vec<_>>().join("\n")
}

/// Text as HTML, in an element or an attribute; what is invisible is written out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
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
