//! What the fuzz targets call: a reader, and what must hold of whatever it makes of any bytes.

use std::io::Cursor;

use crate::adapter::results;

/// Reads results from any bytes.
///
/// # Panics
/// Where a count does not add up, or a file that reads as whole shows fewer failures than a plain look at its tags:
/// that is what a fuzz target looks for.
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

/// How many cases failed, by the tags alone: no reader of ours, no library. None where cases stand in cases, whose
/// counting is the readers' own matter.
fn failures_shown(mut text: &str) -> u64 {
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
        let parts: Vec<&str> = if tag.contains('\'') { Vec::new() } else { tag.split('"').collect() };
        let says = |key: &str, value: &str| {
            let is = |pair: &[&str]| pair.len() == 2 && pair[0].ends_with(&format!(" {key}=")) && pair[1] == value;
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
