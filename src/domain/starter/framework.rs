//! The test frameworks that `init` knows.

/// A test framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the frameworks' own names")]
pub(crate) enum Framework {
    Pester,
    Pytest,
    Unittest,
    Jest,
    Vitest,
    Mocha,
    NodeTest,
    Go,
    Nextest,
    CargoTest,
    Maven,
    Gradle,
    Dotnet,
    Ctest,
    Phpunit,
    Rspec,
    Bats,
    Scripts,
}

impl Framework {
    /// Its name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pester => "Pester",
            Self::Pytest => "pytest",
            Self::Unittest => "unittest",
            Self::Jest => "Jest",
            Self::Vitest => "Vitest",
            Self::Mocha => "Mocha",
            Self::NodeTest => "node:test",
            Self::Go => "Go",
            Self::Nextest => "nextest",
            Self::CargoTest => "cargo test",
            Self::Maven => "Maven",
            Self::Gradle => "Gradle",
            Self::Dotnet => ".NET",
            Self::Ctest => "CTest",
            Self::Phpunit => "PHPUnit",
            Self::Rspec => "RSpec",
            Self::Bats => "bats",
            Self::Scripts => "shell",
        }
    }

    /// Its name in file names and gate ids.
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::Pester => "pester",
            Self::Pytest => "pytest",
            Self::Unittest => "unittest",
            Self::Jest => "jest",
            Self::Vitest => "vitest",
            Self::Mocha => "mocha",
            Self::NodeTest => "node-test",
            Self::Go => "go",
            Self::Nextest => "nextest",
            Self::CargoTest => "cargo-test",
            Self::Maven => "maven",
            Self::Gradle => "gradle",
            Self::Dotnet => "dotnet",
            Self::Ctest => "ctest",
            Self::Phpunit => "phpunit",
            Self::Rspec => "rspec",
            Self::Bats => "bats",
            Self::Scripts => "shell",
        }
    }
}

/// How one framework of a repository is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Which.
    pub(crate) framework: Framework,
    /// How many of its test files were found.
    pub(crate) files: usize,
    /// The deepest folder that holds them all, `.` for the root.
    pub(crate) found_below: String,
    /// `tests.path`.
    pub(crate) folder: String,
    /// `tests.pattern`; none where the command finds its tests itself.
    pub(crate) patterns: Vec<String>,
    /// `exclude` of the pack.
    pub(crate) exclude: Vec<String>,
    /// What runs them.
    pub(crate) run: Run,
    /// Programs that must be there although something runs before the command.
    pub(crate) requires: Vec<String>,
    /// Lines of the workflow that install what the tests need.
    pub(crate) install: Vec<String>,
    /// Lines for `.gitignore`.
    pub(crate) ignore: Vec<String>,
    /// A command that shows that the framework starts.
    pub(crate) check: Vec<String>,
    /// What a person should know about this choice.
    pub(crate) notes: Vec<String>,
    /// Files that the framework needs, each with its text; they are written only where they are
    /// absent.
    pub(crate) files_to_write: Vec<(String, String)>,
    /// Whether some of the tests are integration tests.
    pub(crate) has_integration: bool,
}

/// What runs the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// The Pester dispatcher.
    Pester,
    /// Each file is a program.
    Scripts,
    /// One command for all.
    Command {
        /// Its argv.
        command: Vec<String>,
        /// Where its results are.
        results: Vec<String>,
        /// What is run before it.
        before: Vec<Vec<String>>,
    },
}

impl Setup {
    /// A setup whose command finds its tests itself.
    pub(crate) fn whole(
        framework: Framework,
        files: &[&str],
        command: Vec<String>,
        results: Vec<String>,
    ) -> Self {
        Self {
            framework,
            files: files.len(),
            found_below: super::survey::shared_folder(files),
            folder: ".".to_owned(),
            patterns: Vec::new(),
            exclude: Vec::new(),
            run: Run::Command { command, results, before: Vec::new() },
            requires: Vec::new(),
            install: Vec::new(),
            ignore: Vec::new(),
            check: Vec::new(),
            notes: Vec::new(),
            files_to_write: Vec::new(),
            has_integration: false,
        }
    }
}

/// Words as an argv.
pub(crate) fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
