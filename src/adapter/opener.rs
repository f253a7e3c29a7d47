//! Opens a file with the program that the desktop has for it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::adapter::world::World;

/// The program that opens files on this platform, with the arguments before the file.
fn program(world: &World) -> Option<(&'static str, &'static [&'static str])> {
    if cfg!(windows) {
        return Some(("explorer.exe", &[]));
    }
    if cfg!(target_os = "macos") {
        return Some(("open", &[]));
    }
    // Without a display nothing would appear.
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| world.var(name).is_some());
    display.then_some(("xdg-open", &[]))
}

/// Starts it; says whether that worked.
pub(crate) fn open(world: &World, path: &Path) -> bool {
    let Some((program, arguments)) = program(world) else { return false };
    let Ok(found) = which::which_in(program, world.path(), world.cwd()) else { return false };
    let mut command = Command::new(found);
    command
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().is_ok()
}
