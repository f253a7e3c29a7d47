//! Rows of the selection layer.
use super::{Home, Layer, RUN, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Selection))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-selection-receipt" })
        .replay("pester-gate selection --root {root} --pack {pack}")
}

pub(super) const ROWS: &[Row] = &[
    row(C::SelectionReady, Informs, "at least one test file was selected", "nothing to do"),
    row(
        C::ConfigurationMissing,
        Blocks,
        "no configuration and no command says which tests to run, so nothing was started",
        "run `pester-gate init` to write a configuration, or `pester-gate run -- CMD` with your \
         own test command; in an existing configuration, set what the detail names",
    )
    .replay(RUN),
    row(
        C::RerunDiffers,
        Warns,
        "the rerun uses another commit or changed tests compared with the run that failed",
        "check out the commit that the detail names to reproduce the same failure",
    ),
    row(
        C::PackUnknown,
        Blocks,
        "no pack has that name or alias",
        "use one of the packs that `pester-gate packs` lists",
    ),
    row(
        C::PatternInvalid,
        Blocks,
        "a file pattern is invalid",
        "correct the pattern that the detail names; write a literal bracket as [[]",
    ),
    row(
        C::IntegrationModeInvalid,
        Blocks,
        "the integration mode is invalid",
        "use auto, include or exclude",
    ),
    row(
        C::ProfileInvalid,
        Blocks,
        "no profile has that name, or a setting of the run is invalid",
        "correct the setting that the detail names",
    ),
    row(
        C::TestsPathMissing,
        Blocks,
        "the tests path is not a folder below the root",
        "correct `tests.path` or `--tests-path`",
    ),
    row(
        C::TestFileMissing,
        Blocks,
        "a file that --file or a bundle names does not exist",
        "correct the path of --file, which is relative to the root; for a bundle, check out a \
         commit that has the file",
    ),
    row(
        C::TestFileUnusable,
        Blocks,
        "a test file cannot be read, or its name is not Unicode",
        "correct the permissions or the name of the file that the detail names",
    ),
    row(
        C::SelectionEmpty,
        Blocks,
        "no test file is left to run",
        "correct the pattern or the rule that the detail names; `selection.excluded` in the \
         receipt lists every file that was left out, with the rule",
    ),
    row(
        C::SelectionDrift,
        Blocks,
        "a selected file is gone, or its text changed since it was selected",
        "check out the same commit in both jobs, and make sure that nothing rewrites the tests",
    ),
];
