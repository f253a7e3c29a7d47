//! Whether a folder of the run, of its temporary files or of PowerShell's modules lies where a service
//! synchronises files.

use std::path::PathBuf;

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::fault::Fault;
use crate::domain::readiness::managed_root;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let modules = around.world.var("PSModulePath").unwrap_or_default();
    let modules = std::env::split_paths(&modules).filter(|path| path.is_absolute()).map(|path| ("modules", path));
    let temporary = ["RUNNER_TEMP", "TMPDIR", "TEMP", "TMP"].into_iter().filter_map(|name| around.world.var(name));
    let temporary = temporary.map(PathBuf::from).filter(|path| path.is_absolute()).map(|path| ("temp", path));
    let mut seen = Vec::new();
    for (what, path) in around.folders.iter().cloned().chain(temporary).chain(modules) {
        let path = shown(&files::canonical(&path));
        if let Some(service) = managed_root(&path)
            && !seen.contains(&path)
        {
            answer.fact(what, service);
            seen.push(path.clone());
            answer.faults.push(Fault::PathHygiene { what: what.to_owned(), path, service });
        }
    }
    answer
}
