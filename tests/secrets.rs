//! Planted secrets: in no file that a run leaves, and where one got into a file all the same
//! nothing is uploaded.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;

use crate::harness::{Sandbox, Seen, read_json, sha256};

const SECRET: &str = "hunter2-hunter2";
const TOKEN: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        // A state folder may not have been needed.
        for entry in fs::read_dir(next).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// No file of the run, neither its name nor its bytes, holds one of the secrets; nor does what was
/// printed.
#[track_caller]
fn clean(seen: &Seen, sandbox: &Sandbox) {
    let mut looked = 0;
    for folder in [&seen.folder, &sandbox.state] {
        for (path, bytes) in everything(folder) {
            for secret in [SECRET, TOKEN] {
                assert!(!holds(&bytes, secret), "{} holds {secret}", path.display());
                assert!(!path.to_str().unwrap().contains(secret), "{}", path.display());
            }
            looked += 1;
        }
    }
    assert!(looked > 8, "{looked}");
    for text in [&seen.ran.stdout, &seen.ran.stderr] {
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}

/// A runner whose command writes this, with the secret in its environment.
fn command(script: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.script("runner.sh", script);
    sandbox.file(".gitignore", "out/\n");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
        "",
    );
    sandbox.commit();
    sandbox
}

fn run(sandbox: &Sandbox, more: &[(&str, &str)]) -> Seen {
    let mut environment = vec![("DB_PASSWORD", SECRET)];
    environment.extend(more);
    sandbox.run(&[], &environment)
}

#[test]
fn secrets_in_log_report_environment_and_journal_are_in_no_file_and_the_rest_is_untouched() {
    let sandbox = command(&format!(
        "mkdir -p out; echo \"$DB_PASSWORD {TOKEN} max_tokens=4096\"; \
         echo \"$DB_PASSWORD\" >&2; env\n\
         cat > out/r.xml <<END\n\
         <testsuites><testcase name=\"logs in as $DB_PASSWORD\" file=\"tests/$DB_PASSWORD.py\">\
         <failure message=\"{TOKEN} is refused\">max_tokens=4096 at \
         d670460b4b4aece5915caf5c68d12f560a9fe3e4 $DB_PASSWORD</failure>\
         <system-out>$DB_PASSWORD</system-out></testcase></testsuites>\n\
         END\n\
         exit 1",
    ));
    let seen = run(&sandbox, &[]);
    assert_eq!(seen.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", seen.ran);
    clean(&seen, &sandbox);
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    for (file, owed) in [
        ("summary.md", "max_tokens=4096 at d670460b4b4aece5915caf5c68d12f560a9fe3e4 ***"),
        ("report.html", "max_tokens=4096"),
        ("pester-failures.json", "d670460b4b4aece5915caf5c68d12f560a9fe3e4"),
        ("pester-tests.json", "logs in as ***"),
        ("pester-replay-bundle.json", head.as_str()),
        ("pester-replay-bundle.json", "DB_PASSWORD"),
        ("raw/dispatcher.log", "*** *** max_tokens=4096"),
    ] {
        let text = fs::read_to_string(seen.folder.join(file)).unwrap();
        assert!(text.contains(owed), "{file} lacks {owed:?}:\n{text}");
    }
}

#[test]
fn a_secret_in_a_test_files_name_or_a_command_stops_before_anything_runs() {
    let sandbox = Sandbox::green();
    sandbox.script(&format!("tests/{SECRET}.sh"), "exit 0");
    sandbox.commit();
    let seen = run(&sandbox, &[]);
    assert_eq!(
        seen.verdict(),
        ("selection-blocked", "selection", "test-file-unusable", 5),
        "{:?}",
        seen.ran
    );
    clean(&seen, &sandbox);
    // Left out by a pattern it does no harm, and is told without it.
    let _ = fs::remove_dir_all(&sandbox.out);
    let seen = sandbox.run(&["--file", "tests/a.sh"], &[("DB_PASSWORD", SECRET)]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.ran);
    clean(&seen, &sandbox);

    for config in [
        format!(
            "dispatcher: {{kind: command, command: [./runner.sh, --password, {SECRET}], \
             results: [\"out/*.xml\"]}}\n"
        ),
        format!(
            "dispatcher: {{kind: scripts}}\n\
             profiles: {{default: {{before: [[./runner.sh, {SECRET}]]}}}}\n"
        ),
    ] {
        let sandbox = Sandbox::green();
        sandbox.script("runner.sh", "touch ran; exit 0");
        sandbox.config_with("", &config);
        sandbox.commit();
        let seen = run(&sandbox, &[]);
        assert_eq!(
            seen.verdict(),
            ("selection-blocked", "selection", "profile-invalid", 5),
            "{:?}",
            seen.ran
        );
        assert!(!sandbox.root.join("ran").exists());
        clean(&seen, &sandbox);
    }
    // Typed, it would be in the command that repeats the run: masked there, and the verdict is told
    // whole.
    let sandbox = Sandbox::green();
    let typed = ["--results", "out/*.xml", "--", "sh", "-c", &format!("echo {SECRET}")];
    let seen = sandbox.run(&typed, &[("DB_PASSWORD", SECRET)]);
    assert_eq!(
        seen.verdict(),
        ("selection-blocked", "selection", "profile-invalid", 5),
        "{:?}",
        seen.ran
    );
    assert!(seen.summary.contains("an argument holds a secret"), "{}", seen.summary);
    assert!(seen.text("replay").ends_with(" -- sh -c 'echo ***'"), "{}", seen.text("replay"));
    clean(&seen, &sandbox);
}

#[test]
fn what_no_mask_caught_blocks_the_upload_and_says_where() {
    let coded = base64::engine::general_purpose::STANDARD.encode(format!("user:{SECRET}"));
    let outputs = |sandbox: &Sandbox| sandbox.state.with_file_name("outputs");
    for (script, place) in [
        (format!("echo 'Authorization: Basic {coded}'; exit 0"), "raw/logs/"),
        (format!("echo 'Authorization: Basic {coded}'; exit 1"), "raw/logs/"),
    ] {
        let sandbox = Sandbox::green();
        sandbox.script("tests/c.sh", &script);
        sandbox.commit();
        let file = outputs(&sandbox);
        let seen = run(&sandbox, &[("GITHUB_OUTPUT", file.to_str().unwrap())]);
        assert_eq!(
            seen.verdict(),
            ("seam-defect", "execute", "secret-in-output", 6),
            "{:?}",
            seen.ran
        );
        assert!(
            seen.outcome["headline"].as_str().unwrap().contains("a secret in another coding"),
            "{}",
            seen.outcome
        );
        assert!(seen.receipt("execute")["rawArtifactExpected"] == false);
        let said = fs::read_to_string(&file).unwrap();
        assert!(
            said.contains("upload<<")
                && said.split("upload<<").nth(1).unwrap().lines().nth(1) == Some("false"),
            "{said}"
        );
        // The tests are told of all the same, once, and the provenance has the list as it is.
        let list = seen.folder.join("pester-tests.json");
        assert_eq!(read_json(&list)["tests"].as_array().unwrap().len(), 3);
        let provenance = read_json(&seen.folder.join("pester-evidence-provenance.json"));
        let outputs = provenance["derivedOutputs"].as_array().unwrap();
        assert!(outputs.iter().any(|output| output["sha256"] == sha256(&list)), "{outputs:?}");
        // Evidence itself is clean: the coded form is in the raw results alone.
        for (path, bytes) in everything(&seen.folder) {
            let below = path.strip_prefix(&seen.folder).unwrap().to_str().unwrap().to_owned();
            let found = holds(&bytes, &coded[8..20]);
            assert!(!found || below.starts_with("raw/"), "{below}");
        }
        assert!(
            everything(&seen.folder.join("raw"))
                .iter()
                .any(|(_, bytes)| holds(bytes, &coded[8..20])),
            "{place}"
        );
    }
    // By name, by a job of its own: execute alone hands on no raw folder.
    let sandbox = command(
        "mkdir -p out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml; \
         echo x > out/$DB_PASSWORD.txt",
    );
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
        "profiles: {default: {artifacts: [\"out/**\"]}}\n",
    );
    sandbox.commit();
    let file = outputs(&sandbox);
    let seen = run(&sandbox, &[("GITHUB_OUTPUT", file.to_str().unwrap())]);
    assert_eq!(seen.verdict().2, "secret-in-output", "{:?} {:?}", seen.codes(), seen.ran);
    let receipts: String = everything(&seen.folder)
        .iter()
        .filter(|(path, _)| !path.starts_with(seen.folder.join("raw")))
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!(!receipts.contains(SECRET));
}

#[test]
fn what_is_called_a_secret_and_is_none_stops_no_run() {
    for (name, value) in [
        ("CACHE_KEY", jiff::Timestamp::now().to_string()[..10].to_owned()),
        ("X_KEY", "octo/widgets".to_owned()),
        ("STATE_KEY", "completed".to_owned()),
        ("PHASE_KEY", "preflight".to_owned()),
        ("POSTGRES_PASSWORD", "postgres".to_owned()),
        ("SSH_KEY", "/bin/sh".to_owned()),
    ] {
        let sandbox = Sandbox::green();
        sandbox.script("tests/postgres.sh", "echo connects to postgres; exit 0");
        sandbox.commit();
        let seen = sandbox.run(&[], &[(name, &value), ("GITHUB_REPOSITORY", "octo/widgets")]);
        assert_eq!(
            seen.verdict(),
            ("completed", "none", "tests-passed", 0),
            "{name}={value}: {:?}",
            seen.ran
        );
    }
    let sandbox = Sandbox::green();
    let sha = sandbox.git(&["rev-parse", "HEAD"]);
    let seen = sandbox.run(&[], &[("CACHE_KEY", &sha[..12]), ("GITHUB_SHA", &sha)]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.ran);
}

#[test]
fn a_secret_in_another_coding_in_what_a_receipt_tells_is_left_out_and_the_verdict_stands() {
    let coded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    let sandbox = Sandbox::green();
    sandbox.file(&format!("{}.txt", coded.trim_end_matches('=')), "untracked");
    let seen = run(&sandbox, &[]);
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.ran);
    let files = seen.receipt("context")["worktree"]["dirtyFiles"].to_string();
    assert!(files.contains("left out"), "{files}");
}

#[test]
fn what_was_in_flight_and_what_changed_are_told_without_secrets() {
    // Where execute died with a test in flight whose name is a secret of the post job alone.
    let sandbox = Sandbox::green();
    let chain = crate::harness::Chain::new(&sandbox).after("execute", |_, folder| {
        fs::remove_file(folder.join("pester-run-receipt.json")).unwrap();
        let journal = folder.join("raw/dispatcher-events.ndjson");
        let event = concat!(
            r#"{"schema":"comparevi/runtime-event/v1","seq":1,"tsUtc":"2026-01-01T00:00:00Z","#,
            r#""type":"file-start","file":"tests/hunter2-hunter2.sh"}"#,
        );
        fs::write(journal, format!("{event}\n")).unwrap();
    });
    let summary = sandbox.state.with_file_name("step-summary");
    let chain = chain.env("post", "DB_PASSWORD", SECRET).env(
        "post",
        "GITHUB_STEP_SUMMARY",
        summary.to_str().unwrap(),
    );
    let seen = chain.without_digests().run();
    assert_eq!(seen.text("failedLayer"), "execute", "{:?}", seen.codes());
    for (path, bytes) in everything(&seen.folder) {
        let raw = path.starts_with(seen.folder.join("raw"));
        assert!(raw || !holds(&bytes, SECRET), "{}", path.display());
    }
    let told = fs::read_to_string(&summary).unwrap();
    assert!(
        !told.contains(SECRET)
            && !seen.ran.stdout.contains(SECRET)
            && !seen.ran.stderr.contains(SECRET),
        "{told}"
    );
}
