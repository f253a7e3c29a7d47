//! `lock`: who holds this host, holding it for a command, and asking one's own holder to end.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::lock::{Attempt, Lock, Purpose, Released, place, run};
use crate::adapter::process::{run_attached, started};
use crate::adapter::world::World;
use crate::domain::host::lock::{Asker, Holder, Owner, Wait};
use crate::domain::run::redact::Redactor;
use crate::report::quote::printable;

/// How holding it for a command ended.
pub(crate) enum Ended {
    /// The command ran and exited with this.
    Ran(u8),
    /// The command could not be started.
    NotStarted(io::Error),
    /// Somebody else kept it.
    InVain(String),
    /// Somebody cancelled the wait.
    Cancelled,
}

/// Holds it while the command runs.
pub(crate) fn acquire(
    world: &World,
    lock: &Lock,
    redactor: &Redactor,
    argv: &[String],
    wait: Duration,
) -> io::Result<Ended> {
    let command = argv.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
    let purpose = Purpose {
        command: &command,
        repository: "",
        execute: None,
        started: started(world.pid()),
        redactor,
    };
    let tell = |wait: &Wait| world.note(&redactor.mask_text(&printable(&wait.describe())));
    let held = match lock.acquire(world, purpose, wait, &tell)? {
        Attempt::Held(held) => Some(held),
        Attempt::Inherited => None,
        Attempt::InVain(holder) => return Ok(Ended::InVain(holder.describe())),
        Attempt::Cancelled => return Ok(Ended::Cancelled),
    };
    Ok(run_attached(world, argv, held.as_ref()).map_or_else(Ended::NotStarted, Ended::Ran))
}

/// Who holds it, as JSON and as text.
pub(crate) fn inspect(world: &World, lock: &Lock) -> io::Result<(Value, String)> {
    let holder = lock.inspect(world)?;
    let text = match &holder {
        Holder::Nobody => format!("{} is free\n", lock.group()),
        Holder::Unknown => format!("{} is held; by whom nobody says\n", lock.group()),
        Holder::Known(owner) => {
            let quiet = world.now().as_second() - owner.heartbeat_at_utc.as_second();
            let owner = printable(&owner.describe());
            format!("{} is held: {owner} (last heard of {} s ago)\n", lock.group(), quiet.max(0))
        }
    };
    Ok((
        json!({"group": lock.group(), "held": holder != Holder::Nobody, "holder": known(&holder)}),
        text,
    ))
}

fn known(holder: &Holder) -> Option<&Owner> {
    match holder {
        Holder::Known(owner) => Some(owner),
        Holder::Nobody | Holder::Unknown => None,
    }
}

/// Asks the holder to end where it is of this job; a person at the machine may ask what they
/// started outside a workflow. Says what came of it, and who holds it on although asked.
pub(crate) fn release(
    world: &World,
    lock: &Lock,
    patience: Duration,
) -> io::Result<(Value, String, Option<String>)> {
    let (run, place) = (run(world), place(world));
    let run = run.as_ref().map(|(run, attempt)| (run.as_str(), *attempt));
    let group = lock.group();
    let reported = |released: bool, holder: Option<&Owner>| {
        json!({
            "group": group, "released": released, "holder": holder,
        })
    };
    Ok(match lock.release(world, run, Asker::Job(place.as_deref()), patience)? {
        Released::NotOurs(Holder::Nobody) => {
            (reported(false, None), format!("{group} is free\n"), None)
        }
        Released::NotOurs(holder) => {
            let text =
                format!("{group} is not ours to release: {}\n", printable(&holder.describe()));
            (reported(false, known(&holder)), text, None)
        }
        Released::Gone(owner) => {
            let text = format!("{group} is released: {}\n", printable(&owner.describe()));
            (reported(true, Some(&owner)), text, None)
        }
        Released::Stays(owner) => {
            (reported(false, Some(&owner)), String::new(), Some(owner.describe()))
        }
    })
}
