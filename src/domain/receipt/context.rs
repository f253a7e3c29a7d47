//! The context layer's receipt.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CodeText, LayerStatus, receipt};
use crate::domain::run::ids::CommitSha;

/// What is known of the issue that has the floor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StandingPriority {
    /// Its number.
    pub(crate) issue_number: Option<u64>,
    /// Its title.
    pub(crate) title: Option<String>,
    /// Its page.
    pub(crate) url: Option<String>,
    /// The label that it was found by.
    pub(crate) label: Option<String>,
    /// The repository that was asked.
    pub(crate) repository: Option<String>,
    /// The reason code of the look-up.
    pub(crate) reason: Option<CodeText>,
    /// Every issue that would do.
    pub(crate) candidates: Vec<u64>,
}

/// What is known of the token, without the token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenState {
    /// Whether one is there.
    pub(crate) present: bool,
    /// Its kind, by its prefix.
    pub(crate) kind: Option<String>,
    /// What a probe of it came to; null where none was made.
    pub(crate) probe: Option<String>,
    /// Requests left.
    pub(crate) rate_limit_remaining: Option<u64>,
}

/// Who named which repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SlugSource {
    /// `option`, `event`, `GITHUB_REPOSITORY` or `remote:<name>`.
    pub(crate) source: String,
    /// What it said, without credentials.
    pub(crate) value: String,
}

/// The checkout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Worktree {
    /// Its top folder.
    pub(crate) root: String,
    /// The commit that is checked out; null where that is not known.
    pub(crate) head_sha: Option<CommitSha>,
    /// Whether it holds changes; null where that is not known.
    pub(crate) dirty: Option<bool>,
    /// Up to 20 of the changed files.
    pub(crate) dirty_files: Vec<String>,
    /// The paths that had to be there.
    pub(crate) required_paths: Vec<String>,
    /// The folders of helpers that had to be there.
    #[serde(default)]
    pub(crate) helper_roots: Vec<String>,
}

/// What was asked of GitHub.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LookUp {
    /// The API that was asked.
    pub(crate) api: Option<String>,
    /// How many requests were made, repeated ones included.
    pub(crate) requests: u64,
    /// How long it all took, waiting included.
    pub(crate) duration_ms: u64,
    /// How much of that was waiting between requests.
    pub(crate) waited_ms: u64,
    /// Why there was no answer, finer than the reason code.
    pub(crate) cause: Option<String>,
    /// The requests; of more than 20 the first and the last ten.
    pub(crate) calls: Vec<Call>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    /// Path and query.
    pub(crate) target: String,
    /// The answer's status; null where there was no answer. 304: nothing had changed, and it cost
    /// no quota.
    pub(crate) status: Option<u16>,
    /// Why it was no answer that could be used.
    pub(crate) cause: Option<String>,
    /// How long it took.
    pub(crate) duration_ms: u64,
}

receipt! {
    /// Which repository, which commit, is the token usable, which issue has standing priority?
    ContextReceipt: LayerStatus, Context, "pester-context-receipt@v1", "pester-context.json" {
        /// As given by `--sample-id`.
        sample_id: Option<String>,
        /// The issue that has the floor.
        standing_priority: StandingPriority,
        /// The token.
        token: TokenState,
        /// What was asked of GitHub.
        #[serde(default)]
        look_up: LookUp,
        /// Who named which repository, in order of precedence.
        slug_sources: Vec<SlugSource>,
        /// The checkout.
        worktree: Worktree,
        /// By what the repository is known again on this host: `remote:`, `commit:` or `path:` and
        /// the rest.
        #[serde(default)]
        repository_identity: Option<String>,
    }
}
