//! The command line as a table: every flag once, every command with the subjects it takes.
//!
//! Values are read as text here and parsed in the overlay, where flag, environment and file are
//! one: clap's own `env` and typed parsers would refuse empty action inputs and name no file.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::domain::typed::Argument;

/// What a flag is about; a command takes flags by subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Every command.
    Everywhere,
    /// The event and the repository.
    Event,
    /// Route's own.
    Route,
    /// Context's own.
    Context,
    /// The commit under test.
    Commit,
    /// Which pack.
    Pack,
    /// Context's receipt.
    ContextReceipt,
    /// The receipts of preflight and selection.
    OtherReceipts,
    /// What is selected.
    Selection,
    /// How it is executed.
    Execution,
    /// Time limits.
    Limits,
    /// What post reads.
    Post,
    /// The digests that post is given.
    PostDigests,
    /// The run to compare with.
    Baseline,
    /// The run to repeat.
    Rerun,
    /// Going on after a failure.
    Continue,
    /// The results of a command given after `--`.
    Results,
    /// The standing priority.
    Priority,
    /// Init's own.
    Init,
    /// The host's lock.
    Lock,
    /// Showing what would happen.
    DryRun,
    /// Keeping the run.
    Keep,
}

/// How a flag takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One value.
    Value,
    /// Several; repeating adds.
    List,
    /// None.
    Switch,
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Its name without the hyphens.
    pub(crate) name: &'static str,
    /// What its value is called.
    pub(crate) value: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    /// How it takes its value.
    pub(crate) kind: Kind,
    /// What it is about.
    pub(crate) subject: Subject,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str, kind: Kind, subject: Subject) -> Flag {
    Flag { name, value, help, kind, subject }
}

use Kind::{List, Switch, Value};
use Subject as S;

/// Every flag there is.
pub(crate) const FLAGS: &[Flag] = &[
    flag("lock-group", "NAME", "The lock's group (default: default)", Value, S::Lock),
    flag(
        "lock-scope",
        "host|repository",
        "Runs that the lock keeps apart: all on this host, or those of this repository (default: host on a runner)",
        Value,
        S::Lock,
    ),
    flag("lock-wait", "D", "How long the lock is waited for (default: 10m)", Value, S::Lock),
    flag("lock-directory", "DIR", "Where locks are (default: the platform's folder for all users)", Value, S::Lock),
    flag("root", "DIR", "The checkout (default: the git top level, else the current folder)", Value, S::Everywhere),
    flag("config", "FILE", "The configuration (default: pester-gate.yml at the root)", Value, S::Everywhere),
    flag(
        "out",
        "DIR",
        "Where this command's files are written (default: below the state folder)",
        Value,
        S::Everywhere,
    ),
    flag("state-dir", "DIR", "The state folder (default: the platform's)", Value, S::Everywhere),
    flag("format", "text|json", "How the result is printed (default: text)", Value, S::Everywhere),
    flag("quiet", "", "No progress", Switch, S::Everywhere),
    flag("verbose", "", "More about what goes on", Switch, S::Everywhere),
    flag("color", "auto|always|never", "Use colors in text output (default: auto)", Value, S::Everywhere),
    flag("log-level", "LEVEL", "Logs of every part at error, warn, info, debug or trace", Value, S::Everywhere),
    flag("gate-id", "ID", "Tells several gates of one run apart in the names of artifacts", Value, S::Everywhere),
    flag("show-config", "", "Print what holds and where each value came from, and stop", Switch, S::Everywhere),
    flag("event", "FILE", "The event payload (default: GITHUB_EVENT_PATH)", Value, S::Event),
    flag("event-name", "NAME", "The event's name (default: GITHUB_EVENT_NAME)", Value, S::Event),
    flag("repository", "OWNER/NAME", "The repository under test", Value, S::Event),
    flag("label", "NAME", "The label that opens the runner (default: pester-gate)", Value, S::Route),
    flag("trust", "same-owner|same-repository", "Whose forks may be admitted (default: same-owner)", Value, S::Route),
    flag("when-refused", "fail|notice", "What a refusal means for the required check (default: fail)", Value, S::Route),
    flag(
        "dry-run",
        "",
        "Show what would be decided or run, then exit; start nothing, write nothing",
        Switch,
        S::DryRun,
    ),
    flag("keep", "", "Never remove this run's files by rule", Switch, S::Keep),
    flag("head-sha", "SHA", "The commit under test (default: what the event names)", Value, S::Commit),
    flag("sample-id", "ID", "Kept in every receipt", Value, S::Context),
    flag("correlation-id", "ID", "Kept in every receipt", Value, S::Context),
    flag("standing-priority", "required|advisory|off", "How much the standing priority matters", Value, S::Priority),
    flag(
        "standing-priority-issue",
        "ISSUE",
        "12 or owner/name#12 has it, whatever GitHub says: nothing is looked up",
        Value,
        S::Context,
    ),
    flag("pack", "NAME", "The pack (default: full)", Value, S::Pack),
    flag("runner-label", "NAME", "A label that this runner has", List, S::Pack),
    flag("context-receipt", "FILE", "Context's receipt", Value, S::ContextReceipt),
    flag("context-sha256", "HEX", "The digest that context put out", Value, S::ContextReceipt),
    flag("preflight-receipt", "FILE", "Preflight's receipt", Value, S::OtherReceipts),
    flag("preflight-sha256", "HEX", "The digest that preflight put out", Value, S::OtherReceipts),
    flag("selection-receipt", "FILE", "Selection's receipt", Value, S::OtherReceipts),
    flag("selection-sha256", "HEX", "The digest that selection put out", Value, S::OtherReceipts),
    flag("tests-path", "DIR", "Where the tests are (default: tests)", Value, S::Selection),
    flag("include", "GLOB", "Widens a pack with patterns; else the only pattern", List, S::Selection),
    flag("exclude", "GLOB", "Leaves out; wins over everything but --file", List, S::Selection),
    flag("refine", "GLOB", "Narrows", List, S::Selection),
    flag("file", "PATH", "This file, whatever the patterns say; alone: only these files", List, S::Selection),
    flag("integration-mode", "auto|include|exclude", "Whether integration tests run", Value, S::Selection),
    flag("profile", "NAME", "The profile (default: default)", Value, S::Selection),
    flag("shards", "N", "Cut the plan into N parts (default: 1)", Value, S::Selection),
    flag(
        "results-dir",
        "DIR",
        "An empty or new folder for raw outputs (default: raw below --out)",
        Value,
        S::Execution,
    ),
    flag("shard", "K/N", "Run part K of N only", Value, S::Execution),
    flag("run-timeout", "DURATION", "For the whole run (default: 30m)", Value, S::Limits),
    flag("file-timeout", "DURATION", "For one file", Value, S::Limits),
    flag("test-timeout", "DURATION", "For one test", Value, S::Limits),
    flag("no-output-timeout", "DURATION", "For silence", Value, S::Limits),
    flag("kill-grace", "DURATION", "Between asking and killing (default: 5s)", Value, S::Limits),
    flag("receipts-dir", "DIR", "Where the receipts are (default: --out)", Value, S::Post),
    flag("needs", "FILE|JSON", "How the jobs ended: GitHub's toJSON(needs)", Value, S::Post),
    flag("route-sha256", "HEX", "The digest that route put out", Value, S::PostDigests),
    flag("execute-sha256", "[K=]HEX", "The digest that execute (or its shard K) put out", List, S::PostDigests),
    flag(
        "baseline",
        "DIR|FILE",
        "An earlier run's evidence, or its pester-tests.json: says what is new",
        Value,
        S::Baseline,
    ),
    flag("rerun-from", "BUNDLE", "Run exactly what failed by this pester-replay-bundle.json", Value, S::Rerun),
    flag(
        "durations",
        "DIR|FILE",
        "An earlier run's evidence: shards are cut by how long its files took",
        Value,
        S::Selection,
    ),
    flag("continue-on-failure", "", "A red gate exits with 0 and says notice", Switch, S::Continue),
    flag("results", "GLOB", "Results files that the command after -- writes", List, S::Results),
    flag(
        "layout",
        "one-step|five-jobs",
        "Run all layers in one step of one job, or in five jobs (default: one-step)",
        Value,
        S::Init,
    ),
    flag("trusted-pr", "", "Five jobs behind the router for pull requests", Switch, S::Init),
    flag("runner", "LABEL", "A label of the runner; several are all needed", List, S::Init),
    flag("gate-repository", "OWNER/NAME", "Where the gate is taken from", Value, S::Init),
    flag("gate-ref", "REF", "Its tag or commit (default: the major tag)", Value, S::Init),
    flag("force", "", "Replace what is there", Switch, S::Init),
];

/// One command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// The subjects it takes beside those of every command.
    pub(crate) subjects: &'static [Subject],
}

/// Every command there is.
pub(crate) const VERBS: &[Verb] = &[
    Verb {
        name: "run",
        about: "All layers here, in order; `-- CMD..` runs a command of your own as the tests",
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
        name: "route",
        about: "May this event drive a self-hosted runner, and at which commit",
        subjects: &[S::Event, S::Route, S::DryRun],
    },
    Verb {
        name: "context",
        about: "Which repository, which commit, which standing priority",
        subjects: &[S::Event, S::Commit, S::Context, S::Priority],
    },
    Verb {
        name: "preflight",
        about: "Is this host fit for this pack",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Lock],
    },
    Verb {
        name: "selection",
        about: "Exactly which test files run",
        subjects: &[S::Commit, S::ContextReceipt, S::Pack, S::Selection, S::Limits],
    },
    Verb {
        name: "execute",
        about: "Run the dispatcher on the plan",
        subjects: &[S::Commit, S::ContextReceipt, S::OtherReceipts, S::Execution, S::Limits, S::Lock],
    },
    Verb {
        name: "post",
        about: "From receipts to a verdict",
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
        name: "replay",
        about: "The evidence of a run that is over, made again from what was kept of it; nothing is run",
        subjects: &[],
    },
    Verb {
        name: "verify",
        about: "Check a folder of receipts: schemas, digests, parents, one run, one commit",
        subjects: &[],
    },
    Verb { name: "results", about: "Read results files: counts, failures and what is wrong with them", subjects: &[] },
    Verb { name: "explain", about: "What a reason code means and what to do", subjects: &[] },
    Verb {
        name: "lock",
        about: "The host's lock: `inspect` says who holds it, `acquire -- CMD..` holds it while CMD runs, `release` asks this run's holder to end",
        subjects: &[S::Lock],
    },
    Verb {
        name: "init",
        about: "Write pester-gate.yml and a workflow for this repository",
        subjects: &[S::Init, S::Priority],
    },
    Verb {
        name: "doctor",
        about: "Everything that any pack asks of this host, with remedies; blocks nothing",
        subjects: &[S::Lock],
    },
    Verb { name: "open", about: "Open the page of a run (default: the last one)", subjects: &[] },
    Verb {
        name: "runs",
        about: "List the runs that are kept on this machine, show one, or remove those that the rule removes",
        subjects: &[],
    },
    Verb { name: "packs", about: "Which packs there are", subjects: &[] },
    Verb { name: "schema", about: "JSON Schema of a receipt or of the configuration", subjects: &[] },
];

/// The verb by which execute starts the guard of a run.
pub(crate) const GUARD: &str = "guard";

/// Flags of a verb that its subject has and it cannot use.
fn left_out(verb: &str, flag: &str) -> bool {
    match verb {
        // The receipts themselves are found in the folder.
        "post" => flag.ends_with("-receipt") || flag == "lock-wait",
        // Only whether integration tests run matters to the fixtures.
        "preflight" => {
            flag == "lock-wait"
                || !matches!(flag, "integration-mode")
                    && FLAGS.iter().any(|f| f.name == flag && f.subject == S::Selection)
        }
        "selection" => flag == "runner-label",
        "doctor" => flag == "lock-wait",
        _ => false,
    }
}

/// The flags that a verb takes.
pub(crate) fn flags_of(verb: &Verb) -> impl Iterator<Item = &'static Flag> {
    let (name, subjects) = (verb.name, verb.subjects);
    FLAGS.iter().filter(move |flag| {
        (flag.subject == S::Everywhere || subjects.contains(&flag.subject)) && !left_out(name, flag.name)
    })
}

/// The environment variable of a flag.
pub(crate) fn variable(flag: &str) -> String {
    format!("PESTER_GATE_{}", flag.to_uppercase().replace('-', "_"))
}

/// The parser.
pub(crate) fn command() -> Command {
    let mut top = Command::new("pester-gate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A test gate in five layers: context, preflight, selection, execute, post")
        .after_help("Exit codes: 0 good · 1 test failures · 2 usage or configuration · 3 context blocked · 4 readiness blocked\n5 selection blocked · 6 seam defect · 70 a bug of ours. Every flag can be set as PESTER_GATE_<FLAG>.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    for verb in VERBS {
        let mut command = Command::new(verb.name).about(verb.about).args(flags_of(verb).map(arg));
        command = match verb.name {
            "run" => command.arg(
                Arg::new("command")
                    .last(true)
                    .num_args(1..)
                    .value_name("CMD")
                    .help("Run this command as the tests, in the current folder"),
            ),
            "lock" => command
                .arg(
                    Arg::new("action")
                        .required(true)
                        .value_parser(["inspect", "acquire", "release"])
                        .value_name("ACTION")
                        .help("What to do with it"),
                )
                .arg(Arg::new("command").last(true).num_args(1..).value_name("CMD").help("Run this while holding it")),
            "verify" | "replay" => command.arg(Arg::new("dir").required(true).value_name("DIR").help("The folder")),
            "results" => {
                command.arg(Arg::new("files").required(true).num_args(1..).value_name("FILE").help("The files"))
            }
            "open" => command.arg(run_argument()),
            "runs" => command
                .arg(
                    Arg::new("action")
                        .required(true)
                        .value_parser(["list", "show", "prune"])
                        .value_name("ACTION")
                        .help("What to do"),
                )
                .arg(run_argument()),
            "explain" => command.arg(Arg::new("code").value_name("CODE").help("One code (default: all)")),
            "schema" => command.arg(Arg::new("id").value_name("ID").help("One schema id (default: list them)")),
            _ => command,
        };
        top = top.subcommand(command);
    }
    // Not for people: execute starts it.
    top.subcommand(Command::new(GUARD).hide(true))
}

fn run_argument() -> Arg {
    Arg::new("run").value_name("RUN").help("`last`, the id of a run or its beginning, or a folder (default: last)")
}

fn arg(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name).long(flag.name).help(flag.help);
    match flag.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Value => arg.value_name(flag.value).num_args(1),
        // A shell may have expanded the glob.
        Kind::List if flag.name == "results" => arg.value_name(flag.value).num_args(1..).action(ArgAction::Append),
        Kind::List => arg.value_name(flag.value).num_args(1).action(ArgAction::Append),
    }
}

/// What was typed for a flag; nothing where the verb has no such flag.
pub(crate) fn typed(matches: &ArgMatches, name: &str) -> Option<Vec<String>> {
    let values = matches.try_get_many::<String>(name).ok().flatten()?;
    Some(values.cloned().collect())
}

/// Whether a switch was typed.
pub(crate) fn switched(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

/// Flags that change what is shown, and not what runs.
const SHOWN_ONLY: [&str; 6] = ["format", "quiet", "verbose", "log-level", "show-config", "color"];

/// The flags of `run` that say what runs.
pub(crate) fn flags_of_run() -> impl Iterator<Item = &'static Flag> {
    let run = VERBS.iter().filter(|verb| verb.name == "run");
    run.flat_map(flags_of).filter(|flag| !SHOWN_ONLY.contains(&flag.name))
}

/// What was typed for `run` that repeats it, in the order of the flags.
pub(crate) fn repeated(matches: &ArgMatches) -> Vec<Argument> {
    let typed = FLAGS.iter().filter(|flag| !SHOWN_ONLY.contains(&flag.name)).filter_map(|flag| {
        let values = match flag.kind {
            Kind::Switch => switched(matches, flag.name).then(Vec::new)?,
            Kind::Value | Kind::List => typed(matches, flag.name)?,
        };
        Some(Argument { flag: flag.name.to_owned(), values })
    });
    typed.collect()
}

/// The flags as a table for the docs, with the commands that take each.
pub(crate) fn table() -> String {
    let mut out = String::from("| flag | variable | commands | what it does |\n|---|---|---|---|\n");
    for flag in FLAGS {
        let takes = |verb: &&Verb| flags_of(verb).any(|own| own.name == flag.name);
        let verbs: Vec<_> = VERBS.iter().filter(takes).map(|verb| verb.name).collect();
        let verbs = if flag.subject == S::Everywhere { "all".to_owned() } else { verbs.join(", ") };
        let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value.replace('|', "\\|")) };
        out.push_str(&format!("| `--{}{value}` | `{}` | {verbs} | {} |\n", flag.name, variable(flag.name), flag.help));
    }
    out
}
