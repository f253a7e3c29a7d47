//! The command line as a table: every flag once, every command with the subjects it takes.
//!
//! Values are read as text here and parsed in the overlay, where flag, environment and file are
//! one: clap's own `env` and typed parsers would refuse empty action inputs and name no file.

mod flags;
mod verbs;

use clap::{Arg, ArgAction, ArgMatches, Command};

pub(crate) use self::flags::{FLAGS, Flag};
pub(crate) use self::verbs::{VERBS, Verb};
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

/// One row of the table of flags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlagRow {
    /// The flag.
    pub(crate) flag: Flag,
    /// What its value is called.
    pub(crate) value: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
    /// How it takes its value.
    pub(crate) kind: Kind,
    /// What it is about.
    pub(crate) subject: Subject,
}

/// One row of the table of commands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerbRow {
    /// The command.
    pub(crate) verb: Verb,
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
const COMMON: [Flag; 23] = [
    Flag::Root,
    Flag::Config,
    Flag::Format,
    Flag::Verbose,
    Flag::ShowConfig,
    Flag::DryRun,
    Flag::Pack,
    Flag::File,
    Flag::Exclude,
    Flag::IntegrationMode,
    Flag::RunTimeout,
    Flag::FileTimeout,
    Flag::NoOutputTimeout,
    Flag::Results,
    Flag::Baseline,
    Flag::RerunFrom,
    Flag::Layout,
    Flag::TrustedPr,
    Flag::Runner,
    Flag::Force,
    Flag::ReceiptsDir,
    Flag::Needs,
    Flag::Shard,
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
            out.push_str(&format!("  {:<10} {}\n", verb.verb.as_str(), verb.about));
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// The verb by which execute starts the guard of a run.
pub(crate) const GUARD: &str = "guard";

/// The verb that the actions use as the shell of their steps.
pub(crate) const STEP: &str = "step";
const PREPARE: &str = "prepare";

/// Flags of a verb that its subject has and it cannot use.
fn left_out(verb: Verb, row: &FlagRow) -> bool {
    match (verb, row.flag) {
        (Verb::Post | Verb::Preflight | Verb::Doctor, Flag::LockWait) => true,
        // The receipts themselves are found in the folder.
        (Verb::Post, Flag::ContextReceipt | Flag::PreflightReceipt | Flag::SelectionReceipt) => {
            true
        }
        // Only whether integration tests run matters to the fixtures.
        (Verb::Preflight, flag) => flag != Flag::IntegrationMode && row.subject == S::Selection,
        (Verb::Selection, Flag::RunnerLabel) => true,
        _ => false,
    }
}

/// The flags that a verb takes.
pub(crate) fn flags_of(row: &VerbRow) -> impl Iterator<Item = &'static FlagRow> {
    let (verb, subjects) = (row.verb, row.subjects);
    FLAGS.iter().filter(move |flag| {
        (flag.subject == S::Everywhere || subjects.contains(&flag.subject)) && !left_out(verb, flag)
    })
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
    for row in VERBS {
        let mut command =
            Command::new(row.verb.as_str()).about(row.about).args(flags_of(row).map(arg));
        command = match row.verb {
            Verb::Run => command.arg(
                Arg::new(Positional::Command.as_str())
                    .last(true)
                    .num_args(1..)
                    .value_name("CMD")
                    .help("Run this command as the tests, in the current folder"),
            ),
            Verb::Lock => command
                .arg(
                    Arg::new(Positional::Action.as_str())
                        .required(true)
                        .value_parser(["inspect", "acquire", "release"])
                        .value_name("ACTION")
                        .help("What to do with it"),
                )
                .arg(
                    Arg::new(Positional::Command.as_str())
                        .last(true)
                        .num_args(1..)
                        .value_name("CMD")
                        .help("Run this while holding it"),
                ),
            Verb::Verify | Verb::Replay => {
                let help =
                    "Folder of the evidence, or a run: `last`, its id or the beginning of it";
                command.arg(
                    Arg::new(Positional::Dir.as_str()).required(true).value_name("DIR").help(help),
                )
            }
            Verb::Results => command.arg(
                Arg::new(Positional::Files.as_str())
                    .required(true)
                    .num_args(1..)
                    .value_name("FILE")
                    .help("The files"),
            ),
            Verb::Open => command.arg(run_argument()),
            Verb::Runs => command
                .arg(
                    Arg::new(Positional::Action.as_str())
                        .default_value("list")
                        .value_parser(["list", "show", "prune"])
                        .hide_default_value(true)
                        .value_name("ACTION")
                        .help("What to do (default: list)"),
                )
                .arg(run_argument()),
            Verb::Explain => command.arg(
                Arg::new(Positional::Code.as_str())
                    .value_name("CODE")
                    .help("One code (default: all)"),
            ),
            Verb::Schema => command.arg(
                Arg::new(Positional::Id.as_str())
                    .value_name("ID")
                    .help("One schema id (default: list them)"),
            ),
            _ => command,
        };
        top = top.subcommand(command);
    }
    // Not for people: execute starts it.
    let step = Command::new(STEP)
        .hide(true)
        .arg(Arg::new(PREPARE).long(PREPARE).action(ArgAction::SetTrue))
        .arg(
            Arg::new(Positional::Script.as_str())
                .value_name("SCRIPT")
                .required_unless_present(PREPARE),
        );
    top.subcommand(Command::new(GUARD).hide(true)).subcommand(step)
}

fn run_argument() -> Arg {
    Arg::new(Positional::Run.as_str())
        .value_name("RUN")
        .help("`last`, the id of a run or its beginning, or a folder (default: last)")
}

fn arg(row: &FlagRow) -> Arg {
    let name = row.flag.as_str();
    let arg = Arg::new(name).long(name).help(row.help);
    let arg = arg.help_heading(row.subject.heading()).hide_short_help(!COMMON.contains(&row.flag));
    match row.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        Kind::Value => arg.value_name(row.value).num_args(1),
        // A shell may have expanded the glob.
        Kind::List if row.flag == Flag::Results => {
            arg.value_name(row.value).num_args(1..).action(ArgAction::Append)
        }
        Kind::List => arg.value_name(row.value).num_args(1).action(ArgAction::Append),
    }
}

/// An argument without a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positional {
    /// The command after `--`.
    Command,
    /// What a command with several verbs does.
    Action,
    /// A folder of evidence, or a run.
    Dir,
    /// Results files.
    Files,
    /// A run.
    Run,
    /// A reason code or a verdict.
    Code,
    /// The id of a schema.
    Id,
    /// The script of a step.
    Script,
}

impl Positional {
    const fn as_str(self) -> &'static str {
        match self {
            Positional::Command => "command",
            Positional::Action => "action",
            Positional::Dir => "dir",
            Positional::Files => "files",
            Positional::Run => "run-name",
            Positional::Code => "code",
            Positional::Id => "id",
            Positional::Script => "script",
        }
    }

    /// Returns what was typed; nothing if the verb has no such argument.
    pub(crate) fn all(self, matches: &ArgMatches) -> Option<Vec<String>> {
        let values = matches.try_get_many::<String>(self.as_str()).ok().flatten()?;
        Some(values.cloned().collect())
    }

    /// Returns the first word that was typed.
    pub(crate) fn first(self, matches: &ArgMatches) -> Option<String> {
        self.all(matches)?.into_iter().next()
    }
}

/// Returns what was typed for a flag; nothing if the verb has no such flag.
pub(crate) fn typed(matches: &ArgMatches, flag: Flag) -> Option<Vec<String>> {
    let values = matches.try_get_many::<String>(flag.as_str()).ok().flatten()?;
    Some(values.cloned().collect())
}

/// Returns whether a switch was typed.
pub(crate) fn switched(matches: &ArgMatches, flag: Flag) -> bool {
    is_set(matches, flag.as_str())
}

/// Returns whether a step only prepares the next ones.
pub(crate) fn prepares(matches: &ArgMatches) -> bool {
    is_set(matches, PREPARE)
}

fn is_set(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

/// Flags that change what is shown, and not what runs.
const SHOWN_ONLY: [Flag; 7] = [
    Flag::Keep,
    Flag::Format,
    Flag::Quiet,
    Flag::Verbose,
    Flag::LogLevel,
    Flag::ShowConfig,
    Flag::Color,
];

/// Flags whose value belongs to the tests of one configuration.
pub(crate) const OF_ONE_CONFIGURATION: [Flag; 14] = [
    Flag::Pack,
    Flag::Profile,
    Flag::File,
    Flag::Include,
    Flag::Exclude,
    Flag::Refine,
    Flag::Shards,
    Flag::TestsPath,
    Flag::Results,
    Flag::Baseline,
    Flag::Durations,
    Flag::RerunFrom,
    Flag::FileTimeout,
    Flag::TestTimeout,
];

/// The flags of `run` that say what runs. Where files and locks are is not repeated from a
/// variable, nor is a run to compare with: a variable may name one that is not there, and what is
/// typed may not.
pub(crate) fn flags_of_run() -> impl Iterator<Item = &'static FlagRow> {
    let run = VERBS.iter().filter(|row| row.verb == Verb::Run);
    let places = [
        Flag::Out,
        Flag::StateDir,
        Flag::LockGroup,
        Flag::LockScope,
        Flag::LockDirectory,
        Flag::Baseline,
        Flag::Durations,
    ];
    run.flat_map(flags_of)
        .filter(move |row| !SHOWN_ONLY.contains(&row.flag) && !places.contains(&row.flag))
}

/// What was typed for `run` that repeats it, in the order of the flags.
pub(crate) fn repeated(matches: &ArgMatches) -> Vec<Argument> {
    let typed = FLAGS.iter().filter(|row| !SHOWN_ONLY.contains(&row.flag)).filter_map(|row| {
        let values = match row.kind {
            Kind::Switch => switched(matches, row.flag).then(Vec::new)?,
            Kind::Value | Kind::List => typed(matches, row.flag)?,
        };
        Some(Argument { flag: row.flag.as_str().to_owned(), values })
    });
    typed.collect()
}

/// The flags as a table for the docs, with the commands that take each.
pub(crate) fn table() -> String {
    let mut out =
        String::from("| flag | variable | commands | what it does |\n|---|---|---|---|\n");
    for flag in FLAGS {
        let takes = |row: &&VerbRow| flags_of(row).any(|own| own.flag == flag.flag);
        let verbs: Vec<_> = VERBS.iter().filter(takes).map(|row| row.verb.as_str()).collect();
        let verbs = if flag.subject == S::Everywhere { "all".to_owned() } else { verbs.join(", ") };
        let value = if flag.value.is_empty() {
            String::new()
        } else {
            format!(" {}", flag.value.replace('|', "\\|"))
        };
        out.push_str(&format!(
            "| `{}{value}` | `{}` | {verbs} | {} |\n",
            flag.flag,
            flag.flag.variable(),
            flag.help
        ));
    }
    out
}
