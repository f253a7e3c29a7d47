//! JSON of Mocha (`--reporter json --reporter-option output=F`): `stats`, and the lists `tests`,
//! `pending`, `failures` and `passes`.
//!
//! Rules (docs/results.md): in which list a test stands decides. `tests` comes first and holds
//! every test that ended; what has an error there has failed, also where the file is cut before
//! `failures`. A hook that failed stands in `failures` alone and is an errored case. `stats` is
//! compared, never counted.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::jest::{duration, kept, number, text};
use super::open_case::{MESSAGE_KEPT, NAME_KEPT};
use super::place::line_in;
use super::plain::Document;
use super::{Claims, Defect, Reading, excerpt, new_case};
use crate::domain::results::case::Attempt;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

/// So many failed tests are known by name.
const KNOWN: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Mocha {
    claims: Claims,
    /// A list of tests was there at all.
    has_lists: bool,
    /// Entries of `tests`.
    listed: u64,
    /// Entries of the lists that decide, hooks not among them.
    decided: u64,
    /// The names in `failures`.
    known_failed: HashSet<String>,
    /// Tests that failed by `tests`, and are still to come in `failures`.
    failed: HashMap<String, u64>,
}

impl Document for Mocha {
    fn lists(&self, key: &str) -> bool {
        key == "tests" || outcome_word::mocha(key).is_some()
    }

    fn element(&mut self, key: &str, test: &Value, reading: &mut Reading) {
        self.has_lists = true;
        let full = text(test, "fullTitle").unwrap_or_default();
        let Some(outcome) = outcome_word::mocha(key) else {
            self.listed += 1;
            if has_error(test) {
                if self.failed.len() < KNOWN {
                    *self.failed.entry(full.to_owned()).or_default() += 1;
                }
                one_case(test, CaseOutcome::Failed, reading);
            }
            return;
        };
        let hook =
            outcome == CaseOutcome::Failed && is_hook(text(test, "title").unwrap_or_default());
        self.decided += u64::from(!hook);
        if outcome != CaseOutcome::Failed {
            // A test that passed and then threw is listed in both.
            if has_error(test) && self.known_failed.contains(full) {
                return;
            }
            if has_error(test) {
                let name = excerpt(full, 200);
                let why = format!("{name:?} is listed in `{key}`, but has an error");
                reading.defect.get_or_insert(Defect::Inconsistent(why));
            }
            one_case(test, outcome, reading);
        } else if hook {
            self.known_failed.insert(full.to_owned());
            one_case(test, CaseOutcome::Errored, reading);
        } else {
            if self.known_failed.len() < KNOWN {
                self.known_failed.insert(full.to_owned());
            }
            match self.failed.get_mut(full).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => one_case(test, outcome, reading),
            }
        }
    }

    fn broken(&mut self, key: &str, test: &Value, reading: &mut Reading) {
        let is_named = text(test, "title").is_some() && text(test, "fullTitle").is_some();
        if is_named
            && (key == "tests" && has_error(test)
                || outcome_word::mocha(key) == Some(CaseOutcome::Failed))
        {
            self.element(key, test, reading);
        }
    }

    fn value(&mut self, key: &str, value: &Value, reading: &mut Reading) {
        if key == "stats" {
            let mut claim = |key| value.get(key).map_or(0, |value| number(key, value, reading));
            self.claims = Claims { tests: claim("tests"), failures: claim("failures") };
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        if cut {
            return;
        }
        if !self.has_lists && self.claims.tests > 0 {
            let why = "it has `stats`, and none of Mocha's lists of tests".to_owned();
            reading.defect.get_or_insert(Defect::Unsupported(why));
        } else if self.decided < self.listed {
            let why =
                format!("`tests` lists {}, of which {} have an outcome", self.listed, self.decided);
            reading.defect.get_or_insert(Defect::Inconsistent(why));
        } else if reading.defect.is_none() {
            reading.compare("`stats`", self.claims, self.listed, true);
        }
    }
}

fn has_error(test: &Value) -> bool {
    test.get("err").and_then(Value::as_object).is_some_and(|error| !error.is_empty())
}

/// Whether a title is that of a hook, `"before all" hook: name for "test"`.
fn is_hook(title: &str) -> bool {
    ["\"before all\" hook", "\"after all\" hook", "\"before each\" hook", "\"after each\" hook"]
        .iter()
        .any(|hook| title.starts_with(hook))
}

fn one_case(test: &Value, outcome: CaseOutcome, reading: &mut Reading) {
    let retries = test.get("currentRetry").and_then(Value::as_u64).unwrap_or(0);
    reading.case(outcome, retries > 0, || {
        let (full, title) =
            (text(test, "fullTitle").unwrap_or_default(), text(test, "title").unwrap_or_default());
        let mut case = new_case(if title.is_empty() { full } else { title }, outcome);
        let class = full.strip_suffix(title).unwrap_or_default().trim();
        case.class = Some(kept(class, NAME_KEPT)).filter(|class| !class.is_empty());
        let file = text(test, "file").unwrap_or_default();
        case.file = Some(kept(file, NAME_KEPT)).filter(|file| !file.is_empty());
        case.duration = duration(test.get("duration"), 0.001);
        let error = test.get("err");
        let part = |key| error.and_then(|error| text(error, key)).unwrap_or_default();
        let (stack, message) = (part("stack"), part("message"));
        let whole =
            if stack.contains(message) { stack.to_owned() } else { format!("{message}\n{stack}") };
        case.line = line_in(&whole, file);
        case.message = kept(&whole, MESSAGE_KEPT);
        let attempt = Attempt { outcome: CaseOutcome::Failed, message: String::new() };
        // Mocha says how often a test was run again, and not why.
        let attempts = usize::try_from(retries.min(20)).unwrap_or(20);
        case.attempts = vec![attempt; attempts];
        case
    });
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use crate::domain::results::counts::Counts;

    #[test]
    fn the_recording_of_the_tool_is_read_whole() {
        let reading = read(include_str!("../../../tests/data/results/mocha/mocha.json"));
        let expected =
            Counts { total: 7, passed: 2, failed: 1, errors: 2, skipped: 2, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        let found: Vec<_> = reading.failures.iter().map(|case| (case.id(), case.line)).collect();
        assert_eq!(
            found,
            [
                ("sum › fails".to_owned(), Some(5)),
                ("hooked › \"before all\" hook: opens for \"needs it\"".to_owned(), Some(11)),
                ("after › \"after each\" hook for \"fine\"".to_owned(), Some(15)),
            ]
        );
        assert!(
            reading.failures.iter().all(|case| case.file.as_deref() == Some("/repo/test/sum.js"))
        );
        assert!(reading.failures[0].message.contains("3 == 4"));
    }

    #[test]
    fn a_failure_counts_once_wherever_it_stands() {
        let failed = r#"{"title": "a", "fullTitle": "s a", "err": {"message": "no"}}"#;
        let fine = r#"{"title": "a", "fullTitle": "s a", "err": {}}"#;
        for (tests, failures, passes, failed_cases, word) in [
            (failed, failed, "", 1, None),
            (fine, failed, "", 1, None),
            ("", failed, "", 1, None),
            (fine, "", failed, 0, Some("inconsistent")),
            // Mocha lists a test that passed and then threw in both lists.
            (failed, failed, failed, 1, None),
            (failed, "", "", 1, Some("inconsistent")),
            (fine, "", "", 0, Some("inconsistent")),
            (fine, "", fine, 0, None),
        ] {
            let text = format!(
                r#"{{"stats": {{}}, "tests": [{tests}],
                "failures": [{failures}], "passes": [{passes}]}}"#
            );
            let reading = read(&text);
            let found = (reading.counts.failures(), reading.defect.map(|defect| defect.word()));
            assert_eq!(found, (failed_cases, word), "{text}");
        }
    }

    #[test]
    fn other_reports_with_stats_are_not_mochas() {
        for (text, word) in [
            (r#"{"stats": {"tests": 3, "failures": 0}, "results": []}"#, "unsupported"),
            (r#"{"stats": {"tests": "3"}, "tests": []}"#, "inconsistent"),
            (r#"{"stats": {"failures": 3}, "tests": []}"#, "inconsistent"),
        ] {
            assert_eq!(read(text).defect.map(|defect| defect.word()), Some(word), "{text}");
        }
        let flaky = r#"{"stats": {}, "tests": [], "passes": [{"title": "a", "currentRetry": 2}]}"#;
        assert_eq!(read(flaky).flaky[0].attempts.len(), 2);
    }
}
