//! What children print: masked, stored up to a bound, shown live without being able to command
//! the runner.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;

use super::supervisor::Stream;
use crate::adapter::workspace::files;
use crate::domain::redact::Redactor;
use crate::report::text::reorders;

/// How much of a child's output is stored.
const STORE_LIMIT: u64 = 64 << 20;
/// How much is kept at hand for reports: the end of it.
const TAIL: usize = 16 << 10;
/// A line longer than this is passed on in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// What became of the output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// Bytes in the file.
    pub(crate) kept: u64,
    /// Bytes beyond the bound.
    pub(crate) dropped: u64,
    /// The end of what was printed, masked.
    pub(crate) tail: String,
    /// Whether writing failed on the way.
    pub(crate) failed: Option<String>,
}

/// Is given each line as it is stored.
pub(crate) type LiveLine = Box<dyn Fn(&str) + Send + Sync>;

/// Takes a child's output, from two threads.
pub(crate) struct LineSink {
    state: Mutex<State>,
    redactor: Redactor,
    live: Option<LiveLine>,
    limit: u64,
}

struct State {
    file: Option<File>,
    pending: [Vec<u8>; 2],
    stored: Stored,
    tail: Vec<u8>,
}

impl LineSink {
    /// Stores into `path`; `live` is given each line.
    pub(crate) fn new(path: &Path, redactor: Redactor, live: Option<LiveLine>) -> std::io::Result<Self> {
        let file = files::create(path)?;
        let state =
            State { file: Some(file), pending: Default::default(), stored: Stored::default(), tail: Vec::new() };
        Ok(Self { state: Mutex::new(state), redactor, live, limit: STORE_LIMIT })
    }

    /// Stores everything: for results files, of which no part may go missing.
    fn unbounded(path: &Path, redactor: Redactor) -> std::io::Result<Self> {
        Ok(Self { limit: u64::MAX, ..Self::new(path, redactor, None)? })
    }

    /// Takes some bytes; none mean that the stream has ended.
    pub(crate) fn take(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = usize::from(stream == Stream::Stderr);
        let mut pending = std::mem::take(&mut state.pending[at]);
        pending.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = pending[from..].iter().position(|byte| *byte == b'\n') {
            self.line(&mut state, &pending[from..=from + length]);
            from += length + 1;
        }
        pending.drain(..from);
        if bytes.is_empty() {
            let rest = std::mem::take(&mut pending);
            if !rest.is_empty() {
                self.line(&mut state, &rest);
            }
        } else if pending.len() > LINE_LIMIT + self.redactor.longest() {
            // Held back is what a secret could begin in, so that none is cut in two.
            let masked = self.redactor.mask(&pending).into_owned();
            let cut = masked.len().saturating_sub(self.redactor.longest());
            self.store(&mut state, &masked[..cut]);
            pending = masked[cut..].to_vec();
        }
        state.pending[at] = pending;
    }

    fn line(&self, state: &mut State, line: &[u8]) {
        let masked = self.redactor.mask(line);
        self.store(state, &masked);
    }

    fn store(&self, state: &mut State, masked: &[u8]) {
        let room = self.limit.saturating_sub(state.stored.kept);
        let kept = masked.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if kept > 0
            && let Some(file) = &mut state.file
            && let Err(error) = file.write_all(&masked[..kept])
        {
            state.stored.failed = Some(error.to_string());
            state.file = None;
        }
        state.stored.kept += kept as u64;
        state.stored.dropped += (masked.len() - kept) as u64;
        state.tail.extend_from_slice(masked);
        if state.tail.len() > 2 * TAIL {
            state.tail.drain(..state.tail.len() - TAIL);
        }
        if let Some(live) = &self.live {
            live(String::from_utf8_lossy(masked).trim_end_matches(['\n', '\r']));
        }
    }

    /// What has been taken so far; later output is dropped.
    pub(crate) fn finish(&self) -> Stored {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for at in 0..2 {
            let rest = std::mem::take(&mut state.pending[at]);
            if !rest.is_empty() {
                self.line(&mut state, &rest);
            }
        }
        let dropped = state.stored.dropped;
        if dropped > 0
            && let Some(file) = &mut state.file
        {
            let note = format!("\n[pester-gate: {dropped} bytes more were printed and not stored]\n");
            let _ = file.write_all(note.as_bytes());
        }
        state.file = None;
        let from = state.tail.len().saturating_sub(TAIL);
        Stored { tail: String::from_utf8_lossy(&state.tail[from..]).into_owned(), ..state.stored.clone() }
    }
}

/// Copies a file with every secret in it masked, line by line, so that a file of any size takes
/// little memory.
pub(crate) fn copy_masked(redactor: &Redactor, from: &Path, to: &Path) -> std::io::Result<()> {
    let sink = LineSink::unbounded(to, redactor.clone())?;
    let mut source = files::open(from)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = source.read(&mut buffer)?;
        sink.take(Stream::Stdout, &buffer[..read]);
        if read == 0 {
            break;
        }
    }
    sink.finish().failed.map_or(Ok(()), |why| Err(std::io::Error::other(why)))
}

/// A child's line as it may be shown: set off, so that the runner cannot take it for a command of
/// ours. `::` counts at the start of a line only, `##[` anywhere in it; other control characters
/// than tab are left out, colour included.
pub(crate) fn neutralise(line: &str) -> String {
    let shown: String = line.chars().filter(|c| *c == '\t' || !(c.is_control() || reorders(*c))).collect();
    format!("  | {}", shown.replace("##[", "## ["))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(folder: &Path) -> LineSink {
        LineSink::new(&folder.join("log"), Redactor::new([], ["topsecretvalue"]), None).unwrap()
    }

    #[test]
    fn a_secret_in_two_pieces_is_masked_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path());
        sink.take(Stream::Stdout, b"a topsec");
        sink.take(Stream::Stderr, b"err\n");
        sink.take(Stream::Stdout, b"retvalue b\nlast");
        sink.take(Stream::Stdout, b"");
        let stored = sink.finish();
        assert_eq!(stored.tail, "err\na *** b\nlast");
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "err\na *** b\nlast");
    }

    #[test]
    fn a_secret_across_the_pieces_of_an_endless_line_is_masked() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path());
        let mut text = vec![b'x'; 3 * LINE_LIMIT];
        for at in [LINE_LIMIT - 3, LINE_LIMIT + 500, 2 * LINE_LIMIT + 100] {
            text.splice(at..at + 14, *b"topsecretvalue");
        }
        for piece in text.chunks(1000) {
            sink.take(Stream::Stdout, piece);
        }
        sink.finish();
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(!log.contains("secret"));
        assert_eq!(log.matches("***").count(), 3);
    }

    #[test]
    fn lines_cannot_command_the_runner() {
        assert_eq!(neutralise("::error::x"), "  | ::error::x");
        assert_eq!(neutralise("a ##[group]b\u{1b}[31m\r"), "  | a ## [group]b[31m");
    }
}
