//! The host's lock: one holder for each group, whatever workspace, job or user it comes from.
//!
//! What counts is the operating system's lock on one file, which ends with whoever holds it: no age,
//! no clock and no file's content ever gives it away. Who waits takes a number, and is served in
//! that order; a number is a file that its owner keeps locked, so that whoever died is passed over.
//! Every change to the queue is made under a third lock that is held for a moment only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::ids::LockGroup;
use crate::domain::lock::Owner;

/// Pauses between two looks grow from the first to the last.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(250);
/// How long the queue itself may be busy. It is held for the time of a few small files.
const PATIENCE: Duration = Duration::from_secs(10);

/// A group's lock on this host.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    folder: PathBuf,
    group: LockGroup,
}

/// The lock, held until this is dropped. Only [`Lock::acquire`] makes one.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    owner: File,
}

impl Held {
    /// The locked file, for a child that is to hold it as well.
    #[cfg(unix)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Emptied and not removed: in a shared folder only who made it could.
        let _ = self.owner.set_len(0);
        let _ = self.file.unlock();
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is ours.
    Held(Held),
    /// It stayed with somebody else for the whole wait; who, where that is known.
    InVain(Option<Owner>),
    /// Somebody cancelled.
    Cancelled,
}

/// A number in the queue, ours as long as its file is locked.
struct Ticket {
    number: u64,
    path: PathBuf,
    _locked: File,
}

impl Lock {
    /// A group's lock in `folder`, else in the platform's folder for all users, else in this user's own.
    pub(crate) fn new(world: &World, folder: Option<PathBuf>, group: LockGroup) -> io::Result<Self> {
        let folder = match folder {
            Some(folder) => {
                make_shared(&folder)?;
                folder
            }
            None => machine_wide(world)?,
        };
        Ok(Self { folder, group })
    }

    /// Its group.
    pub(crate) fn group(&self) -> &LockGroup {
        &self.group
    }

    /// Waits for its turn, for at most `wait`, and says whom it waits for.
    pub(crate) fn acquire(
        &self,
        world: &World,
        owner: &Owner,
        wait: Duration,
        tell: &dyn Fn(Option<&Owner>),
    ) -> io::Result<Attempt> {
        let started = world.tick();
        let waited = || world.tick().duration_since(started);
        let ticket = self.take_ticket(world)?;
        let (mut pause, mut told) = (FIRST_LOOK, false);
        let end = loop {
            if let Some(held) = self.try_acquire(world, &ticket, owner)? {
                break Attempt::Held(held);
            }
            if world.cancel().requests() > 0 {
                break Attempt::Cancelled;
            }
            if waited() >= wait {
                break Attempt::InVain(self.owner());
            }
            // A holder that goes at once is not worth a line.
            if !told && waited() > Duration::from_millis(500) {
                told = true;
                tell(self.owner().as_ref());
            }
            world.wait(pause.min(wait.saturating_sub(waited())));
            pause = pause.mul_f64(1.5).min(LAST_LOOK);
        };
        let _queue = self.queue(world)?;
        let _ = std::fs::remove_file(&ticket.path);
        Ok(end)
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
    fn try_acquire(&self, world: &World, ticket: &Ticket, owner: &Owner) -> io::Result<Option<Held>> {
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
        // Whoever asks is told about us from here on; written in place, because another user may have made it.
        let mut told = open(&self.path("owner.json"))?;
        told.set_len(0)?;
        told.write_all(&serde_json::to_vec(owner).map_err(io::Error::other)?)?;
        Ok(Some(Held { file, owner: told }))
    }
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> =
        std::fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// `%ProgramData%`, `/var/lock`, else a folder of this user's alone.
fn machine_wide(world: &World) -> io::Result<PathBuf> {
    let for_all = if cfg!(windows) {
        PathBuf::from(world.var("ProgramData").unwrap_or_else(|| r"C:\ProgramData".to_owned()))
            .join("pester-gate")
            .join("locks")
    } else {
        PathBuf::from("/var/lock/pester-gate")
    };
    let Err(error) = make_shared(&for_all) else { return Ok(for_all) };
    let own = world.var("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("pester-gate"));
    let own = own.filter(|folder| folder.is_absolute());
    own.filter(|folder| make_shared(folder).is_ok()).ok_or(error)
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
