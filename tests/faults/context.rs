//! Rows of context: what GitHub says or does not say, where the policy needs to know.

use wiremock::ResponseTemplate;

use super::{Row, context, one, with};
use crate::github::TOKEN;
use crate::github::fake::{Fake, Scripted, error, issue};
use crate::github::servers;
use crate::harness::{Sandbox, Seen};

/// A gate that needs the standing priority, at this API.
fn needs(api: &str, more: &str) -> Seen {
    needs_within("400ms", api, more)
}

fn needs_within(wait: &str, api: &str, more: &str) -> Seen {
    let sandbox =
        with(&format!("standing-priority: {{policy: required, max-wait: {wait}{more}}}\n"));
    sandbox.run(&[], &[("GITHUB_API_URL", api), ("GH_TOKEN", TOKEN)])
}

fn queue(labels: &[&[&str]], more: &str) -> Seen {
    let issues: Vec<_> = (1..).zip(labels).map(|(number, labels)| issue(number, labels)).collect();
    // Nothing here waits, so a busy machine must not end the lookup.
    needs_within("20s", &Fake::new(&issues).url(), more)
}

fn refused(status: u16, message: &'static str) -> Seen {
    let fake = Fake::new(&[issue(1, &["standing-priority"])]);
    fake.script(move |_, _| {
        let (status, headers, body) = error(status, message);
        Some(Scripted::Answer(status, headers, body))
    });
    needs(&fake.url(), "")
}

pub(super) const ROWS: &[Row] = &[
    one(
        "context",
        "no issue holds the standing priority",
        context("standing-priority-none"),
        || queue(&[&["bug"]], ""),
    ),
    one(
        "context",
        "several issues hold it, and that blocks",
        context("standing-priority-multiple"),
        || queue(&[&["standing-priority"], &["standing-priority"]], ", multiple: block"),
    ),
    one(
        "context",
        "nobody can say which issue holds it",
        context("standing-priority-unknown"),
        || {
            let fake = Fake::new(&[]);
            fake.repo("octo/widgets", &[], |repo| repo.fork = true);
            needs(&fake.url(), "")
        },
    ),
    one("context", "no token to ask with", context("token-missing"), || {
        with("").run(&["--standing-priority", "required"], &[])
    }),
    one("context", "GitHub does not know the token", context("token-unauthorized"), || {
        refused(401, "Bad credentials")
    }),
    one("context", "the token lacks a permission", context("token-forbidden"), || {
        refused(403, "Resource not accessible")
    }),
    one("context", "GitHub asks to slow down", context("rate-limited"), || {
        refused(429, "secondary rate limit")
    }),
    one("context", "GitHub knows no such repository", context("repository-not-found"), || {
        refused(404, "Not Found")
    }),
    one("context", "issues are switched off", context("issues-disabled"), || {
        let fake = Fake::new(&[]);
        fake.repo("octo/widgets", &[], |repo| repo.has_issues = false);
        needs(&fake.url(), "")
    }),
    one("context", "GitHub has an error of its own", context("api-server-error"), || {
        refused(502, "Bad Gateway")
    }),
    one("context", "GitHub refuses the question", context("api-refused"), || {
        refused(400, "unsupported version")
    }),
    one("context", "a page where the API should be", context("api-malformed"), || {
        let fake = Fake::new(&[]);
        fake.script(|_, _| {
            Some(Scripted::Wrong(ResponseTemplate::new(200).set_body_string("<html>")))
        });
        needs(&fake.url(), "")
    }),
    one("context", "the API cannot be reached", context("api-unreachable"), || {
        needs(&servers::nobody(), "")
    }),
    one("context", "the API speaks no TLS", context("api-tls-failed"), || {
        needs(&Fake::new(&[]).url().replace("http:", "https:"), "")
    }),
    one("context", "the API does not answer", context("api-timed-out"), || {
        let fake = Fake::new(&[]);
        let late = std::time::Duration::from_secs(20);
        fake.script(move |_, _| Some(Scripted::Wrong(ResponseTemplate::new(200).set_delay(late))));
        needs(&fake.url(), "")
    }),
    one("context", "the folder of helpers is not there", context("helper-root-missing"), || {
        with("context: {helper-roots: [tests, ../helpers]}\n").run(&[], &[])
    }),
    one("context", "the worktree is another user's", context("worktree-not-trusted"), || {
        // Git's own switch for its own tests of this.
        let run = ["--standing-priority", "required", "--standing-priority-issue", "1"];
        Sandbox::green().run(&run, &[("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")])
    }),
];

/// Codes of a gate that found an issue, of one that was told which, and of one that found several.
pub(super) fn good_codes() -> Vec<String> {
    let found = queue(&[&["standing-priority"]], "");
    let several = queue(&[&["standing-priority"], &["standing-priority"]], "");
    let told =
        with("").run(&["--standing-priority", "required", "--standing-priority-issue", "7"], &[]);
    let mut codes = Vec::new();
    for seen in [found, several, told] {
        assert_eq!(seen.verdict(), ("completed", "none", "tests-passed", 0), "{}", seen.ran.stderr);
        let reasons = seen.receipt("context")["reasons"].as_array().unwrap().clone();
        codes.extend(reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()));
    }
    codes
}
