//! Standing priority: what the policy makes of what is known.

use super::config::PriorityPolicy;
use super::fault::{Fault, Finding, charge, good};
use super::reason::{Layer, ReasonCode};

/// What is said where nothing was looked up: the policy decides whether that matters.
///
/// "Could not look it up" is never shown as "there is none".
pub(crate) fn not_looked_up(policy: PriorityPolicy, token_present: bool) -> Vec<Finding> {
    if policy == PriorityPolicy::Off {
        return vec![good(
            ReasonCode::StandingPriorityNotRequired,
            Layer::Context,
            "policy off: no standing priority was looked up",
        )];
    }
    let unknown = charge(
        &Fault::StandingPriorityUnknown("this version does not look issues up at GitHub".to_owned()),
        Layer::Context,
    );
    let mut findings = vec![if policy == PriorityPolicy::Required { unknown.blocking() } else { unknown }];
    if !token_present {
        findings.push(charge(&Fault::TokenMissing, Layer::Context));
    }
    findings
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

    #[test]
    fn unknown_is_not_none_under_any_policy() {
        for (policy, blocks) in
            [(PriorityPolicy::Required, true), (PriorityPolicy::Advisory, false), (PriorityPolicy::Off, false)]
        {
            for token in [true, false] {
                let findings = not_looked_up(policy, token);
                assert!(findings.iter().all(|f| f.code() != ReasonCode::StandingPriorityNone));
                assert_eq!(findings.iter().any(Finding::stops), blocks, "{policy:?} {token}");
            }
        }
    }
}
