//! TRX, what `dotnet test` and Visual Studio write: `TestRun` with `Results`, `TestDefinitions`,
//! `ResultSummary`.
//!
//! Rules (docs/results.md): a result's `outcome` decides. A result that holds results of its own
//! (data-driven and ordered tests) is not counted beside them; one that failed while none of them
//! did is a failed block. The summary's counters are compared, never counted; a run that says it
//! failed while no test did is inconsistent.

use std::collections::BTreeMap;

use super::open_case::{Into, OpenCase, OpenCases};
use super::walk::{Dialect, Element};
use super::{Claims, Defect, Reading, excerpt};
use crate::domain::results::case::parse_clock;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word::{self, Format};

#[derive(Debug, Default)]
pub(super) struct Trx {
    cases: OpenCases,
    /// The id of the open cases' tests, and failures counted when each began.
    tests: Vec<(String, u64)>,
    /// Failures that are kept, by test: their class stands behind the results.
    unnamed: BTreeMap<String, Vec<usize>>,
    /// The definition that is open, where it is of interest.
    definition: Option<String>,
    claims: Claims,
    run_outcome: String,
    /// What the run itself says went wrong.
    run_error: String,
    in_run_error: Option<usize>,
    listed: u64,
}

impl Dialect for Trx {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        match element.name {
            name if is_result(name) => self.begin(element, reading),
            "Message" | "StackTrace" if !self.cases.is_empty() => {
                if let Some(case) = self.cases.last() {
                    case.listen(Into::Message, element.depth);
                }
            }
            "StdOut" | "StdErr" | "DebugTrace" => {
                if let Some(case) = self.cases.last() {
                    case.listen(Into::Output, element.depth);
                }
            }
            "UnitTest" => {
                let id = element.attribute("id").unwrap_or_default();
                self.definition = self.unnamed.contains_key(&*id).then(|| id.into_owned());
            }
            "TestMethod" => self.name_class(element, reading),
            "ResultSummary" => {
                OpenCase::keep(&mut self.run_outcome, element.attribute("outcome").as_deref())
            }
            "Counters" => {
                let mut claim = |name: &str| element.claim(name, reading).unwrap_or(0);
                let bad = outcome_word::WORDS
                    .iter()
                    .filter(|word| word.format == Format::Trx && is_failure(word.word));
                let failures =
                    bad.fold(0_u64, |all, word| all.saturating_add(claim(&counter(word.word))));
                self.claims = Claims { tests: claim("total"), failures };
            }
            "RunInfo" if is_failure(&element.attribute("outcome").unwrap_or_default()) => {
                self.in_run_error = Some(element.depth);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.cases.text(text);
        if self.cases.is_empty() && self.in_run_error.is_some() && self.run_error.len() < 300 {
            self.run_error.push_str(&text[..text.floor_char_boundary(300)]);
        }
    }

    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading) {
        if is_result(name)
            && let Some(case) = self.cases.ended(depth)
        {
            self.close(case, reading);
        } else if name == "RunInfo" {
            self.in_run_error = None;
        } else {
            self.cases.unlisten(depth);
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        self.cases.salvage(reading);
        if cut {
            return;
        }
        reading.compare("the counters", self.claims, self.listed, true);
        let error = self.run_error.split_whitespace().collect::<Vec<_>>().join(" ");
        if reading.defect.is_some() || reading.counts.failures() > 0 {
            return;
        }
        let good = |word: CaseOutcome| matches!(word, CaseOutcome::Passed | CaseOutcome::Skipped);
        let ended_well =
            self.run_outcome.is_empty() || outcome_word::trx(&self.run_outcome).is_some_and(good);
        if !ended_well || !error.is_empty() {
            // A test host that crashed leaves the results that it had, all of them good.
            let why = format!("the run says {}, no result failed: {error}", self.run_outcome);
            reading.defect =
                Some(Defect::Inconsistent(why.trim_end_matches([' ', ':']).to_owned()));
        }
    }
}

impl Trx {
    fn begin(&mut self, element: &Element<'_>, reading: &mut Reading) {
        self.listed += 1;
        let case = self.cases.begin(element.depth);
        OpenCase::keep(&mut case.name, element.raw("testName"));
        let word = element.attribute("outcome").unwrap_or_default();
        case.outcome = Some(outcome_word::trx(&word).unwrap_or_else(|| {
            reading.note(|| {
                format!(
                    "the test {:?} has the unknown outcome {:?}, counted as an error",
                    case.shown(),
                    excerpt(&word, 40)
                )
            });
            CaseOutcome::Errored
        }));
        case.takes(element.attribute("duration").as_deref(), parse_clock, reading);
        // Only a failure's class is looked for.
        let mut id = String::new();
        if case.failed() {
            OpenCase::keep(&mut id, element.attribute("testId").as_deref());
        }
        self.tests.push((id, reading.counts.failures()));
    }

    fn close(&mut self, mut case: OpenCase, reading: &mut Reading) {
        let Some((id, before)) = self.tests.pop() else { return };
        let outcome = case.outcome.unwrap_or(CaseOutcome::Errored);
        if case.holds_cases {
            if case.failed() && reading.counts.failures() == before {
                reading.failed_block();
            }
        } else {
            let kept = reading.failures.len();
            case.close(outcome, reading);
            if reading.failures.len() > kept && !id.is_empty() {
                self.unnamed.entry(id).or_default().push(kept);
            }
        }
        self.cases.again(case);
    }

    /// A definition says which class its test belongs to.
    fn name_class(&mut self, element: &Element<'_>, reading: &mut Reading) {
        let places =
            self.definition.take().and_then(|id| self.unnamed.remove(&id)).unwrap_or_default();
        let mut class = String::new();
        // Older writers put the assembly behind a comma.
        let name = element.attribute("className");
        OpenCase::keep(
            &mut class,
            name.as_deref().and_then(|name| name.split(',').next()).map(str::trim),
        );
        for place in places {
            if let Some(case) = reading.failures.get_mut(place).filter(|_| !class.is_empty()) {
                case.class = Some(class.clone());
            }
        }
    }
}

/// `UnitTestResult`, `GenericTestResult`, `ManualTestResult`, `TestResultAggregation` and the like.
fn is_result(name: &str) -> bool {
    name.ends_with("TestResult") || name == "TestResultAggregation"
}

/// The counter of a word: its name begins small.
fn counter(word: &str) -> String {
    word.chars()
        .enumerate()
        .map(|(at, c)| if at == 0 { c.to_ascii_lowercase() } else { c })
        .collect()
}

fn is_failure(word: &str) -> bool {
    matches!(outcome_word::trx(word), Some(CaseOutcome::Failed | CaseOutcome::Errored))
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

    fn run(results: &str, counters: &str, outcome: &str) -> Reading {
        read(&format!(
            r#"<?xml version="1.0"?>
            <TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">
            <Results>{results}</Results><TestDefinitions>
            <UnitTest name="f" id="i1"><TestMethod codeBase="x.dll" className="N.C, x" name="f"/>
            </UnitTest></TestDefinitions>
            <ResultSummary outcome="{outcome}"><Counters {counters}/></ResultSummary></TestRun>"#
        ))
    }

    #[test]
    fn every_word_of_the_format_has_its_outcome() {
        let results: String = outcome_word::WORDS
            .iter()
            .filter(|word| word.format == outcome_word::Format::Trx)
            .map(|word| format!(r#"<UnitTestResult testName="t" outcome="{}"/>"#, word.word))
            .collect();
        let reading =
            run(&results, r#"total="14" failed="1" error="1" timeout="1" aborted="1""#, "Failed");
        let expected =
            Counts { total: 14, passed: 3, failed: 1, errors: 8, skipped: 2, ..Counts::default() };
        assert_eq!((reading.counts, reading.defect), (expected, None));
        let unknown = run(r#"<UnitTestResult testName="t"/>"#, "", "Completed");
        assert_eq!((unknown.counts.errors, unknown.notes.len()), (1, 1));
    }

    #[test]
    fn a_failure_has_its_message_output_duration_and_class() {
        let reading = run(
            r#"<UnitTestResult testId="i1" testName="f" outcome="Failed" duration="00:00:01.5">
            <Output><StdOut>said</StdOut>
            <ErrorInfo><Message>no &amp; no</Message><StackTrace>at x</StackTrace></ErrorInfo>
            </Output></UnitTestResult>"#,
            r#"total="1" failed="1""#,
            "Failed",
        );
        let case = &reading.failures[0];
        assert_eq!((case.id(), case.message.as_str()), ("N.C › f".to_owned(), "no & no\nat x"));
        assert_eq!(
            (case.output.as_str(), case.duration.map(|d| d.as_millis())),
            ("said", Some(1500))
        );
    }

    #[test]
    fn rows_count_and_the_test_that_holds_them_does_not() {
        let rows = |outer: &str, first: &str| {
            format!(
                r#"<UnitTestResult testName="t" outcome="{outer}"><InnerResults>
                <UnitTestResult testName="t (1)" outcome="{first}"/>
                <UnitTestResult testName="t (2)" outcome="Passed"/>
                </InnerResults></UnitTestResult>"#
            )
        };
        let red = run(&rows("Failed", "Failed"), r#"total="3" failed="1""#, "Failed");
        assert_eq!(
            (red.counts.total, red.counts.failed, red.counts.failed_blocks, red.defect),
            (2, 1, 0, None)
        );
        let outer = run(&rows("Failed", "Passed"), r#"total="2" failed="1""#, "Failed");
        assert_eq!((outer.counts.total, outer.counts.failed_blocks, outer.defect), (2, 1, None));
    }

    #[test]
    fn a_run_that_failed_while_no_test_did_is_inconsistent() {
        let passed = r#"<UnitTestResult testName="t" outcome="Passed"/>"#;
        for (results, counters, outcome) in [
            (passed, r#"total="1""#, "Failed"),
            (passed, r#"total="1""#, "Aborted"),
            (passed, r#"total="1" failed="1""#, "Completed"),
            (passed, r#"total="1" passedButRunAborted="1""#, "Completed"),
            (passed, r#"total="1" notRunnable="1""#, "Completed"),
            (passed, r#"total="1" inProgress="1""#, "Completed"),
            (passed, r#"total="1""#, "Unknown"),
            (passed, r#"total="1" timeout="1""#, "Completed"),
            (passed, r#"total="2""#, "Completed"),
            ("", r#"total="0" failed="x""#, "Completed"),
        ] {
            let reading = run(results, counters, outcome);
            assert!(
                matches!(reading.defect, Some(Defect::Inconsistent(_))),
                "{counters} {outcome}"
            );
        }
        assert_eq!(run(passed, r#"total="1""#, "Completed").defect, None);
        let crashed = read(
            r#"<TestRun><ResultSummary outcome="Failed">
            <RunInfos><RunInfo outcome="Error"><Text>Test host
            crashed</Text></RunInfo></RunInfos></ResultSummary></TestRun>"#,
        );
        let reported = read(
            r#"<TestRun><Results><UnitTestResult testName="t" outcome="Passed"/></Results>
            <ResultSummary outcome="Completed">
            <RunInfos><RunInfo outcome="Error"><Text>aborted</Text></RunInfo></RunInfos>
            </ResultSummary></TestRun>"#,
        );
        assert!(matches!(reported.defect, Some(Defect::Inconsistent(_))), "{reported:?}");
        assert!(
            matches!(
                &crashed.defect,
                Some(Defect::Inconsistent(why))
                    if why.ends_with("no result failed: Test host crashed")
            ),
            "{crashed:?}"
        );
    }
}
