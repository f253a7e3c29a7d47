//! What a process left, against its plan.

use std::path::Path;

use super::watch::{Marks, Watch};
use super::{Batch, REPORT, SCRIPT_NAME};
use crate::adapter::dispatcher::Plan;
use crate::adapter::journal::Journal;
use crate::adapter::workspace::files;
use crate::domain::receipt::Accounted;
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::Failure;
use crate::domain::results::pester::{
    PesterError, PesterRun, PesterVerdict, RUN_SCHEMA, judge, same_file,
};
use crate::domain::results::test_list::Test;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::ChildEnd;

/// The run object.
pub(crate) const RUN_FILE: &str = "pester-run.json";

/// What the process left.
pub(super) struct Seen<'a> {
    pub(super) plan: &'a Plan,
    pub(super) batch: &'a Batch<'a>,
    pub(super) output: &'a Path,
    pub(super) absolute: &'a [String],
    pub(super) watch: &'a Watch,
}

/// What it says of its files.
pub(super) struct Own {
    pub(super) counts: Counts,
    pub(super) accounting: Vec<Accounted>,
    /// Whether the run object is a whole verdict.
    pub(super) complete: bool,
}

impl Seen<'_> {
    pub(super) fn judge(&self, end: &ChildEnd) -> (Own, Vec<Fault>) {
        let unknown = || vec![Accounted::Unknown; self.batch.files.len()];
        let run = read_run(&self.output.join(RUN_FILE));
        let marks = self.watch.marks();
        let by_journal = |journal: &Journal| {
            let state = journal.state();
            let of = |file: &RelPath| match state.files.get(file.as_str()) {
                Some(_) => Accounted::Ran,
                None => Accounted::NotReached,
            };
            self.batch.files.iter().map(of).collect::<Vec<_>>()
        };
        let without = |faults: Vec<Fault>| {
            let accounting = if marks.any { by_journal(&self.plan.journal) } else { unknown() };
            (Own { counts: Counts::default(), accounting, complete: false }, faults)
        };
        // The script says so before it takes up any file, whatever was announced for it.
        let refused = |fault: Fault| {
            let accounting = vec![Accounted::NotReached; self.batch.files.len()];
            (Own { counts: Counts::default(), accounting, complete: false }, vec![fault])
        };
        let code = match end {
            ChildEnd::Exited(code) => *code,
            // Why it ended is a reason of its own; what the journal knows is kept.
            _ => return without(Vec::new()),
        };
        match (code, run) {
            (2, _) => refused(Fault::DispatcherNotStarted {
                program: SCRIPT_NAME.to_owned(),
                why: "it could not use the plan (exit code 2); see the log".to_owned(),
            }),
            (3, _) => refused(self.refused(&marks)),
            (4, _) if marks.missing == self.batch.files.len() && marks.missing > 0 => {
                let path = self.batch.files.first().map(ToString::to_string).unwrap_or_default();
                without(vec![Fault::TestFileNotAccounted { path }])
            }
            (0 | 1, Ok(run)) if !marks.any || marks.ended => self.verdict(code, &run, &marks),
            (0 | 1, Ok(_)) => without(vec![crashed(code, "its journal has no end")]),
            (code, Err(why)) => without(vec![crashed(code, &why)]),
            (code, Ok(_)) => without(vec![crashed(code, "that exit code is none of its own")]),
        }
    }

    fn verdict(&self, code: i32, run: &PesterRun, marks: &Marks) -> (Own, Vec<Fault>) {
        let PesterVerdict { counts, mut faults, accounting } = judge(run, self.absolute);
        let says_passed = code == 0;
        if says_passed != (run.result == "Passed") {
            faults.push(Fault::ExitCodeMismatch(format!(
                "Pester's process ended with exit code {code}, and its result is {:?}",
                run.result
            )));
        }
        if let Some(reported) = marks
            .end_result
            .as_ref()
            .filter(|reported| !reported.is_empty() && **reported != run.result)
        {
            faults.push(Fault::ExitCodeMismatch(format!(
                "the journal ends with {reported:?}, the run object says {:?}",
                run.result
            )));
        }
        if marks.failed > 0 && counts.failures() == 0 {
            let why = format!("the journal tells of {} failed tests, it of none", marks.failed);
            faults.push(Fault::ResultsInconsistent { path: RUN_FILE.to_owned(), why });
        }
        if !marks.any {
            faults.push(Fault::ReportMissing(
                "the journal is gone; the run object stands".to_owned(),
            ));
        }
        if !files::is_plain_file(&self.output.join(REPORT)) {
            faults.push(Fault::ReportMissing(format!(
                "{}/{REPORT} was not written",
                self.batch.output
            )));
        }
        let relative = |path: &str| self.relative(path);
        for fault in &mut faults {
            if let Fault::TestFileFailedToLoad { path, .. } | Fault::TestFileNotAccounted { path } =
                fault
            {
                *path = relative(path);
            }
        }
        (Own { counts, accounting, complete: true }, faults)
    }

    fn relative(&self, path: &str) -> String {
        let at = self.absolute.iter().position(|known| known == path);
        at.map_or_else(|| path.to_owned(), |at| self.batch.files[at].to_string())
    }

    fn refused(&self, marks: &Marks) -> Fault {
        let powershell = self.plan.profile.powershell.value.clone();
        match marks.refused.as_deref() {
            Some("pester-missing") => Fault::PesterMissing(powershell),
            _ => Fault::PesterVersionUnsupported {
                wanted: self.plan.profile.pester_minimum_version.value.clone(),
                found: if marks.found.is_empty() {
                    "none that will do".to_owned()
                } else {
                    marks.found.join(", ")
                },
            },
        }
    }
}

fn crashed(code: i32, why: &str) -> Fault {
    Fault::DispatcherCrashed(format!("exit code {code}: {why}"))
}

/// The run object, or why it is none.
fn read_run(path: &Path) -> Result<PesterRun, String> {
    if files::exists(path) && !files::is_plain_file(path) {
        return Err(format!("{RUN_FILE}: it is no file of its own"));
    }
    let bytes = files::read_bounded(path).map_err(|error| format!("{RUN_FILE}: {error}"))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let run: PesterRun =
        serde_json::from_slice(bytes).map_err(|error| format!("{RUN_FILE}: {error}"))?;
    if run.schema != RUN_SCHEMA {
        return Err(format!("{RUN_FILE}: schema {:?}", run.schema));
    }
    Ok(run)
}

/// What a run object names: failures (tests, blocks around them, and files that did not load), and
/// every test.
pub(crate) fn recorded(path: &Path) -> (Vec<Failure>, Vec<Test>) {
    let Ok(run) = read_run(path) else { return Default::default() };
    let listed = run.tests.iter().map(|test| Test {
        name: test.path.clone(),
        file: Some(test.file.clone()),
        outcome: test.outcome(),
        duration_ms: test.duration_ms,
        signature: None,
    });
    let listed = listed.collect();
    let tests = run.tests.iter().filter(|test| test.failed()).map(|test| Failure {
        name: test.path.clone(),
        file: Some(test.file.clone()),
        begins: test.line,
        duration_ms: test.duration_ms.map(|ms| ms.max(0.0) as u64),
        ..of_errors(&test.errors, &test.file)
    });
    let files = run.files.iter().flat_map(|file| {
        let blocks = file.failed_blocks.iter().map(|block| Failure {
            name: format!("{} (setup or teardown)", block.path),
            file: Some(file.file.clone()),
            errored: true,
            ..of_errors(&block.errors, &file.file)
        });
        let own = (!file.errors.is_empty()).then(|| Failure {
            name: file.file.clone(),
            file: Some(file.file.clone()),
            errored: true,
            not_loaded: !file.executed,
            ..of_errors(&file.errors, &file.file)
        });
        own.into_iter().chain(blocks).collect::<Vec<_>>()
    });
    (tests.chain(files).collect(), listed)
}

/// What the first error says, and where it was thrown. An error record's own place is that of the
/// assertion in Pester; it counts only where it is in the test's file.
fn of_errors(errors: &[PesterError], file: &str) -> Failure {
    let Some(error) = errors.first() else { return Failure::default() };
    let own = error.file.as_deref().filter(|thrown| same_file(thrown, file)).zip(error.line);
    let own = own.map(|(file, line)| format!("at <ScriptBlock>, {file}:{line}"));
    let trace = [error.trace.clone(), own.unwrap_or_default()].join("\n");
    Failure { message: error.message.clone(), trace, ..Failure::default() }
}
