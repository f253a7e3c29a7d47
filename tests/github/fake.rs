//! A stateful GitHub on loopback: repositories with issues, pages, filters, `ETag`s and limits, and
//! a script for the answers that go wrong. What it is asked and what it answers is held against
//! GitHub's own description of its API, where that is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::openapi;

/// An issue or pull request.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) labels: Vec<String>,
    pub(crate) open: bool,
    pub(crate) pull_request: bool,
}

pub(crate) fn issue(number: u64, labels: &[&str]) -> Issue {
    Issue {
        number,
        title: format!("Issue {number}"),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        open: true,
        pull_request: false,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Repo {
    pub(crate) id: u64,
    pub(crate) has_issues: bool,
    pub(crate) parent: Option<String>,
    pub(crate) fork: bool,
    pub(crate) issues: Vec<Issue>,
    /// How long each issue's text is.
    pub(crate) text: usize,
}

/// An answer out of the script.
pub(crate) enum Scripted {
    /// As GitHub would give it: held against its description.
    Answer(u16, Vec<(&'static str, String)>, Value),
    /// As GitHub would never give it, or somebody else.
    Wrong(ResponseTemplate),
}

type Script = Box<dyn Fn(&Request, usize) -> Option<Scripted> + Send>;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) conditional: bool,
}

#[derive(Default)]
struct State {
    repos: BTreeMap<String, Repo>,
    script: Option<Script>,
    asked: Vec<Asked>,
    violations: Vec<String>,
    spent: u64,
    /// The path that stands before every other, as on GitHub Enterprise Server.
    prefix: String,
    /// The host that links name.
    base: String,
}

pub(crate) struct Fake {
    server: MockServer,
    state: Arc<Mutex<State>>,
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    /// With one repository, `octo/widgets`, that holds these issues.
    pub(crate) fn new(issues: &[Issue]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = runtime.block_on(MockServer::builder().disable_request_recording().start());
        let state = Arc::new(Mutex::new(State { base: server.uri(), ..State::default() }));
        runtime.block_on(Mock::given(any()).respond_with(Hub(state.clone())).mount(&server));
        let fake = Self { server, state, _runtime: runtime };
        fake.repo("octo/widgets", issues, |_| ());
        fake
    }

    pub(crate) fn repo(
        &self,
        slug: &str,
        issues: &[Issue],
        change: impl FnOnce(&mut Repo),
    ) -> &Self {
        let mut state = self.state.lock().unwrap();
        let id = 1000 + state.repos.len() as u64;
        let mut repo = Repo {
            id,
            has_issues: true,
            parent: None,
            fork: false,
            issues: issues.to_vec(),
            text: 40,
        };
        change(&mut repo);
        state.repos.insert(slug.to_owned(), repo);
        drop(state);
        self
    }

    /// `octo/widgets` as a fork of `upper/widgets`.
    pub(crate) fn forked(own: &[Issue], upper: &[Issue]) -> Self {
        let fake = Self::new(&[]);
        fake.repo("octo/widgets", own, |repo| {
            (repo.fork, repo.parent) = (true, Some("upper/widgets".to_owned()))
        });
        fake.repo("upper/widgets", upper, |_| ());
        fake
    }

    /// Asked before the repositories are; the second argument counts the requests from 0.
    pub(crate) fn script(
        &self,
        script: impl Fn(&Request, usize) -> Option<Scripted> + Send + 'static,
    ) -> &Self {
        self.state.lock().unwrap().script = Some(Box::new(script));
        self
    }

    pub(crate) fn prefixed(&self, prefix: &str) -> &Self {
        self.state.lock().unwrap().prefix = prefix.to_owned();
        self
    }

    /// Links name another address, as behind a proxy or a server that ends TLS.
    pub(crate) fn known_as(&self, base: &str) -> &Self {
        self.state.lock().unwrap().base = base.to_owned();
        self
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        *self.server.address()
    }

    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.uri(), self.state.lock().unwrap().prefix)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().asked.clear();
    }

    /// Every issue of `octo/widgets`, as a server lists them that does not filter.
    pub(crate) fn unfiltered(&self) -> Value {
        let state = self.state.lock().unwrap();
        let repo = &state.repos["octo/widgets"];
        repo.issues.iter().map(|issue| state.issue(issue, "octo/widgets", repo)).collect()
    }

    /// The paths and queries that were asked for.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }

    /// What broke GitHub's own rules: the fake's bodies, or the requests.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }
}

/// Whatever a test is about, the fake keeps to GitHub's rules and the look-up only reads.
impl Drop for Fake {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.violations(), [""; 0]);
        }
    }
}

struct Hub(Arc<Mutex<State>>);

impl Respond for Hub {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let nth = state.asked.len();
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        state.asked.push(Asked {
            target: format!("{}{query}", request.url.path()),
            conditional: header("if-none-match").is_some(),
        });
        let path =
            request.url.path().strip_prefix(&state.prefix).unwrap_or(request.url.path()).to_owned();
        let wrong = openapi::request_violations(request, &path);
        state.violations.extend(wrong);
        let scripted = state.script.as_ref().and_then(|script| script(request, nth));
        let (status, headers, body) = match scripted {
            Some(Scripted::Wrong(answer)) => return answer,
            Some(Scripted::Answer(status, headers, body)) => (status, headers, body),
            None => state.answer(request, &path),
        };
        let wrong = openapi::answer_violations(&path, status, &body);
        state.violations.extend(wrong);
        let text = body.to_string();
        let etag =
            format!("\"{:x}\"", u64::from_be_bytes(Sha256::digest(&text)[..8].try_into().unwrap()));
        let unchanged = status == 200 && header("if-none-match") == Some(etag.as_str());
        state.spent += u64::from(!unchanged);
        let mut answer = if unchanged {
            ResponseTemplate::new(304)
        } else {
            ResponseTemplate::new(status).set_body_raw(text, "application/json; charset=utf-8")
        };
        let left = 5000 - state.spent;
        answer =
            answer.insert_header("etag", etag.as_str()).insert_header("x-ratelimit-limit", "5000");
        answer = answer.insert_header("x-ratelimit-remaining", left.to_string().as_str());
        for (name, value) in headers {
            answer = answer.insert_header(name, value.as_str());
        }
        answer
    }
}

type Answered = (u16, Vec<(&'static str, String)>, Value);

pub(crate) fn error(status: u16, message: &str) -> Answered {
    let docs = "https://docs.github.com/rest";
    (
        status,
        Vec::new(),
        json!({"message": message, "documentation_url": docs, "status": status.to_string()}),
    )
}

impl State {
    fn answer(&self, request: &Request, path: &str) -> Answered {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let by_slug = |owner: &str, name: &str| {
            let wanted = format!("{owner}/{name}").to_lowercase();
            self.repos.iter().find(|(slug, _)| slug.to_lowercase() == wanted)
        };
        let (found, rest) = match parts.as_slice() {
            ["repos", owner, name, rest @ ..] => (by_slug(owner, name), rest),
            ["repositories", id, rest @ ..] => {
                (self.repos.iter().find(|(_, repo)| repo.id.to_string() == **id), rest)
            }
            _ => (None, &[] as &[&str]),
        };
        let Some((slug, repo)) = found else { return error(404, "Not Found") };
        match rest {
            [] => (200, Vec::new(), self.repository(slug, repo)),
            ["issues"] if !repo.has_issues => {
                error(410, "Issues has been disabled in this repository.")
            }
            ["issues"] => self.issues(request, slug, repo),
            _ => error(404, "Not Found"),
        }
    }

    fn issues(&self, request: &Request, slug: &str, repo: &Repo) -> Answered {
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let number = |key: &str, or: usize| query.get(key).map_or(or, |text| text.parse().unwrap());
        let (page, per_page) = (number("page", 1), number("per_page", 30).min(100));
        let state = query.get("state").map_or("open", String::as_str);
        let labels: Vec<String> = query
            .get("labels")
            .map(|text| text.split(',').map(|l| l.trim().to_lowercase()).collect())
            .unwrap_or_default();
        let mut found: Vec<&Issue> = repo
            .issues
            .iter()
            .filter(|issue| state == "all" || issue.open == (state == "open"))
            .filter(|issue| {
                labels
                    .iter()
                    .all(|label| issue.labels.iter().any(|own| own.to_lowercase() == *label))
            })
            .collect();
        found.sort_by_key(|issue| std::cmp::Reverse(issue.number));
        let last = found.len().div_ceil(per_page).max(1);
        let shown: Vec<Value> = found
            .iter()
            .skip((page - 1) * per_page)
            .take(per_page)
            .map(|issue| self.issue(issue, slug, repo))
            .collect();
        let link = |page: usize, rel: &str| {
            let mut pairs = form_urlencoded(&query);
            pairs.retain(|pair| !pair.starts_with("page="));
            let (base, prefix, id) = (&self.base, &self.prefix, repo.id);
            format!(
                "<{base}{prefix}/repositories/{id}/issues?{}&page={page}>; rel=\"{rel}\"",
                pairs.join("&")
            )
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        let headers = if links.is_empty() { Vec::new() } else { vec![("link", links.join(", "))] };
        (200, headers, Value::Array(shown))
    }

    fn issue(&self, issue: &Issue, slug: &str, repo: &Repo) -> Value {
        let (base, number) = (&self.base, issue.number);
        let url = format!("{base}/repos/{slug}/issues/{number}");
        let kind = if issue.pull_request { "pull" } else { "issues" };
        let labels: Vec<Value> = issue
            .labels
            .iter()
            .map(|name| {
                json!({"id": 1, "node_id": "L1", "url": format!("{base}/labels/1"), "name": name,
                       "color": "ededed", "default": false, "description": null})
            })
            .collect();
        let mut out = json!({
            "id": 5000 + number, "node_id": format!("I{number}"), "number": number,
            "title": issue.title, "state": if issue.open { "open" } else { "closed" },
            "locked": false, "labels": labels, "comments": 0, "url": url,
            "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"),
            "labels_url": format!("{url}/labels{{/name}}"),
            "repository_url": format!("{base}/repos/{slug}"),
            "html_url": format!("https://github.com/{slug}/{kind}/{number}"),
            "user": self.user("somebody"), "assignee": null, "milestone": null, "closed_at": null,
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
            "body": "x".repeat(repo.text), "author_association": "NONE",
        });
        if !issue.open {
            out["closed_at"] = json!("2026-02-02T03:04:05Z");
        }
        if issue.pull_request {
            let page = format!("https://github.com/{slug}/pull/{number}");
            out["pull_request"] = json!({
                "url": format!("{base}/repos/{slug}/pulls/{number}"), "html_url": page,
                "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            });
        }
        out
    }

    fn user(&self, login: &str) -> Value {
        let url = format!("{}/users/{login}", self.base);
        let mut out = json!({
            "login": login, "id": 7, "node_id": "U7", "gravatar_id": null, "type": "User",
            "site_admin": false, "url": url, "html_url": format!("https://github.com/{login}"),
        });
        for key in [
            "avatar",
            "events",
            "followers",
            "following",
            "gists",
            "organizations",
            "received_events",
            "repos",
            "starred",
            "subscriptions",
        ] {
            out[format!("{key}_url")] = json!(format!("{url}/{key}"));
        }
        out
    }

    fn repository(&self, slug: &str, repo: &Repo) -> Value {
        let mut out = self.plain(slug, repo);
        if let Some(parent) = repo.parent.as_ref().and_then(|slug| self.repos.get_key_value(slug)) {
            out["parent"] = self.plain(parent.0, parent.1);
            out["source"] = self.plain(parent.0, parent.1);
        }
        out
    }

    fn plain(&self, slug: &str, repo: &Repo) -> Value {
        let (owner, name) = slug.split_once('/').unwrap();
        let url = format!("{}/repos/{slug}", self.base);
        let open = repo.issues.iter().filter(|issue| issue.open).count();
        let mut out = json!({
            "id": repo.id, "node_id": "R1", "name": name, "full_name": slug, "private": false,
            "fork": repo.fork, "owner": self.user(owner),
            "html_url": format!("https://github.com/{slug}"), "url": url, "description": null,
            "homepage": null, "language": null, "license": null, "mirror_url": null,
            "has_issues": repo.has_issues, "has_projects": true, "has_wiki": true,
            "has_pages": false, "has_discussions": false, "has_downloads": true,
            "archived": false, "disabled": false,
            "default_branch": "main", "size": 1, "forks": 0, "watchers": 0, "open_issues": open,
            "forks_count": 0, "watchers_count": 0, "open_issues_count": open, "stargazers_count": 0,
            "network_count": 0, "subscribers_count": 0, "pushed_at": "2026-01-02T03:04:05Z",
            "created_at": "2025-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
            "git_url": format!("git://github.com/{slug}.git"),
            "ssh_url": format!("git@github.com:{slug}.git"),
            "clone_url": format!("https://github.com/{slug}.git"),
            "svn_url": format!("https://github.com/{slug}"),
        });
        for key in [
            "archive",
            "assignees",
            "blobs",
            "branches",
            "collaborators",
            "comments",
            "commits",
            "compare",
            "contents",
            "contributors",
            "deployments",
            "downloads",
            "events",
            "forks",
            "git_commits",
            "git_refs",
            "git_tags",
            "hooks",
            "issue_comment",
            "issue_events",
            "issues",
            "keys",
            "labels",
            "languages",
            "merges",
            "milestones",
            "notifications",
            "pulls",
            "releases",
            "stargazers",
            "statuses",
            "subscribers",
            "subscription",
            "tags",
            "teams",
            "trees",
        ] {
            out[format!("{key}_url")] = json!(format!("{url}/{key}"));
        }
        out
    }
}

fn form_urlencoded(query: &BTreeMap<String, String>) -> Vec<String> {
    let mut url: reqwest::Url = "http://x/".parse().unwrap();
    url.query_pairs_mut().extend_pairs(query);
    url.query().unwrap_or_default().split('&').map(str::to_owned).collect()
}
