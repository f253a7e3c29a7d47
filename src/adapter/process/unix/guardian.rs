//! The guard: a process of our own that starts every child of a run and outlives us.
//!
//! It is the children's sub-reaper where the platform has one, so that whatever leaves its parent
//! or its session still descends from it. When the socket to us closes without a word it ends
//! everything, and writes that into the journal.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group, wait, waitid,
};

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
    let guard = Guardian {
        me: rustix::process::getpid().as_raw_nonzero().get(),
        mark: format!("{}.", world.new_local_run()),
        children: Arc::default(),
        reports: Arc::new(Mutex::new(orders.try_clone()?)),
    };
    guard.reap();
    loop {
        match wire::receive::<Order>(&orders) {
            Ok(Some((Order::Release, _))) => return Ok(()),
            Ok(Some((order, pipes))) => guard.obey(order, pipes),
            Ok(None) | Err(_) => break,
        }
    }
    guard.end(&Whose::Everyone, LAST_PATIENCE);
    journal::append(world, Path::new(&journal), Event::SupervisorLost);
    Ok(())
}

#[derive(Default)]
struct Children {
    /// The first process of each job, until it is reaped.
    leaders: HashMap<i32, u32>,
    /// The same, by job, kept.
    jobs: HashMap<u32, i32>,
}

struct Guardian {
    me: i32,
    mark: String,
    children: Arc<(Mutex<Children>, Condvar)>,
    reports: Arc<Mutex<UnixStream>>,
}

/// Which processes.
enum Whose {
    Everyone,
    Job(u32),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(reports: &Mutex<UnixStream>, report: &Report) {
    // A supervisor that is gone is noticed where orders are read.
    let _ = wire::send(&lock(reports), report, &[]);
}

impl Guardian {
    fn obey(&self, order: Order, pipes: Vec<std::os::fd::OwnedFd>) {
        match order {
            Order::Spawn { job, argv, cwd } => {
                let answer = match self.spawn(job, &argv, &cwd, pipes) {
                    Ok(()) => return,
                    Err(error) => error,
                };
                let (errno, why) = (answer.raw_os_error(), answer.to_string());
                report(&self.reports, &Report::NotStarted { job, errno, why });
            }
            Order::Ask { job } => self.ask(job),
            Order::End { job } => {
                self.end(&Whose::Job(job), PATIENCE);
                report(&self.reports, &Report::Ended { job });
            }
            Order::Survivors => report(&self.reports, &Report::Survivors(self.survivors())),
            Order::EndAll => {
                self.end(&Whose::Everyone, PATIENCE);
                report(&self.reports, &Report::EndedAll);
            }
            Order::Begin { .. } | Order::Release => {}
        }
    }

    fn spawn(
        &self,
        job: u32,
        argv: &[std::ffi::OsString],
        cwd: &std::ffi::OsStr,
        pipes: Vec<std::os::fd::OwnedFd>,
    ) -> io::Result<()> {
        let (Some((program, arguments)), Ok([stdout, stderr])) =
            (argv.split_first(), <[std::os::fd::OwnedFd; 2]>::try_from(pipes))
        else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an order without a program or its pipes"));
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(cwd).env(MARK, format!("{}{job}", self.mark)).process_group(0);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        // Held while it starts: the reaper must not take a child that the standard library waits for.
        let mut children = lock(&self.children.0);
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        children.leaders.insert(pid, job);
        children.jobs.insert(job, pid);
        report(&self.reports, &Report::Spawned { job });
        self.children.1.notify_all();
        Ok(())
    }

    /// Reaps whatever ends, on a thread of its own: children, and what was left to us by theirs.
    fn reap(&self) {
        let (children, reports) = (self.children.clone(), self.reports.clone());
        thread::spawn(move || {
            loop {
                // Looked at before it is taken, so that it is taken under the lock.
                match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                    Ok(_) => {}
                    Err(rustix::io::Errno::CHILD) => {
                        let guard = lock(&children.0);
                        let _ = children.1.wait_timeout(guard, Duration::from_millis(200));
                        continue;
                    }
                    Err(_) => continue,
                }
                let mut held = lock(&children.0);
                if let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG)
                    && let Some(job) = held.leaders.remove(&pid.as_raw_nonzero().get())
                {
                    let (code, signal) = (status.exit_status(), status.terminating_signal());
                    report(&reports, &Report::Exited { job, code, signal });
                }
            }
        });
    }

    fn ask(&self, job: u32) {
        let children = lock(&self.children.0);
        if let Some(group) = children.jobs.get(&job).and_then(|pid| Pid::from_raw(*pid)) {
            // While the leader is not reaped the number is its own; after it, only members keep it.
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
            // Under the lock nothing that was left to us is reaped, so its number stays its own.
            let children = lock(&self.children.0);
            for victim in &victims {
                if let Some(pid) = Pid::from_raw(victim.pid) {
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            drop(children);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn of(&self, whose: &Whose) -> Vec<Process> {
        let table = table::all();
        let mut all = table::descendants(self.me, &table);
        let leaders: Vec<i32> = lock(&self.children.0).jobs.values().copied().collect();
        if !cfg!(target_os = "linux") {
            // Without a sub-reaper orphans are known by their group alone.
            let groups = table.iter().filter(|p| leaders.contains(&p.group) && !all.iter().any(|a| a.pid == p.pid));
            let groups: Vec<Process> = groups.cloned().collect();
            all.extend(groups);
        }
        let Whose::Job(job) = whose else { return all };
        let Some(leader) = lock(&self.children.0).jobs.get(job).copied() else { return Vec::new() };
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
