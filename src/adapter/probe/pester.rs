//! Which PowerShell and which Pester are here, asked of the script that will run the tests.

use std::path::Path;

use serde_json::json;

use super::{Answer, Surroundings, powershell, tool};
use crate::adapter::dispatcher::pester::probe_command;
use crate::domain::host::Said;
use crate::domain::host::powershell::{Fit, Found, HostInfo, SHIPPED, Silence, fit, read};
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let program = around.powershell.clone();
    let mut answer = tool::on_path(around, &program, ReasonCode::PowershellMissing);
    if !answer.faults.is_empty() {
        return answer;
    }
    // The other edition informs: what is missing here may be there.
    let (own, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| ask_other(around, &program));
        (ask(around, &program, &around.scratch), other.join().ok().flatten())
    });
    let reported = match own {
        Ok(Ok(reported)) => reported,
        Ok(Err(Silence::Forbidden(line))) => {
            answer.faults.push(Fault::ExecutionPolicyForbids { program, line });
            return answer;
        }
        Ok(Err(Silence::Unreadable(line))) => {
            let shown: String = line.chars().take(80).collect();
            let why = format!("the script's answer cannot be read: {shown:?}");
            answer.faults.push(Fault::ProbeFailed { name: "pester".to_owned(), why });
            return answer;
        }
        Err(fault) => {
            answer.faults.push(fault);
            return answer;
        }
    };
    let versions =
        |found: &[Found]| found.iter().map(|pester| pester.version.clone()).collect::<Vec<_>>();
    let found = versions(&reported.found);
    answer.fact("powershell", reported.ps);
    answer.fact("edition", reported.edition);
    answer.fact("executionPolicy", reported.execution_policy);
    answer.fact("found", found.clone());
    answer
        .fact("paths", reported.found.iter().map(|pester| pester.path.clone()).collect::<Vec<_>>());
    let mut elsewhere = String::new();
    match other {
        None => {}
        Some((other, Err(why))) => {
            answer.fact("otherEdition", json!({"program": other, "why": why}))
        }
        Some((other, Ok(reported))) => {
            let there = versions(&reported.found);
            if fit(&reported.found, &around.pester.0, around.pester.1.as_deref()) == Fit::Fits {
                elsewhere = format!("; {other} has Pester {}", there.join(", "));
            }
            let facts = json!({
                "program": other, "powershell": reported.ps, "edition": reported.edition,
                "found": there,
            });
            answer.fact("otherEdition", facts);
        }
    }
    let most = around.pester.1.as_deref().unwrap_or("6");
    let unsupported = |found: String| Fault::PesterVersionUnsupported {
        wanted: format!("{} to {most}", around.pester.0),
        found: format!("{found}{elsewhere}"),
    };
    match fit(&reported.found, &around.pester.0, around.pester.1.as_deref()) {
        Fit::Fits => {}
        Fit::None => answer.faults.push(Fault::PesterMissing(format!("{program}{elsewhere}"))),
        Fit::OnlyShipped => {
            answer.faults.push(unsupported(format!("only {SHIPPED}, which Windows ships")))
        }
        Fit::OutOfRange => answer.faults.push(unsupported(found.join(", "))),
    }
    answer
}

/// Asks one PowerShell.
fn ask(
    around: &Surroundings,
    program: &str,
    scratch: &Path,
) -> Result<Result<HostInfo, Silence>, Fault> {
    let failed = |error: std::io::Error| Fault::ProbeFailed {
        name: "pester".to_owned(),
        why: error.to_string(),
    };
    let argv = probe_command(program, scratch).map_err(failed)?;
    let done = around.ask("pester", &argv)?;
    Ok(read(&Said { code: done.code, stdout: &done.stdout, stderr: &done.stderr }))
}

/// Asks the other edition, where one of the two is configured and the other is here.
fn ask_other(
    around: &Surroundings,
    program: &str,
) -> Option<(&'static str, Result<HostInfo, String>)> {
    let own = which::which_in(program, around.world.path(), &around.root).ok()?;
    let own = own.file_stem()?.to_string_lossy().to_ascii_lowercase();
    let other = powershell::EDITIONS.into_iter().find(|edition| *edition != own)?;
    powershell::EDITIONS.contains(&own.as_str()).then_some(())?;
    which::which_in(other, around.world.path(), &around.root).ok()?;
    // A script of its own: neither replaces what the other reads.
    let reported = match ask(around, other, &around.scratch.join(other)) {
        Ok(Ok(reported)) => Ok(reported),
        Ok(Err(Silence::Forbidden(line) | Silence::Unreadable(line))) => Err(line),
        Err(fault) => Err(fault.to_string()),
    };
    Some((other, reported))
}
