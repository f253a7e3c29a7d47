//! One GET: octocrab's request path on a reqwest client, bounded in time and size, with every way
//! of getting no answer told apart by the type of the error and not by its words.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use http_body_util::BodyExt;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::question::{Cause, Trouble};

/// The version of the REST API whose answers are read here.
const API_VERSION: &str = "2022-11-28";
/// A page holds at most 100 issues of 64 KiB each, which JSON may write six times as long.
const BODY_LIMIT: usize = 40 << 20;
/// How many redirects are followed; a renamed repository has one.
const REDIRECTS: usize = 5;

/// An answer as it came.
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Raw {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header's number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }
}

/// The client.
pub(super) struct Transport {
    octocrab: Octocrab,
    api: Url,
    headers: HeaderMap,
}

impl Transport {
    /// A client for the API at `api`. The token stays in one header that is marked as a secret.
    pub(super) fn new(api: Url, token: &str) -> Result<Self, Trouble> {
        let unusable = |_| Trouble::new(Cause::TokenUnusable, "the token holds a character that cannot be sent");
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(unusable)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION));
        // A second call finds a provider installed, which is what was wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .redirect(same_server(api.clone()))
            .dns_resolver(Arc::new(Resolver))
            .referer(false)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| no_answer(&error, &api))?;
        // Without octocrab's own layers: its base address mistakes paths that begin like it, and it
        // would send its own name beside ours.
        let service = ReqwestConnector::new(client);
        let built = OctocrabBuilder::new_empty().with_service(service).with_auth(AuthState::None).build();
        let octocrab = match built {
            Ok(octocrab) => octocrab,
            Err(never) => match never {},
        };
        Ok(Self { octocrab, api, headers })
    }

    /// Where the API is.
    pub(super) fn api(&self) -> &Url {
        &self.api
    }

    /// One GET within `limit`, its body included.
    pub(super) async fn get(&self, url: &Url, etag: Option<&str>, limit: Duration) -> Result<Raw, Trouble> {
        let mut headers = self.headers.clone();
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert(IF_NONE_MATCH, etag);
        }
        let answer = async {
            let response = self
                .octocrab
                ._get_with_headers(url.as_str(), Some(headers))
                .await
                .map_err(|error| no_answer(&error, &self.api))?;
            let (parts, mut body) = response.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                let broken = |error: octocrab::Error| match no_answer(&error, &self.api) {
                    Trouble { cause: Cause::TimedOut | Cause::Tls, detail } => Trouble::new(Cause::TimedOut, detail),
                    _ => Trouble::new(Cause::Truncated, format!("the answer of {} broke off", place(&self.api))),
                };
                if let Ok(data) = frame.map_err(broken)?.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() > BODY_LIMIT {
                    let why = format!("an answer of {} is larger than {} MiB", place(&self.api), BODY_LIMIT >> 20);
                    return Err(Trouble::new(Cause::TooLarge, why));
                }
            }
            Ok(Raw { status: parts.status.as_u16(), headers: parts.headers, body: bytes })
        };
        let in_time = tokio::time::timeout(limit, answer).await;
        in_time.unwrap_or_else(|_| {
            let why = format!("{} did not answer within {} s", place(&self.api), limit.as_secs_f32().ceil());
            Err(Trouble::new(Cause::TimedOut, why))
        })
    }
}

/// A server as people know it.
pub(super) fn place(api: &Url) -> String {
    let port = api.port().map(|port| format!(":{port}")).unwrap_or_default();
    api.host_str().map_or_else(|| "the API".to_owned(), |host| format!("{host}{port}"))
}

/// Follows redirects on the server that was asked. Elsewhere the token would not go along, and
/// what answers there is not the API that was configured.
fn same_server(api: Url) -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS || attempt.url().origin() != api.origin() {
            attempt.stop()
        } else {
            attempt.follow()
        }
    })
}

/// Names are resolved here so that a name without an address has an error of its own type.
struct Resolver;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(std::io::Error);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// What an error is made of. An `io::Error` does not name what it wraps as its source.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Why there was no answer, by what lies in the chain of the error.
fn no_answer(error: &(dyn Error + 'static), api: &Url) -> Trouble {
    let place = place(api);
    let mut chain = vec![error];
    while let Some(source) = chain.last().copied().and_then(beneath) {
        chain.push(source);
    }
    if let Some(why) = chain.iter().find_map(|error| error.downcast_ref::<rustls::Error>()) {
        return Trouble::new(Cause::Tls, format!("{place}: {why}"));
    }
    if chain.iter().any(|error| error.is::<Unresolved>()) {
        return Trouble::new(Cause::NameUnresolved, format!("the name {place} has no address here"));
    }
    let reqwest = chain.iter().find_map(|error| error.downcast_ref::<reqwest::Error>());
    if reqwest.is_some_and(reqwest::Error::is_timeout) {
        return Trouble::new(Cause::TimedOut, format!("{place} did not answer in time"));
    }
    let why = chain.last().map(ToString::to_string).unwrap_or_default();
    if reqwest.is_some_and(reqwest::Error::is_builder) {
        return Trouble::new(Cause::Tls, format!("no client for {place} can be made: {why}"));
    }
    if why.contains("407") || why.to_ascii_lowercase().contains("proxy auth") {
        return Trouble::new(Cause::ProxyRefused, format!("the proxy before {place} wants credentials"));
    }
    Trouble::new(Cause::NotConnected, format!("{place} cannot be reached: {why}"))
}
