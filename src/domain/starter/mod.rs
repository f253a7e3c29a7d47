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
pub(crate) use self::survey::{Survey, TEXT_MOST, TEXTS_MOST, wanted};
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
        name_of(path).ends_with("_test.rb") || name_of(path).starts_with("test_") && path.ends_with(".rb")
    });
    if !ruby.is_empty() {
        let folder = survey::shared_folder(&ruby);
        seen.push(format!("{} Ruby test files below {folder} (minitest or test-unit)", ruby.len()));
    }
    if survey.paths.iter().any(|path| folder_of(path).is_empty() && path.ends_with(".cabal")) {
        seen.push("a Cabal package (Haskell)".to_owned());
    }
}

/// A text as a double-quoted scalar; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word of a shell line.
fn quoted_for_sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
