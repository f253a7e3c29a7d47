//! Post: what does it mean for the operator, and what do they do next?
//!
//! It reads whatever receipts are there, classifies, and writes the three evidence files, the
//! summary and the plain report. It never runs a test.

mod collect;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::collect::Collected;
use super::ground::{self, Ending, Ground, Identity, Outcome, Unreported};
use crate::adapter::lock::Released;
use crate::adapter::receipt_store::{self, Written, shown};
use crate::adapter::runner;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::classify::{Job, JobResult, Verdict, classify, gate_status};
use crate::domain::fault::Fault;
use crate::domain::ids::{ArtifactName, Sha256};
use crate::domain::lock::{Asker, Gate};
use crate::domain::reason::{Layer, ReasonCode};
use crate::domain::receipt::{
    Classification, EvidenceReceipt, FileRecord, GateStatus, OperatorOutcome, Provenance, Receipt,
};
use crate::report::evidence::{self, Replay};
use crate::report::text::{self, LayerLine, Story};
use crate::report::{annotations, html, markdown};

/// File name of the Markdown summary.
pub(crate) const SUMMARY: &str = "summary.md";
/// File name of the page.
pub(crate) const PAGE: &str = "report.html";
/// File names in the predecessor's shapes.
const FAILURES: &str = "pester-failures.json";
const TOTALS: &str = "pester-totals.json";
const TEST_SUMMARY: &str = "pester-summary.json";
/// File name of the plain report.
pub(crate) const REPORT: &str = "report.txt";

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
}

/// Runs the layer.
pub(crate) fn run(world: &World, ground: &Ground, request: &Request) -> Result<PostOutcome, Unreported> {
    if request.execute_is_over {
        release_what_is_left(world, ground);
    }
    let mut collected = collect::collect(world, ground, request);
    // What a results file held decoded may hold what was masked in it as it was written.
    let mask = |text: &str| ground.redactor.mask_text(text);
    collected.failures = collected.failures.iter().map(|failure| failure.masked(&mask)).collect();
    let verdict = classify(&collected.evidence);
    let gate = gate_status(&verdict, request.continue_on_failure, collected.gate_notice);
    let identity = identity(world, ground, &collected);
    let out = ground.out_dir(&identity.run.0, identity.run.1);
    let story = tell(world, ground, request, &collected, &verdict, gate);

    let parents = std::mem::take(&mut collected.parents);
    let mut findings = verdict.findings.clone();
    let mut head = ground::head(world, ground, &identity, &mut findings, |_| verdict.classification, parents);
    // The verdict's own order holds: a green one opens with what makes it green.
    head.reasons = verdict.findings.iter().map(Into::into).collect();
    head.reasons.append(&mut collected.unknown);
    let unreported = |fault| Unreported { layer: Layer::Post, fault };
    let evidence = evidence_receipt(head.clone(), request, &collected, &verdict);
    let operator = operator_outcome(head.clone(), request, &collected, &verdict, gate, &story);
    let (text, summary) = (text::report(&story), markdown::summary(&story));

    let mut written: Vec<(&str, Written)> = Vec::new();
    let redactor = &ground.redactor;
    written.extend(write_failures(world, ground, &collected, &verdict, &out).map_err(unreported)?);
    written.push(("classification", receipt_store::write(&out, &evidence, redactor).map_err(unreported)?.0));
    let mut outcome = ground::conclude(ground, &out, &operator, findings, verdict.classification.as_str())?;
    written.push(("operator-outcome", outcome.written.clone()));
    if ground.settings.summary.value {
        written.push(("summary", write_text(&out, SUMMARY, &summary).map_err(unreported)?));
        runner::add_summary(world, &summary).map_err(unreported)?;
    }
    written.push(("report", write_text(&out, REPORT, &text).map_err(unreported)?));
    if ground.settings.html.value {
        written.push(("page", write_text(&out, PAGE, &html::page(&story)).map_err(unreported)?));
    }
    if ground.settings.annotations.value && world.under_actions() {
        // On the other stream than the result; the runner reads both.
        annotations::commands(&story).iter().for_each(|command| ground.progress.pause(|| world.note(command)));
    }
    let mut provenance = Provenance::headed(head);
    provenance.kind = "evidence".to_owned();
    provenance.source_inputs = collected.inputs;
    provenance.derived_outputs = written.iter().map(|(role, file)| output_record(&out, role, file)).collect();
    receipt_store::write(&out, &provenance, redactor).map_err(unreported)?;

    outcome.ending = match gate {
        GateStatus::Pass => Ending::Good,
        GateStatus::Notice => Ending::Notice(verdict.classification),
        GateStatus::Fail => Ending::Bad(verdict.classification),
    };
    outcome.outputs = outputs(ground, &operator, &identity);
    Ok(PostOutcome { outcome, text })
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

fn evidence_receipt(
    head: crate::domain::receipt::Head<crate::domain::receipt::Classification>,
    request: &Request,
    collected: &Collected,
    verdict: &Verdict,
) -> EvidenceReceipt {
    let mut receipt = EvidenceReceipt::headed(head);
    let status = |layer: Layer| layer_status(request, collected, layer);
    receipt.context_status = status(Layer::Context);
    receipt.readiness_status = status(Layer::Preflight);
    receipt.selection_status = status(Layer::Selection);
    if let Some(selection) = collected.selection.as_ref().map(|loaded| &loaded.receipt.selection) {
        receipt.selection_execution_pack = Some(selection.execution_pack.clone());
        receipt.selection_execution_pack_source = Some(selection.execution_pack_source.clone());
    }
    let job = request.jobs.get(&Layer::Execute);
    receipt.execution_job_result = job.map_or("unknown", |job| job.result.as_str()).to_owned();
    receipt.raw_artifact_download = collected.raw.to_owned();
    receipt.dispatcher_exit_code = collected.execution.first().map_or(-1, |e| e.receipt.dispatcher_exit_code);
    receipt.summary_present = collected.execution.iter().any(|e| e.receipt.summary_present);
    receipt.execution_receipt_schema_status = collected.execution_status.clone();
    receipt.classification = Some(verdict.classification);
    receipt.failed_layer = failed_layer(verdict);
    receipt
}

fn operator_outcome(
    head: crate::domain::receipt::Head<crate::domain::receipt::Classification>,
    request: &Request,
    collected: &Collected,
    verdict: &Verdict,
    gate: GateStatus,
    story: &Story,
) -> OperatorOutcome {
    let mut operator = OperatorOutcome::headed(head);
    operator.classification = Some(verdict.classification);
    operator.failed_layer = failed_layer(verdict);
    operator.gate_status = Some(gate);
    operator.continue_on_error = request.continue_on_failure;
    operator.headline.clone_from(&story.headline);
    operator.next_action_id = story.next_action_id.to_owned();
    operator.next_action.clone_from(&story.next_action);
    operator.replay.clone_from(&story.replay);
    operator.action_context = collected.open_first(verdict);
    operator.in_flight.clone_from(&story.in_flight);
    operator.leaks.clone_from(&story.leaks);
    operator.counts = story.counts;
    operator
}

/// The files in the predecessor's shapes.
fn write_failures(
    world: &World,
    ground: &Ground,
    collected: &Collected,
    verdict: &Verdict,
    out: &Path,
) -> Result<Vec<(&'static str, Written)>, Fault> {
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let executions = || collected.execution.iter().map(|loaded| &loaded.receipt);
    let run = evidence::Run {
        at: world.now(),
        counts: collected.counts,
        failures: &collected.failures,
        selection,
        duration_ms: duration_ms(collected),
        xml_status: executions().next().map_or("not-run", |receipt| receipt.results_xml_status.as_str()),
        completed: verdict.classification == Classification::Completed,
        timed_out: verdict
            .findings
            .iter()
            .any(|finding| matches!(finding.code(), ReasonCode::DispatcherTimedOut | ReasonCode::TestTimedOut)),
        replay: replay_of(world, ground, collected),
    };
    let files = [
        ("failures", FAILURES, Some(run.failures())),
        ("totals", TOTALS, Some(run.totals())),
        ("test-summary", TEST_SUMMARY, run.summary()),
    ];
    let mut written = Vec::new();
    for (role, name, document) in files {
        let Some(document) = document else { continue };
        written.push((role, write_text(out, name, &format!("{document:#}\n"))?));
    }
    Ok(written)
}

/// What repeats this run.
fn replay_of(world: &World, ground: &Ground, collected: &Collected) -> Replay {
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let profile = selection.and_then(|selection| selection.dispatcher_profile.as_ref());
    Replay {
        root: shown(&ground.root),
        pack: pack_of(ground, collected),
        kind: profile.map(|profile| profile.kind.value),
        powershell: profile.map_or_else(|| "pwsh".to_owned(), |profile| profile.powershell.value.clone()),
        workspace: world.var("GITHUB_WORKSPACE").map(|path| shown(&files::canonical(Path::new(&path)))),
    }
}

/// The pack that was selected, else the one that was asked for.
fn pack_of(ground: &Ground, collected: &Collected) -> String {
    let pack = collected.selection.as_ref().map(|s| s.receipt.selection.execution_pack.clone());
    pack.filter(|name| !name.is_empty())
        .or_else(|| ground.settings.pack.value.clone())
        .unwrap_or_else(|| "full".to_owned())
}

fn duration_ms(collected: &Collected) -> Option<u64> {
    collected.execution.iter().filter_map(|e| Some(e.receipt.outcome.as_ref()?.duration_ms)).max()
}

/// Everything that the reports say, in one value.
fn tell(
    world: &World,
    ground: &Ground,
    request: &Request,
    collected: &Collected,
    verdict: &Verdict,
    gate: GateStatus,
) -> Story {
    let deciding = verdict.deciding();
    let row = deciding.map(|finding| finding.code().row());
    let layers = [Layer::Route, Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute];
    let mask = |text: &str| ground.redactor.mask_text(text);
    Story {
        classification: verdict.classification,
        gate,
        failed_layer: verdict.failed_layer,
        headline: mask(&headline(verdict)),
        next_action_id: row.map_or("no-action", |row| row.next_action),
        next_action: row.map_or_else(String::new, |row| row.remedy.to_owned()),
        replay: deciding
            .filter(|finding| finding.stops())
            .and(row)
            .map(|row| mask(&replay(world, ground, request, collected, row.replay))),
        reasons: verdict.findings.iter().map(|f| (f.code(), f.layer(), f.severity(), mask(f.detail()))).collect(),
        layers: layers
            .into_iter()
            .filter(|layer| *layer != Layer::Route || collected.evidence.papers.contains_key(layer))
            .map(|layer| LayerLine { layer, status: layer_status(request, collected, layer) })
            .collect(),
        counts: collected.counts,
        repeat: replay_of(world, ground, collected),
        failures: collected.failures.clone(),
        in_flight: collected
            .execution
            .iter()
            .find_map(|e| e.receipt.in_flight.clone())
            .or_else(|| collected.last_known.clone()),
        leaks: collected.execution.iter().flat_map(|e| e.receipt.leaks.clone()).collect(),
        duration_ms: duration_ms(collected),
        raw: collected.raw_dirs.first().map(|path| shown(path)),
    }
}

fn headline(verdict: &Verdict) -> String {
    let detail = verdict.deciding().map(|finding| format!("{}: {}", finding.code(), finding.detail()));
    let detail = detail.unwrap_or_default();
    match verdict.failed_layer {
        Some(layer) => format!("{} at {layer}: {detail}", verdict.classification.as_str()),
        None => format!("{}: {detail}", verdict.classification.as_str()),
    }
}

/// The registry's template with this run's values, each quoted for a shell.
fn replay(world: &World, ground: &Ground, request: &Request, collected: &Collected, template: &str) -> String {
    let pack = pack_of(ground, collected);
    let repeat = replay_of(world, ground, collected);
    let file = collected.failures.first().and_then(|failure| repeat.file_of(failure));
    let command = template
        .replace("{root}", &text::quoted(&shown(&ground.root)))
        .replace("{dir}", &text::quoted(&shown(&request.receipts_dir)))
        .replace("{pack}", &text::quoted(&pack));
    match file {
        Some(file) => command.replace("{file}", &text::quoted(&file)),
        None => command.replace(" --file {file}", ""),
    }
}

/// A layer's status, or its job's result, or `unknown`.
fn layer_status(request: &Request, collected: &Collected, layer: Layer) -> String {
    collected
        .statuses
        .get(&layer)
        .cloned()
        .unwrap_or_else(|| request.jobs.get(&layer).map_or("unknown", |job| job.result.as_str()).to_owned())
}

fn failed_layer(verdict: &Verdict) -> String {
    verdict.failed_layer.map_or("none", Layer::as_str).to_owned()
}

fn write_text(out: &Path, name: &str, text: &str) -> Result<Written, Fault> {
    let path = out.join(name);
    files::write_atomic(&path, text.as_bytes())
        .map_err(|error| Fault::OutputUnwritable(format!("{}: {error}", shown(&path))))?;
    Ok(Written { path, sha256: files::digest_bytes(text.as_bytes()), size: text.len() as u64 })
}

fn output_record(out: &Path, role: &str, written: &Written) -> FileRecord {
    let schema = match role {
        "classification" => Some(EvidenceReceipt::SCHEMA.to_owned()),
        "operator-outcome" => Some(OperatorOutcome::SCHEMA.to_owned()),
        "failures" => Some("pester-failures@v2".to_owned()),
        "totals" => Some("pester-totals/v1".to_owned()),
        _ => None,
    };
    FileRecord {
        role: role.to_owned(),
        path: shown(written.path.strip_prefix(out).unwrap_or(&written.path)),
        size_bytes: written.size,
        sha256: written.sha256.clone(),
        schema,
    }
}

fn outputs(ground: &Ground, operator: &OperatorOutcome, identity: &Identity) -> Vec<(&'static str, String)> {
    let counts = &operator.counts;
    let gate = operator.gate_status.map(|gate| match gate {
        GateStatus::Pass => "pass",
        GateStatus::Fail => "fail",
        GateStatus::Notice => "notice",
    });
    vec![
        (
            "artifact-name",
            ArtifactName::for_attempt("pester-evidence", ground.gate_id.as_ref(), None, identity.run.1).into(),
        ),
        ("classification", operator.status.as_str().to_owned()),
        ("failed-layer", operator.failed_layer.clone()),
        ("gate-status", gate.unwrap_or_default().to_owned()),
        ("next-action", operator.next_action_id.clone()),
        ("total", counts.total.to_string()),
        ("passed", counts.passed.to_string()),
        ("failed", counts.failed.to_string()),
        ("errors", counts.errors.to_string()),
        ("skipped", counts.skipped.to_string()),
    ]
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
