//! The route layer's receipt.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LayerStatus, receipt};
use crate::domain::run::ids::RepoSlug;

/// On what ground an event was admitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TrustMode {
    /// A ref of this repository.
    OwnRef,
    /// A pull request from a branch of this repository.
    SameRepository,
    /// A pull request from a fork of the same owner.
    SameOwnerFork,
    /// Started by hand.
    Dispatch,
    /// Not admitted.
    #[default]
    None,
}

impl TrustMode {
    /// The word as written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            TrustMode::OwnRef => "own-ref",
            TrustMode::SameRepository => "same-repository",
            TrustMode::SameOwnerFork => "same-owner-fork",
            TrustMode::Dispatch => "dispatch",
            TrustMode::None => "none",
        }
    }
}

receipt! {
    /// May this event drive a self-hosted runner, and at which repository and commit?
    RouteReceipt: LayerStatus, Route, "pester-route-receipt@v1", "pester-route.json" {
        /// Whether the gate may run.
        should_run: bool,
        /// On what ground; `none` whenever `shouldRun` is false.
        trust_mode: TrustMode,
        /// Where the commit under test lives.
        head_repository: Option<RepoSlug>,
        /// Every fact that the decision used.
        facts: BTreeMap<String, serde_json::Value>,
    }
}
