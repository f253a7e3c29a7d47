//! What children print: masked, stored up to a bound, shown live without being able to command
//! the runner.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use encoding_rs::Decoder;

use super::os::oem_text;
use super::supervisor::Stream;
use crate::adapter::workspace::files;
use crate::domain::run::redact::Redactor;
use crate::report::quote::{reorders, without_escapes};

/// How much of a child's output is stored.
const STORE_LIMIT: u64 = 64 << 20;
/// How much is kept at hand for reports: the end of it.
const TAIL: usize = 16 << 10;
/// How many bytes tell UTF-16 that carries no mark.
const UNMARKED: usize = 16;
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

/// Is given what may be shown, as it is stored: whole lines, except where one is endless.
pub(crate) type Live = Box<dyn Fn(&str) + Send + Sync>;

/// Takes a child's output, from two threads.
pub(crate) struct LineSink {
    state: Mutex<State>,
    redactor: Redactor,
    live: Option<Live>,
    limit: u64,
}

struct State {
    file: Store,
    /// What was taken of each stream and not yet stored: no whole line.
    pending: [Vec<u8>; 2],
    /// How each stream is written; none where bytes are bytes.
    encoding: Option<[Encoding; 2]>,
    stored: Stored,
    tail: Vec<u8>,
}

/// Where it is stored. The file is made when there is something to store.
enum Store {
    Fresh(PathBuf),
    Open(File),
    Closed,
}

impl Store {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Store::Fresh(path) = self {
            *self = Store::Open(files::create(path)?);
        }
        match self {
            Store::Open(file) => file.write_all(bytes),
            _ => Ok(()),
        }
    }
}

impl LineSink {
    /// Stores into `path`; `live` is given what may be shown.
    pub(crate) fn new(path: PathBuf, redactor: Redactor, live: Option<Live>) -> Self {
        let encoding = Some(Default::default());
        Self { live, ..Self::of(Store::Fresh(path), redactor, encoding, STORE_LIMIT) }
    }

    /// Stores every byte as it is, however many: for results files, of which no part may go
    /// missing.
    fn verbatim(path: &Path, redactor: Redactor) -> std::io::Result<Self> {
        Ok(Self::of(Store::Open(files::create(path)?), redactor, None, u64::MAX))
    }

    fn of(file: Store, redactor: Redactor, encoding: Option<[Encoding; 2]>, limit: u64) -> Self {
        let (pending, stored) = Default::default();
        let state = State { file, pending, encoding, stored, tail: Vec::new() };
        Self { state: Mutex::new(state), redactor, live: None, limit }
    }

    /// Takes some bytes; none mean that the stream has ended.
    pub(crate) fn take(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = usize::from(stream == Stream::Stderr);
        let decoded = match &mut state.encoding {
            Some(encodings) => encodings[at].decode(bytes, bytes.is_empty()),
            None => Cow::Borrowed(bytes),
        };
        let mut pending = std::mem::take(&mut state.pending[at]);
        let ended = bytes.is_empty();
        // Whole lines are masked together: no secret goes across a line's end.
        let whole = if ended {
            decoded.len()
        } else {
            decoded.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
        };
        if pending.is_empty() {
            self.store(&mut state, &decoded[..whole]);
        } else if whole > 0 || ended {
            pending.extend_from_slice(&decoded[..whole]);
            self.store(&mut state, &pending);
            pending.clear();
        }
        pending.extend_from_slice(&decoded[whole..]);
        if pending.len() > LINE_LIMIT + self.redactor.longest() {
            // Held back is what a secret could begin in, so that none is cut in two.
            let masked = self.redactor.mask(&pending).into_owned();
            let cut = masked.len().saturating_sub(self.redactor.longest());
            self.keep(&mut state, &masked[..cut]);
            pending = masked[cut..].to_vec();
        }
        state.pending[at] = pending;
    }

    fn store(&self, state: &mut State, bytes: &[u8]) {
        if !bytes.is_empty() {
            let masked = self.redactor.mask(bytes);
            self.keep(state, &masked);
        }
    }

    fn keep(&self, state: &mut State, masked: &[u8]) {
        let room = self.limit.saturating_sub(state.stored.kept);
        let kept = masked.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if kept > 0
            && let Err(error) = state.file.write(&masked[..kept])
        {
            state.stored.failed = Some(error.to_string());
            state.file = Store::Closed;
        }
        state.stored.kept += kept as u64;
        state.stored.dropped += (masked.len() - kept) as u64;
        state.tail.extend_from_slice(&masked[masked.len().saturating_sub(TAIL)..]);
        if state.tail.len() > 2 * TAIL {
            state.tail.drain(..state.tail.len() - TAIL);
        }
        if let Some(live) = &self.live {
            live(&neutralise(&readable(masked)));
        }
    }

    /// What has been taken so far; later output is dropped.
    pub(crate) fn finish(&self) -> Stored {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for at in 0..2 {
            let mut rest = std::mem::take(&mut state.pending[at]);
            if let Some(encodings) = &mut state.encoding {
                rest.extend_from_slice(&encodings[at].decode(&[], true));
            }
            self.store(&mut state, &rest);
        }
        let dropped = state.stored.dropped;
        if dropped > 0 {
            let note =
                format!("\n[pester-gate: {dropped} bytes more were printed and not stored]\n");
            let _ = state.file.write(note.as_bytes());
        }
        state.file = Store::Closed;
        let from = state.tail.len().saturating_sub(TAIL);
        Stored { tail: readable(&state.tail[from..]).into_owned(), ..state.stored.clone() }
    }
}

/// How a stream is written, learned from its first bytes: Windows has programs that print UTF-16,
/// some without a mark. It is stored as UTF-8; other bytes are stored as they came.
enum Encoding {
    Unknown(Vec<u8>),
    Bytes,
    Wide(Box<Decoder>),
}

impl Default for Encoding {
    fn default() -> Self {
        Encoding::Unknown(Vec::new())
    }
}

impl Encoding {
    /// What these bytes add, the last of their stream or not.
    fn decode<'b>(&mut self, bytes: &'b [u8], last: bool) -> Cow<'b, [u8]> {
        match self {
            Encoding::Bytes => Cow::Borrowed(bytes),
            Encoding::Wide(decoder) => {
                let mut text =
                    String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0));
                // The text has room for the worst case, and half a character at the end becomes a
                // mark for it.
                let _ = decoder.decode_to_string(bytes, &mut text, last);
                if last {
                    *self = Encoding::Bytes;
                }
                Cow::Owned(text.into_bytes())
            }
            Encoding::Unknown(first) => {
                first.extend_from_slice(bytes);
                let Some((known, skip)) = Encoding::of(first, last) else {
                    return Cow::Borrowed(&[]);
                };
                let first = std::mem::take(first);
                *self = known;
                Cow::Owned(self.decode(&first[skip..], last).into_owned())
            }
        }
    }

    /// What a stream's first bytes say, and how many of them are no text; `None` where more must be
    /// seen.
    fn of(first: &[u8], ended: bool) -> Option<(Encoding, usize)> {
        let wide = |encoding: &'static encoding_rs::Encoding| {
            Encoding::Wide(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        match first {
            [0xef, 0xbb, 0xbf, ..] => return Some((Encoding::Bytes, 3)),
            [0xff, 0xfe, ..] => return Some((wide(encoding_rs::UTF_16LE), 2)),
            [0xfe, 0xff, ..] => return Some((wide(encoding_rs::UTF_16BE), 2)),
            [] | [0xef] | [0xef, 0xbb] | [0xff] | [0xfe] if !ended => return None,
            _ => {}
        }
        // Without a mark it takes several plain characters in a row: `find -print0` has zeros too.
        let seen = &first[..first.len().min(UNMARKED)];
        let plain = |at: usize| {
            let text = |byte: u8| matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..0x7f);
            seen.iter()
                .enumerate()
                .all(|(n, byte)| if n % 2 == at { text(*byte) } else { *byte == 0 })
        };
        let enough =
            seen.len() == UNMARKED || (ended && seen.len() >= 4 && seen.len().is_multiple_of(2));
        match (plain(0) && seen.len() > 1, plain(1)) {
            (true, _) if enough => Some((wide(encoding_rs::UTF_16LE), 0)),
            (_, true) if enough => Some((wide(encoding_rs::UTF_16BE), 0)),
            (le, be) if (le || be || seen.len() == 1) && !ended => None,
            _ => Some((Encoding::Bytes, 0)),
        }
    }
}

/// Output as text: UTF-8, else as the console of this platform would read it.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // Line by line: one program's code page must not spoil another's UTF-8.
        Err(_) => {
            bytes.split_inclusive(|byte| *byte == b'\n').map(line_text).collect::<String>().into()
        }
    }
}

fn line_text(line: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(line).map_or_else(|_| oem_text(line).into(), Cow::Borrowed)
}

/// Copies a file with every secret in it masked, line by line, so that a file of any size takes
/// little memory. UTF-16 is masked as text and written as UTF-16 again.
pub(crate) fn copy_masked(redactor: &Redactor, from: &Path, to: &Path) -> std::io::Result<()> {
    copy_masked_from(redactor, files::open(from)?, to)
}

/// The same from an open file, from its beginning.
pub(crate) fn copy_masked_from(
    redactor: &Redactor,
    mut source: File,
    to: &Path,
) -> std::io::Result<()> {
    let mut mark = Vec::new();
    source.seek(SeekFrom::Start(0))?;
    Read::by_ref(&mut source).take(2).read_to_end(&mut mark)?;
    source.seek(SeekFrom::Start(0))?;
    if mark == [0xff, 0xfe] || mark == [0xfe, 0xff] {
        return copy_masked_wide(redactor, &mut source, to);
    }
    let sink = LineSink::verbatim(to, redactor.clone())?;
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

fn copy_masked_wide(redactor: &Redactor, source: &mut File, to: &Path) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    source.take(files::READ_LIMIT).read_to_end(&mut bytes)?;
    let little = bytes[0] == 0xff;
    let encoding = if little { encoding_rs::UTF_16LE } else { encoding_rs::UTF_16BE };
    let masked = redactor.mask_text(&encoding.decode_without_bom_handling(&bytes[2..]).0);
    let write = if little { u16::to_le_bytes } else { u16::to_be_bytes };
    let wide: Vec<u8> =
        bytes[..2].iter().copied().chain(masked.encode_utf16().flat_map(write)).collect();
    files::create(to)?.write_all(&wide)
}

/// Lines of a child as they may be shown: each set off, so that the runner cannot take it for a
/// command of ours. `::` counts at the start of a line only, `##[` anywhere in it; other control
/// characters than tab are left out, colour included. The last line has no end.
pub(crate) fn neutralise(text: &str) -> String {
    const MARGIN: &str = "  | ";
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut shown = String::with_capacity(text.len() + text.len() / 8 + MARGIN.len());
    // Nearly all output is like this, and there can be a great deal of it.
    let plain = text
        .bytes()
        .fold(true, |plain, b| plain & ((0x20..0x7f).contains(&b) | (b == b'\t') | (b == b'\n')))
        && !text.contains("##[");
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            shown.push('\n');
        }
        shown.push_str(MARGIN);
        if plain {
            shown.push_str(line);
        } else {
            let line = without_escapes(line);
            let line: String =
                line.chars().filter(|c| *c == '\t' || !(c.is_control() || reorders(*c))).collect();
            shown.push_str(&line.replace("##[", "## ["));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(folder: &Path) -> LineSink {
        LineSink::new(folder.join("log"), Redactor::new([], ["topsecretvalue"]), None)
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
        assert_eq!(
            std::fs::read_to_string(folder.path().join("log")).unwrap(),
            "err\na *** b\nlast"
        );
    }

    #[test]
    fn output_in_utf_16_is_stored_as_utf_8_however_it_is_cut() {
        let text = "ab: a topsecretvalue é\r\n";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (mark, body) in [(&b"\xff\xfe"[..], &le), (b"\xfe\xff", &be), (b"", &le), (b"", &be)] {
            for size in [1, 2, 3, 7, 100] {
                let folder = tempfile::tempdir().unwrap();
                let sink = sink(folder.path());
                // Half a character stands at the end.
                let bytes = [mark, body, b"\x00"].concat();
                bytes.chunks(size).for_each(|piece| sink.take(Stream::Stdout, piece));
                sink.take(Stream::Stdout, b"");
                assert_eq!(sink.finish().tail, "ab: a *** é\r\n\u{fffd}", "{mark:?} by {size}");
            }
        }
    }

    #[test]
    fn zeros_between_letters_are_no_utf_16_yet() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path());
        sink.take(Stream::Stdout, b"a\0b\0c\0d\0\ntopsecretvalue");
        sink.take(Stream::Stdout, b"");
        assert_eq!(sink.finish().tail, "a\0b\0c\0d\0\n***");
    }

    #[test]
    fn a_results_file_in_utf_16_is_masked_and_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("r.xml"), folder.path().join("masked.xml"));
        let text = format!("\u{feff}<a b='ghp_{}' c='topsecretvalue'/>é", "a".repeat(36));
        std::fs::write(&from, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
            .unwrap();
        copy_masked(&Redactor::new([], ["topsecretvalue"]), &from, &to).unwrap();
        let units: Vec<u16> = std::fs::read(&to)
            .unwrap()
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert_eq!(String::from_utf16(&units).unwrap(), "\u{feff}<a b='***' c='***'/>é");
    }

    #[test]
    fn other_bytes_are_stored_as_they_came_and_a_mark_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path());
        for piece in [&b"\xef"[..], b"\xbb", b"\xbf1 \xff\x82\n", b"\xc3", b"\xa9\n"] {
            sink.take(Stream::Stdout, piece);
        }
        sink.take(Stream::Stderr, b"x");
        sink.take(Stream::Stderr, b"");
        sink.finish();
        assert_eq!(std::fs::read(folder.path().join("log")).unwrap(), b"1 \xff\x82\n\xc3\xa9\nx");
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
        assert_eq!(neutralise("a ##[group]b\u{1b}[31m\r\n"), "  | a ## [group]b");
        assert_eq!(neutralise("a\n\n::b\n"), "  | a\n  | \n  | ::b");
        assert_eq!(neutralise("a ##[x\n::b\u{85}::c"), "  | a ## [x\n  | ::b::c");
    }
}
