//! Rows of the supervisor, its guard and the Pester dispatcher in both isolations. Pester is a
//! stand-in for `pwsh` whose doings follow from the names of the files in its plan.
#![cfg(unix)]

use super::{GREEN, LEAKS, Row, SIX, command, one, readiness, red, scripts, seam, two};
use crate::harness::{Sandbox, Seen, signal_when};

/// What the stand-in does for a file, by the beginning of its name. `$file`, `$name` and `$out` are
/// set; `object RESULT TESTS FILES` leaves a run object.
const PLAYER: &str = concat!(
    r#"
file=$(sed 's/.*"files":\["\([^"]*\)".*/\1/' "$last")
name=$(basename "$file" .Tests.ps1)
seq=0
event() {
  seq=$((seq + 1))
  printf '{"schema":"comparevi/runtime-event/v1","seq":%d,"tsUtc":"2026-01-01T00:00:00Z","#,
    r#""type":"%s"%s}\n' $seq "$1" "$2" >>"$out/dispatcher-events.ndjson"
}
start() {
  event adapter-start ',"pid":1,"ps":"7.6.5","pester":"6.0.1","found":["6.0.1"]'
  event file-start ",\"file\":\"$file\""
  event test-start ",\"file\":\"$file\",\"line\":3,\"test\":\"$name.works\""
}
object() {
  failed=0; passed=0; blocks=0; files=0
  case $2 in *Failed*) failed=1;; *Passed*) passed=1;; esac
  case $3 in *failedBlocks*) blocks=1;; "#,
    r#"*'"Failed"'*) case $2 in *Failed*) ;; *) files=1;; esac;; esac
  printf '{"schema":"%s","result":"%s","#,
    r#""counts":{"passed":%d,"failed":%d,"skipped":0,"inconclusive":0,"#,
    r#""notRun":0,"failedBlocks":%d,"failedFiles":%d},"files":[%s],"tests":[%s]}' \
    "${schema:-pester-gate-run@v1}" "$1" $passed $failed "#,
    r#"$blocks $files "$3" "$2" >"$out/pester-run.json"
}
end() {
  event run-end
  event adapter-end ",\"result\":\"$1\",\"exitCode\":$2"
  exit $2
}
one_test() { printf '{"path":"%s.works","file":"%s","line":3,"result":"%s"}' "$name" "$file" "$1"; }
one_file() { printf '{"file":"%s","result":"%s","executed":%s%s}' "$file" "$1" "${2:-true}" "$3"; }
ended() {
  event test-end ",\"file\":\"$file\",\"line\":3,"#,
    r#"\"test\":\"$name.works\",\"outcome\":\"$1\",\"ms\":1"
  event file-end ",\"file\":\"$file\""
}
case $name in
pass*) start; ended Passed; object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 0;;
fail*) start; ended Failed; object Failed "$(one_test Failed)" "$(one_file Failed)"; end Failed 1;;
hang*) start; sleep 60;;
quit*) start; sleep 0.3; exit 0;;
kill*) start; kill -9 $$;;
load*) event adapter-start; "#,
    r#"object Failed "" "$(one_file Failed false "#,
    r#"',"errors":[{"message":"missing brace","line":7}]')"; end Failed 1;;
block*) start; ended Passed; object Failed "$(one_test Passed)" "#,
    r#""$(one_file Failed true "#,
    r#"',"failedBlocks":[{"path":"B","errors":[{"message":"no bench"}]}]')"; end Failed 1;;
plan*) exit 2;;
none*) event adapter-start ',"found":[]'; "#,
    r#"event adapter-refused ',"reason":"pester-missing"'; exit 3;;
old*) event adapter-start ',"found":["3.4.0"]'; "#,
    r#"event adapter-refused ',"reason":"pester-version-unsupported"'; exit 3;;
throw*) start; event invoke-threw; exit 4;;
gone*) event adapter-start; event file-missing ",\"file\":\"$file\""; exit 4;;
odd*) start; ended Passed; object Passed "$(one_test Passed)" "$(one_file Passed)"; exit 33;;
open*) start; ended Passed; object Passed "$(one_test Passed)" "$(one_file Passed)"; exit 0;;
differ*) start; ended Passed; "#,
    r#"object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 1;;
drop*) event adapter-start; object Passed "" ""; end Passed 0;;
empty*) event adapter-start; object Passed "" "$(one_file Passed)"; end Passed 0;;
hidden*) start; ended Failed; "#,
    r#"object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 0;;
later*) schema=pester-gate-run@v9; start; ended Passed; "#,
    r#"object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 0;;
blame*) start; ended Passed; object Failed "$(one_test Passed)" "$(one_file Passed)"; end Failed 1;;
split*) start; ended Passed; object Passed "$(one_test Passed)" "$(one_file Passed)"; "#,
    r#"event run-end; event adapter-end ',"result":"Failed"'; exit 0;;
sow*) start; own=$out; file=$(dirname "$file")/quit.Tests.ps1; name=quit; "#,
    r#"out=$out/../00001-quit.Tests.ps1; mkdir -p "$out"
  object Passed "$(one_test Passed)" "$(one_file Passed)"; "#,
    r#"out=$own; file=$(dirname "$file")/sow.Tests.ps1; name=sow
  ended Passed; object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 0;;
loop*) ln -s ../../dispatcher-events.ndjson "$out/dispatcher-events.ndjson"; sleep 5;;
leak*) start; setsid sleep 5.125 >/dev/null 2>&1 & start; ended Passed; "#,
    r#"object Passed "$(one_test Passed)" "$(one_file Passed)"; end Passed 0;;
esac
"#,
);

/// A checkout with Pester files of these names.
pub(crate) fn pester(names: &[&str], dispatcher: &str, more: &str) -> Sandbox {
    let sandbox = super::pester(SIX, PLAYER, dispatcher);
    std::fs::remove_dir_all(sandbox.root.join("tests")).unwrap();
    for name in names {
        sandbox.file(&format!("tests/{name}.Tests.ps1"), "Describe 'x' { }");
    }
    let config = std::fs::read_to_string(sandbox.root.join("pester-gate.yml")).unwrap();
    sandbox.file("pester-gate.yml", &format!("{config}{more}"));
    sandbox.commit();
    sandbox
}

/// One process for each.
fn each(names: &[&str], arguments: &[&str]) -> Seen {
    pester(names, ", isolation: file, jobs: 2", "").run(arguments, &[])
}

/// One process for one.
fn alone(name: &str, arguments: &[&str]) -> Seen {
    pester(&[name], "", "").run(arguments, &[])
}

const BASELINE: (&str, &str, &str, i32) = ("seam-defect", "post", "baseline-unreadable", 6);

const SOON: [&str; 2] = ["--kill-grace", "200ms"];

fn within<'a>(limit: &'a [&'a str]) -> Vec<&'a str> {
    limit.iter().copied().chain(SOON).collect()
}

/// Ends the guard, which is the parent of whatever it started.
const END_THE_GUARD: &str = "kill -9 $PPID; sleep 60";

pub(super) const ROWS: &[Row] = &[
    // One process for each file.
    one("execute", "one file of several hangs", red("test-timed-out"), || {
        each(&["pass", "hang", "pass2"], &within(&["--file-timeout", "700ms"]))
    }),
    one("execute", "one test of one file hangs", red("test-timed-out"), || {
        each(&["pass", "hang"], &within(&["--test-timeout", "700ms"]))
    }),
    one("execute", "one file falls silent", red("test-timed-out"), || {
        each(&["pass", "hang"], &within(&["--no-output-timeout", "700ms"]))
    }),
    one(
        "execute",
        "one file's process leaves with 0 and nothing",
        seam("dispatcher-crashed"),
        || each(&["pass", "quit"], &[]),
    ),
    one("execute", "a signal ends one file's process", seam("dispatcher-crashed"), || {
        each(&["kill", "pass"], &[])
    }),
    one("execute", "two files fail, each in its process", red("tests-failed"), || {
        each(&["fail", "fail2", "pass"], &[])
    }),
    one(
        "execute",
        "one file does not load, in its process",
        red("test-file-failed-to-load"),
        || each(&["load", "pass"], &[]),
    ),
    one(
        "execute",
        "one file's block fails, in its process",
        red("setup-or-teardown-failed"),
        || each(&["block", "pass"], &[]),
    ),
    one("execute", "one file's plan is unusable", seam("dispatcher-not-started"), || {
        each(&["pass", "plan"], &[])
    }),
    one(
        "execute",
        "the run's limit, with a process for each file",
        seam("dispatcher-timed-out"),
        || each(&["hang", "hang2", "pass"], &within(&["--run-timeout", "900ms"])),
    ),
    one("execute", "a cancel, with a process for each file", seam("run-cancelled"), || {
        let sandbox = pester(&["hang", "pass"], ", isolation: file", "");
        signal_when(&sandbox, &SOON, "TERM", |folder| {
            let journal = std::fs::read_to_string(folder.join("raw/dispatcher-events.ndjson"))
                .unwrap_or_default();
            journal.contains("hang.works")
        })
    }),
    one("execute", "one process's exit code and result differ", seam("exit-code-mismatch"), || {
        each(&["differ", "pass"], &[])
    }),
    one(
        "execute",
        "one file is dropped without a word, in its process",
        seam("test-file-not-accounted"),
        || each(&["drop", "pass"], &[]),
    ),
    one("execute", "every file is empty, each in its process", seam("zero-tests-executed"), || {
        each(&["empty", "empty2"], &[])
    }),
    one(
        "execute",
        "Pester vanished between preflight and execute",
        readiness("pester-missing"),
        || each(&["none", "none2"], &[]),
    ),
    one(
        "execute",
        "one file's process leaves a child in a session of its own",
        seam("leaks-detected"),
        || pester(&["leak", "pass"], ", isolation: file", LEAKS).run(&[], &[]),
    ),
    one(
        "execute",
        "a test plants a green run object for a sibling that crashes",
        seam("results-dir-unusable"),
        || pester(&["quit", "sow"], ", isolation: file, jobs: 2", "").run(&[], &[]),
    ),
    one("execute", "a file's journal is a link to the gate's own", red("test-timed-out"), || {
        each(&["loop", "pass"], &within(&["--file-timeout", "1s"]))
    }),
    two("execute", "one file hangs, and a test of another fails", red("tests-failed"), || {
        each(&["fail", "hang"], &within(&["--file-timeout", "700ms"]))
    }),
    two(
        "execute",
        "one file crashes, and a test of another fails",
        seam("dispatcher-crashed"),
        || each(&["fail", "quit"], &[]),
    ),
    // One process for all.
    one("execute", "Invoke-Pester throws", seam("dispatcher-crashed"), || alone("throw", &[])),
    one(
        "execute",
        "every planned file is missing to Pester",
        seam("test-file-not-accounted"),
        || alone("gone", &[]),
    ),
    one(
        "execute",
        "the script leaves with an exit code of nobody's",
        seam("dispatcher-crashed"),
        || alone("odd", &[]),
    ),
    one("execute", "the journal has no end", seam("dispatcher-crashed"), || alone("open", &[])),
    one("execute", "the script cannot use its plan", seam("dispatcher-not-started"), || {
        alone("plan", &[])
    }),
    one(
        "execute",
        "execute meets a Pester too old",
        readiness("pester-version-unsupported"),
        || alone("old", &[]),
    ),
    one(
        "execute",
        "the journal tells of a failure that the run object hides",
        seam("results-inconsistent"),
        || alone("hidden", &[]),
    ),
    one("execute", "the run object is of a later version", seam("dispatcher-crashed"), || {
        alone("later", &[])
    }),
    one("execute", "Pester says Failed and nothing failed", seam("exit-code-mismatch"), || {
        alone("blame", &[])
    }),
    one("execute", "journal and run object end differently", seam("exit-code-mismatch"), || {
        alone("split", &[])
    }),
    one(
        "execute",
        "one test's limit, with one process for all",
        seam("dispatcher-timed-out"),
        || alone("hang", &within(&["--test-timeout", "700ms"])),
    ),
    one(
        "execute",
        "one file's limit, with one process for all",
        seam("dispatcher-timed-out"),
        || alone("hang", &within(&["--file-timeout", "700ms"])),
    ),
    // The guard.
    one(
        "execute",
        "a test leaves a process in a session of its own",
        seam("leaks-detected"),
        || scripts(&[("c", "setsid sleep 5.25 >/dev/null 2>&1 & exit 0")], LEAKS).run(&[], &[]),
    ),
    one(
        "execute",
        "a test leaves a grandchild whose parents are gone",
        seam("leaks-detected"),
        || {
            let body =
                "setsid sh -c 'setsid sh -c \"sleep 5.5 & exit\" & exit' >/dev/null 2>&1; exit 0";
            scripts(&[("c", body)], LEAKS).run(&[], &[])
        },
    ),
    one(
        "execute",
        "a set-up leaves a process that no clean-up stops",
        seam("leaks-detected"),
        || {
            let more = "leaks: fail\n\
                        profiles: {default: {leak-grace: 200ms, \
                        before: [[sh, -c, \"sleep 5.75 >/dev/null 2>&1 &\"]]}}\n";
            scripts(&[], more).run(&[], &[])
        },
    ),
    one("execute", "a clean-up stops what the set-up started", GREEN, || {
        let more = "leaks: fail\n\
                    profiles: {default: {leak-grace: 1s, \
                    before: [[sh, -c, \"sleep 30.75 >/dev/null 2>&1 & echo $! > pid\"]], \
                    after: [[sh, -c, \"kill $(cat pid)\"]]}}\n";
        let sandbox = scripts(&[("c", "kill -0 $(cat pid)")], more);
        sandbox.run(&[], &[])
    }),
    one("execute", "a test ends the guard", seam("dispatcher-crashed"), || {
        command(END_THE_GUARD, "").run(&[], &[])
    }),
    one("execute", "a Pester test ends the guard", seam("dispatcher-crashed"), || {
        super::pester(SIX, END_THE_GUARD, "").run(&[], &[])
    }),
    one("execute", "a test of the pool ends the guard", seam("dispatcher-crashed"), || {
        scripts(&[("a", END_THE_GUARD)], "dispatcher: {kind: scripts, jobs: 2}\n").run(&[], &[])
    }),
    one("execute", "a test stops the guard", seam("dispatcher-crashed"), || {
        scripts(&[("a", "kill -STOP $PPID; exit 0"), ("b", "exit 0")], "")
            .run(&within(&["--file-timeout", "1s"]), &[])
    }),
    one(
        "execute",
        "a process that was left behind ends the guard",
        seam("dispatcher-crashed"),
        || {
            let more = "leaks: fail\nprofiles: {default: {leak-grace: 2s}}\n";
            let body = "g=$PPID; \
                        setsid sh -c \"sleep 0.6; kill -9 $g; sleep 5.625\" >/dev/null 2>&1 & \
                        exit 0";
            scripts(&[("c", body)], more).run(&[], &[])
        },
    ),
    one("execute", "a test hides from its file's limit", red("test-timed-out"), || {
        let hidden = "env -i /usr/bin/env setsid sleep 4747.125 >/dev/null 2>&1 & sleep 60";
        let seen = scripts(&[("c", hidden)], LEAKS).run(&within(&["--file-timeout", "600ms"]), &[]);
        assert!(crate::harness::marked("4747.125").is_empty());
        seen
    }),
    one("execute", "a secret is part of the checkout's path", GREEN, || {
        let sandbox = pester(&["pass"], "", "");
        let part = sandbox.root.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(part.len() >= 8, "{part}");
        sandbox.run(&[], &[("PROJECT_KEY", &part)])
    }),
    one("execute", "a test prints a secret in base64", seam("secret-in-output"), || {
        let body = "printf '%s' \"user:$DB_PASSWORD\" | base64; exit 1";
        scripts(&[("c", body)], "").run(&[], &[("DB_PASSWORD", "hunter2-hunter2")])
    }),
    one(
        "execute",
        "fewer tests ran than the baseline demands",
        seam("test-count-below-floor"),
        || {
            let sandbox = scripts(&[("c", "exit 0")], "policy: {below-floor: fail}\n");
            let first = sandbox.run(&[], &[]);
            let kept = sandbox.state.with_file_name("baseline");
            std::fs::rename(&first.folder, &kept).unwrap();
            std::fs::remove_dir_all(&sandbox.out).unwrap();
            std::fs::remove_file(sandbox.root.join("tests/c.sh")).unwrap();
            sandbox.commit();
            sandbox.run(&["--baseline", kept.to_str().unwrap()], &[])
        },
    ),
    one("selection", "the run whose durations a workflow names is not there", GREEN, || {
        scripts(&[("c", "exit 0")], "")
            .run(&["--shards", "2"], &[("PESTER_GATE_DURATIONS", "/nowhere/earlier")])
    }),
    one(
        "post",
        "the number of tests must be told, and the baseline is not there",
        BASELINE,
        || {
            let sandbox = scripts(&[("c", "exit 0")], "policy: {below-floor: fail}\n");
            sandbox.run(&[], &[("PESTER_GATE_BASELINE", "/nowhere/earlier")])
        },
    ),
    one("post", "the earlier run that a workflow names is not there", GREEN, || {
        scripts(&[("c", "exit 0")], "").run(&[], &[("PESTER_GATE_BASELINE", "/nowhere/earlier")])
    }),
    one("selection", "what failed is repeated on another commit", red("tests-failed"), || {
        let sandbox = scripts(&[("c", "exit 1")], "");
        let first = sandbox.run(&[], &[]);
        let kept = sandbox.state.with_file_name("bundle.json");
        std::fs::copy(first.folder.join("pester-replay-bundle.json"), &kept).unwrap();
        std::fs::remove_dir_all(&sandbox.out).unwrap();
        sandbox.commit();
        sandbox.run(&["--rerun-from", kept.to_str().unwrap()], &[])
    }),
    one(
        "selection",
        "what failed is not among the tests any more",
        ("selection-blocked", "selection", "test-file-missing", 5),
        || {
            let sandbox = scripts(&[("c", "exit 1")], "");
            let first = sandbox.run(&[], &[]);
            let kept = sandbox.state.with_file_name("bundle.json");
            std::fs::copy(first.folder.join("pester-replay-bundle.json"), &kept).unwrap();
            std::fs::remove_dir_all(&sandbox.out).unwrap();
            std::fs::remove_file(sandbox.root.join("tests/c.sh")).unwrap();
            sandbox.commit();
            sandbox.run(&["--rerun-from", kept.to_str().unwrap()], &[])
        },
    ),
    one(
        "selection",
        "a test file's name holds a secret",
        ("selection-blocked", "selection", "test-file-unusable", 5),
        || {
            scripts(&[("hunter2-hunter2", "exit 0")], "")
                .run(&[], &[("DB_PASSWORD", "hunter2-hunter2")])
        },
    ),
    // Limits and output.
    one("execute", "the set-up exceeds the run's limit", seam("setup-command-failed"), || {
        let more = "profiles: {default: {before: [[sleep, \"60\"]]}}\n";
        scripts(&[], more).run(&within(&["--run-timeout", "600ms"]), &[])
    }),
    one("execute", "a test prints UTF-16 without a mark and fails", red("tests-failed"), || {
        scripts(&[("c", "printf 'n\\0o\\0 \\0p\\0o\\0w\\0e\\0r\\0\\n\\0\\330'; exit 1")], "")
            .run(&[], &[])
    }),
    two("execute", "a test fails, and one leaves a process behind", red("tests-failed"), || {
        scripts(&[("c", "exit 3"), ("d", "setsid sleep 5.375 >/dev/null 2>&1 & exit 0")], LEAKS)
            .run(&[], &[])
    }),
];
