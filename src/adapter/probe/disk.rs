//! Free space on every volume that the run writes to.

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::fault::Fault;
use crate::domain::quantity::Size;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    answer.fact("minFreeBytes", around.min_free.as_bytes());
    for (what, path) in &around.folders {
        match files::free_space(path) {
            Ok(free) => {
                answer.fact(&format!("{what}FreeBytes"), free);
                if free < around.min_free.as_bytes() && answer.faults.is_empty() {
                    answer.faults.push(Fault::DiskLow {
                        path: shown(path),
                        free: Size::from_bytes(free).to_string(),
                        wanted: around.min_free.to_string(),
                    });
                }
            }
            Err(error) => answer
                .faults
                .push(Fault::ProbeFailed { name: "disk".to_owned(), why: format!("{}: {error}", shown(path)) }),
        }
    }
    answer
}
