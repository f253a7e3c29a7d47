//! The supervisor's end of the guard.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::super::Survivor;
use super::super::supervisor::Job;
use super::wire::{self, Alive, Order, Report};
use super::{Tree, own_program, table};
use crate::adapter::lock::Held;
use crate::adapter::world::World;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::outcome::ChildEnd;

/// How long the guard may take for an answer before it is taken for lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is said of a child whose guard is gone.
const LOST: &str =
    "the guard that started it was ended from outside, and with it everything of this run";

/// The guard of one run. Dropped without a word it ends everything that it started.
pub(crate) struct Guard {
    link: Arc<Link>,
    child: Mutex<Child>,
}

/// The line to a guard.
pub(in super::super) struct Link {
    orders: UnixStream,
    /// One order at a time.
    writing: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
    guard: Pid,
}

#[derive(Default)]
struct State {
    jobs: HashMap<u32, JobState>,
    survivors: Option<Option<Vec<Alive>>>,
    /// Whether a ping is not yet answered.
    pinged: bool,
    everyone_ended: bool,
    /// It was told to go.
    released: bool,
    /// It is gone, told to or not.
    gone: bool,
}

#[derive(Default)]
struct JobState {
    file: Option<RelPath>,
    end: Option<ChildEnd>,
    /// Called when it has ended, or the guard is gone.
    ended: Option<Ended>,
    killed: bool,
}

/// What is called when a child has ended.
type Ended = Box<dyn FnOnce() + Send>;

impl Guard {
    /// Starts it. `environment` is all that the run's children get; `journal` is told when we are
    /// lost;
    /// `lock` is held by it as well, until everything that it started is ended.
    pub(crate) fn start(
        _: &World,
        environment: &[(OsString, OsString)],
        journal: &Path,
        lock: Option<&Held>,
    ) -> io::Result<Self> {
        // Were the guard itself ended, what it started would come to us.
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = own_program()?;
        command
            .arg("guard")
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)));
        // A group of its own: neither Ctrl-C nor a signal to our group is meant for it.
        command
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let child = command.spawn()?;
        let link = Arc::new(Link {
            orders: ours,
            writing: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            guard: i32::try_from(child.id())
                .ok()
                .and_then(Pid::from_raw)
                .ok_or(io::ErrorKind::Other)?,
        });
        // Where nothing is heard for so long it is asked whether it is there.
        link.orders.set_read_timeout(Some(PATIENCE))?;
        let guard = Self { link: link.clone(), child: Mutex::new(child) };
        let lock: Vec<_> = lock.map(|held| held.file().as_fd()).into_iter().collect();
        link.order(&Order::Begin { journal: journal.as_os_str().to_owned() }, &lock)?;
        thread::spawn(move || link.listen());
        Ok(guard)
    }

    /// Has it start a child. That it could not is an end of that child.
    pub(super) fn spawn(
        &self,
        job: &Job,
        stdout: &PipeWriter,
        stderr: &PipeWriter,
    ) -> io::Result<Tree> {
        let link = &self.link;
        let (argv, cwd, file) = (job.argv(), job.cwd.as_os_str().to_owned(), job.file.clone());
        let job = {
            let mut state = link.state();
            let job = u32::try_from(state.jobs.len()).map_err(io::Error::other)? + 1;
            state.jobs.insert(job, JobState { file, ..JobState::default() });
            job
        };
        if link.order(&Order::Spawn { job, argv, cwd }, &[stdout.as_fd(), stderr.as_fd()]).is_err()
        {
            link.finish(job, ChildEnd::Lost(LOST.to_owned()));
        }
        Ok(Tree::Guarded { guard: link.clone(), job })
    }

    /// Whether it was ended from outside.
    pub(crate) fn is_lost(&self) -> bool {
        let state = self.link.state();
        state.gone && !state.released
    }

    /// What is alive of the run. That the guard does not say is not that nothing is.
    pub(crate) fn survivors(&self) -> Result<Vec<Survivor>, String> {
        self.link.state().survivors = None;
        let unknown =
            || "what is left of the run cannot be known: its guard does not say".to_owned();
        self.link.order(&Order::Survivors, &[]).map_err(|_| unknown())?;
        let mut state = self.until(|state| state.survivors.is_some());
        let alive = state.survivors.take().flatten().ok_or_else(unknown)?;
        let tell = |Alive { pid, started, command, job }| {
            let file = job.and_then(|job| state.jobs.get(&job)?.file.clone());
            Survivor { pid, started, command, file }
        };
        Ok(alive.into_iter().map(tell).collect())
    }

    /// Ends everything that the run started.
    pub(crate) fn end_all(&self) {
        self.link.state().everyone_ended = false;
        if self.link.order(&Order::EndAll, &[]).is_ok() {
            drop(self.until(|state| state.everyone_ended));
        }
    }

    /// Lets it go, with whatever is alive.
    pub(crate) fn release(&self) {
        self.link.state().released = true;
        let _ = self.link.order(&Order::Release, &[]);
    }

    fn until(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.link.until(holds)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.link.orders.shutdown(Shutdown::Both);
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: &Order, pipes: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&self.orders, order, pipes)
    }

    /// Takes what the guard reports, until it is gone.
    fn listen(&self) {
        loop {
            match wire::receive::<Report>(&self.orders) {
                Ok(Some((report, _))) => {
                    self.state().pinged = false;
                    self.take(report);
                    self.changed.notify_all();
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    if std::mem::replace(&mut self.state().pinged, true) {
                        self.give_up();
                    }
                    let _ = self.order(&Order::Ping, &[]);
                }
                _ => break,
            }
        }
        // Ended from outside: what it started has come to us, and must not live on.
        if !self.state().released {
            end_orphans();
        }
        let waiting: Vec<Ended> = {
            let mut state = self.state();
            state.gone = true;
            state.jobs.values_mut().filter_map(|job| job.ended.take()).collect()
        };
        self.changed.notify_all();
        waiting.into_iter().for_each(|ended| ended());
    }

    fn take(&self, report: Report) {
        let mut state = self.state();
        let (job, end) = match report {
            Report::NotStarted { job, errno, why } => {
                let not_there = errno.map(io::Error::from_raw_os_error).map(|error| error.kind());
                let not_there = not_there == Some(io::ErrorKind::NotFound);
                (job, if not_there { ChildEnd::NotFound } else { ChildEnd::NotStarted(why) })
            }
            Report::Exited { job, code: Some(code), .. } => (job, ChildEnd::Exited(code)),
            Report::Exited { job, signal, .. } => (job, ChildEnd::Signalled(signal.unwrap_or(0))),
            Report::Ended { job } => {
                state.jobs.entry(job).or_default().killed = true;
                return;
            }
            Report::Survivors(survivors) => {
                state.survivors = Some(survivors);
                return;
            }
            Report::EndedAll => {
                state.everyone_ended = true;
                return;
            }
            Report::Pong => return,
        };
        drop(state);
        self.finish(job, end);
    }

    fn finish(&self, job: u32, end: ChildEnd) {
        let ended = {
            let mut state = self.state();
            let job = state.jobs.entry(job).or_default();
            job.end = Some(end);
            job.ended.take()
        };
        if let Some(ended) = ended {
            ended();
        }
    }

    /// A guard that does not answer is ended, also where it is stopped: what it started comes to
    /// us.
    fn give_up(&self) {
        let _ = kill_process(self.guard, Signal::KILL);
    }

    /// Waits until something holds, or the guard is gone.
    fn until(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let since = Instant::now();
        let mut state = self.state();
        while !holds(&state) && !state.gone {
            if since.elapsed() > PATIENCE {
                self.give_up();
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(200));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Has something called at a job's end, or the guard's.
    pub(super) fn when_ended(&self, job: u32, ended: Ended) {
        let mut state = self.state();
        let gone = state.gone;
        match state.jobs.get_mut(&job) {
            Some(job) if job.end.is_none() && !gone => job.ended = Some(ended),
            _ => {
                drop(state);
                ended();
            }
        }
    }

    pub(super) fn ask(&self, job: u32) {
        let _ = self.order(&Order::Ask { job }, &[]);
    }

    /// Ends a job's processes and waits until they are gone.
    pub(super) fn end(&self, job: u32) {
        if self.order(&Order::End { job }, &[]).is_err() {
            return;
        }
        drop(self.until(|state| state.jobs.get(&job).is_none_or(|job| job.killed)));
    }

    pub(super) fn end_of(&self, job: u32) -> ChildEnd {
        let end = self.state().jobs.get(&job).and_then(|job| job.end.clone());
        end.unwrap_or_else(|| ChildEnd::Lost(LOST.to_owned()))
    }
}

/// Ends every process that descends from this one. There is none of ours besides the run's then.
fn end_orphans() {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    let mut empty = 0;
    for _ in 0..400 {
        let orphans = table::descendants(me, &table::all().unwrap_or_default());
        empty = if orphans.is_empty() { empty + 1 } else { 0 };
        if empty == 3 {
            return;
        }
        table::kill_all(&orphans, &[], me);
        thread::sleep(Duration::from_millis(5));
    }
}
