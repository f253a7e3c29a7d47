//! Whether somebody holds this host's lock at the moment.

use serde_json::json;

use super::{Answer, Surroundings};
use crate::domain::host::lock::Holder;
use crate::domain::verdict::fault::Fault;

pub(super) fn probe(around: &Surroundings) -> Answer {
    let mut answer = Answer::default();
    let inspected = around.lock.as_ref().map_err(Clone::clone).and_then(|lock| {
        let holder = lock.inspect(&around.world).map_err(|error| error.to_string())?;
        Ok((lock, holder))
    });
    match inspected {
        Err(why) => answer.faults.push(Fault::LockUnusable(why)),
        Ok((lock, holder)) => {
            answer.fact("group", lock.group().to_string());
            answer.fact("held", holder != Holder::Nobody);
            match &holder {
                Holder::Nobody => return answer,
                Holder::Unknown => {}
                Holder::Known(owner) => {
                    answer.fact("holder", json!(owner));
                    // An ancestor of ours holds it for us as well.
                    if lock.is_marked(&around.world, owner) {
                        return answer;
                    }
                }
            }
            let (group, holder) = (lock.group().to_string(), holder.describe());
            answer.faults.push(Fault::SessionLockHeld { group, holder });
        }
    }
    answer
}
