//! The host's lock, as it is told: other programs read this from `lock inspect`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Names the locks that a process's ancestors hold, parted by commas: a gate inside a gate must not
/// wait for the one outside. It has no prefix of our flags, which would make a setting of it.
pub(crate) const HELD: &str = "PESTERGATE_LOCKS";

/// Who holds the lock. It informs; only a descendant of the holder acts on it, on its `id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    /// What no other holding of this lock has.
    #[serde(default)]
    pub(crate) id: String,
    /// Whose tests.
    #[serde(default)]
    pub(crate) repository: Option<String>,
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
    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        let run = self.run_id.as_ref().map(|run| format!("run {run}, ")).unwrap_or_default();
        let job = self.job.as_ref().map(|job| format!("job {job}, ")).unwrap_or_default();
        let actor = self.actor.as_ref().map(|actor| format!("by {actor}, ")).unwrap_or_default();
        let repository =
            self.repository.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
        let (pid, since) = (self.pid, self.acquired_at_utc);
        format!("{repository}{run}{job}{actor}process {pid} since {since}: {}", self.command)
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody: it is free, or somebody's turn who does not take it.
    Nobody,
    /// Somebody of whom nothing can be read.
    Unknown,
    /// This one.
    Known(Box<Owner>),
}

impl Holder {
    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        match self {
            Holder::Nobody => {
                "nobody, and who is next does not take it (a stopped process?)".to_owned()
            }
            Holder::Unknown => "somebody who does not say so".to_owned(),
            Holder::Known(owner) => owner.describe(),
        }
    }
}

/// A waiter's view of the queue.
#[derive(Debug)]
pub(crate) struct Wait {
    /// The lock's group.
    pub(crate) group: String,
    /// Who holds the lock.
    pub(crate) holder: Holder,
    /// How many wait before us.
    pub(crate) before: usize,
    /// For how long we have waited.
    pub(crate) waited: Duration,
}

impl Wait {
    /// One line for a person.
    pub(crate) fn describe(&self) -> String {
        let holder = self.holder.describe();
        let before = match self.before {
            0 => String::new(),
            before => format!("; {before} before us in the queue"),
        };
        format!(
            "waiting for the lock {} ({} s): {holder}{before}",
            self.group,
            self.waited.as_secs()
        )
    }
}

/// What lets somebody else than the holder ask it to end: kept where only the holder's user reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claim {
    /// The owner's id.
    pub(crate) id: String,
    /// The run, where it is one.
    pub(crate) run_id: Option<String>,
    /// Its attempt.
    pub(crate) run_attempt: Option<u32>,
    /// Which of a run's jobs on this host: the runner and its temporary folder.
    pub(crate) place: Option<String>,
    /// Whether execute holds it, and of which gate; none where it is held for somebody's command.
    pub(crate) execute: Option<Gate>,
    /// What the holder listens for.
    pub(crate) token: String,
}

/// One gate of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gate {
    /// Its id, where several gates of a run have one.
    pub(crate) id: Option<String>,
}

/// Who asks a holder to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// A later step of the same job, or a person who started it: the same place.
    Job(Option<&'a str>),
    /// Post, once every job of this gate's execute has ended.
    Post(&'a Gate),
}

impl Claim {
    /// Whether who asks may use it.
    pub(crate) fn is_of(&self, run: Option<(&str, u32)>, asker: Asker<'_>) -> bool {
        let own = self.run_id.as_deref().zip(self.run_attempt) == run;
        own && match asker {
            Asker::Job(place) => self.place.as_deref() == place,
            Asker::Post(gate) => self.execute.as_ref() == Some(gate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_its_own_runs_alone() {
        let gate = |id: Option<&str>| Gate { id: id.map(str::to_owned) };
        let claim = |run: Option<(&str, u32)>, place: Option<&str>, execute: Option<Gate>| Claim {
            id: "i".to_owned(),
            run_id: run.map(|(run, _)| run.to_owned()),
            run_attempt: run.map(|(_, attempt)| attempt),
            place: place.map(str::to_owned),
            execute,
            token: "t".to_owned(),
        };
        let run = Some(("4711", 2));
        let mine = claim(run, Some("bench-1 /t"), Some(gate(Some("unit"))));
        assert!(mine.is_of(run, Asker::Job(Some("bench-1 /t"))));
        assert!(!mine.is_of(run, Asker::Job(Some("bench-2 /t"))), "another leg of the matrix");
        assert!(!mine.is_of(run, Asker::Job(None)), "what does not know where it is asks nobody");
        assert!(!mine.is_of(Some(("4711", 1)), Asker::Job(Some("bench-1 /t"))));
        assert!(
            !mine.is_of(None, Asker::Job(Some("bench-1 /t"))),
            "a person does not end a workflow's run"
        );
        assert!(
            mine.is_of(run, Asker::Post(&gate(Some("unit")))),
            "post speaks for every runner of its gate"
        );
        assert!(!mine.is_of(run, Asker::Post(&gate(None))), "another gate of the run");
        let command = claim(run, Some("bench-1 /t"), None);
        assert!(
            !command.is_of(run, Asker::Post(&gate(None))),
            "somebody's command is not the gate's"
        );
        assert!(claim(None, None, None).is_of(None, Asker::Job(None)));
    }
}
