//! What post writes beside its verdict: failures with their digests, totals, the page, annotations.

use std::fs;

use serde_json::json;

use crate::harness::{Chain, Ran, Sandbox, Seen, read_json};

/// A run of three scripts, two of which fail alike.
fn red(more: &str, environment: &[(&str, &str)]) -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    for name in ["c", "d"] {
        sandbox.script(
            &format!("tests/{name}.sh"),
            "echo \"tests/sums.py:7: Expected 4, but got 5.\"; echo '<b>end</b>'; exit 1",
        );
    }
    sandbox.file("tests/sums.py", &"\n".repeat(8));
    sandbox.config(more);
    sandbox.commit();
    let seen = sandbox.run(&[], environment);
    (sandbox, seen)
}

#[test]
fn every_failure_is_digested_and_can_be_repeated() {
    let (sandbox, seen) = red("", &[]);
    let told = read_json(&seen.folder.join("pester-failures.json"));
    assert_eq!(
        (&told["schema"], &told["detailStatus"]),
        (&json!("pester-failures@v2"), &json!("available"))
    );
    assert_eq!(told["summary"], json!({"total": 4, "failed": 2, "errors": 0, "skipped": 0}));
    let [one, other] = told["results"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(one["signature"], other["signature"], "they fail alike");
    assert_eq!((&one["path"], &one["class"]), (&json!("tests/c.sh"), &json!("assertion")), "{one}");
    assert_eq!(one["at"], json!({"file": "tests/sums.py", "line": 7}));
    assert!(one["output"].as_array().unwrap().contains(&json!("<b>end</b>")), "{one}");
    // The command repeats it: the one file, red for the same reason.
    let command = one["replay"]["file"].as_str().unwrap();
    let program = sandbox.command(&["packs"], &[]).get_program().to_str().unwrap().to_owned();
    let line = command.replacen("pester-gate", &format!("'{program}'"), 1);
    let state = sandbox.state.with_file_name("again");
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &format!("{line} --format json")])
        .env("PESTER_GATE_STATE_DIR", &state)
        .current_dir(&sandbox.root);
    let again = shell
        .env("PESTER_GATE_LOCK_DIRECTORY", sandbox.state.with_file_name("locks"))
        .output()
        .unwrap();
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(
        (&again["reason"], &again["counts"]["total"]),
        (&json!("tests-failed"), &json!(1)),
        "{again}"
    );

    let totals = read_json(&seen.folder.join("pester-totals.json"));
    assert_eq!((&totals["status"], &totals["failed"]), (&json!("fail"), &json!(2)));
    let summary = read_json(&seen.folder.join("pester-summary.json"));
    assert_eq!((&summary["schemaVersion"], &summary["passed"]), (&json!("1.7.1"), &json!(2)));
    let provenance = read_json(&seen.folder.join("pester-evidence-provenance.json"));
    let outputs = provenance["derivedOutputs"].as_array().unwrap();
    for file in [
        "pester-failures.json",
        "pester-totals.json",
        "pester-summary.json",
        "report.html",
        "summary.md",
    ] {
        let output = outputs
            .iter()
            .find(|output| output["path"] == file)
            .unwrap_or_else(|| panic!("{file} is not told of"));
        assert_eq!(output["sha256"], crate::harness::sha256(&seen.folder.join(file)), "{file}");
    }
}

#[test]
fn the_summary_alone_names_test_place_message_output_and_command() {
    let (_sandbox, seen) = red("", &[]);
    let summary = fs::read_to_string(seen.folder.join("summary.md")).unwrap();
    for part in [
        "test-failures",
        "**assertion** `tests/c.sh` at `tests/sums.py:7`",
        "Expected 4, but got 5.",
        "<b>end</b>",
        "--file tests/c.sh`",
        "1 more with the same cause: `tests/d.sh`",
    ] {
        assert!(summary.contains(part), "{part:?} is not in\n{summary}");
    }
}

#[test]
fn a_run_without_tests_says_so_in_every_file() {
    let sandbox = Sandbox::green();
    sandbox.config("context: {required-paths: [nowhere]}\n");
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(read_json(&seen.folder.join("pester-totals.json"))["status"], "missing-summary");
    assert_eq!(
        read_json(&seen.folder.join("pester-failures.json"))["detailStatus"],
        "not-applicable"
    );
    assert!(!seen.folder.join("pester-summary.json").exists());
    let page = fs::read_to_string(seen.folder.join("report.html")).unwrap();
    assert!(page.contains("required-path-missing") && page.contains("failed layer"), "{page}");
}

#[test]
fn the_page_holds_nothing_from_outside_as_markup_and_can_be_left_out() {
    let (_sandbox, seen) = red("", &[]);
    let page = fs::read_to_string(seen.folder.join("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;end&lt;/b&gt;") && !page.contains("<b>end"), "{page}");
    for asset in ["src=", "href=", "url(", "@import", "http://", "https://"] {
        assert!(!page.contains(asset), "the page loads by {asset}");
    }
    let (_other, without) = red("report: {html: false}\n", &[]);
    assert!(!without.folder.join("report.html").exists());
}

#[test]
fn failures_stand_beside_the_code_under_actions_and_nowhere_else() {
    let actions =
        [("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "1"), ("GITHUB_REPOSITORY", "octo/widgets")];
    let commands = |seen: &Seen| -> Vec<String> {
        seen.ran.stderr.lines().filter(|line| line.starts_with("::")).map(str::to_owned).collect()
    };
    let (_sandbox, seen) = red("", &actions);
    let told = commands(&seen);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("::error file=tests/sums.py,line=7,title=tests/c.sh::exit code 1%0A"),
        "{told:?}"
    );
    assert!(told[0].ends_with("1 more with the same cause"), "{told:?}");
    assert!(commands(&red("report: {annotations: false}\n", &actions).1).is_empty());
    assert!(commands(&red("", &[]).1).is_empty());
}

#[test]
fn what_a_run_copied_as_an_artifact_is_none_of_its_failures() {
    let sandbox = Sandbox::green();
    sandbox.file(
        "logs/old.junit.xml",
        "<testsuites><testcase name='old'><failure message='forged'/></testcase></testsuites>",
    );
    sandbox.config("profiles: {default: {artifacts: [\"logs/**\"]}}\n");
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    assert_eq!((seen.ran.code, seen.text("reason")), (0, "tests-passed"));
    let told = read_json(&seen.folder.join("pester-failures.json"));
    assert_eq!(
        (&told["detailStatus"], &told["detailCount"]),
        (&json!("not-applicable"), &json!(0)),
        "{told}"
    );
    assert!(!fs::read_to_string(seen.folder.join("summary.md")).unwrap().contains("forged"));
}

#[test]
fn scripts_that_end_differently_are_two_groups_and_a_limit_is_a_timeout() {
    let sandbox = Sandbox::green();
    let begin = "echo '== setup =='; echo ready; echo running;";
    sandbox.script("tests/c.sh", &format!("{begin} echo 'curl: (7) Connection refused'; exit 1"));
    sandbox.script("tests/d.sh", &format!("{begin} echo 'Expected 4, but got 5.'; exit 1"));
    sandbox.script("tests/e.sh", "sleep 60");
    sandbox.commit();
    let seen = sandbox.run(&["--file-timeout", "700ms", "--kill-grace", "100ms"], &[]);
    let told = read_json(&seen.folder.join("pester-failures.json"));
    let classes: Vec<&str> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["class"].as_str().unwrap())
        .collect();
    assert_eq!(classes, ["network", "assertion", "timeout"], "{told}");
    assert_eq!(read_json(&seen.folder.join("pester-summary.json"))["timedOut"], true);
    let summary = fs::read_to_string(seen.folder.join("summary.md")).unwrap();
    assert!(
        summary.contains("Connection refused") && summary.contains("Expected 4, but got 5."),
        "{summary}"
    );
}

#[test]
fn a_report_that_is_cut_off_is_no_good_total() {
    let sandbox = Sandbox::green();
    sandbox
        .script("run.sh", "mkdir -p out; printf '<testsuites><testcase name=\"t\"/>' > out/r.xml");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./run.sh], results: [\"out/*.xml\"]}\n",
        "",
    );
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.text("reason"), "results-truncated");
    assert_eq!(read_json(&seen.folder.join("pester-totals.json"))["status"], "fail");
    // Without a file of its own a failure names none to run again.
    assert!(!seen.text("replay").contains("--file"), "{}", seen.text("replay"));
}

/// Each of the six classifications, by a run that comes to it.
fn of_each_classification() -> Vec<(&'static str, Sandbox)> {
    let with = |config: &str| {
        let sandbox = Sandbox::green();
        sandbox.config(config);
        sandbox.commit();
        sandbox
    };
    let red = Sandbox::green();
    red.script("tests/c.sh", "exit 1");
    red.commit();
    vec![
        ("completed", with("")),
        ("test-failures", red),
        ("context-blocked", with("context: {required-paths: [nowhere]}\n")),
        (
            "readiness-blocked",
            with(
                "packs: [{name: smoke, requires: [{tool: no-such-tool}]}]\n\
                 defaults: {pack: smoke}\n",
            ),
        ),
        ("selection-blocked", with("defaults: {pack: nowhere}\n")),
        ("seam-defect", with("profiles: {default: {before: [[\"false\"]]}}\n")),
    ]
}

#[test]
fn the_exit_code_is_the_gates_status_in_every_classification_and_every_verb() {
    let codes = [
        ("completed", 0),
        ("test-failures", 1),
        ("context-blocked", 3),
        ("readiness-blocked", 4),
        ("selection-blocked", 5),
        ("seam-defect", 6),
    ];
    let mut seen_classes = std::collections::BTreeSet::new();
    for (class, sandbox) in of_each_classification() {
        let owed = codes.iter().find(|(name, _)| *name == class).unwrap().1;
        let check = |what: &str, told: &serde_json::Value, code: i32, continues: bool| {
            let gate = match (class, continues) {
                ("completed", _) => "pass",
                (_, true) => "notice",
                (_, false) => "fail",
            };
            let code_owed = if gate == "fail" { owed } else { 0 };
            assert_eq!(
                (told["classification"].as_str(), told["gateStatus"].as_str()),
                (Some(class), Some(gate)),
                "{what}"
            );
            assert_eq!(code, code_owed, "{what} of {class}: {told}");
        };
        for continues in [false, true] {
            let arguments: &[&str] = if continues { &["--continue-on-failure"] } else { &[] };
            let _ = fs::remove_dir_all(&sandbox.out);
            let seen = sandbox.run(arguments, &[]);
            check("run", &seen.outcome, seen.ran.code, continues);
            let again = seen.replayed.as_ref().unwrap();
            check("replay", &again.json(), again.code, continues);
            // And by hand on the same receipts, with the other word.
            let folder = seen.folder.to_str().unwrap();
            let out = sandbox.state.with_file_name("by-hand");
            let mut all = vec![
                "post",
                "--format",
                "json",
                "--receipts-dir",
                folder,
                "--out",
                out.to_str().unwrap(),
            ];
            if !continues {
                all.push("--continue-on-failure");
            }
            let ran = sandbox.gate(&all);
            check("post", &ran.json(), ran.code, !continues);
        }
        seen_classes.insert(class);
    }
    assert_eq!(seen_classes.len(), 6);
}

#[test]
fn where_execute_died_post_writes_its_receipt_and_nothing_takes_it_for_executes_own() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "sleep 60");
    sandbox.commit();
    let seen = crate::harness::Chain::new(&sandbox)
        .after("execute", |_, folder| {
            fs::remove_file(folder.join("pester-run-receipt.json")).unwrap();
        })
        .args("execute", &["--run-timeout", "800ms", "--kill-grace", "100ms"])
        .job("execute", "cancelled", "")
        .without_digests()
        .run();
    assert_eq!(
        seen.verdict(),
        ("seam-defect", "execute", "layer-cancelled", 6),
        "{:?}",
        seen.codes()
    );
    let receipt = read_json(&seen.folder.join("pester-run-receipt.json"));
    assert_eq!(
        (&receipt["source"], &receipt["status"]),
        (&json!("post/finalize"), &json!("seam-defect"))
    );
    assert_eq!(
        (&receipt["reason"], &receipt["dispatcherExitCode"]),
        (&json!("layer-cancelled"), &json!(-1))
    );
    assert_eq!(receipt["accounting"].as_array().unwrap().len(), 3, "{receipt}");
    assert_eq!(receipt["telemetryPresent"], true);
    // Post again, and replay, in the folder where it lies now: the same verdict, not a run that is
    // there.
    let folder = seen.folder.to_str().unwrap();
    let out = sandbox.state.with_file_name("again");
    let ran = sandbox.gate(&[
        "post",
        "--format",
        "json",
        "--receipts-dir",
        folder,
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(ran.json()["reason"], "execution-receipt-missing", "{ran:?}");
    assert_eq!(seen.replayed.as_ref().unwrap().json()["reason"], "layer-cancelled");
    let told = read_json(&seen.folder.join("pester-failures.json"));
    assert_eq!(
        (&told["layers"][0]["reason"], &told["layers"][0]["layer"]),
        (&json!("layer-cancelled"), &json!("execute")),
        "{told}"
    );
    assert!(
        told["layers"][0]["replay"]["layer"].as_str().unwrap().starts_with("pester-gate "),
        "{told}"
    );
}

#[test]
fn rules_of_the_repository_say_what_class_a_failure_is_of() {
    let rule = "report: {classes: [{class: environment, message: \"Expected 4\", \
                remedy: ask the bench for a seat}]}\n";
    let (_sandbox, seen) = red(rule, &[]);
    let one = &read_json(&seen.folder.join("pester-failures.json"))["results"][0];
    assert_eq!(
        (&one["class"], &one["remedy"]),
        (&json!("environment"), &json!("ask the bench for a seat"))
    );
    // The replay, which has no configuration, has them from the evidence.
    let again = tempfile::tempdir().unwrap();
    crate::harness::replay(&seen.folder, &["--out", again.path().to_str().unwrap()]);
    assert_eq!(
        read_json(&again.path().join("pester-failures.json"))["results"][0]["class"],
        "environment"
    );
    for (rule, owed) in [
        ("{class: network, message: \"(\"}", "report.classes"),
        ("{class: none, message: x}", "class"),
        ("{class: network, message: \"x*\"}", "every message"),
    ] {
        let sandbox = Sandbox::green();
        sandbox.config(&format!("report: {{classes: [{rule}]}}\n"));
        let ran = sandbox.gate(&["run"]);
        assert!(ran.code == 2 && ran.stderr.contains(owed), "{ran:?}");
    }
}

#[test]
fn commands_hold_where_their_reader_is() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 1");
    sandbox.commit();
    // On GitHub the machine is gone: the reader has a checkout of their own, and the run's
    // artifacts.
    let workspace = sandbox.root.parent().unwrap().to_owned();
    let actions = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_REPOSITORY", "octo/widgets"),
        ("GITHUB_WORKSPACE", workspace.to_str().unwrap()),
    ];
    let red = sandbox.run(&[], &actions);
    let root = sandbox.root.file_name().unwrap().to_str().unwrap();
    assert_eq!(red.text("replay"), format!("pester-gate run --root {root} --file tests/c.sh"));
    assert_eq!(
        red.failures["results"][0]["replay"]["run"],
        format!("pester-gate run --root {root}")
    );
    let mut command = sandbox.command(&["run", "--root", root, "--file", "tests/c.sh"], &[]);
    assert_eq!(Ran::of(&command.current_dir(&workspace).output().unwrap()).code, 1);
    fs::remove_dir_all(&sandbox.out).unwrap();

    let mut chain = Chain::new(&sandbox).edit("context", "/repository", json!("octo/other"));
    for (name, value) in actions {
        chain = chain.env("*", name, value);
    }
    let download = "gh run download 1 --repo octo/widgets --pattern 'pester-*' --dir evidence; \
                    pester-gate replay evidence";
    assert_eq!(chain.run().text("replay"), download);
    fs::remove_dir_all(&sandbox.out).unwrap();

    // What was typed must be typed again: no configuration knows it.
    let typed = sandbox.run(&["--", "sh", "-c", "exit 3"], &[]);
    let command = typed.text("replay");
    assert!(
        command.starts_with("pester-gate run ") && command.ends_with(" -- sh -c 'exit 3'"),
        "{command}"
    );
}
