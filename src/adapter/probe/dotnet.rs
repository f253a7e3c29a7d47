//! Which .NET SDK this repository gets on this host.

use super::{Answer, Surroundings, tool};
use crate::domain::host::Said;
use crate::domain::host::dotnet::{self, Sdk};
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let Some(path) = tool::locate(around, "dotnet", ReasonCode::DotnetMissing, &mut answer) else {
        return answer;
    };
    let failed = |why: String| Fault::ProbeFailed { name: "dotnet".to_owned(), why };
    // In the root, where global.json counts; at once, so that both are within the probe's limit.
    let ask = |option: &str| around.ask("dotnet", &[path.clone(), option.to_owned()]);
    let (sdks, version) = std::thread::scope(|scope| {
        let sdks = scope.spawn(|| ask("--list-sdks"));
        let version = ask("--version");
        let sdks =
            sdks.join().unwrap_or_else(|_| Err(failed("the probe itself failed".to_owned())));
        (sdks, version)
    });
    let (sdks, version) = match sdks.and_then(|sdks| Ok((sdks, version?))) {
        Ok(reported) => reported,
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
        Sdk::None => answer
            .faults
            .push(Fault::DotnetSdkMissing("no SDK is installed, only runtimes".to_owned())),
        Sdk::Unmet(line) => {
            let there = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
            answer.faults.push(Fault::DotnetSdkMissing(format!("{line} (installed: {there})")));
        }
        Sdk::Unreadable(line) => {
            answer.faults.push(failed(format!(
                "dotnet --version exited with {} and said {line:?}",
                version.code
            )));
        }
    }
    answer
}
