//! The host's lock, as it is told: other programs read this from `lock inspect`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Names the locks that a process's ancestors hold, parted by commas: a gate inside a gate must not
/// wait for the one outside. It has no prefix of our flags, which would make a setting of it.
pub(crate) const HELD: &str = "PESTERGATE_LOCKS";

/// Who holds the lock. It informs; it decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    /// What no other holding of this lock has.
    #[serde(default)]
    pub(crate) id: String,
    /// The run, where it is one.
    pub(crate) run_id: Option<String>,
    /// Its attempt.
    #[serde(default)]
    pub(crate) run_attempt: Option<u32>,
    /// Its job.
    pub(crate) job: Option<String>,
    /// Who started it.
    pub(crate) actor: Option<String>,
    /// The runner, where it is one.
    #[serde(default)]
    pub(crate) runner: Option<String>,
    /// The host.
    pub(crate) machine: String,
    /// The process.
    pub(crate) pid: u32,
    /// When that was born, where the platform tells: a number alone may be another's by now.
    #[serde(default)]
    pub(crate) process_started_at_utc: Option<Timestamp>,
    /// What it does.
    pub(crate) command: String,
    /// Since when.
    pub(crate) acquired_at_utc: Timestamp,
    /// When it last said that it is there.
    pub(crate) heartbeat_at_utc: Timestamp,
}

impl Owner {
    /// The same of an owner that may be unknown.
    pub(crate) fn describe_or_nobody(owner: Option<&Self>) -> String {
        owner.map_or_else(|| "nobody who says so".to_owned(), Owner::describe)
    }

    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        let run = self.run_id.as_ref().map(|run| format!("run {run}, ")).unwrap_or_default();
        let job = self.job.as_ref().map(|job| format!("job {job}, ")).unwrap_or_default();
        let actor = self.actor.as_ref().map(|actor| format!("by {actor}, ")).unwrap_or_default();
        format!("{run}{job}{actor}pid {} since {}: {}", self.pid, self.acquired_at_utc, self.command)
    }
}

/// A waiter's view of the queue.
#[derive(Debug)]
pub(crate) struct Wait {
    /// The lock's group.
    pub(crate) group: String,
    /// Who holds the lock, where that is known.
    pub(crate) holder: Option<Owner>,
    /// How many wait before us.
    pub(crate) before: usize,
    /// For how long we have waited.
    pub(crate) waited: Duration,
}

impl Wait {
    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        let holder = self.holder.as_ref().map_or_else(|| "others that wait".to_owned(), Owner::describe);
        let before = match self.before {
            0 => String::new(),
            before => format!("; {before} before us in the queue"),
        };
        format!("waiting for the lock {} ({} s): {holder}{before}", self.group, self.waited.as_secs())
    }
}

/// What lets somebody else than the holder ask it to end: kept where only the holder's user reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    /// The owner's id.
    pub(crate) id: String,
    /// The lock's group.
    pub(crate) group: String,
    /// The run, where it is one.
    pub(crate) run_id: Option<String>,
    /// Its attempt.
    pub(crate) run_attempt: Option<u32>,
    /// Which of a run's jobs on this host: the runner and its temporary folder.
    pub(crate) place: Option<String>,
    /// What the holder listens for.
    pub(crate) token: String,
}

impl Claim {
    /// Whether a process of this run may use it; in the same place only, where one is named.
    pub(crate) fn is_of(&self, run: Option<(&str, u32)>, place: Option<&str>) -> bool {
        let own = self.run_id.as_deref().zip(self.run_attempt);
        own == run && (place.is_none() || self.place.as_deref() == place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_its_own_runs_alone() {
        let claim = |run: Option<(&str, u32)>, place: Option<&str>| Claim {
            id: "i".to_owned(),
            group: "default".to_owned(),
            run_id: run.map(|(run, _)| run.to_owned()),
            run_attempt: run.map(|(_, attempt)| attempt),
            place: place.map(str::to_owned),
            token: "t".to_owned(),
        };
        let mine = claim(Some(("4711", 2)), Some("bench-1"));
        assert!(mine.is_of(Some(("4711", 2)), Some("bench-1")));
        assert!(mine.is_of(Some(("4711", 2)), None), "post speaks for every runner of its run");
        assert!(!mine.is_of(Some(("4711", 2)), Some("bench-2")), "another leg of the matrix");
        assert!(!mine.is_of(Some(("4711", 1)), None));
        assert!(!mine.is_of(Some(("4712", 2)), None));
        assert!(!mine.is_of(None, None), "a person at the machine does not end a workflow's run");
        assert!(claim(None, None).is_of(None, None));
    }
}
