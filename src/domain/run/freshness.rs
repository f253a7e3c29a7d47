//! Whether a receipt that was read may be believed: right run, right commit, right time.

use jiff::Timestamp;

use crate::domain::receipt::Receipt;
use crate::domain::run::ids::{CommitSha, RunId};
use crate::domain::verdict::fault::ReceiptFault;
use crate::domain::verdict::reason::Layer;

/// A receipt may be dated this far ahead before its clock is called wrong.
pub(crate) const FUTURE_TOLERANCE_SECONDS: i64 = 300;

/// Clocks that a network keeps differ by less.
const SKEW_TOLERANCE_SECONDS: i64 = 30;

/// By how much a clock is behind that of whoever generated something earlier; none within what
/// clocks differ by anyway. That one is ahead cannot be told from time that went by.
pub(crate) fn behind(generated_at: Timestamp, now: Timestamp) -> Option<i64> {
    let behind = generated_at.as_second() - now.as_second();
    (behind > SKEW_TOLERANCE_SECONDS).then_some(behind)
}

/// What the consumer knows of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expect<'a> {
    /// Run and attempt; nothing where the consumer has none of its own and adopts context's.
    pub(crate) run: Option<(&'a RunId, u32)>,
    /// The commit under test; nothing where neither flag, event, environment nor context says.
    pub(crate) head_sha: Option<&'a CommitSha>,
    /// Whether the receipt's digest came by another way and agreed.
    pub(crate) vouched: bool,
    /// The consumer's clock.
    pub(crate) now: Timestamp,
}

/// Checks run, attempt, commit and clock, in this order. Age is [`stale`]'s.
pub(crate) fn check<R: Receipt>(receipt: &R, expect: &Expect<'_>) -> Result<(), ReceiptFault> {
    let layer = R::LAYER;
    if let Some((own_run, own_attempt)) = expect.run {
        check_run(layer, receipt, own_run, own_attempt, expect.vouched)?;
    }
    if let Some(own) = expect.head_sha {
        let found = receipt.run().head_sha.clone();
        if found.as_ref() != Some(own) {
            return Err(ReceiptFault::ForeignCommit { layer, found, own: own.clone() });
        }
    }
    let ahead_seconds = receipt.generated_at().as_second() - expect.now.as_second();
    if ahead_seconds > FUTURE_TOLERANCE_SECONDS {
        return Err(ReceiptFault::FromFuture { layer, ahead_seconds });
    }
    Ok(())
}

fn check_run<R: Receipt>(
    layer: Layer,
    receipt: &R,
    own_run: &RunId,
    own: u32,
    vouched: bool,
) -> Result<(), ReceiptFault> {
    let found = receipt.run();
    if &found.run_id != own_run {
        return Err(ReceiptFault::ForeignRun {
            layer,
            found: found.run_id.to_string(),
            own: own_run.to_string(),
        });
    }
    match found.run_attempt {
        attempt if attempt > own => Err(ReceiptFault::LaterAttempt { layer, found: attempt, own }),
        attempt if attempt < own && !vouched => {
            Err(ReceiptFault::EarlierAttempt { layer, found: attempt, own })
        }
        _ => Ok(()),
    }
}

/// Whether a readiness receipt is past its window; the edge itself is still fresh.
pub(crate) fn stale(
    generated_at: Timestamp,
    window_seconds: u64,
    now: Timestamp,
) -> Result<(), ReceiptFault> {
    let age_seconds = now.as_second() - generated_at.as_second();
    let window = i64::try_from(window_seconds).unwrap_or(i64::MAX);
    if age_seconds > window {
        return Err(ReceiptFault::Stale { age_seconds, window_seconds });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_window_includes_its_edge() {
        assert!(stale(at(0), 900, at(900)).is_ok());
        assert!(matches!(
            stale(at(0), 900, at(901)),
            Err(ReceiptFault::Stale { age_seconds: 901, .. })
        ));
        assert!(stale(at(1000), 900, at(0)).is_ok());
        assert!(stale(at(0), u64::MAX, at(i64::from(i32::MAX))).is_ok());
    }
}
