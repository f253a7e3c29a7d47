//! Whether a folder of the run lies where a service synchronises files.

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::fault::Fault;
use crate::domain::readiness::managed_root;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    for (what, path) in &around.folders {
        let path = shown(&files::canonical(path));
        if let Some(service) = managed_root(&path) {
            answer.fact(what, service);
            answer.faults.push(Fault::PathHygiene { what: (*what).to_owned(), path, service });
        }
    }
    answer
}
