//! What is typed and what is written in the configuration: every input gets an answer.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Sandbox;

/// Exit code 2, one JSON value on stdout that names the place, and nothing but that.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], environment: &[(&str, &str)], parts: &[&str]) {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    let ran = sandbox.gate_in(&all, environment);
    assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
    let error = ran.json()["error"].clone();
    let text =
        format!("{} {}", error["message"].as_str().unwrap(), error["where"].as_str().unwrap());
    for part in parts {
        assert!(text.contains(part), "{arguments:?}: {part:?} in {text:?}");
    }
    assert!(error["code"].is_string());
    // The same without JSON: stdout stays empty, the error goes to stderr.
    let plain = sandbox.gate_in(arguments, environment);
    assert_eq!((plain.code, plain.stdout.as_str()), (2, ""), "{plain:?}");
    assert!(!plain.stderr.contains("panicked"), "{}", plain.stderr);
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let sandbox = Sandbox::green();
    for (arguments, parts) in [
        (&["run", "--pakc", "x"][..], &["--pakc"][..]),
        (&["rnu"], &["rnu"]),
        (&["run", "--shards", "0"], &["--shards", "at least 1"]),
        (&["run", "--shards", "17"], &["--shards", "at most 16"]),
        (&["run", "--shards", "two"], &["--shards"]),
        (&["run", "--run-timeout", "soon"], &["--run-timeout", "90s"]),
        (&["run", "--pack", ""], &["--pack", "empty"]),
        (&["run", "--pack", "a", "--pack", "b"], &["--pack"]),
        (&["run", "--repository", "no-slash"], &["--repository", "owner/name"]),
        (&["run", "--root", "nowhere"], &["--root", "not a folder"]),
        (&["run", "--config", "nowhere.yml"], &["nowhere.yml"]),
        (
            &["run", "--standing-priority", "sometimes"],
            &["--standing-priority", "sometimes", "advisory"],
        ),
        (&["execute", "--shard", "3/2"], &["--shard", "K/N"]),
        (&["execute", "--context-sha256", "abc"], &["--context-sha256", "64 hex"]),
        (&["post"], &["--receipts-dir"]),
        (
            &["post", "--receipts-dir", ".", "--needs", "{\"context\": {\"result\": \"fine\"}}"],
            &["--needs", "fine"],
        ),
        (&["post", "--receipts-dir", ".", "--needs", "{"], &["--needs"]),
        (&["verify", "nowhere"], &["nowhere"]),
        (&["explain", "tests-faild"], &["tests-faild", "did you mean tests-failed?"]),
        (&["schema", "no-such@v1"], &["no-such@v1"]),
        (&["results", "nowhere.xml"], &["nowhere.xml"]),
        (&["init", "--layout", "two"], &["--layout", "neither one-step nor five-jobs"]),
        (&["init", "--layout", "one-step", "--trusted-pr"], &["--layout", "--trusted-pr"]),
        (&["init", "--standing-priority", "often"], &["--standing-priority", "often"]),
        (&["init", "--gate-repository", "x"], &["--gate-repository", "owner/name"]),
        (&["init", "--gate-ref", "v1\n- run: x"], &["--gate-ref", "no tag"]),
    ] {
        refused(&sandbox, arguments, &[], parts);
    }
    let ran = sandbox.gate(&["packs", "--format", "xml"]);
    assert_eq!((ran.code, ran.stderr.contains("neither text nor json")), (2, true), "{ran:?}");
}

#[test]
fn mistakes_in_the_environment_are_named() {
    let sandbox = Sandbox::green();
    for (name, value) in [
        ("PESTER_GATE_SHARDS", "many"),
        ("PESTER_GATE_QUIET", "perhaps"),
        ("PESTER_GATE_KILL_GRACE", "5"),
        ("PESTER_GATE_PACK", "a\nb"),
    ] {
        refused(&sandbox, &["run"], &[(name, value)], &[name]);
    }
    // Empty is unset, and the bootstrap's own are none of ours.
    let ran = sandbox.gate_in(
        &["packs"],
        &[("PESTER_GATE_SHARDS", ""), ("PESTER_GATE_BIN", "x"), ("PESTER_GATE_VERSION", "y")],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn mistakes_in_the_configuration_name_key_file_and_line() {
    let sandbox = Sandbox::green();
    for (text, parts) in [
        ("leaks: report\nlimits:\n  rnu: 1m\n", &["pester-gate.yml:3", "rnu"][..]),
        ("limits: {run: soon}\n", &["pester-gate.yml:1", "soon"]),
        (
            "packs:\n  - {name: a, requires: [{tool: x, vresion: 1}]}\n",
            &["pester-gate.yml:2", "vresion"],
        ),
        ("packs: [{name: a}, {name: b, aliases: [A]}]\n", &["pester-gate.yml", "\"A\""]),
        ("dispatcher: {jobs: 0}\n", &["pester-gate.yml:1", "jobs"]),
        ("redact: [\"/(/\"]\n", &["pester-gate.yml", "redact"]),
        ("dispatcher: {jobs: 1.5}\n", &["pester-gate.yml:1", "1.5"]),
        ("dispatcher: {jobs: -1}\n", &["pester-gate.yml:1", "-1"]),
        ("leaks: sometimes\n", &["pester-gate.yml:1", "sometimes"]),
        ("leaks: report\nleaks: fail\n", &["pester-gate.yml:2", "leaks"]),
        ("- a list\n", &["pester-gate.yml:1"]),
        ("a: [\n", &["pester-gate.yml"]),
        ("\tx: 1\n", &["pester-gate.yml"]),
    ] {
        sandbox.file("pester-gate.yml", text);
        refused(&sandbox, &["run"], &[], parts);
    }
    fs::write(sandbox.root.join("pester-gate.yml"), b"leaks: \xff\n").unwrap();
    refused(&sandbox, &["run"], &[], &["UTF-8"]);
    fs::remove_file(sandbox.root.join("pester-gate.yml")).unwrap();
    fs::create_dir(sandbox.root.join("pester-gate.yml")).unwrap();
    refused(&sandbox, &["run"], &[], &["pester-gate.yml"]);
}

#[test]
fn an_alias_bomb_and_deep_nesting_are_refused() {
    let sandbox = Sandbox::green();
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ["b", "c", "d", "e", "f", "g", "h", "i"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f", "g", "h"])
    {
        bomb.push_str(&format!(
            "{name}: &{name} [*{before}, *{before}, *{before}, *{before}, \
             *{before}, *{before}, *{before}, *{before}]\n"
        ));
    }
    sandbox.file("pester-gate.yml", &bomb);
    refused(&sandbox, &["run"], &[], &["pester-gate.yml"]);
    sandbox.file("pester-gate.yml", &format!("redact: {}{}\n", "[".repeat(5000), "]".repeat(5000)));
    refused(&sandbox, &["run"], &[], &["pester-gate.yml"]);
}

#[test]
fn precedence_is_flag_environment_file_default_and_each_value_says_whence() {
    let sandbox = Sandbox::green();
    sandbox.config("defaults: {pack: full, shards: 3}\nlimits: {run: 20m, kill-grace: 4s}\n");
    let shown = sandbox
        .gate_in(
            &["run", "--show-config", "--format", "json", "--run-timeout", "1m"],
            &[
                ("PESTER_GATE_RUN_TIMEOUT", "2m"),
                ("PESTER_GATE_SHARDS", "4"),
                ("PESTER_GATE_INCLUDE", "a*\n\n b*"),
            ],
        )
        .json();
    for (key, value, source) in [
        ("limits.run", json!("1m"), "flag:--run-timeout"),
        ("defaults.shards", json!(4), "env:PESTER_GATE_SHARDS"),
        ("include", json!(["a*", "b*"]), "env:PESTER_GATE_INCLUDE"),
        ("limits.kill-grace", json!("4s"), "file:limits.kill-grace"),
        ("defaults.pack", json!("full"), "file:defaults.pack"),
        ("preflight.freshness", json!("15m"), "default"),
    ] {
        assert_eq!(shown[key], json!({"value": value, "source": source}), "{key}");
    }
    let text = sandbox.gate(&["run", "--show-config"]).stdout;
    assert!(text.contains("limits.run") && text.contains("(file:limits.run)"), "{text}");
}

#[test]
fn help_version_explain_packs_and_schema_answer() {
    let sandbox = Sandbox::green();
    sandbox.config(
        "packs: [{name: smoke, aliases: [quick], \
         description: what must never break, include: [\"Unit/*\"]}]\n",
    );
    assert!(sandbox.gate(&["--version"]).stdout.starts_with("pester-gate "));
    for verb in [
        "run",
        "context",
        "preflight",
        "selection",
        "execute",
        "post",
        "verify",
        "results",
        "explain",
        "packs",
        "schema",
    ] {
        let ran = sandbox.gate(&[verb, "--help"]);
        assert_eq!((ran.code, ran.stdout.contains("--state-dir")), (0, true), "{verb}: {ran:?}");
    }
    let one = sandbox.gate(&["explain", "selection-drift"]).stdout;
    assert!(one.contains("caused by    selection") && one.contains("fix "), "{one}");
    let all = sandbox.gate(&["explain", "--format", "json"]).json();
    assert_eq!(all.as_array().unwrap().len(), pester_gate::docs::reason_codes().len());
    let packs = sandbox.gate(&["packs"]).stdout;
    assert!(packs.contains("smoke (quick)") && packs.contains("full"), "{packs}");
    let ids = sandbox.gate(&["schema", "--format", "json"]).json();
    assert_eq!(ids.as_array().unwrap().len(), 12);
}

#[test]
fn no_home_folder_is_an_error_that_says_what_to_set() {
    let sandbox = Sandbox::green();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pester-gate"));
    command
        .arg("run")
        .current_dir(&sandbox.root)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--state-dir"));
}

#[test]
fn an_out_folder_that_cannot_be_written_is_the_layers_own_fault() {
    let sandbox = Sandbox::green();
    sandbox.file("taken", "a file");
    for (layer, exit) in [("context", 3), ("preflight", 4), ("selection", 5)] {
        let outputs = sandbox.state.with_file_name("outputs");
        let _ = fs::remove_file(&outputs);
        let ran = sandbox.gate_in(
            &[layer, "--format", "json", "--out", "taken/x"],
            &[("GITHUB_OUTPUT", outputs.to_str().unwrap())],
        );
        assert_eq!(
            (ran.code, &ran.json()["error"]["code"]),
            (exit, &Value::from("output-unwritable")),
            "{ran:?}"
        );
        // Without a receipt, status and reason still reach the next jobs.
        let outputs = fs::read_to_string(&outputs).unwrap();
        assert!(outputs.contains("blocked") && outputs.contains("output-unwritable"), "{outputs}");
    }
}

#[test]
fn a_command_after_two_hyphens_is_the_tests() {
    let sandbox = Sandbox::green();
    let script = "mkdir -p out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml";
    let seen = sandbox.run(&["--results", "out/*.xml", "--", "sh", "-c", script], &[]);
    assert_eq!(
        seen.verdict(),
        ("completed", "none", "tests-passed", 0),
        "{:?} {}",
        seen.codes(),
        seen.ran.stderr
    );
    assert_eq!(seen.receipt("selection")["dispatcherProfile"]["command"]["source"], "flag:--");
}

#[test]
fn without_a_configuration_the_folders_that_were_searched_are_named() {
    let sandbox = Sandbox::green();
    fs::remove_file(sandbox.root.join("pester-gate.yml")).unwrap();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.verdict(), ("selection-blocked", "selection", "configuration-missing", 5));
    let detail = seen.outcome["reasons"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(sandbox.root.to_str().unwrap()), "{detail}");
    let next = seen.text("nextAction");
    assert!(next.contains("pester-gate init") && next.contains("pester-gate run -- CMD"), "{next}");
}

#[test]
fn a_run_names_the_configurations_whose_tests_it_did_not_run() {
    let sandbox = Sandbox::green();
    let own = fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
    sandbox.file("pester-gate.go.yml", &own);
    sandbox.commit();
    let ran = sandbox.gate(&["run"]);
    let line = "Not run    pester-gate.go.yml: pester-gate run --config pester-gate.go.yml\n";
    assert!(ran.code == 0 && ran.stdout.ends_with(line), "{ran:?}");
    let named = sandbox.gate(&["run", "--config", "pester-gate.go.yml"]);
    assert!(named.code == 0 && !named.stdout.contains("Not run"), "{named:?}");
}

#[test]
fn a_test_file_outside_of_the_tests_path_is_named() {
    let sandbox = Sandbox::green();
    sandbox.file("src/new.sh", "exit 1\n").file("node_modules/x/old.sh", "exit 1\n");
    sandbox.file("fixtures/data.sh", "exit 1\n").file("tests/node_modules/y.sh", "exit 1\n");
    sandbox.commit();
    let ran = sandbox.gate(&["run"]);
    let line = "Excluded   1 test file outside `tests.path`: src/new.sh; ";
    assert!(ran.code == 0 && ran.stdout.contains(line), "{ran:?}");
    // Whoever named the files or an exclude pattern knows.
    for arguments in [&["run", "--file", "tests/a.sh"][..], &["run", "--exclude", "src/*"]] {
        let ran = sandbox.gate(arguments);
        assert!(ran.code == 0 && !ran.stdout.contains("outside"), "{ran:?}");
    }
}

#[test]
fn a_run_covers_every_configuration_that_also_run_lists() {
    let sandbox = Sandbox::green();
    let own = fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
    sandbox.file("pester-gate.yml", &format!("also-run: [sub/pester-gate.go.yml]\n{own}"));
    sandbox.file("sub/pester-gate.go.yml", &own);
    sandbox.commit();
    let ran = sandbox.gate(&["run"]);
    let end = "\nSummary\n  pester-gate.yml: passed\n  sub/pester-gate.go.yml: passed\n\
               Verdict    passed: 2 of 2 configurations passed\n";
    assert!(ran.code == 0 && ran.stdout.ends_with(end), "{ran:?}");
    assert_eq!(ran.stdout.matches("Config     ").count(), 2, "{ran:?}");
    // A configuration that is named runs alone, and so does a command.
    for arguments in [
        &["run", "--config", "pester-gate.yml"][..],
        &["run", "--config", "sub/pester-gate.go.yml"],
        &["run", "--results", "-", "--", "printf", "TAP version 13\n1..1\nok 1 - a\n"],
    ] {
        let ran = sandbox.gate(arguments);
        assert!(!ran.stdout.contains("Summary\n"), "{ran:?}");
    }
    let ran = sandbox.gate(&["run", "--dry-run", "--format", "json"]);
    let configurations = ran.json()["configurations"].clone();
    assert_eq!(configurations[1]["config"], "sub/pester-gate.go.yml", "{ran:?}");
    assert!(configurations[1]["plan"].is_object(), "{ran:?}");

    // A configuration that fails, but is let through, is no pass.
    sandbox.script("tests/red.sh", "exit 1");
    sandbox.commit();
    let let_through = sandbox.gate(&["run", "--continue-on-failure"]);
    let end = "Verdict    failed, but allowed to pass by policy: 0 of 2 configurations passed\n";
    assert!(let_through.code == 0 && let_through.stdout.ends_with(end), "{let_through:?}");
    // An option of one configuration needs its name.
    let ran = sandbox.gate(&["run", "--file", "tests/a.sh"]);
    let names = "--config pester-gate.yml, or --config sub/pester-gate.go.yml";
    assert!(ran.code == 2 && ran.stderr.contains(names), "{ran:?}");

    for (list, part) in [
        ("[gone.yml]", "gone.yml does not exist"),
        ("[sub/pester-gate.go.yml, sub/pester-gate.go.yml]", "is listed twice"),
        ("[pester-gate.yml]", "is listed twice"),
        ("[../x.yml]", "also-run"),
        ("[sub/pester-gate.yml]", "belongs to its own folder"),
        ("[nested.yml]", "lists further configurations"),
        ("[sub/broken.yml]", "unknown key `tets`"),
    ] {
        sandbox.file("sub/broken.yml", "tets: {}\n").file("sub/pester-gate.yml", &own);
        sandbox.file("nested.yml", &format!("also-run: [x.yml]\n{own}"));
        sandbox.file("pester-gate.yml", &format!("also-run: {list}\n{own}"));
        let ran = sandbox.gate(&["run"]);
        assert!(ran.code == 2 && ran.stderr.contains(part), "{list}: {ran:?}");
        assert!(ran.stdout.is_empty(), "nothing runs: {ran:?}");
    }
}

#[test]
fn the_nearest_configuration_up_to_the_top_of_the_checkout_is_used() {
    let sandbox = Sandbox::green();
    sandbox.file("pkg/deep/x", "");
    let in_folder = |folder: &str, arguments: &[&str]| {
        let mut all = vec!["run", "--format", "json"];
        all.extend(arguments);
        let mut command = sandbox.command(&all, &[]);
        crate::harness::Ran::of(&command.current_dir(sandbox.root.join(folder)).output().unwrap())
            .json()
    };
    assert_eq!(in_folder("pkg/deep", &[])["counts"]["total"], 2, "the one at the top");
    sandbox.file(
        "pkg/pester-gate.yml",
        &fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap(),
    );
    sandbox.script("pkg/tests/c.sh", "exit 0");
    sandbox.commit();
    assert_eq!(
        in_folder("pkg/deep", &[])["counts"]["total"],
        1,
        "the nearer one, whose folder is the root"
    );
    let typed =
        ["--", "sh", "-c", "echo '<testsuites><testcase name=\"t\"/></testsuites>' > r.xml"];
    assert_eq!(in_folder("pkg/deep", &typed)["reason"], "tests-passed");
    assert!(
        sandbox.root.join("pkg/deep/r.xml").is_file(),
        "a typed command works where it is typed"
    );
}
