//! LabVIEW must not be running: it would hold the licence, the VIs and the screen that tests need.

use serde_json::json;

use super::{Answer, Surroundings};
use crate::adapter::process::named;
use crate::domain::fault::Fault;

pub(super) fn probe(_: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let Some(running) = named("LabVIEW") else {
        let why = "this host's processes cannot be listed".to_owned();
        answer.faults.push(Fault::ProbeFailed { name: "labview-idle".to_owned(), why });
        return answer;
    };
    let listed: Vec<_> = running
        .iter()
        .map(|process| {
            json!({"pid": process.pid, "startedAtUtc": process.started.map(|at| at.to_string()), "session": process.session})
        })
        .collect();
    answer.fact("processes", listed);
    if !running.is_empty() {
        let shown: Vec<String> = running
            .iter()
            .take(5)
            .map(|process| {
                let since = process.started.map(|at| format!(" since {at}")).unwrap_or_default();
                let session = process.session.map(|session| format!(" in session {session}")).unwrap_or_default();
                format!("pid {}{since}{session}", process.pid)
            })
            .collect();
        answer.faults.push(Fault::LabviewRunning(shown.join(", ")));
    }
    answer
}
