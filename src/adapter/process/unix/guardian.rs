//! The guard: a process of our own that starts every child of a run and outlives us.
//!
//! It is the children's sub-reaper where the platform has one, so that whatever leaves its parent
//! or its session still descends from it. When the socket to us closes without a word it ends
//! everything, and writes that into the journal.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpid,
};

use super::table::{self, Process};
use super::wire::{self, Alive, Order, Report};
use crate::adapter::journal;
use crate::adapter::world::World;
use crate::domain::run::event::Event;

/// By this variable a process that left its group and its parents is known as one job's. It has no
/// prefix of our flags, which would make a setting of it.
const MARK: &str = "PESTERGATE_JOB";
/// How long ending a tree may take before it is reported as ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long, after the supervisor is gone.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// Runs the guard until it is let go, or until the supervisor is gone. Its standard input is the
/// socket.
pub(crate) fn serve(world: &World) -> io::Result<()> {
    let orders = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::net::sockopt::socket_type(&orders)?;
    let orders = UnixStream::from(orders);
    // The host's lock comes along where the run holds one: it is ours until we are gone.
    let Some((Order::Begin { journal }, _lock)) = wire::receive::<Order>(&orders)? else {
        return Ok(());
    };
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Were we stopped when the supervisor goes, its going wakes us.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    let guard = Arc::new(Guardian {
        me: rustix::process::getpid().as_raw_nonzero().get(),
        mark: format!("{}.", world.new_local_run()),
        starting: RwLock::default(),
        children: Mutex::default(),
        known: Mutex::default(),
        reports: Mutex::new(orders.try_clone()?),
        idle: AtomicUsize::new(0),
    });
    guard.sweep();
    let (starts, inbox) = mpsc::channel();
    let inbox = Arc::new(Mutex::new(inbox));
    // One thread takes the orders and is never busy for long; children are waited for by others.
    loop {
        match wire::receive::<Order>(&orders) {
            Ok(Some((Order::Release, _))) => return Ok(()),
            Ok(Some((Order::Spawn { job, argv, cwd }, pipes))) => {
                guard.hand_over(Start { job, argv, cwd, pipes }, &starts, &inbox);
            }
            Ok(Some((order, _))) => guard.obey(&order),
            Ok(None) | Err(_) => break,
        }
    }
    guard.end(&Whose::Everyone, LAST_PATIENCE);
    journal::append(world, Path::new(&journal), Event::SupervisorLost);
    Ok(())
}

/// A child to be started.
struct Start {
    job: u32,
    argv: Vec<OsString>,
    cwd: OsString,
    pipes: Vec<OwnedFd>,
}

#[derive(Default)]
struct Children {
    /// The first processes of jobs, until they are reaped.
    leaders: HashSet<i32>,
    /// The first process of each job, kept.
    jobs: HashMap<u32, i32>,
}

struct Guardian {
    me: i32,
    mark: String,
    /// Held while a child starts, by any number: the sweep, which holds it alone, must not take a
    /// child that the standard library waits for.
    starting: RwLock<()>,
    children: Mutex<Children>,
    /// Whose a process was when it was last looked at: it stays so, whatever it does to hide.
    known: Mutex<HashMap<(i32, u64), u32>>,
    reports: Mutex<UnixStream>,
    /// Threads that wait for a child to start.
    idle: AtomicUsize,
}

/// Which processes.
enum Whose {
    Everyone,
    Job(u32),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guardian {
    fn report(&self, report: &Report) {
        // A supervisor that is gone is noticed where orders are read.
        let _ = wire::send(&lock(&self.reports), report, &[]);
    }

    /// Gives a child to a thread that has none, or to a new one.
    fn hand_over(
        self: &Arc<Self>,
        start: Start,
        starts: &mpsc::Sender<Start>,
        inbox: &Arc<Mutex<mpsc::Receiver<Start>>>,
    ) {
        let took =
            self.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |idle| idle.checked_sub(1));
        if took.is_ok() {
            let _ = starts.send(start);
            return;
        }
        let (guard, inbox, job) = (self.clone(), inbox.clone(), start.job);
        let thread = thread::Builder::new().spawn(move || {
            guard.run(start);
            loop {
                guard.idle.fetch_add(1, Ordering::SeqCst);
                let next = lock(&inbox).recv();
                let Ok(start) = next else { return };
                guard.run(start);
            }
        });
        if let Err(error) = thread {
            self.report(&Report::NotStarted {
                job,
                errno: error.raw_os_error(),
                why: error.to_string(),
            });
        }
    }

    fn run(&self, start: Start) {
        let job = start.job;
        match self.start(job, &start.argv, &start.cwd, start.pipes) {
            Ok(child) => self.attend(job, child),
            Err(error) => {
                self.report(&Report::NotStarted {
                    job,
                    errno: error.raw_os_error(),
                    why: error.to_string(),
                });
            }
        }
    }

    fn obey(&self, order: &Order) {
        match *order {
            Order::Ask { job } => self.ask(job),
            Order::End { job } => {
                self.end(&Whose::Job(job), PATIENCE);
                self.report(&Report::Ended { job });
            }
            Order::Survivors => self.report(&Report::Survivors(self.survivors())),
            Order::EndAll => {
                self.end(&Whose::Everyone, PATIENCE);
                self.report(&Report::EndedAll);
            }
            Order::Ping => self.report(&Report::Pong),
            Order::Begin { .. } | Order::Spawn { .. } | Order::Release => {}
        }
    }

    fn start(
        &self,
        job: u32,
        argv: &[OsString],
        cwd: &OsStr,
        pipes: Vec<OwnedFd>,
    ) -> io::Result<Child> {
        let (Some((program, arguments)), Ok([stdout, stderr])) =
            (argv.split_first(), <[OwnedFd; 2]>::try_from(pipes))
        else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an order without a program or its pipes",
            ));
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(cwd).env(MARK, format!("{}{job}", self.mark));
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
        let _starting = self.starting.read().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        let mut children = lock(&self.children);
        children.leaders.insert(pid);
        children.jobs.insert(job, pid);
        Ok(child)
    }

    /// Waits for a job's first process.
    fn attend(&self, job: u32, mut child: Child) {
        let status = child.wait();
        if let Ok(pid) = i32::try_from(child.id()) {
            lock(&self.children).leaders.remove(&pid);
        }
        let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
        self.report(&Report::Exited { job, code, signal });
    }

    /// Reaps what was left to us by parents that are gone, on a thread of its own.
    fn sweep(self: &Arc<Self>) {
        let guard = self.clone();
        thread::spawn(move || {
            loop {
                // Whose end it is is not told; a job's own is reaped by the thread that attends to
                // it.
                let _ = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
                thread::sleep(Duration::from_secs(1));
                guard.reap();
            }
        });
    }

    /// Takes orphans that have ended off the table, and gives the groups that they were in: one
    /// that forks and leaves, over and over, is seen by them alone.
    fn reap(&self) -> Vec<i32> {
        let _alone = self.starting.write().unwrap_or_else(PoisonError::into_inner);
        let children = lock(&self.children);
        let mut groups = Vec::new();
        for (pid, group) in table::ended_children(self.me) {
            if let Some(ended) = Pid::from_raw(pid).filter(|_| !children.leaders.contains(&pid)) {
                let _ = waitpid(Some(ended), WaitOptions::NOHANG);
                // A group of another child that runs is that child's to end.
                if !children.leaders.contains(&group) {
                    groups.push(group);
                }
            }
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn ask(&self, job: u32) {
        // Whose each process is is seen now: when its parents are gone it may not be.
        let _ = self.look();
        let children = lock(&self.children);
        let leader = children.jobs.get(&job).filter(|pid| children.leaders.contains(pid));
        if let Some(group) = leader.and_then(|pid| Pid::from_raw(*pid)) {
            // While the leader is not reaped the number is its own.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Kills until nothing is left: what is killed may have started something meanwhile, and what
    /// forks and leaves may have been missed by one look.
    fn end(&self, whose: &Whose, patience: Duration) {
        let (since, mut empty) = (Instant::now(), 0);
        while empty < 3 && since.elapsed() <= patience {
            let victims = self.of(whose).unwrap_or_default();
            let everyone = matches!(whose, Whose::Everyone) || self.alone(whose);
            let ended = self.reap();
            let groups = if everyone { ended } else { Vec::new() };
            empty = if victims.is_empty() && groups.is_empty() { empty + 1 } else { 0 };
            table::kill_all(&victims, &groups, self.me);
            thread::sleep(Duration::from_millis(if victims.is_empty() { 1 } else { 5 }));
        }
    }

    /// Whether nothing runs beside this job.
    fn alone(&self, whose: &Whose) -> bool {
        let Whose::Job(job) = whose else { return false };
        let children = lock(&self.children);
        let leader = children.jobs.get(job);
        children.leaders.iter().all(|running| Some(running) == leader)
    }

    /// Everything of the run that is alive, with the job that it belongs to where that can be told.
    fn look(&self) -> Option<Vec<(Process, Option<u32>)>> {
        let table = table::all()?;
        let mut alive = table::descendants(self.me, &table);
        let jobs = lock(&self.children).jobs.clone();
        if !cfg!(target_os = "linux") {
            // Without a sub-reaper orphans are known by their group alone.
            let known: Vec<i32> = alive.iter().map(|process| process.pid).collect();
            let groups = table.iter().filter(|p| {
                !known.contains(&p.pid) && jobs.values().any(|leader| *leader == p.group)
            });
            alive.extend(groups.cloned());
        }
        let by_pid: HashMap<i32, &Process> =
            table.iter().map(|process| (process.pid, process)).collect();
        let leaders: HashMap<i32, u32> = jobs.iter().map(|(job, leader)| (*leader, *job)).collect();
        let mut known = lock(&self.known);
        let reported = alive.iter().map(|process| {
            // Descent and group cannot be forged; the mark can, and is asked last.
            let job = known.get(&process.identity()).copied();
            let job = job.or_else(|| {
                let mut at = Some(process);
                while let Some(process) = at {
                    if let Some(job) =
                        leaders.get(&process.pid).or_else(|| leaders.get(&process.group))
                    {
                        return Some(*job);
                    }
                    if let Some(job) = known.get(&process.identity()) {
                        return Some(*job);
                    }
                    at =
                        by_pid.get(&process.parent).copied().filter(|parent| parent.pid != self.me);
                }
                None
            });
            let mark =
                || table::variable(process.pid, MARK)?.strip_prefix(&self.mark)?.parse().ok();
            let job = job.or_else(mark);
            if let Some(job) = job {
                known.insert(process.identity(), job);
            }
            (process.clone(), job)
        });
        Some(reported.collect())
    }

    fn of(&self, whose: &Whose) -> Option<Vec<Process>> {
        let alive = self.look()?;
        let wanted = match whose {
            Whose::Everyone => {
                return Some(alive.into_iter().map(|(process, _)| process).collect());
            }
            Whose::Job(job) => *job,
        };
        // What hides from all of that can be nobody else's where nothing else runs.
        let alone = self.alone(whose);
        let is_wanted = |job: Option<u32>| job.map_or(alone, |job| job == wanted);
        Some(
            alive
                .into_iter()
                .filter(|(_, job)| is_wanted(*job))
                .map(|(process, _)| process)
                .collect(),
        )
    }

    fn survivors(&self) -> Option<Vec<Alive>> {
        let mut alive = self.look()?;
        let mut restless = Vec::new();
        if alive.is_empty() {
            // One that forks and leaves, over and over, can be between two of itself: what ends now
            // lived a moment ago.
            self.reap();
            thread::sleep(Duration::from_millis(3));
            restless = self.reap();
            alive = self.look()?;
        }
        let tell = |(process, job): &(Process, Option<u32>)| Alive {
            pid: process.pid.unsigned_abs(),
            started: table::started(process),
            command: table::command(process.pid),
            job: *job,
        };
        let seen: Vec<i32> = alive.iter().map(|(process, _)| process.group).collect();
        let unseen = restless.iter().filter(|group| !seen.contains(group)).map(|group| Alive {
            pid: group.unsigned_abs(),
            started: None,
            command: format!("(group {group}: processes that start one another and leave)"),
            job: None,
        });
        Some(alive.iter().map(tell).chain(unseen).collect())
    }
}
