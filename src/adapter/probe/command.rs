//! A command of the repository's own that must exit with 0.

use super::{Answer, Surroundings};
use crate::adapter::process::capture_end;
use crate::domain::config::quantity::Span;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::ChildEnd;
use crate::domain::verdict::reason::ReasonCode;

pub(super) fn probe(
    around: &Surroundings,
    name: &str,
    command: &[String],
    timeout: Option<Span>,
) -> Answer {
    let mut answer = Answer::default();
    let limit = timeout.unwrap_or(around.timeout);
    answer.fact("command", command.to_vec());
    match capture_end(&around.world, command, &around.root, around.patience(limit)) {
        Ok(done) if done.code == 0 => answer.fact("exitCode", 0),
        Ok(done) => {
            answer.fact("exitCode", done.code);
            let said =
                done.stderr.lines().chain(done.stdout.lines()).find(|line| !line.trim().is_empty());
            let said: String = said.unwrap_or("it printed nothing").chars().take(200).collect();
            answer.faults.push(Fault::ProbeFailed {
                name: name.to_owned(),
                why: format!("exit code {}: {said}", done.code),
            });
        }
        Err(ChildEnd::NotFound) => {
            let program = command.first().cloned().unwrap_or_default();
            answer
                .faults
                .push(Fault::ProgramMissing { code: ReasonCode::ToolMissing, name: program });
        }
        Err(ChildEnd::TimedOut(..)) => {
            answer
                .faults
                .push(Fault::ProbeTimedOut { name: name.to_owned(), limit: limit.to_string() });
        }
        Err(end) => {
            answer.faults.push(Fault::ProbeFailed { name: name.to_owned(), why: end.describe() })
        }
    }
    answer
}
