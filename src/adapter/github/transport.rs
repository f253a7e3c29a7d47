//! One GET: octocrab's request path on a reqwest client, bounded in time and size.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use http_body_util::BodyExt;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::Url;

use crate::adapter::http::{late, no_answer, place};
use crate::domain::verdict::question::{Cause, Trouble};

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
        let unusable = |_| {
            Trouble::new(Cause::TokenUnusable, "the token holds a character that cannot be sent")
        };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(unusable)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static(API_VERSION),
        );
        let client = crate::adapter::http::client(&api, same_server(api.clone()))?;
        // Without octocrab's own layers: its base address mistakes paths that begin like it, and it
        // would send its own name beside ours.
        let service = ReqwestConnector::new(client);
        let built =
            OctocrabBuilder::new_empty().with_service(service).with_auth(AuthState::None).build();
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
    pub(super) async fn get(
        &self,
        url: &Url,
        etag: Option<&str>,
        limit: Duration,
    ) -> Result<Raw, Trouble> {
        // The token goes to the API and nowhere else, whoever named the address.
        if url.origin() != self.api.origin() {
            return Err(Trouble::new(
                Cause::BadPagination,
                format!("{} names another server", place(&self.api)),
            ));
        }
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
                    trouble @ Trouble { cause: Cause::TimedOut | Cause::Tls, .. } => trouble,
                    _ => Trouble::new(
                        Cause::Truncated,
                        format!("the answer of {} broke off", place(&self.api)),
                    ),
                };
                if let Ok(data) = frame.map_err(broken)?.into_data() {
                    bytes.extend_from_slice(&data);
                }
                if bytes.len() > BODY_LIMIT {
                    let why = format!(
                        "an answer of {} is larger than {} MiB",
                        place(&self.api),
                        BODY_LIMIT >> 20
                    );
                    return Err(Trouble::new(Cause::TooLarge, why));
                }
            }
            Ok(Raw { status: parts.status.as_u16(), headers: parts.headers, body: bytes })
        };
        let in_time = tokio::time::timeout(limit, answer).await;
        in_time.unwrap_or_else(|_| Err(Trouble::new(Cause::TimedOut, late(&self.api, limit))))
    }
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
