//! `lock`: who holds this host, holding it for a command, and asking one's own holder to end.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::lock::{Attempt, Lock, Released, place};
use crate::adapter::process::run_attached;
use crate::adapter::world::World;
use crate::domain::lock::Owner;
use crate::report::text::printable;

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
pub(crate) fn acquire(world: &World, lock: &Lock, argv: &[String], wait: Duration) -> io::Result<Ended> {
    let command = argv.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
    let held = match lock.acquire(world, &command, wait, &|wait| world.note(&printable(&wait.describe())))? {
        Attempt::Held(held) => Some(held),
        Attempt::Inherited => None,
        Attempt::InVain(holder) => return Ok(Ended::InVain(Owner::describe_or_nobody(holder.as_ref()))),
        Attempt::Cancelled => return Ok(Ended::Cancelled),
    };
    Ok(run_attached(world, argv, held.as_ref()).map_or_else(Ended::NotStarted, Ended::Ran))
}

/// Who holds it, as JSON and as text.
pub(crate) fn inspect(world: &World, lock: &Lock) -> io::Result<(Value, String)> {
    let (held, holder) = match lock.inspect(world)? {
        None => (false, None),
        Some(holder) => (true, holder),
    };
    let text = match (&held, &holder) {
        (false, _) => format!("{} is free\n", lock.group()),
        (true, None) => format!("{} is held; by whom nobody says\n", lock.group()),
        (true, Some(owner)) => {
            let quiet = world.now().as_second() - owner.heartbeat_at_utc.as_second();
            let owner = printable(&owner.describe());
            format!("{} is held: {owner} (last heard of {} s ago)\n", lock.group(), quiet.max(0))
        }
    };
    Ok((json!({"group": lock.group(), "held": held, "holder": holder}), text))
}

/// Asks the holder to end where it is this run's, on this runner; a person at the machine may ask
/// what they started outside a workflow. Says what came of it, and whether it is still held by it.
pub(crate) fn release(world: &World, lock: &Lock, patience: Duration) -> io::Result<(Value, String, Option<String>)> {
    let run = world.var("GITHUB_RUN_ID");
    let attempt = world.var("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()).unwrap_or(1);
    let run = run.as_deref().map(|run| (run, attempt));
    let group = lock.group();
    let (released, holder, text) = match lock.release(world, run, place(world).as_deref(), patience)? {
        Released::NotOurs(None) => (false, None, format!("{group} is free\n")),
        Released::NotOurs(Some(owner)) => {
            let text = format!("{group} is not ours to release: {}\n", printable(&owner.describe()));
            (false, Some(owner), text)
        }
        Released::Gone(owner) => {
            let text = format!("{group} is released: {}\n", printable(&owner.describe()));
            (true, Some(owner), text)
        }
        Released::Stays(owner) => {
            let why = owner.describe();
            let json = json!({"group": group, "released": false, "holder": owner});
            return Ok((json, String::new(), Some(why)));
        }
    };
    Ok((json!({"group": group, "released": released, "holder": holder}), text, None))
}
