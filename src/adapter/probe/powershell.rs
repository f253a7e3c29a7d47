//! Which PowerShells are here, the configured one among them.

use super::{Answer, Surroundings, tool};
use crate::adapter::host::code_pages;
use crate::adapter::receipt_store::shown;
use crate::domain::verdict::reason::ReasonCode;

/// Both editions by the names of their programs.
pub(super) const EDITIONS: [&str; 2] = ["pwsh", "powershell"];

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer =
        tool::on_path(around, &around.powershell.clone(), ReasonCode::PowershellMissing);
    for edition in EDITIONS {
        let path = which::which_in(edition, around.world.path(), &around.root).ok();
        answer.fact(edition, path.map(|path| shown(&path)));
    }
    if let Some(pages) = code_pages() {
        answer.fact("codePages", pages);
    }
    answer
}
