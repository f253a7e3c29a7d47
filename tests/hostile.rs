//! Hostile input: names and texts that would like to be commands.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::harness::{Chain, Sandbox, read_json, walk};

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

    // The summary: every line is one of ours; nothing that came from outside begins one or is
    // markup.
    let markdown = fs::read_to_string(&summary).unwrap();
    let mut block: Option<&str> = None;
    for line in markdown.lines() {
        assert!(
            !line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)),
            "{line:?}"
        );
        if let Some(fence) =
            line.strip_suffix("text").filter(|fence| block.is_none() && fence.starts_with("```"))
        {
            block = Some(fence);
            continue;
        }
        if let Some(fence) = block {
            // Inside a block anything may stand but its end.
            block = block.filter(|_| line != fence);
            continue;
        }
        let starts = ["## ", "### ", "**", "| ", "|---", "Again: `", "`"];
        let ours = line.is_empty()
            || starts.iter().any(|start| line.starts_with(start))
            || ["The run is complete: ", "No test ran. ", "The failed layer is "]
                .iter()
                .any(|start| line.starts_with(start))
            || line
                .split_once(" more ")
                .is_some_and(|(count, _)| count.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(ours, "{line:?}");
        let outside: String = line.split('`').step_by(2).collect();
        assert!(!outside.contains("<script") && !outside.contains("](http"), "{line:?}");
    }
    assert!(block.is_none(), "a block has no end");
    // The outputs file: only names of ours are set.
    let outputs = fs::read_to_string(&outputs).unwrap();
    let mut lines = outputs.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) =
            line.split_once("<<").unwrap_or_else(|| panic!("{line:?} is no output"));
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{name:?}"
        );
        assert!(lines.by_ref().any(|line| line == delimiter), "{name} does not end");
    }
    // The screen: no control characters, and no line of stderr that the runner would take for a
    // command.
    for line in seen.ran.stderr.lines() {
        assert!(is_harmless(line), "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
    }
}

/// No command to the runner, but for an annotation of ours: a kind, properties of which none holds
/// a comma or a colon, a message in one line.
fn is_harmless(line: &str) -> bool {
    if line.contains("##[") {
        return false;
    }
    let Some(command) = line.trim_start().strip_prefix("::") else { return true };
    let (head, message) = command.split_once("::").unwrap_or_default();
    let (kind, properties) = head.split_once(' ').unwrap_or_default();
    let named =
        properties.split(',').filter_map(|property| property.split_once('=')).map(|(name, _)| name);
    let names: Vec<&str> = named.collect();
    ["error", "warning"].contains(&kind)
        && !message.is_empty()
        && (names == ["title"] || names == ["file", "title"] || names == ["file", "line", "title"])
        && properties.split(',').count() == names.len()
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
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "1"),
            ("GITHUB_REPOSITORY", "octo/widgets"),
        ],
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    for line in ran.stdout.lines().chain(ran.stderr.lines()) {
        assert!(is_harmless(line), "{line:?}");
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
    let seen = sandbox.run(
        &["--results", "out/*.xml", "--", "sh", "-c", "mkdir -p out; cp cases.xml out/; exit 1"],
        &[],
    );
    assert_eq!(seen.outcome["counts"]["failed"], 7, "{:?}", seen.codes());
}

#[test]
fn a_configuration_value_that_looks_like_a_command_is_an_argument() {
    let sandbox = Sandbox::green();
    sandbox.script(
        "show.sh",
        "mkdir -p out; printf '%s\\n' \"$@\" > out/args; \
         echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml",
    );
    sandbox.config_with(
        "dispatcher: {kind: command, \
         command: [./show.sh, \"$(touch pwned)\", \"; touch pwned\", \"a b\"], \
         results: [\"out/*.xml\"]}\n",
        "",
    );
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.codes());
    assert_eq!(
        fs::read_to_string(sandbox.root.join("out/args")).unwrap(),
        "$(touch pwned)\n; touch pwned\na b\n"
    );
    assert!(!sandbox.root.join("pwned").exists());
}

#[test]
fn explicit_files_do_not_climb_out() {
    let sandbox = Sandbox::green();
    fs::write(sandbox.root.with_file_name("outside.sh"), "exit 0").unwrap();
    for path in ["../outside.sh", "/etc/passwd", "tests/../../outside.sh"] {
        let seen = sandbox.run(&["--file", path], &[]);
        assert_eq!(
            seen.verdict(),
            ("selection-blocked", "selection", "test-file-missing", 5),
            "{path}"
        );
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
    std::os::unix::fs::symlink(sandbox.root.join("tests"), sandbox.root.join("tests/loop"))
        .unwrap();
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

/// What a gate says of a run in which everything that comes from outside is this text: job results,
/// outputs, and the structure of both summaries.
fn said_with(
    text: &str,
) -> (BTreeMap<&'static str, String>, BTreeMap<String, String>, Vec<String>) {
    let sandbox = Sandbox::green();
    // What a file name, a variable or XML cannot hold is left out there.
    let no_null = text.replace('\0', "");
    let token = text.starts_with("ghs_") || text.starts_with("github_pat_");
    if !token {
        let name: String = no_null.chars().filter(|c| *c != '/').take(60).collect();
        let name = if cfg!(windows) {
            name.replace(['<', '>', ':', '"', '|', '?', '*', '\\', '\n', '\r'], "")
        } else {
            name
        };
        sandbox.script(&format!("tests/{name}.sh"), "exit 0");
    }
    let xml: String =
        no_null.chars().map(|c| if c < ' ' && !"\n\r\t".contains(c) { '?' } else { c }).collect();
    let xml =
        xml.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let lines = xml.replace('\n', "&#10;").replace('\r', "&#13;");
    sandbox.file(
        "cases.xml",
        &format!(
            "<testsuites><testsuite name=\"{lines}\">\
             <testcase name=\"{lines}\" classname=\"{lines}\" file=\"{lines}\">\
             <failure message=\"{lines}\">{xml}</failure></testcase></testsuite></testsuites>"
        ),
    );
    sandbox.file("text", text);
    let dispatcher = "dispatcher: {kind: command, command: [sh, -c, \
                      \"cat text; cat text >&2; mkdir -p out; cp cases.xml out/; exit 1\"], \
                      results: [\"out/*.xml\"]}\n";
    sandbox.config_with(dispatcher, "");
    let head = sandbox.commit();
    let event = json!({
        "number": 7,
        "repository": {"full_name": "octo/widgets"},
        "pull_request": {
            "number": 7, "title": text, "body": text, "user": {"login": text},
            "labels": [{"name": text}],
            "head": {"ref": text, "sha": head, "repo": {"full_name": "octo/widgets"}},
            "base": {"ref": text, "sha": head, "repo": {"full_name": "octo/widgets"}},
        },
    });
    let beside = |name: &str| sandbox.state.with_file_name(name);
    fs::write(beside("event.json"), event.to_string()).unwrap();
    let path = |name: &str| beside(name).to_str().unwrap().to_owned();
    let seen = Chain::new(&sandbox)
        .env("*", "GITHUB_ACTIONS", "true")
        .env("*", "GITHUB_RUN_ID", "1")
        .env("*", "GITHUB_REPOSITORY", "octo/widgets")
        .env("*", "GITHUB_EVENT_NAME", "pull_request")
        .env("*", "GITHUB_EVENT_PATH", &path("event.json"))
        .env("*", "GITHUB_WORKFLOW", &no_null)
        .env("*", "GITHUB_JOB", &no_null)
        .env("*", "GITHUB_HEAD_REF", &no_null)
        .env("*", "GITHUB_OUTPUT", &path("outputs"))
        .env("*", "GITHUB_STEP_SUMMARY", &path("summary.md"))
        .run();
    // Route sees the same event as a stranger's.
    let routed = sandbox.gate_in(
        &["route", "--event", &path("event.json"), "--event-name", "pull_request_target"],
        &[
            ("GITHUB_STEP_SUMMARY", &path("route.md")),
            ("GITHUB_REPOSITORY", "octo/widgets"),
            ("GITHUB_RUN_ID", "1"),
        ],
    );
    assert!(!sandbox.root.join("pwned").exists(), "{text:?} was executed");
    for line in
        [&seen.ran.stderr, &routed.stdout, &routed.stderr].iter().flat_map(|shown| shown.lines())
    {
        assert!(is_harmless(line), "{text:?}: {line:?}");
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{text:?}: {line:?}");
    }
    if token {
        for file in walk(&sandbox.out) {
            let held = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
            assert!(!held.contains(text), "{} holds {text:?}", file.display());
        }
    }
    let mut results: BTreeMap<&'static str, String> = BTreeMap::new();
    for (layer, receipt) in &seen.receipts {
        results.insert(layer, receipt["status"].as_str().unwrap_or_default().to_owned());
    }
    results.insert("verdict", format!("{:?}", seen.verdict()));
    results.insert(
        "route",
        format!("{} {}", routed.code, routed.stdout.split(':').next().unwrap_or_default()),
    );
    let mut structure = Vec::new();
    for name in ["summary.md", "route.md"] {
        structure.extend(structure_of(&fs::read_to_string(beside(name)).unwrap()));
    }
    (results, outputs_of(&fs::read_to_string(beside("outputs")).unwrap()), structure)
}

/// The outputs as the runner reads them; of those that differ in every run, that they are there.
fn outputs_of(file: &str) -> BTreeMap<String, String> {
    let (mut outputs, mut lines) = (BTreeMap::new(), file.lines());
    while let Some(line) = lines.next() {
        let (name, delimiter) =
            line.split_once("<<").unwrap_or_else(|| panic!("{line:?} is no output"));
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
        let differs = name.ends_with("-path") || name.contains("sha256");
        outputs.insert(name.to_owned(), if differs { String::new() } else { value.join("\n") });
    }
    outputs
}

/// The elements of a Markdown text, without their texts.
fn structure_of(markdown: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser};
    let element = |event: Event<'_>| match event {
        Event::Text(_) => None,
        Event::Code(_) => Some("Code".to_owned()),
        other => Some(format!("{other:?}")),
    };
    Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(element).collect()
}

#[test]
fn no_text_from_outside_changes_what_a_gate_says() {
    let texts: Vec<String> = serde_json::from_str(include_str!("data/hostile.json")).unwrap();
    assert!(texts.len() >= 30);
    let plain = said_with("plain");
    assert_eq!(plain.0["verdict"], "(\"test-failures\", \"none\", \"tests-failed\", 1)");
    assert!(plain.1.len() > 10 && plain.2.len() > 20, "{plain:?}");
    let next = std::sync::atomic::AtomicUsize::new(0);
    // Most of each is waiting for processes.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(text) =
                    texts.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let mut said = said_with(text);
                    // One file fewer is selected where the text cannot be a file's name.
                    said.1.insert("count".to_owned(), plain.1["count"].clone());
                    assert_eq!(said, plain, "{text:?}");
                }
            });
        }
    });
}
