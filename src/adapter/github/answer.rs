//! What an answer says: status, headers and body read into a record or a refusal. Pure.
//!
//! Source: GitHub's REST documentation on troubleshooting, rate limits and pagination.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Url;
use serde::Deserialize;

use super::Record;
use super::transport::Raw;
use crate::adapter::http::place;
use crate::domain::question::{Cause, Trouble};

/// An answer that can be used.
pub(super) enum Reply<T> {
    /// 304: what the cache holds still holds.
    NotModified,
    /// 200.
    Fresh { value: T, etag: Option<String>, next: Option<Url> },
}

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Backoff,
    After(Duration),
}

/// An answer that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) trouble: Trouble,
    pub(super) retry: Retry,
}

impl Refusal {
    fn never(cause: Cause, detail: String) -> Self {
        Self { trouble: Trouble::new(cause, detail), retry: Retry::Never }
    }

    /// There was none.
    pub(super) fn of_no_answer(trouble: Trouble) -> Self {
        let again =
            matches!(trouble.cause, Cause::NotConnected | Cause::NameUnresolved | Cause::TimedOut | Cause::Truncated);
        Self { trouble, retry: if again { Retry::Backoff } else { Retry::Never } }
    }
}

/// Reads an answer of the API at `api`.
pub(super) fn read<T: Record>(raw: &Raw, api: &Url) -> Result<Reply<T>, Refusal> {
    match raw.status {
        304 => Ok(Reply::NotModified),
        200 => {
            let value = T::read(&raw.body).map_err(|error| unreadable(raw, api, &error))?;
            let next = next_page(raw, api)?;
            Ok(Reply::Fresh { value, etag: raw.header("etag").map(str::to_owned), next })
        }
        _ => Err(refusal(raw, api)),
    }
}

fn refusal(raw: &Raw, api: &Url) -> Refusal {
    let (status, says) = (raw.status, said(raw));
    let place = place(api);
    let never = |cause, detail: String| Refusal::never(cause, format!("{detail} ({status}{says})"));
    let limited = matches!(status, 403 | 429);
    if limited && raw.number("x-ratelimit-remaining") == Some(0) && raw.header("retry-after").is_none() {
        return primary_limit(raw, status);
    }
    if status == 429 || (limited && asks_to_slow_down(raw)) {
        return secondary_limit(raw, &format!("{status}{says}"));
    }
    match status {
        401 => never(Cause::BadCredentials, format!("{place} does not know the token")),
        403 if is_page(&raw.body) => {
            never(Cause::Html, format!("a page came where {place} should have answered; is there a proxy before it?"))
        }
        403 => {
            let needs = raw.header("x-accepted-github-permissions").map(bounded).filter(|needs| !needs.is_empty());
            let needs = needs.map_or_else(String::new, |needs| format!("; it needs {needs}"));
            let sso =
                if raw.header("x-github-sso").is_some() { "; its organisation asks for single sign-on" } else { "" };
            never(Cause::PermissionMissing, format!("the token may not read this{needs}{sso}"))
        }
        404 | 451 => never(Cause::NotFound, format!("{place} knows no such repository, or the token may not see it")),
        407 => never(Cause::ProxyRefused, format!("the proxy before {place} wants credentials")),
        410 => never(Cause::IssuesDisabled, "issues are switched off".to_owned()),
        300..=399 => {
            let to = raw.header("location").map(bounded).unwrap_or_default();
            never(
                Cause::RedirectedAway,
                format!("{place} sends elsewhere, to {to:?}; if that is the API, set GITHUB_API_URL to it"),
            )
        }
        408 => Refusal {
            trouble: Trouble::new(Cause::TimedOut, format!("{place} gave up waiting (408)")),
            retry: Retry::Backoff,
        },
        500..=599 => {
            let retry = retry_after(raw).map_or(Retry::Backoff, Retry::After);
            Refusal {
                trouble: Trouble::new(Cause::ServerError, format!("{place} has an error of its own ({status}{says})")),
                retry,
            }
        }
        _ => never(Cause::Refused, format!("{place} refuses the question")),
    }
}

fn primary_limit(raw: &Raw, status: u16) -> Refusal {
    let reset = raw.number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(i64::try_from(at).ok()?).ok());
    let until = reset.map_or_else(String::new, |reset| format!("; it is full again at {reset}"));
    let trouble = Trouble::new(Cause::PrimaryLimit, format!("the token's hourly limit is used up ({status}){until}"));
    // By the server's clock, so that a host whose own is wrong waits as long as it is asked to.
    let wait = reset.zip(server_time(raw)).map(|(reset, now)| reset.duration_since(now));
    let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
    Refusal { trouble, retry: wait.map_or(Retry::Never, |wait| Retry::After(wait + Duration::from_secs(1))) }
}

fn secondary_limit(raw: &Raw, what: &str) -> Refusal {
    // Without a time of its own, GitHub asks for a minute at least.
    let wait = retry_after(raw).unwrap_or(Duration::from_secs(60));
    let detail = format!("GitHub asks to slow down for {} s ({what})", wait.as_secs());
    Refusal { trouble: Trouble::new(Cause::SecondaryLimit, detail), retry: Retry::After(wait) }
}

fn asks_to_slow_down(raw: &Raw) -> bool {
    let message = message(raw).to_ascii_lowercase();
    raw.header("retry-after").is_some()
        || message.contains("secondary rate limit")
        || message.contains("abuse detection")
}

/// `Retry-After`: seconds, or a date.
fn retry_after(raw: &Raw) -> Option<Duration> {
    let text = raw.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(text)?.duration_since(server_time(raw)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn server_time(raw: &Raw) -> Option<Timestamp> {
    http_date(raw.header("date")?)
}

fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(&text.replace("GMT", "+0000")).ok().map(|time| time.timestamp())
}

fn unreadable(raw: &Raw, api: &Url, error: &serde_json::Error) -> Refusal {
    let place = place(api);
    if is_page(&raw.body) {
        return Refusal::never(
            Cause::Html,
            format!("a page came where {place} should have answered; is there a proxy before it?"),
        );
    }
    let cut = error.is_eof() && !raw.body.is_empty();
    match () {
        () if cut => Refusal::of_no_answer(Trouble::new(Cause::Truncated, format!("the answer of {place} broke off"))),
        () if error.is_data() => Refusal::never(
            Cause::UnexpectedShape,
            format!("{place} answers in a shape that this version does not know"),
        ),
        () => Refusal::never(Cause::NotJson, format!("{place} answers with something that is not JSON")),
    }
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// GitHub's own words, where it has any.
fn message(raw: &Raw) -> String {
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    serde_json::from_slice::<Message>(&raw.body).map(|m| bounded(&m.message)).unwrap_or_default()
}

fn said(raw: &Raw) -> String {
    let message = message(raw);
    if message.is_empty() { message } else { format!(": {message}") }
}

fn bounded(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The page that `Link: <...>; rel="next"` names. Page addresses are never made here: GitHub's own
/// name the repository by its number.
fn next_page(raw: &Raw, api: &Url) -> Result<Option<Url>, Refusal> {
    let mut links = raw.headers.get_all("link").iter().filter_map(|value| value.to_str().ok()).flat_map(split_links);
    let Some((target, _)) = links.find(|(_, parameters)| is_next(parameters)) else { return Ok(None) };
    let bad = |why: &str| {
        let detail = format!("{} names a next page that {why}", place(api));
        Refusal::never(Cause::BadPagination, detail)
    };
    let url = api.join(target).map_err(|_| bad("is no address"))?;
    if url.origin() != api.origin() {
        return Err(bad("is on another server"));
    }
    Ok(Some(url))
}

/// `<target>; parameters, <target>; parameters`: a comma may stand in a target.
fn split_links(header: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    let mut rest = header;
    while let Some((target, after)) = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        let end = after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len());
        let (parameters, next) = after.split_at(end);
        links.push((target, parameters));
        rest = next;
    }
    links
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|rel| rel == "next")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderMap, HeaderName, HeaderValue};

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Anything(serde_json::Value);
    impl Record for Anything {
        fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
            serde_json::from_slice(body).map(Anything)
        }
    }

    fn raw(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Raw {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Raw { status, headers: map, body: body.as_bytes().to_vec() }
    }

    fn api() -> Url {
        "https://ghe.example/api/v3".parse().unwrap()
    }

    fn refused(raw: &Raw) -> (Cause, Retry) {
        match read::<Anything>(raw, &api()) {
            Err(refusal) => (refusal.trouble.cause, refusal.retry),
            Ok(_) => panic!("{} was taken for an answer", raw.status),
        }
    }

    #[test]
    fn limits_and_permissions_are_told_apart() {
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        let after = |seconds| Retry::After(Duration::from_secs(seconds));
        let spent = ("x-ratelimit-remaining", "0");
        for (what, raw, owed) in [
            (
                "primary",
                raw(403, &[spent, date, ("x-ratelimit-reset", "1795255230")], ""),
                (Cause::PrimaryLimit, after(31)),
            ),
            ("primary by 429", raw(429, &[spent], "{}"), (Cause::PrimaryLimit, Retry::Never)),
            ("secondary", raw(403, &[spent, ("retry-after", "7")], ""), (Cause::SecondaryLimit, after(7))),
            (
                "secondary by a date",
                raw(429, &[date, ("retry-after", "Sat, 21 Nov 2026 10:00:09 GMT")], ""),
                (Cause::SecondaryLimit, after(9)),
            ),
            (
                "secondary by its words",
                raw(403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#),
                (Cause::SecondaryLimit, after(60)),
            ),
            (
                "permission",
                raw(403, &[("x-ratelimit-remaining", "9")], r#"{"message":"Resource not accessible"}"#),
                (Cause::PermissionMissing, Retry::Never),
            ),
            ("a proxy's page", raw(403, &[], " <html>"), (Cause::Html, Retry::Never)),
        ] {
            assert_eq!(refused(&raw), owed, "{what}");
        }
    }

    #[test]
    fn the_missing_permission_is_named() {
        let raw = raw(403, &[("x-accepted-github-permissions", "issues=read")], r#"{"message":"no"}"#);
        let Err(refusal) = read::<Anything>(&raw, &api()) else { panic!() };
        assert_eq!(refusal.trouble.detail, "the token may not read this; it needs issues=read (403: no)");
    }

    #[test]
    fn the_next_page_is_the_one_that_is_named() {
        let next = |link: &'static str| match read::<Anything>(&raw(200, &[("link", link)], "[]"), &api()) {
            Ok(Reply::Fresh { next, .. }) => Ok(next.map(|url| url.to_string())),
            Err(refusal) => Err(refusal.trouble.cause),
            Ok(Reply::NotModified) => panic!(),
        };
        let two = "https://ghe.example/api/v3/repositories/7/issues?labels=a,b&page=2";
        assert_eq!(
            next(
                "<https://ghe.example/x?page=1>; rel=\"prev\", <https://ghe.example/api/v3/repositories/7/issues?labels=a,b&page=2>; rel=\"next\""
            ),
            Ok(Some(two.to_owned()))
        );
        assert_eq!(next("<https://ghe.example/x>; rel=\"last\""), Ok(None));
        assert_eq!(next("<https://ghe.example/x>; title=\"next\"; rel=prev"), Ok(None));
        assert_eq!(next("</y?page=2>;REL=next"), Ok(Some("https://ghe.example/y?page=2".to_owned())));
        assert_eq!(next("<https://evil.example/x>; rel=\"next\""), Err(Cause::BadPagination));
        assert_eq!(next("<http://ghe.example/x>; rel=\"next\""), Err(Cause::BadPagination));
        assert_eq!(next("nonsense, <"), Ok(None));
    }
}
