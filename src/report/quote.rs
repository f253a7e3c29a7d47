//! Text from outside, for a screen, a shell and PowerShell.

use std::fmt::Write;

/// Text that a terminal or log shows as it is: control characters and those that reorder text are
/// written out.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // The runner takes `##[` for a command wherever it stands in a line.
        if c.is_control() || reorders(c) || (c == '[' && out.ends_with("##")) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Bidirectional controls, zero-width characters and line separators: invisible, and they lie.
pub(crate) fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// At most this many characters, with a mark where some are left out.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// One argument of a command line that a person may paste: plain where it is plain, else in the
/// single quotes that POSIX shells and PowerShell share.
pub(crate) fn quoted(argument: &str) -> String {
    if cfg!(windows) { for_powershell(argument) } else { for_posix(argument) }
}

/// The same for a POSIX shell, whatever this host is.
pub(crate) fn for_posix(argument: &str) -> String {
    quoted_by(argument, |argument| argument.replace('\'', r"'\''"))
}

/// The same for PowerShell, whatever this host is.
pub(crate) fn for_powershell(argument: &str) -> String {
    quoted_by(argument, doubled)
}

fn quoted_by(argument: &str, inner: impl Fn(&str) -> String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    printable(&format!("'{}'", inner(argument)))
}

/// The inside of a single-quoted string of PowerShell, which four more characters end than the apostrophe
/// (its `CodeGeneration.EscapeSingleQuotedStringContent`).
pub(crate) fn doubled(text: &str) -> String {
    let quotes = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
    text.chars().flat_map(|c| [Some(c), quotes(c).then_some(c)].into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_reorders_is_written_out() {
        assert_eq!(printable("a ##[group]b"), r"a ##\u{5b}group]b");
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}c é"), r"a\u{1b}[31m\u{a}b\u{202e}c é");
    }

    #[test]
    fn arguments_are_quoted_only_where_needed() {
        assert_eq!(quoted("tests/a.sh"), "tests/a.sh");
        if cfg!(not(windows)) {
            assert_eq!(quoted("a b'c $(x)"), r"'a b'\''c $(x)'");
        }
        assert_eq!(quoted(""), "''");
    }
}
