//! SIGKILL of `execute` at any moment: whatever it was doing, post names the layer and the last
//! known test, the gate is red, and nothing that the tests started lives on, sessions of their own
//! included.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::harness::{Dice, Sandbox, Seen, marked};

/// The runner cancels a step: SIGINT to the step's own process, SIGTERM after 7.5 s, SIGKILL after
/// 2.5 s more. The gate is that process, and ends by itself before the second signal: with its
/// verdict, its outputs, its summary, and nothing left running.
#[test]
fn a_cancelled_step_ends_in_time_with_its_verdict() {
    let sandbox = Sandbox::green();
    sandbox.script(
        "tests/a.sh",
        "trap '' INT TERM; touch \"$HOME/running\"; sleep 300.4711 & wait; wait",
    );
    sandbox.config("limits: {kill-grace: 10m}\nprofiles: {default: {after: [[sleep, \"300\"]]}}\n");
    sandbox.commit();
    let home = sandbox.state.with_file_name("home");
    let temp = sandbox.state.with_file_name("temp");
    let file = |name: &str| sandbox.state.with_file_name(name);
    for folder in [&home, &temp] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(file("script"), "run\n").unwrap();
    let out = temp.join("pester-gate/gate/run");
    let (outputs, summary) = (file("outputs"), file("summary"));
    let inputs = "{\"kill-grace\": \"5m\", \"pack\": \"\", \"token\": \"\"}";
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "4711"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_REPOSITORY", "octo/widgets"),
        ("PESTER_GATE_INPUTS", inputs),
        ("HOME", home.to_str().unwrap()),
        ("RUNNER_TEMP", temp.to_str().unwrap()),
        ("PESTER_GATE_OUT", out.to_str().unwrap()),
        ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
    ];
    let like = sandbox.command(&["run"], &variables);
    let mut command = std::process::Command::new(like.get_program());
    let variables = like.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.arg("step").arg(file("script")).env_clear().envs(variables);
    command.env("PESTER_GATE_STATE_DIR", &sandbox.state).current_dir(&sandbox.root);
    let said = fs::File::create(file("said")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let began = Instant::now();
    while !home.join("running").exists() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    nix::sys::signal::kill(pid, Signal::SIGINT).unwrap();
    let asked = Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if asked.elapsed() > Duration::from_millis(7500) => break None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if ended.is_none() {
        child.kill().unwrap();
    }
    assert_eq!(
        ended.and_then(|status| status.code()),
        Some(6),
        "the runner would kill the gate: {}",
        fs::read_to_string(file("said")).unwrap()
    );
    let outputs = fs::read_to_string(outputs).unwrap();
    assert!(
        outputs.contains("\nrun-cancelled\n") && outputs.contains("receipt-path<<"),
        "{outputs}"
    );
    assert!(fs::read_to_string(summary).unwrap().contains("run-cancelled"));
    let run = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    assert!(run.join("pester-operator-outcome.json").exists());
    let left = marked("300.4711");
    assert!(left.is_empty(), "{left:?}");
}

/// A cancelled run of several configurations does not start the next one, and never ends green.
#[test]
fn a_cancelled_run_does_not_start_the_next_configuration() {
    let sandbox = Sandbox::green();
    let own = fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
    sandbox.file("pester-gate.yml", &format!("also-run: [second.yml]\n{own}"));
    sandbox.file("second.yml", &own.replace("path: tests", "path: more"));
    sandbox.script("tests/a.sh", "touch \"$HOME/running\"; sleep 300.4712");
    sandbox.script("more/b.sh", "touch \"$HOME/second\"");
    sandbox.commit();
    let home = sandbox.state.with_file_name("home");
    fs::create_dir_all(&home).unwrap();
    let outputs = sandbox.state.with_file_name("outputs");
    let variables =
        [("HOME", home.to_str().unwrap()), ("GITHUB_OUTPUT", outputs.to_str().unwrap())];
    let mut command = sandbox.command(&["run"], &variables);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !home.join("running").exists() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    nix::sys::signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT)
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let end = "  second.yml: not run\nVerdict    failed: 0 of 2 configurations passed\n";
    assert!(ended.status.code() == Some(6) && text.ends_with(end), "{text}");
    assert!(!home.join("second").exists(), "the second configuration was started");
    let outputs = fs::read_to_string(outputs).unwrap();
    assert!(outputs.contains("\nrun-cancelled\n") && outputs.contains("\nfail\n"), "{outputs}");
}

/// What execute was doing when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    BeforeSpawn,
    Running,
    AfterExit,
    Renaming,
}

const MOMENTS: [Moment; 4] =
    [Moment::BeforeSpawn, Moment::Running, Moment::AfterExit, Moment::Renaming];
/// How many kills in all, and the least of each moment.
const KILLS: u64 = 200;
const LEAST: u64 = 20;

/// No process may be followed here.
static UNTRACED: AtomicBool = AtomicBool::new(false);

/// A checkout whose run leaves time to be killed before, during and after its tests.
fn checkout() -> Sandbox {
    let sandbox = Sandbox::green();
    fs::remove_dir_all(sandbox.root.join("tests")).unwrap();
    sandbox.script("tests/a.sh", "exit 0");
    sandbox.script(
        "tests/b.sh",
        "setsid sh -c 'sleep \"$1\" & sleep \"$1\"' sh \"$MARK\" & sleep 0.15; exit 0",
    );
    // Masking, copying and hashing it takes a while.
    sandbox.file("big.txt", &"a line of some length that holds no secret at all\n".repeat(120_000));
    sandbox.config(
        "leaks: end\n\
         profiles: {default: {leak-grace: 10ms, artifacts: [big.txt], \
         before: [[sleep, \"0.05\"]]}}\n",
    );
    sandbox.commit();
    sandbox
}

/// The receipts of the three layers before execute.
fn receipts(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.out.join("before");
    let out = folder.to_str().unwrap();
    let context = folder.join("pester-context.json");
    let context = context.to_str().unwrap();
    assert_eq!(sandbox.gate(&["context", "--out", out]).code, 0);
    assert_eq!(sandbox.gate(&["preflight", "--out", out, "--context-receipt", context]).code, 0);
    assert_eq!(sandbox.gate(&["selection", "--out", out, "--context-receipt", context]).code, 0);
    folder
}

fn start(sandbox: &Sandbox, folder: &Path, mark: &str) -> Child {
    let path = |name: &str| folder.join(name).into_os_string();
    // Several at a time: each has a host of its own.
    let group = mark.split('.').next().unwrap();
    let mut command =
        sandbox.command(&["execute", "--quiet", "--lock-group", group], &[("MARK", mark)]);
    command.arg("--out").arg(folder);
    command.arg("--context-receipt").arg(path("pester-context.json"));
    command.arg("--preflight-receipt").arg(path("selfhosted-readiness.json"));
    command.arg("--selection-receipt").arg(path("pester-selection.json"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn journal(folder: &Path) -> String {
    fs::read_to_string(folder.join("raw/dispatcher-events.ndjson")).unwrap_or_default()
}

/// A receipt that is being written: its text is there under a name of its own, and not yet under
/// the last.
fn half_written(folder: &Path) -> bool {
    let temporary =
        |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".pester-gate-");
    fs::read_dir(folder).unwrap().filter_map(Result::ok).any(temporary)
}

fn done(folder: &Path) -> bool {
    folder.join("pester-run-receipt.json").exists()
}

/// Follows the child from call to call of the system until what is waited for holds or it has
/// ended.
///
/// Only looking would race with it: where a folder is memory, a rename follows its write at once.
fn step(child: &Child, holds: impl Fn() -> bool) -> nix::Result<()> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
    ptrace::interrupt(pid)?;
    loop {
        let deliver = match waitpid(pid, None)? {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(()),
            WaitStatus::Stopped(_, signal) if signal != Signal::SIGSTOP => Some(signal),
            _ => None,
        };
        if holds() {
            return Ok(());
        }
        ptrace::syscall(pid, deliver)?;
    }
}

/// Waits for the moment and a little longer, kills, and says when it was.
fn kill(child: &mut Child, folder: &Path, aim: Moment, dice: &mut Dice) -> Option<Moment> {
    let since = Instant::now();
    let wait_for = |child: &mut Child, holds: &dyn Fn() -> bool, pause: u64| {
        while !holds()
            && child.try_wait().unwrap().is_none()
            && since.elapsed() < Duration::from_secs(20)
        {
            std::thread::sleep(Duration::from_micros(pause));
        }
    };
    match aim {
        Moment::BeforeSpawn => std::thread::sleep(Duration::from_micros(dice.below(60_000))),
        Moment::Running => {
            wait_for(child, &|| journal(folder).contains("tests/b.sh"), 500);
            std::thread::sleep(Duration::from_micros(dice.below(100_000)));
        }
        Moment::AfterExit => {
            wait_for(child, &|| journal(folder).contains("run-end"), 500);
            std::thread::sleep(Duration::from_micros(dice.below(30_000)));
        }
        Moment::Renaming => {
            wait_for(child, &|| journal(folder).contains("run-end"), 500);
            // Any other error is a child that ended meanwhile: it is not counted.
            if step(child, || half_written(folder) || done(folder)) == Err(nix::Error::EPERM) {
                // Some containers allow nobody to follow a process: then it is a matter of luck.
                UNTRACED.store(true, Ordering::SeqCst);
                wait_for(child, &|| half_written(folder) || done(folder), 0);
            }
        }
    }
    // A child that was followed to its end has been waited for.
    let _ = child.kill();
    let _ = child.wait();
    let told = journal(folder).replace("supervisor-lost", "");
    match () {
        () if done(folder) => None,
        () if half_written(folder) => Some(Moment::Renaming),
        () if told.contains("run-end") => Some(Moment::AfterExit),
        () if told.contains("file-start") => Some(Moment::Running),
        () => Some(Moment::BeforeSpawn),
    }
}

fn check(sandbox: &Sandbox, folder: &Path, moment: Moment, mark: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let killed = Instant::now();
    while !marked(mark).is_empty() && killed.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
    if !marked(mark).is_empty() {
        wrong.push(format!("{:?} live on", marked(mark)));
    }
    let dir = folder.to_str().unwrap();
    let needs = concat!(
        r#"{"context":{"result":"success"},"preflight":{"result":"success"},"#,
        r#""selection":{"result":"success"},"execute":{"result":"failure"}}"#,
    );
    for more in [&["--needs", needs][..], &[]] {
        let mut arguments = vec!["post", "--format", "json", "--out", dir, "--receipts-dir", dir];
        arguments.extend(more);
        let seen = Seen::new(sandbox.gate(&arguments), folder.to_owned());
        let reason =
            if more.is_empty() { "execution-receipt-missing" } else { "layer-not-reported" };
        if seen.verdict() != ("seam-defect", "execute", reason, 6) {
            wrong.push(format!("post says {:?} {}", seen.verdict(), seen.ran.stderr));
        }
        let last = seen.outcome["inFlight"]["name"].as_str().unwrap_or_default();
        if moment == Moment::Running
            && !["tests/a.sh", "tests/b.sh"].contains(&last)
            && ended(folder) < 2
        {
            wrong.push(format!("in flight is {}", seen.outcome["inFlight"]));
        }
    }
    wrong
}

/// How many files had ended: between two of them none is in flight.
fn ended(folder: &Path) -> usize {
    journal(folder).matches("file-end").count().max(1)
}

#[test]
fn whatever_execute_is_killed_at_is_named_and_nothing_lives_on() {
    let sandbox = checkout();
    let before = receipts(&sandbox);
    let (next, tally, wrong) =
        (AtomicU64::new(0), Mutex::new(BTreeMap::<Moment, u64>::new()), Mutex::new(Vec::new()));
    let enough = || {
        let tally = tally.lock().unwrap();
        tally.values().sum::<u64>() >= KILLS
            && MOMENTS.iter().all(|moment| tally.get(moment) >= Some(&LEAST))
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !enough() {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= 4 * KILLS {
                        return;
                    }
                    let mut dice = Dice::new(seed);
                    let aim = MOMENTS[usize::try_from(seed % 4).unwrap()];
                    let folder = sandbox.out.join(format!("killed-{seed}"));
                    fs::create_dir_all(&folder).unwrap();
                    for name in [
                        "pester-context.json",
                        "selfhosted-readiness.json",
                        "pester-selection.json",
                    ] {
                        fs::copy(before.join(name), folder.join(name)).unwrap();
                    }
                    let mark = format!("77{seed}.0625");
                    let mut child = start(&sandbox, &folder, &mark);
                    if let Some(moment) = kill(&mut child, &folder, aim, &mut dice) {
                        *tally.lock().unwrap().entry(moment).or_default() += 1;
                        let problems = check(&sandbox, &folder, moment, &mark);
                        wrong.lock().unwrap().extend(
                            problems.into_iter().map(|why| format!("{seed} {moment:?}: {why}")),
                        );
                    }
                    // The guard may be writing its last word into the journal.
                    let _ = fs::remove_dir_all(&folder);
                }
            });
        }
    });
    let (tally, wrong) = (tally.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("killed: {tally:?}");
    assert!(wrong.is_empty(), "{} of {tally:?}\n{}", wrong.len(), wrong.join("\n"));
    let mut due = MOMENTS.to_vec();
    if UNTRACED.load(Ordering::SeqCst) && tally.get(&Moment::Renaming) < Some(&LEAST) {
        println!(
            "skipped: no process may be followed here, \
             so too few runs were killed between a write and its rename"
        );
        due.retain(|moment| *moment != Moment::Renaming);
    }
    assert!(due.iter().all(|moment| tally.get(moment) >= Some(&LEAST)), "{tally:?}");
    assert!(tally.values().sum::<u64>() >= KILLS, "{tally:?}");
}
