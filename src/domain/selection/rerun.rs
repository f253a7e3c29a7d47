//! Repeating what failed: of the files that the rules select here, those that a bundle names. The
//! rules stay: a bundle that somebody sent makes nothing run that this checkout does not take for a
//! test.

use std::collections::BTreeSet;

use super::plan::Choice;
use crate::domain::receipt::{Excluded, SelectedFile};
use crate::domain::results::bundle::{Bundle, Scope};
use crate::domain::run::ids::{CommitSha, RelPath, RepoSlug};
use crate::domain::verdict::fault::Fault;

/// Leaves of a choice what the bundle takes up.
pub(crate) fn narrow(bundle: &Bundle, choice: &mut Choice) -> Result<(), Fault> {
    let wanted: BTreeSet<&RelPath> = match bundle.scope {
        Scope::Files => bundle.failed.files.iter().collect(),
        Scope::Plan if bundle.plan.is_empty() => return Ok(()),
        Scope::Plan => bundle.plan.iter().map(|file| &file.path).collect(),
        Scope::Nothing => {
            return Err(Fault::SelectionEmpty(format!("nothing failed in run {}", bundle.run_id)));
        }
    };
    if let Some(missing) = wanted.iter().find(|path| !choice.selected.contains(path)) {
        let left_out = choice.excluded.iter().find(|excluded| excluded.path == missing.as_str());
        let why = left_out.map_or("it is not among the tests here", |excluded| &excluded.reason);
        let why = format!("it failed in run {}; {why}", bundle.run_id);
        return Err(Fault::TestFileMissing { path: missing.to_string(), why });
    }
    let reason = format!("it did not fail in run {}", bundle.run_id);
    let (selected, others) =
        std::mem::take(&mut choice.selected).into_iter().partition(|path| wanted.contains(path));
    choice.selected = selected;
    let others: Vec<RelPath> = others;
    choice.excluded.extend(
        others.iter().map(|path| Excluded { path: path.to_string(), reason: reason.clone() }),
    );
    choice.excluded.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

/// In what this checkout is not the one that failed.
pub(crate) fn differs(
    bundle: &Bundle,
    here: Option<&CommitSha>,
    (repository, dispatcher): (Option<&RepoSlug>, &str),
    selected: &[SelectedFile],
) -> Option<Fault> {
    let changed = |file: &&SelectedFile| {
        let then = bundle.plan.iter().find(|planned| planned.path == file.path);
        then.is_some_and(|then| then.text_sha256 != file.text_sha256)
    };
    let changed: Vec<&str> =
        selected.iter().filter(changed).map(|file| file.path.as_str()).collect();
    let other = bundle.head_sha.as_ref().filter(|then| here.is_some_and(|here| here != *then));
    let commit = other.map(|then| {
        format!("it failed at {then}, this is {}", here.map_or("none", CommitSha::as_str))
    });
    let files = (!changed.is_empty())
        .then(|| format!("{} of its files were changed since: {}", changed.len(), changed[0]));
    let dirty = (bundle.dirty == Some(true))
        .then(|| "it failed in a worktree with changes that no commit holds".to_owned());
    let elsewhere =
        bundle.repository.as_ref().filter(|then| repository.is_some_and(|here| here != *then));
    let elsewhere = elsewhere.map(|then| format!("it failed in {then}"));
    let other = bundle.dispatcher.as_ref().filter(|then| then.kind != dispatcher);
    let other =
        other.map(|then| format!("its tests were run by {}, these are by {dispatcher}", then.kind));
    let all: Vec<String> = [elsewhere, commit, files, dirty, other].into_iter().flatten().collect();
    (!all.is_empty()).then(|| Fault::RerunDiffers(all.join("; ")))
}
