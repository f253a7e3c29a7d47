//! Python, JavaScript, PHP, Ruby, PowerShell and shell: frameworks that are given their test files.

use serde_json::Value;

use super::framework::{Framework, Run, Setup, argv};
use super::survey::{
    Chosen, Survey, folder_of, in_folder, is_fixture, is_python_test, is_script_test, name_of,
    shared_folder,
};

/// The argument that becomes the selected files.
const FILES: &str = "{files}";

/// A setup whose command is given the selected files.
fn by_files(
    survey: &Survey,
    framework: Framework,
    files: &[&str],
    usual: &[&str],
    command: Vec<String>,
    results: &str,
) -> Setup {
    let libraries: &[&str] = match framework {
        Framework::Rspec => &["vendor"],
        Framework::Bats => &["test_helper", "libexec", "bats"],
        _ => &[],
    };
    let mut chosen = survey.select(files, usual, libraries);
    // Bundler installs gems there, with specs of their own.
    if framework == Framework::Rspec && chosen.folder == "." && !chosen.is_list {
        chosen.exclude.push("vendor/*".to_owned());
    }
    Setup {
        exclude: chosen.exclude.clone(),
        notes: listed(&chosen).into_iter().collect(),
        folder: chosen.folder,
        patterns: chosen.patterns,
        ignore: vec![format!("/{results}")],
        ..Setup::whole(framework, files, command, vec![results.to_owned()])
    }
}

/// Says that new test files will not be selected.
fn listed(chosen: &Chosen) -> Option<String> {
    chosen.is_list.then(|| {
        "`tests.pattern` lists the test files, because other files have the same names; add new \
         test files to the list"
            .to_owned()
    })
}

/// Pester, by `*.Tests.ps1`.
pub(super) fn pester(survey: &Survey) -> Option<Setup> {
    let files = survey.files(|path| path.to_ascii_lowercase().ends_with(".tests.ps1"));
    if files.is_empty() {
        return None;
    }
    let is_integration =
        |path: &&str| path.to_ascii_lowercase().ends_with(".integration.tests.ps1");
    Some(Setup {
        folder: shared_folder(&files),
        run: Run::Pester,
        has_integration: files.iter().any(is_integration),
        ..Setup::whole(Framework::Pester, &files, Vec::new(), Vec::new())
    })
}

/// pytest or unittest, by `test_*.py` and `*_test.py`.
pub(super) fn python(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let files = survey.files(is_python_test);
    let requirements =
        survey.files(|path| name_of(path).starts_with("requirements") && path.ends_with(".txt"));
    if files.is_empty() {
        let project =
            ["pyproject.toml", "setup.py", "setup.cfg"].into_iter().find(|name| survey.has(name));
        if let Some(name) = project {
            seen.push(format!("{name}, but no Python test file (`test_*.py` or `*_test.py`)"));
        }
        return None;
    }
    let sources = |word: &str| survey.texts_of(is_python_test).any(|(_, text)| text.contains(word));
    let configured = survey.has("pytest.ini")
        || survey.paths.iter().any(|path| name_of(path) == "conftest.py")
        || survey.says("pyproject.toml", "[tool.pytest")
        || survey.says("setup.cfg", "[tool:pytest]");
    let depends = ["pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "Pipfile"]
        .into_iter()
        .chain(requirements.iter().copied())
        .any(|path| survey.says(path, "pytest"));
    let is_pytest = configured || depends || sources("import pytest") || !sources("unittest");
    let mut install: Vec<String> = Vec::new();
    for path in requirements.iter().filter(|path| ["", "requirements"].contains(&folder_of(path))) {
        install.push(format!("{} -m pip install -r {}", survey.python, super::quoted_for_sh(path)));
    }
    let packaged = survey.has("setup.py")
        || survey.says("pyproject.toml", "[build-system]")
        || survey.says("pyproject.toml", "[project]");
    if packaged {
        let extra = survey.text("pyproject.toml").and_then(test_extra);
        let target = extra.map_or_else(|| ".".to_owned(), |extra| format!("'.[{extra}]'"));
        install.push(format!("{} -m pip install {target}", survey.python));
    }
    if is_pytest {
        install.push(format!("{} -m pip install pytest", survey.python));
        let command = argv(&[
            survey.python,
            "-m",
            "pytest",
            "-o",
            "junit_family=xunit1",
            "--junitxml=pytest-results.xml",
            FILES,
        ]);
        let usual = ["test_*.py", "*_test.py"];
        let setup =
            by_files(survey, Framework::Pytest, &files, &usual, command, "pytest-results.xml");
        return Some(Setup {
            install,
            check: argv(&[survey.python, "-m", "pytest", "--version"]),
            ..setup
        });
    }
    install.push(format!("{} -m pip install unittest-xml-reporting", survey.python));
    let command =
        argv(&[survey.python, "-m", "xmlrunner", "--output-file", "unittest-results.xml", FILES]);
    let usual = ["test_*.py", "*_test.py"];
    let setup =
        by_files(survey, Framework::Unittest, &files, &usual, command, "unittest-results.xml");
    let note =
        "unittest writes no report itself: the package unittest-xml-reporting does".to_owned();
    let check = argv(&[survey.python, "-c", "import xmlrunner"]);
    let notes = [vec![note], setup.notes].concat();
    Some(Setup { install, check, notes, ..setup })
}

/// The optional dependencies of a `pyproject.toml` that are for its tests.
fn test_extra(text: &str) -> Option<&str> {
    let section = text.split("[project.optional-dependencies]").nth(1)?;
    let names = section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='));
    let mut names = names.map(|(name, _)| name.trim().trim_matches(['"', '\'']));
    names.find(|name| ["test", "tests", "testing", "dev"].contains(name))
}

/// How Node's tools are started and installed in this repository.
struct Manager {
    launcher: &'static [&'static str],
    install: &'static [&'static str],
}

fn manager(survey: &Survey) -> Manager {
    if survey.has("pnpm-lock.yaml") {
        let install = &["corepack enable", "pnpm install --frozen-lockfile"];
        return Manager { launcher: &["pnpm", "exec"], install };
    }
    let npx = &["npx", "--no-install"];
    if survey.has("yarn.lock") {
        if survey.has(".yarnrc.yml") {
            let install = &["corepack enable", "yarn install --immutable"];
            return Manager { launcher: &["yarn", "run"], install };
        }
        return Manager { launcher: npx, install: &["yarn install --frozen-lockfile"] };
    }
    let locked = survey.has("package-lock.json") || survey.has("npm-shrinkwrap.json");
    Manager { launcher: npx, install: if locked { &["npm ci"] } else { &["npm install"] } }
}

/// Jest, Vitest, Mocha and node:test, by `package.json` and by what the test files import.
pub(super) fn javascript(survey: &Survey, seen: &mut Vec<String>) -> Vec<Setup> {
    let files = survey.files(is_script_test);
    let manifest = survey.text("package.json").map(serde_json::from_str::<Value>);
    if let Some(Err(error)) = &manifest {
        seen.push(format!("package.json, which is not JSON ({error})"));
    }
    for path in survey.named("package.json").into_iter().filter(|path| !folder_of(path).is_empty())
    {
        let text = survey.text(path).unwrap_or_default();
        let named = ["jest", "vitest", "mocha"]
            .into_iter()
            .find(|name| text.contains(&format!("\"{name}\"")));
        if let Some(name) = named.filter(|_| !survey.has("package.json")) {
            seen.push(format!("{path}, which names {name} and is not at the root"));
        }
    }
    let manifest = manifest.and_then(Result::ok).unwrap_or(Value::Null);
    let scripts = manifest.get("scripts").and_then(Value::as_object);
    let scripts: Vec<(&str, &str)> = scripts
        .into_iter()
        .flatten()
        .filter_map(|(name, line)| Some((name.as_str(), line.as_str()?)))
        .collect();
    let depends = |name: &str| {
        ["dependencies", "devDependencies", "peerDependencies"]
            .iter()
            .any(|key| manifest.get(key).is_some_and(|list| list.get(name).is_some()))
    };
    let called =
        |word: &str| scripts.iter().any(|(_, line)| words(line).any(|known| known == word));
    let node_called = scripts.iter().any(|(_, line)| line.contains("node --test"));
    let present = |framework: Framework| match framework {
        Framework::Jest => depends("jest") || called("jest"),
        Framework::Vitest => depends("vitest") || called("vitest"),
        Framework::Mocha => depends("mocha") || called("mocha"),
        _ => {
            node_called
                || files.iter().any(|path| imports(survey, path) == Some(Framework::NodeTest))
        }
    };
    let all = [Framework::Jest, Framework::Vitest, Framework::Mocha, Framework::NodeTest];
    let here: Vec<Framework> = all.into_iter().filter(|framework| present(*framework)).collect();
    unknown_runners(&scripts, &depends, seen);
    if here.is_empty() && !files.is_empty() {
        let names = super::count(files.len(), "JavaScript test file");
        seen.push(format!("{names}, and neither package.json nor an import names a framework"));
    }
    let owner = |path: &str| {
        imports(survey, path)
            .filter(|framework| here.contains(framework))
            .or_else(|| by_script(path, &here, &scripts))
            .or_else(|| here.first().copied())
    };
    let mut setups = Vec::new();
    for framework in &here {
        let own: Vec<&str> =
            files.iter().copied().filter(|path| owner(path) == Some(*framework)).collect();
        // In the folder `test` Mocha takes every file, the others only those that are named like
        // tests.
        let named: Vec<&str> = match framework {
            Framework::Mocha => own.into_iter().filter(|path| is_mocha_spec(path)).collect(),
            _ => own.into_iter().filter(|path| !only_by_folder(path)).collect(),
        };
        if named.is_empty() {
            seen.push(format!("{} in package.json, but no test file of it", framework.name()));
            continue;
        }
        setups.push(one_javascript(survey, *framework, &named, &manifest, &scripts));
    }
    setups
}

/// Whether Mocha takes a file by itself: directly in `test`, or named like a test.
fn is_mocha_spec(path: &str) -> bool {
    folder_of(path) == "test" || !only_by_folder(path)
}

/// Whether a file is taken for a test because of the folder `test` alone.
fn only_by_folder(path: &str) -> bool {
    let stem = name_of(path).rsplit_once('.').map_or("", |(stem, _)| stem);
    !stem.ends_with(".test") && !stem.ends_with(".spec") && !in_folder(path, "__tests__")
}

fn one_javascript(
    survey: &Survey,
    framework: Framework,
    files: &[&str],
    manifest: &Value,
    scripts: &[(&str, &str)],
) -> Setup {
    let usual = usual_names(framework, files);
    let usual: Vec<&str> = usual.iter().map(String::as_str).collect();
    let typed = Typed::of(framework, scripts);
    let kept: Vec<&str> = typed.kept.iter().map(String::as_str).collect();
    let manager = manager(survey);
    let start = |words: &[&str]| argv(&[manager.launcher, words].concat());
    let results = format!("{}-results.json", framework.slug());
    let option = |text: &str| format!("{text}={results}");
    let output = option("--outputFile");
    let configured = |key: &str, words: &[&str]| {
        let own = manifest.get(key).map(Value::to_string).unwrap_or_default();
        let is_config = |path: &str| name_of(path).starts_with(&format!("{key}.config."));
        let mut texts = survey.texts_of(is_config).map(|(_, text)| text).chain([own.as_str()]);
        texts.any(|text| words.iter().any(|word| text.contains(word)))
    };
    let base = match framework {
        Framework::Jest => {
            let words = ["jest", "--ci", "--json", &output, "--testLocationInResults"];
            // Where the repository says itself which files are tests, Jest finds them.
            let words = [&words[..], &kept].concat();
            if configured("jest", &["testMatch", "testRegex"]) || !kept.is_empty() {
                Setup::whole(framework, files, start(&words), vec![results.clone()])
            } else {
                let command = start(&[&words[..], &["--runTestsByPath", FILES]].concat());
                by_files(survey, framework, files, &usual, command, &results)
            }
        }
        Framework::Vitest => {
            let words = ["vitest", "run", "--reporter=default", "--reporter=json", &output];
            let words = [&words[..], &kept].concat();
            if configured("vitest", &["include"]) || !kept.is_empty() {
                Setup::whole(framework, files, start(&words), vec![results.clone()])
            } else {
                let command = start(&[&words[..], &[FILES]].concat());
                by_files(survey, framework, files, &usual, command, &results)
            }
        }
        Framework::Mocha => {
            let output = option("output");
            let words = ["mocha", "--reporter", "json", "--reporter-option", &output];
            let own = survey.files(|path| path.starts_with(".mocharc")).len();
            if typed.names_files || own > 0 || manifest.get("mocha").is_some() {
                Setup::whole(
                    framework,
                    files,
                    start(&[&words[..], &kept].concat()),
                    vec![results.clone()],
                )
            } else {
                let command = start(&[&words[..], &kept, &[FILES]].concat());
                by_files(survey, framework, files, &usual, command, &results)
            }
        }
        _ => return node_test(survey, files),
    };
    let tool = framework.slug();
    Setup {
        install: argv(manager.install),
        ignore: vec![format!("/{results}")],
        check: start(&[tool, "--version"]),
        notes: typed.note(tool).into_iter().chain(base.notes).collect(),
        ..base
    }
}

/// What a script of `package.json` gives to a framework.
#[derive(Debug, Default)]
struct Typed {
    /// Options and files that the command keeps.
    kept: Vec<String>,
    /// What it does not keep, and a person may need.
    dropped: Vec<String>,
    /// Whether files or folders are among what is kept.
    names_files: bool,
}

impl Typed {
    /// Of the script `test`, else of the first that starts the framework.
    fn of(framework: Framework, scripts: &[(&str, &str)]) -> Self {
        let tool = framework.slug();
        let starts = |line: &str| words(line).any(|word| word == tool);
        let script =
            scripts.iter().find(|(name, line)| *name == "test" && starts(line)).or_else(|| {
                scripts.iter().find(|(name, line)| name.starts_with("test") && starts(line))
            });
        let mut typed = Self::default();
        let Some((_, line)) = script else { return typed };
        let is_operator = |word: &&str| ["&&", "||", ";", "|", ">", "2>&1"].contains(word);
        let before: Vec<&str> = words(line).take_while(|word| *word != tool).collect();
        let segment = before.rsplit(is_operator).next().unwrap_or_default();
        typed.dropped.extend(
            segment.iter().filter(|word| word.contains('=')).map(|word| (*word).to_owned()),
        );
        let mut rest = words(line)
            .skip_while(|word| *word != tool)
            .skip(1)
            .take_while(|word| !is_operator(word));
        while let Some(word) = rest.next() {
            let name = word.split('=').next().unwrap_or(word);
            if !word.starts_with('-') {
                let is_file = framework == Framework::Mocha;
                typed.names_files |= is_file;
                if is_file {
                    typed.kept.push(word.to_owned());
                }
            } else if OURS.contains(&name) {
                if OURS_WITH_VALUE.contains(&name) && !word.contains('=') {
                    rest.next();
                }
            } else if KEPT_WITH_VALUE.contains(&name) && !word.contains('=') {
                typed.kept.push(word.to_owned());
                typed.kept.extend(rest.next().map(str::to_owned));
            } else if KEPT_WITH_VALUE.contains(&name)
                || framework == Framework::Mocha
                || KEPT.contains(&name)
            {
                typed.kept.push(word.to_owned());
            } else {
                typed.dropped.push(word.to_owned());
            }
        }
        typed
    }

    fn note(&self, tool: &str) -> Option<String> {
        let dropped = self.dropped.join(" ");
        let why = format!(
            "the script of package.json also has {dropped}: add what the tests need to the command"
        );
        (!dropped.is_empty()).then(|| format!("{why} ({tool})"))
    }
}

/// Options that the gate gives itself, or that change no test.
const OURS: [&str; 21] = [
    "--reporter",
    "-R",
    "--reporters",
    "--reporter-option",
    "--reporter-options",
    "-O",
    "--outputFile",
    "--watch",
    "-w",
    "--watchAll",
    "--coverage",
    "--ci",
    "--json",
    "--verbose",
    "--silent",
    "--color",
    "--colors",
    "--no-color",
    "--run",
    "--passWithNoTests",
    "--detectOpenHandles",
];
const OURS_WITH_VALUE: [&str; 6] =
    ["--reporter", "-R", "--reporter-option", "--reporter-options", "-O", "--outputFile"];
/// Options that take the next word, and that the command keeps.
const KEPT_WITH_VALUE: [&str; 28] = [
    "--config",
    "-c",
    "--rootDir",
    "--root",
    "--dir",
    "--project",
    "--selectProjects",
    "--env",
    "--environment",
    "--require",
    "-r",
    "--timeout",
    "-t",
    "--ui",
    "-u",
    "--extension",
    "--file",
    "--grep",
    "-g",
    "--exclude",
    "--ignore",
    "--spec",
    "--retries",
    "--slow",
    "-s",
    "--jobs",
    "-j",
    "--package",
];
/// Options without a value that the command keeps.
const KEPT: [&str; 4] = ["--runInBand", "-i", "--no-file-parallelism", "--experimental-vm-modules"];

/// What the test files of a framework are called, for each ending that is in use.
fn usual_names(framework: Framework, files: &[&str]) -> Vec<String> {
    let mut endings: Vec<&str> =
        files.iter().filter_map(|path| Some(path.rsplit_once('.')?.1)).collect();
    endings.sort_unstable();
    endings.dedup();
    let any = framework == Framework::Mocha && files.iter().any(|path| only_by_folder(path));
    let in_folders = files.iter().any(|path| in_folder(path, "__tests__"));
    let names = |ending: &&str| match any {
        true => vec![format!("*.{ending}")],
        false => {
            let mut names = vec![format!("*.test.{ending}"), format!("*.spec.{ending}")];
            names.extend(in_folders.then(|| format!("*/__tests__/*.{ending}")));
            names
        }
    };
    endings.iter().flat_map(names).collect()
}

/// node:test. Its JUnit report names no files, so the command finds its tests itself.
fn node_test(survey: &Survey, files: &[&str]) -> Setup {
    let results = "node-test-results.xml";
    let destination = format!("--test-reporter-destination={results}");
    let command = argv(&[
        "node",
        "--test",
        "--test-reporter=junit",
        &destination,
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
    ]);
    let has_packages = survey.says("package.json", "ependencies\"");
    Setup {
        install: if has_packages { argv(manager(survey).install) } else { Vec::new() },
        ignore: vec![format!("/{results}")],
        check: argv(&["node", "--version"]),
        ..Setup::whole(Framework::NodeTest, files, command, vec![results.to_owned()])
    }
}

/// The framework that a test file imports.
fn imports(survey: &Survey, path: &str) -> Option<Framework> {
    let text = survey.text(path)?;
    let names = |module: &str| {
        ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{module}{quote}")))
    };
    [
        ("vitest", Framework::Vitest),
        ("@jest/globals", Framework::Jest),
        ("mocha", Framework::Mocha),
        ("chai", Framework::Mocha),
        ("node:test", Framework::NodeTest),
    ]
    .into_iter()
    .find(|(module, _)| names(module))
    .map(|(_, framework)| framework)
}

/// The framework whose script names a folder that the file lies in.
fn by_script(path: &str, here: &[Framework], scripts: &[(&str, &str)]) -> Option<Framework> {
    here.iter().copied().find(|framework| {
        scripts.iter().any(|(_, line)| {
            let mut words = words(line).skip_while(|word| *word != framework.slug());
            words.any(|word| {
                let folder = word.trim_start_matches("./").trim_end_matches(['*', '/']);
                !folder.is_empty() && path.starts_with(&format!("{folder}/"))
            })
        })
    })
}

/// The words of a script line, without quotes.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().map(|word| word.trim_matches(['"', '\'']))
}

/// Names what a `package.json` runs that `init` does not know.
fn unknown_runners(
    scripts: &[(&str, &str)],
    depends: &dyn Fn(&str) -> bool,
    seen: &mut Vec<String>,
) {
    for name in [
        "ava",
        "tap",
        "jasmine",
        "karma",
        "cypress",
        "@playwright/test",
        "uvu",
        "@wdio/cli",
        "qunit",
    ] {
        if depends(name) {
            seen.push(format!("{name} in package.json"));
        }
    }
    for (name, line) in scripts {
        let known =
            ["jest", "vitest", "mocha"].iter().any(|tool| words(line).any(|word| word == *tool))
                || line.contains("node --test")
                || line.contains("no test specified");
        if (*name == "test" || name.starts_with("test:")) && !known {
            seen.push(format!("the script {name:?} of package.json: {line}"));
        }
    }
}

/// PHPUnit, by its configuration or `composer.json`.
pub(super) fn phpunit(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let composed = survey.says("composer.json", "phpunit/phpunit");
    let config = ["phpunit.xml", "phpunit.xml.dist"].into_iter().find(|name| survey.has(name));
    let files = survey.files(|path| name_of(path).ends_with("Test.php"));
    if !composed && config.is_none() {
        if !files.is_empty() {
            let names = super::count(files.len(), "PHP test file");
            seen.push(format!("{names}, and neither phpunit.xml nor composer.json names PHPUnit"));
        }
        return None;
    }
    if files.is_empty() {
        seen.push("PHPUnit, but no test file `*Test.php`".to_owned());
        return None;
    }
    let program = if composed { "vendor/bin/phpunit" } else { "phpunit" };
    let mut command = argv(&[program, "--log-junit", "phpunit-results.xml"]);
    if config.is_none() {
        command.push(shared_folder(&files));
    }
    let install = if survey.has("composer.json") {
        vec!["composer install --no-interaction --no-progress".to_owned()]
    } else {
        Vec::new()
    };
    Some(Setup {
        install,
        ignore: argv(&["/phpunit-results.xml", "/.phpunit.result.cache", "/.phpunit.cache/"]),
        check: argv(&[program, "--version"]),
        ..Setup::whole(Framework::Phpunit, &files, command, argv(&["phpunit-results.xml"]))
    })
}

/// RSpec, by `*_spec.rb`.
pub(super) fn rspec(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let files = survey.files(|path| path.ends_with("_spec.rb"));
    let bundled = survey.says("Gemfile", "rspec");
    if files.is_empty() {
        if bundled || survey.has(".rspec") {
            seen.push("RSpec, but no test file `*_spec.rb`".to_owned());
        }
        return None;
    }
    let start: &[&str] = if bundled { &["bundle", "exec", "rspec"] } else { &["rspec"] };
    let options =
        ["--format", "progress", "--format", "json", "--out", "rspec-results.json", FILES];
    let command = argv(&[start, &options].concat());
    let setup =
        by_files(survey, Framework::Rspec, &files, &["*_spec.rb"], command, "rspec-results.json");
    let install = if survey.has("Gemfile") { "bundle install" } else { "gem install rspec" };
    Some(Setup {
        install: argv(&[install]),
        check: argv(&[start, &["--version"]].concat()),
        ..setup
    })
}

/// bats, by `*.bats`.
pub(super) fn bats(survey: &Survey) -> Option<Setup> {
    // Its libraries are often submodules, with tests of their own.
    let is_library = |path: &str| {
        ["bats", "bats-core", "bats-support", "bats-assert", "bats-file"]
            .iter()
            .any(|name| in_folder(path, name))
            && (in_folder(path, "test_helper")
                || in_folder(path, "libexec")
                || path.contains("/bats/test/"))
    };
    let files =
        survey.files(|path| path.ends_with(".bats") && !is_library(path) && !is_fixture(path));
    if files.is_empty() {
        return None;
    }
    let own = "test/bats/bin/bats";
    let program = if survey.has(own) { own } else { "bats" };
    let options = ["--report-formatter", "junit", "--output", "."];
    let names: Vec<&str> = files.iter().map(|path| name_of(path)).collect();
    let unique = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
    let install = if program == own {
        Vec::new()
    } else {
        argv(&["sudo apt-get update", "sudo apt-get install -y bats"])
    };
    let check = argv(&[program, "--version"]);
    let command = argv(&[&[program][..], &options, &[FILES]].concat());
    let mut setup = by_files(survey, Framework::Bats, &files, &["*.bats"], command, "report.xml");
    if !unique {
        // The report holds the names of the files without their folders.
        setup.notes.push(
            "several bats files have the same name; the gate cannot tell them apart in the report"
                .to_owned(),
        );
    }
    Some(Setup { install, check, ..setup })
}

/// Shell scripts that are named like tests; without any, all of a folder of tests that holds
/// nothing else.
pub(super) fn shell(survey: &Survey, others: &[Setup], seen: &mut Vec<String>) -> Option<Setup> {
    const NAMES: [&str; 5] = ["test_*.sh", "test-*.sh", "*_test.sh", "*-test.sh", "*.test.sh"];
    let named = |path: &str| {
        let name = name_of(path);
        name.ends_with(".sh")
            && !is_fixture(path)
            && (["test_", "test-"].iter().any(|start| name.starts_with(start))
                || ["_test.sh", "-test.sh", ".test.sh"].iter().any(|end| name.ends_with(end)))
    };
    let files = survey.files(named);
    if !files.is_empty() {
        return Some(scripts(&files, survey.select(&files, &NAMES, &[]), None));
    }
    let in_tests = |path: &str| {
        path.ends_with(".sh")
            && !is_fixture(path)
            && (in_folder(path, "tests") || in_folder(path, "test"))
    };
    let files = survey.files(in_tests);
    if files.is_empty() {
        return None;
    }
    // Beside the tests of a framework, such scripts are its helpers.
    if !others.is_empty() {
        let names = super::count(files.len(), "shell script");
        seen.push(format!("{names} in a folder of tests, not named like a test"));
        return None;
    }
    let is_helper = |path: &&str| {
        let words = [
            "helper", "common", "lib", "util", "setup", "teardown", "fixture", "reset", "clean",
            "run",
        ];
        words.iter().any(|word| name_of(path).contains(word))
    };
    let (helpers, tests): (Vec<&str>, Vec<&str>) = files.into_iter().partition(is_helper);
    if !helpers.is_empty() {
        seen.push(format!("{}, which looks like a helper and no test", helpers.join(", ")));
    }
    if tests.is_empty() {
        return None;
    }
    let chosen = survey.select(&tests, &["*.sh"], &[]);
    let note =
        format!("no script is named like a test, so these count as tests: {}", tests.join(", "));
    Some(scripts(&tests, chosen, Some(note)))
}

fn scripts(files: &[&str], chosen: Chosen, note: Option<String>) -> Setup {
    Setup {
        notes: note.into_iter().chain(listed(&chosen)).collect(),
        folder: chosen.folder,
        patterns: chosen.patterns,
        exclude: chosen.exclude,
        run: Run::Scripts,
        ..Setup::whole(Framework::Scripts, files, Vec::new(), Vec::new())
    }
}
