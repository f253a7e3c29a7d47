//! One child and its tree, from start to the last of it.
//!
//! Its end is waited for elsewhere, and its streams are drained elsewhere where what it prints is
//! shown: nobody who reads slowly may keep a limit from being seen. This thread watches the limits
//! and whether somebody asked to stop, also while the tree is being ended. A tree is asked first,
//! then, after the grace, killed; a second request to stop skips the grace. The child is taken off
//! the process table last, so that its id cannot be another's while signals are sent.

use std::ffi::OsString;
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::os::{Guard, Pump, Started, Tree, drain};
use crate::adapter::world::World;
use crate::domain::config::quantity::Span;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::outcome::{ChildEnd, Limit};

/// Which stream some bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Where output goes; called from two threads.
pub(crate) type Sink = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// What ends a child from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Time in all, and the name of that limit.
    pub(crate) total: Option<(Limit, Span)>,
    /// Time without output.
    pub(crate) no_output: Option<Span>,
    /// Between asking and killing.
    pub(crate) kill_grace: Span,
    /// How long to wait for the streams to close after the child's own end.
    pub(crate) drain: Span,
}

/// Asked at every look at the limits: whether somebody who knows more wants the child ended.
pub(crate) type Stop = Arc<dyn Fn() -> Option<ChildEnd> + Send + Sync>;

/// Whose child it is.
#[derive(Clone)]
pub(crate) enum Via {
    /// Ours, with all of its environment: a short command that leaves nothing behind.
    Alone(Vec<(OsString, OsString)>),
    /// The run's guard's, with the environment that the guard was given.
    Guard(Arc<Guard>),
}

/// What to run.
#[derive(Clone)]
pub(crate) struct Job {
    /// Program and arguments; no shell is involved.
    pub(crate) argv: Vec<OsString>,
    /// Its working folder.
    pub(crate) cwd: PathBuf,
    /// Whose child it is.
    pub(crate) via: Via,
    /// The one test file that it runs.
    pub(crate) file: Option<RelPath>,
    /// What ends it.
    pub(crate) limits: Limits,
    /// Whether what it prints is shown while it runs.
    pub(crate) shown: bool,
    /// Who else may end it.
    pub(crate) stop: Option<Stop>,
    /// How many requests to stop were made before it and do not concern it: clean-up runs after a
    /// cancel.
    pub(crate) requests_before: u32,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How the child itself ended.
    pub(crate) end: ChildEnd,
    /// How long it ran.
    pub(crate) duration: Duration,
}

impl Job {
    /// Program and arguments. A program named by a relative path is meant from the child's folder;
    /// platforms differ on it.
    pub(super) fn argv(&self) -> Vec<OsString> {
        let mut argv = self.argv.clone();
        if let Some(program) = argv.first_mut() {
            let path = Path::new(&program);
            if path.components().count() > 1 && path.is_relative() {
                *program = self.cwd.join(path).into_os_string();
            }
        }
        argv
    }

    /// The command, without its output: no input, the job's environment where that is its own.
    pub(super) fn command(&self) -> std::io::Result<Command> {
        let argv = self.argv();
        let Some((program, arguments)) = argv.split_first() else {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "no program was given",
            ));
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.cwd).stdin(Stdio::null());
        if let Via::Alone(environment) = &self.via {
            command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        }
        Ok(command)
    }
}

/// How often the limits are looked at.
const TICK: Duration = Duration::from_millis(50);
/// The longest grace period of a cancelled run under Actions.
const CANCELLED_GRACE: Duration = Duration::from_millis(2500);

/// Runs a child to its end.
pub(crate) fn supervise(world: &World, job: &Job, sink: Sink) -> Ended {
    let started = world.tick();
    let never = |end| Ended { end, duration: Duration::ZERO };
    let Started { tree, stdout, stderr } = match Tree::spawn(job) {
        Ok(started) => started,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return never(ChildEnd::NotFound);
        }
        Err(error) => return never(ChildEnd::NotStarted(error.to_string())),
    };
    let watch = Watch {
        world,
        started,
        limits: job.limits,
        stop: job.stop.as_ref(),
        requests_before: job.requests_before,
        last_output: Arc::new(AtomicU64::new(0)),
    };
    let mut line = match watch.open_line(job, &tree, stdout, stderr, sink) {
        Ok(line) => line,
        Err(error) => {
            // Without a thread that listens it could not be watched.
            tree.kill();
            tree.end();
            return never(ChildEnd::NotStarted(error.to_string()));
        }
    };
    let ended_by_us = watch.until_exit(&mut line, &tree);
    if ended_by_us.is_some() {
        // Whatever the first process's own end was: the whole tree goes.
        tree.kill();
    }
    watch.until_drained(&mut line, ended_by_us.is_none());
    let duration = started.elapsed();
    let end = tree.end();
    Ended { end: ended_by_us.unwrap_or(end), duration }
}

struct Watch<'a> {
    world: &'a World,
    started: Instant,
    limits: Limits,
    stop: Option<&'a Stop>,
    requests_before: u32,
    /// Milliseconds after the start.
    last_output: Arc<AtomicU64>,
}

/// What is heard of a child: what it prints, and that it has ended.
struct Line {
    inbox: mpsc::Receiver<()>,
    exited: Arc<AtomicBool>,
    /// Where this thread reads the streams itself.
    pump: Option<Pump>,
    take: Sink,
}

impl Line {
    fn exited(&self) -> bool {
        self.exited.load(Ordering::SeqCst)
    }

    /// Waits a little for something to happen; true once the child has ended and its streams with
    /// it.
    fn listen(&mut self) -> bool {
        if let Some(pump) = &mut self.pump {
            if pump.turn(Some(TICK), &*self.take) {
                return false;
            }
            self.pump = None;
        }
        self.inbox.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected)
    }
}

impl Watch<'_> {
    fn open_line(
        &self,
        job: &Job,
        tree: &Tree,
        stdout: PipeReader,
        stderr: PipeReader,
        sink: Sink,
    ) -> std::io::Result<Line> {
        let (started, last_output) = (self.started, self.last_output.clone());
        let take: Sink = Arc::new(move |stream, bytes| {
            let at = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            last_output.store(at, Ordering::Relaxed);
            sink(stream, bytes);
        });
        let (events, inbox) = mpsc::channel();
        let pump = match if job.shown { Err((stdout, stderr)) } else { Pump::new(stdout, stderr) } {
            Ok(pump) => Some(pump),
            Err((stdout, stderr)) => {
                // The sender lives for as long as the streams do.
                let (take, open) = (take.clone(), events.clone());
                drain(stdout, stderr, move |stream, bytes| {
                    let _ = &open;
                    take(stream, bytes);
                })?;
                None
            }
        };
        let exited = Arc::new(AtomicBool::new(false));
        {
            let exited = exited.clone();
            tree.when_ended(move || {
                exited.store(true, Ordering::SeqCst);
                let _ = events.send(());
            })?;
        }
        Ok(Line { inbox, exited, pump, take })
    }

    /// Waits for the child's end; says why where we brought it about.
    fn until_exit(&self, line: &mut Line, tree: &Tree) -> Option<ChildEnd> {
        loop {
            line.listen();
            if line.exited() {
                return None;
            }
            if let Some(end) = self.over() {
                self.terminate(line, tree);
                return Some(end);
            }
        }
    }

    /// Which limit is reached, or whether somebody asked to stop.
    fn over(&self) -> Option<ChildEnd> {
        if self.world.cancel().requests() > self.requests_before {
            return Some(ChildEnd::Cancelled);
        }
        let elapsed = self.started.elapsed();
        if let Some((limit, span)) = self.limits.total
            && elapsed >= span.as_duration()
        {
            return Some(ChildEnd::TimedOut(limit, span));
        }
        if let Some(end) = self.stop.and_then(|stop| stop()) {
            return Some(end);
        }
        let span = self.limits.no_output?;
        let silent =
            elapsed.saturating_sub(Duration::from_millis(self.last_output.load(Ordering::Relaxed)));
        (silent >= span.as_duration()).then_some(ChildEnd::TimedOut(Limit::NoOutput, span))
    }

    /// Whether a cancelled run has had its grace period. The runner kills a cancelled step 10 s
    /// after its first signal, so under Actions the period leaves time for the receipt.
    fn is_cancelled_for_long(&self, since: &mut Option<Instant>) -> bool {
        if !self.world.under_actions() || self.world.cancel().requests() <= self.requests_before {
            return false;
        }
        since.get_or_insert_with(|| self.world.tick()).elapsed() >= CANCELLED_GRACE
    }

    /// Asks the tree, waits for the grace, kills it; a second request to stop ends the grace.
    fn terminate(&self, line: &mut Line, tree: &Tree) {
        tree.ask();
        let asked = self.world.tick();
        let mut cancelled = None;
        while !line.exited()
            && asked.elapsed() < self.limits.kill_grace.as_duration()
            && !self.is_cancelled_for_long(&mut cancelled)
            && self.world.cancel().requests() < self.requests_before + 2
        {
            line.listen();
        }
        tree.kill();
        // A killed process ends at once, unless the kernel holds it; that is no reason to hang.
        let killed = self.world.tick();
        while !line.exited() && killed.elapsed() < Duration::from_secs(2) {
            line.listen();
        }
    }

    /// Waits until both streams are closed. After a normal end a leaked process may hold them open
    /// for as long as it likes: then the wait is bounded.
    fn until_drained(&self, line: &mut Line, bounded: bool) {
        let since = self.world.tick();
        let limit = if bounded { self.limits.drain.as_duration() } else { Duration::from_secs(2) };
        while since.elapsed() < limit && self.world.cancel().requests() <= self.requests_before + 1
        {
            if line.listen() {
                return;
            }
        }
    }
}
