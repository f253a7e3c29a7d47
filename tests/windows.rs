//! What only Windows shows: job objects, its locks, its paths, its settings. Through the built
//! binary, and with nothing that a bare Windows lacks: this program is its own helper.
//!
//! `./scripts/test-windows` runs it under Wine; `docs/windows.md` says what that cannot show.

#![cfg(windows)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by failing"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a helper process does, named by this variable: it is this program again.
const HELPER: &str = "WINDOWS_TEST_HELPER";
/// The marker file of a helper: there while it lives, and written to.
const MARKER: &str = "WINDOWS_TEST_MARKER";

/// Not a test of its own: what a child of the gate does.
#[test]
#[allow(clippy::zombie_processes, reason = "children that outlive it are what it is for")]
fn helper() {
    let Ok(what) = std::env::var(HELPER) else { return };
    let marker = std::env::var(MARKER).map(PathBuf::from);
    match what.as_str() {
        // Says that it is alive until somebody ends it.
        "stay" => {
            let marker = marker.unwrap();
            for beat in 0..1200 {
                fs::write(&marker, beat.to_string()).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        // Starts one that stays, and stays itself.
        "stay-with-child" => {
            let marker = marker.unwrap();
            let _child = helping("stay", &marker.with_extension("child")).spawn().unwrap();
            fs::write(&marker, "").unwrap();
            std::thread::sleep(Duration::from_secs(60));
        }
        // Leaves one behind and ends well.
        "leave-child" => {
            let _child = helping("stay", &marker.unwrap())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            write_results();
        }
        "pass" => write_results(),
        "speak" => {
            use std::io::Write;
            // "Größe" in code page 850, which is no UTF-8.
            std::io::stdout().write_all(b"Gr\x94\xe1e\r\n").unwrap();
            println!("token {}", std::env::var("GH_TOKEN").unwrap_or_else(|_| "none".to_owned()));
            write_results();
        }
        other => panic!("no helper {other:?}"),
    }
}

fn write_results() {
    fs::create_dir_all("out").unwrap();
    fs::write("out/r.xml", "<testsuites><testcase name=\"t\"/></testsuites>\r\n").unwrap();
}

/// This program as a helper.
fn helping(what: &str, marker: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "helper", "--nocapture", "-q"]).env(HELPER, what).env(MARKER, marker);
    command
}

/// A checkout whose tests are one helper.
struct Checkout {
    _folder: tempfile::TempDir,
    base: PathBuf,
    root: PathBuf,
}

impl Checkout {
    fn new(more: &str) -> Self {
        Self::named("a b é", more)
    }

    fn named(name: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join(name);
        let root = base.join("root");
        fs::create_dir_all(&root).unwrap();
        let program =
            serde_json::to_string(std::env::current_exe().unwrap().to_str().unwrap()).unwrap();
        let config = format!(
            "standing-priority: {{policy: \"off\"}}\n\
             preflight: {{disk: {{min-free: 1MiB}}}}\n\
             dispatcher: {{kind: command, command: [{program}, --exact, helper, --nocapture, -q], \
             results: [\"out/*.xml\"]}}\n\
             {more}"
        );
        fs::write(root.join("pester-gate.yml"), config).unwrap();
        fs::create_dir(root.join("tests")).unwrap();
        fs::write(root.join("tests").join("a.Tests.ps1"), "").unwrap();
        Self { _folder: folder, base, root }
    }

    /// The binary, with a state folder and locks of its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
        command
            .args(arguments)
            .arg("--root")
            .arg(&self.root)
            .arg("--state-dir")
            .arg(self.base.join("state"));
        command.current_dir(&self.base);
        // Nothing of a workflow's own variables.
        let ours = |name: &str| {
            ["GITHUB_", "RUNNER_", "ACTIONS_", "PESTER_GATE_"].iter().any(|p| name.starts_with(p))
        };
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.env("PESTER_GATE_LOCK_DIRECTORY", self.base.join("locks"));
        // The lock is the host's there, as on a runner.
        command.env("PESTER_GATE_LOCK_SCOPE", "host");
        command
    }

    fn run(&self, helper: &str, arguments: &[&str]) -> (Output, Value) {
        let mut all = vec!["run", "--format", "json"];
        all.extend(arguments);
        let output =
            self.command(&all).env(HELPER, helper).env(MARKER, self.marker()).output().unwrap();
        let outcome = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output, outcome)
    }

    fn marker(&self) -> PathBuf {
        self.base.join("marker")
    }

    fn lock(&self, arguments: &[&str]) -> Command {
        // What is typed after -- is the command's.
        let at = arguments.iter().position(|word| *word == "--").unwrap_or(arguments.len());
        let mut command = self.command(&[]);
        let state: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let environment: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        command = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
        command
            .arg("lock")
            .args(&arguments[..at])
            .args(state)
            .args(&arguments[at..])
            .current_dir(&self.base);
        for (name, value) in environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn inspect(&self) -> Value {
        let output = self.lock(&["inspect", "--format", "json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A holder of the lock whose command is a helper that stays.
    fn holder(&self) -> Child {
        let helper = std::env::current_exe().unwrap();
        let arguments =
            ["acquire", "--", helper.to_str().unwrap(), "--exact", "helper", "--nocapture", "-q"];
        let mut command = self.lock(&arguments);
        command
            .env(HELPER, "stay")
            .env(MARKER, self.marker())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        until("the holder's command runs", || self.marker().exists());
        child
    }
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}: it does not come to hold");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a helper that stays has stopped writing to its marker.
fn is_gone(marker: &Path) -> bool {
    let read = || fs::read_to_string(marker).unwrap_or_default();
    let before = read();
    std::thread::sleep(Duration::from_millis(400));
    before == read()
}

fn verdict(outcome: &Value) -> (&str, &str, &str) {
    let text = |key: &str| outcome[key].as_str().unwrap_or_default();
    (text("classification"), text("failedLayer"), text("reason"))
}

#[test]
fn a_green_run_is_green() {
    let checkout = Checkout::new("");
    let (output, outcome) = checkout.run("pass", &[]);
    assert_eq!(verdict(&outcome), ("completed", "none", "tests-passed"), "{outcome}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_hung_tree_is_ended_whole_by_its_limit() {
    let checkout = Checkout::new("");
    let (output, outcome) =
        checkout.run("stay-with-child", &["--run-timeout", "3s", "--kill-grace", "300ms"]);
    assert_eq!(verdict(&outcome), ("seam-defect", "execute", "dispatcher-timed-out"), "{outcome}");
    assert_eq!(output.status.code(), Some(6));
    let child = checkout.marker().with_extension("child");
    assert!(child.exists(), "the child never started, so nothing was shown");
    assert!(is_gone(&child), "the child lives on");
}

#[test]
fn what_a_test_leaves_behind_is_named_and_ended() {
    let checkout = Checkout::new("leaks: end\nprofiles: {default: {leak-grace: 500ms}}\n");
    let (_, outcome) = checkout.run("leave-child", &[]);
    let folder = fs::read_dir(checkout.base.join("state").join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let receipt: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("pester-run-receipt.json")).unwrap())
            .unwrap();
    assert_eq!(outcome["classification"], "completed", "{outcome}");
    let leaks = receipt["leaks"].as_array().unwrap();
    assert!(
        leaks.iter().any(|leak| leak["action"] == "ended" && leak["pid"].as_u64() > Some(0)),
        "{receipt}"
    );
    assert!(leaks.iter().all(|leak| leak["startTimeUtc"].is_string()), "{leaks:?}");
    assert!(is_gone(&checkout.marker()), "it lives on");
}

#[test]
fn a_gate_that_is_killed_outright_takes_its_tree_along() {
    let checkout = Checkout::new("");
    let mut gate = checkout.command(&["run"]);
    gate.env(HELPER, "stay-with-child")
        .env(MARKER, checkout.marker())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut gate = gate.spawn().unwrap();
    let child = checkout.marker().with_extension("child");
    until("the tree runs", || child.exists());
    gate.kill().unwrap();
    gate.wait().unwrap();
    until("the tree is gone", || is_gone(&child));
    // And with it the lock: nothing has to be cleaned up.
    until("the host is free", || checkout.inspect()["held"] == false);
}

#[test]
fn the_lock_is_held_by_one_named_and_freed_by_death() {
    let checkout = Checkout::new("");
    let mut holder = checkout.holder();
    let held = checkout.inspect();
    assert_eq!(
        (&held["held"], &held["holder"]["pid"]),
        (&true.into(), &holder.id().into()),
        "{held}"
    );
    assert!(held["holder"]["processStartedAtUtc"].is_string(), "{held}");
    let vain = checkout
        .lock(&["acquire", "--lock-wait", "700ms", "--", "cmd", "/c", "exit 0"])
        .output()
        .unwrap();
    assert_eq!(vain.status.code(), Some(4), "{vain:?}");
    assert!(String::from_utf8_lossy(&vain.stderr).contains("lock-held"), "{vain:?}");
    let (_, outcome) = checkout.run("pass", &["--lock-wait", "500ms"]);
    assert_eq!(verdict(&outcome), ("readiness-blocked", "preflight", "lock-held"), "{outcome}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    until("its command is gone", || is_gone(&checkout.marker()));
    let next = checkout
        .lock(&["acquire", "--lock-wait", "10s", "--", "cmd", "/c", "exit 7"])
        .output()
        .unwrap();
    assert_eq!(next.status.code(), Some(7), "{next:?}");
}

#[test]
fn who_asks_with_the_claim_is_obeyed() {
    let checkout = Checkout::new("");
    let mut holder = checkout.holder();
    let claims = || fs::read_dir(checkout.base.join("state").join("lock-claims")).unwrap().count();
    assert_eq!(claims(), 1, "one holder has one claim");
    let released = checkout.lock(&["release", "--format", "json"]).output().unwrap();
    assert_eq!(released.status.code(), Some(0), "{released:?}");
    let told: Value = serde_json::from_slice(&released.stdout).unwrap();
    assert_eq!(told["released"], true, "{told}");
    holder.wait().unwrap();
    assert!(is_gone(&checkout.marker()), "its command lives on");
    assert_eq!(claims(), 0);
    assert_eq!(checkout.inspect()["held"], false);
}

#[test]
fn one_lock_lets_no_two_in() {
    let checkout = Checkout::new("");
    let script =
        "@echo off\r\necho in>>log\r\nping -n 2 127.0.0.1 >nul\r\necho out>>log\r\nexit 0\r\n";
    fs::write(checkout.base.join("inside.cmd"), script).unwrap();
    let mut all: Vec<Child> = (0..6)
        .map(|_| {
            checkout.lock(&["acquire", "--quiet", "--", "cmd", "/c", "inside.cmd"]).spawn().unwrap()
        })
        .collect();
    for child in &mut all {
        assert!(child.wait().unwrap().success());
    }
    let log = fs::read_to_string(checkout.base.join("log")).unwrap();
    let lines: Vec<&str> = log.split_whitespace().collect();
    assert_eq!(lines.len(), 12, "{log}");
    assert!(lines.chunks(2).all(|pair| pair == ["in", "out"]), "{log}");
}

#[test]
fn paths_may_be_long_odd_and_of_either_case() {
    let name = format!("{} {}", "long ".repeat(20).trim(), "é".repeat(40));
    let checkout = Checkout::named(&name, "");
    let results = checkout.base.join("r".repeat(120)).join("s".repeat(120)).join("raw");
    let (_, outcome) = checkout.run("pass", &["--out", results.to_str().unwrap()]);
    assert_eq!(verdict(&outcome), ("completed", "none", "tests-passed"), "{outcome}");
    let folder = fs::read_dir(&results).unwrap().next().unwrap().unwrap().path();
    assert!(folder.join("pester-run-receipt.json").is_file());
    let upper = checkout.root.to_str().unwrap().to_ascii_uppercase();
    let mut other = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
    other
        .args(["run", "--format", "json", "--root", &upper, "--state-dir"])
        .arg(checkout.base.join("upper"));
    other
        .env("PESTER_GATE_LOCK_DIRECTORY", checkout.base.join("locks"))
        .env("PESTER_GATE_LOCK_SCOPE", "host")
        .env(HELPER, "pass")
        .env(MARKER, checkout.marker());
    let other = other.output().unwrap();
    let outcome: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(verdict(&outcome), ("completed", "none", "tests-passed"), "{outcome}");
}

#[test]
fn long_paths_are_refused_as_the_registry_says() {
    let key = r"HKLM\SYSTEM\CurrentControlSet\Control\FileSystem";
    let asked =
        Command::new("reg").args(["query", key, "/v", "LongPathsEnabled"]).output().unwrap();
    let enabled = String::from_utf8_lossy(&asked.stdout).contains("0x1");
    let git = which::which("git").is_ok();
    let checkout =
        Checkout::new("defaults: {pack: p}\npacks: [{name: p, requires: [long-paths]}]\n");
    let (output, outcome) = checkout.run("pass", &[]);
    if enabled {
        println!("the registry allows long paths here; git is there: {git}");
        let code = outcome["reason"].as_str().unwrap();
        assert!(code == "tests-passed" || (git && code == "long-paths-disabled"), "{outcome}");
    } else {
        assert_eq!(
            verdict(&outcome),
            ("readiness-blocked", "preflight", "long-paths-disabled"),
            "{outcome}"
        );
        assert_eq!(output.status.code(), Some(4));
    }
}

#[test]
fn an_open_labview_is_named_with_its_session() {
    let checkout =
        Checkout::new("defaults: {pack: p}\npacks: [{name: p, requires: [labview-idle]}]\n");
    let program = checkout.base.join("LabVIEW.exe");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let marker = checkout.base.join("open");
    let mut open = Command::new(&program);
    open.args(["--exact", "helper", "--nocapture", "-q"]).env(HELPER, "stay").env(MARKER, &marker);
    let mut open = open.stdout(Stdio::null()).spawn().unwrap();
    until("it runs", || marker.exists());
    let (_, outcome) = checkout.run("pass", &[]);
    open.kill().unwrap();
    open.wait().unwrap();
    assert_eq!(
        verdict(&outcome),
        ("readiness-blocked", "preflight", "labview-running"),
        "{outcome}"
    );
    let detail = outcome["reasons"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!("pid {}", open.id())) && detail.contains("in session"),
        "{detail}"
    );
}

#[test]
fn a_host_tells_its_code_pages_and_a_child_no_token() {
    let checkout = Checkout::new("");
    fs::write(
        checkout.root.join("pester-gate.yml"),
        fs::read_to_string(checkout.root.join("pester-gate.yml")).unwrap()
            + "packs: [{name: p, requires: [powershell]}]\n",
    )
    .unwrap();
    let doctor = checkout.command(&["doctor", "--format", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let pages = &told["checks"][0]["facts"]["codePages"];
    assert!(pages["ansi"].as_u64() > Some(0) && pages["oem"].as_u64() > Some(0), "{told}");
    let mut gate = checkout.command(&["run", "--format", "json"]);
    let gate = gate
        .env(HELPER, "speak")
        .env("GH_TOKEN", "ghp_0123456789abcdef0123456789abcdef0123")
        .output()
        .unwrap();
    let outcome: Value = serde_json::from_slice(&gate.stdout).unwrap();
    assert_eq!(outcome["reason"], "tests-passed", "{outcome}");
    let folder = fs::read_dir(checkout.base.join("state").join("runs"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    // The log keeps the bytes as they came.
    let log = fs::read(folder.join("raw").join("dispatcher.log")).unwrap();
    let holds = |part: &[u8]| log.windows(part.len()).any(|window| window == part);
    assert!(holds(b"token none") && holds(b"Gr\x94\xe1e"), "{}", String::from_utf8_lossy(&log));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let checkout = Checkout::new(
        "defaults: {pack: p}\npacks: [{name: p, requires: [docker, dotnet, lvcompare]}]\n",
    );
    let output = checkout
        .command(&["preflight", "--format", "json"])
        .env("LVCOMPARE_PATH", r"C:\nowhere\LVCompare.exe")
        .output()
        .unwrap();
    let receipt: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(receipt["probes"]["lvcompare"]["reason"], "lvcompare-missing", "{receipt}");
    for (probe, missing) in [("docker", "docker-cli-missing"), ("dotnet", "dotnet-missing")] {
        // A host that has it answers otherwise, and never that it is not there.
        let owed = which::which(probe).is_err();
        assert_eq!(receipt["probes"][probe]["reason"] == missing, owed, "{receipt}");
    }
}
