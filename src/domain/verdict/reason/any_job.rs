//! Rows that can hold in any job; charged to the layer whose job it is.
use super::{RUN, ReasonCode as C, Row, Severity::*};

pub(super) const ROWS: &[Row] = &[
    Row::new(
        C::BootstrapBinaryMissing,
        Blocks,
        "the bootstrap found neither a pester-gate binary nor a release",
        "set PESTER_GATE_BIN to the path of a binary on the runner",
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
        "the SHA-256 of the binary differs from the manifest",
        "do not run that binary; empty the tool cache of the runner and find out who changed the \
         file",
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
        "pester-gate could not write one of its files",
        "check the free space and the permissions of the folder that the message names",
    )
    .next("repair-output-folder")
    .replay(RUN)
    .retry(),
    Row::new(
        C::InternalError,
        Blocks,
        "pester-gate itself failed",
        "report this internal error with the message and the receipts",
    )
    .next("report-bug")
    .replay(RUN)
    .retry(),
    Row::new(
        C::SecretInOutput,
        Blocks,
        "a file to upload contains a secret that was not masked, so nothing of its folder is \
         uploaded",
        "stop the test from printing or storing the secret, or add its form to `redact`; replace \
         the secret, because others may have seen it",
    )
    .next("remove-secret")
    .replay(RUN),
    Row::new(
        C::BaselineUnreadable,
        Fails,
        "the workflow names an earlier run that cannot be read, so nothing is compared and shards \
         are not balanced; this warns unless `policy.below-floor` is `fail`",
        "pass the evidence of an earlier run (a folder with its pester-tests.json), or none",
    )
    .next("provide-baseline")
    .replay(RUN),
];
