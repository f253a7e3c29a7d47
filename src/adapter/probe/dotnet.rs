//! Which .NET SDK this repository gets on this host.

use super::{Answer, Surroundings, tool};
use crate::adapter::process::capture_end;
use crate::domain::fault::Fault;
use crate::domain::host::Said;
use crate::domain::host::dotnet::{self, Sdk};
use crate::domain::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let Some(path) = tool::locate(around, "dotnet", ReasonCode::DotnetMissing, &mut answer) else { return answer };
    let failed = |why: String| Fault::ProbeFailed { name: "dotnet".to_owned(), why };
    // In the root, where global.json counts; both within the probe's own limit.
    let ask = |option: &str| {
        let patience = around.timeout.as_duration().mul_f32(0.45);
        let said = capture_end(&around.world, &[path.clone(), option.to_owned()], &around.root, patience);
        said.map_err(|end| failed(format!("dotnet {option}: {}", end.describe())))
    };
    let (sdks, version) = match ask("--list-sdks").and_then(|sdks| Ok((sdks, ask("--version")?))) {
        Ok(told) => told,
        Err(fault) => {
            answer.faults.push(fault);
            return answer;
        }
    };
    if sdks.code != 0 {
        let said = Said { code: sdks.code, stdout: &sdks.stdout, stderr: &sdks.stderr };
        answer.faults.push(failed(format!(
            "dotnet --list-sdks exited with {} and said {:?}",
            sdks.code,
            said.first_line()
        )));
        return answer;
    }
    let installed = dotnet::installed(&sdks.stdout);
    answer.fact("installed", installed.clone());
    let said = Said { code: version.code, stdout: &version.stdout, stderr: &version.stderr };
    match dotnet::read(&said, &installed) {
        Sdk::Chosen(chosen) => answer.fact("version", chosen),
        Sdk::None => answer.faults.push(Fault::DotnetSdkMissing("no SDK is installed, only runtimes".to_owned())),
        Sdk::Unmet(line) => {
            let there = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
            answer.faults.push(Fault::DotnetSdkMissing(format!("{line} (installed: {there})")));
        }
        Sdk::Unreadable(line) => {
            answer.faults.push(failed(format!("dotnet --version exited with {} and said {line:?}", version.code)));
        }
    }
    answer
}
