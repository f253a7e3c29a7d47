//! JUnit XML: `testsuites` or `testsuite` around `testcase`, in the dialects of those who write it.
//!
//! Rules (docs/results.md): error before failure before skipped; `status` `disabled` or `notrun` is
//! not run. Retries that Surefire and nextest write inside a case are attempts of it. Totals of
//! suites are compared, never counted. A `failure` or `error` that stands in a suite outside any
//! case is a block that failed.

use super::open_case::{Into, OpenCase, OpenCases};
use super::walk::{Dialect, Element, resolved};
use super::{Claims, Defect, Reading, excerpt};
use crate::domain::results::case::parse_seconds;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word::{junit_attribute, junit_child};

#[derive(Debug, Default)]
pub(super) struct Junit {
    cases: OpenCases,
    /// Open suites, the root first.
    suites: Vec<Suite>,
    /// What the closed root claims.
    root: Claims,
    listed: u64,
}

/// What a suite claims by itself, and what its suites claim together.
#[derive(Debug, Default)]
struct Suite {
    depth: usize,
    own: Claims,
    inner: Claims,
    /// Where its cases stand, where they do not say it themselves.
    file: String,
    /// Cases listed when it began.
    listed_before: u64,
}

impl Dialect for Junit {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        match element.name {
            "testsuites" | "testsuite" => {
                self.suites.push(Suite::new(element, self.listed, reading))
            }
            "testcase" => self.begin(element, reading),
            name => match self.cases.last() {
                Some(case) => child(case, name, element),
                None if matches!(name, "failure" | "error") => reading.failed_block(),
                None => {}
            },
        }
    }

    fn text(&mut self, text: &str) {
        self.cases.text(text);
    }

    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading) {
        match name {
            "testcase" => self.cases.close(depth, CaseOutcome::Passed, reading),
            "testsuites" | "testsuite" => {
                if let Some(suite) = self.suites.pop_if(|suite| suite.depth == depth) {
                    let claims = suite.claims();
                    if claims.tests > 0 && suite.listed_before == self.listed {
                        let why = format!("a suite claims {} tests and lists none", claims.tests);
                        reading.defect.get_or_insert(Defect::Inconsistent(why));
                    }
                    match self.suites.last_mut() {
                        Some(outer) => outer.inner.add(claims),
                        None => self.root = claims,
                    }
                }
            }
            _ => self.cases.unlisten(depth),
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        self.cases.salvage(reading);
        if !cut {
            // Writers differ on what `tests` counts (pytest counts subtests), so that alone is no
            // defect.
            reading.compare("the suites", self.root, self.listed, false);
        }
    }
}

impl Junit {
    fn begin(&mut self, element: &Element<'_>, reading: &mut Reading) {
        self.listed += 1;
        let case = self.cases.begin(element.depth);
        let (mut said, mut time) = (None, None);
        for (key, raw) in element.each() {
            match key {
                "name" => OpenCase::keep(&mut case.name, Some(raw)),
                "classname" => OpenCase::keep(&mut case.class, Some(raw)),
                "file" => OpenCase::keep(&mut case.file, Some(raw)),
                "line" | "lineno" => case.line = case.line.or_else(|| raw.trim().parse().ok()),
                "status" | "result" if !raw.trim().is_empty() => {
                    let outcome = junit_attribute(&resolved(raw)).unwrap_or_else(|| {
                        let word = resolved(raw);
                        reading.note(|| {
                            format!(
                                "a case has the unknown {key} {:?}, counted as an error",
                                excerpt(&word, 40)
                            )
                        });
                        CaseOutcome::Errored
                    });
                    said = worst(said, outcome);
                }
                "time" => time = Some(resolved(raw)),
                _ => {}
            }
        }
        if case.file.is_empty()
            && let Some(suite) = self.suites.last()
        {
            OpenCase::keep(&mut case.file, Some(&suite.file));
        }
        // bats writes the name of the file where others write a class.
        if case.file.is_empty() && case.class.ends_with(".bats") {
            let class = case.class.clone();
            OpenCase::keep(&mut case.file, Some(&class));
        }
        case.outcome = said;
        case.takes(time.as_deref(), parse_seconds, reading);
    }
}

fn child(case: &mut OpenCase, name: &str, element: &Element<'_>) {
    let attempt = match name {
        "flakyFailure" | "rerunFailure" => Some(CaseOutcome::Failed),
        "flakyError" | "rerunError" => Some(CaseOutcome::Errored),
        "system-out" | "system-err" => {
            case.listen(Into::Output, element.depth);
            return;
        }
        _ => None,
    };
    if let Some(outcome) = attempt {
        // What was run again and failed again stands beside what decided; alone it decides.
        if name.starts_with("rerun")
            && case.outcome.is_none_or(|known| known == CaseOutcome::Passed)
        {
            case.outcome = Some(outcome);
        }
        case.attempt(outcome, element.attribute("message").as_deref().unwrap_or_default());
        case.listen(Into::Attempt, element.depth);
        return;
    }
    let Some(outcome) = junit_child(name) else { return };
    // A case that says it was not run and still failed has failed.
    if !(case.outcome == Some(CaseOutcome::NotRun) && outcome == CaseOutcome::Skipped) {
        case.worsen(outcome);
    }
    if matches!(outcome, CaseOutcome::Failed | CaseOutcome::Errored) {
        if let Some(message) = element.filled("message") {
            case.message(&message);
        }
        case.listen(Into::Message, element.depth);
    }
}

/// The worse of what two attributes say; a case that was not run is that, unless it failed.
fn worst(said: Option<CaseOutcome>, more: CaseOutcome) -> Option<CaseOutcome> {
    let weight = |outcome| match outcome {
        CaseOutcome::Passed => 0,
        CaseOutcome::Skipped => 1,
        CaseOutcome::NotRun => 2,
        CaseOutcome::Failed => 3,
        CaseOutcome::Errored => 4,
    };
    said.filter(|said| weight(*said) >= weight(more)).or(Some(more))
}

impl Suite {
    fn new(element: &Element<'_>, listed_before: u64, reading: &mut Reading) -> Self {
        let mut claim = |name| element.claim(name, reading);
        let failures = claim("failures").unwrap_or(0).saturating_add(claim("errors").unwrap_or(0));
        // Pester counts tests in `tests` that were not meant to run, and says how many in
        // `disabled`.
        let tests = claim("tests").unwrap_or(0).saturating_sub(claim("disabled").unwrap_or(0));
        let mut file = String::new();
        OpenCase::keep(&mut file, element.raw("file"));
        Self {
            depth: element.depth,
            own: Claims { tests, failures },
            inner: Claims::default(),
            file,
            listed_before,
        }
    }

    /// Its own claim or its suites' together, whichever is more.
    fn claims(&self) -> Claims {
        Claims {
            tests: self.own.tests.max(self.inner.tests),
            failures: self.own.failures.max(self.inner.failures),
        }
    }
}

impl Claims {
    fn add(&mut self, other: Claims) {
        self.tests = self.tests.saturating_add(other.tests);
        self.failures = self.failures.saturating_add(other.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

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
        let expected = Counts {
            total: 5,
            passed: 1,
            failed: 2,
            errors: 1,
            skipped: 1,
            not_run: 2,
            ..Counts::default()
        };
        assert_eq!((reading.counts, reading.defect), (expected, None));
        assert_eq!(reading.failures[0].message, "no\ndeep & long");
        assert_eq!(reading.failures[1].id(), "C › e");
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
            concat!(
                "<testsuites><testsuite>",
                r#"<testsuite failures="2">CASE</testsuite></testsuite></testsuites>"#,
            ),
        ] {
            assert!(inconsistent(&claims.replace("CASE", case)), "{claims}");
        }
        let less = read(concat!(
            r#"<testsuite failures="1"><testcase name="a"><failure/></testcase>"#,
            r#"<testcase name="b"><failure/></testcase></testsuite>"#,
        ));
        assert_eq!((less.defect, less.counts.failed, less.notes.len()), (None, 2, 1));
        assert!(!inconsistent(
            r#"<testsuites tests="3" disabled="2"><testcase name="a"/></testsuites>"#
        ));
    }

    #[test]
    fn no_word_of_an_attribute_hides_a_failure() {
        for (case, failed, errors, notes) in [
            (r#"result="failed""#, 1, 0, 0),
            (r#"result="error""#, 0, 1, 0),
            (r#"status="run" result="failure""#, 1, 0, 0),
            (r#"status="timedout""#, 0, 1, 1),
            (r#"result="interrupted""#, 0, 1, 1),
            (r#"status="passed" x:status="failed""#, 0, 0, 0),
            (r#"status="FAILED" x:status="run""#, 1, 0, 0),
            (r#"status="" result="completed""#, 0, 0, 0),
        ] {
            let reading = read(&format!("<testsuites><testcase name='a' {case}/></testsuites>"));
            let counts = reading.counts;
            assert_eq!(
                (counts.failed, counts.errors, reading.notes.len()),
                (failed, errors, notes),
                "{case}"
            );
        }
        let alone = read(
            "<testsuites><testcase name='a'><rerunFailure message='x'/></testcase></testsuites>",
        );
        assert_eq!((alone.counts.failed, alone.flaky.len()), (1, 0));
    }

    #[test]
    fn a_claim_counts_wherever_its_suite_stands_and_a_red_run_stays_one() {
        for text in [
            "<testsuites><testcase name='a'><testsuite failures='3'/></testcase></testsuites>",
            "<testsuites><testsuite tests='50' failures='0'/>\
             <testsuite><testcase name='a'/></testsuite></testsuites>",
        ] {
            assert!(inconsistent(text), "{text}");
        }
        // Writers count assertions, subtests and blocks among failures.
        let more =
            read("<testsuites failures='7'><testcase name='a'><failure/></testcase></testsuites>");
        assert_eq!((more.defect, more.counts.failed, more.notes.len()), (None, 1, 1));
    }

    #[test]
    fn what_a_failed_case_printed_is_its_message_where_it_has_none() {
        let case = concat!(
            r#"<testcase name="t"><failure message=""/>"#,
            "<system-out>x.c:2: no</system-out></testcase>",
        );
        let reading = read(&format!("<testsuite>{case}</testsuite>"));
        let found = (reading.failures[0].message.as_str(), reading.failures[0].output.as_str());
        assert_eq!(found, ("x.c:2: no", ""));
        let both = read(&format!("<testsuite>{}</testsuite>", case.replace("\"\"", "\"why\"")));
        let found = (both.failures[0].message.as_str(), both.failures[0].output.as_str());
        assert_eq!(found, ("why", "x.c:2: no"));
    }

    #[test]
    fn the_class_of_bats_is_the_name_of_a_file() {
        let reading = read(concat!(
            r#"<testsuite name="a.bats">"#,
            r#"<testcase classname="a.bats" name="x"><failure/></testcase></testsuite>"#,
        ));
        assert_eq!(reading.failures[0].file.as_deref(), Some("a.bats"));
        let other = read(
            r#"<testsuite><testcase classname="a.Bats" name="x"><failure/></testcase></testsuite>"#,
        );
        assert_eq!(other.failures[0].file, None);
    }

    #[test]
    fn no_failure_hides_by_where_it_stands() {
        let nested = read(concat!(
            r#"<testsuites><testcase name="o">"#,
            r#"<testcase name="i"/><failure/></testcase></testsuites>"#,
        ));
        assert_eq!((nested.counts.passed, nested.counts.failed), (1, 1));
        let deep = read(concat!(
            r#"<testsuites><testcase name="o">"#,
            "<results><failure/></results></testcase></testsuites>",
        ));
        assert_eq!(deep.counts.failed, 1);
        let outside = read(concat!(
            "<testsuites><testsuite><error>no setup</error>",
            r#"<testcase name="a"/></testsuite></testsuites>"#,
        ));
        assert_eq!((outside.counts.failed_blocks, outside.counts.passed), (1, 1));
        let word = read(r#"<testsuites><testcase name="a" status="failed"/></testsuites>"#);
        assert_eq!(word.counts.failed, 1);
    }

    #[test]
    fn a_cut_keeps_what_is_known_to_have_failed() {
        let reading = read(concat!(
            r#"<testsuites failures="9"><testcase name="p"/>"#,
            r#"<testcase name="f"><failure message="m">te"#,
        ));
        assert!(matches!(reading.defect, Some(Defect::Truncated(_))));
        assert_eq!((reading.counts.passed, reading.counts.failed), (1, 1));
        let open = read(r#"<testsuites><testcase name="p">"#);
        assert_eq!((open.counts.total, open.notes.len()), (0, 1));
    }
}
