//! The door of execute: three receipts that belong together, to this run, this commit, this host.

use std::cell::RefCell;

use super::{Request, Shard};
use crate::adapter::lock::{Attempt, Held, Purpose};
use crate::adapter::process::started;
use crate::adapter::receipt_store::{Verified, shown};
use crate::adapter::world::World;
use crate::domain::host::lock::{Gate, Wait};
use crate::domain::receipt::{
    ContextReceipt, ExecutionReceipt, LayerStatus, LockRecord, Parent, ReadinessReceipt,
    SelectionReceipt,
};
use crate::domain::run::freshness;
use crate::domain::run::ids::RelPath;
use crate::domain::selection::plan::plan_digest;
use crate::domain::verdict::fault::{Fault, ReceiptFault};
use crate::domain::verdict::reason::Layer;
use crate::layer::invocation::{self, Identity, Invocation, upstream_blocked};
use crate::report::quote::printable;

/// The receipts that were believed.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub(super) context: Option<Verified<ContextReceipt>>,
    pub(super) preflight: Option<Verified<ReadinessReceipt>>,
    pub(super) selection: Option<Verified<SelectionReceipt>>,
}

/// Checks all three, so that every fault is named at once; settles the identity from context's.
pub(super) fn admit(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    identity: &mut Identity,
) -> (Admitted, Vec<Fault>) {
    let mut faults = invocation.facts.faults.clone();
    let mut admitted = Admitted::default();
    let mut anchored = invocation.facts.run.is_some();
    match invocation::consume_context(world, invocation, &request.context, identity) {
        Ok(context) => {
            anchored = true;
            admitted.context = Some(context);
        }
        Err(fault) => faults.push(fault.into()),
    }
    // Without a run of our own and without context's there is nothing to hold the others against.
    let mut expect = invocation::expect(world, identity);
    if !anchored {
        expect.run = None;
    }
    match request.preflight.load::<ReadinessReceipt>().and_then(|loaded| loaded.verify(expect)) {
        Ok(preflight) => match check_readiness(world, &preflight) {
            Ok(()) => admitted.preflight = Some(preflight),
            Err(fault) => faults.push(fault),
        },
        Err(fault) => faults.push(fault.into()),
    }
    match request.selection.load::<SelectionReceipt>().and_then(|loaded| loaded.verify(expect)) {
        Ok(selection) if selection.receipt.status == LayerStatus::Blocked => {
            faults.push(upstream_blocked(Layer::Selection, &selection.receipt.reasons).into());
        }
        Ok(selection) => match check_plan(&selection) {
            Ok(()) => admitted.selection = Some(selection),
            Err(fault) => faults.push(fault),
        },
        Err(fault) => faults.push(fault.into()),
    }
    if let (Some(preflight), Some(selection)) = (&admitted.preflight, &admitted.selection) {
        let (found, own) = (&preflight.receipt.pack, &selection.receipt.selection.execution_pack);
        if found != own {
            faults.push(Fault::PackMismatch { found: found.clone(), own: own.clone() });
        }
    }
    (admitted, faults)
}

/// The plan is the one that its own digest speaks of.
fn check_plan(selection: &Verified<SelectionReceipt>) -> Result<(), Fault> {
    let digest = plan_digest(&selection.receipt.selection.files);
    if selection.receipt.plan_sha256.as_ref() == Some(&digest) {
        return Ok(());
    }
    let path = shown(&selection.path);
    let why = "its planSha256 is not of its files".to_owned();
    Err(ReceiptFault::Corrupt { layer: Layer::Selection, path, why }.into())
}

fn check_readiness(world: &World, preflight: &Verified<ReadinessReceipt>) -> Result<(), Fault> {
    let receipt = &preflight.receipt;
    if receipt.status == LayerStatus::Blocked {
        return Err(upstream_blocked(Layer::Preflight, &receipt.reasons).into());
    }
    let own = world.host();
    if receipt.host.machine_id != own.machine_id {
        return Err(Fault::HostMismatch { found: receipt.host.name.clone(), own: own.name });
    }
    // What is stale now will not be fresher behind the queue; there it is asked again.
    freshness::stale(receipt.generated_at_utc, receipt.freshness_window_seconds, world.now())?;
    Ok(())
}

/// Waits for the host's lock. Where an ancestor of this process holds it there is none of our own.
pub(super) fn hold_the_host(
    world: &World,
    invocation: &Invocation,
    record: &mut Option<LockRecord>,
) -> Result<Option<Held>, Fault> {
    let unusable = |error: std::io::Error| Fault::LockUnusable(error.to_string());
    let lock = invocation.lock(world).map_err(unusable)?;
    let since = world.tick();
    let last_seen = RefCell::new(None);
    let tell = |wait: &Wait| {
        *last_seen.borrow_mut() = Some(wait.holder.describe());
        invocation
            .progress
            .pause(|| world.note(&invocation.redactor.mask_text(&printable(&wait.describe()))));
    };
    let gate = Gate { id: invocation.gate_id.as_ref().map(ToString::to_string) };
    let repository = invocation.repository_label(world);
    let purpose = Purpose {
        command: "execute",
        repository: &repository,
        execute: Some(&gate),
        started: started(world.pid()),
        redactor: &invocation.redactor,
    };
    let attempt =
        lock.acquire(world, purpose, invocation.settings.lock_wait.value.as_duration(), &tell);
    let attempt = attempt.map_err(unusable)?;
    let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let recorded = |holder: Option<String>| {
        Some(LockRecord { group: lock.group().to_string(), waited_ms, holder })
    };
    *record = recorded(last_seen.into_inner());
    match attempt {
        Attempt::Held(held) => Ok(Some(held)),
        Attempt::Inherited => {
            *record = recorded(Some("an ancestor of this process, for it as well".to_owned()));
            Ok(None)
        }
        Attempt::InVain(holder) => {
            let holder = holder.describe();
            *record = recorded(Some(holder.clone()));
            let holder = format!("{holder}; it was waited for {} s", waited_ms / 1000);
            Err(Fault::LockHeld { group: lock.group().to_string(), holder })
        }
        Attempt::Cancelled => Err(Fault::RunCancelled),
    }
}

/// The files of the plan, or of one shard of it.
pub(super) fn files(
    receipt: &SelectionReceipt,
    shard: Option<Shard>,
) -> Result<Vec<RelPath>, Fault> {
    let Some(shard) = shard else {
        return Ok(receipt.selection.files.iter().map(|file| file.path.clone()).collect());
    };
    let planned = receipt
        .shards
        .iter()
        .find(|planned| planned.index == shard.index && planned.of == shard.of);
    planned.map(|planned| planned.files.clone()).ok_or_else(|| {
        let of = receipt.shards.len();
        Fault::ConfigurationInvalid(format!(
            "shard {}/{}: the plan has {of} shards",
            shard.index, shard.of
        ))
    })
}

impl Admitted {
    /// As `parents[]`.
    pub(super) fn parents(&self) -> Vec<Parent> {
        let context = self.context.iter().map(|receipt| receipt.parent());
        let preflight = self.preflight.iter().map(|receipt| receipt.parent());
        let selection = self.selection.iter().map(|receipt| receipt.parent());
        context.chain(preflight).chain(selection).collect()
    }

    /// The predecessor's fields about what was consumed.
    pub(super) fn record(&self, receipt: &mut ExecutionReceipt) {
        let unknown = || "unknown".to_owned();
        (receipt.context_status, receipt.readiness_status, receipt.selection_status) =
            (unknown(), unknown(), unknown());
        if let Some(context) = &self.context {
            receipt.context_status = context.receipt.status.as_str().to_owned();
            receipt.context_receipt_path = Some(shown(&context.path));
            receipt.context_receipt_present = true;
            receipt.standing_priority_issue = context.receipt.standing_priority.issue_number;
        }
        if let Some(preflight) = &self.preflight {
            receipt.readiness_status = preflight.receipt.status.as_str().to_owned();
            receipt.readiness_receipt_path = Some(shown(&preflight.path));
            receipt.readiness_receipt_present = true;
            receipt.readiness_receipt_generated_at_utc = Some(preflight.receipt.generated_at_utc);
            receipt.readiness_receipt_freshness_window_seconds =
                Some(preflight.receipt.freshness_window_seconds);
        }
        if let Some(selection) = &self.selection {
            let chosen = &selection.receipt.selection;
            receipt.selection_status = selection.receipt.status.as_str().to_owned();
            receipt.selection_receipt_path = Some(shown(&selection.path));
            receipt.selection_receipt_present = true;
            receipt.selection_execution_pack = Some(chosen.execution_pack.clone());
            receipt.selection_execution_pack_source = Some(chosen.execution_pack_source.clone());
            receipt.selection_integration_mode = Some(chosen.integration_mode.clone());
            receipt.selection_fixture_required = chosen.fixture_required;
        }
    }
}
