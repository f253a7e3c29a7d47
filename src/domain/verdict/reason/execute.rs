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
        "the results folder cannot be created or written, or already contains files",
        "set --results-dir to a new or empty folder",
    ),
    row(
        C::SetupCommandFailed,
        Fails,
        "a command of the profile's `before` list failed; no test was started",
        "run the command that the detail names by hand; if a limit stopped it, raise `limits.run`",
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
        "the program or script of the dispatcher does not exist",
        "install the program, or correct `dispatcher`",
    ),
    row(
        C::DispatcherNotStarted,
        Fails,
        "the dispatcher exists but could not be started",
        "check the permissions and the format of the program that the detail names",
    ),
    row(
        C::DispatcherFailed,
        Fails,
        "the test command ended with an error before it wrote a results file",
        "fix the error in the message (for example a compile error or a wrong flag); if the tests \
         ran, correct `dispatcher.results`; the log holds the whole output",
    ),
    row(
        C::DispatcherCrashed,
        Fails,
        "the dispatcher ended without a result: by a signal, or with an unexpected exit code",
        "read the last lines of the log, if there is one; look for a crash report on the host",
    )
    .retry(),
    row(
        C::DispatcherTimedOut,
        Fails,
        "a time limit stopped the whole run; `outcome.limit` names the limit",
        "check the test that was running; raise the limit only if the tests need more time",
    )
    .next("inspect-test-in-flight"),
    row(
        C::RunCancelled,
        Fails,
        "the run was cancelled (Ctrl-C or a cancelled workflow), so it has no result",
        "start the run again",
    ),
    row(
        C::ResultsMissing,
        Fails,
        "the command wrote no results file in this run",
        "let the test command write a report, and check `dispatcher.results` or `--results`; \
         see the log for what the command did",
    )
    .next("inspect-missing-results-xml"),
    row(
        C::ResultsTruncated,
        Fails,
        "a results file is incomplete",
        "read the log to see why the writer stopped, and check the free disk space",
    )
    .next("inspect-results-xml-truncation"),
    row(
        C::ResultsInvalid,
        Fails,
        "a results file is not well-formed XML",
        "open the file in the raw results; its writer stopped early or escapes text incorrectly",
    )
    .next("inspect-invalid-results-xml"),
    row(
        C::ResultsUnsupported,
        Fails,
        "a results file has an unsupported format",
        "let the test runner write a supported format, such as JUnit; docs/results.md lists the \
         formats",
    )
    .next("inspect-invalid-results-xml"),
    row(
        C::ResultsInconsistent,
        Fails,
        "the totals of a results file claim more failures or tests than its cases show",
        "look in the file for failures outside of test cases (setup, teardown, load) or for \
         missing tests",
    )
    .next("inspect-invalid-results-xml"),
    row(
        C::ExitCodeMismatch,
        Fails,
        "the exit code of the dispatcher contradicts its results",
        "read the last lines of the log to see what failed outside the tests",
    ),
    row(
        C::ZeroTestsExecuted,
        Fails,
        "no test was executed, so nothing was tested",
        "read the log to see why no test ran; if an empty run is intended, set \
         `policy.zero-tests`",
    ),
    row(
        C::TestCountBelowFloor,
        Fails,
        "fewer tests ran than the baseline requires",
        "check the removed and excluded tests in pester-triage.json; lower `policy.test-floor` if \
         fewer tests are intended",
    ),
    row(
        C::AllTestsSkipped,
        Fails,
        "every test was skipped, so nothing was tested",
        "check the skip conditions; set `policy.all-skipped` if skipping all tests is intended",
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
        "fix the error that the detail names",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::TestTimedOut,
        Fails,
        "a test file or test exceeded its time limit and was stopped; the other tests ran",
        "check its last output; raise `limits.file` only if the test needs more time",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::SetupOrTeardownFailed,
        Fails,
        "a setup or teardown block failed outside any test",
        "fix the block that the detail names",
    )
    .next("review-top-failures")
    .replay("pester-gate run --root {root} --file {file}"),
    row(
        C::ReportMissing,
        Warns,
        "the dispatcher reported a result, but its XML report is missing or broken",
        "read the log of the dispatcher",
    ),
    row(
        C::LeaksDetected,
        Warns,
        "processes that the tests started were still running after the tests",
        "stop the leaked processes in the teardown of the tests; the detail lists their command \
         lines",
    ),
    row(C::TestsFailed, Fails, "at least one test failed", "fix the failing tests")
        .next("review-top-failures")
        .replay("pester-gate run --root {root} --file {file}"),
    row(C::TestsPassed, Informs, "every executed test passed", "nothing to do"),
];
