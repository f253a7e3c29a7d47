//! The host's lock, as it is told: other programs read this from `lock inspect`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who holds the lock. It informs; it decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    /// The run, where it is one.
    pub(crate) run_id: Option<String>,
    /// Its job.
    pub(crate) job: Option<String>,
    /// Who started it.
    pub(crate) actor: Option<String>,
    /// The host.
    pub(crate) machine: String,
    /// The process.
    pub(crate) pid: u32,
    /// What it does.
    pub(crate) command: String,
    /// Since when.
    pub(crate) acquired_at_utc: Timestamp,
}

impl Owner {
    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        let run = self.run_id.as_ref().map(|run| format!("run {run}, ")).unwrap_or_default();
        let job = self.job.as_ref().map(|job| format!("job {job}, ")).unwrap_or_default();
        let actor = self.actor.as_ref().map(|actor| format!("by {actor}, ")).unwrap_or_default();
        format!("{run}{job}{actor}pid {} since {}: {}", self.pid, self.acquired_at_utc, self.command)
    }
}
