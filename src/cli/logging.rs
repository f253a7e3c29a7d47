//! Logs: plain lines on stderr; warnings always, details with `--verbose`.

use tracing::level_filters::LevelFilter;

use crate::adapter::terminal::Verbosity;

/// Sets the subscriber; a second call changes nothing.
pub(crate) fn init(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::ERROR,
        Verbosity::Normal => LevelFilter::WARN,
        Verbosity::Verbose => LevelFilter::DEBUG,
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .try_init();
}
