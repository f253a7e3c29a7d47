//! What a question to GitHub came to where it was not answered: every cause told apart, and the
//! reason code that each has. None of them ever reads as "there is none".

use serde::Serialize;

use super::reason::ReasonCode;

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
    /// Every cause.
    #[cfg(test)]
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
            Cause::NameUnresolved | Cause::NotConnected | Cause::ProxyRefused => ReasonCode::ApiUnreachable,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_reads_as_an_empty_queue() {
        for cause in Cause::ALL {
            assert!(word(&cause).is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
            assert!(!cause.code().as_str().starts_with("standing-priority"), "{cause:?}");
        }
    }
}
