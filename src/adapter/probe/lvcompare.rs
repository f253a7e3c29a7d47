//! LVCompare, at its one path: that of 32-bit programs is never taken in its stead.

use std::path::PathBuf;

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::fault::Fault;

const PATH: &str = r"C:\Program Files\National Instruments\Shared\LabVIEW Compare\LVCompare.exe";
const OF_32_BITS: &str = r"C:\Program Files (x86)\National Instruments\Shared\LabVIEW Compare\LVCompare.exe";

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let named = around.world.var("LVCOMPARE_PATH");
    answer.fact("source", if named.is_some() { "LVCOMPARE_PATH" } else { "default" });
    let path = PathBuf::from(named.unwrap_or_else(|| PATH.to_owned()));
    answer.fact("path", shown(&path));
    if !files::is_file(&path) {
        let beside =
            if files::is_file(&PathBuf::from(OF_32_BITS)) { "; the 32-bit one is there and will not do" } else { "" };
        answer.faults.push(Fault::LvcompareMissing { path: shown(&path), beside });
    }
    answer
}
