//! Hostile input: names and texts that would like to be commands.

use std::fs;

use crate::harness::{Chain, Sandbox, read_json};

/// File names that a checkout can hold on this platform.
fn names() -> Vec<String> {
    let mut names = vec![
        "plain".to_owned(),
        "with space".to_owned(),
        "quote'single".to_owned(),
        "$(touch pwned)".to_owned(),
        "`touch pwned`".to_owned(),
        "; touch pwned".to_owned(),
        "& touch pwned &".to_owned(),
        "--help".to_owned(),
        "[bracket]".to_owned(),
        "##[error]x".to_owned(),
        "%0A::error::x".to_owned(),
        "right\u{202e}to\u{202c}left".to_owned(),
        "zero\u{200b}width".to_owned(),
        "é-ü-漢字-🙂".to_owned(),
        "a".repeat(200),
    ];
    if cfg!(unix) {
        names.extend([
            "quote\"double".to_owned(),
            "new\nline".to_owned(),
            "::error::boom".to_owned(),
            "line\n::error file=x::boom".to_owned(),
            "\u{1b}[31mred\u{1b}[0m".to_owned(),
            "<script>alert(1)</script>".replace('/', "_"),
            "pipe|table|`code`".to_owned(),
            "back\\slash".to_owned(),
            "EOF\nother=1".to_owned(),
            "![x](http:__evil)".to_owned(),
        ]);
    }
    names
}

#[test]
fn hostile_file_names_run_and_stay_names() {
    let sandbox = Sandbox::green();
    let names = names();
    for name in &names {
        sandbox.script(&format!("tests/{name}.sh"), "exit 1");
    }
    let summary = sandbox.state.with_file_name("summary.md");
    let outputs = sandbox.state.with_file_name("outputs");
    let seen = Chain::new(&sandbox)
        .env("*", "GITHUB_ACTIONS", "true")
        .env("*", "GITHUB_RUN_ID", "1")
        .env("*", "GITHUB_REPOSITORY", "octo/widgets")
        .env("*", "GITHUB_OUTPUT", outputs.to_str().unwrap())
        .env("post", "GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
        .run();
    assert_eq!(seen.verdict(), ("test-failures", "none", "tests-failed", 1), "{:?}", seen.codes());
    assert_eq!(seen.outcome["counts"]["failed"], names.len());
    assert!(!sandbox.root.join("pwned").exists(), "a file name was executed");

    let recorded: Vec<String> = seen.receipt("selection")["selection"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    for name in &names {
        assert!(recorded.contains(&format!("tests/{name}.sh")), "{name:?} is not as it was");
    }

    // The summary: every line is one of ours; nothing that came from outside begins one or is markup.
    let markdown = fs::read_to_string(&summary).unwrap();
    for line in markdown.lines() {
        let ours =
            ["## ", "### ", "**", "| ", "|---", "- `", "- 5 more in", "`"].iter().any(|start| line.starts_with(start))
                || line.is_empty();
        assert!(ours, "{line:?}");
        let outside: String = line.split('`').step_by(2).collect();
        assert!(!outside.contains("<script") && !outside.contains("](http"), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{line:?}");
    }
    // The outputs file: only names of ours are set.
    let outputs = fs::read_to_string(&outputs).unwrap();
    let mut lines = outputs.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap_or_else(|| panic!("{line:?} is no output"));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name:?}");
        assert!(lines.by_ref().any(|line| line == delimiter), "{name} does not end");
    }
    // The screen: no control characters, and no line of stderr that the runner would take for a command.
    for line in seen.ran.stderr.lines() {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
    }
}

#[test]
fn the_run_command_shows_hostile_names_and_output_harmlessly() {
    let sandbox = Sandbox::green();
    let name = if cfg!(unix) { "x\n::error::boom\u{1b}[31m" } else { "x" };
    sandbox.script(
        &format!("tests/{name}.sh"),
        "echo '::set-output name=a::b'; echo '##[error]x'; printf '\\033[31mred\\n'; exit 1",
    );
    let ran = sandbox.gate_in(
        &["run"],
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "1"), ("GITHUB_REPOSITORY", "octo/widgets")],
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    for line in ran.stdout.lines().chain(ran.stderr.lines()) {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    assert!(ran.stderr.contains("set-output"), "the output itself is shown");
}

#[test]
fn results_full_of_hostile_names_leave_the_summary_whole() {
    let sandbox = Sandbox::green();
    let cases: String = [
        "&#10;## pwned",
        "`&#96;``",
        "|a|b|",
        "&lt;img src=x&gt;",
        "&#x202e;x",
        "::error::x",
        "ghp_0123456789abcdefghij0123456789abcdef",
    ]
    .iter()
    .map(|name| format!("<testcase name=\"{name}\"><failure message=\"{name}\"/></testcase>"))
    .collect();
    sandbox.file("cases.xml", &format!("<testsuites>{cases}</testsuites>"));
    let seen =
        sandbox.run(&["--results", "out/*.xml", "--", "sh", "-c", "mkdir -p out; cp cases.xml out/; exit 1"], &[]);
    assert_eq!(seen.outcome["counts"]["failed"], 7, "{:?}", seen.codes());
}

#[test]
fn a_configuration_value_that_looks_like_a_command_is_an_argument() {
    let sandbox = Sandbox::green();
    sandbox.script("show.sh", "mkdir -p out; printf '%s\\n' \"$@\" > out/args; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./show.sh, \"$(touch pwned)\", \"; touch pwned\", \"a b\"], results: [\"out/*.xml\"]}\n",
        "",
    );
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.codes());
    assert_eq!(fs::read_to_string(sandbox.root.join("out/args")).unwrap(), "$(touch pwned)\n; touch pwned\na b\n");
    assert!(!sandbox.root.join("pwned").exists());
}

#[test]
fn explicit_files_do_not_climb_out() {
    let sandbox = Sandbox::green();
    fs::write(sandbox.root.with_file_name("outside.sh"), "exit 0").unwrap();
    for path in ["../outside.sh", "/etc/passwd", "tests/../../outside.sh"] {
        let seen = sandbox.run(&["--file", path], &[]);
        assert_eq!(seen.verdict(), ("selection-blocked", "selection", "test-file-missing", 5), "{path}");
        fs::remove_dir_all(&sandbox.out).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn links_are_not_followed_out_of_the_tests() {
    let sandbox = Sandbox::green();
    let outside = sandbox.root.with_file_name("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("evil.sh"), "exit 0").unwrap();
    std::os::unix::fs::symlink(&outside, sandbox.root.join("tests/linked")).unwrap();
    std::os::unix::fs::symlink(outside.join("evil.sh"), sandbox.root.join("tests/one.sh")).unwrap();
    std::os::unix::fs::symlink(sandbox.root.join("tests"), sandbox.root.join("tests/loop")).unwrap();
    let seen = sandbox.run(&[], &[]);
    assert_eq!((seen.ran.code, &seen.outcome["counts"]["total"]), (0, &2.into()));
    let excluded = seen.receipt("selection")["selection"]["excluded"].to_string();
    assert!(excluded.contains("tests/one.sh") && excluded.contains("a link"), "{excluded}");
}

#[test]
fn receipts_that_are_bombs_are_refused() {
    let sandbox = Sandbox::green();
    let seen = Chain::new(&sandbox)
        .without_digests()
        .after("preflight", |_, folder| {
            let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
            fs::write(folder.join("selfhosted-readiness.json"), deep).unwrap();
        })
        .run();
    assert_eq!(seen.verdict(), ("readiness-blocked", "preflight", "receipt-corrupt", 4));
    let outcome = read_json(&seen.folder.join("pester-operator-outcome.json"));
    assert_eq!(outcome["failedLayer"], "preflight");
}
