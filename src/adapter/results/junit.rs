//! JUnit XML: `testsuites` or `testsuite` around `testcase`.
//!
//! Rules (docs/receipts.md, "Counting"): error before failure before skipped; `status` `disabled`
//! or `notrun` is not run. Totals of suites are compared, never counted. A `failure` or `error` that
//! stands in a suite outside any case is a block that failed.

use super::{Defect, Element, Failure, Format, Reading, bounded};
use crate::domain::counts::CaseOutcome;

#[derive(Debug, Default)]
pub(super) struct Junit {
    /// Open cases; more than one only where a writer nests them.
    cases: Vec<Case>,
    /// Open suites, the root first.
    suites: Vec<Suite>,
    /// What the closed root claims.
    root: Claims,
    listed: u64,
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

/// What a suite claims by itself, and what its suites claim together.
#[derive(Debug, Default)]
struct Suite {
    depth: usize,
    own: Claims,
    inner: Claims,
}

#[derive(Debug, Clone, Copy, Default)]
struct Claims {
    tests: u64,
    failures: u64,
}

impl Format for Junit {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        match element.name() {
            "testsuites" | "testsuite" if self.cases.is_empty() => self.suites.push(Suite::new(element, reading)),
            "testcase" => {
                self.listed += 1;
                self.cases.push(Case::new(element));
            }
            name => match self.cases.last_mut() {
                Some(case) => case.child(name, element),
                None if matches!(name, "failure" | "error") => {
                    reading.counts.failed_blocks = reading.counts.failed_blocks.saturating_add(1);
                }
                None => {}
            },
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
            "testcase" => {
                if let Some(case) = self.cases.pop_if(|case| case.depth == depth) {
                    reading.case(case.outcome, || case.failure());
                }
            }
            "testsuites" | "testsuite" => {
                if let Some(suite) = self.suites.pop_if(|suite| suite.depth == depth) {
                    let claims = suite.claims();
                    match self.suites.last_mut() {
                        Some(outer) => outer.inner.add(claims),
                        None => self.root = claims,
                    }
                }
            }
            "failure" | "error" => {
                if let Some(case) = self.cases.last_mut() {
                    case.in_message = false;
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        while let Some(case) = self.cases.pop() {
            // What is known to have failed counts; whether the others passed, nobody knows.
            match case.outcome {
                CaseOutcome::Failed | CaseOutcome::Errored => reading.case(case.outcome, || case.failure()),
                _ => reading.notes.push(format!("the file ends inside the case {:?}", case.name)),
            }
        }
        if cut {
            return;
        }
        let shown = reading.counts.failures();
        let Claims { tests, failures } = self.root;
        if failures > shown {
            let why = format!("the suites claim {failures} failures, the cases show {shown}");
            reading.defect = Some(Defect::Inconsistent(why));
        } else if tests > self.listed {
            // Writers differ on what `tests` counts (pytest counts subtests), so this alone is no defect.
            reading.notes.push(format!("the suites claim {tests} tests, {} are listed", self.listed));
        } else if failures < shown && failures > 0 {
            reading
                .notes
                .push(format!("the suites claim {failures} failures, the cases show {shown}; the cases count"));
        }
    }
}

impl Suite {
    fn new(element: &Element<'_>, reading: &mut Reading) -> Self {
        let mut claim = |name| element.claim(name, reading);
        let failures = claim("failures").unwrap_or(0).saturating_add(claim("errors").unwrap_or(0));
        // Pester counts tests in `tests` that were not meant to run, and says how many in `disabled`.
        let tests = claim("tests").unwrap_or(0).saturating_sub(claim("disabled").unwrap_or(0));
        Self { depth: element.depth, own: Claims { tests, failures }, inner: Claims::default() }
    }

    /// Its own claim or its suites' together, whichever is more.
    fn claims(&self) -> Claims {
        Claims { tests: self.own.tests.max(self.inner.tests), failures: self.own.failures.max(self.inner.failures) }
    }
}

impl Claims {
    fn add(&mut self, other: Claims) {
        self.tests = self.tests.saturating_add(other.tests);
        self.failures = self.failures.saturating_add(other.failures);
    }
}

impl Case {
    fn new(element: &Element<'_>) -> Self {
        let name = element.attribute("name").unwrap_or_default();
        let name = match element.attribute("classname").filter(|class| !class.is_empty() && *class != name) {
            Some(class) => format!("{class} › {name}"),
            None => name,
        };
        let outcome = match element.attribute("status").unwrap_or_default().to_ascii_lowercase().as_str() {
            "disabled" | "notrun" => CaseOutcome::NotRun,
            "failed" | "failure" | "fail" => CaseOutcome::Failed,
            "error" | "errored" => CaseOutcome::Errored,
            _ => CaseOutcome::Passed,
        };
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
        let still_not_run = self.outcome == CaseOutcome::NotRun && outcome == CaseOutcome::Skipped;
        if weight(outcome) > weight(self.outcome) && !still_not_run {
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

    fn inconsistent(text: &str) -> bool {
        matches!(read(text).defect, Some(Defect::Inconsistent(_)))
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
    fn claims_beyond_what_is_listed_are_inconsistent_wherever_they_stand() {
        let case = r#"<testcase name="a"/>"#;
        for claims in [
            r#"<testsuites failures="1">CASE</testsuites>"#,
            r#"<testsuites errors="3">CASE</testsuites>"#,
            r#"<testsuites failures="1.0">CASE</testsuites>"#,
            r#"<testsuites failures="-1">CASE</testsuites>"#,
            r#"<testsuites failures="x">CASE</testsuites>"#,
            r#"<testsuites><testsuite><testsuite failures="2">CASE</testsuite></testsuite></testsuites>"#,
        ] {
            assert!(inconsistent(&claims.replace("CASE", case)), "{claims}");
        }
        let less = read(
            r#"<testsuite failures="1"><testcase name="a"><failure/></testcase><testcase name="b"><failure/></testcase></testsuite>"#,
        );
        assert_eq!((less.defect, less.counts.failed, less.notes.len()), (None, 2, 1));
        assert!(!inconsistent(r#"<testsuites tests="3" disabled="2"><testcase name="a"/></testsuites>"#));
    }

    #[test]
    fn no_failure_hides_by_where_it_stands() {
        let nested = read(r#"<testsuites><testcase name="o"><testcase name="i"/><failure/></testcase></testsuites>"#);
        assert_eq!((nested.counts.passed, nested.counts.failed), (1, 1));
        let deep = read(r#"<testsuites><testcase name="o"><results><failure/></results></testcase></testsuites>"#);
        assert_eq!(deep.counts.failed, 1);
        let outside =
            read(r#"<testsuites><testsuite><error>no setup</error><testcase name="a"/></testsuite></testsuites>"#);
        assert_eq!((outside.counts.failed_blocks, outside.counts.passed), (1, 1));
        let word = read(r#"<testsuites><testcase name="a" status="failed"/></testsuites>"#);
        assert_eq!(word.counts.failed, 1);
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
