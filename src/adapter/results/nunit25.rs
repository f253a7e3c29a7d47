//! NUnit 2.5 XML, Pester's default: `test-results` around `test-suite`, `results`, `test-case`.
//!
//! Rules (docs/results.md): a case's `result` decides; without it (NUnit 2.4) `executed="False"` is
//! skipped, else
//! `success` decides, else a `failure` child. Pester leaves cases that were not run out of the file
//! and says how many in the root's `not-run`.

use super::open_case::{Into, OpenCase, OpenCases};
use super::suites::Suites;
use super::walk::{Dialect, Element, resolved};
use super::{Claims, Reading, excerpt};
use crate::domain::results::case::parse_seconds;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

#[derive(Debug, Default)]
pub(super) struct Nunit25 {
    cases: OpenCases,
    suites: Suites,
    root_claims: u64,
    root_total: Option<u64>,
    root_not_run: u64,
    listed: u64,
    listed_not_executed: u64,
}

impl Dialect for Nunit25 {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        match element.name {
            "test-case" => self.begin(element, reading),
            "test-suite" => {
                let failed = match element.filled("result") {
                    Some(word) => {
                        matches!(
                            outcome_word::nunit25(&word),
                            None | Some(CaseOutcome::Failed | CaseOutcome::Errored)
                        )
                    }
                    // NUnit 2.4.
                    None => element
                        .attribute("success")
                        .is_some_and(|word| word.eq_ignore_ascii_case("false")),
                };
                self.suites.begin(element.depth, failed, false, reading);
            }
            "failure" => match self.cases.last() {
                Some(case) => case.outcome = case.outcome.or(Some(CaseOutcome::Failed)),
                None => self.suites.failure(),
            },
            "message" | "stack-trace" => {
                if let Some(case) = self.cases.last() {
                    case.listen(Into::Message, element.depth);
                }
            }
            "test-results" if element.depth == 0 => {
                let mut claim = |name| element.claim(name, reading);
                self.root_claims =
                    claim("failures").unwrap_or(0).saturating_add(claim("errors").unwrap_or(0));
                self.root_total = claim("total");
                self.root_not_run = claim("not-run").unwrap_or(0);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.cases.text(text);
    }

    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading) {
        match name {
            "test-case" => self.cases.close(depth, CaseOutcome::Passed, reading),
            "test-suite" => self.suites.end(depth, reading),
            _ => self.cases.unlisten(depth),
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        self.cases.salvage(reading);
        reading.counts.not_run = reading.counts.not_run.saturating_add(self.unlisted());
        if !cut {
            let claims = Claims { tests: self.root_total.unwrap_or(0), failures: self.root_claims };
            reading.compare("the root's totals", claims, self.listed, true);
        }
    }
}

impl Nunit25 {
    fn begin(&mut self, element: &Element<'_>, reading: &mut Reading) {
        self.listed += 1;
        let case = self.cases.begin(element.depth);
        let (mut executed, mut success, mut result, mut time) = (None, None, None, None);
        for (key, raw) in element.each() {
            match key {
                "name" => OpenCase::keep(&mut case.name, Some(raw)),
                "executed" => executed = Some(resolved(raw)),
                "success" => success = Some(resolved(raw)),
                "result" => result = Some(resolved(raw)),
                "time" => time = Some(resolved(raw)),
                _ => {}
            }
        }
        let not_executed = executed.is_some_and(|word| word.eq_ignore_ascii_case("false"));
        self.listed_not_executed += u64::from(not_executed);
        case.outcome = match result.filter(|word| !word.trim().is_empty()) {
            Some(word) => Some(outcome_word::nunit25(&word).unwrap_or_else(|| {
                reading.note(|| {
                    format!(
                        "the case {:?} has the unknown result {:?}, counted as an error",
                        case.shown(),
                        excerpt(&word, 40)
                    )
                });
                CaseOutcome::Errored
            })),
            None => without_result(success.as_deref(), not_executed),
        };
        case.takes(time.as_deref(), parse_seconds, reading);
    }

    /// Cases that the root counts and the file does not list. NUnit's `total` leaves the cases out
    /// that are listed as not executed and its `not-run` holds them; Pester's `total` holds them
    /// and its `not-run` speaks of others. Either way: what the root counts in all, less what is
    /// listed.
    fn unlisted(&self) -> u64 {
        match self.root_total {
            Some(total) => total
                .saturating_add(self.root_not_run)
                .saturating_sub(self.listed)
                .min(self.root_not_run),
            None => self.root_not_run.saturating_sub(self.listed_not_executed),
        }
    }
}

/// NUnit 2.4; nothing where a failure child decides.
fn without_result(success: Option<&str>, not_executed: bool) -> Option<CaseOutcome> {
    if not_executed {
        return Some(CaseOutcome::Skipped);
    }
    let success = success?;
    if success.eq_ignore_ascii_case("true") {
        Some(CaseOutcome::Passed)
    } else {
        success.eq_ignore_ascii_case("false").then_some(CaseOutcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Defect;
    use super::super::read_text as read;
    use crate::domain::results::counts::Counts;

    #[test]
    fn every_word_of_the_format_has_its_outcome() {
        let reading = read(
            r#"<test-results total="7" errors="1" failures="1" not-run="3" skipped="4">
            <test-suite><results>
            <test-case name="a" result="Success" executed="True"/>
            <test-case name="b" result="Failure" executed="True">
            <failure><message>no</message><stack-trace>at x</stack-trace></failure></test-case>
            <test-case name="c" result="Error"/>
            <test-case name="d" result="Ignored"/><test-case name="e" result="Skipped"/>
            <test-case name="f" result="Inconclusive"/><test-case name="g" result="NotRunnable"/>
            </results></test-suite></test-results>"#,
        );
        let expected = Counts {
            total: 7,
            passed: 1,
            failed: 1,
            errors: 1,
            skipped: 4,
            not_run: 3,
            ..Counts::default()
        };
        assert_eq!((reading.counts, reading.defect), (expected, None));
        assert_eq!(reading.failures[0].message, "no\nat x");
    }

    #[test]
    fn nunit_24_has_no_result() {
        let reading = read(
            r#"<test-results not-run="1"><test-case name="a" executed="True" success="True"/>
            <test-case name="b" executed="True" success="False"/>
            <test-case name="c" executed="False"/>
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
        let total = read(
            r#"<test-results total="50"><test-case name="a" result="Success"/></test-results>"#,
        );
        assert!(matches!(total.defect, Some(Defect::Inconsistent(_))));
        let suite = concat!(
            r#"<test-results><test-suite result="Failure">"#,
            r#"<test-case name="a" result="Success"/></test-suite></test-results>"#,
        );
        assert_eq!(read(suite).counts.failed_blocks, 1);
        for suite in [
            r#"success="False"><results><test-case name="a" success="True"/></results>"#,
            r#"result="Broken"><results><test-case name="a" result="Success"/></results>"#,
            concat!(
                r#"success="True"><failure><message>teardown</message></failure>"#,
                r#"<test-case name="a" success="True"/>"#,
            ),
        ] {
            let text = format!("<test-results><test-suite {suite}</test-suite></test-results>");
            assert_eq!(read(&text).counts.failed_blocks, 1, "{text}");
        }
    }
}
