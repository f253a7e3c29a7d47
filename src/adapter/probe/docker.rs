//! Which Docker engine answers here.

use super::{Answer, Surroundings, tool};
use crate::adapter::process::capture_end;
use crate::domain::config::Engine;
use crate::domain::host::Said;
use crate::domain::host::docker::{self, Silence};
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::ChildEnd;
use crate::domain::verdict::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let Some(path) = tool::locate(around, "docker", ReasonCode::DockerCliMissing, &mut answer)
    else {
        return answer;
    };
    let argv = [path, "info".to_owned(), "--format".to_owned(), "{{json .}}".to_owned()];
    let said =
        match capture_end(&around.world, &argv, &around.root, around.patience(around.timeout)) {
            Ok(said) => said,
            Err(ChildEnd::TimedOut(..)) => {
                // The client waits for its engine: who does not answer is the engine.
                let why = format!("the engine did not answer within {}", around.timeout);
                answer.faults.push(Fault::Docker { code: ReasonCode::DockerUnreachable, why });
                return answer;
            }
            Err(end) => {
                answer
                    .faults
                    .push(Fault::ProbeFailed { name: "docker".to_owned(), why: end.describe() });
                return answer;
            }
        };
    answer.fact("exitCode", said.code);
    match docker::read(&Said { code: said.code, stdout: &said.stdout, stderr: &said.stderr }) {
        Ok(engine) => {
            let code = match around.engine {
                Engine::Windows if engine.os != "windows" => {
                    Some(ReasonCode::DockerEngineNotWindows)
                }
                Engine::Linux if engine.os != "linux" => Some(ReasonCode::DockerEngineNotLinux),
                _ => None,
            };
            if let Some(code) = code {
                let why = format!("the engine {} runs {} containers", engine.version, engine.os);
                answer.faults.push(Fault::Docker { code, why });
            }
            answer.fact("engine", engine.os);
            answer.fact("version", engine.version);
        }
        Err((Silence::Unreadable, line)) => {
            let why = format!("docker info exited with {} and said {line:?}", said.code);
            answer.faults.push(Fault::ProbeFailed { name: "docker".to_owned(), why });
        }
        Err((silence, why)) => {
            let code = match silence {
                Silence::AccessDenied => ReasonCode::DockerAccessDenied,
                Silence::ApiMismatch => ReasonCode::DockerApiMismatch,
                Silence::ServerError => ReasonCode::DockerServerError,
                Silence::NotRunning | Silence::Unreadable => ReasonCode::DockerUnreachable,
            };
            answer.faults.push(Fault::Docker { code, why });
        }
    }
    answer
}
