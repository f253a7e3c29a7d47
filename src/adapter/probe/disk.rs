//! Free space, and room for files, on every volume that the run writes to.

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::config::quantity::Size;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    answer.fact("minFreeBytes", around.min_free.as_bytes());
    answer.fact("minFreeFiles", around.min_free_files);
    for (what, path) in &around.folders {
        let failed = |error: std::io::Error| Fault::ProbeFailed {
            name: "disk".to_owned(),
            why: format!("{}: {error}", shown(path)),
        };
        let low = |free: String, wanted: String, key: &'static str| Fault::DiskLow {
            path: shown(path),
            free,
            wanted,
            key,
        };
        match files::free_space(path) {
            Ok(free) => {
                answer.fact(&format!("{what}FreeBytes"), free);
                if free < around.min_free.as_bytes() && answer.faults.is_empty() {
                    let (free, wanted) =
                        (Size::from_bytes(free).spaced(), around.min_free.spaced());
                    answer.faults.push(low(free, wanted, "min-free"));
                }
            }
            Err(error) => answer.faults.push(failed(error)),
        }
        match files::free_files(path) {
            // This kind of volume has no such limit.
            Ok(None) => {}
            Ok(Some(free)) => {
                answer.fact(&format!("{what}FreeFiles"), free);
                if free < around.min_free_files && answer.faults.is_empty() {
                    let (free, wanted) =
                        (format!("room for {free} files"), around.min_free_files.to_string());
                    answer.faults.push(low(free, wanted, "min-free-files"));
                }
            }
            Err(error) => answer.faults.push(failed(error)),
        }
    }
    answer
}
