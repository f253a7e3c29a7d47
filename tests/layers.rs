//! Each layer by itself and the paths that the seed names, through the built binary.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Chain, Sandbox, file_of, read_json, sha256};

#[test]
fn context_ready() {
    let sandbox = Sandbox::green();
    let head = sandbox.git(&["rev-parse", "HEAD"]);
    let out = sandbox.out.to_str().unwrap();
    let ran = sandbox.gate_in(
        &[
            "context",
            "--format",
            "json",
            "--out",
            out,
            "--sample-id",
            "s1",
            "--correlation-id",
            "c1",
        ],
        &[
            ("GITHUB_RUN_ID", "77"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_TOKEN", "ghs_0123456789012345678901234567890123456789"),
        ],
    );
    let receipt = ran.json();
    assert_eq!((ran.code, &receipt["status"]), (0, &json!("ready")), "{receipt:#}");
    assert_eq!(receipt["schema"], "pester-context-receipt@v1");
    assert_eq!(receipt["reason"], "standing-priority-not-required");
    assert_eq!(receipt["repository"], "octo/widgets");
    assert_eq!(
        receipt["slugSources"],
        json!([{"source": "remote:origin", "value": "octo/widgets"}])
    );
    assert_eq!(
        (&receipt["run"]["runId"], &receipt["run"]["runAttempt"]),
        (&json!("77"), &json!(2))
    );
    assert_eq!(
        (&receipt["run"]["sampleId"], &receipt["run"]["correlationId"]),
        (&json!("s1"), &json!("c1"))
    );
    assert_eq!((&receipt["sampleId"], &receipt["run"]["headSha"]), (&json!("s1"), &json!(head)));
    assert_eq!(
        receipt["token"],
        json!({"present": true, "kind": "installation", "probe": null, "rateLimitRemaining": null})
    );
    assert_eq!(receipt["worktree"]["dirty"], false);
    assert_eq!(
        read_json(&sandbox.out.join(file_of("context"))),
        receipt,
        "what is printed is what is written"
    );
}

#[test]
fn context_without_a_token_warns_and_never_says_that_there_is_none() {
    let sandbox = Sandbox::green();
    let out = sandbox.out.to_str().unwrap();
    let ran = sandbox.gate(&[
        "context",
        "--format",
        "json",
        "--out",
        out,
        "--standing-priority",
        "advisory",
    ]);
    let receipt = ran.json();
    assert_eq!((ran.code, &receipt["status"]), (0, &json!("warning")));
    assert_eq!(receipt["standingPriority"]["reason"], "token-missing");
    assert_eq!(receipt["lookUp"]["requests"], 0);
    assert!(!ran.stdout.contains("standing-priority-none"));
}

#[test]
fn context_blocked() {
    let sandbox = Sandbox::green();
    let out = sandbox.out.to_str().unwrap();
    let ran = sandbox.gate(&[
        "context",
        "--format",
        "json",
        "--out",
        out,
        "--standing-priority",
        "required",
    ]);
    let receipt = ran.json();
    assert_eq!((ran.code, &receipt["status"]), (3, &json!("blocked")));
    assert_eq!(receipt["reasons"][0]["layer"], "context");
}

#[test]
fn slugs_come_from_every_form_of_remote() {
    for address in [
        "git@ghes.example:octo/widgets.git",
        "ssh://git@ghes.example:2222/octo/widgets",
        "https://u:p@ghes.example/octo/widgets/",
    ] {
        let sandbox = Sandbox::green();
        sandbox.git(&["remote", "set-url", "origin", address]);
        let ran =
            sandbox.gate(&["context", "--format", "json", "--out", sandbox.out.to_str().unwrap()]);
        assert_eq!(ran.json()["repository"], "octo/widgets", "{address}");
        assert!(!ran.stdout.contains("u:p"), "credentials of a remote reached the receipt");
    }
}

#[test]
fn readiness_ready_on_a_bare_machine() {
    // A pack that needs nothing is ready with nothing on PATH, and without context's receipt by
    // hand.
    let sandbox = Sandbox::green();
    let out = sandbox.out.to_str().unwrap();
    let ran = sandbox
        .gate_in(&["preflight", "--format", "json", "--out", out], &[("PATH", "/nonexistent")]);
    let receipt = ran.json();
    assert_eq!(
        (ran.code, &receipt["status"], &receipt["reason"]),
        (0, &json!("ready"), &json!("host-ready")),
        "{receipt:#}"
    );
    assert_eq!(receipt["freshnessWindowSeconds"], 900);
    assert_eq!(receipt["probes"]["disk"]["outcome"], "pass");
    assert_eq!(receipt["host"]["machineId"].as_str().unwrap().len(), 32);
}

#[test]
fn readiness_blocked_lists_every_missing_thing() {
    let sandbox = Sandbox::green();
    sandbox.config(
        "defaults: {pack: p}\n\
         packs: [{name: p, requires: [{tool: no-such-tool}, \
         {command: [\"false\"], name: licence}, {tool: git, version: \">=1\"}]}]\n\
         fixtures: [{name: base, path: gone.vi}]\n",
    );
    let ran =
        sandbox.gate(&["preflight", "--format", "json", "--out", sandbox.out.to_str().unwrap()]);
    let receipt = ran.json();
    assert_eq!((ran.code, &receipt["status"]), (4, &json!("blocked")));
    let codes: Vec<_> = receipt["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["tool-missing", "probe-failed", "fixture-missing"]);
    assert_eq!(receipt["probes"]["licence"]["outcome"], "unknown");
    assert_eq!(receipt["probes"]["git"]["outcome"], "pass");
    assert!(receipt["probes"]["no-such-tool"]["remedy"].as_str().unwrap().contains("install"));
}

#[test]
fn doctor_looks_at_what_every_pack_asks_for_and_blocks_nothing() {
    let sandbox = Sandbox::green();
    sandbox.config(concat!(
        "packs:\n",
        "  - {name: a, requires: [{tool: git}, {tool: no-such-tool}]}\n",
        "  - {name: b, requires: [{tool: no-such-tool}, lvcompare]}\n",
        "fixtures: [{name: vi, path: no.vi, when: integration}]\n",
    ));
    let environment = [("LVCOMPARE_PATH", "/nowhere/\u{1b}[31mLVCompare.exe")];
    let ran = sandbox.gate_in(&["doctor", "--format", "json"], &environment);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = ran.json();
    let checks: Vec<_> = told["checks"].as_array().unwrap().iter().collect();
    let of = |name: &str| {
        *checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {told}"))
    };
    assert_eq!((&of("git")["outcome"], &of("git")["packs"]), (&json!("pass"), &json!(["a"])));
    let missing = of("no-such-tool");
    assert_eq!((&missing["outcome"], &missing["packs"]), (&json!("fail"), &json!(["a", "b"])));
    assert_eq!(missing["reason"], "tool-missing");
    assert!(missing["remedy"].as_str().unwrap().contains("install"));
    assert_eq!(
        (&of("disk")["packs"], &of("fixtures")["reason"]),
        (&json!([]), &json!("fixture-missing"))
    );
    assert!(!told["host"]["name"].as_str().unwrap().is_empty());
    let text = sandbox.gate_in(&["doctor"], &environment);
    assert_eq!(text.code, 0);
    assert!(text.stdout.contains("missing  no-such-tool"), "{}", text.stdout);
    assert!(
        !text.stdout.contains('\u{1b}') && text.stdout.contains(" checks, 3 problems\n"),
        "{}",
        text.stdout
    );
}

#[test]
fn probes_run_at_the_same_time() {
    let sandbox = Sandbox::green();
    let probes: String =
        (0..6).map(|n| format!("{{command: [sleep, \"1\"], name: p{n}}}, ")).collect();
    sandbox.config(&format!("defaults: {{pack: p}}\npacks: [{{name: p, requires: [{probes}]}}]\n"));
    let began = std::time::Instant::now();
    let ran =
        sandbox.gate(&["preflight", "--format", "json", "--out", sandbox.out.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    // Six seconds one after the other; the bound leaves room for a slow machine.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn selection_receipt() {
    let sandbox = Sandbox::green();
    sandbox
        .script("tests/slow/c.sh", "exit 0")
        .script("tests/x.Integration.sh", "exit 0")
        .file("tests/readme.txt", "x");
    sandbox.config(
        "tests: {path: tests, pattern: \"*.sh\", integration: {pattern: \"*.Integration.sh\"}}\n\
         packs: [{name: quick, aliases: [q], description: fast, \
         include: [\"[ab].sh\", \"slow/*\"], exclude: [\"slow/*\"], limits: {run: 7m}}]\n\
         profiles: {default: {exclude-tag: [Slow], limits: {file: 9s}}}\n",
    );
    let out = sandbox.out.to_str().unwrap();
    let ran = sandbox.gate(&[
        "selection",
        "--format",
        "json",
        "--out",
        out,
        "--pack",
        "Q",
        "--shards",
        "2",
        "--kill-grace",
        "2s",
    ]);
    let receipt = ran.json();
    assert_eq!((ran.code, &receipt["status"]), (0, &json!("ready")), "{receipt:#}");
    let chosen = &receipt["selection"];
    assert_eq!(
        (&chosen["executionPack"], &chosen["executionPackSource"]),
        (&json!("quick"), &json!("declared"))
    );
    let paths: Vec<_> =
        chosen["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["tests/a.sh", "tests/b.sh"]);
    assert_eq!(chosen["files"][0]["sha256"], sha256(&sandbox.root.join("tests/a.sh")));
    assert_eq!(
        chosen["excluded"],
        json!([
            {"path": "tests/slow/c.sh", "reason": "exclude slow/*"},
            {
                "path": "tests/x.Integration.sh",
                "reason": "integration test (*.Integration.sh), \
                           and the integration mode is exclude",
            },
        ])
    );
    assert_eq!(
        (&chosen["integrationMode"], &chosen["fixtureRequired"]),
        (&json!("exclude"), &json!(false))
    );
    let profile = &receipt["dispatcherProfile"];
    assert_eq!(profile["runLimit"], json!({"value": "7m", "source": "pack:quick"}));
    assert_eq!(profile["fileLimit"], json!({"value": "9s", "source": "profile:default"}));
    assert_eq!(profile["killGrace"], json!({"value": "2s", "source": "flag:--kill-grace"}));
    assert_eq!(profile["kind"], json!({"value": "scripts", "source": "file:dispatcher.kind"}));
    assert_eq!(profile["excludeTag"]["value"], json!(["Slow", "Integration"]));
    assert_eq!(
        receipt["shards"],
        json!([
            {"index": 1, "of": 2, "files": ["tests/a.sh"]},
            {"index": 2, "of": 2, "files": ["tests/b.sh"]},
        ])
    );
    assert_eq!(receipt["planSha256"].as_str().unwrap().len(), 64);
}

#[test]
fn execution_only_with_a_mocked_dispatcher() {
    // Prepared receipts, a dispatcher that is a stand-in, nothing of GitHub: execute runs by
    // itself.
    let sandbox = Sandbox::green();
    sandbox.script(
        "stand-in.sh",
        "mkdir -p out; printf '%s' \"$*\" > out/args; \
         { echo '<testsuites>'; \
         for f; do echo \"<testcase name='t' file='$f'/>\"; done; \
         echo '</testsuites>'; } > out/r.xml",
    );
    sandbox.file(".gitignore", "out/\n");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./stand-in.sh, \"{files}\", last], \
         results: [\"out/*.xml\"]}\n",
        "",
    );
    sandbox.commit();
    let seen = Chain::new(&sandbox).run();
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.codes());
    assert_eq!(
        fs::read_to_string(sandbox.root.join("out/args")).unwrap(),
        "tests/a.sh tests/b.sh last"
    );
    let receipt = seen.receipt("execute");
    assert_eq!(
        (&receipt["dispatcherExitCode"], &receipt["outcome"]["kind"]),
        (&json!(0), &json!("exited"))
    );
    assert_eq!(receipt["accounting"][0], json!({"path": "tests/a.sh", "state": "ran"}));
    let files: Vec<_> =
        receipt["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(files, ["dispatcher-events.ndjson", "reports/out/r.xml"]);
    assert_eq!(receipt["parents"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&receipt["contextStatus"], &receipt["readinessStatus"], &receipt["selectionStatus"]),
        (&json!("ready"), &json!("ready"), &json!("ready"))
    );
    assert_eq!(
        (&receipt["rawArtifactName"], &receipt["rawArtifactExpected"]),
        (&json!("pester-run-raw"), &json!(true))
    );
}

#[test]
fn post_on_missing_summary_skipped_blocked_and_failures() {
    let green = || Sandbox::green();
    // Missing: execute succeeded and nothing of it is there.
    let sandbox = green();
    let missing = Chain::new(&sandbox).without("execute").job("execute", "success", "").run();
    assert_eq!(missing.verdict(), ("seam-defect", "execute", "execution-receipt-missing", 6));
    assert_eq!(missing.outcome["counts"]["total"], 0);
    // Skipped: context stopped the chain, what came after has no reason of its own.
    let sandbox = green();
    sandbox.config("context: {required-paths: [gone]}\n");
    let skipped = Chain::new(&sandbox).run();
    assert_eq!(skipped.verdict(), ("context-blocked", "context", "required-path-missing", 3));
    assert!(
        skipped
            .codes()
            .iter()
            .all(|code| code != "receipt-missing" && code != "execution-receipt-missing")
    );
    // Blocked.
    let sandbox = green();
    let blocked = Chain::new(&sandbox).args("selection", &["--refine", "zzz"]).run();
    assert_eq!(blocked.verdict(), ("selection-blocked", "selection", "selection-empty", 5));
    assert_eq!(blocked.text("nextActionId"), "inspect-selection-receipt");
    assert_eq!(blocked.outcome["actionContext"], json!(["pester-selection.json"]));
    // Failures.
    let sandbox = green();
    sandbox.script("tests/c.sh", "echo reason; exit 4");
    let failed = Chain::new(&sandbox).run();
    assert_eq!(failed.verdict(), ("test-failures", "none", "tests-failed", 1));
    assert_eq!(failed.text("nextActionId"), "review-top-failures");
    assert_eq!(failed.outcome["counts"]["failed"], 1);
    assert!(failed.text("replay").ends_with("--file tests/c.sh"), "{}", failed.text("replay"));
}

#[test]
fn post_writes_classification_outcome_provenance_summary_and_report() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 4");
    let summary = sandbox.state.with_file_name("step-summary.md");
    let outputs = sandbox.state.with_file_name("outputs");
    let chain = Chain::new(&sandbox).env("post", "GITHUB_STEP_SUMMARY", summary.to_str().unwrap());
    let seen = chain.env("post", "GITHUB_OUTPUT", outputs.to_str().unwrap()).run();
    let evidence = read_json(&seen.folder.join("pester-evidence-classification.json"));
    assert_eq!(evidence["classification"], "test-failures");
    assert_eq!(
        (&evidence["contextStatus"], &evidence["executionJobResult"]),
        (&json!("warning"), &json!("failure"))
    );
    let provenance = read_json(&seen.folder.join("pester-evidence-provenance.json"));
    let roles: Vec<_> = provenance["sourceInputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["role"].as_str().unwrap())
        .collect();
    for role in
        ["context-receipt", "preflight-receipt", "selection-receipt", "execute-receipt", "raw"]
    {
        assert!(roles.contains(&role), "{role} in {roles:?}");
    }
    for file in provenance["sourceInputs"]
        .as_array()
        .unwrap()
        .iter()
        .chain(provenance["derivedOutputs"].as_array().unwrap())
    {
        let path = seen.folder.join(file["path"].as_str().unwrap());
        assert_eq!(file["sha256"], sha256(&path), "{}", path.display());
    }
    let markdown = fs::read_to_string(&summary).unwrap();
    assert_eq!(markdown, fs::read_to_string(seen.folder.join("summary.md")).unwrap());
    for part in
        ["test-failures", "tests/c.sh", "fix the failing tests", "| execute | `test-failures` |"]
    {
        assert!(markdown.contains(part), "{part} in\n{markdown}");
    }
    let report = fs::read_to_string(seen.folder.join("report.txt")).unwrap();
    assert!(report.contains("Verdict    tests failed (test-failures)\n"), "{report}");
    let outputs = fs::read_to_string(&outputs).unwrap();
    for name in [
        "status",
        "reason",
        "receipt-path",
        "receipt-sha256",
        "artifact-name",
        "classification",
        "failed-layer",
        "gate-status",
        "next-action",
        "total",
    ] {
        assert!(outputs.contains(&format!("{name}<<")), "{name} in\n{outputs}");
    }
}

#[test]
fn continuing_after_a_failure_is_a_notice_and_keeps_the_classification() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 4");
    let seen = sandbox.run(&["--continue-on-failure"], &[]);
    assert_eq!(seen.verdict(), ("test-failures", "none", "tests-failed", 0));
    assert_eq!(
        (seen.text("gateStatus"), &seen.outcome["continueOnError"]),
        ("notice", &json!(true))
    );
}

#[test]
fn fixtures_are_staged_as_verified_copies() {
    let sandbox = Sandbox::green();
    sandbox.file("data/VI1.vi", "original");
    sandbox.config(
        "fixtures: [{name: base/vi, path: data/VI1.vi, env: LV_BASE_VI}, \
         {name: later, path: data/none.vi, when: integration}]\n",
    );
    sandbox
        .script("tests/a.sh", "grep -q original \"$LV_BASE_VI\" && echo spoilt > \"$LV_BASE_VI\"");
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{}", seen.ran.stderr);
    assert_eq!(fs::read_to_string(sandbox.root.join("data/VI1.vi")).unwrap(), "original");
    assert_eq!(seen.receipt("preflight")["fixtures"][0]["env"], "LV_BASE_VI");
}

/// The second of two legs, in a folder of its own beside the first leg's receipts.
#[track_caller]
fn second_leg(sandbox: &Sandbox, folder: &Path, selection: &Path) {
    let (leg, context, readiness) =
        (folder.join("leg2"), folder.join(file_of("context")), folder.join(file_of("preflight")));
    let arguments = [
        "execute",
        "--out",
        leg.to_str().unwrap(),
        "--shard",
        "2/2",
        "--context-receipt",
        context.to_str().unwrap(),
        "--preflight-receipt",
        readiness.to_str().unwrap(),
        "--selection-receipt",
        selection.to_str().unwrap(),
    ];
    let ran = sandbox.gate(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn shards_together_make_the_whole() {
    let sandbox = Sandbox::green();
    sandbox.config("defaults: {shards: 2}\n");
    sandbox.commit();
    let seen = Chain::new(&sandbox)
        .args("execute", &["--shard", "1/2"])
        .after("execute", |sandbox, folder| {
            second_leg(sandbox, folder, &folder.join(file_of("selection")));
        })
        .without_digests()
        .run();
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.codes());
    assert_eq!(seen.outcome["counts"]["passed"], 2);
}

#[test]
fn legs_that_ran_different_plans_are_no_whole() {
    let sandbox = Sandbox::green();
    sandbox.config("defaults: {shards: 2}\n");
    sandbox.commit();
    let seen = Chain::new(&sandbox)
        .args("execute", &["--shard", "1/2"])
        .after("execute", |sandbox, folder| {
            // The other leg ran by a selection of its own, which nobody hands on.
            let other = sandbox.state.with_file_name("other");
            let context = folder.join(file_of("context"));
            let arguments = [
                "selection",
                "--out",
                other.to_str().unwrap(),
                "--context-receipt",
                context.to_str().unwrap(),
            ];
            assert_eq!(sandbox.gate(&arguments).code, 0);
            second_leg(sandbox, folder, &other.join(file_of("selection")));
        })
        .without_digests()
        .run();
    assert_eq!(
        seen.verdict(),
        ("selection-blocked", "selection", "receipt-digest-mismatch", 5),
        "{:?}",
        seen.codes()
    );
}

#[test]
fn the_newest_attempt_counts_where_nobody_names_one() {
    let sandbox = Sandbox::green();
    sandbox.script("tests/c.sh", "exit 4");
    let seen = Chain::new(&sandbox)
        .after("preflight", |_, folder| {
            // An older readiness receipt of the same run in a sub-folder, blocked: history.
            let mut old = read_json(&folder.join(file_of("preflight")));
            old["status"] = Value::from("blocked");
            old["generatedAtUtc"] = Value::from("2020-01-01T00:00:00Z");
            fs::create_dir_all(folder.join("early")).unwrap();
            fs::write(folder.join("early").join(file_of("preflight")), old.to_string()).unwrap();
        })
        .run();
    assert_eq!(seen.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", seen.codes());
}
