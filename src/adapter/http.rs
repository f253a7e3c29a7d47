//! HTTP below GitHub and the probes: one client, and every way of getting no answer told apart by
//! the type of the error, and by its words only where it has none.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use crate::domain::verdict::question::{Cause, Trouble};

/// A client that trusts the system's certificate store and goes by its proxies.
pub(crate) fn client(to: &Url, redirects: Policy) -> Result<reqwest::Client, Trouble> {
    // A second call finds a provider installed, which is what was wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(redirects)
        .dns_resolver(Arc::new(Resolver))
        .referer(false)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| no_answer(&error, to))
}

/// That nobody answered in time.
pub(crate) fn late(to: &Url, limit: Duration) -> String {
    let limit = if limit < Duration::from_secs(1) {
        format!("{} ms", limit.as_millis())
    } else {
        format!("{:.1} s", limit.as_secs_f32())
    };
    format!("{} did not answer within {limit}", place(to))
}

/// A server as people know it.
pub(crate) fn place(api: &Url) -> String {
    let port = api.port().map(|port| format!(":{port}")).unwrap_or_default();
    api.host_str().map_or_else(|| "the API".to_owned(), |host| format!("{host}{port}"))
}

/// Names are resolved here so that a name without an address has an error of its own type.
struct Resolver;

#[derive(Debug, thiserror::Error)]
#[error("{name}: {source}")]
struct Unresolved {
    name: String,
    source: std::io::Error,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found
                .map_err(|source| Unresolved { name: name.as_str().to_owned(), source })?
                .collect();
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
pub(crate) fn no_answer(error: &(dyn Error + 'static), api: &Url) -> Trouble {
    let place = place(api);
    let mut chain = vec![error];
    while let Some(source) = chain.last().copied().and_then(beneath) {
        chain.push(source);
    }
    // A server that speaks no TLS may just hang up; that has no type either.
    let broke_off = chain
        .iter()
        .find(|error| error.to_string().contains("tls handshake"))
        .map(ToString::to_string);
    let tls = chain
        .iter()
        .find_map(|error| error.downcast_ref::<rustls::Error>().map(ToString::to_string));
    if let Some(why) = tls.or(broke_off) {
        return Trouble::new(Cause::Tls, format!("{place}: {why}"));
    }
    // The name may be a proxy's.
    if let Some(unresolved) = chain.iter().find_map(|error| error.downcast_ref::<Unresolved>()) {
        return Trouble::new(
            Cause::NameUnresolved,
            format!("the name {} has no address here", unresolved.name),
        );
    }
    let reqwest = chain.iter().find_map(|error| error.downcast_ref::<reqwest::Error>());
    if reqwest.is_some_and(reqwest::Error::is_timeout) {
        return Trouble::new(Cause::TimedOut, format!("{place} did not answer in time"));
    }
    let why = chain.last().map(ToString::to_string).unwrap_or_default();
    if reqwest.is_some_and(reqwest::Error::is_builder) {
        return Trouble::new(Cause::Tls, format!("no client for {place} can be made: {why}"));
    }
    // What a proxy says to a tunnel has no type that can be named here.
    if chain.iter().any(|error| error.to_string().contains("tunnel")) {
        return Trouble::new(
            Cause::ProxyRefused,
            format!("the proxy before {place} lets nothing through: {why}"),
        );
    }
    Trouble::new(Cause::NotConnected, format!("{place} cannot be reached: {why}"))
}
