//! A retained run of the predecessor, as evidence: its receipt, the reports of its files, its
//! summary.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Request;
use super::collect::{Collected, record_input};
use crate::adapter::receipt_store::shown;
use crate::adapter::results;
use crate::adapter::workspace::files;
use crate::domain::receipt::{ExecutionReceipt, Receipt};
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::Failure;
use crate::domain::run::ids::RelPath;
use crate::domain::run::predecessor::{
    self, PredecessorFailure, PredecessorReceipt, PredecessorReport, PredecessorSummary,
};
use crate::domain::verdict::classify::ReceiptState;
use crate::domain::verdict::fault::{Fault, Finding};
use crate::domain::verdict::reason::Layer;

/// The execution receipt of the predecessor that counts below a folder: that of its contract, else
/// any. One that is ours has reasons and a tool.
pub(crate) fn find(dir: &Path) -> Option<(PathBuf, PredecessorReceipt)> {
    let mut found: Vec<(bool, PathBuf, Value)> = files::list(dir)
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.file_name() == ExecutionReceipt::FILE)
        .filter_map(|(path, absolute)| {
            let document: Value = read(&absolute)?;
            let theirs = document.get("schema").and_then(Value::as_str)
                == Some(ExecutionReceipt::SCHEMA)
                && document.get("tool").is_none()
                && document.get("reasons").is_none();
            theirs
                .then(|| (!path.as_str().contains("pester-execution-contract"), absolute, document))
        })
        .collect();
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let (_, path, document) = found.into_iter().next()?;
    // Every field has a default; one of another type is somebody else's document.
    Some((path, serde_json::from_value(document).ok()?))
}

/// Gathers its evidence.
pub(super) fn collect(request: &Request, path: &Path, receipt: &PredecessorReceipt) -> Collected {
    let dir = &request.receipts_dir;
    let listed: Vec<(RelPath, PathBuf)> = files::list(dir).into_iter().flatten().collect();
    let mut collected = Collected { raw: "staged", ..Collected::default() };
    collected.evidence.found.clone_from(&request.found);
    record_input(&mut collected, dir, path, "execute-receipt", Some(ExecutionReceipt::SCHEMA));
    "ok".clone_into(&mut collected.execution_status);

    let mut reports = Vec::new();
    for (path, absolute) in reports_of(&listed) {
        record_input(&mut collected, dir, absolute, "raw", None);
        let reading = match results::list(absolute) {
            Ok(reading) => reading,
            Err(error) => {
                let (path, why) = (path.to_string(), error.to_string());
                let fault = Some(Fault::ResultsInvalid { path: path.clone(), why });
                reports.push(PredecessorReport { path, counts: Counts::default(), fault });
                continue;
            }
        };
        collected.tests.extend(reading.tests.iter().flatten().cloned());
        collected.failures.extend(reading.failures.iter().map(Failure::of));
        let fault = reading.defect.as_ref().map(|defect| defect.fault(path.as_str()));
        reports.push(PredecessorReport { path: path.to_string(), counts: reading.counts, fault });
    }
    let named =
        |name: &str| listed.iter().find(|(path, _)| path.file_name() == name).map(|(_, path)| path);
    let summary = named("pester-summary.json").and_then(|path| {
        record_input(&mut collected, dir, path, "test-summary", None);
        read::<PredecessorSummary>(path)
    });
    if collected.failures.is_empty()
        && let Some(path) = named("pester-failures.json")
    {
        record_input(&mut collected, dir, path, "failures", Some("pester-failures@v2"));
        let results = read::<Value>(path).and_then(|document| document.get("results").cloned());
        let reported: Vec<PredecessorFailure> =
            results.and_then(|results| serde_json::from_value(results).ok()).unwrap_or_default();
        collected.failures.extend(reported.into_iter().map(Failure::from));
    }
    collected.counts = predecessor::counts(&reports, summary);
    collected.raw_dirs.push(dir.clone());
    let selected =
        named("pester-selected-files.txt").and_then(|path| files::read_bounded(path).ok());
    let selected =
        selected.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let beside = predecessor::Beside {
        selected: predecessor::selected(&selected),
        failures: summary.map(|summary| summary.failed + summary.errors),
        statuses: statuses(&listed),
    };
    let execute = predecessor::execute(
        receipt,
        &reports,
        &collected.counts,
        collected.failures.first(),
        &beside,
    );
    let receipt_states = [
        (
            Layer::Context,
            predecessor::layer(Layer::Context, &receipt.context_status),
            &receipt.context_status,
        ),
        (
            Layer::Preflight,
            predecessor::layer(Layer::Preflight, &receipt.readiness_status),
            &receipt.readiness_status,
        ),
        (
            Layer::Selection,
            predecessor::layer(Layer::Selection, &receipt.selection_status),
            &receipt.selection_status,
        ),
        (Layer::Execute, execute, &receipt.status),
    ];
    for (layer, findings, status) in receipt_states {
        let stopped = findings.is_empty() || findings.iter().any(Finding::stops);
        // A run that a layer before it stopped has no word of its own.
        let state = if findings.is_empty() {
            ReceiptState::Absent
        } else {
            ReceiptState::Read { findings, stopped }
        };
        collected.evidence.receipt_states.insert(layer, state);
        collected.statuses.insert(layer, status.clone());
    }
    collected
}

/// What every receipt of the run says, of which there are two.
fn statuses(listed: &[(RelPath, PathBuf)]) -> Vec<String> {
    let receipts = listed.iter().filter(|(path, _)| path.file_name() == ExecutionReceipt::FILE);
    receipts
        .filter_map(|(_, path)| read::<PredecessorReceipt>(path))
        .map(|receipt| receipt.status)
        .collect()
}

/// The reports of the single files, each in a folder of its own; without them the one at the top,
/// where it holds cases. (A wrapper writes a top one without any: its totals are told by the
/// summary.)
fn reports_of(listed: &[(RelPath, PathBuf)]) -> Vec<(&RelPath, &PathBuf)> {
    let is_report = |path: &RelPath| path.file_name() == "pester-results.xml";
    let in_a_folder = |path: &RelPath| {
        let folders: Vec<&str> = path.as_str().split('/').collect();
        folders.len() > 2 && folders[folders.len() - 3] == "pester"
    };
    let reports = || {
        listed.iter().filter(|(path, _)| is_report(path)).map(|(path, absolute)| (path, absolute))
    };
    let own: Vec<_> = reports().filter(|(path, _)| in_a_folder(path)).collect();
    if own.is_empty() { reports().collect() } else { own }
}

/// A document of its, with or without a byte order mark.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = files::read_bounded(path).ok()?;
    let read = serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
    read.map_err(|error| tracing::warn!("{}: {error}", shown(path))).ok()
}
