//! The runs that are kept on this machine, `run --dry-run`, colors, and whom the lock keeps away.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Ran, Sandbox};

/// A run below the state folder, as JSON.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let mut all = vec!["run", "--format", "json"];
    all.extend(arguments);
    sandbox.gate(&all).json()
}

fn listed(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.gate(&["runs", "list", "--format", "json"]).json().as_array().unwrap().clone()
}

fn folder(run: &Value) -> &Path {
    Path::new(run["folder"].as_str().unwrap())
}

#[test]
fn runs_are_listed_shown_and_opened_by_last_and_by_the_beginning_of_their_id() {
    let sandbox = Sandbox::green();
    assert_eq!(sandbox.gate(&["open"]).code, 2, "there is no run yet");
    run(&sandbox, &[]);
    sandbox.script("tests/c.sh", "exit 1");
    run(&sandbox, &["--keep"]);
    let runs = listed(&sandbox);
    let verdicts: Vec<&str> =
        runs.iter().map(|run| run["classification"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["test-failures", "completed"], "the newest first");
    assert_eq!(
        (&runs[0]["keep"], &runs[0]["repository"]),
        (&true.into(), &"remote:github.com/octo/widgets".into())
    );
    let first = runs[1]["run"].as_str().unwrap();
    let begin = &first["local-".len().."local-".len() + 8];
    for (word, owed) in [("last", "tests failed"), (first, "passed"), (begin, "passed")] {
        let shown = sandbox.gate(&["runs", "show", word]);
        assert!(
            shown.code == 0 && shown.stdout.contains(&format!("Verdict    {owed}")),
            "{word}: {shown:?}"
        );
    }
    let page = sandbox.gate(&["open", first]).stdout;
    assert!(page.contains(first) && Path::new(page.trim()).is_file(), "{page}");
    let unknown = sandbox.gate(&["open", "no-such-run"]);
    assert!(
        unknown.code == 2 && unknown.stderr.contains("`pester-gate runs` lists the runs"),
        "{unknown:?}"
    );
}

#[test]
fn old_runs_are_removed_by_rule_and_kept_ones_and_those_in_progress_never() {
    let sandbox = Sandbox::green();
    run(&sandbox, &["--keep"]);
    run(&sandbox, &[]);
    let old = |value: &Value| {
        let name = value["run"].as_str().unwrap();
        let record = sandbox.state.join("run-records").join(format!("{name}.json"));
        crate::harness::edit(&record, "/startedAtUtc", &"2020-01-01T00:00:00Z".into());
    };
    let before = listed(&sandbox);
    before.iter().for_each(old);
    // A third one that is as old and in progress: its lock is held by this process.
    let held = sandbox.state.join("run-records/local-held.lock");
    fs::create_dir_all(sandbox.state.join("runs/local-held")).unwrap();
    let held = fs::File::create(held).unwrap();
    held.lock().unwrap();
    let record = serde_json::json!({
        "repository": "x",
        "root": "/x",
        "startedAtUtc": "2020-01-01T00:00:00Z",
        "keep": false,
    });
    fs::write(sandbox.state.join("run-records/local-held.json"), record.to_string()).unwrap();
    // A folder that is no run of ours is nobody's to remove.
    fs::create_dir_all(sandbox.state.join("runs/of-somebody-else")).unwrap();
    fs::write(sandbox.state.join("runs/of-somebody-else/model.bin"), "precious").unwrap();
    // Every run prunes.
    run(&sandbox, &[]);
    let names: Vec<String> =
        listed(&sandbox).iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
    let kept = before.iter().find(|run| run["keep"] == true).unwrap();
    let removed = before.iter().find(|run| run["keep"] == false).unwrap();
    assert!(names.contains(&kept["run"].as_str().unwrap().to_owned()), "{names:?}");
    assert!(names.contains(&"local-held".to_owned()), "{names:?}");
    assert!(!folder(removed).exists(), "{names:?}");
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(sandbox.state.join("runs/of-somebody-else/model.bin").exists());
    drop(held);
    let pruned = sandbox.gate(&["runs", "prune", "--format", "json"]).json();
    assert_eq!(pruned[0]["run"], "local-held", "its process is gone");
}

#[test]
fn at_most_twenty_runs_of_a_repository_stay() {
    let sandbox = Sandbox::green();
    for n in 0..25 {
        let name = format!("local-{n:02}");
        fs::create_dir_all(sandbox.state.join("runs").join(&name)).unwrap();
        fs::create_dir_all(sandbox.state.join("run-records")).unwrap();
        let started =
            jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - 3600 - n).unwrap();
        let record = serde_json::json!({
            "repository": "x",
            "root": "/x",
            "startedAtUtc": started,
            "keep": false,
        });
        fs::write(sandbox.state.join(format!("run-records/{name}.json")), record.to_string())
            .unwrap();
    }
    let pruned = sandbox.gate(&["runs", "prune", "--format", "json"]).json();
    let mut names: Vec<&str> =
        pruned.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["local-20", "local-21", "local-22", "local-23", "local-24"]);
}

#[test]
fn a_dry_run_shows_what_would_run_and_starts_nothing() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/a.sh", "touch was-run");
    sandbox.file(".gitignore", "was-run\n");
    let plan = sandbox.gate(&["run", "--dry-run", "--exclude", "b.sh", "--format", "json"]).json();
    assert_eq!(plan["files"], serde_json::json!(["tests/a.sh"]));
    assert_eq!(plan["excluded"][0]["path"], "tests/b.sh");
    assert!(plan["settings"]["exclude"]["source"].as_str().unwrap().starts_with("flag:"), "{plan}");
    let typed = sandbox.gate(&["run", "--dry-run", "--", "touch", "was-run"]);
    assert!(typed.code == 0 && typed.stdout.contains("Command        touch was-run"), "{typed:?}");
    assert!(!sandbox.root.join("was-run").exists() && listed(&sandbox).is_empty());
    fs::remove_file(sandbox.root.join("pester-gate.yml")).unwrap();
    assert_eq!(sandbox.gate(&["run", "--dry-run"]).code, 5, "nothing says what to run");
}

#[test]
fn colors_are_used_where_they_are_wanted_and_nowhere_else() {
    let sandbox = Sandbox::green();
    let colored = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut all = vec!["run", "--quiet"];
        all.extend(arguments);
        sandbox.gate_in(&all, environment).stdout.contains('\u{1b}')
    };
    assert!(!colored(&[], &[]), "no terminal");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert_eq!(sandbox.gate(&["run", "--color", "red"]).code, 2);
}

#[test]
fn two_repositories_wait_for_each_other_only_where_the_host_is_shared() {
    for (requires, owed) in [
        ("", "completed"),
        ("packs: [{name: hw, requires: [session-lock]}]\n", "readiness-blocked"),
    ] {
        let one = Sandbox::green();
        one.script(
            "tests/a.sh",
            "touch started; for n in 1 2 3 4 5 6 7 8 9 10; do [ -e go ] && exit 0; sleep 1; done",
        );
        one.file(".gitignore", "started\ngo\n").config(requires);
        one.commit();
        let locks = one.state.with_file_name("locks");
        let start = |sandbox: &Sandbox, arguments: &[&str]| -> Command {
            let mut command = sandbox
                .command(arguments, &[("PESTER_GATE_LOCK_DIRECTORY", locks.to_str().unwrap())]);
            command
                .env_remove("PESTER_GATE_LOCK_SCOPE")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command
        };
        let holder = start(&one, &["run", "--quiet"]).spawn().unwrap();
        for _ in 0..200 {
            if one.root.join("started").exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let other = Sandbox::green();
        other.git(&["remote", "set-url", "origin", "https://github.com/octo/gadgets.git"]);
        other.config(requires);
        other.commit();
        let arguments = ["run", "--format", "json", "--lock-wait", "700ms"];
        let waited = Ran::of(&start(&other, &arguments).output().unwrap());
        fs::write(one.root.join("go"), "").unwrap();
        holder.wait_with_output().unwrap();
        assert_eq!(waited.json()["classification"], owed, "{waited:?}");
        if owed == "readiness-blocked" {
            assert!(
                waited.stderr.contains("github.com/octo/widgets, process "),
                "who holds it: {}",
                waited.stderr
            );
        }
    }
}
