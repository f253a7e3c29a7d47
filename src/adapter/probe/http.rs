//! An HTTP endpoint that must answer.

use reqwest::Url;
use reqwest::redirect::Policy;

use super::{Answer, Surroundings};
use crate::adapter::http;
use crate::domain::config::quantity::Span;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::question::{Cause, Trouble};

pub(super) fn probe(around: &Surroundings, name: &str, url: &str, timeout: Option<Span>) -> Answer {
    let mut answer = Answer::default();
    let limit = timeout.unwrap_or(around.timeout).as_duration().mul_f32(0.9);
    let Some(url) = url.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    else {
        let why = "the endpoint's address must begin with http:// or https://".to_owned();
        answer.faults.push(Fault::ProbeFailed { name: name.to_owned(), why });
        return answer;
    };
    let place = http::place(&url);
    answer.fact("server", place.clone());
    match ask(&url, limit) {
        Ok(status) => {
            answer.fact("status", status);
            if !(200..400).contains(&status) {
                answer
                    .faults
                    .push(Fault::EndpointUnreachable(format!("{place} answers with {status}")));
            }
        }
        Err(trouble) => answer.faults.push(Fault::EndpointUnreachable(trouble.detail)),
    }
    answer
}

/// The status; the body is nobody's business.
fn ask(url: &Url, limit: std::time::Duration) -> Result<u16, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|error| {
        Trouble::new(Cause::NotConnected, format!("no runtime can be made: {error}"))
    })?;
    let client = http::client(url, Policy::limited(5))?;
    let asked = runtime
        .block_on(async { tokio::time::timeout(limit, client.get(url.clone()).send()).await });
    runtime.shutdown_background();
    match asked {
        Ok(Ok(response)) => Ok(response.status().as_u16()),
        Ok(Err(error)) => Err(http::no_answer(&error, url)),
        Err(_) => Err(Trouble::new(Cause::TimedOut, http::late(url, limit))),
    }
}
