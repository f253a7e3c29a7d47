//! What the receipts promise to other programs and to each other.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Chain, FILES, Sandbox, edit, file_of, on_path, read_json};

fn schema(id: &str) -> Value {
    let ran = Sandbox::new().gate(&["schema", id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()
}

#[test]
fn every_receipt_of_green_red_and_blocked_runs_is_valid_by_its_schema() {
    let green = Sandbox::green();
    let red = Sandbox::green();
    red.script("tests/c.sh", "exit 4").config("fixtures: [{name: f, path: tests/a.sh}]\n");
    let blocked = Sandbox::green();
    blocked.config("defaults: {pack: p}\npacks: [{name: p, requires: [{tool: no-such-tool}]}]\n");
    let mut checked = 0;
    for sandbox in [&green, &red, &blocked] {
        let seen = sandbox.run(&["--shards", "2"], &[]);
        let mut files: Vec<&str> = FILES.iter().map(|(_, file)| *file).collect();
        files.extend([
            "pester-evidence-classification.json",
            "pester-operator-outcome.json",
            "pester-evidence-provenance.json",
        ]);
        for file in files.into_iter().filter(|file| seen.folder.join(file).exists()) {
            let receipt = read_json(&seen.folder.join(file));
            let validator =
                jsonschema::validator_for(&schema(receipt["schema"].as_str().unwrap())).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&receipt)
                .map(|e| format!("{} {e}", e.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{file}: {errors:?}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn receipts_are_utf8_without_mark_with_lf_and_a_line_end() {
    let seen = Sandbox::green().run(&[], &[]);
    assert_eq!(seen.ran.code, 0);
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox).run();
    for (_, file) in FILES.iter().filter(|(_, file)| seen.folder.join(file).exists()) {
        let bytes = fs::read(seen.folder.join(file)).unwrap();
        assert!(
            bytes.starts_with(b"{") && bytes.ends_with(b"}\n") && !bytes.contains(&b'\r'),
            "{file}"
        );
    }
    let leftovers: Vec<_> = fs::read_dir(&seen.folder)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .filter(|n| n.to_string_lossy().starts_with('.'))
        .collect();
    assert!(leftovers.is_empty(), "temporary files were left: {leftovers:?}");
}

#[test]
fn a_receipt_with_a_mark_crlf_and_unknown_fields_is_read() {
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox)
        .without_digests()
        .edit("preflight", "/somethingNew", json!({"a": 1}))
        .after("preflight", |_, folder| {
            let path = folder.join(file_of("preflight"));
            let text = fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
            fs::write(&path, format!("\u{feff}{text}")).unwrap();
        })
        .run();
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.codes());
}

#[test]
fn a_plan_of_an_lf_checkout_runs_on_a_crlf_checkout_and_one_changed_byte_does_not() {
    let build = || {
        let sandbox = Sandbox::green();
        // `sh` would trip over CRLF: the dispatcher here does not care for the files' contents.
        sandbox.script(
            "runner.sh",
            "mkdir -p out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml",
        );
        sandbox
            .file(".gitignore", "out/\n")
            .file(".gitattributes", "*.sh -text\ntests/* text=auto\n");
        sandbox.config_with(
            "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
            "",
        );
        sandbox.commit();
        sandbox
    };
    let crlf = |sandbox: &Sandbox| {
        fs::remove_dir_all(sandbox.root.join("tests")).unwrap();
        sandbox.git(&["-c", "core.autocrlf=true", "checkout", "--", "tests"]);
        let text = fs::read(sandbox.root.join("tests/a.sh")).unwrap();
        assert!(
            text.windows(2).any(|pair| pair == b"\r\n"),
            "the checkout has no CRLF, so nothing would be proven"
        );
    };
    let sandbox = build();
    let seen = Chain::new(&sandbox).after("selection", move |sandbox, _| crlf(sandbox)).run();
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.codes());

    let sandbox = build();
    let seen = Chain::new(&sandbox)
        .after("selection", move |sandbox, _| {
            crlf(sandbox);
            let path = sandbox.root.join("tests/a.sh");
            let text = fs::read_to_string(&path).unwrap().replace("exit 0", "exit 1");
            fs::write(&path, text).unwrap();
        })
        .run();
    assert_eq!(seen.verdict(), ("selection-blocked", "selection", "selection-drift", 5));
}

#[test]
fn execute_needs_no_network_no_git_and_no_github() {
    let sandbox = Sandbox::green();
    let folder = &sandbox.out;
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let out = folder.to_str().unwrap().to_owned();
    assert_eq!(sandbox.gate(&["context", "--out", &out]).code, 0);
    for layer in ["preflight", "selection"] {
        assert_eq!(
            sandbox
                .gate(&[layer, "--out", &out, "--context-receipt", &path(file_of("context"))])
                .code,
            0
        );
    }
    let tools = sandbox.state.with_file_name("tools");
    fs::create_dir_all(&tools).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(which::which("sh").unwrap(), tools.join("sh")).unwrap();
    let arguments = [
        "execute",
        "--out",
        &out,
        "--context-receipt",
        &path(file_of("context")),
        "--preflight-receipt",
        &path(file_of("preflight")),
        "--selection-receipt",
        &path(file_of("selection")),
    ];
    let tools_path = tools.to_str().unwrap();
    if !on_path("strace") {
        println!(
            "skipped: no strace, \
             so that execute connects nowhere and reads nothing below .git was not traced"
        );
        assert_eq!(sandbox.gate_in(&arguments, &[("PATH", tools_path)]).code, 0);
        return;
    }
    let trace = sandbox.state.with_file_name("trace");
    let plain = sandbox.command(&arguments, &[("PATH", tools_path)]);
    let mut traced = Command::new(which::which("strace").unwrap());
    traced
        .args(["-f", "-qq", "-e", "trace=connect,openat,open,execve,stat,newfstatat", "-o"])
        .arg(&trace);
    traced.arg(plain.get_program()).args(plain.get_args()).current_dir(&sandbox.root).env_clear();
    traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = traced.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = fs::read_to_string(&trace).unwrap();
    assert!(trace.contains("execve(") && trace.contains("tests/a.sh"), "the trace saw nothing");
    let offending: Vec<_> = trace
        .lines()
        .filter(|line| {
            let internet = line.contains("connect(")
                && (line.contains("AF_INET") || line.contains("AF_INET6"));
            internet
                || line.contains("/.git/")
                || (line.contains("execve(") && line.contains("/git\""))
        })
        .collect();
    assert!(offending.is_empty(), "{offending:#?}");
}

#[test]
fn verify_finds_what_does_not_hold_together() {
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox).run();
    let verify = |sandbox: &Sandbox| {
        sandbox.gate(&["verify", "--format", "json", seen.folder.to_str().unwrap()])
    };
    let good = verify(&sandbox);
    assert_eq!((good.code, &good.json()["ok"]), (0, &json!(true)), "{}", good.stdout);
    assert_eq!(good.json()["receipts"].as_array().unwrap().len(), 7);

    let selection = seen.folder.join(file_of("selection"));
    let original = fs::read(&selection).unwrap();
    type Spoil = fn(&Path);
    let cases: [(Spoil, &str, i32); 5] = [
        (|path| edit(path, "/run/runId", &json!("local-other")), "receipt-foreign-run", 5),
        (|path| edit(path, "/run/headSha", &json!("3".repeat(40))), "receipt-foreign-commit", 5),
        (
            |path| edit(path, "/schema", &json!("pester-selection-receipt@v9")),
            "receipt-unsupported-schema",
            5,
        ),
        (
            |path| edit(path, "/selection/executionPack", &json!("other")),
            "receipt-digest-mismatch",
            5,
        ),
        (|path| fs::remove_file(path).unwrap(), "receipt-missing", 5),
    ];
    for (spoil, code, exit) in cases {
        spoil(&selection);
        let bad = verify(&sandbox);
        let codes: Vec<_> =
            bad.json()["reasons"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
        assert!(codes.contains(&json!(code)), "{code}: {}", bad.stdout);
        assert_eq!(bad.code, exit, "{code}: {}", bad.stdout);
        fs::write(&selection, &original).unwrap();
    }
}

#[test]
fn a_dropped_digest_is_what_lets_an_altered_receipt_through() {
    // The mutant: the same alteration that a digest catches goes unseen by execute without one.
    // Post still has the parents' digests of execute, so what was altered afterwards is caught.
    let alter = |chain: Chain<'_>| {
        chain
            .edit("selection", "/selection/executionPackDescription", json!("altered"))
            .run()
            .codes()
    };
    let (with, without) = (Sandbox::green(), Sandbox::green());
    assert_eq!(alter(Chain::new(&with))[0], "receipt-digest-mismatch");
    assert_eq!(alter(Chain::new(&without).without_digests())[0], "tests-passed");
}

#[test]
fn local_runs_share_an_identity_that_context_makes() {
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox).run();
    let id = seen.receipt("context")["run"]["runId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("local-"));
    for layer in ["preflight", "selection", "execute"] {
        assert_eq!(seen.receipt(layer)["run"]["runId"], id);
        assert_eq!(
            seen.receipt(layer)["run"]["headSha"],
            seen.receipt("context")["run"]["headSha"]
        );
        assert_eq!(seen.receipt(layer)["run"]["headRef"], "main");
    }
}
