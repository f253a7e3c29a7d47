//! The look-up of the standing priority: the repository, then its issues by label, then, in a
//! fork, its upstream's. The order of questions is here; what an answer means is the domain's.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::cache::Cache;
use super::transport::Transport;
use super::{Page, Record, Session, millis};
use crate::adapter::world::World;
use crate::domain::receipt::LookUp;
use crate::domain::run::ids::RepoSlug;
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::question::{Cause, Probe, Searched, Trouble, word};
use crate::domain::verdict::standing_priority::{
    Answer, Issue, Picked, Rules, can_be_asked_for, pick,
};

/// What is asked.
pub(crate) struct Question<'a> {
    /// The API's address.
    pub(crate) api: Url,
    /// The token; it goes into one header and nowhere else.
    pub(crate) token: &'a str,
    /// The repository.
    pub(crate) repository: &'a RepoSlug,
    /// What is looked for.
    pub(crate) rules: &'a Rules,
    /// How long all of it may take.
    pub(crate) most: Duration,
    /// Where answers are kept.
    pub(crate) cache: &'a Path,
    /// Masks what a server repeats.
    pub(crate) redactor: &'a Redactor,
}

/// What came of it.
pub(crate) struct Found {
    /// The answer.
    pub(crate) answer: Answer,
    /// What it took.
    pub(crate) taken: LookUp,
    /// Requests left to the token.
    pub(crate) rate_limit_remaining: Option<u64>,
    /// What is known of the token now.
    pub(crate) probe: Probe,
}

/// Asks. Never hangs: everything in it ends with `most`.
pub(crate) fn look_up(world: &World, question: &Question<'_>) -> Found {
    let started = world.tick();
    let mut taken = LookUp { api: Some(question.api.to_string()), ..LookUp::default() };
    let early = |cause, why: String| (Trouble::new(cause, why), question.repository.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let transport = {
        // The client starts its worker where it is made.
        let _inside = runtime.as_ref().ok().map(tokio::runtime::Runtime::enter);
        Transport::new(question.api.clone(), question.token)
    };
    let (answer, remaining, probe) = match (runtime, transport) {
        (Err(error), _) => (
            Err(early(Cause::NotConnected, format!("no runtime can be made: {error}"))),
            None,
            None,
        ),
        (_, Err(trouble)) => {
            let probe = trouble.cause.probe();
            (Err((trouble, question.repository.clone())), None, probe)
        }
        (Ok(runtime), Ok(transport)) => {
            let mut session = Session {
                world,
                redactor: question.redactor,
                transport,
                cache: Cache::open(
                    question.cache,
                    &question.api,
                    question.repository,
                    question.token,
                ),
                started,
                most: question.most,
                taken,
                rate_limit_remaining: None,
                probe: None,
            };
            let answer = runtime.block_on(session.ask(question));
            // A name that is still being resolved is not waited for.
            runtime.shutdown_background();
            session.cache.keep(question.redactor);
            taken = session.taken;
            (answer, session.rate_limit_remaining, session.probe)
        }
    };
    let answer =
        answer.unwrap_or_else(|(trouble, repository)| Answer::Trouble { trouble, repository });
    let answer = match answer {
        Answer::Trouble { .. } if world.cancel().requests() > 0 => Answer::Cancelled,
        Answer::Trouble { mut trouble, repository } => {
            let on_the_way = matches!(
                trouble.cause,
                Cause::NameUnresolved | Cause::NotConnected | Cause::Tls | Cause::TimedOut
            );
            if let Some(variable) = proxied(world, &question.api).filter(|_| on_the_way) {
                trouble.detail.push_str(&format!(
                    "; {variable} is set on this host: where its proxy is on the way, it may be \
                     at fault"
                ));
            }
            Answer::Trouble { trouble, repository }
        }
        answer => answer,
    };
    taken.duration_ms = millis(world.tick().duration_since(started));
    if let Answer::Trouble { trouble, .. } = &answer {
        taken.cause = word(&trouble.cause);
    }
    Found { answer, taken, rate_limit_remaining: remaining, probe: probe.unwrap_or(Probe::Unknown) }
}

/// The variable that names a proxy for addresses of this kind. Whether the HTTP library spares this
/// one (`no_proxy`) is its own to decide: a reader is told that the variable is set.
fn proxied(world: &World, api: &Url) -> Option<&'static str> {
    let names: [&'static str; 4] = match api.scheme() {
        "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    names.into_iter().find(|name| world.var(name).is_some())
}

/// A repository as its page tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Repository {
    full_name: RepoSlug,
    has_issues: bool,
    fork: bool,
    parent: Option<RepoSlug>,
}

impl Record for Repository {
    fn read(body: &[u8], _: &Redactor) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Parent {
            full_name: RepoSlug,
        }
        #[derive(Deserialize)]
        struct StoredRequest {
            full_name: RepoSlug,
            has_issues: bool,
            fork: bool,
            parent: Option<Parent>,
        }
        let reported: StoredRequest = serde_json::from_slice(body)?;
        let parent = reported.parent.map(|parent| parent.full_name);
        Ok(Self {
            full_name: reported.full_name,
            has_issues: reported.has_issues,
            fork: reported.fork,
            parent,
        })
    }
}

/// What GitHub puts on a page and on an issue at most; anything more is not GitHub's.
const ISSUES: usize = 100;
const LABELS: usize = 100;

impl Record for Vec<Issue> {
    const OF_ISSUES: bool = true;

    fn read(body: &[u8], redactor: &Redactor) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Label {
            Text(String),
            Object { name: String },
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum State {
            Open,
            Closed,
        }
        #[derive(Deserialize)]
        struct PullRequest {}
        #[derive(Deserialize)]
        struct StoredRequest {
            number: u64,
            title: String,
            html_url: String,
            state: State,
            labels: AtMost<Label, LABELS>,
            pull_request: Option<PullRequest>,
        }
        let reported: AtMost<StoredRequest, ISSUES> = serde_json::from_slice(body)?;
        let name = |label| match label {
            Label::Text(name) | Label::Object { name } => name.chars().take(200).collect(),
        };
        let issue = |reported: StoredRequest| Issue {
            number: reported.number,
            title: redactor.mask_text(&reported.title).chars().take(300).collect(),
            url: Some(reported.html_url).filter(|url| {
                url.len() < 500 && (url.starts_with("https://") || url.starts_with("http://"))
            }),
            labels: reported.labels.0.into_iter().map(name).collect(),
            open: matches!(reported.state, State::Open),
            pull_request: reported.pull_request.is_some(),
        };
        Ok(reported.0.into_iter().map(issue).collect())
    }

    fn is_full(&self) -> bool {
        self.len() >= ISSUES
    }
}

/// A list that is refused while it is read once it is longer: its memory is bounded.
struct AtMost<T, const N: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counting<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Counting<T, N> {
            type Value = AtMost<T, N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {N}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == N {
                        return Err(A::Error::invalid_length(N + 1, &self));
                    }
                    items.push(item);
                }
                Ok(AtMost(items))
            }
        }
        deserializer.deserialize_seq(Counting(PhantomData))
    }
}

type Asked<T> = Result<T, (Trouble, RepoSlug)>;

impl Session<'_> {
    async fn ask(&mut self, question: &Question<'_>) -> Asked<Answer> {
        let own = question.repository;
        let repository = self.repository(own).await.map_err(|trouble| (trouble, own.clone()))?;
        let mut read = Vec::new();
        // Forks start with their issues switched off: then their upstream is where to look.
        if repository.has_issues {
            let labels = question.rules.labels_of(repository.fork);
            match self.in_one(&repository.full_name, &labels, question.rules).await? {
                Ok(found) => return Ok(found),
                Err(left_out) => read.push(Searched::new(&repository.full_name, &labels, left_out)),
            }
        } else if !repository.fork {
            let why = format!("{own} has its issues switched off");
            return Err((Trouble::new(Cause::IssuesDisabled, why), own.clone()));
        }
        if repository.fork {
            let Some(upstream) = repository.parent else {
                return Ok(Answer::Undecided(format!(
                    "{own} is a fork, and GitHub does not say of what"
                )));
            };
            let above =
                self.repository(&upstream).await.map_err(|trouble| (trouble, upstream.clone()))?;
            if !above.has_issues {
                let why = format!("{upstream}, upstream of {own}, has its issues switched off");
                return Err((Trouble::new(Cause::IssuesDisabled, why), upstream));
            }
            let labels = question.rules.labels_of(false);
            match self.in_one(&above.full_name, &labels, question.rules).await? {
                Ok(found) => return Ok(found),
                Err(left_out) => read.push(Searched::new(&above.full_name, &labels, left_out)),
            }
        }
        Ok(Answer::Nobody { read })
    }

    async fn repository(&mut self, slug: &RepoSlug) -> Result<Repository, Trouble> {
        let url = self.url(&["repos", slug.owner(), slug.name()]);
        self.get::<Repository>(&url).await.map(|page| page.value)
    }

    /// The first label that an issue carries, or what was left out. GitHub is asked for one label
    /// at a time; from the first label that it cannot be asked for on, one listing of everything
    /// serves all that follow.
    async fn in_one(
        &mut self,
        repository: &RepoSlug,
        labels: &[&str],
        rules: &Rules,
    ) -> Asked<Result<Answer, BTreeSet<u64>>> {
        let mut left_out = BTreeSet::new();
        let mut listing: Option<Vec<Issue>> = None;
        for label in labels {
            let of_label;
            let issues = match &listing {
                Some(issues) => issues,
                None => {
                    let asked_for = can_be_asked_for(label).then_some(*label);
                    let wanted =
                        |issue: &Issue| labels.iter().any(|label| carries(issue, label, rules));
                    let read = self.issues(repository, asked_for, wanted).await;
                    let read = read.map_err(|trouble| (trouble, repository.clone()))?;
                    if asked_for.is_some() {
                        of_label = read;
                        &of_label
                    } else {
                        listing.insert(read)
                    }
                }
            };
            let Picked { lowest, candidates, left_out: excluded } = pick(issues, label, rules);
            left_out.extend(excluded);
            if let Some(issue) = lowest.cloned() {
                let (label, repository) = ((*label).to_owned(), repository.clone());
                return Ok(Ok(Answer::Found { issue, label, repository, candidates }));
            }
        }
        Ok(Err(left_out))
    }

    /// Every page of the open issues, with this label or all; only those that are wanted are kept.
    async fn issues(
        &mut self,
        repository: &RepoSlug,
        label: Option<&str>,
        wanted: impl Fn(&Issue) -> bool,
    ) -> Result<Vec<Issue>, Trouble> {
        let mut url = self.url(&["repos", repository.owner(), repository.name(), "issues"]);
        url.query_pairs_mut().append_pair("state", "open").append_pair("per_page", "100");
        if let Some(label) = label {
            url.query_pairs_mut().append_pair("labels", label.trim());
        }
        let (mut issues, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            seen.insert(url.clone());
            let Page { value, next } =
                self.get::<Vec<Issue>>(&url).await.map_err(|mut trouble| {
                    if seen.len() > 1 {
                        let read = seen.len() - 1;
                        let pages = if read == 1 {
                            "1 page was read".to_owned()
                        } else {
                            format!("{read} pages were read")
                        };
                        trouble.detail.push_str(&format!("; {pages}"));
                    }
                    if !trouble.detail.contains(repository.as_str()) {
                        trouble.detail = format!("{repository}: {}", trouble.detail);
                    }
                    trouble
                })?;
            issues.extend(value.into_iter().filter(&wanted));
            let Some(next) = next else { return Ok(issues) };
            if seen.contains(&next) {
                let why = format!(
                    "page {} of the issues of {repository} names one before it as the next",
                    seen.len()
                );
                return Err(Trouble::new(Cause::BadPagination, why));
            }
            url = next;
        }
    }

    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.transport.api().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        url
    }
}

fn carries(issue: &Issue, label: &str, rules: &Rules) -> bool {
    let picked = pick(std::slice::from_ref(issue), label, rules);
    picked.lowest.is_some() || !picked.left_out.is_empty()
}
