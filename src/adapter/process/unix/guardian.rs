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

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpid};

use super::table::{self, Process};
use super::wire::{self, Alive, Order, Report};
use crate::adapter::journal;
use crate::adapter::world::World;
use crate::domain::event::Event;

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
    let Some((Order::Begin { journal }, _)) = wire::receive::<Order>(&orders)? else { return Ok(()) };
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let guard = Arc::new(Guardian {
        me: rustix::process::getpid().as_raw_nonzero().get(),
        mark: format!("{}.", world.new_local_run()),
        starting: RwLock::default(),
        children: Mutex::default(),
        reports: Mutex::new(orders.try_clone()?),
        orders: Mutex::new(orders),
        idle: AtomicUsize::new(0),
    });
    guard.sweep();
    let (last, leave) = mpsc::channel();
    guard.follow(last);
    if leave.recv() == Ok(Leave::Lost) {
        guard.end(&Whose::Everyone, LAST_PATIENCE);
        journal::append(world, Path::new(&journal), Event::SupervisorLost);
    }
    Ok(())
}

/// Why the guard goes.
#[derive(Debug, PartialEq, Eq)]
enum Leave {
    Released,
    Lost,
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
    /// Held while a child starts, by any number: the sweep, which holds it alone, must not take a child
    /// that the standard library waits for.
    starting: RwLock<()>,
    children: Mutex<Children>,
    reports: Mutex<UnixStream>,
    orders: Mutex<UnixStream>,
    /// Threads that wait for orders.
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

    /// A thread that takes one order after another. One that starts a child waits for its end: before
    /// it does, it sees to it that another thread takes the next order.
    fn follow(self: &Arc<Self>, last: mpsc::Sender<Leave>) {
        let guard = self.clone();
        guard.idle.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            loop {
                let orders = lock(&guard.orders);
                let (order, pipes) = match wire::receive::<Order>(&orders) {
                    Ok(Some((Order::Release, _))) => {
                        // Before another thread finds the socket closed.
                        let _ = last.send(Leave::Released);
                        return;
                    }
                    Ok(Some(order)) => order,
                    Ok(None) | Err(_) => {
                        let _ = last.send(Leave::Lost);
                        return;
                    }
                };
                drop(orders);
                if guard.idle.fetch_sub(1, Ordering::SeqCst) == 1 {
                    guard.follow(last.clone());
                }
                guard.obey(order, pipes);
                guard.idle.fetch_add(1, Ordering::SeqCst);
            }
        });
    }

    fn obey(&self, order: Order, pipes: Vec<OwnedFd>) {
        match order {
            Order::Spawn { job, argv, cwd } => match self.start(job, &argv, &cwd, pipes) {
                Ok(child) => self.attend(job, child),
                Err(error) => {
                    self.report(&Report::NotStarted { job, errno: error.raw_os_error(), why: error.to_string() });
                }
            },
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
            Order::Begin { .. } | Order::Release => {}
        }
    }

    fn start(&self, job: u32, argv: &[OsString], cwd: &OsStr, pipes: Vec<OwnedFd>) -> io::Result<Child> {
        let (Some((program, arguments)), Ok([stdout, stderr])) = (argv.split_first(), <[OwnedFd; 2]>::try_from(pipes))
        else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an order without a program or its pipes"));
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
                // Whose end it is is not told; a job's own is reaped by the thread that attends to it.
                let _ = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
                thread::sleep(Duration::from_secs(1));
                let _alone = guard.starting.write().unwrap_or_else(PoisonError::into_inner);
                let children = lock(&guard.children);
                for pid in table::ended_children(guard.me).into_iter().filter(|pid| !children.leaders.contains(pid)) {
                    if let Some(pid) = Pid::from_raw(pid) {
                        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
                    }
                }
            }
        });
    }

    fn ask(&self, job: u32) {
        let children = lock(&self.children);
        let leader = children.jobs.get(&job).filter(|pid| children.leaders.contains(pid));
        if let Some(group) = leader.and_then(|pid| Pid::from_raw(*pid)) {
            // While the leader is not reaped the number is its own.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Kills until nothing is left: what is killed may have started something meanwhile.
    fn end(&self, whose: &Whose, patience: Duration) {
        let since = Instant::now();
        loop {
            let victims = self.of(whose);
            if victims.is_empty() || since.elapsed() > patience {
                return;
            }
            for victim in &victims {
                table::kill(victim);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn of(&self, whose: &Whose) -> Vec<Process> {
        let table = table::all();
        let mut all = table::descendants(self.me, &table);
        let leaders: Vec<i32> = lock(&self.children).jobs.values().copied().collect();
        if !cfg!(target_os = "linux") {
            // Without a sub-reaper orphans are known by their group alone.
            let groups = table.iter().filter(|p| leaders.contains(&p.group) && !all.iter().any(|a| a.pid == p.pid));
            let groups: Vec<Process> = groups.cloned().collect();
            all.extend(groups);
        }
        let Whose::Job(job) = whose else { return all };
        let Some(leader) = lock(&self.children).jobs.get(job).copied() else { return Vec::new() };
        let below = table::descendants(leader, &table);
        let mark = format!("{}{job}", self.mark);
        all.retain(|process| {
            process.pid == leader
                || process.group == leader
                || below.iter().any(|own| own.pid == process.pid)
                || table::variable(process.pid, MARK).as_ref() == Some(&mark)
        });
        all
    }

    fn survivors(&self) -> Vec<Alive> {
        let tell = |process: &Process| {
            let mark = table::variable(process.pid, MARK);
            Alive {
                pid: process.pid.unsigned_abs(),
                started: table::started(process),
                command: table::command(process.pid),
                job: mark.and_then(|mark| mark.strip_prefix(&self.mark)?.parse().ok()),
            }
        };
        self.of(&Whose::Everyone).iter().map(tell).collect()
    }
}
