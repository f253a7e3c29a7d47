//! Route: may this event drive a self-hosted runner, and at which repository and commit?
//!
//! It reads the event and nothing else: no checkout, no network, no host.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::invocation::{self, Identity, Invocation, Outcome, Unreported};
use crate::adapter::runner;
use crate::adapter::world::World;
use crate::domain::config::WhenRefused;
use crate::domain::receipt::{RouteReceipt, TrustMode};
use crate::domain::run::ids::{ArtifactName, RepoSlug};
use crate::domain::verdict::classify::layer_status;
use crate::domain::verdict::fault::{Finding, charge, good};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::domain::verdict::route::{self, Admitted, Asked};
use crate::report::markdown;

/// What route is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// `--repository`: this repository.
    pub(crate) repository: Option<RepoSlug>,
}

/// What was decided.
#[derive(Debug)]
pub(crate) struct Decided {
    /// The deciding finding first.
    pub(crate) findings: Vec<Finding>,
    /// What may run, where anything may.
    pub(crate) admitted: Option<Admitted>,
    /// Every fact that was used.
    pub(crate) facts: BTreeMap<String, Value>,
}

impl Decided {
    fn mode(&self) -> TrustMode {
        self.admitted.as_ref().map(|admitted| admitted.mode).unwrap_or_default()
    }

    /// For `--dry-run`.
    pub(crate) fn json(&self) -> Value {
        let finding = self.findings.first();
        json!({
            "shouldRun": self.admitted.is_some(),
            "trustMode": self.mode(),
            "reason": finding.map(|finding| finding.code().as_str()),
            "detail": finding.map(Finding::detail),
            "headRepository": self.admitted.as_ref().map(|admitted| &admitted.repository),
            "headSha": self.admitted.as_ref().map(|admitted| &admitted.head_sha),
            "facts": self.facts,
        })
    }
}

/// Decides; nothing is written.
pub(crate) fn decide(invocation: &Invocation, request: &Request) -> Decided {
    let settings = &invocation.settings;
    let pull_request = invocation.facts.event_name.as_deref() == Some("pull_request_target");
    let asked = Asked {
        event_name: invocation.facts.event_name.clone(),
        repository: request.repository.clone().or_else(|| invocation.facts.repository.clone()),
        own_sha: invocation.facts.head_sha.clone().filter(|_| !pull_request),
        label: settings.routing_label.value.clone(),
        trust: settings.routing_trust.value,
    };
    let mut decided = Decided {
        findings: invocation.fact_findings(Layer::Route),
        admitted: None,
        facts: BTreeMap::new(),
    };
    let event = invocation.facts.event.clone().unwrap_or_else(|| json!({}));
    let facts = match route::facts(&asked, &event) {
        Ok(facts) => facts,
        Err(fault) => {
            // What could not be read at all has said so already.
            if decided.findings.is_empty() {
                decided.findings.push(charge(&fault, Layer::Route));
            }
            return decided;
        }
    };
    decided.facts = facts.record();
    if !decided.findings.is_empty() {
        return decided;
    }
    match route::decide(&facts) {
        Ok(admitted) => {
            let detail = format!("{} at {}", admitted.repository, admitted.head_sha);
            decided.findings.push(good(admitted.reason, Layer::Route, detail));
            decided.admitted = Some(admitted);
        }
        Err(fault) => decided.findings.push(charge(&fault, Layer::Route)),
    }
    decided
}

/// What a refusal means for the required check. A pull request that carries the label was meant to
/// run: a head that the label does not speak of must not turn the check green, also where other
/// refusals may.
fn when_refused(invocation: &Invocation, findings: &[Finding]) -> WhenRefused {
    let asked_for =
        findings.iter().any(|finding| finding.code() == ReasonCode::LabelNotBoundToHead);
    if asked_for { WhenRefused::Fail } else { invocation.settings.routing_when_refused.value }
}

/// Runs the layer.
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: &Request,
) -> Result<Outcome, Unreported> {
    let mut decided = decide(invocation, request);
    let mut identity = Identity::own(world, invocation);
    identity.repository =
        request.repository.clone().or_else(|| invocation.facts.repository.clone());
    let out = invocation.out_dir(&identity.run.0, identity.run.1);
    let mut findings = std::mem::take(&mut decided.findings);
    let head =
        invocation::head(world, invocation, &identity, &mut findings, layer_status, Vec::new());
    let mut receipt = RouteReceipt::headed(head);
    receipt.should_run = decided.admitted.is_some();
    receipt.trust_mode = decided.mode();
    receipt.head_repository = decided.admitted.as_ref().map(|admitted| admitted.repository.clone());
    receipt.facts = decided.facts;
    let status = invocation::status_word(&findings);
    if invocation.settings.summary.value {
        let summary = markdown::route(findings.first(), receipt.should_run, &receipt.facts);
        runner::add_summary(world, &invocation.redactor.mask_text(&summary))
            .map_err(|fault| Unreported { layer: Layer::Route, fault })?;
    }
    let mut outcome = invocation::conclude(invocation, &out, &receipt, findings, status)?;
    // What was refused leaves nothing that could be checked out by mistake.
    let admitted =
        |text: fn(&Admitted) -> String| decided.admitted.as_ref().map(text).unwrap_or_default();
    outcome.outputs = vec![
        (
            "artifact-name",
            ArtifactName::for_attempt(
                ArtifactName::base_of(Layer::Route),
                invocation.gate_id.as_ref(),
                None,
                identity.run.1,
            )
            .into(),
        ),
        ("should-run", receipt.should_run.to_string()),
        ("trust-mode", receipt.trust_mode.as_str().to_owned()),
        ("repository", admitted(|admitted| admitted.repository.to_string())),
        ("head-sha", admitted(|admitted| admitted.head_sha.to_string())),
        ("when-refused", when_refused(invocation, &outcome.findings).as_str().to_owned()),
    ];
    Ok(outcome)
}
