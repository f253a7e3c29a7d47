//! The guard of a run, as a process: started by execute, never by a person.

use anyhow::{Context, Result};

use crate::adapter::process;
use crate::adapter::world::World;

/// Starts, watches and ends the children of one run until it is let go or its supervisor is gone.
pub(crate) fn guard(world: &World) -> Result<()> {
    process::serve(world).context("guard is started by execute and takes its orders from a socket")
}
