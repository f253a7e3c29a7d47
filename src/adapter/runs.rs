//! The runs below the state folder: a record for each, a lock while it is in progress, and their
//! removal by rule.
//!
//! Records lie beside the folders of the runs, so that evidence holds nothing but evidence.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::run::retention::{Aged, surplus};

/// The folder of the runs, and that of their records.
pub(crate) const RUNS: &str = "runs";
const RECORDS: &str = "run-records";

/// What is known of a run beside its evidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// By what its repository is known again.
    repository: String,
    /// The checkout's root.
    root: String,
    /// When it began.
    started_at_utc: Timestamp,
    /// Whether it is never removed.
    keep: bool,
}

/// A run that is in progress as long as this is held.
pub(crate) struct InProgress {
    _locked: Option<File>,
}

/// A run on disk.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The name of its folder: its id, with a number where there are several.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Its repository.
    pub(crate) repository: String,
    /// The root of its checkout.
    pub(crate) root: String,
    /// When it began.
    pub(crate) started: Timestamp,
    /// What its files take, in bytes.
    pub(crate) bytes: u64,
    /// Whether somebody asked to keep it.
    pub(crate) keep: bool,
    /// Whether it is in progress.
    pub(crate) running: bool,
}

fn record_path(state: &Path, name: &str) -> PathBuf {
    state.join(RECORDS).join(format!("{name}.json"))
}

fn lock_path(state: &Path, name: &str) -> PathBuf {
    state.join(RECORDS).join(format!("{name}.lock"))
}

/// Records a run that begins. That it cannot be recorded keeps no run from running.
pub(crate) fn begin(
    world: &World,
    state: &Path,
    name: &str,
    repository: &str,
    root: &str,
    keep: bool,
) -> InProgress {
    let (repository, root) = (repository.to_owned(), root.to_owned());
    let record = Record { repository, root, started_at_utc: world.now(), keep };
    let begun = || -> io::Result<File> {
        files::make_dir(&state.join(RECORDS))?;
        files::write_private(&record_path(state, name), &serde_json::to_vec(&record)?)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock_path(state, name))?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(file)
    };
    let locked = begun().map_err(|error| tracing::warn!("the run is not recorded: {error}")).ok();
    InProgress { _locked: locked }
}

/// Whether a run is in progress: its lock ends with its process.
fn is_running(state: &Path, name: &str) -> bool {
    let path = lock_path(state, name);
    files::exists(&path)
        && OpenOptions::new().write(true).open(&path).is_ok_and(|file| file.try_lock().is_err())
}

/// Every run, the newest first.
pub(crate) fn all(state: &Path) -> Vec<Run> {
    let runs = state.join(RUNS);
    // Nothing is listed or removed through a link.
    if !files::is_plain_dir(&runs) || !files::is_plain_dir(&state.join(RECORDS)) {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir(runs) else { return Vec::new() };
    let mut runs: Vec<Run> = entries.filter_map(|entry| one(state, &entry.ok()?.path())).collect();
    runs.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.name.cmp(&a.name)));
    runs
}

/// A folder that has a record. Any other is not ours to list, and never ours to remove.
fn one(state: &Path, folder: &Path) -> Option<Run> {
    let name = folder.file_name()?.to_str()?.to_owned();
    if !files::is_plain_dir(folder) {
        return None;
    }
    let bytes = files::read_bounded(&record_path(state, &name)).ok()?;
    let record: Record = serde_json::from_slice(&bytes).ok()?;
    Some(Run {
        repository: record.repository,
        root: record.root,
        started: record.started_at_utc,
        keep: record.keep,
        running: is_running(state, &name),
        bytes: size(folder),
        folder: folder.to_owned(),
        name,
    })
}

fn size(folder: &Path) -> u64 {
    let entries =
        walkdir::WalkDir::new(folder).follow_links(false).into_iter().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(|meta| meta.is_file())
        .map(|meta| meta.len())
        .sum()
}

/// Removes what the rule removes; returns it. A folder that cannot be removed stays, and is said.
pub(crate) fn prune(world: &World, state: &Path) -> Vec<Run> {
    let runs = all(state);
    let now = world.now();
    let aged: Vec<Aged> = runs
        .iter()
        .map(|run| Aged {
            repository: run.repository.clone(),
            age: Duration::try_from(now.duration_since(run.started)).unwrap_or_default(),
            bytes: run.bytes,
            stays: run.keep || run.running,
        })
        .collect();
    surplus(&aged).into_iter().map(|at| runs[at].clone()).filter(|run| remove(state, run)).collect()
}

fn remove(state: &Path, run: &Run) -> bool {
    if let Err(error) = std::fs::remove_dir_all(&run.folder) {
        tracing::warn!("{} could not be removed: {error}", run.folder.display());
        return false;
    }
    for path in [record_path(state, &run.name), lock_path(state, &run.name)] {
        // Another run may have removed it.
        let _ = files::remove(&path);
    }
    true
}

/// The run that a word names: `last` (of this repository, where it has one), an id or its
/// beginning, or a folder.
pub(crate) fn named(
    world: &World,
    state: &Path,
    repository: &str,
    word: &str,
) -> Result<PathBuf, String> {
    let runs = all(state);
    if word == "last" {
        let own = runs.iter().find(|run| run.repository == repository).or(runs.first());
        return own.map(|run| run.folder.clone()).ok_or_else(|| "there is no run yet".to_owned());
    }
    let begins =
        |run: &&Run| run.name.starts_with(word) || run.name.starts_with(&format!("local-{word}"));
    let exact = runs.iter().find(|run| run.name == word);
    let fitting: Vec<&Run> = runs.iter().filter(begins).collect();
    match (exact, fitting.as_slice()) {
        (Some(run), _) => Ok(run.folder.clone()),
        (None, [run]) => Ok(run.folder.clone()),
        (None, []) => {
            let folder = world.absolute(word);
            match files::is_dir(&folder) {
                true => Ok(files::canonical(&folder)),
                false => Err(format!(
                    "no run and no folder is called {word:?}; `pester-gate runs` lists the runs \
                     (older ones are removed by rule)"
                )),
            }
        }
        (None, several) => {
            Err(format!("{} runs begin with {word:?}; type more of the id", several.len()))
        }
    }
}
