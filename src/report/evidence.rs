//! The evidence files in the predecessor's shapes: failures, summary, totals. Readers of those find what
//! they know; what is ours stands beside it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{doubled, quoted};
use crate::domain::config::DispatcherKind;
use crate::domain::counts::Counts;
use crate::domain::failure::Failure;
use crate::domain::receipt::SelectionReceipt;

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
}

/// How a run is repeated, in whole and in part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replay {
    /// The checkout's root.
    pub(crate) root: String,
    /// The pack.
    pub(crate) pack: String,
    /// The dispatcher, where it is known.
    pub(crate) kind: Option<DispatcherKind>,
    /// Its PowerShell.
    pub(crate) powershell: String,
    /// GitHub's workspace, where it is one.
    pub(crate) workspace: Option<String>,
}

impl Replay {
    /// The whole pack.
    pub(crate) fn run(&self) -> String {
        format!("pester-gate run --root {} --pack {}", quoted(&self.root), quoted(&self.pack))
    }

    /// The failure's file alone, where it has one.
    pub(crate) fn file(&self, failure: &Failure) -> Option<String> {
        let file = self.file_of(failure)?;
        // With a pack its other files would run as well.
        Some(format!("pester-gate run --root {} --file {}", quoted(&self.root), quoted(&file)))
    }

    /// The one test, where its runner can be asked for one: Pester, by the line where the test begins (a name
    /// does not find a test that is made from data). Of scripts a file is one.
    pub(crate) fn test(&self, failure: &Failure) -> Option<String> {
        match self.kind? {
            DispatcherKind::Scripts => self.file(failure),
            DispatcherKind::Pester => {
                let text = |text: &str| format!("'{}'", doubled(text));
                let (file, line) = (text(&self.file_of(failure)?), failure.begins?);
                let script = format!(
                    "Set-Location -LiteralPath {}; $f = (Resolve-Path -LiteralPath {file}).Path; \
                     Invoke-Pester -Configuration @{{ Run = @{{ Path = $f }}; Filter = @{{ Line = ($f + ':{line}') }} }}",
                    text(&self.root)
                );
                Some(format!("{} -NoProfile -Command {}", quoted(&self.powershell), quoted(&script)))
            }
            _ => None,
        }
    }

    /// Its file as the command line takes it: below the root, and no option of it.
    pub(crate) fn file_of(&self, failure: &Failure) -> Option<String> {
        let scripts = self.kind == Some(DispatcherKind::Scripts);
        let file = match (&failure.file, scripts) {
            // A script's name is its path, as the plan has it.
            (_, true) => failure.name.clone(),
            (Some(file), false) => self.below_root(file),
            (None, false) => return None,
        };
        Some(if file.starts_with('-') { format!("./{file}") } else { file })
    }

    /// Where it stands in the repository: the first place below the root that is told, else its file.
    pub(crate) fn place(&self, failure: &Failure) -> Option<(String, Option<u64>)> {
        let told = failure.places().into_iter().map(|(file, line)| (self.below_root(&file), Some(line)));
        let file = self.file_of(failure).map(|file| (file, None));
        told.chain(file).find(|(file, _)| is_inside(file))
    }

    /// The same as GitHub takes it: below the workspace, which the root may lie in.
    pub(crate) fn place_in_workspace(&self, failure: &Failure) -> Option<(String, Option<u64>)> {
        let (file, line) = self.place(failure)?;
        let root = self.workspace.as_ref().and_then(|workspace| self.root.strip_prefix(workspace.as_str()));
        let root = root.map(|root| root.trim_matches('/')).filter(|root| !root.is_empty());
        Some((root.map_or_else(|| file.clone(), |root| format!("{root}/{file}")), line))
    }

    /// A path below the root without it, others as they are; with slashes.
    fn below_root(&self, file: &str) -> String {
        let file = file.replace('\\', "/");
        let below = file.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
        below.unwrap_or(file)
    }
}

/// Whether a path can only be one below where it starts.
fn is_inside(path: &str) -> bool {
    let up = path.split('/').any(|part| part == "..");
    !up && !path.starts_with(['/', '~']) && path.as_bytes().get(1) != Some(&b':')
}

impl Run<'_> {
    /// Whether any test was counted.
    fn counted(&self) -> bool {
        self.counts != Counts::default()
    }

    /// Failures that were counted and of which nothing more is known.
    fn untold(&self) -> bool {
        self.failures.is_empty() && self.counts.failures() > 0
    }

    /// Why nothing is known of them, in the predecessor's words.
    fn unavailable(&self) -> Option<&'static str> {
        match self.xml_status {
            _ if !self.untold() => None,
            "truncated" => Some("results-xml-truncated"),
            "invalid" => Some("invalid-results-xml"),
            "missing" => Some("missing-results-xml"),
            _ => Some("failure-details-unavailable"),
        }
    }

    fn detail_status(&self) -> &'static str {
        match () {
            () if self.untold() => "unavailable",
            () if self.failures.is_empty() => "not-applicable",
            () => "available",
        }
    }

    /// `pester-failures.json`: every failure with its digest.
    pub(crate) fn failures(&self) -> Value {
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
            "results": self.failures.iter().map(|failure| self.failure(failure)).collect::<Vec<_>>(),
        });
        if let Some(why) = self.unavailable() {
            document["unavailableReason"] = why.into();
        }
        document
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
            "file": failure.file,
            "line": failure.line,
            "message": failure.message,
            "class": failure.class(),
            "signature": failure.signature(),
            "at": place.map(|(file, line)| json!({"file": file, "line": line})),
            "output": output,
            "remedy": failure.class().remedy(),
            "replay": {"run": self.replay.run(), "file": self.replay.file(failure), "test": self.replay.test(failure)},
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
        let list =
            |of: fn(&crate::domain::receipt::Selection) -> &Vec<String>| selection.map(of).cloned().unwrap_or_default();
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
                pack: "full".to_owned(),
                kind: Some(DispatcherKind::Pester),
                powershell: "pwsh".to_owned(),
                workspace: Some("/w".to_owned()),
            },
        }
    }

    #[test]
    fn failures_that_nothing_tells_of_are_said_to_be_untold() {
        let two = Counts { total: 2, failed: 2, ..Counts::default() };
        let told = run(&[], two).failures();
        assert_eq!(
            (&told["detailStatus"], &told["unavailableReason"]),
            (&"unavailable".into(), &"failure-details-unavailable".into())
        );
        let cut = Run { xml_status: "truncated", ..run(&[], two) };
        assert_eq!(cut.failures()["unavailableReason"], "results-xml-truncated");
        let none = run(&[], Counts { total: 1, passed: 1, ..Counts::default() });
        assert_eq!(none.failures()["detailStatus"], "not-applicable");
        assert_eq!((none.totals()["status"].clone(), none.totals()["duration_s"].clone()), ("ok".into(), 1.5.into()));
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
        let one = run(std::slice::from_ref(&failure), Counts { total: 1, failed: 1, ..Counts::default() }).failures();
        let replay = &one["results"][0]["replay"];
        assert_eq!(replay["run"], r"pester-gate run --root '/w/it'\''s' --pack full");
        assert_eq!(replay["file"], r"pester-gate run --root '/w/it'\''s' --file 'tests/x y.Tests.ps1'");
        let script = "Set-Location -LiteralPath '/w/it''s'; $f = (Resolve-Path -LiteralPath 'tests/x y.Tests.ps1').Path; Invoke-Pester -Configuration @{ Run = @{ Path = $f }; Filter = @{ Line = ($f + ':12') } }";
        assert_eq!(replay["test"], format!("pwsh -NoProfile -Command {}", quoted(script)));
        // A typographic quote ends a string of PowerShell as well.
        let hostile = Failure { file: Some("/w/it's/a’; calc; ‘.Tests.ps1".to_owned()), ..failure.clone() };
        let hostile = run(&[], Counts::default()).replay.test(&hostile).unwrap();
        assert!(hostile.contains("a’’; calc; ‘‘.Tests.ps1"), "{hostile}");
        let option = Failure { file: Some("--config=x".to_owned()), ..failure.clone() };
        assert!(run(&[], Counts::default()).replay.file(&option).unwrap().ends_with(" --file ./--config=x"));
        assert_eq!(one["results"][0]["class"], "assertion");
    }

    #[test]
    fn a_place_is_in_the_repository_or_none() {
        let replay =
            |root: &str| Replay { root: root.to_owned(), workspace: Some("/w".to_owned()), ..Replay::default() };
        let failure = |message: &str, file: Option<&str>| Failure {
            message: message.to_owned(),
            file: file.map(str::to_owned),
            ..Failure::default()
        };
        for (root, failure, owed) in [
            (
                "/w",
                failure("File \"/usr/lib/x.py\", line 7\nFile \"/w/tests/a.py\", line 9", None),
                Some(("tests/a.py", Some(9))),
            ),
            ("/w/pkg", failure("tests/a.py:9: boom", None), Some(("pkg/tests/a.py", Some(9)))),
            ("/w", failure("boom", Some("tests/a.sh")), Some(("tests/a.sh", None))),
            ("/w", failure("boom", Some("/etc/../etc/passwd")), None),
            ("C:/w", failure("at C:\\w\\tests\\x.Tests.ps1:12", None), Some(("tests/x.Tests.ps1", Some(12)))),
            ("C:/w", failure("at D:\\other\\x.Tests.ps1:12", None), None),
            ("/w", failure("boom", None), None),
        ] {
            let place = replay(root).place_in_workspace(&failure);
            assert_eq!(place.as_ref().map(|(file, line)| (file.as_str(), *line)), owed, "{failure:?}");
        }
    }
}
