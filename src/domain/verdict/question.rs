//! What a question to GitHub came to where it was not answered: every cause told apart, and the
//! reason code that each has. None of them ever reads as "there is none".

use serde::Serialize;

use crate::domain::run::ids::RepoSlug;
use crate::domain::verdict::reason::ReasonCode;

/// Why a question was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// 401.
    BadCredentials,
    /// The token holds what no header can.
    TokenUnusable,
    /// 403 for want of a permission.
    PermissionMissing,
    /// The repository is visible to the token and its issues are not.
    IssuesHidden,
    /// The hourly limit is used up.
    PrimaryLimit,
    /// GitHub asks to slow down.
    SecondaryLimit,
    /// 404, or 451.
    NotFound,
    /// 410, or `has_issues: false`.
    IssuesDisabled,
    /// 5xx.
    ServerError,
    /// No answer in time.
    TimedOut,
    /// The name has no address.
    NameUnresolved,
    /// Nobody answers at the address, or hung up before answering.
    NotConnected,
    /// A proxy wants credentials (407).
    ProxyRefused,
    /// No connection that can be trusted.
    Tls,
    /// A page where JSON was due.
    Html,
    /// Something else where JSON was due.
    NotJson,
    /// JSON of another shape.
    UnexpectedShape,
    /// The answer broke off.
    Truncated,
    /// The answer is larger than any that is due.
    TooLarge,
    /// A redirect to another server, or in circles.
    RedirectedAway,
    /// A next page that cannot be one: on another server, or seen before.
    BadPagination,
    /// Any other status: the question is refused as it stands.
    Refused,
}

impl Cause {
    /// Every cause, those of one reason code together.
    pub(crate) const ALL: [Cause; 22] = [
        Cause::BadCredentials,
        Cause::TokenUnusable,
        Cause::PermissionMissing,
        Cause::IssuesHidden,
        Cause::PrimaryLimit,
        Cause::SecondaryLimit,
        Cause::NotFound,
        Cause::IssuesDisabled,
        Cause::ServerError,
        Cause::TimedOut,
        Cause::NameUnresolved,
        Cause::NotConnected,
        Cause::ProxyRefused,
        Cause::Tls,
        Cause::Html,
        Cause::NotJson,
        Cause::UnexpectedShape,
        Cause::Truncated,
        Cause::TooLarge,
        Cause::RedirectedAway,
        Cause::BadPagination,
        Cause::Refused,
    ];

    /// When it is said.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Cause::BadCredentials => "401",
            Cause::TokenUnusable => {
                "the token contains characters that a header cannot; no request was sent"
            }
            Cause::PermissionMissing => {
                "403 because a permission is missing; the detail names it if GitHub does"
            }
            Cause::IssuesHidden => "404 for the issues of a repository that the token sees",
            Cause::PrimaryLimit => "403 or 429, and the quota of the hour is used up",
            Cause::SecondaryLimit => "403 or 429, and GitHub asks to slow down",
            Cause::NotFound => "404 or 451",
            Cause::IssuesDisabled => "410, or `has_issues: false`",
            Cause::ServerError => "5xx",
            Cause::TimedOut => "no answer in time, or 408",
            Cause::NameUnresolved => "the host name could not be resolved",
            Cause::NotConnected => "the connection failed, or it was closed before an answer",
            Cause::ProxyRefused => "407, or a proxy that opens no tunnel",
            Cause::Tls => "a certificate that is not trusted, or no TLS at all",
            Cause::Html => "an HTML page, for example of a proxy that asks to sign in",
            Cause::NotJson => "200, but the body is not JSON",
            Cause::UnexpectedShape => "200, but the JSON has an unexpected structure",
            Cause::Truncated => "the answer was incomplete",
            Cause::TooLarge => "an answer of more than 40 MiB",
            Cause::RedirectedAway => "a redirect to another server, or a redirect loop",
            Cause::BadPagination => {
                "a next page that is on another server, missing, repeated or ambiguous, or an \
                 unreadable `Link`"
            }
            Cause::Refused => "any other status",
        }
    }

    /// The reason code: one per remedy.
    pub(crate) const fn code(self) -> ReasonCode {
        match self {
            Cause::BadCredentials | Cause::TokenUnusable => ReasonCode::TokenUnauthorized,
            Cause::PermissionMissing | Cause::IssuesHidden => ReasonCode::TokenForbidden,
            Cause::PrimaryLimit | Cause::SecondaryLimit => ReasonCode::RateLimited,
            Cause::NotFound => ReasonCode::RepositoryNotFound,
            Cause::IssuesDisabled => ReasonCode::IssuesDisabled,
            Cause::ServerError => ReasonCode::ApiServerError,
            Cause::TimedOut => ReasonCode::ApiTimedOut,
            Cause::NameUnresolved | Cause::NotConnected | Cause::ProxyRefused => {
                ReasonCode::ApiUnreachable
            }
            Cause::Tls => ReasonCode::ApiTlsFailed,
            Cause::Html
            | Cause::NotJson
            | Cause::UnexpectedShape
            | Cause::Truncated
            | Cause::TooLarge
            | Cause::RedirectedAway
            | Cause::BadPagination => ReasonCode::ApiMalformed,
            Cause::Refused => ReasonCode::ApiRefused,
        }
    }

    /// What is known of the token after it; nothing where GitHub did not get to look at it.
    pub(crate) const fn probe(self) -> Option<Probe> {
        match self {
            Cause::BadCredentials | Cause::TokenUnusable => Some(Probe::Unauthorized),
            Cause::PermissionMissing | Cause::IssuesHidden => Some(Probe::Forbidden),
            Cause::IssuesDisabled => Some(Probe::Accepted),
            _ => None,
        }
    }
}

/// What a probe of the token came to. The probe is the look-up itself: no other question tells
/// whether the token can do what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Probe {
    /// GitHub answered with it.
    Accepted,
    /// GitHub does not know it (401), or it cannot be sent.
    Unauthorized,
    /// It lacks a permission.
    Forbidden,
    /// There was no answer to tell by.
    Unknown,
}

/// A cause or probe as receipts write it.
pub(crate) fn word(of: &impl Serialize) -> Option<String> {
    serde_json::to_value(of).ok()?.as_str().map(str::to_owned)
}

/// A question that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Why.
    pub(crate) cause: Cause,
    /// One line for a person.
    pub(crate) detail: String,
}

impl Trouble {
    /// A trouble with its line.
    pub(crate) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

/// A repository whose every page was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Searched {
    /// It.
    pub(crate) repository: RepoSlug,
    /// The labels that were looked for.
    pub(crate) labels: Vec<String>,
    /// Issues that carry one and were left out.
    pub(crate) left_out: Vec<u64>,
}

impl Searched {
    /// A repository that was read in vain.
    pub(crate) fn new(
        repository: &RepoSlug,
        labels: &[&str],
        left_out: impl IntoIterator<Item = u64>,
    ) -> Self {
        Self {
            repository: repository.clone(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            left_out: left_out.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_reads_as_an_empty_queue() {
        for cause in Cause::ALL {
            assert!(
                word(&cause)
                    .is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
            );
            assert!(!cause.code().as_str().starts_with("standing-priority"), "{cause:?}");
        }
    }
}
