//! What a command prints on its standard output, kept as it is while it may be a report.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::verdict::fault::Fault;

/// How much is kept: a longer report is read as one that was cut.
const LIMIT: u64 = 512 << 20;

/// The output in a file without a name, so that nothing of it is left when the gate is killed.
pub(super) struct Output {
    state: Mutex<State>,
}

struct State {
    file: File,
    kept: u64,
    failed: Option<String>,
}

impl Output {
    /// A new one.
    pub(super) fn new() -> io::Result<Self> {
        let state = State { file: tempfile::tempfile()?, kept: 0, failed: None };
        Ok(Self { state: Mutex::new(state) })
    }

    /// That it could not be kept.
    pub(super) fn unusable(error: io::Error) -> Fault {
        let path = "the standard output of the command".to_owned();
        Fault::ResultsDirUnusable { path, why: error.to_string() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes some bytes.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut state = self.state();
        let room = usize::try_from(LIMIT - state.kept).unwrap_or(usize::MAX);
        let kept = &bytes[..bytes.len().min(room)];
        if state.failed.is_none() {
            if let Err(error) = state.file.write_all(kept) {
                state.failed = Some(error.to_string());
            }
            state.kept += kept.len() as u64;
        }
    }

    /// The file from its beginning, and how many bytes it holds.
    pub(super) fn read(&self) -> io::Result<(File, u64)> {
        let mut state = self.state();
        if let Some(why) = &state.failed {
            return Err(io::Error::other(why.clone()));
        }
        state.file.seek(SeekFrom::Start(0))?;
        Ok((state.file.try_clone()?, state.kept))
    }
}
