//! The host's lock: one holder for each group, whatever workspace, job or user it comes from.
//!
//! What counts is the operating system's lock on one file, which ends with whoever holds it: no
//! age, no clock and no file's content ever gives it away. Who waits takes a number, and is served
//! in that order; a number is a file that its owner keeps locked, so that whoever died is passed
//! over. Every change to the queue is made under a third lock that is held for a moment only.

mod held;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use self::held::Held;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::host::lock::{Asker, Claim, Gate, HELD, Holder, Owner, Wait};
use crate::domain::run::ids::LockGroup;
use crate::domain::run::redact::Redactor;

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
    /// It was not to be had for the whole wait, because of this one.
    InVain(Holder),
    /// An ancestor of this process holds it, for us as well.
    Inherited,
    /// Somebody cancelled.
    Cancelled,
}

/// What became of a request to release.
#[derive(Debug)]
pub(crate) enum Released {
    /// Nothing of the asker's holds it; this one does.
    NotOurs(Holder),
    /// Its holder was asked, and is gone.
    Gone(Owner),
    /// Its holder was asked, and has not gone.
    Stays(Owner),
}

/// What it is held for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// The command, for people.
    pub(crate) command: &'a str,
    /// Whose tests, for people.
    pub(crate) repository: &'a str,
    /// Which gate's execute, where it is one.
    pub(crate) execute: Option<&'a Gate>,
    /// When this process was born, where that can be told.
    pub(crate) started: Option<Timestamp>,
    /// Masks what this process knows to be secret: nobody who reads about the holder could.
    pub(crate) redactor: &'a Redactor,
}

/// A number in the queue, ours as long as its file is locked.
struct Ticket {
    number: u64,
    path: PathBuf,
    _locked: File,
}

impl Lock {
    /// A group's lock in `folder`, else in the platform's folder for all users. `state` is where
    /// this user keeps what lets it ask a holder to end.
    pub(crate) fn new(
        world: &World,
        folder: Option<PathBuf>,
        group: LockGroup,
        state: &Path,
    ) -> io::Result<Self> {
        let folder = match folder {
            Some(folder) => {
                make_shared(&folder)?;
                folder
            }
            None => machine_wide(world)?,
        };
        Ok(Self { folder, group, claims: state.join("lock-claims") })
    }

    /// Its group.
    pub(crate) fn group(&self) -> &LockGroup {
        &self.group
    }

    /// Waits for its turn, for at most `wait`, and says whom it waits for.
    pub(crate) fn acquire(
        &self,
        world: &World,
        purpose: Purpose<'_>,
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
            if let Some(held) = self.try_acquire(world, &ticket, purpose)? {
                break Attempt::Held(held);
            }
            if world.cancel().requests() > 0 {
                break Attempt::Cancelled;
            }
            if waited() >= wait {
                break Attempt::InVain(self.inspect(world)?);
            }
            if waited() >= next_line {
                next_line = waited() + NEXT_LINE;
                let before = numbers(&self.path("queue"))?
                    .into_iter()
                    .filter(|n| *n < ticket.number)
                    .count();
                let group = self.group.to_string();
                tell(&Wait { group, holder: self.inspect(world)?, before, waited: waited() });
            }
            world.wait(pause.min(wait.saturating_sub(waited())));
            pause = pause.mul_f64(1.5).min(LAST_LOOK);
        };
        let queue = self.queue(world)?;
        let _ = std::fs::remove_file(&ticket.path);
        // Where a name goes only with its last handle, nobody may meet it between the two.
        drop(ticket);
        drop(queue);
        Ok(end)
    }

    /// Asks the holder to end where it is the asker's, and waits for it. Another's is left alone:
    /// without its claim nobody can ask it.
    pub(crate) fn release(
        &self,
        world: &World,
        run: Option<(&str, u32)>,
        asker: Asker<'_>,
        patience: Duration,
    ) -> io::Result<Released> {
        let holder = match self.inspect(world)? {
            Holder::Known(holder) if !self.is_marked(world, &holder) => holder,
            other => return Ok(Released::NotOurs(other)),
        };
        // The id names a file only where it is one of ours.
        let plain = holder.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let claim = files::read_bounded(&self.claims.join(format!("{}.json", holder.id)))
            .ok()
            .filter(|_| plain);
        let claim = claim.and_then(|bytes| serde_json::from_slice::<Claim>(&bytes).ok());
        let ours = |claim: &Claim| claim.id == holder.id && claim.is_of(run, asker);
        let Some(claim) = claim.filter(ours) else {
            return Ok(Released::NotOurs(Holder::Known(holder)));
        };
        let mut request = open(&self.path("release"))?;
        request.set_len(0)?;
        request.write_all(claim.token.as_bytes())?;
        drop(request);
        let started = world.tick();
        loop {
            match self.inspect(world)? {
                Holder::Known(now) if now.id != holder.id => return Ok(Released::Gone(*holder)),
                Holder::Nobody => return Ok(Released::Gone(*holder)),
                Holder::Known(_) | Holder::Unknown => {}
            }
            if world.tick().duration_since(started) >= patience || world.cancel().requests() > 0 {
                return Ok(Released::Stays(*holder));
            }
            world.wait(Duration::from_millis(50));
        }
    }

    /// Whether an ancestor of this process holds it.
    fn is_inherited(&self, world: &World) -> io::Result<bool> {
        if world.var(HELD).is_none() {
            return Ok(false);
        }
        Ok(matches!(self.inspect(world)?, Holder::Known(owner) if self.is_marked(world, &owner)))
    }

    /// Whether the environment names this holder as an ancestor.
    pub(crate) fn is_marked(&self, world: &World, owner: &Owner) -> bool {
        let marks = world.var(HELD).unwrap_or_default();
        !owner.id.is_empty() && marks.split(',').any(|mark| mark == owner.id)
    }

    /// Who holds it now.
    pub(crate) fn inspect(&self, world: &World) -> io::Result<Holder> {
        let _queue = self.queue(world)?;
        match open(&self.path("lock"))?.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => {
                let owner = files::read_bounded(&self.path("owner.json")).ok();
                let owner = owner.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                Ok(owner.map_or(Holder::Unknown, |owner| Holder::Known(Box::new(owner))))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn path(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.group))
    }

    /// The lock of the queue, for a moment.
    fn queue(&self, world: &World) -> io::Result<File> {
        let path = self.path("queue.lock");
        let started = world.tick();
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
            }
            if world.tick().duration_since(started) >= PATIENCE {
                let why = format!("the queue {} is busy", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            world.wait(Duration::from_millis(2));
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
    fn try_acquire(
        &self,
        world: &World,
        ticket: &Ticket,
        purpose: Purpose<'_>,
    ) -> io::Result<Option<Held>> {
        let _queue = self.queue(world)?;
        let folder = self.path("queue");
        for number in numbers(&folder)?.into_iter().filter(|number| *number < ticket.number) {
            let path = folder.join(number.to_string());
            // What is no file, or not ours to open, is nobody's number: it would keep everybody
            // back for ever.
            let Ok(earlier) = open(&path) else { continue };
            match earlier.try_lock() {
                // Whoever took this number is gone. Another user's file may stay: it keeps nobody
                // back.
                Ok(()) => drop(std::fs::remove_file(&path)),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let path = self.path("lock");
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => {}
            Ok(()) | Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever asks is told about us from here on.
        let reported = open(&self.path("owner.json"))?;
        Held::new(world, self, file, reported, &this_process(world, purpose), purpose.execute)
            .map(Some)
    }
}

/// Which of a run's jobs on this host this is: two legs of a matrix may share all but their
/// runner's temporary folder.
pub(crate) fn place(world: &World) -> Option<String> {
    let name = world.var_lossy("RUNNER_NAME").unwrap_or_default();
    let temp = world.var_lossy("RUNNER_TEMP").unwrap_or_default();
    (!name.is_empty() || !temp.is_empty()).then(|| format!("{name} {temp}"))
}

/// The run that this process belongs to, and its attempt.
pub(crate) fn run(world: &World) -> Option<(String, u32)> {
    let attempt =
        world.var("GITHUB_RUN_ATTEMPT").and_then(|attempt| attempt.parse().ok()).unwrap_or(1);
    world.var_lossy("GITHUB_RUN_ID").map(|run| (run, attempt))
}

/// This process as an owner.
fn this_process(world: &World, purpose: Purpose<'_>) -> Owner {
    let now = world.now();
    let reported =
        |name: &str| world.var_lossy(name).map(|value| purpose.redactor.mask_text(&value));
    let (run_id, run_attempt) = run(world).unzip();
    Owner {
        id: world.new_local_run(),
        repository: Some(purpose.redactor.mask_text(purpose.repository))
            .filter(|name| !name.is_empty()),
        run_id,
        run_attempt,
        job: reported("GITHUB_JOB"),
        actor: reported("GITHUB_ACTOR"),
        runner: reported("RUNNER_NAME"),
        machine: world.host().name,
        pid: world.pid(),
        process_started_at_utc: purpose.started,
        command: purpose.redactor.mask_text(purpose.command),
        acquired_at_utc: now,
        heartbeat_at_utc: now,
    }
}

/// The numbers that were taken, by the names that a queue gives them. One near the end of what can
/// be counted was not given by any.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let number = |name: &str| {
        name.parse().ok().filter(|number: &u64| number.to_string() == name && *number < 1 << 53)
    };
    let mut numbers: Vec<u64> = std::fs::read_dir(folder)?
        .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// `%ProgramData%`, `/var/lock`, else `/tmp`: the same for a service and a person, so no variable
/// of a session decides.
fn machine_wide(world: &World) -> io::Result<PathBuf> {
    if cfg!(windows) {
        let data = world.var("ProgramData").unwrap_or_else(|| r"C:\ProgramData".to_owned());
        let folder = PathBuf::from(data).join("pester-gate").join("locks");
        return make_shared(&folder).map(|()| folder);
    }
    let first = PathBuf::from("/var/lock/pester-gate");
    let Err(error) = make_shared(&first) else { return Ok(first) };
    // Not every system lets every user make a folder there.
    let second = PathBuf::from("/tmp/pester-gate/locks");
    make_shared(&second).map(|()| second).map_err(|_| error)
}

/// A folder in which every user may wait and nobody removes another's file.
fn make_shared(folder: &Path) -> io::Result<()> {
    let made = !folder.exists();
    std::fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    if !files::is_plain_dir(folder) {
        return Err(io::Error::other(format!("{} is no folder of its own", folder.display())));
    }
    if made {
        allow(folder, 0o1777).map_err(|error| at(folder, &error))?;
    }
    Ok(())
}

/// A file for all users. It is opened without being made where it is there: in a shared folder the
/// system may refuse to make what another user made already.
fn open(path: &Path) -> io::Result<File> {
    let made = || {
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
    };
    made().map_err(|error| at(path, &error))
}

/// The error with the place that it speaks of.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A link in its place would lock something else, and so would a pipe.
fn plain(path: &Path, file: File) -> io::Result<File> {
    let there = path.symlink_metadata()?;
    match there.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no plain file")),
    }
}

/// Whether this is the file that stands there: one that was removed locks nothing for whoever comes
/// next.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (open, there) =
        (file.metadata().map(identity).ok(), path.symlink_metadata().map(identity).ok());
    open.is_some() && open == there
}

/// A file that is open cannot be removed from under its name here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(unix)]
fn allow(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// What is made in a folder that everybody may write to inherits its rights; the folder itself
/// would give other users the right to read alone.
#[cfg(not(unix))]
fn allow(path: &Path, _: u32) -> io::Result<()> {
    if path.is_dir() { crate::adapter::host::let_everybody_write(path) } else { Ok(()) }
}
