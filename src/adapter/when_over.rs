//! A scope guard for a thread that goes on until the work beside it is over.

use std::sync::atomic::{AtomicBool, Ordering};

/// Tells a thread that the work beside it is over, also where that panics: its scope waits for it.
pub(crate) struct WhenOver<'a> {
    /// What the thread looks at.
    pub(crate) done: &'a AtomicBool,
    /// Woken, so that it looks at once.
    pub(crate) thread: &'a std::thread::Thread,
}

impl Drop for WhenOver<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
