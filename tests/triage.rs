//! A run against an earlier one, and against what its host was like when it was last green.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Sandbox, Seen, read_json};

/// A run whose evidence is kept as a baseline.
fn baseline(sandbox: &Sandbox) -> (PathBuf, Seen) {
    let seen = sandbox.run(&[], &[]);
    let kept = sandbox.state.with_file_name("baseline");
    fs::rename(&seen.folder, &kept).unwrap();
    fs::remove_dir_all(&sandbox.out).unwrap();
    (kept, seen)
}

fn against(sandbox: &Sandbox, baseline: &Path, arguments: &[&str]) -> (Seen, Value) {
    let mut all = vec!["--baseline", baseline.to_str().unwrap()];
    all.extend(arguments);
    let seen = sandbox.run(&all, &[]);
    let triage = read_json(&seen.folder.join("pester-triage.json"));
    (seen, triage)
}

fn categories(triage: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    triage["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (text(&entry["category"]), text(&entry["name"])))
        .collect()
}

#[test]
fn what_is_new_against_a_baseline_is_ranked_and_told_everywhere() {
    let sandbox = Sandbox::green();
    sandbox
        .script("tests/c.sh", "echo boom; exit 1")
        .script("tests/d.sh", "exit 1")
        .script("tests/e.sh", "exit 0");
    sandbox.commit();
    let (kept, _) = baseline(&sandbox);
    // a regresses, c fails in another way, d is mended, e is gone, f is new and fails, g is new and
    // passes.
    sandbox
        .script("tests/a.sh", "exit 1")
        .script("tests/c.sh", "echo bang; exit 1")
        .script("tests/d.sh", "exit 0");
    sandbox.script("tests/f.sh", "exit 1").script("tests/g.sh", "exit 0");
    fs::remove_file(sandbox.root.join("tests/e.sh")).unwrap();
    sandbox.commit();
    let (seen, triage) = against(&sandbox, &kept, &[]);
    let owed = [
        ("regression", "tests/a.sh"),
        ("new-failure", "tests/f.sh"),
        ("unresolved", "tests/c.sh"),
        ("fixed", "tests/d.sh"),
        ("removed", "tests/e.sh"),
        ("added", "tests/g.sh"),
    ];
    let owed: Vec<(String, String)> =
        owed.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(categories(&triage), owed);
    assert_eq!((&triage["status"], &triage["counts"]["stable"]), (&json!("regressed"), &json!(1)));
    assert_eq!(triage["entries"][2]["sameFailure"], false);
    let page = fs::read_to_string(seen.folder.join("report.html")).unwrap();
    let report = fs::read_to_string(seen.folder.join("report.txt")).unwrap();
    for text in [&seen.summary, &page, &report] {
        assert!(text.contains("1 regression, 1 new-failure, 1 unresolved"), "{text}");
    }
    assert!(
        seen.summary.contains("| unresolved (with another failure) | `tests/c.sh` |"),
        "{}",
        seen.summary
    );
    // The replay has the comparison again, without the baseline at hand.
    fs::remove_dir_all(&kept).unwrap();
    let again = tempfile::tempdir().unwrap();
    let ran = crate::harness::replay(&seen.folder, &["--out", again.path().to_str().unwrap()]);
    assert_eq!(ran.json()["reason"], "tests-failed", "{ran:?}");
    assert_eq!(read_json(&again.path().join("pester-triage.json")), triage);
    // Without the comparison that was kept, nobody knows whether it decided.
    fs::remove_file(seen.folder.join("pester-triage.json")).unwrap();
    let ran = crate::harness::replay(&seen.folder, &[]);
    assert!(ran.json()["reasons"].to_string().contains("receipt-missing"), "{ran:?}");
}

#[test]
fn a_focused_run_removes_nothing_and_fewer_tests_than_before_are_told() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 0").script("tests/d.sh", "exit 0");
    sandbox.commit();
    let (kept, _) = baseline(&sandbox);
    let (seen, triage) = against(&sandbox, &kept, &["--file", "tests/a.sh"]);
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0));
    assert_eq!(
        (&triage["counts"]["not-selected"], &triage["counts"]["removed"]),
        (&json!(3), &Value::Null),
        "{triage}"
    );
    assert_eq!(triage["floor"]["below"], false);

    fs::remove_dir_all(&sandbox.out).unwrap();
    fs::remove_file(sandbox.root.join("tests/d.sh")).unwrap();
    sandbox.commit();
    let (seen, triage) = against(&sandbox, &kept, &[]);
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0));
    assert!(seen.codes().contains(&"test-count-below-floor".to_owned()), "{:?}", seen.codes());
    assert_eq!(
        triage["floor"],
        json!({"ran": 3, "baseline": 4, "least": 4, "below": true, "fails": false})
    );

    for (policy, owed) in [
        ("policy: {below-floor: fail}\n", ("seam-defect", "execute", "test-count-below-floor", 6)),
        ("policy: {below-floor: fail, test-floor: 75}\n", ("completed", "none", "tests-passed", 0)),
    ] {
        fs::remove_dir_all(&sandbox.out).unwrap();
        sandbox.config(policy);
        sandbox.commit();
        let (seen, _) = against(&sandbox, &kept, &[]);
        assert_eq!(seen.verdict(), owed, "{policy}: {:?}", seen.codes());
        // From the files alone as well.
        assert_eq!(seen.replayed.as_ref().unwrap().code, owed.3);
    }
}

#[test]
fn a_baseline_that_cannot_be_used_is_a_usage_error_and_another_runs_says_so() {
    let sandbox = Sandbox::green();
    let (kept, _) = baseline(&sandbox);
    for (path, owed) in
        [("/nowhere/x", "No such file"), (sandbox.state.to_str().unwrap(), "no pester-tests.json")]
    {
        let ran = sandbox.gate(&["run", "--format", "json", "--baseline", path]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains(owed), "{ran:?}");
    }
    // A workflow's run goes on: its verdict is worth more than the comparison.
    for variable in ["PESTER_GATE_BASELINE", "PESTER_GATE_DURATIONS"] {
        let seen = sandbox.run(&["--shards", "2"], &[(variable, "/nowhere/x")]);
        assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.ran);
        assert!(seen.codes().contains(&"baseline-unreadable".to_owned()), "{:?}", seen.codes());
        assert!(seen.summary.contains("/nowhere/x"), "{}", seen.summary);
        fs::remove_dir_all(&sandbox.out).unwrap();
    }
    let list = kept.join("pester-tests.json");
    let mut told = read_json(&list);
    // Of several gates below one folder, this gate's counts, however old it is.
    fs::create_dir(kept.join("other")).unwrap();
    told["gateId"] = json!("other");
    told["generatedAtUtc"] = json!("2999-01-01T00:00:00Z");
    told["tests"] = json!([]);
    fs::write(kept.join("other/pester-tests.json"), told.to_string()).unwrap();
    let (_, triage) = against(&sandbox, &kept, &[]);
    assert_eq!(
        (&triage["status"], triage["baseline"]["ran"].as_u64()),
        (&json!("clean"), Some(2)),
        "{triage}"
    );
    fs::remove_dir_all(&sandbox.out).unwrap();
    // Another gate's alone are nobody's baseline; one that cannot be read beside this gate's is
    // told.
    let ran = sandbox.gate(&[
        "run",
        "--format",
        "json",
        "--baseline",
        kept.join("other").to_str().unwrap(),
    ]);
    assert!(ran.code == 2 && ran.stdout.contains("only the gates other are below it"), "{ran:?}");
    fs::write(kept.join("other/pester-tests.json"), "{").unwrap();
    let (_, triage) = against(&sandbox, &kept, &[]);
    assert!(triage["limits"].to_string().contains("other/pester-tests.json"), "{triage}");
    assert_eq!(triage["status"], "clean");
    fs::remove_dir_all(&sandbox.out).unwrap();
    let mut told = read_json(&list);
    told["repository"] = json!("octo/other");
    fs::write(&list, told.to_string()).unwrap();
    let (seen, triage) = against(&sandbox, &list, &[]);
    assert_eq!((seen.ran.code, &triage["status"]), (0, &json!("incomparable")));
    assert!(
        seen.summary.contains("incomparable: the baseline is of octo/other"),
        "{}",
        seen.summary
    );
}

#[test]
fn a_red_run_tells_what_changed_on_its_host_since_it_was_green() {
    let sandbox = Sandbox::green();
    sandbox.script("probe.sh", "echo tool 1.2.3");
    let pack = "packs: [{name: full, requires: [{command: [./probe.sh], name: licence}]}]\n";
    sandbox.config(&pack.replace("name: full", "name: smoke"));
    sandbox.commit();
    let green = sandbox.run(&["--pack", "smoke"], &[]);
    assert_eq!(green.ran.code, 0, "{:?}", green.ran);
    assert_eq!(green.outcome["sinceGreen"], Value::Null);
    fs::remove_dir_all(&sandbox.out).unwrap();

    // Nothing changed, and it is red: that says something too.
    sandbox.script("tests/a.sh", "exit \"${BROKEN:-0}\"");
    sandbox.commit();
    assert_eq!(sandbox.run(&["--pack", "smoke"], &[]).ran.code, 0);
    fs::remove_dir_all(&sandbox.out).unwrap();
    let flaky = sandbox.run(&["--pack", "smoke"], &[("BROKEN", "1")]);
    assert_eq!(
        (flaky.ran.code, &flaky.outcome["sinceGreen"]["changes"]),
        (1, &json!([])),
        "{}",
        flaky.outcome
    );
    assert!(flaky.summary.contains("No change was found"), "{}", flaky.summary);
    fs::remove_dir_all(&sandbox.out).unwrap();

    // The failing test's own file first, then settings, another file, the commit.
    sandbox.script("tests/a.sh", "exit 3").script("tests/b.sh", "echo other; exit 0");
    sandbox.config(&format!("{}limits: {{run: 20m}}\n", pack.replace("name: full", "name: smoke")));
    sandbox.commit();
    let red = sandbox.run(&["--pack", "smoke"], &[]);
    let changes = red.outcome["sinceGreen"]["changes"].as_array().unwrap().clone();
    let names: Vec<&str> = changes.iter().map(|change| change["what"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["file.tests/a.sh", "profile.runLimit", "file.tests/b.sh", "commit"],
        "{changes:?}"
    );
    assert!(red.summary.contains("| `profile.runLimit` | `30m` | `20m` |"), "{}", red.summary);
    fs::remove_dir_all(&sandbox.out).unwrap();

    // A host that lost what it had: nothing ran, and the probe is the first suspect.
    sandbox.script("probe.sh", "exit 1");
    sandbox.commit();
    let lost = sandbox.run(&["--pack", "smoke"], &[]);
    assert_eq!(lost.verdict().0, "readiness-blocked");
    assert_eq!(
        lost.outcome["sinceGreen"]["changes"][0]["what"], "probe.licence",
        "{}",
        lost.outcome["sinceGreen"]
    );
}
