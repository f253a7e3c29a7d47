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
        "read the log of the job to see what ended it, such as a killed process or a lost runner",
    )
    .replay(RUN)
    .retry(),
    row(
        C::RawArtifactMissing,
        EXECUTE,
        Fails,
        "a file in the execution receipt is missing",
        "check whether the raw artifact was uploaded and downloaded completely",
    )
    .retry(),
    row(
        C::RawArtifactAltered,
        EXECUTE,
        Fails,
        "a raw file differs from the one that execute recorded",
        "find out which job replaced the artifact, then run the gate again",
    ),
    row(
        C::ShardMissing,
        EXECUTE,
        Fails,
        "a shard of the plan left no execution receipt",
        "run the job of the missing shard again",
    )
    .replay(RUN)
    .retry(),
    row(
        C::LayerNotReported,
        Home::Subject,
        Blocks,
        "a layer's job failed and left neither a receipt nor a reason",
        "read the log of that job",
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
