//! Rows of the execute layer.
use super::{Home, Layer, RUN, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Execute))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-execution-evidence" })
        .replay(RUN)
}

pub(super) const ROWS: &[Row] = &[
    row(
        C::ResultsDirUnusable,
        Fails,
        "the results folder cannot be made, cannot be written, or already holds files",
        "name an empty or new folder by --results-dir",
    ),
    row(
        C::SetupCommandFailed,
        Fails,
        "a command of the profile's `before` list failed; no test was started",
        "run the command that the detail names by hand; where a limit ended it, raise `limits.run`",
    ),
    row(
        C::CleanupCommandFailed,
        Warns,
        "a command of the profile's `after` list failed",
        "run the command that the detail names by hand",
    ),
    row(
        C::DispatcherMissing,
        Fails,
        "the dispatcher's program or script is not there",
        "install it, or correct `dispatcher`",
    ),
    row(
        C::DispatcherNotStarted,
        Fails,
        "the dispatcher is there and could not be started",
        "check rights and format of the program that the detail names",
    ),
    row(
        C::DispatcherFailed,
        Fails,
        "the test command ended with an error before it wrote a results file",
        "fix the error that the detail shows (a compile error, a wrong flag, a crash at the start); \
         the whole output is in the log",
    ),
    row(
        C::DispatcherCrashed,
        Fails,
        "the dispatcher ended without a result of its own: by a signal or by an exit it does not document",
        "read the end of the log where one was kept; look for a crash report on the host",
    )
    .retry(),
    row(
        C::DispatcherTimedOut,
        Fails,
        "a time limit ended the whole run; `outcome.limit` names it",
        "see what was in flight; raise the limit only when the work is truly longer",
    )
    .next("inspect-test-in-flight"),
    row(
        C::RunCancelled,
        Fails,
        "the run was cancelled (Ctrl-C, or a cancelled workflow), so it has no result",
        "start the run again when you want its result",
    ),
    row(
        C::ResultsMissing,
        Fails,
        "the command ended without an error, and left no results file of this run",
        "let the test command write a report, and check `dispatcher.results` or `--results`; \
         see the log for what the command did",
    )
    .next("inspect-missing-results-xml"),
    row(
        C::ResultsTruncated,
        Fails,
        "a results file ends in the middle",
        "see the log for what ended the writer; disk full?",
    )
    .next("inspect-results-xml-truncation"),
    row(
        C::ResultsInvalid,
        Fails,
        "a results file is not well-formed XML",
        "open the file among the raw results: whatever wrote it did not end it, or escapes its text wrongly",
    )
    .next("inspect-invalid-results-xml"),
    row(C::ResultsUnsupported, Fails, "a results file is of no format that is read here", "write NUnit 2.5 or JUnit")
        .next("inspect-invalid-results-xml"),
    row(
        C::ResultsInconsistent,
        Fails,
        "a results file's totals claim what its cases do not show: more failures or more tests",
        "see the file: failures outside any test case (setup, teardown, load), or a writer that left tests out",
    )
    .next("inspect-invalid-results-xml"),
    row(
        C::ExitCodeMismatch,
        Fails,
        "the dispatcher's exit code and its results contradict each other",
        "see the end of the log for what failed outside the tests",
    ),
    row(
        C::ZeroTestsExecuted,
        Fails,
        "not one test was executed, so nothing was proven",
        "correct the filter that the detail names, or see the log for why no test ran; \
         set `policy.zero-tests` if an empty run is meant",
    ),
    row(
        C::TestCountBelowFloor,
        Fails,
        "fewer tests ran than the baseline demands",
        "see what was removed or left out in pester-triage.json; lower `policy.test-floor` where that is meant",
    ),
    row(
        C::AllTestsSkipped,
        Fails,
        "every test was skipped, so nothing was proven",
        "see the skip conditions; set `policy.all-skipped` where that is meant",
    ),
    row(
        C::TestFileNotAccounted,
        Fails,
        "a selected file neither ran nor failed to load, or nothing proves that it ran",
        "check whether the file contains a test, and the log for what became of it; where the \
         results cannot contain file names, set `policy.unaccounted: warn`",
    ),
    row(
        C::TestFileFailedToLoad,
        Fails,
        "a test file could not be loaded",
        "open the file at the error that the detail names",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::TestTimedOut,
        Fails,
        "a test file or test exceeded its own time limit and was ended; the rest went on",
        "see its last output; raise `limits.file` only when the work is truly longer",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::SetupOrTeardownFailed,
        Fails,
        "a setup or teardown block failed outside any test",
        "open the block that the detail names",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::ReportMissing,
        Warns,
        "the dispatcher gave its verdict but its XML report is missing or broken",
        "see the dispatcher's log",
    ),
    row(
        C::LeaksDetected,
        Warns,
        "processes that the tests started outlived them",
        "end them in the tests' teardown; the detail lists their command lines",
    ),
    row(C::TestsFailed, Fails, "at least one test failed", "fix the failing tests")
        .next("review-top-failures")
        .replay("pester-gate run --root {root} --file {file}"),
    row(C::TestsPassed, Informs, "every executed test passed", "nothing to do"),
];
