//! Masking secrets in everything that leaves the process.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

/// What stands where a secret stood.
pub(crate) const MASK: &str = "***";

/// Values shorter than this are not masked: they would riddle every text.
const SHORTEST: usize = 8;

/// Forms of more bytes than this are looked for one by one.
const LARGE: usize = 1024;

/// Prefixes of GitHub's tokens, followed by at least 20 letters, digits or underscores.
const TOKEN_SHAPES: &str = r"(?:gh[psour]_|github_pat_)[A-Za-z0-9_]{20,}";

/// Masks known secrets and whatever has the shape of a token.
#[derive(Debug, Clone)]
pub(crate) struct Redactor {
    /// Every form of every secret: of any size and number, none is ever left out.
    literals: Option<AhoCorasick>,
    /// Forms so long that an automaton of them would cost more than looking for each.
    large: Vec<Vec<u8>>,
    /// Token shapes, and the patterns of the configuration.
    shapes: Regex,
    longest: usize,
}

impl Redactor {
    /// From environment variables (those whose name says so count) and further literals.
    pub(crate) fn new<'a>(
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
        literals: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (patterns, literals): (Vec<&str>, Vec<&str>) = literals
            .into_iter()
            .filter(|literal| !literal.is_empty())
            .partition(|literal| as_pattern(literal).is_some());
        let named = environment.into_iter().filter(|(name, value)| names_a_secret(name) && value.len() >= SHORTEST);
        // A value of several lines is masked line by line: output is read that way.
        let named = named.flat_map(|(_, value)| value.split(['\n', '\r']).filter(|line| line.trim().len() >= SHORTEST));
        // With and without blanks around it: whoever uses it may have trimmed it.
        let named = named.flat_map(|line| [line, line.trim()]);
        let written =
            literals.into_iter().flat_map(|text| text.split(['\n', '\r'])).filter(|line| !line.trim().is_empty());
        let mut forms: Vec<Vec<u8>> = named.chain(written).flat_map(forms).collect();
        forms.sort();
        forms.dedup();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0).max(256);
        let (mut large, forms): (Vec<_>, Vec<_>) = forms.into_iter().partition(|form| form.len() > LARGE);
        // The longest first, so that a secret that contains another is masked whole.
        large.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let literals = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        // Where there are too many even for that, none is left out: each is looked for by itself.
        large.extend(literals.is_err().then_some(forms).into_iter().flatten());
        // Without any there is nothing to scan for.
        let literals = literals.ok().filter(|literals| literals.patterns_len() > 0);
        let mut shapes = String::from(TOKEN_SHAPES);
        for pattern in patterns.into_iter().filter_map(as_pattern) {
            shapes.push_str(&format!("|(?:{pattern})"));
        }
        let shapes = RegexBuilder::new(&shapes).unicode(false).size_limit(64 << 20).build();
        // Patterns are checked where they are read; only a size limit is left to be met here.
        let shapes = shapes.or_else(|_| Regex::new(TOKEN_SHAPES));
        #[allow(clippy::expect_used, reason = "TOKEN_SHAPES is a constant that a test compiles")]
        Self { literals, large, shapes: shapes.expect("a constant pattern"), longest }
    }

    /// How many bytes a secret may take: what a reader of chunks has to hold back.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes with every secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.large.iter().any(|form| memmem::find(bytes, form).is_some()) {
            let masked = self.large.iter().fold(bytes.to_vec(), |bytes, form| without(&bytes, form));
            return Cow::Owned(self.mask_small(&masked).into_owned());
        }
        self.mask_small(bytes)
    }

    fn mask_small<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(literals) = self.literals.as_ref().filter(|literals| literals.is_match(bytes)) else {
            return self.shapes.replace_all(bytes, MASK.as_bytes());
        };
        let mut masked = Vec::with_capacity(bytes.len());
        literals.replace_all_with_bytes(bytes, &mut masked, |_, _, out| {
            out.extend_from_slice(MASK.as_bytes());
            true
        });
        Cow::Owned(self.shapes.replace_all(&masked, MASK.as_bytes()).into_owned())
    }

    /// The text with every secret masked.
    pub(crate) fn mask_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }
}

/// The bytes with one literal masked.
fn without(bytes: &[u8], literal: &[u8]) -> Vec<u8> {
    let (mut out, mut from) = (Vec::with_capacity(bytes.len()), 0);
    for at in memmem::find_iter(bytes, literal) {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(MASK.as_bytes());
        from = at + literal.len();
    }
    out.extend_from_slice(&bytes[from..]);
    out
}

/// A literal as it may stand in what is written: as it is, as XML and JSON escape it, and in UTF-16.
fn forms(literal: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![literal.to_owned()];
    // What must be escaped in XML is; writers differ on the rest.
    for (and, less) in [("&amp;", "&lt;"), ("&#38;", "&#60;"), ("&#x26;", "&#x3c;"), ("&#x26;", "&#x3C;")] {
        let base = literal.replace('&', and).replace('<', less);
        for greater in [">", "&gt;", "&#62;", "&#x3e;", "&#x3E;"] {
            for quote in ["\"", "&quot;", "&#34;", "&#x22;"] {
                for apostrophe in ["'", "&apos;", "&#39;", "&#x27;"] {
                    forms.push(base.replace('>', greater).replace('"', quote).replace('\'', apostrophe));
                }
            }
        }
    }
    // JSON, with a slash that may be escaped, and as Windows PowerShell and cautious writers have it.
    let json = serde_json::to_string(literal).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let unicode = |text: &str, escape: fn(char) -> bool| {
        let mut units = [0; 2];
        text.chars().fold(String::new(), |mut out, c| {
            if escape(c) {
                c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            } else {
                out.push(c);
            }
            out
        })
    };
    forms.push(json.replace('/', "\\/"));
    forms.push(unicode(&json, |c| matches!(c, '&' | '\'' | '<' | '>')));
    forms.push(unicode(&json, |c| matches!(c, '&' | '\'' | '<' | '>') || !c.is_ascii()));
    forms.push(unicode(&json, |c| !c.is_ascii()));
    forms.push(json);
    let mut forms: Vec<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    forms.push(literal.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(literal.encode_utf16().flat_map(u16::to_be_bytes).collect());
    forms
}

/// What stands between the slashes of `/pattern/`.
fn as_pattern(literal: &str) -> Option<&str> {
    literal.strip_prefix('/')?.strip_suffix('/').filter(|pattern| !pattern.is_empty())
}

/// An entry of `redact` that is a pattern and cannot be read.
pub(crate) fn invalid_pattern(literals: &[String]) -> Option<String> {
    literals.iter().find_map(|literal| {
        let error = Regex::new(as_pattern(literal)?).err()?;
        Some(format!("{literal}: {}", error.to_string().lines().last().unwrap_or_default()))
    })
}

/// Whether a variable's name says that its value is a secret.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "key"].iter().any(|end| name.ends_with(end))
}

/// Whether a variable must not reach a child: tokens, and the files and services by which a step
/// talks to the runner.
pub(crate) fn withheld_from_children(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    const FILES: [&str; 5] = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"];
    FILES.contains(&upper.as_str())
        // Settings of this gate are none of one that a test starts.
        || upper.starts_with("PESTER_GATE_")
        || upper.starts_with("ACTIONS_RUNTIME_")
        || upper.starts_with("ACTIONS_ID_TOKEN_")
        || upper.starts_with("ACTIONS_RESULTS_")
        || upper.starts_with("ACTIONS_CACHE_")
        || upper.ends_with("TOKEN")
        || ["ghp_", "ghs_", "gho_", "ghu_", "ghr_", "github_pat_"].iter().any(|shape| value.contains(shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_environment_literals_and_token_shapes_are_masked() {
        let redactor = Redactor::new(
            [
                ("MY_PASSWORD", "hunter2hunter2"),
                ("SHORT_KEY", "abc"),
                ("PLAIN", "plain-value"),
                ("A_TOKEN", "one line\r\ntwo line long"),
            ],
            ["in-house", ""],
        );
        let text = format!("hunter2hunter2 abc plain-value in-house ghp_{} max_tokens=3 two line long", "a".repeat(36));
        assert_eq!(redactor.mask_text(&text), "*** abc plain-value *** *** max_tokens=3 ***");
        assert_eq!(&*redactor.mask(b"\xff hunter2hunter2 \xfe"), b"\xff *** \xfe");
    }

    #[test]
    fn a_secret_is_masked_in_every_form_it_is_written_in() {
        let redactor = Redactor::new([("DB_PASSWORD", "p&ss<w>rd9")], ["/in-[0-9]+/"]);
        assert_eq!(redactor.mask_text("a p&amp;ss&lt;w&gt;rd9 b p&ss<w>rd9 in-77"), "a *** b *** ***");
        let wide: Vec<u8> = "p&ss<w>rd9".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(&*redactor.mask(&wide), b"***");
        assert!(invalid_pattern(&["/(/".to_owned()]).is_some());
    }

    #[test]
    fn a_secret_is_masked_as_json_has_it_and_line_by_line() {
        let redactor = Redactor::new([("DB_PASSWORD", "pa\\ss\"w/ord'é")], ["first-part\nsecond-part"]);
        let json = serde_json::to_string("pa\\ss\"w/ord'é").unwrap();
        assert_eq!(redactor.mask_text(&json), "\"***\"");
        assert_eq!(redactor.mask_text(r#""pa\\ss\"w/ord\u0027é""#), "\"***\"");
        assert_eq!(redactor.mask_text(r#"pa\\ss\"w/ord\u0027\u00e9"#), "***");
        assert_eq!(redactor.mask_text("a first-part b\nsecond-part"), "a *** b\n***");
    }

    #[test]
    fn secrets_of_any_size_leave_none_out() {
        let big = ["x", "y", "z"].map(|c| c.repeat(120_000));
        let environment =
            big.iter().map(|value| ("BIG_KEY", value.as_str())).chain([("DB_PASSWORD", "hunter2hunter2")]);
        let redactor = Redactor::new(environment, []);
        assert_eq!(redactor.mask_text(&format!("{} hunter2hunter2", big[1])), "*** ***");
    }

    #[test]
    fn short_lines_of_a_long_secret_are_left_alone() {
        let redactor = Redactor::new([("APP_KEY", "failure\nlonglonglong")], []);
        assert_eq!(redactor.mask_text("<failure/> longlonglong"), "<failure/> ***");
    }

    #[test]
    fn a_secret_within_another_does_not_leave_its_rest() {
        let redactor = Redactor::new([], ["secretvalue", "secretvalue-longer"]);
        assert_eq!(redactor.mask_text("secretvalue-longer"), "***");
    }

    #[test]
    fn children_get_no_token_and_no_runner_file() {
        for (name, value) in [
            ("GITHUB_TOKEN", "x"),
            ("gh_token", "x"),
            ("GITHUB_OUTPUT", "/x"),
            ("ACTIONS_RUNTIME_URL", "x"),
            ("ANYTHING", "ghs_abc"),
            ("GIT_URL", "https://x:ghp_abc@github.com"),
        ] {
            assert!(withheld_from_children(name, value), "{name}");
        }
        for (name, value) in [("PATH", "/bin"), ("GITHUB_SHA", "abc"), ("DB_PASSWORD", "x")] {
            assert!(!withheld_from_children(name, value), "{name}");
        }
    }
}
