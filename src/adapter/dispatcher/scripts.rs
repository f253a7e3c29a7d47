//! The `scripts` dispatcher: every selected file is one test, run by its interpreter.
//!
//! Exit 0 passed, 77 skipped, anything else failed. A bounded pool; results keep the order of the
//! plan; one file that hangs, crashes or cannot start never stops the others.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Dispatched, Plan};
use crate::adapter::process::{LineSink, Live, neutralise, supervise};
use crate::adapter::results::{self, Reading};
use crate::adapter::workspace::files;
use crate::domain::event::Event;
use crate::domain::fault::Fault;
use crate::domain::ids::RelPath;
use crate::domain::outcome::{ChildEnd, Limit};
use crate::domain::quantity::Span;
use crate::domain::reason::ReasonCode;
use crate::domain::receipt::{Accounted, Accounting, InFlight, InFlightKind};

/// The report that the pool writes.
const REPORT: &str = "scripts.junit.xml";
/// The exit code that means skipped, as Automake and Meson have it.
const SKIPPED: i32 = 77;

/// One file's run.
#[derive(Debug)]
struct Ran {
    end: ChildEnd,
    duration: Duration,
    tail: String,
    faults: Vec<Fault>,
}

/// Runs every file and writes the JUnit report.
pub(crate) fn dispatch(plan: &Plan) -> Result<Dispatched, Fault> {
    let started = plan.world.tick();
    plan.journal.emit(Event::DispatcherStart { kind: "scripts".to_owned(), files: plan.files.len() as u64 });
    let (results, peak) = pool(plan);
    let duration = started.elapsed();
    let end = pool_end(plan, &results, duration);
    plan.journal.emit(Event::RunEnd { outcome: end.describe() });

    let report = write_report(plan, &results)?;
    let accounting = plan
        .files
        .iter()
        .zip(&results)
        .map(|(path, ran)| Accounting { path: path.clone(), state: accounted(ran.as_ref()) })
        .collect();
    let with_run = |ran: &Ran| matches!(ran.end, ChildEnd::Cancelled | ChildEnd::TimedOut(Limit::Run, _));
    let interrupted = results.iter().flatten().filter(|ran| with_run(ran)).count() as u64;
    let in_flight =
        plan.files.iter().zip(&results).find(|(_, ran)| ran.as_ref().is_some_and(with_run)).map(|(file, _)| InFlight {
            kind: InFlightKind::File,
            name: file.to_string(),
            file: Some(file.to_string()),
            line: None,
        });
    let faults = results.into_iter().flatten().flat_map(|ran| ran.faults).collect();
    Ok(Dispatched {
        end,
        duration,
        accounting,
        reports: vec![report],
        faults,
        interrupted,
        in_flight,
        peak_in_flight: Some(peak),
        verdict: None,
    })
}

/// Runs the files on `jobs` threads; `None` for a file that the run did not reach.
fn pool(plan: &Plan) -> (Vec<Option<Ran>>, u32) {
    let workers = (plan.profile.jobs.value as usize).clamp(1, plan.files.len().max(1));
    let next = AtomicUsize::new(0);
    let (running, peak) = (AtomicU32::new(0), AtomicU32::new(0));
    let results: Vec<Mutex<Option<Ran>>> = plan.files.iter().map(|_| Mutex::new(None)).collect();
    let started = plan.world.tick();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((at, file)) = take(plan, &next, started) {
                    peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let left = left_of_run(plan, started);
                    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_file(plan, at, left)));
                    running.fetch_sub(1, Ordering::SeqCst);
                    let ran = ran.unwrap_or_else(|_| broken(file));
                    *results[at].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(ran);
                }
            });
        }
    });
    let results = results.into_iter().map(|slot| slot.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    (results.collect(), peak.into_inner())
}

/// The next file, unless the run is over.
fn take<'p>(plan: &'p Plan, next: &AtomicUsize, started: std::time::Instant) -> Option<(usize, &'p RelPath)> {
    if plan.world.cancel().requests() > 0 || left_of_run(plan, started).is_some_and(|(_, left)| left.as_millis() == 0) {
        return None;
    }
    let at = next.fetch_add(1, Ordering::SeqCst);
    Some((at, plan.files.get(at)?))
}

/// The run's limit and how much of it is left.
fn left_of_run(plan: &Plan, started: std::time::Instant) -> Option<(Span, Span)> {
    let span = plan.profile.run_limit.value?;
    let spent = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Some((span, Span::from_millis(span.as_millis().saturating_sub(spent))))
}

fn broken(file: &RelPath) -> Ran {
    Ran {
        end: ChildEnd::NotStarted("the pool's worker failed".to_owned()),
        duration: Duration::ZERO,
        tail: String::new(),
        faults: vec![Fault::InternalError(format!("the worker that ran {file} failed"))],
    }
}

/// Runs one file to its end.
fn run_file(plan: &Plan, at: usize, left: Option<(Span, Span)>) -> Ran {
    let file = &plan.files[at];
    plan.journal.emit(Event::FileStart { file: file.to_string() });
    let ran = started(plan, at, left).unwrap_or_else(|fault| Ran {
        end: ChildEnd::NotStarted(fault.to_string()),
        duration: Duration::ZERO,
        tail: String::new(),
        faults: vec![fault],
    });
    let ms = ran.duration.as_secs_f64() * 1000.0;
    plan.journal.emit(Event::FileEnd { file: file.to_string(), outcome: word(&ran.end).to_owned(), ms });
    // One at a time is shown live; of several at once, the end of what did not pass.
    if !plan.shows() && !matches!(ran.end, ChildEnd::Exited(0 | SKIPPED)) {
        (plan.live)(&neutralise(&last_lines(&ran.tail, 20).join("\n")));
    }
    ran
}

fn started(plan: &Plan, at: usize, left: Option<(Span, Span)>) -> Result<Ran, Fault> {
    let file = &plan.files[at];
    let absolute = plan.root.join(file.as_str());
    let argv = argv(plan, &absolute).ok_or_else(|| Fault::TestFileFailedToLoad {
        path: file.to_string(),
        why: "nothing says how to run it: no known ending and no exec bit".to_owned(),
    })?;
    let log_name = log_name(at, file);
    let live = plan.live.clone();
    let live: Live = Box::new(move |line| live(line));
    let live = plan.shows().then_some(live);
    let sink = Arc::new(LineSink::new(plan.results.join(&log_name), plan.redactor.clone(), live));
    let job = plan.job(argv.clone(), Some(file), shorter(plan.profile.file_limit.value, left), None);
    let ended = {
        let sink = sink.clone();
        supervise(&plan.world, &job, Arc::new(move |stream, bytes: &[u8]| sink.take(stream, bytes)))
    };
    let stored = sink.finish();
    let mut faults = Vec::new();
    if stored.dropped > 0 {
        plan.journal.emit(Event::OutputTruncated {
            stream: log_name.clone(),
            kept: stored.kept,
            dropped: stored.dropped,
        });
    }
    faults.extend(fault_of(plan, file, &ended.end, &argv));
    faults.extend(stored.failed.clone().map(|why| Fault::ResultsDirUnusable { path: log_name, why }));
    // What the run's limit ended is reported with the limit that was set, not with what was left of it.
    let end = match (ended.end, left) {
        (ChildEnd::TimedOut(Limit::Run, _), Some((span, _))) => ChildEnd::TimedOut(Limit::Run, span),
        (end, _) => end,
    };
    Ok(Ran { end, duration: ended.duration, tail: stored.tail, faults })
}

/// A log's name: the file's place in the plan and the beginning of its name. The whole name could be
/// too long with an ending, or stand in the way of another's.
fn log_name(at: usize, file: &RelPath) -> String {
    let place = at + 1;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = file.file_name().chars().map(plain).take(60).collect();
    format!("logs/{place:05}-{name}.log")
}

/// The file's own limit or what is left of the run's, whichever is shorter.
fn shorter(file: Option<Span>, left: Option<(Span, Span)>) -> Option<(Limit, Span)> {
    match (file, left) {
        (Some(file), Some((_, left))) if left < file => Some((Limit::Run, left)),
        (Some(file), _) => Some((Limit::File, file)),
        (None, Some((_, left))) => Some((Limit::Run, left)),
        (None, None) => None,
    }
}

fn fault_of(plan: &Plan, file: &RelPath, end: &ChildEnd, argv: &[OsString]) -> Option<Fault> {
    let program = argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    match end {
        ChildEnd::NotFound if Path::new(&program) != plan.root.join(file.as_str()) => {
            let powershell = program == plan.profile.powershell.value;
            let code = if powershell { ReasonCode::PowershellMissing } else { ReasonCode::ToolMissing };
            Some(Fault::ProgramMissing { code, name: program })
        }
        ChildEnd::NotFound | ChildEnd::NotStarted(_) => {
            Some(Fault::TestFileFailedToLoad { path: file.to_string(), why: end.describe() })
        }
        ChildEnd::TimedOut(Limit::File | Limit::NoOutput, after) => {
            Some(Fault::TestTimedOut { path: file.to_string(), after: after.to_string() })
        }
        _ => None,
    }
}

/// Program and arguments for a script, by its ending, else by its exec bit.
fn argv(plan: &Plan, file: &Path) -> Option<Vec<OsString>> {
    let path = file.as_os_str().to_owned();
    let with = |words: &[&str]| words.iter().map(OsString::from).chain([path.clone()]).collect();
    let is_script = file.extension().is_some_and(|ending| ending == "sh" || ending == "py");
    match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("ps1") => {
            let mut words = vec![plan.profile.powershell.value.as_str(), "-NoLogo", "-NoProfile", "-NonInteractive"];
            if cfg!(windows) {
                words.extend(["-ExecutionPolicy", "Bypass"]);
            }
            words.push("-File");
            Some(with(&words))
        }
        Some("cmd" | "bat") => Some(vec![path]),
        _ if files::is_executable(file) && !(is_script && lacks_shebang(file)) => Some(vec![path]),
        Some("sh") => Some(with(&["sh"])),
        Some("py") => Some(with(&[if cfg!(windows) { "python" } else { "python3" }])),
        _ => None,
    }
}

/// Whether the kernel would not know what to run this script with.
fn lacks_shebang(file: &Path) -> bool {
    files::first_bytes(file, 2).is_ok_and(|bytes| bytes != b"#!")
}

/// How the pool ended: by a request to stop, by the run's limit, or by itself.
fn pool_end(plan: &Plan, results: &[Option<Ran>], duration: Duration) -> ChildEnd {
    let ended_by = results
        .iter()
        .flatten()
        .map(|ran| &ran.end)
        .find(|end| matches!(end, ChildEnd::Cancelled | ChildEnd::TimedOut(Limit::Run, _)));
    let reached_all = results.iter().all(Option::is_some);
    let end = match (ended_by, plan.profile.run_limit.value) {
        (Some(end), _) => end.clone(),
        (None, _) if !reached_all && plan.world.cancel().requests() > 0 => ChildEnd::Cancelled,
        (None, Some(span)) if !reached_all && duration >= span.as_duration() => ChildEnd::TimedOut(Limit::Run, span),
        _ => {
            let all_well = results.iter().flatten().all(|ran| matches!(ran.end, ChildEnd::Exited(0 | SKIPPED)));
            ChildEnd::Exited(i32::from(!all_well))
        }
    };
    match &end {
        ChildEnd::TimedOut(limit, _) => plan.journal.emit(Event::LimitReached { limit: limit.as_str().to_owned() }),
        ChildEnd::Cancelled => plan.journal.emit(Event::CancelRequested),
        _ => {}
    }
    end
}

fn accounted(ran: Option<&Ran>) -> Accounted {
    match ran.map(|ran| &ran.end) {
        None => Accounted::NotReached,
        Some(ChildEnd::NotFound | ChildEnd::NotStarted(_)) => Accounted::FailedToLoad,
        Some(_) => Accounted::Ran,
    }
}

fn word(end: &ChildEnd) -> &'static str {
    match end {
        ChildEnd::Exited(0) => "passed",
        ChildEnd::Exited(SKIPPED) => "skipped",
        ChildEnd::Exited(_) => "failed",
        ChildEnd::TimedOut(..) => "timed-out",
        ChildEnd::Cancelled => "cancelled",
        ChildEnd::NotFound | ChildEnd::NotStarted(_) | ChildEnd::Signalled(_) | ChildEnd::Lost(_) => "broken",
    }
}

/// The pool's results as JUnit: read back by the same reader as everybody's.
fn write_report(plan: &Plan, ran: &[Option<Ran>]) -> Result<(RelPath, Reading), Fault> {
    let mut suite = TestSuite::new("scripts");
    for (file, ran) in plan.files.iter().zip(ran) {
        let Some(ran) = ran else { continue };
        let mut case = TestCase::new(file.as_str(), status(&ran.end, &ran.tail));
        case.set_time(ran.duration);
        case.extra.insert("file".into(), file.as_str().into());
        if !ran.tail.is_empty() {
            case.set_system_out(ran.tail.as_str());
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("pester-gate scripts");
    report.add_test_suite(suite);
    let unusable = |why: String| Fault::ResultsDirUnusable { path: REPORT.to_owned(), why };
    let text = report.to_string().map_err(|error| unusable(error.to_string()))?;
    // Counted as it is, before masks and before anything a test left behind can write to it.
    let reading = results::read_from(text.as_bytes());
    let masked = plan.redactor.mask(text.as_bytes());
    files::write_atomic(&plan.results.join(REPORT), &masked).map_err(|error| unusable(error.to_string()))?;
    let path = REPORT.parse().map_err(|error| Fault::InternalError(format!("{error}")))?;
    Ok((path, reading))
}

fn status(end: &ChildEnd, tail: &str) -> TestCaseStatus {
    let non_success = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        // What it printed last is what a reader of the report looks for.
        status.set_description(last_lines(tail, 20).join("\n"));
        status
    };
    match end {
        ChildEnd::Exited(0) => TestCaseStatus::success(),
        ChildEnd::Exited(SKIPPED) => TestCaseStatus::skipped(),
        ChildEnd::Exited(code) => non_success(NonSuccessKind::Failure, format!("exit code {code}")),
        end => non_success(NonSuccessKind::Error, end.describe()),
    }
}

fn last_lines(text: &str, most: usize) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}
