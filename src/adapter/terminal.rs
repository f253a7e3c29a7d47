//! Progress for a person: one moving line on a terminal, plain lines elsewhere, always on stderr.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::adapter::world::World;
use crate::domain::event::{Event, RunState};
use crate::report::text::printable;

/// How much is said while the gate runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Nothing.
    Quiet,
    /// Progress.
    Normal,
    /// Progress and details.
    Verbose,
}

/// Shows what goes on.
#[derive(Clone)]
pub(crate) struct Progress {
    world: World,
    verbosity: Verbosity,
    bar: Option<Arc<ProgressBar>>,
}

impl Progress {
    /// A moving line where stderr is a terminal.
    pub(crate) fn new(world: &World, verbosity: Verbosity) -> Self {
        let moving = verbosity != Verbosity::Quiet && world.stderr_is_terminal();
        let bar = moving.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            Arc::new(bar)
        });
        Self { world: world.clone(), verbosity, bar }
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        match (&self.bar, self.verbosity) {
            (_, Verbosity::Quiet) => {}
            (Some(bar), _) => bar.suspend(|| self.world.note(text)),
            (None, _) => self.world.note(text),
        }
    }

    /// Does something to the screen while the moving line is away.
    pub(crate) fn pause(&self, act: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }

    /// What is going on now; seen on a terminal only.
    pub(crate) fn now(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(text));
        }
    }

    /// Shows a run's event.
    pub(crate) fn event(&self, event: &Event, state: &RunState, total: u64) {
        match event {
            Event::FileEnd { file, outcome, ms } if !outcome.is_empty() => {
                self.line(&format!("  {outcome:>9} {} ({:.1}s)", printable(file), ms / 1000.0));
            }
            Event::LimitReached { limit } => self.line(&format!("  the {limit} limit is reached; ending the tests")),
            Event::CancelRequested => self.line("  asked to stop; ending the tests"),
            _ => {}
        }
        if let Some(running) = state.in_flight() {
            self.now(&format!("{}/{total} {}", state.files_done(), printable(&running.name)));
        }
    }

    /// Takes the moving line away.
    pub(crate) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
