//! The evidence files in the predecessor's shapes: failures, summary, totals. Readers of those find
//! what they know; what is ours stands beside it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::again::Replay;
use crate::domain::receipt::SelectionReceipt;
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::{Class, Failure, layer_signature};
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// How much of a failure's output is shown, in lines.
const OUTPUT_LINES: usize = 20;

/// What the files tell of.
#[derive(Debug, Clone)]
pub(crate) struct Run<'a> {
    /// When post ran.
    pub(crate) at: Timestamp,
    /// What the tests came to.
    pub(crate) counts: Counts,
    /// Every failure of which something is known.
    pub(crate) failures: &'a [Failure],
    /// Selection's receipt.
    pub(crate) selection: Option<&'a SelectionReceipt>,
    /// How long the dispatcher ran.
    pub(crate) duration_ms: Option<u64>,
    /// What the results files were.
    pub(crate) xml_status: &'a str,
    /// Whether the gate's own verdict is green.
    pub(crate) completed: bool,
    /// Whether a limit ended the run, or a part of it.
    pub(crate) timed_out: bool,
    /// How what failed is repeated.
    pub(crate) replay: Replay,
    /// What stops the gate beside tests: reason, layer, detail, and the command that shows it
    /// again.
    pub(crate) layers: Vec<(ReasonCode, Layer, String, String)>,
    /// Files of the plan that did not run to their end, and what became of them.
    pub(crate) not_run: Vec<(String, &'static str)>,
}

impl Run<'_> {
    /// Whether any test was counted.
    fn counted(&self) -> bool {
        self.counts != Counts::default()
    }

    /// Failures that were counted and of which nothing more is known.
    fn not_listed(&self) -> bool {
        self.failures.is_empty() && self.counts.failures() > 0
    }

    /// Why nothing is known of them, in the predecessor's words.
    fn unavailable(&self) -> Option<&'static str> {
        match self.xml_status {
            _ if !self.not_listed() => None,
            "truncated" => Some("results-xml-truncated"),
            "invalid" => Some("invalid-results-xml"),
            "missing" => Some("missing-results-xml"),
            _ => Some("failure-details-unavailable"),
        }
    }

    fn detail_status(&self) -> &'static str {
        match () {
            () if self.not_listed() => "unavailable",
            () if self.failures.is_empty() => "not-applicable",
            () => "available",
        }
    }

    /// `pester-failures.json`: every failure with its digest.
    pub(crate) fn failures(&self) -> Value {
        let results: Vec<_> = self.failures.iter().map(|failure| self.failure(failure)).collect();
        let mut document = json!({
            "schema": "pester-failures@v2",
            "schemaVersion": "1.1.0",
            "generatedAtUtc": self.at,
            "detailStatus": self.detail_status(),
            "detailCount": self.failures.len(),
            "summary": {
                "total": self.counts.total, "failed": self.counts.failed,
                "errors": self.counts.errors, "skipped": self.counts.skipped,
            },
            "results": results,
        });
        if let Some(why) = self.unavailable() {
            document["unavailableReason"] = why.into();
        }
        document["layers"] = self.layers.iter().map(|layer| self.layer(layer)).collect();
        document["files"] =
            self.not_run.iter().map(|(file, state)| self.file(file, state)).collect();
        document
    }

    /// A layer that failed, digested as a test is.
    fn layer(&self, (code, layer, detail, command): &(ReasonCode, Layer, String, String)) -> Value {
        json!({
            "layer": layer,
            "reason": code,
            "class": Class::of_reason(*code),
            "signature": layer_signature(*layer, *code, detail),
            "message": detail,
            "remedy": code.row().remedy,
            "nextActionId": code.row().next_action,
            "replay": {"run": self.replay.run(), "layer": command},
        })
    }

    /// A file of which no test is told.
    fn file(&self, file: &str, state: &str) -> Value {
        let failure =
            Failure { name: file.to_owned(), file: Some(file.to_owned()), ..Failure::default() };
        json!({
            "file": file,
            "state": state,
            "class": if state == "failed to load" { Class::Discovery } else { Class::Unknown },
            "replay": {"run": self.replay.run(), "file": self.replay.file(&failure)},
        })
    }

    fn failure(&self, failure: &Failure) -> Value {
        let place = self.replay.place(failure);
        let lines: Vec<&str> = failure.output.lines().collect();
        let output = &lines[lines.len().saturating_sub(OUTPUT_LINES)..];
        json!({
            "name": if failure.name.is_empty() { "Failure" } else { &failure.name },
            "result": if failure.errored { "Error" } else { "Failed" },
            "duration": failure.duration_ms.map(|ms| ms as f64 / 1000.0),
            "duration_ms": failure.duration_ms,
            "path": failure.name,
            "file": place.as_ref().map(|(file, _)| file).or(failure.file.as_ref()),
            "line": place.as_ref().and_then(|(_, line)| *line),
            "message": failure.message,
            "class": failure.class(),
            "signature": failure.signature(),
            "at": place.map(|(file, line)| json!({"file": file, "line": line})),
            "output": output,
            "remedy": failure.remedy(),
            "replay": {
                "run": self.replay.run(),
                "file": self.replay.file(failure),
                "test": self.replay.test(failure),
            },
        })
    }

    /// `pester-totals.json`.
    pub(crate) fn totals(&self) -> Value {
        let status = match () {
            () if !self.counted() => "missing-summary",
            () if self.counts.failures() > 0 || !self.completed => "fail",
            () => "ok",
        };
        json!({
            "schema": "pester-totals/v1",
            "includeIntegration": self.include_integration(),
            "status": status,
            "total": self.counts.total,
            "passed": self.counts.passed,
            "failed": self.counts.failed,
            "errors": self.counts.errors,
            "duration_s": self.seconds(),
        })
    }

    /// `pester-summary.json`, where anything was counted.
    pub(crate) fn summary(&self) -> Option<Value> {
        if !self.counted() {
            return None;
        }
        let selection = self.selection.map(|selection| &selection.selection);
        let list = |of: fn(&crate::domain::receipt::Selection) -> &Vec<String>| {
            selection.map(of).cloned().unwrap_or_default()
        };
        Some(json!({
            "schemaVersion": "1.7.1",
            "total": self.counts.total,
            "passed": self.counts.passed,
            "failed": self.counts.failed,
            "errors": self.counts.errors,
            "skipped": self.counts.skipped,
            "duration_s": self.seconds(),
            "timestamp": self.at,
            "pesterVersion": null,
            "includeIntegration": self.include_integration(),
            "discoveryFailures": self.counts.failed_files,
            "timedOut": self.timed_out,
            "executionPack": selection.map(|selection| &selection.execution_pack),
            "executionPackSource": selection.map(|selection| &selection.execution_pack_source),
            "refineIncludePatterns": list(|selection| &selection.refine_include_patterns),
            "effectiveIncludePatterns": list(|selection| &selection.effective_include_patterns),
            "integrationMode": selection.map(|selection| &selection.integration_mode),
            "resultsXmlStatus": self.xml_status,
            "failureDetailsStatus": self.detail_status(),
            "failureDetailsCount": self.failures.len(),
            "failureDetailsReason": self.unavailable(),
            "failureDetailsSchemaVersion": "1.1.0",
        }))
    }

    fn include_integration(&self) -> Option<bool> {
        Some(self.selection?.selection.integration_mode == "include")
    }

    fn seconds(&self) -> f64 {
        self.duration_ms.unwrap_or(0) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::DispatcherKind;
    use crate::domain::config::typed::Argument;
    use crate::report::quote::quoted;

    fn run(failures: &[Failure], counts: Counts) -> Run<'_> {
        Run {
            at: Timestamp::UNIX_EPOCH,
            counts,
            failures,
            selection: None,
            duration_ms: Some(1500),
            xml_status: "complete",
            completed: true,
            timed_out: false,
            replay: Replay {
                root: "/w/it's".to_owned(),
                arguments: vec![Argument::new("root", "/w/it's")],
                kind: Some(DispatcherKind::Pester),
                powershell: "pwsh".to_owned(),
                workspace: Some("/w".to_owned()),
                ..Replay::default()
            },
            layers: Vec::new(),
            not_run: Vec::new(),
        }
    }

    #[test]
    fn failures_that_nothing_tells_of_are_said_to_be_untold() {
        let two = Counts { total: 2, failed: 2, ..Counts::default() };
        let reported = run(&[], two).failures();
        assert_eq!(
            (&reported["detailStatus"], &reported["unavailableReason"]),
            (&"unavailable".into(), &"failure-details-unavailable".into())
        );
        let cut = Run { xml_status: "truncated", ..run(&[], two) };
        assert_eq!(cut.failures()["unavailableReason"], "results-xml-truncated");
        let none = run(&[], Counts { total: 1, passed: 1, ..Counts::default() });
        assert_eq!(none.failures()["detailStatus"], "not-applicable");
        assert_eq!(
            (none.totals()["status"].clone(), none.totals()["duration_s"].clone()),
            ("ok".into(), 1.5.into())
        );
        assert_eq!(run(&[], Counts::default()).totals()["status"], "missing-summary");
        assert!(run(&[], Counts::default()).summary().is_none());
    }

    #[cfg(not(windows))]
    #[test]
    fn every_command_is_quoted_for_a_shell_and_its_powershell() {
        let failure = Failure {
            name: "a [b] 'c' $(x)".to_owned(),
            file: Some("/w/it's/tests/x y.Tests.ps1".to_owned()),
            message: "Expected 1, but got 2.".to_owned(),
            begins: Some(12),
            ..Failure::default()
        };
        let one = run(
            std::slice::from_ref(&failure),
            Counts { total: 1, failed: 1, ..Counts::default() },
        )
        .failures();
        let replay = &one["results"][0]["replay"];
        assert_eq!(replay["run"], r"pester-gate run --root '/w/it'\''s'");
        assert_eq!(
            replay["file"],
            r"pester-gate run --root '/w/it'\''s' --file 'tests/x y.Tests.ps1'"
        );
        let script = "Set-Location -LiteralPath '/w/it''s'; \
                      $f = (Resolve-Path -LiteralPath 'tests/x y.Tests.ps1').Path; \
                      Invoke-Pester -Configuration @{ Run = @{ Path = $f; Exit = $true }; \
                      Filter = @{ Line = ($f + ':12') } }";
        assert_eq!(replay["test"], format!("pwsh -NoProfile -Command {}", quoted(script)));
        // A typographic quote ends a string of PowerShell as well.
        let hostile = Failure {
            file: Some("/w/it's/a’; calc; ‘.Tests.ps1".to_owned()),
            ..failure.clone()
        };
        let hostile = run(&[], Counts::default()).replay.test(&hostile).unwrap();
        assert!(hostile.contains("a’’; calc; ‘‘.Tests.ps1"), "{hostile}");
        let option = Failure { file: Some("--config=x".to_owned()), ..failure.clone() };
        assert!(
            run(&[], Counts::default())
                .replay
                .file(&option)
                .unwrap()
                .ends_with(" --file ./--config=x")
        );
        assert_eq!(one["results"][0]["class"], "assertion");
    }
}
