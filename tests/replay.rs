//! `replay`: the evidence again, from what was kept of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Chain, Ran, Sandbox, Seen, corpus, edit, read_json, replay, sha256};

/// Every file below a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), path);
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for (name, path) in files(from) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

/// A red run with failures of two kinds and a skipped test.
fn red() -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    sandbox.file("tests/sums.py", &"\n".repeat(8));
    sandbox.script("tests/c.sh", "echo \"$PWD/tests/sums.py:7: Expected 4, but got 5.\"; exit 1");
    sandbox.script("tests/d.sh", "echo 'mkdir: /x: Permission denied'; exit 1");
    sandbox.script("tests/e.sh", "exit 77");
    sandbox.commit();
    let seen = sandbox.run(&["--continue-on-failure"], &[]);
    (sandbox, seen)
}

fn outcome(ran: &Ran) -> (String, String, String, i32) {
    let told = ran.json();
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    (text("classification"), text("failedLayer"), text("reason"), ran.code)
}

/// Times and paths are those of the replay; nothing else may differ.
fn without_times_and_paths(text: &str, folders: &[&Path]) -> String {
    let mut text = text.to_owned();
    for folder in folders {
        text = text.replace(folder.to_str().unwrap(), "<folder>");
        // As a shell has it, where it quotes; and that as JSON does.
        for quote in [r"'\''", r"'\\''", "&#39;\\&#39;&#39;"] {
            text = text.replace(&folder.to_str().unwrap().replace('\'', quote), "<folder>");
        }
        text = text.replace(&folder.to_str().unwrap().replace('\'', "&#39;"), "<folder>");
    }
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    let text = time.replace_all(&text, "<time>").into_owned();
    // Quotes stand around a path only where it needs them.
    let text = text.replace("'<folder>", "<folder>").replace("<folder>'", "<folder>");
    text.replace("&#39;<folder>", "<folder>").replace("<folder>&#39;", "<folder>")
}

#[test]
fn a_replay_in_another_place_is_byte_identical_but_for_times_and_paths() {
    let (sandbox, seen) = red();
    let (elsewhere, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(&seen.folder, elsewhere.path());
    let ran = replay(elsewhere.path(), &["--out", made.path().to_str().unwrap()]);
    assert_eq!(outcome(&ran).2, "tests-failed", "{ran:?}");
    assert_eq!(ran.json()["gateStatus"], "notice", "what the caller asked for is kept");
    let again = files(made.path());
    let kept = files(&seen.folder);
    let (elsewhere, made_at) =
        (elsewhere.path().canonicalize().unwrap(), made.path().canonicalize().unwrap());
    let folders: Vec<&Path> = vec![&seen.folder, &sandbox.root, &elsewhere, &made_at];
    let mut compared = 0;
    for (name, path) in &again {
        if name == "pester-evidence-provenance.json" {
            continue;
        }
        let text =
            |path: &Path| without_times_and_paths(&fs::read_to_string(path).unwrap(), &folders);
        let original = kept.get(name).unwrap_or_else(|| panic!("the run itself wrote no {name}"));
        let (own, other) = (text(path), text(original));
        let differing = own.lines().zip(other.lines()).find(|(a, b)| a != b);
        assert_eq!(own, other, "{name}: {differing:?}");
        compared += 1;
    }
    assert!(compared >= 8, "{again:?}");
    let own = read_json(&seen.folder.join("pester-evidence-provenance.json"));
    for output in own["derivedOutputs"].as_array().unwrap() {
        let name = output["path"].as_str().unwrap();
        assert!(again.contains_key(name), "the replay wrote no {name}");
    }
    let provenance = read_json(&made.path().join("pester-evidence-provenance.json"));
    assert_eq!(
        (&provenance["kind"], &provenance["replayedBy"]["sameVerdict"]),
        (&json!("local-replay"), &json!(true))
    );
    // And what was kept is as it was.
    for (name, path) in files(&seen.folder) {
        assert_eq!(sha256(&path), sha256(&elsewhere.join(&name)), "{name}");
    }
    // A replay of the replay's own evidence beside the same files is the same once more.
    fs::copy(
        made.path().join("pester-evidence-provenance.json"),
        elsewhere.join("pester-evidence-provenance.json"),
    )
    .unwrap();
    for name in again.keys() {
        fs::copy(made.path().join(name), elsewhere.join(name)).unwrap();
    }
    assert_eq!(replay(&elsewhere, &[]).json()["reason"], "tests-failed");
}

#[test]
fn artifacts_that_lie_in_folders_of_their_own_are_found() {
    let (_sandbox, seen) = red();
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, path) in files(&seen.folder) {
        let artifact = match name.as_str() {
            "pester-context.json" => "pester-context".to_owned(),
            name if name.starts_with("raw/") => {
                format!("pester-run-raw/{}", name.strip_prefix("raw/").unwrap())
            }
            name if name.contains("evidence") || name.contains("outcome") => {
                format!("pester-evidence/{name}")
            }
            _ => format!("pester-execution-contract/{name}"),
        };
        let target = elsewhere.path().join(
            artifact
                .strip_suffix("pester-context")
                .map_or(artifact.clone(), |_| format!("{artifact}/{name}")),
        );
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
    let ran = replay(elsewhere.path(), &[]);
    assert_eq!(
        outcome(&ran),
        ("test-failures".into(), "none".into(), "tests-failed".into(), 0),
        "{ran:?}"
    );
}

/// One thing done to one file.
#[derive(Debug, Clone)]
enum Harm {
    Delete,
    Empty,
    Cut(usize),
    Flip(usize),
    Swap(PathBuf),
}

impl Harm {
    fn all(size: usize, others: &[PathBuf]) -> Vec<Harm> {
        let mut all = vec![Harm::Delete, Harm::Empty];
        let cuts = [1, 2, size / 4, size / 2, size.saturating_sub(30), size.saturating_sub(2)];
        all.extend(cuts.into_iter().filter(|cut| *cut > 0 && *cut < size).map(Harm::Cut));
        all.extend([size / 3, size * 2 / 3].into_iter().filter(|at| *at < size).map(Harm::Flip));
        all.extend(others.iter().cloned().map(Harm::Swap));
        all
    }

    /// Whether the file is another one now.
    fn apply(&self, path: &Path) -> bool {
        let before = fs::read(path).unwrap();
        match self {
            Harm::Delete => fs::remove_file(path).unwrap(),
            Harm::Empty => fs::write(path, "").unwrap(),
            Harm::Cut(at) => fs::write(path, &before[..*at]).unwrap(),
            Harm::Flip(at) => {
                let mut bytes = before.clone();
                // A digit stays a digit and a letter a letter: the document stays what it is.
                bytes[*at] ^= 1;
                fs::write(path, bytes).unwrap();
            }
            Harm::Swap(other) => fs::write(path, fs::read(other).unwrap()).unwrap(),
        }
        fs::read(path).is_ok_and(|now| now != before) || !path.exists()
    }
}

/// Who is charged with a file.
fn writer(name: &str) -> &'static str {
    match name.rsplit('/').next().unwrap() {
        "pester-context.json" => "context",
        "selfhosted-readiness.json" => "preflight",
        "pester-selection.json" => "selection",
        "pester-evidence-provenance.json" => "post",
        _ => "execute",
    }
}

/// Every input of post, each harmed in every way, with every copy of it (a leg keeps the receipts
/// that it consumed, and one that is as its digest says serves for all): by `replay` and by `post`
/// itself, told what a workflow tells it.
fn harm_every_input(seen: &Seen, other: &Seen) {
    let provenance = read_json(&seen.folder.join("pester-evidence-provenance.json"));
    let inputs: Vec<String> = provenance["sourceInputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| input["path"].as_str().unwrap().to_owned())
        .chain(["pester-evidence-provenance.json".to_owned()])
        .collect();
    assert!(inputs.len() >= 8, "{inputs:?}");
    let green = seen.ran.code == 0;
    let (next, wrong) = (std::sync::atomic::AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    let mut cases = Vec::new();
    for (at, name) in inputs.iter().enumerate() {
        let path = seen.folder.join(name);
        let neighbour = seen.folder.join(&inputs[(at + 1) % inputs.len()]);
        // The same file of another run, and another file of the same.
        let others: Vec<PathBuf> = [other.folder.join(name), neighbour]
            .into_iter()
            .filter(|other| other.exists())
            .collect();
        let size = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        // A letter of a detail in the provenance decides nothing.
        let all = Harm::all(size, &others).into_iter();
        let telling = |harm: &Harm| !(matches!(harm, Harm::Flip(_)) && writer(name) == "post");
        cases.extend(all.filter(telling).map(|harm| (name.clone(), harm)));
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((name, harm)) =
                    cases.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
                {
                    let scratch = tempfile::tempdir().unwrap();
                    copy(&seen.folder, scratch.path());
                    let copies = copies(scratch.path(), name);
                    if !copies.iter().all(|copy| harm.apply(copy)) {
                        continue;
                    }
                    let mut all = vec![("replay", replay(scratch.path(), &[]))];
                    if writer(name) != "post" {
                        all.push(("post", post(scratch.path(), &provenance)));
                    }
                    for (verb, ran) in all {
                        let Ok(told) = serde_json::from_str::<Value>(&ran.stdout) else {
                            wrong.lock().unwrap().push(format!("{verb}: {name} {harm:?}: {ran:?}"));
                            continue;
                        };
                        let reasons: Vec<&str> = told["reasons"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .filter(|reason| reason["layer"] == writer(name))
                            .map(|reason| reason["code"].as_str().unwrap())
                            .collect();
                        let of_file = reasons.iter().any(|code| {
                            code.starts_with("receipt-")
                                || code.starts_with("raw-artifact")
                                || ["execution-receipt-missing", "shard-missing"].contains(code)
                        });
                        let deciding = told["reasons"][0]["layer"] == writer(name)
                            && told["reason"] != seen.outcome["reason"];
                        if ran.code == 0
                            || told["classification"] == "completed"
                            || !of_file
                            || (green && !deciding)
                        {
                            let codes = &told["reasons"];
                            wrong
                                .lock()
                                .unwrap()
                                .push(format!("{verb}: {name} {harm:?}: {} {codes}", ran.code));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{} harms", cases.len());
}

/// A file and what is the same beside it, byte for byte and by name.
fn copies(folder: &Path, name: &str) -> Vec<PathBuf> {
    let digest = sha256(&folder.join(name));
    let last = |name: &str| name.rsplit('/').next().unwrap().to_owned();
    let same =
        |(path, file): &(String, PathBuf)| last(path) == last(name) && sha256(file) == digest;
    files(folder).into_iter().filter(same).map(|(_, file)| file).collect()
}

/// `post` by hand on a folder, with the jobs' results and the digests that a provenance has.
fn post(folder: &Path, provenance: &Value) -> Ran {
    let out = tempfile::tempdir().unwrap();
    let mut needs = BTreeMap::new();
    for job in provenance["told"]["jobs"].as_array().unwrap() {
        needs.insert(
            job["layer"].as_str().unwrap(),
            json!({"result": job["result"], "outputs": {"reason": job["reason"]}}),
        );
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pester-gate"));
    command
        .args(["post", "--format", "json", "--receipts-dir"])
        .arg(folder)
        .arg("--out")
        .arg(out.path());
    command
        .arg("--state-dir")
        .arg(out.path().join("state"))
        .arg("--needs")
        .arg(json!(needs).to_string());
    for digest in provenance["told"]["digests"].as_array().unwrap() {
        let shard = digest["shard"].as_u64().map(|shard| format!("{shard}=")).unwrap_or_default();
        command
            .arg(format!("--{}-sha256", digest["layer"].as_str().unwrap()))
            .arg(format!("{shard}{}", digest["sha256"].as_str().unwrap()));
    }
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(out.path());
    Ran::of(&command.output().unwrap())
}

#[test]
fn whatever_is_done_to_one_input_of_a_green_run_it_is_told_and_never_green() {
    let (sandbox, other) = (Sandbox::green(), Sandbox::green());
    let (one, second) = (sandbox.run(&[], &[]), other.run(&[], &[]));
    assert_eq!(one.ran.code, 0, "{:?}", one.ran);
    harm_every_input(&one, &second);
}

#[test]
fn whatever_is_done_to_one_input_of_a_red_run_it_is_told_and_never_green() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 1");
    sandbox.commit();
    let one = sandbox.run(&[], &[]);
    assert_eq!(one.ran.code, 1, "{:?}", one.ran);
    let kept = Sandbox::green();
    let green = kept.run(&[], &[]);
    harm_every_input(&one, &green);
}

/// Two legs of a plan of two files, of which the second may fail.
fn two_legs(second: &str) -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    sandbox.script("tests/b.sh", second);
    sandbox.config("defaults: {shards: 2}\n");
    sandbox.commit();
    let seen = Chain::new(&sandbox).every_leg(2).run();
    (sandbox, seen)
}

#[test]
fn whatever_is_done_to_one_input_of_shards_it_is_told_and_never_green() {
    let (_one, green) = two_legs("exit 0");
    assert_eq!(green.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", green.ran);
    assert_eq!(green.outcome["counts"]["total"], 2);
    let (_other, red) = two_legs("exit 1");
    assert_eq!(red.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", red.ran);
    harm_every_input(&green, &red);
    harm_every_input(&red, &green);
}

/// A command that writes a report for each of two files, of which one may fail.
fn reports(failure: &str) -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    let case = |name: &str, body: &str| {
        format!(
            "<testsuites><testsuite name=\"{name}\">\
             <testcase name=\"{name}\">{body}</testcase></testsuite></testsuites>"
        )
    };
    let (a, b, code) = (case("a", ""), case("b", failure), i32::from(!failure.is_empty()));
    sandbox.script(
        "runner.sh",
        &format!("mkdir -p out; echo '{a}' > out/a.xml; echo '{b}' > out/b.xml; exit {code}"),
    );
    sandbox.file(".gitignore", "out/\n");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
        "",
    );
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    (sandbox, seen)
}

#[test]
fn whatever_is_done_to_one_input_of_a_commands_reports_it_is_told_and_never_green() {
    let (_one, green) = reports("");
    assert_eq!(green.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", green.ran);
    let (_other, red) = reports("<failure message=\"no\"/>");
    assert_eq!(red.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", red.ran);
    harm_every_input(&green, &red);
    harm_every_input(&red, &green);
}

#[cfg(unix)]
#[test]
fn whatever_is_done_to_one_input_of_pester_it_is_told_and_never_green() {
    let run = |name: &str| {
        let sandbox = crate::faults::execution::pester(&["pass", name], ", isolation: file", "");
        let seen = sandbox.run(&[], &[]);
        (sandbox, seen)
    };
    let (_one, green) = run("pass-too");
    assert_eq!(green.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", green.ran);
    let (_other, red) = run("fail");
    assert_eq!(red.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", red.ran);
    harm_every_input(&green, &red);
    harm_every_input(&red, &green);
}

#[test]
fn a_folder_that_is_none_of_ours_is_a_usage_error_and_a_planted_receipt_is_told() {
    let (_sandbox, seen) = red();
    for (folder, owed) in [
        (seen.folder.join("nowhere"), "no run and no folder is called"),
        (seen.folder.join("raw"), "holds no receipt"),
    ] {
        let ran = replay(&folder, &[]);
        assert!(
            ran.code == 2 && ran.json()["error"]["message"].as_str().unwrap().contains(owed),
            "{ran:?}"
        );
    }
    let inside = replay(&seen.folder, &["--out", seen.folder.join("again").to_str().unwrap()]);
    assert!(inside.code == 2 && inside.stdout.contains("lie in one another"), "{inside:?}");
    // Evidence that was changed, and a receipt that was added.
    let outcome_file = seen.folder.join("pester-operator-outcome.json");
    let before = fs::read(&outcome_file).unwrap();
    edit(&outcome_file, "/gateStatus", &json!("pass"));
    let ran = replay(&seen.folder, &[]).json();
    assert_eq!(
        (&ran["reason"], &ran["failedLayer"]),
        (&json!("receipt-digest-mismatch"), &json!("post")),
        "{ran}"
    );
    fs::write(&outcome_file, before).unwrap();
    fs::create_dir(seen.folder.join("other")).unwrap();
    fs::copy(
        seen.folder.join("pester-context.json"),
        seen.folder.join("other/pester-context.json"),
    )
    .unwrap();
    edit(&seen.folder.join("other/pester-context.json"), "/repository", &json!("octo/other"));
    let ran = replay(&seen.folder, &[]).json();
    assert_eq!(
        (&ran["reason"], &ran["failedLayer"]),
        (&json!("receipt-corrupt"), &json!("context")),
        "{ran}"
    );
}

#[test]
fn the_predecessors_retained_runs_come_out_as_they_should() {
    let Some(corpus) = corpus("predecessor-runs") else { return };
    let expected = read_json(&corpus.join("expected.json"));
    let mut seen = 0;
    for (name, owed) in expected.as_object().unwrap() {
        let ran = replay(&corpus.join(name), &[]);
        let told = ran.json();
        let class = &told["classification"];
        let classes = owed["classification"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![owed["classification"].clone()]);
        assert!(classes.contains(class), "{name}: {told}");
        assert_eq!(ran.code == 0, class == "completed", "{name}");
        if let Some(reason) = owed.get("reason") {
            assert_eq!(&told["reason"], reason, "{name}");
        }
        for (key, count) in owed["counts"].as_object().into_iter().flatten() {
            assert_eq!(&told["counts"][key], count, "{name}: {key}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
    let truncated = replay(&corpus.parent().unwrap().join("upstream-replay"), &[]).json();
    assert_eq!(
        (&truncated["classification"], &truncated["reason"], &truncated["failedLayer"]),
        (&json!("seam-defect"), &json!("results-truncated"), &json!("execute")),
        "{truncated}"
    );
    assert_eq!(truncated["counts"]["failed"], 1);
}

/// The same in our own words, for where the real ones are not.
#[test]
fn a_run_of_the_predecessor_is_read_by_its_receipt_and_its_reports() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = |status: &str, code: i32| {
        let layers = json!({
            "contextStatus": "ready",
            "readinessStatus": "ready",
            "selectionStatus": "ready",
        });
        let mut receipt = json!({
            "schema": "pester-execution-receipt@v1",
            "status": status,
            "dispatcherExitCode": code,
        });
        receipt.as_object_mut().unwrap().extend(layers.as_object().unwrap().clone());
        fs::write(folder.path().join("pester-run-receipt.json"), format!("\u{feff}{receipt}"))
            .unwrap();
        outcome(&replay(folder.path(), &[]))
    };
    let report = |name: &str, result: &str| {
        let own = folder.path().join("pester").join(name);
        fs::create_dir_all(&own).unwrap();
        let case = format!(
            "<test-case name=\"{name}\" executed=\"True\" result=\"{result}\" time=\"0\"/>"
        );
        let xml = format!(
            "<test-results name=\"Pester\"><test-suite>\
             <results>{case}</results></test-suite></test-results>"
        );
        fs::write(own.join("pester-results.xml"), xml).unwrap();
    };
    let seam = |code: &str| ("seam-defect".to_owned(), "execute".to_owned(), code.to_owned(), 6);
    assert_eq!(receipt("completed", 0), seam("zero-tests-executed"));
    report("a", "Success");
    assert_eq!(receipt("completed", 0).2, "tests-passed");
    assert_eq!(receipt("completed", 1), seam("exit-code-mismatch"));
    assert_eq!(receipt("results-xml-truncated", -1), seam("results-truncated"));
    report("b", "Failure");
    assert_eq!(
        receipt("completed", 0),
        ("test-failures".into(), "none".into(), "tests-failed".into(), 1)
    );
    fs::write(
        folder.path().join("pester-run-receipt.json"),
        "{\"schema\": \"pester-execution-receipt@v1\"}",
    )
    .unwrap();
    assert_eq!(replay(folder.path(), &[]).json()["classification"], "context-blocked");
}

/// What tests leave behind is theirs: a receipt, a whole run of another gate, or one of the
/// predecessor.
#[test]
fn what_tests_left_among_the_raw_results_is_no_receipt_of_the_run() {
    let nested = Sandbox::green();
    let inner = nested.run(&["--gate-id", "inner"], &[]);
    assert_eq!(inner.ran.code, 0);
    let theirs = concat!(
        r#"{"schema":"pester-execution-receipt@v1","contextStatus":"ready","#,
        r#""readinessStatus":"ready","selectionStatus":"ready","#,
        r#""dispatcherExitCode":0,"status":"completed"}"#,
    );
    for red in [true, false] {
        let sandbox = Sandbox::green();
        sandbox.script("tests/c.sh", if red { "exit 1" } else { "exit 0" });
        copy(&inner.folder, &sandbox.root.join("left/inner"));
        sandbox.file("left/old/pester-run-receipt.json", theirs);
        sandbox.file(
            "left/old/pester/x/pester-results.xml",
            "<test-results><test-suite><results>\
             <test-case name=\"t\" executed=\"True\" result=\"Success\"/>\
             </results></test-suite></test-results>",
        );
        sandbox.file("left/pester-route.json", "garbage");
        sandbox.file("left/pester-context.json", "garbage");
        sandbox.config("profiles: {default: {artifacts: [\"left/**\"]}}\n");
        sandbox.commit();
        let seen = sandbox.run(&[], &[]);
        let owed = if red { ("tests-failed", 1) } else { ("tests-passed", 0) };
        assert_eq!((seen.verdict().2, seen.ran.code), owed, "{:?}", seen.codes());
        let again = seen.replayed.as_ref().unwrap();
        assert_eq!((again.json()["reason"].as_str().unwrap(), again.code), owed, "{again:?}");
        // A predecessor's receipt that somebody lays beside ours makes ours none of the
        // predecessor's.
        fs::write(seen.folder.join("pester-run-receipt.json"), theirs).unwrap();
        assert_ne!(replay(&seen.folder, &[]).code, 0);
    }
}

#[test]
fn evidence_that_was_edited_to_be_green_is_told() {
    let (_sandbox, seen) = red();
    let provenance = seen.folder.join("pester-evidence-provenance.json");
    let before = fs::read(&provenance).unwrap();
    let reasons = json!([{"code": "tests-passed", "layer": "execute", "detail": "x"}]);
    for edits in [
        vec![("/status", json!("completed")), ("/reasons", reasons)],
        vec![("/told/continueOnFailure", json!(false))],
        vec![("/told/jobs", json!([])), ("/status", json!("completed"))],
        vec![
            ("/told", json!({"jobs": [], "digests": [], "continueOnFailure": true, "found": []})),
            ("/sourceInputs", json!([])),
        ],
    ] {
        fs::write(&provenance, &before).unwrap();
        edits.iter().for_each(|(pointer, value)| edit(&provenance, pointer, value));
        let ran = replay(&seen.folder, &[]);
        let told = ran.json();
        assert_ne!(told["classification"], "completed", "{edits:?}: {told}");
        let codes = told["reasons"].to_string();
        assert!(
            codes.contains("receipt-corrupt") || codes.contains("tests-failed"),
            "{edits:?}: {told}"
        );
        if edits[0].0 != "/told" {
            assert!(codes.contains("receipt-corrupt"), "{edits:?}: {codes}");
        }
    }
    // The outcome that it is held against must be there.
    fs::write(&provenance, &before).unwrap();
    fs::remove_file(seen.folder.join("pester-operator-outcome.json")).unwrap();
    let told = replay(&seen.folder, &[]).json();
    assert!(told["reasons"].to_string().contains("receipt-missing"), "{told}");
}

#[test]
fn red_evidence_whose_cause_is_not_here_does_not_turn_green() {
    // What made it red was a secret that only that job knew.
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "echo 'signed in as hunter2-hunter2'; exit 0");
    sandbox.commit();
    let green = sandbox.run(&[], &[]);
    assert_eq!(green.ran.code, 0, "{:?}", green.ran);
    let folder = green.folder.to_str().unwrap();
    let arguments = ["post", "--format", "json", "--receipts-dir", folder, "--out", folder];
    let ran = sandbox.gate_in(&arguments, &[("DB_PASSWORD", "hunter2-hunter2")]);
    assert_eq!(ran.json()["reason"], "secret-in-output", "{ran:?}");
    let again = replay(&green.folder, &[]);
    assert_ne!(again.code, 0, "{again:?}");
    assert_eq!(again.json()["reason"], "receipt-corrupt", "{again:?}");
}

#[test]
fn evidence_of_several_gates_and_artifacts_laid_in_one_folder_are_told_apart() {
    let all = tempfile::tempdir().unwrap();
    for gate in ["ga", "gb"] {
        let sandbox = Sandbox::green();
        if gate == "gb" {
            sandbox.script("tests/c.sh", "exit 1");
            sandbox.commit();
        }
        let seen = sandbox.run(&["--gate-id", gate], &[]);
        copy(&seen.folder, &all.path().join(gate));
    }
    let both = replay(all.path(), &[]);
    assert!(both.code == 2 && both.stdout.contains("--gate-id"), "{both:?}");
    assert_eq!(replay(all.path(), &["--gate-id", "ga"]).json()["reason"], "tests-passed");
    assert_eq!(replay(all.path(), &["--gate-id", "gb"]).json()["reason"], "tests-failed");
    // Everything of one run in one folder, raw results among it, that folder below another.
    let merged = tempfile::tempdir().unwrap();
    copy(&all.path().join("gb"), &merged.path().join("m"));
    copy(&all.path().join("gb/raw"), &merged.path().join("m"));
    fs::remove_dir_all(merged.path().join("m/raw")).unwrap();
    let ran = replay(merged.path(), &["--gate-id", "gb"]);
    assert_eq!(ran.json()["reason"], "tests-failed", "{ran:?}");
}

#[test]
fn the_journal_of_a_run_that_left_no_receipt_is_held_against_what_post_read() {
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox)
        .after("execute", |_, folder| {
            fs::remove_file(folder.join("pester-run-receipt.json")).unwrap()
        })
        .without_digests()
        .run();
    assert_eq!(seen.verdict().2, "execution-receipt-missing");
    assert!(!seen.replayed.as_ref().unwrap().stdout.contains("raw-artifact"));
    let journal = seen.folder.join("raw/dispatcher-events.ndjson");
    for (harm, owed) in [(true, "raw-artifact-altered"), (false, "raw-artifact-missing")] {
        if harm {
            fs::write(&journal, "").unwrap();
        } else {
            fs::remove_file(&journal).unwrap();
        }
        let told = replay(&seen.folder, &[]).json();
        assert!(told["reasons"].to_string().contains(owed), "{told}");
    }
}
