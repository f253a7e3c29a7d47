//! What a message says, and what of it differs from run to run.

use std::sync::LazyLock;

use regex::Regex;

/// How much of a message makes its signature.
const LINES: usize = 5;
/// How many of a script's last lines do, where all we know besides is how it ended.
const LAST_LINES: usize = 4;
/// The text without what colours it.
pub(super) fn plain(text: &str) -> String {
    COLOUR.replace_all(text, "").into_owned()
}

/// The text without a root where a path begins with it: inside another path it is no root.
pub(super) fn without_root(text: &str, root: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, _) in text.match_indices(root) {
        let inside = |c: char| c.is_alphanumeric() || "_./\\@~%+-".contains(c);
        if !text[..at].ends_with(inside) {
            out.push_str(&text[from..at]);
            from = at + root.len();
        }
    }
    out.push_str(&text[from..]);
    out
}

/// The lines that say what happened: the first, but frames of a stack trace; of a script, which
/// says most at its end, how it ended and the last.
pub(super) fn telling(message: &str) -> String {
    let plain = plain(message);
    let says =
        |line: &&str| !line.is_empty() && !line.starts_with("at ") && !line.starts_with("note: ");
    let lines: Vec<&str> = plain.lines().map(str::trim).filter(says).collect();
    let ended = |line: &str| {
        let exit = line.strip_prefix("exit code ").is_some_and(|code| code.parse::<i64>().is_ok());
        exit || line.ends_with(" ended it")
    };
    match lines.split_first() {
        Some((first, rest)) if ended(first) => {
            let last = &rest[rest.len().saturating_sub(LAST_LINES)..];
            std::iter::once(first).chain(last).copied().collect::<Vec<_>>().join("\n")
        }
        _ => lines.into_iter().take(LINES).collect::<Vec<_>>().join("\n"),
    }
}

/// One of the patterns below: constants, and every test of a class or a signature compiles them
/// all.
#[allow(clippy::expect_used, reason = "constants that a test compiles")]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static COLOUR: LazyLock<Regex> = LazyLock::new(|| pattern("\u{1b}\\[[0-9;]*[A-Za-z]"));

/// What differs between two runs, and what stands in its place. In this order: a path may hold a
/// time.
static NOISE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
            "<time>",
        ),
        (
            r"(?:\b[A-Za-z]:|~|\.{1,2})?(?:[\\/][\w.@%+-]+){2,}[\\/]?|\b[A-Za-z]:[\\/][\w.@%+-]+",
            "<path>",
        ),
        (r"(?i)\b0x[0-9a-f]+\b", "<address>"),
        (r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)\b", "<time>"),
        (r"(?:<path>|\.\w{1,4})(?::\d+){1,2}\b|(\.\w{1,4}): \d+:", "<place>"),
        (r"(?i)\b(?:line|column|char|pid|port|thread)\b[ :=]*\(?\d+\)?", "<number>"),
        (r"\(\d+\)", "<number>"),
        (r"\s+", " "),
    ]
    .into_iter()
    .map(|(text, instead)| (pattern(text), instead))
    .collect()
});

static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b\d+(?:[.,]\d+)?\s?(?:ms|milliseconds?|s|secs?|seconds?|min|minutes?)\b")
});

pub(super) fn normalised(text: &str, without_times: bool) -> String {
    let text = if without_times {
        TIMES.replace_all(text, "<time>").into_owned()
    } else {
        text.to_owned()
    };
    let text = NOISE
        .iter()
        .fold(text, |text, (noise, instead)| noise.replace_all(&text, *instead).into_owned());
    text.trim().to_owned()
}
