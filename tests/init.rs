//! `init` in repositories of every kind, and the examples, whose configurations it writes.

use std::fs;
use std::path::Path;

use crate::harness::{Sandbox, walk};

/// The folder of an example.
fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// Copies an example without the configurations that it has.
fn copy(name: &str, sandbox: &Sandbox) {
    let folder = example(name);
    for path in walk(&folder) {
        let below = path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
        if !below.starts_with("pester-gate") {
            sandbox.file(&below, &fs::read_to_string(&path).unwrap());
            if below.ends_with(".sh") {
                sandbox.executable(&below);
            }
        }
    }
}

/// Every example, but those of which a person wrote the configuration.
fn examples() -> Vec<String> {
    let by_hand = ["pester", "quickstart"];
    let mut names: Vec<String> = fs::read_dir(example("."))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !by_hand.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

#[test]
fn init_writes_what_the_repository_needs_and_never_over_what_is_there() {
    let sandbox = Sandbox::green();
    let (config, workflow) =
        (sandbox.root.join("pester-gate.yml"), ".github/workflows/pester-gate.yml");
    let path = sandbox.root.join(workflow);
    let own = fs::read_to_string(&config).unwrap();
    let did = |ran: &crate::harness::Ran| -> Vec<String> {
        ran.json()["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["did"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = sandbox.gate(&["init", "--format", "json"]);
    assert_eq!(
        (first.code, did(&first)),
        (0, vec!["kept".to_owned(), "wrote".to_owned()]),
        "{first:?}"
    );
    assert_eq!(fs::read_to_string(&config).unwrap(), own);
    let one = fs::read_to_string(&path).unwrap();
    assert!(
        one.contains("runs-on: [\"ubuntu-latest\"]") && one.contains("/pester-gate@v"),
        "{one}"
    );
    let again = sandbox.gate(&["init", "--format", "json"]);
    assert_eq!(
        (again.code, did(&again)),
        (0, vec!["kept".to_owned(), "unchanged".to_owned()]),
        "{again:?}"
    );

    // Nothing is written below the top, or through what is no folder of the repository's.
    let below = sandbox.gate(&["init", "--root", "tests"]);
    assert!(below.code == 2 && below.stderr.contains("run init there"), "{below:?}");
    assert!(!sandbox.root.join("tests/.github").exists());
    let named = sandbox.gate(&["init", "--config", "../other.yml"]);
    assert!(named.code == 2 && named.stderr.contains("--config"), "{named:?}");
    #[cfg(unix)]
    {
        let other = Sandbox::new();
        other.script("tests/test_a.sh", "exit 0");
        let outside = other.state.with_file_name("outside");
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, other.root.join(".github")).unwrap();
        let linked = other.gate(&["init"]);
        assert!(linked.code == 2 && linked.stderr.contains("is a link"), "{linked:?}");
        assert!(
            fs::read_dir(&outside).unwrap().next().is_none()
                && !other.root.join("pester-gate.yml").exists()
        );
        fs::remove_file(other.root.join(".github")).unwrap();
        other.file(".github", "a file");
        let blocked = other.gate(&["init", "--force"]);
        assert!(blocked.code == 2 && !other.root.join("pester-gate.yml").exists(), "{blocked:?}");
    }

    // Another form in the same place is refused, and then nothing at all is written.
    fs::remove_file(&config).unwrap();
    let refused = sandbox.gate(&["init", "--layout", "five-jobs"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains(workflow) && refused.stderr.contains("--force"), "{refused:?}");
    assert!(!config.exists());
    assert_eq!(fs::read_to_string(&path).unwrap(), one);

    let arguments = [
        "--force",
        "--layout",
        "five-jobs",
        "--runner",
        "self-hosted",
        "--runner",
        "it's",
        "--format",
        "json",
    ];
    let forced = sandbox.gate(&[&["init"], &arguments[..]].concat());
    assert_eq!(
        (forced.code, did(&forced)),
        (0, vec!["wrote".to_owned(), "replaced".to_owned()]),
        "{forced:?}"
    );
    let five = fs::read_to_string(&path).unwrap();
    assert!(five.contains("runner: '[\"self-hosted\", \"it''s\"]'"), "{five}");
    let router = sandbox.gate(&[
        "init",
        "--trusted-pr",
        "--gate-repository",
        "acme/gate",
        "--gate-ref",
        "v7",
    ]);
    assert_eq!(router.code, 0, "{router:?}");
    let text = fs::read_to_string(sandbox.root.join(".github/workflows/trusted-pr.yml")).unwrap();
    assert!(
        text.contains("uses: acme/gate/actions/route@v7") && !text.contains("uses: ./"),
        "{text}"
    );
    assert!(router.stdout.contains("require the check `verdict`"), "{router:?}");
    assert!(!router.stdout.contains("OWNER"), "{router:?}");
}

#[test]
fn every_example_has_the_configuration_that_init_writes() {
    let names = examples();
    assert_eq!(names.len(), 17, "{names:?}");
    for name in names {
        let sandbox = Sandbox::new();
        copy(&name, &sandbox);
        let ran = sandbox.gate(&["init", "--format", "json"]);
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        let found = ran.json()["found"].as_array().unwrap().len();
        assert_eq!(found, 1, "{name}: {ran:?}");
        let written = fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
        let committed = example(&name).join("pester-gate.yml");
        if std::env::var_os("PESTER_GATE_WRITE_DOCS").is_some() {
            fs::write(&committed, &written).unwrap();
        }
        let committed = fs::read_to_string(&committed).unwrap_or_default().replace("\r\n", "\n");
        assert_eq!(
            committed, written,
            "{name}: PESTER_GATE_WRITE_DOCS=1 cargo test init writes it"
        );
    }
}

#[test]
fn what_init_writes_runs() {
    for (name, program) in [
        ("shell", "sh"),
        ("pytest", "pytest"),
        ("node-test", "node"),
        ("go", "go"),
        ("bats", "bats"),
    ] {
        let sandbox = Sandbox::new();
        copy(name, &sandbox);
        let ran = sandbox.gate(&["init"]);
        assert!(ran.code == 0 && ran.stdout.ends_with("next       pester-gate run\n"), "{ran:?}");
        if !crate::harness::on_path(program) {
            println!(
                "skipped: no {program}, so that what init writes for {name} runs was not proven"
            );
            continue;
        }
        // Go's cache has its place below the home folder, which a sandbox does not have.
        let cache = sandbox.state.with_file_name("go-cache");
        let gate = sandbox.run(&[], &[("GOCACHE", cache.to_str().unwrap())]);
        let passed = gate.outcome["counts"]["passed"].as_u64();
        assert_eq!((gate.ran.code, passed), (0, Some(1)), "{name}: {:?}", gate.outcome);
    }
}

#[test]
fn several_frameworks_have_a_configuration_each_and_one_workflow() {
    let sandbox = Sandbox::new();
    for name in ["pytest", "shell", "go"] {
        copy(name, &sandbox);
    }
    sandbox.file("Makefile", "test:\n\ttrue\n").file(".gitignore", "*.pyc\r\n");
    let ran = sandbox.gate(&["init", "--standing-priority", "advisory"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let read = |name: &str| fs::read_to_string(sandbox.root.join(name)).unwrap();
    for (name, part) in [
        ("pester-gate.yml", "\"pytest\""),
        ("pester-gate.yml", "also-run: [\"pester-gate.go.yml\", \"pester-gate.shell.yml\"]"),
        ("pester-gate.go.yml", "\"-fullpath\""),
        ("pester-gate.shell.yml", "kind: scripts"),
    ] {
        let text = read(name);
        assert!(text.contains(part) && text.contains("policy: \"advisory\""), "{text}");
        assert!(read(".github/workflows/pester-gate.yml").contains(name), "{name}");
    }
    assert_eq!(read(".gitignore"), "*.pyc\r\n# Results of the tests\r\n/pytest-results.xml\r\n");
    for part in [
        "seen       the target \"test\" of Makefile (not configured)\n",
        "PESTER_GATE_BIN",
        "next       pester-gate run\n",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    let again = sandbox.gate(&["init", "--force", "--standing-priority", "advisory"]);
    assert!(
        !again.stdout.contains("wrote") && !again.stdout.contains("replaced"),
        "{}",
        again.stdout
    );
}

#[test]
fn a_folder_of_several_repositories_is_refused() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state.with_file_name("projects");
    for name in ["a", "b"] {
        fs::create_dir_all(folder.join(name).join(".git")).unwrap();
        fs::write(folder.join(name).join("test_a.py"), "import pytest\n").unwrap();
    }
    let ran = sandbox.gate(&["init", "--root", folder.to_str().unwrap()]);
    assert!(ran.code == 2 && ran.stderr.contains("holds 2 (for example "), "{ran:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
}

#[test]
fn a_repository_without_a_known_framework_stays_as_it_is() {
    for (files, part) in [
        (&[][..], "no test framework was recognized"),
        (
            &[("pyproject.toml", "[project]\nname = \"x\"\n")],
            "pyproject.toml, but no Python test file",
        ),
        (&[("package.json", "{not json")], "package.json, which is not JSON"),
        (&[("tests/reset_database.sh", "exit 1\n")], "tests/reset_database.sh"),
        (&[("Makefile", "test:\n")], "the target \"test\" of Makefile"),
        (&[("\u{1b}[31m.csproj", "")], "\\u{1b}[31m.csproj"),
    ] {
        let sandbox = Sandbox::new();
        for (path, text) in files {
            sandbox.file(path, text);
        }
        let ran = sandbox.gate(&["init"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains(part) && ran.stderr.contains("nothing was written"), "{ran:?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
        let left = [".github", ".gitignore", "pester-gate.yml"]
            .iter()
            .find(|name| sandbox.root.join(name).exists());
        assert_eq!(left, None, "{files:?}");
    }
}

#[cfg(unix)]
#[test]
fn odd_names_are_quoted_wherever_they_stand() {
    let sandbox = Sandbox::new();
    let folder = "it's \"x\" äöü\n[b] \u{1b}[31m";
    sandbox.script(&format!("{folder}/test_a.sh"), "exit 0");
    let ran = sandbox.gate(&["init"]);
    assert!(ran.code == 0 && !ran.stdout.contains('\u{1b}'), "{ran:?}");
    assert!(ran.stdout.starts_with("found      1 shell file below it's"), "{ran:?}");
    let gate = sandbox.run(&[], &[]);
    assert_eq!(
        (gate.ran.code, gate.outcome["counts"]["passed"].as_u64()),
        (0, Some(1)),
        "{:?}",
        gate.outcome
    );
}

#[test]
fn fifty_thousand_files_are_looked_at_in_seconds() {
    let sandbox = Sandbox::new();
    for folder in 0..250 {
        let path = sandbox.root.join(format!("src/{folder}"));
        fs::create_dir_all(&path).unwrap();
        for file in 0..200 {
            fs::write(path.join(format!("test_{file}.py")), "def test_a(): pass\n").unwrap();
        }
    }
    let began = std::time::Instant::now();
    let ran = sandbox.gate(&["init"]);
    assert!(
        ran.code == 0 && ran.stdout.starts_with("found      50000 pytest files below src\n"),
        "{ran:?}"
    );
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[cfg(unix)]
#[test]
fn where_one_file_cannot_be_written_none_is() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = Sandbox::new();
    sandbox.script("tests/test_a.sh", "exit 0").file(".github/keep", "");
    let workflows = sandbox.root.join(".github");
    fs::set_permissions(&workflows, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(workflows.join("probe"), "").is_ok() {
        println!("skipped: this user may write everywhere, so a read-only checkout was not tried");
        return;
    }
    let ran = sandbox.gate(&["init"]);
    assert!(ran.code == 2 && ran.stderr.contains("nothing was written"), "{ran:?}");
    assert!(!sandbox.root.join("pester-gate.yml").exists(), "{ran:?}");
}
