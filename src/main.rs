//! Build the world, run the command line, turn the result into an exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use pester_gate::{World, run};

fn main() -> ExitCode {
    let world = match World::real() {
        Ok(world) => world,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "there is no world to say it through")]
            {
                eprintln!("error: the working folder or the signal handler cannot be had: {error}");
            }
            return ExitCode::from(2);
        }
    };
    let arguments = std::env::args_os().collect();
    // A bug of ours is 70 and never a green gate; the message went to stderr already.
    ExitCode::from(catch_unwind(AssertUnwindSafe(|| run(&world, arguments))).unwrap_or(70))
}
