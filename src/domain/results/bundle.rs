//! The replay bundle: what somebody else needs to see a red run again, in another folder and on
//! another host. It names files and tests and never values of the environment, and nothing in it is
//! a program: a bundle that somebody sent makes nothing run but tests of the checkout that its own
//! rules select.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::receipt::{Classification, CodeText, RerunOf, Tool};
use crate::domain::run::ids::{CommitSha, RelPath, RepoSlug, RunId, Sha256};
use crate::domain::verdict::reason::Layer;

/// Schema id of the document.
pub(crate) const SCHEMA: &str = "pester-replay-bundle@v1";
/// File name of the document.
pub(crate) const FILE: &str = "pester-replay-bundle.json";

/// What a rerun takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    /// Nothing failed.
    Nothing,
    /// The files in `failed.files`, and no others.
    Files,
    /// The whole plan: what failed is no file's, or no report names one.
    Plan,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FailedTest {
    /// Its name.
    pub(crate) name: String,
    /// Its file, below the root.
    pub(crate) file: Option<String>,
    /// Where it begins.
    pub(crate) line: Option<u64>,
    /// What kind of failure it is.
    pub(crate) class: String,
    /// By what it is known again.
    pub(crate) signature: String,
    /// How its file is run alone, in the root.
    pub(crate) command: Option<Command>,
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Failed {
    /// Files of the plan that failed, did not load, or were not reached.
    pub(crate) files: Vec<RelPath>,
    /// Tests.
    pub(crate) tests: Vec<FailedTest>,
    /// The layer at fault, where one is.
    pub(crate) layer: Option<Layer>,
}

/// A command line, quoted for each platform's shell; relative to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Command {
    /// Its arguments, the program first.
    pub(crate) argv: Vec<String>,
    /// For a POSIX shell.
    pub(crate) posix: String,
    /// For PowerShell.
    pub(crate) powershell: String,
}

/// What ran the tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dispatcher {
    /// `pester`, `command` or `scripts`.
    pub(crate) kind: String,
    /// Whether the command was typed behind `--`, and so must be typed again.
    pub(crate) typed: bool,
}

/// One file of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedFile {
    /// Below the root.
    pub(crate) path: RelPath,
    /// Digest of its text.
    pub(crate) text_sha256: Sha256,
}

/// `pester-replay-bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bundle {
    /// `pester-replay-bundle@v1`.
    pub(crate) schema: String,
    /// When it was made.
    pub(crate) generated_at_utc: jiff::Timestamp,
    /// The repository.
    pub(crate) repository: Option<RepoSlug>,
    /// The commit under test, whole.
    pub(crate) head_sha: Option<CommitSha>,
    /// Whether the worktree differed from it; null where nobody looked.
    pub(crate) dirty: Option<bool>,
    /// The run.
    pub(crate) run_id: RunId,
    /// Its attempt.
    pub(crate) run_attempt: u32,
    /// What made it.
    pub(crate) tool: Tool,
    /// Operating systems and architectures of the hosts that ran the tests.
    pub(crate) hosts: Vec<String>,
    /// What the run came to.
    pub(crate) classification: Classification,
    /// Why.
    pub(crate) reason: CodeText,
    /// The pack.
    pub(crate) pack: String,
    /// The profile.
    pub(crate) profile: Option<String>,
    /// `include` or `exclude`.
    pub(crate) integration_mode: Option<String>,
    /// What ran the tests.
    pub(crate) dispatcher: Option<Dispatcher>,
    /// Digest of the plan.
    pub(crate) plan_sha256: Option<Sha256>,
    /// The plan.
    pub(crate) plan: Vec<PlannedFile>,
    /// Which shards ran, as `K/N`.
    pub(crate) shards: Vec<String>,
    /// Names of the variables that the tests had, without their values.
    pub(crate) environment: Vec<String>,
    /// What a rerun takes up.
    pub(crate) scope: Scope,
    /// What failed.
    pub(crate) failed: Failed,
    /// Runs exactly what failed, in the checkout's root with the bundle beside it.
    pub(crate) rerun: Command,
    /// Runs the failed jobs again on GitHub, where it was a workflow's run.
    pub(crate) rerun_on_github: Option<Command>,
    /// The bundle that this run repeated.
    pub(crate) rerun_of: Option<RerunOf>,
}
