//! The host's lock: one holder at a time, whatever dies, and never lost for ever.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Dice, Ran, Sandbox, signal};

/// `lock` in a folder of its own.
fn lock(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) -> Command {
    let folder = folder.to_str().unwrap();
    let mut all = vec!["lock", "--lock-directory", folder];
    all.extend(arguments);
    sandbox.command(
        &all,
        &[("GITHUB_RUN_ID", "4711"), ("GITHUB_JOB", "execute"), ("GITHUB_ACTOR", "octo\u{1b}[31m")],
    )
}

fn ran(mut command: Command) -> Ran {
    Ran::of(&command.output().unwrap())
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_is_held_while_the_command_runs_and_says_by_whom() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state.join("locks");
    let free = ran(lock(&sandbox, &folder, &["inspect", "--format", "json"]));
    assert_eq!((free.code, free.json()["held"].clone()), (0, false.into()));

    let (started, go) = (sandbox.root.join("started"), sandbox.root.join("go"));
    let script = "touch started; while [ ! -e go ]; do sleep 0.02; done; exit 7";
    let mut holder =
        lock(&sandbox, &folder, &["acquire", "--", "sh", "-c", script]).spawn().unwrap();
    until("the command starts", || started.exists());
    let held = ran(lock(&sandbox, &folder, &["inspect", "--format", "json"]));
    let owner = &held.json()["holder"];
    assert_eq!(
        (held.code, &owner["runId"], &owner["pid"]),
        (0, &"4711".into(), &holder.id().into())
    );
    let text = ran(lock(&sandbox, &folder, &["inspect"])).stdout;
    assert!(
        text.contains("run 4711") && text.contains("job execute") && !text.contains('\u{1b}'),
        "{text}"
    );
    // Another group is another lock, and whoever waits in vain is told for whom.
    assert_eq!(
        ran(lock(&sandbox, &folder, &["acquire", "--lock-group", "other", "--", "true"])).code,
        0
    );
    let vain = ran(lock(
        &sandbox,
        &folder,
        &["acquire", "--lock-wait", "700ms", "--", "touch", "entered"],
    ));
    assert_eq!(vain.code, 4, "{vain:?}");
    assert!(
        vain.stderr.contains("waiting for the lock default (0 s): run 4711"),
        "{}",
        vain.stderr
    );
    assert!(
        vain.stderr.contains("lock-held") && !sandbox.root.join("entered").exists(),
        "{}",
        vain.stderr
    );
    fs::write(go, "").unwrap();
    assert_eq!(holder.wait().unwrap().code(), Some(7), "the command's own exit code");
    assert_eq!(
        ran(lock(&sandbox, &folder, &["acquire", "--lock-wait", "10s", "--", "true"])).code,
        0
    );
    assert_eq!(
        ran(lock(&sandbox, &folder, &["inspect", "--format", "json"])).json()["held"],
        false
    );
}

#[test]
fn whoever_came_first_is_served_first() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state.join("locks");
    let go = sandbox.root.join("go");
    let hold = "touch started; while [ ! -e go ]; do sleep 0.02; done";
    let mut all =
        vec![lock(&sandbox, &folder, &["acquire", "--", "sh", "-c", hold]).spawn().unwrap()];
    until("the holder starts", || sandbox.root.join("started").exists());
    for number in 1..=5 {
        let note = format!("echo {number} >> order");
        all.push(lock(&sandbox, &folder, &["acquire", "--", "sh", "-c", &note]).spawn().unwrap());
        // The holder's number is gone, each that waits has its own.
        until("it waits", || {
            fs::read_dir(folder.join("default.queue")).is_ok_and(|q| q.count() == number)
        });
    }
    fs::write(go, "").unwrap();
    all.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    assert_eq!(fs::read_to_string(sandbox.root.join("order")).unwrap(), "1\n2\n3\n4\n5\n");
}

#[test]
fn what_cannot_be_used_is_said_and_what_is_typed_wrong_is_named() {
    let sandbox = Sandbox::new();
    let file = sandbox.root.join("file");
    fs::write(&file, "").unwrap();
    for (folder, arguments, part) in [
        (sandbox.state.clone(), &["acquire"][..], "lock acquire -- CMD"),
        (sandbox.state.clone(), &["inspect", "--", "true"], "takes no command"),
        (
            sandbox.state.clone(),
            &["acquire", "--lock-group", "../up", "--", "true"],
            "--lock-group",
        ),
        (sandbox.state.clone(), &["acquire", "--lock-wait", "soon", "--", "true"], "--lock-wait"),
        (sandbox.state.clone(), &["seize"], "seize"),
        (
            sandbox.state.clone(),
            &["acquire", "--", "no-such-program-here"],
            "the command cannot be run: no-such-program-here",
        ),
    ] {
        let ran = ran(lock(&sandbox, &folder, arguments));
        assert_eq!(ran.code, 2, "{arguments:?} {ran:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    let unusable = ran(lock(&sandbox, &file, &["inspect", "--format", "json"]));
    let error = &unusable.json()["error"];
    assert_eq!((unusable.code, &error["code"]), (4, &"lock-unusable".into()), "{unusable:?}");
    assert!(error["message"].as_str().unwrap().contains(file.to_str().unwrap()), "{error}");
    #[cfg(unix)]
    {
        let folder = sandbox.state.join("linked");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(&file, folder.join("default.lock")).unwrap();
        let linked = ran(lock(&sandbox, &folder, &["acquire", "--", "true"]));
        assert_eq!(linked.code, 4, "a link in its place was locked: {linked:?}");
    }
}

/// The folder is every user's: what one of them left when it was killed keeps no other back.
#[cfg(target_os = "linux")]
#[test]
fn another_users_leftovers_keep_nobody_back() {
    let as_nobody = |command: &mut Command| {
        let mut other = Command::new("setpriv");
        other
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(command.get_program())
            .args(command.get_args());
        other
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir("/");
        other
    };
    let shared = tempfile::Builder::new().prefix("pester-gate-lock-").tempdir().unwrap();
    let folder = shared.path().join("locks");
    let sandbox = Sandbox::new();
    // Where neither user may be taken on, or the other may not run the program, nothing is shown.
    let program = sandbox.command(&["--version"], &[]).get_program().to_owned();
    let open = |path: &Path| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap()
    };
    open(shared.path());
    let copy = shared.path().join("pester-gate");
    fs::copy(program, &copy).unwrap();
    let lock = |arguments: &[&str]| {
        let mut command = Command::new(&copy);
        command
            .args([
                "lock",
                "--lock-directory",
                folder.to_str().unwrap(),
                "--state-dir",
                "/nowhere",
                "--lock-scope",
                "host",
            ])
            .args(arguments);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir("/");
        command
    };
    if !as_nobody(&mut lock(&["--help"])).output().is_ok_and(|output| output.status.success()) {
        println!(
            "skipped: no other user can be taken on here, so a lock between users was not tried"
        );
        return;
    }
    // This one makes every file, the other leaves its number and its name when it is killed.
    assert_eq!(ran(lock(&["acquire", "--", "true"])).code, 0);
    for killed_first in [true, false] {
        let turn = |mut command: Command, other: bool| {
            if other { as_nobody(&mut command) } else { command }
        };
        let go = shared.path().join(format!("go-{killed_first}"));
        let hold = format!(
            "echo $$ > {0}.new; chmod 666 {0}.new; mv {0}.new {0}; exec sleep 60",
            go.display()
        );
        let mut holder =
            turn(lock(&["acquire", "--", "sh", "-c", &hold]), killed_first).spawn().unwrap();
        until("the holder starts", || go.exists());
        let mut waiter = turn(lock(&["acquire", "--", "true"]), killed_first)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it waits", || fs::read_dir(folder.join("default.queue")).unwrap().count() > 0);
        // The command lives on with the lock; then it ends too.
        waiter.kill().unwrap();
        waiter.wait().unwrap();
        holder.kill().unwrap();
        holder.wait().unwrap();
        signal(fs::read_to_string(&go).unwrap().trim().parse().unwrap(), "KILL");
        let after =
            ran(turn(lock(&["acquire", "--lock-wait", "10s", "--", "true"]), !killed_first));
        assert_eq!(after.code, 0, "killed first: {killed_first}: {after:?}");
    }
}

/// Execute is killed outright: its guard holds the lock as well, until it has ended what is left.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_execute_keeps_the_host_until_nothing_of_it_lives() {
    let sandbox = Sandbox::green();
    let mark = "8815.0625";
    // It ignores being asked, and leaves its group.
    sandbox.script(
        "tests/a.sh",
        &format!("trap '' TERM; setsid sleep {mark} & touch ../started; sleep {mark}"),
    );
    sandbox.commit();
    let started = sandbox.root.with_file_name("started");
    let folder = sandbox.state.with_file_name("locks");
    for _ in 0..5 {
        let _ = fs::remove_file(&started);
        let mut gate = sandbox.command(&["run", "--quiet"], &[]);
        let mut gate = gate.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the tests run", || started.exists());
        assert_eq!(
            ran(lock(&sandbox, &folder, &["inspect", "--format", "json"])).json()["held"],
            true
        );
        gate.kill().unwrap();
        gate.wait().unwrap();
        let script = format!(
            "for f in /proc/[0-9]*/cmdline; do \
             [ $f = /proc/$$/cmdline ] || \
             ! tr '\\0' ' ' < $f 2>/dev/null | grep -q '^sleep {mark}' || exit 9; done"
        );
        let next = ran(lock(
            &sandbox,
            &folder,
            &["acquire", "--lock-wait", "30s", "--", "sh", "-c", &script],
        ));
        assert_eq!(next.code, 0, "the host was free before the run was gone: {next:?}");
    }
}

#[test]
fn post_asks_what_its_own_run_left_and_nobody_else() {
    let sandbox = Sandbox::green();
    let folder = sandbox.state.with_file_name("locks");
    sandbox.script("tests/a.sh", "touch ../started; sleep 60");
    sandbox.commit();
    let started = sandbox.root.with_file_name("started");
    let run = |run: &'static str| {
        vec![
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", run),
            ("GITHUB_REPOSITORY", "octo/widgets"),
        ]
    };
    let mut execute = sandbox.command(&["run", "--quiet", "--kill-grace", "300ms"], &run("4711"));
    let mut execute = execute.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the tests run", || started.exists());
    let out = sandbox.out.to_str().unwrap();
    fs::create_dir_all(&sandbox.out).unwrap();
    let over = r#"{"execute": {"result": "failure", "outputs": {}}}"#;
    let post = |of: &'static str, more: &[&str]| {
        let mut arguments = vec!["post", "--format", "json", "--receipts-dir", out, "--out", out];
        arguments.extend(more);
        sandbox.gate_in(&arguments, &run(of))
    };
    // Another run, another gate of this one, and a post that knows of no execute that is over.
    for (of, more) in [
        ("4712", &["--needs", over][..]),
        ("4711", &["--needs", over, "--gate-id", "other"]),
        ("4711", &[]),
    ] {
        assert!(!post(of, more).json()["failedLayer"].is_null());
        assert!(execute.try_wait().unwrap().is_none(), "{of} {more:?} ended another's holder");
    }
    // A person at the machine does not end a workflow's run either.
    let mut by_hand = lock(&sandbox, &folder, &["release"]);
    let by_hand = ran({
        by_hand.env_remove("GITHUB_RUN_ID");
        by_hand
    });
    assert!(
        by_hand.code == 0
            && by_hand.stdout.contains("is not ours to release: github.com/octo/widgets, run 4711"),
        "{by_hand:?}"
    );
    let own = post("4711", &["--needs", over]);
    assert!(own.stderr.contains("still held the host's lock"), "{}", own.stderr);
    assert_eq!(execute.wait().unwrap().code(), Some(6), "it was asked to end");
    assert_eq!(
        ran(lock(&sandbox, &folder, &["inspect", "--format", "json"])).json()["held"],
        false
    );
    // With nobody there, nothing is asked.
    assert!(!post("4711", &["--needs", over]).stderr.contains("host's lock"), "nothing is held");
}

/// The command's own children hold the lock as well: it is not free before they are done, and who
/// asks for release asks them all.
#[cfg(target_os = "linux")]
#[test]
fn what_a_command_leaves_running_keeps_the_lock() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state.join("locks");
    let held =
        || ran(lock(&sandbox, &folder, &["inspect", "--format", "json"])).json()["held"].clone();
    let left = ran(lock(
        &sandbox,
        &folder,
        &["acquire", "--", "sh", "-c", "sleep 1.5 >/dev/null 2>&1 & exit 3"],
    ));
    assert_eq!((left.code, held()), (3, true.into()), "its child is alive");
    until("the child is done", || held() == false);

    let script = "sh -c 'touch started; sleep 60; touch done'; true";
    let mut holder = lock(&sandbox, &folder, &["acquire", "--", "sh", "-c", script]);
    let mut holder = holder.stderr(Stdio::null()).spawn().unwrap();
    until("the command starts", || sandbox.root.join("started").exists());
    let release = ran(lock(&sandbox, &folder, &["release", "--format", "json"]));
    assert_eq!((release.code, release.json()["released"].clone()), (0, true.into()), "{release:?}");
    holder.wait().unwrap();
    until("the host is free", || held() == false);
    assert!(!sandbox.root.join("done").exists());
}

/// Whoever is next and does not take it is not told to be held back by one that is dead.
#[cfg(target_os = "linux")]
#[test]
fn a_stopped_waiter_is_named_for_what_it_is() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state.join("locks");
    let go = sandbox.root.join("go");
    let hold = "touch started; while [ ! -e go ]; do sleep 0.02; done";
    let mut holder = lock(&sandbox, &folder, &["acquire", "--", "sh", "-c", hold]).spawn().unwrap();
    until("the holder starts", || sandbox.root.join("started").exists());
    let mut waiter = lock(&sandbox, &folder, &["acquire", "--quiet", "--", "true"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it waits", || {
        fs::read_dir(folder.join("default.queue")).is_ok_and(|queue| queue.count() > 0)
    });
    signal(waiter.id(), "STOP");
    fs::write(go, "").unwrap();
    holder.wait().unwrap();
    let vain = ran(lock(&sandbox, &folder, &["acquire", "--lock-wait", "700ms", "--", "true"]));
    assert!(vain.code == 4 && vain.stderr.contains("held by nobody, and who is next"), "{vain:?}");
    signal(waiter.id(), "CONT");
    assert!(waiter.wait().unwrap().success());
}

/// Goes in, complains of whoever is there and alive, stays a moment, goes out.
const INSIDE: &str = r#"
if read -r other < inside 2>/dev/null && [ -n "$other" ] && [ "$other" != $$ ]; then
  read -r _ _ state _ < /proc/$other/stat && [ "$state" != Z ] && echo "$other and $$" >> two
fi 2>/dev/null
echo $$ > inside
sleep "$1"
: > inside
"#;

/// One schedule: several want the lock, some are killed outright, files are spoiled and dated
/// wrong. Says whether two were inside at once.
fn schedule(sandbox: &Sandbox, seed: u64, folders: usize) -> bool {
    let mut dice = Dice::new(seed);
    let work = sandbox.root.join(format!("s{seed}"));
    fs::create_dir_all(&work).unwrap();
    let folder = |number: usize| work.join(format!("locks-{}", number % folders));
    let start = |number: usize, stay: &str| -> Child {
        let arguments =
            ["acquire", "--lock-wait", "20s", "--quiet", "--", "sh", "-c", INSIDE, "sh", stay];
        let mut command = lock(sandbox, &folder(number), &arguments);
        command.current_dir(&work).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut all = Vec::new();
    for number in 0..3 {
        all.push(start(number, &format!("0.0{:02}", dice.below(30))));
        std::thread::sleep(Duration::from_millis(dice.below(8)));
    }
    for victim in &mut all {
        if dice.below(3) == 0 {
            std::thread::sleep(Duration::from_millis(dice.below(20)));
            let _ = victim.kill();
        }
    }
    // What a clock or a crash may leave in the file that tells of the owner decides nothing.
    if dice.below(3) == 0 {
        let told = [
            "",
            "{",
            r#"{"acquiredAtUtc":"1970-01-01T00:00:00Z"}"#,
            r#"{"acquiredAtUtc":"2999-01-01T00:00:00Z","pid":1}"#,
        ];
        let _ = fs::write(
            folder(0).join("default.owner.json"),
            told[usize::try_from(dice.below(4)).unwrap()],
        );
    }
    for child in &mut all {
        child.wait().unwrap();
    }
    // Whoever comes after all that is served.
    assert!(start(0, "0").wait().unwrap().success(), "schedule {seed}: the lock is lost");
    let two = work.join("two").exists();
    let _ = fs::remove_dir_all(&work);
    two
}

fn schedules(count: u64, folders: usize) -> Vec<u64> {
    let (next, two) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let sandbox = Sandbox::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > count {
                        return;
                    }
                    if schedule(&sandbox, seed, folders) {
                        two.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    two.into_inner().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn no_schedule_of_kills_and_spoiled_files_lets_two_in_or_loses_it() {
    let two = schedules(1000, 1);
    assert!(two.is_empty(), "two owners at once in schedules {two:?}");
    // The same with a lock that excludes nobody, so that the test is known to see it.
    let seen = schedules(50, 3);
    assert!(!seen.is_empty(), "50 schedules without a lock, and nobody met anybody");
}
