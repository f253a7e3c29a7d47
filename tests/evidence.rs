//! What post writes beside its verdict: failures with their digests, totals, the page, annotations.

use std::fs;

use serde_json::json;

use crate::harness::{Sandbox, Seen, read_json};

/// A run of three scripts, two of which fail alike.
fn red(more: &str, environment: &[(&str, &str)]) -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    for name in ["c", "d"] {
        sandbox.script(
            &format!("tests/{name}.sh"),
            "echo \"tests/sums.py:7: Expected 4, but got 5.\"; echo '<b>end</b>'; exit 1",
        );
    }
    sandbox.config(more);
    sandbox.commit();
    let seen = sandbox.run(&[], environment);
    (sandbox, seen)
}

#[test]
fn every_failure_is_digested_and_can_be_repeated() {
    let (sandbox, seen) = red("", &[]);
    let told = read_json(&seen.folder.join("pester-failures.json"));
    assert_eq!((&told["schema"], &told["detailStatus"]), (&json!("pester-failures@v2"), &json!("available")));
    assert_eq!(told["summary"], json!({"total": 4, "failed": 2, "errors": 0, "skipped": 0}));
    let [one, other] = told["results"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!(one["signature"], other["signature"], "they fail alike");
    assert_eq!((&one["file"], &one["class"]), (&json!("tests/c.sh"), &json!("assertion")), "{one}");
    assert_eq!(one["at"], json!({"file": "tests/sums.py", "line": 7}));
    assert!(one["output"].as_array().unwrap().contains(&json!("<b>end</b>")), "{one}");
    // The command repeats it: the one file, red for the same reason.
    let command = one["replay"]["file"].as_str().unwrap();
    let program = sandbox.command(&["packs"], &[]).get_program().to_str().unwrap().to_owned();
    let line = command.replacen("pester-gate", &format!("'{program}'"), 1);
    let state = sandbox.state.with_file_name("again");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{line} --format json")]).env("PESTER_GATE_STATE_DIR", &state);
    let again = shell.env("PESTER_GATE_LOCK_DIRECTORY", sandbox.state.with_file_name("locks")).output().unwrap();
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&again["reason"], &again["counts"]["total"]), (&json!("tests-failed"), &json!(1)), "{again}");

    let totals = read_json(&seen.folder.join("pester-totals.json"));
    assert_eq!((&totals["status"], &totals["failed"]), (&json!("fail"), &json!(2)));
    let summary = read_json(&seen.folder.join("pester-summary.json"));
    assert_eq!((&summary["schemaVersion"], &summary["passed"]), (&json!("1.7.1"), &json!(2)));
    let provenance = read_json(&seen.folder.join("pester-evidence-provenance.json"));
    let outputs = provenance["derivedOutputs"].as_array().unwrap();
    for file in ["pester-failures.json", "pester-totals.json", "pester-summary.json", "report.html", "summary.md"] {
        let output =
            outputs.iter().find(|output| output["path"] == file).unwrap_or_else(|| panic!("{file} is not told of"));
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
        "1 more like it: `tests/d.sh`",
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
    assert_eq!(read_json(&seen.folder.join("pester-failures.json"))["detailStatus"], "not-applicable");
    assert!(!seen.folder.join("pester-summary.json").exists());
    let page = fs::read_to_string(seen.folder.join("report.html")).unwrap();
    assert!(page.contains("required-path-missing") && page.contains("at fault"), "{page}");
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
    let actions = [("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "1"), ("GITHUB_REPOSITORY", "octo/widgets")];
    let commands = |seen: &Seen| -> Vec<String> {
        seen.ran.stderr.lines().filter(|line| line.starts_with("::")).map(str::to_owned).collect()
    };
    let (_sandbox, seen) = red("", &actions);
    let told = commands(&seen);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("::error file=tests/sums.py,line=7,title=tests/c.sh::exit code 1%0A"), "{told:?}");
    assert!(told[0].ends_with("1 more like it"), "{told:?}");
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
    assert_eq!((&told["detailStatus"], &told["detailCount"]), (&json!("not-applicable"), &json!(0)), "{told}");
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
    let classes: Vec<&str> =
        told["results"].as_array().unwrap().iter().map(|failure| failure["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["network", "assertion", "timeout"], "{told}");
    assert_eq!(read_json(&seen.folder.join("pester-summary.json"))["timedOut"], true);
    let summary = fs::read_to_string(seen.folder.join("summary.md")).unwrap();
    assert!(summary.contains("Connection refused") && summary.contains("Expected 4, but got 5."), "{summary}");
}

#[test]
fn a_report_that_is_cut_off_is_no_good_total() {
    let sandbox = Sandbox::green();
    sandbox.script("run.sh", "mkdir -p out; printf '<testsuites><testcase name=\"t\"/>' > out/r.xml");
    sandbox.config_with("dispatcher: {kind: command, command: [./run.sh], results: [\"out/*.xml\"]}\n", "");
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.text("reason"), "results-truncated");
    assert_eq!(read_json(&seen.folder.join("pester-totals.json"))["status"], "fail");
    // Without a file of its own a failure names none to run again.
    assert!(!seen.text("replay").contains("--file"), "{}", seen.text("replay"));
}
