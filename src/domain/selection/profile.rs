//! The dispatcher profile: every setting of the run, settled, with where each came from.
//!
//! Precedence, weakest first: default, the file's section, the pack, the profile, flag or
//! environment.

use super::integration::Mode;
use crate::domain::config::quantity::Span;
use crate::domain::config::settings::{Settings, TypedLimit, TypedLimits, takes_files};
use crate::domain::config::sourced::{Source, Sourced};
use crate::domain::config::{DispatcherKind, Limits, Pack, Profile};
use crate::domain::receipt::DispatcherProfile;
use crate::domain::verdict::fault::Fault;

/// The run limit where nobody set one.
pub(crate) const DEFAULT_RUN_LIMIT: Span = Span::from_secs(30 * 60);
/// The time between asking and killing where nobody set one.
pub(crate) const DEFAULT_KILL_GRACE: Span = Span::from_secs(5);
/// How long leaked processes may take to end by themselves.
pub(crate) const DEFAULT_LEAK_GRACE: Span = Span::from_secs(3);

/// Settles the profile. `kind` is the dispatcher that `auto` came to.
pub(crate) fn resolve(
    settings: &Settings,
    pack: &Pack,
    kind: DispatcherKind,
    mode: Mode,
) -> Result<DispatcherProfile, Fault> {
    let name = settings.profile.clone();
    let empty = Profile::default();
    let profile = match settings.profiles.iter().find(|(known, _)| *known == name.value) {
        Some((_, profile)) => profile,
        None if name.value == "default" => &empty,
        None => {
            let known: Vec<_> = settings.profiles.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Fault::ProfileInvalid(format!(
                "no profile {:?}; known are default{}{}",
                name.value,
                if known.is_empty() { "" } else { ", " },
                known.join(", ")
            )));
        }
    };
    check_dispatcher(settings, kind)?;

    let from_profile = Source::Profile(name.value.clone());
    let pick = |section: fn(&Limits) -> Option<Span>, typed: &TypedLimit, key: &str| {
        limit(section, typed, key, &settings.limits, pack, profile, &from_profile)
    };
    let typed = &settings.typed_limits;
    let run_limit = pick(|l| l.run, &typed.run, "run");
    let kill_grace = pick(|l| l.kill_grace, &typed.kill_grace, "kill-grace");

    let mut exclude_tag = of_profile(profile.exclude_tag.clone(), &from_profile, Vec::new());
    if mode == Mode::Exclude && !settings.integration_tag.value.is_empty() {
        let tag = settings.integration_tag.value.clone();
        if !exclude_tag.value.contains(&tag) {
            exclude_tag.value.push(tag);
        }
    }
    Ok(DispatcherProfile {
        kind: Sourced::new(kind, settings.kind.source.clone()),
        command: settings.command.clone(),
        results: settings.results.clone(),
        isolation: settings.isolation.clone(),
        jobs: settings.jobs.clone(),
        script: settings.script.clone(),
        powershell: settings.powershell.clone(),
        pester_minimum_version: settings.pester_minimum_version.clone(),
        pester_maximum_version: settings.pester_maximum_version.clone(),
        tag: of_profile(profile.tag.clone(), &from_profile, Vec::new()),
        exclude_tag,
        before: of_profile(profile.before.clone(), &from_profile, Vec::new()),
        after: of_profile(profile.after.clone(), &from_profile, Vec::new()),
        artifacts: of_profile(profile.artifacts.clone(), &from_profile, Vec::new()),
        leaks: profile.leaks.map_or_else(
            || settings.leaks.clone(),
            |leaks| Sourced::new(leaks, from_profile.clone()),
        ),
        leak_grace: of_profile(profile.leak_grace, &from_profile, DEFAULT_LEAK_GRACE),
        run_limit: run_limit
            .map_or_else(|| Sourced::default(Some(DEFAULT_RUN_LIMIT)), |l| l.map(Some)),
        file_limit: optional(pick(|l| l.file, &typed.file, "file")),
        test_limit: optional(pick(|l| l.test, &typed.test, "test")),
        no_output_limit: optional(pick(|l| l.no_output, &typed.no_output, "no-output")),
        kill_grace: kill_grace.unwrap_or_else(|| Sourced::default(DEFAULT_KILL_GRACE)),
        zero_tests: settings.zero_tests.clone(),
        all_skipped: settings.all_skipped.clone(),
        unaccounted: settings.unaccounted.clone(),
        name,
    })
}

/// A limit or a cut that was typed and that this dispatcher cannot apply.
pub(crate) fn check_effect(
    kind: DispatcherKind,
    command: &[String],
    typed: &TypedLimits,
    shards: u32,
) -> Result<(), Fault> {
    let refuse =
        |what: &str, why: &str| Err(Fault::ProfileInvalid(format!("{what} has no effect: {why}")));
    let name = |limit: &TypedLimit| limit.as_ref().map(|limit| limit.source.name().to_owned());
    let one_process = "the command is one process; use --run-timeout or --no-output-timeout";
    match kind {
        DispatcherKind::Command => {
            if let Some(name) = name(&typed.file).or_else(|| name(&typed.test)) {
                return refuse(&name, one_process);
            }
            if shards > 1 && !takes_files(command) {
                let why = "the command has no {files}, so every shard would run every test";
                return refuse("--shards", why);
            }
        }
        DispatcherKind::Scripts => {
            if let Some(name) = name(&typed.test) {
                return refuse(&name, "a script is one test; use --file-timeout");
            }
        }
        DispatcherKind::Pester | DispatcherKind::Auto => {}
    }
    Ok(())
}

fn check_dispatcher(settings: &Settings, kind: DispatcherKind) -> Result<(), Fault> {
    check_effect(kind, &settings.command.value, &settings.typed_limits, settings.shards.value)?;
    if kind != DispatcherKind::Command {
        return Ok(());
    }
    if settings.command.value.is_empty() {
        return Err(Fault::ProfileInvalid(
            "dispatcher.kind is command and dispatcher.command is empty".to_owned(),
        ));
    }
    // What a typed command writes is found by what changed below its folder.
    let typed = matches!(settings.command.source, Source::Flag(_));
    if settings.results.value.is_empty() && !typed {
        return Err(Fault::ProfileInvalid(
            "dispatcher.kind is command and dispatcher.results names no results file".to_owned(),
        ));
    }
    Ok(())
}

fn limit(
    section: fn(&Limits) -> Option<Span>,
    typed: &TypedLimit,
    key: &str,
    file: &Limits,
    pack: &Pack,
    profile: &Profile,
    from_profile: &Source,
) -> Option<Sourced<Span>> {
    typed
        .clone()
        .or_else(|| section(&profile.limits).map(|span| Sourced::new(span, from_profile.clone())))
        .or_else(|| {
            section(&pack.limits).map(|span| Sourced::new(span, Source::Pack(pack.name.clone())))
        })
        .or_else(|| {
            section(file).map(|span| Sourced::new(span, Source::File(format!("limits.{key}"))))
        })
}

fn optional(limit: Option<Sourced<Span>>) -> Sourced<Option<Span>> {
    limit.map_or_else(|| Sourced::default(None), |limit| limit.map(Some))
}

fn of_profile<T>(value: Option<T>, source: &Source, default: T) -> Sourced<T> {
    match value {
        Some(value) => Sourced::new(value, source.clone()),
        None => Sourced::default(default),
    }
}
