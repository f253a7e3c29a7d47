//! The documentation says what the program does: generated parts are what the code generates, the
//! README's output is the real one, acceptance names tests that exist.
//!
//! `PESTER_GATE_WRITE_DOCS=1 cargo test docs` writes the generated parts anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Sandbox, walk};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn marks(place: &str) -> (String, String) {
    (format!("<!-- generated: {place} -->\n"), format!("<!-- end: {place} -->"))
}

#[test]
fn generated_parts_are_what_the_code_says() {
    let writing = std::env::var_os("PESTER_GATE_WRITE_DOCS").is_some();
    let mut stale = Vec::new();
    let of_code =
        pester_gate::docs::parts().into_iter().map(|part| (part.file, part.place, part.text));
    for (name, place, text) in of_code.chain(of_files()) {
        let path = file(&name);
        let now = fs::read_to_string(&path).unwrap_or_default();
        let should = match place {
            None => text.clone(),
            Some(place) => {
                let (open, close) = marks(place);
                let (before, rest) =
                    now.split_once(&open).unwrap_or_else(|| panic!("{name} has no place {place}"));
                let (_, after) = rest
                    .split_once(&close)
                    .unwrap_or_else(|| panic!("{name}: {place} does not end"));
                format!("{before}{open}{text}{close}{after}")
            }
        };
        if now != should {
            stale.push(name.clone());
            if writing {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, should).unwrap();
            }
        }
    }
    assert!(
        writing || stale.is_empty(),
        "stale: {stale:?}; run PESTER_GATE_WRITE_DOCS=1 cargo test docs"
    );
}

/// The actions and the workflow that is called, one place each.
const ACTIONS: [(&str, &str); 8] = [
    ("gate", ".github/workflows/gate.yml"),
    ("action", "action.yml"),
    ("route", "actions/route/action.yml"),
    ("context", "actions/context/action.yml"),
    ("preflight", "actions/preflight/action.yml"),
    ("selection", "actions/selection/action.yml"),
    ("execute", "actions/execute/action.yml"),
    ("post", "actions/post/action.yml"),
];

/// Parts that are made from files of the repository: inputs and outputs of the actions, and the
/// scenarios of the workflows.
fn of_files() -> Vec<(String, Option<&'static str>, String)> {
    let mut parts: Vec<(String, Option<&'static str>, String)> = ACTIONS
        .iter()
        .map(|(place, path)| ("docs/actions.md".to_owned(), Some(*place), action_table(path)))
        .collect();
    let list = Command::new("python3").arg(file("tests/workflows/suite.py")).arg("--list").output();
    match list {
        Ok(list) if list.status.success() => {
            let text = String::from_utf8(list.stdout).unwrap();
            parts.push(("docs/workflow-scenarios.md".to_owned(), Some("scenarios"), text));
        }
        _ => println!(
            "skipped: Python is not there, so the table of workflow scenarios was not compared"
        ),
    }
    parts
}

fn action_table(path: &str) -> String {
    let action: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(file(path)).unwrap()).unwrap();
    // A workflow has them below its trigger.
    let called = action.get("on").and_then(|on| on.get("workflow_call"));
    let rows = |key: &str| {
        let entries = called
            .unwrap_or(&action)
            .get(key)
            .and_then(serde_yaml::Value::as_mapping)
            .cloned()
            .unwrap_or_default();
        let text = |value: &serde_yaml::Value, key: &str| {
            value
                .get(key)
                .and_then(serde_yaml::Value::as_str)
                .unwrap_or_default()
                .replace('|', "\\|")
        };
        entries.into_iter().map(move |(name, value)| {
            (
                name.as_str().unwrap().to_owned(),
                text(&value, "default"),
                text(&value, "description"),
            )
        })
    };
    let mut out = String::from("| input | default | meaning |\n|---|---|---|\n");
    for (name, default, meaning) in rows("inputs") {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        out.push_str(&format!("| `{name}` | {default} | {meaning} |\n"));
    }
    out.push_str("\n| output | meaning |\n|---|---|\n");
    let shard = |name: &str| name.strip_prefix("receipt-sha256-").is_some_and(|k| k != "1");
    for (name, _, meaning) in rows("outputs").filter(|(name, _, _)| !shard(name)) {
        let (name, meaning) = match name.as_str() {
            "receipt-sha256-1" => {
                ("receipt-sha256-1` to `-16", "The digest, where this was that shard")
            }
            _ => (name.as_str(), meaning.as_str()),
        };
        out.push_str(&format!("| `{name}` | {meaning} |\n"));
    }
    out
}

/// Every command of the runbook, on a run that it could be about: it is one, and it answers.
#[cfg(unix)]
#[test]
fn every_command_of_the_runbook_runs() {
    let sandbox = crate::harness::Sandbox::green();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.ran.code, 0, "{:?}", seen.ran);
    let event = sandbox.state.with_file_name("event.json");
    fs::write(&event, "{\"repository\": {\"full_name\": \"octo/widgets\"}}").unwrap();
    let values = [
        ("{root}", sandbox.root.to_str().unwrap()),
        ("{dir}", seen.folder.to_str().unwrap()),
        ("{pack}", "full"),
        ("{file}", "tests/a.sh"),
        ("{event}", event.to_str().unwrap()),
        ("{code}", "tests-failed"),
    ];
    let commands = pester_gate::docs::replay_commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("pester-gate"), "{command}");
        let words: Vec<&str> = words
            .map(|word| {
                values.iter().find(|(name, _)| *name == word).map_or(word, |(_, value)| value)
            })
            .collect();
        assert!(
            !words.iter().any(|word| word.contains('{')),
            "{command} asks for what nobody fills in"
        );
        let ran = sandbox.gate_in(&words, &[("GITHUB_EVENT_NAME", "push"), ("GITHUB_RUN_ID", "1")]);
        // What it finds is another matter; that it is a command is not.
        assert!(![2, 70].contains(&ran.code), "{command}: {ran:?}");
        assert!(!ran.stdout.is_empty() || !ran.stderr.is_empty(), "{command} says nothing");
    }
}

#[test]
fn no_schema_is_left_behind() {
    let known: Vec<String> = pester_gate::docs::parts().into_iter().map(|part| part.file).collect();
    for entry in fs::read_dir(file("docs/schemas")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&format!("docs/schemas/{name}")), "{name} is generated by nothing");
    }
}

/// What the README shows for a command, after its `$` line.
#[cfg(unix)]
fn shown(readme: &str, command: &str) -> String {
    let at = readme
        .find(&format!("$ {command}\n"))
        .unwrap_or_else(|| panic!("the README does not show {command}"));
    let rest = &readme[at..];
    let rest = &rest[rest.find('\n').unwrap() + 1..];
    rest.split("```").next().unwrap().split("\n$ ").next().unwrap().trim_end().to_owned()
}

/// The quickstart in a clone of its own: committed, clean, without a remote.
#[cfg(unix)]
fn quickstart() -> Sandbox {
    let sandbox = Sandbox::new();
    for entry in [
        "pester-gate.yml",
        "tests/green/addition.sh",
        "tests/green/sorting.sh",
        "tests/green/needs-hardware.sh",
        "tests/red/greeting.sh",
    ] {
        let text = fs::read_to_string(file("examples/quickstart").join(entry)).unwrap();
        sandbox.file(&format!("examples/quickstart/{entry}"), &text);
        if entry.ends_with(".sh") {
            sandbox.executable(&format!("examples/quickstart/{entry}"));
        }
    }
    sandbox.git(&["init", "-q", "-b", "main"]);
    sandbox.commit();
    sandbox
}

/// The output without what differs from run to run: the state folder, the id of the run, times.
#[cfg(unix)]
fn settled(sandbox: &Sandbox, text: &str) -> String {
    let state = sandbox.state.to_str().unwrap();
    // The README's reader types no `--state-dir`, which these tests need.
    let typed = format!(" --state-dir '{}'", state.replace('\'', r"'\''"));
    let text = text.replace(&typed, "").replace(state, "~/.local/state/pester-gate");
    let id = regex::Regex::new(r"local-[0-9a-f-]{36}").unwrap();
    let time = regex::Regex::new(r" in \d+\.\d s").unwrap();
    let text = id.replace_all(&text, "local-ID");
    time.replace_all(&text, " in 0.0 s").trim_end().to_owned()
}

#[cfg(unix)]
#[test]
fn the_readme_shows_the_real_output() {
    let readme = fs::read_to_string(file("README.md")).unwrap();
    let sandbox = quickstart();
    let ran = sandbox.gate(&["run", "--root", "examples/quickstart", "--quiet"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let command = "cargo run -- run --root examples/quickstart";
    assert_eq!(settled(&sandbox, &ran.stdout), shown(&readme, command), "`{command}`");
}

/// The README's picture is drawn from the colored output of a run.
#[cfg(unix)]
#[test]
fn the_picture_shows_the_real_output() {
    let sandbox = quickstart();
    let arguments = ["run", "--root", "examples/quickstart", "--pack", "red"];
    let ran = sandbox.gate(&[&arguments[..], &["--color", "always", "--quiet"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let typed = format!("$ pester-gate {}", arguments.join(" "));
    let report = settled(&sandbox, &ran.stdout);
    assert!(report.contains("tests/red/greeting.sh"), "{report}");
    let text = format!("\u{1b}[2m{typed}\u{1b}[0m\n{report}");
    let drawn = crate::picture::svg("A failed run of pester-gate", &text);
    let path = file("docs/red-run.svg");
    if std::env::var_os("PESTER_GATE_WRITE_DOCS").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == drawn,
        "docs/red-run.svg is not what the run shows; run PESTER_GATE_WRITE_DOCS=1 cargo test docs"
    );
}

#[test]
fn the_quickstart_has_a_green_pack_a_red_pack_and_clear_refusals() {
    let sandbox = Sandbox::new();
    let root = file("examples/quickstart");
    for (arguments, exit, reason) in [
        (&["--pack", "green"][..], 0, "tests-passed"),
        (&["--pack", "red"], 1, "tests-failed"),
        (&["--pack", "purple"], 5, "pack-unknown"),
        (&["--refine", "nothing*"], 5, "selection-empty"),
    ] {
        let mut all = vec!["run", "--format", "json", "--root", root.to_str().unwrap()];
        all.extend(arguments);
        let ran = sandbox.gate(&all);
        assert_eq!((ran.code, ran.json()["reason"].as_str()), (exit, Some(reason)), "{ran:?}");
    }
}

/// Words that nobody should have to read twice; the glossary has the words to use instead.
const RULED_OUT: [&str; 22] = [
    "whence",
    "amiss",
    "mend",
    "mended",
    "owed",
    "beside",
    "what holds",
    "came to",
    "comes to",
    "is told",
    "are told",
    "was told",
    "told of",
    "a bug of ours",
    "nobody says",
    "where nobody",
    "seam defect",
    "the predecessor",
    "put out",
    "has the floor",
    "outlived",
    "charged to",
];

/// Every command of the help.
fn verbs(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.gate(&["--help"]).stdout;
    let names = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let verbs: Vec<String> = names
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    assert!(verbs.len() >= 15, "{verbs:?}");
    verbs
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let markdown = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    let mut pages: Vec<PathBuf> = walk(&file("docs")).into_iter().filter(markdown).collect();
    pages.extend(["README.md", "CHANGELOG.md", "SECURITY.md", "examples/README.md"].map(file));
    pages
}

#[test]
fn no_text_uses_a_word_that_is_ruled_out() {
    let sandbox = Sandbox::new();
    let mut texts = vec![("the help".to_owned(), sandbox.gate(&["--help"]).stdout)];
    for verb in verbs(&sandbox) {
        let help = sandbox.gate(&[&verb, "--help"]).stdout;
        texts.push((format!("the help of {verb}"), help));
    }
    for page in pages() {
        texts.push((page.display().to_string(), fs::read_to_string(&page).unwrap()));
    }
    for (_, path) in ACTIONS {
        let text = fs::read_to_string(file(path)).unwrap();
        let descriptions: Vec<&str> =
            text.lines().filter(|line| line.trim().starts_with("description:")).collect();
        assert!(!descriptions.is_empty(), "{path} describes nothing");
        texts.push((path.to_owned(), descriptions.join("\n")));
    }
    let words = regex::RegexBuilder::new(&format!(r"\b({})\b", RULED_OUT.join("|")))
        .case_insensitive(true)
        .build()
        .unwrap();
    let mut found = Vec::new();
    for (name, text) in texts {
        for (at, line) in text.lines().enumerate() {
            if let Some(word) = words.find(line) {
                found.push(format!("{name}:{}: {}", at + 1, word.as_str()));
            }
        }
    }
    assert!(found.is_empty(), "ruled-out words:\n{}", found.join("\n"));
}

/// Commands of the gate in the code blocks of the pages, each with its page.
fn documented_commands() -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside;
                continue;
            }
            let line = line.trim_start_matches("$ ");
            let words: Vec<String> = line
                .split_whitespace()
                .take_while(|word| *word != "--" && !word.starts_with('#'))
                .map(|word| word.trim_end_matches(';').to_owned())
                .collect();
            if inside && words.first().is_some_and(|word| word == "pester-gate") {
                commands.push((page.display().to_string(), words));
            }
        }
    }
    commands
}

#[test]
fn commands_in_the_documentation_use_flags_that_exist() {
    let sandbox = Sandbox::new();
    let verbs = verbs(&sandbox);
    let commands = documented_commands();
    assert!(commands.len() >= 20, "{commands:?}");
    for (page, words) in commands {
        let Some(verb) = words.get(1).filter(|verb| *verb != "--version") else { continue };
        assert!(verbs.contains(verb), "{page}: there is no command {verb}");
        let help = sandbox.gate(&[verb, "--help"]).stdout;
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let name = flag.split('=').next().unwrap();
            let known = help.split_whitespace().any(|word| word == name);
            assert!(known, "{page}: {verb} has no flag {name}");
        }
    }
}

#[test]
fn acceptance_names_tests_that_exist() {
    let acceptance = fs::read_to_string(file("docs/acceptance.md")).unwrap();
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let mut known = String::from_utf8(list.stdout).unwrap();
    for entry in walk(&file("src")) {
        let module = entry
            .strip_prefix(file("src"))
            .unwrap()
            .with_extension("")
            .to_str()
            .unwrap()
            .replace('/', "::");
        for line in fs::read_to_string(&entry).unwrap().lines() {
            if let Some(name) =
                line.trim().strip_prefix("fn ").and_then(|rest| rest.split('(').next())
            {
                known.push_str(&format!(
                    "{}::tests::{name}: test\n",
                    module.trim_end_matches("::mod")
                ));
            }
        }
    }
    let mut named = 0;
    for name in acceptance.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
        assert!(
            known.lines().any(|line| line == format!("{name}: test")),
            "docs/acceptance.md names {name}, which is no test"
        );
        named += 1;
    }
    assert!(named >= 20, "only {named} tests are named");
}

/// The headings of a page, as links name them.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    titles
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|title| title.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> = walk(&file("docs"))
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "md"))
        .collect();
    documents.extend([file("README.md"), file("CHANGELOG.md")]);
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (target, heading) = link.split_once('#').unwrap_or((link, ""));
            if target.contains("://") {
                continue;
            }
            let path = match target {
                "" => document.clone(),
                target => document.parent().unwrap().join(target),
            };
            assert!(path.exists(), "{}: {link} leads nowhere", document.display());
            let leads = heading.is_empty() || headings(&path).iter().any(|known| known == heading);
            assert!(leads, "{}: {link} leads to no heading", document.display());
        }
    }
}

#[test]
fn every_configuration_key_is_described() {
    let schema =
        fs::read_to_string(file("docs/schemas/pester-gate-configuration@v1.json")).unwrap();
    let described = fs::read_to_string(file("docs/configuration.md")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        let ways = [
            format!("`{key}`"),
            format!(".{key}`"),
            format!("`{key}."),
            format!(".{key}."),
            format!("`{key}[]"),
        ];
        assert!(
            ways.iter().any(|way| described.contains(way)),
            "docs/configuration.md does not describe {key}"
        );
    }
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(properties) = fields.get("properties").and_then(|p| p.as_object()) {
                keys.extend(properties.keys().cloned());
            }
            fields.values().for_each(|value| collect_keys(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}
