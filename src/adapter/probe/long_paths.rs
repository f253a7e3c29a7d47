//! Whether this host takes paths over 260 characters.

use super::{Answer, Surroundings};
use crate::adapter::host::long_paths_value;
use crate::domain::host::Said;
use crate::domain::host::long_paths::{self, LongPaths};
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let Some(registry) = long_paths_value() else {
        answer.fact("limit", "none: only Windows has it");
        return answer;
    };
    answer.fact("longPathsEnabled", registry.as_ref().ok().copied().flatten());
    let git = which::which_in("git", around.world.path(), &around.root).ok().map(|git| {
        let words = ["config", "--type=bool", "--get", "core.longpaths"];
        let argv: Vec<String> = std::iter::once(git.to_string_lossy().into_owned())
            .chain(words.map(str::to_owned))
            .collect();
        around.ask("long-paths", &argv)
    });
    let failed = |why: String| Fault::ProbeFailed { name: "long-paths".to_owned(), why };
    let git = match git.transpose() {
        Ok(git) => git,
        Err(fault) => {
            answer.faults.push(fault);
            return answer;
        }
    };
    let said = git.as_ref().map(|said| Said {
        code: said.code,
        stdout: &said.stdout,
        stderr: &said.stderr,
    });
    match long_paths::read(registry, said.as_ref()) {
        LongPaths::Enabled => {}
        LongPaths::Disabled(who) => answer.faults.push(Fault::LongPathsDisabled(who)),
        LongPaths::Unreadable(why) => answer.faults.push(failed(why)),
    }
    answer
}
