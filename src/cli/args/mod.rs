//! The command line as a table: every flag once, every command with the subjects it takes.
//!
//! Values are read as text here and parsed in the overlay, where flag, environment and file are
//! one: clap's own `env` and typed parsers would refuse empty action inputs and name no file.

mod flags;
mod verbs;

use clap::{Arg, ArgAction, ArgMatches, Command};

pub(crate) use self::flags::FLAGS;
pub(crate) use self::verbs::VERBS;
use crate::domain::config::typed::Argument;
use Subject as S;

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

/// One command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it is listed.
    pub(crate) group: Group,
    /// What it does.
    pub(crate) about: &'static str,
    /// The subjects it takes beside those of every command.
    pub(crate) subjects: &'static [Subject],
}

/// What a person looks for in the list of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// The first commands.
    Start,
    /// About runs that have ended.
    Inspect,
    /// For others.
    Share,
    /// What the actions call.
    Layers,
    /// The rest.
    More,
}

impl Group {
    const ALL: [Group; 5] =
        [Group::Start, Group::Inspect, Group::Share, Group::Layers, Group::More];

    const fn title(self) -> &'static str {
        match self {
            Group::Start => "Get started",
            Group::Inspect => "Inspect a run",
            Group::Share => "Share evidence",
            Group::Layers => "Layers, as the actions call them",
            Group::More => "More",
        }
    }
}

impl Subject {
    /// The heading above its flags.
    const fn heading(self) -> &'static str {
        match self {
            Subject::Everywhere => "Common options",
            Subject::Event | Subject::Context | Subject::Priority | Subject::Commit => {
                "Repository, commit and event"
            }
            Subject::Route => "Routing",
            Subject::Pack | Subject::Selection => "Selection",
            Subject::ContextReceipt | Subject::OtherReceipts | Subject::PostDigests => "Receipts",
            Subject::Execution | Subject::Results => "Execution and results",
            Subject::Limits => "Time limits",
            Subject::Post => "Evidence",
            Subject::Baseline | Subject::Rerun => "Earlier runs",
            Subject::Continue | Subject::DryRun | Subject::Keep => "Behavior",
            Subject::Init => "What to write",
            Subject::Lock => "Lock",
        }
    }
}

/// Flags that `-h` shows; `--help` shows all.
const COMMON: [&str; 23] = [
    "root",
    "config",
    "format",
    "verbose",
    "show-config",
    "dry-run",
    "pack",
    "file",
    "exclude",
    "integration-mode",
    "run-timeout",
    "file-timeout",
    "no-output-timeout",
    "results",
    "baseline",
    "rerun-from",
    "layout",
    "trusted-pr",
    "runner",
    "force",
    "receipts-dir",
    "needs",
    "shard",
];

/// The examples at the end of the help.
const EXAMPLES: &str = "\
Examples:
  pester-gate init                            Write a configuration for this repository
  pester-gate run                             Run the gate on this machine
  pester-gate run -- pytest --junitxml=r.xml  Run your own test command

Exit codes: 0 passed, 1 tests failed, 2 usage or configuration error, 3 context blocked,
4 host not ready, 5 no tests selected, 6 harness failure, 70 internal error (please report it).
Every option can be set as an environment variable: `--run-timeout` is PESTER_GATE_RUN_TIMEOUT.";

/// The commands, group by group.
fn overview() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        out.push_str(&format!("{}:\n", group.title()));
        for verb in VERBS.iter().filter(|verb| verb.group == group) {
            out.push_str(&format!("  {:<10} {}\n", verb.name, verb.about));
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// The verb by which execute starts the guard of a run.
pub(crate) const GUARD: &str = "guard";

/// The verb that the actions use as the shell of their steps.
pub(crate) const STEP: &str = "step";

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
        (flag.subject == S::Everywhere || subjects.contains(&flag.subject))
            && !left_out(name, flag.name)
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
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}{after-help}\n")
        .before_help(overview())
        .after_help(EXAMPLES)
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
                .arg(
                    Arg::new("command")
                        .last(true)
                        .num_args(1..)
                        .value_name("CMD")
                        .help("Run this while holding it"),
                ),
            "verify" | "replay" => {
                let help =
                    "Folder of the evidence, or a run: `last`, its id or the beginning of it";
                command.arg(Arg::new("dir").required(true).value_name("DIR").help(help))
            }
            "results" => command.arg(
                Arg::new("files").required(true).num_args(1..).value_name("FILE").help("The files"),
            ),
            "open" => command.arg(run_argument()),
            "runs" => command
                .arg(
                    Arg::new("action")
                        .default_value("list")
                        .value_parser(["list", "show", "prune"])
                        .hide_default_value(true)
                        .value_name("ACTION")
                        .help("What to do (default: list)"),
                )
                .arg(run_argument()),
            "explain" => {
                command.arg(Arg::new("code").value_name("CODE").help("One code (default: all)"))
            }
            "schema" => command
                .arg(Arg::new("id").value_name("ID").help("One schema id (default: list them)")),
            _ => command,
        };
        top = top.subcommand(command);
    }
    // Not for people: execute starts it.
    let step = Command::new(STEP)
        .hide(true)
        .arg(Arg::new("prepare").long("prepare").action(ArgAction::SetTrue))
        .arg(Arg::new("script").value_name("SCRIPT").required_unless_present("prepare"));
    top.subcommand(Command::new(GUARD).hide(true)).subcommand(step)
}

fn run_argument() -> Arg {
    Arg::new("run")
        .value_name("RUN")
        .help("`last`, the id of a run or its beginning, or a folder (default: last)")
}

fn arg(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name).long(flag.name).help(flag.help);
    let arg =
        arg.help_heading(flag.subject.heading()).hide_short_help(!COMMON.contains(&flag.name));
    match flag.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Value => arg.value_name(flag.value).num_args(1),
        // A shell may have expanded the glob.
        Kind::List if flag.name == "results" => {
            arg.value_name(flag.value).num_args(1..).action(ArgAction::Append)
        }
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
const SHOWN_ONLY: [&str; 7] =
    ["keep", "format", "quiet", "verbose", "log-level", "show-config", "color"];

/// Flags whose value belongs to the tests of one configuration.
pub(crate) const OF_ONE_CONFIGURATION: [&str; 14] = [
    "pack",
    "profile",
    "file",
    "include",
    "exclude",
    "refine",
    "shards",
    "tests-path",
    "results",
    "baseline",
    "durations",
    "rerun-from",
    "file-timeout",
    "test-timeout",
];

/// The flags of `run` that say what runs. Where files and locks are is not repeated from a
/// variable, nor is a run to compare with: a variable may name one that is not there, and what is
/// typed may not.
pub(crate) fn flags_of_run() -> impl Iterator<Item = &'static Flag> {
    let run = VERBS.iter().filter(|verb| verb.name == "run");
    let places =
        ["out", "state-dir", "lock-group", "lock-scope", "lock-directory", "baseline", "durations"];
    run.flat_map(flags_of)
        .filter(move |flag| !SHOWN_ONLY.contains(&flag.name) && !places.contains(&flag.name))
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
    let mut out =
        String::from("| flag | variable | commands | what it does |\n|---|---|---|---|\n");
    for flag in FLAGS {
        let takes = |verb: &&Verb| flags_of(verb).any(|own| own.name == flag.name);
        let verbs: Vec<_> = VERBS.iter().filter(takes).map(|verb| verb.name).collect();
        let verbs = if flag.subject == S::Everywhere { "all".to_owned() } else { verbs.join(", ") };
        let value = if flag.value.is_empty() {
            String::new()
        } else {
            format!(" {}", flag.value.replace('|', "\\|"))
        };
        out.push_str(&format!(
            "| `--{}{value}` | `{}` | {verbs} | {} |\n",
            flag.name,
            variable(flag.name),
            flag.help
        ));
    }
    out
}
