//! Test runners by the command that starts them, and the option by which each writes a report.

/// A test runner that a typed command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the runners' own names")]
pub(crate) enum TestRunner {
    Pytest,
    Unittest,
    Go,
    NodeTest,
    Jest,
    Vitest,
    Mocha,
    Nextest,
    CargoTest,
    Maven,
    Gradle,
    Dotnet,
    Ctest,
    Bats,
    Phpunit,
    Rspec,
    Pester,
}

impl TestRunner {
    /// The runner of a command: by its program, or by the word that a launcher is given.
    pub(crate) fn of(argv: &[String]) -> Option<Self> {
        let words: Vec<String> = argv.iter().map(|word| base(word)).collect();
        let has = |word: &str| words.iter().any(|known| known == word);
        let program = words.first()?.as_str();
        let second = words.get(1).map_or("", String::as_str);
        Some(match program {
            "go" if second == "test" => Self::Go,
            "node" if has("--test") => Self::NodeTest,
            "cargo" if second == "nextest" => Self::Nextest,
            "cargo" if ["test", "t"].contains(&second) => Self::CargoTest,
            "cargo-nextest" => Self::Nextest,
            "mvn" | "mvnw" => Self::Maven,
            "gradle" | "gradlew" => Self::Gradle,
            "dotnet" if ["test", "vstest"].contains(&second) => Self::Dotnet,
            "ctest" => Self::Ctest,
            _ if has("pytest") || has("py.test") => Self::Pytest,
            _ if has("unittest") => Self::Unittest,
            _ if has("jest") => Self::Jest,
            _ if has("vitest") => Self::Vitest,
            _ if has("mocha") => Self::Mocha,
            _ if has("bats") => Self::Bats,
            _ if has("phpunit") => Self::Phpunit,
            _ if has("rspec") => Self::Rspec,
            _ if argv.iter().any(|word| word.to_ascii_lowercase().contains("invoke-pester")) => {
                Self::Pester
            }
            _ => return None,
        })
    }

    /// How it is told to write a report that the gate reads.
    pub(crate) fn report_option(self) -> &'static str {
        match self {
            Self::Pytest => "`pytest -o junit_family=xunit1 --junitxml=results.xml`",
            Self::Unittest => "`python -m xmlrunner -o results` (package unittest-xml-reporting)",
            Self::Go => "`go test -json`",
            Self::NodeTest => {
                "`node --test --test-reporter=junit --test-reporter-destination=results.xml`"
            }
            Self::Jest => "`jest --json --outputFile=results.json`",
            Self::Vitest => "`vitest run --reporter=json --outputFile=results.json`",
            Self::Mocha => "`mocha --reporter json --reporter-option output=results.json`",
            Self::Nextest => {
                "`[profile.default.junit] path = \"junit.xml\"` in .config/nextest.toml"
            }
            Self::CargoTest => "`--results -`, which reads the output of `cargo test`",
            Self::Maven => "`--results '**/target/surefire-reports/TEST-*.xml'`",
            Self::Gradle => "`--results '**/build/test-results/**/*.xml'`",
            Self::Dotnet => "`dotnet test --logger trx`",
            Self::Ctest => "`ctest --output-junit results.xml`",
            Self::Bats => "`bats --report-formatter junit --output .`",
            Self::Phpunit => "`phpunit --log-junit results.xml`",
            Self::Rspec => "`rspec --format json --out results.json`",
            Self::Pester => "`pester-gate run` with `dispatcher.kind: pester`",
        }
    }
}

/// Whether a command of this runner is told to write a report, or writes one anyway.
pub(crate) fn writes_report(runner: TestRunner, argv: &[String]) -> bool {
    let marks: &[&str] = match runner {
        TestRunner::Pytest => &["junitxml", "junit-xml"],
        TestRunner::Go | TestRunner::Jest => &["json"],
        TestRunner::NodeTest | TestRunner::Vitest | TestRunner::Mocha => &["reporter"],
        TestRunner::Dotnet => &["logger"],
        TestRunner::Ctest | TestRunner::Bats | TestRunner::Phpunit => &["junit"],
        TestRunner::Rspec => &["format", "-f"],
        TestRunner::Unittest => &["xmlrunner"],
        TestRunner::Nextest
        | TestRunner::CargoTest
        | TestRunner::Maven
        | TestRunner::Gradle
        | TestRunner::Pester => return true,
    };
    argv.iter().any(|word| marks.iter().any(|mark| word.contains(mark)))
}

/// A word without the folders before it and without a program's ending, in small letters.
fn base(word: &str) -> String {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word).to_ascii_lowercase();
    for ending in [".exe", ".cmd", ".bat", ".ps1", ".js", ".mjs"] {
        if let Some(stem) = name.strip_suffix(ending) {
            return stem.to_owned();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_known_by_its_program_or_by_its_launcher() {
        for (line, runner) in [
            ("pytest -q", Some(TestRunner::Pytest)),
            ("python3 -m pytest tests", Some(TestRunner::Pytest)),
            ("C:\\Python\\python.exe -m unittest", Some(TestRunner::Unittest)),
            ("go test ./...", Some(TestRunner::Go)),
            ("go build", None),
            ("npx --no-install jest --ci", Some(TestRunner::Jest)),
            ("./node_modules/.bin/vitest run", Some(TestRunner::Vitest)),
            ("cargo nextest run", Some(TestRunner::Nextest)),
            ("cargo test", Some(TestRunner::CargoTest)),
            ("./mvnw -B verify", Some(TestRunner::Maven)),
            ("vendor/bin/phpunit", Some(TestRunner::Phpunit)),
            ("bundle exec rspec", Some(TestRunner::Rspec)),
            ("pwsh -c Invoke-Pester", Some(TestRunner::Pester)),
            ("make check", None),
            ("", None),
        ] {
            let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(TestRunner::of(&argv), runner, "{line}");
        }
    }
}
