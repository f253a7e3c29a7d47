//! What a child process did: a sum type, never a pair of an exit code and a hope.

use crate::domain::config::quantity::Span;
use crate::domain::receipt::OutcomeRecord;

/// Which limit ended a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The whole run's.
    Run,
    /// One file's.
    File,
    /// One test's.
    Test,
    /// Silence for too long.
    NoOutput,
}

impl Limit {
    /// The word as written in receipts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Limit::Run => "run",
            Limit::File => "file",
            Limit::Test => "test",
            Limit::NoOutput => "no-output",
        }
    }
}

/// How a child ended, or why it never began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChildEnd {
    /// The program is not there.
    NotFound,
    /// It is there and could not be started.
    NotStarted(String),
    /// It exited by itself.
    Exited(i32),
    /// A signal that was not ours ended it.
    Signalled(i32),
    /// We ended it: a limit.
    TimedOut(Limit, Span),
    /// We ended it: somebody asked us to stop.
    Cancelled,
    /// It was started, and how it ended cannot be known.
    Lost(String),
}

impl ChildEnd {
    /// The exit code, where there is one.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self {
            ChildEnd::Exited(code) => Some(*code),
            _ => None,
        }
    }

    /// As it stands in the execution receipt.
    pub(crate) fn record(&self, duration_ms: u64) -> OutcomeRecord {
        let mut record = OutcomeRecord { duration_ms, ..OutcomeRecord::default() };
        record.kind = match self {
            ChildEnd::NotFound | ChildEnd::NotStarted(_) => "not-started",
            ChildEnd::Exited(code) => {
                record.exit_code = Some(*code);
                "exited"
            }
            ChildEnd::Signalled(signal) => {
                record.signal = Some(*signal);
                "signalled"
            }
            ChildEnd::TimedOut(limit, _) => {
                record.limit = Some(limit.as_str().to_owned());
                "timed-out"
            }
            ChildEnd::Cancelled => "cancelled",
            ChildEnd::Lost(_) => "lost",
        }
        .to_owned();
        record
    }

    /// In words, for a detail.
    pub(crate) fn describe(&self) -> String {
        match self {
            ChildEnd::NotFound => "it is not there".to_owned(),
            ChildEnd::NotStarted(why) => format!("it could not be started: {why}"),
            ChildEnd::Exited(code) => format!("it exited with {code}"),
            ChildEnd::Signalled(signal) => format!("signal {signal} ended it"),
            ChildEnd::TimedOut(limit, after) => {
                format!("the {} limit of {after} ended it", limit.as_str())
            }
            ChildEnd::Cancelled => "it was cancelled".to_owned(),
            ChildEnd::Lost(why) => why.clone(),
        }
    }
}
