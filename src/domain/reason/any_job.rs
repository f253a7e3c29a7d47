//! Rows that can hold in any job; charged to the layer whose job it is.
use super::{RUN, ReasonCode as C, Row, Severity::*};

pub(super) const ROWS: &[Row] = &[
    Row::new(
        C::BootstrapBinaryMissing,
        Blocks,
        "the bootstrap found no pester-gate binary and no release to take it from",
        "set PESTER_GATE_BIN to a binary on the runner",
    )
    .next("repair-bootstrap"),
    Row::new(
        C::BootstrapDownloadFailed,
        Blocks,
        "the release asset could not be downloaded",
        "check the runner's network and proxy, or set PESTER_GATE_BIN",
    )
    .next("repair-bootstrap")
    .retry(),
    Row::new(
        C::BootstrapHashRefused,
        Blocks,
        "the binary's sha256 is not the one in the manifest",
        "do not run that binary: empty the runner's tool cache and find out who changed the file",
    )
    .next("repair-bootstrap"),
    Row::new(
        C::ConfigurationInvalid,
        Blocks,
        "a flag, an environment variable or the configuration file is invalid",
        "correct the key that the message names",
    )
    .next("correct-configuration")
    .replay("pester-gate run --root {root} --show-config"),
    Row::new(
        C::OutputUnwritable,
        Blocks,
        "a file of ours could not be written",
        "check free space and rights of the folder that the message names",
    )
    .next("repair-output-folder")
    .replay(RUN)
    .retry(),
    Row::new(
        C::InternalError,
        Blocks,
        "pester-gate itself failed",
        "report it with the message and the receipts",
    )
    .next("report-bug")
    .replay(RUN)
    .retry(),
    Row::new(
        C::SecretInOutput,
        Blocks,
        "a file that was to be uploaded holds a secret that no mask caught; nothing of that folder is uploaded",
        "let the test not print or store it, or name its form in `redact`; change the secret, others may have seen it",
    )
    .next("remove-secret")
    .replay(RUN),
    Row::new(
        C::BaselineUnreadable,
        Fails,
        "the earlier run that a workflow names cannot be read: nothing is compared with it, shards are cut by turns; it warns unless `policy.below-floor` is `fail`",
        "hand over the evidence of an earlier run (a folder with its pester-tests.json), or none",
    )
    .next("provide-baseline")
    .replay(RUN),
];
