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
            .map(|(_, value)| value)
            .chain(literals.into_iter().filter(|literal| !literal.is_empty()))
            // A value of several lines is masked line by line: output is read that way.
            .flat_map(|value| value.split(['\n', '\r']).filter(|line| !line.trim().is_empty()))
            .collect();
        // The longest first, so that a secret that contains another is masked whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        let longest = secrets.first().map_or(0, |s| s.len()).max(256);
        let mut pattern = String::from(TOKEN_SHAPES);
        for secret in secrets {
            pattern.push('|');
            pattern.push_str(&regex::escape(secret));
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
        || upper.starts_with("ACTIONS_RUNTIME_")
        || upper.starts_with("ACTIONS_ID_TOKEN_")
        || upper.starts_with("ACTIONS_RESULTS_")
        || upper.starts_with("ACTIONS_CACHE_")
        || upper.ends_with("TOKEN")
        || ["ghp_", "ghs_", "gho_", "ghu_", "ghr_", "github_pat_"].iter().any(|shape| value.starts_with(shape))
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
        ] {
            assert!(withheld_from_children(name, value), "{name}");
        }
        for (name, value) in [("PATH", "/bin"), ("GITHUB_SHA", "abc"), ("DB_PASSWORD", "x")] {
            assert!(!withheld_from_children(name, value), "{name}");
        }
    }
}
