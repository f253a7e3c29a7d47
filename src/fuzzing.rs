//! What the fuzz targets call: a reader, and what must hold of whatever it makes of any bytes.

use std::io::Cursor;

use crate::adapter::results;

/// Reads results from any bytes.
///
/// # Panics
/// Where a count does not add up, or a file that reads as whole hides a failure that a plain look at its tags finds:
/// that is what a fuzz target looks for.
pub fn results(bytes: &[u8]) {
    let reading = results::read_from(Cursor::new(bytes));
    let counts = &reading.counts;
    let cases = counts.passed + counts.failed + counts.errors + counts.skipped;
    assert_eq!(counts.total, cases, "{counts:?}");
    assert!(reading.failures.len() as u64 <= counts.failed + counts.errors, "{counts:?}");
    assert!(reading.format.is_some() || (cases == 0 && reading.defect.is_some()), "{reading:?}");
    if reading.defect.is_none()
        && counts.failures() == 0
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        assert!(!shows_a_failure(text), "{reading:?}");
    }
}

/// Whether a tag says that something failed, by the tags alone: no reader of ours, no library.
fn shows_a_failure(mut text: &str) -> bool {
    let mut root = "";
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
        let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let says = |attribute: &str| tag[name.len()..].starts_with(&format!(" {attribute}"));
        if root.is_empty() && !name.is_empty() {
            root = name;
        }
        let failed = match root {
            "testsuites" | "testsuite" => matches!(name, "failure" | "error"),
            "test-results" => name == "test-case" && (says("result=\"Failure\"") || says("result=\"Error\"")),
            "test-run" | "test-suite" => name == "test-case" && says("result=\"Failed\""),
            "TestRun" => name == "UnitTestResult" && (says("outcome=\"Failed\"") || says("outcome=\"Timeout\"")),
            _ => false,
        };
        if failed {
            return true;
        }
    }
    false
}
