//! The `scripts` dispatcher: every selected file is one test, run by its interpreter.
//!
//! Exit 0 passed, 77 skipped, anything else failed. A bounded pool; results keep the order of the
//! plan; one file that hangs, crashes or cannot start never stops the others.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::pool::{self, Pooled};
use super::{Dispatched, Plan};
use crate::adapter::process::{LineSink, Live, supervise};
use crate::adapter::results::{self, Reading};
use crate::adapter::workspace::files;
use crate::domain::config::quantity::Span;
use crate::domain::host::launch::interpreter;
use crate::domain::receipt::{Accounted, Accounting, InFlight, InFlightKind};
use crate::domain::run::event::Event;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::fault::{Fault, MissingProgram};
use crate::domain::verdict::outcome::{ChildEnd, Limit};
use crate::domain::verdict::reason::ReasonCode;

/// The report that the pool writes.
const REPORT: &str = "scripts.junit.xml";
/// The exit code that means skipped, as Automake and Meson have it.
const SKIPPED: i32 = 77;

/// Stands for a tab in the report until it is written: the writer takes tabs for escape sequences
/// and drops them.
const TAB: char = '\u{f0009}';

fn kept_tabs(text: &str) -> String {
    text.replace('\t', &TAB.to_string())
}

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
    plan.journal.emit(Event::DispatcherStart {
        kind: "scripts".to_owned(),
        files: plan.files.len() as u64,
    });
    let Pooled { results, peak } = pool::run(plan, |at, left| run_file(plan, at, left), broken);
    let duration = started.elapsed();
    let well = |end: &ChildEnd| i32::from(!matches!(end, ChildEnd::Exited(0 | SKIPPED)));
    let end =
        pool::end(plan, results.iter().map(|ran| ran.as_ref().map(|ran| &ran.end)), well, duration);
    plan.journal.emit(Event::RunEnd { outcome: end.describe() });

    let report = write_report(plan, &results)?;
    let accounting = plan
        .files
        .iter()
        .zip(&results)
        .map(|(path, ran)| Accounting { path: path.clone(), state: accounted(ran.as_ref()) })
        .collect();
    let with_run = |ran: &Ran| pool::ended_with_run(&ran.end);
    let interrupted = results.iter().flatten().filter(|ran| with_run(ran)).count() as u64;
    let in_flight =
        plan.files.iter().zip(&results).find(|(_, ran)| ran.as_ref().is_some_and(with_run)).map(
            |(file, _)| InFlight {
                kind: InFlightKind::File,
                name: file.to_string(),
                file: Some(file.to_string()),
                line: None,
            },
        );
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
    let ms = super::ms(ran.duration);
    plan.journal.emit(Event::FileEnd {
        file: file.to_string(),
        outcome: word(&ran.end).to_owned(),
        ms,
    });
    // One at a time is shown live; of several at once, the end of what did not pass.
    if !plan.shows() && !matches!(ran.end, ChildEnd::Exited(0 | SKIPPED)) {
        plan.show_end(&ran.tail);
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
    let log_name = pool::log_name(at, file);
    let live = plan.live.clone();
    let live: Live = Box::new(move |line| live(line));
    let live = plan.shows().then_some(live);
    let sink = Arc::new(LineSink::new(plan.results.join(&log_name), plan.redactor.clone(), live));
    let job = plan.job(
        argv.clone(),
        Some(file),
        pool::shorter(plan.profile.file_limit.value, left),
        None,
    );
    let ended = {
        let sink = sink.clone();
        supervise(&plan.world, &job, Arc::new(move |stream, bytes: &[u8]| sink.take(stream, bytes)))
    };
    let stored = sink.finish();
    let mut faults = Vec::new();
    plan.note_truncation(&log_name, &stored);
    faults.extend(fault_of(plan, file, &ended.end, &argv));
    faults
        .extend(stored.failed.clone().map(|why| Fault::ResultsDirUnusable { path: log_name, why }));
    Ok(Ran {
        end: pool::as_set(ended.end, left),
        duration: ended.duration,
        tail: stored.tail,
        faults,
    })
}

fn fault_of(plan: &Plan, file: &RelPath, end: &ChildEnd, argv: &[OsString]) -> Option<Fault> {
    let program =
        argv.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    match end {
        ChildEnd::NotFound
            if files::exists(&plan.root.join(file.as_str())) && needs(plan, file).is_some() =>
        {
            let (script, interpreter) = (file.to_string(), needs(plan, file).unwrap_or_default());
            Some(Fault::TestProgramMissing(MissingProgram::Interpreter { script, interpreter }))
        }
        ChildEnd::NotFound if Path::new(&program) != plan.root.join(file.as_str()) => {
            let powershell = program == plan.profile.powershell.value;
            let code =
                if powershell { ReasonCode::PowershellMissing } else { ReasonCode::ToolMissing };
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

/// The interpreter that a script's first line names.
fn needs(plan: &Plan, file: &RelPath) -> Option<String> {
    interpreter(&files::first_bytes(&plan.root.join(file.as_str()), 256).ok()?)
}

/// Program and arguments for a script, by its ending, else by its exec bit.
fn argv(plan: &Plan, file: &Path) -> Option<Vec<OsString>> {
    let path = file.as_os_str().to_owned();
    let with = |words: &[&str]| words.iter().map(OsString::from).chain([path.clone()]).collect();
    let is_script = file.extension().is_some_and(|ending| ending == "sh" || ending == "py");
    match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("ps1") => {
            let mut words = vec![
                plan.profile.powershell.value.as_str(),
                "-NoLogo",
                "-NoProfile",
                "-NonInteractive",
            ];
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
        ChildEnd::NotFound
        | ChildEnd::NotStarted(_)
        | ChildEnd::Signalled(_)
        | ChildEnd::Lost(_) => "broken",
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
            case.set_system_out(kept_tabs(&ran.tail));
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("pester-gate scripts");
    report.add_test_suite(suite);
    let unusable = |why: String| Fault::ResultsDirUnusable { path: REPORT.to_owned(), why };
    let text = report.to_string().map_err(|error| unusable(error.to_string()))?;
    let text = text.replace(TAB, "&#9;");
    // Counted as it is, before masks and before anything a test left behind can write to it.
    let reading = results::read_from(std::io::Cursor::new(text.as_bytes()));
    let masked = plan.redactor.mask(text.as_bytes());
    files::write_atomic(&plan.results.join(REPORT), &masked)
        .map_err(|error| unusable(error.to_string()))?;
    let path = REPORT.parse().map_err(|error| Fault::InternalError(format!("{error}")))?;
    Ok((path, reading))
}

fn status(end: &ChildEnd, tail: &str) -> TestCaseStatus {
    let non_success = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message);
        // What it printed last is what a reader of the report looks for.
        status.set_description(kept_tabs(&super::last_lines(tail, 20).join("\n")));
        status
    };
    match end {
        ChildEnd::Exited(0) => TestCaseStatus::success(),
        ChildEnd::Exited(SKIPPED) => TestCaseStatus::skipped(),
        ChildEnd::Exited(code) => non_success(NonSuccessKind::Failure, format!("exit code {code}")),
        end => non_success(NonSuccessKind::Error, end.describe()),
    }
}
