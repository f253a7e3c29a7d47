//! `lock`: who holds this host, and holding it for a command.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::adapter::lock::{Attempt, Lock};
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
    let owner = Owner {
        run_id: world.var("GITHUB_RUN_ID"),
        job: world.var("GITHUB_JOB"),
        actor: world.var("GITHUB_ACTOR"),
        machine: world.host().name,
        pid: world.pid(),
        command: argv.iter().take(3).cloned().collect::<Vec<_>>().join(" "),
        acquired_at_utc: world.now(),
    };
    let tell = |holder: Option<&Owner>| {
        let who = holder.map_or_else(|| "others that wait".to_owned(), Owner::describe);
        world.note(&format!("waiting for the lock {}: {}", lock.group(), printable(&who)));
    };
    match lock.acquire(world, &owner, wait, &tell)? {
        Attempt::Held(held) => Ok(run_attached(world, argv, &held).map_or_else(Ended::NotStarted, Ended::Ran)),
        Attempt::InVain(holder) => {
            Ok(Ended::InVain(holder.map_or_else(|| "nobody who says so".to_owned(), |o| o.describe())))
        }
        Attempt::Cancelled => Ok(Ended::Cancelled),
    }
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
        (true, Some(owner)) => format!("{} is held: {}\n", lock.group(), printable(&owner.describe())),
    };
    Ok((json!({"group": lock.group(), "held": held, "holder": holder}), text))
}
