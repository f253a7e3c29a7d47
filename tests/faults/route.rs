//! Rows of route: events as GitHub sends them, from the decision to post's verdict.

use std::fs;

use serde_json::{Value, json};

use super::{ACTIONS, GREEN, Row, in_run, one};
use crate::harness::{Chain, Sandbox, Seen};

const LABEL: &str = "pester-gate";

const fn blocked(code: &'static str) -> (&'static str, &'static str, &'static str, i32) {
    ("context-blocked", "route", code, 3)
}

/// A pull request whose head is this sandbox's commit.
pub(super) fn pull_request(
    sandbox: &Sandbox,
    head: Option<&str>,
    action: &str,
    labels: &[&str],
    set: Option<&str>,
) -> Value {
    json!({
        "action": action,
        "label": set.map(|name| json!({"name": name})),
        "repository": {"full_name": "octo/widgets"},
        "pull_request": {
            "number": 7,
            "title": "::set-output name=should-run::true\n`<script>`",
            "labels": labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
            "head": {
                "ref": "topic", "sha": sandbox.git(&["rev-parse", "HEAD"]),
                "repo": head.map(|slug| json!({"full_name": slug})),
            },
            "base": {"ref": "main"},
        },
    })
}

/// Routes an event and, where it is admitted, runs the gate behind it.
fn routed(event_name: &str, event: impl Fn(&Sandbox) -> String, arguments: &[&str]) -> Seen {
    let sandbox = Sandbox::green();
    let file = sandbox.state.with_file_name("event.json");
    fs::write(&file, event(&sandbox)).unwrap();
    let sha = sandbox.git(&["rev-parse", "HEAD"]);
    let mut environment: Vec<(&str, &str)> = ACTIONS.to_vec();
    environment.push(("GITHUB_EVENT_NAME", event_name));
    environment.push(("GITHUB_EVENT_PATH", file.to_str().unwrap()));
    if event_name != "pull_request_target" {
        environment.push(("GITHUB_SHA", &sha));
    }
    let out = sandbox.out.to_str().unwrap();
    let mut all = vec!["route", "--out", out];
    all.extend(arguments);
    let route = sandbox.gate_in(&all, &environment);
    let mut chain = in_run(Chain::new(&sandbox));
    for (name, value) in &environment[ACTIONS.len()..] {
        chain = chain.env("*", name, value);
    }
    if route.code != 0 {
        for layer in ["context", "preflight", "selection", "execute"] {
            chain = chain.without(layer);
        }
    }
    chain.run()
}

fn asked(
    head: Option<&'static str>,
    action: &str,
    labels: &[&str],
    set: Option<&str>,
    arguments: &[&str],
) -> Seen {
    let event = |sandbox: &Sandbox| pull_request(sandbox, head, action, labels, set).to_string();
    routed("pull_request_target", event, arguments)
}

const OWN: Option<&str> = Some("octo/widgets");
const FORK: Option<&str> = Some("octo/widgets-fork");
const STRANGER: Option<&str> = Some("mallory/widgets");

pub(super) const ROWS: &[Row] = &[
    one("route", "a labelled branch of this repository", GREEN, || {
        asked(OWN, "synchronize", &[LABEL], None, &[])
    }),
    one("route", "a same-owner fork, labelled at this head", GREEN, || {
        asked(FORK, "labeled", &[LABEL], Some(LABEL), &[])
    }),
    one("route", "a push", GREEN, || {
        routed("push", |_| json!({"repository": {"full_name": "octo/widgets"}}).to_string(), &[])
    }),
    one("route", "an operator's dispatch", GREEN, || {
        routed("workflow_dispatch", |_| json!({"inputs": {}}).to_string(), &[])
    }),
    one("route", "a pull request without the label", blocked("pilot-label-missing"), || {
        asked(OWN, "synchronize", &["bug", "pester-gate-later"], None, &[])
    }),
    one("route", "a stranger's fork with the label", blocked("untrusted-cross-owner-fork"), || {
        asked(STRANGER, "labeled", &[LABEL], Some(LABEL), &[])
    }),
    one("route", "a fork of the owner where none is trusted", blocked("fork-not-trusted"), || {
        asked(FORK, "labeled", &[LABEL], Some(LABEL), &["--trust", "same-repository"])
    }),
    one("route", "a fork that was deleted", blocked("head-repository-deleted"), || {
        asked(None, "labeled", &[LABEL], Some(LABEL), &[])
    }),
    one("route", "a new push to a labelled fork", blocked("label-not-bound-to-head"), || {
        asked(FORK, "synchronize", &[LABEL], None, &[])
    }),
    one(
        "route",
        "another label is set on a labelled fork",
        blocked("label-not-bound-to-head"),
        || asked(FORK, "labeled", &[LABEL, "bug"], Some("bug"), &[]),
    ),
    one("route", "a pull request is closed", blocked("event-unsupported"), || {
        asked(OWN, "closed", &[LABEL], None, &[])
    }),
    one("route", "an event that nobody routes", blocked("event-unsupported"), || {
        routed(
            "issue_comment",
            |_| json!({"repository": {"full_name": "octo/widgets"}}).to_string(),
            &[],
        )
    }),
    one("route", "the event is of another repository", blocked("event-malformed"), || {
        routed("push", |_| json!({"repository": {"full_name": "mallory/widgets"}}).to_string(), &[])
    }),
    one("route", "the event is no JSON", blocked("event-malformed"), || {
        routed("push", |_| "{\"repository\": ".to_owned(), &[])
    }),
    one("route", "a pull request without its labels", blocked("event-malformed"), || {
        let event = |sandbox: &Sandbox| {
            let mut event = pull_request(sandbox, OWN, "labeled", &[LABEL], Some(LABEL));
            event["pull_request"].as_object_mut().unwrap().remove("labels");
            event.to_string()
        };
        routed("pull_request_target", event, &[])
    }),
];
