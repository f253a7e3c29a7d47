//! Whether a folder of the run, of its temporary files or of PowerShell's modules lies where a
//! service synchronises files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::host::readiness::managed_root;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let modules = around.world.var("PSModulePath").unwrap_or_default();
    let modules = std::env::split_paths(&modules)
        .filter(|path| path.is_absolute())
        .map(|path| ("modules", path));
    let temporary = ["RUNNER_TEMP", "TMPDIR", "TEMP", "TMP"]
        .into_iter()
        .filter_map(|name| around.world.var(name));
    let temporary =
        temporary.map(PathBuf::from).filter(|path| path.is_absolute()).map(|path| ("temp", path));
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (what, path) in around.folders.iter().cloned().chain(temporary).chain(modules) {
        let path = shown(&files::canonical(&path));
        let Some(service) = managed_root(&path) else { continue };
        if found.values().flatten().any(|known| known.starts_with(&format!("{path} "))) {
            continue;
        }
        found.entry(what).or_default().push(format!("{path} in {service}"));
        answer.faults.push(Fault::PathHygiene { what: what.to_owned(), path, service });
    }
    for (what, paths) in found {
        answer.fact(what, paths);
    }
    answer
}
