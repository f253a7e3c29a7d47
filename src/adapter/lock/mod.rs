//! The host's lock: one holder for each group, whatever workspace, job or user it comes from.
//!
//! What counts is the operating system's lock on one file, which ends with whoever holds it: no age,
//! no clock and no file's content ever gives it away. Who waits takes a number, and is served in
//! that order; a number is a file that its owner keeps locked, so that whoever died is passed over.
//! Every change to the queue is made under a third lock that is held for a moment only.

mod held;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::held::Held;
use crate::adapter::process;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::ids::LockGroup;
use crate::domain::lock::{Claim, HELD, Owner, Wait};

/// Pauses between two looks grow from the first to the last.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(250);
/// How long the queue itself may be busy. It is held for the time of a few small files.
const PATIENCE: Duration = Duration::from_secs(10);
/// Whoever goes at once is not worth a line; whoever stays is named again and again.
const FIRST_LINE: Duration = Duration::from_millis(500);
const NEXT_LINE: Duration = Duration::from_secs(30);

/// A group's lock on this host.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    folder: PathBuf,
    group: LockGroup,
    /// Where this user's claims are.
    claims: PathBuf,
}

/// What an attempt came to.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is ours.
    Held(Held),
    /// It stayed with somebody else for the whole wait; who, where that is known.
    InVain(Option<Owner>),
    /// An ancestor of this process holds it, for us as well.
    Inherited,
    /// Somebody cancelled.
    Cancelled,
}

/// What became of a request to release.
#[derive(Debug)]
pub(crate) enum Released {
    /// Nothing of ours holds it; who does, where somebody does.
    NotOurs(Option<Owner>),
    /// Its holder was asked, and is gone.
    Gone(Owner),
    /// Its holder was asked, and has not gone.
    Stays(Owner),
}

/// A number in the queue, ours as long as its file is locked.
struct Ticket {
    number: u64,
    path: PathBuf,
    _locked: File,
}

impl Lock {
    /// A group's lock in `folder`, else in the platform's folder for all users, else in this user's own.
    /// `state` is where this user keeps what lets it ask a holder to end.
    pub(crate) fn new(world: &World, folder: Option<PathBuf>, group: LockGroup, state: &Path) -> io::Result<Self> {
        let folder = match folder {
            Some(folder) => {
                make_shared(&folder)?;
                folder
            }
            None => machine_wide(world)?,
        };
        Ok(Self { folder, group, claims: state.join("locks") })
    }

    /// Its group.
    pub(crate) fn group(&self) -> &LockGroup {
        &self.group
    }

    /// Waits for its turn, for at most `wait`, and says whom it waits for. `command` is what it is held for.
    pub(crate) fn acquire(
        &self,
        world: &World,
        command: &str,
        wait: Duration,
        tell: &dyn Fn(&Wait),
    ) -> io::Result<Attempt> {
        if self.is_inherited(world)? {
            return Ok(Attempt::Inherited);
        }
        let started = world.tick();
        let waited = || world.tick().duration_since(started);
        let ticket = self.take_ticket(world)?;
        let (mut pause, mut next_line) = (FIRST_LOOK, FIRST_LINE);
        let end = loop {
            if let Some(held) = self.try_acquire(world, &ticket, command)? {
                break Attempt::Held(held);
            }
            if world.cancel().requests() > 0 {
                break Attempt::Cancelled;
            }
            if waited() >= wait {
                break Attempt::InVain(self.owner());
            }
            if waited() >= next_line {
                next_line = waited() + NEXT_LINE;
                let before = numbers(&self.path("queue"))?.into_iter().filter(|n| *n < ticket.number).count();
                let group = self.group.to_string();
                tell(&Wait { group, holder: self.owner(), before, waited: waited() });
            }
            world.wait(pause.min(wait.saturating_sub(waited())));
            pause = pause.mul_f64(1.5).min(LAST_LOOK);
        };
        let _queue = self.queue(world)?;
        let _ = std::fs::remove_file(&ticket.path);
        Ok(end)
    }

    /// Asks the holder to end where it is of this run (in this place, where one is named), and waits
    /// for it. Another's is left alone: without its claim nobody can ask it.
    pub(crate) fn release(
        &self,
        world: &World,
        run: Option<(&str, u32)>,
        place: Option<&str>,
        patience: Duration,
    ) -> io::Result<Released> {
        let holder = match self.inspect(world)? {
            Some(Some(holder)) if !self.is_marked(world, &holder) => holder,
            Some(holder) => return Ok(Released::NotOurs(holder)),
            None => return Ok(Released::NotOurs(None)),
        };
        let claim = files::read_bounded(&self.claims.join(format!("{}.json", holder.id))).ok();
        let claim = claim.and_then(|bytes| serde_json::from_slice::<Claim>(&bytes).ok());
        let ours = |claim: &Claim| claim.id == holder.id && claim.is_of(run, place);
        let Some(claim) = claim.filter(ours) else { return Ok(Released::NotOurs(Some(holder))) };
        let mut request = open(&self.path("release"))?;
        request.set_len(0)?;
        request.write_all(claim.token.as_bytes())?;
        drop(request);
        let started = world.tick();
        loop {
            match self.inspect(world)? {
                Some(Some(now)) if now.id == holder.id => {}
                // Whoever came after it is none of ours.
                _ => return Ok(Released::Gone(holder)),
            }
            if world.tick().duration_since(started) >= patience || world.cancel().requests() > 0 {
                return Ok(Released::Stays(holder));
            }
            world.wait(Duration::from_millis(50));
        }
    }

    /// Whether an ancestor of this process holds it.
    fn is_inherited(&self, world: &World) -> io::Result<bool> {
        if world.var(HELD).is_none() {
            return Ok(false);
        }
        Ok(self.inspect(world)?.flatten().is_some_and(|owner| self.is_marked(world, &owner)))
    }

    /// Whether the environment names this holder as an ancestor.
    pub(crate) fn is_marked(&self, world: &World, owner: &Owner) -> bool {
        let marks = world.var(HELD).unwrap_or_default();
        !owner.id.is_empty() && marks.split(',').any(|mark| mark == owner.id)
    }

    /// Who holds it now.
    pub(crate) fn inspect(&self, world: &World) -> io::Result<Option<Option<Owner>>> {
        let _queue = self.queue(world)?;
        match open(&self.path("lock"))?.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(self.owner())),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.group))
    }

    fn owner(&self) -> Option<Owner> {
        serde_json::from_slice(&files::read_bounded(&self.path("owner.json")).ok()?).ok()
    }

    /// The lock of the queue, for a moment.
    fn queue(&self, world: &World) -> io::Result<File> {
        let file = open(&self.path("queue.lock"))?;
        let started = world.tick();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if world.tick().duration_since(started) < PATIENCE => {
                    world.wait(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    let why = format!("the queue {} is busy", self.path("queue.lock").display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn take_ticket(&self, world: &World) -> io::Result<Ticket> {
        let folder = self.path("queue");
        make_shared(&folder)?;
        let _queue = self.queue(world)?;
        let number = numbers(&folder)?.into_iter().max().unwrap_or(0) + 1;
        let path = folder.join(number.to_string());
        let file = open(&path)?;
        file.try_lock()?;
        Ok(Ticket { number, path, _locked: file })
    }

    /// The lock, where nobody alive has a lower number and nobody holds it.
    fn try_acquire(&self, world: &World, ticket: &Ticket, command: &str) -> io::Result<Option<Held>> {
        let _queue = self.queue(world)?;
        let folder = self.path("queue");
        for number in numbers(&folder)?.into_iter().filter(|number| *number < ticket.number) {
            let path = folder.join(number.to_string());
            let earlier = open(&path)?;
            match earlier.try_lock() {
                // Whoever took this number is gone. Another user's file may stay: it keeps nobody back.
                Ok(()) => drop(std::fs::remove_file(&path)),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let file = open(&self.path("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever asks is told about us from here on.
        let (told, request) = (open(&self.path("owner.json"))?, self.path("release"));
        let owner = this_process(world, command);
        Held::new(world, file, told, &owner, request, Some(&self.claims), &self.group.to_string()).map(Some)
    }
}

/// Which of a run's jobs on this host this is: two legs of a matrix may share all but their runner's
/// temporary folder.
pub(crate) fn place(world: &World) -> Option<String> {
    let name = world.var("RUNNER_NAME").unwrap_or_default();
    let temp = world.var("RUNNER_TEMP").unwrap_or_default();
    (!name.is_empty() || !temp.is_empty()).then(|| format!("{name} {temp}"))
}

/// This process as an owner.
fn this_process(world: &World, command: &str) -> Owner {
    let now = world.now();
    Owner {
        id: world.new_local_run(),
        run_id: world.var("GITHUB_RUN_ID"),
        run_attempt: world
            .var("GITHUB_RUN_ID")
            .map(|_| world.var("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()).unwrap_or(1)),
        job: world.var("GITHUB_JOB"),
        actor: world.var("GITHUB_ACTOR"),
        runner: world.var("RUNNER_NAME"),
        machine: world.host().name,
        pid: world.pid(),
        process_started_at_utc: process::started(world.pid()),
        command: command.to_owned(),
        acquired_at_utc: now,
        heartbeat_at_utc: now,
    }
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> =
        std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// `%ProgramData%`, `/var/lock`, else a folder of this user's alone, else one in `/tmp`.
fn machine_wide(world: &World) -> io::Result<PathBuf> {
    let for_all = if cfg!(windows) {
        PathBuf::from(world.var("ProgramData").unwrap_or_else(|| r"C:\ProgramData".to_owned()))
            .join("pester-gate")
            .join("locks")
    } else {
        PathBuf::from("/var/lock/pester-gate")
    };
    let Err(error) = make_shared(&for_all) else { return Ok(for_all) };
    // A service has no runtime folder of its own, and may not write to /var/lock everywhere.
    let own = world.var("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("pester-gate"));
    let own = own.filter(|folder| cfg!(unix) && folder.is_absolute());
    let last = cfg!(unix).then(|| PathBuf::from("/tmp/pester-gate/locks"));
    own.into_iter().chain(last).find(|folder| make_shared(folder).is_ok()).ok_or(error)
}

/// A folder in which every user may wait and nobody removes another's file.
fn make_shared(folder: &Path) -> io::Result<()> {
    let made = !folder.exists();
    std::fs::create_dir_all(folder)?;
    if !files::is_plain_dir(folder) {
        return Err(io::Error::other(format!("{} is no folder of its own", folder.display())));
    }
    if made {
        allow(folder, 0o1777)?;
    }
    Ok(())
}

/// A file for all users. It is opened without being made where it is there: in a shared folder the
/// system may refuse to make what another user made already.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return plain(path, opened?),
    }
    match options.create_new(true).open(path) {
        Ok(file) => {
            allow(path, 0o666)?;
            plain(path, file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            plain(path, options.create_new(false).open(path)?)
        }
        Err(error) => Err(error),
    }
}

/// A link in its place would lock something else.
fn plain(path: &Path, file: File) -> io::Result<File> {
    let there = path.symlink_metadata()?;
    match there.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(format!("{} is no plain file", path.display()))),
    }
}

#[cfg(unix)]
fn allow(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// What is made below %ProgramData% may be used by every user.
#[cfg(not(unix))]
fn allow(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
