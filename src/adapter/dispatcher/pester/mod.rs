//! The `pester` dispatcher: our script or the repository's own, a plan in, a journal and a run
//! object out, in one process for all files or in one for each. The protocol is in docs/pester.md;
//! nothing else of Pester is known here.

mod judge;
mod probe;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;

use self::judge::Seen;
use self::watch::{Watch, follow};
use super::command::report_end;
use super::pool::{self, Left, Pooled};
use super::{Dispatched, OwnVerdict, Plan};
use crate::adapter::process::{LineSink, Live, Stop, Stored, copy_masked, supervise};
use crate::adapter::receipt_store::shown;
use crate::adapter::results::{self, Reading};
use crate::adapter::when_over::WhenOver;
use crate::adapter::workspace::files;
use crate::domain::config::Isolation;
use crate::domain::config::quantity::Span;
use crate::domain::receipt::{Accounted, Accounting, InFlight};
use crate::domain::results::counts::{CaseOutcome, Counts};
use crate::domain::results::pester::PLAN_SCHEMA;
use crate::domain::run::event::Event;
use crate::domain::run::ids::RelPath;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::outcome::{ChildEnd, Limit};
use crate::domain::verdict::reason::ReasonCode;

pub(crate) use self::judge::{RUN_FILE, recorded};
pub(crate) use self::probe::probe_command;

/// The script that is shipped.
const SCRIPT: &str = include_str!("Invoke-PesterTests.ps1");
const SCRIPT_NAME: &str = "Invoke-PesterTests.ps1";
/// Folder of the script's outputs, below the results folder.
const FOLDER: &str = "pester";
const REPORT: &str = "pester-results.xml";
const LOG: &str = "dispatcher.log";

/// What one process runs, and where it leaves what.
struct Batch<'a> {
    files: &'a [RelPath],
    /// Its output folder, below the results folder.
    output: String,
    /// Its log, likewise.
    log: String,
    /// Where each file has a process of its own: this one's.
    only: Option<&'a RelPath>,
    limit: Option<(Limit, Span)>,
    shown: bool,
}

/// What one process came to.
#[derive(Debug)]
struct Done {
    end: ChildEnd,
    duration: Duration,
    stored: Stored,
    counts: Counts,
    accounting: Vec<Accounted>,
    /// Whether there is a whole run object.
    complete: bool,
    faults: Vec<Fault>,
    report: Option<(RelPath, Reading)>,
    in_flight: Option<InFlight>,
}

/// Runs the plan through Pester.
pub(crate) fn dispatch(plan: &Plan) -> Result<Dispatched, Fault> {
    own_script(plan)?;
    plan.journal
        .emit(Event::DispatcherStart { kind: "pester".to_owned(), files: plan.files.len() as u64 });
    match plan.profile.isolation.value {
        Isolation::Run => whole(plan),
        Isolation::File => each(plan),
    }
}

/// One process for all files.
fn whole(plan: &Plan) -> Result<Dispatched, Fault> {
    let batch = Batch {
        files: &plan.files,
        output: FOLDER.to_owned(),
        log: LOG.to_owned(),
        only: None,
        limit: plan.run_limit(),
        shown: true,
    };
    let done = process(plan, &batch)?;
    if done.end == ChildEnd::NotFound {
        return Err(powershell_missing(plan));
    }
    report_end(plan, &done.end);
    let in_flight = (!matches!(done.end, ChildEnd::Exited(0 | 1)) || !done.complete)
        .then(|| plan.journal.state().in_flight());
    Ok(Dispatched {
        end: done.end,
        duration: done.duration,
        accounting: account(&plan.files, done.accounting),
        reports: done.report.into_iter().collect(),
        faults: done.faults,
        interrupted: 0,
        in_flight: in_flight.flatten(),
        peak_in_flight: None,
        verdict: Some(OwnVerdict { counts: done.counts, complete: done.complete }),
    })
}

/// One process for each file, several at once. One that hangs or crashes leaves the others alone.
fn each(plan: &Plan) -> Result<Dispatched, Fault> {
    let started = plan.world.tick();
    let Pooled { results, peak } = pool::run(plan, |at, left| one(plan, at, left), broken);
    let duration = started.elapsed();
    let code = |end: &ChildEnd| end.exit_code().unwrap_or(1);
    let end = pool::end(
        plan,
        results.iter().map(|done| done.as_ref().map(|done| &done.end)),
        code,
        duration,
    );
    plan.journal.emit(Event::RunEnd { outcome: end.describe() });

    let mut counts = Counts::default();
    let (mut faults, mut reports, mut accounting) = (Vec::new(), Vec::new(), Vec::new());
    let complete = results.iter().all(|done| done.as_ref().is_some_and(|done| done.complete));
    // What ended by itself or with the run is told before what had its own limit.
    let own_limit = |done: &&Done| {
        matches!(done.end, ChildEnd::TimedOut(..)) && !pool::ended_with_run(&done.end)
    };
    let (limited, others): (Vec<_>, Vec<_>) = results.iter().flatten().partition(own_limit);
    let in_flight = others.into_iter().chain(limited).find_map(|done| done.in_flight.clone());
    for done in results {
        let Some(mut done) = done else {
            accounting.push(Accounted::NotReached);
            continue;
        };
        counts.merge(&done.counts);
        faults.append(&mut done.faults);
        reports.extend(done.report);
        accounting.append(&mut done.accounting);
    }
    Ok(Dispatched {
        end,
        duration,
        accounting: account(&plan.files, accounting),
        reports,
        faults: each_once(faults, counts.total),
        interrupted: 0,
        in_flight,
        peak_in_flight: Some(peak),
        verdict: Some(OwnVerdict { counts, complete }),
    })
}

/// One file's process.
fn one(plan: &Plan, at: usize, left: Left) -> Done {
    let file = &plan.files[at];
    plan.journal.emit(Event::FileStart { file: file.to_string() });
    let batch = Batch {
        files: std::slice::from_ref(file),
        output: format!("{FOLDER}/{}", pool::folder_name(at, file)),
        log: pool::log_name(at, file),
        only: Some(file),
        limit: pool::shorter(plan.profile.file_limit.value, left),
        shown: plan.shows(),
    };
    let mut done = process(plan, &batch).unwrap_or_else(failed);
    done.end = pool::as_set(done.end, left);
    let by_itself = matches!(done.end, ChildEnd::Exited(0 | 1)) && done.complete;
    if !by_itself {
        done.in_flight = plan.journal.state().in_flight_of(file.as_str());
    }
    let fault = fault_of(plan, file, &done);
    if matches!(fault, Some(Fault::TestTimedOut { .. })) {
        done.counts.add(CaseOutcome::Errored);
    }
    done.faults.extend(fault);
    for fault in &mut done.faults {
        if let Fault::DispatcherCrashed(why) = fault {
            *why = format!("{file}: {why}");
        }
    }
    let outcome = match &done.end {
        ChildEnd::Exited(0) if by_itself => "passed",
        ChildEnd::Exited(1) if by_itself => "failed",
        ChildEnd::TimedOut(..) => "timed-out",
        ChildEnd::Cancelled => "cancelled",
        _ => "broken",
    };
    let ms = super::ms(done.duration);
    plan.journal.emit(Event::FileEnd { file: file.to_string(), outcome: outcome.to_owned(), ms });
    if !batch.shown && outcome != "passed" {
        plan.show_end(&done.stored.tail);
    }
    done
}

/// Why a file's process did not come to its own end. The end of the whole run is told once,
/// elsewhere.
fn fault_of(plan: &Plan, file: &RelPath, done: &Done) -> Option<Fault> {
    match &done.end {
        ChildEnd::NotFound => Some(powershell_missing(plan)),
        ChildEnd::NotStarted(why) if done.faults.is_empty() => Some(Fault::DispatcherNotStarted {
            program: plan.profile.powershell.value.clone(),
            why: why.clone(),
        }),
        ChildEnd::Signalled(_) => Some(Fault::DispatcherCrashed(done.end.describe())),
        ChildEnd::TimedOut(Limit::File | Limit::Test | Limit::NoOutput, after) => {
            let what = done.in_flight.as_ref().filter(|what| what.name != file.as_str());
            let path =
                what.map_or_else(|| file.to_string(), |what| format!("{file}: {}", what.name));
            Some(Fault::TestTimedOut { path, after: after.to_string() })
        }
        _ => None,
    }
}

fn powershell_missing(plan: &Plan) -> Fault {
    Fault::ProgramMissing {
        code: ReasonCode::PowershellMissing,
        name: plan.profile.powershell.value.clone(),
    }
}

/// A file whose process was never started.
fn failed(fault: Fault) -> Done {
    Done {
        end: ChildEnd::NotStarted(fault.to_string()),
        duration: Duration::ZERO,
        stored: Stored::default(),
        counts: Counts::default(),
        accounting: vec![Accounted::Unknown],
        complete: false,
        faults: vec![fault],
        report: None,
        in_flight: None,
    }
}

fn broken(file: &RelPath) -> Done {
    failed(Fault::InternalError(format!("the worker that ran {file} failed")))
}

/// The failed tests of all files are one fault, and what is wrong with the host is told once.
fn each_once(faults: Vec<Fault>, of_all: u64) -> Vec<Fault> {
    let mut reported: Vec<Fault> = Vec::new();
    for fault in faults {
        let Fault::TestsFailed { failed: more, errors: more_errors, first: next, .. } = fault
        else {
            if !reported.contains(&fault) {
                reported.push(fault);
            }
            continue;
        };
        let known = reported.iter_mut().find_map(|known| match known {
            Fault::TestsFailed { failed, errors, .. } => Some((failed, errors)),
            _ => None,
        });
        match known {
            Some((failed, errors)) => {
                *failed += more;
                *errors += more_errors;
            }
            None => reported.push(Fault::TestsFailed {
                failed: more,
                errors: more_errors,
                total: of_all,
                first: next,
            }),
        }
    }
    reported
}

fn account(files: &[RelPath], states: Vec<Accounted>) -> Vec<Accounting> {
    files.iter().zip(states).map(|(path, state)| Accounting { path: path.clone(), state }).collect()
}

/// Runs one process to its end and reads what it left.
fn process(plan: &Plan, batch: &Batch<'_>) -> Result<Done, Fault> {
    let unusable = |path: &Path, error: std::io::Error| Fault::ResultsDirUnusable {
        path: shown(path),
        why: error.to_string(),
    };
    // New, and with one process for each file of a name that no other can know: what lies there is
    // this one's.
    let output = match batch.only {
        Some(_) => plan.results.join(FOLDER).join(plan.world.new_local_run()),
        None => plan.results.join(&batch.output),
    };
    files::make_dir(&plan.results.join(FOLDER))
        .and_then(|()| match batch.only {
            Some(_) => files::make_new_dir(&output),
            None => Ok(()),
        })
        .map_err(|error| unusable(&output, error))?;
    let absolute: Vec<String> = batch.files.iter().map(|file| absolute(&plan.root, file)).collect();
    let argv = command_line(plan, batch, &absolute, &output)?;
    let live = plan.live.clone();
    let live: Live = Box::new(move |lines| live(lines));
    let live = batch.shown.then_some(live);
    let sink = Arc::new(LineSink::new(plan.results.join(&batch.log), plan.redactor.clone(), live));
    let watch = Arc::new(Watch::new(plan, batch, &absolute));
    let done = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let follower = scope.spawn(|| follow(plan, &output, &watch, &done));
        let over = WhenOver { done: &done, thread: follower.thread() };
        let taker = sink.clone();
        let stop: Stop = {
            let watch = watch.clone();
            Arc::new(move || watch.over())
        };
        let job = plan.job(argv, batch.only, batch.limit, Some(stop));
        let ended = supervise(
            &plan.world,
            &job,
            Arc::new(move |stream, bytes: &[u8]| taker.take(stream, bytes)),
        );
        drop(over);
        ended
    });
    let stored = sink.finish();
    plan.note_truncation(&batch.log, &stored);
    // Judged and read as the script left it, and masked then: a mask may fall on a path.
    let seen = Seen { plan, batch, output: &output, absolute: &absolute, watch: &watch };
    let (own, mut faults) = seen.judge(&ended.end);
    let report: Option<RelPath> = format!("{}/{REPORT}", batch.output).parse().ok();
    let report = report.and_then(|path| Some((path, results::read(&output.join(REPORT)).ok()?)));
    faults.append(&mut redact_folder(plan, &output));
    if batch.only.is_some() {
        let place = plan.results.join(&batch.output);
        let moved = if files::exists(&place) {
            Err(std::io::ErrorKind::AlreadyExists.into())
        } else {
            files::replace(&output, &place)
        };
        faults.extend(moved.err().map(|error| unusable(&place, error)));
    }
    faults.extend(
        stored.failed.clone().map(|why| Fault::ResultsDirUnusable { path: batch.log.clone(), why }),
    );
    Ok(Done {
        end: ended.end,
        duration: ended.duration,
        stored,
        counts: own.counts,
        accounting: own.accounting,
        complete: own.complete,
        faults,
        report,
        in_flight: None,
    })
}

/// A path as PowerShell on this platform writes it.
fn absolute(root: &Path, file: &RelPath) -> String {
    let path: PathBuf =
        file.as_str().split('/').fold(root.to_owned(), |path, part| path.join(part));
    path.to_string_lossy().into_owned()
}

/// Where script and plans are written: beside the results folder, where no test looks.
fn beside(plan: &Plan) -> PathBuf {
    plan.results.parent().unwrap_or(&plan.results).join("dispatch")
}

fn unwritable(plan: &Plan, error: &std::io::Error) -> Fault {
    Fault::OutputUnwritable(format!("{}: {error}", shown(&beside(plan))))
}

/// The repository's own script, where there is to be one.
fn own_script(plan: &Plan) -> Result<Option<PathBuf>, Fault> {
    let Some(own) = &plan.profile.script.value else { return Ok(None) };
    let own = plan.root.join(own);
    if !files::exists(&own) {
        return Err(Fault::DispatcherMissing(format!(
            "dispatcher.script {} is not there",
            shown(&own)
        )));
    }
    Ok(Some(own))
}

/// Writes script and plan of one process and gives its command line. Each has a script of its own:
/// a test of one could have changed it for the next.
fn command_line(
    plan: &Plan,
    batch: &Batch<'_>,
    absolute: &[String],
    output: &Path,
) -> Result<Vec<OsString>, Fault> {
    let folder = match batch.only {
        Some(_) => beside(plan).join(plan.world.new_local_run()),
        None => beside(plan),
    };
    let script = match own_script(plan)? {
        Some(own) => own,
        None => {
            let path = folder.join(SCRIPT_NAME);
            files::write_atomic(&path, SCRIPT.as_bytes())
                .map_err(|error| unwritable(plan, &error))?;
            path
        }
    };
    let profile = &plan.profile;
    let document = json!({
        "schema": PLAN_SCHEMA,
        "root": plan.root.to_string_lossy(),
        "files": absolute,
        "output": output.to_string_lossy(),
        "filter": {
            "tag": profile.tag.value,
            "excludeTag": profile.exclude_tag.value,
            "fullName": [],
        },
        "pester": {
            "minimumVersion": profile.pester_minimum_version.value,
            "maximumVersion": profile.pester_maximum_version.value,
        },
        "reports": ["nunit2.5"],
        "verbosity": "Detailed",
    });
    let path = folder.join("plan.json");
    files::write_atomic(&path, document.to_string().as_bytes())
        .map_err(|error| unwritable(plan, &error))?;
    let mut argv = powershell(&profile.powershell.value, &script);
    argv.extend(["-PlanPath".into(), path.into_os_string()]);
    Ok(argv)
}

/// PowerShell with a script: nothing of the user's profile, no prompt, no execution policy in the
/// way.
fn powershell(program: &str, script: &Path) -> Vec<OsString> {
    let mut argv: Vec<OsString> =
        [program, "-NoLogo", "-NoProfile", "-NonInteractive"].map(OsString::from).to_vec();
    if cfg!(windows) {
        argv.extend(["-ExecutionPolicy", "Bypass"].map(OsString::from));
    }
    argv.extend(["-File".into(), script.as_os_str().to_owned()]);
    argv
}

/// Masks every file that the script wrote, before anything of it is hashed. The copy is made where
/// no test can put a link in its way.
fn redact_folder(plan: &Plan, folder: &Path) -> Vec<Fault> {
    let unusable = |why: String| Fault::ResultsDirUnusable { path: FOLDER.to_owned(), why };
    if !files::is_plain_dir(folder) {
        return vec![unusable("it is no folder any more".to_owned())];
    }
    let beside = beside(plan);
    let mut faults = Vec::new();
    for (_, path) in files::list(folder).into_iter().flatten() {
        let masked = beside.join(plan.world.new_local_run());
        let done = copy_masked(&plan.redactor, &path, &masked)
            .and_then(|()| files::replace(&masked, &path));
        faults.extend(done.err().map(|error| unusable(format!("{}: {error}", shown(&path)))));
    }
    faults
}
