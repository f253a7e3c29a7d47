//! GitHub's API, read only: this room has no call that writes, and `tests/architecture.rs` and
//! `clippy.toml` hold that.
//!
//! The transport is octocrab on reqwest. What is ours is what neither has: one retry policy with a
//! cap on all waiting, pagination by `Link` alone, an `ETag` cache, and every answer told apart.
//! Foreign types stop at this room's edge.
#![deny(clippy::disallowed_methods)]

mod answer;
mod cache;
mod look_up;
mod transport;

use std::time::{Duration, Instant};

use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::answer::{Reply, Retry};
use self::cache::Cache;
use self::transport::Transport;
pub(crate) use look_up::{Question, look_up};

use crate::adapter::world::World;
use crate::domain::config::quantity::Span;
use crate::domain::receipt::{Call, LookUp};
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::question::{Cause, Probe, Trouble, word};

/// GitHub ends its own requests after 10 s; more than this is a network that lost them.
const PER_REQUEST: Duration = Duration::from_secs(15);
/// How often one question is asked.
const ATTEMPTS: u32 = 4;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long a wait goes on before it looks whether it was cancelled.
const GLANCE: Duration = Duration::from_millis(50);
/// A wait that a person who watches is told of.
const WORTH_A_LINE: Duration = Duration::from_secs(2);
/// How many requests a receipt lists.
const CALLS_SHOWN: usize = 20;

/// What is read of an answer, and kept in the cache.
trait Record: Serialize + DeserializeOwned {
    /// Whether it is asked of a repository's issues, and not of the repository.
    const OF_ISSUES: bool = false;

    /// Secrets in its texts are masked before anything is cut.
    fn read(body: &[u8], redactor: &Redactor) -> Result<Self, serde_json::Error>;

    /// Whether one more entry would have begun another page.
    fn is_full(&self) -> bool {
        false
    }
}

/// One page of an answer.
struct Page<T> {
    value: T,
    next: Option<Url>,
}

/// One look-up's use of the API: what it may take, and what it took.
struct Session<'a> {
    world: &'a World,
    redactor: &'a Redactor,
    transport: Transport,
    cache: Cache,
    started: Instant,
    most: Duration,
    taken: LookUp,
    rate_limit_remaining: Option<u64>,
    probe: Option<Probe>,
}

impl Session<'_> {
    fn remaining(&self) -> Duration {
        self.most.saturating_sub(self.world.tick().duration_since(self.started))
    }

    /// Whether nothing is left of what the look-up may take, but for what a clock rounds away.
    fn is_over(&self) -> bool {
        self.remaining() < Duration::from_millis(50)
    }

    /// Asks for one page, again where that can help and time allows.
    async fn get<T: Record>(&mut self, url: &Url) -> Result<Page<T>, Trouble> {
        // A full page without a next may have got one since, which its `ETag` need not tell.
        let known =
            self.cache.get::<T>(url).filter(|known| known.next.is_some() || !known.value.is_full());
        let mut pause = FIRST_PAUSE;
        let mut earlier: Option<Trouble> = None;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let refusal =
                match self.once(url, known.as_ref().map(|known| known.etag.as_str())).await {
                    Ok(Reply::NotModified { next }) => match known {
                        Some(known) => {
                            self.cache.still_holds(url);
                            return Ok(Page { value: known.value, next: next.or(known.next) });
                        }
                        None => {
                            return Err(Trouble::new(
                                Cause::Refused,
                                "304 to a question without a condition",
                            ));
                        }
                    },
                    Ok(Reply::Fresh { value, etag, next }) => {
                        if let Some(etag) = etag {
                            self.cache.remember(url, etag, next.as_ref(), &value);
                        }
                        return Ok(Page { value, next });
                    }
                    Err(refusal) => refusal,
                };
            // That the time was over for another attempt is not what stood in the way.
            if let (Cause::TimedOut, true, Some(earlier)) =
                (refusal.trouble.cause, self.is_over(), earlier.take())
            {
                return Err(earlier);
            }
            let wait = match refusal.retry {
                Retry::Never => return Err(refusal.trouble),
                Retry::After(time) => time,
                Retry::Backoff => pause,
            };
            // Legs of one matrix are told the same time: they must not come back all at once.
            let wait = wait + pause.mul_f64(0.25 * fastrand::f64());
            // A wait that outlasts the look-up is no wait: say now what stands in the way.
            if attempt >= ATTEMPTS || wait >= self.remaining() {
                return Err(refusal.trouble);
            }
            let line =
                format!("{}; asking again in {:.1} s", refusal.trouble.detail, wait.as_secs_f32());
            if wait >= WORTH_A_LINE {
                tracing::warn!("{line}")
            } else {
                tracing::info!("{line}")
            }
            if !self.pass(wait).await {
                return Err(refusal.trouble);
            }
            pause *= 2;
            earlier = Some(refusal.trouble);
        }
    }

    /// One request, and what it came to.
    async fn once<T: Record>(
        &mut self,
        url: &Url,
        etag: Option<&str>,
    ) -> Result<Reply<T>, answer::Refusal> {
        let limit = PER_REQUEST.min(self.remaining());
        let asked = self.world.tick();
        let mut status = None;
        let answer = {
            let mut asking = std::pin::pin!(self.transport.get(url, etag, limit));
            loop {
                // Somebody who cancels does not wait for an answer.
                match tokio::time::timeout(GLANCE, asking.as_mut()).await {
                    Ok(answer) => break answer,
                    Err(_) if self.world.cancel().requests() > 0 => {
                        break Err(Trouble::new(
                            Cause::TimedOut,
                            "cancelled before an answer came",
                        ));
                    }
                    Err(_) => (),
                }
            }
        };
        let answer = answer.map_err(|trouble| match trouble.cause {
            // It was not the server that had too little time.
            Cause::TimedOut if self.is_over() => {
                let most = Span::from_millis(millis(self.most));
                Trouble::new(
                    Cause::TimedOut,
                    format!("the {most} of standing-priority.max-wait were over"),
                )
            }
            _ => trouble,
        });
        let reply = match answer {
            Ok(raw) => {
                status = Some(raw.status);
                self.rate_limit_remaining =
                    raw.number("x-ratelimit-remaining").or(self.rate_limit_remaining);
                answer::read(&raw, url, self.redactor)
            }
            Err(trouble) => Err(answer::Refusal::of_no_answer(trouble)),
        };
        let cause = reply.as_ref().err().map(|refusal| refusal.trouble.cause);
        self.probe = match cause {
            None => Some(Probe::Accepted),
            Some(cause) => cause.probe().or(self.probe),
        };
        self.taken.requests += 1;
        let target = url
            .query()
            .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let duration_ms = millis(self.world.tick().duration_since(asked));
        tracing::info!("GET {target}: {status:?} in {duration_ms} ms");
        // The first tell how it began and the last how it ended.
        if self.taken.calls.len() == CALLS_SHOWN {
            self.taken.calls.remove(CALLS_SHOWN / 2);
        }
        self.taken.calls.push(Call {
            target,
            status,
            cause: cause.as_ref().and_then(word),
            duration_ms,
        });
        reply
    }

    /// Lets time pass; says whether nobody cancelled meanwhile.
    async fn pass(&mut self, time: Duration) -> bool {
        let from = self.world.tick();
        loop {
            let passed = self.world.tick().duration_since(from);
            let left = time.saturating_sub(passed);
            let cancelled = self.world.cancel().requests() > 0;
            if left.is_zero() || cancelled {
                self.taken.waited_ms += millis(passed);
                return !cancelled;
            }
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
