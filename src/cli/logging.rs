//! Logs: plain lines on stderr; warnings always, details with `--verbose`.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;

use crate::adapter::terminal::Verbosity;
use crate::report::text::printable;

/// Writes each event as one line that cannot command the runner, whatever it quotes.
struct OneLine;

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = format!("{}\n", printable(text.trim_end_matches('\n')));
        io::stderr().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Sets the subscriber; a second call changes nothing.
pub(crate) fn init(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Verbose => LevelFilter::DEBUG,
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(|| OneLine)
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .try_init();
}
