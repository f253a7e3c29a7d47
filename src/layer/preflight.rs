//! Preflight: is this host fit for this pack?
//!
//! It never looks issues up and never chooses tests.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::invocation::{self, Identity, Invocation, Outcome, ReceiptInput, Unreported};
use crate::adapter::green;
use crate::adapter::probe::{self, Probed, Surroundings};
use crate::adapter::world::World;
use crate::domain::config::settings::Settings;
use crate::domain::config::{DispatcherKind, Fixture, FixtureWhen, Requirement};
use crate::domain::receipt::{FixtureRecord, Parent, ProbeOutcome, ProbeRecord, ReadinessReceipt};
use crate::domain::results::test_runner::TestRunner;
use crate::domain::run::ids::ArtifactName;
use crate::domain::selection::integration::{self, Mode};
use crate::domain::selection::pack;
use crate::domain::verdict::classify::layer_status;
use crate::domain::verdict::fault::{Fault, Finding, charge, good};
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};

/// What preflight is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Context's receipt.
    pub(crate) context: ReceiptInput,
}

/// Runs the layer.
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: Request,
) -> Result<Outcome, Unreported> {
    let mut identity = Identity::own(world, invocation);
    let mut findings = invocation.fact_findings(Layer::Preflight);
    let mut parents: Vec<Parent> = Vec::new();
    let mut context_at = None;
    let mut go_on = findings.is_empty();
    // By hand at a terminal the host may be measured without a chain; in a workflow never.
    if request.context.path.is_some() || world.under_actions() {
        match invocation::consume_context(world, invocation, &request.context, &mut identity) {
            Ok(context) => {
                // One host has one clock.
                let elsewhere = context.receipt.host.machine_id != world.host().machine_id;
                context_at = elsewhere.then_some(context.receipt.generated_at_utc);
                parents.push(context.parent());
            }
            Err(fault) => {
                findings.push(charge(&fault.into(), Layer::Preflight));
                go_on = false;
            }
        }
    }
    let out = invocation.out_dir(&identity.run.0, identity.run.1);

    let asked = invocation.settings.pack.value.as_deref();
    let (requires, pack_name) = match pack::resolve(&invocation.settings.packs, asked) {
        Ok((pack, _)) => (pack.requires, pack.name),
        Err(fault) => {
            // Selection blocks on it; here only what is always looked at can be looked at.
            findings.push(charge(&fault, Layer::Preflight).at_most(Severity::Warns));
            (Vec::new(), asked.unwrap_or_default().to_owned())
        }
    };
    let (probes, fixtures) = if go_on {
        measure(world, invocation, &out, context_at, &requires, &mut findings)
    } else {
        Default::default()
    };
    if world.cancel().requests() > 0 {
        // What a probe could not answer because it was ended says nothing of the host.
        findings.retain(|finding| {
            !matches!(finding.code(), ReasonCode::ProbeFailed | ReasonCode::ProbeTimedOut)
        });
        findings.push(charge(&Fault::LayerCancelled { layer: Layer::Preflight }, Layer::Preflight));
    }
    if go_on && layer_status(&findings) == crate::domain::receipt::LayerStatus::Ready {
        let looked_at = probes.len();
        findings.push(good(ReasonCode::HostReady, Layer::Preflight, format!("{looked_at} probes")));
    }

    let head = invocation::head(world, invocation, &identity, &mut findings, layer_status, parents);
    let mut receipt = ReadinessReceipt::headed(head);
    receipt.freshness_window_seconds = invocation.settings.freshness.value.as_millis() / 1000;
    receipt.pack = pack_name;
    receipt.probes = probes;
    receipt.fixtures = fixtures;
    let repository = invocation.repository_key(world);
    let (gate, machine) = (invocation.gate_id.as_ref(), invocation.host.machine_id.as_str());
    let configuration = &invocation.configuration_key();
    let pack = &receipt.pack;
    let key = green::Key { repository: &repository, machine, gate, configuration, pack };
    receipt.last_green = green::read(&invocation.state, &key, &invocation.redactor);
    let status = invocation::status_word(&findings);
    let mut outcome = invocation::conclude(invocation, &out, &receipt, findings, status)?;
    outcome.outputs = vec![(
        "artifact-name",
        ArtifactName::for_attempt(
            ArtifactName::base_of(Layer::Preflight),
            invocation.gate_id.as_ref(),
            None,
            identity.run.1,
        )
        .into(),
    )];
    Ok(outcome)
}

type Measured = (BTreeMap<String, ProbeRecord>, Vec<FixtureRecord>);

fn measure(
    world: &World,
    invocation: &Invocation,
    out: &Path,
    context: Option<Timestamp>,
    requires: &[Requirement],
    findings: &mut Vec<Finding>,
) -> Measured {
    let around = Surroundings {
        context,
        ..surroundings(world, invocation, out, needed_fixtures(world, invocation))
    };
    let mut records = BTreeMap::new();
    let mut fixtures = Vec::new();
    for probed in probe::run_all(&around, probe::build(requires, &around)) {
        let (name, record, own) = settle(probed, &mut fixtures);
        findings.extend(own);
        records.insert(name, record);
    }
    (records, fixtures)
}

/// One thing that was looked at, for a person at the machine.
pub(crate) struct Looked {
    /// Its name.
    pub(crate) name: String,
    /// What came of it.
    pub(crate) record: ProbeRecord,
    /// What is amiss, a line each.
    pub(crate) details: Vec<String>,
}

/// Looks at what these requirements ask for, and at what is always looked at, in that order. All
/// fixtures are looked at, and nothing is decided.
pub(crate) fn look(
    world: &World,
    invocation: &Invocation,
    scratch: &Path,
    requires: &[Requirement],
) -> Vec<Looked> {
    let around = surroundings(world, invocation, scratch, invocation.settings.fixtures.clone());
    let looked =
        probe::run_all(&around, probe::build(requires, &around)).into_iter().map(|probed| {
            let (name, record, findings) = settle(probed, &mut Vec::new());
            let details = findings
                .iter()
                .map(|finding| invocation.redactor.mask_text(finding.detail()))
                .collect();
            Looked { name, record, details }
        });
    looked.collect()
}

fn surroundings(
    world: &World,
    invocation: &Invocation,
    out: &Path,
    fixtures: Vec<Fixture>,
) -> Surroundings {
    Surroundings {
        world: world.clone(),
        root: invocation.root.clone(),
        folders: vec![
            ("workspace", invocation.root.clone()),
            ("state", invocation.state.clone()),
            ("out", out.to_owned()),
        ],
        min_free: invocation.settings.min_free.value,
        min_free_files: invocation.settings.min_free_files.value,
        engine: invocation.settings.docker_engine.value,
        context: None,
        lock: invocation.lock(world).map_err(|error| error.to_string()),
        fixtures,
        labels: invocation.settings.labels.value.clone(),
        runner_labels: invocation.settings.runner_labels.value.clone(),
        powershell: powershell(&invocation.settings),
        pester: (
            invocation.settings.pester_minimum_version.value.clone(),
            invocation.settings.pester_maximum_version.value.clone(),
        ),
        implies_pester: implies_pester(&invocation.settings),
        command: match invocation.settings.kind.value {
            DispatcherKind::Command => invocation.settings.command.value.clone(),
            _ => Vec::new(),
        },
        prepared: invocation.settings.is_prepared(),
        scratch: out.join("probe"),
        timeout: invocation.settings.probe_timeout.value,
    }
}

/// A command that calls `Invoke-Pester` needs PowerShell and Pester as the dispatcher of that kind
/// does.
fn implies_pester(settings: &Settings) -> bool {
    match settings.kind.value {
        DispatcherKind::Pester => true,
        DispatcherKind::Command => {
            TestRunner::of(&settings.command.value) == Some(TestRunner::Pester)
        }
        DispatcherKind::Auto | DispatcherKind::Scripts => false,
    }
}

/// The PowerShell that runs Pester.
fn powershell(settings: &Settings) -> String {
    let own =
        settings.command.value.first().filter(|_| settings.kind.value == DispatcherKind::Command);
    let own = own.filter(|_| implies_pester(settings));
    own.unwrap_or(&settings.powershell.value).clone()
}

/// What the run will need: all, or those that do not wait for integration tests.
fn needed_fixtures(world: &World, invocation: &Invocation) -> Vec<Fixture> {
    let asked = invocation.settings.integration_mode.value.as_deref();
    let mode =
        integration::resolve(asked.map(|word| (word, "integration-mode")), |name| world.var(name));
    // A mode that cannot be read is selection's to refuse.
    let included = mode.is_ok_and(|(mode, _)| mode == Mode::Include);
    let needed = |fixture: &&Fixture| included || fixture.when == FixtureWhen::Always;
    invocation.settings.fixtures.iter().filter(needed).cloned().collect()
}

/// A probe's answer as record and findings: what is required blocks, what is not warns.
fn settle(
    probed: Probed,
    fixtures: &mut Vec<FixtureRecord>,
) -> (String, ProbeRecord, Vec<Finding>) {
    let (facts, faults) = match probed.answer {
        Ok(answer) => {
            fixtures.extend(answer.fixtures);
            (answer.facts, answer.faults)
        }
        Err(fault) => (BTreeMap::new(), vec![fault]),
    };
    let no_answer =
        |fault: &Fault| matches!(fault.code(), ReasonCode::ProbeFailed | ReasonCode::ProbeTimedOut);
    // What is required blocks on proof of absence; what is only implied does not block on silence.
    let most = |fault: &Fault| match probed.required && !(probed.implied && no_answer(fault)) {
        true => Severity::Blocks,
        false => Severity::Warns,
    };
    let findings: Vec<Finding> =
        faults.iter().map(|fault| charge(fault, Layer::Preflight).at_most(most(fault))).collect();
    let outcome = match faults.first() {
        None => ProbeOutcome::Pass,
        Some(fault) if no_answer(fault) => ProbeOutcome::Unknown,
        Some(_) if findings.iter().any(Finding::stops) => ProbeOutcome::Fail,
        Some(_) => ProbeOutcome::Warn,
    };
    let record = ProbeRecord {
        outcome,
        required: probed.required,
        facts,
        reason: findings.first().map(|finding| finding.code().into()),
        remedy: findings.first().map(|finding| finding.code().row().remedy.to_owned()),
        duration_ms: u64::try_from(probed.duration.as_millis()).unwrap_or(u64::MAX),
    };
    (probed.name, record, findings)
}
