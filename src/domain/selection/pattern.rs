//! PowerShell's `-like` wildcards over paths.
//!
//! The whole text must match, letter case does not count, `*` crosses `/` (so `**` is the same),
//! `?` is one character, `[a-c]` is one of a set, and a backtick takes the next character as it is.
//! With a slash a pattern speaks of a path, without one of a file name.

use crate::domain::verdict::fault::Fault;

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    parts: Vec<Part>,
    of_path: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Literal(char),
    Set(Vec<(char, char)>),
}

impl Pattern {
    /// Reads one pattern. `\` is taken for `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        let text = text.trim();
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' if parts.last() == Some(&Part::Any) => {}
                '*' => parts.push(Part::Any),
                '?' => parts.push(Part::One),
                '[' => parts.push(Part::Set(parse_set(&mut chars)?)),
                '`' => {
                    let next = chars.next().ok_or("a backtick ends it")?;
                    parts.push(Part::Literal(fold_case(next)));
                }
                '\\' => parts.push(Part::Literal('/')),
                c => parts.push(Part::Literal(fold_case(c))),
            }
        }
        let of_path = text.contains(['/', '\\']);
        Ok(Self { text: text.to_owned(), parts, of_path })
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a file matches, given its paths below the root and below the tests path.
    pub(crate) fn matches_file(&self, below_root: &str, below_tests: &str) -> bool {
        if self.of_path {
            self.matches(below_root) || self.matches(below_tests)
        } else {
            self.matches(below_root.rsplit('/').next().unwrap_or(below_root))
        }
    }

    /// Whether the whole text matches. Time is at most length of text times length of pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().map(fold_case).collect();
        let (mut t, mut p) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.parts.get(p) {
                Some(Part::Any) => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(part) if part.takes(text[t]) => {
                    t += 1;
                    p += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        p = star + 1;
                        t = from + 1;
                        retry = Some((star, t));
                    }
                    None => return false,
                },
            }
        }
        self.parts[p..].iter().all(|part| *part == Part::Any)
    }
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Part::Any => false,
            Part::One => true,
            Part::Literal(own) => *own == c,
            Part::Set(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
        }
    }
}

/// One character's lower case; characters whose lower case is longer stay as they are.
fn fold_case(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn parse_set(chars: &mut std::str::Chars<'_>) -> Result<Vec<(char, char)>, String> {
    let mut members = Vec::new();
    let mut first = true;
    loop {
        let c = chars.next().ok_or("a [ is not closed")?;
        match c {
            // As in PowerShell, a bracket right after the opening one is a member.
            ']' if !first => break,
            '`' => members.push(chars.next().ok_or("a [ is not closed")?),
            c => members.push(c),
        }
        first = false;
    }
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            let (from, to) = (fold_case(members[at]), fold_case(members[at + 2]));
            if from > to {
                return Err(format!(
                    "the range {}-{} runs backwards",
                    members[at],
                    members[at + 2]
                ));
            }
            ranges.push((from, to));
            at += 3;
        } else {
            ranges.push((fold_case(members[at]), fold_case(members[at])));
            at += 1;
        }
    }
    Ok(ranges)
}

/// Reads a list of patterns; `origin` names the flag or key in the fault.
pub(crate) fn parse_all(origin: &str, texts: &[String]) -> Result<Vec<Pattern>, Fault> {
    texts
        .iter()
        .map(|text| {
            Pattern::parse(text).map_err(|why| Fault::PatternInvalid {
                origin: origin.to_owned(),
                pattern: text.chars().take(80).collect(),
                why,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wildcards_of_powershell() {
        for (pattern, text, matches) in [
            ("*.Tests.ps1", "Unit.Tests.ps1", true),
            ("*.tests.PS1", "UNIT.Tests.ps1", true),
            ("*.Tests.ps1", "Unit.Tests.ps1.bak", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "Bx", true),
            ("[a-c]x", "dx", false),
            ("[]x]y", "]y", true),
            ("[[]x]", "[x]", true),
            ("`[x]", "[x]", true),
            ("`*", "*", true),
            ("`*", "a", false),
            ("Unit/**", "unit/a/b.ps1", true),
            ("Unit/*", "unit/a/b.ps1", true),
            (r"Unit\*", "unit/a", true),
            ("**/*.Slow.ps1", "x/y.Slow.ps1", true),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*", "", true),
            ("Ä*", "äx", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(text), matches, "{pattern} {text}");
        }
        for bad in ["", "  ", "[abc", "[", "[]", "x`", "[z-a]"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slash_decides_what_is_compared() {
        let name = Pattern::parse("b.ps1").unwrap();
        assert!(name.matches_file("tests/a/b.ps1", "a/b.ps1"));
        let path = Pattern::parse("a/*.ps1").unwrap();
        assert!(path.matches_file("tests/a/b.ps1", "a/b.ps1"));
        assert!(!path.matches_file("tests/x/b.ps1", "x/b.ps1"));
    }

    /// A slow and obvious matcher to hold the fast one against.
    fn oracle(parts: &[Part], text: &[char]) -> bool {
        match (parts.first(), text.first()) {
            (None, None) => true,
            (Some(Part::Any), _) => {
                oracle(&parts[1..], text) || (!text.is_empty() && oracle(parts, &text[1..]))
            }
            (Some(part), Some(c)) => part.takes(*c) && oracle(&parts[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_the_obvious_one(
            pattern in r"[ab*?]{0,8}", text in "[abc]{0,10}",
        ) {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let chars: Vec<char> = text.chars().collect();
                prop_assert_eq!(pattern.matches(&text), oracle(&pattern.parts, &chars));
            }
        }

        #[test]
        fn no_input_panics(pattern in "\\PC{0,30}", text in "\\PC{0,30}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.matches(&text);
            }
        }
    }
}
