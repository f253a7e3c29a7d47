//! Process trees on Unix. What a run starts belongs to its guard; a short command of our own (git, a
//! probe) is a process group, which a child that calls `setsid` leaves.

mod guard;
mod guardian;
mod table;
mod wire;

use std::io::{PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::supervisor::{Job, Stream, Via};
use crate::domain::outcome::ChildEnd;

pub(crate) use guard::Guard;
pub(crate) use guardian::serve;

/// A child and what it starts.
#[derive(Clone)]
pub(super) enum Tree {
    /// A process group of ours.
    Alone { group: Pid, child: Arc<Mutex<Child>> },
    /// A job of the guard.
    Guarded { guard: Arc<guard::Link>, job: u32 },
}

/// A child that was started, and its output.
pub(super) struct Started {
    pub(super) tree: Tree,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

impl Tree {
    /// Starts a job's child.
    pub(super) fn spawn(job: &Job) -> std::io::Result<Started> {
        let ((stdout, out), (stderr, err)) = (std::io::pipe()?, std::io::pipe()?);
        let tree = match &job.via {
            Via::Guard(guard) => guard.spawn(job, &out, &err)?,
            Via::Alone(_) => {
                let mut command = job.command()?;
                let child = command.stdout(out).stderr(err).process_group(0).spawn()?;
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let group = group.ok_or_else(|| std::io::Error::other("the child has no process id"))?;
                Tree::Alone { group, child: Arc::new(Mutex::new(child)) }
            }
        };
        Ok(Started { tree, stdout, stderr })
    }

    /// Has something called when the first process has ended. One of ours is not reaped by it: until
    /// then its id stays its own.
    pub(super) fn when_ended(&self, ended: impl FnOnce() + Send + 'static) {
        match self {
            Tree::Alone { group, .. } => {
                let group = *group;
                thread::spawn(move || {
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(group), options) {}
                    ended();
                });
            }
            Tree::Guarded { guard, job } => guard.when_ended(*job, Box::new(ended)),
        }
    }

    /// SIGTERM to the whole group.
    pub(super) fn ask(&self) {
        match self {
            Tree::Alone { group, .. } => {
                let _ = kill_process_group(*group, Signal::TERM);
            }
            Tree::Guarded { guard, job } => guard.ask(*job),
        }
    }

    /// SIGKILL: to the group, and where there is a guard to whatever left it.
    pub(super) fn kill(&self) {
        match self {
            Tree::Alone { group, .. } => {
                let _ = kill_process_group(*group, Signal::KILL);
            }
            Tree::Guarded { guard, job } => guard.end(*job),
        }
    }

    /// How the first process ended; takes it off the process table. What is left of a command of our
    /// own goes with it, what is left of a run is its guard's to tell.
    pub(super) fn end(&self) -> ChildEnd {
        match self {
            Tree::Alone { child, .. } => {
                self.kill();
                match child.lock().unwrap_or_else(PoisonError::into_inner).wait() {
                    Ok(status) => end_of(status),
                    Err(error) => ChildEnd::Lost(format!("its end could not be learned: {error}")),
                }
            }
            Tree::Guarded { guard, job } => guard.end_of(*job),
        }
    }
}

/// Exit code or signal.
fn end_of(status: ExitStatus) -> ChildEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ChildEnd::Exited(code),
        (None, signal) => ChildEnd::Signalled(signal.unwrap_or(0)),
    }
}

/// Reads both streams to their ends on one thread of their own, so that no full pipe ever stops the
/// child. `take` is given no bytes at a stream's end.
pub(super) fn drain(stdout: PipeReader, stderr: PipeReader, take: impl Fn(Stream, &[u8]) + Send + Sync + 'static) {
    thread::spawn(move || {
        let mut open = vec![(Stream::Stdout, stdout), (Stream::Stderr, stderr)];
        let mut buffer = vec![0; 64 << 10];
        while !open.is_empty() {
            let mut ready: Vec<_> = open.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
            if let Err(error) = poll(&mut ready, None)
                && error != rustix::io::Errno::INTR
            {
                return;
            }
            let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
            let mut at = 0;
            open.retain_mut(|(stream, pipe)| {
                at += 1;
                if !ready[at - 1] {
                    return true;
                }
                let read = match pipe.read(&mut buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return true,
                    read => read.unwrap_or(0),
                };
                take(*stream, &buffer[..read]);
                read > 0
            });
        }
    });
}

/// Output that is no UTF-8, as well as it can be read.
pub(super) fn oem_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program that runs, even where its file was replaced meanwhile.
fn own_program() -> std::io::Result<Command> {
    if cfg!(target_os = "linux") {
        return Ok(Command::new("/proc/self/exe"));
    }
    Ok(Command::new(std::env::current_exe()?))
}
