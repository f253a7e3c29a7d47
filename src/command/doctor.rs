//! `doctor`: everything that any pack asks of this host, at once, for a person at the machine. It
//! blocks nothing and needs no chain: the first thing to run on a new runner.

use std::fmt::Write;

use serde_json::{Value, json};

use super::packs;
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::discovery;
use crate::adapter::world::World;
use crate::domain::config::Requirement;
use crate::domain::config::settings::ConfigFile;
use crate::domain::receipt::ProbeOutcome;
use crate::layer::invocation::Invocation;
use crate::layer::preflight::{self, Looked};
use crate::report::quote::printable;

/// What was looked at, and which packs ask for it.
pub(crate) struct Check {
    looked: Looked,
    packs: Vec<String>,
}

/// Looks.
pub(crate) fn check(world: &World, invocation: &Invocation) -> Vec<Check> {
    let mut asked: Vec<(Requirement, Vec<String>)> = Vec::new();
    for pack in packs::all(&invocation.settings.packs) {
        for requirement in pack.requires {
            match asked.iter_mut().find(|(known, _)| *known == requirement) {
                Some((_, packs)) if packs.contains(&pack.name) => (),
                Some((_, packs)) => packs.push(pack.name.clone()),
                None => asked.push((requirement, vec![pack.name.clone()])),
            }
        }
    }
    let (requires, of_packs): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let scratch = invocation.state.join("doctor");
    let looked = preflight::look(world, invocation, &scratch, &requires);
    // What packs ask for comes first, in their order; behind it stands what is always looked at.
    let packs = of_packs.into_iter().map(Some).chain(std::iter::repeat(None));
    looked
        .into_iter()
        .zip(packs)
        .map(|(looked, packs)| Check { looked, packs: packs.unwrap_or_default() })
        .collect()
}

/// The configuration in use, and others in the tree.
pub(crate) struct Configurations {
    used: Option<String>,
    others: Vec<String>,
}

/// Looks for configurations other than those that are checked.
pub(crate) fn configurations(invocation: &Invocation, checked: &[String]) -> Configurations {
    let used = match &invocation.settings.config {
        ConfigFile::Read(file) => Some(file.clone()),
        ConfigFile::Missing(_) => None,
    };
    let name = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let config = name.starts_with("pester-gate.") && name.ends_with(".yml");
        config && !path.starts_with(".github/")
    };
    let paths = discovery::survey(&invocation.root).unwrap_or_default();
    let others = paths.iter().filter(name).map(|path| shown(&invocation.root.join(path)));
    let others =
        others.filter(|path| Some(path) != used.as_ref() && !checked.contains(path)).collect();
    Configurations { used, others }
}

/// How many other configurations are listed without `--verbose`.
const OTHERS: usize = 5;

/// As text: a line for each check, and the fix for each problem. `verbose` adds what each check
/// found.
pub(crate) fn text(checks: &[Check], configurations: &Configurations, verbose: bool) -> String {
    let mut out = String::new();
    let used = configurations.used.as_deref().unwrap_or("none; `pester-gate init` writes one");
    let _ = writeln!(out, "configuration {}", printable(used));
    let others = &configurations.others;
    let most = if verbose { others.len() } else { OTHERS };
    for other in others.iter().take(most) {
        let _ = writeln!(
            out,
            "              not checked: {} (check it with --config)",
            printable(other)
        );
    }
    if others.len() > most {
        let more = others.len() - most;
        let _ = writeln!(out, "              and {more} more (--verbose lists them)");
    }
    for Check { looked: Looked { name, record, details }, packs } in checks {
        let state = match record.outcome {
            ProbeOutcome::Pass => "ok",
            ProbeOutcome::Unknown | ProbeOutcome::Skipped => "unknown",
            ProbeOutcome::Warn => "warning",
            ProbeOutcome::Fail => "missing",
        };
        let who = if packs.is_empty() {
            "for every run".to_owned()
        } else {
            format!("for {}", packs.join(", "))
        };
        let _ = writeln!(
            out,
            "{state:<8} {:<20} {} ({} ms)",
            printable(name),
            printable(&who),
            record.duration_ms
        );
        for detail in details {
            let _ = writeln!(out, "         {}", printable(detail));
        }
        if let Some(remedy) = &record.remedy {
            let _ = writeln!(out, "         fix: {remedy}");
        }
        for (fact, value) in record.facts.iter().filter(|_| verbose) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(out, "         {}: {}", printable(fact), printable(&value));
        }
    }
    let count =
        checks.iter().filter(|check| check.looked.record.outcome != ProbeOutcome::Pass).count();
    let problems = if count == 1 { "problem" } else { "problems" };
    let _ = writeln!(out, "{} checks, {count} {problems}", checks.len());
    if !verbose {
        let _ = writeln!(out, "`doctor --verbose` shows what each check found");
    }
    out
}

/// As JSON.
pub(crate) fn json(world: &World, checks: &[Check], configurations: &Configurations) -> Value {
    let each = |Check { looked, packs }: &Check| {
        let record = &looked.record;
        json!({
            "name": looked.name, "packs": packs, "outcome": record.outcome,
            "details": looked.details, "reason": record.reason, "remedy": record.remedy,
            "facts": record.facts, "durationMs": record.duration_ms,
        })
    };
    let checks: Vec<Value> = checks.iter().map(each).collect();
    json!({
        "host": world.host(), "configuration": configurations.used,
        "otherConfigurations": configurations.others, "checks": checks,
    })
}
