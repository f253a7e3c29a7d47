//! Whether somebody holds this host's lock at the moment.

use serde_json::json;

use super::{Answer, Surroundings};
use crate::domain::fault::Fault;
use crate::domain::lock::Owner;

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
            answer.fact("held", holder.is_some());
            let Some(holder) = holder else { return answer };
            answer.fact("holder", json!(holder));
            // An ancestor of ours holds it for us as well.
            if !holder.as_ref().is_some_and(|owner| lock.is_marked(&around.world, owner)) {
                let holder = Owner::describe_or_nobody(holder.as_ref());
                answer.faults.push(Fault::SessionLockHeld { group: lock.group().to_string(), holder });
            }
        }
    }
    answer
}
