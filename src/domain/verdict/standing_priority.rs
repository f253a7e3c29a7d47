//! Standing priority: which issue has the floor, and what the policy makes of what is known.
//!
//! Source of the rules: the look-up asks for open issues only, in the order of the labels; what
//! carries the excluded label or is a configured epic is left out; the lowest number wins.
//! That there is none needs proof: issues switched on and every page read.

use serde::{Deserialize, Serialize};

use crate::domain::config::{Multiple, PriorityPolicy};
use crate::domain::run::ids::{IssueRef, RepoSlug};
use crate::domain::verdict::fault::{Fault, Finding, charge, good};
use crate::domain::verdict::question::{Searched, Trouble};
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// An issue, as far as the look-up needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issue {
    /// Its number.
    pub(crate) number: u64,
    /// Its title.
    pub(crate) title: String,
    /// Its page.
    pub(crate) url: Option<String>,
    /// Its labels.
    pub(crate) labels: Vec<String>,
    /// Whether it is open.
    pub(crate) open: bool,
    /// Whether it is a pull request, which GitHub lists among the issues.
    pub(crate) pull_request: bool,
}

impl Issue {
    fn carries(&self, label: &str) -> bool {
        self.labels.iter().any(|own| same_label(own, label))
    }
}

/// GitHub tells labels apart without regard to letter case.
pub(crate) fn same_label(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules {
    /// The labels, the first that an issue carries deciding.
    pub(crate) labels: Vec<String>,
    /// Labels that come before them in a fork.
    pub(crate) fork_labels: Vec<String>,
    /// An issue that carries it is left out.
    pub(crate) excluded_label: String,
    /// Issues that are left out: they collect others.
    pub(crate) epics: Vec<u64>,
}

impl Rules {
    /// The labels of a repository, in order.
    pub(crate) fn labels_of(&self, fork: bool) -> Vec<&str> {
        let own = if fork { self.fork_labels.as_slice() } else { &[] };
        let mut labels: Vec<&str> = Vec::new();
        for label in own.iter().chain(&self.labels) {
            if !labels.iter().any(|known| same_label(known, label)) {
                labels.push(label);
            }
        }
        labels
    }
}

/// Whether GitHub can be asked for a label: a comma separates labels in the question.
pub(crate) fn can_be_asked_for(label: &str) -> bool {
    !label.contains(',')
}

/// What a listing holds for one label.
#[derive(Debug, Default)]
pub(crate) struct Picked<'a> {
    /// The issue that counts: of those that would do, the one with the lowest number.
    pub(crate) lowest: Option<&'a Issue>,
    /// The numbers of all that would do, in order.
    pub(crate) candidates: Vec<u64>,
    /// The issues that carry the label and are left out.
    pub(crate) left_out: Vec<u64>,
}

/// Picks the open issues that carry `label`.
pub(crate) fn pick<'a>(issues: &'a [Issue], label: &str, rules: &Rules) -> Picked<'a> {
    let mut picked = Picked::default();
    for issue in
        issues.iter().filter(|issue| issue.open && !issue.pull_request && issue.carries(label))
    {
        if issue.carries(&rules.excluded_label) || rules.epics.contains(&issue.number) {
            picked.left_out.push(issue.number);
        } else {
            picked.candidates.push(issue.number);
            picked.lowest =
                picked.lowest.filter(|lowest| lowest.number <= issue.number).or(Some(issue));
        }
    }
    // A page that shifts while it is read lists an issue twice.
    for numbers in [&mut picked.candidates, &mut picked.left_out] {
        numbers.sort_unstable();
        numbers.dedup();
    }
    picked
}

/// What the look-up came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An issue has the floor.
    Found {
        /// It.
        issue: Issue,
        /// The label that it was found by.
        label: String,
        /// Where.
        repository: RepoSlug,
        /// Every issue that would do, lowest number first.
        candidates: Vec<u64>,
    },
    /// There is none, and that is proven.
    Nobody {
        /// What was read, every page of it.
        read: Vec<Searched>,
    },
    /// Somebody says which.
    Overridden {
        /// The issue.
        issue: IssueRef,
        /// Who says so.
        source: String,
    },
    /// GitHub did not answer.
    Trouble {
        /// Why not.
        trouble: Trouble,
        /// Which repository was asked.
        repository: RepoSlug,
    },
    /// There is no token to ask with.
    NoToken,
    /// What was answered does not decide it.
    Undecided(String),
    /// Nobody was asked, because the gate is blocked for another reason.
    Moot(String),
    /// The policy asks for none.
    NotRequired,
    /// Somebody cancelled; the layer says so.
    Cancelled,
}

/// What the policy makes of an answer.
pub(crate) fn findings(
    answer: &Answer,
    policy: PriorityPolicy,
    multiple: Multiple,
) -> Vec<Finding> {
    let needed = |fault: Fault| {
        let finding = charge(&fault, Layer::Context);
        if policy == PriorityPolicy::Required { finding.blocking() } else { finding }
    };
    let fine = |code, detail: String| good(code, Layer::Context, detail);
    match answer {
        Answer::NotRequired => vec![fine(
            ReasonCode::StandingPriorityNotRequired,
            "policy off: no standing priority was looked up".to_owned(),
        )],
        Answer::Overridden { issue, source } => {
            vec![fine(
                ReasonCode::StandingPriorityOverridden,
                format!("{issue} (set by {source}; the lookup was skipped)"),
            )]
        }
        Answer::Found { issue, label, repository, candidates } if candidates.len() == 1 => {
            vec![fine(
                ReasonCode::StandingPriorityAvailable,
                format!("{repository}#{} {:?} carries {label:?}", issue.number, issue.title),
            )]
        }
        Answer::Found { label, repository, candidates, .. } => {
            let fault = Fault::StandingPriorityMultiple {
                repository: repository.clone(),
                label: label.clone(),
                candidates: candidates.clone(),
            };
            let finding = charge(&fault, Layer::Context);
            vec![if multiple == Multiple::Block { finding.blocking() } else { finding }]
        }
        Answer::Nobody { read } => vec![needed(Fault::StandingPriorityNone(read.clone()))],
        Answer::Cancelled => Vec::new(),
        Answer::Trouble { trouble, .. } => vec![needed(Fault::Question(trouble.clone()))],
        Answer::NoToken => vec![needed(Fault::TokenMissing)],
        Answer::Moot(why) => {
            vec![charge(&Fault::StandingPriorityUnknown(why.clone()), Layer::Context)]
        }
        Answer::Undecided(why) => vec![needed(Fault::StandingPriorityUnknown(why.clone()))],
    }
}

/// The kind of a token, by its prefix; the token itself goes no further than this call.
pub(crate) fn token_kind(token: &str) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        ("ghs_", "installation"),
        ("ghp_", "personal-classic"),
        ("github_pat_", "personal-fine-grained"),
        ("gho_", "oauth"),
        ("ghu_", "user-to-server"),
        ("ghr_", "refresh"),
        ("v1.", "installation-legacy"),
    ];
    KINDS.iter().find(|(prefix, _)| token.starts_with(prefix)).map_or("unknown", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::question::Cause;

    const POLICIES: [PriorityPolicy; 3] =
        [PriorityPolicy::Required, PriorityPolicy::Advisory, PriorityPolicy::Off];

    fn issue(number: u64, labels: &[&str]) -> Issue {
        Issue {
            number,
            title: format!("issue {number}"),
            url: None,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            open: true,
            pull_request: false,
        }
    }

    fn rules() -> Rules {
        Rules {
            labels: vec!["standing-priority".to_owned()],
            fork_labels: vec!["fork-standing-priority".to_owned()],
            excluded_label: "standing-excluded".to_owned(),
            epics: vec![3],
        }
    }

    fn nobody() -> Answer {
        Answer::Nobody { read: vec![Searched::new(&"a/b".parse().unwrap(), &["x"], [4])] }
    }

    #[test]
    fn only_a_proven_absence_is_an_absence() {
        let found = |candidates: &[u64]| Answer::Found {
            issue: issue(1, &["standing-priority"]),
            label: "standing-priority".to_owned(),
            repository: "a/b".parse().unwrap(),
            candidates: candidates.to_vec(),
        };
        let mut answers = vec![
            (found(&[1]), false),
            (found(&[1, 2]), false),
            (
                Answer::Overridden { issue: "#7".parse().unwrap(), source: "a flag".to_owned() },
                false,
            ),
            (Answer::Undecided("why".to_owned()), true),
            (Answer::Moot("why".to_owned()), false),
            (Answer::NoToken, true),
            (nobody(), true),
        ];
        answers.extend(Cause::ALL.map(|cause| {
            let trouble = Trouble::new(cause, "why");
            (Answer::Trouble { trouble, repository: "a/b".parse().unwrap() }, true)
        }));
        assert!(findings(&Answer::Cancelled, PriorityPolicy::Required, Multiple::Block).is_empty());
        for (answer, blocks_when_required) in answers {
            for policy in POLICIES {
                for multiple in [Multiple::Warn, Multiple::Block] {
                    let findings = findings(&answer, policy, multiple);
                    let none =
                        findings.iter().any(|f| f.code() == ReasonCode::StandingPriorityNone);
                    assert_eq!(none, answer == nobody(), "{answer:?}");
                    let several = answer == found(&[1, 2]) && multiple == Multiple::Block;
                    let blocked =
                        blocks_when_required && policy == PriorityPolicy::Required || several;
                    assert_eq!(
                        findings.iter().any(Finding::stops),
                        blocked,
                        "{answer:?} {policy:?} {multiple:?}"
                    );
                    assert_eq!(findings.len(), 1, "one cause, one code");
                }
            }
        }
    }

    #[test]
    fn what_is_closed_excluded_an_epic_or_a_pull_request_does_not_count() {
        let mut issues = vec![
            issue(9, &["Standing-Priority "]),
            issue(5, &["other"]),
            issue(4, &["standing-priority", "STANDING-EXCLUDED"]),
            issue(3, &["standing-priority"]),
            issue(2, &["standing-priority"]),
            issue(1, &["standing-priority"]),
            issue(9, &["standing-priority"]),
        ];
        issues[4].open = false;
        issues[5].pull_request = true;
        let picked = pick(&issues, "standing-priority", &rules());
        assert_eq!(
            (picked.candidates, picked.lowest.map(|issue| issue.number)),
            (vec![9], Some(9))
        );
        assert_eq!(picked.left_out, [3, 4]);
    }

    #[test]
    fn a_fork_has_its_own_label_first_and_no_label_twice() {
        assert_eq!(rules().labels_of(false), ["standing-priority"]);
        assert_eq!(rules().labels_of(true), ["fork-standing-priority", "standing-priority"]);
        let mut same = rules();
        same.fork_labels = vec!["Standing-Priority".to_owned()];
        assert_eq!(same.labels_of(true), ["Standing-Priority"]);
        assert!(can_be_asked_for("a b") && !can_be_asked_for("a, b"));
    }

    #[test]
    fn a_tokens_kind_is_its_prefix() {
        for (token, kind) in
            [("ghs_x", "installation"), ("github_pat_x", "personal-fine-grained"), ("x", "unknown")]
        {
            assert_eq!(token_kind(token), kind);
        }
    }
}
