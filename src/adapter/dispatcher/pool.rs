//! A bounded pool of one process per file: results keep the order of the plan, and one file that
//! hangs, crashes or cannot start never stops the others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Plan;
use crate::domain::config::quantity::Span;
use crate::domain::run::event::Event;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::outcome::{ChildEnd, Limit};

/// The run's limit, and how much of it is left.
pub(super) type Left = Option<(Span, Span)>;

/// What a pool came to.
pub(super) struct Pooled<T> {
    /// In the order of the plan; none for a file that the run did not reach.
    pub(super) results: Vec<Option<T>>,
    /// The most files at once.
    pub(super) peak: u32,
}

/// Runs `work` for every file of the plan, `jobs` at once. `broken` stands in for one that
/// panicked.
pub(super) fn run<T: Send>(
    plan: &Plan,
    work: impl Fn(usize, Left) -> T + Sync,
    broken: impl Fn(&RelPath) -> T + Sync,
) -> Pooled<T> {
    let workers = (plan.profile.jobs.value as usize).clamp(1, plan.files.len().max(1));
    let next = AtomicUsize::new(0);
    let (running, peak) = (AtomicU32::new(0), AtomicU32::new(0));
    let results: Vec<Mutex<Option<T>>> = plan.files.iter().map(|_| Mutex::new(None)).collect();
    let started = plan.world.tick();
    let worker = || {
        while let Some(at) = take(plan, &next, started) {
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let left = left_of_run(plan, started);
            let ran = catch_unwind(AssertUnwindSafe(|| work(at, left)));
            running.fetch_sub(1, Ordering::SeqCst);
            let ran = ran.unwrap_or_else(|_| broken(&plan.files[at]));
            *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(ran);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // Where the host has no thread to give, fewer do the work; this one always does.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    let results =
        results.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    Pooled { results: results.collect(), peak: peak.into_inner() }
}

/// The place of the next file, unless the run is over.
fn take(plan: &Plan, next: &AtomicUsize, started: Instant) -> Option<usize> {
    if plan.guard.is_lost()
        || plan.world.cancel().requests() > 0
        || left_of_run(plan, started).is_some_and(|(_, left)| left.as_millis() == 0)
    {
        return None;
    }
    let at = next.fetch_add(1, Ordering::SeqCst);
    (at < plan.files.len()).then_some(at)
}

fn left_of_run(plan: &Plan, started: Instant) -> Left {
    let span = plan.profile.run_limit.value?;
    let spent = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Some((span, Span::from_millis(span.as_millis().saturating_sub(spent))))
}

/// The file's own limit or what is left of the run's, whichever is shorter.
pub(super) fn shorter(file: Option<Span>, left: Left) -> Option<(Limit, Span)> {
    match (file, left) {
        (Some(file), Some((_, left))) if left < file => Some((Limit::Run, left)),
        (Some(file), _) => Some((Limit::File, file)),
        (None, Some((_, left))) => Some((Limit::Run, left)),
        (None, None) => None,
    }
}

/// What the run's limit ended is reported with the limit that was set, not with what was left of
/// it.
pub(super) fn as_set(end: ChildEnd, left: Left) -> ChildEnd {
    match (end, left) {
        (ChildEnd::TimedOut(Limit::Run, _), Some((span, _))) => {
            ChildEnd::TimedOut(Limit::Run, span)
        }
        (end, _) => end,
    }
}

/// Whether the end of the whole run was this process's end too.
pub(super) fn ended_with_run(end: &ChildEnd) -> bool {
    matches!(end, ChildEnd::Cancelled | ChildEnd::Lost(_) | ChildEnd::TimedOut(Limit::Run, _))
}

/// How the pool ended, from how each file's process did (none: not reached): by a request to stop,
/// by the run's limit, or by itself, with the first exit code of `code` that is not 0. The journal
/// is told.
pub(super) fn end<'e>(
    plan: &Plan,
    ends: impl Iterator<Item = Option<&'e ChildEnd>> + Clone,
    code: impl Fn(&ChildEnd) -> i32,
    duration: Duration,
) -> ChildEnd {
    let ended_by = ends.clone().flatten().find(|end| ended_with_run(end));
    let reached_all = ends.clone().all(|end| end.is_some());
    let end = match (ended_by, plan.profile.run_limit.value) {
        (Some(end), _) => end.clone(),
        (None, _) if !reached_all && plan.world.cancel().requests() > 0 => ChildEnd::Cancelled,
        (None, Some(span)) if !reached_all && duration >= span.as_duration() => {
            ChildEnd::TimedOut(Limit::Run, span)
        }
        _ => ChildEnd::Exited(ends.flatten().map(code).find(|code| *code != 0).unwrap_or(0)),
    };
    match &end {
        ChildEnd::TimedOut(limit, _) => {
            plan.journal.emit(Event::LimitReached { limit: limit.as_str().to_owned() })
        }
        ChildEnd::Cancelled => plan.journal.emit(Event::CancelRequested),
        _ => {}
    }
    end
}

/// A log's name: the file's place in the plan and the beginning of its name. The whole name could
/// be too long with an ending, or stand in the way of another's.
pub(super) fn log_name(at: usize, file: &RelPath) -> String {
    format!("logs/{}.log", folder_name(at, file))
}

/// The same for a folder.
pub(super) fn folder_name(at: usize, file: &RelPath) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = file.file_name().chars().map(plain).take(60).collect();
    format!("{:05}-{name}", at + 1)
}
