//! The preflight layer's receipt.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CodeText, LayerStatus, receipt};
use crate::domain::run::ids::{CommitSha, RunId, Sha256};

/// What a probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProbeOutcome {
    /// It is there.
    Pass,
    /// Something is amiss that nothing required.
    Warn,
    /// It is proven not to be there.
    Fail,
    /// No answer that can be read.
    Unknown,
    /// Not looked at.
    Skipped,
}

/// One probe's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProbeRecord {
    /// What it came to.
    pub(crate) outcome: ProbeOutcome,
    /// Whether the pack requires it.
    pub(crate) required: bool,
    /// What was seen.
    pub(crate) facts: BTreeMap<String, serde_json::Value>,
    /// Why it is not `pass`.
    pub(crate) reason: Option<CodeText>,
    /// What a person does next.
    pub(crate) remedy: Option<String>,
    /// How long it took.
    pub(crate) duration_ms: u64,
}

/// A fixture as preflight saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FixtureRecord {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Where it lies, relative to the root.
    pub(crate) path: String,
    /// The variable that tests find it by.
    pub(crate) env: Option<String>,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
}

/// A host as it was when the gate was last green there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastGreen {
    /// The run.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// When it ended.
    pub(crate) at_utc: jiff::Timestamp,
    /// Its commit.
    pub(crate) head_sha: Option<CommitSha>,
    /// Every fact, by its name.
    pub(crate) facts: BTreeMap<String, String>,
}

receipt! {
    /// Is this host fit for this pack?
    ReadinessReceipt: LayerStatus, Preflight,
        "pester-selfhosted-readiness-receipt@v1", "selfhosted-readiness.json" {
        /// For how long the answer holds.
        freshness_window_seconds: u64,
        /// The pack it was measured for.
        pack: String,
        /// Every probe, by requirement name.
        probes: BTreeMap<String, ProbeRecord>,
        /// Every fixture that the run needs.
        fixtures: Vec<FixtureRecord>,
        /// This host as it was when this pack was last green here; null where it never was.
        last_green: Option<LastGreen>,
    }
}
