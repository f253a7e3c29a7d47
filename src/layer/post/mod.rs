//! Post: what does it mean for the operator, and what do they do next?
//!
//! It reads whatever receipts are there, classifies, and writes the three evidence files, the
//! summary and the plain report. It never runs a test.

mod collect;
mod predecessor;
mod story;
mod told;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use self::collect::Collected;
use self::written::Writing;
use super::ground::{self, Ending, Ground, Identity, Outcome, Unreported};
use crate::adapter::lock::Released;
use crate::adapter::runner;
use crate::adapter::world::World;
use crate::domain::classify::{Job, JobResult, classify, gate_status};
use crate::domain::fault::Finding;
use crate::domain::ids::{ArtifactName, Sha256};
use crate::domain::lock::{Asker, Gate};
use crate::domain::predecessor::PredecessorReceipt;
use crate::domain::reason::Layer;
use crate::domain::receipt::{Classification, GateStatus};
use crate::report::text::{self, Story};
use crate::report::{annotations, markdown};

/// Whether post speaks of its own run or tells again of one that is over.
#[derive(Debug, Clone, Default)]
pub(crate) enum Kind {
    /// Of its own run.
    #[default]
    Evidence,
    /// Of one that is over.
    LocalReplay {
        /// When its own evidence was made: receipts are held against the clock of then.
        as_of: Option<Timestamp>,
        /// Status and reason codes of its own verdict.
        retained: Option<(Classification, Vec<String>)>,
    },
}

impl Kind {
    /// As it stands in the provenance.
    const fn as_str(&self) -> &'static str {
        match self {
            Kind::Evidence => "evidence",
            Kind::LocalReplay { .. } => "local-replay",
        }
    }
}

/// What post is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Where the receipts are.
    pub(crate) receipts_dir: PathBuf,
    /// The jobs of the layers; empty where post was not told.
    pub(crate) jobs: BTreeMap<Layer, Job>,
    /// Digests that came by job outputs.
    pub(crate) digests: Digests,
    /// Whether the caller asked to continue.
    pub(crate) continue_on_failure: bool,
    /// Whether every job of this gate's execute has ended, by the workflow's own word.
    pub(crate) execute_is_over: bool,
    /// What was wrong before any receipt was read.
    pub(crate) found: Vec<Finding>,
    /// The pack that was asked for, where a selection does not say which it was.
    pub(crate) pack: Option<String>,
    /// Of which run it speaks.
    pub(crate) kind: Kind,
    /// The predecessor's receipt, where it is a run of the predecessor.
    pub(crate) predecessor: Option<(PathBuf, PredecessorReceipt)>,
}

/// The request that tells of a retained run of the predecessor; none where the folder holds no such run.
pub(crate) fn predecessor(dir: &Path) -> Option<Request> {
    let (path, receipt) = predecessor::find(dir)?;
    let kind = Kind::LocalReplay { as_of: None, retained: None };
    let pack = receipt.selection_execution_pack.clone();
    Some(Request { kind, pack, predecessor: Some((path, receipt)), ..Request::default() })
}

/// Digests that layers put out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digests {
    /// Of route, where a router let the run in.
    pub(crate) route: Option<Sha256>,
    /// Context's.
    pub(crate) context: Option<Sha256>,
    /// Preflight's.
    pub(crate) preflight: Option<Sha256>,
    /// Selection's.
    pub(crate) selection: Option<Sha256>,
    /// Execute's; by shard where there are shards.
    pub(crate) execute: Vec<(Option<u32>, Sha256)>,
}

/// What post came to, and how to tell it.
pub(crate) struct PostOutcome {
    /// As every layer's.
    pub(crate) outcome: Outcome,
    /// The plain report.
    pub(crate) text: String,
    /// Whether the verdict is that of retained evidence; none where there was none.
    pub(crate) same_verdict: Option<bool>,
}

/// Runs the layer.
pub(crate) fn run(world: &World, ground: &Ground, request: &Request) -> Result<PostOutcome, Unreported> {
    if request.execute_is_over {
        release_what_is_left(world, ground);
    }
    let mut collected = match &request.predecessor {
        Some((path, receipt)) => predecessor::collect(request, path, receipt),
        None => collect::collect(world, ground, request),
    };
    // What a results file held decoded may hold what was masked in it as it was written.
    let mask = |text: &str| ground.redactor.mask_text(text);
    let repeat = story::replay_of(world, ground, request, &collected);
    let roots = repeat.all_roots();
    collected.failures = collected.failures.iter().map(|failure| failure.masked(&mask).below(&roots)).collect();
    let verdict = classify(&collected.evidence);
    let gate = gate_status(&verdict, request.continue_on_failure, collected.gate_notice);
    let identity = identity(world, ground, &collected);
    let out = ground.out_dir(&identity.run.0, identity.run.1);
    let story = story::tell(world, ground, request, &collected, &verdict, gate);
    let summary = markdown::summary(&story);

    let parents = std::mem::take(&mut collected.parents);
    let mut findings = verdict.findings.clone();
    let mut head = ground::head(world, ground, &identity, &mut findings, |_| verdict.classification, parents);
    // The verdict's own order holds: a green one opens with what makes it green.
    head.reasons = verdict.findings.iter().map(Into::into).collect();
    head.reasons.append(&mut collected.unknown);

    let (collected, verdict) = (&collected, &verdict);
    let mut writing = Writing { world, ground, request, collected, verdict, out, written: Vec::new() };
    let mut outcome = writing.all(&head, findings, &story, &summary, gate)?;
    if matches!(request.kind, Kind::Evidence) {
        tell_the_runner(world, ground, &story, &summary)?;
    }
    outcome.ending = match gate {
        GateStatus::Pass => Ending::Good,
        GateStatus::Notice => Ending::Notice(verdict.classification),
        GateStatus::Fail => Ending::Bad(verdict.classification),
    };
    outcome.outputs = outputs(ground, &story, gate, &identity);
    Ok(PostOutcome { outcome, text: text::report(&story), same_verdict: writing.same_verdict(&head) })
}

/// The job's summary, and what stands beside the code.
fn tell_the_runner(world: &World, ground: &Ground, story: &Story, summary: &str) -> Result<(), Unreported> {
    if ground.settings.summary.value {
        runner::add_summary(world, summary).map_err(|fault| Unreported { layer: Layer::Post, fault })?;
    }
    if ground.settings.annotations.value && world.under_actions() {
        // On the other stream than the result; the runner reads both.
        annotations::commands(story).iter().for_each(|command| ground.progress.pause(|| world.note(command)));
    }
    Ok(())
}

fn outputs(ground: &Ground, story: &Story, gate: GateStatus, identity: &Identity) -> Vec<(&'static str, String)> {
    let counts = &story.counts;
    let gate = match gate {
        GateStatus::Pass => "pass",
        GateStatus::Fail => "fail",
        GateStatus::Notice => "notice",
    };
    let artifact = ArtifactName::for_attempt("pester-evidence", ground.gate_id.as_ref(), None, identity.run.1);
    vec![
        ("artifact-name", artifact.into()),
        ("classification", story.classification.as_str().to_owned()),
        ("failed-layer", story.failed_layer.map_or("none", Layer::as_str).to_owned()),
        ("gate-status", gate.to_owned()),
        ("next-action", story.next_action_id.to_owned()),
        ("total", counts.total.to_string()),
        ("passed", counts.passed.to_string()),
        ("failed", counts.failed.to_string()),
        ("errors", counts.errors.to_string()),
        ("skipped", counts.skipped.to_string()),
    ]
}

/// An execute of this run that outlived its job keeps this host's lock: it is asked to end. Outside a
/// workflow a run is one process, and nothing of it is left here.
fn release_what_is_left(world: &World, ground: &Ground) {
    let Some((run, attempt)) = ground.facts.run.as_ref().filter(|_| world.under_actions()) else { return };
    let run = run.to_string();
    let gate = Gate { id: ground.gate_id.as_ref().map(ToString::to_string) };
    let released = ground
        .lock(world)
        .and_then(|lock| lock.release(world, Some((run.as_str(), *attempt)), Asker::Post(&gate), PATIENCE));
    match released {
        Ok(Released::NotOurs(_)) => {}
        Ok(Released::Gone(owner)) => {
            tracing::warn!("this run still held the host's lock and was asked to end: {}", owner.describe())
        }
        Ok(Released::Stays(owner)) => {
            tracing::warn!("this run holds the host's lock and does not end: {}", owner.describe())
        }
        Err(error) => tracing::warn!("whether this run holds the host's lock cannot be known: {error}"),
    }
}

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(15);

fn identity(world: &World, ground: &Ground, collected: &Collected) -> Identity {
    let mut identity = Identity::own(world, ground);
    match (&collected.context, collected.execution.first()) {
        (Some(context), _) => identity.adopt(ground, &context.receipt),
        (None, Some(execution)) => {
            if ground.facts.run.is_none() {
                identity.run = (execution.receipt.run.run_id.clone(), execution.receipt.run.run_attempt);
            }
            identity.repository.clone_from(&execution.receipt.repository);
            identity.head_sha = identity.head_sha.or_else(|| execution.receipt.run.head_sha.clone());
        }
        (None, None) => {}
    }
    identity
}

/// Reads `toJSON(needs)`: the jobs whose ids are layer names. Anything else in it is somebody
/// else's job; a result that is none of GitHub's words is an error.
pub(crate) fn parse_needs(text: &str) -> Result<BTreeMap<Layer, Job>, String> {
    let needs: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("it is not a JSON object of jobs: {error}"))?;
    let mut jobs = BTreeMap::new();
    for layer in Layer::ALL {
        let Some(job) = needs.get(layer.as_str()) else { continue };
        let word = job.get("result").and_then(serde_json::Value::as_str).unwrap_or_default();
        let result = JobResult::parse(word).ok_or_else(|| format!("job {layer} has the result {word:?}"))?;
        let reason = job.pointer("/outputs/reason").and_then(serde_json::Value::as_str);
        let reason = reason.and_then(crate::domain::reason::ReasonCode::parse);
        jobs.insert(layer, Job { result, reason });
    }
    Ok(jobs)
}
