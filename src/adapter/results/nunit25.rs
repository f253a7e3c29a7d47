//! NUnit 2.5 XML, Pester's default: `test-results` around `test-suite`, `results`, `test-case`.
//!
//! Rules (docs/receipts.md, "Counting"): a case's `result` decides; without it (NUnit 2.4)
//! `executed="False"` is skipped, else `success` decides, else a `failure` child. Pester leaves
//! cases that were not run out of the file and says how many in the root's `not-run`.

use super::{Defect, Element, Failure, Format, Reading, bounded};
use crate::domain::counts::CaseOutcome;

#[derive(Debug, Default)]
pub(super) struct Nunit25 {
    /// Open cases; more than one only where a writer nests them.
    cases: Vec<Case>,
    /// Open suites that say they failed, with how many failures were counted when they began.
    failed_suites: Vec<(usize, u64)>,
    root_claims: u64,
    root_total: Option<u64>,
    root_not_run: u64,
    listed: u64,
    listed_not_executed: u64,
}

#[derive(Debug)]
struct Case {
    depth: usize,
    name: String,
    outcome: Known,
    message: String,
    in_message: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    By(CaseOutcome),
    /// Neither result nor success: a failure child decides.
    ByChild,
}

impl Format for Nunit25 {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        match element.name() {
            "test-results" if element.depth == 0 => {
                let mut claim = |name| element.claim(name, reading);
                self.root_claims = claim("failures").unwrap_or(0).saturating_add(claim("errors").unwrap_or(0));
                self.root_total = claim("total");
                self.root_not_run = claim("not-run").unwrap_or(0);
            }
            "test-suite" => {
                let word = element.attribute("result").unwrap_or_default().to_ascii_lowercase();
                if matches!(word.as_str(), "failure" | "error") {
                    self.failed_suites.push((element.depth, reading.counts.failures()));
                }
            }
            "test-case" => {
                let case = Case::new(element, reading);
                self.listed += 1;
                let executed = element.attribute("executed");
                if executed.is_some_and(|word| word.eq_ignore_ascii_case("false")) {
                    self.listed_not_executed += 1;
                }
                self.cases.push(case);
            }
            "failure" => {
                if let Some(case) = self.cases.last_mut()
                    && case.outcome == Known::ByChild
                {
                    case.outcome = Known::By(CaseOutcome::Failed);
                }
            }
            "message" | "stack-trace" => {
                if let Some(case) = self.cases.last_mut() {
                    case.in_message = true;
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(case) = self.cases.last_mut()
            && case.in_message
        {
            bounded(&mut case.message, text);
        }
    }

    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading) {
        match name {
            "test-case" => {
                if let Some(case) = self.cases.pop_if(|case| case.depth == depth) {
                    let outcome = match case.outcome {
                        Known::By(outcome) => outcome,
                        Known::ByChild => CaseOutcome::Passed,
                    };
                    reading.case(outcome, || case.failure());
                }
            }
            "test-suite" => {
                // A suite that says it failed and in which nothing did: what failed stands outside its cases.
                if let Some((_, before)) = self.failed_suites.pop_if(|(open, _)| *open == depth)
                    && reading.counts.failures() == before
                {
                    reading.counts.failed_blocks = reading.counts.failed_blocks.saturating_add(1);
                }
            }
            "message" | "stack-trace" => {
                if let Some(case) = self.cases.last_mut() {
                    case.in_message = false;
                    bounded(&mut case.message, "\n");
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        while let Some(case) = self.cases.pop() {
            match case.outcome {
                Known::By(outcome @ (CaseOutcome::Failed | CaseOutcome::Errored)) => {
                    reading.case(outcome, || case.failure());
                }
                _ => reading.notes.push(format!("the file ends inside the case {:?}", case.name)),
            }
        }
        reading.counts.not_run = reading.counts.not_run.saturating_add(self.unlisted());
        if cut {
            return;
        }
        let shown = reading.counts.failures();
        let (claimed, listed) = (self.root_claims, self.listed);
        if claimed > shown {
            let why = format!("the root claims {claimed} failures, the cases show {shown}");
            reading.defect = Some(Defect::Inconsistent(why));
        } else if let Some(total) = self.root_total.filter(|total| *total > listed) {
            reading.defect = Some(Defect::Inconsistent(format!("the root claims {total} tests, {listed} are listed")));
        } else if claimed < shown && claimed > 0 {
            reading.notes.push(format!("the root claims {claimed} failures, the cases show {shown}; the cases count"));
        }
    }
}

impl Nunit25 {
    /// Cases that the root counts and the file does not list. NUnit's `total` leaves the cases out
    /// that are listed as not executed and its `not-run` holds them; Pester's `total` holds them and
    /// its `not-run` speaks of others. Either way: what the root counts in all, less what is listed.
    fn unlisted(&self) -> u64 {
        match self.root_total {
            Some(total) => total.saturating_add(self.root_not_run).saturating_sub(self.listed).min(self.root_not_run),
            None => self.root_not_run.saturating_sub(self.listed_not_executed),
        }
    }
}

impl Case {
    fn new(element: &Element<'_>, reading: &mut Reading) -> Self {
        let name = element.attribute("name").unwrap_or_default();
        let outcome = match element.attribute("result").as_deref().map(str::trim) {
            Some(word) if !word.is_empty() => Known::By(outcome_of(word, &name, reading)),
            _ => without_result(element),
        };
        Self { depth: element.depth, name, outcome, message: String::new(), in_message: false }
    }

    fn failure(&self) -> Failure {
        Failure { name: self.name.clone(), file: None, line: None, message: self.message.trim().to_owned() }
    }
}

/// NUnit 2.5's words. One that is none of them is an error: what it means nobody knows, and it
/// must not pass.
fn outcome_of(word: &str, name: &str, reading: &mut Reading) -> CaseOutcome {
    match word.to_ascii_lowercase().as_str() {
        "success" => CaseOutcome::Passed,
        "failure" => CaseOutcome::Failed,
        "error" | "cancelled" => CaseOutcome::Errored,
        "ignored" | "skipped" | "inconclusive" | "notrunnable" => CaseOutcome::Skipped,
        _ => {
            reading.notes.push(format!("the case {name:?} has the unknown result {word:?}, counted as an error"));
            CaseOutcome::Errored
        }
    }
}

fn without_result(element: &Element<'_>) -> Known {
    let is = |name: &str, word: &str| element.attribute(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    if is("executed", "false") {
        Known::By(CaseOutcome::Skipped)
    } else if is("success", "true") {
        Known::By(CaseOutcome::Passed)
    } else if is("success", "false") {
        Known::By(CaseOutcome::Failed)
    } else {
        Known::ByChild
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_from;
    use super::*;
    use crate::domain::counts::Counts;

    fn read(text: &str) -> Reading {
        read_from(text.as_bytes())
    }

    #[test]
    fn every_word_of_the_format_has_its_outcome() {
        let reading = read(
            r#"<test-results total="7" errors="1" failures="1" not-run="3" skipped="4"><test-suite><results>
            <test-case name="a" result="Success" executed="True"/>
            <test-case name="b" result="Failure" executed="True"><failure><message>no</message><stack-trace>at x</stack-trace></failure></test-case>
            <test-case name="c" result="Error"/>
            <test-case name="d" result="Ignored"/><test-case name="e" result="Skipped"/>
            <test-case name="f" result="Inconclusive"/><test-case name="g" result="NotRunnable"/>
            </results></test-suite></test-results>"#,
        );
        let expected =
            Counts { total: 7, passed: 1, failed: 1, errors: 1, skipped: 4, not_run: 3, ..Counts::default() };
        assert_eq!((reading.counts, reading.defect), (expected, None));
        assert_eq!(reading.failures[0].message, "no\nat x");
    }

    #[test]
    fn nunit_24_has_no_result() {
        let reading = read(
            r#"<test-results not-run="1"><test-case name="a" executed="True" success="True"/>
            <test-case name="b" executed="True" success="False"/><test-case name="c" executed="False"/>
            <test-case name="d"><failure/></test-case><test-case name="e"/></test-results>"#,
        );
        let expected = Counts { total: 5, passed: 2, failed: 2, skipped: 1, ..Counts::default() };
        assert_eq!(reading.counts, expected);
    }

    #[test]
    fn an_unknown_word_never_passes() {
        let reading = read(r#"<test-results><test-case name="a" result="Fine"/></test-results>"#);
        assert_eq!((reading.counts.errors, reading.notes.len()), (1, 1));
    }

    #[test]
    fn a_root_only_claim_is_inconsistent() {
        let reading = read(r#"<test-results total="3" errors="0" failures="2"></test-results>"#);
        assert!(matches!(reading.defect, Some(Defect::Inconsistent(_))));
        let total = read(r#"<test-results total="50"><test-case name="a" result="Success"/></test-results>"#);
        assert!(matches!(total.defect, Some(Defect::Inconsistent(_))));
        let suite = r#"<test-results><test-suite result="Failure"><test-case name="a" result="Success"/></test-suite></test-results>"#;
        assert_eq!(read(suite).counts.failed_blocks, 1);
    }
}
