//! Child processes: started in a tree of their own, drained while they run, bounded, ended whole.
//!
//! [`supervise`] is the only way a test, a probe or git is started. What a run starts belongs to
//! its [`Guard`], so that nothing of it is lost from sight and nothing outlives us unseen. What
//! differs between platforms is behind `os`, with the same names for each.

mod environment;
#[cfg(unix)]
#[path = "unix/mod.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;
mod output;
mod supervisor;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use environment::child_environment;
pub(crate) use os::{Guard, named, run_attached, serve, started};
pub(crate) use output::{LineSink, Live, Stored, copy_masked, copy_masked_from, neutralise};
pub(crate) use supervisor::{Job, Limits, Stop, Stream, Via, supervise};

use crate::adapter::world::World;
use crate::domain::config::quantity::Span;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::outcome::{ChildEnd, Limit};

/// A process of the run that is alive when it should not be.
#[derive(Debug, Clone)]
pub(crate) struct Survivor {
    /// Its id.
    pub(crate) pid: u32,
    /// When it was born, where the platform tells.
    pub(crate) started: Option<Timestamp>,
    /// Its command line.
    pub(crate) command: String,
    /// The test file whose process started it, where one process runs one file and it can be told.
    pub(crate) file: Option<RelPath>,
}

/// What a short command printed.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// Its exit code.
    pub(crate) code: i32,
    /// Up to 1 MiB of its output.
    pub(crate) stdout: String,
    /// Up to 1 MiB of its errors.
    pub(crate) stderr: String,
}

/// Runs a short command to its end: at most `patience`, no input, the scrubbed environment.
pub(crate) fn capture(
    world: &World,
    argv: &[String],
    cwd: &Path,
    patience: Duration,
) -> Result<Captured, String> {
    capture_end(world, argv, cwd, patience).map_err(|end| end.describe())
}

/// The same, with the end of a command that came to no exit code.
pub(crate) fn capture_end(
    world: &World,
    argv: &[String],
    cwd: &Path,
    patience: Duration,
) -> Result<Captured, ChildEnd> {
    capture_via(world, Via::Alone(child_environment(world, &[])), argv, cwd, patience, 0)
}

/// The same for any whose child it is, and although somebody asked to stop `requests_before` times.
pub(crate) fn capture_via(
    world: &World,
    via: Via,
    argv: &[String],
    cwd: &Path,
    patience: Duration,
    requests_before: u32,
) -> Result<Captured, ChildEnd> {
    const MOST: usize = 1 << 20;
    let kept: std::sync::Arc<Mutex<[Vec<u8>; 2]>> = std::sync::Arc::default();
    let sink = {
        let kept = kept.clone();
        move |stream: Stream, bytes: &[u8]| {
            let mut kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kept = &mut kept[usize::from(stream == Stream::Stderr)];
            let room = MOST.saturating_sub(kept.len()).min(bytes.len());
            kept.extend_from_slice(&bytes[..room]);
        }
    };
    let patience = Span::from_millis(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
    let job = Job {
        argv: argv.iter().map(Into::into).collect(),
        cwd: cwd.to_owned(),
        via,
        file: None,
        shown: false,
        limits: Limits {
            total: Some((Limit::Run, patience)),
            no_output: None,
            kill_grace: Span::from_millis(200),
            drain: Span::from_millis(500),
        },
        stop: None,
        requests_before,
    };
    let ended = supervise(world, &job, std::sync::Arc::new(sink));
    let code = match ended.end {
        ChildEnd::Exited(code) => code,
        end => return Err(end),
    };
    let kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Captured { code, stdout: text(&kept[0]), stderr: text(&kept[1]) })
}
