//! Every command, by what a person looks for.

use super::Subject as S;
use super::{Group, Verb};

/// Every command there is, group by group.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        name: "init",
        group: Group::Start,
        about: "Write a configuration and a workflow for this repository",
        subjects: &[S::Init, S::Priority],
    },
    Verb {
        name: "doctor",
        group: Group::Start,
        about: "Check this machine against everything the configuration requires, and suggest \
         fixes",
        subjects: &[S::Lock],
    },
    Verb {
        name: "run",
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
    Verb {
        name: "open",
        group: Group::Inspect,
        about: "Open the HTML page of a run (default: the last run)",
        subjects: &[],
    },
    Verb {
        name: "runs",
        group: Group::Inspect,
        about: "List the runs on this machine, show the report of one, or remove old ones",
        subjects: &[],
    },
    Verb {
        name: "results",
        group: Group::Inspect,
        about: "Read results files: counts, failures and defects",
        subjects: &[],
    },
    Verb {
        name: "explain",
        group: Group::Inspect,
        about: "Explain a reason code or a verdict, with the fix",
        subjects: &[],
    },
    Verb {
        name: "replay",
        group: Group::Inspect,
        about: "Rebuild the reports and the verdict of a finished run from its stored files",
        subjects: &[],
    },
    Verb {
        name: "verify",
        group: Group::Share,
        about: "Check a folder of receipts: schemas, digests, parents, run and commit",
        subjects: &[],
    },
    Verb {
        name: "route",
        group: Group::Layers,
        about: "Decide whether an event may use the self-hosted runner, and at which commit",
        subjects: &[S::Event, S::Route, S::DryRun],
    },
    Verb {
        name: "context",
        group: Group::Layers,
        about: "Establish the repository, the commit and the issue that has priority",
        subjects: &[S::Event, S::Commit, S::Context, S::Priority],
    },
    Verb {
        name: "preflight",
        group: Group::Layers,
        about: "Check whether this host is ready for a pack",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Lock],
    },
    Verb {
        name: "selection",
        group: Group::Layers,
        about: "Select the test files and the settings of the run",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Limits],
    },
    Verb {
        name: "execute",
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
    Verb {
        name: "post",
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
    Verb {
        name: "lock",
        group: Group::More,
        about: "Show who holds the lock, hold it while a command runs, or ask its holder to \
         release it",
        subjects: &[S::Lock],
    },
    Verb { name: "packs", group: Group::More, about: "List the packs", subjects: &[] },
    Verb {
        name: "schema",
        group: Group::More,
        about: "Print the JSON Schema of a receipt or of the configuration",
        subjects: &[],
    },
];
