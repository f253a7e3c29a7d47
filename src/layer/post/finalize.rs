//! The execution receipt of a job that died without one: what its journal and its job's result
//! tell, and no more.

use std::path::Path;

use super::collect::Collected;
use crate::adapter::journal;
use crate::adapter::receipt_store::{FINALIZED, shown};
use crate::adapter::workspace::files;
use crate::domain::receipt::{
    Accounted, Accounting, Classification, ExecutionReceipt, Head, Reason,
};
use crate::domain::verdict::classify::Verdict;
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::Layer;

/// The receipt, where execute should have left one.
pub(super) fn receipt(
    dir: &Path,
    head: &Head<Classification>,
    collected: &Collected,
    verdict: &Verdict,
) -> Option<ExecutionReceipt> {
    let own = |finding: &&Finding| finding.layer() == Layer::Execute && finding.stops();
    let charged: Vec<Reason> = verdict.findings.iter().filter(own).map(Into::into).collect();
    // One that is there and refused stays what it is; a layer that was not to run left nothing.
    if charged.is_empty()
        || collected.evidence.receipt_states.contains_key(&Layer::Execute)
        || !collected.execution.is_empty()
    {
        return None;
    }
    let mut receipt = ExecutionReceipt::headed(Head {
        status: Classification::SeamDefect,
        reasons: charged,
        ..head.clone()
    });
    FINALIZED.clone_into(&mut receipt.source);
    let status =
        |layer| collected.statuses.get(&layer).cloned().unwrap_or_else(|| "unknown".to_owned());
    receipt.context_status = status(Layer::Context);
    receipt.readiness_status = status(Layer::Preflight);
    receipt.selection_status = status(Layer::Selection);
    receipt.context_receipt_present = collected.context.is_some();
    receipt.readiness_receipt_present = collected.readiness.is_some();
    receipt.selection_receipt_present = collected.selection.is_some();
    receipt.dispatcher_exit_code = -1;
    "not-run".clone_into(&mut receipt.postprocess_status);
    "not-run".clone_into(&mut receipt.results_xml_status);
    "telemetry-missing".clone_into(&mut receipt.telemetry_status);
    receipt.in_flight.clone_from(&collected.last_known);
    let journal =
        files::list(dir).into_iter().flatten().find(|(path, _)| path.file_name() == journal::FILE);
    let state = journal.and_then(|(path, absolute)| {
        Some((path, absolute.clone(), journal::read_state(&absolute)?))
    });
    if let Some((path, _, state)) = &state {
        receipt.telemetry_path = Some(shown(Path::new(path.as_str())));
        receipt.telemetry_present = true;
        "telemetry-available".clone_into(&mut receipt.telemetry_status);
        receipt.telemetry_event_count = state.events;
        receipt.telemetry_last_known_phase = state.last.map(str::to_owned);
    }
    let took_up =
        |path: &str| state.as_ref().is_some_and(|(_, _, state)| state.files.contains_key(path));
    if let Some(selection) = &collected.selection {
        let selection = &selection.receipt.selection;
        receipt.selection_execution_pack = Some(selection.execution_pack.clone());
        receipt.selection_execution_pack_source = Some(selection.execution_pack_source.clone());
        receipt.accounting = selection
            .files
            .iter()
            .map(|file| {
                // Whether a file that was taken up came to its end only its receipt could say.
                let state = if took_up(file.path.as_str()) {
                    Accounted::Unknown
                } else {
                    Accounted::NotReached
                };
                Accounting { path: file.path.clone(), state }
            })
            .collect();
    }
    Some(receipt)
}
