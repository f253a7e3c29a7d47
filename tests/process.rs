//! The supervisor with real programs: what ignores, floods, forks, hangs and never starts.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Ran, Sandbox, Seen, end_marked, marked, signal, signal_when, walk};

fn scripts(bodies: &[(&str, &str)], more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    fs::remove_dir_all(sandbox.root.join("tests")).unwrap();
    for (name, body) in bodies {
        sandbox.script(&format!("tests/{name}.sh"), body);
    }
    sandbox.config(more);
    sandbox
}

fn alive(mark: &str) -> bool {
    !marked(mark).is_empty()
}

fn gone(mark: &str) {
    for _ in 0..40 {
        if !alive(mark) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{mark} is still alive");
}

#[test]
fn a_test_that_ignores_termination_is_killed_with_its_children_within_its_limit() {
    if !Path::new("/proc/self").exists() {
        println!("skipped: no /proc, so that nothing stays alive was not looked at");
        return;
    }
    let body =
        "trap '' TERM; sh -c 'trap \"\" TERM; sleep 4242.25' & trap '' INT; sleep 4242.25; wait";
    let sandbox = scripts(&[("stubborn", body), ("z", "exit 0")], "");
    let began = Instant::now();
    let seen = sandbox.run(&["--file-timeout", "700ms", "--kill-grace", "500ms"], &[]);
    assert_eq!(
        seen.verdict(),
        ("test-failures", "none", "test-timed-out", 1),
        "{:?}",
        seen.codes()
    );
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(seen.outcome["counts"], counts(2, 1, 0, 1, 0), "the other test went on");
    gone("4242.25");
}

fn counts(total: u64, passed: u64, failed: u64, errors: u64, skipped: u64) -> serde_json::Value {
    json!({"total": total, "passed": passed, "failed": failed, "errors": errors, "skipped": skipped,
           "notRun": 0, "failedBlocks": 0, "failedFiles": 0})
}

#[test]
fn a_run_that_hangs_names_what_was_in_flight() {
    let sandbox = scripts(&[("a", "exit 0"), ("hangs", "sleep 60")], "");
    let seen = sandbox.run(&["--run-timeout", "1s", "--kill-grace", "200ms"], &[]);
    assert_eq!(seen.verdict(), ("seam-defect", "execute", "dispatcher-timed-out", 6));
    let execute = seen.receipt("execute");
    assert_eq!(execute["outcome"]["limit"], "run");
    assert_eq!(execute["limits"]["runMs"], 1000);
    assert_eq!(
        seen.outcome["inFlight"],
        json!({"kind": "file", "name": "tests/hangs.sh", "file": "tests/hangs.sh", "line": null})
    );
}

#[test]
fn files_that_the_run_did_not_reach_are_accounted_as_such() {
    let sandbox = scripts(&[("a", "sleep 60"), ("b", "exit 0")], "");
    let seen = sandbox.run(&["--run-timeout", "600ms", "--kill-grace", "200ms"], &[]);
    let accounting = seen.receipt("execute")["accounting"].clone();
    assert_eq!(
        accounting,
        json!([
            {"path": "tests/a.sh", "state": "ran"},
            {"path": "tests/b.sh", "state": "not-reached"},
        ])
    );
}

#[test]
fn a_child_that_floods_both_streams_is_drained_and_stored_whole() {
    let body = "i=0; while [ $i -lt 3000 ]; do \
                echo 0123456789012345678901234567890123456789012345678901234567890123456789; \
                echo err >&2; i=$((i+1)); done";
    let sandbox = scripts(&[("flood", body)], "");
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.codes());
    let files = seen.receipt("execute")["files"].clone();
    let log = files
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["path"] == "logs/00001-flood.sh.log")
        .unwrap()
        .clone();
    assert_eq!(log["size"], 3000 * 71 + 3000 * 4);
}

#[test]
fn the_pool_is_bounded_and_keeps_the_order_of_the_plan() {
    let bodies: Vec<(String, String)> =
        (0..8).map(|n| (format!("t{n}"), format!("sleep 0.{}", 8 - n))).collect();
    let bodies: Vec<(&str, &str)> = bodies.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let sandbox = scripts(&bodies, "dispatcher: {kind: scripts, jobs: 3}\n");
    let seen = sandbox.run(&[], &[]);
    let execute = seen.receipt("execute");
    let peak = execute["peakInFlight"].as_u64().unwrap();
    assert!((2..=3).contains(&peak), "{peak}");
    let order: Vec<_> = execute["accounting"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["path"].as_str().unwrap())
        .collect();
    assert_eq!(order, (0..8).map(|n| format!("tests/t{n}.sh")).collect::<Vec<_>>());
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_receipt_is_there() {
    let sandbox = scripts(&[("a", "trap '' TERM; sleep 4343.25; sleep 4343.25")], "");
    let out = sandbox.out.to_str().unwrap().to_owned();
    let mut command =
        sandbox.command(&["run", "--format", "json", "--out", &out, "--kill-grace", "60s"], &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !alive("4343.25") && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(child.id(), "INT");
    std::thread::sleep(Duration::from_millis(300));
    signal(child.id(), "INT");
    let sent = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
    let seen = sandbox.seen(&output);
    assert_eq!(seen.verdict(), ("seam-defect", "execute", "run-cancelled", 6));
    assert_eq!(seen.outcome["inFlight"]["name"], "tests/a.sh");
    gone("4343.25");
}

#[test]
fn a_process_left_behind_is_reported_or_ended_as_the_setting_says() {
    let body = "sleep 4444.25 >/dev/null 2>&1 & exit 0";
    let report =
        scripts(&[("a", body)], "profiles: {default: {leak-grace: 200ms}}\n").run(&[], &[]);
    assert_eq!((report.ran.code, &report.outcome["leaks"][0]["action"]), (0, &json!("reported")));
    assert!(report.outcome["leaks"][0]["command"].as_str().unwrap().contains("4444.25"));
    assert!(alive("4444.25"), "what is only reported is left alone");
    end_marked("4444.25");
    gone("4444.25");

    let ended =
        scripts(&[("a", "sleep 4545.25 >/dev/null 2>&1 & exit 0")], "leaks: end\n").run(&[], &[]);
    assert_eq!((ended.ran.code, &ended.outcome["leaks"][0]["action"]), (0, &json!("ended")));
    gone("4545.25");
}

#[test]
fn children_get_no_token_and_their_output_is_masked() {
    let token = "ghp_0123456789abcdefghij0123456789abcdef";
    let body = "env; echo \"$PASS_ON_PASSWORD\"; \
                echo loose ghs_abcdefghijklmnopqrstuvwxyz0123456789; exit 1";
    let sandbox = scripts(&[("a", body)], "redact: [in-house-literal]\n");
    sandbox.script("tests/b.sh", "echo in-house-literal; exit 1");
    let seen = sandbox.run(
        &[],
        &[
            ("GITHUB_TOKEN", token),
            ("NPM_TOKEN", "another-token-value"),
            ("PASS_ON_PASSWORD", "correct horse battery"),
            ("GITHUB_OUTPUT", "/dev/null"),
            ("ACTIONS_RUNTIME_URL", "http://x/"),
        ],
    );
    assert_eq!(seen.ran.code, 1);
    let mut all = seen.ran.stdout + &seen.ran.stderr;
    for entry in walk(&seen.folder) {
        all.push_str(&String::from_utf8_lossy(&fs::read(entry).unwrap()));
    }
    for secret in [
        token,
        "another-token-value",
        "correct horse battery",
        "ghs_abcdefghij",
        "in-house-literal",
        "GITHUB_OUTPUT",
        "ACTIONS_RUNTIME_URL",
        "NPM_TOKEN",
    ] {
        assert!(!all.contains(secret), "{secret} got out");
    }
    assert!(all.contains("loose ***"));
}

#[test]
fn execute_killed_outright_leaves_a_journal_that_post_reads() {
    let sandbox = scripts(&[("a", "exit 0"), ("hangs", "sleep 4646.25")], "");
    let out = sandbox.out.to_str().unwrap().to_owned();
    let mut command = sandbox.command(&["run", "--format", "json", "--out", &out], &[]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !alive("4646.25") && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    end_marked("4646.25");
    let folder = fs::read_dir(&sandbox.out).unwrap().next().unwrap().unwrap().path();
    let dir = folder.to_str().unwrap();
    let ran = sandbox.gate(&["post", "--format", "json", "--out", dir, "--receipts-dir", dir]);
    let seen = Seen::new(ran, folder.clone());
    assert_eq!(seen.verdict(), ("seam-defect", "execute", "execution-receipt-missing", 6));
    assert_eq!(seen.outcome["inFlight"]["name"], "tests/hangs.sh");
}

/// Runs the gate, sends SIGTERM once a process that carries the mark is alive, and gives the
/// verdict.
fn cancelled_at(sandbox: &Sandbox, mark: &str) -> Seen {
    let seen = signal_when(sandbox, &["--kill-grace", "300ms"], "TERM", |_| alive(mark));
    gone(mark);
    seen
}

#[test]
fn a_cancel_is_a_cancel_wherever_it_comes_and_cleanup_still_runs() {
    let probe = scripts(
        &[("a", "exit 0")],
        "defaults: {pack: p}\n\
         packs: [{name: p, requires: [{command: [sleep, \"4848.25\"], timeout: 60s}]}]\n",
    );
    let seen = cancelled_at(&probe, "4848.25");
    assert_eq!(
        seen.verdict(),
        ("readiness-blocked", "preflight", "layer-cancelled", 4),
        "{:?}",
        seen.codes()
    );

    let before = scripts(
        &[("a", "exit 0")],
        "profiles: {default: {before: [[sleep, \"4949.25\"]], \
         after: [[sh, -c, \"sleep 0.3; touch cleaned\"]]}}\n",
    );
    let seen = cancelled_at(&before, "4949.25");
    assert_eq!(
        seen.verdict(),
        ("seam-defect", "execute", "run-cancelled", 6),
        "{:?}",
        seen.codes()
    );
    assert!(before.root.join("cleaned").exists(), "the clean-up did not run");
    assert!(!seen.codes().contains(&"cleanup-command-failed".to_owned()));
}

/// A dispatcher that misbehaves, the verdict that is documented for it, and what else must hold.
struct Helper {
    name: &'static str,
    /// `MARK` stands for a number by which its processes are known.
    body: &'static str,
    owed: (&'static str, &'static str, &'static str, i32),
    also: fn(&Seen),
}

const GOOD: &str =
    "mkdir -p out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml";
const BAD: &str = "mkdir -p out; \
                   echo '<testsuites><testcase name=\"t\"><failure/></testcase></testsuites>' \
                   > out/r.xml";
const ENDED: (&str, &str, &str, i32) = ("seam-defect", "execute", "dispatcher-timed-out", 6);
const FINE: (&str, &str, &str, i32) = ("completed", "none", "tests-passed", 0);

fn nothing_else(_: &Seen) {}

fn log(seen: &Seen) -> String {
    fs::read_to_string(seen.folder.join("raw/dispatcher.log")).unwrap()
}

const HELPERS: &[Helper] = &[
    Helper {
        name: "ignores termination",
        body: "trap '' TERM INT HUP; \
               sh -c 'trap \"\" TERM INT; sleep MARK; sleep MARK' & sleep MARK; sleep MARK",
        owed: ENDED,
        also: nothing_else,
    },
    Helper {
        name: "double-forks away and passes",
        body: "setsid sh -c 'setsid sleep MARK & exit 0' >/dev/null 2>&1; GOOD; exit 0",
        owed: FINE,
        also: |seen| {
            let leak = &seen.outcome["leaks"][0];
            assert_eq!(leak["action"], "ended");
            assert!(leak["command"].as_str().unwrap().starts_with("sleep "), "{leak}");
            assert!(leak["startTimeUtc"].is_string(), "{leak}");
        },
    },
    Helper {
        name: "double-forks away, forgets its environment, and hangs",
        body: "env -i setsid sh -c 'setsid sleep MARK & exit 0' >/dev/null 2>&1; sleep MARK",
        owed: ENDED,
        also: |seen| assert_eq!(seen.outcome["leaks"], json!([]), "what we ended is no leak"),
    },
    Helper {
        name: "floods stderr for ever",
        body: "yes MARK >&2",
        owed: ENDED,
        also: |seen| {
            let size = fs::metadata(seen.folder.join("raw/dispatcher.log")).unwrap().len();
            assert!(size < (64 << 20) + 200, "{size}");
        },
    },
    Helper {
        name: "writes half a UTF-16 character",
        body: "printf '\\377\\376o\\000k\\000\\330'; GOOD",
        owed: FINE,
        also: |seen| assert_eq!(log(seen), "ok\u{fffd}"),
    },
    Helper {
        name: "exits with 0 and failing XML",
        body: "BAD; exit 0",
        owed: ("test-failures", "none", "tests-failed", 1),
        also: |seen| {
            assert!(seen.codes().contains(&"exit-code-mismatch".to_owned()));
        },
    },
    Helper {
        name: "exits with 1 and passing XML",
        body: "GOOD; exit 1",
        owed: ("seam-defect", "execute", "exit-code-mismatch", 6),
        also: nothing_else,
    },
    Helper {
        name: "has 300 levels of children, every third in a session of its own",
        body: "n=${1:-300}; echo $n MARK; if [ $n -gt 0 ]; then m=$((n - 1)); \
               if [ $((n % 3)) = 0 ]; then setsid \"$0\" $m & else \"$0\" $m & fi; fi; \
               trap '' TERM; sleep MARK",
        owed: ENDED,
        also: |seen| assert!(log(seen).lines().count() >= 300, "{}", log(seen).lines().count()),
    },
];

#[test]
fn every_misbehaving_helper_has_its_documented_outcome_in_time_and_is_gone() {
    for (at, helper) in HELPERS.iter().enumerate() {
        let mark = format!("66{at}.375");
        let sandbox = Sandbox::green();
        let body = helper.body.replace("MARK", &mark).replace("GOOD", GOOD).replace("BAD", BAD);
        sandbox.script("helper.sh", &body);
        sandbox.config_with(
            "dispatcher: {kind: command, command: [./helper.sh], results: [\"out/*.xml\"]}\n",
            "leaks: end\nprofiles: {default: {leak-grace: 200ms}}\n",
        );
        let began = Instant::now();
        let seen = sandbox.run(&["--run-timeout", "2s", "--kill-grace", "300ms"], &[]);
        let took = began.elapsed();
        assert_eq!(
            seen.verdict(),
            helper.owed,
            "{}: {:?} {}",
            helper.name,
            seen.codes(),
            seen.ran.stderr
        );
        assert!(took < Duration::from_secs(4), "{}: {took:?}", helper.name);
        assert!(!alive(&mark), "{}: {:?} live on", helper.name, marked(&mark));
        (helper.also)(&seen);
    }

    let never = Sandbox::green();
    never.file("helper.sh", "no program").executable("helper.sh");
    never.config_with(
        "dispatcher: {kind: command, command: [./helper.sh], results: [\"out/*.xml\"]}\n",
        "",
    );
    let seen = never.run(&[], &[]);
    assert_eq!(
        seen.verdict(),
        ("seam-defect", "execute", "dispatcher-not-started", 6),
        "{:?}",
        seen.codes()
    );
}

#[test]
fn a_guard_is_nothing_for_a_person() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
    let ran = Ran::of(&command.arg("guard").stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("guard is started by execute"), "{}", ran.stderr);
}

#[test]
fn the_guard_knows_no_secret() {
    let sandbox = scripts(
        &[(
            "a",
            "tr '\\0' '\\n' < /proc/$PPID/environ > environment; \
             tr '\\0' ' ' < /proc/$PPID/cmdline > line",
        )],
        "",
    );
    let seen = sandbox.run(
        &[],
        &[("GITHUB_TOKEN", "ghs_0123456789abcdefghij0123456789abcdef"), ("GITHUB_OUTPUT", "")],
    );
    assert_eq!(seen.ran.code, 0, "{:?}", seen.codes());
    assert!(fs::read_to_string(sandbox.root.join("line")).unwrap().contains("guard"));
    let environment = fs::read_to_string(sandbox.root.join("environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("TOKEN"), "{environment}");
}

#[test]
fn a_leak_names_the_file_that_started_it() {
    let sandbox = scripts(
        &[("a", "exit 0"), ("b", "setsid sleep 4746.25 >/dev/null 2>&1 & exit 0")],
        "leaks: end\n",
    );
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.outcome["leaks"][0]["file"], "tests/b.sh");
    gone("4746.25");
}

#[test]
fn the_journal_of_a_killed_run_ends_with_the_loss() {
    let sandbox = scripts(&[("a", "setsid sleep 4845.25 & sleep 4845.25")], "");
    let seen = signal_when(&sandbox, &[], "KILL", |_| marked("4845.25").len() >= 2);
    gone("4845.25");
    let journal = seen.folder.join("raw/dispatcher-events.ndjson");
    let last = || fs::read_to_string(&journal).unwrap().lines().last().unwrap().to_owned();
    for _ in 0..40 {
        if last().contains("supervisor-lost") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let last: serde_json::Value = serde_json::from_str(&last()).unwrap();
    assert_eq!((&last["type"], &last["seq"]), (&json!("supervisor-lost"), &json!(3)));
}

#[test]
fn a_log_without_a_terminal_says_what_still_runs_and_for_how_long() {
    let sandbox = crate::faults::execution::pester(&["hang"], "", "");
    let seen = sandbox.run(&["--run-timeout", "33s", "--kill-grace", "100ms"], &[]);
    // 30 s, or a little more where the machine is busy.
    let line = "    running tests/hang.Tests.ps1: hang.works (3";
    assert_eq!(
        seen.ran.stderr.lines().filter(|told| told.starts_with(line)).count(),
        1,
        "{}",
        seen.ran.stderr
    );
}

#[test]
fn a_stderr_that_nobody_reads_keeps_no_run_from_its_end() {
    let sandbox = scripts(&[("a", "yes hello | head -c 3000000; sleep 4949.125")], "");
    let out = sandbox.out.to_str().unwrap().to_owned();
    let mut command =
        sandbox.command(&["run", "--format", "json", "--out", &out, "--kill-grace", "300ms"], &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let began = Instant::now();
    // Its own stderr is read only once it has ended.
    let ended = std::thread::spawn(move || {
        let mut child = child;
        let stderr = child.stderr.take();
        let output = child.wait_with_output().unwrap();
        drop(stderr);
        output
    });
    while !alive("4949.125") && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(id, "TERM");
    let output = ended.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let seen = sandbox.seen(&output);
    assert_eq!(seen.verdict(), ("seam-defect", "execute", "run-cancelled", 6));
    gone("4949.125");
}

#[test]
fn a_log_line_that_quotes_a_file_name_commands_nothing_and_tells_no_secret() {
    let body = "mkdir art; ln -s nowhere 'art/x\n::error::pwned ##[error]x topsecretvalue'; exit 0"
        .replace("\\n", "\n");
    let sandbox = scripts(
        &[("a", &body)],
        "redact: [topsecretvalue]\nprofiles: {default: {artifacts: [\"art/**\"]}}\n",
    );
    let seen = sandbox.run(&[], &[]);
    assert!(seen.ran.stderr.contains("an artifact was left out"), "{}", seen.ran.stderr);
    assert!(!seen.ran.stderr.lines().any(|line| line.starts_with("::")), "{}", seen.ran.stderr);
    assert!(
        !seen.ran.stderr.contains("##[") && !seen.ran.stderr.contains("topsecret"),
        "{}",
        seen.ran.stderr
    );
}
