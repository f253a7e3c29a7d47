//! Logs: plain lines on stderr; warnings always, details with `--verbose`, every part of the
//! program and of what it is built on with `--log-level`.

use std::io::{self, Write};
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::adapter::terminal::Verbosity;
use crate::adapter::world::World;
use crate::domain::run::redact::Redactor;
use crate::report::quote::printable;

/// `--log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level(LevelFilter);

impl FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
        let level = known.then(|| text.parse().ok()).flatten();
        level
            .map(Level)
            .ok_or_else(|| format!("{text:?} is none of error, warn, info, debug and trace"))
    }
}

/// Writes each event as one line that cannot command the runner and tells no secret, whatever it
/// quotes.
struct OneLine(Redactor);

impl Write for &OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = self.0.mask_text(&String::from_utf8_lossy(event));
        let line = format!("{}\n", printable(text.trim_end_matches('\n')));
        io::stderr().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Sets the subscriber; a second call changes nothing.
pub(crate) fn init(world: &World, verbosity: Verbosity, level: Option<Level>) {
    let own = match verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Verbose => LevelFilter::DEBUG,
    };
    // What the program is built on is silent unless somebody asks for every part.
    let wanted = match level {
        Some(Level(level)) => Targets::new().with_default(level),
        None => Targets::new().with_target("pester_gate", own),
    };
    let sink = OneLine(world.redactor(&[]));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::sync::Arc::new(sink))
        .with_ansi(false)
        .without_time()
        .with_target(level.is_some());
    let _ = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
}
