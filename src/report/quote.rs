//! Text from outside, for a screen, a shell and PowerShell.

use std::borrow::Cow;
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

/// One line of a message or an output for a screen: tabs stay, escape sequences are left out, and
/// other control characters are written out.
pub(crate) fn line(text: &str) -> String {
    without_escapes(text).split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// The text without terminal escape sequences: those that color it, move the cursor or set a title.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match rest.peek() {
            // A control sequence ends with its first letter or sign above `@`.
            Some('[') => {
                rest.next();
                while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            // A string (a title, a link) ends with a bell or with its terminator.
            Some(']' | 'P' | '_' | '^' | 'X') => {
                while let Some(c) = rest.next() {
                    if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            _ => drop(rest.next()),
        }
    }
    Cow::Owned(out)
}

/// Bidirectional controls, zero-width characters and line separators: invisible, and they lie.
pub(crate) fn reorders(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
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
    // What a screen must not show as it is goes through `printf`, so that the line can still be
    // pasted.
    if printable(argument) != argument && !argument.ends_with('\n') {
        return format!("\"$(printf '{}')\"", escapes(argument));
    }
    quoted_by(argument, "-_./:=@%+,", |argument| argument.replace('\'', r"'\''"))
}

/// A text for `printf`: everything that is no plain character in octal.
fn escapes(text: &str) -> String {
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        let plain =
            byte.is_ascii_alphanumeric() || b" -_./:=@+,(){}<>;&|!?#*~^\"$`".contains(&byte);
        let command = byte == b'#' || text[..at.min(text.floor_char_boundary(at))].ends_with("##");
        if plain && !command {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
    out
}

/// The same for PowerShell, whatever this host is.
pub(crate) fn for_powershell(argument: &str) -> String {
    // A comma would make two of one there, and an at sign a variable's contents.
    quoted_by(argument, "-_./:=+", doubled)
}

/// A program's name at the beginning of a command line; PowerShell takes a quoted one for a text
/// unless it is called.
pub(crate) fn program(name: &str) -> String {
    let quoted = quoted(name);
    if cfg!(windows) && quoted.starts_with('\'') { format!("& {quoted}") } else { quoted }
}

fn quoted_by(argument: &str, plain: &str, inner: impl Fn(&str) -> String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || plain.contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    printable(&format!("'{}'", inner(argument)))
}

/// The inside of a single-quoted string of PowerShell, which four more characters end than the
/// apostrophe (its `CodeGeneration.EscapeSingleQuotedStringContent`).
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
    fn escape_sequences_are_left_out_and_tabs_stay() {
        for (text, expected) in [
            ("a\tb", "a\tb"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y", "xy"),
            ("\u{1b}(Bx\u{8}", "Bx\\u{8}"),
            ("\u{1b}", ""),
            ("\u{1b}[31", ""),
        ] {
            assert_eq!(line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_powershell_takes_apart_is_quoted_for_it() {
        for (argument, expected) in
            [("a,b.ps1", "'a,b.ps1'"), ("@x", "'@x'"), ("%x%", "'%x%'"), ("a/b.ps1", "a/b.ps1")]
        {
            assert_eq!(for_powershell(argument), expected);
        }
        assert_eq!(for_posix("a,b@c"), "a,b@c");
    }

    /// That a shell reads it back is proven by the fault table.
    #[test]
    fn a_line_for_a_posix_shell_shows_no_control_character() {
        for (argument, expected) in [
            ("a\nb", r#""$(printf 'a\012b')""#),
            ("it's\t1%", r#""$(printf 'it\047s\0111\045')""#),
            ("##[x", r#""$(printf '\043\043\133x')""#),
        ] {
            assert_eq!(for_posix(argument), expected);
            assert_eq!(printable(expected), expected);
        }
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
