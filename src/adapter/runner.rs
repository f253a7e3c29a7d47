//! The GitHub Actions runner: what it tells us (`GITHUB_*`, the event) and what we tell it
//! (outputs, summary).

use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde_json::Value;

use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::receipt::Run;
use crate::domain::run::ids::{CommitSha, RepoSlug, RunId};
use crate::domain::verdict::fault::Fault;

/// What flags say over the runner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--event`.
    pub(crate) event: Option<PathBuf>,
    /// `--event-name`.
    pub(crate) event_name: Option<String>,
    /// `--head-sha`.
    pub(crate) head_sha: Option<CommitSha>,
}

/// What is known of the run before any receipt is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Run and attempt, under Actions.
    pub(crate) run: Option<(RunId, u32)>,
    /// `GITHUB_WORKFLOW`.
    pub(crate) workflow: Option<String>,
    /// `GITHUB_JOB`.
    pub(crate) job: Option<String>,
    /// The event's name.
    pub(crate) event_name: Option<String>,
    /// The commit under test.
    pub(crate) head_sha: Option<CommitSha>,
    /// Its branch.
    pub(crate) head_ref: Option<String>,
    /// The branch it goes to.
    pub(crate) base_ref: Option<String>,
    /// The event's payload, as it is.
    pub(crate) event: Option<Value>,
    /// The repository that the event speaks of.
    pub(crate) event_repository: Option<RepoSlug>,
    /// `GITHUB_REPOSITORY`.
    pub(crate) repository: Option<RepoSlug>,
    /// What could not be read.
    pub(crate) faults: Vec<Fault>,
}

impl Facts {
    /// As it stands in a receipt.
    pub(crate) fn run_record(&self, run: (RunId, u32), head_sha: Option<CommitSha>) -> Run {
        Run {
            run_id: run.0,
            run_attempt: run.1,
            gate_id: None,
            workflow: self.workflow.clone(),
            job: self.job.clone(),
            event_name: self.event_name.clone(),
            head_sha,
            head_ref: self.head_ref.clone(),
            base_ref: self.base_ref.clone(),
            sample_id: None,
            correlation_id: None,
        }
    }
}

/// Gathers the facts. A `GITHUB_*` value that cannot be what it should be is a fault, not absent.
pub(crate) fn facts(world: &World, overrides: &Overrides) -> Facts {
    let mut faults = Vec::new();
    let run = keep(&mut faults, parsed::<RunId>(world, "GITHUB_RUN_ID")).flatten();
    let attempt = keep(&mut faults, parsed::<NonZeroU32>(world, "GITHUB_RUN_ATTEMPT")).flatten();
    let repository = keep(&mut faults, parsed::<RepoSlug>(world, "GITHUB_REPOSITORY")).flatten();
    let event_name = overrides.event_name.clone().or_else(|| world.var("GITHUB_EVENT_NAME"));
    let event = keep(&mut faults, read_event(world, overrides.event.as_deref())).flatten();
    let head_sha =
        keep(&mut faults, head_sha(world, overrides, event_name.as_deref(), event.as_ref()))
            .flatten();
    let text =
        |pointer: &str| event.as_ref().and_then(|e| Some(e.pointer(pointer)?.as_str()?.to_owned()));
    let head_ref = text("/pull_request/head/ref").or_else(|| world.var("GITHUB_HEAD_REF"));
    Facts {
        run: run.map(|run| (run, attempt.map_or(1, NonZeroU32::get))),
        workflow: world.var("GITHUB_WORKFLOW"),
        job: world.var("GITHUB_JOB"),
        head_sha,
        head_ref: head_ref.or_else(|| world.var("GITHUB_REF_NAME")),
        base_ref: text("/pull_request/base/ref").or_else(|| world.var("GITHUB_BASE_REF")),
        event_repository: text("/repository/full_name").and_then(|text| text.parse().ok()),
        event_name,
        repository,
        faults,
        event,
    }
}

fn keep<T>(faults: &mut Vec<Fault>, result: Result<T, Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

fn parsed<T>(world: &World, name: &str) -> Result<Option<T>, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    world.var(name).map(|text| text.parse()).transpose().map_err(|error| invalid(name, &error))
}

fn invalid(name: &str, why: &dyn std::fmt::Display) -> Fault {
    Fault::ConfigurationInvalid(format!("environment variable {name}: {why}"))
}

fn read_event(world: &World, flag: Option<&Path>) -> Result<Option<Value>, Fault> {
    let Some(path) =
        flag.map(Path::to_owned).or_else(|| world.var("GITHUB_EVENT_PATH").map(PathBuf::from))
    else {
        return Ok(None);
    };
    let path = world.absolute(path);
    let malformed = |why: String| Fault::EventMalformed(format!("event {}: {why}", shown(&path)));
    let bytes = files::read_bounded(&path).map_err(|error| malformed(error.to_string()))?;
    let event: Value =
        serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
            .map_err(|error| malformed(error.to_string()))?;
    if event.is_object() {
        Ok(Some(event))
    } else {
        Err(malformed("it is not a JSON object".to_owned()))
    }
}

/// The commit under test. Under `pull_request_target` that is the pull request's head and never
/// `GITHUB_SHA`, which is the base branch's there.
fn head_sha(
    world: &World,
    overrides: &Overrides,
    event_name: Option<&str>,
    event: Option<&Value>,
) -> Result<Option<CommitSha>, Fault> {
    if let Some(sha) = &overrides.head_sha {
        return Ok(Some(sha.clone()));
    }
    let of_event = event.and_then(|event| event.pointer("/pull_request/head/sha")?.as_str());
    if event_name == Some("pull_request_target") || (event_name.is_none() && of_event.is_some()) {
        let text = of_event.ok_or_else(|| {
            Fault::EventMalformed(
                "the pull_request_target event has no pull_request.head.sha".to_owned(),
            )
        })?;
        return text
            .parse()
            .map(Some)
            .map_err(|error| Fault::EventMalformed(format!("pull_request.head.sha: {error}")));
    }
    parsed(world, "GITHUB_SHA")
}

/// Where GitHub's API is: `GITHUB_API_URL`, which differs on GitHub Enterprise Server.
pub(crate) fn api(world: &World) -> Result<Url, Fault> {
    let text = world.var("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
    let wrong = |why: &str| invalid("GITHUB_API_URL", &why);
    let mut url: Url = text.trim().parse().map_err(|_| wrong("it is no address"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(wrong("it must begin with https:// (or http://)"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must hold no credentials"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must end with its path"));
    }
    // Relative addresses are below it, not beside it.
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Sets step outputs, where the runner takes any. The delimiter is random and checked against the
/// value, so that no value can end itself early and set another output.
pub(crate) fn set_outputs(world: &World, outputs: &[(&str, String)]) -> Result<(), Fault> {
    let Some(path) = world.var("GITHUB_OUTPUT") else { return Ok(()) };
    let mut text = String::new();
    for (name, value) in outputs {
        let mut delimiter = format!("pester_gate_{}", world.new_local_run());
        while value.contains(&delimiter) {
            delimiter = format!("pester_gate_{}", world.new_local_run());
        }
        text.push_str(&format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
    }
    write_file_command(&path, "GITHUB_OUTPUT", &text)
}

/// Adds a folder to the PATH of the next steps of the job.
pub(crate) fn add_path(world: &World, folder: &Path) -> Result<(), Fault> {
    let Some(path) = world.var("GITHUB_PATH") else { return Ok(()) };
    let folder = folder.to_string_lossy();
    if folder.contains(['\r', '\n']) {
        let why = "a folder for GITHUB_PATH holds a line end".to_owned();
        return Err(Fault::OutputUnwritable(why));
    }
    write_file_command(&path, "GITHUB_PATH", &format!("{folder}\n"))
}

/// Adds to the job summary, where there is one. More than 1 MiB would be dropped whole.
pub(crate) fn add_summary(world: &World, markdown: &str) -> Result<(), Fault> {
    const LIMIT: usize = 1000 << 10;
    let Some(path) = world.var("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let mut cut = markdown.len().min(LIMIT);
    while !markdown.is_char_boundary(cut) {
        cut -= 1;
    }
    write_file_command(&path, "GITHUB_STEP_SUMMARY", &markdown[..cut])
}

fn write_file_command(path: &str, name: &str, text: &str) -> Result<(), Fault> {
    files::append(Path::new(path), text)
        .map_err(|error: io::Error| Fault::OutputUnwritable(format!("{name} ({path}): {error}")))
}
