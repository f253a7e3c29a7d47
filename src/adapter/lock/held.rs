//! The lock while it is held: it says that its holder is there, and listens for who asks it to end.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Lock, is_at, open, place};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::host::lock::{Claim, Gate, HELD, Owner};

/// How often the holder says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it looks whether somebody asks it to end.
const LISTEN: Duration = Duration::from_millis(250);
/// How many claims are kept.
const CLAIMS: usize = 50;

/// The lock, held until this is dropped. Only [`Lock::acquire`] makes one.
///
/// It is let go by closing its file and in no other way: whoever was given the file holds it as
/// well, and an explicit unlock would take it from them.
#[derive(Debug)]
pub(crate) struct Held {
    #[cfg_attr(not(unix), allow(dead_code, reason = "holding it is what it is for"))]
    file: File,
    owner_id: String,
    claim: Option<PathBuf>,
    over: Arc<(Mutex<bool>, Condvar)>,
    keeper: Option<JoinHandle<()>>,
}

impl Held {
    pub(super) fn new(
        world: &World,
        lock: &Lock,
        file: File,
        mut reported: File,
        owner: &Owner,
        execute: Option<&Gate>,
    ) -> io::Result<Self> {
        tell(&mut reported, owner, world.now())?;
        let token = world.new_local_run();
        let claim = Claim {
            id: owner.id.clone(),
            run_id: owner.run_id.clone(),
            run_attempt: owner.run_attempt,
            place: place(world),
            execute: execute.cloned(),
            token: token.clone(),
        };
        let claim = match keep(&lock.claims, &claim) {
            Ok(path) => Some(path),
            Err(error) => {
                tracing::warn!(
                    "`lock release` will not find this holder: {}: {error}",
                    lock.claims.display()
                );
                None
            }
        };
        let over: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let mut keeper = Keeper {
            world: world.clone(),
            owner: owner.clone(),
            reported,
            path: lock.path("lock"),
            owner_file: lock.path("owner.json"),
            request: lock.path("release"),
            token: claim.is_some().then_some(token),
            again: None,
            since: world.tick(),
        };
        let (stop, file_of_keeper) = (over.clone(), file.try_clone()?);
        let keeper = thread::Builder::new().spawn(move || {
            loop {
                let over = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
                let over = stop.1.wait_timeout_while(over, LISTEN, |over| !*over);
                if *over.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
                keeper.look(&file_of_keeper);
            }
        })?;
        Ok(Self { file, owner_id: owner.id.clone(), claim, over, keeper: Some(keeper) })
    }

    /// The locked file, for a process that is to hold it as well.
    #[cfg(unix)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The variable that tells descendants that it is held for them too.
    pub(crate) fn mark(&self, world: &World) -> (String, OsString) {
        let marks = match world.var(HELD) {
            Some(outer) => format!("{outer},{}", self.owner_id),
            None => self.owner_id.clone(),
        };
        (HELD.to_owned(), marks.into())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        if let Some(claim) = &self.claim {
            let _ = files::remove(claim);
        }
    }
}

/// Keeps a claim where only this user reads it; those of holders that were killed are cleared away.
fn keep(folder: &Path, claim: &Claim) -> io::Result<PathBuf> {
    files::make_dir(folder)?;
    files::keep_newest(folder, CLAIMS, |name| name.ends_with(".json"));
    let path = folder.join(format!("{}.json", claim.id));
    files::write_private(&path, &serde_json::to_vec(claim).map_err(io::Error::other)?)?;
    Ok(path)
}

/// What is done while the lock is held.
struct Keeper {
    world: World,
    owner: Owner,
    reported: File,
    path: PathBuf,
    /// Where it is told who holds it.
    owner_file: PathBuf,
    request: PathBuf,
    /// None where nobody may ask, or somebody has.
    token: Option<String>,
    /// The lock's file once more, where somebody removed the first.
    again: Option<File>,
    since: Instant,
}

impl Keeper {
    fn look(&mut self, file: &File) {
        if self.since.elapsed() >= HEARTBEAT {
            self.since = self.world.tick();
            let _ = tell(&mut self.reported, &self.owner, self.world.now());
        }
        if !is_at(self.again.as_ref().unwrap_or(file), &self.path) {
            self.hold_again();
        }
        let asked = |token: &String| {
            files::read_bounded(&self.request).is_ok_and(|said| said == token.as_bytes())
        };
        if self.token.as_ref().is_some_and(asked) {
            self.token = None;
            self.world.note("the lock's release is asked for: stopping");
            self.world.cancel().request();
        }
    }

    /// Somebody removed the file: whoever comes next would lock another.
    fn hold_again(&mut self) {
        let Ok(file) = open(&self.path) else { return };
        match file.try_lock() {
            Ok(()) => {
                tracing::warn!(
                    "{} was removed while it was held; it is held again",
                    self.path.display()
                );
                self.again = Some(file);
                if let Ok(reported) = open(&self.owner_file) {
                    self.reported = reported;
                    let _ = tell(&mut self.reported, &self.owner, self.world.now());
                }
            }
            Err(TryLockError::WouldBlock) => {
                tracing::error!(
                    "{} was removed, and somebody else holds it by now",
                    self.path.display()
                );
                self.again = Some(file);
            }
            Err(TryLockError::Error(_)) => {}
        }
    }
}

/// Written in place, because another user may have made the file. The first is written while the
/// queue is locked, as it is for whoever reads; the others are as long as it, so that nobody reads
/// a half.
fn tell(file: &mut File, owner: &Owner, now: Timestamp) -> io::Result<()> {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let owner = Owner { heartbeat_at_utc: seconds, ..owner.clone() };
    let bytes = serde_json::to_vec(&owner).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)
}
