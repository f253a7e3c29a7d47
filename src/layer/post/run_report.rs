//! What the reports say, put together once.

use std::path::Path;
use std::sync::Arc;

use super::Request;
use super::collect::Collected;
use crate::adapter::dispatcher::command::LOG;
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::config::settings::takes_files;
use crate::domain::config::sourced::Source;
use crate::domain::config::typed::Argument;
use crate::domain::config::{DispatcherKind, Pack};
use crate::domain::receipt::{
    Accounted, Accounting, Classification, Excluded, GateStatus, InFlight, Leak,
};
use crate::domain::results::failure::{Class, Failure};
use crate::domain::selection::pack;
use crate::domain::selection::plan::{self, INTEGRATION};
use crate::domain::verdict::classify::{Verdict, class_of};
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::layer::invocation::Invocation;
use crate::report::again::{Replay, Reproduce, Scope};
use crate::report::quote::quoted;
use crate::report::text::{LayerLine, Paths, RunReport, TestsRan, Worked};

/// What repeats this run.
pub(super) fn replay_of(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    collected: &Collected,
) -> Replay {
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let profile = selection.and_then(|selection| selection.dispatcher_profile.as_ref());
    let elsewhere = world.under_actions();
    let mut replay = Replay {
        root: shown(&invocation.root),
        elsewhere,
        roots: collected.execution.iter().filter_map(|e| e.receipt.root.clone()).collect(),
        planned: Arc::new(
            selection
                .iter()
                .flat_map(|selection| &selection.selection.files)
                .map(|file| file.path.clone())
                .collect(),
        ),
        kind: profile.map(|profile| profile.kind.value),
        powershell: profile
            .map_or_else(|| "pwsh".to_owned(), |profile| profile.powershell.value.clone()),
        command: Some(profile.map_or(&invocation.settings.command, |profile| &profile.command))
            .filter(|command| matches!(command.source, Source::Flag(_)))
            .map_or_else(Vec::new, |command| {
                command.value.iter().map(|word| invocation.redactor.mask_text(word)).collect()
            }),
        whole: profile.is_some_and(|profile| {
            profile.kind.value == DispatcherKind::Command && !takes_files(&profile.command.value)
        }),
        workspace: world
            .var("GITHUB_WORKSPACE")
            .map(|path| shown(&files::canonical(Path::new(&path)))),
        ..Replay::default()
    };
    match &request.typed {
        Some(typed) if !elsewhere => {
            replay.typed = true;
            replay.arguments.clone_from(&typed.arguments);
        }
        _ => replay.arguments = effective(invocation, request, collected, &replay),
    }
    replay
}

/// Flags that speak of the workflow's own run or of files of its machine.
const OF_THE_WORKFLOW: [&str; 18] = [
    "lock-scope",
    "root",
    "out",
    "state-dir",
    "gate-id",
    "event",
    "event-name",
    "repository",
    "head-sha",
    "sample-id",
    "correlation-id",
    "baseline",
    "durations",
    "runner-label",
    "lock-group",
    "lock-wait",
    "lock-directory",
    "rerun-from",
];

/// The effective inputs of a run on another machine, or of layers that ran one by one, as arguments
/// of `run`.
fn effective(
    invocation: &Invocation,
    request: &Request,
    collected: &Collected,
    replay: &Replay,
) -> Vec<Argument> {
    let mut arguments = Vec::new();
    if replay.at() != "." {
        arguments.push(Argument::new("root", replay.at()));
    }
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    if let Some(bundle) = selection.and_then(|selection| selection.rerun_of.as_ref()?.path.clone())
    {
        let last = bundle.rsplit('/').next().unwrap_or(&bundle).to_owned();
        arguments.push(Argument::new("rerun-from", if replay.elsewhere { last } else { bundle }));
    }
    if let Some(typed) = &request.typed {
        let kept = |argument: &&Argument| !OF_THE_WORKFLOW.contains(&argument.flag.as_str());
        arguments.extend(
            typed.arguments.iter().filter(kept).map(|argument| replay.in_checkout(argument)),
        );
        return arguments;
    }
    let chosen = selection.map(|selection| &selection.selection);
    let pack = pack_of(invocation, request, collected);
    let by_default = chosen.is_some_and(|chosen| chosen.execution_pack_source == "default");
    if !(by_default
        || chosen.is_none() && pack == pack::FULL
        || selection.is_some_and(|s| s.rerun_of.is_some()))
    {
        arguments.push(Argument::new("pack", pack.as_str()));
    }
    let Some((chosen, profile)) = chosen.zip(selection.and_then(|s| s.dispatcher_profile.as_ref()))
    else {
        return arguments;
    };
    let by_hand = |source: &str| {
        ["flag:", "input:", "env:PESTER_GATE_"].iter().any(|own| source.starts_with(own))
    };
    if by_hand(&chosen.integration_mode_source) {
        arguments.push(Argument::new("integration-mode", chosen.integration_mode.as_str()));
    }
    // Patterns that the pack does not have were given by hand.
    let own = invocation.settings.packs.iter().find(|known| known.name == chosen.execution_pack);
    let of_pack = |list: fn(&Pack) -> &Vec<String>| own.map(list).cloned().unwrap_or_default();
    let lists = [
        ("include", &chosen.include_patterns, of_pack(|pack| &pack.include)),
        ("exclude", &chosen.exclude_patterns, of_pack(|pack| &pack.exclude)),
        ("refine", &chosen.refine_include_patterns, Vec::new()),
    ];
    for (flag, patterns, known) in lists {
        let values: Vec<String> =
            patterns.iter().filter(|pattern| !known.contains(pattern)).cloned().collect();
        if !values.is_empty() {
            arguments.push(Argument { flag: flag.to_owned(), values });
        }
    }
    let mut push = |flag: &str, value: String, source: &Source| {
        if source.is_by_hand() {
            arguments.push(Argument::new(flag, value));
        }
    };
    push("profile", profile.name.value.clone(), &profile.name.source);
    for (flag, limit) in [
        ("run-timeout", &profile.run_limit),
        ("file-timeout", &profile.file_limit),
        ("test-timeout", &profile.test_limit),
        ("no-output-timeout", &profile.no_output_limit),
    ] {
        if let Some(value) = limit.value {
            push(flag, value.to_string(), &limit.source);
        }
    }
    push("kill-grace", profile.kill_grace.value.to_string(), &profile.kill_grace.source);
    for glob in &profile.results.value {
        push("results", glob.clone(), &profile.results.source);
    }
    arguments
}

/// The pack that was selected, else the one that was asked for.
pub(super) fn pack_of(invocation: &Invocation, request: &Request, collected: &Collected) -> String {
    let pack = collected.selection.as_ref().map(|s| s.receipt.selection.execution_pack.clone());
    pack.filter(|name| !name.is_empty())
        .or_else(|| request.pack.clone())
        .or_else(|| invocation.settings.pack.value.clone())
        .unwrap_or_else(|| "full".to_owned())
}

pub(super) fn duration_ms(collected: &Collected) -> Option<u64> {
    collected.execution.iter().filter_map(|e| Some(e.receipt.outcome.as_ref()?.duration_ms)).max()
}

/// Everything that the reports say, in one value.
pub(super) fn tell(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    collected: &Collected,
    verdict: &Verdict,
    gate: GateStatus,
) -> RunReport {
    let deciding = verdict.deciding();
    let row = deciding.map(|finding| finding.code().row());
    let layers = [Layer::Route, Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute];
    let mask = |text: &str| invocation.redactor.for_people(text);
    RunReport {
        classification: verdict.classification,
        gate,
        failed_layer: verdict.failed_layer,
        headline: headline(verdict, &mask),
        next_action_id: row.map_or("no-action", |row| row.next_action),
        next_action: row.map_or_else(String::new, |row| {
            let retry = if row.retry_helps { "; a retry can help" } else { "" };
            format!("{}{retry}", row.remedy)
        }),
        replay: deciding.filter(|finding| finding.stops()).map(|finding| {
            let reproduce = reproduce(world, invocation, request, collected, finding);
            Reproduce { command: mask(&reproduce.command), ..reproduce }
        }),
        reasons: verdict
            .findings
            .iter()
            .map(|f| (f.code(), f.layer(), f.severity(), mask(f.detail())))
            .collect(),
        tests_ran: tests_ran(request, collected, verdict),
        layers: layers
            .into_iter()
            .filter(|layer| {
                *layer != Layer::Route || collected.evidence.receipt_states.contains_key(layer)
            })
            .map(|layer| LayerLine {
                layer,
                status: status_of_layer(request, collected, verdict, layer),
            })
            // Post is told of where it is at fault itself: with what decides.
            .chain(
                deciding.filter(|finding| verdict.failed_layer == Some(finding.layer())).and_then(
                    |finding| {
                        let status = finding.code().as_str().to_owned();
                        (finding.layer() == Layer::Post)
                            .then_some(LayerLine { layer: Layer::Post, status })
                    },
                ),
            )
            .collect(),
        counts: collected.counts,
        repeat: replay_of(world, invocation, request, collected),
        failures: collected.failures.clone(),
        in_flight: collected
            .execution
            .iter()
            .find_map(|e| e.receipt.in_flight.clone())
            .or_else(|| collected.last_known.clone())
            .map(|running| InFlight {
                name: mask(&running.name),
                file: running.file.as_deref().map(mask),
                ..running
            }),
        leaks: collected
            .execution
            .iter()
            .flat_map(|e| e.receipt.leaks.clone())
            .map(|leak| Leak { command: mask(&leak.command), file: leak.file, ..leak })
            .collect(),
        duration_ms: duration_ms(collected),
        paths: paths(invocation, request, collected),
        excluded: excluded(collected).iter().map(|line| mask(line)).collect(),
        reports: found_reports(collected).iter().map(|path| mask(path)).collect(),
        stops: verdict
            .findings
            .iter()
            .filter(|f| {
                f.stops() && class_of(f.code(), f.layer()).0 != Classification::TestFailures
            })
            .map(|f| {
                let command = reproduce(world, invocation, request, collected, f).command;
                (f.code(), f.layer(), mask(f.detail()), mask(&command))
            })
            .collect(),
        not_run: not_run(collected),
        log_end: log_end(collected, verdict).iter().map(|line| mask(line)).collect(),
        slowest: Vec::new(),
        tests: Vec::new(),
        tests_listed: 0,
        triage: None,
        since_green: None,
        timeline: timeline(collected),
    }
}

/// The files that exist of those that a person opens.
fn paths(invocation: &Invocation, request: &Request, collected: &Collected) -> Paths {
    let raw = collected.raw_dirs.first();
    let log =
        raw.map(|raw| raw.join(LOG)).filter(|path| files::exists(path)).or_else(|| raw.cloned());
    let out = invocation.out.clone().unwrap_or_else(|| request.receipts_dir.clone());
    let written = |name: &str, on: bool| on.then(|| shown(&out.join(name)));
    Paths {
        log: log.map(|path| shown(&path)),
        summary: written("summary.md", true),
        page: written("report.html", invocation.settings.html.value),
        folder: Some(shown(&out)),
    }
}

/// The results files of a command for which nobody named any: the reader did not choose them.
fn found_reports(collected: &Collected) -> Vec<String> {
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let profile = selection.and_then(|selection| selection.dispatcher_profile.as_ref());
    let open = profile.is_some_and(|profile| {
        profile.kind.value == DispatcherKind::Command && profile.results.value.is_empty()
    });
    let files = collected.execution.iter().flat_map(|loaded| &loaded.receipt.files);
    let reports = files.filter_map(|file| file.path.as_str().strip_prefix("reports/"));
    reports.filter(|_| open).map(str::to_owned).collect()
}

/// What the integration mode, patterns and tags left out.
fn excluded(collected: &Collected) -> Vec<String> {
    let Some(selection) = collected.selection.as_ref().map(|loaded| &loaded.receipt) else {
        return Vec::new();
    };
    let by = |start: &str| {
        let fits = |excluded: &&Excluded| excluded.reason.starts_with(start);
        selection.selection.excluded.iter().filter(fits).count() as u64
    };
    let mut lines = Vec::new();
    let files = by(INTEGRATION);
    if files > 0 {
        lines.push(format!(
            "{} (`--integration-mode include` runs them)",
            many(files, "integration test file")
        ));
    }
    let files = by("exclude ");
    if files > 0 {
        lines.push(format!("{} by an `exclude` pattern", many(files, "file")));
    }
    let outside = selection.selection.excluded.iter().filter(|file| file.reason == plan::OUTSIDE);
    let outside: Vec<&str> = outside.map(|file| file.path.as_str()).collect();
    if let [first, others @ ..] = outside.as_slice() {
        let more =
            if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        let count = many(outside.len() as u64, "test file");
        let fix = "change `tests.path` to run them";
        lines.push(format!("{count} outside `tests.path`: {first}{more}; {fix}"));
    }
    let Some(profile) = &selection.dispatcher_profile else { return lines };
    let (not_run, tags) = (collected.counts.not_run, profile.exclude_tag.value.join(", "));
    // In another runner's report such a test was left out by the runner itself.
    if not_run == 0 || profile.kind.value != DispatcherKind::Pester {
        return lines;
    }
    let tests = many(not_run, "test");
    lines.push(
        match (profile.tag.value.is_empty(), selection.selection.integration_mode.as_str()) {
            (false, _) => {
                format!(
                    "{tests} by the tag filters (tag: {}; exclude-tag: {tags})",
                    profile.tag.value.join(", ")
                )
            }
            (true, "exclude") => {
                format!(
                    "{tests} tagged {tags} (`--integration-mode include` runs integration tests)"
                )
            }
            (true, _) => format!("{tests} tagged {tags}"),
        },
    );
    lines
}

/// `1 file`, `2 files`.
fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn not_run(collected: &Collected) -> Vec<(String, &'static str)> {
    let each = |entry: &Accounting| {
        let state = match entry.state {
            Accounted::NotReached => "not reached",
            Accounted::FailedToLoad => "failed to load",
            Accounted::Ran | Accounted::Unknown => return None,
        };
        Some((entry.path.to_string(), state))
    };
    // Where nothing was dispatched the reason says it all.
    let dispatched = collected.execution.iter().filter(|loaded| loaded.receipt.outcome.is_some());
    dispatched.flat_map(|loaded| loaded.receipt.accounting.iter().filter_map(each)).collect()
}

/// When each layer began and ended, by its receipt; of several legs the first begins and the last
/// ends.
fn timeline(collected: &Collected) -> Vec<Worked> {
    let of = |layer: Layer| {
        let spans = collected.spans.iter().filter(|span| span.0 == layer);
        spans.fold(None, |all: Option<(i64, i64)>, (_, from, to)| {
            Some(all.map_or((*from, *to), |(first, last)| (first.min(*from), last.max(*to))))
        })
    };
    let layers = [Layer::Route, Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute];
    let spans: Vec<(Layer, (i64, i64))> =
        layers.into_iter().filter_map(|layer| Some((layer, of(layer)?))).collect();
    let Some(begin) = spans.iter().map(|(_, (from, _))| *from).min() else { return Vec::new() };
    let ms = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    spans
        .into_iter()
        .map(|(layer, (from, to))| Worked {
            layer,
            from_ms: ms(begin, from),
            took_ms: ms(from, to),
        })
        .collect()
}

/// Our own words as they are, and what came from outside masked.
fn headline(verdict: &Verdict, mask: &dyn Fn(&str) -> String) -> String {
    let detail =
        verdict.deciding().map(|finding| format!("{}: {}", finding.code(), mask(finding.detail())));
    let detail = detail.unwrap_or_default();
    match verdict.failed_layer {
        Some(layer) => format!("{} at {layer}: {detail}", verdict.classification.as_str()),
        None => format!("{}: {detail}", verdict.classification.as_str()),
    }
}

/// The command that gives a finding again.
///
/// A failure of the tests, and what a run met on this machine, is met again by a run. What happened
/// to receipts, jobs and machines is in the evidence alone; so is what layers met that ran one by
/// one.
fn reproduce(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    collected: &Collected,
    finding: &Finding,
) -> Reproduce {
    let repeat = replay_of(world, invocation, request, collected);
    let of_tests = class_of(finding.code(), finding.layer()).0 == Classification::TestFailures;
    let of_run = !repeat.elsewhere && request.typed.is_some();
    // What the host or the commit lacks elsewhere is not lacking here.
    let of_plan = finding.layer() >= Layer::Selection;
    if finding.code().is_in_evidence_only()
        || !(of_tests || of_run || (repeat.elsewhere && of_plan))
    {
        return from_evidence(world, invocation, request, &repeat);
    }
    let failure = of_tests.then(|| failure_of(finding, &collected.failures)).flatten();
    match failure.and_then(|failure| repeat.file(failure)) {
        Some(command) => Reproduce { command, scope: Scope::Failure },
        None if of_tests => Reproduce { command: repeat.run(), scope: Scope::WholeRun },
        None => Reproduce { command: repeat.run(), scope: Scope::Failure },
    }
}

/// The failure that a finding speaks of: of several faults each has its own.
fn failure_of<'a>(finding: &Finding, failures: &'a [Failure]) -> Option<&'a Failure> {
    let fits = |failure: &&Failure| match finding.code() {
        ReasonCode::TestsFailed => !failure.errored,
        ReasonCode::TestTimedOut => failure.errored && failure.class() == Class::Timeout,
        ReasonCode::TestFileFailedToLoad => failure.not_loaded,
        _ => failure.errored,
    };
    failures.iter().find(fits).or_else(|| failures.first())
}

fn from_evidence(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    repeat: &Replay,
) -> Reproduce {
    let gate = invocation
        .gate_id
        .as_ref()
        .map(|id| format!(" --gate-id {}", quoted(&id.to_string())))
        .unwrap_or_default();
    let command = match (&invocation.facts.run, repeat.elsewhere) {
        // Where the receipts are now nobody can look; the run's artifacts can be had.
        (Some((run, _)), true) => {
            let slug =
                world.var("GITHUB_REPOSITORY").map(|slug| format!(" --repo {}", quoted(&slug)));
            let (run, slug) = (quoted(run.as_str()), slug.unwrap_or_default());
            format!(
                "gh run download {run}{slug} --pattern 'pester-*' --dir evidence; \
                 pester-gate replay evidence{gate}"
            )
        }
        _ => format!("pester-gate replay {}{gate}", quoted(&shown(&request.receipts_dir))),
    };
    Reproduce { command, scope: Scope::Evidence }
}

/// The end of the log, where the seam is at fault.
fn log_end(collected: &Collected, verdict: &Verdict) -> Vec<String> {
    use ReasonCode as C;
    if (verdict.classification, verdict.failed_layer)
        != (Classification::SeamDefect, Some(Layer::Execute))
    {
        return Vec::new();
    }
    let lines = collected.log_end.clone().unwrap_or_default();
    let lost = |f: &Finding| {
        [C::RawArtifactMissing, C::RawArtifactAltered, C::ShardMissing].contains(&f.code())
    };
    let dispatched = collected.execution.iter().all(|loaded| loaded.receipt.outcome.is_some());
    let whole = !collected.execution.is_empty() && dispatched && !verdict.findings.iter().any(lost);
    if whole && collected.log_end.as_ref().is_some_and(Vec::is_empty) {
        return vec!["(nothing was printed)".to_owned()];
    }
    lines
}

/// Whether any test ran: a leg or a receipt that is missing may have seen some.
fn tests_ran(request: &Request, collected: &Collected, verdict: &Verdict) -> TestsRan {
    if collected.counts.total > 0 {
        return TestsRan::Yes;
    }
    let outcomes =
        || collected.execution.iter().filter_map(|loaded| loaded.receipt.outcome.as_ref());
    let started = outcomes().any(|outcome| outcome.kind != "not-started");
    let missing = verdict.findings.iter().any(|finding| finding.code() == ReasonCode::ShardMissing);
    let journal = collected.inputs.iter().any(|input| input.role == "journal");
    let status = status_of_layer(request, collected, verdict, Layer::Execute);
    let silent =
        collected.execution.is_empty() && !["not reached", "skipped"].contains(&status.as_str());
    if started || missing || journal || silent {
        return TestsRan::Unknown;
    }
    TestsRan::No
}

/// The same in a report: a layer that another one stopped before it came to its turn was not
/// reached.
fn status_of_layer(
    request: &Request,
    collected: &Collected,
    verdict: &Verdict,
    layer: Layer,
) -> String {
    let before = verdict.findings.iter().any(|finding| finding.stops() && finding.layer() < layer);
    match layer_status(request, collected, layer).as_str() {
        "unknown" | "skipped" if before => "not reached".to_owned(),
        other => other.to_owned(),
    }
}

/// A layer's status, or its job's result, or `unknown`.
pub(super) fn layer_status(request: &Request, collected: &Collected, layer: Layer) -> String {
    collected.statuses.get(&layer).cloned().unwrap_or_else(|| {
        request.jobs.get(&layer).map_or("unknown", |job| job.result.as_str()).to_owned()
    })
}
