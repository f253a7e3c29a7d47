//! What each format's words for an outcome mean: one table for all readers and for the docs.

use crate::domain::results::counts::CaseOutcome::{self, Errored, Failed, NotRun, Passed, Skipped};

/// A format of results files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JUnit XML in all its dialects.
    Junit,
    /// NUnit 2.5 XML, Pester's default.
    Nunit25,
    /// NUnit 3 XML.
    Nunit3,
    /// Visual Studio's TRX.
    Trx,
    /// `go test -json`.
    Go,
    /// Text of `cargo test`.
    Libtest,
    /// JSON of Jest, which Vitest writes too.
    Jest,
    /// JSON of Mocha.
    Mocha,
    /// JSON of RSpec.
    Rspec,
}

impl Format {
    /// Its name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Junit => "JUnit",
            Self::Nunit25 => "NUnit 2.5",
            Self::Nunit3 => "NUnit 3",
            Self::Trx => "TRX",
            Self::Go => "go test -json",
            Self::Libtest => "cargo test",
            Self::Jest => "Jest JSON",
            Self::Mocha => "Mocha JSON",
            Self::Rspec => "RSpec JSON",
        }
    }
}

/// One word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// In which format.
    pub(crate) format: Format,
    /// Where it stands.
    pub(crate) place: &'static str,
    /// The word; letter case does not count.
    pub(crate) word: &'static str,
    /// What it means.
    pub(crate) outcome: CaseOutcome,
    /// Who says so.
    pub(crate) source: &'static str,
}

const fn word(
    format: Format,
    place: &'static str,
    word: &'static str,
    outcome: CaseOutcome,
    source: &'static str,
) -> Word {
    Word { format, place, word, outcome, source }
}

const CHILD: &str = "element";
const STATUS: &str = "`status`, `result`";
const RESULT: &str = "`result`";
const LABEL: &str = "`label` of `Failed`";
const OUTCOME: &str = "`outcome`";
const ACTION: &str = "`Action`";
const LINE: &str = "`test NAME ... `";
const STATE: &str = "`status`";
const LIST: &str = "list";

const RULES: &str = "counting rules";
const SUREFIRE: &str = "Surefire's and nextest's schema";
const PESTER: &str = "Pester's JUnit writer";
const USAGE: &str = "usage of several writers";
const GTEST: &str = "GoogleTest's XML output";
const NUNIT25: &str = "NUnit 2.5's result states";
const NUNIT3: &str = "NUnit 3's test result XML";
const VSTST: &str = "`TestOutcome` of Visual Studio's vstst schema";
const TEST2JSON: &str = "`go doc test2json`";
const LIBTEST: &str = "libtest's pretty output";
const JEST: &str = "Jest's `AssertionResult`";
const VITEST: &str = "Vitest's JSON reporter";
const MOCHA: &str = "Mocha's JSON reporter";
const RSPEC: &str = "RSpec's JSON formatter";
/// A state in which nobody knows what the test would have said: it must not pass.
const SAFE: &str = "nothing was proven, so it is not green";

/// Every word there is. A word that is none of these is an error and noted: it must not pass.
pub(crate) const WORDS: &[Word] = &[
    word(Format::Junit, CHILD, "error", Errored, RULES),
    word(Format::Junit, CHILD, "failure", Failed, RULES),
    word(Format::Junit, CHILD, "skipped", Skipped, RULES),
    word(Format::Junit, CHILD, "flakyFailure", Passed, SUREFIRE),
    word(Format::Junit, CHILD, "flakyError", Passed, SUREFIRE),
    word(Format::Junit, CHILD, "rerunFailure", Failed, SUREFIRE),
    word(Format::Junit, CHILD, "rerunError", Errored, SUREFIRE),
    word(Format::Junit, STATUS, "disabled", NotRun, RULES),
    word(Format::Junit, STATUS, "notrun", NotRun, RULES),
    word(Format::Junit, STATUS, "suppressed", NotRun, GTEST),
    word(Format::Junit, STATUS, "run", Passed, GTEST),
    word(Format::Junit, STATUS, "completed", Passed, GTEST),
    word(Format::Junit, STATUS, "passed", Passed, PESTER),
    word(Format::Junit, STATUS, "pass", Passed, USAGE),
    word(Format::Junit, STATUS, "success", Passed, USAGE),
    word(Format::Junit, STATUS, "successful", Passed, USAGE),
    word(Format::Junit, STATUS, "ok", Passed, USAGE),
    word(Format::Junit, STATUS, "executed", Passed, USAGE),
    word(Format::Junit, STATUS, "skipped", Skipped, PESTER),
    word(Format::Junit, STATUS, "inconclusive", Skipped, PESTER),
    word(Format::Junit, STATUS, "ignored", Skipped, USAGE),
    word(Format::Junit, STATUS, "pending", Skipped, USAGE),
    word(Format::Junit, STATUS, "failed", Failed, PESTER),
    word(Format::Junit, STATUS, "failure", Failed, USAGE),
    word(Format::Junit, STATUS, "fail", Failed, USAGE),
    word(Format::Junit, STATUS, "error", Errored, USAGE),
    word(Format::Nunit25, RESULT, "Success", Passed, RULES),
    word(Format::Nunit25, RESULT, "Failure", Failed, RULES),
    word(Format::Nunit25, RESULT, "Error", Errored, RULES),
    word(Format::Nunit25, RESULT, "Cancelled", Errored, NUNIT25),
    word(Format::Nunit25, RESULT, "Ignored", Skipped, RULES),
    word(Format::Nunit25, RESULT, "Skipped", Skipped, RULES),
    word(Format::Nunit25, RESULT, "Inconclusive", Skipped, RULES),
    word(Format::Nunit25, RESULT, "NotRunnable", Skipped, RULES),
    word(Format::Nunit3, RESULT, "Passed", Passed, NUNIT3),
    word(Format::Nunit3, RESULT, "Warning", Passed, NUNIT3),
    word(Format::Nunit3, RESULT, "Failed", Failed, NUNIT3),
    word(Format::Nunit3, LABEL, "Error", Errored, RULES),
    word(Format::Nunit3, RESULT, "Skipped", Skipped, NUNIT3),
    word(Format::Nunit3, RESULT, "Inconclusive", Skipped, NUNIT3),
    word(Format::Trx, OUTCOME, "Passed", Passed, VSTST),
    word(Format::Trx, OUTCOME, "Completed", Passed, VSTST),
    word(Format::Trx, OUTCOME, "Warning", Passed, VSTST),
    word(Format::Trx, OUTCOME, "Failed", Failed, VSTST),
    word(Format::Trx, OUTCOME, "Error", Errored, RULES),
    word(Format::Trx, OUTCOME, "Timeout", Errored, RULES),
    word(Format::Trx, OUTCOME, "Aborted", Errored, RULES),
    word(Format::Trx, OUTCOME, "NotExecuted", Skipped, RULES),
    word(Format::Trx, OUTCOME, "Inconclusive", Skipped, VSTST),
    word(Format::Trx, OUTCOME, "NotRunnable", Errored, SAFE),
    word(Format::Trx, OUTCOME, "Disconnected", Errored, SAFE),
    word(Format::Trx, OUTCOME, "PassedButRunAborted", Errored, SAFE),
    word(Format::Trx, OUTCOME, "InProgress", Errored, SAFE),
    word(Format::Trx, OUTCOME, "Pending", Errored, SAFE),
    word(Format::Go, ACTION, "pass", Passed, TEST2JSON),
    word(Format::Go, ACTION, "bench", Passed, TEST2JSON),
    word(Format::Go, ACTION, "skip", Skipped, TEST2JSON),
    word(Format::Go, ACTION, "fail", Failed, TEST2JSON),
    word(Format::Libtest, LINE, "ok", Passed, LIBTEST),
    word(Format::Libtest, LINE, "bench", Passed, LIBTEST),
    word(Format::Libtest, LINE, "ignored", Skipped, LIBTEST),
    word(Format::Libtest, LINE, "FAILED", Failed, LIBTEST),
    word(Format::Jest, STATE, "passed", Passed, JEST),
    word(Format::Jest, STATE, "pending", Skipped, JEST),
    word(Format::Jest, STATE, "todo", Skipped, JEST),
    word(Format::Jest, STATE, "skipped", Skipped, VITEST),
    word(Format::Jest, STATE, "disabled", NotRun, JEST),
    word(Format::Jest, STATE, "failed", Failed, JEST),
    word(Format::Mocha, LIST, "passes", Passed, MOCHA),
    word(Format::Mocha, LIST, "pending", Skipped, MOCHA),
    word(Format::Mocha, LIST, "failures", Failed, MOCHA),
    word(Format::Rspec, STATE, "passed", Passed, RSPEC),
    word(Format::Rspec, STATE, "pending", Skipped, RSPEC),
    word(Format::Rspec, STATE, "failed", Failed, RSPEC),
];

/// What a word means in its place.
fn meaning(format: Format, place: &str, text: &str) -> Option<CaseOutcome> {
    let text = text.trim();
    let is = |word: &&Word| {
        word.format == format && word.word.eq_ignore_ascii_case(text) && word.place == place
    };
    WORDS.iter().find(is).map(|word| word.outcome)
}

/// JUnit: what a child element makes of its case.
pub(crate) fn junit_child(name: &str) -> Option<CaseOutcome> {
    meaning(Format::Junit, CHILD, name)
}

/// JUnit: what `status` or `result` says before any child does; nothing for a word that is not
/// known.
pub(crate) fn junit_attribute(text: &str) -> Option<CaseOutcome> {
    meaning(Format::Junit, STATUS, text)
}

/// NUnit 2.5: what `result` says; nothing for a word that is not known.
pub(crate) fn nunit25(result: &str) -> Option<CaseOutcome> {
    meaning(Format::Nunit25, RESULT, result)
}

/// NUnit 3: what `result` says, and `label` about a failure; nothing for a word that is not known.
pub(crate) fn nunit3(result: &str, label: Option<&str>) -> Option<CaseOutcome> {
    match meaning(Format::Nunit3, RESULT, result)? {
        Failed => {
            Some(label.and_then(|label| meaning(Format::Nunit3, LABEL, label)).unwrap_or(Failed))
        }
        other => Some(other),
    }
}

/// TRX: what `outcome` says; nothing for a word that is not known.
pub(crate) fn trx(outcome: &str) -> Option<CaseOutcome> {
    meaning(Format::Trx, OUTCOME, outcome)
}

/// `go test -json`: what the `Action` that ends a test says; nothing for a word that is not known.
pub(crate) fn go(action: &str) -> Option<CaseOutcome> {
    meaning(Format::Go, ACTION, action)
}

/// `cargo test`: what stands behind `test NAME ... `; nothing for a word that is not known.
pub(crate) fn libtest(word: &str) -> Option<CaseOutcome> {
    meaning(Format::Libtest, LINE, word)
}

/// Jest and Vitest: what `status` says; nothing for a word that is not known.
pub(crate) fn jest(status: &str) -> Option<CaseOutcome> {
    meaning(Format::Jest, STATE, status)
}

/// Mocha: what it means to stand in a list; nothing for a list that decides nothing.
pub(crate) fn mocha(list: &str) -> Option<CaseOutcome> {
    meaning(Format::Mocha, LIST, list)
}

/// RSpec: what `status` says; nothing for a word that is not known.
pub(crate) fn rspec(status: &str) -> Option<CaseOutcome> {
    meaning(Format::Rspec, STATE, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_there_once_and_means_what_the_table_says() {
        for (at, row) in WORDS.iter().enumerate() {
            let same = |other: &&Word| {
                other.format == row.format
                    && other.place == row.place
                    && other.word.eq_ignore_ascii_case(row.word)
            };
            assert_eq!(WORDS.iter().position(|other| same(&other)), Some(at), "{row:?}");
            let shouted = row.word.to_ascii_uppercase();
            assert_eq!(meaning(row.format, row.place, &shouted), Some(row.outcome), "{row:?}");
        }
        assert_eq!(nunit3("Failed", Some("Error")), Some(Errored));
        assert_eq!(nunit3("Failed", Some("Test exceeded Timeout value 1ms.")), Some(Failed));
        assert_eq!(nunit3("Passed", Some("Error")), Some(Passed));
        assert_eq!((nunit3("Fine", None), trx("Fine"), nunit25("Fine")), (None, None, None));
        assert_eq!(
            (junit_attribute("Run"), junit_attribute("suppressed")),
            (Some(Passed), Some(NotRun))
        );
        assert_eq!(junit_attribute("timedout"), None);
    }
}
