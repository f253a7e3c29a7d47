//! Probes: what preflight looks at on this host, one file each.
//!
//! A probe collects facts and names the fault it proved; whether that blocks is the layer's to say.
//! Probes run at the same time, each with its own time limit: one that does not answer is reported
//! and left behind. A new probe is a file here and one line in [`build`].

mod clock;
mod command;
mod disk;
mod docker;
mod dotnet;
mod fixtures;
mod http;
mod labview;
mod long_paths;
mod lvcompare;
mod path_hygiene;
mod pester;
mod powershell;
mod program;
mod runner_labels;
mod session_lock;
mod tool;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::adapter::lock::Lock;
use crate::adapter::process::{Captured, capture_end};
use crate::adapter::world::World;
use crate::domain::config::quantity::{Size, Span};
use crate::domain::config::{Engine, Fixture, ProbeName, Requirement};
use crate::domain::receipt::FixtureRecord;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::ChildEnd;

/// What a probe brought home.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// What was seen.
    pub(crate) facts: BTreeMap<String, Value>,
    /// Every fault that was proven, or met on the way.
    pub(crate) faults: Vec<Fault>,
    /// Fixtures that were found.
    pub(crate) fixtures: Vec<FixtureRecord>,
}

impl Answer {
    fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }
}

/// What every probe may know.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// The world.
    pub(crate) world: World,
    /// The checkout's root.
    pub(crate) root: PathBuf,
    /// What the run writes to, with a word for each.
    pub(crate) folders: Vec<(&'static str, PathBuf)>,
    /// Free space asked for.
    pub(crate) min_free: Size,
    /// How many files there must be room for.
    pub(crate) min_free_files: u64,
    /// The containers that Docker's engine must run, where that matters.
    pub(crate) engine: Engine,
    /// When context was settled, where that is known: by another host's clock.
    pub(crate) context: Option<Timestamp>,
    /// The host's lock, or why there is none.
    pub(crate) lock: Result<Lock, String>,
    /// Fixtures that the run needs.
    pub(crate) fixtures: Vec<Fixture>,
    /// Labels that the runner must have.
    pub(crate) labels: Vec<String>,
    /// Labels that it has, where somebody says so.
    pub(crate) runner_labels: Option<Vec<String>>,
    /// The configured PowerShell.
    pub(crate) powershell: String,
    /// The least and the most version of Pester.
    pub(crate) pester: (String, Option<String>),
    /// Whether the dispatcher is Pester, which implies that both are looked at.
    pub(crate) implies_pester: bool,
    /// The command that runs the tests, where it is one.
    pub(crate) command: Vec<String>,
    /// Whether commands of the profile run before it: they may install what it needs.
    pub(crate) prepared: bool,
    /// Where a probe may write.
    pub(crate) scratch: PathBuf,
    /// Time limit of a probe that has none of its own.
    pub(crate) timeout: Span,
}

impl Surroundings {
    /// How long a command of a probe may take, so that it is ended and read before the probe's own
    /// limit.
    fn patience(&self, limit: Span) -> Duration {
        let limit = limit.as_duration();
        limit.saturating_sub(Duration::from_millis(1000)).max(limit / 2)
    }

    /// Runs a command of a probe to its end; that it did not come is that probe's, under its name.
    fn ask(&self, name: &str, argv: &[String]) -> Result<Captured, Fault> {
        capture_end(&self.world, argv, &self.root, self.patience(self.timeout)).map_err(|end| {
            match end {
                ChildEnd::TimedOut(..) => {
                    Fault::ProbeTimedOut { name: name.to_owned(), limit: self.timeout.to_string() }
                }
                end => Fault::ProbeFailed { name: name.to_owned(), why: end.describe() },
            }
        })
    }
}

/// One thing to look at.
pub(crate) struct Probe {
    /// Its key in the receipt.
    pub(crate) name: String,
    /// Whether the pack requires it; what is not required warns.
    pub(crate) required: bool,
    /// Whether nobody wrote it down: then an answer that cannot be read only warns.
    pub(crate) implied: bool,
    timeout: Span,
    collect: Box<dyn FnOnce(&Surroundings) -> Answer + Send>,
}

/// How a probe went.
pub(crate) struct Probed {
    /// Its key.
    pub(crate) name: String,
    /// Whether the pack requires it.
    pub(crate) required: bool,
    /// Whether nobody wrote it down.
    pub(crate) implied: bool,
    /// How long it took.
    pub(crate) duration: Duration,
    /// What it brought home, or that it did not come back in time.
    pub(crate) answer: Result<Answer, Fault>,
}

/// The probes for a pack: what it requires, and what is always looked at.
pub(crate) fn build(requires: &[Requirement], around: &Surroundings) -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut seen: Vec<&Requirement> = Vec::new();
    for requirement in requires {
        if !seen.contains(&requirement) {
            seen.push(requirement);
            add(&mut probes, of_requirement(requirement, around));
        }
    }
    let fixtures = !around.fixtures.is_empty();
    for (name, wanted) in [
        (ProbeName::Powershell, around.implies_pester),
        (ProbeName::Pester, around.implies_pester),
        (ProbeName::Disk, true),
        (ProbeName::PathHygiene, true),
        (ProbeName::Fixtures, fixtures),
        (ProbeName::RunnerLabels, !around.labels.is_empty()),
        (ProbeName::SessionLock, true),
    ] {
        let named = Requirement::Named(name);
        if wanted && !seen.contains(&&named) {
            let mut probe = of_requirement(&named, around);
            // The disk is always required, fixtures and labels are by being configured. Of the lock
            // execute is the judge, and hygiene only warns.
            probe.required = !matches!(name, ProbeName::PathHygiene | ProbeName::SessionLock);
            probe.implied = true;
            add(&mut probes, probe);
        }
    }
    if !around.command.is_empty() {
        let collect =
            Box::new(move |around: &Surroundings| program::probe(around, &around.command));
        let (required, timeout) = (!around.prepared, around.timeout);
        let probe =
            Probe { name: program::NAME.to_owned(), required, implied: true, timeout, collect };
        add(&mut probes, probe);
    }
    if let Some(context) = around.context {
        let collect = Box::new(move |around: &Surroundings| clock::probe(around, context));
        let probe = Probe {
            name: "clock".to_owned(),
            required: false,
            implied: true,
            timeout: around.timeout,
            collect,
        };
        add(&mut probes, probe);
    }
    probes
}

/// Two requirements may share a name (`{tool: git}` and `{command: [git, ..]}`): neither is lost.
fn add(probes: &mut Vec<Probe>, mut probe: Probe) {
    let name = probe.name.clone();
    for n in 2.. {
        if !probes.iter().any(|known| known.name == probe.name) {
            break;
        }
        probe.name = format!("{name}#{n}");
    }
    probes.push(probe);
}

fn of_requirement(requirement: &Requirement, around: &Surroundings) -> Probe {
    let probe = |name: String,
                 timeout: Option<Span>,
                 collect: Box<dyn FnOnce(&Surroundings) -> Answer + Send>| Probe {
        name,
        required: true,
        implied: false,
        timeout: timeout.unwrap_or(around.timeout),
        collect,
    };
    match requirement.clone() {
        Requirement::Named(name) => probe(name.as_str().to_owned(), None, named(name)),
        Requirement::Tool { tool, version } => probe(
            tool.clone(),
            None,
            Box::new(move |around| tool::probe(around, &tool, version.as_deref())),
        ),
        Requirement::Command { command, name, timeout } => {
            let name = name.unwrap_or_else(|| command.first().cloned().unwrap_or_default());
            let key = name.clone();
            probe(
                key,
                timeout,
                Box::new(move |around| command::probe(around, &name, &command, timeout)),
            )
        }
        Requirement::Http { http, name, timeout } => {
            let name = name.unwrap_or_else(|| http.clone());
            probe(
                name.clone(),
                timeout,
                Box::new(move |around| http::probe(around, &name, &http, timeout)),
            )
        }
    }
}

fn named(name: ProbeName) -> Box<dyn FnOnce(&Surroundings) -> Answer + Send> {
    match name {
        ProbeName::Dotnet => Box::new(dotnet::probe),
        ProbeName::Docker => Box::new(docker::probe),
        ProbeName::Lvcompare => Box::new(lvcompare::probe),
        ProbeName::LabviewIdle => Box::new(labview::probe),
        ProbeName::RunnerLabels => Box::new(runner_labels::probe),
        ProbeName::Powershell => Box::new(powershell::probe),
        ProbeName::Pester => Box::new(pester::probe),
        ProbeName::Disk => Box::new(disk::probe),
        ProbeName::PathHygiene => Box::new(path_hygiene::probe),
        ProbeName::Fixtures => Box::new(fixtures::probe),
        ProbeName::SessionLock => Box::new(session_lock::probe),
        ProbeName::LongPaths => Box::new(long_paths::probe),
    }
}

/// Runs every probe at once and gives their answers in the order of the probes.
pub(crate) fn run_all(around: &Surroundings, probes: Vec<Probe>) -> Vec<Probed> {
    let started = around.world.tick();
    let waiting: Vec<_> = probes
        .into_iter()
        .map(|probe| {
            let (answer, inbox) = mpsc::channel();
            let (around, collect) = (around.clone(), probe.collect);
            let began = around.world.tick();
            // Not joined: a probe that hangs in a system call must not hang the gate.
            thread::spawn(move || {
                let collected =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| collect(&around)));
                let _ = answer.send((collected, began.elapsed()));
            });
            (probe.name, probe.required, probe.implied, probe.timeout, inbox)
        })
        .collect();
    waiting
        .into_iter()
        .map(|(name, required, implied, timeout, inbox)| {
            let left = timeout.as_duration().saturating_sub(started.elapsed());
            let (answer, duration) = match inbox.recv_timeout(left) {
                Ok((Ok(answer), duration)) => (Ok(answer), duration),
                Ok((Err(_), duration)) => (
                    Err(Fault::ProbeFailed {
                        name: name.clone(),
                        why: "the probe itself failed".to_owned(),
                    }),
                    duration,
                ),
                Err(_) => {
                    let fault =
                        Fault::ProbeTimedOut { name: name.clone(), limit: timeout.to_string() };
                    (Err(fault), timeout.as_duration())
                }
            };
            Probed { name, required, implied, duration, answer }
        })
        .collect()
}
