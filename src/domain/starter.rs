//! What `init` writes for a repository that has no gate yet, from what was found in it.

/// How the tests of a repository are run, by what they look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Runner {
    /// `*.Tests.ps1`.
    Pester,
    /// `test_*.py`, `*_test.py`.
    Pytest,
    /// `*.test.js`, `*.test.mjs`, `*.test.cjs`.
    Node,
    /// `.sh` files in a folder of tests.
    Scripts,
}

impl Runner {
    /// Every one, the one that is preferred first.
    const ALL: [Self; 4] = [Self::Pester, Self::Pytest, Self::Node, Self::Scripts];

    /// What its test files are called, for people.
    pub(crate) fn files(self) -> &'static str {
        match self {
            Self::Pester => "Pester",
            Self::Pytest => "pytest",
            Self::Node => "node:test",
            Self::Scripts => "shell",
        }
    }

    /// Whether a file is a test of it, by its path below the root.
    fn takes(self, path: &str) -> bool {
        let lower = path.to_ascii_lowercase();
        let (folder, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
        match self {
            Self::Pester => name.ends_with(".tests.ps1"),
            Self::Pytest => name.ends_with("_test.py") || (name.starts_with("test_") && name.ends_with(".py")),
            Self::Node => [".test.js", ".test.mjs", ".test.cjs"].iter().any(|ending| name.ends_with(ending)),
            Self::Scripts => name.ends_with(".sh") && folder.split('/').any(|part| part == "test" || part == "tests"),
        }
    }
}

/// What a look at a repository found: for each runner how many files, and the folder they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// In the order of preference.
    pub(crate) found: Vec<Found>,
}

/// The test files of one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whose.
    pub(crate) runner: Runner,
    /// How many.
    pub(crate) count: usize,
    /// The deepest folder that holds them all, `.` for the root.
    pub(crate) folder: String,
}

impl Look {
    /// Over the paths of all files, `/` between names.
    pub(crate) fn over(paths: &[String]) -> Self {
        let of = |runner: Runner| {
            let mut files = paths.iter().filter(|path| runner.takes(path));
            let first = files.next()?;
            let folder = |path: &'_ String| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            let (mut shared, mut count) = (folder(first), 1);
            for path in files {
                count += 1;
                while !shared.is_empty() && !format!("{}/", folder(path)).starts_with(&format!("{shared}/")) {
                    shared = folder(&shared);
                }
            }
            let folder = if shared.is_empty() { ".".to_owned() } else { shared };
            Some(Found { runner, count, folder })
        };
        Self { found: Runner::ALL.into_iter().filter_map(of).collect() }
    }

    /// What the gate will run; Pester files to come where nothing was found.
    pub(crate) fn chosen(&self) -> Found {
        let none = Found { runner: Runner::Pester, count: 0, folder: "tests".to_owned() };
        self.found.first().cloned().unwrap_or(none)
    }
}

/// The form of the caller workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All layers in one step of one job.
    OneStep,
    /// Five jobs.
    FiveJobs,
    /// Five jobs behind the router for pull requests.
    TrustedPr,
}

impl Form {
    /// Where its workflow is written.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::OneStep | Self::FiveJobs => ".github/workflows/pester-gate.yml",
            Self::TrustedPr => ".github/workflows/trusted-pr.yml",
        }
    }
}

/// Where the gate is taken from, and what it runs on.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    /// `owner/name` of the gate.
    pub(crate) repository: String,
    /// Its tag or commit.
    pub(crate) reference: String,
    /// Labels of the runner.
    pub(crate) runner: Vec<String>,
}

impl Callee {
    /// Whether this may be a machine of somebody's own: pull requests do not run there unasked. A label of one's own
    /// is enough to reach such a machine, so all that is not known to be GitHub's is taken for one.
    fn is_own_machine(&self) -> bool {
        let hosted = |label: &String| {
            let label = label.to_ascii_lowercase();
            ["ubuntu-", "windows-", "macos-"].iter().any(|family| label.starts_with(family))
        };
        !self.runner.iter().all(hosted)
    }

    /// The labels as a YAML flow sequence, each quoted: that is JSON too.
    fn labels(&self) -> String {
        let labels: Vec<String> = self.runner.iter().map(|label| quoted(label)).collect();
        format!("[{}]", labels.join(", "))
    }
}

/// A text as a double-quoted scalar; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The configuration.
pub(crate) fn config(found: &Found, powershell: &str) -> String {
    let mut out = String::from(
        "# How pester-gate runs the tests of this repository. `pester-gate run` does it on this machine.\n",
    );
    out.push_str(&format!("tests:\n  path: {}\n", quoted(&found.folder)));
    let dispatcher = match found.runner {
        Runner::Pester => format!(
            "dispatcher:\n  kind: pester\n  powershell: {powershell} # pwsh is PowerShell 7, powershell is Windows PowerShell 5.1\n"
        ),
        Runner::Pytest => {
            command(&["test_*.py", "*_test.py"], &["python3", "-m", "pytest", "--junitxml=test-results.xml", "{files}"])
        }
        Runner::Node => command(
            &["*.test.js", "*.test.mjs", "*.test.cjs"],
            &["node", "--test", "--test-reporter=junit", "--test-reporter-destination=test-results.xml", "{files}"],
        ),
        Runner::Scripts => "  pattern: \"*.sh\"\ndispatcher:\n  kind: scripts\n".to_owned(),
    };
    out.push_str(&dispatcher);
    out.push_str("limits:\n  run: 30m\n");
    out
}

fn command(patterns: &[&str], argv: &[&str]) -> String {
    let list = |words: &[&str]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
    format!(
        "  pattern: [{}]\ndispatcher:\n  kind: command\n  command: [{}]\n  results: [\"test-results.xml\"]\n",
        list(patterns),
        list(argv)
    )
}

/// The commit of `actions/checkout` that the workflows here use.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// This repository's own router, from which a caller's is made.
const ROUTER: &str = include_str!("../../.github/workflows/trusted-pr.yml");

/// The caller workflow.
pub(crate) fn workflow(form: Form, callee: &Callee) -> String {
    let Callee { repository, reference, .. } = callee;
    if form == Form::TrustedPr {
        return router(callee);
    }
    let mut out = String::from("name: pester-gate\non:\n  push:\n");
    if callee.is_own_machine() {
        out.push_str("  # No pull_request: it would let strangers' code onto the machine. `pester-gate init --trusted-pr` is the way.\n");
    } else {
        out.push_str("  pull_request:\n");
    }
    out.push_str("  workflow_dispatch:\npermissions: {}\nconcurrency:\n");
    out.push_str("  group: pester-gate-caller-${{ github.event.pull_request.number || github.sha }}\n");
    out.push_str("  cancel-in-progress: false\njobs:\n  gate:\n    name: gate\n");
    let permissions = "    permissions:\n      contents: read # the code under test\n      issues: read # the standing priority\n      pull-requests: read # pull requests are told apart from issues\n";
    if form == Form::OneStep {
        out.push_str(&format!("    runs-on: {}\n    timeout-minutes: 60\n{permissions}    steps:\n", callee.labels()));
        out.push_str(&format!("      - uses: {CHECKOUT}\n        with:\n          persist-credentials: false\n"));
        out.push_str(&format!("      - uses: {repository}@{reference}\n"));
    } else {
        out.push_str(&format!("    uses: {repository}/.github/workflows/gate.yml@{reference}\n{permissions}"));
        out.push_str(&format!("    with:\n      runner: '{}'\n", callee.labels().replace('\'', "''")));
    }
    out
}

/// The router as a repository has it that is not the gate's own.
fn router(callee: &Callee) -> String {
    let Callee { repository, reference, .. } = callee;
    let own = "      gate-repository: ${{ github.repository }}\n      gate-ref: ${{ github.sha }}\n";
    let runner = format!("      runner: '{}'\n", callee.labels().replace('\'', "''"));
    ROUTER
        .replace("\r\n", "\n")
        .replace("uses: ./actions/route\n", &format!("uses: {repository}/actions/route@{reference}\n"))
        .replace(
            "uses: ./.github/workflows/gate.yml\n",
            &format!("uses: {repository}/.github/workflows/gate.yml@{reference}\n"),
        )
        .replace(own, &runner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::Config;

    fn look(paths: &[&str]) -> Look {
        Look::over(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    fn callee(labels: &[&str]) -> Callee {
        Callee {
            repository: "acme/pester-gate".to_owned(),
            reference: "v3".to_owned(),
            runner: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    #[test]
    fn what_tests_there_are_and_the_folder_they_share() {
        for (paths, owed) in [
            (&["tests/A.Tests.ps1", "tests/sub/b.tests.PS1"][..], Some((Runner::Pester, 2, "tests"))),
            (&["a/x/A.Tests.ps1", "a/xy/B.Tests.ps1"], Some((Runner::Pester, 2, "a"))),
            (&["a/A.Tests.ps1", "b/B.Tests.ps1"], Some((Runner::Pester, 2, "."))),
            (&["A.Tests.ps1", "b/B.Tests.ps1"], Some((Runner::Pester, 2, "."))),
            (&["x/test_a.py", "x/y/b_test.py", "x/helper.py"], Some((Runner::Pytest, 2, "x"))),
            (&["src/a.test.mjs"], Some((Runner::Node, 1, "src"))),
            (&["tests/run.sh", "build.sh"], Some((Runner::Scripts, 1, "tests"))),
            (&["a.sh", "contest/a.sh", "Tests.ps1"], None),
            (&[], None),
        ] {
            let found = look(paths).found.first().map(|found| (found.runner, found.count, found.folder.clone()));
            assert_eq!(found, owed.map(|(runner, count, folder)| (runner, count, folder.to_owned())), "{paths:?}");
        }
        let several = look(&["tests/a.sh", "tests/test_a.py", "tests/A.Tests.ps1"]);
        let order: Vec<Runner> = several.found.iter().map(|found| found.runner).collect();
        assert_eq!(order, [Runner::Pester, Runner::Pytest, Runner::Scripts]);
        assert_eq!(look(&[]).chosen(), Found { runner: Runner::Pester, count: 0, folder: "tests".to_owned() });
    }

    #[test]
    fn every_configuration_can_be_read_whatever_the_folder_is_called() {
        for runner in Runner::ALL {
            for folder in [".", "tests", "it's \"a\" [b] #c: {d}", "\u{202e}x\ty", "- a", "ä/ö", "*x", "no"] {
                let text = config(&Found { runner, count: 1, folder: folder.to_owned() }, "pwsh");
                let read: Config = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                assert_eq!(read.tests.path.as_deref(), Some(folder), "{text}");
            }
        }
    }

    #[test]
    fn a_workflow_takes_pull_requests_only_where_strangers_do_no_harm() {
        for labels in
            [&["lab-host-7"][..], &["Self-Hosted"], &["ubuntu-latest", "gpu"], &["SELF-HOSTED", "windows-2022"]]
        {
            assert!(!workflow(Form::OneStep, &callee(labels)).contains("  pull_request:"), "{labels:?}");
        }
        assert!(workflow(Form::OneStep, &callee(&["Windows-2022"])).contains("\n  pull_request:\n"));
        let own = callee(&["self-hosted", "Windows"]);
        let hosted = callee(&["ubuntu-latest"]);
        for form in [Form::OneStep, Form::FiveJobs] {
            assert!(!workflow(form, &own).contains("  pull_request:"));
            assert!(workflow(form, &hosted).contains("\n  pull_request:\n"));
        }
        let router = workflow(Form::TrustedPr, &own);
        for part in [
            "uses: acme/pester-gate/actions/route@v3\n",
            "uses: acme/pester-gate/.github/workflows/gate.yml@v3\n",
            "runner: '[\"self-hosted\", \"Windows\"]'\n",
        ] {
            assert!(router.contains(part), "{part} is not in\n{router}");
        }
        assert!(!router.contains("./") && !router.contains("gate-repository"), "{router}");
    }

    #[test]
    fn labels_are_texts_whatever_they_hold() {
        let odd = callee(&["it's", "a\"b", "x: y", "[z]"]);
        for (form, key) in [(Form::OneStep, "runs-on"), (Form::FiveJobs, "with"), (Form::TrustedPr, "with")] {
            let text = workflow(form, &odd);
            let read: serde_yaml::Value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let held = &read["jobs"]["gate"][key];
            let labels = match held.get("runner").and_then(serde_yaml::Value::as_str) {
                Some(json) => serde_json::from_str::<Vec<String>>(json).unwrap(),
                None => serde_yaml::from_value(held.clone()).unwrap(),
            };
            assert_eq!(labels, odd.runner, "{text}");
        }
    }
}
