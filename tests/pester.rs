//! Pester without PowerShell: recordings of real runs through the real binary, by a stand-in for
//! `pwsh` that does what a recorded process did. The corpus holds the recordings and the verdict
//! owed for each; what must run everywhere is in `tests/data/pester`.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Sandbox, Seen, end_marked, on_path, read_json, walk};

fn corpus() -> Option<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/pester-adapter");
    corpus.join("expected.json").exists().then_some(corpus)
}

/// Plays a recording: copies its files with the paths of this run, prints what it printed, leaves
/// behind what it left, and ends as it ended.
const STAND_IN: &str = concat!(
    r#"#!/usr/bin/env python3
import json, os, re, shutil, signal, subprocess, sys, time
recording = os.environ["RECORDING"]
if "-Probe" in sys.argv:
    found = json.loads(os.environ.get("FOUND", '["6.0.1"]'))
    print(json.dumps({"schema": "pester-gate-probe@v1", "ps": "7.6.5", "edition": "Core", "#,
    r#""executionPolicy": "Bypass",
                      "found": [{"version": v, "path": "/m"} for v in found]}))
    sys.exit(0)
plan = json.load(open(sys.argv[sys.argv.index("-PlanPath") + 1]))
assert plan["schema"] == "pester-gate-dispatch-plan@v1" and not os.listdir(plan["output"])
here = os.path.join(plan["root"], "tests")
def rewrite(data):
    quoted = lambda path: json.dumps(path)[1:-1].encode()
    # Wherever they were recorded.
    here_now = {b"suite": quoted(here), b"results": quoted(plan["output"])}
    return re.sub(rb"/\w+/checkout/(suite|results)", lambda found: here_now[found.group(1)], data)
run = json.load(open(os.path.join(recording, "run.json")))
for name in sorted(os.listdir(recording)):
    if name not in ("run.json", "stdout.txt", "stderr.txt"):
        with open(os.path.join(plan["output"], name), "wb") as out:
            out.write(rewrite(open(os.path.join(recording, name), "rb").read()))
for name, stream in (("stdout.txt", sys.stdout), ("stderr.txt", sys.stderr)):
    path = os.path.join(recording, name)
    if os.path.exists(path):
        stream.buffer.write(rewrite(open(path, "rb").read()))
        stream.flush()
for _ in run["leftBehind"]:
    subprocess.Popen(["sleep", "4747.25"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
if run["killedAfterSeconds"]:
    time.sleep(60)
if run["exitCode"] is not None and run["exitCode"] < 0:
    os.kill(os.getpid(), -run["exitCode"])
sys.exit(run["exitCode"])
"#,
);

/// Runs a recording, after `spoil` had its way with a copy of it. The sandbox keeps what it left.
fn play(
    recording: &Path,
    more: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    spoil: impl Fn(&Path),
) -> (Sandbox, Seen) {
    let sandbox = Sandbox::new();
    let copy = sandbox.state.with_file_name("recording");
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(recording).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let run = read_json(&copy.join("run.json"));
    spoil(&copy);
    let mut missing = Vec::new();
    for file in run["files"].as_array().unwrap() {
        let file = file.as_str().unwrap();
        let case = recording.file_name().unwrap();
        let text = corpus()
            .and_then(|corpus| fs::read_to_string(corpus.join("cases").join(case).join(file)).ok());
        sandbox.file(&format!("tests/{file}"), text.as_deref().unwrap_or("Describe 'x' { }"));
        if file.contains("Missing") {
            missing.push(format!("[rm, \"tests/{file}\"]"));
        }
    }
    sandbox.file("pwsh", STAND_IN).executable("pwsh");
    sandbox.file(
        "pester-gate.yml",
        &format!(
            "standing-priority: {{policy: \"off\"}}\n\
             preflight: {{disk: {{min-free: 1MiB}}}}\n\
             dispatcher: {{kind: pester, powershell: ./pwsh}}\n\
             profiles: {{default: {{before: [{}], leak-grace: 200ms}}}}\n\
             {more}",
            missing.join(", ")
        ),
    );
    let mut all = vec![("RECORDING", copy.to_str().unwrap())];
    all.extend(environment);
    let seen = sandbox.run(arguments, &all);
    (sandbox, seen)
}

fn recordings(corpus: &Path) -> Vec<(String, String, PathBuf)> {
    let mut found = Vec::new();
    for version in ["5.7.1", "6.0.1"] {
        let Ok(cases) = fs::read_dir(corpus.join("recorded").join(version)) else { continue };
        for case in cases.map(|case| case.unwrap().path()) {
            found.push((
                version.to_owned(),
                case.file_name().unwrap().to_str().unwrap().to_owned(),
                case,
            ));
        }
    }
    found.sort();
    found
}

/// What is owed for a case under a version.
fn owed(expected: &Value, case: &str, version: &str) -> Value {
    let entry = &expected[case];
    let by_version = entry["versions"].as_object();
    let own =
        by_version.and_then(|v| v.iter().find(|(prefix, _)| version.starts_with(prefix.as_str())));
    own.map_or_else(|| entry.clone(), |(_, own)| own.clone())
}

fn limits(owed: &Value) -> Vec<&'static str> {
    if owed["limitSeconds"].is_null() {
        vec![]
    } else {
        vec!["--run-timeout", "1500ms", "--kill-grace", "200ms"]
    }
}

/// Where a verdict is not what is owed.
fn problems(case: &str, owed: &Value, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let verdict = (seen.text("classification"), seen.text("reason"), json!(seen.ran.code));
    let should = (
        owed["classification"].as_str().unwrap(),
        owed["reason"].as_str().unwrap(),
        owed["exitCode"].clone(),
    );
    if verdict != should {
        wrong.push(format!(
            "{case}: owed {should:?}, got {verdict:?} {:?}\n{}",
            seen.codes(),
            seen.ran.stderr
        ));
    }
    for (key, count) in owed["counts"].as_object().into_iter().flatten() {
        if seen.outcome["counts"][key] != *count {
            wrong.push(format!("{case}: {key} is {}, owed {count}", seen.outcome["counts"][key]));
        }
    }
    if let Some(also) = owed["note"].as_str().and_then(|note| note.strip_prefix("also "))
        && !seen.codes().contains(&also.to_owned())
    {
        wrong.push(format!("{case}: {also} is not among {:?}", seen.codes()));
    }
    if let Some(leaks) = owed["leaks"].as_u64()
        && seen.outcome["leaks"].as_array().unwrap().len() as u64 != leaks
    {
        wrong.push(format!("{case}: {} leaks", seen.outcome["leaks"]));
    }
    let in_flight = match case.rsplit(' ').next().unwrap_or_default() {
        "hang" => Some(("test", "Hang.waits for ever")),
        "hang-in-before-all" => Some(("block", "Bench")),
        "killed-mid-test" => Some(("test", "Killed.kills its own process")),
        "environment-exit-0" => Some(("test", "Exit.leaves the process")),
        _ => None,
    };
    let told = &seen.outcome["inFlight"];
    if let Some((kind, name)) = in_flight
        && (&told["kind"], &told["name"]) != (&json!(kind), &json!(name))
    {
        wrong.push(format!("{case}: in flight is {told}, owed {kind} {name}"));
    }
    for file in walk(&seen.folder) {
        if String::from_utf8_lossy(&fs::read(&file).unwrap_or_default()).contains("hunter2") {
            wrong.push(format!("{case}: the secret stands in {}", file.display()));
        }
    }
    wrong
}

fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
                    wrong.lock().unwrap().extend(work(item));
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn every_recording_gives_the_verdict_that_is_owed() {
    let (Some(corpus), true) = (corpus(), on_path("python3")) else {
        println!(
            "skipped: the corpus or Python is not there, so no recorded Pester run was judged"
        );
        return;
    };
    let expected = read_json(&corpus.join("expected.json"));
    let recordings = recordings(&corpus);
    assert!(recordings.len() >= 41, "{}", recordings.len());
    let wrong = each(&recordings, |(version, case, path)| {
        let owed = owed(&expected, case, version);
        let (sandbox, seen) =
            play(path, "", &limits(&owed), &[("DEMO_SECRET", "hunter2-demo-secret")], |_| {});
        let mut wrong = problems(&format!("{version} {case}"), &owed, &seen);
        let places = crate::locations::impossible(&seen, &sandbox.root);
        wrong.extend(places.into_iter().map(|why| format!("{version} {case}: {why}")));
        // The failing line stands in the test's own file wherever an error record has a stack
        // trace.
        for failure in seen.failures["results"].as_array().into_iter().flatten() {
            let message = failure["message"].as_str().unwrap_or_default();
            if !message.is_empty()
                && !failure["at"]["file"].as_str().is_some_and(|file| file.starts_with("tests/"))
            {
                wrong.push(format!(
                    "{version} {case}: {} has no place: {}",
                    failure["name"], failure["at"]
                ));
            }
        }
        wrong
    });
    end_marked("4747.25");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} recordings were judged by a stand-in for pwsh", recordings.len());
}

#[test]
fn a_real_project_is_counted_as_it_ran() {
    let Some(real) =
        corpus().map(|corpus| corpus.join("recorded/real")).filter(|_| on_path("python3"))
    else {
        println!("skipped: the corpus or Python is not there, so no real project was judged");
        return;
    };
    for project in fs::read_dir(real).unwrap().map(|project| project.unwrap().path()) {
        let run = read_json(&project.join("pester-run.json"));
        let file = |file: &Value| {
            file["file"].as_str().unwrap().rsplit("/suite/").next().unwrap().to_owned()
        };
        let files: Vec<String> = run["files"].as_array().unwrap().iter().map(file).collect();
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&project).unwrap().map(|entry| entry.unwrap().path()) {
            fs::copy(&entry, folder.path().join(entry.file_name().unwrap())).unwrap();
        }
        let how =
            json!({"files": files, "exitCode": 1, "leftBehind": [], "killedAfterSeconds": null});
        fs::write(folder.path().join("run.json"), how.to_string()).unwrap();
        let (_sandbox, seen) = play(folder.path(), "", &[], &[], |_| {});
        assert_eq!(
            seen.verdict(),
            ("test-failures", "none", "tests-failed", 1),
            "{:?}",
            seen.codes()
        );
        let counts = &seen.outcome["counts"];
        assert_eq!(
            (&counts["total"], &counts["failed"]),
            (&run["counts"]["total"], &run["counts"]["failed"])
        );
        assert_eq!((&counts["total"], &counts["failed"]), (&json!(190), &json!(10)));
    }
}

/// The newest Pester that the real PowerShell has.
fn real_pester() -> Option<String> {
    let ask = "(Get-Module -ListAvailable Pester | Sort-Object Version -Descending | \
               Select-Object -First 1).Version.ToString()";
    let told = Command::new("pwsh")
        .args(["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", ask])
        .output()
        .ok()?;
    let version = String::from_utf8(told.stdout).ok()?.trim().to_owned();
    version.starts_with(['5', '6']).then_some(version)
}

#[test]
fn every_suite_gives_the_verdict_that_is_owed_on_a_real_pester() {
    let (Some(corpus), Some(version)) = (corpus(), real_pester()) else {
        println!(
            "skipped: no pwsh with Pester 5 or 6 on PATH, so recordings stood in for real runs"
        );
        return;
    };
    let expected = read_json(&corpus.join("expected.json"));
    let home = std::env::var("HOME").unwrap_or_default();
    let modules = std::env::var("PSModulePath").unwrap_or_default();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(corpus.join("cases")).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|suite| {
            let case = suite.file_name().unwrap().to_str().unwrap();
            let owed = owed(&expected, case, &version);
            let run = read_json(&corpus.join("recorded/6.0.1").join(case).join("run.json"));
            let sandbox = Sandbox::new();
            let mut missing = Vec::new();
            for file in run["files"].as_array().unwrap() {
                let name = file.as_str().unwrap();
                let to = sandbox.root.join(name);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                if fs::copy(suite.join(name), &to).is_err() {
                    sandbox.file(name, "");
                    missing.push(format!("[rm, {name:?}]"));
                }
            }
            sandbox.file(
                "pester-gate.yml",
                &format!(
                    "tests: {{path: \".\"}}\nstanding-priority: {{policy: \"off\"}}\n\
                     preflight: {{disk: {{min-free: 1MiB}}}}\ndispatcher: {{kind: pester}}\n\
                     profiles: {{default: {{before: [{}], tag: {}, exclude-tag: {}}}}}\n",
                    missing.join(", "),
                    run["tags"],
                    run["excludeTags"]
                ),
            );
            let limit = owed["limitSeconds"].as_u64().map(|seconds| format!("{seconds}s"));
            // The recordings were made without the tag that the default mode excludes.
            let mut limits = vec!["--integration-mode", "include"];
            limits.extend(limit.iter().flat_map(|limit| ["--run-timeout", limit.as_str()]));
            let environment = [
                ("HOME", home.as_str()),
                ("PSModulePath", &modules),
                ("DEMO_SECRET", "hunter2-demo-secret"),
            ];
            problems(&format!("{version} {case}"), &owed, &sandbox.run(&limits, &environment))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} suites were run by a real pwsh with Pester {version}", cases.len());
}

#[test]
fn a_test_that_exceeds_its_own_limit_ends_the_run_and_the_limit_is_named() {
    let Some(corpus) = corpus().filter(|_| on_path("python3")) else {
        println!(
            "skipped: the corpus or Python is not there, so the limit of one test was not tried"
        );
        return;
    };
    let path = corpus.join("recorded/6.0.1/hang");
    let (_sandbox, seen) =
        play(&path, "", &["--test-timeout", "700ms", "--kill-grace", "200ms"], &[], |_| {});
    assert_eq!(seen.verdict(), ("seam-defect", "execute", "dispatcher-timed-out", 6));
    assert_eq!(seen.receipt("execute")["outcome"]["limit"], "test");
}

#[test]
fn the_pester_example_is_green_and_red_as_it_says() {
    if real_pester().is_none() {
        println!("skipped: no pwsh with Pester 5 or 6 on PATH, so the Pester example was not run");
        return;
    }
    let home = std::env::var("HOME").unwrap_or_default();
    let modules = std::env::var("PSModulePath").unwrap_or_default();
    let environment = [("HOME", home.as_str()), ("PSModulePath", modules.as_str())];
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pester");
    for (pack, owed) in [
        ("green", ("completed", "none", "tests-passed", 0)),
        ("red", ("test-failures", "none", "setup-or-teardown-failed", 1)),
    ] {
        let sandbox = Sandbox::new();
        let seen =
            sandbox.run(&["--root", example.to_str().unwrap(), "--pack", pack], &environment);
        assert_eq!(seen.verdict(), owed, "{}", seen.ran.stderr);
    }
}

#[test]
fn spoiling_any_one_file_of_a_recording_never_turns_it_green() {
    let Some(corpus) = corpus().filter(|_| on_path("python3")) else {
        println!("skipped: the corpus or Python is not there, so no spoilt recording was judged");
        return;
    };
    let expected = read_json(&corpus.join("expected.json"));
    let mut items = Vec::new();
    for (version, case, path) in recordings(&corpus) {
        let owed = owed(&expected, &case, &version);
        if owed["limitSeconds"].is_number() {
            continue;
        }
        let was_green = owed["exitCode"] == 0;
        for entry in fs::read_dir(&path).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if ["dispatcher-events.ndjson", "pester-run.json", "pester-results.xml"]
                .contains(&name.as_str())
            {
                items.extend(
                    ["deleted", "cut"].map(|how| (was_green, path.clone(), name.clone(), how)),
                );
            }
        }
    }
    let wrong = each(&items, |(was_green, path, name, how)| {
        let (_sandbox, seen) = play(path, "", &[], &[], |copy| {
            let file = copy.join(name);
            match *how {
                "deleted" => fs::remove_file(&file).unwrap(),
                _ => {
                    let bytes = fs::read(&file).unwrap();
                    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
                }
            }
        });
        let is_green = seen.ran.code == 0;
        // Losing an XML or the whole journal costs no verdict; losing the run object does.
        let must_be_red = !was_green || name == "pester-run.json";
        if is_green && must_be_red {
            vec![format!("{}: {name} {how} is green", path.display())]
        } else {
            vec![]
        }
    });
    end_marked("4747.25");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pester_that_is_missing_or_too_old_is_preflights_to_say() {
    if !on_path("python3") {
        println!("skipped: Python is not there, so no stand-in for pwsh was probed");
        return;
    }
    let recording = tempfile::tempdir().unwrap();
    fs::write(
        recording.path().join("run.json"),
        json!({
            "files": ["A.Tests.ps1"],
            "exitCode": 0,
            "leftBehind": [],
            "killedAfterSeconds": null,
        })
        .to_string(),
    )
    .unwrap();
    for (found, reason) in [
        ("[]", "pester-missing"),
        ("[\"3.4.0\"]", "pester-version-unsupported"),
        ("[\"7.0.0\", \"4.10.1\"]", "pester-version-unsupported"),
    ] {
        let (_sandbox, seen) = play(recording.path(), "", &[], &[("FOUND", found)], |_| {});
        assert_eq!(seen.verdict(), ("readiness-blocked", "preflight", reason, 4), "{found}");
        assert!(!seen.has_receipt("execute"));
    }
}

#[test]
fn execute_charges_a_missing_pester_to_preflight() {
    let Some(corpus) = corpus().filter(|_| on_path("python3")) else {
        println!("skipped: the corpus or Python is not there, so no refused recording was judged");
        return;
    };
    let expected = read_json(&corpus.join("expected.json"));
    for case in ["none", "3.4.0"] {
        let path = corpus.join("recorded/refused").join(case);
        if !path.join("run.json").exists() {
            println!("skipped: the corpus holds no recording refused/{case}");
            continue;
        }
        let (_sandbox, seen) = play(&path, "", &[], &[], |_| {});
        let reason = if case == "none" { "pester-missing" } else { "pester-version-unsupported" };
        assert_eq!(
            seen.verdict(),
            ("readiness-blocked", "preflight", reason, 4),
            "{:?}",
            expected.get(case)
        );
    }
}

#[test]
fn the_shipped_script_knows_nothing_of_queues_and_keeps_to_ascii() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/adapter/dispatcher/pester/Invoke-PesterTests.ps1");
    let script = fs::read_to_string(path).unwrap();
    assert!(
        script.is_ascii(),
        "Windows PowerShell reads a file without mark in the ANSI code page"
    );
    let code: Vec<String> =
        script.lines().map(|line| line.split('#').next().unwrap().to_lowercase()).collect();
    for word in [
        "issue",
        "standing",
        "priority",
        "label",
        "slug",
        "queue",
        "github",
        "repository",
        "invoke-webrequest",
        "invoke-restmethod",
        "invoke-expression",
    ] {
        assert!(!code.iter().any(|line| line.contains(word)), "the script speaks of {word}");
    }
    // Balanced, at least: nothing here can parse PowerShell.
    for (open, close) in [('{', '}'), ('(', ')')] {
        let count = |c: char| script.chars().filter(|x| *x == c).count();
        assert_eq!(count(open), count(close), "{open} {close}");
    }
    // The scope that the tests see holds the parameters and one variable.
    let top: Vec<&str> = script.lines().filter(|line| line.starts_with('$')).collect();
    assert!(top.iter().all(|line| line.starts_with("$__pesterGate")), "{top:?}");
}
