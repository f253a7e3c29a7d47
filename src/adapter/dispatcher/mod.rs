//! Dispatchers: what runs the planned tests and leaves raw outputs, one file per kind.

pub(crate) mod command;
pub(crate) mod pester;
mod pool;
pub(crate) mod scripts;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::adapter::journal::Journal;
use crate::adapter::process::{Guard, Job, Limits, Stop, Stored, Via, neutralise};
use crate::adapter::results::Reading;
use crate::adapter::world::World;
use crate::domain::config::quantity::Span;
use crate::domain::receipt::{Accounting, DispatcherProfile, InFlight};
use crate::domain::results::counts::Counts;
use crate::domain::run::event::Event;
use crate::domain::run::ids::RelPath;
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::{ChildEnd, Limit};

/// Everything that a dispatcher is given.
pub(crate) struct Plan {
    /// The world.
    pub(crate) world: World,
    /// The checkout's root.
    pub(crate) root: PathBuf,
    /// Where raw outputs go; empty at the start.
    pub(crate) results: PathBuf,
    /// What to run, in order.
    pub(crate) files: Vec<RelPath>,
    /// The settled settings.
    pub(crate) profile: DispatcherProfile,
    /// Starts every child of the run.
    pub(crate) guard: Arc<Guard>,
    /// Masks whatever is stored.
    pub(crate) redactor: Redactor,
    /// Where events go.
    pub(crate) journal: Arc<Journal>,
    /// Shows lines of a child's output, already neutralised.
    pub(crate) live: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Plan {
    /// A child of this run: in the root, of the run's guard, with the profile's limits.
    /// `file` is the one that it runs, where it runs one.
    fn job(
        &self,
        argv: Vec<OsString>,
        file: Option<&RelPath>,
        total: Option<(Limit, Span)>,
        stop: Option<Stop>,
    ) -> Job {
        let profile = &self.profile;
        Job {
            argv,
            cwd: self.root.clone(),
            via: Via::Guard(self.guard.clone()),
            file: file.cloned(),
            shown: file.is_none() || self.shows(),
            limits: Limits {
                total,
                no_output: profile.no_output_limit.value,
                kill_grace: profile.kill_grace.value,
                drain: profile.leak_grace.value,
            },
            stop,
            requests_before: 0,
        }
    }

    /// Whether output is shown while it comes: of several processes at once it would be a muddle.
    fn shows(&self) -> bool {
        self.profile.jobs.value == 1
    }

    /// Tells the journal of output that was not stored.
    fn note_truncation(&self, log: &str, stored: &Stored) {
        if stored.dropped > 0 {
            let (kept, dropped) = (stored.kept, stored.dropped);
            self.journal.emit(Event::OutputTruncated { stream: log.to_owned(), kept, dropped });
        }
    }

    /// Shows the end of what a process printed that did not pass and was not shown while it ran.
    fn show_end(&self, tail: &str) {
        if !tail.is_empty() {
            (self.live)(&neutralise(&last_lines(tail, 20).join("\n")));
        }
    }

    /// The whole run's limit, for a dispatcher that is one process.
    fn run_limit(&self) -> Option<(Limit, Span)> {
        self.profile.run_limit.value.map(|span| (Limit::Run, span))
    }
}

/// A duration as events have it: milliseconds to the tenth.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

fn last_lines(text: &str, most: usize) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}

/// What a dispatcher came to.
#[derive(Debug)]
pub(crate) struct Dispatched {
    /// How its process ended; for the scripts pool, how the pool did.
    pub(crate) end: ChildEnd,
    /// How long it took.
    pub(crate) duration: Duration,
    /// What became of each file.
    pub(crate) accounting: Vec<Accounting>,
    /// What each results file holds, by its path below the results folder. Read from what the
    /// dispatcher wrote, before it is masked and before anything else can write to it.
    pub(crate) reports: Vec<(RelPath, Reading)>,
    /// What went wrong, beyond what the reports hold.
    pub(crate) faults: Vec<Fault>,
    /// Tests that the reports call errors because the whole run was ended.
    pub(crate) interrupted: u64,
    /// What was running when the whole run was ended.
    pub(crate) in_flight: Option<InFlight>,
    /// The most processes at once, where there is a pool.
    pub(crate) peak_in_flight: Option<u32>,
    /// The dispatcher's own verdict, where it gives one: the reports are only evidence then.
    pub(crate) verdict: Option<OwnVerdict>,
}

/// What a dispatcher says by itself, beside its reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnVerdict {
    /// What the tests came to.
    pub(crate) counts: Counts,
    /// Whether it came to its end, so that an empty run is one.
    pub(crate) complete: bool,
}
