//! The fault table: every fault we know how to inject, with the one classification, failed layer,
//! reason code and exit code that it must give, through the built binary.
//!
//! For every row also: no innocent layer's receipt is blocked but with a code charged elsewhere;
//! the exit code agrees with the verdict; `verify` and the receipts' own schemas are other suites'.
//! Together the rows show which reason codes are produced; those that are not stand in
//! [`NOT_YET`], which may only shrink.

mod context;
pub(crate) mod execution;
#[cfg(unix)]
mod first_minute;
#[cfg(unix)]
mod lock;
#[cfg(unix)]
mod preflight;
mod route;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::{Chain, Sandbox, Seen, edit, file_of, sha256, signal_when};

/// Codes that no row produces yet: their layer's own issue brings them.
const NOT_YET: &[&str] = &[];

/// Codes that only Windows can produce: `tests/windows.rs` does.
const ON_WINDOWS: &[&str] = &["long-paths-disabled"];

/// The layers at which faults surface; every one must have at least five rows.
const LAYERS: [&str; 6] = ["route", "context", "preflight", "selection", "execute", "post"];

struct Row {
    name: &'static str,
    /// Where it surfaces: whose receipt first tells of it.
    at: &'static str,
    /// Classification, failed layer, deciding reason, exit code.
    owed: (&'static str, &'static str, &'static str, i32),
    /// Whether it is two faults at once, for the deciding order.
    combined: bool,
    see: fn() -> Seen,
}

const fn one(
    at: &'static str,
    name: &'static str,
    owed: (&'static str, &'static str, &'static str, i32),
    see: fn() -> Seen,
) -> Row {
    Row { name, at, owed, combined: false, see }
}

const fn two(
    at: &'static str,
    name: &'static str,
    owed: (&'static str, &'static str, &'static str, i32),
    see: fn() -> Seen,
) -> Row {
    Row { name, at, owed, combined: true, see }
}

/// Nothing is amiss.
const GREEN: (&str, &str, &str, i32) = ("completed", "none", "tests-passed", 0);

const fn context(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("context-blocked", "context", code, 3)
}
const fn readiness(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("readiness-blocked", "preflight", code, 4)
}
const fn selection(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("selection-blocked", "selection", code, 5)
}
const fn seam(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("seam-defect", "execute", code, 6)
}
const fn red(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("test-failures", "none", code, 1)
}

/// Variables of a workflow's step.
const ACTIONS: [(&str, &str); 4] = [
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_RUN_ID", "4711"),
    ("GITHUB_RUN_ATTEMPT", "1"),
    ("GITHUB_REPOSITORY", "octo/widgets"),
];

fn under_actions<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    ACTIONS.iter().copied().chain(more.iter().copied()).collect()
}

/// A green sandbox with more configuration.
fn with(more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.config(more);
    sandbox.commit();
    sandbox
}

/// A sandbox whose tests are one command with results at `out/*.xml`.
fn command(script: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.script("runner.sh", script);
    sandbox.file(".gitignore", "out/\n");
    sandbox.config_with(
        "dispatcher: {kind: command, command: [./runner.sh], results: [\"out/*.xml\"]}\n",
        more,
    );
    sandbox.commit();
    sandbox
}

/// A command that writes this file and exits with this code.
fn written(code: u8, xml: &str) -> Seen {
    command_run(&format!("mkdir out; cat > out/r.xml <<'END'\n{xml}\nEND\nexit {code}"))
}

fn command_run(script: &str) -> Seen {
    command(script, "").run(&[], &[])
}

/// A sandbox with further scripts.
fn scripts(scripts: &[(&str, &str)], more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    for (name, body) in scripts {
        sandbox.script(&format!("tests/{name}.sh"), body);
    }
    sandbox.config(more);
    sandbox.commit();
    sandbox
}

const PASSING: &str =
    "mkdir -p out; echo '<testsuites><testcase name=\"t\"/></testsuites>' > out/r.xml";
const FAILING: &str = "mkdir -p out; echo '<testsuites><testcase name=\"t\">\
                       <failure message=\"no\"/></testcase></testsuites>' > out/r.xml";

/// Processes that outlive the tests fail the run, after a short grace.
const LEAKS: &str = "leaks: fail\nprofiles: {default: {leak-grace: 200ms}}\n";

/// A Pester that will do, as a probe lists it.
const SIX: &str = "[{\"version\":\"6.0.1\",\"path\":\"x\"}]";

/// A checkout with one Pester file, and a stand-in for `pwsh` that answers the probe with `found`
/// and runs `script` for the plan; there `$out` is the plan's output folder.
fn pester(found: &str, script: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.file("tests/a.Tests.ps1", "Describe 'x' { }");
    let probe = format!(
        "{{\"schema\":\"pester-gate-probe@v1\",\"ps\":\"7.6.5\",\"edition\":\"Core\",\
         \"executionPolicy\":\"Bypass\",\"found\":{found}}}"
    );
    sandbox.script(
        "pwsh",
        &format!(
            "for last; do :; done\n\
             if [ \"$last\" = -Probe ]; then echo '{probe}'; exit 0; fi\n\
             out=$(sed 's/.*\"output\":\"\\([^\"]*\\)\".*/\\1/' \"$last\")\n\
             root=$PWD\n\
             {script}"
        ),
    );
    sandbox.file(
        "pester-gate.yml",
        &format!(
            "standing-priority: {{policy: \"off\"}}\n\
             preflight: {{disk: {{min-free: 1MiB}}}}\n\
             dispatcher: {{kind: pester, powershell: ./pwsh{more}}}\n"
        ),
    );
    sandbox.commit();
    sandbox
}

/// A script that leaves a run object and no report.
fn run_object(result: &str, test: &str, exit: i32) -> String {
    format!(
        "cat > \"$out/pester-run.json\" <<END\n\
         {{\"schema\":\"pester-gate-run@v1\",\"result\":\"{result}\",\
         \"counts\":{{\"passed\":1,\"failed\":0,\"skipped\":0,\"inconclusive\":0,\"notRun\":0,\
         \"failedBlocks\":0,\"failedFiles\":0}},\
         \"files\":[{{\"file\":\"$root/tests/a.Tests.ps1\",\
         \"result\":\"Passed\",\"executed\":true}}],\
         \"tests\":[{{\"path\":\"x.y\",\"file\":\"$root/tests/a.Tests.ps1\",\
         \"result\":\"{test}\"}}]}}\n\
         END\n\
         exit {exit}"
    )
}

fn write(name: &str, text: &'static str) -> impl Fn(&Sandbox, &Path) + use<> {
    let name = name.to_owned();
    move |_, folder| fs::write(folder.join(&name), text).unwrap()
}

fn remove(name: &str) -> impl Fn(&Sandbox, &Path) + use<> {
    let name = name.to_owned();
    move |_, folder| fs::remove_file(folder.join(&name)).unwrap()
}

fn later(receipt: &Path, seconds: i64) {
    let now = jiff::Timestamp::now().as_second();
    let moved = jiff::Timestamp::from_second(now + seconds).unwrap();
    edit(receipt, "/generatedAtUtc", &json!(moved.to_string()));
}

/// All of them.
fn rows() -> Vec<&'static Row> {
    let rows = ROWS.iter().chain(route::ROWS).chain(context::ROWS);
    #[cfg(unix)]
    let rows = rows
        .chain(execution::ROWS)
        .chain(first_minute::ROWS)
        .chain(preflight::ROWS)
        .chain(lock::ROWS);
    rows.collect()
}

const ROWS: &[Row] = &[
    // Context.
    one("context", "no remote names a repository", context("repository-unresolved"), || {
        let sandbox = Sandbox::green();
        sandbox.git(&["remote", "remove", "origin"]);
        sandbox.run(&[], &[("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "1")])
    }),
    one(
        "context",
        "option and environment name two repositories",
        context("repository-conflict"),
        || Sandbox::green().run(&["--repository", "octo/gadgets"], &under_actions(&[])),
    ),
    one("context", "another commit is checked out", context("head-sha-mismatch"), || {
        Sandbox::green()
            .run(&[], &under_actions(&[("GITHUB_SHA", "00112233445566778899aabbccddeeff00112233")]))
    }),
    one(
        "context",
        "a pull request's head is not what is checked out",
        context("head-sha-mismatch"),
        || {
            let sandbox = Sandbox::green();
            let base = sandbox.git(&["rev-parse", "HEAD"]);
            let event = json!({
                "pull_request": {"head": {"sha": "1".repeat(40), "ref": "x"}},
                "repository": {"full_name": "octo/widgets"},
            });
            fs::write(sandbox.state.with_file_name("event.json"), event.to_string()).unwrap();
            let path = sandbox.state.with_file_name("event.json");
            // GITHUB_SHA is the base branch's there, and what is checked out: it must not count.
            let own = [
                ("GITHUB_EVENT_NAME", "pull_request_target"),
                ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
                ("GITHUB_SHA", &base),
            ];
            sandbox.run(&[], &under_actions(&own))
        },
    ),
    one("context", "nothing is checked out", context("worktree-missing"), || {
        let sandbox = Sandbox::green();
        fs::remove_dir_all(sandbox.root.join(".git")).unwrap();
        sandbox.run(&[], &under_actions(&[]))
    }),
    one("context", "git is not on PATH", context("worktree-unreadable"), || {
        let sandbox = Sandbox::green();
        let empty = sandbox.state.with_file_name("empty");
        fs::create_dir_all(&empty).unwrap();
        sandbox.run(&[], &under_actions(&[("PATH", empty.to_str().unwrap())]))
    }),
    one("context", "a path that must be there is not", context("required-path-missing"), || {
        with("context: {required-paths: [tests, tools/helper.ps1]}\n").run(&[], &[])
    }),
    one("context", "the event payload is not JSON", context("event-malformed"), || {
        let sandbox = Sandbox::green();
        let path = sandbox.state.with_file_name("event.json");
        fs::write(&path, "{\"pull_request\": ").unwrap();
        sandbox.run(&[], &under_actions(&[("GITHUB_EVENT_PATH", path.to_str().unwrap())]))
    }),
    one(
        "context",
        "a variable of the runner is junk",
        ("context-blocked", "context", "configuration-invalid", 3),
        || Sandbox::green().run(&[], &[("GITHUB_RUN_ID", "1"), ("GITHUB_RUN_ATTEMPT", "first")]),
    ),
    // Preflight.
    one("preflight", "a tool is not on PATH", readiness("tool-missing"), || {
        with("defaults: {pack: p}\npacks: [{name: p, requires: [{tool: no-such-tool}]}]\n")
            .run(&[], &[])
    }),
    one("preflight", "a tool is too old", readiness("tool-version-unsupported"), || {
        with(
            "defaults: {pack: p}\npacks: [{name: p, requires: [{tool: git, version: \">=99\"}]}]\n",
        )
        .run(&[], &[])
    }),
    one("preflight", "a tool does not say its version", readiness("probe-failed"), || {
        let sandbox = with(
            "defaults: {pack: p}\n\
             packs: [{name: p, requires: [{tool: ./mute.sh, version: \">=1\"}]}]\n",
        );
        sandbox.script("mute.sh", "echo hello");
        sandbox.commit();
        sandbox.run(&[], &[])
    }),
    one("preflight", "dotnet is not on PATH", readiness("dotnet-missing"), || {
        with("defaults: {pack: p}\npacks: [{name: p, requires: [dotnet]}]\n")
            .run(&[], &tools_only())
    }),
    one("preflight", "docker is not on PATH", readiness("docker-cli-missing"), || {
        with("defaults: {pack: p}\npacks: [{name: p, requires: [docker]}]\n")
            .run(&[], &tools_only())
    }),
    one(
        "preflight",
        "the configured PowerShell is not there",
        readiness("powershell-missing"),
        || {
            with(
                "defaults: {pack: p}\n\
                 packs: [{name: p, requires: [powershell]}]\n\
                 dispatcher: {kind: scripts, powershell: no-such-pwsh}\n",
            )
            .run(&[], &[])
        },
    ),
    one("preflight", "the disk is nearly full", readiness("disk-low"), || {
        with("preflight: {disk: {min-free: 8000TiB}}\n").run(&[], &[])
    }),
    one(
        "preflight",
        "the checkout lies in a synchronised folder",
        readiness("path-hygiene"),
        || {
            let sandbox = Sandbox::named("OneDrive - Contoso");
            sandbox.script("tests/a.sh", "exit 0");
            sandbox.config("defaults: {pack: p}\npacks: [{name: p, requires: [path-hygiene]}]\n");
            sandbox.run(&[], &[])
        },
    ),
    one("preflight", "a fixture is gone", readiness("fixture-missing"), || {
        with("fixtures: [{name: base, path: fixtures/VI1.vi, env: LV_BASE_VI}]\n").run(&[], &[])
    }),
    one("preflight", "a probe hangs", readiness("probe-timed-out"), || {
        with(
            "defaults: {pack: p}\n\
             packs: [{name: p, requires: [{command: [sleep, \"60\"], timeout: 300ms}]}]\n",
        )
        .run(&[], &[])
    }),
    one("preflight", "a probe fails", readiness("probe-failed"), || {
        with(
            "defaults: {pack: p}\n\
             packs: [{name: p, requires: [\
             {command: [sh, -c, \"echo no licence >&2; exit 3\"], name: licence}]}]\n",
        )
        .run(&[], &[])
    }),
    one("preflight", "context's receipt was swapped", context("receipt-digest-mismatch"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).edit("context", "/repository", json!("evil/widgets")).run()
    }),
    one("preflight", "context's receipt is of another run", context("receipt-foreign-run"), || {
        let sandbox = Sandbox::green();
        in_run(Chain::new(&sandbox).without_digests().edit("context", "/run/runId", json!("999")))
            .run()
    }),
    one(
        "preflight",
        "context's receipt is of a later attempt",
        context("receipt-from-future"),
        || {
            let sandbox = Sandbox::green();
            in_run(Chain::new(&sandbox).without_digests().edit(
                "context",
                "/run/runAttempt",
                json!(3),
            ))
            .run()
        },
    ),
    one(
        "preflight",
        "no receipt of context was handed on in a workflow",
        context("receipt-missing"),
        || {
            let sandbox = Sandbox::green();
            in_run(Chain::new(&sandbox).after("context", remove("pester-context.json"))).run()
        },
    ),
    // Selection.
    one("selection", "no such pack", selection("pack-unknown"), || {
        Sandbox::green().run(&["--pack", "smok"], &[])
    }),
    one("selection", "a pattern is not closed", selection("pattern-invalid"), || {
        Sandbox::green().run(&["--include", "[abc"], &[])
    }),
    one("selection", "the integration mode is junk", selection("integration-mode-invalid"), || {
        Sandbox::green().run(&["--integration-mode", "maybe"], &[])
    }),
    one(
        "selection",
        "a predecessor's variable is junk",
        selection("integration-mode-invalid"),
        || Sandbox::green().run(&[], &[("INCLUDE_INTEGRATION", "perhaps")]),
    ),
    one("selection", "no such profile", selection("profile-invalid"), || {
        Sandbox::green().run(&["--profile", "nightly"], &[])
    }),
    one(
        "selection",
        "a command dispatcher without a command",
        selection("profile-invalid"),
        || {
            let sandbox = Sandbox::green();
            sandbox.config_with("dispatcher: {kind: command, results: [x.xml]}\n", "");
            sandbox.run(&[], &[])
        },
    ),
    one("selection", "the tests path is not there", selection("tests-path-missing"), || {
        Sandbox::green().run(&["--tests-path", "specs"], &[])
    }),
    one("selection", "an explicit file is not there", selection("test-file-missing"), || {
        Sandbox::green().run(&["--file", "tests/none.sh"], &[])
    }),
    one("selection", "the patterns leave nothing", selection("selection-empty"), || {
        Sandbox::green().run(&["--refine", "zzz*"], &[])
    }),
    one(
        "selection",
        "only integration tests, and they are excluded",
        selection("selection-empty"),
        || {
            with("tests: {path: tests, pattern: \"*.sh\", integration: {pattern: \"*.sh\"}}\n")
                .run(&[], &[])
        },
    ),
    #[cfg(target_os = "linux")]
    one("selection", "a test file's name is not Unicode", selection("test-file-unusable"), || {
        use std::os::unix::ffi::OsStringExt;
        let sandbox = Sandbox::green();
        let name = std::ffi::OsString::from_vec(b"bad-\xff.sh".to_vec());
        fs::write(sandbox.root.join("tests").join(name), "exit 0").unwrap();
        sandbox.run(&[], &[])
    }),
    // Execute: the chain.
    one("execute", "preflight's receipt is gone", readiness("receipt-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("preflight", remove("selfhosted-readiness.json")).run()
    }),
    one("execute", "selection's receipt is gone", selection("receipt-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("selection", remove("pester-selection.json")).run()
    }),
    one("execute", "preflight's receipt is cut off", readiness("receipt-corrupt"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after("preflight", write("selfhosted-readiness.json", "{\"schema\": \"pester-self"))
            .run()
    }),
    one("execute", "selection's receipt is empty", selection("receipt-corrupt"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("selection", write("pester-selection.json", " \n")).run()
    }),
    one(
        "execute",
        "preflight's receipt is of a later version",
        readiness("receipt-unsupported-schema"),
        || {
            let sandbox = Sandbox::green();
            let next = json!("pester-selfhosted-readiness-receipt@v2");
            Chain::new(&sandbox).without_digests().edit("preflight", "/schema", next).run()
        },
    ),
    one("execute", "selection's receipt was altered", selection("receipt-digest-mismatch"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).edit("selection", "/selection/files/0/path", json!("tests/b.sh")).run()
    }),
    one(
        "execute",
        "selection's receipt is for another commit",
        selection("receipt-foreign-commit"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .without_digests()
                .edit("selection", "/run/headSha", json!("2".repeat(40)))
                .run()
        },
    ),
    one("execute", "readiness is past its window", readiness("receipt-stale"), || {
        let sandbox = Sandbox::green();
        let old = |_: &Sandbox, folder: &Path| later(&folder.join(file_of("preflight")), -1000);
        Chain::new(&sandbox).without_digests().after("preflight", old).run()
    }),
    one("execute", "selection's clock is ahead", selection("receipt-from-future"), || {
        let sandbox = Sandbox::green();
        let ahead = |_: &Sandbox, folder: &Path| later(&folder.join(file_of("selection")), 1000);
        Chain::new(&sandbox).without_digests().after("selection", ahead).run()
    }),
    one("execute", "readiness was measured on another host", readiness("host-mismatch"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without_digests()
            .edit("preflight", "/host/machineId", json!("0".repeat(32)))
            .run()
    }),
    one(
        "execute",
        "an earlier attempt's receipt without its digest",
        readiness("receipt-foreign-run"),
        || {
            let sandbox = Sandbox::green();
            let chain = Chain::new(&sandbox).without_digests();
            let chain = in_run(chain).env("context", "GITHUB_RUN_ATTEMPT", "2").env(
                "selection",
                "GITHUB_RUN_ATTEMPT",
                "2",
            );
            chain
                .env("execute", "GITHUB_RUN_ATTEMPT", "2")
                .env("post", "GITHUB_RUN_ATTEMPT", "2")
                .forced()
                .edit("preflight", "/run/runAttempt", json!(1))
                .run()
        },
    ),
    one(
        "execute",
        "execute is started although context was blocked",
        context("required-path-missing"),
        || {
            let sandbox = with("context: {required-paths: [nowhere]}\n");
            Chain::new(&sandbox).forced().run()
        },
    ),
    one("execute", "a test changed after selection", selection("selection-drift"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after("selection", |sandbox, _| {
                sandbox.script("tests/a.sh", "exit 1");
            })
            .run()
    }),
    one("execute", "a fixture changed after preflight", readiness("fixture-altered"), || {
        let sandbox = with("fixtures: [{name: base, path: data/VI1.vi, env: LV_BASE_VI}]\n");
        sandbox.file("data/VI1.vi", "one");
        sandbox.commit();
        Chain::new(&sandbox)
            .after("preflight", |sandbox, _| {
                sandbox.file("data/VI1.vi", "two");
            })
            .run()
    }),
    // Execute: its own.
    one("execute", "the results folder holds files", seam("results-dir-unusable"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after("selection", |_, folder| {
                fs::create_dir_all(folder.join("raw")).unwrap();
                fs::write(folder.join("raw/old.xml"), "<testsuites/>").unwrap();
            })
            .run()
    }),
    one("execute", "the setup command fails", seam("setup-command-failed"), || {
        with("profiles: {default: {before: [[sh, -c, \"exit 9\"]]}}\n").run(&[], &[])
    }),
    one("execute", "the cleanup command fails", ("completed", "none", "tests-passed", 0), || {
        with("profiles: {default: {after: [[sh, -c, \"exit 9\"]]}}\n").run(&[], &[])
    }),
    one(
        "execute",
        "the dispatcher's program disappears after preflight",
        seam("dispatcher-missing"),
        || {
            command("exit 0", "profiles: {default: {before: [[rm, -f, runner.sh]]}}\n")
                .run(&[], &[])
        },
    ),
    one("preflight", "the dispatcher's program is not there", readiness("tool-missing"), || {
        let sandbox = command("exit 0", "");
        sandbox.config_with(
            "dispatcher: {kind: command, command: [no-such-runner], results: [\"out/*.xml\"]}\n",
            "",
        );
        sandbox.run(&[], &[])
    }),
    one(
        "execute",
        "the dispatcher's program is of no known format",
        seam("dispatcher-not-started"),
        || {
            let sandbox = command("exit 0", "");
            sandbox.file("runner.sh", "\u{7f}ELF and nothing else").executable("runner.sh");
            sandbox.run(&[], &[])
        },
    ),
    one("preflight", "the dispatcher's program cannot be run", readiness("tool-missing"), || {
        let sandbox = command("exit 0", "");
        sandbox.config_with(
            "dispatcher: {kind: command, command: [./plain.txt], results: [\"out/*.xml\"]}\n",
            "",
        );
        sandbox.file("plain.txt", "not a program");
        sandbox.run(&[], &[])
    }),
    one("execute", "a signal ends the dispatcher", seam("dispatcher-crashed"), || {
        command_run("kill -9 $$")
    }),
    one("execute", "the run's limit", seam("dispatcher-timed-out"), || {
        command("sleep 60", "").run(&["--run-timeout", "500ms", "--kill-grace", "200ms"], &[])
    }),
    one("execute", "silence for too long", seam("dispatcher-timed-out"), || {
        command("echo working; sleep 60", "")
            .run(&["--no-output-timeout", "600ms", "--kill-grace", "200ms"], &[])
    }),
    #[cfg(unix)]
    one("execute", "somebody cancels the run", seam("run-cancelled"), || cancelled("sleep 60")),
    one("execute", "no results", seam("results-missing"), || command_run("exit 0")),
    one("execute", "only an earlier run's results", seam("results-missing"), || {
        let sandbox = command("exit 0", "");
        sandbox.file("out/r.xml", "<testsuites><testcase name='old'/></testsuites>");
        sandbox.run(&[], &[])
    }),
    one("execute", "results are cut off", seam("results-truncated"), || {
        command_run("mkdir out; printf '<testsuites><testcase name=\"t\"/>' > out/r.xml")
    }),
    one("execute", "results are not well-formed", seam("results-invalid"), || {
        command_run("mkdir out; echo '<testsuites></testsuite>' > out/r.xml")
    }),
    one("execute", "results are of no known format", seam("results-unsupported"), || {
        command_run("mkdir out; echo '<html/>' > out/r.xml")
    }),
    one(
        "execute",
        "the root claims failures that no case shows",
        seam("results-inconsistent"),
        || {
            command_run(
                "mkdir out; echo '<test-results total=\"1\" failures=\"2\" errors=\"0\">\
                 <test-case name=\"t\" result=\"Success\"/></test-results>' > out/r.xml",
            )
        },
    ),
    one(
        "execute",
        "JUnit suites claim a failure that no case shows",
        seam("results-inconsistent"),
        || {
            written(
                0,
                "<testsuites><testsuite failures=\"1\">\
                 <testcase name=\"t\"/></testsuite></testsuites>",
            )
        },
    ),
    one("execute", "a claim is no number", seam("results-inconsistent"), || {
        written(0, "<testsuites failures=\"none\"><testcase name=\"t\"/></testsuites>")
    }),
    one(
        "execute",
        "JUnit suites claim more tests, which writers do",
        ("completed", "none", "tests-passed", 0),
        || written(0, "<testsuites tests=\"5\"><testcase name=\"t\"/></testsuites>"),
    ),
    one(
        "execute",
        "roots agree with their cases, in NUnit 3",
        ("completed", "none", "tests-passed", 0),
        || {
            written(
                0,
                "<test-run total=\"1\" failed=\"0\">\
                 <test-case name=\"t\" result=\"Passed\"/></test-run>",
            )
        },
    ),
    one(
        "execute",
        "NUnit 3's root claims more tests than are listed",
        seam("results-inconsistent"),
        || written(0, "<test-run total=\"2\"><test-case name=\"t\" result=\"Passed\"/></test-run>"),
    ),
    one(
        "execute",
        "NUnit 3's root claims fewer failures than there are",
        ("test-failures", "none", "tests-failed", 1),
        || {
            written(
                1,
                "<test-run failed=\"1\"><test-case name=\"t\" result=\"Failed\"/>\
                 <test-case name=\"u\" result=\"Failed\"/></test-run>",
            )
        },
    ),
    one(
        "execute",
        "a NUnit 3 suite fails in its own teardown",
        ("test-failures", "none", "setup-or-teardown-failed", 1),
        || {
            written(
                1,
                "<test-run><test-suite result=\"Failed\" site=\"TearDown\">\
                 <test-case name=\"t\" result=\"Passed\"/></test-suite></test-run>",
            )
        },
    ),
    one(
        "execute",
        "a TRX run failed while none of its tests did",
        seam("results-inconsistent"),
        || {
            written(
                0,
                "<TestRun><Results><UnitTestResult testName=\"t\" outcome=\"Passed\"/></Results>\
                 <ResultSummary outcome=\"Failed\"/></TestRun>",
            )
        },
    ),
    one(
        "execute",
        "TRX counters claim a failure that no result shows",
        seam("results-inconsistent"),
        || {
            written(
                0,
                "<TestRun><Results><UnitTestResult testName=\"t\" outcome=\"Passed\"/></Results>\
                 <ResultSummary outcome=\"Completed\"><Counters failed=\"1\"/></ResultSummary>\
                 </TestRun>",
            )
        },
    ),
    one("execute", "a TRX test timed out", ("test-failures", "none", "tests-failed", 1), || {
        written(
            1,
            "<TestRun><Results>\
             <UnitTestResult testName=\"t\" outcome=\"Timeout\"/></Results></TestRun>",
        )
    }),
    one(
        "execute",
        "a TRX outcome that nobody knows",
        ("test-failures", "none", "tests-failed", 1),
        || {
            written(
                1,
                "<TestRun><Results>\
                 <UnitTestResult testName=\"t\" outcome=\"Splendid\"/></Results></TestRun>",
            )
        },
    ),
    one("execute", "a TRX file is cut behind tests that passed", seam("results-truncated"), || {
        written(0, "<TestRun><Results><UnitTestResult testName=\"t\" outcome=\"Passed\"/>")
    }),
    one(
        "execute",
        "a test that passed after a retry",
        ("completed", "none", "tests-passed", 0),
        || {
            written(
                0,
                "<testsuite failures=\"0\"><testcase name=\"t\">\
                 <flakyFailure message=\"once\"/></testcase></testsuite>",
            )
        },
    ),
    one(
        "execute",
        "a test that failed, and again",
        ("test-failures", "none", "tests-failed", 1),
        || {
            written(
                1,
                "<testsuite failures=\"1\"><testcase name=\"t\">\
                 <failure/><rerunFailure/></testcase></testsuite>",
            )
        },
    ),
    one("execute", "exit code 1 and all passed", seam("exit-code-mismatch"), || {
        command_run(&format!("{PASSING}; exit 1"))
    }),
    one("execute", "no test in the results", seam("zero-tests-executed"), || {
        command_run("mkdir out; echo '<testsuites/>' > out/r.xml")
    }),
    one("execute", "every test skips itself", seam("all-tests-skipped"), || {
        let sandbox = Sandbox::green();
        sandbox.script("tests/a.sh", "exit 77").script("tests/b.sh", "exit 77");
        sandbox.run(&[], &[])
    }),
    one(
        "execute",
        "every test skips itself and that is meant",
        ("seam-defect", "execute", "all-tests-skipped", 0),
        || {
            let sandbox = with("policy: {all-skipped: notice}\n");
            sandbox.script("tests/a.sh", "exit 77").script("tests/b.sh", "exit 77");
            sandbox.run(&[], &[])
        },
    ),
    one(
        "execute",
        "no test in the results, that passes, and context warns",
        ("completed", "none", "zero-tests-executed", 0),
        || {
            let sandbox = command(
                "mkdir out; echo '<testsuites/>' > out/r.xml",
                "policy: {zero-tests: pass}\n",
            );
            sandbox.git(&["remote", "remove", "origin"]);
            sandbox.run(&[], &[])
        },
    ),
    one(
        "execute",
        "no test in the results and that passes",
        ("completed", "none", "zero-tests-executed", 0),
        || {
            command("mkdir out; echo '<testsuites/>' > out/r.xml", "policy: {zero-tests: pass}\n")
                .run(&[], &[])
        },
    ),
    one("execute", "a test fails", red("tests-failed"), || {
        scripts(&[("c", "exit 3")], "").run(&[], &[])
    }),
    one("execute", "a test exceeds its own limit", red("test-timed-out"), || {
        scripts(&[("c", "sleep 60")], "")
            .run(&["--file-timeout", "500ms", "--kill-grace", "200ms"], &[])
    }),
    one("execute", "a test file cannot be run", red("test-file-failed-to-load"), || {
        let sandbox = Sandbox::green();
        sandbox.file("tests/c.sh", "#!/tmp\n").executable("tests/c.sh");
        sandbox.run(&[], &[])
    }),
    one(
        "execute",
        "a test file names an interpreter that is not there",
        readiness("tool-missing"),
        || {
            let sandbox = Sandbox::green();
            sandbox.file("tests/c.sh", "#!/no/such/interpreter\n").executable("tests/c.sh");
            sandbox.run(&[], &[])
        },
    ),
    one(
        "execute",
        "a test's interpreter is not on this host",
        readiness("powershell-missing"),
        || {
            let sandbox = with(
                "tests: {path: tests, pattern: [\"*.sh\", \"*.ps1\"]}\n\
                 dispatcher: {kind: scripts, powershell: no-such-pwsh}\n",
            );
            sandbox.file("tests/c.ps1", "exit 0");
            sandbox.run(&[], &[])
        },
    ),
    #[cfg(unix)]
    one("execute", "a test leaves a process behind", seam("leaks-detected"), || {
        let sandbox = scripts(&[("c", "sleep 5 >/dev/null 2>&1 & exit 0")], LEAKS);
        sandbox.run(&[], &[])
    }),
    one(
        "execute",
        "the repository's own dispatcher script is not there",
        seam("dispatcher-missing"),
        || pester(SIX, "exit 0", ", script: no-such.ps1").run(&[], &[]),
    ),
    one("preflight", "PowerShell has no Pester", readiness("pester-missing"), || {
        pester("[]", "exit 0", "").run(&[], &[])
    }),
    one(
        "preflight",
        "PowerShell has only the Pester that Windows ships",
        readiness("pester-version-unsupported"),
        || pester("[{\"version\":\"3.4.0\",\"path\":\"x\"}]", "exit 0", "").run(&[], &[]),
    ),
    one(
        "execute",
        "Pester's process exits with 0 and leaves nothing",
        seam("dispatcher-crashed"),
        || pester(SIX, "exit 0", "").run(&[], &[]),
    ),
    one(
        "execute",
        "Pester passes and writes no report",
        ("completed", "none", "tests-passed", 0),
        || pester(SIX, &run_object("Passed", "Passed", 0), "").run(&[], &[]),
    ),
    one("execute", "Pester's exit code and its result differ", seam("exit-code-mismatch"), || {
        pester(SIX, &run_object("Passed", "Passed", 1), "").run(&[], &[])
    }),
    one(
        "execute",
        "Pester passes and its report is cut off",
        ("completed", "none", "tests-passed", 0),
        || {
            let cut = format!(
                "printf '<test-results' > \"$out/pester-results.xml\"\n{}",
                run_object("Passed", "Passed", 0)
            );
            pester(SIX, &cut, "").run(&[], &[])
        },
    ),
    one("execute", "Pester's run object is a link", seam("dispatcher-crashed"), || {
        let linked = run_object("Passed", "Passed", 0)
            .replace("$out/pester-run.json", "$root/elsewhere.json");
        pester(
            SIX,
            &format!("ln -s \"$root/elsewhere.json\" \"$out/pester-run.json\"\n{linked}"),
            "",
        )
        .run(&[], &[])
    }),
    one(
        "execute",
        "Pester's run object counts what it does not list",
        seam("results-inconsistent"),
        || {
            let more = run_object("Passed", "Passed", 0).replace("\"passed\":1", "\"passed\":50");
            pester(SIX, &more, "").run(&[], &[])
        },
    ),
    one("execute", "results declare entities of their own", seam("results-unsupported"), || {
        command_run(
            "mkdir out; echo '<!DOCTYPE t [<!ENTITY f \"<failure/>\">]>\
             <testsuites><testcase name=\"a\">&f;</testcase></testsuites>' > out/r.xml",
        )
    }),
    one("execute", "a failure stands outside any case", red("setup-or-teardown-failed"), || {
        command_run(
            "mkdir out; echo '<testsuites><testsuite><error>no bench</error>\
             <testcase name=\"t\"/></testsuite></testsuites>' > out/r.xml; exit 1",
        )
    }),
    one("execute", "a results file is a link to nowhere", seam("results-invalid"), || {
        command_run(&format!("{PASSING}; ln -s /nowhere out/z.xml"))
    }),
    one("execute", "readiness is another pack's", readiness("pack-mismatch"), || {
        let sandbox = with("packs: [{name: p}]\n");
        Chain::new(&sandbox).args("preflight", &["--pack", "p"]).run()
    }),
    one(
        "selection",
        "another commit was checked out since context",
        context("receipt-foreign-commit"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .after("context", |sandbox, _| {
                    sandbox.file("new", "x");
                    sandbox.commit();
                })
                .run()
        },
    ),
    one(
        "preflight",
        "of two requirements of one name the second fails",
        readiness("probe-failed"),
        || {
            with(
                "defaults: {pack: p}\n\
                 packs: [{name: p, requires: [{command: [sh, -c, \"exit 0\"]}, \
                 {command: [sh, -c, \"exit 1\"]}]}]\n",
            )
            .run(&[], &[])
        },
    ),
    one(
        "preflight",
        "a command takes the disk's name and the disk is full",
        readiness("disk-low"),
        || {
            with(
                "defaults: {pack: p}\n\
                 packs: [{name: p, requires: [{command: [\"true\"], name: disk}]}]\n\
                 preflight: {disk: {min-free: 8000TiB}}\n",
            )
            .run(&[], &[])
        },
    ),
    one("execute", "a failing test plants a green receipt", red("tests-failed"), || {
        let sandbox = scripts(
            &[("c", "mkdir -p out; cp fake.json out/pester-run-receipt.json; exit 1")],
            "profiles: {default: {artifacts: [\"out/**\"]}}\n",
        );
        let green = Chain::new(&Sandbox::green()).run();
        let mut fake = green.receipt("execute").clone();
        fake["generatedAtUtc"] = json!(
            jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 200)
                .unwrap()
                .to_string()
        );
        sandbox.file("fake.json", &fake.to_string());
        sandbox.run(&[], &[])
    }),
    one("execute", "a masked word is the results' own markup", red("tests-failed"), || {
        scripts(&[("c", "exit 1")], "redact: [failure, error]\n").run(&[], &[])
    }),
    // Post.
    one("post", "execute left no receipt", seam("execution-receipt-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("execute", remove("pester-run-receipt.json")).run()
    }),
    one("post", "execute's receipt is cut off", seam("receipt-corrupt"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("execute", write("pester-run-receipt.json", "{")).run()
    }),
    one("post", "execute's receipt was altered", seam("receipt-digest-mismatch"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).edit("execute", "/counts/passed", json!(200)).run()
    }),
    one("post", "execute's receipt contradicts itself", seam("receipt-corrupt"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).without_digests().edit("execute", "/counts/failed", json!(1)).run()
    }),
    one("post", "a planned file is in no accounting", seam("test-file-not-accounted"), || {
        let sandbox = Sandbox::green();
        let none = json!([{"path": "tests/b.sh", "state": "ran"}]);
        Chain::new(&sandbox).without_digests().edit("execute", "/accounting", none).run()
    }),
    one("post", "a raw file is gone", seam("raw-artifact-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).after("execute", remove("raw/scripts.junit.xml")).run()
    }),
    one("post", "a raw file was altered", seam("raw-artifact-altered"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after(
                "execute",
                write("raw/scripts.junit.xml", "<testsuites><testcase name='x'/></testsuites>"),
            )
            .run()
    }),
    one(
        "post",
        "an execution receipt is cut off beside an older good one",
        seam("receipt-corrupt"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .without_digests()
                .after("execute", |_, folder| {
                    fs::create_dir_all(folder.join("old")).unwrap();
                    fs::copy(
                        folder.join("pester-run-receipt.json"),
                        folder.join("old/pester-run-receipt.json"),
                    )
                    .unwrap();
                    fs::write(folder.join("pester-run-receipt.json"), "{").unwrap();
                })
                .run()
        },
    ),
    one(
        "post",
        "a digest is given that no execution receipt has",
        seam("receipt-digest-mismatch"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .args("post", &["--execute-sha256", &format!("7={}", "0".repeat(64))])
                .run()
        },
    ),
    one(
        "post",
        "a receipt says completed and a file was not reached",
        seam("receipt-corrupt"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .without_digests()
                .edit("execute", "/accounting/0/state", json!("not-reached"))
                .run()
        },
    ),
    one(
        "post",
        "execute's job was skipped and a receipt is there",
        seam("layer-not-reported"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox).job("execute", "skipped", "").run()
        },
    ),
    one("post", "counts that overflow", seam("receipt-corrupt"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without_digests()
            .edit("execute", "/counts/failed", json!(u64::MAX))
            .edit("execute", "/counts/errors", json!(1))
            .run()
    }),
    #[cfg(unix)]
    one("post", "a raw file became a pipe", seam("raw-artifact-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after("execute", |_, folder| {
                let path = folder.join("raw/scripts.junit.xml");
                fs::remove_file(&path).unwrap();
                assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            })
            .run()
    }),
    one("post", "a shard left no receipt", seam("shard-missing"), || {
        shards(|sandbox, chain| {
            let _ = sandbox;
            chain.args("execute", &["--shard", "1/2"])
        })
    }),
    one("post", "context's job was cancelled", context("layer-cancelled"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).without("context").job("context", "cancelled", "").run()
    }),
    one("post", "preflight's job was cancelled in its queue", readiness("layer-cancelled"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("preflight")
            .without("execute")
            .job("preflight", "cancelled", "")
            .run()
    }),
    one("post", "selection's job was cancelled", selection("layer-cancelled"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("selection")
            .without("execute")
            .job("selection", "cancelled", "")
            .run()
    }),
    one("post", "execute's job was cancelled before it began", seam("layer-cancelled"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).without("execute").job("execute", "cancelled", "").run()
    }),
    one(
        "post",
        "execute's job was cancelled after its receipt was written",
        seam("layer-cancelled"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox).job("execute", "cancelled", "").run()
        },
    ),
    one("post", "preflight's job failed without a word", readiness("layer-not-reported"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("preflight")
            .without("execute")
            .job("preflight", "failure", "")
            .run()
    }),
    one("post", "selection's job had no binary", selection("bootstrap-binary-missing"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("selection")
            .without("execute")
            .job("selection", "failure", "bootstrap-binary-missing")
            .run()
    }),
    one(
        "post",
        "preflight's job could not download",
        readiness("bootstrap-download-failed"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .without("preflight")
                .without("execute")
                .job("preflight", "failure", "bootstrap-download-failed")
                .run()
        },
    ),
    one("post", "execute's job refused its binary", seam("bootstrap-hash-refused"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("execute")
            .job("execute", "failure", "bootstrap-hash-refused")
            .run()
    }),
    one(
        "post",
        "selection's job has an invalid configuration",
        selection("configuration-invalid"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox).args("selection", &["--shards", "none"]).run()
        },
    ),
    one("post", "execute's job could not write", seam("output-unwritable"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).without("execute").job("execute", "failure", "output-unwritable").run()
    }),
    one("post", "preflight's job met a bug of ours", readiness("internal-error"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .without("preflight")
            .without("execute")
            .job("preflight", "failure", "internal-error")
            .run()
    }),
    one("post", "execute's job failed after a green receipt", seam("layer-not-reported"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox).job("execute", "failure", "tests-passed").run()
    }),
    // Two at once: the deciding order.
    two("preflight", "a missing tool, and nothing to select", readiness("tool-missing"), || {
        with(
            "defaults: {pack: p}\n\
             packs: [{name: p, include: [zzz], requires: [{tool: no-such-tool}]}]\n",
        )
        .run(&[], &[])
    }),
    two("preflight", "a full disk, and an unknown pack", readiness("disk-low"), || {
        with("preflight: {disk: {min-free: 8000TiB}}\n").run(&["--pack", "smok"], &[])
    }),
    two(
        "execute",
        "another host's readiness, and a broken selection",
        readiness("host-mismatch"),
        || {
            let sandbox = Sandbox::green();
            Chain::new(&sandbox)
                .without_digests()
                .edit("preflight", "/host/machineId", json!("0".repeat(32)))
                .after("selection", write("pester-selection.json", ""))
                .run()
        },
    ),
    two("execute", "a failed test, and exit code 0", red("tests-failed"), || command_run(FAILING)),
    two("execute", "a failed test in a file that is cut off", seam("results-truncated"), || {
        command_run(
            "mkdir out; \
             printf '<testsuites><testcase name=\"t\"><failure/></testcase>' > out/r.xml; exit 1",
        )
    }),
    two("execute", "a failed test, and one that timed out", red("tests-failed"), || {
        scripts(&[("c", "sleep 60"), ("d", "exit 1")], "")
            .run(&["--file-timeout", "700ms", "--kill-grace", "200ms"], &[])
    }),
    two(
        "execute",
        "a test that timed out, and one that cannot be run",
        red("test-timed-out"),
        || {
            let sandbox = scripts(&[("c", "sleep 60")], "");
            sandbox.file("tests/d.sh", "#!/tmp\n").executable("tests/d.sh");
            sandbox.run(&["--file-timeout", "500ms", "--kill-grace", "200ms"], &[])
        },
    ),
    two("execute", "a failed test before the run's limit", seam("dispatcher-timed-out"), || {
        scripts(&[("c", "exit 1"), ("d", "sleep 60")], "")
            .run(&["--run-timeout", "1s", "--kill-grace", "200ms"], &[])
    }),
    two("execute", "no test, and exit code 5", seam("zero-tests-executed"), || {
        command_run("mkdir out; echo '<testsuites/>' > out/r.xml; exit 5")
    }),
    #[cfg(unix)]
    two("execute", "a failed test, and a process left behind", red("tests-failed"), || {
        scripts(&[("c", "sleep 5 >/dev/null 2>&1 & exit 1")], LEAKS).run(&[], &[])
    }),
    two(
        "execute",
        "a failed setup, and a failed cleanup after it",
        seam("setup-command-failed"),
        || {
            with("profiles: {default: {before: [[\"false\"]], after: [[\"false\"]]}}\n")
                .run(&[], &[])
        },
    ),
    two("execute", "a failed test, and a dirty worktree", red("tests-failed"), || {
        let sandbox = Sandbox::green();
        sandbox.script("tests/c.sh", "exit 1");
        sandbox.run(&[], &[])
    }),
    two("post", "a failed test, and its results altered", seam("raw-artifact-altered"), || {
        let sandbox = scripts(&[("c", "exit 1")], "");
        Chain::new(&sandbox).after("execute", write("raw/scripts.junit.xml", "<testsuites/>")).run()
    }),
    two("post", "a raw file altered, and another gone", seam("raw-artifact-altered"), || {
        let sandbox = Sandbox::green();
        Chain::new(&sandbox)
            .after("execute", remove("raw/dispatcher-events.ndjson"))
            .after("execute", write("raw/scripts.junit.xml", "<testsuites/>"))
            .run()
    }),
    one(
        "post",
        "a test plants a receipt for a shard that never ran",
        seam("shard-missing"),
        || {
            shards(|_, chain| {
                chain.leg(1).args("execute", &["--shard", "1/2"]).after("execute", |_, folder| {
                    let planted = folder.join("elsewhere");
                    fs::create_dir_all(&planted).unwrap();
                    let planted = planted.join(file_of("execute"));
                    fs::copy(folder.join(file_of("execute")), &planted).unwrap();
                    edit(&planted, "/shard", &json!("2/2"));
                })
            })
        },
    ),
    two(
        "post",
        "a failed test in one shard, and the other is missing",
        seam("shard-missing"),
        || {
            shards(|sandbox, chain| {
                sandbox.script("tests/a.sh", "exit 1");
                chain.args("execute", &["--shard", "1/2"])
            })
        },
    ),
    two(
        "post",
        "a refused binary at selection, and a missing tool at preflight",
        readiness("tool-missing"),
        || {
            let sandbox =
                with("defaults: {pack: p}\npacks: [{name: p, requires: [{tool: no-such-tool}]}]\n");
            Chain::new(&sandbox)
                .without("selection")
                .job("selection", "failure", "bootstrap-hash-refused")
                .run()
        },
    ),
    two(
        "post",
        "context swapped after the run, and a failed test",
        context("receipt-digest-mismatch"),
        || {
            let sandbox = scripts(&[("c", "exit 1")], "");
            Chain::new(&sandbox)
                .after("execute", |_, folder| {
                    edit(
                        &folder.join("pester-context.json"),
                        "/repository",
                        &json!("evil/widgets"),
                    );
                })
                .run()
        },
    ),
];

/// A PATH with what git and scripts need and nothing that a test looks for in vain.
fn tools_only() -> [(&'static str, &'static str); 1] {
    static PATH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let path = PATH.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("pester-gate-tools-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for tool in ["git", "sh", "sleep", "mkdir"] {
            if let Ok(found) = which::which(tool) {
                #[cfg(unix)]
                let _ = std::os::unix::fs::symlink(found, folder.join(tool));
                #[cfg(not(unix))]
                drop(found);
            }
        }
        folder.to_str().unwrap().to_owned()
    });
    [("PATH", path.as_str())]
}

/// All layers in one run of a workflow.
fn in_run(mut chain: Chain<'_>) -> Chain<'_> {
    for (name, value) in ACTIONS {
        chain = chain.env("*", name, value);
    }
    chain
}

/// A chain whose plan has two shards.
fn shards(shape: for<'a> fn(&'a Sandbox, Chain<'a>) -> Chain<'a>) -> Seen {
    let sandbox = with("defaults: {shards: 2}\n");
    let chain = shape(&sandbox, Chain::new(&sandbox));
    chain.run()
}

/// A run that gets SIGTERM once its test is running.
#[cfg(unix)]
fn cancelled(script: &str) -> Seen {
    let sandbox = command(script, "");
    signal_when(&sandbox, &["--kill-grace", "300ms"], "TERM", |folder| {
        let journal =
            fs::read_to_string(folder.join("raw/dispatcher-events.ndjson")).unwrap_or_default();
        journal.contains("dispatcher-start")
    })
}

/// What is wrong with a row, if anything.
/// The files on disk alone give the live run's verdict again.
fn check_replay(seen: &Seen) -> Vec<String> {
    let Some(replayed) = &seen.replayed else {
        let told = seen.outcome.get("classification").is_some();
        return told.then(|| "post left no provenance".to_owned()).into_iter().collect();
    };
    let Ok(again) = serde_json::from_str::<serde_json::Value>(&replayed.stdout) else {
        return vec![format!("the replay says nothing: {replayed:?}")];
    };
    let mut wrong = Vec::new();
    for key in [
        "classification",
        "failedLayer",
        "reason",
        "gateStatus",
        "nextActionId",
        "counts",
        "inFlight",
        "headline",
    ] {
        if again[key] != seen.outcome[key] {
            wrong.push(format!("replay: {key} is {}, it was {}", again[key], seen.outcome[key]));
        }
    }
    let codes = |outcome: &serde_json::Value| -> Vec<(serde_json::Value, serde_json::Value)> {
        let reasons = outcome["reasons"].as_array().cloned().unwrap_or_default();
        reasons
            .into_iter()
            .map(|reason| (reason["code"].clone(), reason["layer"].clone()))
            .collect()
    };
    if codes(&again) != codes(&seen.outcome) {
        wrong.push(format!(
            "replay: reasons are {:?}, they were {:?}",
            codes(&again),
            codes(&seen.outcome)
        ));
    }
    if replayed.code != seen.ran.code {
        wrong.push(format!("replay: exit code {}, it was {}", replayed.code, seen.ran.code));
    }
    wrong
}

/// The printed command, pasted into a shell, gives the same verdict.
fn check_command(seen: &Seen) -> Vec<String> {
    let Some(pasted) = &seen.pasted else { return Vec::new() };
    let again: serde_json::Value = serde_json::from_str(&pasted.stdout).unwrap_or_default();
    let same = ["classification", "reason"].iter().all(|key| again[*key] == seen.outcome[*key]);
    if same && pasted.code == seen.ran.code {
        return Vec::new();
    }
    let (command, found) =
        (seen.text("replay"), (&again["classification"], &again["reason"], pasted.code));
    vec![format!("pasted: {command}: {found:?} {}", pasted.stderr)]
}

/// Keeps the summary and what is owed, for people who read some of them: where, says `SUMMARIES`.
fn keep_summary(row: &Row, seen: &Seen) {
    let Some(folder) = std::env::var_os("SUMMARIES").map(std::path::PathBuf::from) else { return };
    if seen.summary.is_empty() || seen.outcome["gateStatus"] == "pass" {
        return;
    }
    let name: String =
        row.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{name}.md")), &seen.summary).unwrap();
    fs::write(
        folder.join(format!("{name}.owed")),
        format!("{:?}\n{}\n", row.owed, seen.text("replay")),
    )
    .unwrap();
}

/// The summary of a red run is enough by itself: layer, cause, next step, command; the failing test
/// with what it said; of a seam at fault the end of the log, where there is one.
fn check_summary(seen: &Seen) -> Vec<String> {
    let (summary, outcome) = (&seen.summary, &seen.outcome);
    if seen.replayed.is_none() || outcome["gateStatus"] == "pass" {
        return Vec::new();
    }
    let text = |key: &str| outcome[key].as_str().unwrap_or_default().to_owned();
    let mut parts =
        vec![text("classification"), text("reason"), text("nextAction"), "**Fix:**".to_owned()];
    let command = text("replay");
    parts.push("**Reproduce".to_owned());
    parts.push(command.clone());
    let whose = ["The run is complete: ", "No test ran. ", "The failed layer is "];
    if !whose.iter().any(|start| summary.contains(&format!("\n{start}"))) {
        parts.push("(whose fault it is, in a sentence)".to_owned());
    }
    if text("failedLayer") != "none" {
        parts.extend([format!(" at {}: ", text("failedLayer")), "← failed layer".to_owned()]);
    }
    if command.contains(['{', '}']) {
        parts.push(format!("(a command without a blank to fill: {command})"));
    }
    for failure in seen.failures["results"].as_array().into_iter().flatten().take(1) {
        let message = failure["message"].as_str().unwrap_or_default();
        parts.push(failure["name"].as_str().unwrap_or_default().to_owned());
        let again = failure["replay"]["file"]
            .as_str()
            .or(failure["replay"]["run"].as_str())
            .unwrap_or_default();
        parts.push(again.to_owned());
        parts.extend(message.lines().next().map(|line| line.chars().take(60).collect()));
    }
    let in_flight = outcome["inFlight"]["name"].as_str().map(str::to_owned);
    parts.extend(in_flight);
    let mut wrong: Vec<String> = parts
        .iter()
        .filter(|part| !summary.contains(part.as_str()))
        .map(|part| format!("the summary lacks {part:?}:\n{summary}"))
        .collect();
    // On GitHub the receipts are among the run's artifacts.
    let known = ["pester-gate ", "gh run download "].iter().any(|start| command.starts_with(start));
    if !known || command == "pester-gate explain" {
        wrong.push(format!("the command is {command:?}"));
    }
    let at_execute =
        outcome["classification"] == "seam-defect" && outcome["failedLayer"] == "execute";
    if at_execute
        && !seen.log.is_empty()
        && !summary.contains(&seen.log)
        && !summary.contains("### Failures")
    {
        wrong.push(format!("the summary lacks the log's last line {:?}:\n{summary}", seen.log));
    }
    let may_have = seen.began || seen.codes().contains(&"shard-missing".to_owned());
    if summary.contains("\nNo test ran. ") && may_have {
        wrong.push(format!("the summary says that no test ran:\n{summary}"));
    }
    // What sends its reader to the log's end shows it, or that there is none.
    if text("nextAction").contains("read the last lines of the log to see")
        && !summary.contains("### Last lines of the log")
    {
        wrong.push(format!("the summary speaks of a log's end and shows none:\n{summary}"));
    }
    wrong
}

fn check(row: &Row, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    if seen.verdict() != row.owed {
        wrong.push(format!(
            "owed {:?}, got {:?} {:?}\n{}",
            row.owed,
            seen.verdict(),
            seen.codes(),
            seen.ran.stderr
        ));
    }
    let failed_layer = seen.text("failedLayer");
    for (layer, receipt) in &seen.receipts {
        let charged = receipt["reasons"][0]["layer"].as_str().unwrap_or_default();
        if receipt["status"] == "blocked" && *layer != failed_layer && charged == *layer {
            // Its own fault, found beside the deciding one, is no false accusation.
            let own =
                seen.codes().contains(&receipt["reason"].as_str().unwrap_or_default().to_owned());
            if !(row.combined && own) {
                wrong.push(format!("the innocent {layer} is blocked with {}", receipt["reason"]));
            }
        }
        if receipt["reason"] != receipt["reasons"][0]["code"] {
            wrong.push(format!("{layer}: reason is not the first of reasons"));
        }
    }
    wrong.extend(check_replay(seen));
    wrong.extend(check_command(seen));
    wrong.extend(check_summary(seen));
    // What is amiss with the host is said by preflight alone, and nothing ran.
    if failed_layer == "preflight" && !row.combined {
        for (layer, receipt) in
            seen.receipts.iter().filter(|(layer, _)| ["context", "selection"].contains(layer))
        {
            if receipt["status"] == "blocked" {
                wrong.push(format!("{layer} is blocked: {}", receipt["reasons"]));
            }
        }
        if let Some((_, receipt)) = seen.receipts.iter().find(|(layer, _)| *layer == "execute") {
            let accounting = receipt["accounting"].as_array().cloned().unwrap_or_default();
            // One file whose interpreter is missing does not keep the others from running.
            let others_run = [
                "a test's interpreter is not on this host",
                "a test file names an interpreter that is not there",
            ];
            let others_run = others_run.contains(&row.name);
            let ran = accounting.iter().any(|entry| entry["state"] == "ran")
                || receipt["counts"]["total"] != 0;
            let began = !receipt["outcome"].is_null() || receipt["dispatcherExitCode"] != -1;
            if (ran && !others_run) || (began && row.at == "preflight") {
                wrong.push(format!("execute tells of tests that were not to run: {receipt}"));
            }
        }
    }
    let green = seen.text("gateStatus") != "fail";
    if green != (seen.ran.code == 0) {
        wrong.push(format!(
            "gateStatus {:?} and exit code {}",
            seen.text("gateStatus"),
            seen.ran.code
        ));
    }
    if seen.receipts.is_empty() && !row.name.contains("context's job was cancelled") {
        wrong.push("no receipt was left".to_owned());
    }
    if seen.ran.code != 0 && seen.text("nextAction").is_empty() {
        wrong.push("a red gate without a next action".to_owned());
    }
    wrong
}

#[test]
fn every_fault_has_its_one_verdict() {
    let (next, rows) = (AtomicUsize::new(0), rows());
    let wrong = Mutex::new(Vec::new());
    let produced = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                crate::harness::paste_commands();
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let seen = (row.see)();
                    keep_summary(row, &seen);
                    let mut codes: Vec<String> = seen.codes();
                    for (_, receipt) in &seen.receipts {
                        let reasons = receipt["reasons"].as_array().cloned().unwrap_or_default();
                        codes.extend(
                            reasons.iter().filter_map(|r| r["code"].as_str().map(str::to_owned)),
                        );
                    }
                    produced.lock().unwrap().extend(codes);
                    for problem in check(row, &seen) {
                        wrong.lock().unwrap().push(format!("{}: {problem}", row.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));

    // Warnings and good states come from runs that are not red.
    let produced = {
        let mut produced = produced.into_inner().unwrap();
        produced.extend(benign_codes());
        produced
    };
    let missing: Vec<_> = pester_gate::docs::reason_codes()
        .into_iter()
        .filter(|code| {
            !produced.contains(*code) && !NOT_YET.contains(code) && !ON_WINDOWS.contains(code)
        })
        .collect();
    assert!(missing.is_empty(), "produced by no row and not in NOT_YET: {missing:?}");
    let windows = include_str!("../windows.rs");
    assert!(
        ON_WINDOWS.iter().all(|code| windows.contains(&format!("\"{code}\""))),
        "tests/windows.rs lacks one"
    );
    let stale: Vec<_> =
        NOT_YET.iter().chain(ON_WINDOWS).filter(|code| produced.contains(**code)).collect();
    assert!(stale.is_empty(), "produced and still in NOT_YET, which may only shrink: {stale:?}");
}

/// Codes of green runs.
fn benign_codes() -> Vec<String> {
    let sandbox = Sandbox::green();
    sandbox.file("untracked", "x");
    let dirty = sandbox.run(&["--standing-priority", "advisory"], &[]);
    assert_eq!(dirty.ran.code, 0, "{}", dirty.ran.stderr);
    let mut codes = dirty.codes();
    codes.extend(context::good_codes());
    let blocked = with("context: {required-paths: [nowhere]}\n");
    let chain = Chain::new(&blocked).forced();
    let seen = chain.run();
    let receipt = seen.receipt("execute");
    codes.extend(
        receipt["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["code"].as_str().unwrap().to_owned()),
    );
    codes
}

#[test]
fn the_table_is_as_wide_as_promised() {
    let rows = rows();
    let faults = rows.iter().filter(|row| row.owed.3 != 0).count();
    assert!(faults >= 45, "{faults} faults");
    for layer in LAYERS {
        let surface = rows.iter().filter(|row| row.at == layer && !row.combined).count();
        assert!(surface >= 5, "{surface} rows surface at {layer}");
    }
    assert!(rows.iter().filter(|row| row.combined).count() >= 10);
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "two rows share a name");
    let known = pester_gate::docs::reason_codes();
    assert!(NOT_YET.len() <= 20, "the list of codes not yet produced may only shrink");
    assert!(NOT_YET.iter().all(|code| known.contains(code)), "NOT_YET names a code that is none");
}

#[test]
fn a_digest_is_what_vouches_for_an_earlier_attempt() {
    // "Re-run failed jobs": context and selection of attempt 1, readiness measured again, execute
    // in attempt 2.
    let sandbox = Sandbox::green();
    let chain = in_run(Chain::new(&sandbox));
    let chain =
        chain.env("preflight", "GITHUB_RUN_ATTEMPT", "2").env("execute", "GITHUB_RUN_ATTEMPT", "2");
    let seen = chain.env("post", "GITHUB_RUN_ATTEMPT", "2").run();
    assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{:?}", seen.codes());
    assert_eq!(seen.receipt("context")["run"]["runAttempt"], 1);
    assert_eq!(seen.receipt("execute")["run"]["runAttempt"], 2);
    assert_eq!(seen.outcome["parents"][0]["sha256"], sha256(&seen.folder.join(file_of("context"))));
}

#[test]
fn route_is_vouched_for_by_its_digest_in_a_later_attempt() {
    // The router of attempt 1 let the run in; its job is green and is not run again.
    for (vouched, owed) in [
        (true, ("completed", "none", "tests-passed", 0)),
        (false, ("context-blocked", "route", "receipt-foreign-run", 3)),
    ] {
        let sandbox = Sandbox::green();
        let sha = sandbox.git(&["rev-parse", "HEAD"]);
        let mut environment = ACTIONS.to_vec();
        environment.extend([("GITHUB_EVENT_NAME", "push"), ("GITHUB_SHA", &sha)]);
        let route =
            sandbox.gate_in(&["route", "--out", sandbox.out.to_str().unwrap()], &environment);
        assert_eq!(route.code, 0, "{route:?}");
        let digest = sha256(&sandbox.out.join("pester-route.json"));
        let mut chain = in_run(Chain::new(&sandbox)).env("*", "GITHUB_SHA", &sha).env(
            "*",
            "GITHUB_RUN_ATTEMPT",
            "2",
        );
        if vouched {
            chain = chain.args("post", &["--route-sha256", &digest]);
        }
        let seen = chain.run();
        assert_eq!(seen.verdict(), owed, "{:?}", seen.codes());
    }
}

#[test]
fn a_refusal_of_what_was_asked_for_is_never_let_through() {
    // The label is there and does not speak of this head: with `notice` the check would turn green
    // untested.
    for (labels, action, owed) in
        [(&["pester-gate"][..], "reopened", "fail"), (&["bug"][..], "labeled", "notice")]
    {
        let sandbox = Sandbox::green();
        let event =
            route::pull_request(&sandbox, Some("octo/widgets-fork"), action, labels, Some("bug"));
        let file = sandbox.state.with_file_name("event.json");
        fs::write(&file, event.to_string()).unwrap();
        let outputs = sandbox.state.with_file_name("outputs");
        let mut environment = ACTIONS.to_vec();
        environment.extend([
            ("GITHUB_EVENT_NAME", "pull_request_target"),
            ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
        ]);
        environment.push(("GITHUB_OUTPUT", outputs.to_str().unwrap()));
        let ran = sandbox.gate_in(&["route", "--when-refused", "notice"], &environment);
        assert_ne!(ran.code, 0, "{ran:?}");
        let said = fs::read_to_string(&outputs).unwrap();
        let value = said.split("when-refused<<").nth(1).unwrap().lines().nth(1).unwrap();
        assert_eq!(value, owed, "{action}: {said}");
    }
}
