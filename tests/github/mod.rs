//! Context and GitHub: what each situation at GitHub is called, through the binary.
//!
//! GitHub is a stateful fake on loopback ([`fake`]); what it says and what it is asked is held
//! against GitHub's own description of its API ([`openapi`]) where that is there.

pub(crate) mod fake;
mod openapi;
pub(crate) mod servers;
mod situations;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::fake::{Fake, Scripted, error, issue};
use crate::harness::{Ran, Sandbox, read_json};

/// The shape of a token of a workflow's job. It must appear nowhere.
pub(crate) const TOKEN: &str = "ghs_0123456789abcdefghijABCDEFGHIJ456789";

/// One context layer's run: what it said, and its receipt.
struct Context {
    ran: Ran,
    receipt: Value,
}

impl Context {
    fn reason(&self) -> &str {
        self.receipt["reason"].as_str().unwrap_or_default()
    }

    fn codes(&self) -> Vec<String> {
        let reasons = self.receipt["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
    }

    fn requests(&self) -> u64 {
        self.receipt["lookUp"]["requests"].as_u64().unwrap()
    }
}

/// Runs context against an API, in a checkout of `octo/widgets`.
fn context(
    sandbox: &Sandbox,
    api: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Context {
    let out = sandbox.out.join("context");
    let mut all = vec!["context", "--out", out.to_str().unwrap()];
    all.extend(arguments);
    let mut variables = vec![("GITHUB_API_URL", api), ("GH_TOKEN", TOKEN)];
    variables.extend(environment);
    let _ = fs::remove_dir_all(&out);
    let ran = sandbox.gate_in(&all, &variables);
    let path = out.join("pester-context.json");
    let receipt = if path.exists() { read_json(&path) } else { Value::Null };
    Context { ran, receipt }
}

/// A checkout whose configuration says this of the standing priority.
fn asking(section: &str) -> Sandbox {
    let sandbox = Sandbox::green();
    sandbox.config(&format!("standing-priority: {{{section}}}\n"));
    sandbox.commit();
    sandbox
}

/// Every way in which the look-up can fail, with nothing wrong at the queue.
fn failures() -> Vec<(&'static str, Fake)> {
    let labelled = || Fake::new(&[issue(7, &["standing-priority"])]);
    let scripted = |script: fn(bool) -> Option<Scripted>| {
        let fake = labelled();
        fake.script(move |request, _| script(request.url.path().ends_with("/issues")));
        fake
    };
    fn told(
        (status, headers, body): (u16, Vec<(&'static str, String)>, Value),
    ) -> Option<Scripted> {
        Some(Scripted::Answer(status, headers, body))
    }
    let page =
        || wiremock::ResponseTemplate::new(200).set_body_raw("<html>sign in</html>", "text/html");
    vec![
        ("bad credentials", scripted(|_| told(error(401, "Bad credentials")))),
        ("no permission", scripted(|_| told(error(403, "Resource not accessible by integration")))),
        ("slow down", scripted(|_| told(error(429, "You have exceeded a secondary rate limit.")))),
        ("no such repository", scripted(|_| told(error(404, "Not Found")))),
        (
            "issues hidden",
            scripted(|listing| if !listing { None } else { told(error(404, "Not Found")) }),
        ),
        ("issues gone", scripted(|listing| if !listing { None } else { told(error(410, "Gone")) })),
        (
            "server error",
            scripted(|listing| if !listing { None } else { told(error(502, "Bad Gateway")) }),
        ),
        ("unavailable", scripted(|_| told(error(503, "Service Unavailable")))),
        (
            "refused",
            scripted(|listing| if !listing { None } else { told(error(422, "Validation Failed")) }),
        ),
        ("issues switched off", {
            let fake = labelled();
            fake.repo("octo/widgets", &[], |repo| repo.has_issues = false);
            fake
        }),
        ("a page in its place", {
            let fake = labelled();
            fake.script(move |_, _| Some(Scripted::Wrong(page())));
            fake
        }),
        (
            "nothing in its place",
            scripted(|listing| {
                if !listing {
                    None
                } else {
                    Some(Scripted::Wrong(wiremock::ResponseTemplate::new(200)))
                }
            }),
        ),
    ]
}

#[test]
fn an_open_labelled_issue_is_found_and_a_failing_look_up_is_never_an_empty_queue() {
    let sandbox = asking("max-wait: 400ms");
    let fake = Fake::new(&[issue(9, &["bug"]), issue(7, &["standing-priority"])]);
    for policy in ["required", "advisory"] {
        let context = context(&sandbox, &fake.url(), &["--standing-priority", policy], &[]);
        assert_eq!(
            (context.reason(), context.ran.code),
            ("standing-priority-available", 0),
            "{}",
            context.ran.stderr
        );
        assert_eq!(context.receipt["status"], "ready");
        assert_eq!(context.receipt["standingPriority"]["issueNumber"], 7);
        assert!(context.requests() <= 2, "{}", context.receipt["lookUp"]);
    }
    let failures = failures();
    assert!(failures.len() >= 10);
    for (what, fake) in failures {
        let api = fake.url();
        let advisory = sandbox.run(
            &["--standing-priority", "advisory"],
            &[("GITHUB_API_URL", &api), ("GH_TOKEN", TOKEN)],
        );
        assert_eq!(advisory.text("classification"), "completed", "{what}: {}", advisory.ran.stderr);
        assert_eq!(advisory.receipt("execute")["status"], "completed", "{what}");
        let reasons = advisory.outcome["reasons"].as_array().unwrap();
        assert_eq!(reasons[0]["code"], "tests-passed", "{what}");
        assert_eq!(advisory.receipt("context")["status"], "warning", "{what}");
        let of_execute = advisory.receipt("execute")["reasons"].to_string();
        assert!(!of_execute.contains("\"layer\":\"context\""), "{what}: {of_execute}");
        fs::remove_dir_all(&sandbox.out).unwrap();
        let required = sandbox.run(
            &["--standing-priority", "required"],
            &[("GITHUB_API_URL", &api), ("GH_TOKEN", TOKEN)],
        );
        assert_eq!(
            (required.text("classification"), required.text("failedLayer")),
            ("context-blocked", "context")
        );
        assert!(!required.has_receipt("execute"), "{what}: execute started");
        for seen in [&advisory, &required] {
            let all = format!("{}{:?}", seen.outcome, seen.receipts);
            assert!(
                !all.contains("standing-priority-none"),
                "{what} reads as an empty queue: {all}"
            );
        }
        // The same cause by both policies, and the verdict gives it as a warning or as the reason.
        let code = &required.outcome["reason"];
        assert_eq!(advisory.receipt("context")["reason"], *code, "{what}");
        assert!(
            advisory.codes().iter().any(|known| code == known),
            "{what}: the verdict keeps quiet about it"
        );
        fs::remove_dir_all(&sandbox.out).unwrap();
        assert_eq!(fake.violations(), [""; 0], "{what}");
    }
}

#[test]
fn every_situation_at_github_has_its_one_reason() {
    let rows = situations::rows();
    assert!(rows.len() >= 45, "{} situations", rows.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) =
                    rows.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
                {
                    let problems = situations::check(row);
                    wrong
                        .lock()
                        .unwrap()
                        .extend(problems.into_iter().map(|why| format!("{}: {why}", row.name)));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {} situations:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    println!(
        "{} situations, {}",
        rows.len(),
        if openapi::is_here() { "bodies by GitHub's description" } else { "bodies unchecked" }
    );
}

#[test]
fn with_policy_off_or_an_override_nobody_is_asked() {
    let fake = Fake::new(&[issue(7, &["standing-priority"])]);
    let sandbox = Sandbox::green();
    let off = context(&sandbox, &fake.url(), &["--standing-priority", "off"], &[]);
    assert_eq!((off.reason(), off.ran.code), ("standing-priority-not-required", 0));
    let told = context(
        &sandbox,
        &fake.url(),
        &["--standing-priority", "required", "--standing-priority-issue", "upper/widgets#12"],
        &[],
    );
    assert_eq!(
        (told.reason(), told.ran.code),
        ("standing-priority-overridden", 0),
        "{}",
        told.ran.stderr
    );
    assert_eq!(told.receipt["standingPriority"]["issueNumber"], 12);
    assert_eq!(told.receipt["standingPriority"]["repository"], "upper/widgets");
    assert!(
        told.receipt["reasons"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("--standing-priority-issue")
    );
    let silent =
        context(&sandbox, &fake.url(), &["--standing-priority", "required"], &[("GH_TOKEN", "")]);
    assert_eq!((silent.reason(), silent.ran.code), ("token-missing", 3));
    for seen in [&off, &told, &silent] {
        assert_eq!((seen.requests(), &seen.receipt["token"]["probe"]), (0, &Value::Null));
    }
    assert_eq!(fake.asked().len(), 0, "{:?}", fake.asked());
}

#[test]
fn a_repeat_costs_no_quota() {
    let sandbox = asking("policy: required");
    let many: Vec<_> = (1..=250).map(|number| issue(number, &["standing-priority"])).collect();
    let fake = Fake::new(&many);
    let first = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(first.receipt["standingPriority"]["candidates"].as_array().unwrap().len(), 250);
    let asked = fake.asked();
    assert_eq!((asked.len(), asked.iter().any(|asked| asked.conditional)), (4, false));
    // The second page is the one that GitHub names, by the repository's number.
    assert!(fake.targets()[2].starts_with("/repositories/1000/issues?"), "{:?}", fake.targets());
    let left = &first.receipt["token"]["rateLimitRemaining"];
    fake.forget();
    let again = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(again.receipt["standingPriority"], first.receipt["standingPriority"]);
    assert_eq!(&again.receipt["token"]["rateLimitRemaining"], left, "the repeat cost quota");
    assert!(
        fake.asked().iter().all(|asked| asked.conditional) && fake.asked().len() == 4,
        "{:?}",
        fake.asked()
    );
    let statuses: Vec<_> = again.receipt["lookUp"]["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["status"].clone())
        .collect();
    assert_eq!(statuses, [304, 304, 304, 304]);

    // What changed is seen at once, and what is spoiled in the folder is as if it were not there.
    fake.repo("octo/widgets", &[issue(3, &["standing-priority"])], |repo| repo.id = 1000);
    let changed = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(changed.receipt["standingPriority"]["issueNumber"], 3);
    for entry in fs::read_dir(sandbox.state.join("github")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains(TOKEN));
        fs::write(path, "{\"schema\":\"pester-gate-github-cache@v1\",\"answers\":[[[").unwrap();
    }
    let spoiled = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(spoiled.receipt["standingPriority"]["issueNumber"], 3, "{}", spoiled.ran.stderr);
    assert_eq!(fake.violations(), [""; 0]);
}

#[test]
fn a_page_that_still_holds_may_have_got_a_next_one() {
    let sandbox = asking("policy: required, labels: [\"gate, first\"]");
    let old: Vec<_> = (1..=100).map(|number| issue(number, &["bug"])).collect();
    let fake = Fake::new(&old);
    assert_eq!(context(&sandbox, &fake.url(), &[], &[]).reason(), "standing-priority-none");
    // The server's `ETag` is of the body, and the body of the first page is what it was.
    let mut more = old.clone();
    more.push(issue(0, &["gate, first"]));
    fake.repo("octo/widgets", &more, |repo| repo.id = 1000);
    let again = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(again.reason(), "standing-priority-available", "{}", again.receipt);

    // A page that is not full may get one as well, where the server says so beside its 304.
    let fake = Fake::new(&[issue(7, &["bug"])]);
    assert_eq!(context(&sandbox, &fake.url(), &[], &[]).reason(), "standing-priority-none");
    fake.script(|request, _| {
        let header = |name: &str| request.headers.get(name).is_some();
        if request.url.query().is_some_and(|query| query.contains("page=2")) {
            let body = serde_json::json!([{
                "number": 3,
                "title": "x",
                "html_url": "https://x",
                "state": "open",
                "labels": [{"name": "gate, first"}],
            }]);
            return Some(Scripted::Wrong(wiremock::ResponseTemplate::new(200).set_body_json(body)));
        }
        let link = "</repositories/1000/issues?page=2>; rel=\"next\"";
        let listing = request.url.path().ends_with("/issues") && header("if-none-match");
        let unchanged = wiremock::ResponseTemplate::new(304).insert_header("link", link);
        listing.then_some(Scripted::Wrong(unchanged))
    });
    let again = context(&sandbox, &fake.url(), &[], &[]);
    assert_eq!(again.receipt["standingPriority"]["issueNumber"], 3, "{}", again.receipt);
}

#[cfg(unix)]
#[test]
fn a_cancel_ends_the_look_up_at_once_and_is_the_one_reason() {
    for policy in ["advisory", "required"] {
        let fake = Fake::new(&[]);
        let late = Duration::from_secs(30);
        fake.script(move |_, _| {
            Some(Scripted::Wrong(wiremock::ResponseTemplate::new(200).set_delay(late)))
        });
        let sandbox = Sandbox::green();
        let arguments =
            ["context", "--standing-priority", policy, "--out", sandbox.out.to_str().unwrap()];
        let mut command =
            sandbox.command(&arguments, &[("GITHUB_API_URL", &fake.url()), ("GH_TOKEN", TOKEN)]);
        let child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        while fake.asked().is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let asked = Instant::now();
        let code = child.wait_with_output().unwrap().status.code();
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        let receipt = read_json(&sandbox.out.join("pester-context.json"));
        let codes: Vec<_> =
            receipt["reasons"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
        assert_eq!(
            (codes, code),
            (vec![serde_json::json!("layer-cancelled")], Some(3)),
            "{policy}"
        );
    }
}

#[test]
fn ten_thousand_issues_are_read_in_little_memory_and_no_request_too_many() {
    let many: Vec<_> = (1..=10_000)
        .map(|number| match number {
            4321 => issue(number, &["bug", "gate, first"]),
            8765 => issue(number, &["gate, first", "standing-excluded"]),
            777 => issue(number, &["plain"]),
            _ => issue(number, &["bug"]),
        })
        .collect();
    let fake = Fake::new(&[]);
    // 100 issues of 10 KB each make a page of a megabyte, and all of them a hundred.
    fake.repo("octo/widgets", &many, |repo| repo.text = 10_000);
    for (labels, found, requests) in [
        // A label with a comma cannot be asked for: everything is listed, once for all such labels.
        ("[\"gate, first\"]", 4321, 101),
        ("[\"no, such\", \"nor, this\", \"gate, first\"]", 4321, 101),
        ("[plain]", 777, 2),
        ("[\"no such label\", plain]", 777, 3),
    ] {
        fake.forget();
        let sandbox = asking(&format!("policy: required, labels: {labels}, max-wait: 5m"));
        let (context, peak) = with_peak(&sandbox, &fake.url());
        assert_eq!(
            context.receipt["standingPriority"]["issueNumber"], found,
            "{labels}: {}",
            context.ran.stderr
        );
        assert_eq!(context.receipt["standingPriority"]["candidates"], serde_json::json!([found]));
        assert_eq!(fake.asked().len(), requests, "{labels}");
        assert_eq!(context.requests(), requests as u64);
        assert!(context.receipt["lookUp"]["calls"].as_array().unwrap().len() <= 20);
        match peak {
            Some(peak) => assert!(peak < 64 << 10, "{labels}: {peak} KiB"),
            None => println!("skipped: no /proc, so the memory of the look-up was not measured"),
        }
        println!("labels {labels}: {requests} requests, peak {peak:?} KiB");
    }
}

#[test]
fn ten_thousand_candidates_take_little_memory_cold_and_warm() {
    let others: Vec<String> =
        (0..10).map(|number| format!("a label of some length {number}")).collect();
    let labels: Vec<&str> = others.iter().map(String::as_str).chain(["gate, first"]).collect();
    let mut many: Vec<_> = (1..=10_000).map(|number| issue(number, &labels)).collect();
    many.iter_mut().for_each(|issue| {
        issue.title = "a title that is as long as titles are, and then some more of it".repeat(2)
    });
    let fake = Fake::new(&[]);
    fake.repo("octo/widgets", &many, |repo| repo.text = 10_000);
    let sandbox = asking("policy: required, labels: [\"gate, first\"], max-wait: 5m");
    for what in ["cold", "warm"] {
        let (context, peak) = with_peak(&sandbox, &fake.url());
        let found = &context.receipt["standingPriority"];
        assert_eq!(
            (&found["issueNumber"], found["candidates"].as_array().unwrap().len()),
            (&1.into(), 10_000)
        );
        if let Some(peak) = peak {
            assert!(peak < 64 << 10, "{what}: {peak} KiB");
        }
        println!("{what}: peak {peak:?} KiB");
    }
}

/// Runs context and watches the most memory that it has at once, in KiB.
fn with_peak(sandbox: &Sandbox, api: &str) -> (Context, Option<u64>) {
    let out = sandbox.out.join("context");
    let arguments = ["context", "--out", out.to_str().unwrap()];
    let mut command = sandbox.command(&arguments, &[("GITHUB_API_URL", api), ("GH_TOKEN", TOKEN)]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let watching = std::thread::spawn(move || {
        let mut peak = None;
        while let Some(now) = high_water(&status) {
            peak = Some(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let ran = Ran::of(&child.wait_with_output().unwrap());
    let receipt = read_json(&out.join("pester-context.json"));
    (Context { ran, receipt }, watching.join().unwrap())
}

/// The kernel's own high-water mark of a process's memory.
fn high_water(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .ok()
}

#[test]
fn the_token_appears_nowhere() {
    let fake = Fake::new(&[issue(7, &["standing-priority"])]);
    let echo = Fake::new(&[]);
    // A server that repeats the token in every place that is quoted.
    echo.script(|_, _| {
        let needs = vec![("x-accepted-github-permissions", TOKEN.to_owned())];
        Some(Scripted::Answer(
            403,
            needs,
            serde_json::json!({"message": format!("{TOKEN} may not")}),
        ))
    });
    let away = Fake::new(&[]);
    away.script(|_, _| {
        let to = format!("http://127.0.0.1:1/{TOKEN}");
        Some(Scripted::Wrong(
            wiremock::ResponseTemplate::new(302).insert_header("location", to.as_str()),
        ))
    });
    let sandbox = asking("policy: required, max-wait: 300ms");
    let summary = sandbox.out.join("summary.md");
    let outputs = sandbox.out.join("outputs");
    fs::create_dir_all(&sandbox.out).unwrap();
    let (summary, outputs) = (summary.to_str().unwrap(), outputs.to_str().unwrap());
    let at =
        [("GITHUB_STEP_SUMMARY", summary), ("GITHUB_OUTPUT", outputs), ("RUST_BACKTRACE", "full")];
    // One is too short to be masked anywhere: only not telling helps.
    for token in [
        TOKEN,
        "unpatterned",
        "tiny-7",
        "  correct-horse-battery",
        "with\u{7f}control",
        "line\nend-in-it",
    ] {
        for api in [
            fake.url(),
            echo.url(),
            away.url(),
            "http://127.0.0.1:1".to_owned(),
            "http://x.invalid".to_owned(),
        ] {
            let mut environment = at.to_vec();
            environment.push(("GH_TOKEN", token));
            let seen = context(
                &sandbox,
                &api,
                &["--log-level", "trace", "--format", "json"],
                &environment,
            );
            let mut told = format!("{}{}{}", seen.ran.stdout, seen.ran.stderr, seen.receipt);
            told.push_str(&fs::read_to_string(summary).unwrap_or_default());
            told.push_str(&fs::read_to_string(outputs).unwrap_or_default());
            for entry in crate::harness::walk(&sandbox.state) {
                told.push_str(&String::from_utf8_lossy(&fs::read(entry).unwrap()));
            }
            for part in token.trim().split(['\n', '\u{7f}']).filter(|part| part.len() > 4) {
                // What the server itself repeats of a token that nobody can know for one is its
                // own.
                let own = part == "tiny-7" && [echo.url(), away.url()].contains(&api);
                assert!(own || !told.contains(part), "{api}: the token is in\n{told}");
            }
            assert!(!seen.ran.stderr.contains("panicked"), "{}", seen.ran.stderr);
            if api == fake.url() && token == TOKEN {
                assert!(
                    seen.ran.stderr.contains("hyper") || seen.ran.stderr.contains("connect"),
                    "no trace was written"
                );
                assert_eq!(seen.receipt["token"]["kind"], "installation");
                assert_eq!(seen.receipt["token"]["probe"], "accepted");
            }
        }
    }
}

#[test]
fn with_the_network_cut_context_answers_within_its_time() {
    let cut = |command: &Command| {
        let mut without = Command::new("unshare");
        without.args(["-n"]).arg(command.get_program()).args(command.get_args());
        without.current_dir(command.get_current_dir().unwrap()).env_clear();
        without.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        without
    };
    if !Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no namespace can be made here, so the network was not cut");
        return;
    }
    let sandbox = asking("max-wait: 5s");
    let mut stubborn = false;
    for api in ["https://api.github.com", "http://192.0.2.1"] {
        for (policy, code) in [("advisory", 0), ("required", 3)] {
            let arguments =
                ["context", "--standing-priority", policy, "--out", sandbox.out.to_str().unwrap()];
            let command =
                sandbox.command(&arguments, &[("GITHUB_API_URL", api), ("GH_TOKEN", TOKEN)]);
            let started = Instant::now();
            let ran = Ran::of(&cut(&command).output().unwrap());
            stubborn |= started.elapsed() > Duration::from_secs(15);
            let receipt = read_json(&sandbox.out.join("pester-context.json"));
            assert_eq!(
                (receipt["reason"].as_str().unwrap(), ran.code),
                ("api-unreachable", code),
                "{api}: {}",
                ran.stderr
            );
            assert_eq!(receipt["token"]["probe"], "unknown");
            assert!(
                receipt["lookUp"]["durationMs"].as_u64().unwrap() <= 6000,
                "{}",
                receipt["lookUp"]
            );
        }
    }
    assert!(!stubborn, "context took three times what it may");
}
