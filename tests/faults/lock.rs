//! Rows of the host's lock as a run meets it: held, left, lost, asked for, and by one's own
//! ancestor.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{ACTIONS, GREEN, Row, one, readiness, seam, two, with};
use crate::harness::{Chain, Sandbox, Seen, signal_when};

/// Somebody who holds the lock of a sandbox until this is dropped.
struct Holder {
    child: Child,
    go: PathBuf,
}

impl Holder {
    fn new(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, &[("GITHUB_JOB", "flash")])
    }

    fn with(sandbox: &Sandbox, more: &[(&str, &str)]) -> Self {
        let (held, go) = (sandbox.state.with_file_name("held"), sandbox.state.with_file_name("go"));
        let script = "touch \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.02; done";
        let (held_text, go_text) = (held.to_str().unwrap(), go.to_str().unwrap());
        let arguments = [
            "lock",
            "acquire",
            "--lock-group",
            "default",
            "--",
            "sh",
            "-c",
            script,
            held_text,
            go_text,
        ];
        let mut environment = vec![("GITHUB_RUN_ID", "815"), ("GITHUB_ACTOR", "somebody")];
        environment.extend(more);
        let child =
            sandbox.command(&arguments, &environment).stderr(Stdio::null()).spawn().unwrap();
        until(|| held.exists());
        Self { child, go }
    }

    /// Lets it go after a while.
    fn go_after(&self, time: Duration) {
        let go = self.go.clone();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            let _ = fs::write(go, "");
        });
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = fs::write(&self.go, "");
        let _ = self.child.wait();
    }
}

fn until(holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come to hold");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What execute's receipt says of the lock.
fn met(seen: &Seen) -> (u64, String) {
    let lock = &seen.receipt("execute")["lock"];
    assert_eq!(lock["group"], "default", "{lock}");
    (lock["waitedMs"].as_u64().unwrap(), lock["holder"].as_str().unwrap_or_default().to_owned())
}

pub(super) const ROWS: &[Row] = &[
    one("execute", "another run keeps the host for the whole wait", readiness("lock-held"), || {
        let sandbox = Sandbox::green();
        let _holder = Holder::new(&sandbox);
        let seen = sandbox.run(&["--lock-wait", "900ms"], &[]);
        assert!(
            met(&seen).0 >= 900 && met(&seen).1.contains("run 815, job flash, by somebody"),
            "{:?}",
            met(&seen)
        );
        assert!(seen.ran.stderr.contains("waiting for the lock default"), "{}", seen.ran.stderr);
        // Preflight saw it coming and blocked nobody.
        assert_eq!(seen.receipt("preflight")["reason"], "session-lock-held");
        assert_eq!(
            seen.receipt("preflight")["probes"]["session-lock"]["facts"]["holder"]["runId"],
            "815"
        );
        assert_eq!(seen.receipt("preflight")["probes"]["session-lock"]["outcome"], "warn");
        seen
    }),
    one("execute", "another run lets the host go in time", GREEN, || {
        let sandbox = Sandbox::green();
        let holder = Holder::new(&sandbox);
        holder.go_after(Duration::from_millis(1500));
        let seen = sandbox.run(&[], &[]);
        assert!(met(&seen).0 > 500 && met(&seen).1.contains("run 815"), "{:?}", met(&seen));
        assert!(seen.codes().contains(&"session-lock-held".to_owned()), "{:?}", seen.codes());
        seen
    }),
    one("execute", "nobody else wants the host", GREEN, || {
        let seen = Sandbox::green().run(&[], &[]);
        assert_eq!(met(&seen).1, "");
        seen
    }),
    one("execute", "another group is another lock", GREEN, || {
        let sandbox = with("lock: {group: bench-2, wait: 300ms}\n");
        let _holder = Holder::new(&sandbox);
        let seen = sandbox.run(&[], &[]);
        assert_eq!(seen.receipt("execute")["lock"]["group"], "bench-2");
        assert!(!seen.codes().contains(&"session-lock-held".to_owned()), "{:?}", seen.codes());
        seen
    }),
    one("execute", "readiness goes stale in the queue", readiness("receipt-stale"), || {
        let sandbox = with("preflight: {disk: {min-free: 1MiB}, freshness: 1s}\n");
        let holder = Holder::new(&sandbox);
        holder.go_after(Duration::from_millis(3500));
        let seen = sandbox.run(&[], &[]);
        assert!(met(&seen).0 > 1000, "{:?}", met(&seen));
        seen
    }),
    one("execute", "what lies in the queue and is no number keeps nobody back", GREEN, || {
        let sandbox = Sandbox::green();
        let queue = sandbox.state.with_file_name("locks").join("default.queue");
        fs::create_dir_all(queue.join("1")).unwrap();
        for name in ["18446744073709551615", "+2", "007", "x"] {
            fs::write(queue.join(name), "").unwrap();
        }
        sandbox.run(&["--lock-wait", "2s"], &[])
    }),
    one("execute", "the lock's file is removed while it is held", readiness("lock-held"), || {
        let sandbox = Sandbox::green();
        let _holder = Holder::new(&sandbox);
        let file = sandbox.state.with_file_name("locks").join("default.lock");
        fs::remove_file(&file).unwrap();
        // Its holder notices, and holds what stands there now.
        until(|| file.exists());
        std::thread::sleep(Duration::from_millis(300));
        sandbox.run(&["--lock-wait", "300ms"], &[])
    }),
    one("execute", "a secret of the holder is in nobody's receipt", readiness("lock-held"), || {
        let sandbox = Sandbox::green();
        let holder = Holder::with(
            &sandbox,
            &[("LICENCE_KEY", "swordfish-99-value"), ("GITHUB_JOB", "job-swordfish-99-value")],
        );
        let seen = sandbox.run(&["--lock-wait", "900ms"], &[]);
        drop(holder);
        let all = crate::harness::walk(&seen.folder)
            .into_iter()
            .chain(crate::harness::walk(&sandbox.state.with_file_name("locks")));
        let told: Vec<_> = all
            .filter(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains("swordfish"))
            .collect();
        assert!(told.is_empty() && !seen.ran.stderr.contains("swordfish"), "{told:?}");
        assert!(met(&seen).1.contains("job job-***"), "{:?}", met(&seen));
        seen
    }),
    one("execute", "the lock's folder is a file", readiness("lock-unusable"), || {
        let sandbox = Sandbox::green();
        let file = sandbox.state.with_file_name("file");
        fs::write(&file, "").unwrap();
        sandbox.run(&["--lock-directory", file.to_str().unwrap()], &[])
    }),
    one("execute", "the lock's folder is gone after preflight", readiness("lock-unusable"), || {
        let sandbox = Sandbox::green();
        let locks = sandbox.state.with_file_name("own-locks");
        let spoiled = locks.clone();
        let spoil = move |_: &Sandbox, _: &std::path::Path| {
            fs::remove_dir_all(&spoiled).unwrap();
            fs::write(&spoiled, "").unwrap();
        };
        let chain =
            Chain::new(&sandbox).env("*", "PESTER_GATE_LOCK_DIRECTORY", locks.to_str().unwrap());
        chain.after("preflight", spoil).run()
    }),
    one("execute", "a gate inside a gate does not wait for the one outside", GREEN, || {
        let sandbox = Sandbox::green();
        let program = sandbox.command(&["packs"], &[]).get_program().to_owned();
        let beside = |name: &str| sandbox.state.with_file_name(name).to_str().unwrap().to_owned();
        let (out, state, locks) = (beside("inner"), beside("inner-state"), beside("locks"));
        let inner = format!(
            "exec '{}' run --state-dir \"{state}\" --lock-directory \"{locks}\" \
             --lock-scope host --lock-wait 300ms --out \"{out}\" --quiet",
            program.to_str().unwrap()
        );
        sandbox
            .script("tests/a.sh", &format!("[ -e inner-ran ] && exit 0; touch inner-ran; {inner}"));
        sandbox.file(".gitignore", "inner-ran\n");
        sandbox.commit();
        let seen = sandbox.run(&[], &[]);
        let receipts = crate::harness::walk(std::path::Path::new(&out));
        let inner = receipts.iter().find(|path| path.ends_with("pester-run-receipt.json"));
        let inner = inner.unwrap_or_else(|| panic!("the inner gate did not run: {seen:?}"));
        let inner = crate::harness::read_json(inner);
        assert_eq!(inner["status"], "completed", "{inner}");
        assert!(
            inner["lock"]["holder"].as_str().unwrap().contains("ancestor"),
            "{}",
            inner["lock"]
        );
        seen
    }),
    one("execute", "a stranger's mark opens no lock", readiness("lock-held"), || {
        let sandbox = Sandbox::green();
        let _holder = Holder::new(&sandbox);
        sandbox.run(&["--lock-wait", "300ms"], &[("PESTERGATE_LOCKS", "local-00000000,,")])
    }),
    one("execute", "somebody cancels the wait for the host", seam("run-cancelled"), || {
        let sandbox = Sandbox::green();
        let _holder = Holder::new(&sandbox);
        // Its number in the queue is the last thing before it waits.
        let queue = sandbox.state.with_file_name("locks").join("default.queue");
        signal_when(&sandbox, &[], "TERM", move |_| {
            fs::read_dir(&queue).is_ok_and(|queue| queue.count() > 0)
        })
    }),
    one("execute", "its own job asks the holder to end", seam("run-cancelled"), || {
        released(&[("RUNNER_NAME", "bench-1")], true)
    }),
    one("execute", "another runner's job of the same run asks in vain", GREEN, || {
        released(&[("RUNNER_NAME", "bench-2")], false)
    }),
    one("execute", "a leg that ends first leaves the other leg of its run alone", GREEN, || {
        let sandbox = Sandbox::green();
        sandbox
            .script("tests/a.sh", "touch ../started; while [ ! -e ../asked ]; do sleep 0.02; done");
        sandbox.commit();
        let leg = |runner: &'static str| {
            ACTIONS.iter().copied().chain([("RUNNER_NAME", runner)]).collect::<Vec<_>>()
        };
        let (started, asked) =
            (sandbox.root.with_file_name("started"), sandbox.root.with_file_name("asked"));
        std::thread::scope(|scope| {
            let run = scope.spawn(|| sandbox.run(&["--gate-id", "two"], &leg("bench-2")));
            until(|| started.exists());
            // The first waits in vain, and its post has the last word; then another gate's post
            // comes, whose execute is over.
            let out = sandbox.state.with_file_name("first");
            let out = out.to_str().unwrap();
            let first = ["run", "--gate-id", "one", "--lock-wait", "200ms", "--out", out];
            assert_eq!(sandbox.gate_in(&first, &leg("bench-1")).code, 4);
            let needs = "{\"execute\": {\"result\": \"success\", \"outputs\": {}}}";
            let post =
                ["post", "--gate-id", "one", "--receipts-dir", out, "--out", out, "--needs", needs];
            sandbox.gate_in(&post, &leg("bench-1"));
            fs::write(asked, "").unwrap();
            run.join().unwrap()
        })
    }),
    one("execute", "another run asks in vain", GREEN, || {
        released(&[("RUNNER_NAME", "bench-1"), ("GITHUB_RUN_ID", "4712")], false)
    }),
    two(
        "execute",
        "the host is held, and readiness is another pack's",
        readiness("pack-mismatch"),
        || {
            let sandbox = with("packs: [{name: p}, {name: q}]\n");
            let _holder = Holder::new(&sandbox);
            let chain = Chain::new(&sandbox)
                .args("preflight", &["--pack", "p"])
                .args("selection", &["--pack", "q"]);
            chain.args("execute", &["--lock-wait", "300ms"]).run()
        },
    ),
];

/// A run in a workflow's job on `bench-1`, during which `lock release` is asked for from another
/// process.
fn released(asker: &[(&str, &str)], obeyed: bool) -> Seen {
    let sandbox = Sandbox::green();
    // Long enough to be asked, and done when it is over.
    sandbox.script(
        "tests/a.sh",
        "touch ../started; \
         for i in 1 2 3 4 5 6 7 8 9 10; do [ -e ../asked ] && exit 0; sleep 1; done",
    );
    sandbox.commit();
    let environment: Vec<_> = ACTIONS.iter().copied().chain([("RUNNER_NAME", "bench-1")]).collect();
    let (started, asked) =
        (sandbox.root.with_file_name("started"), sandbox.root.with_file_name("asked"));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.run(&[], &environment));
        until(|| started.exists());
        let environment: Vec<_> = ACTIONS.iter().copied().chain(asker.iter().copied()).collect();
        let release = sandbox.gate_in(&["lock", "release", "--format", "json"], &environment);
        fs::write(asked, "").unwrap();
        assert_eq!(
            (release.code, release.json()["released"].clone()),
            (0, obeyed.into()),
            "{release:?}"
        );
        assert_eq!(release.json()["holder"]["runId"], "4711", "{release:?}");
        run.join().unwrap()
    })
}
