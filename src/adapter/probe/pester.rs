//! Which PowerShell and which Pester are here, asked of the script that will run the tests.

use super::{Answer, Surroundings, tool};
use crate::adapter::dispatcher::pester::{probe_answer, probe_command};
use crate::adapter::process::capture_end;
use crate::domain::fault::Fault;
use crate::domain::reason::ReasonCode;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let program = around.powershell.clone();
    let mut answer = tool::on_path(around, &program, ReasonCode::PowershellMissing);
    if !answer.faults.is_empty() {
        return answer;
    }
    let failed = |why: String| Fault::ProbeFailed { name: "pester".to_owned(), why };
    let argv = match probe_command(&program, &around.scratch) {
        Ok(argv) => argv,
        Err(error) => {
            answer.faults.push(failed(error.to_string()));
            return answer;
        }
    };
    let patience = around.timeout.as_duration().mul_f32(0.9);
    let output = match capture_end(&around.world, &argv, &around.root, patience) {
        Ok(done) => done.stdout,
        Err(end) => {
            answer.faults.push(failed(end.describe()));
            return answer;
        }
    };
    let Some(told) = probe_answer(&output) else {
        let shown: String = output.lines().next().unwrap_or("nothing").chars().take(80).collect();
        answer.faults.push(failed(format!("the script's answer cannot be read: {shown:?}")));
        return answer;
    };
    let found: Vec<String> = told.found.iter().map(|pester| pester.version.clone()).collect();
    answer.fact("powershell", told.ps);
    answer.fact("edition", told.edition);
    answer.fact("found", found.clone());
    let (least, most) = (version(&around.pester.0), around.pester.1.as_deref().map(version));
    let fits = |text: &String| {
        let version = version(text);
        version >= least && most.is_none_or(|most| version <= most) && version.0 <= NEWEST_MAJOR
    };
    if found.is_empty() {
        answer.faults.push(Fault::PesterMissing(program));
    } else if !found.iter().any(fits) {
        let most = around.pester.1.as_deref().unwrap_or("6");
        let wanted = format!("{} to {most}", around.pester.0);
        answer.faults.push(Fault::PesterVersionUnsupported { wanted, found: found.join(", ") });
    }
    answer
}

/// The newest major version that the script was tried with.
const NEWEST_MAJOR: u64 = 6;

/// A module's version: up to four numbers, missing ones are zero.
fn version(text: &str) -> (u64, u64, u64, u64) {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next(), next())
}
