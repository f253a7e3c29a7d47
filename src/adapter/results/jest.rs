//! JSON of Jest (`--json --outputFile=F`) and of Vitest (`--reporter=json --outputFile=F`): one
//! object whose `testResults` holds one entry for each test file.
//!
//! Rules (docs/results.md): `status` decides. A file that failed while none of its tests did is an
//! errored case of its own, with the message of the file. `numTotalTests`, `numFailedTests` and
//! `success` are compared, never counted.

use std::time::Duration;

use serde_json::Value;

use super::open_case::{ATTEMPT_KEPT, MESSAGE_KEPT, NAME_KEPT, beginning};
use super::place::line_in;
use super::plain::Document;
use super::{Claims, Defect, Reading, excerpt, new_case};
use crate::domain::results::case::{Attempt, Case};
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

/// How many attempts are kept.
const ATTEMPTS_KEPT: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Jest {
    claims: Claims,
    failed_files: u64,
    /// It says that the run failed.
    unsuccessful: bool,
    interrupted: bool,
    listed: u64,
}

impl Document for Jest {
    fn lists(&self, key: &str) -> bool {
        key == "testResults"
    }

    fn element(&mut self, _: &str, file: &Value, reading: &mut Reading) {
        let name = text(file, "name").or_else(|| text(file, "testFilePath")).unwrap_or_default();
        let cases = file
            .get("assertionResults")
            .or_else(|| file.get("testResults"))
            .and_then(Value::as_array);
        let before = reading.counts.failures();
        for case in cases.into_iter().flatten() {
            self.listed += 1;
            one_case(name, case, reading);
        }
        let message =
            text(file, "message").or_else(|| text(file, "failureMessage")).unwrap_or_default();
        let failed = file.get("testExecError").is_some_and(|error| !error.is_null())
            || text(file, "status")
                .is_some_and(|status| outcome_word::jest(status).is_none_or(is_bad))
            || (cases.is_none_or(Vec::is_empty) && !message.trim().is_empty());
        if failed && reading.counts.failures() == before {
            reading.case(CaseOutcome::Errored, false, || failed_file(name, message));
        }
        if cases.is_none() {
            let why = format!("the entry of {:?} lists no tests", excerpt(name, 200));
            reading.defect.get_or_insert(Defect::Inconsistent(why));
        }
    }

    fn broken(&mut self, _: &str, file: &Value, reading: &mut Reading) {
        let cases = file
            .get("assertionResults")
            .or_else(|| file.get("testResults"))
            .and_then(Value::as_array);
        let Some((last, complete)) = cases.and_then(|cases| cases.split_last()) else { return };
        let name = text(file, "name").unwrap_or_default();
        for case in complete {
            one_case(name, case, reading);
        }
        // A list that ended before the break has a last case that is whole, too: only its failure
        // is certain.
        if text(last, "status").and_then(outcome_word::jest).is_some_and(is_bad) {
            one_case(name, last, reading);
        }
    }

    fn value(&mut self, key: &str, value: &Value, reading: &mut Reading) {
        match key {
            "numTotalTests" => self.claims.tests = number(key, value, reading),
            "numFailedTests" => self.claims.failures = number(key, value, reading),
            "numRuntimeErrorTestSuites" | "numFailedTestSuites" => {
                self.failed_files = self.failed_files.max(number(key, value, reading));
            }
            "success" => self.unsuccessful = *value != Value::Bool(true),
            "wasInterrupted" => self.interrupted = *value != Value::Bool(false),
            _ => {}
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        if cut {
            return;
        }
        if self.interrupted {
            let why = "it says that the run was interrupted".to_owned();
            reading.defect.get_or_insert(Defect::Truncated(why));
        } else if reading.counts.failures() == 0 && (self.failed_files > 0 || self.unsuccessful) {
            let why = "it says that the run failed, and lists no failure".to_owned();
            reading.defect.get_or_insert(Defect::Inconsistent(why));
        } else if reading.defect.is_none() {
            reading.compare("the totals", self.claims, self.listed, true);
        }
    }
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// A total that the document claims. One that is no number is said so: it must not count as none.
pub(super) fn number(key: &str, value: &Value, reading: &mut Reading) -> u64 {
    value.as_u64().unwrap_or_else(|| {
        let shown = value.to_string();
        let why = format!("{key} is {}, which is no number of tests", excerpt(&shown, 40));
        reading.defect.get_or_insert(Defect::Inconsistent(why));
        0
    })
}

/// What a word means; one that is not known is an error and noted.
pub(super) fn outcome_of(
    word: Option<&str>,
    meaning: fn(&str) -> Option<CaseOutcome>,
    reading: &mut Reading,
) -> CaseOutcome {
    word.and_then(meaning).unwrap_or_else(|| {
        let shown = excerpt(word.unwrap_or_default(), 40).to_owned();
        reading.note(|| format!("a case has the unknown status {shown:?}, counted as an error"));
        CaseOutcome::Errored
    })
}

/// A duration in a unit that is so many seconds.
pub(super) fn duration(value: Option<&Value>, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(value?.as_f64()? * unit).ok()
}

/// A text as far as it is kept.
pub(super) fn kept(text: &str, most: usize) -> String {
    let mut kept = String::new();
    beginning(&mut kept, text.trim(), most);
    kept
}

fn is_bad(outcome: CaseOutcome) -> bool {
    matches!(outcome, CaseOutcome::Failed | CaseOutcome::Errored)
}

fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn one_case(file: &str, value: &Value, reading: &mut Reading) {
    let outcome = outcome_of(text(value, "status"), outcome_word::jest, reading);
    let mut retries: Vec<&str> = texts(value, "retryReasons").collect();
    // Vitest keeps the errors of earlier attempts with a test that passed in the end.
    if outcome == CaseOutcome::Passed && retries.is_empty() {
        retries.extend(texts(value, "failureMessages"));
    }
    reading.case(outcome, !retries.is_empty(), || {
        let name = text(value, "title").or_else(|| text(value, "fullName")).unwrap_or_default();
        let mut case = new_case(name, outcome);
        let class = texts(value, "ancestorTitles").collect::<Vec<_>>().join(" › ");
        case.class = Some(kept(&class, NAME_KEPT)).filter(|class| !class.is_empty());
        case.file = Some(kept(file, NAME_KEPT)).filter(|file| !file.is_empty());
        case.duration = duration(value.get("duration"), 0.001);
        let message = texts(value, "failureMessages").collect::<Vec<_>>().join("\n");
        let began =
            value.get("location").and_then(|place| place.get("line")).and_then(Value::as_u64);
        let failed = if is_bad(outcome) { line_in(&message, file) } else { None };
        case.line = failed.or(began).filter(|line| *line > 0 && case.file.is_some());
        case.message = kept(&message, MESSAGE_KEPT);
        let attempt = |message: &&str| Attempt {
            outcome: CaseOutcome::Failed,
            message: kept(message, ATTEMPT_KEPT),
        };
        case.attempts = retries.iter().take(ATTEMPTS_KEPT).map(attempt).collect();
        case.more_attempts = retries.len() - case.attempts.len();
        case
    });
}

fn failed_file(name: &str, message: &str) -> Case {
    let mut case = new_case("[the test file failed]", CaseOutcome::Errored);
    let name = kept(name, NAME_KEPT);
    (case.class, case.line) = (Some(name.clone()), line_in(message, &name));
    case.file = Some(name).filter(|name| !name.is_empty());
    case.message = kept(message, MESSAGE_KEPT);
    case
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

    fn places(reading: &Reading) -> Vec<(&str, Option<&str>, Option<u64>)> {
        reading
            .failures
            .iter()
            .map(|case| (case.name.as_str(), case.file.as_deref(), case.line))
            .collect()
    }

    #[test]
    fn the_recording_of_jest_is_read_whole() {
        let reading = read(include_str!("../../../tests/data/results/jest/jest.json"));
        let expected =
            Counts { total: 9, passed: 3, failed: 2, errors: 2, skipped: 2, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        let mut found = places(&reading);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("[the test file failed]", Some("/repo/broken.test.js"), None),
                ("[the test file failed]", Some("/repo/empty.test.js"), None),
                ("fails", Some("/repo/sum.test.js"), Some(4)),
                ("needs it", Some("/repo/hook.test.js"), Some(1)),
            ]
        );
        let fails = reading.failures.iter().find(|case| case.name == "fails").unwrap();
        assert_eq!(fails.id(), "sum › fails");
        assert!(fails.message.contains("Expected: 4"), "{}", fails.message);
    }

    #[test]
    fn the_recording_of_vitest_is_read_whole() {
        let reading = read(include_str!("../../../tests/data/results/jest/vitest.json"));
        let expected =
            Counts { total: 10, passed: 3, failed: 1, errors: 3, skipped: 3, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        let mut found = places(&reading);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("[the test file failed]", Some("/repo/broken.test.js"), None),
                ("[the test file failed]", Some("/repo/empty.test.js"), None),
                ("[the test file failed]", Some("/repo/hook.test.js"), None),
                ("fails", Some("/repo/sum.test.js"), Some(5)),
            ]
        );
    }

    #[test]
    fn claims_without_a_failure_are_inconsistent() {
        let case = r#"{"title": "a", "status": "passed"}"#;
        for head in [
            r#""success": false"#,
            r#""success": null"#,
            r#""numFailedTests": 1"#,
            r#""numFailedTests": -1"#,
            r#""numTotalTests": 2"#,
            r#""numRuntimeErrorTestSuites": 1"#,
        ] {
            let text = format!(
                r#"{{{head}, "testResults": [{{"name": "f", "assertionResults": [{case}]}}]}}"#
            );
            assert_eq!(
                read(&text).defect.map(|defect| defect.word()),
                Some("inconsistent"),
                "{text}"
            );
        }
        let cut = r#"{"wasInterrupted": true, "testResults": []}"#;
        assert_eq!(read(cut).defect.map(|defect| defect.word()), Some("truncated"));
        assert_eq!(
            read(r#"{"testResults": [{"name": "f"}]}"#).defect.map(|d| d.word()),
            Some("inconsistent")
        );
    }

    #[test]
    fn an_unknown_status_is_an_error_and_a_retry_is_an_attempt() {
        let text = r#"{"testResults": [{"name": "f", "status": "passed", "assertionResults": [
            {"title": "a", "status": "exploded"},
            {"title": "b", "status": "passed", "retryReasons": ["first\nno", "second"]},
            {"title": "c", "status": "disabled"}]}]}"#;
        let reading = read(text);
        assert_eq!(
            (reading.counts.errors, reading.counts.passed, reading.counts.not_run),
            (1, 1, 1)
        );
        assert_eq!((reading.flaky[0].attempts.len(), reading.notes.len()), (2, 1));
        let text = r#"{"testResults": [{"name": "f", "assertionResults": [
            {"title": "a", "status": "passed", "failureMessages": ["no"]}]}]}"#;
        assert_eq!(read(text).flaky.len(), 1);
    }
}
