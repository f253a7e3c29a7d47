//! Progress for a person: one moving line on a terminal, plain lines elsewhere, always on stderr.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::adapter::when_over::WhenOver;
use crate::adapter::world::World;
use crate::domain::run::event::{Event, RunState};
use crate::report::quote::printable;

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

/// How long one thing may run before a line says that it still does, and between two such lines.
const BEAT: Duration = Duration::from_secs(30);

/// Shows what goes on.
#[derive(Clone)]
pub(crate) struct Progress {
    world: World,
    verbosity: Verbosity,
    bar: Option<Arc<ProgressBar>>,
    running: Arc<Mutex<Option<Running>>>,
    voice: Arc<Voice>,
    colors: bool,
}

/// Says lines on a thread of its own: whoever reads stderr slowly, or not at all, holds up no test,
/// no limit and no receipt.
struct Voice {
    world: World,
    bar: Option<Arc<ProgressBar>>,
    queue: OnceLock<Queue>,
}

struct Queue {
    lines: SyncSender<String>,
    /// Lines that are not yet said.
    waiting: Arc<AtomicUsize>,
    /// Nobody has read for so long that nothing more is said.
    deaf: AtomicBool,
}

impl Voice {
    /// How many lines (or blocks of them) may wait.
    const ROOM: usize = 256;
    /// How long one may wait for room.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn queue(&self) -> &Queue {
        self.queue.get_or_init(|| {
            let (lines, inbox) = mpsc::sync_channel::<String>(Self::ROOM);
            let (world, bar, waiting) =
                (self.world.clone(), self.bar.clone(), Arc::new(AtomicUsize::new(0)));
            let said = waiting.clone();
            let speak = move || {
                for line in inbox {
                    match &bar {
                        Some(bar) => bar.suspend(|| world.note(&line)),
                        None => world.note(&line),
                    }
                    said.fetch_sub(1, Ordering::SeqCst);
                }
            };
            let deaf = AtomicBool::new(std::thread::Builder::new().spawn(speak).is_err());
            Queue { lines, waiting, deaf }
        })
    }

    fn say(&self, text: &str) {
        let queue = self.queue();
        let (mut line, since) = (text.to_owned(), self.world.tick());
        while !queue.deaf.load(Ordering::SeqCst) {
            queue.waiting.fetch_add(1, Ordering::SeqCst);
            line = match queue.lines.try_send(line) {
                Ok(()) => return,
                Err(TrySendError::Full(line) | TrySendError::Disconnected(line)) => line,
            };
            queue.waiting.fetch_sub(1, Ordering::SeqCst);
            if self.world.cancel().requests() > 0 || since.elapsed() > Self::PATIENCE {
                queue.deaf.store(true, Ordering::SeqCst);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until all is said, as long as somebody listens.
    fn flush(&self) {
        let Some(queue) = self.queue.get() else { return };
        let since = self.world.tick();
        while queue.waiting.load(Ordering::SeqCst) > 0 && !queue.deaf.load(Ordering::SeqCst) {
            let asked = self.world.cancel().requests() > 0;
            if since.elapsed() > if asked { Duration::from_secs(1) } else { Self::PATIENCE } {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.flush();
    }
}

/// What runs, for the line that says that it still does.
struct Running {
    name: String,
    since: Instant,
    /// How many lines said so.
    reported: u32,
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
        let voice =
            Arc::new(Voice { world: world.clone(), bar: bar.clone(), queue: OnceLock::new() });
        Self { world: world.clone(), verbosity, bar, running: Arc::default(), voice, colors: false }
    }

    /// The same with colors in the report, or without.
    pub(crate) fn with_colors(mut self, colors: bool) -> Self {
        self.colors = colors;
        self
    }

    /// Whether the report has colors.
    pub(crate) fn colors(&self) -> bool {
        self.colors
    }

    /// Whether details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.voice.say(text);
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
            Event::LimitReached { limit } => {
                self.line(&format!("  the {limit} limit is reached; ending the tests"))
            }
            Event::CancelRequested => self.line("  asked to stop; ending the tests"),
            _ => {}
        }
        let Some(running) = state.in_flight() else {
            *self.running() = None;
            return;
        };
        let name = match running.file {
            Some(file) if file != running.name => format!("{file}: {}", running.name),
            _ => running.name,
        };
        self.now(&format!("{}/{total} {name}", state.files_done()));
        let mut known = self.running();
        if known.as_ref().is_none_or(|known| known.name != name) {
            *known = Some(Running { name, since: self.world.tick(), reported: 0 });
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the work, and where no line moves says from time to time what still runs, and for how
    /// long.
    pub(crate) fn beating<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.bar.is_some() || self.verbosity == Verbosity::Quiet {
            return work();
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let beats = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    std::thread::park_timeout(Duration::from_secs(1));
                    self.beat();
                }
            });
            let ended = WhenOver { done: &done, thread: beats.thread() };
            let worked = work();
            drop(ended);
            worked
        })
    }

    fn beat(&self) {
        let mut running = self.running();
        let Some(running) = running.as_mut() else { return };
        let ran = running.since.elapsed();
        if ran >= BEAT * (running.reported + 1) {
            running.reported += 1;
            self.line(&format!("    running {} ({} s)", printable(&running.name), ran.as_secs()));
        }
    }

    /// Takes the moving line away, once all is said.
    pub(crate) fn done(&self) {
        self.voice.flush();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
