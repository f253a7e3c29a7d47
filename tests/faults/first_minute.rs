//! Rows of the first minutes with a repository: no configuration, commands that fail early, reports
//! that prove nothing.
#![cfg(unix)]

use std::fs;

use super::{GREEN, PASSING, Row, command, one, readiness, red, seam, selection, with};
use crate::harness::{Sandbox, Seen};

/// A checkout without a configuration.
fn bare(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::green();
    fs::remove_file(sandbox.root.join("pester-gate.yml")).unwrap();
    for (path, text) in files {
        sandbox.file(path, text).executable(path);
    }
    sandbox.commit();
    sandbox
}

/// The configuration of a bare checkout.
fn configured(text: &str) -> Seen {
    let sandbox = bare(&[]);
    sandbox.file("pester-gate.yml", text);
    sandbox.commit();
    sandbox.run(&[], &[])
}

/// A command that is given the selected files; `report` is what it writes.
fn given_files(report: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.script("runner.sh", &format!("mkdir -p out; cat > out/r.xml <<'END'\n{report}\nEND"));
    sandbox.file(".gitignore", "out/\n");
    let dispatcher = "dispatcher: {kind: command, command: [./runner.sh, \"{files}\"], \
                      results: [\"out/*.xml\"]}\n";
    sandbox.config_with(dispatcher, more);
    sandbox.commit();
    sandbox
}

/// A report in which one test case names each of these files.
fn named(files: &[&str]) -> String {
    let case = |file: &&str| format!("<testcase name=\"t\" file=\"{file}\"/>");
    format!("<testsuites>{}</testsuites>", files.iter().map(case).collect::<String>())
}

/// The sandbox with a second configuration, of one script.
fn second_configuration(sandbox: &Sandbox, script: &str) {
    let first = fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
    sandbox.file("pester-gate.yml", &format!("also-run: [pester-gate.shell.yml]\n{first}"));
    sandbox.file("more/c.check", &format!("#!/bin/sh\n{script}\n")).executable("more/c.check");
    sandbox.file(
        "pester-gate.shell.yml",
        "tests: {path: more, pattern: \"*.check\"}\ndispatcher: {kind: scripts}\n\
         standing-priority: {policy: \"off\"}\npreflight: {disk: {min-free: 1MiB}}\n",
    );
    sandbox.commit();
}

/// What was typed behind `--`, in a checkout without a configuration.
fn typed(script: &str) -> Seen {
    bare(&[]).run(&["--", "sh", "-c", script], &[])
}

const BOTH: [&str; 2] = ["tests/a.sh", "tests/b.sh"];

pub(super) const ROWS: &[Row] = &[
    // Nothing is guessed.
    one(
        "selection",
        "no configuration, and scripts among the tests",
        selection("configuration-missing"),
        || {
            let seen = bare(&[("tests/reset_database.sh", "#!/bin/sh\ntouch \"$HOME/was-run\"\n")])
                .run(&[], &[]);
            assert!(
                !seen.folder.join("../../was-run").exists(),
                "a script was run that nobody asked for"
            );
            seen
        },
    ),
    one(
        "selection",
        "no configuration, and Python and programs among the tests",
        selection("configuration-missing"),
        || {
            bare(&[("tests/test_a.py", "def test_a(): pass\n"), ("tests/tool", "#!/bin/sh\n")])
                .run(&[], &[])
        },
    ),
    one(
        "selection",
        "no configuration, and a helper next to bats files",
        selection("configuration-missing"),
        || {
            bare(&[("tests/a.bats", "@test \"a\" { true; }\n"), ("tests/helper.sh", "#!/bin/sh\n")])
                .run(&[], &[])
        },
    ),
    one(
        "selection",
        "no configuration, and one file by hand",
        selection("configuration-missing"),
        || bare(&[]).run(&["--file", "tests/a.sh"], &[]),
    ),
    one(
        "selection",
        "a configuration without dispatcher and pattern",
        selection("configuration-missing"),
        || {
            configured(
                "standing-priority: {policy: \"off\"}\npreflight: {disk: {min-free: 1MiB}}\n",
            )
        },
    ),
    one("selection", "scripts without a pattern", selection("configuration-missing"), || {
        configured("dispatcher: {kind: scripts}\npreflight: {disk: {min-free: 1MiB}}\n")
    }),
    one(
        "selection",
        "a command with files and without a pattern",
        selection("configuration-missing"),
        || {
            configured(
                "dispatcher: {kind: command, command: [cat, \"{files}\"], results: [r.xml]}\n",
            )
        },
    ),
    // Settings without an effect.
    one(
        "selection",
        "shards of a command that takes no files",
        selection("profile-invalid"),
        || command(PASSING, "").run(&["--shards", "2"], &[]),
    ),
    one("selection", "a file's limit for a command", selection("profile-invalid"), || {
        command(PASSING, "").run(&["--file-timeout", "1s"], &[])
    }),
    one("selection", "a test's limit for scripts", selection("profile-invalid"), || {
        with("").run(&["--test-timeout", "1s"], &[])
    }),
    one(
        "selection",
        "a file by hand for a typed command without files",
        selection("profile-invalid"),
        || bare(&[]).run(&["--file", "tests/a.sh", "--", "true"], &[]),
    ),
    // The test command's own parts.
    one(
        "preflight",
        "the interpreter of the test command is missing",
        readiness("tool-missing"),
        || {
            let sandbox = command("exit 0", "");
            sandbox.file("runner.sh", "#!/usr/bin/env no-such-interpreter\n");
            sandbox.run(&[], &[])
        },
    ),
    one("preflight", "a typed program is not on PATH", readiness("tool-missing"), || {
        bare(&[]).run(&["--", "no-such-program"], &[])
    }),
    one("preflight", "a typed Python module is missing", readiness("tool-missing"), || {
        let sandbox = bare(&[]);
        // A stand-in answers as Python does where a module is not found.
        sandbox.script("python3", "exit 3");
        sandbox.run(&["--", "./python3", "-m", "no_such_module"], &[])
    }),
    one("preflight", "a typed tool of a package is missing", readiness("tool-missing"), || {
        let sandbox = bare(&[]);
        sandbox.script("npx", "exit 0");
        sandbox.run(&["--", "./npx", "--no-install", "no-such-tool"], &[])
    }),
    // A command that fails before it writes results.
    one("execute", "the test command has a wrong flag", seam("dispatcher-failed"), || {
        command("echo 'error: unknown option --frob' >&2; exit 2", "").run(&[], &[])
    }),
    one("execute", "a typed command fails to compile", seam("dispatcher-failed"), || {
        typed("echo 'src/lib.rs:3: error: expected ;' >&2; exit 101")
    }),
    one("execute", "a typed command hides its failure", seam("results-missing"), || {
        typed("false || true")
    }),
    one("execute", "a typed command hides a failed test", red("tests-failed"), || {
        typed(
            "echo '<testsuites><testcase name=\"t\"><failure/></testcase></testsuites>' > r.xml; \
             false || true",
        )
    }),
    one(
        "execute",
        "a typed command leaves an earlier run's report",
        seam("results-missing"),
        || {
            let sandbox =
                bare(&[("out/r.xml", "<testsuites><testcase name=\"old\"/></testsuites>")]);
            sandbox.run(&["--", "true"], &[])
        },
    ),
    one("execute", "a typed command writes an empty report", seam("zero-tests-executed"), || {
        typed("echo '<testsuites/>' > r.xml")
    }),
    one(
        "execute",
        "a typed command writes a whole report and an empty file",
        seam("results-truncated"),
        || typed("echo '<testsuites><testcase name=\"t\"/></testsuites>' > r.xml; : > s.xml"),
    ),
    one("execute", "a typed command writes a report among other files", GREEN, || {
        typed(
            "mkdir out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml; \
             echo '<html/>' > out/x.xml; echo '{}' > out/y.json",
        )
    }),
    one("execute", "the standard output is the report", GREEN, || {
        bare(&[]).run(
            &["--results", "-", "--", "echo", "<testsuites><testcase name='t'/></testsuites>"],
            &[],
        )
    }),
    one(
        "execute",
        "the standard output is a report that is cut",
        seam("results-truncated"),
        || {
            bare(&[])
                .run(&["--results", "-", "--", "echo", "<testsuites><testcase name='t'/>"], &[])
        },
    ),
    // Proof that what was selected ran.
    one(
        "execute",
        "a selected file has no test in the report",
        seam("test-file-not-accounted"),
        || given_files(&named(&["tests/a.sh"]), "").run(&[], &[]),
    ),
    one("execute", "the report names no file", seam("test-file-not-accounted"), || {
        given_files("<testsuites><testcase name=\"t\"/></testsuites>", "").run(&[], &[])
    }),
    one("execute", "a selected file has no test, and policy warns", GREEN, || {
        given_files(&named(&["tests/a.sh"]), "policy: {unaccounted: warn}\n").run(&[], &[])
    }),
    one("execute", "every selected file has a test", GREEN, || {
        given_files(&named(&BOTH), "").run(&[], &[])
    }),
    one(
        "execute",
        "the report of another file of the same name",
        seam("test-file-not-accounted"),
        || given_files(&named(&["tests/a.sh", "elsewhere/tests/b.sh"]), "").run(&[], &[]),
    ),
    // Reports that are easily overlooked, each next to one that passes.
    one(
        "execute",
        "a runner reports the names of files without folders",
        red("tests-failed"),
        || {
            let case = |name: &str, inner: &str| {
                format!("<testcase name=\"t\" file=\"{name}\">{inner}</testcase>")
            };
            let cases = [case("a.sh", "<failure/>"), case("b.sh", "")].concat();
            let seen = given_files(&format!("<testsuites>{cases}</testsuites>"), "").run(&[], &[]);
            assert!(seen.text("replay").ends_with(" --file tests/a.sh"), "{}", seen.text("replay"));
            seen
        },
    ),
    one("execute", "the second framework of a mixed repository fails", red("tests-failed"), || {
        let sandbox = given_files(&named(&BOTH), "");
        second_configuration(&sandbox, "exit 1");
        let mut seen = sandbox.run_several();
        assert_eq!(seen[0].text("classification"), "completed", "{:?}", seen[0].ran);
        seen.remove(1)
    }),
    one(
        "selection",
        "the second framework of a mixed repository has no test file",
        selection("selection-empty"),
        || {
            let sandbox = Sandbox::green();
            second_configuration(&sandbox, "true");
            fs::rename(sandbox.root.join("more/c.check"), sandbox.root.join("more/c")).unwrap();
            sandbox.commit();
            sandbox.run_several().remove(1)
        },
    ),
    one("execute", "a failing stream on the standard output", red("tests-failed"), || {
        let stream = [
            r#"{"Action":"run","Package":"m","Test":"T"}"#,
            r#"{"Action":"fail","Package":"m","Test":"T"}"#,
        ];
        let stream = format!("{}\n{}\n", stream.join("\n"), r#"{"Action":"fail","Package":"m"}"#);
        let sandbox = with_reports(&[("stream", &stream)]);
        sandbox.run(&["--", "sh", "-c", "cat stream; cp ok fine.xml"], &[])
    }),
    one(
        "execute",
        "a typed command of several lines, with odd characters",
        red("tests-failed"),
        || {
            let script =
                "cp bad r.xml\n\t# 'quoted' \"$HOME\" 100% \\n ##[group] \u{200b}é\nexit 1";
            with_reports(&[]).run(&["--", "sh", "-c", script], &[])
        },
    ),
    one("execute", "a failing report behind a link", red("tests-failed"), || {
        beside_a_pass("cp bad ../linked.xml; ln -s ../linked.xml r.xml")
    }),
    one(
        "execute",
        "a failing report with a name that is not Unicode",
        seam("results-invalid"),
        || beside_a_pass("cp bad \"$(printf 'a\\377.xml')\""),
    ),
    one(
        "execute",
        "a failing report with the size and the time of an earlier one",
        red("tests-failed"),
        || {
            let sandbox = with_reports(&[]);
            sandbox.file("r.xml", &format!("{OK}{}", " ".repeat(BAD.len() - OK.len())));
            sandbox.commit();
            let script = "touch -r r.xml time; cp bad r.xml; touch -r time r.xml; cp ok fresh.xml";
            sandbox.run(&["--", "sh", "-c", script], &[])
        },
    ),
];

const OK: &str = "<testsuites><testcase name=\"t\"/></testsuites>";
const BAD: &str = "<testsuites><testcase name=\"u\"><failure/></testcase></testsuites>";

/// A checkout without a configuration, with a passing and a failing report in files of no ending.
fn with_reports(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = bare(files);
    sandbox.file("ok", OK).file("bad", BAD);
    sandbox.commit();
    sandbox
}

/// A typed command that writes a passing report, and does something else before.
fn beside_a_pass(script: &str) -> Seen {
    with_reports(&[]).run(&["--", "sh", "-c", &format!("{script}; cp ok fine.xml")], &[])
}
