//! The execute layer's receipt.
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Classification, receipt};
use crate::domain::results::counts::Counts;
use crate::domain::run::ids::{RelPath, Sha256};

/// How the dispatcher's process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutcomeRecord {
    /// `not-started`, `exited`, `signalled`, `timed-out`, `cancelled` or `lost` (its guard was
    /// ended from outside).
    pub(crate) kind: String,
    /// Where it exited.
    pub(crate) exit_code: Option<i32>,
    /// Where a signal ended it.
    pub(crate) signal: Option<i32>,
    /// The limit that ended it: `run`, `file`, `test` or `no-output`.
    pub(crate) limit: Option<String>,
    /// How long it ran.
    pub(crate) duration_ms: u64,
}

/// The limits that held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LimitsRecord {
    /// For the whole run.
    pub(crate) run_ms: Option<u64>,
    /// For one file.
    pub(crate) file_ms: Option<u64>,
    /// For one test.
    pub(crate) test_ms: Option<u64>,
    /// For silence.
    pub(crate) no_output_ms: Option<u64>,
    /// Between asking and killing.
    pub(crate) kill_grace_ms: u64,
}

/// The host's lock as this run met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LockRecord {
    /// Its group.
    pub(crate) group: String,
    /// How long the run waited for it.
    pub(crate) waited_ms: u64,
    /// Who held it meanwhile.
    pub(crate) holder: Option<String>,
}

/// What became of one selected file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accounted {
    /// It ran.
    Ran,
    /// It could not be loaded.
    FailedToLoad,
    /// The run ended before it.
    NotReached,
    /// Nothing tells.
    Unknown,
}

/// One entry of `accounting[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Accounting {
    /// Relative to the root.
    pub(crate) path: RelPath,
    /// What became of it.
    pub(crate) state: Accounted,
}

/// A process that outlived the tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leak {
    /// Its id.
    pub(crate) pid: u32,
    /// When it was born.
    pub(crate) start_time_utc: Option<Timestamp>,
    /// Its command line.
    pub(crate) command: String,
    /// `reported` or `ended`.
    pub(crate) action: String,
    /// The test file whose process started it; null where it cannot be told, or where one process
    /// runs all.
    pub(crate) file: Option<RelPath>,
}

/// One raw file, relative to the results folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RawFile {
    /// Relative to the results folder.
    pub(crate) path: RelPath,
    /// In bytes.
    pub(crate) size: u64,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
}

/// What was running when the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InFlight {
    /// What kind of thing.
    pub(crate) kind: InFlightKind,
    /// Its name.
    pub(crate) name: String,
    /// The file it stands in.
    pub(crate) file: Option<String>,
    /// The line it starts at.
    pub(crate) line: Option<u64>,
}

/// What kind of thing was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InFlightKind {
    /// A test.
    Test,
    /// A setup or teardown block.
    Block,
    /// A file, while no test of it is known to run.
    File,
}

receipt! {
    /// What happened when the dispatcher ran on the plan. The first block of its own fields carries
    /// the predecessor's names.
    ExecutionReceipt: Classification, Execute,
        "pester-execution-receipt@v1", "pester-run-receipt.json" {
        /// `ready`, `warning`, `blocked` or `unknown`.
        context_status: String,
        /// Where context's receipt was read.
        context_receipt_path: Option<String>,
        /// Whether it was there.
        context_receipt_present: bool,
        /// The issue that has the floor.
        standing_priority_issue: Option<u64>,
        /// `ready`, `warning`, `blocked` or `unknown`.
        readiness_status: String,
        /// Where preflight's receipt was read.
        readiness_receipt_path: Option<String>,
        /// Whether it was there.
        readiness_receipt_present: bool,
        /// When it was made.
        readiness_receipt_generated_at_utc: Option<Timestamp>,
        /// For how long it holds.
        readiness_receipt_freshness_window_seconds: Option<u64>,
        /// `ready`, `warning`, `blocked` or `unknown`.
        selection_status: String,
        /// Where selection's receipt was read.
        selection_receipt_path: Option<String>,
        /// Whether it was there.
        selection_receipt_present: bool,
        /// The pack.
        selection_execution_pack: Option<String>,
        /// `declared` or `default`.
        selection_execution_pack_source: Option<String>,
        /// `include` or `exclude`.
        selection_integration_mode: Option<String>,
        /// Whether fixtures that wait for integration tests were staged.
        selection_fixture_required: bool,
        /// The dispatcher's exit code; -1 where there is none.
        dispatcher_exit_code: i32,
        /// The journal, relative to the results folder.
        telemetry_path: Option<String>,
        /// Whether it is there.
        telemetry_present: bool,
        /// `telemetry-available`, `telemetry-partial` or `telemetry-missing`.
        telemetry_status: String,
        /// Type of the last event.
        telemetry_last_known_phase: Option<String>,
        /// How many events the journal holds.
        telemetry_event_count: u64,
        /// `complete`, or the reason code that kept the results from being read, or `not-run`.
        postprocess_status: String,
        /// `complete`, `truncated`, `invalid`, `unsupported`, `inconsistent`, `missing` or
        /// `not-run`.
        results_xml_status: String,
        /// Whether counts could be made.
        summary_present: bool,
        /// Name under which the results folder is uploaded.
        raw_artifact_name: String,
        /// Whether there is anything to upload.
        raw_artifact_expected: bool,
        /// Who wrote this receipt: `execute`, or `post/finalize` for one that never came.
        source: String,
        /// Whether an empty or wholly skipped run was let through by policy `notice`.
        gate_notice: bool,
        /// How the dispatcher's process ended; null where none was started.
        outcome: Option<OutcomeRecord>,
        /// The limits that held.
        limits: LimitsRecord,
        /// The host's lock; null where none was taken.
        lock: Option<LockRecord>,
        /// What the tests came to.
        counts: Counts,
        /// Every selected file.
        accounting: Vec<Accounting>,
        /// What was running at the end.
        in_flight: Option<InFlight>,
        /// Processes that outlived the tests.
        leaks: Vec<Leak>,
        /// The results folder's files.
        files: Vec<RawFile>,
        /// Which shard ran, as `K/N`.
        shard: Option<String>,
        /// The checkout's root on the host that ran it: by it a place in a report is one of the
        /// repository.
        root: Option<String>,
        /// Names of the variables that the tests had, without their values.
        environment: Option<Vec<String>>,
        /// The most processes that ran at once; null for a dispatcher that is one process.
        peak_in_flight: Option<u32>,
    }
}
