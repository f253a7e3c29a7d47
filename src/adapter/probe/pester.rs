//! Which PowerShell and which Pester are here, asked of the script that will run the tests.

use serde_json::json;

use super::{Answer, Surroundings, powershell, tool};
use crate::adapter::dispatcher::pester::probe_command;
use crate::adapter::process::capture_end;
use crate::domain::fault::Fault;
use crate::domain::host::Said;
use crate::domain::host::powershell::{Fit, Found, SHIPPED, Silence, Told, fit, read};
use crate::domain::outcome::ChildEnd;
use crate::domain::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let program = around.powershell.clone();
    let mut answer = tool::on_path(around, &program, ReasonCode::PowershellMissing);
    if !answer.faults.is_empty() {
        return answer;
    }
    // The other edition informs: what is missing here may be there.
    let (own, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| ask_other(around, &program));
        (ask(around, &program), other.join().ok().flatten())
    });
    let failed = |why: String| Fault::ProbeFailed { name: "pester".to_owned(), why };
    let told = match own {
        Ok(Ok(told)) => told,
        Ok(Err(Silence::Forbidden(line))) => {
            answer.faults.push(Fault::ExecutionPolicyForbids { program, line });
            return answer;
        }
        Ok(Err(Silence::Unreadable(line))) => {
            let shown: String = line.chars().take(80).collect();
            answer.faults.push(failed(format!("the script's answer cannot be read: {shown:?}")));
            return answer;
        }
        Err(why) => {
            answer.faults.push(failed(why));
            return answer;
        }
    };
    let versions = |found: &[Found]| found.iter().map(|pester| pester.version.clone()).collect::<Vec<_>>();
    let found = versions(&told.found);
    answer.fact("powershell", told.ps);
    answer.fact("edition", told.edition);
    answer.fact("executionPolicy", told.execution_policy);
    answer.fact("found", found.clone());
    answer.fact("paths", told.found.iter().map(|pester| pester.path.clone()).collect::<Vec<_>>());
    let mut elsewhere = String::new();
    if let Some((other, told)) = other {
        let there = versions(&told.found);
        if fit(&told.found, &around.pester.0, around.pester.1.as_deref()) == Fit::Fits {
            elsewhere = format!("; {other} has {}", there.join(", "));
        }
        let facts = json!({"program": other, "powershell": told.ps, "edition": told.edition, "found": there});
        answer.fact("otherEdition", facts);
    }
    let most = around.pester.1.as_deref().unwrap_or("6");
    let unsupported = |found: String| Fault::PesterVersionUnsupported {
        wanted: format!("{} to {most}", around.pester.0),
        found: format!("{found}{elsewhere}"),
    };
    match fit(&told.found, &around.pester.0, around.pester.1.as_deref()) {
        Fit::Fits => {}
        Fit::None => answer.faults.push(Fault::PesterMissing(format!("{program}{elsewhere}"))),
        Fit::OnlyShipped => answer.faults.push(unsupported(format!("only {SHIPPED}, which Windows ships"))),
        Fit::OutOfRange => answer.faults.push(unsupported(found.join(", "))),
    }
    answer
}

/// Asks one PowerShell.
fn ask(around: &Surroundings, program: &str) -> Result<Result<Told, Silence>, String> {
    let argv = probe_command(program, &around.scratch).map_err(|error| error.to_string())?;
    let patience = around.timeout.as_duration().mul_f32(0.9);
    let done = capture_end(&around.world, &argv, &around.root, patience).map_err(|end: ChildEnd| end.describe())?;
    Ok(read(&Said { code: done.code, stdout: &done.stdout, stderr: &done.stderr }))
}

/// Asks the other edition, where one of the two is configured and the other is here.
fn ask_other(around: &Surroundings, program: &str) -> Option<(&'static str, Told)> {
    let own = which::which_in(program, around.world.path(), &around.root).ok()?;
    let own = own.file_stem()?.to_string_lossy().to_ascii_lowercase();
    let other = powershell::EDITIONS.into_iter().find(|edition| *edition != own)?;
    powershell::EDITIONS.contains(&own.as_str()).then_some(())?;
    which::which_in(other, around.world.path(), &around.root).ok()?;
    Some((other, ask(around, other).ok()?.ok()?))
}
