//! `run --rerun-from`: exactly what failed, in another folder; and shards cut by what an earlier
//! run took.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Sandbox, Seen, edit, read_json};

const BUNDLE: &str = "pester-replay-bundle.json";

/// The files that a run took up.
fn files(seen: &Seen) -> Vec<String> {
    let files = seen.receipt("selection")["selection"]["files"].as_array().unwrap().clone();
    files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
}

/// The same checkout in another folder.
fn elsewhere(sandbox: &Sandbox) -> Sandbox {
    let other = Sandbox::named("elsewhere x");
    let source = sandbox.root.to_str().unwrap();
    fs::remove_dir(&other.root).unwrap();
    let base = other.root.parent().unwrap();
    crate::harness::git(base, &["clone", "-q", source, other.root.to_str().unwrap()]);
    other.git(&["remote", "set-url", "origin", "https://github.com/octo/widgets.git"]);
    other
}

/// A checkout with four tests; `c` and `d` fail.
fn red() -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 1").script("tests/d.sh", "exit 1");
    sandbox.commit();
    let seen = sandbox.run(&[], &[("LICENCE", "x")]);
    assert_eq!(seen.verdict().2, "tests-failed");
    (sandbox, seen)
}

fn rerun(sandbox: &Sandbox, bundle: &Path, arguments: &[&str]) -> Seen {
    let _ = fs::remove_dir_all(&sandbox.out);
    let mut all = vec!["--rerun-from", bundle.to_str().unwrap()];
    all.extend(arguments);
    sandbox.run(&all, &[])
}

#[test]
fn a_rerun_in_another_folder_takes_up_exactly_what_failed() {
    let (sandbox, seen) = red();
    let bundle = read_json(&seen.folder.join(BUNDLE));
    assert_eq!(bundle["scope"], "files");
    assert_eq!(bundle["failed"]["files"], json!(["tests/c.sh", "tests/d.sh"]));
    assert_eq!(bundle["headSha"], sandbox.git(&["rev-parse", "HEAD"]), "the whole commit");
    assert_eq!((&bundle["dirty"], &bundle["plan"].as_array().unwrap().len()), (&json!(false), &4));
    let environment: Vec<&str> =
        bundle["environment"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(environment.contains(&"LICENCE") && environment.contains(&"PATH"), "{environment:?}");
    let text = fs::read_to_string(seen.folder.join(BUNDLE)).unwrap();
    assert!(
        !text.contains(sandbox.root.to_str().unwrap()),
        "a path of this machine in a bundle that goes elsewhere"
    );

    // Downloaded beside another clone, without anything of the first.
    let other = elsewhere(&sandbox);
    let kept = other.state.with_file_name(BUNDLE);
    fs::copy(seen.folder.join(BUNDLE), &kept).unwrap();
    drop((sandbox, seen));
    let again = rerun(&other, &kept, &[]);
    assert_eq!(again.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", again.ran);
    assert_eq!(files(&again), ["tests/c.sh", "tests/d.sh"]);
    assert!(!again.codes().contains(&"rerun-differs".to_owned()), "{:?}", again.codes());
    let of = &again.receipt("selection")["rerunOf"];
    assert_eq!(
        (&of["runId"], &of["sha256"]),
        (&bundle["runId"], &json!(crate::harness::sha256(&kept)))
    );

    // One is mended, and a bundle of the rerun names the other: a bundle of a bundle chains.
    other.script("tests/c.sh", "exit 0");
    other.commit();
    let half = rerun(&other, &kept, &[]);
    assert_eq!((half.verdict().2, files(&half).len()), ("tests-failed", 2));
    assert!(
        half.codes().contains(&"rerun-differs".to_owned()),
        "another commit is told: {:?}",
        half.codes()
    );
    let next = other.state.with_file_name("next.json");
    fs::copy(half.folder.join(BUNDLE), &next).unwrap();
    assert_eq!(read_json(&next)["rerunOf"]["runId"], bundle["runId"]);
    assert_eq!(
        read_json(&next)["rerunOf"]["path"],
        Value::Null,
        "a path of this machine in a bundle"
    );
    other.script("tests/d.sh", "exit 0");
    other.commit();
    let last = rerun(&other, &next, &[]);
    assert_eq!(
        (last.verdict(), files(&last)),
        (("completed", "none", "tests-passed", 0), vec!["tests/d.sh".to_owned()])
    );
    // Nothing failed: there is nothing to run, and that is not green.
    let done = other.state.with_file_name("done.json");
    fs::copy(last.folder.join(BUNDLE), &done).unwrap();
    let nothing = rerun(&other, &done, &[]);
    assert_eq!(
        nothing.verdict(),
        ("selection-blocked", "selection", "selection-empty", 5),
        "{:?}",
        nothing.ran
    );
    // What repeats a rerun is a rerun.
    let command = nothing.text("replay");
    assert!(
        command.starts_with("pester-gate run ") && command.contains(" --rerun-from "),
        "{command}"
    );
    assert!(command.ends_with("done.json'"), "{command}");
}

#[test]
fn what_failed_outside_the_tests_is_repeated_whole() {
    // No test failed: the host did, and the whole plan waits.
    let sandbox = Sandbox::green();
    sandbox
        .config("packs: [{name: smoke, include: [\"a.sh\"], requires: [{tool: no-such-tool}]}]\n");
    sandbox.commit();
    let seen = sandbox.run(&["--pack", "smoke"], &[]);
    assert_eq!(seen.verdict().2, "tool-missing");
    let bundle = seen.folder.join(BUNDLE);
    let told = read_json(&bundle);
    assert_eq!(
        (&told["scope"], &told["failed"]["layer"], &told["pack"]),
        (&json!("plan"), &json!("preflight"), &json!("smoke"))
    );
    let kept = sandbox.state.with_file_name(BUNDLE);
    fs::copy(&bundle, &kept).unwrap();
    let again = rerun(&sandbox, &kept, &[]);
    assert_eq!((again.verdict().2, files(&again)), ("tool-missing", vec!["tests/a.sh".to_owned()]));

    // A run that its limit ended: what was not reached counts as failed, what passed does not.
    let slow = Sandbox::green();
    slow.script("tests/c.sh", "sleep 60").script("tests/d.sh", "exit 0");
    slow.commit();
    let seen = slow.run(&["--run-timeout", "1500ms", "--kill-grace", "100ms"], &[]);
    assert_eq!(seen.verdict().2, "dispatcher-timed-out");
    let told = read_json(&seen.folder.join(BUNDLE));
    let failed: Vec<&str> =
        told["failed"]["files"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        (&told["scope"], failed),
        (&json!("files"), vec!["tests/c.sh", "tests/d.sh"]),
        "{told}"
    );

    // A report that names no file: the plan.
    let command = Sandbox::green();
    command.script(
        "runner.sh",
        "mkdir -p out; \
         echo '<testsuites><testcase name=\"t\"><failure/></testcase></testsuites>' > out/r.xml; \
         exit 1",
    );
    command.file(".gitignore", "out/\n");
    command.config_with(
        "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
        "",
    );
    command.commit();
    let seen = command.run(&[], &[]);
    let told = read_json(&seen.folder.join(BUNDLE));
    assert_eq!(
        (&told["scope"], &told["failed"]["tests"][0]["name"]),
        (&json!("plan"), &json!("t")),
        "{told}"
    );
}

#[test]
fn a_bundle_makes_nothing_run_that_the_checkout_takes_for_no_test() {
    let (sandbox, seen) = red();
    sandbox.script("deploy.sh", "touch deployed");
    sandbox.commit();
    let kept = sandbox.state.with_file_name(BUNDLE);
    fs::copy(seen.folder.join(BUNDLE), &kept).unwrap();
    edit(&kept, "/failed/files", &json!(["deploy.sh"]));
    let again = rerun(&sandbox, &kept, &[]);
    assert_eq!(
        again.verdict(),
        ("selection-blocked", "selection", "test-file-missing", 5),
        "{:?}",
        again.ran
    );
    assert!(!sandbox.root.join("deployed").exists());
    for (field, value, owed) in [
        ("/failed/files", json!(["../out.sh"]), "out.sh"),
        ("/failed/files", json!(["/etc/passwd"]), "passwd"),
        ("/schema", json!("other@v1"), "no bundle of schema"),
        ("/dispatcher", json!({"kind": "command", "typed": true}), "type the command again"),
    ] {
        fs::copy(seen.folder.join(BUNDLE), &kept).unwrap_or_default();
        let bundle = sandbox.state.with_file_name("broken.json");
        fs::write(
            &bundle,
            serde_json::to_vec(&{
                let mut told: Value = read_json(&kept);
                *told.pointer_mut(field).unwrap() = value;
                told
            })
            .unwrap(),
        )
        .unwrap();
        let ran =
            sandbox.gate(&["run", "--format", "json", "--rerun-from", bundle.to_str().unwrap()]);
        assert!(ran.code == 2 && ran.stdout.contains(owed), "{field}: {ran:?}");
    }
    for (bytes, owed) in [(&b"{"[..], "broken.json"), (b"", "broken.json")] {
        let bundle = sandbox.state.with_file_name("broken.json");
        fs::write(&bundle, bytes).unwrap();
        let ran =
            sandbox.gate(&["run", "--format", "json", "--rerun-from", bundle.to_str().unwrap()]);
        assert!(ran.code == 2 && ran.stdout.contains(owed), "{ran:?}");
    }
    let both =
        sandbox.gate(&["run", "--rerun-from", kept.to_str().unwrap(), "--file", "tests/a.sh"]);
    assert!(both.code == 2 && both.stderr.contains("--rerun-from"), "{both:?}");
}

#[test]
fn shards_are_cut_by_what_their_files_took() {
    let sandbox = Sandbox::green();
    for name in ["c", "d", "e"] {
        sandbox.script(&format!("tests/{name}.sh"), "exit 0");
    }
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    let list = seen.folder.join("pester-tests.json");
    let mut told = read_json(&list);
    for test in told["tests"].as_array_mut().unwrap() {
        let long = test["name"] == "tests/b.sh";
        test["durationMs"] = json!(if long { 9000.0 } else { 1000.0 });
    }
    let kept = sandbox.state.with_file_name("pester-tests.json");
    fs::write(&kept, told.to_string()).unwrap();
    let shards = |arguments: &[&str]| {
        let _ = fs::remove_dir_all(&sandbox.out);
        let mut all = vec![
            "selection",
            "--format",
            "json",
            "--out",
            sandbox.out.to_str().unwrap(),
            "--shards",
            "2",
        ];
        all.extend(arguments);
        let ran = sandbox.gate(&all);
        assert_eq!(ran.code, 0, "{ran:?}");
        let shards = ran.json()["shards"].as_array().unwrap().clone();
        shards.iter().map(|shard| shard["files"].as_array().unwrap().len()).collect::<Vec<_>>()
    };
    assert_eq!(shards(&[]), [3, 2]);
    assert_eq!(shards(&["--durations", kept.to_str().unwrap()]), [1, 4], "the long one alone");
    let ran = sandbox.gate(&["selection", "--format", "json", "--durations", "/nowhere/x.json"]);
    assert!(ran.code == 2 && ran.json()["error"]["where"] == "--durations", "{ran:?}");
}

#[test]
fn what_was_chosen_by_hand_is_repeated_too() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 1");
    sandbox.config("packs: [{name: smoke, include: [\"a.sh\"]}]\n");
    sandbox.commit();
    for arguments in [&["--pack", "smoke", "--include", "c.sh"][..], &["--file", "tests/c.sh"]] {
        let _ = fs::remove_dir_all(&sandbox.out);
        let seen = sandbox.run(arguments, &[]);
        assert_eq!(seen.verdict().2, "tests-failed", "{:?}", seen.ran);
        let kept = sandbox.state.with_file_name(BUNDLE);
        fs::copy(seen.folder.join(BUNDLE), &kept).unwrap();
        let again = rerun(&sandbox, &kept, &[]);
        assert_eq!(
            (again.verdict().2, files(&again)),
            ("tests-failed", vec!["tests/c.sh".to_owned()]),
            "{arguments:?}"
        );
    }
}
