//! Rows about receipts; charged to the receipt's writer, whoever found the fault.
use super::{Home, ReasonCode as C, Row, Severity::*};

const fn row(code: C, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, Blocks, meaning, remedy)
        .at(Home::Subject)
        .next("inspect-receipt-chain")
        .replay("pester-gate verify {dir}")
}

pub(super) const ROWS: &[Row] = &[
    row(
        C::ReceiptMissing,
        "the receipt of a layer is missing",
        "run that layer, or pass its receipt to the next layer",
    )
    .retry(),
    row(
        C::ReceiptCorrupt,
        "a receipt cannot be read: it is empty, incomplete, not JSON, or does not match its schema",
        "run its layer again, and find out what else writes to its folder",
    )
    .retry(),
    row(
        C::ReceiptUnsupportedSchema,
        "a receipt has a schema ID that this version does not support",
        "use the same pester-gate version in all jobs",
    ),
    row(
        C::ReceiptDigestMismatch,
        "the SHA-256 of a receipt differs from the one that its layer published",
        "find out which job replaced the file or passed another digest, then run the gate again",
    ),
    row(
        C::ReceiptForeignRun,
        "a receipt is from another run, or from an earlier attempt whose digest was not passed",
        "use the receipt of this run, or pass the digest of the earlier attempt",
    ),
    row(
        C::ReceiptForeignCommit,
        "a receipt is for another commit",
        "use the receipt of the commit under test",
    ),
    row(
        C::ReceiptStale,
        "the readiness receipt is older than its freshness window",
        "run preflight again right before execute",
    )
    .retry(),
    row(
        C::ReceiptFromFuture,
        "a receipt is from a later attempt, or its time is more than 5 minutes ahead",
        "correct the clocks of both hosts, and do not mix attempts",
    ),
    row(
        C::UpstreamLayerBlocked,
        "an earlier layer was blocked, so this layer could not run",
        "fix the reason of the layer that was blocked",
    ),
];
