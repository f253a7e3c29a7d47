//! `go test -json`: one test2json event for each line, with plain lines of the go command in
//! between.
//!
//! Rules (docs/results.md): every test and subtest that ends is a case. A package that fails by
//! itself (it does not build, its test program ends early) is an errored case of its own, so that
//! its output is not lost. A package without tests is no case.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use super::open_case::{beginning, ending};
use super::place::at_start;
use super::plain::Lines;
use super::{Defect, Reading, excerpt, new_case};
use crate::domain::results::case::Case;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

/// So many tests, packages and builds may be open at once before the file is refused.
const OPEN_LIMIT: usize = 100_000;
/// How much of what a test or package printed is looked at: its beginning.
const OUTPUT_LIMIT: usize = 64 << 10;
/// How much of what a build printed is kept: its beginning.
const BUILD_LIMIT: usize = 4 << 10;

/// One line of `go test -json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    import_path: String,
    test: Option<String>,
    output: Option<String>,
    output_type: Option<String>,
    elapsed: Option<f64>,
    failed_build: Option<String>,
}

/// A test that has begun.
#[derive(Debug, Default)]
struct Open {
    /// What it printed, without the lines of the framework.
    output: String,
    /// The beginning of its first line that the test framework marked as an error.
    marked: Option<(String, u64)>,
    /// One of its subtests that failed.
    failed_subtest: Option<String>,
    /// The framework printed that it failed.
    is_reported_failed: bool,
}

/// A package that has begun.
#[derive(Debug, Default)]
struct Package {
    output: String,
    tests: HashMap<String, Open>,
    /// Its cases that failed.
    failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Go {
    packages: HashMap<String, Package>,
    /// What failed builds printed, by import path.
    builds: HashMap<String, String>,
    /// Failed builds that no package has named yet.
    unclaimed: Vec<String>,
    /// Plain lines of the go command: the compiler's, in versions that put them there.
    plain: String,
    open_tests: usize,
    /// The last event is what a build printed: how it ended stands behind it.
    builds_now: bool,
}

/// Whether a line is one that only `go test -json` writes.
pub(super) fn knows(line: &str) -> bool {
    failed_by_line(line).is_some() || event(line).is_some_and(|event| event.is_complete())
}

fn event(line: &str) -> Option<Event> {
    let line = line.trim_start_matches('\u{feff}');
    line.starts_with('{').then(|| serde_json::from_str(line).ok()).flatten()
}

/// Returns what the tests printed in these lines of a `go test -json` stream, for a person who
/// watches the run. Lines that are no events stay as they are.
pub(crate) fn readable(lines: &str) -> String {
    let mut out = String::new();
    for line in lines.split_inclusive('\n') {
        match event(line).filter(Event::is_complete) {
            Some(event) => out.push_str(event.output.as_deref().unwrap_or_default()),
            None => out.push_str(line),
        }
    }
    out
}

/// The package in a plain line `FAIL<tab>PACKAGE [build failed]`.
fn failed_by_line(line: &str) -> Option<(&str, &str)> {
    let (package, why) = line.strip_prefix("FAIL\t")?.split_once(" [")?;
    let why = why.strip_suffix(']')?;
    ["build failed", "setup failed"].contains(&why).then_some((package, why))
}

impl Event {
    fn is_complete(&self) -> bool {
        !self.package.is_empty() || !self.import_path.is_empty()
    }
}

impl Lines for Go {
    fn line(&mut self, line: &str, reading: &mut Reading) {
        match event(line) {
            Some(event) if event.is_complete() => self.event(event, reading),
            // An event that cannot be read may be a failure.
            _ if line.contains("\"Action\":") => {
                let why = format!("a line is no event: {:?}", excerpt(line, 60));
                reading.defect.get_or_insert(Defect::Invalid(why));
            }
            _ => self.plain_line(line, reading),
        }
        if self.packages.len() + self.builds.len() + self.open_tests > OPEN_LIMIT {
            let why = format!("more than {OPEN_LIMIT} tests and packages are open at once");
            reading.defect.get_or_insert(Defect::Invalid(why));
            (self.packages, self.builds, self.open_tests) = (HashMap::new(), HashMap::new(), 0);
        }
    }

    fn finish(&mut self, cut: bool, reading: &mut Reading) {
        let mut open: Vec<(String, Package)> = self.packages.drain().collect();
        open.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some((name, _)) = open.first() {
            let why = format!("the package {:?} has begun and not ended", excerpt(name, 200));
            reading.defect.get_or_insert(Defect::Truncated(why));
        }
        if self.builds_now {
            let why = "it ends in the output of a build".to_owned();
            reading.defect.get_or_insert(Defect::Truncated(why));
        }
        for (name, package) in open {
            for test in sorted(package.tests) {
                // What was running is known to have failed only where it panicked.
                if panicked(&test.1.output) {
                    test_case(&name, &test.0, test.1, None, CaseOutcome::Errored, reading);
                } else {
                    let shown = excerpt(&test.0, 200).to_owned();
                    reading.note(|| format!("the file ends inside the test {shown:?}"));
                }
            }
        }
        self.unclaimed.retain(|path| self.builds.contains_key(path));
        for path in std::mem::take(&mut self.unclaimed) {
            if !cut {
                let output = self.builds.remove(&path).unwrap_or_default();
                package_case(&path, "build failed", &output, None, reading);
            }
        }
    }
}

impl Go {
    fn event(&mut self, event: Event, reading: &mut Reading) {
        self.builds_now = event.action == "build-output";
        match event.action.as_str() {
            "build-output" => {
                let build = self.builds.entry(event.import_path).or_default();
                beginning(build, event.output.as_deref().unwrap_or_default(), BUILD_LIMIT);
            }
            "build-fail" => {
                self.builds.entry(event.import_path.clone()).or_default();
                self.unclaimed.push(event.import_path);
            }
            "start" => {
                self.packages.entry(event.package).or_default();
            }
            "run" => {
                let package = self.packages.entry(event.package).or_default();
                if let Some(test) = event.test
                    && package.tests.insert(test, Open::default()).is_none()
                {
                    self.open_tests += 1;
                }
            }
            "output" => self.output(&event),
            "pause" | "cont" | "attr" | "artifacts" => {}
            word => match outcome_word::go(word) {
                Some(outcome) if event.test.is_some() => self.test_ends(event, outcome, reading),
                Some(outcome) => self.package_ends(event, outcome, reading),
                None => {
                    let why = format!("the unknown action {:?}", excerpt(word, 40));
                    reading.defect.get_or_insert(Defect::Invalid(why));
                }
            },
        }
    }

    fn output(&mut self, event: &Event) {
        let text = event.output.as_deref().unwrap_or_default();
        let package = self.packages.entry(event.package.clone()).or_default();
        let Some(name) = &event.test else {
            beginning(&mut package.output, text, OUTPUT_LIMIT);
            return;
        };
        let open = package.tests.entry(name.clone()).or_insert_with(|| {
            self.open_tests += 1;
            Open::default()
        });
        let failed =
            text.strip_prefix("--- FAIL: ").and_then(|rest| rest.strip_prefix(name.as_str()));
        // Without the type of an output, the line may come from a process that the test started.
        let is_frame = event.output_type.as_deref() == Some("frame");
        open.is_reported_failed |= is_frame && failed.is_some_and(|rest| rest.starts_with(" ("));
        let by_framework =
            ["=== ", "--- ", "\u{16}"].iter().any(|mark| text.trim_start().starts_with(mark));
        if !by_framework
            || event.output_type.is_some() && event.output_type.as_deref() != Some("frame")
        {
            if event.output_type.as_deref() == Some("error") && open.marked.is_none() {
                open.marked = place_of_line(text).map(|(file, line)| (file.to_owned(), line));
            }
            beginning(&mut open.output, text, OUTPUT_LIMIT);
        }
    }

    fn test_ends(&mut self, event: Event, outcome: CaseOutcome, reading: &mut Reading) {
        let package = self.packages.entry(event.package.clone()).or_default();
        let name = event.test.unwrap_or_default();
        let open = package.tests.remove(&name);
        self.open_tests -= usize::from(open.is_some());
        let mut open = open.unwrap_or_default();
        let mut outcome = outcome;
        if open.is_reported_failed && outcome != CaseOutcome::Failed {
            let why = format!("{:?} passed, but printed that it failed", excerpt(&name, 200));
            reading.defect.get_or_insert(Defect::Inconsistent(why));
        }
        if outcome == CaseOutcome::Failed {
            package.failed += 1;
            if let Some((parent, _)) = name.rsplit_once('/') {
                blame_parents(&mut package.tests, parent, &name);
            }
            if panicked(&open.output) {
                outcome = CaseOutcome::Errored;
            }
        }
        if let Some(subtest) = open.failed_subtest.take().filter(|_| open.output.trim().is_empty())
        {
            open.output = format!("its subtest {subtest} failed");
        }
        test_case(&event.package, &name, open, event.elapsed, outcome, reading);
    }

    fn package_ends(&mut self, event: Event, outcome: CaseOutcome, reading: &mut Reading) {
        let package = self.packages.remove(&event.package).unwrap_or_default();
        let mut failed = package.failed;
        self.open_tests -= package.tests.len().min(self.open_tests);
        let panic = panicked(&package.output);
        for (name, mut open) in sorted(package.tests) {
            // Nobody knows what it would have come to, whatever its package says.
            if open.output.trim().is_empty() && panic {
                open.output.clone_from(&package.output);
            } else if open.output.trim().is_empty() {
                open.output = "it began, and its package ended before it did".to_owned();
            }
            test_case(&event.package, &name, open, None, CaseOutcome::Errored, reading);
            failed += 1;
        }
        if outcome != CaseOutcome::Failed || failed > 0 {
            return;
        }
        if let Some(path) = &event.failed_build {
            self.unclaimed.retain(|known| known != path);
        }
        let build = event.failed_build.as_ref().and_then(|path| self.builds.get(path));
        let setup = package.output.contains("[setup failed]");
        let (why, output) = match build {
            Some(output) => (if setup { "setup failed" } else { "build failed" }, output.clone()),
            None if package.output.contains("[build failed]") => {
                ("build failed", std::mem::take(&mut self.plain))
            }
            None if setup => ("setup failed", std::mem::take(&mut self.plain)),
            None => ("the package failed and none of its tests did", String::new()),
        };
        let output = if output.trim().is_empty() { package.output } else { output };
        package_case(&event.package, why, &output, event.elapsed, reading);
    }

    /// Versions of Go before 1.24 print what did not build in plain lines.
    fn plain_line(&mut self, line: &str, reading: &mut Reading) {
        if let Some((package, why)) = failed_by_line(line) {
            let output = std::mem::take(&mut self.plain);
            package_case(package, why, &output, None, reading);
            return;
        }
        // A package that was tested without `-json`: only its last line says what came of it.
        if let Some(package) = line.strip_prefix("FAIL\t") {
            let package = package.split('\t').next().unwrap_or(package);
            let why = "the package failed; it was tested without `-json`";
            package_case(package, why, "", None, reading);
            return;
        }
        if super::libtest::knows(line) {
            let why = "the output of `cargo test` stands in it, too".to_owned();
            reading.defect.get_or_insert(Defect::Invalid(why));
        }
        if line.starts_with("# ") {
            self.plain.clear();
        }
        if !self.plain.is_empty() || line.starts_with("# ") {
            beginning(&mut self.plain, line, BUILD_LIMIT);
            beginning(&mut self.plain, "\n", BUILD_LIMIT);
        }
    }
}

/// Tells every open test above a subtest that one below it failed.
fn blame_parents(tests: &mut HashMap<String, Open>, parent: &str, failed: &str) {
    let mut parent = Some(parent);
    while let Some(name) = parent {
        if let Some(open) = tests.get_mut(name) {
            open.failed_subtest.get_or_insert_with(|| failed.to_owned());
        }
        parent = name.rsplit_once('/').map(|(above, _)| above);
    }
}

fn sorted(tests: HashMap<String, Open>) -> Vec<(String, Open)> {
    let mut tests: Vec<_> = tests.into_iter().collect();
    tests.sort_by(|a, b| a.0.cmp(&b.0));
    tests
}

fn panicked(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("panic: ") || line.starts_with("fatal error: "))
}

fn test_case(
    package: &str,
    name: &str,
    open: Open,
    elapsed: Option<f64>,
    outcome: CaseOutcome,
    reading: &mut Reading,
) {
    let failed = matches!(outcome, CaseOutcome::Failed | CaseOutcome::Errored);
    reading.case(outcome, false, || {
        let place = if failed { place_of(package, &open) } else { None };
        let (message, output) =
            if failed { (open.output.as_str(), "") } else { ("", open.output.as_str()) };
        named(package, name, place, outcome, elapsed, message, output)
    });
}

fn package_case(
    package: &str,
    why: &str,
    output: &str,
    elapsed: Option<f64>,
    reading: &mut Reading,
) {
    let outcome = CaseOutcome::Errored;
    reading.case(outcome, false, || {
        let compiler = output.lines().find_map(place_of_line);
        let place = compiler.map(|(file, line)| (file.to_owned(), line));
        // The names of the package and of its build stand in the case already.
        let is_name = |line: &&str| line.starts_with("FAIL\t") || line.starts_with("# ");
        let lines: Vec<&str> = output.lines().filter(|line| !is_name(line)).collect();
        named(package, &format!("[{why}]"), place, outcome, elapsed, &lines.join("\n"), "")
    });
}

fn named(
    package: &str,
    name: &str,
    place: Option<(String, u64)>,
    outcome: CaseOutcome,
    elapsed: Option<f64>,
    message: &str,
    output: &str,
) -> Case {
    let mut case = new_case(name, outcome);
    case.class = Some(package.to_owned()).filter(|package| !package.is_empty());
    (case.file, case.line) = place.map_or((None, None), |(file, line)| (Some(file), Some(line)));
    case.duration = elapsed.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    beginning(&mut case.message, message.trim(), super::open_case::MESSAGE_KEPT);
    ending(&mut case.output, output.trim());
    case
}

/// Where a test failed: where its panic began, where an assertion library or the framework marks
/// the error, else the last line that the test logged: `t.Fatal` ends a test.
fn place_of(package: &str, open: &Open) -> Option<(String, u64)> {
    if panicked(&open.output) {
        return frame(package, &open.output);
    }
    if let Some(place) = &open.marked {
        return Some(place.clone());
    }
    let mut lines = open.output.lines();
    let traced = lines.clone().find_map(|line| line.trim_start().strip_prefix("Error Trace:"));
    let place =
        traced.and_then(place_of_line).or_else(|| lines.rfind(is_logged).and_then(place_of_line));
    place.map(|(file, line)| (file.to_owned(), line))
}

/// Whether a line begins an entry of a test's log, `    FILE.go:12: message`. What a test prints
/// itself is no such line.
fn is_logged(line: &&str) -> bool {
    let entry = line.strip_prefix("    ").filter(|text| !text.starts_with([' ', '\t']));
    entry.is_some_and(|text| place_of_line(text).is_some())
}

/// The place at the beginning of a line; a path with spaces only where it is whole.
fn place_of_line(line: &str) -> Option<(&str, u64)> {
    let text = line.trim_start_matches([' ', '\t']);
    let text = text.strip_prefix("vet: ").unwrap_or(text);
    let is_whole = |file: &str| file.starts_with('/') || file.get(1..3) == Some(":\\");
    at_start(text, ".go").filter(|(file, _)| !file.contains(char::is_whitespace) || is_whole(file))
}

/// The first place of a stack trace that stands in a function of this package, below the panic
/// itself.
fn frame(package: &str, output: &str) -> Option<(String, u64)> {
    let mut lines = output.lines().skip_while(|line| !line.starts_with("goroutine ")).peekable();
    while let Some(function) = lines.next() {
        let inside =
            function.strip_prefix(package).is_some_and(|rest| rest.starts_with(['.', '_']));
        if inside && let Some((file, line)) = lines.peek().and_then(|place| place_of_line(place)) {
            return Some((file.to_owned(), line));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

    fn lines(events: &[&str]) -> Reading {
        read(&events.iter().map(|event| format!("{event}\n")).collect::<String>())
    }

    const START: &str = r#"{"Action":"start","Package":"m/p"}"#;
    const RUN: &str = r#"{"Action":"run","Package":"m/p","Test":"TestA"}"#;

    #[test]
    fn the_recording_of_the_tool_is_read_whole() {
        let reading = read(include_str!("../../../tests/data/results/go/all.jsonl"));
        let expected =
            Counts { total: 19, passed: 6, failed: 4, errors: 8, skipped: 1, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        let found = |name: &str| {
            let case = reading.failures.iter().find(|case| case.id() == name);
            let case = case.unwrap_or_else(|| panic!("{name} is not in {:#?}", reading.failures));
            (case.file.as_deref().unwrap_or_default(), case.line, case.message.clone())
        };
        let (file, line, message) = found("example.com/widgets/calc › TestFails");
        assert_eq!((file, line), ("/repo/calc/calc_test.go", Some(17)));
        assert!(message.ends_with("got 3,\n        want 4"), "{message}");
        let (file, line, message) = found("example.com/widgets/broken › [build failed]");
        assert_eq!((file, line), ("broken/b_test.go", Some(5)));
        assert!(message.starts_with("broken/b_test.go:5:28: undefined: undefined1"), "{message}");
        let (file, line, message) = found("example.com/widgets/panics › TestPanics");
        assert_eq!((file, line), ("/repo/panics/p_test.go", Some(9)));
        assert!(message.starts_with("panic: assignment to entry in nil map"), "{message}");
        let (_, line, message) = found("example.com/widgets/calc › TestTable");
        assert_eq!((line, message.as_str()), (None, "its subtest TestTable/two_words failed"));
        let (_, line, message) =
            found("example.com/widgets/exits › [the package failed and none of its tests did]");
        assert_eq!((line, message.as_str()), (None, "PASS\nteardown failed"));
        found("example.com/widgets/vetfail › [build failed]");
        found("example.com/widgets/setup › [setup failed]");
        found("example.com/widgets/timeout › TestSlow");
    }

    #[test]
    fn a_test_without_an_end_never_passes() {
        for end in ["pass", "skip", "fail"] {
            let end = format!(r#"{{"Action":"{end}","Package":"m/p"}}"#);
            let reading = lines(&[START, RUN, &end]);
            assert_eq!((reading.counts.errors, reading.counts.passed), (1, 0), "{end}");
        }
        let cut = lines(&[START, RUN]);
        assert_eq!(
            (cut.counts.total, cut.defect.map(|defect| defect.word())),
            (0, Some("truncated"))
        );
    }

    #[test]
    fn a_panic_that_is_the_packages_belongs_to_the_test_that_ran() {
        let reading = lines(&[
            RUN,
            r#"{"Action":"output","Package":"m/p","Output":"panic: boom\n"}"#,
            r#"{"Action":"output","Package":"m/p","Output":"goroutine 7 [running]:\n"}"#,
            r#"{"Action":"output","Package":"m/p","Output":"m/p.TestA(0x1)\n"}"#,
            r#"{"Action":"output","Package":"m/p","Output":"\t/r/p/a_test.go:8 +0x1\n"}"#,
            r#"{"Action":"fail","Package":"m/p"}"#,
        ]);
        assert_eq!((reading.counts.errors, reading.counts.total), (1, 1));
        assert_eq!(
            (reading.failures[0].file.as_deref(), reading.failures[0].line),
            (Some("/r/p/a_test.go"), Some(8))
        );
    }

    #[test]
    fn builds_of_older_versions_are_plain_lines() {
        let reading = read(
            "# m/p [m/p.test]\np/a_test.go:5:2: undefined: x\nFAIL\tm/p [build failed]\nFAIL\n",
        );
        assert_eq!((reading.counts.errors, reading.defect), (1, None));
        let case = &reading.failures[0];
        assert_eq!(
            (case.id().as_str(), case.file.as_deref(), case.line),
            ("m/p › [build failed]", Some("p/a_test.go"), Some(5))
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_defect_and_hides_nothing() {
        let end = r#"{"Action":"pass","Package":"m/p"}"#;
        let spoiled = lines(&[START, r#"{"Action":"fail","Package":"m/p","Te{"Action":"x"}"#, end]);
        assert_eq!(spoiled.defect.map(|defect| defect.word()), Some("invalid"));
        let unknown =
            lines(&[START, r#"{"Action":"explode","Package":"m/p","Test":"TestA"}"#, end]);
        assert_eq!(unknown.defect.map(|defect| defect.word()), Some("invalid"));
        let behind =
            lines(&[START, r#"done. {"Action":"fail","Package":"m/p","Test":"TestA"}"#, end]);
        assert_eq!(behind.defect.map(|defect| defect.word()), Some("invalid"));
        let mixed = lines(&[START, end, "running 1 test"]);
        assert_eq!(mixed.defect.map(|defect| defect.word()), Some("invalid"));
        let plain = lines(&["go: downloading example.com/x v1.0.0", START, RUN, "{not json", end]);
        assert_eq!(plain.defect, None);
        let contradicted = lines(&[
            START,
            RUN,
            concat!(
                r#"{"Action":"output","Package":"m/p","Test":"TestA","#,
                r#""Output":"--- FAIL: TestA (0s)\n","OutputType":"frame"}"#
            ),
            r#"{"Action":"pass","Package":"m/p","Test":"TestA"}"#,
            end,
        ]);
        assert_eq!(contradicted.defect.map(|defect| defect.word()), Some("inconsistent"));
        // A dependency that does not build, and no package that says so.
        let alone = lines(&[
            r#"{"ImportPath":"m/d","Action":"build-output","Output":"d.go:1:1: no\n"}"#,
            r#"{"ImportPath":"m/d","Action":"build-fail"}"#,
        ]);
        assert_eq!((alone.counts.errors, alone.failures[0].line), (1, Some(1)));
    }

    #[test]
    fn events_are_shown_as_their_output() {
        let shown = readable(concat!(
            r#"{"Action":"run","Package":"p","Test":"T"}"#,
            "\n",
            r#"{"Action":"output","Package":"p","Output":"--- FAIL: T\n"}"#,
            "\ngo: downloading x\n{\"x\": 1}\n"
        ));
        assert_eq!(shown, "--- FAIL: T\ngo: downloading x\n{\"x\": 1}\n");
    }

    #[test]
    fn an_assertion_library_names_the_place() {
        let prints = |text: &str| {
            format!(r#"{{"Action":"output","Package":"m/p","Test":"TestA","Output":"{text}"}}"#)
        };
        let reading = lines(&[
            RUN,
            &prints(r"    a_test.go:7: \n"),
            &prints(r"        \tError Trace:\t/r/a_test.go:7\n"),
            &prints(r"    a_test.go:30: closed\n"),
            r#"{"Action":"fail","Package":"m/p","Test":"TestA","Elapsed":0.25}"#,
            r#"{"Action":"fail","Package":"m/p","Elapsed":0.3}"#,
        ]);
        let case = &reading.failures[0];
        assert_eq!((case.file.as_deref(), case.line), (Some("/r/a_test.go"), Some(7)));
        assert_eq!((case.duration, reading.counts.total), (Some(Duration::from_millis(250)), 1));
    }
}
