//! Whole outputs, as a reader sees them: help, and the report of a run at a terminal. A change of
//! wording is a visible difference; `INSTA_UPDATE=always cargo test snapshots` accepts it.

use std::fs;

use crate::harness::Sandbox;

/// What differs from run to run: folders, ids, times.
fn settled(sandbox: &Sandbox, text: &str) -> String {
    let mut text = text.to_owned();
    for (folder, name) in [(&sandbox.state, "<state>"), (&sandbox.root, "<root>")] {
        let folder = folder.to_str().unwrap();
        // As a shell takes it, and as it is.
        text = text.replace(&format!("'{}'", folder.replace('\'', r"'\''")), name);
        text = text.replace(folder, name);
    }
    for (pattern, instead) in [
        (r"local-[0-9a-f-]{36}", "local-ID"),
        (r" in \d+\.\d s", " in 0.0 s"),
        (r"\(\d+\.\ds\)", "(0.0s)"),
        (r"searched /[^)]*\)", "searched <PATH>)"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    text
}

/// Commands of the help, in its order.
const VERBS: [&str; 18] = [
    "init",
    "doctor",
    "run",
    "open",
    "runs",
    "results",
    "explain",
    "replay",
    "verify",
    "route",
    "context",
    "preflight",
    "selection",
    "execute",
    "post",
    "lock",
    "packs",
    "schema",
];

#[test]
fn help_reads_as_reviewed() {
    let sandbox = Sandbox::new();
    let top = sandbox.gate(&["--help"]);
    assert_eq!(top.code, 0, "{top:?}");
    for verb in VERBS {
        assert!(top.stdout.contains(&format!("\n  {verb} ")), "{verb} is not in the help");
    }
    insta::assert_snapshot!("help", top.stdout);
    insta::assert_snapshot!("help-run-short", sandbox.gate(&["run", "-h"]).stdout);
    let whole: String = VERBS
        .iter()
        .map(|verb| format!("== {verb} ==\n{}\n", sandbox.gate(&[verb, "--help"]).stdout))
        .collect();
    insta::assert_snapshot!("help-all", whole);
}

#[test]
fn reports_at_a_terminal_read_as_reviewed() {
    let show = |name: &str, sandbox: &Sandbox, arguments: &[&str]| {
        let ran = sandbox.gate(arguments);
        let text = format!("{}exit code {}\n", settled(sandbox, &ran.stdout), ran.code);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let mut once = lines.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), lines.len(), "a line appears twice:\n{text}");
        insta::assert_snapshot!(name, text);
    };
    let sandbox = Sandbox::green();
    show("run-passed", &sandbox, &["run"]);
    sandbox.file("tests/sums.py", &"\n".repeat(9));
    sandbox.script(
        "tests/c.sh",
        "printf '\\033[31mred\\033[0m\\tand a tab\\n'; \
         echo 'tests/sums.py:7: Expected 4, but got 5.'; exit 1",
    );
    show("run-failed", &sandbox, &["run"]);
    show("run-unknown-pack", &sandbox, &["run", "--pack", "ful"]);
    show("run-empty-selection", &sandbox, &["run", "--refine", "z*"]);
    show("run-file-missing", &sandbox, &["run", "--file", "tests/z.sh"]);
    show(
        "command-failed",
        &sandbox,
        &["run", "--", "sh", "-c", "echo 'error: no such flag --x' >&2; exit 2"],
    );
    show("command-without-report", &sandbox, &["run", "--", "true"]);
    show("command-missing", &sandbox, &["run", "--", "no-such-program"]);
    fs::write(sandbox.root.join("pester-gate.yml"), "limits:\n\trun: 1m\n").unwrap();
    let tab = sandbox.gate(&["run"]);
    assert_eq!(tab.code, 2);
    insta::assert_snapshot!("configuration-with-a-tab", settled(&sandbox, &tab.stderr));
    fs::remove_file(sandbox.root.join("pester-gate.yml")).unwrap();
    show("configuration-missing", &sandbox, &["run"]);
}

#[test]
fn explanations_read_as_reviewed() {
    let sandbox = Sandbox::new();
    for word in ["tests-failed", "seam-defect", "test-failures"] {
        let ran = sandbox.gate(&["explain", word]);
        assert!(ran.code == 0 && !ran.stdout.contains(['{', '}']), "{word}: {ran:?}");
        insta::assert_snapshot!(format!("explain-{word}"), ran.stdout);
    }
    insta::assert_snapshot!("explain-unknown", sandbox.gate(&["explain", "result-missing"]).stderr);
}
