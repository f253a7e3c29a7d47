//! Execute: run the dispatcher on the plan, record what happened.
//!
//! It resolves no repository, looks nothing up, probes nothing and chooses no test: it takes what
//! the three receipts say, checks that they belong here, and leaves a receipt on every way out.

mod gate;
mod judge;

use std::collections::HashSet;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::gate::Admitted;
use super::invocation::{self, Identity, Invocation, Outcome, ReceiptInput, Unreported};
use crate::adapter::dispatcher::{self, Dispatched, Plan};
use crate::adapter::green;
use crate::adapter::journal::{self, Journal};
use crate::adapter::process::{Guard, Survivor, Via, capture_via, child_environment, copy_masked};
use crate::adapter::receipt_store::shown;
use crate::adapter::sweep;
use crate::adapter::workspace::globs::Globs;
use crate::adapter::workspace::{discovery, files};
use crate::adapter::world::World;
use crate::domain::config::quantity::Span;
use crate::domain::config::settings::{TypedLimit, TypedLimits};
use crate::domain::config::{DispatcherKind, Leaks};
use crate::domain::receipt::LastGreen;
use crate::domain::receipt::{
    Accounted, Accounting, Classification, DispatcherProfile, Excluded, ExecutionReceipt, InFlight,
    Leak, LimitsRecord, LockRecord, RawFile,
};
use crate::domain::results::since_green;
use crate::domain::run::freshness;
use crate::domain::run::ids::{ArtifactName, RelPath};
use crate::domain::selection::plan::ONLY_FILES;
use crate::domain::selection::profile;
use crate::domain::verdict::classify::class_of;
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::outcome::ChildEnd;
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// Which part of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Counted from 1.
    pub(crate) index: u32,
    /// How many there are.
    pub(crate) of: u32,
}

/// What execute is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Context's receipt.
    pub(crate) context: ReceiptInput,
    /// Preflight's receipt.
    pub(crate) preflight: ReceiptInput,
    /// Selection's receipt.
    pub(crate) selection: ReceiptInput,
    /// `--results-dir`.
    pub(crate) results_dir: Option<PathBuf>,
    /// `--shard`.
    pub(crate) shard: Option<Shard>,
}

impl Request {
    /// Copies of the receipts that were consumed lie beside ours: one artifact holds the whole
    /// contract, and readiness that was measured in this very job is nowhere else.
    fn keep(&self, out: &Path) {
        for receipt_input in [&self.context, &self.preflight, &self.selection] {
            let Some(path) = &receipt_input.path else { continue };
            let Some(name) = path.file_name() else { continue };
            let copy = out.join(name);
            if files::is_plain_file(path)
                && !files::exists(&copy)
                && let Err(error) = files::copy(path, &copy)
            {
                tracing::warn!(
                    "{} could not be copied beside the execution receipt: {error}",
                    shown(path)
                );
            }
        }
    }
}

/// What is known so far; whatever happens, the receipt is made from it.
#[derive(Default)]
struct Draft {
    findings: Vec<Finding>,
    results: Option<PathBuf>,
    profile: Option<DispatcherProfile>,
    files: Vec<RelPath>,
    dispatched: Option<Dispatched>,
    judged: judge::Judged,
    in_flight: Option<InFlight>,
    journal: Option<Arc<Journal>>,
    leaks: Vec<Leak>,
    lock: Option<LockRecord>,
    environment: Option<Vec<String>>,
}

impl Draft {
    fn fault(&mut self, fault: &Fault) {
        self.findings.push(charge(fault, Layer::Execute));
    }
}

/// Runs the layer.
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: Request,
) -> Result<Outcome, Unreported> {
    let mut identity = Identity::own(world, invocation);
    let mut draft = Draft::default();
    let (admitted, faults) = gate::admit(world, invocation, &request, &mut identity);
    for fault in faults {
        draft.fault(&fault);
    }
    let out = invocation.out_dir(&identity.run.0, identity.run.1);
    if draft.findings.is_empty() {
        // A panic must not take the receipt with it.
        let work = catch_unwind(AssertUnwindSafe(|| {
            work(world, invocation, &request, &admitted, &out, &mut draft)
        }));
        match work {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => draft.fault(&fault),
            Err(_) => draft.fault(&Fault::InternalError(
                "execute failed; see the message on stderr".to_owned(),
            )),
        }
    }
    invocation.progress.done();
    conclude(world, invocation, &request, &identity, &admitted, &out, draft)
}

fn work(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    admitted: &Admitted,
    out: &Path,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let (Some(selection), Some(preflight)) = (&admitted.selection, &admitted.preflight) else {
        return Ok(());
    };
    let held = gate::hold_the_host(world, invocation, &mut draft.lock)?;
    // However long the queue was: what was measured must still hold.
    let receipt = &preflight.receipt;
    freshness::stale(receipt.generated_at_utc, receipt.freshness_window_seconds, world.now())?;
    let Some(profile) = &selection.receipt.dispatcher_profile else {
        return Err(Fault::InternalError(
            "a selection that is ready has no dispatcher profile".to_owned(),
        ));
    };
    let typed = &invocation.settings.typed_limits;
    profile::check_effect(profile.kind.value, &profile.command.value, typed, 1)?;
    let profile = with_typed_limits(profile.clone(), typed);
    draft.profile = Some(profile.clone());
    draft.files = gate::files(&selection.receipt, request.shard)?;
    check_drift(invocation, &selection.receipt.selection.files, &draft.files)?;

    let results = results_dir(world, request, out)?;
    draft.results = Some(results.clone());
    let mut variables = stage_fixtures(invocation, &preflight.receipt.fixtures, out)?;
    variables.extend(held.as_ref().map(|held| held.mark(world)));
    let environment = child_environment(world, &variables);
    let mut names: Vec<String> =
        environment.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.sort();
    draft.environment = Some(names);
    let guard = Guard::start(world, &environment, &results.join(journal::FILE), held.as_ref())
        .map_err(|error| Fault::DispatcherNotStarted {
            program: "the guard of the run".to_owned(),
            why: error.to_string(),
        })?;
    let guard = Arc::new(guard);
    let ran = prepare_and_dispatch(world, invocation, draft, &profile, &results, &guard);
    // Clean-up runs whatever came before it, a failed set-up and a request to stop included.
    let requests = world.cancel().requests();
    // The runner kills a cancelled step after 10 s.
    let hurries = requests > 0 && world.under_actions();
    for command in &profile.after.value {
        let limit = Some(Span::from_secs(if hurries { 1 } else { 60 }));
        if let Err((command, why)) =
            side_command(world, invocation, &guard, command, limit, requests)
        {
            draft.fault(&Fault::CleanupCommandFailed { command, why });
        }
    }
    let by_itself = matches!(
        ran.as_ref().map(|ran| &ran.end),
        Ok(ChildEnd::Exited(_) | ChildEnd::Signalled(_))
    );
    let left = if by_itself && requests == 0 {
        leaks(world, invocation, &guard, &profile)
    } else {
        Ok(None)
    };
    let unknown = match left {
        Ok(Some(leaks)) => {
            draft.leaks = leaks;
            None
        }
        // What we ended is ended whole, whatever `leaks` says.
        Ok(None) => {
            guard.end_all();
            None
        }
        Err(why) => Some(Fault::DispatcherCrashed(why)),
    };
    guard.release();
    let mut dispatched = ran?;
    dispatched.faults.extend(unknown);
    draft.in_flight.clone_from(&dispatched.in_flight);
    draft.judged = judge::judge(&dispatched, &draft.leaks, &profile);
    draft.findings.append(&mut draft.judged.findings);
    let cancelled = dispatched.end == ChildEnd::Cancelled;
    draft.dispatched = Some(dispatched);
    if world.cancel().requests() > 0 && !cancelled {
        draft.fault(&Fault::RunCancelled);
    }
    if let Err(fault) = copy_artifacts(invocation, &profile, &results) {
        draft.fault(&fault);
    }
    Ok(())
}

fn prepare_and_dispatch(
    world: &World,
    invocation: &Invocation,
    draft: &mut Draft,
    profile: &DispatcherProfile,
    results: &Path,
    guard: &Arc<Guard>,
) -> Result<Dispatched, Fault> {
    for command in &profile.before.value {
        if let Err((command, why)) =
            side_command(world, invocation, guard, command, profile.run_limit.value, 0)
        {
            let cancelled = world.cancel().requests() > 0;
            return Err(if cancelled {
                Fault::RunCancelled
            } else {
                Fault::SetupCommandFailed { command, why }
            });
        }
    }
    let journal = Arc::new(open_journal(world, invocation, results, draft.files.len() as u64)?);
    draft.journal = Some(journal.clone());
    let plan = Plan {
        world: world.clone(),
        root: invocation.root.clone(),
        results: results.to_owned(),
        files: draft.files.clone(),
        profile: profile.clone(),
        guard: guard.clone(),
        redactor: invocation.redactor.clone(),
        journal,
        live: live(invocation),
    };
    invocation.progress.beating(|| match profile.kind.value {
        DispatcherKind::Command => dispatcher::command::dispatch(&plan),
        DispatcherKind::Scripts => dispatcher::scripts::dispatch(&plan),
        DispatcherKind::Pester => dispatcher::pester::dispatch(&plan),
        DispatcherKind::Auto => {
            Err(Fault::InternalError("selection left the dispatcher open".to_owned()))
        }
    })
}

/// Flags and environment of this invocation over what selection settled.
fn with_typed_limits(mut profile: DispatcherProfile, typed: &TypedLimits) -> DispatcherProfile {
    let over = |into: &mut crate::domain::config::sourced::Sourced<Option<Span>>,
                typed: &TypedLimit| {
        if let Some(limit) = typed {
            *into = limit.clone().map(Some);
        }
    };
    over(&mut profile.run_limit, &typed.run);
    over(&mut profile.file_limit, &typed.file);
    over(&mut profile.test_limit, &typed.test);
    over(&mut profile.no_output_limit, &typed.no_output);
    if let Some(grace) = &typed.kill_grace {
        profile.kill_grace = grace.clone();
    }
    profile
}

/// Every selected file is there and has the text that selection saw; line ends may differ.
fn check_drift(
    invocation: &Invocation,
    selected: &[crate::domain::receipt::SelectedFile],
    files: &[RelPath],
) -> Result<(), Fault> {
    let files: HashSet<&RelPath> = files.iter().collect();
    for file in selected.iter().filter(|file| files.contains(&file.path)) {
        let drift = |why: String| Fault::SelectionDrift { path: file.path.to_string(), why };
        let now = discovery::hash_file(&invocation.root.join(file.path.as_str()))
            .map_err(|error| drift(error.to_string()))?;
        if now.text != file.text_sha256 {
            return Err(drift("its text is not what selection saw".to_owned()));
        }
    }
    Ok(())
}

/// An empty folder of the run's own: what an earlier run left could be taken for this one's.
fn results_dir(world: &World, request: &Request, out: &Path) -> Result<PathBuf, Fault> {
    let path =
        request.results_dir.as_ref().map_or_else(|| out.join("raw"), |path| world.absolute(path));
    let unusable = |why: String| Fault::ResultsDirUnusable { path: shown(&path), why };
    files::make_dir(&path).map_err(|error| unusable(error.to_string()))?;
    match files::is_empty_dir(&path) {
        Ok(true) => {}
        Ok(false) => return Err(unusable("it already holds files".to_owned())),
        Err(error) => return Err(unusable(error.to_string())),
    }
    // Rights show only when something is written.
    let probe = path.join(".write-check");
    files::write_atomic(&probe, b"")
        .and_then(|()| files::remove(&probe))
        .map_err(|error| unusable(error.to_string()))?;
    Ok(files::canonical(&path))
}

/// Verified copies in the run's own folder, so that no test can spoil the original.
fn stage_fixtures(
    invocation: &Invocation,
    fixtures: &[crate::domain::receipt::FixtureRecord],
    out: &Path,
) -> Result<Vec<(String, OsString)>, Fault> {
    let mut environment = Vec::new();
    for fixture in fixtures {
        let (name, path) = (fixture.name.clone(), fixture.path.clone());
        let from = invocation.root.join(&fixture.path);
        let file_name = from.file_name().map(OsString::from).unwrap_or_default();
        let staged = out.join("fixtures").join(folder_name(&fixture.name)).join(file_name);
        files::copy(&from, &staged).map_err(|error| Fault::FixtureMissing {
            name,
            path,
            why: error.to_string(),
        })?;
        let (name, path) = (fixture.name.clone(), fixture.path.clone());
        match files::digest_file(&staged) {
            Ok((_, digest)) if digest == fixture.sha256 => {}
            _ => return Err(Fault::FixtureAltered { name, path }),
        }
        if let Some(variable) = &fixture.env {
            environment.push((variable.clone(), staged.into_os_string()));
        }
    }
    Ok(environment)
}

/// A fixture's name as a folder: whatever could be a path or a device becomes an underscore.
fn folder_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("f-{plain}")
}

/// A command of the profile's `before` or `after` list: command line and why it failed.
fn side_command(
    world: &World,
    invocation: &Invocation,
    guard: &Arc<Guard>,
    argv: &[String],
    limit: Option<Span>,
    requests_before: u32,
) -> Result<(), (String, String)> {
    let line = argv.join(" ");
    let patience = limit.unwrap_or(Span::from_secs(3600)).as_duration();
    invocation.progress.now(&line);
    match capture_via(
        world,
        Via::Guard(guard.clone()),
        argv,
        &invocation.root,
        patience,
        requests_before,
    ) {
        Ok(done) if done.code == 0 => Ok(()),
        Ok(done) => {
            let said = done
                .stderr
                .lines()
                .chain(done.stdout.lines())
                .find(|line| !line.trim().is_empty())
                .unwrap_or("");
            Err((line, format!("exit code {} {said}", done.code)))
        }
        Err(end) => Err((line, end.describe())),
    }
}

/// What is alive of the run when its time to end by itself is over, and what the setting makes of
/// it; none where somebody asked to stop meanwhile. Clean-up has run by then: what a `before`
/// command started and `after` stops is no leak.
fn leaks(
    world: &World,
    invocation: &Invocation,
    guard: &Guard,
    profile: &DispatcherProfile,
) -> Result<Option<Vec<Leak>>, String> {
    let setting = profile.leaks.value;
    if setting == Leaks::Off {
        return Ok(Some(Vec::new()));
    }
    let since = world.tick();
    let mut alive = guard.survivors()?;
    while !alive.is_empty() && since.elapsed() < profile.leak_grace.value.as_duration() {
        if world.cancel().requests() > 0 {
            return Ok(None);
        }
        world.wait(Duration::from_millis(50));
        alive = guard.survivors()?;
    }
    if alive.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let action = if setting == Leaks::End {
        guard.end_all();
        "ended"
    } else {
        "reported"
    };
    let leak = |survivor: Survivor| Leak {
        pid: survivor.pid,
        start_time_utc: survivor.started,
        command: invocation.redactor.mask_text(&survivor.command),
        action: action.to_owned(),
        file: survivor.file,
    };
    Ok(Some(alive.into_iter().map(leak).collect()))
}

fn open_journal(
    world: &World,
    invocation: &Invocation,
    results: &Path,
    total: u64,
) -> Result<Journal, Fault> {
    let progress = invocation.progress.clone();
    let watch = Box::new(move |event: &_, state: &_| progress.event(event, state, total));
    Journal::create(world, results, invocation.redactor.clone(), watch).map_err(|error| {
        Fault::ResultsDirUnusable { path: journal::FILE.to_owned(), why: error.to_string() }
    })
}

/// Shows the child's lines.
fn live(invocation: &Invocation) -> Arc<dyn Fn(&str) + Send + Sync> {
    let progress = invocation.progress.clone();
    Arc::new(move |lines| progress.line(lines))
}

/// Files that the profile's `artifacts` globs name, copied beside the raw outputs.
fn copy_artifacts(
    invocation: &Invocation,
    profile: &DispatcherProfile,
    results: &Path,
) -> Result<(), Fault> {
    let globs = Globs::compile(&profile.artifacts.value).map_err(|why| {
        Fault::ProfileInvalid(format!("profiles.{}.artifacts: {why}", profile.name.value))
    })?;
    let matches = globs.find(&invocation.root, results);
    for problem in matches.problems {
        tracing::warn!("an artifact was left out: {}", invocation.redactor.mask_text(&problem));
    }
    for (path, absolute) in matches.files {
        let target = path.below("artifacts");
        copy_masked(&invocation.redactor, &absolute, &results.join(target.as_str())).map_err(
            |error| Fault::ResultsDirUnusable { path: target.to_string(), why: error.to_string() },
        )?;
    }
    Ok(())
}

fn conclude(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    identity: &Identity,
    admitted: &Admitted,
    out: &Path,
    mut draft: Draft,
) -> Result<Outcome, Unreported> {
    let mut findings = std::mem::take(&mut draft.findings);
    let status = |findings: &[Finding]| match findings.first() {
        Some(finding) if finding.stops() => class_of(finding.code(), finding.layer()).0,
        _ => Classification::Completed,
    };
    let raw = draft.results.as_deref().map(raw_files).unwrap_or_default();
    for name in raw.1 {
        findings.push(charge(
            &Fault::ResultsDirUnusable { path: name, why: "its name is not Unicode".to_owned() },
            Layer::Execute,
        ));
    }
    let leaked = draft
        .results
        .as_deref()
        .map(|results| sweep::sweep(&invocation.redactor, results))
        .unwrap_or_default();
    findings
        .extend(sweep::fault(Layer::Execute, &leaked).map(|fault| charge(&fault, Layer::Execute)));
    let head =
        invocation::head(world, invocation, identity, &mut findings, status, admitted.parents());
    let mut receipt = ExecutionReceipt::headed(head);
    admitted.record(&mut receipt);
    let shard = request.shard.map(|shard| shard.index);
    receipt.raw_artifact_name = ArtifactName::for_attempt(
        ArtifactName::RAW,
        invocation.gate_id.as_ref(),
        shard,
        identity.run.1,
    )
    .into();
    receipt.raw_artifact_expected = !raw.0.is_empty() && leaked.is_empty();
    // A name that holds a secret is told as masked, and so is found nowhere: that folder is not
    // uploaded.
    receipt.files =
        raw.0.into_iter().filter(|file| !invocation.redactor.is_in(file.path.as_str())).collect();
    receipt.source = "execute".to_owned();
    receipt.root = Some(shown(&invocation.root));
    receipt.shard = request.shard.map(|shard| format!("{}/{}", shard.index, shard.of));
    receipt.limits = limits(draft.profile.as_ref());
    record_run(&mut receipt, &draft);

    // Only where the empty or skipped run itself decides is it let through.
    let empty = |f: &Finding| {
        matches!(f.code(), ReasonCode::ZeroTestsExecuted | ReasonCode::AllTestsSkipped)
    };
    receipt.gate_notice &= findings.first().is_some_and(empty);
    let status = receipt.status.as_str();
    let gate_notice = receipt.gate_notice;
    let raw_path =
        draft.results.as_ref().filter(|_| receipt.raw_artifact_expected).map(|path| shown(path));
    let raw_path = raw_path.unwrap_or_default();
    request.keep(out);
    // A part of a plan is no run of the pack.
    if receipt.status == Classification::Completed && request.shard.is_none() {
        remember_green(world, invocation, identity, admitted);
    }
    let mut outcome = invocation::conclude(invocation, out, &receipt, findings, status)?;
    if gate_notice && let invocation::Ending::Bad(classification) = outcome.ending {
        outcome.ending = invocation::Ending::Notice(classification);
    }
    outcome.outputs = vec![
        (
            "artifact-name",
            ArtifactName::for_attempt(
                ArtifactName::base_of(Layer::Execute),
                invocation.gate_id.as_ref(),
                shard,
                identity.run.1,
            )
            .into(),
        ),
        ("dispatcher-exit-code", receipt.dispatcher_exit_code.to_string()),
        ("raw-artifact-name", receipt.raw_artifact_name),
        ("raw-path", raw_path),
    ];
    if let Some(shard) = request.shard {
        // One set of outputs for all legs of a matrix: each leg sets its own.
        let name: &'static str =
            SHARD_OUTPUTS.get(shard.index as usize - 1).copied().unwrap_or("receipt-sha256-other");
        outcome.outputs.push((name, outcome.written.sha256.to_string()));
    }
    Ok(outcome)
}

/// This host as it is now, for the day on which it is not green.
fn remember_green(
    world: &World,
    invocation: &Invocation,
    identity: &Identity,
    admitted: &Admitted,
) {
    let (Some(readiness), Some(selection)) = (&admitted.preflight, &admitted.selection) else {
        return;
    };
    let (readiness, selection) = (&readiness.receipt, &selection.receipt);
    // Neither is one that was narrowed by hand, or what failed of one.
    let by_hand = |excluded: &Excluded| excluded.reason == ONLY_FILES;
    let chosen = &selection.selection;
    let part = !chosen.refine_include_patterns.is_empty() || chosen.excluded.iter().any(by_hand);
    if selection.rerun_of.is_some() || chosen.files.is_empty() || part {
        return;
    }
    let repository = invocation.repository_key(world);
    let (gate, machine) = (invocation.gate_id.as_ref(), invocation.host.machine_id.as_str());
    let configuration = &invocation.configuration_key();
    let pack = &readiness.pack;
    let key = green::Key { repository: &repository, machine, gate, configuration, pack };
    let head_sha = readiness.run.head_sha.as_ref();
    let gate = &readiness.tool.version;
    let last = LastGreen {
        run_id: identity.run.0.clone(),
        run_attempt: identity.run.1,
        at_utc: world.now(),
        head_sha: identity.head_sha.clone(),
        facts: since_green::facts(
            &readiness.host,
            head_sha,
            gate,
            Some(readiness),
            Some(selection),
        ),
    };
    green::write(&invocation.state, &key, &last, &invocation.redactor);
}

/// Outputs of the legs; the gate's workflow has at most this many.
const SHARD_OUTPUTS: [&str; 16] = [
    "receipt-sha256-1",
    "receipt-sha256-2",
    "receipt-sha256-3",
    "receipt-sha256-4",
    "receipt-sha256-5",
    "receipt-sha256-6",
    "receipt-sha256-7",
    "receipt-sha256-8",
    "receipt-sha256-9",
    "receipt-sha256-10",
    "receipt-sha256-11",
    "receipt-sha256-12",
    "receipt-sha256-13",
    "receipt-sha256-14",
    "receipt-sha256-15",
    "receipt-sha256-16",
];

fn record_run(receipt: &mut ExecutionReceipt, draft: &Draft) {
    receipt.dispatcher_exit_code = -1;
    receipt.telemetry_status = "telemetry-missing".to_owned();
    receipt.postprocess_status = "not-run".to_owned();
    receipt.results_xml_status = "not-run".to_owned();
    receipt.in_flight.clone_from(&draft.in_flight);
    receipt.lock.clone_from(&draft.lock);
    receipt.environment.clone_from(&draft.environment);
    receipt.accounting = draft
        .files
        .iter()
        .map(|path| Accounting { path: path.clone(), state: Accounted::NotReached })
        .collect();
    if let Some(journal) = &draft.journal {
        let state = journal.state();
        receipt.telemetry_path = Some(journal::FILE.to_owned());
        // A test may have taken the file away.
        let there = draft
            .results
            .as_ref()
            .is_some_and(|results| files::exists(&results.join(journal::FILE)));
        receipt.telemetry_present = there;
        receipt.telemetry_status =
            if there { "telemetry-available" } else { "telemetry-missing" }.to_owned();
        receipt.telemetry_event_count = state.events;
        receipt.telemetry_last_known_phase = state.last.map(str::to_owned);
    }
    if let Some(dispatched) = &draft.dispatched {
        receipt.dispatcher_exit_code = dispatched.end.exit_code().unwrap_or(-1);
        let ms = u64::try_from(dispatched.duration.as_millis()).unwrap_or(u64::MAX);
        receipt.outcome = Some(dispatched.end.record(ms));
        receipt.accounting.clone_from(&dispatched.accounting);
        receipt.leaks.clone_from(&draft.leaks);
        receipt.peak_in_flight = dispatched.peak_in_flight;
        receipt.counts = draft.judged.counts;
        receipt.summary_present = draft.judged.read_any;
        receipt.results_xml_status = draft.judged.xml_status.to_owned();
        receipt.postprocess_status.clone_from(&receipt.results_xml_status);
        receipt.gate_notice = draft.judged.gate_notice;
    }
}

fn limits(profile: Option<&DispatcherProfile>) -> LimitsRecord {
    let Some(profile) = profile else { return LimitsRecord::default() };
    let ms = |limit: &crate::domain::config::sourced::Sourced<Option<Span>>| {
        limit.value.map(Span::as_millis)
    };
    LimitsRecord {
        run_ms: ms(&profile.run_limit),
        file_ms: ms(&profile.file_limit),
        test_ms: ms(&profile.test_limit),
        no_output_ms: ms(&profile.no_output_limit),
        kill_grace_ms: profile.kill_grace.value.as_millis(),
    }
}

/// Size and digest of every raw file, and the names of those that no receipt can hold.
fn raw_files(results: &Path) -> (Vec<RawFile>, Vec<String>) {
    let (mut raw, mut unnamed) = (Vec::new(), Vec::new());
    for file in files::list(results) {
        match file {
            Ok((path, absolute)) => {
                if let Ok((size, sha256)) = files::digest_file(&absolute) {
                    raw.push(RawFile { path, size, sha256 });
                }
            }
            Err(name) => unnamed.push(name),
        }
    }
    (raw, unnamed)
}
