//! May this event drive a self-hosted runner, and at which repository and commit?
//!
//! One pure decision over the facts of the event. It fails closed: what is not known to be trusted
//! is refused, each "no" with its own reason.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::config::Trust;
use crate::domain::receipt::TrustMode;
use crate::domain::run::ids::{CommitSha, RepoSlug};
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::reason::ReasonCode;

/// Events whose commit is this repository's own.
const OWN: [&str; 4] = ["push", "schedule", "merge_group", "workflow_dispatch"];
/// What a pull request may do to be routed.
const ACTIONS: [&str; 3] = ["labeled", "reopened", "synchronize"];
/// More labels than this are not looked at; GitHub admits 100.
const LABELS: usize = 100;

/// What routing is told.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The event's name.
    pub(crate) event_name: Option<String>,
    /// This repository, as the runner says.
    pub(crate) repository: Option<RepoSlug>,
    /// The commit under test, as the runner says: never a pull request's.
    pub(crate) own_sha: Option<CommitSha>,
    /// The label that opens the runner.
    pub(crate) label: String,
    /// Whose forks are trusted.
    pub(crate) trust: Trust,
}

/// Every fact that the decision uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    event_name: String,
    repository: RepoSlug,
    label: String,
    trust: Trust,
    own_sha: Option<CommitSha>,
    pull_request: Option<PullRequest>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct PullRequest {
    number: Option<u64>,
    action: String,
    /// None where the head repository was deleted.
    head_repository: Option<RepoSlug>,
    head_sha: CommitSha,
    labels: Vec<String>,
    /// The label that this event set.
    set_label: Option<String>,
}

/// An event that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// On what ground.
    pub(crate) mode: TrustMode,
    /// Why, as a reason code.
    pub(crate) reason: ReasonCode,
    /// Where the commit under test lives.
    pub(crate) repository: RepoSlug,
    /// The commit.
    pub(crate) head_sha: CommitSha,
}

/// Reads the facts from an event's payload.
pub(crate) fn facts(asked: &Asked, event: &Value) -> Result<Facts, Fault> {
    let malformed = |why: &str| Fault::EventMalformed(why.to_owned());
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let event_name = asked
        .event_name
        .clone()
        .ok_or_else(|| malformed("neither --event-name nor GITHUB_EVENT_NAME"))?;
    let reported = text("/repository/full_name").map(str::parse::<RepoSlug>);
    let repository = match (reported, &asked.repository) {
        (Some(Ok(reported)), Some(own)) if !reported.same_as(own) => {
            return Err(Fault::EventMalformed(format!(
                "the event is of {reported}, the run is of {own}"
            )));
        }
        (Some(Ok(reported)), _) => reported,
        (Some(Err(error)), _) => {
            return Err(Fault::EventMalformed(format!("repository.full_name: {error}")));
        }
        // A schedule's payload names none.
        (None, Some(own)) => own.clone(),
        (None, None) => {
            return Err(malformed(
                "it names no repository, and --repository and GITHUB_REPOSITORY are unset",
            ));
        }
    };
    let pull_request =
        if event_name == "pull_request_target" { Some(pull_request(event)?) } else { None };
    let of_event =
        ["/merge_group/head_sha", "/after"].iter().find_map(|pointer| text(pointer)?.parse().ok());
    let gone = event_name == "push" && event.pointer("/deleted") == Some(&Value::Bool(true));
    if gone {
        return Err(Fault::EventUnsupported(
            "a push that deletes its branch leaves no commit to test".to_owned(),
        ));
    }
    Ok(Facts {
        event_name,
        repository,
        label: asked.label.clone(),
        trust: asked.trust,
        own_sha: asked.own_sha.clone().or(of_event),
        pull_request,
    })
}

fn pull_request(event: &Value) -> Result<PullRequest, Fault> {
    let malformed = |why: String| Fault::EventMalformed(why);
    let required = |pointer: &str| {
        let reported = event.pointer(pointer).and_then(Value::as_str);
        reported.ok_or_else(|| {
            malformed(format!("{} is missing or no text", pointer[1..].replace('/', ".")))
        })
    };
    let head_sha = required("/pull_request/head/sha")?;
    let head_sha =
        head_sha.parse().map_err(|error| malformed(format!("pull_request.head.sha: {error}")))?;
    let head_repository =
        match event.pointer("/pull_request/head/repo") {
            Some(Value::Null) => None,
            Some(_) => {
                let slug = required("/pull_request/head/repo/full_name")?;
                Some(slug.parse().map_err(|error| {
                    malformed(format!("pull_request.head.repo.full_name: {error}"))
                })?)
            }
            None => return Err(malformed("pull_request.head.repo is missing".to_owned())),
        };
    let labels = event.pointer("/pull_request/labels").and_then(Value::as_array);
    let labels =
        labels.ok_or_else(|| malformed("pull_request.labels is missing or no list".to_owned()))?;
    let name = |label: &Value| label.pointer("/name").and_then(Value::as_str).map(str::to_owned);
    let labels = labels.iter().take(LABELS).map(name).collect::<Option<Vec<String>>>();
    Ok(PullRequest {
        number: event.pointer("/pull_request/number").and_then(Value::as_u64),
        action: required("/action")?.to_owned(),
        head_repository,
        head_sha,
        labels: labels
            .ok_or_else(|| malformed("a label of pull_request.labels has no name".to_owned()))?,
        set_label: event.pointer("/label").and_then(name),
    })
}

/// The decision.
pub(crate) fn decide(facts: &Facts) -> Result<Admitted, Fault> {
    let Some(pull_request) = &facts.pull_request else { return own(facts) };
    if !ACTIONS.contains(&pull_request.action.as_str()) {
        return Err(Fault::EventUnsupported(format!(
            "pull_request_target {:?}; routed are {}",
            pull_request.action,
            ACTIONS.join(", ")
        )));
    }
    let Some(head) = &pull_request.head_repository else {
        return Err(Fault::HeadRepositoryDeleted);
    };
    let same_repository = head.same_as(&facts.repository);
    if !same_repository {
        if !head.owner().eq_ignore_ascii_case(facts.repository.owner()) {
            return Err(Fault::UntrustedCrossOwnerFork { head: head.clone() });
        }
        if facts.trust == Trust::SameRepository {
            return Err(Fault::ForkNotTrusted { head: head.clone() });
        }
    }
    let is_it = |label: &String| label.eq_ignore_ascii_case(&facts.label);
    if !pull_request.labels.iter().any(is_it) {
        return Err(Fault::PilotLabelMissing { label: facts.label.clone() });
    }
    // Whoever can push to a branch here can start workflows anyway. A fork's head is only what a
    // maintainer saw when the label was set, and that event names the commit.
    let bound =
        pull_request.action == "labeled" && pull_request.set_label.as_ref().is_some_and(is_it);
    if !same_repository && !bound {
        return Err(Fault::LabelNotBoundToHead {
            label: facts.label.clone(),
            head_sha: pull_request.head_sha.clone(),
        });
    }
    let (mode, reason) = if same_repository {
        (TrustMode::SameRepository, ReasonCode::TrustedSameRepositoryHead)
    } else {
        (TrustMode::SameOwnerFork, ReasonCode::TrustedSameOwnerHead)
    };
    Ok(Admitted { mode, reason, repository: head.clone(), head_sha: pull_request.head_sha.clone() })
}

fn own(facts: &Facts) -> Result<Admitted, Fault> {
    if !OWN.contains(&facts.event_name.as_str()) {
        return Err(Fault::EventUnsupported(format!(
            "{:?}; routed are {}, pull_request_target",
            facts.event_name,
            OWN.join(", ")
        )));
    }
    let head_sha = facts.own_sha.clone();
    let head_sha =
        head_sha.ok_or_else(|| Fault::EventMalformed("nothing names the commit".to_owned()))?;
    let (mode, reason) = if facts.event_name == "workflow_dispatch" {
        (TrustMode::Dispatch, ReasonCode::WorkflowDispatchDefault)
    } else {
        (TrustMode::OwnRef, ReasonCode::TrustedOwnRef)
    };
    Ok(Admitted { mode, reason, repository: facts.repository.clone(), head_sha })
}

impl Facts {
    /// As they stand in the receipt.
    pub(crate) fn record(&self) -> BTreeMap<String, Value> {
        let mut record: BTreeMap<String, Value> = BTreeMap::new();
        let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
        put("eventName", json!(self.event_name));
        put("repository", json!(self.repository));
        put("label", json!(self.label));
        put("trust", json!(self.trust));
        if let Some(sha) = &self.own_sha {
            put("ownSha", json!(sha));
        }
        if let Some(pull_request) = &self.pull_request {
            put("action", json!(pull_request.action));
            put("pullRequest", json!(pull_request.number));
            put("headRepository", json!(pull_request.head_repository));
            put("headSha", json!(pull_request.head_sha));
            put("labels", json!(pull_request.labels));
            put("setLabel", json!(pull_request.set_label));
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::reason::ReasonCode as C;
    use proptest::prelude::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn asked(event: &str, trust: Trust) -> Asked {
        Asked {
            event_name: Some(event.to_owned()),
            repository: Some("octo/widgets".parse().unwrap()),
            own_sha: (event != "pull_request_target").then(|| SHA.parse().unwrap()),
            label: "pester-gate".to_owned(),
            trust,
        }
    }

    fn payload(head: Option<&str>, action: &str, labels: &[&str], set: Option<&str>) -> Value {
        json!({
            "action": action,
            "label": set.map(|name| json!({"name": name})),
            "repository": {"full_name": "octo/widgets"},
            "pull_request": {
                "number": 7,
                "labels": labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
                "head": {"sha": SHA, "repo": head.map(|slug| json!({"full_name": slug}))},
            },
        })
    }

    fn decided(trust: Trust, event: &Value) -> Result<C, C> {
        let facts =
            facts(&asked("pull_request_target", trust), event).map_err(|fault| fault.code())?;
        decide(&facts).map(|admitted| admitted.reason).map_err(|fault| fault.code())
    }

    const IT: &str = "pester-gate";

    /// Head repository, action, labels, label of the event, and what is decided with either trust.
    type Row = (
        Option<&'static str>,
        &'static str,
        &'static [&'static str],
        Option<&'static str>,
        Result<C, C>,
        Result<C, C>,
    );

    const SAME: Option<&str> = Some("octo/widgets");
    const FORK: Option<&str> = Some("Octo/widgets-fork");
    const STRANGER: Option<&str> = Some("mallory/widgets");

    #[test]
    fn the_decision_table_of_pull_requests() {
        use C::*;
        let refused = |code: C| (Err(code), Err(code));
        let row = |head, action, labels, set, (owner, repository)| -> Row {
            (head, action, labels, set, owner, repository)
        };
        let good = (Ok(TrustedSameRepositoryHead), Ok(TrustedSameRepositoryHead));
        let fork = |code: Result<C, C>| (code, Err(ForkNotTrusted));
        let rows: &[Row] = &[
            row(SAME, "labeled", &[IT], Some(IT), good),
            row(SAME, "synchronize", &[IT], None, good),
            row(SAME, "reopened", &["x", "PESTER-GATE"], None, good),
            row(Some("Octo/Widgets"), "synchronize", &[IT], None, good),
            row(SAME, "labeled", &[IT, "x"], Some("x"), good),
            row(SAME, "synchronize", &["x"], None, refused(PilotLabelMissing)),
            row(
                SAME,
                "synchronize",
                &["pester-gate2", "my pester-gate"],
                None,
                refused(PilotLabelMissing),
            ),
            row(SAME, "opened", &[IT], None, refused(EventUnsupported)),
            row(SAME, "closed", &[IT], None, refused(EventUnsupported)),
            row(FORK, "labeled", &[IT], Some("Pester-Gate"), fork(Ok(TrustedSameOwnerHead))),
            row(FORK, "synchronize", &[IT], None, fork(Err(LabelNotBoundToHead))),
            row(FORK, "reopened", &[IT], None, fork(Err(LabelNotBoundToHead))),
            row(FORK, "labeled", &[IT, "x"], Some("x"), fork(Err(LabelNotBoundToHead))),
            row(FORK, "labeled", &["x"], Some("x"), fork(Err(PilotLabelMissing))),
            row(STRANGER, "labeled", &[IT], Some(IT), refused(UntrustedCrossOwnerFork)),
            row(STRANGER, "synchronize", &[], None, refused(UntrustedCrossOwnerFork)),
            row(
                Some("octo2/widgets"),
                "labeled",
                &[IT],
                Some(IT),
                refused(UntrustedCrossOwnerFork),
            ),
            row(None, "labeled", &[IT], Some(IT), refused(HeadRepositoryDeleted)),
        ];
        for (head, action, labels, set, by_owner, by_repository) in rows {
            let event = payload(*head, action, labels, *set);
            assert_eq!(
                decided(Trust::SameOwner, &event),
                *by_owner,
                "{head:?} {action} {labels:?}"
            );
            assert_eq!(
                decided(Trust::SameRepository, &event),
                *by_repository,
                "{head:?} {action} {labels:?}"
            );
        }
    }

    #[test]
    fn own_refs_are_own_and_nothing_else_is() {
        let of = |event: &str| {
            let facts = facts(&asked(event, Trust::SameOwner), &json!({})).unwrap();
            decide(&facts)
                .map(|admitted| (admitted.mode, admitted.reason))
                .map_err(|fault| fault.code())
        };
        for event in ["push", "schedule", "merge_group"] {
            assert_eq!(of(event), Ok((TrustMode::OwnRef, C::TrustedOwnRef)), "{event}");
        }
        assert_eq!(of("workflow_dispatch"), Ok((TrustMode::Dispatch, C::WorkflowDispatchDefault)));
        for event in ["pull_request", "issue_comment", "workflow_run", "PUSH", ""] {
            assert_eq!(of(event), Err(C::EventUnsupported), "{event}");
        }
        let deleted = facts(&asked("push", Trust::SameOwner), &json!({"deleted": true}));
        assert_eq!(deleted.unwrap_err().code(), C::EventUnsupported);
    }

    #[test]
    fn an_event_that_lacks_a_fact_is_malformed() {
        let whole = payload(SAME, "labeled", &[IT], Some(IT));
        for pointer in [
            "/pull_request/head/sha",
            "/pull_request/head/repo/full_name",
            "/pull_request/labels",
            "/action",
        ] {
            for value in [Value::Null, json!(7), json!({}), json!("..")] {
                let mut event = whole.clone();
                *event.pointer_mut(pointer).unwrap() = value.clone();
                if pointer == "/action" && value == json!("..") {
                    continue;
                }
                assert_eq!(
                    decided(Trust::SameOwner, &event),
                    Err(C::EventMalformed),
                    "{pointer} {value}"
                );
            }
        }
        let mut other = whole.clone();
        other["repository"]["full_name"] = json!("octo/other");
        assert_eq!(decided(Trust::SameOwner, &other), Err(C::EventMalformed));
        let mut headless = whole;
        headless["pull_request"]["head"].as_object_mut().unwrap().remove("repo");
        assert_eq!(decided(Trust::SameOwner, &headless), Err(C::EventMalformed));
    }

    proptest! {
        #[test]
        fn nothing_of_another_owner_is_ever_admitted(
            owner in "[a-z]{1,8}", name in "[a-z]{1,8}",
            action in "(labeled|reopened|synchronize|opened)",
            labels in proptest::collection::vec("(pester-gate|x)", 0..3),
            set in proptest::option::of("(pester-gate|x)"),
            by_owner in any::<bool>(),
        ) {
            let head = format!("{owner}/{name}");
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let trust = if by_owner { Trust::SameOwner } else { Trust::SameRepository };
            let event = payload(Some(&head), &action, &labels, set.as_deref());
            let admitted = decided(trust, &event).is_ok();
            prop_assert!(!admitted || owner == "octo");
            prop_assert!(!admitted || labels.contains(&IT));
        }
    }
}
