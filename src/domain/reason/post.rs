//! Rows that only post can find.
use super::{Home, Layer, RUN, ReasonCode as C, Row, Severity, Severity::*};

const fn row(
    code: C,
    home: Home,
    severity: Severity,
    meaning: &'static str,
    remedy: &'static str,
) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(home)
        .next("inspect-execution-evidence")
        .replay("pester-gate replay {dir}")
}

const EXECUTE: Home = Home::Layer(Layer::Execute);

pub(super) const ROWS: &[Row] = &[
    row(
        C::ExecutionReceiptMissing,
        EXECUTE,
        Fails,
        "execute left no receipt",
        "see the job's log for what ended it: a killed process, a lost runner",
    )
    .replay(RUN)
    .retry(),
    row(
        C::RawArtifactMissing,
        EXECUTE,
        Fails,
        "a file that the execution receipt lists is not there",
        "see whether the raw artifact was uploaded and downloaded whole",
    )
    .retry(),
    row(
        C::RawArtifactAltered,
        EXECUTE,
        Fails,
        "a raw file is not the one that execute recorded",
        "find out which job replaced the artifact, then run the gate again",
    ),
    row(
        C::ShardMissing,
        EXECUTE,
        Fails,
        "a shard of the plan left no execution receipt",
        "run the missing shard again",
    )
    .replay(RUN)
    .retry(),
    row(
        C::LayerNotReported,
        Home::Subject,
        Blocks,
        "a layer's job failed and left neither a receipt nor a reason",
        "see that job's log",
    )
    .replay(RUN)
    .retry(),
    row(
        C::LayerCancelled,
        Home::Subject,
        Blocks,
        "a layer's job was cancelled before it left a receipt",
        "run the workflow again",
    )
    .replay(RUN)
    .retry(),
];
