//! Every flag, once. A description is one phrase that states the unit, the allowed values and the
//! default.

use std::fmt;

use super::Kind::{List, Switch, Value};
use super::{FlagRow, Subject as S};

/// Makes the names and the table of the flags from one list.
macro_rules! flags {
    ($($variant:ident: $name:literal, $value:literal, $help:expr, $kind:expr, $subject:expr;)*) => {
        /// A flag of the command line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each flag is described in the table below")]
        pub(crate) enum Flag {
            $($variant,)*
        }

        impl Flag {
            /// Returns its name without the hyphens.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Flag::$variant => $name,)*
                }
            }
        }

        /// Every flag there is.
        pub(crate) const FLAGS: &[FlagRow] = &[
            $(FlagRow {
                flag: Flag::$variant,
                value: $value,
                help: $help,
                kind: $kind,
                subject: $subject,
            },)*
        ];
    };
}

impl Flag {
    /// Returns its environment variable.
    pub(crate) fn variable(self) -> String {
        format!("PESTER_GATE_{}", self.as_str().to_uppercase().replace('-', "_"))
    }
}

/// As it is typed.
impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.as_str())
    }
}

flags! {
    LockGroup: "lock-group",
        "NAME",
        "Name of the lock: runs of one group wait for each other (default: `default`)",
        Value,
        S::Lock;
    LockScope: "lock-scope",
        "host|repository",
        "Runs that the lock keeps apart: all runs on this host, or runs of the same repository \
         (default: host on a runner or when a pack needs shared hardware or software, otherwise \
          repository)",
        Value,
        S::Lock;
    LockWait: "lock-wait",
        "DURATION",
        "Wait at most this long for the lock (for example `90s`; default: 10m)",
        Value,
        S::Lock;
    LockDirectory: "lock-directory",
        "DIR",
        "Folder of the locks (default: the platform's folder for all users)",
        Value,
        S::Lock;
    Root: "root",
        "DIR",
        "Root of the checkout (default: the folder of the nearest pester-gate.yml, otherwise the \
         top of the git worktree)",
        Value,
        S::Everywhere;
    Config: "config",
        "FILE",
        "Configuration file (default: the nearest pester-gate.yml from the current folder up to \
         the top of the git worktree)",
        Value,
        S::Everywhere;
    Out: "out",
        "DIR",
        "Write the files of this command here (default: a folder of the run below the state \
         folder)",
        Value,
        S::Everywhere;
    StateDir: "state-dir",
        "DIR",
        "Folder for runs, caches and locks of this user (default: the platform's)",
        Value,
        S::Everywhere;
    Format: "format",
        "text|json",
        "Format of the result on stdout (default: text)",
        Value,
        S::Everywhere;
    Quiet: "quiet", "", "Do not show progress", Switch, S::Everywhere;
    Verbose: "verbose", "", "Show more details and every warning", Switch, S::Everywhere;
    Color: "color",
        "auto|always|never",
        "Use colors in text output (default: auto)",
        Value,
        S::Everywhere;
    LogLevel: "log-level",
        "LEVEL",
        "Log messages of this level and above: error, warn, info, debug or trace",
        Value,
        S::Everywhere;
    GateId: "gate-id",
        "ID",
        "ID that distinguishes several gates of one workflow run in artifact names and receipts",
        Value,
        S::Everywhere;
    ShowConfig: "show-config",
        "",
        "Print the effective configuration with the source of each value, then exit",
        Switch,
        S::Everywhere;
    Event: "event",
        "FILE",
        "File with the event payload (default: `GITHUB_EVENT_PATH`)",
        Value,
        S::Event;
    EventName: "event-name",
        "NAME", "Name of the event (default: `GITHUB_EVENT_NAME`)", Value, S::Event;
    Repository: "repository",
        "OWNER/NAME",
        "Repository under test (default: from the event, the environment or the git remote)",
        Value,
        S::Event;
    Label: "label",
        "NAME",
        "Label that allows a pull request to use the self-hosted runner (default: pester-gate)",
        Value,
        S::Route;
    Trust: "trust",
        "same-owner|same-repository",
        "Forks that may use the runner: those of the same owner, or none (default: same-owner)",
        Value,
        S::Route;
    WhenRefused: "when-refused",
        "fail|notice",
        "Result of the required check when the event is refused (default: fail)",
        Value,
        S::Route;
    DryRun: "dry-run",
        "",
        "Show the decision, or what would run, and exit without starting or writing anything",
        Switch,
        S::DryRun;
    Keep: "keep", "", "Keep this run: never remove its files automatically", Switch, S::Keep;
    HeadSha: "head-sha",
        "SHA",
        "Commit under test, 40 hex digits (default: from the event)",
        Value,
        S::Commit;
    SampleId: "sample-id", "ID", "ID that is copied into every receipt", Value, S::Context;
    CorrelationId: "correlation-id",
        "ID",
        "ID that is copied into every receipt, for correlation with another system",
        Value,
        S::Context;
    StandingPriority: "standing-priority",
        "required|advisory|off",
        "Block without an issue that has priority (label `standing-priority`), warn, or skip the \
         lookup",
        Value,
        S::Priority;
    StandingPriorityIssue: "standing-priority-issue",
        "ISSUE",
        "Use this issue as the standing priority and skip the lookup (`12` or `owner/name#12`)",
        Value,
        S::Context;
    Pack: "pack", "NAME", "Pack of tests to run (default: full)", Value, S::Pack;
    RunnerLabel: "runner-label",
        "NAME",
        "Label of this runner, for checks that need one (repeatable)",
        List,
        S::Pack;
    ContextReceipt: "context-receipt",
        "FILE", "Receipt of the context layer", Value, S::ContextReceipt;
    ContextSha256: "context-sha256",
        "HEX",
        "Expected SHA-256 of the context receipt",
        Value,
        S::ContextReceipt;
    PreflightReceipt: "preflight-receipt",
        "FILE", "Receipt of the preflight layer", Value, S::OtherReceipts;
    PreflightSha256: "preflight-sha256",
        "HEX",
        "Expected SHA-256 of the preflight receipt",
        Value,
        S::OtherReceipts;
    SelectionReceipt: "selection-receipt",
        "FILE", "Receipt of the selection layer", Value, S::OtherReceipts;
    SelectionSha256: "selection-sha256",
        "HEX",
        "Expected SHA-256 of the selection receipt",
        Value,
        S::OtherReceipts;
    TestsPath: "tests-path",
        "DIR",
        "Folder of the tests, relative to the root (default: tests)",
        Value,
        S::Selection;
    Include: "include",
        "PATTERN",
        "Add files that match this pattern to those of the pack (repeatable)",
        List,
        S::Selection;
    Exclude: "exclude",
        "PATTERN",
        "Leave out files that match this pattern (repeatable)",
        List,
        S::Selection;
    Refine: "refine",
        "PATTERN",
        "Keep only files that also match this pattern (repeatable)",
        List,
        S::Selection;
    File: "file",
        "PATH",
        "Run only this file, regardless of patterns (repeatable)",
        List,
        S::Selection;
    IntegrationMode: "integration-mode",
        "auto|include|exclude",
        "Include or exclude integration tests (default: auto)",
        Value,
        S::Selection;
    Profile: "profile", "NAME", "Profile of run settings (default: `default`)", Value, S::Selection;
    Shards: "shards", "N", "Split the plan into N parts, 1 to 16 (default: 1)", Value, S::Selection;
    ResultsDir: "results-dir",
        "DIR",
        "New or empty folder for the raw results (default: `raw` in --out)",
        Value,
        S::Execution;
    Shard: "shard", "K/N", "Run only part K of N", Value, S::Execution;
    RunTimeout: "run-timeout",
        "DURATION",
        "Stop the run after this long (default: 30m)",
        Value,
        S::Limits;
    FileTimeout: "file-timeout",
        "DURATION",
        "Stop a test file after this long (default: no limit)",
        Value,
        S::Limits;
    TestTimeout: "test-timeout",
        "DURATION",
        "Stop a test after this long, Pester only (default: no limit)",
        Value,
        S::Limits;
    NoOutputTimeout: "no-output-timeout",
        "DURATION",
        "Stop the run after this long without any output (for example `90s` or `15m`; default: \
         no limit)",
        Value,
        S::Limits;
    KillGrace: "kill-grace",
        "DURATION",
        "Grace period between asking a process to stop and killing it (default: 5s)",
        Value,
        S::Limits;
    ReceiptsDir: "receipts-dir", "DIR", "Folder of the receipts (default: --out)", Value, S::Post;
    Needs: "needs", "FILE|JSON", "Results of the jobs, as GitHub's `toJSON(needs)`", Value, S::Post;
    RouteSha256: "route-sha256",
        "HEX", "Expected SHA-256 of the route receipt", Value, S::PostDigests;
    ExecuteSha256: "execute-sha256",
        "[K=]HEX",
        "Expected SHA-256 of the execution receipt, or of that of shard K (repeatable)",
        List,
        S::PostDigests;
    Baseline: "baseline",
        "DIR|FILE",
        "Compare with this earlier run: its evidence folder or its pester-tests.json",
        Value,
        S::Baseline;
    RerunFrom: "rerun-from",
        "BUNDLE",
        "Run only what failed, as listed in this pester-replay-bundle.json",
        Value,
        S::Rerun;
    Durations: "durations",
        "DIR|FILE",
        "Balance shards by the durations in this earlier run's evidence",
        Value,
        S::Selection;
    ContinueOnFailure: "continue-on-failure",
        "",
        "Do not fail the step when the gate fails; report `gate-status: notice` instead",
        Switch,
        S::Continue;
    Results: "results",
        "GLOB",
        "Results files that the test command writes; `-` reads its standard output (repeatable; \
         default after `--`: every results file that the command writes below the current folder)",
        List,
        S::Results;
    Layout: "layout",
        "one-step|five-jobs",
        "Run all layers in one step of one job, or in five jobs (default: one-step)",
        Value,
        S::Init;
    TrustedPr: "trusted-pr",
        "",
        "Write five jobs behind the router, which admits trusted pull requests",
        Switch,
        S::Init;
    Runner: "runner",
        "LABEL",
        "Label of the runner; with several, the runner needs all of them (repeatable)",
        List,
        S::Init;
    GateRepository: "gate-repository",
        "OWNER/NAME",
        "Repository that the workflow takes pester-gate from",
        Value,
        S::Init;
    GateRef: "gate-ref",
        "REF",
        "Tag or commit of pester-gate in the workflow (default: the major tag)",
        Value,
        S::Init;
    Force: "force", "", "Replace existing files", Switch, S::Init;
}
