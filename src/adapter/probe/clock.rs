//! This host's clock against that of the host where context was settled.

use jiff::Timestamp;

use super::{Answer, Surroundings};
use crate::domain::run::freshness;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings, context: Timestamp) -> Answer {
    let mut answer = Answer::default();
    let age = around.world.now().as_second() - context.as_second();
    answer.fact("contextAgeSeconds", age);
    if let Some(behind_seconds) = freshness::behind(context, around.world.now()) {
        answer.faults.push(Fault::ClockSkew { behind_seconds });
    }
    answer
}
