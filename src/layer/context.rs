//! Context: which repository, which commit, is a token there, which issue has the floor.
//!
//! It never looks at the host and never runs a test.

use std::path::Path;

use super::ground::{self, Ground, Identity, Outcome, Unreported};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::adapter::workspace::git::{self, Checkout, Unknown};
use crate::adapter::world::World;
use crate::domain::classify::layer_status;
use crate::domain::config::PriorityPolicy;
use crate::domain::fault::{Fault, Finding, charge};
use crate::domain::ids::{ArtifactName, RelPath, RepoSlug};
use crate::domain::reason::{Layer, Severity};
use crate::domain::receipt::{ContextReceipt, StandingPriority, TokenState, Worktree};
use crate::domain::repository::{self, Sources};
use crate::domain::standing_priority::{not_looked_up, token_kind};

/// How many changed files a receipt lists.
const DIRTY_SHOWN: usize = 20;

/// What context is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// `--sample-id`.
    pub(crate) sample_id: Option<String>,
    /// `--correlation-id`.
    pub(crate) correlation_id: Option<String>,
    /// `--repository`.
    pub(crate) repository: Option<RepoSlug>,
}

/// Runs the layer.
pub(crate) fn run(world: &World, ground: &Ground, request: Request) -> Result<Outcome, Unreported> {
    let mut identity = Identity::own(world, ground);
    identity.sample_id.clone_from(&request.sample_id);
    identity.correlation_id.clone_from(&request.correlation_id);
    let out = ground.out_dir(&identity.run.0, identity.run.1);

    let checkout = git::inspect(world, &ground.root, &ground.ours(&out));
    let resolution = repository::resolve(&Sources {
        option: request.repository,
        event: ground.facts.event_repository.clone(),
        environment: ground.facts.repository.clone(),
        remotes: checkout.as_ref().map(|checkout| checkout.remotes.clone()).unwrap_or_default(),
    });
    identity.repository.clone_from(&resolution.slug);

    let policy = ground.settings.priority_policy.value;
    // On a laptop the gate works without GitHub; where GitHub is in play these block.
    let strict = world.under_actions() || policy == PriorityPolicy::Required;
    let mut findings = ground.fact_findings(Layer::Context);
    findings.extend(resolution.fault.as_ref().map(|fault| by_place(fault, strict)));
    findings.extend(check_worktree(ground, &checkout, strict));
    findings.extend(check_required_paths(ground));
    if world.cancel().requests() > 0 {
        findings.push(charge(&Fault::LayerCancelled { layer: Layer::Context }, Layer::Context));
    }
    let token = token_state(world);
    findings.extend(not_looked_up(policy, token.present));

    if identity.head_sha.is_none() {
        identity.head_sha = checkout.as_ref().ok().and_then(|checkout| checkout.head.clone());
    }
    identity.head_ref = checkout.as_ref().ok().and_then(|checkout| checkout.branch.clone());
    let head = ground::head(world, ground, &identity, &mut findings, layer_status, Vec::new());
    let mut receipt = ContextReceipt::headed(head);
    receipt.sample_id = request.sample_id;
    receipt.standing_priority = StandingPriority {
        repository: resolution.slug.as_ref().map(ToString::to_string),
        reason: findings.iter().find(|f| f.code().as_str().starts_with("standing-priority")).map(|f| f.code().into()),
        ..StandingPriority::default()
    };
    receipt.token = token;
    receipt.slug_sources = resolution.sources;
    receipt.worktree = worktree_record(ground, &checkout);

    let status = ground::status_word(&findings);
    let mut outcome = ground::conclude(ground, &out, &receipt, findings, status)?;
    let priority = receipt.standing_priority.reason.map(|reason| reason.0).unwrap_or_default();
    outcome.outputs = vec![
        (
            "artifact-name",
            ArtifactName::for_attempt("pester-context", ground.gate_id.as_ref(), None, identity.run.1).into(),
        ),
        ("context-status", status.to_owned()),
        ("repository", identity.repository.map(|slug| slug.to_string()).unwrap_or_default()),
        ("standing-priority-issue", String::new()),
        ("standing-priority-reason", priority),
    ];
    Ok(outcome)
}

fn by_place(fault: &Fault, strict: bool) -> Finding {
    let finding = charge(fault, Layer::Context);
    match (fault, strict) {
        (Fault::RepositoryConflict(_), _) => finding,
        (_, true) => finding.blocking(),
        (_, false) => finding.at_most(Severity::Warns),
    }
}

fn check_worktree(ground: &Ground, checkout: &Result<Checkout, Unknown>, strict: bool) -> Vec<Finding> {
    let checkout = match checkout {
        Ok(checkout) => checkout,
        Err(Unknown::NoWorktree) => {
            return vec![by_place(&Fault::WorktreeMissing { root: shown(&ground.root) }, strict)];
        }
        Err(Unknown::Unreadable(why)) => return vec![by_place(&Fault::WorktreeUnreadable(why.clone()), strict)],
    };
    let mut findings = Vec::new();
    if let (Some(expected), Some(found)) = (&ground.facts.head_sha, &checkout.head)
        && expected != found
    {
        let fault = Fault::HeadShaMismatch { found: found.clone(), expected: expected.clone() };
        findings.push(charge(&fault, Layer::Context));
    }
    if !checkout.dirty.is_empty() {
        let shown: Vec<_> = checkout.dirty.iter().take(3).map(String::as_str).collect();
        let more = if checkout.dirty.len() > 3 { ", ..." } else { "" };
        let fault = Fault::WorktreeDirty { count: checkout.dirty.len(), shown: format!("{}{more}", shown.join(", ")) };
        findings.push(charge(&fault, Layer::Context));
    }
    findings
}

fn check_required_paths(ground: &Ground) -> Vec<Finding> {
    let missing = |path: &&String| {
        let below: Option<RelPath> = path.replace('\\', "/").parse().ok();
        !below.is_some_and(|below| files::exists(&ground.root.join(Path::new(below.as_str()))))
    };
    let paths = ground.settings.required_paths.value.iter().filter(missing);
    paths.map(|path| charge(&Fault::RequiredPathMissing { path: path.clone() }, Layer::Context)).collect()
}

fn worktree_record(ground: &Ground, checkout: &Result<Checkout, Unknown>) -> Worktree {
    let checkout = checkout.as_ref().ok();
    let top = git::top_level(&ground.root).unwrap_or_else(|| ground.root.clone());
    Worktree {
        root: shown(&top),
        head_sha: checkout.and_then(|checkout| checkout.head.clone()),
        dirty: checkout.map(|checkout| !checkout.dirty.is_empty()),
        dirty_files: checkout.map(|c| c.dirty.iter().take(DIRTY_SHOWN).cloned().collect()).unwrap_or_default(),
        required_paths: ground.settings.required_paths.value.clone(),
    }
}

fn token_state(world: &World) -> TokenState {
    let token = world.var("GH_TOKEN").or_else(|| world.var("GITHUB_TOKEN"));
    TokenState {
        present: token.is_some(),
        kind: token.map(|token| token_kind(&token).to_owned()),
        ..TokenState::default()
    }
}
