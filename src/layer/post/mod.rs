//! Post: what does it mean for the operator, and what do they do next?
//!
//! It reads whatever receipts are there, classifies, and writes the three evidence files, the
//! summary and the plain report. It never runs a test.

mod bundle;
mod collect;
mod digest;
mod finalize;
mod predecessor;
mod run_report;
mod stored_request;
mod tail;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use self::collect::Collected;
use self::written::Writing;
use super::invocation::{self, Ending, Identity, Invocation, Outcome, Unreported};
use crate::adapter::lock::Released;
use crate::adapter::runner;
use crate::adapter::sweep::{self, Found};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::config::typed::Typed;
use crate::domain::host::lock::{Asker, Gate};
use crate::domain::receipt::{CATALOGUE, Classification, GateStatus, JobResult};
use crate::domain::results::failure::ClassRule;
use crate::domain::results::test_list::TestList;
use crate::domain::results::triage::Triage;
use crate::domain::run::ids::{ArtifactName, Sha256};
use crate::domain::run::predecessor::PredecessorReceipt;
use crate::domain::verdict::classify::{Job, classify, gate_status};
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::report::screen::{self, View};
use crate::report::text::RunReport;
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
        /// Its own verdict.
        retained: Option<Retained>,
    },
}

/// A verdict that was kept.
#[derive(Debug, Clone)]
pub(crate) struct Retained {
    /// The classification.
    pub(crate) status: Classification,
    /// Every reason, in order.
    pub(crate) codes: Vec<String>,
    /// What a required check was told.
    pub(crate) gate: Option<GateStatus>,
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

/// What a run is compared with.
#[derive(Debug, Clone, Default)]
pub(crate) enum Against {
    /// With nothing.
    #[default]
    Nothing,
    /// With an earlier run.
    Baseline(Box<TestList>),
    /// With one that cannot be read, for this reason.
    Unreadable(String),
    /// With whatever it was compared with: this came of it.
    Retained(Box<Triage>),
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
    /// What the run is compared with.
    pub(crate) against: Against,
    /// The repository's own rules for classes of failures.
    pub(crate) classes: Vec<ClassRule>,
    /// What was typed to start the run, masked; none where the layers ran one by one.
    pub(crate) typed: Option<Typed>,
    /// The predecessor's receipt, where it is a run of the predecessor.
    pub(crate) predecessor: Option<(PathBuf, PredecessorReceipt)>,
}

pub(crate) use self::digest::read_list;

/// The request that tells of a retained run of the predecessor; none where the folder holds no such
/// run.
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

/// How many of the slowest tests are told of.
const SLOWEST: usize = 10;
/// How many tests the page lists with what they took: those that failed, then the slowest.
const TESTS_SHOWN: usize = 1000;

/// Runs the layer.
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: &Request,
) -> Result<PostOutcome, Unreported> {
    if request.execute_is_over {
        release_what_is_left(world, invocation);
    }
    let mut collected = match &request.predecessor {
        Some((path, receipt)) => predecessor::collect(request, path, receipt),
        None => collect::collect(world, invocation, request),
    };
    let mut reported = tell(world, invocation, request, &mut collected)?;
    let leaked = leaked(invocation, &reported);
    if leaked.any() {
        // What holds it is not told at all; where it is, and what to do, is.
        if !leaked.own.is_empty() {
            reported.written.iter().for_each(|path| drop(files::remove(path)));
            collected.failures.clear();
            collected.tests.clear();
        }
        let known = collected.says(ReasonCode::SecretInOutput);
        let new = leaked.raw.iter().filter(|_| !known).chain(&leaked.own);
        collected.evidence.found.extend(new.map(|fault| charge(fault, Layer::Post)));
        reported = tell(world, invocation, request, &mut collected)?;
        if !self::leaked(invocation, &reported).own.is_empty() {
            // Wherever it still comes from: the verdict alone is told.
            reported
                .written
                .iter()
                .filter(|path| !is_receipt(path))
                .for_each(|path| drop(files::remove(path)));
            reported.run_report = reported.run_report.bare();
            reported.summary = markdown::summary(&reported.run_report);
        }
    }
    let StoredRequest { mut outcome, run_report, summary, same_verdict, identity, .. } = reported;
    if matches!(request.kind, Kind::Evidence) {
        tell_the_runner(world, invocation, &run_report, &summary)?;
    }
    outcome.outputs = outputs(invocation, &run_report, &identity);
    outcome.outputs.push(("upload", (!leaked.any()).to_string()));
    let view = View {
        color: invocation.progress.colors(),
        all: invocation.progress.is_verbose() || world.under_actions(),
    };
    Ok(PostOutcome { outcome, text: screen::report(&run_report, view), same_verdict })
}

fn is_receipt(path: &Path) -> bool {
    CATALOGUE.iter().any(|(_, file, _)| path.file_name().is_some_and(|name| name == *file))
}

/// Everything that came of telling.
struct StoredRequest {
    outcome: Outcome,
    run_report: RunReport,
    summary: String,
    same_verdict: Option<bool>,
    identity: Identity,
    out: PathBuf,
    written: Vec<PathBuf>,
}

/// What of a secret is in what is to be uploaded.
#[derive(Default)]
struct Leaked {
    /// In files of post's own, or in the job's summary.
    own: Vec<Fault>,
    /// In raw results beside them.
    raw: Vec<Fault>,
}

impl Leaked {
    fn any(&self) -> bool {
        !self.own.is_empty() || !self.raw.is_empty()
    }
}

/// Makes the verdict and writes the evidence.
fn tell(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    collected: &mut Collected,
) -> Result<StoredRequest, Unreported> {
    let repeat = run_report::replay_of(world, invocation, request, collected);
    digest::digest(invocation, request, &repeat, collected);
    let identity = identity(world, invocation, request, collected);
    let mut tests = digest::list(world, invocation, request, &identity, collected);
    let triage = digest::compare(invocation, request, &tests);
    let below_floor = triage.as_ref().and_then(|(_, finding)| finding.clone());
    let triage = triage.map(|(triage, _)| triage);
    let mut evidence = collected.evidence.clone();
    evidence.found.extend(below_floor);
    let verdict = classify(&evidence);
    tests.classification = verdict.classification;
    tests.reason = verdict.findings.first().map_or(tests.reason, |finding| finding.code().into());
    let gate = gate_status(&verdict, request.continue_on_failure, collected.gate_notice);
    let out = invocation.out_dir(&identity.run.0, identity.run.1);
    let mut run_report = run_report::tell(world, invocation, request, collected, &verdict, gate);
    run_report.triage.clone_from(&triage);
    run_report.since_green = digest::since(invocation, collected, &verdict, &tests);
    run_report.slowest = tests.slowest().take(SLOWEST).cloned().collect();
    let passed = tests.slowest().filter(|test| !test.failed());
    // Failures have a list of their own: some of each.
    let failed = tests.tests.iter().filter(|test| test.failed()).take(TESTS_SHOWN / 2);
    run_report.tests = failed.chain(passed).take(TESTS_SHOWN).cloned().collect();
    run_report.tests_listed = tests.tests.len() as u64;
    let bundle =
        bundle::bundle(world, invocation, request, &identity, collected, &verdict, &repeat);
    let summary = markdown::summary(&run_report);

    let mut findings = verdict.findings.clone();
    let parents = collected.parents.clone();
    let mut head = invocation::head(
        world,
        invocation,
        &identity,
        &mut findings,
        |_| verdict.classification,
        parents,
    );
    // The verdict's own order holds: a green one opens with what makes it green.
    head.reasons = verdict.findings.iter().map(Into::into).collect();
    head.reasons.extend(collected.unknown.iter().cloned());

    let documents = written::Documents { tests: &tests, triage: triage.as_ref(), bundle: &bundle };
    let (of, verdict) = (&*collected, &verdict);
    let mut writing = Writing {
        world,
        invocation,
        request,
        collected: of,
        verdict,
        documents,
        out,
        written: Vec::new(),
    };
    let mut outcome = writing.all(&head, findings, &run_report, &summary, gate)?;
    outcome.ending = match gate {
        GateStatus::Pass => Ending::Good,
        GateStatus::Notice => Ending::Notice(verdict.classification),
        GateStatus::Fail => Ending::Bad(verdict.classification),
    };
    let same_verdict = writing.same_verdict(&head, gate);
    let (out, written) =
        (writing.out, writing.written.into_iter().map(|(_, file)| file.path).collect());
    // It may have to be told once more.
    collected.tests = tests.tests;
    Ok(StoredRequest { outcome, run_report, summary, same_verdict, identity, out, written })
}

/// The last look: through the folder that is uploaded, and through the job's summary.
fn leaked(invocation: &Invocation, reported: &StoredRequest) -> Leaked {
    let found = sweep::sweep(&invocation.redactor, &reported.out);
    let (raw, mut own): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| found.path.starts_with("raw/"));
    if own.is_empty()
        && let Some(what) = invocation.redactor.left_in(reported.summary.as_bytes())
    {
        own.push(Found { path: "the job's summary".to_owned(), what });
    }
    let fault = |layer, found: &[Found]| sweep::fault(layer, found).into_iter().collect();
    Leaked { own: fault(Layer::Post, &own), raw: fault(Layer::Execute, &raw) }
}

/// The job's summary, and what stands beside the code.
fn tell_the_runner(
    world: &World,
    invocation: &Invocation,
    run_report: &RunReport,
    summary: &str,
) -> Result<(), Unreported> {
    if invocation.settings.summary.value {
        runner::add_summary(world, summary)
            .map_err(|fault| Unreported { layer: Layer::Post, fault })?;
    }
    if invocation.settings.annotations.value && world.under_actions() {
        // On the other stream than the result; the runner reads both.
        annotations::commands(run_report)
            .iter()
            .for_each(|command| invocation.progress.pause(|| world.note(command)));
    }
    Ok(())
}

fn outputs(
    invocation: &Invocation,
    run_report: &RunReport,
    identity: &Identity,
) -> Vec<(&'static str, String)> {
    let counts = &run_report.counts;
    let gate = match run_report.gate {
        GateStatus::Pass => "pass",
        GateStatus::Fail => "fail",
        GateStatus::Notice => "notice",
    };
    let artifact = ArtifactName::for_attempt(
        ArtifactName::base_of(Layer::Post),
        invocation.gate_id.as_ref(),
        None,
        identity.run.1,
    );
    vec![
        ("artifact-name", artifact.into()),
        ("classification", run_report.classification.as_str().to_owned()),
        ("failed-layer", run_report.failed_layer.map_or("none", Layer::as_str).to_owned()),
        ("gate-status", gate.to_owned()),
        ("next-action", run_report.next_action_id.to_owned()),
        ("total", counts.total.to_string()),
        ("passed", counts.passed.to_string()),
        ("failed", counts.failed.to_string()),
        ("errors", counts.errors.to_string()),
        ("failed-blocks", counts.failed_blocks.to_string()),
        ("failed-files", counts.failed_files.to_string()),
        ("skipped", counts.skipped.to_string()),
    ]
}

/// An execute of this run that outlived its job keeps this host's lock: it is asked to end. Outside
/// a workflow a run is one process, and nothing of it is left here.
fn release_what_is_left(world: &World, invocation: &Invocation) {
    let Some((run, attempt)) = invocation.facts.run.as_ref().filter(|_| world.under_actions())
    else {
        return;
    };
    let run = run.to_string();
    let gate = Gate { id: invocation.gate_id.as_ref().map(ToString::to_string) };
    let released = invocation.lock(world).and_then(|lock| {
        lock.release(world, Some((run.as_str(), *attempt)), Asker::Post(&gate), PATIENCE)
    });
    match released {
        Ok(Released::NotOurs(_)) => {}
        Ok(Released::Gone(owner)) => {
            tracing::warn!(
                "this run still held the host's lock and was asked to end: {}",
                owner.describe()
            )
        }
        Ok(Released::Stays(owner)) => {
            tracing::warn!("this run holds the host's lock and does not end: {}", owner.describe())
        }
        Err(error) => {
            tracing::warn!("whether this run holds the host's lock cannot be known: {error}")
        }
    }
}

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(15);

fn identity(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    collected: &Collected,
) -> Identity {
    let mut identity = Identity::own(world, invocation);
    match (&collected.context, collected.execution.first()) {
        (Some(context), _) => identity.adopt(invocation, &context.receipt),
        (None, Some(execution)) => {
            if invocation.facts.run.is_none() {
                identity.run =
                    (execution.receipt.run.run_id.clone(), execution.receipt.run.run_attempt);
            }
            identity.repository.clone_from(&execution.receipt.repository);
            identity.head_sha =
                identity.head_sha.or_else(|| execution.receipt.run.head_sha.clone());
        }
        (None, None) => {}
    }
    if let Some((_, receipt)) = &request.predecessor {
        identity.repository = receipt.repository.as_ref().and_then(|slug| slug.parse().ok());
    }
    identity
}

/// Reads `toJSON(needs)`: the jobs whose ids are layer names. Anything else in it is somebody
/// else's job; a result that is none of GitHub's words is an error.
pub(crate) fn parse_needs(text: &str) -> Result<BTreeMap<Layer, Job>, String> {
    let needs: BTreeMap<String, serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| format!("it is not a JSON object of jobs: {error}"))?;
    let mut jobs = BTreeMap::new();
    for layer in Layer::ALL {
        let Some(job) = needs.get(layer.as_str()) else { continue };
        let word = job.get("result").and_then(serde_json::Value::as_str).unwrap_or_default();
        let result =
            JobResult::parse(word).ok_or_else(|| format!("job {layer} has the result {word:?}"))?;
        let reason = job.pointer("/outputs/reason").and_then(serde_json::Value::as_str);
        let reason = reason.and_then(crate::domain::verdict::reason::ReasonCode::parse);
        jobs.insert(layer, Job { result, reason });
    }
    Ok(jobs)
}
