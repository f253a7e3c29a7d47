//! The table of situations: what is at GitHub or on the way to it, and the one reason that context
//! gives for it, by both policies.

use std::fs;
use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use super::fake::{Fake, Issue, Scripted, error, issue};
use super::{TOKEN, asking, context, servers};

const LABEL: &str = "standing-priority";

/// What a situation is made of.
pub(super) struct Situation {
    /// The API that is asked; nothing where nobody should be.
    api: String,
    /// The fake behind it, where there is one.
    fake: Option<Fake>,
    /// The configuration's section.
    section: &'static str,
    arguments: &'static [&'static str],
    environment: Vec<(&'static str, String)>,
    /// Done to the checkout before.
    prepare: fn(&crate::harness::Sandbox),
}

/// What is owed. Under policy `advisory` a stop is a warning with the same reason.
#[derive(Clone, Copy)]
pub(super) struct Owed {
    reason: &'static str,
    kind: Kind,
    /// The finer word, where nobody answered.
    cause: Option<&'static str>,
    issue: Option<u64>,
    /// How many requests.
    requests: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Ready by both policies.
    Ready,
    /// A warning by both policies.
    Warns,
    /// A warning, or a stop where the policy is `required`.
    Needed,
    /// A stop by both policies, with this exit code.
    Stops(i32),
}

pub(super) struct Row {
    pub(super) name: &'static str,
    owed: Owed,
    make: fn() -> Situation,
}

const fn found(number: u64) -> Owed {
    Owed {
        reason: "standing-priority-available",
        kind: Kind::Ready,
        cause: None,
        issue: Some(number),
        requests: None,
    }
}

const fn none() -> Owed {
    Owed {
        reason: "standing-priority-none",
        kind: Kind::Needed,
        cause: None,
        issue: None,
        requests: None,
    }
}

const fn failed(reason: &'static str, cause: &'static str) -> Owed {
    Owed { reason, kind: Kind::Needed, cause: Some(cause), issue: None, requests: None }
}

const fn by(owed: Owed, requests: u64) -> Owed {
    Owed { requests: Some(requests), ..owed }
}

const fn row(name: &'static str, owed: Owed, make: fn() -> Situation) -> Row {
    Row { name, owed, make }
}

fn at(fake: Fake) -> Situation {
    let mut situation = elsewhere(fake.url());
    situation.fake = Some(fake);
    situation
}

fn elsewhere(api: String) -> Situation {
    // Short, so that what is tried again is not waited for here; rows that wait set their own.
    let (section, arguments) = ("max-wait: 450ms", &[] as &[&str]);
    Situation { api, fake: None, section, arguments, environment: Vec::new(), prepare: |_| () }
}

fn with(issues: &[Issue]) -> Situation {
    at(Fake::new(issues))
}

impl Situation {
    fn section(mut self, section: &'static str) -> Self {
        self.section = section;
        self
    }

    fn arguments(mut self, arguments: &'static [&'static str]) -> Self {
        self.arguments = arguments;
        self
    }

    fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn prepare(mut self, prepare: fn(&crate::harness::Sandbox)) -> Self {
        self.prepare = prepare;
        self
    }

    fn change(self, change: impl FnOnce(&Fake)) -> Self {
        change(self.fake.as_ref().unwrap());
        self
    }
}

/// The fake with one labelled issue, and this instead of the repository's page.
fn first(answer: fn() -> Scripted) -> Situation {
    with(&[issue(7, &[LABEL])]).change(|fake| {
        fake.script(move |_, nth| (nth == 0).then(answer));
    })
}

/// The same for every question.
fn always(answer: fn() -> Scripted) -> Situation {
    with(&[issue(7, &[LABEL])]).change(|fake| {
        fake.script(move |_, _| Some(answer()));
    })
}

/// The same for the listing of issues.
fn listing(answer: fn() -> Scripted) -> Situation {
    with(&[issue(7, &[LABEL])]).change(|fake| {
        fake.script(move |request, _| request.url.path().ends_with("/issues").then(answer));
    })
}

fn told(status: u16, message: &str, headers: &[(&'static str, &str)]) -> Scripted {
    let (status, _, body) = error(status, message);
    Scripted::Answer(
        status,
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        body,
    )
}

fn wrong(status: u16, body: &str) -> Scripted {
    Scripted::Wrong(ResponseTemplate::new(status).set_body_raw(body, "text/html"))
}

fn sent_to(status: u16, location: &str) -> Scripted {
    Scripted::Wrong(ResponseTemplate::new(status).insert_header("location", location))
}

/// Issues on three pages; the oldest is on the last.
fn three_pages() -> Vec<Issue> {
    (7..=230).map(|number| issue(number, &[LABEL])).collect()
}

/// An address whose name no server has to be asked about: its first part is longer than a name may
/// be.
fn nameless() -> String {
    format!("http://{}.invalid", "a".repeat(64))
}

const DATE: &str = "Sat, 21 Nov 2026 10:00:00 GMT";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = queue();
    rows.extend(forks());
    rows.extend(refusals());
    rows.extend(the_way_there());
    rows.extend(pages());
    rows.extend(patience());
    rows
}

/// What is in the queue.
fn queue() -> Vec<Row> {
    vec![
        row("an open issue carries the label", by(found(7), 2), || {
            with(&[issue(7, &[LABEL]), issue(9, &["bug"])])
        }),
        row("no issue carries it", by(none(), 2), || with(&[issue(9, &["bug"])])),
        row("there are no issues", none(), || with(&[])),
        row("only a closed issue carries it", none(), || {
            let mut closed = issue(7, &[LABEL]);
            closed.open = false;
            with(&[closed])
        }),
        row("only a pull request carries it", none(), || {
            let mut pull = issue(7, &[LABEL]);
            pull.pull_request = true;
            with(&[pull])
        }),
        row("a pull request with a lower number carries it too", found(8), || {
            let mut pull = issue(7, &[LABEL]);
            pull.pull_request = true;
            with(&[pull, issue(8, &[LABEL])])
        }),
        row("the only one is excluded", none(), || {
            with(&[issue(7, &[LABEL, "standing-excluded"])])
        }),
        row("one of two is excluded", found(8), || {
            with(&[issue(7, &[LABEL, "Standing-Excluded"]), issue(8, &[LABEL])])
        }),
        row("another label excludes", found(7), || {
            with(&[issue(5, &[LABEL, "on, hold"]), issue(7, &[LABEL, "standing-excluded"])])
                .section("excluded-label: \"on, hold\"")
        }),
        row("the only one is a configured epic", none(), || {
            with(&[issue(7, &[LABEL])]).section("epics: [3, 7]")
        }),
        row("an epic is passed over", found(9), || {
            with(&[issue(7, &[LABEL]), issue(9, &[LABEL])]).section("epics: [7]")
        }),
        row(
            "several carry it",
            Owed {
                reason: "standing-priority-multiple",
                kind: Kind::Warns,
                cause: None,
                issue: Some(7),
                requests: Some(2),
            },
            || with(&[issue(12, &[LABEL]), issue(7, &[LABEL]), issue(9, &[LABEL])]),
        ),
        row(
            "several carry it, and that blocks",
            Owed {
                reason: "standing-priority-multiple",
                kind: Kind::Stops(3),
                cause: None,
                issue: Some(7),
                requests: None,
            },
            || with(&[issue(12, &[LABEL]), issue(7, &[LABEL])]).section("multiple: block"),
        ),
        row("the label in other letters", found(7), || with(&[issue(7, &["Standing-PRIORITY"])])),
        row("a label of one's own, with spaces and signs", found(7), || {
            with(&[issue(7, &["Höchste Priorität & #1 +"])])
                .section("labels: [\"höchste priorität & #1 +\"]")
        }),
        row("a label with a comma", by(found(7), 2), || {
            with(&[issue(7, &["gate, first"]), issue(9, &["gate", "first"])])
                .section("labels: [\"gate, first\"]")
        }),
        row("the first label that somebody carries decides", found(9), || {
            with(&[issue(7, &["second"]), issue(9, &["first"])])
                .section("labels: [zeroth, first, second]")
        }),
        row("a server that does not filter", found(9), || {
            with(&[issue(9, &[LABEL])]).change(|fake| {
                let all = Fake::new(&[issue(9, &[LABEL]), issue(3, &["bug"])]);
                let body = all.unfiltered();
                fake.script(move |request, _| {
                    request
                        .url
                        .path()
                        .ends_with("/issues")
                        .then(|| Scripted::Answer(200, Vec::new(), body.clone()))
                });
            })
        }),
        row(
            "somebody says which",
            Owed {
                reason: "standing-priority-overridden",
                kind: Kind::Ready,
                cause: None,
                issue: Some(12),
                requests: Some(0),
            },
            || with(&[issue(7, &[LABEL])]).section("issue: 12"),
        ),
        row(
            "there is no token",
            Owed {
                reason: "token-missing",
                kind: Kind::Needed,
                cause: None,
                issue: None,
                requests: Some(0),
            },
            || with(&[issue(7, &[LABEL])]).variable("GH_TOKEN", ""),
        ),
        row("the other variable holds the token", found(7), || {
            with(&[issue(7, &[LABEL])]).variable("GH_TOKEN", "").variable("GITHUB_TOKEN", TOKEN)
        }),
        row("one variable is blank, the other holds the token", found(7), || {
            with(&[issue(7, &[LABEL])]).variable("GH_TOKEN", " \n").variable("GITHUB_TOKEN", TOKEN)
        }),
        row("the token ends with a line end", found(7), || {
            with(&[issue(7, &[LABEL])]).variable("GH_TOKEN", format!(" {TOKEN}\n"))
        }),
        row(
            "the token holds what cannot be sent",
            by(failed("token-unauthorized", "token-unusable"), 0),
            || with(&[issue(7, &[LABEL])]).variable("GH_TOKEN", "two\nlines"),
        ),
        row(
            "no repository is known",
            Owed {
                reason: "repository-unresolved",
                kind: Kind::Needed,
                cause: None,
                issue: None,
                requests: Some(0),
            },
            || {
                with(&[issue(7, &[LABEL])]).prepare(|sandbox| {
                    sandbox.git(&["remote", "remove", "origin"]);
                })
            },
        ),
        row(
            "the gate is blocked anyway",
            Owed {
                reason: "required-path-missing",
                kind: Kind::Stops(3),
                cause: None,
                issue: None,
                requests: Some(0),
            },
            || {
                with(&[issue(7, &[LABEL])]).prepare(|sandbox| {
                    sandbox.config("context: {required-paths: [nowhere]}\nstanding-priority: {}\n");
                    sandbox.commit();
                })
            },
        ),
        row(
            "the API's address is none",
            Owed {
                reason: "configuration-invalid",
                kind: Kind::Stops(2),
                cause: None,
                issue: None,
                requests: Some(0),
            },
            || elsewhere("api.github.com/no-scheme".to_owned()),
        ),
        row(
            "the API's address holds credentials",
            Owed {
                reason: "configuration-invalid",
                kind: Kind::Stops(2),
                cause: None,
                issue: None,
                requests: Some(0),
            },
            || elsewhere("https://me:hunter2@api.example".to_owned()),
        ),
    ]
}

/// A fork asks itself first, by its own label, and then its upstream.
fn forks() -> Vec<Row> {
    vec![
        row("a fork's own label", by(found(7), 2), || {
            at(Fake::forked(
                &[issue(7, &["fork-standing-priority"]), issue(3, &[LABEL])],
                &[issue(1, &[LABEL])],
            ))
        }),
        row("a fork's issue by the common label", by(found(3), 3), || {
            at(Fake::forked(&[issue(3, &[LABEL])], &[issue(1, &[LABEL])]))
        }),
        row("upstream's issue", by(found(1), 5), || {
            at(Fake::forked(&[issue(3, &["bug"])], &[issue(1, &[LABEL])]))
        }),
        row("upstream's issue, the fork has its issues off", by(found(1), 3), || {
            at(Fake::forked(&[], &[issue(1, &[LABEL])])).change(|fake| {
                fake.repo("octo/widgets", &[], |repo| {
                    (repo.fork, repo.has_issues, repo.parent) =
                        (true, false, Some("upper/widgets".to_owned()));
                });
            })
        }),
        row("neither fork nor upstream has one", by(none(), 5), || {
            at(Fake::forked(&[], &[issue(1, &["bug"])]))
        }),
        row("upstream's own fork label does not count", none(), || {
            at(Fake::forked(&[], &[issue(1, &["fork-standing-priority"])]))
        }),
        row("a fork label of one's own", found(4), || {
            at(Fake::forked(&[issue(4, &["ours"]), issue(2, &["theirs"])], &[]))
                .section("fork-labels: [ours], labels: [theirs]")
        }),
        row(
            "a fork of what nobody may see",
            Owed {
                reason: "standing-priority-unknown",
                kind: Kind::Needed,
                cause: None,
                issue: None,
                requests: None,
            },
            || {
                at(Fake::forked(&[], &[])).change(|fake| {
                    fake.repo("octo/widgets", &[], |repo| (repo.fork, repo.parent) = (true, None));
                })
            },
        ),
        row("upstream cannot be asked", failed("token-forbidden", "permission-missing"), || {
            at(Fake::forked(&[], &[issue(1, &[LABEL])])).change(|fake| {
                fake.script(|request, _| {
                    request
                        .url
                        .path()
                        .contains("upper")
                        .then(|| told(403, "Resource protected", &[]))
                });
            })
        }),
        row("upstream has its issues off", failed("issues-disabled", "issues-disabled"), || {
            at(Fake::forked(&[], &[])).change(|fake| {
                fake.repo("upper/widgets", &[], |repo| repo.has_issues = false);
            })
        }),
    ]
}

/// What GitHub says where it does not answer.
fn refusals() -> Vec<Row> {
    vec![
        row("401", by(failed("token-unauthorized", "bad-credentials"), 1), || {
            first(|| told(401, "Bad credentials", &[]))
        }),
        row(
            "403 for want of a permission",
            by(failed("token-forbidden", "permission-missing"), 2),
            || {
                listing(|| {
                    told(
                        403,
                        "Resource not accessible by integration",
                        &[("x-accepted-github-permissions", "issues=read")],
                    )
                })
            },
        ),
        row(
            "403 for want of single sign-on",
            failed("token-forbidden", "permission-missing"),
            || {
                first(|| {
                    told(
                        403,
                        "Resource protected by organization SAML",
                        &[("x-github-sso", "required; url=https://x")],
                    )
                })
            },
        ),
        row(
            "403, the hourly limit is used up",
            by(failed("rate-limited", "primary-limit"), 1),
            || {
                first(|| {
                    told(
                        403,
                        "API rate limit exceeded",
                        &[
                            ("x-ratelimit-remaining", "0"),
                            ("x-ratelimit-reset", "1795258800"),
                            ("date", DATE),
                        ],
                    )
                })
            },
        ),
        row("429, the hourly limit is used up", failed("rate-limited", "primary-limit"), || {
            first(|| told(429, "API rate limit exceeded", &[("x-ratelimit-remaining", "0")]))
        }),
        row("403, slow down for an hour", by(failed("rate-limited", "secondary-limit"), 1), || {
            first(|| {
                told(403, "You have exceeded a secondary rate limit", &[("retry-after", "3600")])
            })
        }),
        row(
            "403, slow down by its words alone",
            by(failed("rate-limited", "secondary-limit"), 1),
            || first(|| told(403, "You have exceeded a secondary rate limit.", &[])),
        ),
        row("429 without a word", failed("rate-limited", "secondary-limit"), || {
            first(|| wrong(429, ""))
        }),
        row("429 as a page", failed("rate-limited", "secondary-limit"), || {
            first(|| wrong(429, "<html>slow down</html>"))
        }),
        row("404", by(failed("repository-not-found", "not-found"), 1), || {
            at(Fake::new(&[])).arguments(&["--repository", "octo/gone"])
        }),
        row(
            "404 for the issues of a repository that is there",
            failed("token-forbidden", "issues-hidden"),
            || listing(|| told(404, "Not Found", &[])),
        ),
        row("451", failed("repository-not-found", "not-found"), || {
            first(|| told(451, "Repository access blocked", &[]))
        }),
        row("410 for the issues", by(failed("issues-disabled", "issues-disabled"), 2), || {
            listing(|| told(410, "Issues has been disabled in this repository.", &[]))
        }),
        row("issues are switched off", by(failed("issues-disabled", "issues-disabled"), 1), || {
            with(&[]).change(|fake| {
                fake.repo("octo/widgets", &[], |repo| repo.has_issues = false);
            })
        }),
        row("401 as a page", by(failed("api-malformed", "html"), 1), || {
            first(|| wrong(401, "<html>sign in</html>"))
        }),
        row("404 as a page of a web site", failed("api-malformed", "html"), || {
            first(|| wrong(404, "<!doctype html>"))
        }),
        row("a captive portal", by(failed("api-malformed", "html"), 1), || {
            first(|| wrong(511, "<html>log in</html>"))
        }),
        row(
            "404 for a repository that is called issues",
            failed("repository-not-found", "not-found"),
            || at(Fake::new(&[])).arguments(&["--repository", "octo/issues"]),
        ),
        row("410 for a repository that is called issues", failed("api-refused", "refused"), || {
            first(|| told(410, "Gone", &[])).arguments(&["--repository", "octo/issues"])
        }),
        row("410 for the repository itself", failed("api-refused", "refused"), || {
            first(|| told(410, "Gone", &[]))
        }),
        row("404 for a later page", failed("api-malformed", "bad-pagination"), || {
            with(&three_pages()).section("max-wait: 3s").change(|fake| {
                fake.script(|request, _| {
                    request
                        .url
                        .query()
                        .is_some_and(|q| q.contains("page=2"))
                        .then(|| told(404, "Not Found", &[]))
                });
            })
        }),
        row("500", failed("api-server-error", "server-error"), || {
            first(|| told(500, "Server Error", &[]))
        }),
        row("502 as a page", failed("api-server-error", "server-error"), || {
            first(|| wrong(502, "<html>unicorn</html>"))
        }),
        row("503 for an hour", by(failed("api-server-error", "server-error"), 1), || {
            first(|| told(503, "Service unavailable", &[("retry-after", "3600")]))
        }),
        row("408", failed("api-timed-out", "timed-out"), || {
            first(|| told(408, "Request Timeout", &[]))
        }),
        row("422", failed("api-refused", "refused"), || {
            listing(|| {
                Scripted::Answer(
                    422,
                    Vec::new(),
                    json!({"message": "Validation Failed", "documentation_url": "x"}),
                )
            })
        }),
        row("400, an API version that it does not know", failed("api-refused", "refused"), || {
            first(|| told(400, "Version 2022-11-28 is not supported", &[]))
        }),
        row("304 to a question without a condition", failed("api-refused", "refused"), || {
            first(|| wrong(304, ""))
        }),
        row("202, which is no answer", failed("api-refused", "refused"), || {
            first(|| wrong(202, "{}"))
        }),
    ]
}

/// What lies between here and GitHub.
fn the_way_there() -> Vec<Row> {
    vec![
        row("a page where JSON was due", by(failed("api-malformed", "html"), 1), || {
            first(|| wrong(200, "\n<!doctype html><p>sign in"))
        }),
        row("a page that says 403", failed("api-malformed", "html"), || {
            first(|| wrong(403, "<html>blocked by policy</html>"))
        }),
        row("something else than JSON", failed("api-malformed", "not-json"), || {
            first(|| wrong(200, "OK!"))
        }),
        row("nothing at all, with 200", failed("api-malformed", "not-json"), || {
            first(|| wrong(200, ""))
        }),
        row("blanks, with 200", by(failed("api-malformed", "not-json"), 1), || {
            first(|| wrong(200, " \n "))
        }),
        row(
            "an issue with more labels than GitHub allows",
            failed("api-malformed", "unexpected-shape"),
            || {
                let labels: Vec<String> = (0..101).map(|number| number.to_string()).collect();
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                with(&[issue(7, &labels)]).section("labels: [\"a, b\"]")
            },
        ),
        row("a label without a name", failed("api-malformed", "unexpected-shape"), || {
            listing(|| {
                let label = json!([{
                    "number": 7,
                    "title": "x",
                    "html_url": "x",
                    "state": "open",
                    "labels": [{"nam": LABEL}],
                }]);
                wrong(200, &label.to_string())
            })
        }),
        row("a state that is none", failed("api-malformed", "unexpected-shape"), || {
            listing(|| {
                wrong(
                    200,
                    "[{\"number\": 7, \"title\": \"x\", \"html_url\": \"x\", \
                     \"state\": \"OPEN\", \"labels\": []}]",
                )
            })
        }),
        row("JSON of another shape", failed("api-malformed", "unexpected-shape"), || {
            first(|| wrong(200, "{\"ok\": true}"))
        }),
        row("a list of something else", failed("api-malformed", "unexpected-shape"), || {
            listing(|| wrong(200, "[{\"number\": \"seven\"}]"))
        }),
        row("an object where a list was due", failed("api-malformed", "unexpected-shape"), || {
            listing(|| wrong(200, "{}"))
        }),
        row("JSON that breaks off", failed("api-malformed", "truncated"), || {
            listing(|| wrong(200, "[{\"number\": 7,"))
        }),
        row("a body that breaks off", failed("api-malformed", "truncated"), || {
            elsewhere(servers::says(
                "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"full_name\":",
            ))
        }),
        row("a chunked body that breaks off", failed("api-malformed", "truncated"), || {
            elsewhere(servers::says(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ful",
            ))
        }),
        row("an answer without end", failed("api-malformed", "too-large"), || {
            elsewhere(servers::odd(|stream| {
                use std::io::Write;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while stream.write_all(&[b' '; 65536]).is_ok() {}
            }))
            .section("max-wait: 30s")
        }),
        row("a server that hangs up", failed("api-unreachable", "not-connected"), || {
            elsewhere(servers::odd(|_| ()))
        }),
        row("a server that speaks no HTTP", failed("api-unreachable", "not-connected"), || {
            elsewhere(servers::says("220 mail ready\r\n"))
        }),
        row("nobody at the address", failed("api-unreachable", "not-connected"), || {
            elsewhere(servers::nobody())
        }),
        row("a name without an address", failed("api-unreachable", "name-unresolved"), || {
            elsewhere(nameless())
        }),
        row("an answer that does not come", failed("api-timed-out", "timed-out"), || {
            first(|| Scripted::Wrong(ResponseTemplate::new(200).set_delay(Duration::from_secs(20))))
        }),
        row("a body that does not come", failed("api-timed-out", "timed-out"), || {
            elsewhere(servers::odd(|stream| {
                use std::io::Write;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
                std::thread::sleep(Duration::from_secs(20));
            }))
        }),
        row("plain HTTP where TLS was due", failed("api-tls-failed", "tls"), || {
            let fake = Fake::new(&[]);
            let mut situation = elsewhere(fake.url().replace("http://", "https://"));
            situation.fake = Some(fake);
            situation
        }),
        row("a server that hangs up on TLS", failed("api-tls-failed", "tls"), || {
            elsewhere(servers::hangs_up().replace("http://", "https://"))
        }),
        row("an authority that nobody knows", failed("api-tls-failed", "tls"), || {
            let fake = Fake::new(&[issue(7, &[LABEL])]);
            let mut situation = elsewhere(servers::tls_before(fake.address()).0);
            situation.fake = Some(fake);
            situation
        }),
        row("an authority in this host's store", found(7), || {
            let fake = Fake::new(&[issue(7, &[LABEL])]);
            let (api, authority) = servers::tls_before(fake.address());
            fake.known_as(&api);
            let store = std::env::temp_dir()
                .join(format!("pester-gate-authority-{}.pem", std::process::id()));
            fs::write(&store, authority).unwrap();
            let mut situation = elsewhere(api)
                .section("max-wait: 20s")
                .variable("SSL_CERT_FILE", store.to_str().unwrap());
            situation.fake = Some(fake);
            situation
        }),
        row("a proxy by variable", found(7), || {
            let fake = Fake::new(&[issue(7, &[LABEL])]);
            let mut situation = elsewhere("http://api.behind.invalid".to_owned());
            situation = situation.variable("http_proxy", fake.url());
            fake.known_as("http://api.behind.invalid");
            situation.fake = Some(fake);
            situation
        }),
        row(
            "a host that the proxy is not for",
            failed("api-unreachable", "name-unresolved"),
            || {
                let fake = Fake::new(&[issue(7, &[LABEL])]);
                let mut situation = elsewhere(nameless());
                situation =
                    situation.variable("http_proxy", fake.url()).variable("no_proxy", "invalid");
                situation.fake = Some(fake);
                situation
            },
        ),
        row("a proxy that wants credentials", failed("api-unreachable", "proxy-refused"), || {
            let proxy = servers::says(
                "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            );
            elsewhere("http://api.behind.invalid".to_owned()).variable("http_proxy", proxy)
        }),
        row(
            "a proxy that wants credentials before TLS",
            failed("api-unreachable", "proxy-refused"),
            || {
                let proxy = servers::says(
                    "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
                );
                elsewhere("https://api.behind.invalid".to_owned()).variable("https_proxy", proxy)
            },
        ),
        row(
            "a redirect to another server",
            by(failed("api-malformed", "redirected-away"), 1),
            || first(|| sent_to(302, "https://login.example/?to=api")),
        ),
        row("a redirect in circles", failed("api-malformed", "redirected-away"), || {
            always(|| sent_to(301, "/repos/octo/widgets"))
        }),
        row("a repository that was renamed", found(7), || {
            let renamed = with(&[issue(7, &[LABEL])]).arguments(&["--repository", "octo/formerly"]);
            renamed.change(|fake| {
                fake.script(|request, _| {
                    let old = request.url.path().ends_with("octo/formerly");
                    old.then(|| {
                        let (_, _, body) = error(301, "Moved Permanently");
                        let to = vec![("location", "/repositories/1000".to_owned())];
                        let message = &body["message"];
                        let body =
                            json!({"message": message, "url": "x", "documentation_url": "x"});
                        Scripted::Answer(301, to, body)
                    })
                });
            })
        }),
        row("GitHub Enterprise Server", by(found(7), 4), || {
            let fake = Fake::new(&three_pages());
            fake.prefixed("/api/v3");
            let mut situation = at(fake).section("max-wait: 20s");
            situation.environment.push(("GITHUB_SERVER_URL", "https://ghe.example".to_owned()));
            situation
        })
        .several(),
    ]
}

/// Pages: the next one is where the last one says, and every one of them counts.
fn pages() -> Vec<Row> {
    vec![
        row(
            "the lowest number is on the last page, which lives on another path",
            by(found(7), 4),
            || with(&three_pages()).section("max-wait: 20s"),
        )
        .several(),
        row("a next page on another server", failed("api-malformed", "bad-pagination"), || {
            listing(|| {
                Scripted::Answer(
                    200,
                    vec![("link", "<https://evil.example/x>; rel=\"next\"".to_owned())],
                    json!([]),
                )
            })
        }),
        row("a next page that cannot be read", failed("api-malformed", "bad-pagination"), || {
            listing(|| {
                Scripted::Answer(
                    200,
                    vec![("link", "</x?page=2; rel=\"next\"".to_owned())],
                    json!([]),
                )
            })
        }),
        row("a next page that is this page", failed("api-malformed", "bad-pagination"), || {
            listing(|| {
                let link = "</repositories/1000/issues?page=2>; rel=\"next\"".to_owned();
                Scripted::Answer(200, vec![("link", link)], json!([]))
            })
        }),
        row("the second page fails", failed("api-server-error", "server-error"), || {
            with(&three_pages()).change(|fake| {
                fake.script(|request, _| {
                    request
                        .url
                        .query()
                        .is_some_and(|q| q.contains("page=2"))
                        .then(|| told(500, "Server Error", &[]))
                });
            })
        }),
        row("the last page does not come", failed("api-timed-out", "timed-out"), || {
            with(&three_pages()).section("max-wait: 2s").change(|fake| {
                fake.script(|request, _| {
                    let last = request.url.query().is_some_and(|q| q.ends_with("page=3"));
                    last.then(|| {
                        Scripted::Wrong(
                            ResponseTemplate::new(200).set_delay(Duration::from_secs(20)),
                        )
                    })
                });
            })
        }),
        row(
            "the second page is refused, and nobody on the first would do",
            failed("rate-limited", "primary-limit"),
            || {
                let others: Vec<Issue> =
                    (1..=150).map(|number| issue(number, &["other"])).collect();
                with(&others).section("labels: [\"gate, first\"]").change(|fake| {
                    fake.script(|request, _| {
                        let second = request.url.query().is_some_and(|q| q.contains("page=2"));
                        second.then(|| {
                            told(403, "API rate limit exceeded", &[("x-ratelimit-remaining", "0")])
                        })
                    });
                })
            },
        ),
    ]
}

/// What is tried again, and for how long.
fn patience() -> Vec<Row> {
    fn twice(answer: fn() -> Scripted) -> Situation {
        first(answer).section("max-wait: 20s")
    }
    vec![
        row("503 once", by(found(7), 3), || twice(|| told(503, "Service unavailable", &[]))),
        row("408 once", by(found(7), 3), || twice(|| told(408, "Request Timeout", &[]))),
        row("429 once, for a second", by(found(7), 3), || {
            twice(|| told(429, "slow down", &[("retry-after", "1")]))
        }),
        row("503 once, until a date", by(found(7), 3), || {
            twice(|| {
                let later = "Sat, 21 Nov 2026 10:00:01 GMT";
                told(503, "Service unavailable", &[("date", DATE), ("retry-after", later)])
            })
        }),
        row("JSON that breaks off once", by(found(7), 3), || {
            twice(|| wrong(200, "{\"full_name\": \"oc"))
        }),
        row("500 for ever", by(failed("api-server-error", "server-error"), 4), || {
            always(|| told(500, "Server Error", &[])).section("max-wait: 20s")
        }),
        row(
            "401 is not asked again",
            by(failed("token-unauthorized", "bad-credentials"), 1),
            || always(|| told(401, "Bad credentials", &[])).section("max-wait: 20s"),
        ),
        row("no time at all", failed("api-timed-out", "timed-out"), || {
            with(&[issue(7, &[LABEL])]).section("max-wait: 1ms")
        }),
    ]
}

impl Row {
    /// So many carry the label that it is a warning.
    fn several(mut self) -> Self {
        (self.owed.reason, self.owed.kind) = ("standing-priority-multiple", Kind::Warns);
        self
    }
}

/// What is wrong with a row, if anything.
pub(super) fn check(row: &Row) -> Vec<String> {
    let mut problems = Vec::new();
    for policy in ["advisory", "required"] {
        let situation = (row.make)();
        let sandbox = asking(situation.section);
        (situation.prepare)(&sandbox);
        let mut arguments = vec!["--standing-priority", policy];
        arguments.extend(situation.arguments);
        let environment: Vec<(&str, &str)> =
            situation.environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let seen = context(&sandbox, &situation.api, &arguments, &environment);
        let owed = row.owed;
        let (status, code) = match (owed.kind, policy) {
            (Kind::Ready, _) => ("ready", 0),
            (Kind::Warns, _) | (Kind::Needed, "advisory") => ("warning", 0),
            (Kind::Needed, _) => ("blocked", 3),
            (Kind::Stops(code), _) => ("blocked", code),
        };
        let got = (seen.receipt["status"].as_str().unwrap_or("none"), seen.reason(), seen.ran.code);
        if got != (status, owed.reason, code) {
            problems.push(format!(
                "{policy}: owed {:?}, got {got:?} {}",
                (status, owed.reason, code),
                seen.ran.stderr
            ));
        }
        let look_up = &seen.receipt["lookUp"];
        if look_up["cause"].as_str() != owed.cause {
            problems.push(format!("{policy}: cause {}", look_up["cause"]));
        }
        if seen.receipt["standingPriority"]["issueNumber"].as_u64() != owed.issue {
            problems.push(format!("{policy}: issue {}", seen.receipt["standingPriority"]));
        }
        if owed.requests.is_some_and(|requests| look_up["requests"] != requests) {
            problems.push(format!("{policy}: requests {look_up}"));
        }
        let none = seen.codes().contains(&"standing-priority-none".to_owned());
        if none != (owed.reason == "standing-priority-none") {
            problems.push(format!("{policy}: none is said of {:?}", seen.codes()));
        }
        if let Some(fake) = &situation.fake {
            problems.extend(fake.violations());
            if owed.requests == Some(0) && !fake.asked().is_empty() {
                problems.push(format!("{policy}: {:?} was asked", fake.asked()));
            }
        }
        for text in [&seen.ran.stdout, &seen.ran.stderr, &seen.receipt.to_string()] {
            if text.contains(TOKEN) || text.contains("hunter2") {
                problems.push(format!("{policy}: a secret is in {text}"));
            }
        }
    }
    problems
}
