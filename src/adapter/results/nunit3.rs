//! NUnit 3 XML: `test-run`, or a `test-suite` by itself, around `test-suite` and `test-case`.
//!
//! Rules (docs/results.md): a case's `result` decides, `label="Error"` makes a failure an error. A
//! suite that failed in its own setup or teardown, or that says it failed while nothing in it did,
//! is a failed block. Totals of the root are compared, never counted.

use super::open_case::{Into, OpenCase, OpenCases};
use super::suites::Suites;
use super::walk::{Dialect, Element};
use super::{Claims, Reading, excerpt};
use crate::domain::results::case::parse_seconds;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

#[derive(Debug, Default)]
pub(super) struct Nunit3 {
    cases: OpenCases,
    suites: Suites,
    root_failed: u64,
    root_total: Option<u64>,
    listed: u64,
}

impl Dialect for Nunit3 {
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading) {
        if element.depth == 0 {
            self.root_failed = element.claim("failed", reading).unwrap_or(0);
            self.root_total = element.claim("total", reading);
        }
        match element.name {
            "test-case" => self.begin(element, reading),
            "test-suite" | "test-run" => {
                let word = element.filled("result");
                let failed = word.is_some_and(|word| {
                    matches!(
                        outcome_word::nunit3(&word, None),
                        None | Some(CaseOutcome::Failed | CaseOutcome::Errored)
                    )
                });
                let site = element.attribute("site").unwrap_or_default();
                let own = ["SetUp", "TearDown"].iter().any(|own| site.eq_ignore_ascii_case(own));
                self.suites.begin(element.depth, failed, failed && own, reading);
            }
            "failure" if self.cases.is_empty() => self.suites.failure(),
            "message" | "stack-trace" => {
                if let Some(case) = self.cases.last().filter(|case| case.failed()) {
                    case.listen(Into::Message, element.depth);
                }
            }
            "output" => {
                if let Some(case) = self.cases.last() {
                    case.listen(Into::Output, element.depth);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.cases.text(text);
    }

    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading) {
        match name {
            "test-case" => self.cases.close(depth, CaseOutcome::Errored, reading),
            "test-suite" | "test-run" => self.suites.end(depth, reading),
            _ => self.cases.unlisten(depth),
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        self.cases.salvage(reading);
        if !cut {
            let claims = Claims { tests: self.root_total.unwrap_or(0), failures: self.root_failed };
            reading.compare("the root's totals", claims, self.listed, true);
        }
    }
}

impl Nunit3 {
    fn begin(&mut self, element: &Element<'_>, reading: &mut Reading) {
        self.listed += 1;
        let case = self.cases.begin(element.depth);
        let full = element.raw("fullname").filter(|name| !name.trim().is_empty());
        OpenCase::keep(&mut case.name, full.or_else(|| element.raw("name")));
        OpenCase::keep(&mut case.class, element.raw("classname"));
        let word = element.attribute("result").unwrap_or_default();
        let label = element.attribute("label");
        case.outcome = Some(outcome_word::nunit3(&word, label.as_deref()).unwrap_or_else(|| {
            reading.note(|| {
                format!(
                    "the case {:?} has the unknown result {:?}, counted as an error",
                    case.shown(),
                    excerpt(&word, 40)
                )
            });
            CaseOutcome::Errored
        }));
        let time = element.filled("duration").or_else(|| element.filled("time"));
        case.takes(time.as_deref(), parse_seconds, reading);
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
            r#"<test-run total="7" failed="2"><test-suite result="Failed" site="Child">
            <test-case name="p" fullname="N.C.p" classname="N.C" result="Passed" duration="0.5"/>
            <test-case name="w" result="Warning"/>
            <test-case name="f" fullname="N.C.f(1,&quot;x&quot;)" classname="N.C"
              result="Failed" duration="0.25">
            <properties><property name="Category" value="slow"/></properties>
            <failure><message><![CDATA[no <b>]]></message><stack-trace>at x</stack-trace></failure>
            <output><![CDATA[printed]]></output></test-case>
            <test-case name="e" result="Failed" label="Error">
            <failure><message>boom</message></failure></test-case>
            <test-case name="s" result="Skipped" label="Ignored">
            <reason><message>later</message></reason></test-case>
            <test-case name="x" result="Skipped" label="Explicit"/>
            <test-case name="i" result="Inconclusive"/>
            </test-suite></test-run>"#,
        );
        let expected =
            Counts { total: 7, passed: 2, failed: 1, errors: 1, skipped: 3, ..Counts::default() };
        assert_eq!(
            (reading.counts, &reading.defect, &reading.notes),
            (expected, &None, &Vec::new())
        );
        let failure = &reading.failures[0];
        assert_eq!(
            (failure.name.as_str(), failure.class.as_deref()),
            (r#"N.C.f(1,"x")"#, Some("N.C"))
        );
        assert_eq!(
            (failure.message.as_str(), failure.output.as_str()),
            ("no <b>\nat x", "printed")
        );
        assert_eq!(failure.duration.map(|d| d.as_millis()), Some(250));
    }

    #[test]
    fn a_suite_that_failed_by_itself_is_a_failed_block() {
        for (suite, blocks, failed) in [
            (
                concat!(
                    r#"<test-suite result="Failed" site="TearDown">"#,
                    r#"<test-case name="a" result="Passed"/></test-suite>"#,
                ),
                1,
                0,
            ),
            (
                concat!(
                    r#"<test-suite result="Failed" site="SetUp">"#,
                    r#"<test-case name="a" result="Failed"/></test-suite>"#,
                ),
                1,
                1,
            ),
            (
                concat!(
                    r#"<test-suite result="Failed" site="Child">"#,
                    r#"<test-case name="a" result="Failed"/></test-suite>"#,
                ),
                0,
                1,
            ),
            (r#"<test-suite result="Failed" label="Invalid"/>"#, 1, 0),
            (
                r#"<test-suite result="Broken"><test-case name="a" result="Passed"/></test-suite>"#,
                1,
                0,
            ),
            (
                concat!(
                    r#"<test-suite result="Passed"><failure/>"#,
                    r#"<test-case name="a" result="Passed"/></test-suite>"#,
                ),
                1,
                0,
            ),
            (
                r#"<test-suite result="Passed"><test-case name="a" result="Passed"/></test-suite>"#,
                0,
                0,
            ),
        ] {
            for text in
                [suite.to_owned(), format!(r#"<test-run result="Failed">{suite}</test-run>"#)]
            {
                let counts = read(&text).counts;
                let root_alone = u64::from(text.starts_with("<test-run") && blocks + failed == 0);
                assert_eq!(
                    (counts.failed_blocks, counts.failed),
                    (blocks + root_alone, failed),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_root_only_claim_is_inconsistent_and_an_unknown_word_never_passes() {
        for text in [
            r#"<test-run failed="2"/>"#,
            r#"<test-run total="2"><test-case name="a" result="Passed"/></test-run>"#,
            r#"<test-suite failed="1"><test-case name="a" result="Passed"/></test-suite>"#,
            r#"<test-run failed="many"/>"#,
        ] {
            assert!(matches!(read(text).defect, Some(Defect::Inconsistent(_))), "{text}");
        }
        for text in [
            r#"<test-run><test-case result="Fine"/></test-run>"#,
            "<test-run><test-case/></test-run>",
        ] {
            let reading = read(text);
            assert_eq!((reading.counts.errors, reading.notes.len()), (1, 1), "{text}");
        }
    }
}
