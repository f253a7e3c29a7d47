//! Faults are values: whatever can reach a verdict is a variant here.
//!
//! [`charge`] is the only way from a fault to a reason code; what it returns, a [`Finding`], cannot
//! be made elsewhere, so no code reaches a receipt without the fault behind it. Good states are
//! findings too, by [`good`].

use crate::domain::run::ids::{CommitSha, RepoSlug};
use crate::domain::verdict::question::{Searched, Trouble};
use crate::domain::verdict::reason::{Home, Layer, ReasonCode, Severity};

/// A fact with its reason code, the layer that is charged, and what it does to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    code: ReasonCode,
    layer: Layer,
    severity: Severity,
    detail: String,
}

impl Finding {
    /// The code.
    pub(crate) fn code(&self) -> ReasonCode {
        self.code
    }

    /// The layer that is charged.
    pub(crate) fn layer(&self) -> Layer {
        self.layer
    }

    /// What it does to the gate.
    pub(crate) fn severity(&self) -> Severity {
        self.severity
    }

    /// One line for a person.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether it keeps the gate from being green.
    pub(crate) fn stops(&self) -> bool {
        self.severity >= Severity::Fails
    }

    /// The same, made milder by a policy; never made harsher than the registry says.
    #[must_use]
    pub(crate) fn at_most(mut self, severity: Severity) -> Self {
        self.severity = self.severity.min(severity);
        self
    }

    /// The same as a warning that a policy turned into a stop (policy `required`).
    #[must_use]
    pub(crate) fn blocking(mut self) -> Self {
        self.severity = Severity::Blocks;
        self
    }

    /// A reason read back from a receipt whose status allows at most `severity`.
    pub(crate) fn read_back(
        code: ReasonCode,
        layer: Layer,
        severity: Severity,
        detail: &str,
    ) -> Self {
        Self { code, layer, severity, detail: detail.to_owned() }
    }
}

/// What is missing, so that nothing says which tests to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unconfigured {
    /// There is no configuration file, and nobody typed a command.
    #[error("no pester-gate.yml in {}, and no command after `--`", searched.join(", "))]
    File {
        /// The folders that were searched.
        searched: Vec<String>,
    },
    /// The file names neither a dispatcher nor a pattern.
    #[error("{file} sets neither `dispatcher.kind` nor `tests.pattern`")]
    Dispatcher {
        /// The configuration.
        file: String,
    },
    /// Scripts are run only where a pattern selects them.
    #[error("{file} sets `dispatcher.kind: scripts` without `tests.pattern`")]
    PatternOfScripts {
        /// The configuration.
        file: String,
    },
    /// The command takes files, and nothing says which.
    #[error("the command contains {{files}}, and `tests.pattern` is not set")]
    PatternOfFiles,
}

/// What of the test command is not on this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MissingProgram {
    /// A program that is on no folder of `PATH`.
    #[error("`{program}` is not on PATH (searched {searched})")]
    NotOnPath {
        /// As typed.
        program: String,
        /// The folders.
        searched: String,
    },
    /// A program that is named with its folder.
    #[error("`{program}` is no program that can be run (looked for it from {root})")]
    NoFile {
        /// As typed.
        program: String,
        /// Where its path begins.
        root: String,
    },
    /// The interpreter that a script's first line names.
    #[error(
        "{script} needs `{}`, which is not on this host{}",
        interpreter.trim_end(),
        if interpreter.ends_with('\r') { " under that name: its lines end with CR LF" } else { "" }
    )]
    Interpreter {
        /// The script.
        script: String,
        /// What runs it.
        interpreter: String,
    },
    /// A module of Python.
    #[error("`{python}` finds no module `{module}`; install it for this Python")]
    Module {
        /// As typed.
        python: String,
        /// The module.
        module: String,
    },
    /// A tool that a launcher starts.
    #[error("`{launcher}` finds no `{tool}`; install the project's dependencies")]
    Package {
        /// As typed.
        launcher: String,
        /// The tool.
        tool: String,
    },
}

/// Why there is no results file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MissingResults {
    /// A file matches and is as it was before the run.
    #[error("{path} is from an earlier run; this run did not write a results file")]
    Stale {
        /// The file.
        path: String,
    },
    /// Nobody named a results file, and none was written.
    #[error(
        "the command ended with exit code 0, and wrote no results file below its folder{}",
        hint(option)
    )]
    NothingWritten {
        /// How the typed runner is told to write a report.
        option: Option<&'static str>,
    },
    /// The runner was not told to write a report, and its tests may well have failed.
    #[error(
        "the command ended with exit code {code} and has no option that writes a report: add \
         {option}"
    )]
    NoReport {
        /// How the command ended.
        code: i32,
        /// How the runner is told to write a report.
        option: &'static str,
    },
    /// No file matches the globs.
    #[error("`dispatcher.results` matched no file (looked for {globs} in {root}){}", hint(option))]
    NoMatch {
        /// The globs.
        globs: String,
        /// Where they were looked for.
        root: String,
        /// How the runner is told to write a report.
        option: Option<&'static str>,
    },
    /// A receipt or a document says so in its own words.
    #[error("{0}")]
    StoredRequest(String),
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// A runner may well have run its tests, and was not told to write a report.
fn if_tests_ran(option: &Option<&'static str>) -> String {
    let hint = |option| format!("; if the tests ran, let the command write a report: {option}");
    option.map(hint).unwrap_or_default()
}

/// The word that was probably meant.
fn suggestion(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

/// How a runner is told to write a report, as the end of a message.
fn no_match(globs: &Option<String>) -> String {
    let text = |globs| format!("; `dispatcher.results` matched no new file ({globs})");
    globs.as_ref().map(text).unwrap_or_default()
}

fn hint(option: &Option<&'static str>) -> String {
    option.map(|option| format!("; add {option}")).unwrap_or_default()
}

/// A good state of a layer.
pub(crate) fn good(code: ReasonCode, layer: Layer, detail: impl Into<String>) -> Finding {
    Finding { code, layer, severity: Severity::Informs, detail: detail.into() }
}

/// What can be wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(crate) enum ReceiptFault {
    #[error("{}", missing(layer, path))]
    Missing { layer: Layer, path: String },
    #[error("the {layer} receipt {path} cannot be read: {why}")]
    Corrupt { layer: Layer, path: String, why: String },
    #[error("the {layer} receipt {path} has schema {found:?}; this version reads {known}")]
    UnsupportedSchema { layer: Layer, path: String, found: String, known: &'static str },
    #[error("the {layer} receipt {path} has sha256 {found}, its layer put out {expected}")]
    DigestMismatch { layer: Layer, path: String, found: String, expected: String },
    #[error("the {layer} receipt is of run {found}, this is run {own}")]
    ForeignRun { layer: Layer, found: String, own: String },
    #[error(
        "the {layer} receipt is of attempt {found} and no digest vouches for it in attempt {own}"
    )]
    EarlierAttempt { layer: Layer, found: u32, own: u32 },
    #[error(
        "the {layer} receipt is for commit {}, this is {own}",
        found.as_ref().map_or("none", |sha| sha.as_str())
    )]
    ForeignCommit { layer: Layer, found: Option<CommitSha>, own: CommitSha },
    #[error("the readiness receipt is {age_seconds} s old and holds for {window_seconds} s")]
    Stale { age_seconds: i64, window_seconds: u64 },
    #[error("the {layer} receipt is of attempt {found}, this is attempt {own}")]
    LaterAttempt { layer: Layer, found: u32, own: u32 },
    #[error("the {layer} receipt is dated {ahead_seconds} s ahead of this host's clock")]
    FromFuture { layer: Layer, ahead_seconds: i64 },
    #[error("{layer} was blocked: {reason}")]
    UpstreamBlocked { layer: Layer, reason: String },
}

impl ReceiptFault {
    /// The layer that wrote the receipt, or should have.
    pub(crate) fn layer(&self) -> Layer {
        match self {
            Self::Missing { layer, .. }
            | Self::Corrupt { layer, .. }
            | Self::UnsupportedSchema { layer, .. }
            | Self::DigestMismatch { layer, .. }
            | Self::ForeignRun { layer, .. }
            | Self::EarlierAttempt { layer, .. }
            | Self::ForeignCommit { layer, .. }
            | Self::LaterAttempt { layer, .. }
            | Self::FromFuture { layer, .. }
            | Self::UpstreamBlocked { layer, .. } => *layer,
            Self::Stale { .. } => Layer::Preflight,
        }
    }
}

/// A receipt that is not where it was looked for, or that nobody named.
fn missing(layer: &Layer, path: &str) -> String {
    match path {
        "" => {
            format!(
                "there is no {layer} receipt; run `{layer}` first (in a workflow: the action \
                 `{layer}` earlier in this job, or its artifact)"
            )
        }
        path => format!("there is no {layer} receipt at {path}"),
    }
}

/// Up to ten issue numbers.
fn numbers(of: &[u64]) -> String {
    let shown: Vec<_> = of.iter().take(10).map(|number| format!("#{number}")).collect();
    let more = if of.len() > 10 { format!(" and {} more", of.len() - 10) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn nobody(read: &[Searched]) -> String {
    let each = |Searched { repository, labels, left_out }: &Searched| {
        let labels: Vec<_> = labels.iter().map(|label| format!("{label:?}")).collect();
        let out = if left_out.is_empty() {
            String::new()
        } else {
            format!(" (left out: {})", numbers(left_out))
        };
        format!("no open issue of {repository} carries {}{out}", labels.join(" or "))
    };
    format!("{}; every page was read", read.iter().map(each).collect::<Vec<_>>().join(", and "))
}

/// Everything that can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(crate) enum Fault {
    #[error(transparent)]
    Receipt(#[from] ReceiptFault),

    // any job
    #[error("{0}")]
    ConfigurationInvalid(String),
    #[error("{0}")]
    OutputUnwritable(String),
    #[error("{0}")]
    InternalError(String),
    #[error("{path} holds {what}{more}")]
    SecretInOutput { layer: Layer, path: String, what: String, more: String },
    #[error("{0}")]
    BaselineUnreadable(String),

    // route
    #[error("the pull request does not carry the label {label:?}")]
    PilotLabelMissing { label: String },
    #[error("the head is in {head}, another owner's repository")]
    UntrustedCrossOwnerFork { head: RepoSlug },
    #[error("the head is in {head}, and only branches of this repository are trusted")]
    ForkNotTrusted { head: RepoSlug },
    #[error("the pull request's head repository was deleted")]
    HeadRepositoryDeleted,
    #[error(
        "this event did not set the label {label:?}, \
         so the label says nothing of the head {head_sha}"
    )]
    LabelNotBoundToHead { label: String, head_sha: CommitSha },
    #[error("{0}")]
    EventUnsupported(String),

    // context
    #[error(
        "could not determine the repository: set `--repository owner/name`, `GITHUB_REPOSITORY` or \
         a git remote"
    )]
    RepositoryUnresolved,
    #[error("{0}")]
    RepositoryConflict(String),
    #[error("the worktree is at {found}, the commit under test is {expected}")]
    HeadShaMismatch { found: CommitSha, expected: CommitSha },
    #[error("{root} is not inside a git worktree")]
    WorktreeMissing { root: String },
    #[error("{0}")]
    WorktreeUnreadable(String),
    #[error("the worktree differs from the commit in {count} files: {shown}")]
    WorktreeDirty { count: usize, shown: String },
    #[error("{path} is not below the root")]
    RequiredPathMissing { path: String },
    #[error("{path} is no folder on this host")]
    HelperRootMissing { path: String },
    #[error("git: {why}")]
    WorktreeNotTrusted { why: String },
    #[error("{0}")]
    EventMalformed(String),
    #[error("neither GH_TOKEN nor GITHUB_TOKEN is set")]
    TokenMissing,
    #[error("{0}")]
    StandingPriorityUnknown(String),
    #[error("{}", nobody(.0))]
    StandingPriorityNone(Vec<Searched>),
    #[error(
        "{} open issues of {repository} carry {label:?}: {}; #{} counts",
        .candidates.len(),
        numbers(.candidates),
        .candidates.first().copied().unwrap_or_default()
    )]
    StandingPriorityMultiple { repository: RepoSlug, label: String, candidates: Vec<u64> },
    #[error("{}", .0.detail)]
    Question(Trouble),

    // preflight
    #[error("{name} is not on PATH")]
    ProgramMissing { code: ReasonCode, name: String },
    #[error(transparent)]
    TestProgramMissing(MissingProgram),
    #[error("{tool} is {found}, the pack asks for {range}")]
    ToolVersion { tool: String, found: String, range: String },
    #[error("{tool} does not say its version: {why}")]
    ToolVersionUnreadable { tool: String, why: String },
    #[error("{why}")]
    Docker { code: ReasonCode, why: String },
    #[error("{0}")]
    DotnetSdkMissing(String),
    #[error("{path} is not there{nearby}")]
    LvcompareMissing { path: String, nearby: &'static str },
    #[error("group {group} is held by {holder}")]
    LockHeld { group: String, holder: String },
    #[error("group {group} is held by {holder}; execute will queue")]
    SessionLockHeld { group: String, holder: String },
    #[error("{0}")]
    LockUnusable(String),
    #[error("LabVIEW is running: {0}")]
    LabviewRunning(String),
    #[error("the runner has {labels} and lacks {missing}")]
    RunnerLabelMissing { missing: String, labels: String },
    #[error("{0}")]
    EndpointUnreachable(String),
    #[error("{path} has {free} free of the {wanted} that preflight.disk.{key} asks for")]
    DiskLow { path: String, free: String, wanted: String, key: &'static str },
    #[error("paths over 260 characters are refused: {0}")]
    LongPathsDisabled(String),
    #[error("{program} runs no script: {line}")]
    ExecutionPolicyForbids { program: String, line: String },
    #[error("this host's clock is at least {behind_seconds} s behind that of the host of context")]
    ClockSkew { behind_seconds: i64 },
    #[error("{what} {path} lies in {service}")]
    PathHygiene { what: String, path: String, service: &'static str },
    #[error("fixture {name}: {path}: {why}")]
    FixtureMissing { name: String, path: String, why: String },
    #[error("fixture {name}: {path} is not what preflight saw")]
    FixtureAltered { name: String, path: String },
    #[error("{name} did not answer within {limit}")]
    ProbeTimedOut { name: String, limit: String },
    #[error("{name}: {why}")]
    ProbeFailed { name: String, why: String },
    #[error("readiness was measured on {found}, this is {own}")]
    HostMismatch { found: String, own: String },

    #[error("readiness was measured for pack {found:?}, selected is {own:?}")]
    PackMismatch { found: String, own: String },

    // selection
    #[error(transparent)]
    Unconfigured(Unconfigured),
    #[error("{0}")]
    RerunDiffers(String),
    #[error("no pack is called {name:?}{}; the packs are {known}", suggestion(near))]
    PackUnknown { name: String, known: String, near: Option<String> },
    #[error("{origin}: pattern {pattern:?}: {why}")]
    PatternInvalid { origin: String, pattern: String, why: String },
    #[error("{origin}: {value:?} is not an integration mode; write auto, include or exclude")]
    IntegrationModeInvalid { origin: String, value: String },
    #[error("{0}")]
    ProfileInvalid(String),
    #[error("the tests path {path:?}: {why}")]
    TestsPathMissing { path: String, why: String },
    #[error("{path}: {why}")]
    TestFileMissing { path: String, why: String },
    #[error("{path}: {why}")]
    TestFileUnusable { path: String, why: String },
    #[error("{0}")]
    SelectionEmpty(String),
    #[error("{path}: {why}")]
    SelectionDrift { path: String, why: String },

    // execute
    #[error("{path}: {why}")]
    ResultsDirUnusable { path: String, why: String },
    #[error("{command}: {why}")]
    SetupCommandFailed { command: String, why: String },
    #[error("{command}: {why}")]
    CleanupCommandFailed { command: String, why: String },
    #[error("{0}")]
    DispatcherMissing(String),
    #[error("{program}: {why}")]
    DispatcherNotStarted { program: String, why: String },
    #[error(
        "exit code {code} and no results{}; log: {log}{}{}",
        after_colon(said),
        no_match(globs),
        if_tests_ran(option)
    )]
    DispatcherFailed {
        code: i32,
        said: String,
        log: String,
        option: Option<&'static str>,
        globs: Option<String>,
    },
    #[error("{0}")]
    DispatcherCrashed(String),
    #[error("the {limit} limit of {after} ended the run")]
    DispatcherTimedOut { limit: &'static str, after: String },
    #[error("the run was cancelled")]
    RunCancelled,
    #[error(transparent)]
    ResultsMissing(MissingResults),
    #[error("{path}: {why}")]
    ResultsTruncated { path: String, why: String },
    #[error("{path}: {why}")]
    ResultsInvalid { path: String, why: String },
    #[error("{path}: {why}")]
    ResultsUnsupported { path: String, why: String },
    #[error("{path}: {why}")]
    ResultsInconsistent { path: String, why: String },
    #[error("{0}")]
    ExitCodeMismatch(String),
    #[error("{0}")]
    ZeroTestsExecuted(String),
    #[error("{ran} tests ran, at least {least} must: the baseline ran {baseline}")]
    TestCountBelowFloor { ran: u64, least: u64, baseline: u64 },
    #[error("all {0} tests were skipped")]
    AllTestsSkipped(u64),
    #[error("{path}: {why}")]
    TestFileFailedToLoad { path: String, why: String },
    #[error("alive after the tests ({count}): {shown}")]
    LeaksDetected { count: usize, shown: String },
    #[error("{0}")]
    SetupOrTeardownFailed(String),
    #[error("{0}")]
    ReportMissing(String),
    #[error("no Pester module is installed for {0}")]
    PesterMissing(String),
    #[error("Pester {wanted} is wanted, found {found}")]
    PesterVersionUnsupported { wanted: String, found: String },
    #[error("{path} was ended after {after}")]
    TestTimedOut { path: String, after: String },
    #[error("{failed} failed, {errors} errors of {total}: {first}")]
    TestsFailed { failed: u64, errors: u64, total: u64, first: String },

    #[error("{path} was selected, and no recorded test comes from it")]
    TestFileNotAccounted { path: String },
    #[error(
        "the results contain no file names, so nothing proves that the {count} selected files ran"
    )]
    FilesNotNamed { count: usize },
    /// A fault that a policy turned into a warning.
    #[error(transparent)]
    Softened(Box<Fault>),

    // post
    #[error("shard {index}/{of} left no execution receipt")]
    ShardMissing { index: u32, of: u32 },
    #[error("{path} is not there")]
    RawArtifactMissing { path: String },
    #[error("{path}: {why}")]
    RawArtifactAltered { path: String, why: String },
    #[error("the job of {layer} ended with {result} and left neither receipt nor reason")]
    LayerNotReported { layer: Layer, result: String },
    #[error("the job of {layer} was cancelled")]
    LayerCancelled { layer: Layer },
    #[error("{detail}")]
    ReportedByJob { layer: Layer, code: ReasonCode, detail: String },
}

impl Fault {
    /// The one reason code of this fault.
    pub(crate) fn code(&self) -> ReasonCode {
        use ReasonCode as C;
        match self {
            Fault::Receipt(fault) => match fault {
                ReceiptFault::Missing { layer: Layer::Execute, .. } => C::ExecutionReceiptMissing,
                ReceiptFault::Missing { .. } => C::ReceiptMissing,
                ReceiptFault::Corrupt { .. } => C::ReceiptCorrupt,
                ReceiptFault::UnsupportedSchema { .. } => C::ReceiptUnsupportedSchema,
                ReceiptFault::DigestMismatch { .. } => C::ReceiptDigestMismatch,
                ReceiptFault::ForeignRun { .. } | ReceiptFault::EarlierAttempt { .. } => {
                    C::ReceiptForeignRun
                }
                ReceiptFault::ForeignCommit { .. } => C::ReceiptForeignCommit,
                ReceiptFault::Stale { .. } => C::ReceiptStale,
                ReceiptFault::LaterAttempt { .. } | ReceiptFault::FromFuture { .. } => {
                    C::ReceiptFromFuture
                }
                ReceiptFault::UpstreamBlocked { .. } => C::UpstreamLayerBlocked,
            },
            Fault::ConfigurationInvalid(_) => C::ConfigurationInvalid,
            Fault::OutputUnwritable(_) => C::OutputUnwritable,
            Fault::InternalError(_) => C::InternalError,
            Fault::SecretInOutput { .. } => C::SecretInOutput,
            Fault::BaselineUnreadable(_) => C::BaselineUnreadable,
            Fault::Unconfigured(_) => C::ConfigurationMissing,
            Fault::DispatcherFailed { .. } => C::DispatcherFailed,
            Fault::RerunDiffers(_) => C::RerunDiffers,
            Fault::TestCountBelowFloor { .. } => C::TestCountBelowFloor,
            Fault::PilotLabelMissing { .. } => C::PilotLabelMissing,
            Fault::UntrustedCrossOwnerFork { .. } => C::UntrustedCrossOwnerFork,
            Fault::ForkNotTrusted { .. } => C::ForkNotTrusted,
            Fault::HeadRepositoryDeleted => C::HeadRepositoryDeleted,
            Fault::LabelNotBoundToHead { .. } => C::LabelNotBoundToHead,
            Fault::EventUnsupported(_) => C::EventUnsupported,
            Fault::RepositoryUnresolved => C::RepositoryUnresolved,
            Fault::RepositoryConflict(_) => C::RepositoryConflict,
            Fault::HeadShaMismatch { .. } => C::HeadShaMismatch,
            Fault::WorktreeMissing { .. } => C::WorktreeMissing,
            Fault::WorktreeUnreadable(_) => C::WorktreeUnreadable,
            Fault::WorktreeDirty { .. } => C::WorktreeDirty,
            Fault::RequiredPathMissing { .. } => C::RequiredPathMissing,
            Fault::HelperRootMissing { .. } => C::HelperRootMissing,
            Fault::WorktreeNotTrusted { .. } => C::WorktreeNotTrusted,
            Fault::EventMalformed(_) => C::EventMalformed,
            Fault::TokenMissing => C::TokenMissing,
            Fault::StandingPriorityUnknown(_) => C::StandingPriorityUnknown,
            Fault::StandingPriorityNone(_) => C::StandingPriorityNone,
            Fault::StandingPriorityMultiple { .. } => C::StandingPriorityMultiple,
            Fault::Question(trouble) => trouble.cause.code(),
            Fault::ProgramMissing { code, .. }
            | Fault::ReportedByJob { code, .. }
            | Fault::Docker { code, .. } => *code,
            Fault::TestProgramMissing(_) => C::ToolMissing,
            Fault::DotnetSdkMissing(_) => C::DotnetSdkMissing,
            Fault::LvcompareMissing { .. } => C::LvcompareMissing,
            Fault::LockHeld { .. } => C::LockHeld,
            Fault::SessionLockHeld { .. } => C::SessionLockHeld,
            Fault::LockUnusable(_) => C::LockUnusable,
            Fault::LongPathsDisabled(_) => C::LongPathsDisabled,
            Fault::ExecutionPolicyForbids { .. } => C::ExecutionPolicyForbids,
            Fault::ClockSkew { .. } => C::ClockSkew,
            Fault::LabviewRunning(_) => C::LabviewRunning,
            Fault::RunnerLabelMissing { .. } => C::RunnerLabelMissing,
            Fault::EndpointUnreachable(_) => C::EndpointUnreachable,
            Fault::ToolVersion { .. } => C::ToolVersionUnsupported,
            Fault::ToolVersionUnreadable { .. } | Fault::ProbeFailed { .. } => C::ProbeFailed,
            Fault::DiskLow { .. } => C::DiskLow,
            Fault::PathHygiene { .. } => C::PathHygiene,
            Fault::FixtureMissing { .. } => C::FixtureMissing,
            Fault::FixtureAltered { .. } => C::FixtureAltered,
            Fault::ProbeTimedOut { .. } => C::ProbeTimedOut,
            Fault::HostMismatch { .. } => C::HostMismatch,
            Fault::PackMismatch { .. } => C::PackMismatch,
            Fault::PackUnknown { .. } => C::PackUnknown,
            Fault::PatternInvalid { .. } => C::PatternInvalid,
            Fault::IntegrationModeInvalid { .. } => C::IntegrationModeInvalid,
            Fault::ProfileInvalid(_) => C::ProfileInvalid,
            Fault::TestsPathMissing { .. } => C::TestsPathMissing,
            Fault::TestFileMissing { .. } => C::TestFileMissing,
            Fault::TestFileUnusable { .. } => C::TestFileUnusable,
            Fault::SelectionEmpty(_) => C::SelectionEmpty,
            Fault::SelectionDrift { .. } => C::SelectionDrift,
            Fault::ResultsDirUnusable { .. } => C::ResultsDirUnusable,
            Fault::SetupCommandFailed { .. } => C::SetupCommandFailed,
            Fault::CleanupCommandFailed { .. } => C::CleanupCommandFailed,
            Fault::DispatcherMissing(_) => C::DispatcherMissing,
            Fault::DispatcherNotStarted { .. } => C::DispatcherNotStarted,
            Fault::DispatcherCrashed(_) => C::DispatcherCrashed,
            Fault::DispatcherTimedOut { .. } => C::DispatcherTimedOut,
            Fault::RunCancelled => C::RunCancelled,
            Fault::ResultsMissing(_) => C::ResultsMissing,
            Fault::ResultsTruncated { .. } => C::ResultsTruncated,
            Fault::ResultsInvalid { .. } => C::ResultsInvalid,
            Fault::ResultsUnsupported { .. } => C::ResultsUnsupported,
            Fault::ResultsInconsistent { .. } => C::ResultsInconsistent,
            Fault::ExitCodeMismatch(_) => C::ExitCodeMismatch,
            Fault::ZeroTestsExecuted(_) => C::ZeroTestsExecuted,
            Fault::AllTestsSkipped(_) => C::AllTestsSkipped,
            Fault::TestFileFailedToLoad { .. } => C::TestFileFailedToLoad,
            Fault::LeaksDetected { .. } => C::LeaksDetected,
            Fault::TestTimedOut { .. } => C::TestTimedOut,
            Fault::SetupOrTeardownFailed(_) => C::SetupOrTeardownFailed,
            Fault::ReportMissing(_) => C::ReportMissing,
            Fault::PesterMissing(_) => C::PesterMissing,
            Fault::PesterVersionUnsupported { .. } => C::PesterVersionUnsupported,
            Fault::TestsFailed { .. } => C::TestsFailed,
            Fault::TestFileNotAccounted { .. } | Fault::FilesNotNamed { .. } => {
                C::TestFileNotAccounted
            }
            Fault::Softened(fault) => fault.code(),
            Fault::ShardMissing { .. } => C::ShardMissing,
            Fault::RawArtifactMissing { .. } => C::RawArtifactMissing,
            Fault::RawArtifactAltered { .. } => C::RawArtifactAltered,
            Fault::LayerNotReported { .. } => C::LayerNotReported,
            Fault::LayerCancelled { .. } => C::LayerCancelled,
        }
    }

    /// The layer that a code with no fixed home speaks of.
    fn subject(&self) -> Option<Layer> {
        match self {
            Fault::Receipt(fault) => Some(fault.layer()),
            Fault::Softened(fault) => fault.subject(),
            Fault::LayerNotReported { layer, .. }
            | Fault::LayerCancelled { layer }
            | Fault::SecretInOutput { layer, .. }
            | Fault::ReportedByJob { layer, .. } => Some(*layer),
            _ => None,
        }
    }
}

/// From a fault to its code and the layer that has to change something.
///
/// `met_by` is the layer that met the fault; it is charged only where the registry says so.
pub(crate) fn charge(fault: &Fault, met_by: Layer) -> Finding {
    let row = fault.code().row();
    let layer = match (row.home, fault) {
        // A job's own word about itself: a fault that happened in that job.
        (Home::Job | Home::Subject, _) => fault.subject().unwrap_or(met_by),
        (Home::Layer(layer), _) => layer,
    };
    // A context that cannot read its event is at fault itself: there is no route in that run.
    let layer = if matches!(fault, Fault::EventMalformed(_)) { met_by } else { layer };
    let softened = matches!(fault, Fault::Softened(_));
    let severity = if softened { row.severity.min(Severity::Warns) } else { row.severity };
    Finding { code: row.code, layer, severity, detail: one_line(&fault.to_string()) }
}

/// Details are one line: what a person, a summary table and a log line can all hold.
fn one_line(text: &str) -> String {
    const MOST: usize = 500;
    let mut out = String::with_capacity(text.len().min(MOST));
    for c in text.chars() {
        if out.len() >= MOST {
            out.push('…');
            break;
        }
        out.push(if c == '\n' || c == '\r' || c == '\t' { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_charged_to_whoever_has_to_change_something() {
        let fault = Fault::from(ReceiptFault::Stale { age_seconds: 1000, window_seconds: 900 });
        assert_eq!(charge(&fault, Layer::Execute).layer(), Layer::Preflight);
        let fault = Fault::SelectionDrift { path: "a".into(), why: "changed".into() };
        assert_eq!(charge(&fault, Layer::Execute).layer(), Layer::Selection);
        let fault = Fault::OutputUnwritable("x".into());
        assert_eq!(charge(&fault, Layer::Selection).layer(), Layer::Selection);
        let fault = Fault::from(ReceiptFault::Missing { layer: Layer::Execute, path: "x".into() });
        let finding = charge(&fault, Layer::Post);
        assert_eq!(
            (finding.code(), finding.layer()),
            (ReasonCode::ExecutionReceiptMissing, Layer::Execute)
        );
    }

    #[test]
    fn details_are_one_line_and_bounded() {
        let fault = Fault::ProfileInvalid(format!("a\nb\r{}", "x".repeat(2000)));
        let detail = charge(&fault, Layer::Selection).detail().to_owned();
        assert!(!detail.contains(['\n', '\r']) && detail.chars().count() <= 501);
    }

    #[test]
    fn policy_makes_milder_never_harsher() {
        let fault = Fault::TokenMissing;
        let finding = charge(&fault, Layer::Context);
        assert_eq!(finding.clone().at_most(Severity::Blocks).severity(), Severity::Warns);
        assert!(finding.blocking().stops());
    }
}
