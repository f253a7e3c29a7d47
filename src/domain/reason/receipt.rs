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
        "a layer's receipt is not there",
        "run that layer, or hand its receipt on to the next one",
    )
    .retry(),
    row(
        C::ReceiptCorrupt,
        "a receipt cannot be read: empty, cut off, not JSON, or not of its schema's shape",
        "run its layer again; look for whoever shares its folder",
    )
    .retry(),
    row(
        C::ReceiptUnsupportedSchema,
        "a receipt has a schema id that this version does not know",
        "use the same pester-gate version in all jobs",
    ),
    row(
        C::ReceiptDigestMismatch,
        "a receipt is not the one whose sha256 its layer put out",
        "find out which job replaced the file, or handed on another digest; then run the gate again",
    ),
    row(
        C::ReceiptForeignRun,
        "a receipt was made in another run, or in an earlier attempt without its digest at hand",
        "take the receipt of this run; pass the digest to use an earlier attempt's",
    ),
    row(
        C::ReceiptForeignCommit,
        "a receipt was made for another commit",
        "take the receipt of the commit under test",
    ),
    row(
        C::ReceiptStale,
        "the readiness receipt is older than its freshness window",
        "measure the host again right before execute",
    )
    .retry(),
    row(
        C::ReceiptFromFuture,
        "a receipt carries a later attempt, or a time more than 5 minutes ahead",
        "set the clocks of both hosts; do not mix attempts",
    ),
    row(
        C::UpstreamLayerBlocked,
        "a layer before this one was blocked, so this one had nothing to go on",
        "see the reason of the layer that was blocked",
    ),
];
