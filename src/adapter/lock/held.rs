//! The lock while it is held: it says that its holder is there, and listens for who asks it to end.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;

use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::lock::{Claim, Owner};

/// How often the holder says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many claims are kept.
const CLAIMS: usize = 50;
/// How often it looks whether somebody asks it to end.
const LISTEN: Duration = Duration::from_millis(250);

/// The lock, held until this is dropped. Only [`super::Lock::acquire`] makes one.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    owner: File,
    owner_id: String,
    claim: Option<PathBuf>,
    over: Arc<(Mutex<bool>, Condvar)>,
    keeper: Option<JoinHandle<()>>,
}

impl Held {
    pub(super) fn new(
        world: &World,
        file: File,
        mut told: File,
        owner: &Owner,
        request: PathBuf,
        claims: Option<&Path>,
        group: &str,
    ) -> io::Result<Self> {
        tell(&mut told, owner, world.now())?;
        let token = world.new_local_run();
        let claim = claims.and_then(|folder| {
            let claim = Claim {
                id: owner.id.clone(),
                group: group.to_owned(),
                run_id: owner.run_id.clone(),
                run_attempt: owner.run_attempt,
                place: super::place(world),
                token: token.clone(),
            };
            let path = folder.join(format!("{}.json", owner.id));
            // Those of holders that were killed stay behind.
            files::keep_newest(folder, CLAIMS, |name| name.ends_with(".json"));
            let written = serde_json::to_vec(&claim)
                .map_err(io::Error::other)
                .and_then(|bytes| files::make_dir(folder).and_then(|()| files::write_private(&path, &bytes)));
            match written {
                Ok(()) => Some(path),
                Err(error) => {
                    tracing::warn!("`lock release` will not find this holder: {}: {error}", path.display());
                    None
                }
            }
        });
        let over: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let keeper = {
            let (over, world, owner, mut told) = (over.clone(), world.clone(), owner.clone(), told.try_clone()?);
            let listen = claim.is_some();
            thread::Builder::new().spawn(move || {
                let mut since = world.tick();
                let mut asked = false;
                loop {
                    let stop = over.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let stop = over.1.wait_timeout_while(stop, LISTEN, |stop| !*stop);
                    if *stop.unwrap_or_else(PoisonError::into_inner).0 {
                        return;
                    }
                    if since.elapsed() >= HEARTBEAT {
                        since = world.tick();
                        let _ = tell(&mut told, &owner, world.now());
                    }
                    let told_to = || files::read_bounded(&request).is_ok_and(|said| said == token.as_bytes());
                    if listen && !asked && told_to() {
                        asked = true;
                        world.note("somebody of this run asks for the lock's release: stopping");
                        world.cancel().request();
                    }
                }
            })?
        };
        Ok(Self { file, owner: told, owner_id: owner.id.clone(), claim, over, keeper: Some(keeper) })
    }

    /// The locked file, for a process that is to hold it as well.
    #[cfg(unix)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// What tells descendants that it is held for them too.
    pub(crate) fn mark(&self, world: &World) -> String {
        match world.var(crate::domain::lock::HELD) {
            Some(outer) => format!("{outer},{}", self.owner_id),
            None => self.owner_id.clone(),
        }
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
        // Emptied and not removed: in a shared folder only who made it could.
        let _ = self.owner.set_len(0);
        let _ = self.file.unlock();
    }
}

/// Written in place, because another user may have made the file; always as long as it was, so that
/// whoever reads meanwhile reads one or the other.
fn tell(file: &mut File, owner: &Owner, now: Timestamp) -> io::Result<()> {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let owner = Owner { heartbeat_at_utc: seconds, ..owner.clone() };
    let bytes = serde_json::to_vec(&owner).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)
}
