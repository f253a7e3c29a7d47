//! From what was typed to the effective values: flag, then input of the action, then variable, then
//! file, then default, each value with its source. An invalid value is an error wherever it stands.

use std::fmt::Display;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ArgMatches;
use serde_json::{Map, Value, json};

use super::args::{self, Flag};
use crate::adapter::world::{INPUTS, World};
use crate::domain::config::quantity::{Size, Span};
use crate::domain::config::settings::{ConfigFile, Settings, TypedLimits};
use crate::domain::config::sourced::{Source, Sourced};
use crate::domain::config::{
    Config, DispatcherKind, EmptyPolicy, Engine, Isolation, Leaks, LockScope, Multiple, Percent,
    PriorityPolicy, ProbeName, Requirement, Trust, WarnOrFail, WhenRefused,
};
use crate::domain::results::failure::ClassRules;
use crate::domain::run::ids::{IssueRef, LockGroup};
use crate::domain::run::redact::invalid_pattern;
use crate::domain::selection::integration::Mode;
use crate::domain::selection::{pack, profile};

/// A value that cannot be used: where it stands and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub(crate) struct Invalid {
    /// Flag, variable, or file and line.
    pub(crate) place: String,
    /// What is wrong and what would do.
    pub(crate) why: String,
}

impl Invalid {
    /// One.
    pub(crate) fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { place: place.into(), why: why.into() }
    }
}

/// Flags and environment of one invocation.
pub(crate) struct Overlay<'a> {
    matches: &'a ArgMatches,
    world: &'a World,
}

impl<'a> Overlay<'a> {
    /// Over what was typed.
    pub(crate) fn new(matches: &'a ArgMatches, world: &'a World) -> Self {
        Self { matches, world }
    }

    /// The values of a flag, or of its variable: there one per line.
    pub(crate) fn list(&self, flag: Flag) -> Result<Option<Sourced<Vec<String>>>, Invalid> {
        if let Some(values) = args::typed(self.matches, flag) {
            if values.iter().any(|value| value.trim().is_empty()) {
                return Err(Invalid::new(flag.to_string(), "it has an empty value"));
            }
            return Ok(Some(Sourced::new(values, Source::Flag(flag.to_string()))));
        }
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            Some(lines).filter(|lines| !lines.is_empty())
        };
        if let Some(values) = self.input(flag)?.and_then(lines) {
            return Ok(Some(Sourced::new(values, Source::Input(input_name(flag).to_owned()))));
        }
        let name = flag.variable();
        let values = self.world.var(&name).and_then(|text| lines(&text));
        Ok(values.map(|values| Sourced::new(values, Source::Env(name))))
    }

    /// The input of the action for a flag. Only the flags of the command are inputs.
    fn input(&self, flag: Flag) -> Result<Option<&str>, Invalid> {
        let inputs = self.world.inputs();
        match inputs.invalid() {
            Some(why) => Err(Invalid::new(INPUTS, why)),
            None => Ok(inputs.get(input_name(flag))),
        }
    }

    /// The one value of a flag or its variable.
    pub(crate) fn text(&self, flag: Flag) -> Result<Option<Sourced<String>>, Invalid> {
        let Some(values) = self.list(flag)? else { return Ok(None) };
        match values.value.as_slice() {
            [one] => Ok(Some(Sourced::new(one.clone(), values.source))),
            _ => Err(Invalid::new(place(&values.source), "it takes one value")),
        }
    }

    /// A value that may hold line ends: JSON.
    pub(crate) fn text_whole(&self, flag: Flag) -> Result<Option<String>, Invalid> {
        match args::typed(self.matches, flag).as_deref() {
            Some([one]) if !one.trim().is_empty() => Ok(Some(one.clone())),
            Some(_) => Err(Invalid::new(flag.to_string(), "it takes one value that is not empty")),
            None => match self.input(flag)? {
                Some(text) => Ok(Some(text.to_owned())),
                None => Ok(self.world.var(&flag.variable())),
            },
        }
    }

    /// The same, parsed.
    pub(crate) fn parsed<T>(&self, flag: Flag) -> Result<Option<Sourced<T>>, Invalid>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        let value = text
            .value
            .parse()
            .map_err(|error: T::Err| Invalid::new(place(&text.source), error.to_string()))?;
        Ok(Some(Sourced::new(value, text.source)))
    }

    /// A path, taken as relative to the working folder.
    pub(crate) fn path(&self, flag: Flag) -> Result<Option<PathBuf>, Invalid> {
        Ok(self.text(flag)?.map(|text| self.world.absolute(text.value)))
    }

    /// A switch, or its variable: true and false in the usual words.
    pub(crate) fn switch(&self, flag: Flag) -> Result<bool, Invalid> {
        if args::switched(self.matches, flag) {
            return Ok(true);
        }
        let (name, text) = match self.input(flag)? {
            Some(text) => (input_name(flag).to_owned(), Some(text.to_owned())),
            None => (flag.variable(), self.world.var(&flag.variable())),
        };
        match text.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "false" | "0" | "no" | "off") => Ok(false),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some(other) => Err(Invalid::new(name, format!("{other:?} is neither true nor false"))),
        }
    }

    /// A word out of a closed set, through its serde names.
    pub(super) fn word<T: serde::de::DeserializeOwned>(
        &self,
        flag: Flag,
    ) -> Result<Option<Sourced<T>>, Invalid> {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        let value = serde_json::from_value(Value::String(text.value.clone())).map_err(|error| {
            let why = error.to_string().replace("unknown variant", "unknown word");
            Invalid::new(place(&text.source), why)
        })?;
        Ok(Some(Sourced::new(value, text.source)))
    }
}

/// The input of the actions that sets a flag.
fn input_name(flag: Flag) -> &'static str {
    match flag {
        Flag::RunnerLabel => "runner-labels",
        other => other.as_str(),
    }
}

/// How a source is named in an error.
fn place(source: &Source) -> String {
    match source {
        Source::Flag(name) | Source::Env(name) => name.clone(),
        Source::Input(name) => format!("input {name}"),
        other => other.to_string(),
    }
}

/// A workflow hands on a digest for each shard, by a name of its own for so many.
const SHARDS_MOST: u32 = 16;

/// A typed value, else the file's, else the default.
fn settle<T>(typed: Option<Sourced<T>>, file: Option<T>, key: &str, default: T) -> Sourced<T> {
    typed.unwrap_or_else(|| match file {
        Some(value) => Sourced::new(value, Source::File(key.to_owned())),
        None => Sourced::default(default),
    })
}

/// On Windows the containers of a pack are Windows', unless it says otherwise.
fn engine_of_this_host() -> Engine {
    if cfg!(windows) { Engine::Windows } else { Engine::Any }
}

/// A runner's labels hold no comma: GitHub separates them by it.
fn split_labels(reported: &[String]) -> Vec<String> {
    reported
        .iter()
        .flat_map(|labels| labels.split(','))
        .map(|label| label.trim().to_owned())
        .collect()
}

/// A runner's host is everybody's; elsewhere two repositories share only what the configuration
/// requires of the host.
fn lock_scope(on_a_runner: bool, config: &Config) -> LockScope {
    let shared = |requirement: &Requirement| {
        let names = [
            ProbeName::Docker,
            ProbeName::LabviewIdle,
            ProbeName::Lvcompare,
            ProbeName::SessionLock,
        ];
        matches!(requirement, Requirement::Named(name) if names.contains(name))
    };
    let requires = config.packs.iter().flat_map(|pack| &pack.requires).any(shared);
    let labels = config.preflight.labels.as_ref().is_some_and(|labels| !labels.is_empty());
    if on_a_runner || requires || labels { LockScope::Host } else { LockScope::Repository }
}

fn default_group() -> LockGroup {
    #[allow(clippy::expect_used, reason = "seven letters")]
    "default".parse().expect("a group")
}

/// Labels that nobody can carry, or none at all, would be a look-up that can find nothing.
fn invalid_labels(settings: &Settings) -> Option<(&'static str, String)> {
    let empty = |labels: &[String]| {
        labels.iter().any(|label| label.trim().is_empty() || label.chars().count() > 50)
    };
    let why = "a label holds 1 to 50 characters".to_owned();
    match () {
        () if settings.priority_labels.value.is_empty() => {
            let why =
                "no label is named; name one, or set standing-priority.policy: off".to_owned();
            Some(("standing-priority.labels", why))
        }
        () if empty(&settings.priority_labels.value) => Some(("standing-priority.labels", why)),
        () if empty(&settings.priority_fork_labels.value) => {
            Some(("standing-priority.fork-labels", why))
        }
        () => None,
    }
}

/// What holds for this invocation.
pub(crate) fn settings(
    overlay: &Overlay<'_>,
    config: &Config,
    found: &ConfigFile,
) -> Result<Settings, Invalid> {
    let file = match found {
        ConfigFile::Read(file) => file.as_str(),
        ConfigFile::Missing(_) => "",
    };
    let many =
        |list: &Option<crate::domain::config::OneOrMany>| list.as_ref().map(|list| list.to_vec());
    let set = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let none = Vec::new;
    let (tests, dispatcher, defaults) = (&config.tests, &config.dispatcher, &config.defaults);
    // A configuration that was named runs alone.
    let is_named = overlay.text(Flag::Config)?.is_some();
    let also_run = Some(&config.also_run).filter(|list| !is_named && !list.is_empty());
    let settings = Settings {
        has_siblings: !config.also_run.is_empty(),
        also_run: settle(None, also_run.cloned(), "also-run", Vec::new()),
        pack: settle(
            overlay.text(Flag::Pack)?.map(|t| t.map(Some)),
            defaults.pack.clone().map(Some),
            "defaults.pack",
            None,
        ),
        profile: settle(
            overlay.text(Flag::Profile)?,
            defaults.profile.clone(),
            "defaults.profile",
            "default".to_owned(),
        ),
        integration_mode: settle(
            overlay.text(Flag::IntegrationMode)?.map(|t| t.map(Some)),
            defaults.integration_mode.clone().map(Some),
            "defaults.integration-mode",
            None,
        ),
        shards: settle(
            overlay.parsed(Flag::Shards)?,
            defaults.shards.map(NonZeroU32::get),
            "defaults.shards",
            1,
        ),
        tests_path: settle(
            overlay.text(Flag::TestsPath)?,
            tests.path.clone(),
            "tests.path",
            "tests".to_owned(),
        ),
        tests_pattern: settle(
            None,
            many(&tests.pattern),
            "tests.pattern",
            vec!["*.Tests.ps1".to_owned()],
        ),
        integration_pattern: settle(
            None,
            many(&tests.integration.pattern),
            "tests.integration.pattern",
            vec!["*.Integration.Tests.ps1".to_owned()],
        ),
        integration_tag: settle(
            None,
            tests.integration.tag.clone(),
            "tests.integration.tag",
            "Integration".to_owned(),
        ),
        include: settle(overlay.list(Flag::Include)?, None, "include", none()),
        exclude: settle(overlay.list(Flag::Exclude)?, None, "exclude", none()),
        refine: settle(overlay.list(Flag::Refine)?, None, "refine", none()),
        files: settle(overlay.list(Flag::File)?, None, "file", none()),
        required_paths: settle(
            None,
            set(&config.context.required_paths),
            "context.required-paths",
            none(),
        ),
        packs: config.packs.clone(),
        fixtures: config.fixtures.clone(),
        profiles: config
            .profiles
            .iter()
            .map(|(name, profile)| (name.clone(), profile.clone()))
            .collect(),
        kind: settle(None, dispatcher.kind, "dispatcher.kind", DispatcherKind::Auto),
        command: settle(None, dispatcher.command.clone(), "dispatcher.command", none()),
        results: settle(
            overlay.list(Flag::Results)?,
            many(&dispatcher.results),
            "dispatcher.results",
            none(),
        ),
        isolation: settle(None, dispatcher.isolation, "dispatcher.isolation", Isolation::Run),
        jobs: settle(None, dispatcher.jobs.map(NonZeroU32::get), "dispatcher.jobs", 1),
        script: settle(None, dispatcher.script.clone().map(Some), "dispatcher.script", None),
        powershell: settle(
            None,
            dispatcher.powershell.clone(),
            "dispatcher.powershell",
            "pwsh".to_owned(),
        ),
        pester_minimum_version: settle(
            None,
            dispatcher.pester.minimum_version.clone(),
            "dispatcher.pester.minimum-version",
            "5.0.0".to_owned(),
        ),
        pester_maximum_version: settle(
            None,
            dispatcher.pester.maximum_version.clone().map(Some),
            "dispatcher.pester.maximum-version",
            None,
        ),
        priority_policy: settle(
            overlay.word(Flag::StandingPriority)?,
            config.standing_priority.policy,
            "standing-priority.policy",
            PriorityPolicy::Advisory,
        ),
        helper_roots: settle(
            None,
            set(&config.context.helper_roots),
            "context.helper-roots",
            none(),
        ),
        priority_labels: settle(
            None,
            config.standing_priority.labels.clone(),
            "standing-priority.labels",
            vec!["standing-priority".to_owned()],
        ),
        priority_fork_labels: settle(
            None,
            config.standing_priority.fork_labels.clone(),
            "standing-priority.fork-labels",
            vec!["fork-standing-priority".to_owned()],
        ),
        priority_excluded_label: settle(
            None,
            config.standing_priority.excluded_label.clone(),
            "standing-priority.excluded-label",
            "standing-excluded".to_owned(),
        ),
        priority_epics: settle(
            None,
            Some(
                config
                    .standing_priority
                    .epics
                    .iter()
                    .map(|number| number.get())
                    .collect::<Vec<_>>(),
            )
            .filter(|epics| !epics.is_empty()),
            "standing-priority.epics",
            Vec::new(),
        ),
        priority_multiple: settle(
            None,
            config.standing_priority.multiple,
            "standing-priority.multiple",
            Multiple::Warn,
        ),
        priority_issue: settle(
            overlay.parsed::<IssueRef>(Flag::StandingPriorityIssue)?.map(|issue| issue.map(Some)),
            config.standing_priority.issue.clone().map(|issue| Some(issue.0)),
            "standing-priority.issue",
            None,
        ),
        priority_max_wait: settle(
            None,
            config.standing_priority.max_wait,
            "standing-priority.max-wait",
            Span::from_secs(60),
        ),
        routing_label: settle(
            overlay.text(Flag::Label)?,
            config.routing.label.clone(),
            "routing.label",
            "pester-gate".to_owned(),
        ),
        routing_trust: settle(
            overlay.word(Flag::Trust)?,
            config.routing.trust,
            "routing.trust",
            Trust::SameOwner,
        ),
        routing_when_refused: settle(
            overlay.word(Flag::WhenRefused)?,
            config.routing.when_refused,
            "routing.when-refused",
            WhenRefused::Fail,
        ),
        min_free_files: settle(
            None,
            config.preflight.disk.min_free_files,
            "preflight.disk.min-free-files",
            10_000,
        ),
        docker_engine: settle(
            None,
            config.preflight.docker.engine,
            "preflight.docker.engine",
            engine_of_this_host(),
        ),
        labels: settle(None, config.preflight.labels.clone(), "preflight.labels", none()),
        runner_labels: settle(
            overlay.list(Flag::RunnerLabel)?.map(|list| list.map(|list| Some(split_labels(&list)))),
            None,
            "runner-label",
            None,
        ),
        min_free: settle(
            None,
            config.preflight.disk.min_free,
            "preflight.disk.min-free",
            Size::from_bytes(2 << 30),
        ),
        freshness: settle(
            None,
            config.preflight.freshness,
            "preflight.freshness",
            Span::from_secs(900),
        ),
        probe_timeout: settle(
            None,
            config.preflight.probe_timeout,
            "preflight.probe-timeout",
            Span::from_secs(30),
        ),
        lock_group: settle(
            overlay.parsed(Flag::LockGroup)?,
            config.lock.group.clone(),
            "lock.group",
            default_group(),
        ),
        lock_scope: settle(
            overlay.word(Flag::LockScope)?,
            config.lock.scope,
            "lock.scope",
            lock_scope(overlay.world.under_actions(), config),
        ),
        lock_wait: settle(
            overlay.parsed(Flag::LockWait)?,
            config.lock.wait,
            "lock.wait",
            Span::from_secs(600),
        ),
        lock_directory: settle(
            overlay.text(Flag::LockDirectory)?.map(|text| text.map(Some)),
            config.lock.directory.clone().map(Some),
            "lock.directory",
            None,
        ),
        limits: config.limits.clone(),
        typed_limits: TypedLimits {
            run: overlay.parsed(Flag::RunTimeout)?,
            file: overlay.parsed(Flag::FileTimeout)?,
            test: overlay.parsed(Flag::TestTimeout)?,
            no_output: overlay.parsed(Flag::NoOutputTimeout)?,
            kill_grace: overlay.parsed(Flag::KillGrace)?,
        },
        leaks: settle(None, config.leaks, "leaks", Leaks::Report),
        zero_tests: settle(None, config.policy.zero_tests, "policy.zero-tests", EmptyPolicy::Fail),
        all_skipped: settle(
            None,
            config.policy.all_skipped,
            "policy.all-skipped",
            EmptyPolicy::Fail,
        ),
        redact: config.redact.clone(),
        summary: settle(None, config.report.summary, "report.summary", true),
        html: settle(None, config.report.html, "report.html", true),
        annotations: settle(None, config.report.annotations, "report.annotations", true),
        classes: config.report.classes.clone(),
        test_floor: settle(None, config.policy.test_floor, "policy.test-floor", Percent::ALL),
        below_floor: settle(
            None,
            config.policy.below_floor,
            "policy.below-floor",
            WarnOrFail::Warn,
        ),
        unaccounted: settle(
            None,
            config.policy.unaccounted,
            "policy.unaccounted",
            WarnOrFail::Fail,
        ),
        config: found.clone(),
        rerun: None,
    };
    if !(1..=SHARDS_MOST).contains(&settings.shards.value) {
        let why = format!(
            "shards is {}; it must be at least 1 and at most {SHARDS_MOST}",
            settings.shards.value
        );
        return Err(Invalid::new(place(&settings.shards.source), why));
    }
    if let Some((key, why)) = invalid_labels(&settings) {
        return Err(Invalid::new(file, format!("{key}: {why}")));
    }
    if let Err(why) = ClassRules::new(&settings.classes) {
        return Err(Invalid::new(file, format!("report.classes: {why}")));
    }
    if let Some(why) = invalid_pattern(&settings.redact) {
        return Err(Invalid::new(file, format!("redact: {why}")));
    }
    Ok(settings)
}

/// The dispatcher that was typed after `--`.
pub(crate) fn use_command(settings: &mut Settings, argv: Vec<String>) {
    let source = Source::Flag("--".to_owned());
    settings.kind = Sourced::new(DispatcherKind::Command, source.clone());
    settings.also_run = Sourced::default(Vec::new());
    settings.command = Sourced::new(argv, source);
    // What the configuration's own command writes is no result of this one.
    if !settings.results.is_set_by_hand() {
        settings.results = Sourced::default(Vec::new());
    }
}

/// Everything that holds, `{key: {value, source}}`. Pack and profile have had their say where they
/// can be resolved.
pub(crate) fn show(settings: &Settings) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value, source: &Source| {
        out.insert(key.to_owned(), json!({"value": value, "source": source.to_string()}));
    };
    macro_rules! each {
        ($($key:literal = $field:ident),* $(,)?) => {
            $(put(
                $key,
                serde_json::to_value(&settings.$field.value).unwrap_or(Value::Null),
                &settings.$field.source,
            );)*
        };
    }
    each! {
        "also-run" = also_run, "defaults.profile" = profile,
        "defaults.shards" = shards, "tests.path" = tests_path, "tests.pattern" = tests_pattern,
        "tests.integration.pattern" = integration_pattern,
        "tests.integration.tag" = integration_tag,
        "include" = include, "exclude" = exclude, "refine" = refine, "file" = files,
        "context.required-paths" = required_paths, "dispatcher.kind" = kind,
        "dispatcher.command" = command,
        "dispatcher.results" = results, "dispatcher.isolation" = isolation,
        "dispatcher.jobs" = jobs,
        "dispatcher.script" = script, "dispatcher.powershell" = powershell,
        "dispatcher.pester.minimum-version" = pester_minimum_version,
        "dispatcher.pester.maximum-version" = pester_maximum_version,
        "lock.group" = lock_group, "lock.scope" = lock_scope,
        "lock.wait" = lock_wait, "lock.directory" = lock_directory,
        "routing.label" = routing_label, "routing.trust" = routing_trust,
        "routing.when-refused" = routing_when_refused,
        "context.helper-roots" = helper_roots,
        "standing-priority.policy" = priority_policy, "standing-priority.labels" = priority_labels,
        "standing-priority.fork-labels" = priority_fork_labels,
        "standing-priority.excluded-label" = priority_excluded_label,
        "standing-priority.epics" = priority_epics,
        "standing-priority.multiple" = priority_multiple,
        "standing-priority.issue" = priority_issue,
        "standing-priority.max-wait" = priority_max_wait,
        "preflight.disk.min-free" = min_free, "preflight.disk.min-free-files" = min_free_files,
        "preflight.docker.engine" = docker_engine,
        "preflight.labels" = labels, "runner-label" = runner_labels,
        "preflight.freshness" = freshness, "preflight.probe-timeout" = probe_timeout,
        "leaks" = leaks,
        "policy.zero-tests" = zero_tests, "policy.all-skipped" = all_skipped,
        "policy.test-floor" = test_floor,
        "policy.below-floor" = below_floor, "policy.unaccounted" = unaccounted,
        "report.summary" = summary,
            "report.html" = html, "report.annotations" = annotations,
    }
    let word = |value: &Option<String>, default: &str| {
        Value::from(value.clone().unwrap_or_else(|| default.to_owned()))
    };
    put("defaults.pack", word(&settings.pack.value, pack::FULL), &settings.pack.source);
    put(
        "defaults.integration-mode",
        word(&settings.integration_mode.value, "auto"),
        &settings.integration_mode.source,
    );
    let chosen = pack::resolve(&settings.packs, settings.pack.value.as_deref())
        .map_or_else(|_| pack::full(), |p| p.0);
    // The kind is not what is asked here, and a kind without its command has no say in the limits.
    if let Ok(profile) = profile::resolve(settings, &chosen, DispatcherKind::Scripts, Mode::Exclude)
    {
        macro_rules! settled {
            ($($key:literal = $field:ident),* $(,)?) => {
                $(put(
                    $key,
                    serde_json::to_value(&profile.$field.value).unwrap_or(Value::Null),
                    &profile.$field.source,
                );)*
            };
        }
        settled! {
            "limits.run" = run_limit, "limits.file" = file_limit, "limits.test" = test_limit,
            "limits.no-output" = no_output_limit, "limits.kill-grace" = kill_grace, "leaks" = leaks,
            "leak-grace" = leak_grace, "tag" = tag, "exclude-tag" = exclude_tag, "before" = before,
            "after" = after, "artifacts" = artifacts,
        }
    }
    Value::Object(out)
}

/// The same as lines.
pub(crate) fn show_text(shown: &Value) -> String {
    let Some(entries) = shown.as_object() else { return String::new() };
    entries
        .iter()
        .map(|(key, entry)| {
            let source = entry["source"].as_str().unwrap_or_default();
            format!("{key:<36} {} ({source})\n", entry["value"])
        })
        .collect()
}
