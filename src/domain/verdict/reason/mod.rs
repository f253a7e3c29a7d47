//! The registry of reason codes: one closed enum, one row each.
//!
//! A code names a cause and one cause has one code. The rows stand in one file per home layer;
//! [`TABLE`] is put together at compile time, and a code without a row, or with two, does not
//! build. The runbook, `docs/reason-codes.md` and `pester-gate explain` are read off these rows.

mod any_job;
mod context;
mod execute;
mod post;
mod preflight;
mod receipt;
mod route;
mod selection;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The layers, in the order in which they run and in which a fault decides.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// May this event drive a self-hosted runner?
    Route,
    /// Which repository, which commit, which standing priority?
    Context,
    /// Is this host fit for this pack?
    Preflight,
    /// Exactly which test files run?
    Selection,
    /// Run the dispatcher on that plan.
    Execute,
    /// What does it mean for the operator?
    Post,
}

impl Layer {
    /// All of them, in order.
    pub(crate) const ALL: [Layer; 6] = [
        Layer::Route,
        Layer::Context,
        Layer::Preflight,
        Layer::Selection,
        Layer::Execute,
        Layer::Post,
    ];

    /// The name as it stands in receipts, job ids and command lines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Layer::Route => "route",
            Layer::Context => "context",
            Layer::Preflight => "preflight",
            Layer::Selection => "selection",
            Layer::Execute => "execute",
            Layer::Post => "post",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reason does to the gate, mildest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// A good state, or a fact worth a line.
    Informs,
    /// Go on, and say so.
    Warns,
    /// The gate is red, the chain ran to its end.
    Fails,
    /// The chain stops here.
    Blocks,
}

impl Severity {
    /// The word for tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Severity::Informs => "informs",
            Severity::Warns => "warns",
            Severity::Fails => "fails",
            Severity::Blocks => "blocks",
        }
    }
}

/// Which layer a code is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Always this one, whoever met it.
    Layer(Layer),
    /// The layer whose receipt it speaks of.
    Subject,
    /// The layer whose job it happened in.
    Job,
}

/// The whole gate again.
pub(crate) const RUN: &str = "pester-gate run --root {root} --pack {pack}";

impl Home {
    /// The word for tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Home::Layer(layer) => layer.as_str(),
            Home::Subject => "subject",
            Home::Job => "any job",
        }
    }
}

/// One row of the registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The code.
    pub(crate) code: ReasonCode,
    /// Whom it is charged to.
    pub(crate) home: Home,
    /// What it does unless a policy says otherwise.
    pub(crate) severity: Severity,
    /// What is the case, in one sentence.
    pub(crate) meaning: &'static str,
    /// What a person does next.
    pub(crate) remedy: &'static str,
    /// Stable id of that next action, for programs.
    pub(crate) next_action: &'static str,
    /// Whether running the same thing again can help.
    pub(crate) retry_helps: bool,
    /// Command to see it again; `{root}`, `{dir}`, `{pack}` and the like are filled in.
    replay: &'static str,
}

impl Row {
    const fn new(
        code: ReasonCode,
        severity: Severity,
        meaning: &'static str,
        remedy: &'static str,
    ) -> Row {
        Row {
            code,
            home: Home::Job,
            severity,
            meaning,
            remedy,
            next_action: "no-action",
            retry_helps: false,
            replay: "pester-gate explain {code}",
        }
    }

    const fn next(mut self, next_action: &'static str) -> Row {
        self.next_action = next_action;
        self
    }

    const fn retry(mut self) -> Row {
        self.retry_helps = true;
        self
    }

    const fn replay(mut self, replay: &'static str) -> Row {
        self.replay = replay;
        self
    }

    /// The command to see it again, its places for this run's values in braces.
    pub(crate) fn command(&self) -> String {
        self.replay.replace("{code}", self.code.as_str())
    }

    const fn at(mut self, home: Home) -> Row {
        self.home = home;
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Why something is as it is. Kebab-case in every file and on every screen.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, JsonSchema,
        )]
        #[allow(missing_docs, reason = "each code's meaning is its row in the registry")]
        pub(crate) enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl ReasonCode {
            /// Every code there is, in registry order.
            pub(crate) const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant,)*];

            /// The code as written in receipts.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(ReasonCode::$variant => $text,)* }
            }

            /// The code for a text, or nothing where this version does not know it.
            pub(crate) fn parse(text: &str) -> Option<ReasonCode> {
                match text { $($text => Some(ReasonCode::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    TrustedOwnRef = "trusted-own-ref",
    TrustedSameRepositoryHead = "trusted-same-repository-head",
    TrustedSameOwnerHead = "trusted-same-owner-head",
    WorkflowDispatchDefault = "workflow-dispatch-default",
    PilotLabelMissing = "pilot-label-missing",
    UntrustedCrossOwnerFork = "untrusted-cross-owner-fork",
    ForkNotTrusted = "fork-not-trusted",
    HeadRepositoryDeleted = "head-repository-deleted",
    LabelNotBoundToHead = "label-not-bound-to-head",
    EventUnsupported = "event-unsupported",
    EventMalformed = "event-malformed",

    BootstrapBinaryMissing = "bootstrap-binary-missing",
    BootstrapDownloadFailed = "bootstrap-download-failed",
    BootstrapHashRefused = "bootstrap-hash-refused",
    ConfigurationInvalid = "configuration-invalid",
    OutputUnwritable = "output-unwritable",
    InternalError = "internal-error",
    SecretInOutput = "secret-in-output",
    BaselineUnreadable = "baseline-unreadable",

    StandingPriorityAvailable = "standing-priority-available",
    StandingPriorityOverridden = "standing-priority-overridden",
    StandingPriorityNotRequired = "standing-priority-not-required",
    StandingPriorityNone = "standing-priority-none",
    StandingPriorityMultiple = "standing-priority-multiple",
    StandingPriorityUnknown = "standing-priority-unknown",
    TokenMissing = "token-missing",
    TokenUnauthorized = "token-unauthorized",
    TokenForbidden = "token-forbidden",
    RateLimited = "rate-limited",
    ApiUnreachable = "api-unreachable",
    ApiTimedOut = "api-timed-out",
    ApiTlsFailed = "api-tls-failed",
    ApiServerError = "api-server-error",
    ApiMalformed = "api-malformed",
    ApiRefused = "api-refused",
    RepositoryNotFound = "repository-not-found",
    IssuesDisabled = "issues-disabled",
    RepositoryUnresolved = "repository-unresolved",
    RepositoryConflict = "repository-conflict",
    HeadShaMismatch = "head-sha-mismatch",
    WorktreeMissing = "worktree-missing",
    WorktreeUnreadable = "worktree-unreadable",
    WorktreeNotTrusted = "worktree-not-trusted",
    WorktreeDirty = "worktree-dirty",
    RequiredPathMissing = "required-path-missing",
    HelperRootMissing = "helper-root-missing",

    ReceiptMissing = "receipt-missing",
    ReceiptCorrupt = "receipt-corrupt",
    ReceiptUnsupportedSchema = "receipt-unsupported-schema",
    ReceiptDigestMismatch = "receipt-digest-mismatch",
    ReceiptForeignRun = "receipt-foreign-run",
    ReceiptForeignCommit = "receipt-foreign-commit",
    ReceiptStale = "receipt-stale",
    ReceiptFromFuture = "receipt-from-future",
    UpstreamLayerBlocked = "upstream-layer-blocked",

    HostReady = "host-ready",
    RunnerLabelMissing = "runner-label-missing",
    SessionLockHeld = "session-lock-held",
    LockHeld = "lock-held",
    LockUnusable = "lock-unusable",
    HostMismatch = "host-mismatch",
    PackMismatch = "pack-mismatch",
    DotnetMissing = "dotnet-missing",
    DotnetSdkMissing = "dotnet-sdk-missing",
    DockerCliMissing = "docker-cli-missing",
    DockerUnreachable = "docker-unreachable",
    DockerAccessDenied = "docker-access-denied",
    DockerApiMismatch = "docker-api-mismatch",
    DockerServerError = "docker-server-error",
    DockerEngineNotWindows = "docker-engine-not-windows",
    DockerEngineNotLinux = "docker-engine-not-linux",
    LabviewRunning = "labview-running",
    LvcompareMissing = "lvcompare-missing",
    PowershellMissing = "powershell-missing",
    ExecutionPolicyForbids = "execution-policy-forbids",
    PesterMissing = "pester-missing",
    PesterVersionUnsupported = "pester-version-unsupported",
    DiskLow = "disk-low",
    PathHygiene = "path-hygiene",
    LongPathsDisabled = "long-paths-disabled",
    ClockSkew = "clock-skew",
    FixtureMissing = "fixture-missing",
    FixtureAltered = "fixture-altered",
    ToolMissing = "tool-missing",
    ToolVersionUnsupported = "tool-version-unsupported",
    EndpointUnreachable = "endpoint-unreachable",
    ProbeTimedOut = "probe-timed-out",
    ProbeFailed = "probe-failed",

    SelectionReady = "selection-ready",
    ConfigurationMissing = "configuration-missing",
    RerunDiffers = "rerun-differs",
    PackUnknown = "pack-unknown",
    PatternInvalid = "pattern-invalid",
    IntegrationModeInvalid = "integration-mode-invalid",
    ProfileInvalid = "profile-invalid",
    TestsPathMissing = "tests-path-missing",
    TestFileMissing = "test-file-missing",
    TestFileUnusable = "test-file-unusable",
    SelectionEmpty = "selection-empty",
    SelectionDrift = "selection-drift",

    ResultsDirUnusable = "results-dir-unusable",
    SetupCommandFailed = "setup-command-failed",
    CleanupCommandFailed = "cleanup-command-failed",
    DispatcherMissing = "dispatcher-missing",
    DispatcherNotStarted = "dispatcher-not-started",
    DispatcherFailed = "dispatcher-failed",
    DispatcherCrashed = "dispatcher-crashed",
    DispatcherTimedOut = "dispatcher-timed-out",
    RunCancelled = "run-cancelled",
    ResultsMissing = "results-missing",
    ResultsTruncated = "results-truncated",
    ResultsInvalid = "results-invalid",
    ResultsUnsupported = "results-unsupported",
    ResultsInconsistent = "results-inconsistent",
    ExitCodeMismatch = "exit-code-mismatch",
    ZeroTestsExecuted = "zero-tests-executed",
    TestCountBelowFloor = "test-count-below-floor",
    AllTestsSkipped = "all-tests-skipped",
    TestFileNotAccounted = "test-file-not-accounted",
    TestFileFailedToLoad = "test-file-failed-to-load",
    TestTimedOut = "test-timed-out",
    SetupOrTeardownFailed = "setup-or-teardown-failed",
    ReportMissing = "report-missing",
    LeaksDetected = "leaks-detected",
    TestsFailed = "tests-failed",
    TestsPassed = "tests-passed",

    ExecutionReceiptMissing = "execution-receipt-missing",
    RawArtifactMissing = "raw-artifact-missing",
    RawArtifactAltered = "raw-artifact-altered",
    ShardMissing = "shard-missing",
    LayerNotReported = "layer-not-reported",
    LayerCancelled = "layer-cancelled",
}

impl ReasonCode {
    /// Whether the evidence alone shows the fault: a run of the same tests need not meet it again.
    pub(crate) const fn is_in_evidence_only(self) -> bool {
        use ReasonCode as C;
        matches!(
            self,
            C::ReceiptMissing
                | C::ReceiptCorrupt
                | C::ReceiptUnsupportedSchema
                | C::ReceiptDigestMismatch
                | C::ReceiptForeignRun
                | C::ReceiptForeignCommit
                | C::ReceiptStale
                | C::ReceiptFromFuture
                | C::UpstreamLayerBlocked
                | C::ExecutionReceiptMissing
                | C::RawArtifactMissing
                | C::RawArtifactAltered
                | C::ShardMissing
                | C::LayerNotReported
                | C::LayerCancelled
                | C::RunCancelled
                | C::LockHeld
                | C::HostMismatch
                | C::PackMismatch
                | C::SelectionDrift
                | C::FixtureAltered
                | C::ClockSkew
                | C::InternalError
                | C::OutputUnwritable
                | C::SecretInOutput
        )
    }

    /// The code's row.
    pub(crate) const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every row, at its code's place.
pub(crate) static TABLE: [Row; ReasonCode::ALL.len()] = build();

const FILES: [&[Row]; 8] = [
    route::ROWS,
    any_job::ROWS,
    context::ROWS,
    receipt::ROWS,
    preflight::ROWS,
    selection::ROWS,
    execute::ROWS,
    post::ROWS,
];

/// Puts every row at the place of its code; a gap or a second row stops the build.
#[allow(clippy::panic, reason = "evaluated at compile time only")]
const fn build() -> [Row; ReasonCode::ALL.len()] {
    let mut table = [route::ROWS[0]; ReasonCode::ALL.len()];
    let mut seen = [false; ReasonCode::ALL.len()];
    let mut file = 0;
    while file < FILES.len() {
        let mut at = 0;
        while at < FILES[file].len() {
            let row = FILES[file][at];
            if seen[row.code as usize] {
                panic!("a reason code has two rows");
            }
            seen[row.code as usize] = true;
            table[row.code as usize] = row;
            at += 1;
        }
        file += 1;
    }
    let mut at = 0;
    while at < seen.len() {
        if !seen[at] {
            panic!("a reason code has no row");
        }
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_unique_and_round_trip() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ReasonCode::ALL {
            let text = code.as_str();
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text}");
            assert!(seen.insert(text), "{text} twice");
            assert_eq!(ReasonCode::parse(text), Some(*code));
            assert_eq!(code.row().code, *code);
        }
        assert_eq!(ReasonCode::parse("no-such-code"), None);
    }

    #[test]
    fn every_row_tells_a_person_something() {
        for row in &TABLE {
            assert!(row.meaning.len() > 20, "{}", row.code);
            assert!(row.remedy.len() > 10, "{}", row.code);
            let stops = row.severity >= Severity::Fails;
            assert!(
                !stops || row.next_action != "no-action",
                "{} stops the gate without a next action",
                row.code
            );
        }
    }
}
