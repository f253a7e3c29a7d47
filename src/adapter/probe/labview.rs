//! LabVIEW must not be running: it would hold the licence, the VIs and the screen that tests need.

use serde_json::json;

use super::{Answer, Surroundings};
use crate::adapter::process::named;
use crate::domain::host::labview;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(_: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let listed = named("LabVIEW");
    if let Some(running) = &listed {
        let each = |process: &labview::Running| {
            let started = process.started.map(|at| at.to_string());
            json!({"pid": process.pid, "startedAtUtc": started, "session": process.session})
        };
        answer.fact("processes", running.iter().map(each).collect::<Vec<_>>());
    }
    match labview::read(listed.as_deref()) {
        Ok(None) => {}
        Ok(Some(who)) => answer.faults.push(Fault::LabviewRunning(who)),
        Err(why) => {
            answer
                .faults
                .push(Fault::ProbeFailed { name: "labview-idle".to_owned(), why: why.to_owned() });
        }
    }
    answer
}
