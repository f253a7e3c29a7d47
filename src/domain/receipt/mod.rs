//! Receipts: the shapes through which layers meet, one file per layer.
//!
//! They are public contracts (`docs/receipts.md`): fields are added, never renamed or retyped.
//! Each is one flat struct, because serde's `flatten` loses the path and line of an error; the
//! common fields are written by the [`receipt!`] macro. Readers tolerate unknown fields and fail
//! closed on an unknown schema id.

mod context;
mod evidence;
mod execution;
mod readiness;
mod route;
mod selection;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use context::{
    Call, ContextReceipt, LookUp, SlugSource, StandingPriority, TokenState, Worktree,
};
pub(crate) use evidence::{
    Change, EvidenceReceipt, FileRecord, JobResult, OperatorOutcome, Provenance, ReplayedBy,
    SinceGreen, StoredDigest, StoredRequest, ToldJob,
};
pub(crate) use execution::{
    Accounted, Accounting, ExecutionReceipt, InFlight, InFlightKind, Leak, LimitsRecord,
    LockRecord, OutcomeRecord, RawFile,
};
pub(crate) use readiness::{FixtureRecord, LastGreen, ProbeOutcome, ProbeRecord, ReadinessReceipt};
pub(crate) use route::{RouteReceipt, TrustMode};
pub(crate) use selection::{
    DispatcherProfile, Excluded, RerunOf, SelectedFile, Selection, SelectionReceipt, ShardRecord,
};

use crate::domain::run::ids::{CommitSha, GateId, RepoSlug, RunId, Sha256};
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// Status of route, context, preflight and selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LayerStatus {
    /// Go on.
    Ready,
    /// Go on, and say so.
    Warning,
    /// The chain stops here.
    Blocked,
}

impl LayerStatus {
    /// The word as written in receipts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            LayerStatus::Ready => "ready",
            LayerStatus::Warning => "warning",
            LayerStatus::Blocked => "blocked",
        }
    }
}

/// What a run came to: a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Classification {
    /// The tests ran and passed.
    Completed,
    /// The tests ran and at least one failed.
    TestFailures,
    /// Route or context stopped the chain.
    ContextBlocked,
    /// Preflight stopped the chain.
    ReadinessBlocked,
    /// Selection stopped the chain.
    SelectionBlocked,
    /// The seam itself (dispatcher, results, harness) is at fault.
    SeamDefect,
}

impl Classification {
    /// Returns the classification that is written like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// For people, in two or three words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Completed => "passed",
            Self::TestFailures => "tests failed",
            Self::ContextBlocked => "context is blocked",
            Self::ReadinessBlocked => "this host is not ready",
            Self::SelectionBlocked => "no tests could be selected",
            Self::SeamDefect => "harness failure",
        }
    }

    /// What it means, in a sentence.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Completed => "the selected tests ran and passed",
            Self::TestFailures => "the tests ran, and at least one failed or did not load",
            Self::ContextBlocked => {
                "the run, its repository or its commit could not be established"
            }
            Self::ReadinessBlocked => "this host lacks something that the tests need; no test ran",
            Self::SelectionBlocked => "no test could be selected as configured; no test ran",
            Self::SeamDefect => {
                "harness failure: the tests could not be run, or their results could not be read"
            }
        }
    }

    /// The exit code of a gate with this verdict.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::TestFailures => 1,
            Self::ContextBlocked => 3,
            Self::ReadinessBlocked => 4,
            Self::SelectionBlocked => 5,
            Self::SeamDefect => 6,
        }
    }

    /// All of them.
    pub(crate) const ALL: [Classification; 6] = [
        Classification::Completed,
        Classification::TestFailures,
        Classification::ContextBlocked,
        Classification::ReadinessBlocked,
        Classification::SelectionBlocked,
        Classification::SeamDefect,
    ];

    /// The word as written in receipts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Classification::Completed => "completed",
            Classification::TestFailures => "test-failures",
            Classification::ContextBlocked => "context-blocked",
            Classification::ReadinessBlocked => "readiness-blocked",
            Classification::SelectionBlocked => "selection-blocked",
            Classification::SeamDefect => "seam-defect",
        }
    }
}

/// What the gate says to a required check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GateStatus {
    /// Green.
    Pass,
    /// Red.
    Fail,
    /// Failed, but the caller asked to continue.
    Notice,
}

/// A reason code as read: this version's own, or one that it does not know and keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct CodeText(pub(crate) String);

impl CodeText {
    /// The code, where this version knows it.
    pub(crate) fn known(&self) -> Option<ReasonCode> {
        ReasonCode::parse(&self.0)
    }
}

impl From<ReasonCode> for CodeText {
    fn from(code: ReasonCode) -> Self {
        Self(code.as_str().to_owned())
    }
}

/// One entry of `reasons[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    /// The code.
    pub(crate) code: CodeText,
    /// The layer that is charged.
    pub(crate) layer: Layer,
    /// One line for a person.
    pub(crate) detail: String,
}

impl From<&Finding> for Reason {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code().into(),
            layer: finding.layer(),
            detail: finding.detail().to_owned(),
        }
    }
}

/// Which run a receipt belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// `GITHUB_RUN_ID`, or `local-<uuid>`.
    pub(crate) run_id: RunId,
    /// `GITHUB_RUN_ATTEMPT`, or 1.
    pub(crate) run_attempt: u32,
    /// As given by `--gate-id`, where several gates share one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gate_id: Option<GateId>,
    /// `GITHUB_WORKFLOW`.
    pub(crate) workflow: Option<String>,
    /// `GITHUB_JOB`.
    pub(crate) job: Option<String>,
    /// `GITHUB_EVENT_NAME`.
    pub(crate) event_name: Option<String>,
    /// The commit under test.
    pub(crate) head_sha: Option<CommitSha>,
    /// The branch under test.
    pub(crate) head_ref: Option<String>,
    /// The branch it goes to.
    pub(crate) base_ref: Option<String>,
    /// As given by `--sample-id`.
    pub(crate) sample_id: Option<String>,
    /// As given by `--correlation-id`.
    pub(crate) correlation_id: Option<String>,
}

/// Where a receipt was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Host {
    /// A digest of the operating system's machine id: tells hosts apart, discloses nothing.
    pub(crate) machine_id: String,
    /// The host's name.
    pub(crate) name: String,
    /// `linux`, `windows` or `macos`.
    pub(crate) os: String,
    /// `x86_64`, `aarch64`, ...
    pub(crate) arch: String,
    /// `RUNNER_NAME`.
    pub(crate) runner_name: Option<String>,
}

/// What made a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tool {
    /// `pester-gate`.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
}

/// A receipt that a layer consumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Parent {
    /// Its schema id.
    pub(crate) schema: String,
    /// Where it was read.
    pub(crate) path: String,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
}

/// The fields that every receipt begins with.
#[derive(Debug, Clone)]
pub(crate) struct Head<S> {
    /// When its layer began.
    pub(crate) started_at_utc: Timestamp,
    /// When it was made.
    pub(crate) generated_at_utc: Timestamp,
    /// Status or classification.
    pub(crate) status: S,
    /// Every reason that held, the deciding one first; never empty.
    pub(crate) reasons: Vec<Reason>,
    /// The repository, where one was resolved.
    pub(crate) repository: Option<RepoSlug>,
    /// The run.
    pub(crate) run: Run,
    /// The host.
    pub(crate) host: Host,
    /// The tool.
    pub(crate) tool: Tool,
    /// What was consumed.
    pub(crate) parents: Vec<Parent>,
}

/// What all receipts have in common, for readers that do not care which one it is.
pub(crate) trait Receipt: Serialize + serde::de::DeserializeOwned {
    /// Schema id with major version.
    const SCHEMA: &'static str;
    /// File name.
    const FILE: &'static str;
    /// The layer that writes it.
    const LAYER: Layer;
    /// When its layer began.
    fn started_at(&self) -> Option<Timestamp>;
    /// When it was made.
    fn generated_at(&self) -> Timestamp;
    /// The run.
    fn run(&self) -> &Run;
    /// What it was made from.
    fn parents(&self) -> &[Parent];
    /// Why it says what it says.
    fn reasons(&self) -> &[Reason];
}

macro_rules! receipt {
    (
        $(#[$meta:meta])*
        $name:ident: $status:ty, $layer:ident, $schema:literal, $file:literal {
            $($(#[$fmeta:meta])* $field:ident: $ty:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            /// Schema id with major version.
            pub(crate) schema: String,
            /// When its layer began.
            pub(crate) started_at_utc: Option<jiff::Timestamp>,
            /// When it was made.
            pub(crate) generated_at_utc: jiff::Timestamp,
            /// Status or classification.
            pub(crate) status: $status,
            /// The deciding reason code.
            pub(crate) reason: $crate::domain::receipt::CodeText,
            /// Every reason that held, the deciding one first.
            pub(crate) reasons: Vec<$crate::domain::receipt::Reason>,
            /// The repository, where one was resolved.
            pub(crate) repository: Option<$crate::domain::run::ids::RepoSlug>,
            /// The run.
            pub(crate) run: $crate::domain::receipt::Run,
            /// The host.
            pub(crate) host: $crate::domain::receipt::Host,
            /// The tool.
            pub(crate) tool: $crate::domain::receipt::Tool,
            /// What was consumed.
            pub(crate) parents: Vec<$crate::domain::receipt::Parent>,
            $($(#[$fmeta])* pub(crate) $field: $ty,)*
        }

        impl $name {
            /// A receipt with these common fields and empty ones of its own.
            #[allow(
                dead_code,
                reason = "a receipt may be read here and written by another version"
            )]
            pub(crate) fn headed(head: $crate::domain::receipt::Head<$status>) -> Self {
                Self {
                    schema: $schema.to_owned(),
                    started_at_utc: Some(head.started_at_utc),
                    generated_at_utc: head.generated_at_utc,
                    status: head.status,
                    reason: head.reasons.first().map_or_else(
                        || $crate::domain::verdict::reason::ReasonCode::InternalError.into(),
                        |reason| reason.code.clone(),
                    ),
                    reasons: head.reasons,
                    repository: head.repository,
                    run: head.run,
                    host: head.host,
                    tool: head.tool,
                    parents: head.parents,
                    $($field: Default::default(),)*
                }
            }
        }

        impl $crate::domain::receipt::Receipt for $name {
            const SCHEMA: &'static str = $schema;
            const FILE: &'static str = $file;
            const LAYER: $crate::domain::verdict::reason::Layer =
                $crate::domain::verdict::reason::Layer::$layer;
            fn started_at(&self) -> Option<jiff::Timestamp> {
                self.started_at_utc
            }
            fn generated_at(&self) -> jiff::Timestamp {
                self.generated_at_utc
            }
            fn run(&self) -> &$crate::domain::receipt::Run {
                &self.run
            }
            fn parents(&self) -> &[$crate::domain::receipt::Parent] {
                &self.parents
            }
            fn reasons(&self) -> &[$crate::domain::receipt::Reason] {
                &self.reasons
            }
        }
    };
}
pub(crate) use receipt;

/// Schema id, file name and layer of every receipt.
pub(crate) const CATALOGUE: [(&str, &str, Layer); 8] = [
    (RouteReceipt::SCHEMA, RouteReceipt::FILE, Layer::Route),
    (ContextReceipt::SCHEMA, ContextReceipt::FILE, Layer::Context),
    (ReadinessReceipt::SCHEMA, ReadinessReceipt::FILE, Layer::Preflight),
    (SelectionReceipt::SCHEMA, SelectionReceipt::FILE, Layer::Selection),
    (ExecutionReceipt::SCHEMA, ExecutionReceipt::FILE, Layer::Execute),
    (EvidenceReceipt::SCHEMA, EvidenceReceipt::FILE, Layer::Post),
    (OperatorOutcome::SCHEMA, OperatorOutcome::FILE, Layer::Post),
    (Provenance::SCHEMA, Provenance::FILE, Layer::Post),
];
