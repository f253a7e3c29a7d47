//! The selection layer's receipt.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LayerStatus, receipt};
use crate::domain::config::quantity::Span;
use crate::domain::config::sourced::Sourced;
use crate::domain::config::{DispatcherKind, EmptyPolicy, Isolation, Leaks, WarnOrFail};
use crate::domain::run::ids::{RelPath, RunId, Sha256};

/// One selected file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelectedFile {
    /// Relative to the root.
    pub(crate) path: RelPath,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
    /// Digest of its text with CRLF read as LF.
    pub(crate) text_sha256: Sha256,
}

/// One file that was found and left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Excluded {
    /// Relative to the root.
    pub(crate) path: String,
    /// Which rule left it out.
    pub(crate) reason: String,
}

/// What was chosen, and by which rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selection {
    /// The pack's name.
    pub(crate) execution_pack: String,
    /// `declared` or `default`.
    pub(crate) execution_pack_source: String,
    /// The pack's description.
    pub(crate) execution_pack_description: String,
    /// `include` or `exclude`.
    pub(crate) integration_mode: String,
    /// What the mode was read from.
    pub(crate) integration_mode_source: String,
    /// The pack's own patterns.
    pub(crate) base_include_patterns: Vec<String>,
    /// Patterns that narrow.
    pub(crate) refine_include_patterns: Vec<String>,
    /// Pack and command line together.
    pub(crate) effective_include_patterns: Vec<String>,
    /// The same, under the predecessor's name.
    pub(crate) include_patterns: Vec<String>,
    /// Patterns that leave out.
    pub(crate) exclude_patterns: Vec<String>,
    /// Whether integration tests are included, and with them the fixtures that wait for that.
    pub(crate) fixture_required: bool,
    /// The files, in path order.
    pub(crate) files: Vec<SelectedFile>,
    /// Every file that was found and left out, with the rule.
    pub(crate) excluded: Vec<Excluded>,
}

/// Everything that execute needs to know, each value with its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct DispatcherProfile {
    pub(crate) name: Sourced<String>,
    pub(crate) kind: Sourced<DispatcherKind>,
    pub(crate) command: Sourced<Vec<String>>,
    pub(crate) results: Sourced<Vec<String>>,
    pub(crate) isolation: Sourced<Isolation>,
    pub(crate) jobs: Sourced<u32>,
    pub(crate) script: Sourced<Option<String>>,
    pub(crate) powershell: Sourced<String>,
    pub(crate) pester_minimum_version: Sourced<String>,
    pub(crate) pester_maximum_version: Sourced<Option<String>>,
    pub(crate) tag: Sourced<Vec<String>>,
    pub(crate) exclude_tag: Sourced<Vec<String>>,
    pub(crate) before: Sourced<Vec<Vec<String>>>,
    pub(crate) after: Sourced<Vec<Vec<String>>>,
    pub(crate) artifacts: Sourced<Vec<String>>,
    pub(crate) leaks: Sourced<Leaks>,
    pub(crate) leak_grace: Sourced<Span>,
    pub(crate) run_limit: Sourced<Option<Span>>,
    pub(crate) file_limit: Sourced<Option<Span>>,
    pub(crate) test_limit: Sourced<Option<Span>>,
    pub(crate) no_output_limit: Sourced<Option<Span>>,
    pub(crate) kill_grace: Sourced<Span>,
    pub(crate) zero_tests: Sourced<EmptyPolicy>,
    pub(crate) all_skipped: Sourced<EmptyPolicy>,
    #[serde(default = "fails")]
    pub(crate) unaccounted: Sourced<WarnOrFail>,
}

/// The policy of a profile that was written before there was a choice.
fn fails() -> Sourced<WarnOrFail> {
    Sourced::default(WarnOrFail::Fail)
}

/// One shard of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ShardRecord {
    /// Counted from 1.
    pub(crate) index: u32,
    /// How many there are.
    pub(crate) of: u32,
    /// Its files, relative to the root.
    pub(crate) files: Vec<RelPath>,
}

/// The bundle that a run repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RerunOf {
    /// The run that failed.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// Digest of the bundle.
    pub(crate) sha256: Sha256,
    /// Where the bundle was on that machine; not told in a bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
}

receipt! {
    /// Exactly which test files run, with which dispatcher profile?
    SelectionReceipt: LayerStatus, Selection,
        "pester-selection-receipt@v1", "pester-selection.json" {
        /// What was chosen.
        selection: Selection,
        /// Resolved settings of the run; null where selection was blocked before they were.
        dispatcher_profile: Option<DispatcherProfile>,
        /// Digest over every regular file below the tests path.
        test_tree_sha256: Option<Sha256>,
        /// Digest over the plan: path and text digest of each selected file.
        plan_sha256: Option<Sha256>,
        /// The plan cut into parts.
        shards: Vec<ShardRecord>,
        /// The bundle that this run repeats; null for a run of its own.
        rerun_of: Option<RerunOf>,
    }
}
