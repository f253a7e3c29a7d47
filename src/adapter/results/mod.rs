//! Results files: one streaming reader per format behind one loop.
//!
//! [`walk`] owns what XML formats share: decoding, well-formedness, the end of the file and the
//! bounds. [`plain`] owns the same for lines of text and for JSON. A format is one file with an
//! implementation of [`walk::Dialect`], [`plain::Lines`] or [`plain::Document`], and one line in
//! [`dialect_of`], [`lines_of`] or [`document_of`]; it counts cases and never builds a document.
//! Memory is bounded whatever the file holds.

mod go;
mod jest;
mod junit;
mod libtest;
mod mocha;
mod nunit25;
mod nunit3;
mod open_case;
mod place;
mod plain;
mod rspec;
mod suites;
mod trx;
mod walk;

use std::io::{self, Read, Seek};
use std::path::Path;

pub(crate) use self::go::readable;
use self::open_case::{NAME_KEPT, beginning};
use self::plain::{Document, Lines, Shape};
use self::walk::Dialect;
use crate::adapter::workspace::files;
use crate::domain::results::case::Case;
use crate::domain::results::counts::{CaseOutcome, Counts};
use crate::domain::results::outcome_word::Format;
use crate::domain::results::test_list::Test;
use crate::domain::verdict::fault::Fault;

/// How many failures, and how many flaky cases, are kept with their messages.
const CASES_KEPT: usize = 5000;
/// How many cases are listed.
const TESTS_LISTED: usize = 300_000;
/// How many notes are kept.
const NOTES_KEPT: usize = 50;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It ends in the middle.
    Truncated(String),
    /// It is not well-formed.
    Invalid(String),
    /// It is well-formed and none of the formats.
    Unsupported(String),
    /// Its root claims what its cases do not show.
    Inconsistent(String),
}

impl Defect {
    /// As a fault of the file at `path`.
    pub(crate) fn fault(&self, path: &str) -> Fault {
        let path = path.to_owned();
        match self.clone() {
            Defect::Truncated(why) => Fault::ResultsTruncated { path, why },
            Defect::Invalid(why) => Fault::ResultsInvalid { path, why },
            Defect::Unsupported(why) => Fault::ResultsUnsupported { path, why },
            Defect::Inconsistent(why) => Fault::ResultsInconsistent { path, why },
        }
    }

    /// The word for `resultsXmlStatus`.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Defect::Truncated(_) => "truncated",
            Defect::Invalid(_) => "invalid",
            Defect::Unsupported(_) => "unsupported",
            Defect::Inconsistent(_) => "inconsistent",
        }
    }
}

/// What a file came to. A defect does not take the counts away: complete cases are salvaged.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    /// In which format it is; nothing where that could not be told.
    pub(crate) format: Option<Format>,
    /// What its cases came to.
    pub(crate) counts: Counts,
    /// The first failures, in file order.
    pub(crate) failures: Vec<Case>,
    /// The first cases that passed, and not at once.
    pub(crate) flaky: Vec<Case>,
    /// Every case, where that was asked for and as far as there is room.
    pub(crate) tests: Option<Vec<Test>>,
    /// What is wrong with it.
    pub(crate) defect: Option<Defect>,
    /// What was noticed and changes nothing.
    pub(crate) notes: Vec<String>,
    /// Notes beyond those that are kept.
    pub(crate) more_notes: u64,
}

impl Reading {
    /// Counts a case; a failure and a flaky one are kept.
    fn case(&mut self, outcome: CaseOutcome, retried: bool, case: impl FnOnce() -> Case) {
        self.counts.add(outcome);
        let kept = match outcome {
            CaseOutcome::Failed | CaseOutcome::Errored => Some(&mut self.failures),
            CaseOutcome::Passed if retried => Some(&mut self.flaky),
            _ => None,
        };
        let kept = kept.filter(|kept| kept.len() < CASES_KEPT);
        let tests = self.tests.as_mut().filter(|tests| tests.len() < TESTS_LISTED);
        if kept.is_none() && tests.is_none() {
            return;
        }
        let case = case();
        if let Some(tests) = tests {
            tests.push(Test::of(&case));
        }
        if let Some(kept) = kept {
            kept.push(case);
        }
    }

    /// Keeps what was noticed, so far as there is room.
    fn note(&mut self, note: impl FnOnce() -> String) {
        if self.notes.len() < NOTES_KEPT {
            self.notes.push(excerpt(&note(), 500).to_owned());
        } else {
            self.more_notes = self.more_notes.saturating_add(1);
        }
    }

    /// Holds what a file claims against what its cases show. Failures where none is shown are
    /// inconsistent, as are more tests where they bind; the rest is noted, and the cases count:
    /// writers count assertions, subtests and blocks among failures, and a run that is red is red
    /// by its cases.
    fn compare(&mut self, who: &str, claims: Claims, listed: u64, tests_bind: bool) {
        let (claimed, shown) = (claims.failures, self.counts.failures());
        if claimed > shown && shown == 0 {
            let why = format!("{who} claim {claimed} failures, the cases show {shown}");
            self.defect = Some(Defect::Inconsistent(why));
        } else if claims.tests > listed {
            let why = format!("{who} claim {} tests, {listed} are listed", claims.tests);
            if tests_bind {
                self.defect = Some(Defect::Inconsistent(why));
            } else {
                self.note(|| why);
            }
        } else if claimed != shown && claimed > 0 {
            self.note(|| {
                format!("{who} claim {claimed} failures, the cases show {shown}; the cases count")
            });
        }
    }

    /// A failed setup, teardown or suite outside any case.
    fn failed_block(&mut self) {
        self.counts.failed_blocks = self.counts.failed_blocks.saturating_add(1);
    }
}

/// The beginning of a text that a file brings, for a message.
fn excerpt(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What a root, its suites or counters claim.
#[derive(Debug, Clone, Copy, Default)]
struct Claims {
    tests: u64,
    failures: u64,
}

/// Reads one results file.
pub(crate) fn read(path: &Path) -> io::Result<Reading> {
    Ok(read_from(files::open(path)?))
}

/// Reads results from bytes, whatever they hold.
pub(crate) fn read_from(source: impl Read + Seek) -> Reading {
    read_any(source, false)
}

/// Reads one results file and lists every case of it.
pub(crate) fn list(path: &Path) -> io::Result<Reading> {
    Ok(read_any(files::open(path)?, true))
}

/// Reads results from bytes and lists every case of them.
pub(crate) fn list_from(source: impl Read + Seek) -> Reading {
    read_any(source, true)
}

/// The reader for a root element.
fn dialect_of(root: &str) -> Option<(Format, Box<dyn Dialect>)> {
    match root {
        "testsuites" | "testsuite" => Some((Format::Junit, Box::new(junit::Junit::default()))),
        "test-results" => Some((Format::Nunit25, Box::new(nunit25::Nunit25::default()))),
        "test-run" | "test-suite" => Some((Format::Nunit3, Box::new(nunit3::Nunit3::default()))),
        "TestRun" => Some((Format::Trx, Box::new(trx::Trx::default()))),
        _ => None,
    }
}

/// The reader for a file of lines, by the first line that is of a known format.
fn lines_of(line: &str) -> Option<(Format, Box<dyn Lines>)> {
    match line {
        _ if go::knows(line) => Some((Format::Go, Box::new(go::Go::default()))),
        _ if libtest::knows(line) => Some((Format::Libtest, Box::new(libtest::Libtest::default()))),
        _ => None,
    }
}

/// The reader for a JSON object, by the first key that only this format has.
fn document_of(key: &str) -> Option<(Format, Box<dyn Document>)> {
    match key {
        "testResults" => Some((Format::Jest, Box::new(jest::Jest::default()))),
        "stats" => Some((Format::Mocha, Box::new(mocha::Mocha::default()))),
        "examples" => Some((Format::Rspec, Box::new(rspec::Rspec::default()))),
        _ => None,
    }
}

fn read_any(mut source: impl Read + Seek, list: bool) -> Reading {
    match plain::shape_of(&mut source) {
        Ok(Shape::Xml) => walk::read(source, dialect_of, list),
        Ok(Shape::Json(encoding)) => plain::read_json(source, encoding, list),
        Ok(Shape::Lines(encoding, format, lines)) => {
            plain::read_lines(source, encoding, format, lines, list)
        }
        Err(error) => {
            Reading { defect: Some(Defect::Invalid(error.to_string())), ..Reading::default() }
        }
    }
}

/// A case of which only the name and the outcome are known.
fn new_case(name: &str, outcome: CaseOutcome) -> Case {
    let mut kept = String::new();
    beginning(&mut kept, name, NAME_KEPT);
    Case {
        name: kept,
        class: None,
        file: None,
        line: None,
        outcome,
        duration: None,
        attempts: Vec::new(),
        more_attempts: 0,
        message: String::new(),
        output: String::new(),
    }
}

/// Reads a text.
#[cfg(test)]
fn read_text(text: &str) -> Reading {
    read_from(io::Cursor::new(text))
}
