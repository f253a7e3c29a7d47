//! From a parsed command line to an exit code: settle what holds, call the verb, print the result.

mod ask;
mod judge;
mod lock;
mod run;

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};

use super::args::{Flag, Positional, Verb};
use super::config_file::Search;
use super::overlay::{self, Invalid, Overlay};
use super::{args, config_file, exit, logging};
use crate::adapter::lock::Lock;
use crate::adapter::receipt_store::shown;
use crate::adapter::runner::{self, Overrides};
use crate::adapter::terminal::{Progress, Verbosity};
use crate::adapter::workspace::{files, git};
use crate::adapter::world::World;
use crate::command;
use crate::command::step::JobFolder;
use crate::domain::config::settings::takes_files;
use crate::domain::receipt::{Classification, LayerStatus};
use crate::domain::run::ids::{GateId, LockGroup, RelPath, RepoSlug, Sha256};
use crate::domain::starter::Form;
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::layer::invocation::{Ending, Invocation, Outcome, ReceiptInput, Unreported};
use crate::layer::{context, execute, post, preflight, route, selection};
use crate::report::quote::{printable, quoted};
use crate::report::text::layer_line;
use crate::report::{annotations, markdown};

/// Why a verb could not even try.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{}", .0.fault)]
    Unreported(Unreported),
    #[error("{0:#}")]
    Usage(anyhow::Error),
    #[error("{0}")]
    Stdout(std::io::Error),
}

/// Runs the command line; returns the process's exit code.
pub fn run(world: &World, arguments: Vec<std::ffi::OsString>) -> u8 {
    let json = wants_json(world, &arguments);
    let arguments_shown: Vec<String> =
        arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let matches = match args::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(world, json, &error, verb_of(&arguments_shown)),
    };
    let Some((name, matches)) = matches.subcommand() else { return 2 };
    let Some(verb) = Verb::parse(name) else {
        return if name == args::STEP { step(world, matches) } else { guard(world) };
    };
    match Session::new(world, verb, matches, json).and_then(|session| session.dispatch()) {
        Ok(ending) => exit::number(ending),
        Err(failure) => fail(world, json, verb, &failure),
    }
}

/// The guard of a run: it has no configuration, no output and no receipt.
fn guard(world: &World) -> u8 {
    match command::guard::guard(world) {
        Ok(()) => 0,
        Err(error) => {
            world.note(&format!("error: {error:#}"));
            2
        }
    }
}

/// A step of an action: what its script names, or what comes before it.
fn step(world: &World, matches: &ArgMatches) -> u8 {
    let script = Positional::Script.first(matches);
    let Some(script) = script.filter(|_| !args::prepares(matches)) else {
        return prepare(world);
    };
    match command::step::words(world, &script) {
        // A script that names a step would never end.
        Ok(words) if words[0] == args::STEP => 2,
        Ok(words) => {
            let program = std::iter::once("pester-gate".to_owned());
            run(world, program.chain(words).map(Into::into).collect())
        }
        Err(error) => {
            world.note(&format!("error: {}", printable(&format!("{error:#}"))));
            2
        }
    }
}

/// Prepares the steps after this one. A refusal has outputs and an annotation of its own.
fn prepare(world: &World) -> u8 {
    let Err(why) = command::step::prepare(world) else { return 0 };
    let message = format!("{}: {why}", why.reason());
    world.note(&printable(&message));
    if world.under_actions() {
        let _ = world.print(&format!("{}\n", annotations::error("pester-gate", &message)));
    }
    // `run` is the word for all layers.
    let verb = Verb::parse(&command::step::asked_layer(world)).unwrap_or(Verb::Run);
    report_failure(world, verb, why.reason().as_str());
    exit::UNPREPARED
}

/// Whether results are wanted as JSON; asked before parsing, so that its errors are JSON too.
fn wants_json(world: &World, arguments: &[std::ffi::OsString]) -> bool {
    let typed = arguments.iter().take_while(|argument| *argument != "--").collect::<Vec<_>>();
    let flag = typed.iter().any(|argument| *argument == "--format=json")
        || typed.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    let format_typed =
        typed.iter().any(|argument| argument.to_string_lossy().starts_with("--format"));
    flag || (!format_typed && world.var("PESTER_GATE_FORMAT").as_deref() == Some("json"))
}

/// The verb among what was typed, for errors that come before parsing is done.
fn verb_of(arguments: &[String]) -> Option<Verb> {
    arguments.iter().skip(1).find_map(|argument| Verb::parse(argument))
}

fn usage(world: &World, json: bool, error: &clap::Error, verb: Option<Verb>) -> u8 {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = world.print(&error.to_string());
        return 0;
    }
    if json {
        let message = error.to_string();
        let message =
            message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        print_error(world, "usage", &message, "the command line");
    } else {
        error.to_string().trim_end().lines().for_each(|line| world.note(&printable(line)));
        if let Some(word) = command_without_dashes(verb, error) {
            let command = quoted(&word);
            world.note(&format!("To run a command as the tests: pester-gate run -- {command}"));
        }
    }
    if let Some(verb) = verb {
        report_failure(world, verb, "configuration-invalid");
    }
    2
}

/// The first word of a test command that was typed without `--`.
fn command_without_dashes(verb: Option<Verb>, error: &clap::Error) -> Option<String> {
    let ContextValue::String(word) = error.get(ContextKind::InvalidArg)? else { return None };
    let is_word = verb == Some(Verb::Run) && error.kind() == ErrorKind::UnknownArgument;
    (is_word && !word.starts_with('-')).then(|| word.clone())
}

fn fail(world: &World, json: bool, verb: Verb, failure: &Failure) -> u8 {
    let (code, place, ending) = match failure {
        Failure::Invalid(invalid) => {
            ("configuration-invalid", invalid.place.clone(), Ending::Usage)
        }
        Failure::Usage(_) => ("usage", verb.as_str().to_owned(), Ending::Usage),
        Failure::Stdout(_) => ("output-unwritable", "stdout".to_owned(), Ending::Bug),
        Failure::Unreported(unreported) => {
            let finding = unreported.finding();
            (finding.code().as_str(), unreported.layer.to_string(), Ending::of(Some(&finding)))
        }
    };
    let message = failure.to_string();
    if json {
        print_error(world, code, &message, &place);
    } else {
        world.note(&format!("error: {}", printable(&message)));
    }
    // What is no reason code is a mistake in what was typed or configured.
    report_failure(world, verb, if code == "usage" { "configuration-invalid" } else { code });
    exit::number(ending)
}

/// Without a receipt, post reads status and reason from `needs`.
fn report_failure(world: &World, verb: Verb, reason: &str) {
    let status = match verb {
        Verb::Route | Verb::Context | Verb::Preflight | Verb::Selection => {
            LayerStatus::Blocked.as_str()
        }
        Verb::Execute | Verb::Post | Verb::Run => Classification::SeamDefect.as_str(),
        _ => return,
    };
    let outputs = [("status", status.to_owned()), ("reason", reason.to_owned())];
    if let Err(fault) = runner::set_outputs(world, &outputs) {
        world.note(&format!("error: {}", printable(&fault.to_string())));
    }
}

fn print_error(world: &World, code: &str, message: &str, place: &str) {
    let document = json!({"error": {"code": code, "message": message, "where": place}});
    let _ = world.print(&format!("{document}\n"));
}

/// One invocation.
struct Session<'a> {
    world: &'a World,
    verb: Verb,
    matches: &'a ArgMatches,
    overlay: Overlay<'a>,
    json: bool,
    verbosity: Verbosity,
    root: PathBuf,
    search: Search,
}

/// The root, and where a configuration is looked for. A typed command works in the folder where it
/// is typed; else the root is the folder of the nearest configuration, and without one the top of
/// the checkout.
fn place(
    world: &World,
    verb: Verb,
    matches: &ArgMatches,
    overlay: &Overlay<'_>,
) -> Result<(PathBuf, Search), Failure> {
    if let Some(root) = overlay.path(Flag::Root)? {
        if !files::is_dir(&root) {
            return Err(
                Invalid::new("--root", format!("{} is not a folder", root.display())).into()
            );
        }
        let root = files::canonical(&root);
        let search = Search::only(&root);
        return Ok((root, search));
    }
    let cwd = files::canonical(world.cwd());
    let top = git::top_level(&cwd).map(|top| files::canonical(&top));
    let search = Search::up(&cwd, top.as_deref());
    let typed = Positional::Command.all(matches).filter(|_| verb == Verb::Run);
    if typed.is_some_and(|command| !takes_files(&command)) {
        return Ok((cwd, search));
    }
    let near = match overlay.text(Flag::Config)? {
        None if verb != Verb::Init => {
            search.find().and_then(|path| path.parent().map(Path::to_owned))
        }
        _ => None,
    };
    Ok((near.or(top).unwrap_or(cwd), search))
}

impl<'a> Session<'a> {
    fn new(
        world: &'a World,
        verb: Verb,
        matches: &'a ArgMatches,
        json: bool,
    ) -> Result<Self, Failure> {
        let overlay = Overlay::new(matches, world);
        if let Some(format) = overlay.text(Flag::Format)?
            && !matches!(format.value.as_str(), "text" | "json")
        {
            return Err(Invalid::new(
                "--format",
                format!("{:?} is neither text nor json", format.value),
            )
            .into());
        }
        let verbosity = match (overlay.switch(Flag::Quiet)?, overlay.switch(Flag::Verbose)?) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        let level = overlay.parsed::<logging::Level>(Flag::LogLevel)?.map(|level| level.value);
        logging::init(world, verbosity, level);
        let (root, search) = place(world, verb, matches, &overlay)?;
        Ok(Self { world, verb, matches, overlay, json, verbosity, root, search })
    }

    fn dispatch(&self) -> Result<Ending, Failure> {
        match self.verb {
            Verb::Explain => self.explain(),
            Verb::Schema => self.schema(),
            Verb::Verify => self.verify(),
            Verb::Results => self.results(),
            Verb::Init => self.init(),
            Verb::Open => self.open(&self.invocation(None)?),
            Verb::Runs => self.runs(&self.invocation(None)?),
            verb => self.with_settings(verb),
        }
    }

    /// A command that uses the effective configuration, or shows it.
    fn with_settings(&self, verb: Verb) -> Result<Ending, Failure> {
        let mut invocation = self.invocation(None)?;
        let shows = self.overlay.switch(Flag::ShowConfig)?;
        // The command after `lock acquire --` runs no tests.
        let command = Positional::Command.all(self.matches).filter(|_| shows || verb == Verb::Run);
        if let Some(argv) = command {
            overlay::use_command(&mut invocation.settings, argv);
        }
        if verb == Verb::Run {
            self.rerun(&mut invocation.settings)?;
        }
        if shows {
            let shown = overlay::show(&invocation.settings);
            self.print(&shown, &overlay::show_text(&shown))?;
            return Ok(Ending::Good);
        }
        match verb {
            Verb::Lock => self.lock(&invocation),
            Verb::Packs => {
                let packs = command::packs::all(&invocation.settings.packs);
                self.print(&command::packs::json(&packs), &command::packs::text(&packs))?;
                Ok(Ending::Good)
            }
            Verb::Doctor => self.doctor(invocation),
            Verb::Route => self.route(&invocation),
            Verb::Context => self
                .layer(&invocation, context::run(self.world, &invocation, self.context_request()?)),
            Verb::Preflight => {
                let request = preflight::Request { context: self.receipt_input(Layer::Context)? };
                self.layer(&invocation, preflight::run(self.world, &invocation, request))
            }
            Verb::Selection => {
                let (context, durations) =
                    (self.receipt_input(Layer::Context)?, self.durations(&invocation)?);
                let request = selection::Request { context, durations };
                self.layer(&invocation, selection::run(self.world, &invocation, request))
            }
            Verb::Execute => self
                .layer(&invocation, execute::run(self.world, &invocation, self.execute_request()?)),
            Verb::Post => self.post(&invocation),
            Verb::Replay => self.replay(invocation),
            Verb::Run => self.run_all(invocation),
            Verb::Explain
            | Verb::Schema
            | Verb::Verify
            | Verb::Results
            | Verb::Init
            | Verb::Open
            | Verb::Runs => self.dispatch(),
        }
    }

    /// The settings of a configuration: the one that is given, else the one that was named or
    /// found.
    fn invocation(&self, config: Option<PathBuf>) -> Result<Invocation, Failure> {
        let named =
            config.map_or_else(|| self.overlay.path(Flag::Config), |path| Ok(Some(path)))?;
        let (config, found) = config_file::load(&self.search, named)?;
        let settings = overlay::settings(&self.overlay, &config, &found)?;
        let state = self.world.state_dir(self.overlay.path(Flag::StateDir)?.as_deref());
        let state = state.ok_or_else(|| {
            Invalid::new("--state-dir", "there is no home folder to keep state in; name one")
        })?;
        let overrides = Overrides {
            event: self.overlay.path(Flag::Event)?,
            event_name: self.overlay.text(Flag::EventName)?.map(|text| text.value),
            head_sha: self.overlay.parsed(Flag::HeadSha)?.map(|sha| sha.value),
        };
        let mut public =
            vec![shown(&self.root), self.root.display().to_string(), shown(self.world.cwd())];
        public.extend(
            ["GITHUB_REPOSITORY", "GITHUB_SHA"].into_iter().filter_map(|name| self.world.var(name)),
        );
        public.push(self.world.now().to_string());
        Ok(Invocation {
            root: self.root.clone(),
            out: self.overlay.path(Flag::Out)?,
            state: files::canonical(&state),
            runs: None,
            gate_id: self.overlay.parsed(Flag::GateId)?.map(|id| id.value),
            redactor: self.world.redactor(&settings.redact).knowing(public),
            settings,
            facts: runner::facts(self.world, &overrides),
            host: self.world.host(),
            progress: Progress::new(self.world, self.verbosity).with_colors(self.colors()?),
            repository: Default::default(),
        })
    }

    /// Whether text for people has colors.
    fn colors(&self) -> Result<bool, Failure> {
        let Some(when) = self.overlay.text(Flag::Color)? else { return Ok(self.world.may_color()) };
        match when.value.as_str() {
            "always" => Ok(true),
            "never" => Ok(false),
            "auto" => Ok(self.world.may_color()),
            other => {
                Err(Invalid::new("--color", format!("{other:?} is not auto, always or never"))
                    .into())
            }
        }
    }

    fn route(&self, invocation: &Invocation) -> Result<Ending, Failure> {
        let repository = self.overlay.parsed::<RepoSlug>(Flag::Repository)?.map(|slug| slug.value);
        let request = route::Request { repository };
        if !self.overlay.switch(Flag::DryRun)? {
            return self.layer(invocation, route::run(self.world, invocation, &request));
        }
        let decided = route::decide(invocation, &request);
        let mut text = String::new();
        for finding in &decided.findings {
            text.push_str(&format!("{}: {}\n", finding.code(), printable(finding.detail())));
        }
        for (name, value) in &decided.facts {
            text.push_str(&format!("  {name:<15} {}\n", printable(&value.to_string())));
        }
        self.print(&decided.json(), &invocation.redactor.mask_text(&text))?;
        Ok(Ending::of(decided.findings.first()))
    }

    fn context_request(&self) -> Result<context::Request, Failure> {
        Ok(context::Request {
            sample_id: self.overlay.text(Flag::SampleId)?.map(|text| text.value),
            correlation_id: self.overlay.text(Flag::CorrelationId)?.map(|text| text.value),
            repository: self.overlay.parsed::<RepoSlug>(Flag::Repository)?.map(|slug| slug.value),
        })
    }

    /// The receipt of an earlier layer: the one that is named, else the one that an earlier step of
    /// the same job left.
    fn receipt_input(&self, layer: Layer) -> Result<ReceiptInput, Failure> {
        let named = match receipt_flag(layer) {
            Some(flag) => self.overlay.path(flag)?,
            None => None,
        };
        let path = match named {
            Some(path) => Some(path),
            None => self.job_folder()?.and_then(|folder| folder.receipt(layer)),
        };
        Ok(ReceiptInput { path, sha256: self.digest(layer)? })
    }

    /// The folder of this job, where this process is a step of an action.
    fn job_folder(&self) -> Result<Option<JobFolder>, Failure> {
        let gate: Option<GateId> = self.overlay.parsed(Flag::GateId)?.map(|id| id.value);
        Ok(JobFolder::of(self.world, gate.as_ref()))
    }

    fn digest(&self, layer: Layer) -> Result<Option<Sha256>, Failure> {
        let Some(flag) = digest_flag(layer) else { return Ok(None) };
        Ok(self.overlay.parsed::<Sha256>(flag)?.map(|digest| digest.value))
    }

    fn execute_request(&self) -> Result<execute::Request, Failure> {
        Ok(execute::Request {
            context: self.receipt_input(Layer::Context)?,
            preflight: self.receipt_input(Layer::Preflight)?,
            selection: self.receipt_input(Layer::Selection)?,
            results_dir: self.overlay.path(Flag::ResultsDir)?,
            shard: self
                .overlay
                .text(Flag::Shard)?
                .map(|text| parse_shard(&text.value))
                .transpose()?,
        })
    }

    /// A layer's result: its receipt as JSON, or a line and the remedy.
    fn layer(
        &self,
        invocation: &Invocation,
        result: Result<Outcome, Unreported>,
    ) -> Result<Ending, Failure> {
        let outcome = result.map_err(Failure::Unreported)?;
        self.set_outputs(&outcome)?;
        // Route and post write summaries of their own, and execute's outcome is post's to tell.
        let own_job = matches!(outcome.layer, Layer::Context | Layer::Preflight | Layer::Selection);
        if own_job && invocation.settings.summary.value {
            let summary = markdown::layer(outcome.layer, outcome.status, &outcome.findings);
            let unreported =
                |fault| Failure::Unreported(Unreported { layer: outcome.layer, fault });
            runner::add_summary(self.world, &invocation.redactor.mask_text(&summary))
                .map_err(unreported)?;
        }
        let mut text = format!("{}\n", summary_line(&outcome));
        for finding in outcome.findings.iter().skip(1) {
            text.push_str(&format!(
                "           {}: {}\n",
                finding.code(),
                printable(finding.detail())
            ));
        }
        if let Some(finding) = outcome.findings.first().filter(|finding| finding.stops()) {
            text.push_str(&format!("next       {}\n", finding.code().row().remedy));
        }
        text.push_str(&format!("receipt    {}\n", printable(&shown(&outcome.written.path))));
        self.print(&outcome.receipt, &invocation.redactor.mask_text(&text))?;
        Ok(outcome.ending)
    }

    fn set_outputs(&self, outcome: &Outcome) -> Result<(), Failure> {
        let mut outputs = vec![
            ("status", outcome.status.to_owned()),
            ("reason", outcome.findings.first().map(|f| f.code().to_string()).unwrap_or_default()),
            ("receipt-path", outcome.written.path.to_string_lossy().into_owned()),
            ("receipt-sha256", outcome.written.sha256.to_string()),
        ];
        outputs.extend(outcome.outputs.iter().cloned());
        let layer = outcome.layer;
        runner::set_outputs(self.world, &outputs)
            .map_err(|fault| Failure::Unreported(Unreported { layer, fault }))
    }

    fn print(&self, json: &Value, text: &str) -> Result<(), Failure> {
        let out = if self.json { format!("{json:#}\n") } else { text.to_owned() };
        self.world.print(&out).map_err(Failure::Stdout)
    }
}

fn summary_line(outcome: &Outcome) -> String {
    let detail = |finding: &Finding| format!("{}: {}", finding.code(), finding.detail());
    let detail = outcome.findings.first().map(detail).unwrap_or_default();
    layer_line(outcome.layer, outcome.status, detail.trim_end_matches([':', ' ']))
}

/// The flag that names the receipt of a layer, if a later layer reads that.
fn receipt_flag(layer: Layer) -> Option<Flag> {
    match layer {
        Layer::Context => Some(Flag::ContextReceipt),
        Layer::Preflight => Some(Flag::PreflightReceipt),
        Layer::Selection => Some(Flag::SelectionReceipt),
        Layer::Route | Layer::Execute | Layer::Post => None,
    }
}

/// The flag that names the digest of a layer's receipt. Execute has one for each shard.
fn digest_flag(layer: Layer) -> Option<Flag> {
    match layer {
        Layer::Route => Some(Flag::RouteSha256),
        Layer::Context => Some(Flag::ContextSha256),
        Layer::Preflight => Some(Flag::PreflightSha256),
        Layer::Selection => Some(Flag::SelectionSha256),
        Layer::Execute | Layer::Post => None,
    }
}

fn parse_shard(text: &str) -> Result<execute::Shard, Invalid> {
    let parsed =
        text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parsed {
        Some((index, of)) if index >= 1 && index <= of => Ok(execute::Shard { index, of }),
        _ => Err(Invalid::new("--shard", format!("{text:?} is not K/N with K from 1 to N"))),
    }
}
