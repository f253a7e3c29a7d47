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
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::question::{Cause, Trouble};

/// An answer that can be used.
pub(super) enum Reply<T> {
    /// 304: what the cache holds still holds, but for the next page where one is named.
    NotModified { next: Option<Url> },
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
        let again = matches!(
            trouble.cause,
            Cause::NotConnected | Cause::NameUnresolved | Cause::TimedOut | Cause::Truncated
        );
        Self { trouble, retry: if again { Retry::Backoff } else { Retry::Never } }
    }
}

/// Reads an answer to the question for `url`.
pub(super) fn read<T: Record>(
    raw: &Raw,
    url: &Url,
    redactor: &Redactor,
) -> Result<Reply<T>, Refusal> {
    match raw.status {
        304 => Ok(Reply::NotModified { next: next_page(raw, url)? }),
        200 => {
            let value =
                T::read(&raw.body, redactor).map_err(|error| unreadable(raw, url, &error))?;
            let next = next_page(raw, url)?;
            Ok(Reply::Fresh { value, etag: raw.header("etag").map(str::to_owned), next })
        }
        _ => Err(refusal(raw, url, T::OF_ISSUES, redactor)),
    }
}

fn refusal(raw: &Raw, url: &Url, of_issues: bool, redactor: &Redactor) -> Refusal {
    let (status, says) = (raw.status, said(raw, redactor));
    let place = place(url);
    let bounded = |text: &str| bounded(text, redactor);
    let never = |cause, detail: String| Refusal::never(cause, format!("{detail} ({status}{says})"));
    let limited = matches!(status, 403 | 429);
    if limited
        && raw.number("x-ratelimit-remaining") == Some(0)
        && raw.header("retry-after").is_none()
    {
        // The last request of the hour may be refused for a reason of its own.
        let other =
            raw.header("x-accepted-github-permissions").is_some_and(|needs| !needs.is_empty());
        if !other || message(raw).to_ascii_lowercase().contains("rate limit") {
            return primary_limit(raw, &format!("{status}{says}"));
        }
    }
    // GitHub's errors are JSON, but for its own server errors and where it is asked too much at
    // once.
    let may_be_a_page = matches!(status, 300..=399 | 407 | 429 | 500..=510 | 512..=599);
    if is_page(&raw.body) && !may_be_a_page {
        return never(
            Cause::Html,
            format!("a page came where {place} should have answered; is there a proxy before it?"),
        );
    }
    if status == 429 || (limited && asks_to_slow_down(raw)) {
        return secondary_limit(raw, &format!("{status}{says}"));
    }
    match status {
        401 => never(Cause::BadCredentials, format!("{place} does not know the token")),
        403 => {
            let needs = raw
                .header("x-accepted-github-permissions")
                .map(bounded)
                .filter(|needs| !needs.is_empty());
            let needs = needs.map_or_else(String::new, |needs| format!("; it needs {needs}"));
            let sso = if raw.header("x-github-sso").is_some() {
                "; its organisation asks for single sign-on"
            } else {
                ""
            };
            never(Cause::PermissionMissing, format!("the token may not read this{needs}{sso}"))
        }
        410 if of_issues => {
            never(Cause::IssuesDisabled, "the repository's issues are switched off".to_owned())
        }
        404 if of_issues && is_later_page(url) => {
            never(Cause::BadPagination, format!("{place} names a next page that is not there"))
        }
        // Whoever asks for issues has seen the repository a moment ago.
        404 if of_issues => never(
            Cause::IssuesHidden,
            "the token sees the repository and not its issues; it needs issues: read".to_owned(),
        ),
        404 | 451 => never(
            Cause::NotFound,
            format!("{place} knows no such repository, or the token may not see it"),
        ),
        407 => never(Cause::ProxyRefused, format!("the proxy before {place} wants credentials")),
        300..=399 => {
            let to = raw.header("location").map(bounded).unwrap_or_default();
            let detail = format!(
                "{place} sends in circles or elsewhere, to {to:?}; if that is the API, set \
                 GITHUB_API_URL to it"
            );
            never(Cause::RedirectedAway, detail)
        }
        408 => Refusal {
            trouble: Trouble::new(Cause::TimedOut, format!("{place} gave up waiting (408)")),
            retry: Retry::Backoff,
        },
        500..=510 | 512..=599 => {
            let detail = format!("{place} has an error of its own ({status}{says})");
            let retry = retry_after(raw).map_or(Retry::Backoff, Retry::After);
            Refusal { trouble: Trouble::new(Cause::ServerError, detail), retry }
        }
        _ => never(Cause::Refused, format!("{place} refuses the question")),
    }
}

/// What is asked first names no page.
fn is_later_page(url: &Url) -> bool {
    url.query_pairs()
        .any(|(name, _)| ["page", "after", "before", "cursor"].contains(&name.as_ref()))
}

fn primary_limit(raw: &Raw, what: &str) -> Refusal {
    let reset = raw
        .number("x-ratelimit-reset")
        .and_then(|at| Timestamp::from_second(i64::try_from(at).ok()?).ok());
    let until = reset.map_or_else(String::new, |reset| format!("; it is full again at {reset}"));
    let trouble = Trouble::new(
        Cause::PrimaryLimit,
        format!("the token's hourly limit is used up ({what}){until}"),
    );
    // By the server's clock, so that a host whose own is wrong waits as long as it is asked to.
    let wait = reset.zip(server_time(raw)).map(|(reset, now)| reset.duration_since(now));
    // A time that is over is no wait.
    let wait = wait.map(|wait| Duration::try_from(wait).unwrap_or_default());
    Refusal {
        trouble,
        retry: wait.map_or(Retry::Never, |wait| Retry::After(wait + Duration::from_secs(1))),
    }
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

fn unreadable(raw: &Raw, url: &Url, error: &serde_json::Error) -> Refusal {
    let place = place(url);
    if is_page(&raw.body) {
        return Refusal::never(
            Cause::Html,
            format!("a page came where {place} should have answered; is there a proxy before it?"),
        );
    }
    let cut = error.is_eof() && !raw.body.trim_ascii().is_empty();
    match () {
        () if cut => Refusal::of_no_answer(Trouble::new(
            Cause::Truncated,
            format!("the answer of {place} broke off"),
        )),
        () if error.is_data() => Refusal::never(
            Cause::UnexpectedShape,
            format!("{place} answers in a shape that this version does not know"),
        ),
        () => Refusal::never(
            Cause::NotJson,
            format!("{place} answers with something that is not JSON"),
        ),
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
    serde_json::from_slice::<Message>(&raw.body)
        .map(|reported| reported.message)
        .unwrap_or_default()
}

fn said(raw: &Raw, redactor: &Redactor) -> String {
    let message = bounded(&message(raw), redactor);
    if message.is_empty() { message } else { format!(": {message}") }
}

/// Masked first: a secret that is cut is not known any more.
fn bounded(text: &str, redactor: &Redactor) -> String {
    redactor.mask_text(text).chars().take(200).collect()
}

/// The page that `Link: <...>; rel="next"` names. Page addresses are never made here: GitHub's own
/// name the repository by its number. A header that cannot be read whole is no last page.
fn next_page(raw: &Raw, url: &Url) -> Result<Option<Url>, Refusal> {
    let bad = |why: &str| {
        Refusal::never(Cause::BadPagination, format!("{} names a next page that {why}", place(url)))
    };
    let mut next: Option<Url> = None;
    for header in raw.headers.get_all("link") {
        let text = std::str::from_utf8(header.as_bytes()).map_err(|_| bad("cannot be read"))?;
        for (target, parameters) in links(text).ok_or_else(|| bad("cannot be read"))? {
            if !parameters.iter().any(|(name, value)| is_next(name, value)) {
                continue;
            }
            let target = url.join(target).map_err(|_| bad("is no address"))?;
            if target.origin() != url.origin() {
                return Err(bad("is on another server"));
            }
            if next.as_ref().is_some_and(|known| *known != target) {
                return Err(bad("is two pages"));
            }
            next = Some(target);
        }
    }
    Ok(next)
}

fn is_next(name: &str, value: &str) -> bool {
    let mut relations = value.split_ascii_whitespace();
    name.eq_ignore_ascii_case("rel")
        && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The links of a header, `<target>; name="value"; ..., <target>; ...` (RFC 8288, section 3). None
/// where anything in it is not of that form.
fn links(header: &str) -> Option<Vec<(&str, Parameters<'_>)>> {
    let mut links = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let mut parameters = Vec::new();
        rest = after.trim_start();
        while let Some(after) = rest.strip_prefix(';') {
            let after = after.trim_start();
            let end = after.find(['=', ';', ',']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            let (value, after) = match after.strip_prefix('=').map(str::trim_start) {
                None => ("", after),
                Some(after) => match after.strip_prefix('"') {
                    Some(quoted) => quoted.split_once('"')?,
                    None => after.split_at(after.find([';', ',']).unwrap_or(after.len())),
                },
            };
            parameters.push((name.trim(), value.trim().trim_matches('\'')));
            rest = after.trim_start();
        }
        links.push((target, parameters));
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
    Some(links)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{HeaderMap, HeaderName, HeaderValue};

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Anything(serde_json::Value);
    impl Record for Anything {
        const OF_ISSUES: bool = true;

        fn read(body: &[u8], _: &Redactor) -> Result<Self, serde_json::Error> {
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
        "https://ghe.example/api/v3/issues?page=1".parse().unwrap()
    }

    fn redactor() -> Redactor {
        Redactor::new([("A_TOKEN", "a-secret-value")], [])
    }

    fn refused(raw: &Raw) -> (Cause, Retry) {
        match read::<Anything>(raw, &api(), &redactor()) {
            Err(refusal) => (refusal.trouble.cause, refusal.retry),
            Ok(_) => panic!("{} was taken for an answer", raw.status),
        }
    }

    #[test]
    fn limits_and_permissions_are_distinguished() {
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        let after = |seconds| Retry::After(Duration::from_secs(seconds));
        let spent = ("x-ratelimit-remaining", "0");
        for (what, raw, expected) in [
            (
                "primary",
                raw(403, &[spent, date, ("x-ratelimit-reset", "1795255230")], ""),
                (Cause::PrimaryLimit, after(31)),
            ),
            ("primary by 429", raw(429, &[spent], "{}"), (Cause::PrimaryLimit, Retry::Never)),
            (
                "secondary",
                raw(403, &[spent, ("retry-after", "7")], ""),
                (Cause::SecondaryLimit, after(7)),
            ),
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
                raw(
                    403,
                    &[("x-ratelimit-remaining", "9")],
                    r#"{"message":"Resource not accessible"}"#,
                ),
                (Cause::PermissionMissing, Retry::Never),
            ),
            (
                "the last request, refused",
                raw(
                    403,
                    &[spent, ("x-accepted-github-permissions", "issues=read")],
                    r#"{"message":"no"}"#,
                ),
                (Cause::PermissionMissing, Retry::Never),
            ),
            ("a proxy's page", raw(403, &[], " <html>"), (Cause::Html, Retry::Never)),
        ] {
            assert_eq!(refused(&raw), expected, "{what}");
        }
    }

    #[test]
    fn the_missing_permission_is_named() {
        let raw =
            raw(403, &[("x-accepted-github-permissions", "issues=read")], r#"{"message":"no"}"#);
        let Err(refusal) = read::<Anything>(&raw, &api(), &redactor()) else { panic!() };
        assert_eq!(
            refusal.trouble.detail,
            "the token may not read this; it needs issues=read (403: no)"
        );
    }

    #[test]
    fn the_next_page_is_the_one_that_is_named() {
        let next = |link: &'static str| match read::<Anything>(
            &raw(200, &[("link", link)], "[]"),
            &api(),
            &redactor(),
        ) {
            Ok(Reply::Fresh { next, .. }) => Ok(next.map(|url| url.to_string())),
            Err(refusal) => Err(refusal.trouble.cause),
            Ok(Reply::NotModified { .. }) => panic!(),
        };
        let two = "https://ghe.example/api/v3/repositories/7/issues?labels=a,b&page=2";
        assert_eq!(
            next(
                "<https://ghe.example/x?page=1>; rel=\"prev\", \
                 <https://ghe.example/api/v3/repositories/7/issues?labels=a,b&page=2>; rel=\"next\""
            ),
            Ok(Some(two.to_owned()))
        );
        assert_eq!(next("<https://ghe.example/x>; rel=\"last\""), Ok(None));
        assert_eq!(next("<https://ghe.example/x>; title=\"next\"; rel=prev"), Ok(None));
        assert_eq!(
            next("</y?page=2>;REL=next"),
            Ok(Some("https://ghe.example/y?page=2".to_owned()))
        );
        assert_eq!(next("<https://evil.example/x>; rel=\"next\""), Err(Cause::BadPagination));
        assert_eq!(next("<http://ghe.example/x>; rel=\"next\""), Err(Cause::BadPagination));
        for (link, page) in [
            ("</r?page=9>; rel=\"last\",  </r?page=2>; rel=\"next\"", "2"),
            (
                "</r?page=9>; rel=last ,\t</r?page=2> ; title=\"a, <b>; rel=prev\" ; rel=\"Next\"",
                "2",
            ),
            (
                "</r?page=9>; rel=\"last\", </r?page=2>; rel=\"next\",</r?page=0>; rel=\"first\"",
                "2",
            ),
            ("</r?page=2>; rel='next'", "2"),
            ("</r?page=2>; rel=\"next last\", </r?page=2>; rel=\"next\"", "2"),
        ] {
            assert_eq!(
                next(link),
                Ok(Some(format!("https://ghe.example/r?page={page}"))),
                "{link}"
            );
        }
        // Relative to the page that names it.
        assert_eq!(
            next("<?page=2>; rel=next"),
            Ok(Some("https://ghe.example/api/v3/issues?page=2".to_owned()))
        );
        for link in [
            "nonsense, <",
            "https://ghe.example/r?page=2; rel=\"next\"",
            "</r?page=2; rel=\"next\"",
            "</r?page=2>; rel=\"next",
            "</r?page=2>; rel=\"next\" </r>; rel=last",
            "</r?page=2>; rel=next, </r?page=3>; rel=next",
        ] {
            assert_eq!(next(link), Err(Cause::BadPagination), "{link}");
        }
    }

    #[test]
    fn a_link_that_is_no_text_is_no_last_page() {
        let mut answer = raw(200, &[], "[]");
        answer.headers.append(
            "link",
            HeaderValue::from_bytes(b"<https://ghe.example/r?l=h\xf6&page=2>; rel=\"next\"")
                .unwrap(),
        );
        assert_eq!(refused(&answer).0, Cause::BadPagination);
        let mut answer = raw(200, &[], "[]");
        let raw_utf8 = "</r?l=höchste&page=2>; rel=\"next\"";
        answer.headers.append("link", HeaderValue::from_bytes(raw_utf8.as_bytes()).unwrap());
        let Ok(Reply::Fresh { next: Some(next), .. }) =
            read::<Anything>(&answer, &api(), &redactor())
        else {
            panic!()
        };
        assert_eq!(next.query(), Some("l=h%C3%B6chste&page=2"));
    }

    #[test]
    fn a_secret_is_masked_before_it_is_cut() {
        let body = format!(r#"{{"message":"{} a-secret-value"}}"#, "a".repeat(190));
        let Err(refusal) = read::<Anything>(&raw(403, &[], &body), &api(), &redactor()) else {
            panic!()
        };
        assert!(!refusal.trouble.detail.contains("a-secret"), "{}", refusal.trouble.detail);
    }
}
