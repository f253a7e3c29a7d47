//! Places in source files that a failure names: frames of stack traces first, then places in its
//! text.

use std::sync::LazyLock;

use regex::Regex;

use super::message::{pattern, plain};

/// No file has more lines: a number beyond is none of a line.
const MOST_LINES: u64 = 10_000_000;
/// How many lines of a message are looked at, and how many places are kept.
const LINES_READ: usize = 400;
const PLACES_KEPT: usize = 60;

/// A line of a file, as a failure names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, `/` between names.
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) line: u64,
    /// Whether the file is only the end of a path: a class's own file, as Java names it.
    pub(crate) partial: bool,
}

/// What the checkout holds, where it is at hand.
pub(crate) trait Sources {
    /// How many lines a file below the root has; none where there is no such file.
    fn lines(&self, file: &str) -> Option<u64>;
    /// The files below the root whose path ends with this one, whole names only.
    fn ending_with(&self, end: &str) -> Vec<String>;
}

/// Endings of source files.
const ENDINGS: &str = "ps1|psm1|rs|pyi?|[cm]?[jt]sx?|cs|fs|vb|java|kts?|groovy|scala|go|rb|php|\
                       cc?|cpp|cxx|hh?|hpp|mm?|swift|sh|bash|bats|zsh|pl|lua|exs?|dart";

/// Folders whose files belong to a library, a tool or a runtime.
const FOREIGN: [&str; 9] = [
    "node_modules",
    "site-packages",
    "dist-packages",
    ".venv",
    "venv",
    "vendor",
    ".cargo",
    "rustc",
    "node:internal",
];

/// One shape of a stack frame: its expression, with the file and the line as its first two groups.
static FRAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let root = r"(?:[A-Za-z]:)?";
    let ending = format!(r"\.(?:{ENDINGS})");
    let unquoted = r"[^\s:()'\x22,<>=][^:()'\x22,<>=]*?";
    [
        // PowerShell: `at <ScriptBlock>, C:\a b\x.ps1:12`, `at f, /x.ps1: line 12`.
        format!(r"^\s*at .*, ({root}[^,]*?\.psm?1):(?: line )?(\d+)\s*$"),
        // PowerShell's parser and its position messages: `At C:\a b\x.ps1:12 char:5`.
        format!(r"^\s*At ({root}.*?\.psm?1):(\d+) char:\d+"),
        // Python: `File "x.py", line 12`.
        r#"^\s*(?:E\s+)?File "(.+?)", line (\d+)"#.to_owned(),
        // .NET: `at A.B() in C:\a b\x.cs:line 12`, with the words of any language.
        format!(r"^\s*\S+ .*\)\s\S+ ({root}[\\/].+?):\w+ (\d+)\s*$"),
        // Node: `at f (file:///a b/x.js:12:5)`, `at /x.js:12:5`.
        format!(r"^\s*at (?:.*\()?(?:async )?(?:file://)?({root}[^()]*?{ending}):(\d+):\d+\)?\s*$"),
        // bats: `(in test file a.bats, line 12)`, `(from function `f' in file x.bash, line 12,`.
        r"\bin (?:test )?file (.+?), line (\d+)".to_owned(),
        // Rust: `panicked at src/lib.rs:12:5:`.
        format!(r"\bpanicked at (?:.*', )?({root}[^:]*?\.rs):(\d+):\d+"),
        // A shell: `x.sh: line 12: ...`, `x.sh: 12: ...`.
        format!(r"^\s*({root}[^:]+\.(?:sh|bash|bats)): (?:line )?(\d+):"),
        // What begins a line: pytest, Go, Ruby (`# ./x.rb:12:in`), PHP, GoogleTest, Unity.
        format!(r"^\s*(?:# )?({root}{unquoted}{ending}):(\d+)(?::\d+)?(?::|\s|$)"),
    ]
    .iter()
    .map(|text| pattern(text))
    .collect()
});

/// Java and Kotlin: `at a.b.CTest.d(CTest.java:12)`.
static JVM: LazyLock<Regex> = LazyLock::new(|| {
    let method = r"(?:[^\s(]*/)?([\w$]+(?:\.[\w$<>]+)+)";
    let file = r"[\w$-]+\.(?:java|kt|groovy|scala)";
    pattern(&format!(r"^\s*at {method}\(({file}):(\d+)\)\s*$"))
});

/// `file.ext:12`, `file.ext: line 12`, `File "x.py", line 12`; not inside a URL or another word.
pub(super) static MENTION: LazyLock<Regex> = LazyLock::new(|| {
    let file = format!(r"(?:[A-Za-z]:[\\/])?[\w.@~-]*[\w./\\@~-]*\.(?:{ENDINGS})");
    let line = r"(?::(\d+)|,? ?:? line (\d+))";
    pattern(&format!(r#"(?:^|[\s"'(<=,])({file})"?{line}"#))
});

/// The places that a text names: first its stack frames, in their order, then places anywhere in
/// it.
pub(crate) fn places(text: &str) -> Vec<Place> {
    let text = plain(text);
    let lines = || text.lines().take(LINES_READ);
    let mut found: Vec<Place> = lines().filter_map(frame).collect();
    let mention = |found: regex::Captures<'_>| {
        let line = found.get(2).or_else(|| found.get(3))?;
        place(found.get(1)?.as_str(), line.as_str(), false)
    };
    found.extend(
        lines()
            .flat_map(|line| MENTION.captures_iter(line).filter_map(mention).collect::<Vec<_>>()),
    );
    let mut seen: Vec<Place> = Vec::new();
    for place in found {
        if seen.len() < PLACES_KEPT && !seen.contains(&place) {
            seen.push(place);
        }
    }
    seen
}

fn frame(line: &str) -> Option<Place> {
    if let Some(found) = JVM.captures(line) {
        // The class stands in the file of its outermost class, in the folder of its package.
        let mut names: Vec<&str> = found.get(1)?.as_str().split('.').collect();
        names.truncate(names.len().saturating_sub(2));
        names.push(found.get(2)?.as_str());
        return place(&names.join("/"), found.get(3)?.as_str(), true);
    }
    let found = FRAMES.iter().find_map(|shape| shape.captures(line))?;
    place(found.get(1)?.as_str(), found.get(2)?.as_str(), false)
}

fn place(file: &str, line: &str, partial: bool) -> Option<Place> {
    let line = line.parse().ok().filter(|line| (1..=MOST_LINES).contains(line))?;
    let file = file.trim().replace('\\', "/");
    let file = file.strip_prefix("file://").unwrap_or(&file);
    Some(Place { file: file.to_owned(), line, partial })
}

/// Whether a file belongs to a library or to the test runner itself.
pub(crate) fn is_foreign(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    let pester = name.starts_with("pester.") && name.ends_with(".psm1") || name == "pester.ps1";
    pester || file.split('/').any(|part| FOREIGN.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<(String, u64)> {
        places(text)
            .into_iter()
            .find(|place| !is_foreign(&place.file))
            .map(|place| (place.file, place.line))
    }

    #[test]
    fn every_runner_names_the_failing_line_in_its_own_way() {
        for (runner, text, expected) in [
            (
                "Pester",
                "Expected 3, but got 2.\nat <ScriptBlock>, C:\\a b\\x.Tests.ps1:12",
                ("C:/a b/x.Tests.ps1", 12),
            ),
            (
                "Pester, vendored",
                "no\n\
                 at Should, /w/Pester/5.7.1/Pester.psm1:8250\n\
                 at <ScriptBlock>, /w/t/x.Tests.ps1:3",
                ("/w/t/x.Tests.ps1", 3),
            ),
            ("PowerShell's parser", "At /w/x.Tests.ps1:7 char:5\n+ }", ("/w/x.Tests.ps1", 7)),
            (
                "pytest",
                "def test():\n>   assert f('q.py:99')\nE   no\n\ntests/test_a.py:7: AssertionError",
                ("tests/test_a.py", 7),
            ),
            (
                "unittest",
                "Traceback:\n  File \"/w/a b/test_a.py\", line 9, in test\nno",
                ("/w/a b/test_a.py", 9),
            ),
            (
                "node:test",
                concat!(
                    "cause: AssertionError\n",
                    "      at TestContext.<anonymous> (file:///w/a.test.mjs:2:45)\n",
                    "  at node:internal/x:1:2",
                ),
                ("/w/a.test.mjs", 2),
            ),
            (
                "Jest",
                concat!(
                    "Error: no\n",
                    "    at Object.toBe (/w/node_modules/x/i.js:1:1)\n",
                    "    at Object.<anonymous> (/w/a b/x.test.js:4:21)",
                ),
                ("/w/a b/x.test.js", 4),
            ),
            ("Go", "    sum_test.go:12: got 3", ("sum_test.go", 12)),
            (
                "Go, a panic",
                "goroutine 7:\n\t/w/pkg/sum_test.go:12 +0x1d",
                ("/w/pkg/sum_test.go", 12),
            ),
            ("Rust", "thread 'x' panicked at src/lib.rs:5:9:\nboom", ("src/lib.rs", 5)),
            ("Rust, older", "thread 'x' panicked at 'boom', src/lib.rs:5:9", ("src/lib.rs", 5)),
            (
                "JUnit",
                "org.opentest4j.AssertionFailedError: expected\n\
                 \tat app//org.junit.Assert.fail(Assert.java:3)",
                ("org/junit/Assert.java", 3),
            ),
            (
                "Kotlin",
                "\tat com.x.RelayTest$Inner.opens(RelayTest.kt:8)",
                ("com/x/RelayTest.kt", 8),
            ),
            (".NET", "   at A.B.C() in C:\\a b\\x.cs:line 12", ("C:/a b/x.cs", 12)),
            (".NET, in German", "   bei A.B.C() in /w/x.cs:Zeile 12", ("/w/x.cs", 12)),
            ("RSpec", "# ./spec/x_spec.rb:4:in `block (2 levels)'", ("./spec/x_spec.rb", 4)),
            ("PHPUnit", "Failed asserting.\n\n/w/tests/XTest.php:12", ("/w/tests/XTest.php", 12)),
            ("bats", "(in test file t/a.bats, line 3)\n  `false' failed", ("t/a.bats", 3)),
            (
                "GoogleTest",
                "/w/relay_test.cpp:7: Failure\nExpected equality",
                ("/w/relay_test.cpp", 7),
            ),
            ("Unity", "test_relay.c:12:test_opens:FAIL: Expected 1 Was 2", ("test_relay.c", 12)),
            ("a shell", "exit code 1\ntests/a.sh: line 3: boom", ("tests/a.sh", 3)),
        ] {
            assert_eq!(first(text), Some((expected.0.to_owned(), expected.1)), "{runner}: {text}");
        }
    }

    #[test]
    fn what_is_no_place_names_none() {
        for text in [
            "exit code 1",
            "503 from https://docs.rs:443/x",
            "a.rs:0 and b.rs:18446744073709551615",
            "db.local:5432",
        ] {
            assert_eq!(places(text), [], "{text}");
        }
    }
}
