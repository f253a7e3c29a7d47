//! The `pester` dispatcher: our script or the repository's own, one process, a plan in, a journal
//! and a run object out. The protocol is in docs/pester.md; nothing else of Pester is known here.
//!
//! The script's journal is followed while it grows and told on as events of ours, so that a killed
//! process leaves the name of the test that was running.

use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::command::report_end;
use super::{Dispatched, OwnVerdict, Plan};
use crate::adapter::journal::{self, Journal};
use crate::adapter::process::{LineSink, Live, Stop, copy_masked, supervise};
use crate::adapter::receipt_store::shown;
use crate::adapter::results::{self, Failure};
use crate::adapter::workspace::files;
use crate::domain::counts::Counts;
use crate::domain::event::{Event, Record};
use crate::domain::fault::Fault;
use crate::domain::ids::RelPath;
use crate::domain::outcome::{ChildEnd, Limit};
use crate::domain::pester::{PLAN_SCHEMA, PROBE_SCHEMA, PesterRun, PesterVerdict, RUN_SCHEMA, judge};
use crate::domain::quantity::Span;
use crate::domain::reason::ReasonCode;
use crate::domain::receipt::{Accounted, Accounting};

/// The script that is shipped.
const SCRIPT: &str = include_str!("Invoke-PesterTests.ps1");
const SCRIPT_NAME: &str = "Invoke-PesterTests.ps1";
/// Folder of the script's outputs, below the results folder.
const FOLDER: &str = "pester";
/// The run object.
pub(crate) const RUN_FILE: &str = "pester-run.json";
const REPORT: &str = "pester-results.xml";
const LOG: &str = "dispatcher.log";

/// Runs the plan through Pester.
pub(crate) fn dispatch(plan: &Plan) -> Result<Dispatched, Fault> {
    let output = plan.results.join(FOLDER);
    let unusable =
        |path: &Path, error: std::io::Error| Fault::ResultsDirUnusable { path: shown(path), why: error.to_string() };
    files::make_dir(&output).map_err(|error| unusable(&output, error))?;
    let absolute: Vec<String> = plan.files.iter().map(|file| absolute(&plan.root, file)).collect();
    let argv = prepare(plan, &absolute, &output)?;
    let live = plan.live.clone();
    let live: Live = Box::new(move |lines| live(lines));
    let sink = Arc::new(LineSink::new(plan.results.join(LOG), plan.redactor.clone(), Some(live)));
    plan.journal.emit(Event::DispatcherStart { kind: "pester".to_owned(), files: plan.files.len() as u64 });
    let watch = Arc::new(Watch::new(plan));
    let done = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        let follower = scope.spawn(|| follow(plan, &output.join(journal::FILE), &watch, &done));
        let taker = sink.clone();
        let stop: Stop = {
            let watch = watch.clone();
            Arc::new(move || watch.over())
        };
        let job = plan.job(argv, None, plan.run_limit(), Some(stop));
        let ended = supervise(&plan.world, &job, Arc::new(move |stream, bytes: &[u8]| taker.take(stream, bytes)));
        done.store(true, Ordering::SeqCst);
        follower.thread().unpark();
        ended
    });
    let stored = sink.finish();
    if ended.end == ChildEnd::NotFound {
        let name = plan.profile.powershell.value.clone();
        return Err(Fault::ProgramMissing { code: ReasonCode::PowershellMissing, name });
    }
    report_end(plan, &ended.end, &stored);
    let mut unmasked = redact_folder(plan, &output);

    let seen = Seen { plan, output: &output, absolute: &absolute, watch: &watch };
    let (own, mut faults) = seen.judge(&ended.end);
    faults.append(&mut unmasked);
    let accounting =
        own.1.iter().zip(&plan.files).map(|(state, path)| Accounting { path: path.clone(), state: *state });
    let accounting = accounting.collect();
    faults.extend(stored.failed.map(|why| Fault::ResultsDirUnusable { path: LOG.to_owned(), why }));
    let report: Option<RelPath> = format!("{FOLDER}/{REPORT}").parse().ok();
    let report = report.and_then(|path| Some((path, results::read(&output.join(REPORT)).ok()?)));
    let in_flight =
        (!matches!(ended.end, ChildEnd::Exited(0 | 1)) || !own.2).then(|| plan.journal.state().in_flight()).flatten();
    Ok(Dispatched {
        end: ended.end,
        duration: ended.duration,
        accounting,
        reports: report.into_iter().collect(),
        faults,
        interrupted: 0,
        in_flight,
        peak_in_flight: None,
        verdict: Some(OwnVerdict { counts: own.0, complete: own.2 }),
    })
}

/// A path as PowerShell on this platform writes it.
fn absolute(root: &Path, file: &RelPath) -> String {
    let path: PathBuf = file.as_str().split('/').fold(root.to_owned(), |path, part| path.join(part));
    path.to_string_lossy().into_owned()
}

/// Writes script and plan beside the results folder and gives the command line.
fn prepare(plan: &Plan, absolute: &[String], output: &Path) -> Result<Vec<OsString>, Fault> {
    let beside = plan.results.parent().unwrap_or(&plan.results).join("dispatch");
    let unwritable = |error: std::io::Error| Fault::OutputUnwritable(format!("{}: {error}", shown(&beside)));
    let script = match &plan.profile.script.value {
        Some(own) => {
            let own = plan.root.join(own);
            if !files::exists(&own) {
                return Err(Fault::DispatcherMissing(format!("dispatcher.script {} is not there", shown(&own))));
            }
            own
        }
        None => {
            let path = beside.join(SCRIPT_NAME);
            files::write_atomic(&path, SCRIPT.as_bytes()).map_err(unwritable)?;
            path
        }
    };
    let profile = &plan.profile;
    let document = json!({
        "schema": PLAN_SCHEMA,
        "root": plan.root.to_string_lossy(),
        "files": absolute,
        "output": output.to_string_lossy(),
        "filter": {"tag": profile.tag.value, "excludeTag": profile.exclude_tag.value, "fullName": []},
        "pester": {
            "minimumVersion": profile.pester_minimum_version.value,
            "maximumVersion": profile.pester_maximum_version.value,
        },
        "reports": ["nunit2.5"],
        "verbosity": "Detailed",
    });
    let path = beside.join("plan.json");
    files::write_atomic(&path, document.to_string().as_bytes()).map_err(unwritable)?;
    let mut argv = powershell(&profile.powershell.value, &script);
    argv.extend(["-PlanPath".into(), path.into_os_string()]);
    Ok(argv)
}

/// PowerShell with a script: nothing of the user's profile, no prompt, no execution policy in the way.
fn powershell(program: &str, script: &Path) -> Vec<OsString> {
    let mut argv: Vec<OsString> = [program, "-NoLogo", "-NoProfile", "-NonInteractive"].map(OsString::from).to_vec();
    if cfg!(windows) {
        argv.extend(["-ExecutionPolicy", "Bypass"].map(OsString::from));
    }
    argv.extend(["-File".into(), script.as_os_str().to_owned()]);
    argv
}

/// What the journal tells while it grows: limits of one test and one file, and whether it ended.
struct Watch {
    file: Option<Span>,
    test: Option<Span>,
    now: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    file: Option<Instant>,
    test: Option<Instant>,
    any: bool,
    ended: bool,
    end_result: Option<String>,
    failed: u64,
    refused: Option<String>,
    found: Vec<String>,
    missing: usize,
}

impl Watch {
    fn new(plan: &Plan) -> Self {
        let profile = &plan.profile;
        Self { file: profile.file_limit.value, test: profile.test_limit.value, now: Mutex::default() }
    }

    fn marks(&self) -> std::sync::MutexGuard<'_, Marks> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn see(&self, plan: &Plan, event: &Event) {
        let mut marks = self.marks();
        marks.any = true;
        match event {
            Event::FileStart { .. } => marks.file = Some(plan.world.tick()),
            Event::FileEnd { .. } => (marks.file, marks.test) = (None, None),
            Event::TestStart { .. } => marks.test = Some(plan.world.tick()),
            Event::TestEnd { outcome, .. } => {
                marks.test = None;
                marks.failed += u64::from(outcome == "Failed");
            }
            Event::AdapterEnd { result } => {
                marks.ended = true;
                marks.end_result = Some(result.clone());
            }
            Event::AdapterStart { found, .. } => marks.found.clone_from(found),
            Event::AdapterRefused { reason, .. } => marks.refused = Some(reason.clone()),
            Event::FileMissing { .. } => marks.missing += 1,
            _ => {}
        }
    }

    /// Which limit is reached. A test or file that hangs takes the one process with it.
    fn over(&self) -> Option<ChildEnd> {
        let marks = self.marks();
        let reached = |since: Option<Instant>, span: Option<Span>| Some(since?.elapsed() >= span?.as_duration());
        if reached(marks.test, self.test) == Some(true) {
            return self.test.map(|span| ChildEnd::TimedOut(Limit::Test, span));
        }
        if reached(marks.file, self.file) == Some(true) {
            return self.file.map(|span| ChildEnd::TimedOut(Limit::File, span));
        }
        None
    }
}

/// Follows the script's journal to its end; a torn last line is passed over.
fn follow(plan: &Plan, path: &Path, watch: &Watch, done: &AtomicBool) {
    let (mut read, mut pending) = (0u64, Vec::new());
    loop {
        let last = done.load(Ordering::SeqCst);
        if let Ok(mut file) = files::open(path)
            && file.seek(SeekFrom::Start(read)).is_ok()
        {
            let mut more = Vec::new();
            read += file.read_to_end(&mut more).unwrap_or(0) as u64;
            pending.extend(more);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if let Ok(record) = serde_json::from_slice::<Record>(&line) {
                    watch.see(plan, &record.event);
                    tell(&plan.journal, record.event);
                }
            }
        }
        if last {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// The script's own frame of the run is not ours: of `run-end` there is one, at the very end.
fn tell(journal: &Journal, event: Event) {
    if !matches!(event, Event::RunEnd { .. } | Event::Unknown) {
        journal.emit(event);
    }
}

/// What the process left.
struct Seen<'a> {
    plan: &'a Plan,
    output: &'a Path,
    absolute: &'a [String],
    watch: &'a Watch,
}

/// Counts, accounting, and whether the run object is a whole verdict.
type Own = (Counts, Vec<Accounted>, bool);

impl Seen<'_> {
    fn judge(&self, end: &ChildEnd) -> (Own, Vec<Fault>) {
        let unknown = || vec![Accounted::Unknown; self.plan.files.len()];
        let run = read_run(&self.output.join(RUN_FILE));
        let marks = self.watch.marks();
        let by_journal = |journal: &Journal| {
            let state = journal.state();
            let of = |path: &String| match state.files.get(path) {
                Some(_) => Accounted::Ran,
                None => Accounted::NotReached,
            };
            self.absolute.iter().map(of).collect::<Vec<_>>()
        };
        let without = |faults: Vec<Fault>| {
            let accounting = if marks.any { by_journal(&self.plan.journal) } else { unknown() };
            ((Counts::default(), accounting, false), faults)
        };
        let code = match end {
            ChildEnd::Exited(code) => *code,
            // Why it ended is a reason of its own; what the journal knows is kept.
            _ => return without(Vec::new()),
        };
        match (code, run) {
            (2, _) => without(vec![Fault::DispatcherNotStarted {
                program: SCRIPT_NAME.to_owned(),
                why: "it could not use the plan (exit code 2); see the log".to_owned(),
            }]),
            (3, _) => without(vec![self.refused(&marks)]),
            (4, _) if marks.missing == self.plan.files.len() && marks.missing > 0 => {
                let path = self.absolute.first().cloned().unwrap_or_default();
                without(vec![Fault::TestFileNotAccounted { path }])
            }
            (0 | 1, Ok(run)) if !marks.any || marks.ended => self.verdict(code, &run, &marks),
            (0 | 1, Ok(_)) => without(vec![crashed(code, "its journal has no end")]),
            (code, Err(why)) => without(vec![crashed(code, &why)]),
            (code, Ok(_)) => without(vec![crashed(code, "that exit code is none of its own")]),
        }
    }

    fn verdict(&self, code: i32, run: &PesterRun, marks: &Marks) -> (Own, Vec<Fault>) {
        let PesterVerdict { counts, mut faults, accounting } = judge(run, self.absolute);
        let says_passed = code == 0;
        if says_passed != (run.result == "Passed") {
            faults.push(Fault::ExitCodeMismatch(format!("exit code {code} and the result {:?}", run.result)));
        }
        if let Some(told) = marks.end_result.as_ref().filter(|told| !told.is_empty() && **told != run.result) {
            faults.push(Fault::ExitCodeMismatch(format!(
                "the journal ends with {told:?}, the run object says {:?}",
                run.result
            )));
        }
        if marks.failed > 0 && counts.failures() == 0 {
            let why = format!("the journal tells of {} failed tests, it of none", marks.failed);
            faults.push(Fault::ResultsInconsistent { path: RUN_FILE.to_owned(), why });
        }
        if !marks.any {
            faults.push(Fault::ReportMissing("the journal is gone; the run object stands".to_owned()));
        }
        if !files::is_plain_file(&self.output.join(REPORT)) {
            faults.push(Fault::ReportMissing(format!("{FOLDER}/{REPORT} was not written")));
        }
        let relative = |path: &str| self.relative(path);
        for fault in &mut faults {
            if let Fault::TestFileFailedToLoad { path, .. } | Fault::TestFileNotAccounted { path } = fault {
                *path = relative(path);
            }
        }
        ((counts, accounting, true), faults)
    }

    fn relative(&self, path: &str) -> String {
        let at = self.absolute.iter().position(|known| known == path);
        at.map_or_else(|| path.to_owned(), |at| self.plan.files[at].to_string())
    }

    fn refused(&self, marks: &Marks) -> Fault {
        let powershell = self.plan.profile.powershell.value.clone();
        match marks.refused.as_deref() {
            Some("pester-missing") => Fault::PesterMissing(powershell),
            _ => Fault::PesterVersionUnsupported {
                wanted: self.plan.profile.pester_minimum_version.value.clone(),
                found: if marks.found.is_empty() { "none that will do".to_owned() } else { marks.found.join(", ") },
            },
        }
    }
}

fn crashed(code: i32, why: &str) -> Fault {
    Fault::DispatcherCrashed(format!("exit code {code}: {why}"))
}

/// The run object, or why it is none.
fn read_run(path: &Path) -> Result<PesterRun, String> {
    if files::exists(path) && !files::is_plain_file(path) {
        return Err(format!("{RUN_FILE}: it is no file of its own"));
    }
    let bytes = files::read_bounded(path).map_err(|error| format!("{RUN_FILE}: {error}"))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let run: PesterRun = serde_json::from_slice(bytes).map_err(|error| format!("{RUN_FILE}: {error}"))?;
    if run.schema != RUN_SCHEMA {
        return Err(format!("{RUN_FILE}: schema {:?}", run.schema));
    }
    Ok(run)
}

/// The failures that a run object names, for reports.
pub(crate) fn failures(path: &Path) -> Vec<Failure> {
    let Ok(run) = read_run(path) else { return Vec::new() };
    let failed = run.tests.iter().filter(|test| test.failed()).map(|test| Failure {
        name: test.path.clone(),
        file: Some(test.file.clone()),
        line: test.line,
        message: test.errors.first().map(|error| error.message.clone()).unwrap_or_default(),
    });
    failed.collect()
}

/// Masks every file that the script wrote, before anything of it is hashed. The copy is made where no
/// test can put a link in its way.
fn redact_folder(plan: &Plan, folder: &Path) -> Vec<Fault> {
    let unusable = |why: String| Fault::ResultsDirUnusable { path: FOLDER.to_owned(), why };
    if !files::is_plain_dir(folder) {
        return vec![unusable("it is no folder any more".to_owned())];
    }
    let beside = plan.results.parent().unwrap_or(&plan.results).join("dispatch");
    let mut faults = Vec::new();
    for (_, path) in files::list(folder).into_iter().flatten() {
        let masked = beside.join(plan.world.new_local_run());
        let done = copy_masked(&plan.redactor, &path, &masked).and_then(|()| files::replace(&masked, &path));
        faults.extend(done.err().map(|error| unusable(format!("{}: {error}", shown(&path)))));
    }
    faults
}

/// What a probe of the script tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProbeAnswer {
    schema: String,
    /// Version of PowerShell.
    pub(crate) ps: String,
    /// `Core` or `Desktop`.
    pub(crate) edition: String,
    /// Every Pester that is installed.
    pub(crate) found: Vec<FoundPester>,
}

/// One installed Pester.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FoundPester {
    /// Its version.
    pub(crate) version: String,
}

/// The command line that asks the shipped script what is installed; `folder` is where it may stand.
pub(crate) fn probe_command(program: &str, folder: &Path) -> std::io::Result<Vec<String>> {
    let script = folder.join(SCRIPT_NAME);
    files::write_atomic(&script, SCRIPT.as_bytes())?;
    let mut argv: Vec<String> =
        powershell(program, &script).iter().map(|word| word.to_string_lossy().into_owned()).collect();
    argv.push("-Probe".to_owned());
    Ok(argv)
}

/// A probe's one line, wherever in the output it stands.
pub(crate) fn probe_answer(output: &str) -> Option<ProbeAnswer> {
    output
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim()).ok())
        .find(|a: &ProbeAnswer| a.schema == PROBE_SCHEMA)
}
