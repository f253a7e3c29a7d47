//! From a parsed command line to an exit code: settle what holds, call the verb, print the result.

mod ask;
mod judge;
mod lock;
mod run;

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};

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
use crate::domain::receipt::Classification;
use crate::domain::run::ids::{GateId, LockGroup, RelPath, RepoSlug, Sha256};
use crate::domain::starter::Form;
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::layer::ground::{Ending, Ground, Outcome, Paper, Unreported};
use crate::layer::{context, execute, post, preflight, route, selection};
use crate::report::markdown;
use crate::report::quote::{printable, quoted};
use crate::report::text::layer_line;

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
    let Some((verb, matches)) = matches.subcommand() else { return 2 };
    if verb == args::GUARD {
        return guard(world);
    }
    if verb == args::STEP {
        return step(world, matches);
    }
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
    let script = args::typed(matches, "script").and_then(|scripts| scripts.into_iter().next());
    let words = match script.filter(|_| !args::switched(matches, "prepare")) {
        None => command::step::prepare(world).map(|()| Vec::new()),
        Some(script) => command::step::words(world, &script),
    };
    match words {
        Ok(words) if words.is_empty() => 0,
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
fn verb_of(arguments: &[String]) -> &str {
    let known = |argument: &&String| args::VERBS.iter().any(|verb| verb.name == argument.as_str());
    arguments.iter().skip(1).find(known).map_or("", String::as_str)
}

fn usage(world: &World, json: bool, error: &clap::Error, verb: &str) -> u8 {
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
    report_failure(world, verb, "configuration-invalid");
    2
}

/// The first word of a test command that was typed without `--`.
fn command_without_dashes(verb: &str, error: &clap::Error) -> Option<String> {
    let ContextValue::String(word) = error.get(ContextKind::InvalidArg)? else { return None };
    let is_word = verb == "run" && error.kind() == ErrorKind::UnknownArgument;
    (is_word && !word.starts_with('-')).then(|| word.clone())
}

fn fail(world: &World, json: bool, verb: &str, failure: &Failure) -> u8 {
    let (code, place, ending) = match failure {
        Failure::Invalid(invalid) => {
            ("configuration-invalid", invalid.place.clone(), Ending::Usage)
        }
        Failure::Usage(_) => ("usage", verb.to_owned(), Ending::Usage),
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
fn report_failure(world: &World, verb: &str, reason: &str) {
    let status = match verb {
        "route" | "context" | "preflight" | "selection" => "blocked",
        "execute" | "post" | "run" => Classification::SeamDefect.as_str(),
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
    verb: &'a str,
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
    verb: &str,
    matches: &ArgMatches,
    overlay: &Overlay<'_>,
) -> Result<(PathBuf, Search), Failure> {
    if let Some(root) = overlay.path("root")? {
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
    let typed = args::typed(matches, "command").filter(|_| verb == "run");
    if typed.is_some_and(|command| !takes_files(&command)) {
        return Ok((cwd, search));
    }
    let near = match overlay.text("config")? {
        None if verb != "init" => search.find().and_then(|path| path.parent().map(Path::to_owned)),
        _ => None,
    };
    Ok((near.or(top).unwrap_or(cwd), search))
}

impl<'a> Session<'a> {
    fn new(
        world: &'a World,
        verb: &'a str,
        matches: &'a ArgMatches,
        json: bool,
    ) -> Result<Self, Failure> {
        let overlay = Overlay::new(matches, world);
        if let Some(format) = overlay.text("format")?
            && !matches!(format.value.as_str(), "text" | "json")
        {
            return Err(Invalid::new(
                "--format",
                format!("{:?} is neither text nor json", format.value),
            )
            .into());
        }
        let verbosity = match (overlay.switch("quiet")?, overlay.switch("verbose")?) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        let level = overlay.parsed::<logging::Level>("log-level")?.map(|level| level.value);
        logging::init(world, verbosity, level);
        let (root, search) = place(world, verb, matches, &overlay)?;
        Ok(Self { world, verb, matches, overlay, json, verbosity, root, search })
    }

    fn dispatch(&self) -> Result<Ending, Failure> {
        match self.verb {
            "explain" => return self.explain(),
            "schema" => return self.schema(),
            "verify" => return self.verify(),
            "results" => return self.results(),
            "init" => return self.init(),
            _ => {}
        }
        let mut ground = self.ground(None)?;
        match self.verb {
            "open" => return self.open(&ground),
            "runs" => return self.runs(&ground),
            _ => {}
        }
        if self.verb == "lock" && !self.overlay.switch("show-config")? {
            return self.lock(&ground);
        }
        if let Some(argv) = args::typed(self.matches, "command") {
            overlay::use_command(&mut ground.settings, argv);
        }
        if self.verb == "run" {
            self.rerun(&mut ground.settings)?;
        }
        if self.overlay.switch("show-config")? {
            let shown = overlay::show(&ground.settings);
            self.print(&shown, &overlay::show_text(&shown))?;
            return Ok(Ending::Good);
        }
        match self.verb {
            "packs" => {
                let packs = command::packs::all(&ground.settings.packs);
                self.print(&command::packs::json(&packs), &command::packs::text(&packs))?;
                Ok(Ending::Good)
            }
            "doctor" => self.doctor(ground),
            "route" => self.route(&ground),
            "context" => {
                self.layer(&ground, context::run(self.world, &ground, self.context_request()?))
            }
            "preflight" => {
                let request = preflight::Request { context: self.paper(Layer::Context)? };
                self.layer(&ground, preflight::run(self.world, &ground, request))
            }
            "selection" => {
                let (context, durations) = (self.paper(Layer::Context)?, self.durations(&ground)?);
                let request = selection::Request { context, durations };
                self.layer(&ground, selection::run(self.world, &ground, request))
            }
            "execute" => {
                self.layer(&ground, execute::run(self.world, &ground, self.execute_request()?))
            }
            "post" => self.post(&ground),
            "replay" => self.replay(ground),
            _ => self.run_all(ground),
        }
    }

    /// The settings of a configuration: the one that is given, else the one that was named or
    /// found.
    fn ground(&self, config: Option<PathBuf>) -> Result<Ground, Failure> {
        let named = config.map_or_else(|| self.overlay.path("config"), |path| Ok(Some(path)))?;
        let (config, found) = config_file::load(&self.search, named)?;
        let settings = overlay::settings(&self.overlay, &config, &found)?;
        let state = self.world.state_dir(self.overlay.path("state-dir")?.as_deref());
        let state = state.ok_or_else(|| {
            Invalid::new("--state-dir", "there is no home folder to keep state in; name one")
        })?;
        let overrides = Overrides {
            event: self.overlay.path("event")?,
            event_name: self.overlay.text("event-name")?.map(|text| text.value),
            head_sha: self.overlay.parsed("head-sha")?.map(|sha| sha.value),
        };
        let mut public =
            vec![shown(&self.root), self.root.display().to_string(), shown(self.world.cwd())];
        public.extend(
            ["GITHUB_REPOSITORY", "GITHUB_SHA"].into_iter().filter_map(|name| self.world.var(name)),
        );
        public.push(self.world.now().to_string());
        Ok(Ground {
            root: self.root.clone(),
            out: self.overlay.path("out")?,
            state: files::canonical(&state),
            runs: None,
            gate_id: self.overlay.parsed("gate-id")?.map(|id| id.value),
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
        let Some(when) = self.overlay.text("color")? else { return Ok(self.world.may_color()) };
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

    fn route(&self, ground: &Ground) -> Result<Ending, Failure> {
        let repository = self.overlay.parsed::<RepoSlug>("repository")?.map(|slug| slug.value);
        let request = route::Request { repository };
        if !self.overlay.switch("dry-run")? {
            return self.layer(ground, route::run(self.world, ground, &request));
        }
        let decided = route::decide(ground, &request);
        let mut text = String::new();
        for finding in &decided.findings {
            text.push_str(&format!("{}: {}\n", finding.code(), printable(finding.detail())));
        }
        for (name, value) in &decided.facts {
            text.push_str(&format!("  {name:<15} {}\n", printable(&value.to_string())));
        }
        self.print(&decided.json(), &ground.redactor.mask_text(&text))?;
        Ok(Ending::of(decided.findings.first()))
    }

    fn context_request(&self) -> Result<context::Request, Failure> {
        Ok(context::Request {
            sample_id: self.overlay.text("sample-id")?.map(|text| text.value),
            correlation_id: self.overlay.text("correlation-id")?.map(|text| text.value),
            repository: self.overlay.parsed::<RepoSlug>("repository")?.map(|slug| slug.value),
        })
    }

    /// The receipt of an earlier layer: the one that is named, else the one that an earlier step of
    /// the same job left.
    fn paper(&self, layer: Layer) -> Result<Paper, Failure> {
        let path = match self.overlay.path(&format!("{layer}-receipt"))? {
            Some(path) => Some(path),
            None => self.job_folder()?.and_then(|folder| folder.receipt(layer)),
        };
        Ok(Paper { path, sha256: self.digest(layer)? })
    }

    /// The folder of this job, where this process is a step of an action.
    fn job_folder(&self) -> Result<Option<JobFolder>, Failure> {
        let gate: Option<GateId> = self.overlay.parsed("gate-id")?.map(|id| id.value);
        Ok(JobFolder::of(self.world, gate.as_ref()))
    }

    fn digest(&self, layer: Layer) -> Result<Option<Sha256>, Failure> {
        Ok(self.overlay.parsed::<Sha256>(&format!("{layer}-sha256"))?.map(|digest| digest.value))
    }

    fn execute_request(&self) -> Result<execute::Request, Failure> {
        Ok(execute::Request {
            context: self.paper(Layer::Context)?,
            preflight: self.paper(Layer::Preflight)?,
            selection: self.paper(Layer::Selection)?,
            results_dir: self.overlay.path("results-dir")?,
            shard: self.overlay.text("shard")?.map(|text| parse_shard(&text.value)).transpose()?,
        })
    }

    /// A layer's result: its receipt as JSON, or a line and the remedy.
    fn layer(
        &self,
        ground: &Ground,
        result: Result<Outcome, Unreported>,
    ) -> Result<Ending, Failure> {
        let outcome = result.map_err(Failure::Unreported)?;
        self.set_outputs(&outcome)?;
        // Route and post write summaries of their own, and execute's outcome is post's to tell.
        let own_job = matches!(outcome.layer, Layer::Context | Layer::Preflight | Layer::Selection);
        if own_job && ground.settings.summary.value {
            let summary = markdown::layer(outcome.layer, outcome.status, &outcome.findings);
            let unreported =
                |fault| Failure::Unreported(Unreported { layer: outcome.layer, fault });
            runner::add_summary(self.world, &ground.redactor.mask_text(&summary))
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
        self.print(&outcome.receipt, &ground.redactor.mask_text(&text))?;
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

fn parse_shard(text: &str) -> Result<execute::Shard, Invalid> {
    let parsed =
        text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match parsed {
        Some((index, of)) if index >= 1 && index <= of => Ok(execute::Shard { index, of }),
        _ => Err(Invalid::new("--shard", format!("{text:?} is not K/N with K from 1 to N"))),
    }
}
