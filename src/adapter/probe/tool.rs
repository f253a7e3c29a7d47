//! A program on PATH, of a version where one is asked for.

use super::{Answer, Surroundings};
use crate::adapter::process::capture_end;
use crate::adapter::receipt_store::shown;
use crate::domain::host::readiness::{find_version, parse_range};
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::ChildEnd;
use crate::domain::verdict::reason::ReasonCode;

/// A built-in name: it only has to be there.
pub(super) fn on_path(around: &Surroundings, program: &str, missing: ReasonCode) -> Answer {
    let mut answer = Answer::default();
    locate(around, program, missing, &mut answer);
    answer
}

/// `{tool: X, version: R}`.
pub(super) fn probe(around: &Surroundings, tool: &str, range: Option<&str>) -> Answer {
    let mut answer = Answer::default();
    let Some(path) = locate(around, tool, ReasonCode::ToolMissing, &mut answer) else {
        return answer;
    };
    let Some(range) = range else { return answer };
    answer.fact("range", range);
    match version_of(around, tool, &path) {
        Ok(found) => {
            answer.fact("version", found.to_string());
            // The range was checked when the configuration was read.
            if !parse_range(range).is_ok_and(|range| range.matches(&found)) {
                answer.faults.push(Fault::ToolVersion {
                    tool: tool.to_owned(),
                    found: found.to_string(),
                    range: range.to_owned(),
                });
            }
        }
        Err(fault) => answer.faults.push(fault),
    }
    answer
}

pub(super) fn locate(
    around: &Surroundings,
    program: &str,
    missing: ReasonCode,
    answer: &mut Answer,
) -> Option<String> {
    match which::which_in(program, around.world.path(), &around.root) {
        Ok(path) => {
            answer.fact("path", shown(&path));
            Some(path.to_string_lossy().into_owned())
        }
        Err(_) => {
            answer.faults.push(Fault::ProgramMissing { code: missing, name: program.to_owned() });
            None
        }
    }
}

/// What `--version` prints, on whichever stream; asked in the root, where version files may count.
fn version_of(around: &Surroundings, tool: &str, path: &str) -> Result<semver::Version, Fault> {
    let unreadable = |why: String| Fault::ToolVersionUnreadable { tool: tool.to_owned(), why };
    let argv = [path.to_owned(), "--version".to_owned()];
    let patience = around.patience(around.timeout);
    let done =
        capture_end(&around.world, &argv, &around.root, patience).map_err(|end| match end {
            ChildEnd::TimedOut(..) => {
                Fault::ProbeTimedOut { name: tool.to_owned(), limit: around.timeout.to_string() }
            }
            end => unreadable(format!("--version: {}", end.describe())),
        })?;
    // A number in an error message is none of its versions.
    let reported = || find_version(&done.stdout).or_else(|| find_version(&done.stderr));
    (done.code == 0).then(reported).flatten().ok_or_else(|| {
        let shown: String = done
            .stdout
            .lines()
            .chain(done.stderr.lines())
            .next()
            .unwrap_or("nothing")
            .chars()
            .take(80)
            .collect();
        unreadable(format!("--version exited with {} and printed {shown:?}", done.code))
    })
}
