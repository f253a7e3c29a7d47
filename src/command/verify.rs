//! `verify DIR`: is a folder of receipts whole? Schemas, digests, parents, one run, one commit,
//! order in time.

use std::path::Path;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::adapter::receipt_store::{self, shown};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::receipt::{
    ContextReceipt, EvidenceReceipt, ExecutionReceipt, OperatorOutcome, Parent, Provenance,
    ReadinessReceipt, Receipt, RouteReceipt, SelectionReceipt,
};
use crate::domain::run::freshness;
use crate::domain::run::ids::{CommitSha, RunId, Sha256};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge};
use crate::domain::verdict::reason::Layer;

/// One receipt that was read.
struct Entry {
    layer: Layer,
    schema: &'static str,
    path: String,
    sha256: Sha256,
    generated_at: Timestamp,
    run_id: RunId,
    run_attempt: u32,
    head_sha: Option<CommitSha>,
    parents: Vec<Parent>,
}

/// What was found.
pub(crate) struct Verified {
    /// Receipts that were read: layer, path, digest.
    pub(crate) receipts: Vec<(Layer, String, Sha256)>,
    /// What is wrong, if anything.
    pub(crate) findings: Vec<Finding>,
}

/// Checks a folder. Age is not checked: a folder may be verified years later.
pub(crate) fn verify(world: &World, dir: &Path) -> Result<Verified> {
    if !files::is_dir(dir) {
        bail!("{} is not a folder", shown(dir));
    }
    let mut entries = Vec::new();
    let mut faults: Vec<Fault> = Vec::new();
    read::<RouteReceipt>(dir, &mut entries, &mut faults);
    read::<ContextReceipt>(dir, &mut entries, &mut faults);
    read::<ReadinessReceipt>(dir, &mut entries, &mut faults);
    read::<SelectionReceipt>(dir, &mut entries, &mut faults);
    read::<ExecutionReceipt>(dir, &mut entries, &mut faults);
    read::<EvidenceReceipt>(dir, &mut entries, &mut faults);
    read::<OperatorOutcome>(dir, &mut entries, &mut faults);
    read::<Provenance>(dir, &mut entries, &mut faults);
    if entries.is_empty() && faults.is_empty() {
        bail!("{} holds no receipt", shown(dir));
    }
    faults.extend(one_run(world, &entries));
    faults.extend(entries.iter().flat_map(|entry| parents(entry, &entries)));
    let mut findings: Vec<Finding> =
        faults.iter().map(|fault| charge(fault, Layer::Post)).collect();
    crate::domain::verdict::classify::order(&mut findings);
    Ok(Verified {
        receipts: entries.into_iter().map(|e| (e.layer, e.path, e.sha256)).collect(),
        findings,
    })
}

fn read<R: Receipt>(dir: &Path, entries: &mut Vec<Entry>, faults: &mut Vec<Fault>) {
    for path in receipt_store::find::<R>(dir) {
        match receipt_store::load::<R>(&path, None) {
            Ok(loaded) => entries.push(Entry {
                layer: R::LAYER,
                schema: R::SCHEMA,
                path: shown(path.strip_prefix(dir).unwrap_or(&path)),
                sha256: loaded.sha256.clone(),
                generated_at: loaded.receipt.generated_at(),
                run_id: loaded.receipt.run().run_id.clone(),
                run_attempt: loaded.receipt.run().run_attempt,
                head_sha: loaded.receipt.run().head_sha.clone(),
                parents: loaded.receipt.parents().to_vec(),
            }),
            Err(fault) => faults.push(fault.into()),
        }
    }
}

/// All of one run and one commit, none ahead of the clock. The first receipt sets the measure.
fn one_run(world: &World, entries: &[Entry]) -> Vec<Fault> {
    let Some(first) = entries.first() else { return Vec::new() };
    let now = world.now().as_second();
    let mut faults = Vec::new();
    for entry in entries {
        let layer = entry.layer;
        if entry.run_id != first.run_id {
            let (found, own) = (entry.run_id.to_string(), first.run_id.to_string());
            faults.push(ReceiptFault::ForeignRun { layer, found, own }.into());
        }
        if let Some(own) = first.head_sha.clone().filter(|own| Some(own) != entry.head_sha.as_ref())
        {
            faults.push(
                ReceiptFault::ForeignCommit { layer, found: entry.head_sha.clone(), own }.into(),
            );
        }
        let ahead_seconds = entry.generated_at.as_second() - now;
        if ahead_seconds > freshness::FUTURE_TOLERANCE_SECONDS {
            faults.push(ReceiptFault::FromFuture { layer, ahead_seconds }.into());
        }
    }
    faults
}

/// Every parent is there with its digest, not younger and not of a later attempt than its child.
fn parents(entry: &Entry, entries: &[Entry]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for parent in &entry.parents {
        let of_kind: Vec<&Entry> = entries.iter().filter(|e| e.schema == parent.schema).collect();
        let layer = crate::domain::receipt::CATALOGUE
            .iter()
            .find(|(schema, _, _)| *schema == parent.schema)
            .map_or(entry.layer, |(_, _, layer)| *layer);
        match of_kind.iter().find(|known| known.sha256 == parent.sha256) {
            Some(found) => {
                let ahead_seconds = found.generated_at.as_second() - entry.generated_at.as_second();
                if ahead_seconds > freshness::FUTURE_TOLERANCE_SECONDS {
                    faults.push(ReceiptFault::FromFuture { layer, ahead_seconds }.into());
                }
                if found.run_attempt > entry.run_attempt {
                    let (found, own) = (found.run_attempt, entry.run_attempt);
                    faults.push(ReceiptFault::LaterAttempt { layer, found, own }.into());
                }
            }
            None => faults.push(match of_kind.first() {
                Some(other) => ReceiptFault::DigestMismatch {
                    layer,
                    path: other.path.clone(),
                    found: other.sha256.to_string(),
                    expected: parent.sha256.to_string(),
                }
                .into(),
                None => ReceiptFault::Missing { layer, path: parent.path.clone() }.into(),
            }),
        }
    }
    faults
}

/// As text.
pub(crate) fn text(verified: &Verified) -> String {
    let mut out = String::new();
    for (layer, path, sha256) in &verified.receipts {
        out.push_str(&format!(
            "{:<10} {sha256}  {}\n",
            layer.as_str(),
            crate::report::quote::printable(path)
        ));
    }
    for finding in &verified.findings {
        out.push_str(&format!(
            "{} at {}: {}\n",
            finding.code(),
            finding.layer(),
            crate::report::quote::printable(finding.detail())
        ));
    }
    if verified.findings.is_empty() {
        out.push_str(&format!(
            "ok: {} receipts, all valid and consistent\n",
            verified.receipts.len()
        ));
    }
    out
}

/// As JSON.
pub(crate) fn json(verified: &Verified) -> Value {
    let receipts: Vec<Value> = verified
        .receipts
        .iter()
        .map(|(layer, path, sha256)| json!({"layer": layer, "path": path, "sha256": sha256}))
        .collect();
    let reasons: Vec<crate::domain::receipt::Reason> =
        verified.findings.iter().map(Into::into).collect();
    json!({"ok": verified.findings.is_empty(), "receipts": receipts, "reasons": reasons})
}
