//! The replay bundle of a run: what failed, and how exactly that is run again elsewhere.

use std::collections::BTreeSet;

use super::Request;
use super::collect::Collected;
use super::run_report::pack_of;
use crate::adapter::world::World;
use crate::domain::config::sourced::Source;
use crate::domain::receipt::{Accounted, Classification, RerunOf};
use crate::domain::results::bundle::{
    self, Bundle, Command, Dispatcher, Failed, FailedTest, PlannedFile, Scope,
};
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::classify::{Verdict, class_of};
use crate::domain::verdict::fault::Finding;
use crate::domain::verdict::reason::ReasonCode;
use crate::layer::invocation::{self, Identity, Invocation};
use crate::report::again::Replay;
use crate::report::quote::{for_posix, for_powershell};

/// Makes the bundle.
pub(super) fn bundle(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    identity: &Identity,
    collected: &Collected,
    verdict: &Verdict,
    repeat: &Replay,
) -> Bundle {
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let profile = selection.and_then(|selection| selection.dispatcher_profile.as_ref());
    let executions = || collected.execution.iter().map(|loaded| &loaded.receipt);
    let plan: Vec<PlannedFile> = selection
        .iter()
        .flat_map(|selection| &selection.selection.files)
        .map(|file| PlannedFile { path: file.path.clone(), text_sha256: file.text_sha256.clone() })
        .collect();
    let (scope, files) = failed_files(collected, verdict, &plan, repeat);
    let tests = collected.failures.iter().map(|failure| FailedTest {
        name: failure.name.clone(),
        file: repeat.file_of(failure),
        line: failure.begins,
        class: failure.class().as_str().to_owned(),
        signature: failure.signature(),
        command: repeat
            .file_of(failure)
            .map(|file| command(["pester-gate", "run", "--root", ".", "--file", &file])),
    });
    let mut environment: Vec<String> =
        executions().flat_map(|receipt| receipt.environment.iter().flatten().cloned()).collect();
    environment.sort();
    environment.dedup();
    let run_id = identity.run.0.to_string();
    let on_github = !run_id.is_empty() && run_id.bytes().all(|byte| byte.is_ascii_digit());
    let kind = profile.and_then(|profile| {
        Some(serde_json::to_value(profile.kind.value).ok()?.as_str()?.to_owned())
    });
    let hosts: BTreeSet<String> =
        executions().map(|r| format!("{} {}", r.host.os, r.host.arch)).collect();
    Bundle {
        schema: bundle::SCHEMA.to_owned(),
        generated_at_utc: world.now(),
        repository: identity.repository.clone(),
        head_sha: identity.head_sha.clone(),
        dirty: collected.context.as_ref().and_then(|context| context.receipt.worktree.dirty),
        run_id: identity.run.0.clone(),
        run_attempt: identity.run.1,
        tool: invocation::tool(),
        hosts: hosts.into_iter().collect(),
        classification: verdict.classification,
        reason: verdict.findings.first().map_or_else(
            || crate::domain::verdict::reason::ReasonCode::LayerNotReported.into(),
            |finding| finding.code().into(),
        ),
        pack: pack_of(invocation, request, collected),
        profile: profile.map(|profile| profile.name.value.clone()),
        integration_mode: selection
            .map(|s| s.selection.integration_mode.clone())
            .filter(|mode| !mode.is_empty()),
        dispatcher: kind.zip(profile).map(|(kind, profile)| Dispatcher {
            kind,
            typed: matches!(profile.command.source, Source::Flag(_))
                && !profile.command.value.is_empty(),
        }),
        plan_sha256: selection.and_then(|selection| selection.plan_sha256.clone()),
        plan,
        shards: executions().filter_map(|receipt| receipt.shard.clone()).collect(),
        environment,
        scope,
        failed: Failed { files, tests: tests.collect(), layer: verdict.failed_layer },
        rerun: command(["pester-gate", "run", "--root", ".", "--rerun-from", bundle::FILE]),
        rerun_on_github: on_github.then(|| command(["gh", "run", "rerun", &run_id, "--failed"])),
        rerun_of: selection
            .and_then(|selection| Some(RerunOf { path: None, ..selection.rerun_of.clone()? })),
    }
}

/// What a rerun takes up: the files that failed where every failure is a file's, else the plan.
fn failed_files(
    collected: &Collected,
    verdict: &Verdict,
    plan: &[PlannedFile],
    repeat: &Replay,
) -> (Scope, Vec<RelPath>) {
    if verdict.classification == Classification::Completed {
        return (Scope::Nothing, Vec::new());
    }
    let planned = |path: &str| {
        plan.iter().find(|file| file.path.as_str() == path).map(|file| file.path.clone())
    };
    let mut files: BTreeSet<RelPath> = BTreeSet::new();
    let mut nowhere = collected.execution.is_empty();
    for failure in &collected.failures {
        match repeat.file_of(failure).and_then(|file| planned(&file)) {
            Some(file) => drop(files.insert(file)),
            None => nowhere = true,
        }
    }
    for entry in collected.execution.iter().flat_map(|loaded| &loaded.receipt.accounting) {
        if matches!(entry.state, Accounted::FailedToLoad | Accounted::NotReached) {
            files.insert(entry.path.clone());
        }
    }
    // More failed than is told of, or what stops the gate is not only that tests failed or were not
    // reached.
    nowhere |= collected.counts.failures() > collected.failures.len() as u64;
    let accounting = || collected.execution.iter().flat_map(|loaded| &loaded.receipt.accounting);
    let all_known = accounting().all(|entry| entry.state != Accounted::Unknown);
    let of_files = |finding: &Finding| match finding.code() {
        code if class_of(code, finding.layer()).0 == Classification::TestFailures => true,
        ReasonCode::DispatcherTimedOut | ReasonCode::RunCancelled => all_known,
        _ => false,
    };
    nowhere |=
        verdict.findings.iter().filter(|finding| finding.stops()).any(|finding| !of_files(finding));
    match (nowhere, files.is_empty()) {
        (false, false) => (Scope::Files, files.into_iter().collect()),
        _ => (Scope::Plan, files.into_iter().collect()),
    }
}

fn command<const N: usize>(argv: [&str; N]) -> Command {
    let line = |quoted: fn(&str) -> String| {
        argv.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ")
    };
    Command {
        posix: line(for_posix),
        powershell: line(for_powershell),
        argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_for_each_platform() {
        let reported = command(["gate", "a b", "it's", "$(x)"]);
        assert_eq!(reported.posix, r"gate 'a b' 'it'\''s' '$(x)'");
        assert_eq!(reported.powershell, "gate 'a b' 'it''s' '$(x)'");
        assert_eq!(reported.argv[2], "it's");
    }
}
