//! Go, Rust, the JVM, .NET and CMake: build tools that find their tests themselves.

use super::framework::{Framework, Run, Setup, argv};
use super::survey::{Survey, folder_of, in_folder, name_of, shared_folder};

/// The results that stand in the standard output of the command.
const OUTPUT: &str = "-";

/// Go, by `go.mod` and `*_test.go`.
pub(super) fn go(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let modules = survey.named("go.mod");
    let folder = folder_of(modules.first()?);
    let owner = |path: &str| {
        let mut owners =
            modules.iter().map(|module| folder_of(module)).filter(|folder| is_in(path, folder));
        owners.next_back().unwrap_or_default().to_owned()
    };
    let all = survey.files(|path| path.ends_with("_test.go"));
    let files: Vec<&str> = all.iter().copied().filter(|path| owner(path) == folder).collect();
    for module in &modules[1..] {
        let inner = folder_of(module);
        if all.iter().any(|path| owner(path) == inner) {
            seen.push(format!(
                "{module}, a Go module of its own that `go test` of the first does not run"
            ));
        }
    }
    if files.is_empty() {
        seen.push(format!("{}, but no test file `*_test.go`", modules[0]));
        return None;
    }
    let mut command = argv(&["go"]);
    command.push("test".to_owned());
    if !folder.is_empty() {
        command.extend(argv(&["-C", folder]));
    }
    command.extend(argv(&["-json", "-fullpath", "./..."]));
    let download = if folder.is_empty() {
        "go mod download".to_owned()
    } else {
        format!("go -C {} mod download", super::quoted_for_sh(folder))
    };
    Some(Setup {
        install: vec![download],
        check: argv(&["go", "version"]),
        ..Setup::whole(Framework::Go, &files, command, argv(&[OUTPUT]))
    })
}

/// nextest or `cargo test`, by `Cargo.toml`.
pub(super) fn rust(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let manifests = survey.named("Cargo.toml");
    let manifest = *manifests.first()?;
    let folder = folder_of(manifest);
    let workspace = survey.says(manifest, "[workspace]");
    if !workspace {
        let others = manifests.iter().skip(1).filter(|path| !in_folder(path, "fuzz"));
        seen.extend(
            others.map(|path| format!("{path}, which is no part of the first Rust package")),
        );
    }
    let is_test = |path: &str| {
        path.ends_with(".rs")
            && is_in(path, folder)
            && (in_folder(path, "tests")
                || survey.says(path, "#[test]")
                || survey.says(path, "::test]"))
    };
    let files = survey.files(is_test);
    if files.is_empty() {
        seen.push(format!("{manifest}, but no `#[test]` in the Rust files that were read"));
        return None;
    }
    let mut at = Vec::new();
    if !folder.is_empty() {
        at = argv(&["--manifest-path", manifest]);
    }
    if workspace {
        at.push("--workspace".to_owned());
    }
    let lock = if survey.has("Cargo.lock") { "cargo fetch --locked" } else { "cargo fetch" };
    let mut install = if folder.is_empty() { argv(&[lock]) } else { Vec::new() };
    let configured = ".config/nextest.toml";
    let is_mention = |path: &str| {
        path.starts_with(".github/workflows/") || ["Makefile", "justfile"].contains(&path)
    };
    let mentioned = survey.texts_of(is_mention).any(|(_, text)| text.contains("cargo nextest"));
    if !survey.has(configured) && !mentioned {
        let command = [argv(&["cargo", "test", "--no-fail-fast"]), at].concat();
        let check = argv(&["cargo", "--version"]);
        let whole = Setup::whole(Framework::CargoTest, &files, command, argv(&[OUTPUT]));
        return Some(Setup { install, check, ..whole });
    }
    install.push("cargo install cargo-nextest --locked".to_owned());
    let command = [argv(&["cargo", "nextest", "run", "--no-fail-fast"]), at].concat();
    let target = if folder.is_empty() { "target".to_owned() } else { format!("{folder}/target") };
    let results = vec![format!("{target}/nextest/default/junit.xml")];
    let mut setup = Setup::whole(Framework::Nextest, &files, command, results);
    setup.ignore = vec![format!("/{target}/")];
    let section = "[profile.default.junit]\npath = \"junit.xml\"\n";
    if !survey.has(configured) {
        setup.files_to_write.push((configured.to_owned(), section.to_owned()));
    } else if !survey.says(configured, "[profile.default.junit]") {
        let add = "add `[profile.default.junit]` with `path = \"junit.xml\"`";
        setup.notes.push(format!("{configured} asks for no report: {add}"));
    }
    Some(Setup { install, check: argv(&["cargo", "nextest", "--version"]), ..setup })
}

/// Whether a file is a test of the JVM by its place and name.
fn is_jvm_test(path: &str) -> bool {
    let name = name_of(path);
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let below = path.starts_with("src/test/") || path.contains("/src/test/");
    let named = ["Test", "Tests", "TestCase", "IT", "Spec"].iter().any(|end| stem.ends_with(end));
    ["java", "kt", "groovy", "scala"].contains(&ending)
        && below
        && (named || stem.starts_with("Test"))
}

/// Maven, by `pom.xml`.
pub(super) fn maven(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let pom = *survey.named("pom.xml").first()?;
    let folder = folder_of(pom);
    let files = survey.files(|path| is_jvm_test(path) && is_in(path, folder));
    if files.is_empty() {
        seen.push(format!("{pom}, but no test file below src/test"));
        return None;
    }
    let failsafe = survey
        .texts_of(|path| name_of(path) == "pom.xml")
        .any(|(_, text)| text.contains("maven-failsafe-plugin"));
    let program = if survey.has("mvnw") { "./mvnw" } else { "mvn" };
    let mut command = argv(&[program, "-B", "--fail-at-end"]);
    if !folder.is_empty() {
        command.extend(argv(&["-f", pom]));
    }
    // Without `clean` Maven runs the compiled classes of tests that are no longer there.
    command.extend(argv(&["clean", if failsafe { "verify" } else { "test" }]));
    let mut results = argv(&["**/target/surefire-reports/TEST-*.xml"]);
    if failsafe {
        results.push("**/target/failsafe-reports/TEST-*.xml".to_owned());
    }
    Some(Setup {
        ignore: argv(&["target/"]),
        check: argv(&[program, "--version"]),
        ..Setup::whole(Framework::Maven, &files, command, results)
    })
}

/// Gradle, by its build files.
pub(super) fn gradle(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let is_build = |path: &str| {
        let stem = name_of(path).strip_suffix(".kts").unwrap_or(name_of(path));
        ["build.gradle", "settings.gradle"].contains(&stem)
    };
    let mut builds = survey.files(is_build);
    builds.sort_by_key(|path| path.matches('/').count());
    let build = *builds.first()?;
    let folder = folder_of(build);
    let files = survey.files(|path| is_jvm_test(path) && is_in(path, folder));
    if files.is_empty() {
        seen.push(format!("{build}, but no test file below src/test"));
        return None;
    }
    let program = if survey.has("gradlew") { "./gradlew" } else { "gradle" };
    let mut command = argv(&[program]);
    if !folder.is_empty() {
        command.extend(argv(&["-p", folder]));
    }
    // Gradle runs nothing that is up to date, and then writes no report.
    command.extend(argv(&["cleanTest", "test", "--continue"]));
    Some(Setup {
        ignore: argv(&["build/", ".gradle/"]),
        check: argv(&[program, "--version"]),
        ..Setup::whole(
            Framework::Gradle,
            &files,
            command,
            argv(&["**/build/test-results/**/TEST-*.xml"]),
        )
    })
}

/// .NET, by projects that refer to `Microsoft.NET.Test.Sdk`.
pub(super) fn dotnet(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let is_project =
        |path: &str| [".csproj", ".fsproj", ".vbproj"].iter().any(|end| path.ends_with(end));
    let mut projects: Vec<&str> = survey
        .texts_of(is_project)
        .filter(|(_, text)| text.contains("Microsoft.NET.Test.Sdk"))
        .map(|(path, _)| path)
        .collect();
    projects.sort_by_key(|path| path.matches('/').count());
    if projects.is_empty() {
        let any = survey.files(is_project);
        let why = "but no project that refers to Microsoft.NET.Test.Sdk";
        seen.extend(any.first().map(|path| format!("{path}, {why}")));
        return None;
    }
    let solution = survey.files(|path| {
        folder_of(path).is_empty() && (path.ends_with(".sln") || path.ends_with(".slnx"))
    });
    let target =
        match solution.as_slice() {
            [one] => *one,
            _ => {
                let others = projects.iter().skip(1);
                seen.extend(others.map(|path| {
                    format!("{path}, a test project that no solution at the root holds")
                }));
                projects[0]
            }
        };
    let in_projects = |path: &str| {
        [".cs", ".fs", ".vb"].iter().any(|end| path.ends_with(end))
            && projects.iter().any(|project| is_in(path, folder_of(project)))
    };
    let files = survey.files(in_projects);
    let command =
        argv(&["dotnet", "test", target, "--logger", "trx", "--results-directory", "TestResults"]);
    Some(Setup {
        install: vec![format!("dotnet restore {}", super::quoted_for_sh(target))],
        ignore: argv(&["/TestResults/"]),
        check: argv(&["dotnet", "--version"]),
        ..Setup::whole(Framework::Dotnet, &files, command, argv(&["TestResults/*.trx"]))
    })
}

/// CTest, by `CMakeLists.txt` that enables tests.
pub(super) fn ctest(survey: &Survey, seen: &mut Vec<String>) -> Option<Setup> {
    let list = *survey.named("CMakeLists.txt").first()?;
    let folder = folder_of(list);
    let enables = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("enable_testing") || text.contains("include(ctest)")
    };
    if !survey.text(list).is_some_and(enables) {
        seen.push(format!("{list}, which enables no tests (`enable_testing()`)"));
        return None;
    }
    let is_test = |path: &str| {
        let name = name_of(path).to_ascii_lowercase();
        [".c", ".cc", ".cpp", ".cxx"].iter().any(|end| name.ends_with(end))
            && (name.contains("test") || in_folder(path, "tests") || in_folder(path, "test"))
    };
    let files = survey.files(is_test);
    let used = survey.paths.iter().any(|path| path.starts_with("build/"));
    let build = if used && !survey.has("build/CMakeCache.txt") { "cmake-build" } else { "build" };
    let source = if folder.is_empty() { "." } else { folder };
    let junit = "ctest-results.xml";
    let command =
        argv(&["ctest", "--test-dir", build, "--output-on-failure", "--output-junit", junit]);
    let before =
        vec![argv(&["cmake", "-S", source, "-B", build]), argv(&["cmake", "--build", build])];
    let results = vec![format!("{build}/{junit}")];
    let whole = Setup::whole(Framework::Ctest, &files, command.clone(), results.clone());
    Some(Setup {
        found_below: shared_folder(&files),
        run: Run::Command { command, results, before },
        requires: argv(&["cmake", "ctest"]),
        ignore: vec![format!("/{build}/")],
        check: argv(&["ctest", "--version"]),
        ..whole
    })
}

/// Whether a path lies below a folder, empty for the root.
fn is_in(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
