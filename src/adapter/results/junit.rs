//! JUnit XML: `testsuites` or `testsuite` around `testcase`.
//!
//! Rules (docs/receipts.md, "Counting"): error before failure before skipped; `status` `disabled`
//! or `notrun` is not run. A suite's own totals are compared, never counted.

use super::{Defect, Element, Failure, Format, Reading, bounded};
use crate::domain::counts::CaseOutcome;

#[derive(Debug, Default)]
pub(super) struct Junit {
    case: Option<Case>,
    /// Failures that the root claims, or its suites where it claims none.
    root_claims: Option<u64>,
    suite_claims: u64,
}

#[derive(Debug)]
struct Case {
    depth: usize,
    name: String,
    file: Option<String>,
    line: Option<u64>,
    outcome: CaseOutcome,
    message: String,
    in_message: bool,
}

impl Format for Junit {
    fn start(&mut self, element: &Element<'_>, _: &mut Reading) {
        match element.name() {
            "testsuites" | "testsuite" if self.case.is_none() => {
                let claims = element
                    .number("failures")
                    .zip(element.number("errors").or(Some(0)))
                    .map(|(failures, errors)| failures.saturating_add(errors));
                match (element.depth, claims) {
                    (0, claims) => self.root_claims = claims,
                    (1, Some(claims)) => self.suite_claims = self.suite_claims.saturating_add(claims),
                    _ => {}
                }
            }
            "testcase" if self.case.is_none() => self.case = Some(Case::new(element)),
            name => {
                if let Some(case) = &mut self.case
                    && element.depth == case.depth + 1
                {
                    case.child(name, element);
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(case) = &mut self.case
            && case.in_message
        {
            bounded(&mut case.message, text);
        }
    }

    fn end(&mut self, name: &str, reading: &mut Reading) {
        match name {
            "testcase" => {
                if let Some(case) = self.case.take() {
                    reading.case(case.outcome, || case.failure());
                }
            }
            "failure" | "error" => {
                if let Some(case) = &mut self.case {
                    case.in_message = false;
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        if let Some(case) = self.case.take() {
            // What is known to have failed counts; whether the others passed, nobody knows.
            match case.outcome {
                CaseOutcome::Failed | CaseOutcome::Errored => reading.case(case.outcome, || case.failure()),
                _ => reading.notes.push(format!("the file ends inside the case {:?}", case.name)),
            }
        }
        let shown = reading.counts.failed + reading.counts.errors;
        let claimed = self.root_claims.unwrap_or(0).max(self.suite_claims);
        if !cut && claimed > shown {
            reading.defect = Some(Defect::Inconsistent { claimed, shown });
        } else if !cut && self.root_claims.is_some_and(|claimed| claimed < shown) {
            reading.notes.push(format!("the root claims {claimed} failures, its cases show {shown}; the cases count"));
        }
    }
}

impl Case {
    fn new(element: &Element<'_>) -> Self {
        let name = element.attribute("name").unwrap_or_default();
        let name = match element.attribute("classname").filter(|class| !class.is_empty() && *class != name) {
            Some(class) => format!("{class} › {name}"),
            None => name,
        };
        let status = element.attribute("status").unwrap_or_default().to_ascii_lowercase();
        let outcome =
            if matches!(status.as_str(), "disabled" | "notrun") { CaseOutcome::NotRun } else { CaseOutcome::Passed };
        Self {
            depth: element.depth,
            name,
            file: element.attribute("file"),
            line: element.number("line"),
            outcome,
            message: String::new(),
            in_message: false,
        }
    }

    fn child(&mut self, name: &str, element: &Element<'_>) {
        let outcome = match name {
            "error" => CaseOutcome::Errored,
            "failure" => CaseOutcome::Failed,
            "skipped" => CaseOutcome::Skipped,
            _ => return,
        };
        let weight = |outcome| match outcome {
            CaseOutcome::Errored => 3,
            CaseOutcome::Failed => 2,
            CaseOutcome::Skipped => 1,
            CaseOutcome::Passed | CaseOutcome::NotRun => 0,
        };
        // A case that says it was not run and still failed has failed.
        if weight(outcome) > weight(self.outcome)
            && !(self.outcome == CaseOutcome::NotRun && outcome == CaseOutcome::Skipped)
        {
            self.outcome = outcome;
        }
        if outcome != CaseOutcome::Skipped {
            if let Some(message) = element.attribute("message") {
                bounded(&mut self.message, &message);
                bounded(&mut self.message, "\n");
            }
            self.in_message = true;
        }
    }

    fn failure(&self) -> Failure {
        Failure {
            name: self.name.clone(),
            file: self.file.clone(),
            line: self.line,
            message: self.message.trim().to_owned(),
        }
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
    fn outcomes_nest_and_the_worst_child_counts() {
        let reading = read(
            r#"<testsuites><testsuite><testsuite>
            <testcase name="p"/>
            <testcase name="f"><failure message="no">deep &amp; long</failure></testcase>
            <testcase name="e" classname="C"><failure/><error>boom</error><skipped/></testcase>
            <testcase name="s"><skipped message="later"/></testcase>
            <testcase name="n" status="NotRun"/>
            <testcase name="d" status="disabled"><skipped/></testcase>
            <testcase name="x" status="disabled"><failure/></testcase>
            </testsuite></testsuite></testsuites>"#,
        );
        let expected =
            Counts { total: 5, passed: 1, failed: 2, errors: 1, skipped: 1, not_run: 2, ..Counts::default() };
        assert_eq!((reading.counts, reading.defect), (expected, None));
        assert_eq!(reading.failures[0].message, "no\ndeep & long");
        assert_eq!(reading.failures[1].name, "C › e");
    }

    #[test]
    fn a_root_that_claims_more_is_inconsistent_and_one_that_claims_less_is_noted() {
        let more = read(
            r#"<testsuites><testsuite failures="1" errors="1"><testcase name="a"><failure/></testcase></testsuite></testsuites>"#,
        );
        assert_eq!(more.defect, Some(Defect::Inconsistent { claimed: 2, shown: 1 }));
        let less = read(r#"<testsuite failures="0" errors="0"><testcase name="a"><failure/></testcase></testsuite>"#);
        assert_eq!((less.defect, less.counts.failed, less.notes.len()), (None, 1, 1));
    }

    #[test]
    fn a_cut_keeps_what_is_known_to_have_failed() {
        let reading =
            read(r#"<testsuites failures="9"><testcase name="p"/><testcase name="f"><failure message="m">te"#);
        assert!(matches!(reading.defect, Some(Defect::Truncated(_))));
        assert_eq!((reading.counts.passed, reading.counts.failed), (1, 1));
        let open = read(r#"<testsuites><testcase name="p">"#);
        assert_eq!((open.counts.total, open.notes.len()), (0, 1));
    }
}
