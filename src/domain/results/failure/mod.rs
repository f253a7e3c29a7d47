//! One failure, digested: what kind it is, by what it is known again, where it stands and how it is
//! repeated. The evidence is the failure's own message and nothing else of the log: any other line
//! that mentions a time-out proves nothing about this test.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::domain::results::case::Case;
use crate::domain::results::counts::CaseOutcome;
use crate::domain::verdict::reason::{Layer, ReasonCode};

mod class;
mod message;
mod place;

pub(crate) use self::class::{Class, ClassRule, ClassRules};
use self::message::{normalised, plain, telling, without_root};
pub(crate) use self::place::{Place, Sources, is_foreign, places};

/// Where a failure is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Nobody has looked.
    #[default]
    Open,
    /// At a file of the repository, and its line where that is known.
    At(String, Option<u64>),
    /// Nowhere in the repository.
    Nowhere,
}

/// One failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name.
    pub(crate) name: String,
    /// The file of its test.
    pub(crate) file: Option<String>,
    /// The line where its test begins, where its runner tells.
    pub(crate) begins: Option<u64>,
    /// Its stack trace, where its runner keeps one beside the message.
    pub(crate) trace: String,
    /// The place that failed: a file of the repository, and the line.
    pub(crate) place: Settled,
    /// Whether it is an error beside the tests' claims.
    pub(crate) errored: bool,
    /// Whether its file could not be loaded.
    pub(crate) not_loaded: bool,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: Option<u64>,
    /// The beginning of its message.
    pub(crate) message: String,
    /// The end of what it printed.
    pub(crate) output: String,
    /// Class and remedy by a rule of the repository's own.
    pub(crate) ruled: Option<(Class, Option<String>)>,
}

impl Failure {
    /// A case that failed.
    pub(crate) fn of(case: &Case) -> Self {
        Self {
            name: case.id(),
            file: case.file.clone(),
            begins: case.line,
            trace: String::new(),
            place: Settled::Open,
            errored: case.outcome == CaseOutcome::Errored,
            not_loaded: false,
            duration_ms: case.duration.and_then(|time| u64::try_from(time.as_millis()).ok()),
            message: case.message.clone(),
            ruled: None,
            output: case.output.clone(),
        }
    }

    /// The same with every text masked.
    pub(crate) fn masked(&self, mask: &dyn Fn(&str) -> String) -> Self {
        Self {
            name: mask(&self.name),
            file: self.file.as_deref().map(mask),
            message: mask(&self.message),
            trace: mask(&self.trace),
            output: mask(&self.output),
            ..self.clone()
        }
    }

    /// The same with every path below one of these roots told from there: places are the
    /// repository's then, whichever host ran it and whatever its folders are called.
    pub(crate) fn below(&self, roots: &[String]) -> Self {
        let relative = |text: &str| {
            roots.iter().filter(|root| root.len() > 1).fold(text.to_owned(), |text, root| {
                let text = without_root(&text, &format!("{root}/"));
                match root.as_bytes().get(1) {
                    Some(b':') => without_root(&text, &format!("{}\\", root.replace('/', "\\"))),
                    _ => text,
                }
            })
        };
        // A file that did not load has its path for a name.
        let of_file = self.file.as_ref() == Some(&self.name);
        let name = if of_file { relative(&self.name) } else { self.name.clone() };
        Self {
            name,
            message: relative(&self.message),
            trace: relative(&self.trace),
            output: relative(&self.output),
            ..self.clone()
        }
    }

    /// What kind it is, by the lines of its message that say it.
    pub(crate) fn class(&self) -> Class {
        self.ruled.as_ref().map_or_else(|| self.class_by_message(), |(class, _)| *class)
    }

    /// What a person does next.
    pub(crate) fn remedy(&self) -> &str {
        let own = self.ruled.as_ref().and_then(|(_, remedy)| remedy.as_deref());
        own.unwrap_or_else(|| self.class().remedy())
    }

    /// The same under rules of the repository's own; the first that fits counts.
    pub(crate) fn ruled(mut self, rules: &ClassRules) -> Self {
        self.ruled = rules.fitting(&self.message).map(|rule| (rule.class, rule.remedy.clone()));
        self
    }

    fn class_by_message(&self) -> Class {
        if self.not_loaded {
            return Class::Discovery;
        }
        Class::of_message(&self.message)
    }

    /// By what it is known again: its class and message without what differs between two runs of
    /// the same failure (line numbers, paths, addresses, times).
    pub(crate) fn signature(&self) -> String {
        let class = self.class();
        // In a claim a time may be what was expected.
        let text = format!(
            "{}\n{}",
            class.as_str(),
            normalised(&telling(&self.message), class != Class::Assertion)
        );
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where it may have failed, the likeliest first: its stack trace, then its message.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut found = places(&self.trace);
        found.extend(places(&self.message));
        found
    }
}

/// By what a layer's failure is known again: its layer, its reason and its detail without what
/// differs between two runs of the same failure.
pub(crate) fn layer_signature(layer: Layer, code: ReasonCode, detail: &str) -> String {
    let text = format!("{layer}\n{code}\n{}", normalised(&plain(detail), true));
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Failures that are alike: the first of them, and how many there are.
pub(crate) struct Group<'a> {
    /// The first, in file order.
    pub(crate) first: &'a Failure,
    /// The others.
    pub(crate) others: Vec<&'a Failure>,
}

/// Failures by signature, the largest group first; equal ones in file order.
pub(crate) fn groups(failures: &[Failure]) -> Vec<Group<'_>> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for failure in failures {
        match at.get(&failure.signature()) {
            Some(group) => groups[*group].others.push(failure),
            None => {
                at.insert(failure.signature(), groups.len());
                groups.push(Group { first: failure, others: Vec::new() });
            }
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.others.len()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str) -> Failure {
        Failure { message: message.to_owned(), ..Failure::default() }
    }

    #[test]
    fn the_class_is_the_messages_own() {
        for (source, message, expected) in [
            ("Pester 5", "Expected 2, but got 1.", Class::Assertion),
            (
                "Pester 5, which quotes",
                "Expected strings to be the same, but they were different.\nExpected: 'timeout'",
                Class::Assertion,
            ),
            (
                "Rust",
                "thread 'main' panicked at src/lib.rs:5:9:\n\
                 assertion `left == right` failed\n  left: 1",
                Class::Assertion,
            ),
            (
                "Rust, a panic of another kind",
                "thread 'main' panicked at src/lib.rs:5:9:\nindex out of bounds",
                Class::Crash,
            ),
            (
                "a script's diff",
                "exit code 1\ngot:      hello wrold\nexpected: hello world",
                Class::Assertion,
            ),
            ("pytest", "assert 1 == 2\n + where 1 = f()", Class::Assertion),
            ("pytest, marked", "E       assert 1 == 2", Class::Assertion),
            (
                "a script that names the place",
                "exit code 1\ntests/sums.py:7: Expected 4, but got 5.",
                Class::Assertion,
            ),
            ("JUnit", "AssertionError: expected:<1> but was:<2>", Class::Assertion),
            (".NET", "Assert.AreEqual failed. Expected:<1>. Actual:<2>.", Class::Assertion),
            (
                "PowerShell",
                "Cannot find path 'C:\\x' because it does not exist.",
                Class::MissingFile,
            ),
            (".NET", "Could not find a part of the path '/tmp/x/y'.", Class::MissingFile),
            (
                "Python",
                "FileNotFoundError: [Errno 2] No such file or directory: 'x'",
                Class::MissingFile,
            ),
            (
                "PowerShell",
                "Access to the path 'C:\\x' is denied.\nUnauthorizedAccessException",
                Class::Permission,
            ),
            ("POSIX", "mkdir: /x: Permission denied", Class::Permission),
            ("curl", "curl: (6) Could not resolve host: licence.example", Class::Network),
            ("Node", "connect ECONNREFUSED 127.0.0.1:80", Class::Network),
            (
                "a limit of ours",
                "the file limit of 2s ended it\nexpected rows: 4 ok",
                Class::Timeout,
            ),
            ("Jest", "Exceeded timeout of 5000 ms for a test.", Class::Timeout),
            (
                "PowerShell",
                "The term 'lmutil' is not recognized as a name of a cmdlet, function",
                Class::Environment,
            ),
            ("POSIX", "a.sh: line 3: lmutil: command not found", Class::Environment),
            ("POSIX", "Segmentation fault (core dumped)", Class::Crash),
            ("a script that says nothing", "exit code 1", Class::Unknown),
            ("a signal", "signal 11 ended it", Class::Crash),
            (
                "a script's end",
                "exit code 1\nlog 1: connection timeout=5\na\nb\nc\nExpected 4, but got 5.",
                Class::Assertion,
            ),
            (
                "a script's end",
                "exit code 1\nexpected 0 warnings: ok\na\nb\nc\nmkdir: /x: Permission denied",
                Class::Permission,
            ),
            ("JavaScript", "TypeError: setTimeout is not a function", Class::Unknown),
            (
                "a word in another",
                "Cannot call method 'FileAccess' on a null value",
                Class::Unknown,
            ),
            ("gcc", "fatal error: foo.h: No such file or directory", Class::MissingFile),
            (
                "Java",
                "java.lang.AssertionError: expected:<timeout> but was:<done>",
                Class::Assertion,
            ),
            (
                "JUnit 5",
                "org.opentest4j.AssertionFailedError: expected: <1> but was: <2>",
                Class::Assertion,
            ),
            ("dash", "x.sh: 3: lmutil: not found", Class::Environment),
            ("coloured", "\u{1b}[31mExpected 2, but got 1.\u{1b}[0m", Class::Assertion),
            ("no message", "", Class::Unknown),
            ("a frame that mentions one", "exit code 1\n   at Timeout.Wait()", Class::Unknown),
        ] {
            assert_eq!(failure(message).class(), expected, "{source}: {message}");
        }
        assert_eq!(Failure { not_loaded: true, ..failure("Expected 2") }.class(), Class::Discovery);
    }

    #[test]
    fn a_signature_is_the_same_for_two_runs_and_another_for_another_failure() {
        for (one, other) in [
            (
                "Expected 2, but got 1.\nat <sb>, C:\\a\\x.Tests.ps1:12",
                "Expected 2, but got 1.\nat <sb>, D:\\work\\x.Tests.ps1:99",
            ),
            ("panicked at src/lib.rs:5:9:\nboom", "panicked at src/lib.rs:77:1:\nboom"),
            (
                "Could not find file '/tmp/run-1/a.txt'.",
                "Could not find file '/home/u/run-2/a.txt'.",
            ),
            ("took 12ms at 0x7fff01", "took 9 ms at 0xdead"),
            (
                "2026-01-02T03:04:05.678Z refused (pid 12)",
                "2025-12-31T23:59:59Z refused (pid 4711)",
            ),
            ("a.sh: line 3: boom", "a.sh: line 4: boom"),
            (
                "id 123e4567-e89b-12d3-a456-426614174000 is gone",
                "id 00000000-e89b-12d3-a456-426614174000 is gone",
            ),
            ("\u{1b}[31mboom\u{1b}[0m", "boom"),
            (
                "thread 'main' (12345) panicked at a/b.rs:1:2:\nboom",
                "thread 'main' (777) panicked at a/b.rs:9:9:\nboom",
            ),
            ("x.sh: 3: lmutil: not found", "x.sh: 4: lmutil: not found"),
            ("\u{1b}[31mExpected 2, but got 1.\u{1b}[0m", "Expected 2, but got 1."),
        ] {
            assert_eq!(failure(one).signature(), failure(other).signature(), "{one} / {other}");
        }
        for (one, other) in
            [("Expected 2, but got 1.", "Expected 2, but got 3."), ("boom", "bang"), ("", "boom")]
        {
            assert_ne!(failure(one).signature(), failure(other).signature(), "{one} / {other}");
        }
    }

    #[test]
    fn a_root_is_taken_off_where_a_path_begins_and_nowhere_else() {
        let below = |text: &str, root: &str| failure(text).below(&[root.to_owned()]).message;
        for (text, root, expected) in [
            ("/app/src/x.py:7 and (/app/y.py)", "/app", "src/x.py:7 and (y.py)"),
            (
                "src/app/x.py vendored/app/y.py /usr/lib/app/z.py",
                "/app",
                "src/app/x.py vendored/app/y.py /usr/lib/app/z.py",
            ),
            ("at C:\\w\\x.Tests.ps1:3, C:/w/y.ps1", "C:/w", "at x.Tests.ps1:3, y.ps1"),
            ("/app /apple/x /app/", "/app", "/app /apple/x "),
        ] {
            assert_eq!(below(text, root), expected, "{text}");
        }
    }

    #[test]
    fn alike_failures_are_one_group_and_the_largest_comes_first() {
        let named =
            |name: &str, message: &str| Failure { name: name.to_owned(), ..failure(message) };
        let all = [
            named("a", "boom"),
            named("b", "Expected 1, but got 2."),
            named("c", "Expected 1, but got 2.\nat x.ps1:9"),
        ];
        let groups = groups(&all);
        assert_eq!(
            (groups.len(), groups[0].first.name.as_str(), groups[0].others.len()),
            (2, "b", 1)
        );
        assert_eq!(groups[1].first.name, "a");
    }
}
