//! The valid word that a misspelled one probably meant.

/// How alike two words must be (0 to 1) for one to be suggested.
const ALIKE: f64 = 0.75;

/// The closest of the valid words, where one is close enough.
pub(crate) fn closest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = |valid: &'a str| (strsim::jaro_winkler(&word, &valid.to_lowercase()), valid);
    let best = valid.into_iter().map(near).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_suggested_and_no_far_one() {
        let valid = ["tests-failed", "tests-passed", "test-timed-out", "results-missing"];
        for (word, expected) in [
            ("tests-faild", Some("tests-failed")),
            ("TESTS-FAILED", Some("tests-failed")),
            ("result-missing", Some("results-missing")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(closest(word, valid), expected, "{word}");
        }
    }
}
