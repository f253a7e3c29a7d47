//! JSON of RSpec (`--format json --out F`): `examples`, and a `summary` with what failed outside of
//! them.
//!
//! Rules (docs/results.md): `status` decides. An error outside of examples (a file that cannot be
//! loaded, a hook of the suite) is an errored case with the message that RSpec printed for it. The
//! counts of `summary` are compared.

use serde_json::Value;

use super::jest::{duration, kept, number, outcome_of, text};
use super::open_case::{MESSAGE_KEPT, NAME_KEPT};
use super::place::{at_start, line_in};
use super::plain::Document;
use super::{Claims, Defect, Reading, excerpt, new_case};
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

/// How many messages outside of examples are kept.
const MESSAGES_KEPT: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Rspec {
    claims: Claims,
    /// Failures by `summary_line`.
    line_failures: u64,
    /// Errors outside of examples, by `summary`.
    outside: u64,
    /// What RSpec printed about errors outside of examples.
    messages: Vec<String>,
    has_summary: bool,
    listed: u64,
}

impl Document for Rspec {
    fn lists(&self, key: &str) -> bool {
        key == "examples"
    }

    fn element(&mut self, _: &str, example: &Value, reading: &mut Reading) {
        self.listed += 1;
        let outcome = outcome_of(text(example, "status"), outcome_word::rspec, reading);
        if outcome == CaseOutcome::Passed && example.get("exception").is_some_and(Value::is_object)
        {
            let name = excerpt(text(example, "full_description").unwrap_or_default(), 200);
            let why = format!("the example {name:?} passed, but has an exception");
            reading.defect.get_or_insert(Defect::Inconsistent(why));
        }
        reading.case(outcome, false, || {
            let full = text(example, "full_description").unwrap_or_default();
            let name = text(example, "description").filter(|name| !name.is_empty()).unwrap_or(full);
            let mut case = new_case(name, outcome);
            let class = full.strip_suffix(name).unwrap_or_default().trim();
            case.class = Some(kept(class, NAME_KEPT)).filter(|class| !class.is_empty());
            let file = text(example, "file_path").unwrap_or_default();
            case.file = Some(kept(file, NAME_KEPT)).filter(|file| !file.is_empty());
            let began = example.get("line_number").and_then(Value::as_u64).filter(|line| *line > 0);
            case.duration = duration(example.get("run_time"), 1.0);
            let whole = example.get("exception").map(whole_message).unwrap_or_default();
            case.line = line_in(&whole, file).or(began).filter(|_| case.file.is_some());
            case.message = kept(&whole, MESSAGE_KEPT);
            case
        });
    }

    fn broken(&mut self, key: &str, example: &Value, reading: &mut Reading) {
        if text(example, "status").and_then(outcome_word::rspec) == Some(CaseOutcome::Failed) {
            self.element(key, example, reading);
        }
    }

    fn value(&mut self, key: &str, value: &Value, reading: &mut Reading) {
        match key {
            "messages" => {
                let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                let errors = texts.filter(|text| text.contains("error occurred"));
                self.messages =
                    errors.take(MESSAGES_KEPT).map(|text| kept(text, MESSAGE_KEPT)).collect();
            }
            "summary_line" => {
                let words: Vec<&str> = value.as_str().unwrap_or_default().split(' ').collect();
                let failures = words.windows(2).find(|pair| pair[1].starts_with("failure"));
                let failures = failures.and_then(|pair| pair[0].parse().ok());
                self.line_failures = failures.unwrap_or(0);
            }
            "summary" => {
                self.has_summary = true;
                let mut claim = |key| value.get(key).map_or(0, |value| number(key, value, reading));
                self.claims =
                    Claims { tests: claim("example_count"), failures: claim("failure_count") };
                self.outside = claim("errors_outside_of_examples_count");
            }
            _ => {}
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        let messages = std::mem::take(&mut self.messages);
        let known = messages.len() as u64;
        // Without a summary an error that was printed is one.
        let errors = if self.has_summary { self.outside.min(known) } else { known };
        for message in messages.into_iter().take(usize::try_from(errors).unwrap_or(MESSAGES_KEPT)) {
            outside(&message, reading);
        }
        for _ in known..self.outside.min(MESSAGES_KEPT as u64) {
            outside("", reading);
        }
        if cut || reading.defect.is_some() {
            return;
        }
        if self.has_summary {
            let failures = self.claims.failures.max(self.line_failures);
            let failures = failures.saturating_add(self.outside);
            reading.compare("the summary", Claims { failures, ..self.claims }, self.listed, true);
        } else {
            reading.defect = Some(Defect::Inconsistent("it has no summary".to_owned()));
        }
    }
}

fn whole_message(exception: &Value) -> String {
    let part = |key| text(exception, key).unwrap_or_default().trim_matches('\n');
    let trace = exception.get("backtrace").and_then(Value::as_array).into_iter().flatten();
    let trace: Vec<&str> = trace.filter_map(Value::as_str).collect();
    [part("class"), part("message"), &trace.join("\n")].join("\n")
}

/// An error outside of examples; its place is the first that its message names in a line `#
/// ./FILE.rb:1:in ..`.
fn outside(message: &str, reading: &mut Reading) {
    reading.case(CaseOutcome::Errored, false, || {
        let mut case = new_case("[an error outside of examples]", CaseOutcome::Errored);
        let frames = message.lines().filter_map(|line| line.trim_start().strip_prefix("# "));
        if let Some((file, line)) = frames.filter_map(|frame| at_start(frame, ".rb")).next() {
            (case.file, case.line) = (Some(file.to_owned()), Some(line));
        }
        case.message = message.to_owned();
        case
    });
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

    fn places(reading: &Reading) -> Vec<(String, Option<&str>, Option<u64>)> {
        reading.failures.iter().map(|case| (case.id(), case.file.as_deref(), case.line)).collect()
    }

    #[test]
    fn the_recordings_of_the_tool_are_read_whole() {
        let reading = read(include_str!("../../../tests/data/results/rspec/rspec.json"));
        let expected =
            Counts { total: 6, passed: 1, failed: 2, errors: 1, skipped: 2, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        assert_eq!(
            places(&reading),
            [
                ("sum › fails".to_owned(), Some("./spec/sum_spec.rb"), Some(4)),
                ("sum › raises".to_owned(), Some("./spec/sum_spec.rb"), Some(6)),
                (
                    "[an error outside of examples]".to_owned(),
                    Some("./spec/suite_spec.rb"),
                    Some(1)
                ),
            ]
        );
        assert!(
            reading.failures[0].message.contains("expected: 4"),
            "{}",
            reading.failures[0].message
        );

        let load = read(include_str!("../../../tests/data/results/rspec/load-error.json"));
        assert_eq!((load.counts.errors, load.counts.total, &load.defect), (1, 1, &None));
        let expected =
            ("[an error outside of examples]".to_owned(), Some("./spec/broken_spec.rb"), Some(1));
        assert_eq!(places(&load), [expected]);
    }

    #[test]
    fn errors_outside_of_examples_are_never_lost() {
        for (text, errors, word) in [
            (r#"{"examples": [], "summary": {"errors_outside_of_examples_count": 2}}"#, 2, None),
            (r#"{"examples": [], "messages": ["An error occurred"]}"#, 1, Some("inconsistent")),
            (r#"{"examples": [], "messages": ["Run options"], "summary": {}}"#, 0, None),
            (r#"{"examples": [], "summary": {"failure_count": 1}}"#, 0, Some("inconsistent")),
            (r#"{"examples": [], "summary": {"example_count": 1}}"#, 0, Some("inconsistent")),
            (
                r#"{"examples": [], "summary": {}, "summary_line": "2 examples, 1 failure"}"#,
                0,
                Some("inconsistent"),
            ),
            (
                r#"{"examples": [{"status": "passed", "exception": {}}], "summary": {}}"#,
                0,
                Some("inconsistent"),
            ),
            (r#"{"messages": ["An error occurred"], "examples": ["#, 1, Some("truncated")),
        ] {
            let reading = read(text);
            let found = (reading.counts.errors, reading.defect.map(|defect| defect.word()));
            assert_eq!(found, (errors, word), "{text}");
        }
    }
}
