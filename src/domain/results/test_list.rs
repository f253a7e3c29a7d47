//! Every test of a run with what came of it and how long it took: what a later run is compared
//! with, and by what the next plan is cut into equal parts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::receipt::{Classification, CodeText};
use crate::domain::results::case::Case;
use crate::domain::results::counts::{CaseOutcome, Counts};
use crate::domain::run::ids::{CommitSha, GateId, RepoSlug, RunId, Sha256};

/// Schema id of the document.
pub(crate) const SCHEMA: &str = "pester-tests@v1";
/// File name of the document.
pub(crate) const FILE: &str = "pester-tests.json";

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Test {
    /// Its name, its class before it.
    pub(crate) name: String,
    /// Its file, below the root where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// What it came to.
    pub(crate) outcome: CaseOutcome,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<f64>,
    /// By what its failure is known again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
}

impl Test {
    /// A case of a results file.
    pub(crate) fn of(case: &Case) -> Self {
        let ms = |time: std::time::Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
        Self {
            name: case.id(),
            file: case.file.clone(),
            outcome: case.outcome,
            duration_ms: case.duration.map(ms),
            signature: None,
        }
    }

    /// Whether it failed.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome, CaseOutcome::Failed | CaseOutcome::Errored)
    }

    /// Whether it ran to an end of its own.
    pub(crate) fn ran(&self) -> bool {
        self.failed() || self.outcome == CaseOutcome::Passed
    }
}

/// `pester-tests.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestList {
    /// `pester-tests@v1`.
    pub(crate) schema: String,
    /// When it was made.
    pub(crate) generated_at_utc: jiff::Timestamp,
    /// Whose tests.
    pub(crate) repository: Option<RepoSlug>,
    /// Which of several gates of the run.
    #[serde(default)]
    pub(crate) gate_id: Option<GateId>,
    /// The run.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// The commit under test.
    pub(crate) head_sha: Option<CommitSha>,
    /// What the run came to.
    pub(crate) classification: Classification,
    /// Why.
    pub(crate) reason: CodeText,
    /// The pack.
    pub(crate) pack: Option<String>,
    /// `include` or `exclude`.
    pub(crate) integration_mode: Option<String>,
    /// What ran them.
    pub(crate) dispatcher: Option<String>,
    /// The plan's digest.
    pub(crate) plan_sha256: Option<Sha256>,
    /// Files of the plan.
    pub(crate) files: Vec<String>,
    /// Files that were found and left out.
    pub(crate) left_out: Vec<String>,
    /// What the tests came to.
    pub(crate) counts: Counts,
    /// Why tests may be missing here that the plan holds; empty where every one is here.
    pub(crate) missing: Vec<String>,
    /// Every test, in the order of the reports.
    pub(crate) tests: Vec<Test>,
}

impl TestList {
    /// The same without the tests.
    pub(crate) fn head(&self) -> Self {
        Self {
            schema: self.schema.clone(),
            generated_at_utc: self.generated_at_utc,
            repository: self.repository.clone(),
            gate_id: self.gate_id.clone(),
            run_id: self.run_id.clone(),
            run_attempt: self.run_attempt,
            head_sha: self.head_sha.clone(),
            classification: self.classification,
            reason: self.reason.clone(),
            pack: self.pack.clone(),
            integration_mode: self.integration_mode.clone(),
            dispatcher: self.dispatcher.clone(),
            plan_sha256: self.plan_sha256.clone(),
            files: self.files.clone(),
            left_out: self.left_out.clone(),
            counts: self.counts,
            missing: self.missing.clone(),
            tests: Vec::new(),
        }
    }

    /// The slowest tests, the slowest first.
    pub(crate) fn slowest(&self) -> impl Iterator<Item = &Test> {
        let ms = |test: &&Test| test.duration_ms.unwrap_or_default();
        let mut timed: Vec<&Test> = self.tests.iter().filter(|test| ms(test) > 0.0).collect();
        timed.sort_by(|a, b| ms(b).total_cmp(&ms(a)).then_with(|| a.name.cmp(&b.name)));
        timed.into_iter()
    }

    /// How long each file took, by its tests, in milliseconds.
    pub(crate) fn durations(&self) -> BTreeMap<&str, f64> {
        let mut durations = BTreeMap::new();
        for (file, ms) in
            self.tests.iter().filter_map(|test| Some((test.file.as_deref()?, test.duration_ms?)))
        {
            *durations.entry(file).or_insert(0.0) += ms;
        }
        durations
    }
}
