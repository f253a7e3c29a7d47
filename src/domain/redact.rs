//! Masking secrets in everything that leaves the process.

use regex::bytes::{Regex, RegexBuilder};

/// What stands where a secret stood.
pub(crate) const MASK: &str = "***";

/// Values shorter than this are not masked: they would riddle every text.
const SHORTEST: usize = 8;

/// Prefixes of GitHub's tokens, followed by at least 20 letters, digits or underscores.
const TOKEN_SHAPES: &str = r"(?:gh[psour]_|github_pat_)[A-Za-z0-9_]{20,}";

/// Masks known secrets and whatever has the shape of a token.
#[derive(Debug, Clone)]
pub(crate) struct Redactor {
    pattern: Regex,
    longest: usize,
}

impl Redactor {
    /// From environment variables (those whose name says so count) and further literals.
    pub(crate) fn new<'a>(
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
        literals: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut secrets: Vec<&str> = environment
            .into_iter()
            .filter(|(name, value)| names_a_secret(name) && value.len() >= SHORTEST)
            // A value of several lines is masked line by line: output is read that way.
            .flat_map(|(_, value)| value.split(['\n', '\r']).filter(|line| line.trim().len() >= SHORTEST))
            .chain(literals.into_iter().filter(|literal| !literal.is_empty()))
            .collect();
        // The longest first, so that a secret that contains another is masked whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        let longest = secrets.first().map_or(0, |s| 6 * s.len()).max(256);
        let mut pattern = String::from(TOKEN_SHAPES);
        for secret in secrets {
            for form in forms(secret) {
                pattern.push('|');
                pattern.push_str(&form);
            }
        }
        let pattern = RegexBuilder::new(&pattern).unicode(false).size_limit(64 << 20).build();
        // Escaped literals always parse; beyond the size limit the shapes alone are masked.
        let pattern = pattern.or_else(|_| Regex::new(TOKEN_SHAPES));
        #[allow(clippy::expect_used, reason = "TOKEN_SHAPES is a constant that a test compiles")]
        Self { pattern: pattern.expect("a constant pattern"), longest }
    }

    /// How many bytes a secret may take: what a reader of chunks has to hold back.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes with every secret masked.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        self.pattern.replace_all(bytes, MASK.as_bytes())
    }

    /// The text with every secret masked.
    pub(crate) fn mask_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }
}

/// A literal as it may stand in what is written: as it is, escaped as XML has it, and in UTF-16. An
/// entry between slashes is a pattern.
fn forms(literal: &str) -> Vec<String> {
    if let Some(pattern) = as_pattern(literal) {
        return vec![format!("(?:{pattern})")];
    }
    let mut escaped = String::new();
    for c in literal.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("(?:&gt;|>)"),
            '"' => escaped.push_str("(?:&quot;|\")"),
            '\'' => escaped.push_str("(?:&apos;|&#39;|')"),
            c => escaped.push_str(&regex::escape(&c.to_string())),
        }
    }
    let wide = |bytes: fn(u16) -> [u8; 2]| {
        literal.encode_utf16().flat_map(bytes).map(|byte| format!(r"\x{byte:02x}")).collect::<String>()
    };
    vec![regex::escape(literal), escaped, wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
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
