//! Asking the shipped script what is installed.

use std::path::Path;

use serde::Deserialize;

use super::{SCRIPT, SCRIPT_NAME, powershell};
use crate::adapter::workspace::files;
use crate::domain::pester::PROBE_SCHEMA;

/// What a probe of the script tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProbeAnswer {
    schema: String,
    /// Version of PowerShell.
    pub(crate) ps: String,
    /// `Core` or `Desktop`.
    pub(crate) edition: String,
    /// Every Pester that is installed.
    pub(crate) found: Vec<FoundPester>,
}

/// One installed Pester.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FoundPester {
    /// Its version.
    pub(crate) version: String,
}

/// The command line that asks the shipped script what is installed; `folder` is where it may stand.
pub(crate) fn probe_command(program: &str, folder: &Path) -> std::io::Result<Vec<String>> {
    let script = folder.join(SCRIPT_NAME);
    files::write_atomic(&script, SCRIPT.as_bytes())?;
    let mut argv: Vec<String> =
        powershell(program, &script).iter().map(|word| word.to_string_lossy().into_owned()).collect();
    argv.push("-Probe".to_owned());
    Ok(argv)
}

/// A probe's one line, wherever in the output it stands.
pub(crate) fn probe_answer(output: &str) -> Option<ProbeAnswer> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .find(|a: &ProbeAnswer| a.schema == PROBE_SCHEMA)
}
