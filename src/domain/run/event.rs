//! The one event model: supervisor, journals and the scripts pool all speak it.
//!
//! [`fold`] is the same function for the live display and for the journal of a crashed run, so
//! what the screen said and what the receipt says cannot differ. Order is `seq`; time is data.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::receipt::{InFlight, InFlightKind};

/// Schema id of a journal line.
pub(crate) const SCHEMA: &str = "comparevi/runtime-event/v1";

/// One journal line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// [`SCHEMA`].
    pub(crate) schema: String,
    /// 1, 2, 3, ...
    pub(crate) seq: u64,
    /// When it was written.
    pub(crate) ts_utc: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the vocabulary is described in docs/receipts.md")]
pub(crate) enum Event {
    DispatcherStart {
        kind: String,
        files: u64,
    },
    AdapterStart {
        #[serde(default)]
        ps: String,
        #[serde(default)]
        pester: String,
        #[serde(default)]
        found: Vec<String>,
    },
    AdapterRefused {
        reason: String,
        #[serde(default)]
        wanted: String,
    },
    FileMissing {
        file: String,
    },
    JournalDegraded {
        #[serde(default)]
        error: String,
    },
    FileDiscovered {
        file: String,
    },
    FileStart {
        file: String,
    },
    FileEnd {
        file: String,
        #[serde(default)]
        outcome: String,
        #[serde(default)]
        ms: f64,
    },
    BlockStart {
        file: String,
        line: u64,
        block: String,
    },
    BlockEnd {
        file: String,
        line: u64,
        block: String,
        #[serde(default)]
        failed: bool,
    },
    TestStart {
        file: String,
        line: u64,
        test: String,
    },
    TestEnd {
        file: String,
        line: u64,
        test: String,
        outcome: String,
        ms: f64,
    },
    OutputTruncated {
        stream: String,
        kept: u64,
        dropped: u64,
    },
    LimitReached {
        limit: String,
    },
    CancelRequested,
    SupervisorLost,
    AdapterEnd {
        #[serde(default)]
        result: String,
    },
    RunEnd {
        #[serde(default)]
        outcome: String,
    },
    /// An event of a later version: kept in the count, otherwise unknown.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The file that it speaks of.
    pub(crate) fn file_mut(&mut self) -> Option<&mut String> {
        match self {
            Event::FileMissing { file }
            | Event::FileDiscovered { file }
            | Event::FileStart { file }
            | Event::FileEnd { file, .. }
            | Event::BlockStart { file, .. }
            | Event::BlockEnd { file, .. }
            | Event::TestStart { file, .. }
            | Event::TestEnd { file, .. } => Some(file),
            _ => None,
        }
    }

    /// The type as written.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Event::DispatcherStart { .. } => "dispatcher-start",
            Event::FileStart { .. } => "file-start",
            Event::FileEnd { .. } => "file-end",
            Event::BlockStart { .. } => "block-start",
            Event::BlockEnd { .. } => "block-end",
            Event::TestStart { .. } => "test-start",
            Event::TestEnd { .. } => "test-end",
            Event::OutputTruncated { .. } => "output-truncated",
            Event::LimitReached { .. } => "limit-reached",
            Event::CancelRequested => "cancel-requested",
            Event::SupervisorLost => "supervisor-lost",
            Event::AdapterStart { .. } => "adapter-start",
            Event::AdapterRefused { .. } => "adapter-refused",
            Event::FileMissing { .. } => "file-missing",
            Event::JournalDegraded { .. } => "journal-degraded",
            Event::FileDiscovered { .. } => "file-discovered",
            Event::AdapterEnd { .. } => "adapter-end",
            Event::RunEnd { .. } => "run-end",
            Event::Unknown => "unknown",
        }
    }
}

/// What became of a file so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileState {
    /// It was ended with this word.
    pub(crate) outcome: Option<String>,
    /// Blocks and tests that were started and not ended, outermost first.
    open: Vec<InFlight>,
    /// When it was started, in journal order.
    started: u64,
}

/// What is known of a run from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunState {
    /// Files in the order of their names.
    pub(crate) files: BTreeMap<String, FileState>,
    /// How many events there were.
    pub(crate) events: u64,
    /// Type of the last one.
    pub(crate) last: Option<&'static str>,
    /// Whether the run came to its end.
    pub(crate) ended: bool,
}

impl RunState {
    /// Takes one more event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.events += 1;
        self.last = Some(event.kind());
        let order = self.events;
        match event {
            Event::FileStart { file } => {
                self.files
                    .insert(file.clone(), FileState { started: order, ..FileState::default() });
            }
            Event::FileEnd { file, outcome, .. } => {
                let state = self.files.entry(file.clone()).or_default();
                state.outcome = Some(outcome.clone());
                // A test that was started and never ended before its file's end stays in flight: it
                // was left early.
                state.open.clear();
            }
            Event::BlockStart { file, line, block } => {
                self.open(file, InFlightKind::Block, block, *line)
            }
            Event::TestStart { file, line, test } => {
                self.open(file, InFlightKind::Test, test, *line)
            }
            Event::BlockEnd { file, .. } => self.close(file, InFlightKind::Block),
            Event::TestEnd { file, .. } => self.close(file, InFlightKind::Test),
            Event::RunEnd { .. } => self.ended = true,
            _ => {}
        }
    }

    fn open(&mut self, file: &str, kind: InFlightKind, name: &str, line: u64) {
        let state = self.files.entry(file.to_owned()).or_default();
        state.open.push(InFlight {
            kind,
            name: name.to_owned(),
            file: Some(file.to_owned()),
            line: Some(line),
        });
    }

    /// A pair is matched by position, not by name: a name's template is expanded between the two.
    fn close(&mut self, file: &str, kind: InFlightKind) {
        if let Some(state) = self.files.get_mut(file)
            && let Some(at) = state.open.iter().rposition(|open| open.kind == kind)
        {
            state.open.truncate(at);
        }
    }

    /// The innermost thing that was started and not ended, of the file that has run longest.
    pub(crate) fn in_flight(&self) -> Option<InFlight> {
        let running = self.files.iter().filter(|(_, state)| state.outcome.is_none());
        self.in_flight_of(running.min_by_key(|(_, state)| state.started)?.0)
    }

    /// The innermost thing of this file that was started and not ended.
    pub(crate) fn in_flight_of(&self, file: &str) -> Option<InFlight> {
        let state = self.files.get(file).filter(|state| state.outcome.is_none())?;
        Some(state.open.last().cloned().unwrap_or_else(|| InFlight {
            kind: InFlightKind::File,
            name: file.to_owned(),
            file: Some(file.to_owned()),
            line: None,
        }))
    }

    /// Files that have ended.
    pub(crate) fn files_done(&self) -> u64 {
        self.files.values().filter(|state| state.outcome.is_some()).count() as u64
    }
}

/// The state after these events.
pub(crate) fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> RunState {
    let mut state = RunState::default();
    for event in events {
        state.apply(event);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_start(file: &str) -> Event {
        Event::FileStart { file: file.into() }
    }

    fn test_start(file: &str, test: &str) -> Event {
        Event::TestStart { file: file.into(), line: 3, test: test.into() }
    }

    #[test]
    fn the_innermost_open_thing_of_the_oldest_file_is_in_flight() {
        let mut events = vec![file_start("b"), file_start("a"), test_start("a", "t<x>")];
        assert_eq!(fold(&events).in_flight().unwrap().name, "b");
        events.push(Event::FileEnd { file: "b".into(), outcome: "passed".into(), ms: 1.0 });
        let in_flight = fold(&events).in_flight().unwrap();
        assert_eq!(
            (in_flight.kind, in_flight.name.as_str(), in_flight.line),
            (InFlightKind::Test, "t<x>", Some(3))
        );
        events.push(Event::TestEnd {
            file: "a".into(),
            line: 3,
            test: "t1".into(),
            outcome: "Passed".into(),
            ms: 1.0,
        });
        assert_eq!(fold(&events).in_flight().unwrap().kind, InFlightKind::File);
        events.push(Event::FileEnd { file: "a".into(), outcome: "passed".into(), ms: 1.0 });
        assert_eq!(fold(&events).in_flight(), None);
        assert_eq!(fold(&events).files_done(), 2);
    }

    #[test]
    fn a_line_of_a_later_version_is_counted_and_kept_out_of_the_way() {
        let line = concat!(
            r#"{"schema":"comparevi/runtime-event/v1","seq":7,"tsUtc":"2026-01-01T00:00:00Z","#,
            r#""type":"brand-new","x":1}"#,
        );
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!((record.seq, record.event), (7, Event::Unknown));
    }

    #[test]
    fn records_round_trip_flat() {
        let record = Record {
            schema: SCHEMA.into(),
            seq: 1,
            ts_utc: Timestamp::UNIX_EPOCH,
            event: test_start("f", "t"),
        };
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""type":"test-start""#), "{text}");
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
