//! The post layer's three files.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Classification, CodeText, GateStatus, Host, InFlight, Leak, Reason, Tool, receipt};
use crate::domain::config::typed::Typed;
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::ClassRule;
use crate::domain::run::ids::{CommitSha, RunId, Sha256};
use crate::domain::verdict::reason::Layer;

receipt! {
    /// What the run came to, and from which facts. The predecessor's fields, and the layer at
    /// fault.
    EvidenceReceipt: Classification, Post,
        "pester-evidence-classification@v1", "pester-evidence-classification.json" {
        /// Context's status, or its job's result, or `unknown`.
        context_status: String,
        /// Preflight's.
        readiness_status: String,
        /// Selection's.
        selection_status: String,
        /// The pack.
        selection_execution_pack: Option<String>,
        /// `declared` or `default`.
        selection_execution_pack_source: Option<String>,
        /// `success`, `failure`, `cancelled`, `skipped` or `unknown`.
        execution_job_result: String,
        /// `staged` where the raw folder was found, else `missing` or `not-requested`.
        raw_artifact_download: String,
        /// The dispatcher's exit code; -1 where there is none.
        dispatcher_exit_code: i32,
        /// Whether counts could be made.
        summary_present: bool,
        /// `ok`, `missing` or the `receipt-*` code.
        execution_receipt_schema_status: String,
        /// The same as `status`, under the predecessor's name.
        classification: Option<Classification>,
        /// The layer at fault, or `none`.
        failed_layer: String,
    }
}

/// One fact that is another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Change {
    /// Which.
    pub(crate) what: String,
    /// What it was; null where it was not there.
    pub(crate) was: Option<String>,
    /// What it is; null where it is not there.
    pub(crate) is: Option<String>,
    /// How much it is to be suspected, from 0 to 100.
    pub(crate) suspicion: u32,
}

/// What changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SinceGreen {
    /// The green run.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// When it ended.
    pub(crate) at_utc: jiff::Timestamp,
    /// What is another now, the worst suspect first; empty where nothing that the gate knows of
    /// changed.
    pub(crate) changes: Vec<Change>,
    /// Changes beyond those that are told.
    pub(crate) more: u64,
}

receipt! {
    /// What it means for the operator, and what they do next.
    OperatorOutcome: Classification, Post,
        "pester-operator-outcome@v1", "pester-operator-outcome.json" {
        /// The same as `status`, under the predecessor's name.
        classification: Option<Classification>,
        /// The layer at fault, or `none`.
        failed_layer: String,
        /// What a required check is told.
        gate_status: Option<GateStatus>,
        /// Whether the caller asked to continue.
        continue_on_error: bool,
        /// One line for a person.
        headline: String,
        /// Stable id of the next action.
        next_action_id: String,
        /// What a person does next.
        next_action: String,
        /// The command that shows it again.
        replay: Option<String>,
        /// Files to open, relative to the receipts folder.
        action_context: Vec<String>,
        /// What was running at the end.
        in_flight: Option<InFlight>,
        /// Processes that outlived the tests.
        leaks: Vec<Leak>,
        /// What the tests came to; zeros where nothing ran.
        counts: Counts,
        /// What changed on the host since it was last green; null for a green run and where it
        /// never was.
        since_green: Option<SinceGreen>,
    }
}

/// One input or output of post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileRecord {
    /// What it is: `context-receipt`, `raw`, `classification`, ...
    pub(crate) role: String,
    /// Relative to the receipts folder (inputs) or to the out folder (outputs).
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size_bytes: u64,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
    /// Its schema id, where it has one.
    pub(crate) schema: Option<String>,
}

/// How a job ended, as `toJSON(needs)` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JobResult {
    /// Every step succeeded.
    Success,
    /// A step failed.
    Failure,
    /// Somebody or a time limit ended it.
    Cancelled,
    /// It never began.
    Skipped,
}

impl JobResult {
    /// From GitHub's word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            "cancelled" => Some(Self::Cancelled),
            "skipped" => Some(Self::Skipped),
            _ => None,
        }
    }

    /// GitHub's word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// A job, as post was told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ToldJob {
    /// The layer.
    pub(crate) layer: Layer,
    /// How it ended.
    pub(crate) result: JobResult,
    /// Its `reason` output, where that is a code.
    pub(crate) reason: Option<CodeText>,
}

/// A digest, as post was told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StoredDigest {
    /// Whose receipt's.
    pub(crate) layer: Layer,
    /// Of which shard, where execute ran in several.
    pub(crate) shard: Option<u32>,
    /// The digest.
    pub(crate) sha256: Sha256,
}

/// What the verdict was made from beside the files: with it, the files alone give the verdict
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredRequest {
    /// How the jobs ended.
    pub(crate) jobs: Vec<ToldJob>,
    /// Digests that came by the jobs' outputs.
    pub(crate) digests: Vec<StoredDigest>,
    /// Whether the caller asked to continue.
    pub(crate) continue_on_failure: bool,
    /// The run, where the environment named it.
    pub(crate) run_id: Option<RunId>,
    /// Its attempt.
    pub(crate) run_attempt: Option<u32>,
    /// The commit under test, where flag, event or environment named it.
    pub(crate) head_sha: Option<CommitSha>,
    /// The pack that was asked for.
    pub(crate) pack: Option<String>,
    /// What was wrong with the environment itself.
    pub(crate) found: Vec<Reason>,
    /// The repository's own rules for classes of failures.
    #[serde(default)]
    pub(crate) classes: Vec<ClassRule>,
    /// What was typed; null where the layers ran one by one.
    #[serde(default)]
    pub(crate) typed: Option<Typed>,
}

/// Who made evidence again, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplayedBy {
    /// The host.
    pub(crate) host: Host,
    /// The tool.
    pub(crate) tool: Tool,
    /// Whether the verdict is that of the retained evidence; null where there was none to compare
    /// with.
    pub(crate) same_verdict: Option<bool>,
}

receipt! {
    /// Every file that the verdict was made from, and every file that was made.
    Provenance: Classification, Post,
        "pester-derived-provenance@v1", "pester-evidence-provenance.json" {
        /// `evidence` or `local-replay`.
        kind: String,
        /// What was read.
        source_inputs: Vec<FileRecord>,
        /// What was written.
        derived_outputs: Vec<FileRecord>,
        /// What the verdict was made from beside the files.
        #[serde(rename = "told")]
        request: Option<StoredRequest>,
        /// Who made this evidence again; null for a run's own.
        replayed_by: Option<ReplayedBy>,
    }
}
