//! Pester's own verdict: the run object that the dispatcher script leaves, and what it comes to.
//!
//! The XML reports do not mention a file that failed to load or a failing `AfterAll`; the run
//! object does. So it is the verdict, and the reports are evidence.

use serde::Deserialize;

use crate::domain::receipt::Accounted;
use crate::domain::results::counts::{CaseOutcome, Counts};
use crate::domain::results::failure::places;
use crate::domain::verdict::fault::Fault;

/// Schema id of the run object.
pub(crate) const RUN_SCHEMA: &str = "pester-gate-run@v1";
/// Schema id of the plan that the script is given.
pub(crate) const PLAN_SCHEMA: &str = "pester-gate-dispatch-plan@v1";
/// Schema id of a probe's answer.
pub(crate) const PROBE_SCHEMA: &str = "pester-gate-probe@v1";

/// The run object, as far as it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PesterRun {
    pub(crate) schema: String,
    pub(crate) result: String,
    pub(crate) counts: PesterCounts,
    pub(crate) files: Vec<PesterFile>,
    pub(crate) tests: Vec<PesterTest>,
}

/// Its totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PesterCounts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) inconclusive: u64,
    pub(crate) not_run: u64,
    pub(crate) failed_blocks: u64,
    pub(crate) failed_files: u64,
}

/// One of its files.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PesterFile {
    pub(crate) file: String,
    pub(crate) result: String,
    #[serde(default)]
    pub(crate) executed: bool,
    #[serde(default)]
    pub(crate) errors: Vec<PesterError>,
    #[serde(default)]
    pub(crate) failed_blocks: Vec<PesterBlock>,
}

/// A block that failed.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PesterBlock {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) errors: Vec<PesterError>,
}

/// One of its tests.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PesterTest {
    pub(crate) path: String,
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) line: Option<u64>,
    pub(crate) result: String,
    #[serde(default)]
    pub(crate) duration_ms: Option<f64>,
    #[serde(default)]
    pub(crate) errors: Vec<PesterError>,
}

/// One error record.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PesterError {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) trace: String,
    #[serde(default)]
    pub(crate) file: Option<String>,
    #[serde(default)]
    pub(crate) line: Option<u64>,
}

impl PesterError {
    /// The line of this file where it was thrown, by its stack trace, else by its own place.
    fn line_of(&self, file: &str) -> Option<u64> {
        let traced = places(&self.trace).into_iter().chain(places(&self.message));
        let traced =
            traced.filter(|place| same_file(&place.file, file)).map(|place| place.line).next();
        let own = self.file.as_deref().is_some_and(|thrown| same_file(thrown, file));
        traced.or(self.line.filter(|_| own))
    }
}

/// What a run object comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct PesterVerdict {
    /// What the tests came to.
    pub(crate) counts: Counts,
    /// What went wrong.
    pub(crate) faults: Vec<Fault>,
    /// What became of each planned file, in the plan's order.
    pub(crate) accounting: Vec<Accounted>,
}

impl PesterTest {
    /// Its outcome; a word that is none of Pester's is an error and never passes.
    pub(crate) fn outcome(&self) -> CaseOutcome {
        match self.result.as_str() {
            "Passed" => CaseOutcome::Passed,
            "Failed" => CaseOutcome::Failed,
            "Skipped" | "Inconclusive" => CaseOutcome::Skipped,
            "NotRun" => CaseOutcome::NotRun,
            _ => CaseOutcome::Errored,
        }
    }

    /// Whether it failed.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome(), CaseOutcome::Failed | CaseOutcome::Errored)
    }
}

/// Judges a run object against the planned files, given as the absolute paths that the plan holds.
pub(crate) fn judge(run: &PesterRun, planned: &[String]) -> PesterVerdict {
    let mut verdict = PesterVerdict::default();
    for test in &run.tests {
        verdict.counts.add(test.outcome());
    }
    verdict.counts.failed_blocks = run.counts.failed_blocks;
    verdict.counts.failed_files = run.counts.failed_files;
    let shown = verdict.counts.failed + verdict.counts.errors;
    verdict.faults.extend(inconsistencies(run, &verdict.counts));
    if shown > 0 {
        verdict.faults.push(tests_failed(run, &verdict.counts));
    }
    verdict.faults.extend(run.files.iter().flat_map(file_faults));
    account(run, planned, &mut verdict);
    if run.result != "Passed" && verdict.faults.is_empty() {
        let detail = format!("Pester's result is {:?} and nothing of the run failed", run.result);
        verdict.faults.push(Fault::ExitCodeMismatch(detail));
    }
    verdict
}

/// The run object's own totals against what it lists.
fn inconsistencies(run: &PesterRun, listed: &Counts) -> Option<Fault> {
    let totals = run.counts;
    let blocks = run.files.iter().map(|file| file.failed_blocks.len() as u64).sum::<u64>();
    let files = run.files.iter().filter(|file| file.result == "Failed").count() as u64;
    let contradictory =
        run.tests.iter().find(|test| test.result == "Passed" && !test.errors.is_empty());
    let silent = run.files.iter().find(|file| {
        let failed_test =
            run.tests.iter().any(|test| test.failed() && same_file(&test.file, &file.file));
        file.result == "Failed"
            && file.executed
            && file.errors.is_empty()
            && file.failed_blocks.is_empty()
            && !failed_test
    });
    let why = if totals.passed != listed.passed
        || totals.failed != listed.failed + listed.errors
        || totals.skipped + totals.inconclusive != listed.skipped
    {
        format!(
            "it counts {} passed, {} failed, {} skipped and lists {}, {}, {}",
            totals.passed,
            totals.failed,
            totals.skipped + totals.inconclusive,
            listed.passed,
            listed.failed + listed.errors,
            listed.skipped
        )
    } else if totals.failed_blocks > blocks {
        format!("it counts {} failed blocks and lists {blocks}", totals.failed_blocks)
    } else if totals.failed_files > files {
        format!("it counts {} failed files and lists {files}", totals.failed_files)
    } else if let Some(test) = contradictory {
        format!("{} passed and has errors", test.path)
    } else {
        format!("{} failed and nothing of it did", silent?.file)
    };
    Some(Fault::ResultsInconsistent { path: "pester-run.json".to_owned(), why })
}

fn tests_failed(run: &PesterRun, counts: &Counts) -> Fault {
    let first = run.tests.iter().find(|test| test.failed());
    Fault::TestsFailed {
        failed: counts.failed,
        errors: counts.errors,
        total: counts.total,
        first: first.map(|test| with_message(&test.path, &test.errors)).unwrap_or_default(),
    }
}

fn with_message(name: &str, errors: &[PesterError]) -> String {
    let message = errors
        .first()
        .map(|error| error.message.lines().next().unwrap_or_default())
        .unwrap_or_default();
    if message.is_empty() { name.to_owned() } else { format!("{name} ({message})") }
}

/// A file that was never executed and has errors did not load; one that was executed and has errors
/// failed in its own setup or teardown, as blocks do in theirs.
fn file_faults(file: &PesterFile) -> Vec<Fault> {
    let mut faults = Vec::new();
    if file.result == "Failed" && !file.executed {
        let why = file.errors.first().map_or_else(
            || "it failed to load".to_owned(),
            |error| match error.line_of(&file.file) {
                Some(line) => format!("line {line}: {}", error.message),
                None => error.message.clone(),
            },
        );
        faults.push(Fault::TestFileFailedToLoad { path: file.file.clone(), why });
    } else if !file.errors.is_empty() {
        faults.push(Fault::SetupOrTeardownFailed(with_message(&file.file, &file.errors)));
    }
    let block = |block: &PesterBlock| {
        Fault::SetupOrTeardownFailed(with_message(&block.path, &block.errors))
    };
    faults.extend(file.failed_blocks.iter().map(block));
    faults
}

/// A planned file that the run object does not know was dropped without a word.
fn account(run: &PesterRun, planned: &[String], verdict: &mut PesterVerdict) {
    for path in planned {
        let state = match run.files.iter().find(|file| same_file(&file.file, path)) {
            Some(file) if file.result == "Failed" && !file.executed => Accounted::FailedToLoad,
            // A file without a test is known and holds nothing to execute.
            Some(_) => Accounted::Ran,
            None => {
                verdict.faults.push(Fault::TestFileNotAccounted { path: path.clone() });
                Accounted::Unknown
            }
        };
        verdict.accounting.push(state);
    }
}

/// Windows does not tell paths apart by letter case or by the slash.
pub(crate) fn same_file(a: &str, b: &str) -> bool {
    let normal = |path: &str| path.replace('\\', "/");
    if a.contains('\\') { normal(a).eq_ignore_ascii_case(&normal(b)) } else { a == b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::reason::ReasonCode as C;

    fn run(text: &str) -> PesterRun {
        serde_json::from_str(text).unwrap()
    }

    const COUNTS: &str = concat!(
        r#""counts":{"passed":1,"failed":0,"skipped":0,"inconclusive":0,"#,
        r#""notRun":0,"failedBlocks":0,"failedFiles":0}"#,
    );

    fn codes(verdict: &PesterVerdict) -> Vec<C> {
        verdict.faults.iter().map(Fault::code).collect()
    }

    #[test]
    fn a_file_that_was_dropped_without_a_word_is_not_accounted() {
        let run = run(&format!(
            r#"{{"schema":"pester-gate-run@v1","result":"Passed",{COUNTS},
            "files":[{{"file":"/r/a","result":"Passed","executed":true}}],
            "tests":[{{"path":"t","file":"/r/a","result":"Passed"}}]}}"#
        ));
        let verdict = judge(&run, &["/r/a".into(), "/r/b".into()]);
        assert_eq!(codes(&verdict), [C::TestFileNotAccounted]);
        assert_eq!(verdict.accounting, [Accounted::Ran, Accounted::Unknown]);
    }

    #[test]
    fn a_result_that_is_not_passed_is_never_green() {
        let run = run(&format!(
            r#"{{"schema":"x","result":"Failed",{COUNTS},"files":[],
            "tests":[{{"path":"t","file":"f","result":"Passed"}}]}}"#
        ));
        assert_eq!(codes(&judge(&run, &[])), [C::ExitCodeMismatch]);
    }

    #[test]
    fn an_unknown_word_for_a_test_never_passes() {
        let run = run(&format!(
            r#"{{"schema":"x","result":"Passed",{COUNTS},"files":[],
            "tests":[{{"path":"t","file":"f","result":"Fine"}}]}}"#
        ));
        assert_eq!(codes(&judge(&run, &[])), [C::ResultsInconsistent, C::TestsFailed]);
    }
}
