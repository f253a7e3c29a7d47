//! Process trees on Unix. What a run starts belongs to its guard; a short command of our own (git,
//! a probe) is a process group, which a child that calls `setsid` leaves.

mod guard;
mod guardian;
mod table;
mod wire;

use std::io::{PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::supervisor::{Job, Stream, Via};
use crate::domain::verdict::outcome::ChildEnd;

use rustix::io::FdFlags;

use crate::adapter::lock::Held;
use crate::adapter::world::World;
use crate::domain::host::labview::Running;
pub(crate) use guard::Guard;
pub(crate) use guardian::serve;

/// Runs a command on our own streams while a lock is held, and gives its exit code.
///
/// The command holds the lock as well, and so does what it starts: were we killed outright, the
/// host would not be free before they are done. A request to stop is passed on. Where an ancestor
/// holds the lock there is none of ours.
pub(crate) fn run_attached(
    world: &World,
    argv: &[String],
    held: Option<&Held>,
) -> std::io::Result<u8> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    let marks: Vec<_> = held.map(|held| held.mark(world)).into_iter().collect();
    command.args(arguments).env_clear().envs(super::child_environment(world, &marks));
    if let Some(held) = held {
        rustix::io::fcntl_setfd(held.file(), FdFlags::empty())?;
    }
    let mut child = command
        .spawn()
        .map_err(|error| std::io::Error::new(error.kind(), format!("{program}: {error}")))?;
    if let Some(held) = held {
        rustix::io::fcntl_setfd(held.file(), FdFlags::CLOEXEC)?;
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut passed_on = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            let code =
                status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255);
            return Ok(u8::try_from(code).unwrap_or(255));
        }
        let requests = world.cancel().requests();
        if requests > passed_on
            && let Some(pid) = pid
        {
            passed_on = requests;
            let signal = if requests > 1 { Signal::KILL } else { Signal::TERM };
            // It has no group of its own, so that it may read from the terminal: whatever descends
            // from it now is asked as well.
            let all = table::all().unwrap_or_default();
            for process in table::descendants(pid.as_raw_nonzero().get(), &all) {
                let _ = Pid::from_raw(process.pid)
                    .map(|process| rustix::process::kill_process(process, signal));
            }
            let _ = rustix::process::kill_process(pid, signal);
        }
        world.wait(Duration::from_millis(10));
    }
}

/// When a process was born, where that can be told.
pub(crate) fn started(pid: u32) -> Option<jiff::Timestamp> {
    table::started(&table::of(i32::try_from(pid).ok()?)?)
}

/// Every process whose program has this name, letter case aside. None where nobody can tell.
pub(crate) fn named(name: &str) -> Option<Vec<Running>> {
    let of_name = |process: &table::Process| table::name(process.pid).eq_ignore_ascii_case(name);
    let tell = |process: table::Process| {
        let pid = u32::try_from(process.pid).ok()?;
        Some(Running { pid, started: table::started(&process), session: None })
    };
    Some(table::all()?.into_iter().filter(of_name).filter_map(tell).collect())
}

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
                let group =
                    group.ok_or_else(|| std::io::Error::other("the child has no process id"))?;
                Tree::Alone { group, child: Arc::new(Mutex::new(child)) }
            }
        };
        Ok(Started { tree, stdout, stderr })
    }

    /// Has something called when the first process has ended. One of ours is not reaped by it:
    /// until then its id stays its own.
    pub(super) fn when_ended(&self, ended: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        match self {
            Tree::Alone { group, .. } => {
                let group = *group;
                let wait = move || {
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(group), options) {}
                    ended();
                };
                thread::Builder::new().spawn(wait)?;
            }
            Tree::Guarded { guard, job } => guard.when_ended(*job, Box::new(ended)),
        }
        Ok(())
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

    /// How the first process ended; takes it off the process table. What is left of a command of
    /// our own goes with it, what is left of a run is its guard's to tell.
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
pub(super) fn drain(
    stdout: PipeReader,
    stderr: PipeReader,
    take: impl Fn(Stream, &[u8]) + Send + 'static,
) -> std::io::Result<()> {
    let pump = move || {
        if let Ok(mut pump) = Pump::new(stdout, stderr) {
            while pump.turn(None, &take) {}
        }
    };
    thread::Builder::new().spawn(pump)?;
    Ok(())
}

/// Reads both streams whenever there is something to read.
pub(super) struct Pump {
    open: Vec<(Stream, PipeReader)>,
    buffer: Vec<u8>,
}

impl Pump {
    /// Here a thread can wait for both at once; where it cannot they are given back.
    pub(super) fn new(
        stdout: PipeReader,
        stderr: PipeReader,
    ) -> Result<Self, (PipeReader, PipeReader)> {
        // Most children print little; one that fills it gets more room.
        Ok(Self {
            open: vec![(Stream::Stdout, stdout), (Stream::Stderr, stderr)],
            buffer: vec![0; 4 << 10],
        })
    }

    /// Waits for something to read, for so long at most, and reads it; false once both have ended.
    pub(super) fn turn(
        &mut self,
        patience: Option<Duration>,
        take: &dyn Fn(Stream, &[u8]),
    ) -> bool {
        let mut ready: Vec<_> =
            self.open.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)).collect();
        let patience = patience.and_then(|patience| patience.try_into().ok());
        match poll(&mut ready, patience.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return true,
            Err(_) => return false,
        }
        let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (buffer, mut ready) = (&mut self.buffer, ready.into_iter());
        self.open.retain_mut(|(stream, pipe)| {
            if ready.next() != Some(true) {
                return true;
            }
            let read = match pipe.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return true,
                read => read.unwrap_or(0),
            };
            take(*stream, &buffer[..read]);
            if read == buffer.len() {
                buffer.resize(64 << 10, 0);
            }
            read > 0
        });
        !self.open.is_empty()
    }
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
