//! What post leaves: the receipts, the files in the predecessor's shapes, the reports.

use std::path::PathBuf;

use super::Request;
use super::collect::Collected;
use super::run_report::{duration_ms, layer_status, replay_of};
use super::stored_request::stored_request;
use crate::adapter::receipt_store::{self, Written, shown};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::receipt::{
    Classification, EvidenceReceipt, ExecutionReceipt, FileRecord, GateStatus, Head,
    OperatorOutcome, Provenance, Receipt, ReplayedBy,
};
use crate::domain::results::bundle::{self, Bundle};
use crate::domain::results::test_list::{self, TestList};
use crate::domain::results::triage::{self, Triage};
use crate::domain::verdict::classify::Verdict;
use crate::domain::verdict::fault::{Fault, Finding};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::layer::invocation::{self, Invocation, Outcome, Unreported};
use crate::report::screen::{self, View};
use crate::report::text::RunReport;
use crate::report::{evidence, html};

/// File name of the Markdown summary.
pub(super) const SUMMARY: &str = "summary.md";
/// File name of the page.
const PAGE: &str = "report.html";
/// File name of the plain report.
const REPORT: &str = "report.txt";
/// File names in the predecessor's shapes.
const FAILURES: &str = "pester-failures.json";
const TOTALS: &str = "pester-totals.json";
const TEST_SUMMARY: &str = "pester-summary.json";

/// Everything that is written from.
pub(super) struct Writing<'a> {
    pub(super) world: &'a World,
    pub(super) invocation: &'a Invocation,
    pub(super) request: &'a Request,
    pub(super) collected: &'a Collected,
    pub(super) verdict: &'a Verdict,
    pub(super) documents: Documents<'a>,
    /// Where to.
    pub(super) out: PathBuf,
    /// What is there so far, by role.
    pub(super) written: Vec<(&'static str, Written)>,
}

/// Documents that other runs read.
pub(super) struct Documents<'a> {
    pub(super) tests: &'a TestList,
    pub(super) triage: Option<&'a Triage>,
    pub(super) bundle: &'a Bundle,
}

impl Writing<'_> {
    /// Writes all of it; the provenance last, because it lists the others.
    pub(super) fn all(
        &mut self,
        head: &Head<Classification>,
        findings: Vec<Finding>,
        run_report: &RunReport,
        summary: &str,
        gate: GateStatus,
    ) -> Result<Outcome, Unreported> {
        let unreported = |fault| Unreported { layer: Layer::Post, fault };
        self.failures(run_report).map_err(unreported)?;
        let redactor = &self.invocation.redactor;
        let classification =
            receipt_store::write(&self.out, &self.classification(head.clone()), redactor);
        self.written.push(("classification", classification.map_err(unreported)?.0));
        let finalized = super::finalize::receipt(
            &self.request.receipts_dir,
            head,
            self.collected,
            self.verdict,
        );
        if let Some(receipt) = finalized.filter(|_| self.request.predecessor.is_none()) {
            let written =
                receipt_store::write(&self.out, &receipt, redactor).map_err(unreported)?.0;
            self.written.push(("execution-receipt", written));
        }
        let operator = self.operator(head.clone(), gate, run_report);
        let status = self.verdict.classification.as_str();
        let outcome =
            invocation::conclude(self.invocation, &self.out, &operator, findings, status)?;
        self.written.push(("operator-outcome", outcome.written.clone()));
        if self.invocation.settings.summary.value {
            self.text("summary", SUMMARY, summary).map_err(unreported)?;
        }
        self.text("report", REPORT, &screen::report(run_report, View { color: false, all: true }))
            .map_err(unreported)?;
        if self.invocation.settings.html.value {
            self.text("page", PAGE, &html::page(run_report)).map_err(unreported)?;
        }
        let mut provenance = Provenance::headed(head.clone());
        self.request.kind.as_str().clone_into(&mut provenance.kind);
        provenance.source_inputs.clone_from(&self.collected.inputs);
        provenance.derived_outputs =
            self.written.iter().map(|(role, file)| self.record(role, file)).collect();
        provenance.request = Some(stored_request(self.invocation, self.request));
        if let super::Kind::LocalReplay { .. } = self.request.kind {
            let same_verdict = self.same_verdict(head, gate);
            provenance.replayed_by = Some(ReplayedBy {
                host: self.world.host(),
                tool: invocation::tool(),
                same_verdict,
            });
        }
        receipt_store::write(&self.out, &provenance, redactor).map_err(unreported)?;
        Ok(outcome)
    }

    /// Whether the verdict is that of the retained evidence.
    pub(super) fn same_verdict(
        &self,
        head: &Head<Classification>,
        gate: GateStatus,
    ) -> Option<bool> {
        let super::Kind::LocalReplay { retained: Some(kept), .. } = &self.request.kind else {
            return None;
        };
        let own = head.reasons.iter().map(|reason| &reason.code.0);
        Some(kept.status == head.status && own.eq(&kept.codes) && kept.gate == Some(gate))
    }

    fn classification(&self, head: Head<Classification>) -> EvidenceReceipt {
        let (request, collected) = (self.request, self.collected);
        let mut receipt = EvidenceReceipt::headed(head);
        let status = |layer: Layer| layer_status(request, collected, layer);
        receipt.context_status = status(Layer::Context);
        receipt.readiness_status = status(Layer::Preflight);
        receipt.selection_status = status(Layer::Selection);
        if let Some(selection) =
            collected.selection.as_ref().map(|loaded| &loaded.receipt.selection)
        {
            receipt.selection_execution_pack = Some(selection.execution_pack.clone());
            receipt.selection_execution_pack_source = Some(selection.execution_pack_source.clone());
        }
        let job = request.jobs.get(&Layer::Execute);
        receipt.execution_job_result = job.map_or("unknown", |job| job.result.as_str()).to_owned();
        receipt.raw_artifact_download = collected.raw.to_owned();
        receipt.dispatcher_exit_code =
            collected.execution.first().map_or(-1, |e| e.receipt.dispatcher_exit_code);
        receipt.summary_present = collected.execution.iter().any(|e| e.receipt.summary_present);
        receipt.execution_receipt_schema_status = collected.execution_status.clone();
        receipt.classification = Some(self.verdict.classification);
        receipt.failed_layer = self.failed_layer();
        receipt
    }

    fn operator(
        &self,
        head: Head<Classification>,
        gate: GateStatus,
        run_report: &RunReport,
    ) -> OperatorOutcome {
        let mut operator = OperatorOutcome::headed(head);
        operator.classification = Some(self.verdict.classification);
        operator.failed_layer = self.failed_layer();
        operator.gate_status = Some(gate);
        operator.continue_on_error = self.request.continue_on_failure;
        operator.headline.clone_from(&run_report.headline);
        operator.next_action_id = run_report.next_action_id.to_owned();
        operator.next_action.clone_from(&run_report.next_action);
        operator.replay = run_report.replay.as_ref().map(|replay| replay.command.clone());
        operator.action_context = self.collected.open_first(self.verdict);
        operator.in_flight.clone_from(&run_report.in_flight);
        operator.leaks.clone_from(&run_report.leaks);
        operator.counts = run_report.counts;
        operator.since_green.clone_from(&run_report.since_green);
        operator
    }

    /// The files in the predecessor's shapes.
    fn failures(&mut self, run_report: &RunReport) -> Result<(), Fault> {
        let (collected, verdict) = (self.collected, self.verdict);
        let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
        let executions = || collected.execution.iter().map(|loaded| &loaded.receipt);
        let timed_out = |finding: &Finding| {
            matches!(finding.code(), ReasonCode::DispatcherTimedOut | ReasonCode::TestTimedOut)
        };
        let run = evidence::Run {
            at: self.world.now(),
            counts: collected.counts,
            failures: &collected.failures,
            selection,
            duration_ms: duration_ms(collected),
            xml_status: executions()
                .next()
                .map_or("not-run", |receipt| receipt.results_xml_status.as_str()),
            completed: verdict.classification == Classification::Completed,
            timed_out: verdict.findings.iter().any(timed_out),
            replay: replay_of(self.world, self.invocation, self.request, collected),
            layers: run_report.stops.clone(),
            not_run: run_report.not_run.clone(),
        };
        let files = [
            ("failures", FAILURES, Some(run.failures())),
            ("totals", TOTALS, Some(run.totals())),
            ("test-summary", TEST_SUMMARY, run.summary()),
        ];
        for (role, name, document) in files {
            if let Some(document) = document {
                self.text(role, name, &format!("{document:#}\n"))?;
            }
        }
        let Documents { tests, triage, bundle } = self.documents;
        // One test to a line: a long list can be searched and compared by any tool.
        if !tests.tests.is_empty() {
            self.json("tests", test_list::FILE, tests, &lines_of)?;
        }
        if let Some(triage) = triage {
            self.json("triage", triage::FILE, triage, &serde_json::to_string_pretty)?;
        }
        self.json("replay-bundle", bundle::FILE, bundle, &serde_json::to_string_pretty)
    }

    fn json<T>(
        &mut self,
        role: &'static str,
        name: &str,
        document: &T,
        write: &dyn Fn(&T) -> serde_json::Result<String>,
    ) -> Result<(), Fault> {
        let text =
            write(document).map_err(|error| Fault::OutputUnwritable(format!("{name}: {error}")))?;
        self.text(role, name, &format!("{text}\n"))
    }

    fn failed_layer(&self) -> String {
        self.verdict.failed_layer.map_or("none", Layer::as_str).to_owned()
    }

    fn text(&mut self, role: &'static str, name: &str, text: &str) -> Result<(), Fault> {
        let path = self.out.join(name);
        files::write_atomic(&path, text.as_bytes())
            .map_err(|error| Fault::OutputUnwritable(format!("{}: {error}", shown(&path))))?;
        let written =
            Written { path, sha256: files::digest_bytes(text.as_bytes()), size: text.len() as u64 };
        self.written.push((role, written));
        Ok(())
    }

    fn record(&self, role: &str, written: &Written) -> FileRecord {
        let schema = match role {
            "classification" => Some(EvidenceReceipt::SCHEMA.to_owned()),
            "operator-outcome" => Some(OperatorOutcome::SCHEMA.to_owned()),
            "execution-receipt" => Some(ExecutionReceipt::SCHEMA.to_owned()),
            "failures" => Some("pester-failures@v2".to_owned()),
            "totals" => Some("pester-totals/v1".to_owned()),
            "tests" => Some(test_list::SCHEMA.to_owned()),
            "triage" => Some(triage::SCHEMA.to_owned()),
            "replay-bundle" => Some(bundle::SCHEMA.to_owned()),
            _ => None,
        };
        FileRecord {
            role: role.to_owned(),
            path: shown(written.path.strip_prefix(&self.out).unwrap_or(&written.path)),
            size_bytes: written.size,
            sha256: written.sha256.clone(),
            schema,
        }
    }
}

/// The list with every test on a line of its own.
fn lines_of(list: &TestList) -> serde_json::Result<String> {
    let head = serde_json::to_string_pretty(&list.head())?;
    let tests = list.tests.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    // The list is the last field.
    let head = head.trim_end_matches(['}', '\n', ']', '[']).trim_end();
    Ok(format!("{head} [\n{}\n  ]\n}}", tests.join(",\n")))
}
