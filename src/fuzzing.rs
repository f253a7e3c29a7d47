//! What the fuzz targets call: a reader, and what must hold of whatever it makes of any bytes.

use std::io::Cursor;

use serde_json::Value;

use crate::adapter::results;

/// Reads results from any bytes.
///
/// # Panics
/// Where a count does not add up, or a file that reads as whole shows fewer failures than a plain
/// look at its tags: that is what a fuzz target looks for.
pub fn results(bytes: &[u8]) {
    let reading = results::read_from(Cursor::new(bytes));
    let counts = &reading.counts;
    let cases = counts.passed + counts.failed + counts.errors + counts.skipped;
    assert_eq!(counts.total, cases, "{counts:?}");
    assert!(reading.failures.len() as u64 <= counts.failed + counts.errors, "{counts:?}");
    assert!(reading.format.is_some() || (cases == 0 && reading.defect.is_some()), "{reading:?}");
    if reading.defect.is_none()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        let shown = failures_shown(text);
        assert!(counts.failures() >= shown, "{shown} of {reading:?}");
    }
}

/// How many cases failed: by the tags alone in XML, else by the events or by the whole JSON.
fn failures_shown(text: &str) -> u64 {
    match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
        Some('<') => failures_in_tags(text),
        Some('{') => failures_in_json(text),
        _ => 0,
    }
}

fn failures_in_json(text: &str) -> u64 {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let is =
        |value: &Value, key: &str, word: &str| value.get(key).and_then(Value::as_str) == Some(word);
    if let Ok(root) = serde_json::from_str::<Value>(text)
        && root.get("Action").is_none()
    {
        let files = list(&root, "testResults").unwrap_or_default();
        let in_files = files.iter().filter_map(|file| list(file, "assertionResults")).flatten();
        let cases = in_files.chain(list(&root, "examples").unwrap_or_default());
        return cases.filter(|case| is(case, "status", "failed")).count() as u64;
    }
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed = |event: &Value| {
        let named =
            |key| event.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        is(event, "Action", "fail") && named("Package") && named("Test")
    };
    events.filter(failed).count() as u64
}

/// How many cases failed, by the tags alone: no reader of ours, no library. None where cases stand
/// in cases, whose counting is the readers' own matter.
fn failures_in_tags(mut text: &str) -> u64 {
    let (mut root, mut open, mut failed, mut shown) = ("", false, false, 0);
    while let Some(at) = text.find('<') {
        text = &text[at..];
        let skip = |open: &str, close: &str| {
            let rest = text.strip_prefix(open)?;
            Some(rest.find(close).map_or("", |found| &rest[found + close.len()..]))
        };
        if let Some(behind) = skip("<!--", "-->")
            .or_else(|| skip("<![CDATA[", "]]>"))
            .or_else(|| skip("<?", "?>"))
            .or_else(|| skip("<!", ">"))
        {
            text = behind;
            continue;
        }
        let (mut quote, mut end) = (None, text.len());
        for (place, c) in text.char_indices() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, '>') => {
                    end = place;
                    break;
                }
                _ => {}
            }
        }
        let tag = &text[1..end];
        text = &text[end..];
        // An end tag closes what is open.
        if let Some(name) = tag.strip_prefix('/') {
            open &= !["testcase", "test-case", "UnitTestResult"].contains(&name.trim());
            continue;
        }
        let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        // What stands between the quotes is a value, what stands before it ends with its key.
        let parts: Vec<&str> =
            if tag.contains('\'') { Vec::new() } else { tag.split('"').collect() };
        let says = |key: &str, value: &str| {
            let is = |pair: &[&str]| {
                pair.len() == 2 && pair[0].ends_with(&format!(" {key}=")) && pair[1] == value
            };
            parts.chunks(2).any(is)
        };
        if root.is_empty() && !name.is_empty() {
            root = name;
        }
        let closes = tag.ends_with('/');
        match (root, name) {
            ("testsuites" | "testsuite", "testcase") if open => return 0,
            ("testsuites" | "testsuite", "testcase") => (open, failed) = (!closes, false),
            ("testsuites" | "testsuite", "failure" | "error") if open && !failed => {
                failed = true;
                shown += 1;
            }
            ("test-results" | "test-run" | "test-suite", "test-case") if open => return 0,
            ("test-results", "test-case") => {
                open = !closes;
                shown += u64::from(says("result", "Failure") || says("result", "Error"));
            }
            ("test-run" | "test-suite", "test-case") => {
                open = !closes;
                shown += u64::from(says("result", "Failed"));
            }
            ("TestRun", "UnitTestResult") if open => return 0,
            ("TestRun", "UnitTestResult") => {
                open = !closes;
                shown += u64::from(says("outcome", "Failed") || says("outcome", "Timeout"));
            }
            _ => {}
        }
        if text.is_empty() {
            break;
        }
    }
    shown
}
