//! Every command, by what a person looks for.

use super::Subject as S;
use super::{Group, VerbRow};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each command is described in the table below")]
pub(crate) enum Verb {
    Init,
    Doctor,
    Run,
    Open,
    Runs,
    Results,
    Explain,
    Replay,
    Verify,
    Route,
    Context,
    Preflight,
    Selection,
    Execute,
    Post,
    Lock,
    Packs,
    Schema,
}

impl Verb {
    /// Returns its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Verb::Init => "init",
            Verb::Doctor => "doctor",
            Verb::Run => "run",
            Verb::Open => "open",
            Verb::Runs => "runs",
            Verb::Results => "results",
            Verb::Explain => "explain",
            Verb::Replay => "replay",
            Verb::Verify => "verify",
            Verb::Route => "route",
            Verb::Context => "context",
            Verb::Preflight => "preflight",
            Verb::Selection => "selection",
            Verb::Execute => "execute",
            Verb::Post => "post",
            Verb::Lock => "lock",
            Verb::Packs => "packs",
            Verb::Schema => "schema",
        }
    }

    /// Returns the command of this name.
    pub(crate) fn parse(name: &str) -> Option<Verb> {
        VERBS.iter().map(|row| row.verb).find(|verb| verb.as_str() == name)
    }
}

/// Every command there is, group by group.
pub(crate) const VERBS: &[VerbRow] = &[
    VerbRow {
        verb: Verb::Init,
        group: Group::Start,
        about: "Write a configuration and a workflow for this repository",
        subjects: &[S::Init, S::Priority],
    },
    VerbRow {
        verb: Verb::Doctor,
        group: Group::Start,
        about: "Check this machine against everything the configuration requires, and suggest \
         fixes",
        subjects: &[S::Lock],
    },
    VerbRow {
        verb: Verb::Run,
        group: Group::Start,
        about: "Run all five layers on this machine; pass `-- CMD...` to use your own test command",
        subjects: &[
            S::Event,
            S::Commit,
            S::Context,
            S::Priority,
            S::Pack,
            S::Selection,
            S::Limits,
            S::Lock,
            S::Continue,
            S::Results,
            S::Baseline,
            S::Rerun,
            S::DryRun,
            S::Keep,
        ],
    },
    VerbRow {
        verb: Verb::Open,
        group: Group::Inspect,
        about: "Open the HTML page of a run (default: the last run)",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Runs,
        group: Group::Inspect,
        about: "List the runs on this machine, show the report of one, or remove old ones",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Results,
        group: Group::Inspect,
        about: "Read results files: counts, failures and defects",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Explain,
        group: Group::Inspect,
        about: "Explain a reason code or a verdict, with the fix",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Replay,
        group: Group::Inspect,
        about: "Rebuild the reports and the verdict of a finished run from its stored files",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Verify,
        group: Group::Share,
        about: "Check a folder of receipts: schemas, digests, parents, run and commit",
        subjects: &[],
    },
    VerbRow {
        verb: Verb::Route,
        group: Group::Layers,
        about: "Decide whether an event may use the self-hosted runner, and at which commit",
        subjects: &[S::Event, S::Route, S::DryRun],
    },
    VerbRow {
        verb: Verb::Context,
        group: Group::Layers,
        about: "Establish the repository, the commit and the issue that has priority",
        subjects: &[S::Event, S::Commit, S::Context, S::Priority],
    },
    VerbRow {
        verb: Verb::Preflight,
        group: Group::Layers,
        about: "Check whether this host is ready for a pack",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Lock],
    },
    VerbRow {
        verb: Verb::Selection,
        group: Group::Layers,
        about: "Select the test files and the settings of the run",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Limits],
    },
    VerbRow {
        verb: Verb::Execute,
        group: Group::Layers,
        about: "Run the selected tests and record what happened",
        subjects: &[
            S::Commit,
            S::ContextReceipt,
            S::OtherReceipts,
            S::Execution,
            S::Limits,
            S::Lock,
        ],
    },
    VerbRow {
        verb: Verb::Post,
        group: Group::Layers,
        about: "Turn the receipts into one verdict, with reports",
        subjects: &[
            S::Commit,
            S::Post,
            S::ContextReceipt,
            S::OtherReceipts,
            S::PostDigests,
            S::Continue,
            S::Lock,
            S::Baseline,
        ],
    },
    VerbRow {
        verb: Verb::Lock,
        group: Group::More,
        about: "Show who holds the lock, hold it while a command runs, or ask its holder to \
         release it",
        subjects: &[S::Lock],
    },
    VerbRow { verb: Verb::Packs, group: Group::More, about: "List the packs", subjects: &[] },
    VerbRow {
        verb: Verb::Schema,
        group: Group::More,
        about: "Print the JSON Schema of a receipt or of the configuration",
        subjects: &[],
    },
];
