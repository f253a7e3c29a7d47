//! What `init` writes for a repository that has no gate yet, from what a look at it found.

mod compiled;
mod config;
mod framework;
mod ignore;
mod scripting;
mod survey;
mod workflow;

pub(crate) use self::config::config;
pub(crate) use self::framework::{Framework, Setup};
pub(crate) use self::ignore::with_lines;
pub(crate) use self::survey::{Survey, TEXT_MOST, TEXTS_MOST, is_fixture, wanted};
pub(crate) use self::workflow::{Callee, Form, Gate, workflow};

use self::survey::{folder_of, name_of};

/// What a look at a repository found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// The frameworks that can be run, the preferred one first.
    pub(crate) setups: Vec<Setup>,
    /// What was seen and is not run by any of them.
    pub(crate) seen: Vec<String>,
}

impl Look {
    /// Over the paths and texts of a repository.
    pub(crate) fn over(survey: &Survey) -> Self {
        let mut seen = Vec::new();
        let mut setups: Vec<Setup> = Vec::new();
        setups.extend(scripting::pester(survey));
        setups.extend(scripting::python(survey, &mut seen));
        setups.extend(scripting::javascript(survey, &mut seen));
        setups.extend(compiled::go(survey, &mut seen));
        setups.extend(compiled::rust(survey, &mut seen));
        setups.extend(compiled::maven(survey, &mut seen));
        setups.extend(compiled::gradle(survey, &mut seen));
        setups.extend(compiled::dotnet(survey, &mut seen));
        setups.extend(compiled::ctest(survey, &mut seen));
        setups.extend(scripting::phpunit(survey, &mut seen));
        setups.extend(scripting::rspec(survey, &mut seen));
        setups.extend(scripting::bats(survey));
        let shell = scripting::shell(survey, &setups, &mut seen);
        setups.extend(shell);
        others(survey, &mut seen);
        Self { setups, seen }
    }

    /// The configuration of each setup: the first is the one that `run` finds by itself.
    pub(crate) fn config_name(&self, at: usize, name: &str) -> String {
        match (at, self.setups.get(at), name.strip_suffix(".yml")) {
            (1.., Some(setup), Some(stem)) => format!("{stem}.{}.yml", setup.framework.slug()),
            _ => name.to_owned(),
        }
    }
}

/// Names what `init` sees and has no framework for.
fn others(survey: &Survey, seen: &mut Vec<String>) {
    let at_root = |name: &str| survey.paths.iter().any(|path| path == name);
    for name in ["Makefile", "makefile", "GNUmakefile", "justfile"] {
        let is_target = |line: &&str| {
            let target = line.split_once(':').map(|(target, _)| target.trim_end());
            target.is_some_and(|target| ["test", "tests", "check"].contains(&target))
        };
        if let Some(line) = survey.text(name).and_then(|text| text.lines().find(is_target)) {
            let target = line.split(':').next().unwrap_or_default().trim_end();
            seen.push(format!("the target {target:?} of {name}"));
        }
    }
    for (name, what) in [
        ("tox.ini", "tox"),
        ("noxfile.py", "nox"),
        ("deno.json", "Deno"),
        ("bunfig.toml", "Bun"),
        ("mix.exs", "Elixir"),
        ("Package.swift", "Swift"),
        ("build.sbt", "sbt"),
        ("Taskfile.yml", "Task"),
        ("WORKSPACE", "Bazel"),
        ("MODULE.bazel", "Bazel"),
        ("meson.build", "Meson"),
        ("pubspec.yaml", "Dart"),
        ("rebar.config", "Erlang"),
        ("stack.yaml", "Haskell"),
    ] {
        if at_root(name) {
            seen.push(format!("{name} ({what})"));
        }
    }
    let ruby = survey.files(|path| {
        name_of(path).ends_with("_test.rb")
            || name_of(path).starts_with("test_") && path.ends_with(".rb")
    });
    if !ruby.is_empty() {
        let folder = survey::shared_folder(&ruby);
        seen.push(format!(
            "{} below {folder} (minitest or test-unit)",
            count(ruby.len(), "Ruby test file")
        ));
    }
    if survey.paths.iter().any(|path| folder_of(path).is_empty() && path.ends_with(".cabal")) {
        seen.push("a Cabal package (Haskell)".to_owned());
    }
}

/// A number of things, in words.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A text as a double-quoted scalar; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word of a shell line.
fn quoted_for_sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::framework::{Run, argv};
    use super::*;
    use crate::domain::config::{Config, PriorityPolicy};

    pub(super) fn survey(files: &[(&str, &str)]) -> Survey {
        let mut paths: Vec<String> = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        paths.sort();
        let texts: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Survey { paths, texts, python: "python3" }
    }

    fn look(files: &[(&str, &str)]) -> Look {
        Look::over(&survey(files))
    }

    fn frameworks(files: &[(&str, &str)]) -> Vec<Framework> {
        look(files).setups.iter().map(|setup| setup.framework).collect()
    }

    fn command(setup: &Setup) -> String {
        match &setup.run {
            Run::Command { command, .. } => command.join(" "),
            Run::Pester | Run::Scripts => String::new(),
        }
    }

    #[test]
    fn each_framework_is_recognized_by_its_files() {
        use Framework::*;
        const CARGO: &str = "[package]\nname = \"a\"\n";
        for (files, expected) in [
            (&[("tests/A.Tests.ps1", "")][..], Pester),
            (&[("tests/test_a.py", "def test_a(): pass")], Pytest),
            (&[("test_a.py", "import unittest"), ("requirements-dev.txt", "pytest")], Pytest),
            (&[("test_a.py", "import unittest")], Unittest),
            (&[("a.test.mjs", "import test from 'node:test';")], NodeTest),
            (&[("a.test.js", ""), ("package.json", r#"{"devDependencies": {"jest": "1"}}"#)], Jest),
            (
                &[("a.spec.ts", ""), ("package.json", r#"{"devDependencies": {"vitest": "1"}}"#)],
                Vitest,
            ),
            (&[("test/a.js", ""), ("package.json", r#"{"scripts": {"test": "mocha"}}"#)], Mocha),
            (&[("go.mod", "module m"), ("a/a_test.go", "")], Go),
            (&[("Cargo.toml", CARGO), ("src/lib.rs", "#[test]")], CargoTest),
            (&[("Cargo.toml", CARGO), ("tests/a.rs", ""), (".config/nextest.toml", "")], Nextest),
            (&[("pom.xml", ""), ("src/test/java/ATest.java", "")], Maven),
            (&[("build.gradle.kts", ""), ("app/src/test/kotlin/ATest.kt", "")], Gradle),
            (&[("T/T.csproj", "Microsoft.NET.Test.Sdk"), ("T/A.cs", "")], Dotnet),
            (&[("CMakeLists.txt", "ENABLE_TESTING()")], Ctest),
            (&[("phpunit.xml.dist", ""), ("tests/ATest.php", "")], Phpunit),
            (&[("spec/a_spec.rb", "")], Rspec),
            (&[("t/a.bats", "")], Bats),
            (&[("tests/a.sh", "")], Scripts),
        ] {
            assert_eq!(frameworks(files), [expected], "{files:?}");
        }
    }

    #[test]
    fn what_is_seen_and_not_configured_is_named() {
        for (files, part) in [
            (&[("pyproject.toml", "[project]")][..], "pyproject.toml, but no Python test file"),
            (&[("package.json", "{not json")], "package.json, which is not JSON"),
            (&[("package.json", r#"{"devDependencies": {"ava": "1"}}"#)], "ava in package.json"),
            (&[("package.json", r#"{"scripts": {"test": "gulp test"}}"#)], "gulp test"),
            (
                &[("package.json", r#"{"devDependencies": {"jest": "1"}}"#)],
                "Jest in package.json, but no test",
            ),
            (
                &[("web/package.json", r#"{"devDependencies": {"jest": "1"}}"#)],
                "web/package.json, which names jest",
            ),
            (&[("a.test.js", "")], "1 JavaScript test file,"),
            (&[("Makefile", "all:\n\ncheck: all\n\ttrue\n")], "the target \"check\" of Makefile"),
            (&[("tox.ini", "")], "tox"),
            (&[("go.mod", "")], "go.mod, but no test file"),
            (&[("pom.xml", "")], "pom.xml, but no test file"),
            (&[("CMakeLists.txt", "")], "enables no tests"),
            (&[("a.csproj", "")], "Microsoft.NET.Test.Sdk"),
            (&[("test/a_test.rb", "")], "minitest"),
            (&[("tests/reset_database.sh", "")], "looks like a helper"),
        ] {
            let look = look(files);
            assert!(look.setups.is_empty(), "{files:?}");
            assert!(
                look.seen.iter().any(|seen| seen.contains(part)),
                "{part} is not in {:?}",
                look.seen
            );
        }
        let helper = look(&[("tests/a.bats", ""), ("tests/setup.sh", "")]);
        assert_eq!((helper.setups.len(), helper.seen.len()), (1, 1), "{helper:?}");
        assert_eq!(look(&[]), Look::default());
    }

    #[test]
    fn two_frameworks_of_one_manifest_have_their_own_files() {
        let manifest = r#"{"devDependencies": {"jest": "1", "vitest": "1"}}"#;
        let look = look(&[
            ("package.json", manifest),
            ("src/a.test.ts", "import { test } from 'vitest';"),
            ("src/b.test.ts", "import { test } from '@jest/globals';"),
            ("src/c.test.ts", "test('x', () => {});"),
        ]);
        let found: Vec<_> =
            look.setups.iter().map(|setup| (setup.framework, setup.patterns.clone())).collect();
        assert_eq!(
            found,
            [
                (Framework::Jest, argv(&["src/b.test.ts", "src/c.test.ts"])),
                (Framework::Vitest, argv(&["src/a.test.ts"])),
            ]
        );
        assert_eq!(look.config_name(0, "pester-gate.yml"), "pester-gate.yml");
        assert_eq!(look.config_name(1, "pester-gate.yml"), "pester-gate.vitest.yml");
    }

    #[test]
    fn commands_follow_the_manifests_of_the_repository() {
        const TEST: (&str, &str) = ("a.test.js", "");
        const JEST: (&str, &str) = ("package.json", r#"{"devDependencies": {"jest": "1"}}"#);
        for (files, start, install) in [
            (&[TEST, JEST, ("pnpm-lock.yaml", "")][..], "pnpm exec jest --ci", "corepack enable"),
            (&[TEST, JEST, ("package-lock.json", "")], "npx --no-install jest --ci", "npm ci"),
            (
                &[TEST, JEST, ("yarn.lock", "")],
                "npx --no-install jest",
                "yarn install --frozen-lockfile",
            ),
            (
                &[TEST, JEST, ("yarn.lock", ""), (".yarnrc.yml", "")],
                "yarn run jest",
                "corepack enable",
            ),
            (
                &[("go/go.mod", ""), ("go/a_test.go", "")],
                "go test -C go -json",
                "go -C go mod download",
            ),
            (
                &[
                    ("pom.xml", "maven-failsafe-plugin"),
                    ("src/test/java/AIT.java", ""),
                    ("mvnw", ""),
                ],
                "./mvnw -B --fail-at-end clean verify",
                "",
            ),
            (
                &[("Gemfile", "gem 'rspec'"), ("spec/a_spec.rb", "")],
                "bundle exec rspec",
                "bundle install",
            ),
            (
                &[("composer.json", "phpunit/phpunit"), ("tests/ATest.php", "")],
                "vendor/bin/phpunit --log-junit phpunit-results.xml tests",
                "composer install",
            ),
            (
                &[("A.sln", ""), ("T/T.csproj", "Microsoft.NET.Test.Sdk")],
                "dotnet test A.sln",
                "dotnet restore A.sln",
            ),
            (
                &[("a b/pom.xml", ""), ("a b/src/test/java/ATest.java", "")],
                "mvn -B --fail-at-end -f a b/pom.xml",
                "",
            ),
        ] {
            let look = look(files);
            let setup = &look.setups[0];
            assert!(command(setup).starts_with(start), "{files:?}: {}", command(setup));
            let first = setup.install.first().map(String::as_str).unwrap_or_default();
            assert!(
                first.starts_with(install) && first.is_empty() == install.is_empty(),
                "{first}"
            );
        }
        // Where the repository says which files are tests, the framework finds them.
        let own = r#"{"devDependencies": {"jest": "1"}, "jest": {"testMatch": ["x"]}}"#;
        let whole = look(&[TEST, ("package.json", own)]);
        assert!(
            !command(&whole.setups[0]).contains("{files}") && whole.setups[0].patterns.is_empty()
        );
    }

    #[test]
    fn options_of_a_script_are_kept_or_named() {
        for (script, expected, note) in [
            ("mocha", "{files}", ""),
            ("mocha --reporter spec -R dot --watch", "{files}", ""),
            (
                "lint && mocha --require ./env 'test/**/*.js' && x",
                "--require ./env test/**/*.js",
                "",
            ),
            ("cross-env NODE_ENV=test mocha -t 9", "-t 9 {files}", "NODE_ENV=test"),
        ] {
            let manifest = serde_json::json!({"scripts": {"test": script}}).to_string();
            let look = look(&[
                ("package.json", &manifest),
                ("test/a.js", ""),
                ("test/support/env.js", ""),
            ]);
            let setup = &look.setups[0];
            let own = "npx --no-install mocha --reporter json";
            let whole = format!("{own} --reporter-option output=mocha-results.json {expected}");
            assert_eq!(command(setup), whole);
            assert_eq!((setup.files, setup.notes.join(" ").contains(note)), (1, true), "{setup:?}");
        }
        let manifest = r#"{"scripts": {"test": "jest --config j.js --bail --coverage"}}"#;
        let look = look(&[("package.json", manifest), ("a.test.js", "")]);
        assert!(
            command(&look.setups[0]).ends_with("--testLocationInResults --config j.js"),
            "{look:?}"
        );
        assert!(look.setups[0].notes[0].contains("--bail"), "{look:?}");
    }

    #[test]
    fn every_configuration_can_be_read_whatever_the_folder_is_called() {
        for folder in [
            ".",
            "tests",
            "it's \"a\" [b] #c: {d}",
            "\u{202e}x\ty",
            "- a",
            "ä/ö",
            "*x",
            "no",
            "a\nb",
        ] {
            let below = |name: &str| {
                if folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
            };
            for name in ["test_a.py", "A.Integration.Tests.ps1", "a_spec.rb", "a.bats", "test_a.sh"]
            {
                let look = look(&[(&below(name), "")]);
                let setup = look.setups.first().unwrap_or_else(|| panic!("{folder:?} {name}"));
                let text = config(setup, "pester-gate.yml", &[], "pwsh", PriorityPolicy::Off);
                let read: Config =
                    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                assert_eq!(read.tests.path.as_deref(), Some(folder), "{text}");
                assert_eq!(read.standing_priority.policy, Some(PriorityPolicy::Off), "{text}");
                let mode = read.defaults.integration_mode.as_deref();
                assert_eq!(mode, name.contains("Integration").then_some("exclude"), "{text}");
            }
        }
    }

    #[test]
    fn scripts_are_those_that_are_named_like_tests() {
        let named = look(&[("tests/test_a.sh", ""), ("tests/setup.sh", ""), ("build.sh", "")]);
        assert_eq!((named.setups[0].files, named.setups[0].patterns.len()), (1, 5));
        let all = look(&[("checks/tests/a.sh", ""), ("checks/tests/helper.sh", "")]);
        assert_eq!(
            (all.setups[0].folder.as_str(), &all.setups[0].patterns),
            ("checks/tests", &argv(&["checks/tests/a.sh"]))
        );
        assert!(all.setups[0].notes[0].contains("checks/tests/a.sh"), "{all:?}");
    }
}
