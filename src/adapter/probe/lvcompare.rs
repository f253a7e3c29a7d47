//! LVCompare, at its one path.

use std::path::{Path, PathBuf};

use super::{Answer, Surroundings};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::host::lvcompare;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let named = around.world.var("LVCOMPARE_PATH");
    let place = lvcompare::read(named.as_deref(), |path| files::is_file(Path::new(path)));
    let path = shown(&PathBuf::from(place.path));
    answer.fact("source", place.source);
    answer.fact("path", path.clone());
    if !place.there {
        answer.faults.push(Fault::LvcompareMissing { path, nearby: place.nearby });
    }
    answer
}
