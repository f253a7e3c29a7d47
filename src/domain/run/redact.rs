//! Masking secrets in everything that leaves the process.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

/// What stands where a secret stood.
pub(crate) const MASK: &str = "***";

/// Values shorter than this are not masked: they would riddle every text.
const SHORTEST: usize = 8;

/// What is made of letters alone and shorter than this is taken for a word.
const LONGEST_WORD: usize = 20;

/// Forms of more bytes than this are looked for one by one.
const LARGE: usize = 1024;

/// Prefixes of GitHub's tokens, followed by at least 20 letters, digits or underscores.
const TOKEN_SHAPES: &str = r"(?:gh[psour]_|github_pat_)[A-Za-z0-9_]{20,}";

/// The same in UTF-16, as Windows PowerShell writes a file.
const WIDE_TOKEN_SHAPES: &str = concat!(
    r"(?:g\x00h\x00[psour]\x00_\x00|g\x00i\x00t\x00h\x00u\x00b\x00_\x00p\x00a\x00t\x00_\x00)",
    r"(?:[A-Za-z0-9_]\x00){20,}",
);

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
    sweeper: Arc<LazySweeper>,
}

/// What the last look seeks; made when it is asked for.
struct LazySweeper {
    secrets: Vec<String>,
    /// Texts that are no secret, whatever a variable calls a part of them.
    public: Vec<String>,
    made: OnceLock<Sought>,
}

struct Sought {
    /// The masks' forms first, then those of another coding.
    forms: Option<AhoCorasick>,
    /// All of them, where they are too many for that.
    each: Vec<Vec<u8>>,
    plain: usize,
    shapes: Regex,
}

impl LazySweeper {
    fn sought(&self) -> &Sought {
        self.made.get_or_init(|| {
            let known = |secret: &str| self.public.iter().any(|text| text.contains(secret));
            // A word may stand in our own texts: it is masked in what comes from outside, and that
            // must do.
            let letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
            let is_word = |secret: &str| secret.len() < LONGEST_WORD && secret.bytes().all(letter);
            let sought =
                |secret: &&String| secret.len() >= SHORTEST && !known(secret) && !is_word(secret);
            let secrets = || self.secrets.iter().filter(sought);
            let mut sought: Vec<Vec<u8>> = secrets().flat_map(|secret| forms(secret)).collect();
            let plain = sought.len();
            sought.extend(secrets().flat_map(|secret| coded(secret)));
            let forms = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&sought);
            // Both halves are constants: `what_no_mask_looks_for_is_found_wherever_it_begins`
            // compiles this very pattern.
            #[allow(clippy::expect_used, reason = "a constant pattern that a test compiles")]
            let shapes = Regex::new(&format!("{TOKEN_SHAPES}|{WIDE_TOKEN_SHAPES}"))
                .expect("a constant pattern");
            let each = if forms.is_err() { sought } else { Vec::new() };
            Sought {
                forms: forms.ok().filter(|forms| forms.patterns_len() > 0),
                each,
                plain,
                shapes,
            }
        })
    }
}

impl std::fmt::Debug for LazySweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.secrets.len())
    }
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
        let named = environment
            .into_iter()
            .filter(|(name, value)| names_a_secret(name) && value.len() >= SHORTEST);
        // A value of several lines is masked line by line: output is read that way.
        let named = named.flat_map(|(_, value)| {
            value.split(['\n', '\r']).filter(|line| line.trim().len() >= SHORTEST)
        });
        // With and without blanks around it: whoever uses it may have trimmed it.
        let named = named.flat_map(|line| [line, line.trim()]);
        let written = literals
            .into_iter()
            .flat_map(|text| text.split(['\n', '\r']))
            .filter(|line| !line.trim().is_empty());
        let secrets: Vec<String> = named.chain(written).map(str::to_owned).collect();
        let mut forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        forms.sort();
        forms.dedup();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0).max(256);
        let (mut large, forms): (Vec<_>, Vec<_>) =
            forms.into_iter().partition(|form| form.len() > LARGE);
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
        let shapes = shapes.expect("a constant pattern");
        let sweeper = Arc::new(LazySweeper { secrets, public: Vec::new(), made: OnceLock::new() });
        Self { literals, large, shapes, longest, sweeper }
    }

    /// The same for a checkout and a repository of these names: what is a part of them (a
    /// `PROJECT_KEY` may be) stands in every receipt and is not looked for in the last look.
    #[must_use]
    pub(crate) fn knowing(mut self, public: Vec<String>) -> Self {
        let secrets = self.sweeper.secrets.clone();
        self.sweeper = Arc::new(LazySweeper { secrets, public, made: OnceLock::new() });
        self
    }

    /// How many bytes a secret may take: what a reader of chunks has to hold back.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes with every secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.large.iter().any(|form| memmem::find(bytes, form).is_some()) {
            let masked =
                self.large.iter().fold(bytes.to_vec(), |bytes, form| without(&bytes, form));
            return Cow::Owned(self.mask_small(&masked).into_owned());
        }
        self.mask_small(bytes)
    }

    fn mask_small<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(literals) = self.literals.as_ref().filter(|literals| literals.is_match(bytes))
        else {
            return self.shapes.replace_all(bytes, MASK.as_bytes());
        };
        let mut masked = Vec::with_capacity(bytes.len());
        literals.replace_all_with_bytes(bytes, &mut masked, |_, _, out| {
            out.extend_from_slice(MASK.as_bytes());
            true
        });
        Cow::Owned(self.shapes.replace_all(&masked, MASK.as_bytes()).into_owned())
    }

    /// What of a secret is left in bytes that are about to leave this host: one as it stands, or in
    /// a form that no mask looks for because it is none of text (base64, also of UTF-16 as
    /// PowerShell's encoded commands have it; hexadecimal; percent signs; JSON within JSON).
    /// Literals of fewer than 8 bytes and the configuration's patterns are masked in what comes
    /// from outside and not looked for here: our own words may hold them.
    pub(crate) fn left_in(&self, bytes: &[u8]) -> Option<&'static str> {
        let sought = self.sweeper.sought();
        if let Some(found) = sought.forms.as_ref().and_then(|forms| forms.find(bytes)) {
            let plain = found.pattern().as_usize() < sought.plain;
            return Some(if plain { "a secret as it is" } else { "a secret in another coding" });
        }
        if sought.each.iter().any(|form| memmem::find(bytes, form).is_some()) {
            return Some("a secret");
        }
        sought.shapes.is_match(bytes).then_some("a token, by its shape")
    }

    /// The text with every secret masked; nothing of it where one stands there that no mask
    /// catches.
    pub(crate) fn for_people(&self, text: &str) -> String {
        let masked = self.mask_text(text);
        if self.is_in(&masked) {
            "(left out: it holds a secret in another coding)".to_owned()
        } else {
            masked
        }
    }

    /// The same of a name or another text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.left_in(text.as_bytes()).is_some()
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

/// A literal as it may stand in what is written: as it is, as XML and JSON escape it, and in
/// UTF-16.
fn forms(literal: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![literal.to_owned()];
    // What must be escaped in XML is; writers differ on the rest.
    for (and, less) in
        [("&amp;", "&lt;"), ("&#38;", "&#60;"), ("&#x26;", "&#x3c;"), ("&#x26;", "&#x3C;")]
    {
        let base = literal.replace('&', and).replace('<', less);
        for greater in [">", "&gt;", "&#62;", "&#x3e;", "&#x3E;"] {
            for quote in ["\"", "&quot;", "&#34;", "&#x22;"] {
                for apostrophe in ["'", "&apos;", "&#39;", "&#x27;"] {
                    forms.push(
                        base.replace('>', greater).replace('"', quote).replace('\'', apostrophe),
                    );
                }
            }
        }
    }
    // JSON, with a slash that may be escaped, and as Windows PowerShell and cautious writers have
    // it.
    let json = serde_json::to_string(literal).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
    let unicode = |text: &str, escape: fn(char) -> bool| {
        let mut units = [0; 2];
        text.chars().fold(String::new(), |mut out, c| {
            if escape(c) {
                c.encode_utf16(&mut units)
                    .iter()
                    .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
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

/// A secret as it may stand in what is no text.
fn coded(secret: &str) -> Vec<Vec<u8>> {
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut forms: Vec<String> =
        [secret.as_bytes(), &wide].into_iter().flat_map(base64_anywhere).collect();
    let hex = |upper: bool| {
        let byte = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        secret.as_bytes().iter().map(byte).collect::<String>()
    };
    forms.extend([hex(false), hex(true)]);
    for plain in [false, true] {
        // What a query leaves as it is differs among writers.
        let kept = |b: u8| {
            b.is_ascii_alphanumeric() || b"-_.~".contains(&b) || (plain && b"!*'()/:@".contains(&b))
        };
        let percent = |upper: bool| {
            let byte = |b: u8| match (kept(b), upper) {
                (true, _) => char::from(b).to_string(),
                (false, true) => format!("%{b:02X}"),
                (false, false) => format!("%{b:02x}"),
            };
            secret.bytes().map(byte).collect::<String>()
        };
        forms.extend([percent(true), percent(false)]);
    }
    forms.push(secret.bytes().map(|b| format!("%{b:02x}")).collect());
    forms.push(secret.bytes().map(|b| format!("%{b:02X}")).collect());
    let json =
        |text: &str| serde_json::to_string(text).unwrap_or_default().trim_matches('"').to_owned();
    forms.push(json(&json(secret)));
    forms
        .into_iter()
        .filter(|form| form != secret && form.len() >= SHORTEST)
        .map(String::into_bytes)
        .collect()
}

/// The part of a base64 text that is the same wherever in it the bytes begin, for each of the three
/// places; in both alphabets.
fn base64_anywhere(bytes: &[u8]) -> Vec<String> {
    let at = |offset: usize| {
        let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(bytes.iter().copied()).collect();
        let text = STANDARD_NO_PAD.encode(&padded);
        // A letter that holds bits of a neighbour is another one there.
        let from = (offset * 8).div_ceil(6);
        let to = text.len() - usize::from(!padded.len().is_multiple_of(3));
        text.get(from..to).unwrap_or_default().to_owned()
    };
    let standard: Vec<String> = (0..3).map(at).collect();
    let url =
        standard.iter().map(|text| text.replace('+', "-").replace('/', "_")).collect::<Vec<_>>();
    [standard, url].concat()
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
    const FILES: [&str; 5] =
        ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"];
    FILES.contains(&upper.as_str())
        // Settings of this gate are none of one that a test starts.
        || upper.starts_with("PESTER_GATE_")
        || upper.starts_with("ACTIONS_RUNTIME_")
        || upper.starts_with("ACTIONS_ID_TOKEN_")
        || upper.starts_with("ACTIONS_RESULTS_")
        || upper.starts_with("ACTIONS_CACHE_")
        || upper.ends_with("TOKEN")
        || ["ghp_", "ghs_", "gho_", "ghu_", "ghr_", "github_pat_"]
            .iter()
            .any(|shape| value.contains(shape))
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
        let text = format!(
            "hunter2hunter2 abc plain-value in-house ghp_{} max_tokens=3 two line long",
            "a".repeat(36)
        );
        assert_eq!(redactor.mask_text(&text), "*** abc plain-value *** *** max_tokens=3 ***");
        assert_eq!(&*redactor.mask(b"\xff hunter2hunter2 \xfe"), b"\xff *** \xfe");
    }

    #[test]
    fn a_secret_is_masked_in_every_form_it_is_written_in() {
        let redactor = Redactor::new([("DB_PASSWORD", "p&ss<w>rd9")], ["/in-[0-9]+/"]);
        assert_eq!(
            redactor.mask_text("a p&amp;ss&lt;w&gt;rd9 b p&ss<w>rd9 in-77"),
            "a *** b *** ***"
        );
        let wide: Vec<u8> = "p&ss<w>rd9".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(&*redactor.mask(&wide), b"***");
        assert!(invalid_pattern(&["/(/".to_owned()]).is_some());
    }

    #[test]
    fn a_secret_is_masked_as_json_has_it_and_line_by_line() {
        let redactor =
            Redactor::new([("DB_PASSWORD", "pa\\ss\"w/ord'é")], ["first-part\nsecond-part"]);
        let json = serde_json::to_string("pa\\ss\"w/ord'é").unwrap();
        assert_eq!(redactor.mask_text(&json), "\"***\"");
        assert_eq!(redactor.mask_text(r#""pa\\ss\"w/ord\u0027é""#), "\"***\"");
        assert_eq!(redactor.mask_text(r#"pa\\ss\"w/ord\u0027\u00e9"#), "***");
        assert_eq!(redactor.mask_text("a first-part b\nsecond-part"), "a *** b\n***");
    }

    #[test]
    fn what_no_mask_looks_for_is_found_wherever_it_begins() {
        let redactor = Redactor::new([("DB_PASSWORD", "p&ss w/rd9\"")], ["in-house-n4me"]);
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "z", "zz"] {
                let text = base64(format!("{before}p&ss w/rd9\"{after}").as_bytes());
                assert_eq!(
                    redactor.left_in(text.as_bytes()),
                    Some("a secret in another coding"),
                    "{before:?} {after:?}"
                );
            }
        }
        let wide: Vec<u8> = "x in-house-n4me".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(redactor.is_in(&base64(&wide)), "an encoded command of PowerShell");
        for form in [
            "p%26ss%20w%2Frd9%22",
            "p%26ss%20w/rd9%22",
            "696e2d686f7573652d6e346d65",
            r#"p&ss w/rd9\\\""#,
        ] {
            assert!(redactor.is_in(form), "{form}");
        }
        let token: Vec<u8> = format!("x ghp_{}", "A1".repeat(18))
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(redactor.left_in(&token), Some("a token, by its shape"));
        // A word of our own is masked in what comes from outside and not looked for.
        let word = Redactor::new([("STATE_KEY", "completed")], []);
        assert_eq!(
            (word.mask_text("completed"), word.is_in("completed")),
            ("***".to_owned(), false)
        );
        let reported = redactor.mask_text("p&ss w/rd9\" and in-house-n4me");
        for harmless in
            [reported.as_str(), "max_tokens=3", "d670460b4b4aece5915caf5c68d12f560a9fe3e4", ""]
        {
            assert_eq!(redactor.left_in(harmless.as_bytes()), None, "{harmless}");
        }
        assert_eq!(redactor.left_in(b"in-house-n4me"), Some("a secret as it is"));
        assert!(!format!("{redactor:?}").contains("house"), "{redactor:?}");
    }

    #[test]
    fn secrets_of_any_size_leave_none_out() {
        let big = ["x", "y", "z"].map(|c| c.repeat(120_000));
        let environment = big
            .iter()
            .map(|value| ("BIG_KEY", value.as_str()))
            .chain([("DB_PASSWORD", "hunter2hunter2")]);
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
