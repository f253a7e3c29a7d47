//! Context: which repository, which commit, is a token there, which issue has the floor.
//!
//! It never looks at the host and never runs a test.

use std::path::Path;

use super::invocation::{self, Identity, Invocation, Outcome, Unreported};
use crate::adapter::github::{self, Question};
use crate::adapter::receipt_store::shown;
use crate::adapter::runner;
use crate::adapter::workspace::files;
use crate::adapter::workspace::git::{self, Checkout, Unknown};
use crate::adapter::world::World;
use crate::domain::config::{Multiple, PriorityPolicy};
use crate::domain::receipt::{ContextReceipt, LookUp, StandingPriority, TokenState, Worktree};
use crate::domain::run::ids::{ArtifactName, RelPath, RepoSlug};
use crate::domain::run::repository::{self, Sources};
use crate::domain::verdict::classify::layer_status;
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::question::{Probe, word};
use crate::domain::verdict::reason::{Layer, Severity};
use crate::domain::verdict::standing_priority::{self, Answer, Rules};

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
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: Request,
) -> Result<Outcome, Unreported> {
    let mut identity = Identity::own(world, invocation);
    identity.sample_id.clone_from(&request.sample_id);
    identity.correlation_id.clone_from(&request.correlation_id);
    let out = invocation.out_dir(&identity.run.0, identity.run.1);

    let checkout = git::inspect(world, &invocation.root, &invocation.ours(&out));
    let resolution = repository::resolve(&Sources {
        option: request.repository,
        event: invocation.facts.event_repository.clone(),
        environment: invocation.facts.repository.clone(),
        remotes: checkout.as_ref().map(|checkout| checkout.remotes.clone()).unwrap_or_default(),
    });
    identity.repository.clone_from(&resolution.slug);

    let policy = invocation.settings.priority_policy.value;
    // On a laptop the gate works without GitHub; where GitHub is in play these block.
    let strict = world.under_actions() || policy == PriorityPolicy::Required;
    let mut findings = invocation.fact_findings(Layer::Context);
    // Where git says nothing, that is why no remote names the repository.
    let explained = |fault: &&Fault| checkout.is_err() && **fault == Fault::RepositoryUnresolved;
    let unexplained = resolution.fault.as_ref().filter(|fault| !explained(fault));
    findings.extend(unexplained.map(|fault| by_place(fault, strict)));
    findings.extend(check_worktree(invocation, &checkout, strict));
    findings.extend(check_paths(invocation));
    let token = token_of(world);
    // A run that is blocked anyway, or about the wrong repository, asks nobody.
    let blocked = findings.iter().any(Finding::stops);
    let priority =
        standing_priority(world, invocation, resolution.slug.as_ref(), token.as_deref(), blocked)
            .unwrap_or_else(|fault| Known::without(&mut findings, &fault));
    findings.extend(standing_priority::findings(
        &priority.answer,
        policy,
        invocation.settings.priority_multiple.value,
    ));
    if world.cancel().requests() > 0 {
        findings.push(charge(&Fault::LayerCancelled { layer: Layer::Context }, Layer::Context));
    }

    if identity.head_sha.is_none() {
        identity.head_sha = checkout.as_ref().ok().and_then(|checkout| checkout.head.clone());
    }
    identity.head_ref = checkout.as_ref().ok().and_then(|checkout| checkout.branch.clone());
    let head =
        invocation::head(world, invocation, &identity, &mut findings, layer_status, Vec::new());
    let mut receipt = ContextReceipt::headed(head);
    receipt.sample_id = request.sample_id;
    receipt.standing_priority = priority.record(resolution.slug.as_ref(), &findings);
    receipt.token = TokenState {
        present: token.is_some(),
        kind: token.as_deref().map(|token| standing_priority::token_kind(token).to_owned()),
        probe: priority.probe.as_ref().and_then(word),
        rate_limit_remaining: priority.rate_limit_remaining,
    };
    receipt.look_up = priority.look_up;
    receipt.slug_sources = resolution.sources;
    receipt.worktree = worktree_record(invocation, &checkout);
    receipt.repository_identity = Some(invocation.repository_key(world));

    let status = invocation::status_word(&findings);
    let standing = receipt.standing_priority.clone();
    let mut outcome = invocation::conclude(invocation, &out, &receipt, findings, status)?;
    outcome.outputs = vec![
        (
            "artifact-name",
            ArtifactName::for_attempt(
                ArtifactName::base_of(Layer::Context),
                invocation.gate_id.as_ref(),
                None,
                identity.run.1,
            )
            .into(),
        ),
        ("context-status", status.to_owned()),
        ("repository", identity.repository.map(|slug| slug.to_string()).unwrap_or_default()),
        (
            "standing-priority-issue",
            standing.issue_number.map(|number| number.to_string()).unwrap_or_default(),
        ),
        ("standing-priority-reason", standing.reason.map(|reason| reason.0).unwrap_or_default()),
    ];
    Ok(outcome)
}

/// What is known of the standing priority, and how.
struct Known {
    answer: Answer,
    look_up: LookUp,
    probe: Option<Probe>,
    rate_limit_remaining: Option<u64>,
}

impl Known {
    /// Without asking anybody.
    fn unasked(answer: Answer) -> Self {
        Self { answer, look_up: LookUp::default(), probe: None, rate_limit_remaining: None }
    }

    /// Nobody was asked, because of this.
    fn without(findings: &mut Vec<Finding>, fault: &Fault) -> Self {
        findings.push(charge(fault, Layer::Context));
        Self::unasked(Answer::Moot(
            "skipped the standing-priority lookup because the repository is unknown".to_owned(),
        ))
    }

    /// As it stands in the receipt.
    fn record(&self, own: Option<&RepoSlug>, findings: &[Finding]) -> StandingPriority {
        // The look-up's own finding: the one that this answer alone gives, whatever the policy.
        let codes: Vec<_> =
            standing_priority::findings(&self.answer, PriorityPolicy::Advisory, Multiple::Warn);
        let is_own = |finding: &&Finding| codes.iter().any(|own| own.code() == finding.code());
        let asked = match &self.answer {
            Answer::Found { repository, .. } | Answer::Trouble { repository, .. } => {
                Some(repository.clone())
            }
            Answer::Overridden { issue, .. } => issue.repository().or_else(|| own.cloned()),
            _ => own.cloned(),
        };
        let mut record = StandingPriority {
            repository: asked.as_ref().map(ToString::to_string),
            reason: findings.iter().find(is_own).map(|finding| finding.code().into()),
            ..StandingPriority::default()
        };
        match &self.answer {
            Answer::Found { issue, label, candidates, .. } => {
                record.issue_number = Some(issue.number);
                record.title = Some(issue.title.clone());
                record.url.clone_from(&issue.url);
                record.label = Some(label.clone());
                record.candidates.clone_from(candidates);
            }
            Answer::Overridden { issue, .. } => {
                record.issue_number = Some(issue.number());
                record.candidates = vec![issue.number()];
            }
            _ => (),
        }
        record
    }
}

/// Which issue has the floor, asked of GitHub where that is needed and possible.
fn standing_priority(
    world: &World,
    invocation: &Invocation,
    repository: Option<&RepoSlug>,
    token: Option<&str>,
    blocked: bool,
) -> Result<Known, Fault> {
    let settings = &invocation.settings;
    if settings.priority_policy.value == PriorityPolicy::Off {
        return Ok(Known::unasked(Answer::NotRequired));
    }
    if let Some(issue) = &settings.priority_issue.value {
        let source = settings.priority_issue.source.to_string();
        // `flag:--x` and `file:x` as people name them.
        let source = source.split_once(':').map_or(source.clone(), |(_, name)| name.to_owned());
        return Ok(Known::unasked(Answer::Overridden { issue: issue.clone(), source }));
    }
    let Some(repository) = repository else {
        return Ok(Known::unasked(Answer::Moot(
            "skipped the standing-priority lookup because the repository is unknown".to_owned(),
        )));
    };
    if blocked {
        return Ok(Known::unasked(Answer::Moot(
            "skipped the standing-priority lookup because the gate is already blocked".to_owned(),
        )));
    }
    let api = runner::api(world)?;
    let Some(token) = token else { return Ok(Known::unasked(Answer::NoToken)) };
    let rules = Rules {
        labels: settings.priority_labels.value.clone(),
        fork_labels: settings.priority_fork_labels.value.clone(),
        excluded_label: settings.priority_excluded_label.value.clone(),
        epics: settings.priority_epics.value.clone(),
    };
    let found = github::look_up(
        world,
        &Question {
            api,
            token,
            repository,
            rules: &rules,
            most: settings.priority_max_wait.value.as_duration(),
            cache: &invocation.state.join("github"),
            redactor: &invocation.redactor,
        },
    );
    Ok(Known {
        answer: found.answer,
        look_up: found.taken,
        probe: Some(found.probe),
        rate_limit_remaining: found.rate_limit_remaining,
    })
}

fn by_place(fault: &Fault, strict: bool) -> Finding {
    let finding = charge(fault, Layer::Context);
    match (fault, strict) {
        (Fault::RepositoryConflict(_), _) => finding,
        (_, true) => finding.blocking(),
        (_, false) => finding.at_most(Severity::Warns),
    }
}

fn check_worktree(
    invocation: &Invocation,
    checkout: &Result<Checkout, Unknown>,
    strict: bool,
) -> Vec<Finding> {
    let checkout = match checkout {
        Ok(checkout) => checkout,
        Err(Unknown::NoWorktree) => {
            return vec![by_place(
                &Fault::WorktreeMissing { root: shown(&invocation.root) },
                strict,
            )];
        }
        Err(Unknown::NotTrusted(why)) => {
            return vec![by_place(&Fault::WorktreeNotTrusted { why: why.clone() }, strict)];
        }
        Err(Unknown::Unreadable(why)) => {
            return vec![by_place(&Fault::WorktreeUnreadable(why.clone()), strict)];
        }
    };
    let mut findings = Vec::new();
    if let (Some(expected), Some(found)) = (&invocation.facts.head_sha, &checkout.head)
        && expected != found
    {
        let fault = Fault::HeadShaMismatch { found: found.clone(), expected: expected.clone() };
        findings.push(charge(&fault, Layer::Context));
    }
    if !checkout.dirty.is_empty() {
        let shown: Vec<_> = checkout.dirty.iter().take(3).map(String::as_str).collect();
        let more = if checkout.dirty.len() > 3 { ", ..." } else { "" };
        let fault = Fault::WorktreeDirty {
            count: checkout.dirty.len(),
            shown: format!("{}{more}", shown.join(", ")),
        };
        findings.push(charge(&fault, Layer::Context));
    }
    findings
}

fn check_paths(invocation: &Invocation) -> Vec<Finding> {
    let missing = |path: &&String| {
        let below: Option<RelPath> = path.replace('\\', "/").parse().ok();
        !below.is_some_and(|below| files::exists(&invocation.root.join(Path::new(below.as_str()))))
    };
    let absent = |path: &&String| !files::is_dir(&invocation.root.join(path));
    let settings = &invocation.settings;
    let required = settings.required_paths.value.iter().filter(missing);
    let required = required.map(|path| Fault::RequiredPathMissing { path: path.clone() });
    let helpers = settings.helper_roots.value.iter().filter(absent);
    let helpers = helpers.map(|path| Fault::HelperRootMissing { path: path.clone() });
    required.chain(helpers).map(|fault| charge(&fault, Layer::Context)).collect()
}

fn worktree_record(invocation: &Invocation, checkout: &Result<Checkout, Unknown>) -> Worktree {
    let checkout = checkout.as_ref().ok();
    let top = git::top_level(&invocation.root).unwrap_or_else(|| invocation.root.clone());
    Worktree {
        root: shown(&top),
        head_sha: checkout.and_then(|checkout| checkout.head.clone()),
        dirty: checkout.map(|checkout| !checkout.dirty.is_empty()),
        dirty_files: checkout
            .map(|c| c.dirty.iter().take(DIRTY_SHOWN).cloned().collect())
            .unwrap_or_default(),
        required_paths: invocation.settings.required_paths.value.clone(),
        helper_roots: invocation.settings.helper_roots.value.clone(),
    }
}

/// The token, without the line end that a secret often has. It goes no further than the look-up.
fn token_of(world: &World) -> Option<String> {
    let tokens = ["GH_TOKEN", "GITHUB_TOKEN"].into_iter().filter_map(|name| world.var(name));
    tokens.map(|token| token.trim().to_owned()).find(|token| !token.is_empty())
}
