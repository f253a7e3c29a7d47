//! Every suite that drives the built binary, as one test program: the binary is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by failing"
)]

mod actions;
mod architecture;
mod bootstrap;
mod contracts;
mod docs;
#[cfg(unix)]
mod evidence;
mod faults;
mod github;
mod harness;
mod hostile;
mod init;
mod killed;
mod layers;
#[cfg(unix)]
mod locations;
#[cfg(unix)]
mod lock;
#[cfg(unix)]
mod page;
mod pester;
#[cfg(unix)]
mod picture;
mod process;
mod release;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod rerun;
mod results;
#[cfg(unix)]
mod runs;
#[cfg(unix)]
mod secrets;
#[cfg(unix)]
mod snapshots;
#[cfg(unix)]
mod triage;
mod usage;
mod workflows;
