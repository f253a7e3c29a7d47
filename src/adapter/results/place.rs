//! Where a failure stands, by the words of its runner's own output.

/// The first line of `file` that a text names as `FILE:LINE`, by the file's whole path or by the
/// end of it.
pub(super) fn line_in(text: &str, file: &str) -> Option<u64> {
    let file = file.replace('\\', "/");
    let file = file.trim_start_matches("./");
    let text = text.replace('\\', "/");
    let (folder, name) = file
        .rsplit_once('/')
        .map_or(("", file), |(_, name)| file.split_at(file.len() - name.len()));
    if name.is_empty() {
        return None;
    }
    text.match_indices(name).find_map(|(at, _)| {
        let line = number(text[at + name.len()..].strip_prefix(':')?)?;
        let before = &text[..at];
        let shown =
            before.rsplit([' ', '\t', '\n', '(', '"', '\'', '<']).next().unwrap_or_default();
        let shown = shown.strip_prefix("file://").unwrap_or(shown).trim_start_matches("./");
        // A path that is shown whole, or one below a folder that the text leaves out.
        let ends = |long: &str, end: &str| !end.is_empty() && long.ends_with(&format!("/{end}"));
        let whole = !folder.is_empty() && before.ends_with(folder);
        (whole || shown == folder || ends(folder, shown) || ends(shown, folder)).then_some(line)
    })
}

/// `FILE:LINE` at the beginning of a text, where FILE ends in `ending`.
pub(super) fn at_start<'a>(text: &'a str, ending: &str) -> Option<(&'a str, u64)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(ending)? + ending.len();
        match text[at..].strip_prefix(':').and_then(number) {
            Some(line) => return Some((&text[..at], line)),
            None => from = at,
        }
    }
}

/// The number at the beginning of a text; lines count from 1.
fn number(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok().filter(|line| *line > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_file_and_of_no_other() {
        for (text, file, expected) in [
            ("at Object.toBe (/r/a/sum.test.js:4:19)", "/r/a/sum.test.js", Some(4)),
            (
                "at x (/r/b/sum.test.js:9:1)\nat y (/r/a/sum.test.js:4:19)",
                "/r/a/sum.test.js",
                Some(4),
            ),
            ("at C (test/sum.js:5:12)", "/r/test/sum.js", Some(5)),
            ("at C (xtest/sum.js:5:12)", "/r/test/sum.js", None),
            ("at file:///r/a/x.mjs:7:1", "/r/a/x.mjs", Some(7)),
            ("/r/spec/sum_spec.rb:4:in `block'", "./spec/sum_spec.rb", Some(4)),
            ("C:\\r\\a b\\x.js:3:1", "C:\\r\\a b\\x.js", Some(3)),
            ("at z (/r/a b/x.js:3:1)", "/r/a b/x.js", Some(3)),
            ("at C (sum.js:5:12)", "/r/test/sum.js", None),
            ("at C (/r/test/sum.js:5:12)", "sum.js", None),
            ("sum.js: no line", "sum.js", None),
            ("sum.js:0", "sum.js", None),
            ("sum.js:99999999999999999999", "sum.js", None),
            ("ä", "", None),
        ] {
            assert_eq!(line_in(text, file), expected, "{text}");
        }
        assert_eq!(at_start("/r/a.go.go:12: no", ".go"), Some(("/r/a.go.go", 12)));
        assert_eq!(at_start("a.go: no line", ".go"), None);
    }
}
