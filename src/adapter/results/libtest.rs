//! The text that `cargo test` prints to its standard output: for each test binary a block from
//! `running N tests` to `test result:`, with doc tests in the same form.
//!
//! Rules (docs/results.md): the lines `test NAME ... WORD` count. A block whose lines are not what
//! its `test result:` says is inconsistent, one without that line is truncated. Only the standard
//! output is read: the names of the binaries stand in the standard error.

use super::open_case::{MESSAGE_KEPT, beginning};
use super::plain::Lines;
use super::{CASES_KEPT, Defect, Reading, excerpt, new_case};
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::outcome_word;

/// How much of a section is looked at for a place.
const SECTION_LIMIT: usize = 64 << 10;

#[derive(Debug, Default)]
pub(super) struct Libtest {
    block: Option<Block>,
}

/// One test binary, from `running N tests` on.
#[derive(Debug, Default)]
struct Block {
    announced: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
    measured: u64,
    /// Failed tests, each with what its section holds.
    failures: Vec<(String, String)>,
    stage: Stage,
}

/// Which part of a block the lines belong to.
#[derive(Debug, Default)]
enum Stage {
    /// The tests run.
    #[default]
    Running,
    /// `failures:` was printed; the place in `failures` of the open section, where there is one.
    Sections(Option<usize>),
}

/// What `test result:` claims.
#[derive(Debug, PartialEq)]
struct Claimed {
    ok: bool,
    passed: u64,
    failed: u64,
    ignored: u64,
    measured: u64,
    filtered: u64,
}

/// Whether a line begins a block.
pub(super) fn knows(line: &str) -> bool {
    announced(line).is_some()
}

fn announced(line: &str) -> Option<u64> {
    let (number, rest) =
        line.trim_start_matches('\u{feff}').strip_prefix("running ")?.split_once(' ')?;
    matches!(rest, "test" | "tests").then(|| number.parse().ok()).flatten()
}

fn claimed(line: &str) -> Option<Claimed> {
    let (word, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let ok = match word {
        "ok" => true,
        "FAILED" => false,
        _ => return None,
    };
    let mut claimed = Claimed { ok, passed: 0, failed: 0, ignored: 0, measured: 0, filtered: 0 };
    for part in rest.split("; ") {
        let Some((number, what)) = part.split_once(' ') else { continue };
        let number = number.parse();
        match (what, number) {
            ("passed", Ok(number)) => claimed.passed = number,
            ("failed", Ok(number)) => claimed.failed = number,
            ("ignored", Ok(number)) => claimed.ignored = number,
            ("measured", Ok(number)) => claimed.measured = number,
            ("filtered out", Ok(number)) => claimed.filtered = number,
            _ => {}
        }
    }
    Some(claimed)
}

/// The name and the outcome in `test NAME ... WORD`.
fn listed(line: &str) -> Option<(&str, CaseOutcome)> {
    let (name, rest) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let word = rest.split([',', ':', ' ']).next().unwrap_or_default();
    // `ok <0.001s>`, `ignored, why` and `bench: 5 ns/iter` are the words that something follows.
    let follows = &rest[word.len()..];
    let known = match word {
        "ignored" => follows.is_empty() || follows.starts_with(", "),
        "bench" => follows.starts_with(':'),
        _ => follows.is_empty() || follows.starts_with(" <"),
    };
    let mut name = name;
    for mark in [" - should panic", " - compile fail", " - compile"] {
        name = name.strip_suffix(mark).unwrap_or(name);
    }
    Some((name, outcome_word::libtest(word).filter(|_| known)?))
}

/// The test whose section `---- NAME stdout ----` begins.
fn section(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

impl Lines for Libtest {
    fn line(&mut self, line: &str, reading: &mut Reading) {
        let Some(block) = &mut self.block else {
            if super::go::knows(line) {
                let why = "the output of `go test` stands in it, too".to_owned();
                reading.defect.get_or_insert(Defect::Invalid(why));
            }
            let orphan = claimed(line).is_some()
                || listed(line).is_some_and(|(_, outcome)| outcome == CaseOutcome::Failed);
            if orphan {
                let why = format!(
                    "{:?} stands outside of `running N tests`: the beginning is missing",
                    excerpt(line, 120)
                );
                reading.defect.get_or_insert(Defect::Truncated(why));
            }
            self.block = announced(line).map(|announced| Block { announced, ..Block::default() });
            return;
        };
        let next = match &mut block.stage {
            Stage::Running => {
                if line == "failures:" {
                    block.stage = Stage::Sections(None);
                } else if let Some((name, outcome)) = listed(line) {
                    block.add(name, outcome, reading);
                }
                announced(line)
            }
            Stage::Sections(open) => {
                let begun = section(line)
                    .and_then(|name| block.failures.iter().position(|(known, _)| known == name));
                if begun.is_some() {
                    *open = begun;
                } else if let Some((_, text)) = open.and_then(|at| block.failures.get_mut(at)) {
                    beginning(text, line, SECTION_LIMIT);
                    beginning(text, "\n", SECTION_LIMIT);
                }
                None
            }
        };
        if let Some(announced) = next {
            // The binary of this block ended without a word.
            self.close(None, reading);
            self.block = Some(Block { announced, ..Block::default() });
        } else if let Some(claimed) = claimed(line) {
            // Tests of test runners print such lines too, in sections of their own.
            let in_section = matches!(block.stage, Stage::Sections(Some(_)));
            if !in_section || block.agrees(&claimed) {
                self.close(Some(&claimed), reading);
            }
        }
    }

    fn finish(&mut self, _: bool, reading: &mut Reading) {
        self.close(None, reading);
    }
}

impl Libtest {
    /// Ends the open block with what it claims; nothing where it was cut off.
    fn close(&mut self, claimed: Option<&Claimed>, reading: &mut Reading) {
        let Some(block) = self.block.take() else { return };
        let Block { announced, passed, failed, ignored, measured, .. } = block;
        let shown = format!("{passed} passed, {failed} failed, {ignored} ignored");
        match claimed {
            None => {
                let why = format!(
                    "a test binary that runs {announced} tests has no `test result:` line ({shown})"
                );
                reading.defect.get_or_insert(Defect::Truncated(why));
            }
            Some(claimed) if !block.agrees(claimed) => {
                let Claimed { passed, failed, ignored, .. } = claimed;
                let claims = format!("{passed} passed, {failed} failed, {ignored} ignored");
                let why = format!("`test result:` claims {claims}; {announced} run, {shown}");
                reading.defect.get_or_insert(Defect::Inconsistent(why));
            }
            Some(claimed) if claimed.filtered > 0 => {
                reading.note(|| {
                    format!(
                        "{} tests of a binary were filtered out (measured {measured})",
                        claimed.filtered
                    )
                });
            }
            Some(_) => {}
        }
        let last = block.failures.len().saturating_sub(1);
        for (at, (name, mut text)) in block.failures.into_iter().enumerate() {
            // Behind the last section stands the list of names.
            if let Some(names) =
                text.rfind("\nfailures:\n").filter(|_| at == last || claimed.is_some())
            {
                text.truncate(names);
            }
            failed_case(&name, &text, reading);
        }
    }
}

impl Block {
    fn add(&mut self, name: &str, outcome: CaseOutcome, reading: &mut Reading) {
        let count = match outcome {
            CaseOutcome::Failed | CaseOutcome::Errored => &mut self.failed,
            CaseOutcome::Skipped | CaseOutcome::NotRun => &mut self.ignored,
            CaseOutcome::Passed => &mut self.passed,
        };
        *count += 1;
        if outcome != CaseOutcome::Failed {
            reading.case(outcome, false, || new_case(name, outcome));
        } else if self.failures.len() < CASES_KEPT {
            self.failures.push((excerpt(name, super::NAME_KEPT).to_owned(), String::new()));
        } else {
            failed_case(name, "", reading);
        }
    }

    fn agrees(&self, claimed: &Claimed) -> bool {
        let (passed, all) =
            (claimed.passed + claimed.measured, self.passed + self.failed + self.ignored);
        (self.passed, self.failed, self.ignored) == (passed, claimed.failed, claimed.ignored)
            && claimed.ok == (self.failed == 0)
            && self.announced == all
    }
}

fn failed_case(name: &str, section: &str, reading: &mut Reading) {
    let outcome = CaseOutcome::Failed;
    reading.case(outcome, false, || {
        let mut case = new_case(name, outcome);
        let place = doc_test(name).or_else(|| panic_place(section));
        (case.file, case.line) =
            place.map_or((None, None), |(file, line)| (Some(file), Some(line)));
        // What a test printed stands before its panic, in one text.
        let text = section.trim();
        let panic = text.find("thread '").filter(|at| text[*at..].contains("panicked at "));
        let (output, message) = text.split_at(panic.unwrap_or(0));
        let message = message.split("\nnote: run with `RUST_BACKTRACE").next().unwrap_or_default();
        beginning(&mut case.message, message.trim(), MESSAGE_KEPT);
        super::open_case::ending(&mut case.output, output.trim());
        case
    });
}

/// The place in `src/lib.rs - add (line 7)`. The place that its panic names is one of a file that
/// rustdoc made.
fn doc_test(name: &str) -> Option<(String, u64)> {
    let (file, rest) = name.split_once(" - ")?;
    let (_, line) = rest.rsplit_once("(line ")?;
    let line = line.strip_suffix(')')?.parse().ok()?;
    file.ends_with(".rs").then(|| (file.to_owned(), line))
}

/// The place of the first panic, or the first place of its backtrace that is the repository's,
/// where it stands in a library.
fn panic_place(section: &str) -> Option<(String, u64)> {
    let place = |text: &str| {
        let (place, _column) = text.trim_end_matches(':').rsplit_once(':')?;
        let (file, line) = place.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    };
    let behind = section.find("panicked at ").map(|at| &section[at + "panicked at ".len()..])?;
    let first = behind.lines().next()?;
    // Until Rust 1.72: `panicked at 'message', src/lib.rs:5:9`.
    let named = first
        .rsplit_once("', ")
        .filter(|_| first.starts_with('\''))
        .map_or(first, |(_, place)| place);
    let foreign = |file: &str| file.starts_with("/rustc/") || file.contains("/.cargo/registry/");
    place(named).filter(|(file, _)| !foreign(file)).or_else(|| {
        let frames = behind.lines().filter_map(|line| line.trim_start().strip_prefix("at ./"));
        frames.filter_map(place).next()
    })
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;
    use crate::domain::results::counts::Counts;

    const ALL: &str = include_str!("../../../tests/data/results/libtest/all.txt");

    #[test]
    fn the_recording_of_the_tool_is_read_whole() {
        let reading = read(ALL);
        let expected = Counts { total: 8, passed: 4, failed: 3, skipped: 1, ..Counts::default() };
        assert_eq!((reading.counts, &reading.defect), (expected, &None), "{:#?}", reading.failures);
        let places: Vec<_> = reading
            .failures
            .iter()
            .map(|case| (case.name.as_str(), case.file.as_deref(), case.line))
            .collect();
        assert_eq!(
            places,
            [
                ("tests::fails", Some("src/lib.rs"), Some(26)),
                ("tests::returns_an_error", None, None),
                ("src/lib.rs - add (line 7)", Some("src/lib.rs"), Some(7)),
            ]
        );
        assert!(reading.failures[0].message.contains("left: 3"), "{:?}", reading.failures[0]);
        assert_eq!(reading.failures[0].output, "printed first");
        assert_eq!(reading.failures[1].message, "Error: \"no database\"");
    }

    /// The line that ends a block.
    fn result(word: &str, passed: u64, failed: u64, filtered: u64) -> String {
        let rest = format!("0 ignored; 0 measured; {filtered} filtered out; finished in 0.01s");
        format!("\ntest result: {word}. {passed} passed; {failed} failed; {rest}\n")
    }

    #[test]
    fn a_block_that_does_not_add_up_is_never_green() {
        for (text, end, word) in [
            ("running 1 test\ntest a ... ok\n", String::new(), "truncated"),
            ("running 2 tests\ntest a ... ok\n", result("ok", 1, 0, 0), "inconsistent"),
            ("running 1 test\ntest a ... ok\n", result("ok", 2, 0, 0), "inconsistent"),
            ("running 1 test\ntest a ... ok\n", result("FAILED", 1, 0, 0), "inconsistent"),
            ("running 2 tests\n.F\n", result("FAILED", 1, 1, 0), "inconsistent"),
            ("running 1 test\nrunning 1 test\ntest a ... ok\n", result("ok", 1, 0, 0), "truncated"),
            ("running 1 test\ntest a ... printed\nok\n", result("ok", 1, 0, 0), "inconsistent"),
        ] {
            let defect = read(&format!("{text}{end}")).defect;
            assert_eq!(defect.map(|defect| defect.word()), Some(word), "{text}{end}");
        }
        let empty = format!("running 0 tests\n{}", result("ok", 0, 0, 0));
        let mixed = read(&format!("{empty}FAIL\tm/p [build failed]\n"));
        assert_eq!(mixed.defect.map(|defect| defect.word()), Some("invalid"));
        let filtered = read(&format!("running 0 tests\n{}", result("ok", 0, 0, 3)));
        assert_eq!((filtered.defect, filtered.counts.total, filtered.notes.len()), (None, 0, 1));
    }

    #[test]
    fn what_a_failing_test_prints_does_not_end_its_block() {
        let inner =
            ["running 1 test\ntest x ... FAILED", &result("ok", 0, 0, 0), "failures:"].join("\n");
        let text = [
            "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----",
            &inner,
            "thread 'b' panicked at 'no', tests/b.rs:3:5\n\nfailures:\n    b\n",
            &result("FAILED", 1, 1, 0),
        ];
        let reading = read(&text.join("\n"));
        assert_eq!((reading.defect, reading.counts.failed, reading.counts.passed), (None, 1, 1));
        let case = &reading.failures[0];
        assert_eq!((case.file.as_deref(), case.line), (Some("tests/b.rs"), Some(3)));
    }

    #[test]
    fn words_with_something_behind_them_are_known() {
        for (line, name, outcome) in [
            ("test a ... ok <0.001s>", "a", CaseOutcome::Passed),
            ("test a ... ignored, needs a database", "a", CaseOutcome::Skipped),
            ("test b ... bench:  1,234 ns/iter (+/- 5)", "b", CaseOutcome::Passed),
            ("test a::b - should panic ... FAILED", "a::b", CaseOutcome::Failed),
            (
                "test src/lib.rs - add (line 3) - compile fail ... ok",
                "src/lib.rs - add (line 3)",
                CaseOutcome::Passed,
            ),
        ] {
            assert_eq!(listed(line), Some((name, outcome)), "{line}");
        }
        for line in
            ["test a ... okay", "test a ... ok then", "test result: ok. 1 passed", "test a ... "]
        {
            assert_eq!(listed(line), None, "{line}");
        }
    }

    #[test]
    fn a_panic_inside_a_library_is_placed_by_its_backtrace() {
        let library = "/rustc/abc/library/core/src/x.rs:1:2";
        let frames =
            format!("   0: core::x\n     at {library}\n   1: w::a\n     at ./src/lib.rs:9:5\n");
        let section = format!("thread 'a' panicked at {library}:\nboom\n{frames}");
        assert_eq!(panic_place(&section), Some(("src/lib.rs".to_owned(), 9)));
        assert_eq!(
            panic_place("thread 'a' panicked at C:\\w\\lib.rs:9:5:\nboom"),
            Some(("C:\\w\\lib.rs".to_owned(), 9))
        );
    }
}
