//! What a retained run of the predecessor comes to. Its receipt names a status of its own, and its
//! totals are made up by a wrapper that counts inconclusive tests nowhere and skipped ones twice:
//! the reports of the single files are the evidence where they are there, its summary where they
//! are not.

use serde::Deserialize;

use crate::domain::results::counts::Counts;
use crate::domain::results::failure::Failure;
use crate::domain::verdict::fault::{Fault, Finding, MissingResults, ReceiptFault, charge, good};
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// Its execution receipt, as far as it is read. It has the schema id of ours and fewer fields.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PredecessorReceipt {
    /// Who wrote it.
    pub(crate) source: String,
    /// `ready`, `local-ready`, `blocked`, `unknown`, ...
    pub(crate) context_status: String,
    /// The same for the host.
    pub(crate) readiness_status: String,
    /// The same for the selection.
    pub(crate) selection_status: String,
    /// Its pack.
    pub(crate) selection_execution_pack: Option<String>,
    /// -1 where it is not known.
    pub(crate) dispatcher_exit_code: Option<i32>,
    /// One of fourteen words.
    pub(crate) status: String,
    /// What its XML was.
    pub(crate) results_xml_status: String,
    /// Whose tests ran.
    pub(crate) repository: Option<String>,
}

/// Its `pester-summary.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct PredecessorSummary {
    /// Every test that ran, skipped ones among them or not.
    pub(crate) total: u64,
    /// Passed, by its own count.
    pub(crate) passed: u64,
    /// Failed.
    pub(crate) failed: u64,
    /// Errors.
    pub(crate) errors: u64,
    /// Skipped.
    pub(crate) skipped: u64,
}

/// One failure of its `pester-failures.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct PredecessorFailure {
    /// The test.
    pub(crate) name: String,
    /// Its file.
    pub(crate) file: Option<String>,
    /// What it said.
    pub(crate) message: String,
}

impl From<PredecessorFailure> for Failure {
    fn from(reported: PredecessorFailure) -> Self {
        Failure {
            name: reported.name,
            file: reported.file,
            message: reported.message,
            ..Failure::default()
        }
    }
}

/// What one results file of it holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PredecessorReport {
    /// Below the folder that was read.
    pub(crate) path: String,
    /// What its cases came to.
    pub(crate) counts: Counts,
    /// What is wrong with it.
    pub(crate) fault: Option<Fault>,
}

/// What else it left, that must agree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// Files that it selected, as its reports' folders are called after them.
    pub(crate) selected: Vec<String>,
    /// Failures that its summary counts.
    pub(crate) failures: Option<u64>,
    /// The status in each of its receipts.
    pub(crate) statuses: Vec<String>,
}

/// Its list of selected files, as the folders of their reports are called.
pub(crate) fn selected(list: &str) -> Vec<String> {
    let name = |line: &str| {
        let file = line.trim().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        file.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>()
    };
    list.trim_start_matches('\u{feff}').lines().map(name).filter(|name| !name.is_empty()).collect()
}

/// What is known of its tests: the reports of the single files, else its summary.
pub(crate) fn counts(reports: &[PredecessorReport], summary: Option<PredecessorSummary>) -> Counts {
    let mut counts = Counts::default();
    if reports.is_empty() {
        let PredecessorSummary { total, passed, failed, errors, skipped } =
            summary.unwrap_or_default();
        return Counts { total, passed, failed, errors, skipped, ..counts };
    }
    reports.iter().for_each(|report| counts.merge(&report.counts));
    counts
}

/// A layer before execute, by the word that the receipt has for it.
pub(crate) fn layer(layer: Layer, status: &str) -> Vec<Finding> {
    let good_code = match layer {
        Layer::Context => ReasonCode::StandingPriorityNotRequired,
        Layer::Preflight => ReasonCode::HostReady,
        _ => ReasonCode::SelectionReady,
    };
    match status {
        "ready" | "local-ready" => {
            vec![good(good_code, layer, format!("the predecessor says {status}"))]
        }
        "" | "unknown" => {
            let path = "(the predecessor's receipt does not say)".to_owned();
            vec![charge(&Fault::from(ReceiptFault::Missing { layer, path }), Layer::Post)]
        }
        other => {
            vec![charge(
                &Fault::LayerNotReported { layer, result: format!("the status {other:?}") },
                Layer::Post,
            )]
        }
    }
}

/// What execute came to.
pub(crate) fn execute(
    receipt: &PredecessorReceipt,
    reports: &[PredecessorReport],
    counts: &Counts,
    first: Option<&Failure>,
    beside: &Beside,
) -> Vec<Finding> {
    let path = || "pester-results.xml".to_owned();
    let says = || format!("the predecessor says {}", receipt.status);
    let broken = |fault: Fault| Some(fault);
    let by_status = match receipt.status.as_str() {
        "completed" | "test-failures" => None,
        "results-xml-truncated" => broken(Fault::ResultsTruncated { path: path(), why: says() }),
        "invalid-results-xml" => broken(Fault::ResultsInvalid { path: path(), why: says() }),
        "missing-results-xml" => {
            broken(Fault::ResultsMissing(MissingResults::StoredRequest(says())))
        }
        "unsupported-schema" => broken(Fault::ResultsUnsupported { path: path(), why: says() }),
        "cancelled" => broken(Fault::RunCancelled),
        "path-hygiene-blocked" => {
            let (what, path) =
                ("its results folder".to_owned(), "(the receipt does not say)".to_owned());
            broken(Fault::PathHygiene {
                what,
                path,
                service: "a folder that a service synchronises",
            })
        }
        // Whose word that is stands with the layer.
        "context-blocked" | "readiness-blocked" | "selection-blocked" => return Vec::new(),
        other => broken(Fault::LayerNotReported {
            layer: Layer::Execute,
            result: format!("the status {other:?}"),
        }),
    };
    let mut faults: Vec<Fault> = by_status.into_iter().collect();
    let whole = faults.is_empty();
    faults.extend(reports.iter().filter_map(|report| report.fault.clone()));
    if counts.failures() > 0 {
        let Counts { failed, errors, total, .. } = *counts;
        let first =
            first.map_or_else(|| "no report says which".to_owned(), |failure| failure.name.clone());
        faults.push(Fault::TestsFailed { failed, errors, total, first });
    } else if whole && receipt.status == "test-failures" {
        let why = "the receipt says test-failures, no report shows one".to_owned();
        faults.push(Fault::ResultsInconsistent { path: path(), why });
    }
    if whole {
        let reported =
            |name: &String| reports.iter().any(|report| report.path.contains(&format!("/{name}/")));
        if let Some(name) = beside.selected.iter().find(|name| !reported(name)) {
            faults.push(Fault::TestFileNotAccounted { path: name.clone() });
        }
        if beside.failures.is_some_and(|failures| failures > 0) && counts.failures() == 0 {
            let why = "the summary counts failures, no report shows one".to_owned();
            faults.push(Fault::ResultsInconsistent { path: path(), why });
        }
        if let Some(other) = beside.statuses.iter().find(|status| **status != receipt.status) {
            let why = format!("one receipt says {:?}, another {other:?}", receipt.status);
            faults.push(Fault::ResultsInconsistent { path: path(), why });
        }
        for report in reports
            .iter()
            .filter(|report| report.counts == Counts::default() && report.fault.is_none())
        {
            let why = "its report holds no test: it did not load, or it holds none".to_owned();
            faults.push(Fault::TestFileFailedToLoad { path: report.path.clone(), why });
        }
        match (receipt.dispatcher_exit_code, counts.failures()) {
            (Some(code), 0) if code > 0 => {
                faults.push(Fault::ExitCodeMismatch(format!(
                    "the dispatcher ended with exit code {code}, and its results hold no failure"
                )));
            }
            _ => {}
        }
        match *counts {
            counts if counts.executed() > 0 || counts.failures() > 0 => {}
            Counts { skipped: 0, .. } => {
                faults.push(Fault::ZeroTestsExecuted("the results hold no test".to_owned()))
            }
            Counts { skipped, .. } => faults.push(Fault::AllTestsSkipped(skipped)),
        }
    }
    let mut findings: Vec<Finding> =
        faults.iter().map(|fault| charge(fault, Layer::Execute)).collect();
    if findings.is_empty() {
        let Counts { passed, total, .. } = *counts;
        findings.push(good(
            ReasonCode::TestsPassed,
            Layer::Execute,
            format!("{passed} of {total} tests passed"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::fault::Finding;

    fn codes(receipt: &PredecessorReceipt, reports: &[PredecessorReport]) -> Vec<&'static str> {
        let findings = execute(receipt, reports, &counts(reports, None), None, &Beside::default());
        findings.iter().map(|finding: &Finding| finding.code().as_str()).collect()
    }

    #[test]
    fn every_word_of_its_receipts_has_a_meaning_and_none_but_completed_is_green() {
        let report = |passed, failed| PredecessorReport {
            path: "a".to_owned(),
            counts: Counts { total: passed + failed, passed, failed, ..Counts::default() },
            fault: None,
        };
        let receipt = |status: &str| PredecessorReceipt {
            status: status.to_owned(),
            ..PredecessorReceipt::default()
        };
        let passed = [report(1, 0)];
        for (status, expected) in [
            ("completed", "tests-passed"),
            ("test-failures", "results-inconsistent"),
            ("seam-defect", "layer-not-reported"),
            ("results-xml-truncated", "results-truncated"),
            ("invalid-results-xml", "results-invalid"),
            ("missing-results-xml", "results-missing"),
            ("unsupported-schema", "results-unsupported"),
            ("cancelled", "run-cancelled"),
            ("skipped", "layer-not-reported"),
            ("unknown", "layer-not-reported"),
            ("path-hygiene-blocked", "path-hygiene"),
            ("", "layer-not-reported"),
        ] {
            assert_eq!(codes(&receipt(status), &passed), [expected], "{status}");
        }
        assert_eq!(codes(&receipt("completed"), &[report(1, 1)]), ["tests-failed"]);
        assert_eq!(
            codes(&receipt("completed"), &[report(1, 0), report(0, 0)]),
            ["test-file-failed-to-load"]
        );
        assert_eq!(codes(&receipt("completed"), &[]), ["zero-tests-executed"]);
        let list = "\u{feff}/w/tests/A.Tests.ps1\r\nC:\\w\\B.Tests.ps1\n";
        assert_eq!(selected(list), ["A-Tests-ps1", "B-Tests-ps1"]);
        for (beside, expected) in [
            (Beside { selected: selected(list), ..Beside::default() }, "test-file-not-accounted"),
            (Beside { failures: Some(1), ..Beside::default() }, "results-inconsistent"),
            (
                Beside { statuses: vec!["seam-defect".to_owned()], ..Beside::default() },
                "results-inconsistent",
            ),
        ] {
            let reported =
                execute(&receipt("completed"), &passed, &counts(&passed, None), None, &beside);
            assert_eq!(reported[0].code().as_str(), expected);
        }
        let red = PredecessorReceipt { dispatcher_exit_code: Some(1), ..receipt("completed") };
        assert_eq!(codes(&red, &passed), ["exit-code-mismatch"]);
        for (status, expected) in [
            ("ready", "host-ready"),
            ("unknown", "receipt-missing"),
            ("not-ready", "layer-not-reported"),
        ] {
            assert_eq!(layer(Layer::Preflight, status)[0].code().as_str(), expected, "{status}");
        }
    }
}
