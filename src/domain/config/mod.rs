//! The configuration document, `pester-gate.yml`, as people write it.
//!
//! Every key is optional and unknown keys are refused, so a typing error never becomes a default.
//! The effective values, after flags, variables and defaults, are in [`settings`]; this file only
//! names keys.

pub(crate) mod closest;
pub(crate) mod quantity;
pub(crate) mod settings;
pub(crate) mod sourced;
pub(crate) mod typed;
mod values;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::values::{IssueKey, OneOrMany, Percent, ProbeName, Requirement};
use crate::domain::config::quantity::{Size, Span};
use crate::domain::results::failure::ClassRule;
use crate::domain::run::ids::{LockGroup, RelPath};

/// The whole document.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Config {
    /// Further configurations that `run` runs after this one, relative to this file.
    pub(crate) also_run: Vec<RelPath>,
    /// Pack, profile, integration mode and shards where neither flag nor environment says
    /// otherwise.
    pub(crate) defaults: Defaults,
    /// Where the tests are and what they are called.
    pub(crate) tests: Tests,
    /// What context checks beside repository and commit.
    pub(crate) context: ContextSection,
    /// Named sets of tests.
    pub(crate) packs: Vec<Pack>,
    /// Files that tests need, checked before and copied for each run.
    pub(crate) fixtures: Vec<Fixture>,
    /// What runs the tests.
    pub(crate) dispatcher: Dispatcher,
    /// Named sets of run settings.
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// Which issue has the floor.
    pub(crate) standing_priority: StandingPriority,
    /// What preflight looks at.
    pub(crate) preflight: Preflight,
    /// The host's lock.
    pub(crate) lock: Lock,
    /// Time limits.
    pub(crate) limits: Limits,
    /// Which events may drive the runner.
    pub(crate) routing: Routing,
    /// What happens to processes that outlive the tests.
    pub(crate) leaks: Option<Leaks>,
    /// What an empty or wholly skipped run means.
    pub(crate) policy: Policy,
    /// Literals to mask in everything that is written, beside the built-in patterns.
    pub(crate) redact: Vec<String>,
    /// Which reports are written.
    pub(crate) report: Report,
}

/// `defaults`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Defaults {
    pub(crate) pack: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) integration_mode: Option<String>,
    pub(crate) shards: Option<NonZeroU32>,
}

/// `tests`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Tests {
    pub(crate) path: Option<String>,
    pub(crate) pattern: Option<OneOrMany>,
    pub(crate) integration: Integration,
}

/// `tests.integration`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Integration {
    pub(crate) pattern: Option<OneOrMany>,
    pub(crate) tag: Option<String>,
}

/// `context`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct ContextSection {
    pub(crate) required_paths: Vec<String>,
    pub(crate) helper_roots: Vec<String>,
}

/// One entry of `packs`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Pack {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) include: Vec<String>,
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    #[serde(default)]
    pub(crate) requires: Vec<Requirement>,
    #[serde(default)]
    pub(crate) limits: Limits,
}

/// One entry of `fixtures`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) env: Option<String>,
    #[serde(default)]
    pub(crate) when: FixtureWhen,
}

/// When a fixture is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FixtureWhen {
    /// Only when integration tests are included.
    Integration,
    /// In every run.
    #[default]
    Always,
}

/// `dispatcher`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Dispatcher {
    pub(crate) kind: Option<DispatcherKind>,
    pub(crate) command: Option<Vec<String>>,
    pub(crate) results: Option<OneOrMany>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) jobs: Option<NonZeroU32>,
    pub(crate) script: Option<String>,
    pub(crate) powershell: Option<String>,
    pub(crate) pester: PesterRange,
}

/// What runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DispatcherKind {
    /// Pester where test files match its pattern, scripts where none do.
    Auto,
    /// PowerShell's Pester.
    Pester,
    /// Any command that writes results files.
    Command,
    /// Every selected file is one test.
    Scripts,
}

/// The argument of a command that stands for the selected files.
pub(crate) const FILES_ARGUMENT: &str = "{files}";
/// The results "file" that stands for the command's standard output.
pub(crate) const STANDARD_OUTPUT: &str = "-";

/// How many files share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Isolation {
    /// One process for the whole run.
    Run,
    /// One process per file.
    File,
}

/// `dispatcher.pester`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct PesterRange {
    pub(crate) minimum_version: Option<String>,
    pub(crate) maximum_version: Option<String>,
}

/// One entry of `profiles`. Only the keys that are written override.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Profile {
    pub(crate) tag: Option<Vec<String>>,
    pub(crate) exclude_tag: Option<Vec<String>>,
    pub(crate) leak_grace: Option<Span>,
    pub(crate) before: Option<Vec<Vec<String>>>,
    pub(crate) after: Option<Vec<Vec<String>>>,
    pub(crate) artifacts: Option<Vec<String>>,
    pub(crate) limits: Limits,
    pub(crate) leaks: Option<Leaks>,
}

/// `standing-priority`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct StandingPriority {
    pub(crate) policy: Option<PriorityPolicy>,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) fork_labels: Option<Vec<String>>,
    pub(crate) excluded_label: Option<String>,
    pub(crate) epics: Vec<NonZeroU64>,
    pub(crate) multiple: Option<Multiple>,
    pub(crate) issue: Option<IssueKey>,
    pub(crate) max_wait: Option<Span>,
}

/// What it means that several issues hold the standing priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Multiple {
    /// The gate warns, and the lowest number counts.
    Warn,
    /// The gate is blocked.
    Block,
}

/// How much the standing priority matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PriorityPolicy {
    /// Without one the gate is blocked.
    Required,
    /// Without one the gate warns.
    Advisory,
    /// It is not looked up.
    Off,
}

/// `preflight`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Preflight {
    pub(crate) disk: Disk,
    pub(crate) docker: Docker,
    pub(crate) freshness: Option<Span>,
    pub(crate) probe_timeout: Option<Span>,
    pub(crate) labels: Option<Vec<String>>,
}

/// `preflight.disk`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Disk {
    pub(crate) min_free: Option<Size>,
    pub(crate) min_free_files: Option<u64>,
}

/// `preflight.docker`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Docker {
    pub(crate) engine: Option<Engine>,
}

/// Which containers Docker's engine must run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Engine {
    /// Windows containers.
    Windows,
    /// Linux containers.
    Linux,
    /// Either.
    Any,
}

/// `lock`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Lock {
    pub(crate) group: Option<LockGroup>,
    pub(crate) scope: Option<LockScope>,
    pub(crate) wait: Option<Span>,
    pub(crate) directory: Option<String>,
}

/// Whom the lock keeps away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LockScope {
    /// Every run of the group on this host.
    Host,
    /// Runs of the same repository on this host.
    Repository,
}

/// `limits`, in the document, in a pack and in a profile.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Limits {
    pub(crate) run: Option<Span>,
    pub(crate) file: Option<Span>,
    pub(crate) test: Option<Span>,
    pub(crate) no_output: Option<Span>,
    pub(crate) kill_grace: Option<Span>,
}

/// `routing`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Routing {
    pub(crate) label: Option<String>,
    pub(crate) trust: Option<Trust>,
    pub(crate) when_refused: Option<WhenRefused>,
}

/// Whose heads may drive a self-hosted runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trust {
    /// Forks of the same owner too.
    SameOwner,
    /// Branches of this repository only.
    SameRepository,
}

/// What a refused route means for the required check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WhenRefused {
    /// It is red.
    Fail,
    /// It is green, and says so.
    Notice,
}

impl WhenRefused {
    /// The word as written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            WhenRefused::Fail => "fail",
            WhenRefused::Notice => "notice",
        }
    }
}

/// What happens to processes that outlive a normal end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Leaks {
    /// Nothing is looked for.
    Off,
    /// They are listed.
    Report,
    /// They are listed and the run fails.
    Fail,
    /// They are listed and ended.
    End,
}

/// `policy`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Policy {
    pub(crate) zero_tests: Option<EmptyPolicy>,
    pub(crate) all_skipped: Option<EmptyPolicy>,
    pub(crate) test_floor: Option<Percent>,
    pub(crate) below_floor: Option<WarnOrFail>,
    pub(crate) unaccounted: Option<WarnOrFail>,
}

/// What a policy does with what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WarnOrFail {
    /// The gate warns.
    Warn,
    /// The gate is red.
    Fail,
}

/// What a run that proved nothing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EmptyPolicy {
    /// A seam defect.
    Fail,
    /// The same classification, but the gate does not turn red.
    Notice,
    /// Completed.
    Pass,
}

/// `report`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Report {
    pub(crate) html: Option<bool>,
    pub(crate) annotations: Option<bool>,
    pub(crate) summary: Option<bool>,
    pub(crate) classes: Vec<ClassRule>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, serde_yaml::Error> {
        serde_yaml::from_str(text)
    }

    #[test]
    fn the_contracts_example_reads() {
        let config = read(
            r#"
defaults: {pack: full, profile: default, integration-mode: auto, shards: 1}
tests:
  path: tests
  pattern: "*.Tests.ps1"
  integration: {pattern: "*.Integration.Tests.ps1", tag: Integration}
context: {required-paths: []}
packs:
  - name: smoke
    aliases: [quick]
    description: what must never break
    include: ["Unit/**"]
    exclude: ["**/*.Slow.Tests.ps1"]
    requires:
      - powershell
      - pester
      - {tool: dotnet, version: ">=8"}
      - {http: "https://licence.example/health"}
      - {command: [lmutil, lmstat], name: licence, timeout: 10s}
    limits: {run: 10m}
fixtures: [{name: base-vi, path: VI1.vi, env: LV_BASE_VI, when: integration}]
dispatcher:
  kind: auto
  command: [cargo, nextest, run]
  results: ["target/nextest/**/*.xml"]
  isolation: run
  jobs: 1
  script: null
  powershell: pwsh
  pester: {minimum-version: "5.0.0", maximum-version: null}
profiles:
  default: {tag: [], exclude-tag: [], leak-grace: 3s, before: [], after: [], artifacts: []}
standing-priority:
  policy: advisory
  labels: [standing-priority]
  excluded-label: standing-excluded
  epics: [3]
  multiple: warn
  issue: 12
  max-wait: 60s
preflight:
  disk: {min-free: 2GiB, min-free-files: 10000}
  docker: {engine: any}
  freshness: 15m
  probe-timeout: 30s
  labels: []
lock: {group: default, wait: 10m, directory: null}
limits: {run: 30m, file: null, test: null, no-output: null, kill-grace: 5s}
routing: {label: pester-gate, trust: same-owner, when-refused: fail}
leaks: report
policy: {zero-tests: fail, all-skipped: fail}
redact: []
report: {html: true, annotations: true, summary: true}
"#,
        )
        .unwrap();
        assert_eq!(config.packs[0].requires.len(), 5);
        assert_eq!(config.limits.run, Some(Span::from_secs(1800)));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = read("packs:\n  - name: a\n    inclde: [x]\n").unwrap_err();
        assert!(error.to_string().contains("inclde"), "{error}");
        assert_eq!(error.location().unwrap().line(), 3);
    }

    #[test]
    fn a_requirement_refuses_what_it_does_not_know() {
        for (text, part) in [
            ("packs: [{name: a, requires: [{tool: dotnet, vresion: '8'}]}]", "vresion"),
            ("packs: [{name: a, requires: [lmutil]}]", "{tool: lmutil}"),
            ("packs: [{name: a, requires: [{tool: x, http: y}]}]", "one of `tool`"),
            ("packs: [{name: a, requires: [{command: []}]}]", "needs a program"),
            ("packs: [{name: a, requires: [{tool: x, version: '>>8'}]}]", "version range"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
