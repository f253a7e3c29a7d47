//! Asking the shipped script what is installed.

use std::path::Path;

use super::{SCRIPT, SCRIPT_NAME, powershell};
use crate::adapter::workspace::files;

/// The command line that asks the shipped script what is installed; `folder` is where it may stand.
pub(crate) fn probe_command(program: &str, folder: &Path) -> std::io::Result<Vec<String>> {
    let script = folder.join(SCRIPT_NAME);
    files::write_atomic(&script, SCRIPT.as_bytes())?;
    let mut argv: Vec<String> = powershell(program, &script)
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    argv.push("-Probe".to_owned());
    Ok(argv)
}
