//! Results files: one streaming reader per format behind one loop.
//!
//! The loop owns what formats share: decoding, well-formedness, the end of the file and the bounds.
//! A format is one file with an implementation of [`Format`] and one line in [`format_of`]; it
//! counts cases and never builds a document. Memory is bounded whatever the file holds.

mod junit;
mod nunit25;

use std::cell::Cell;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use encoding_rs::Encoding;
use encoding_rs_io::DecodeReaderBytesBuilder;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error as XmlError, Reader};

use crate::adapter::workspace::files;
use crate::domain::counts::{CaseOutcome, Counts};
use crate::domain::fault::Fault;

/// One element or attribute may take this much before the file is refused.
const PIECE_LIMIT: u64 = 64 << 20;
/// How many failures are kept with their messages.
const FAILURES_KEPT: usize = 1000;
/// How much of a message is kept.
const MESSAGE_KEPT: usize = 4 << 10;
/// Elements may stand this deep.
const DEPTH_LIMIT: usize = 10_000;

/// A case that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its name, with its class where the format has one.
    pub(crate) name: String,
    /// The file it stands in.
    pub(crate) file: Option<String>,
    /// The line it stands at.
    pub(crate) line: Option<u64>,
    /// The beginning of its message.
    pub(crate) message: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It ends in the middle.
    Truncated(String),
    /// It is not well-formed.
    Invalid(String),
    /// It is well-formed and none of the formats.
    Unsupported(String),
    /// Its root claims what its cases do not show.
    Inconsistent(String),
}

impl Defect {
    /// As a fault of the file at `path`.
    pub(crate) fn fault(&self, path: &str) -> Fault {
        let path = path.to_owned();
        match self.clone() {
            Defect::Truncated(why) => Fault::ResultsTruncated { path, why },
            Defect::Invalid(why) => Fault::ResultsInvalid { path, why },
            Defect::Unsupported(why) => Fault::ResultsUnsupported { path, why },
            Defect::Inconsistent(why) => Fault::ResultsInconsistent { path, why },
        }
    }

    /// The word for `resultsXmlStatus`.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Defect::Truncated(_) => "truncated",
            Defect::Invalid(_) => "invalid",
            Defect::Unsupported(_) => "unsupported",
            Defect::Inconsistent(_) => "inconsistent",
        }
    }
}

/// What a file came to. A defect does not take the counts away: complete cases are salvaged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What its cases came to.
    pub(crate) counts: Counts,
    /// The first failures, in file order.
    pub(crate) failures: Vec<Failure>,
    /// What is wrong with it.
    pub(crate) defect: Option<Defect>,
    /// What was noticed and changes nothing.
    pub(crate) notes: Vec<String>,
}

impl Reading {
    /// Counts a case and keeps its failure.
    fn case(&mut self, outcome: CaseOutcome, failure: impl FnOnce() -> Failure) {
        self.counts.add(outcome);
        if matches!(outcome, CaseOutcome::Failed | CaseOutcome::Errored) && self.failures.len() < FAILURES_KEPT {
            self.failures.push(failure());
        }
    }
}

/// One format's view of the elements.
trait Format {
    /// An element begins.
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading);
    /// Text inside the element that began last.
    fn text(&mut self, text: &str);
    /// The element that began last ends.
    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading);
    /// The file has ended, in the middle where `cut`.
    fn finish(&mut self, cut: bool, reading: &mut Reading);
}

/// An element's name and attributes.
struct Element<'a> {
    start: &'a BytesStart<'a>,
    depth: usize,
}

impl Element<'_> {
    fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// An attribute's value with its entities resolved; an unknown entity stays as it is.
    fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.start.attributes();
        attributes.with_checks(false);
        let found = attributes.filter_map(Result::ok).find(|a| a.key.local_name().into_inner() == name)?;
        Some(quick_xml::escape::unescape(&found.value).map_or_else(|_| found.value.to_string(), |v| v.into_owned()))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.attribute(name)?.trim().parse().ok()
    }

    /// A total that a root or suite claims. One that is no number is said so: it must not count as none.
    fn claim(&self, name: &str, reading: &mut Reading) -> Option<u64> {
        let text = self.attribute(name)?;
        let number = text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 9e15);
        if number.is_none() && !text.trim().is_empty() {
            let shown: String = text.chars().take(40).collect();
            reading
                .defect
                .get_or_insert(Defect::Inconsistent(format!("{name} is {shown:?}, which is no number of tests")));
        }
        number.map(|n| n as u64)
    }
}

/// The reader for a root element.
fn format_of(root: &str) -> Option<Box<dyn Format>> {
    match root {
        "testsuites" | "testsuite" => Some(Box::new(junit::Junit::default())),
        "test-results" => Some(Box::new(nunit25::Nunit25::default())),
        _ => None,
    }
}

/// Reads one results file.
pub(crate) fn read(path: &Path) -> io::Result<Reading> {
    Ok(read_from(files::open(path)?))
}

/// Reads results from bytes, whatever they hold.
pub(crate) fn read_from(source: impl Read) -> Reading {
    let budget = Rc::new(Cell::new(PIECE_LIMIT));
    let mut source = BufReader::new(Bounded { source, budget: budget.clone() });
    let encoding = match source.fill_buf() {
        Ok(head) => declared_encoding(head),
        Err(error) => return defective(Defect::Invalid(error.to_string())),
    };
    let decoder = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(source);
    let mut walk = Walk { budget, ..Walk::default() };
    walk.run(BufReader::with_capacity(64 << 10, decoder));
    walk.reading
}

fn defective(defect: Defect) -> Reading {
    Reading { defect: Some(defect), ..Reading::default() }
}

/// Encoding by the first bytes or the XML declaration; UTF-8 where nothing says otherwise. A byte
/// order mark beats all of it, in the decoder.
fn declared_encoding(head: &[u8]) -> &'static Encoding {
    match head {
        [b'<', 0, ..] => return encoding_rs::UTF_16LE,
        [0, b'<', ..] => return encoding_rs::UTF_16BE,
        _ => {}
    }
    let head = &head[..head.len().min(200)];
    let declaration = head.split(|byte| *byte == b'>').next().unwrap_or_default();
    let text = String::from_utf8_lossy(declaration);
    let label = text.split_once("encoding=").and_then(|(_, rest)| {
        let quote = rest.chars().next()?;
        rest[1..].split(quote).next()
    });
    match label.and_then(|label| Encoding::for_label(label.as_bytes())) {
        // A file that was read up to here byte by byte is not UTF-16, whatever it says.
        Some(encoding) if encoding.is_ascii_compatible() => encoding,
        _ => encoding_rs::UTF_8,
    }
}

/// A source that gives out: one element must not take more than the budget.
struct Bounded<R> {
    source: R,
    budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        match self.budget.get().checked_sub(read as u64) {
            Some(left) => self.budget.set(left),
            None => return Err(io::Error::new(io::ErrorKind::FileTooLarge, "one element takes more than 64 MiB")),
        }
        Ok(read)
    }
}

#[derive(Default)]
struct Walk {
    reading: Reading,
    format: Option<Box<dyn Format>>,
    open: Vec<String>,
    roots: u32,
    budget: Rc<Cell<u64>>,
}

impl Walk {
    fn run(&mut self, source: impl BufRead) {
        let mut reader = Reader::from_reader(source);
        let config = reader.config_mut();
        config.check_end_names = true;
        config.allow_dangling_amp = true;
        let mut buffer = Vec::new();
        let defect = loop {
            self.budget.set(PIECE_LIMIT);
            buffer.clear();
            let ended = match reader.read_event_into(&mut buffer) {
                Ok(Event::Eof) => Some(self.at_end()),
                Ok(event) => self.event(&event).err().map(Some),
                Err(error) => Some(Some(at_error(&error, &mut reader))),
            };
            if let Some(defect) = ended {
                break defect;
            }
        };
        let cut = matches!(defect, Some(Defect::Truncated(_) | Defect::Invalid(_)));
        if let Some(mut format) = self.format.take() {
            format.finish(cut, &mut self.reading);
        }
        // A file that is broken is that first; what its root claims is no news then.
        if defect.is_some() {
            self.reading.defect = defect;
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Defect> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Empty(start) => {
                self.start(start)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => {
                let text: &str = text;
                if self.open.is_empty() && !text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\0']).is_empty() {
                    let shown: String = text.trim().chars().take(40).collect();
                    return Err(if self.roots == 0 {
                        Defect::Unsupported(format!("it begins with {shown:?} instead of an element"))
                    } else {
                        Defect::Invalid(format!("text after the root element: {shown:?}"))
                    });
                }
                self.give_text(text);
                Ok(())
            }
            Event::CData(text) => {
                self.give_text(text);
                Ok(())
            }
            Event::GeneralRef(name) => {
                let raw = format!("&{};", &**name);
                match quick_xml::escape::unescape(&raw) {
                    Ok(text) => self.give_text(&text),
                    // An entity of the file's own could be anything, a failure too.
                    Err(error) => return Err(Defect::Invalid(format!("{raw}: {error}"))),
                }
                Ok(())
            }
            Event::DocType(text) if text.contains("<!ENTITY") || text.contains("<!ATTLIST") => {
                Err(Defect::Unsupported(
                    "its document type declares entities or attributes, which are not expanded".to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Defect> {
        let name = start.local_name().into_inner().to_owned();
        if self.open.is_empty() {
            self.roots += 1;
            if self.roots > 1 {
                return Err(Defect::Invalid("a second root element".to_owned()));
            }
            self.format = format_of(&name);
            if self.format.is_none() {
                return Err(Defect::Unsupported(format!("root element {name:?}")));
            }
        }
        if self.open.len() >= DEPTH_LIMIT {
            return Err(Defect::Invalid(format!("elements stand more than {DEPTH_LIMIT} deep")));
        }
        for attribute in start.attributes() {
            let value = attribute.map_err(|error| Defect::Invalid(format!("in <{name}>: {error}")))?.value;
            if value.contains('&') {
                quick_xml::escape::unescape(&value)
                    .map_err(|error| Defect::Invalid(format!("in <{name}>: {error}")))?;
            }
        }
        let element = Element { start, depth: self.open.len() };
        if let Some(format) = &mut self.format {
            format.start(&element, &mut self.reading);
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self) {
        if let (Some(name), Some(format)) = (self.open.pop(), &mut self.format) {
            format.end(&name, self.open.len(), &mut self.reading);
        }
    }

    fn give_text(&mut self, text: &str) {
        if let Some(format) = &mut self.format {
            format.text(text);
        }
    }

    fn at_end(&self) -> Option<Defect> {
        if !self.open.is_empty() {
            let innermost = self.open.last().map(String::as_str).unwrap_or_default();
            return Some(Defect::Truncated(format!("it ends inside <{innermost}>")));
        }
        (self.roots == 0).then(|| Defect::Truncated("it holds no element".to_owned()))
    }
}

/// Whether an error is the end of the file in the middle of something, or truly an error.
fn at_error(error: &XmlError, reader: &mut Reader<impl BufRead>) -> Defect {
    let at_end = reader.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty);
    let place = reader.error_position();
    match error {
        XmlError::Syntax(_) if at_end => Defect::Truncated(format!("it ends in the middle of markup (byte {place})")),
        XmlError::Io(error) => Defect::Invalid(error.to_string()),
        other => Defect::Invalid(format!("{other} (byte {place})")),
    }
}

/// The beginning of a message, at a character's edge.
fn bounded(text: &mut String, more: &str) {
    let room = MESSAGE_KEPT.saturating_sub(text.len());
    let mut cut = more.len().min(room);
    while !more.is_char_boundary(cut) {
        cut -= 1;
    }
    text.push_str(&more[..cut]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defect(bytes: &[u8]) -> Option<Defect> {
        read_from(bytes).defect
    }

    fn word(bytes: &[u8]) -> &'static str {
        defect(bytes).map_or("complete", |defect| defect.word())
    }

    #[test]
    fn broken_files_are_told_apart() {
        for (bytes, expected) in [
            (&b""[..], "truncated"),
            (b"  \r\n", "truncated"),
            (b"<?xml version=\"1.0\"?>", "truncated"),
            (b"<testsuites>", "truncated"),
            (b"<testsuites><testsu", "truncated"),
            (b"<testsuites><testcase name=\"a", "truncated"),
            (b"<testsuites><!-- ", "truncated"),
            (b"<testsuites></testsuite>", "invalid"),
            (b"<testsuites/><testsuites/>", "invalid"),
            (b"<testsuites/>trailing", "invalid"),
            (b"<html><body/></html>", "unsupported"),
            (b"{\"json\": true}", "unsupported"),
            (b"<testsuites/>\n\n", "complete"),
            (b"\xef\xbb\xbf<testsuites/>", "complete"),
        ] {
            assert_eq!(word(bytes), expected, "{:?} {:?}", String::from_utf8_lossy(bytes), defect(bytes));
        }
    }

    #[test]
    fn encodings_are_read_by_mark_by_declaration_and_by_shape() {
        let text = "<testsuites><testcase name='Ä€'><failure message='ü'/></testcase></testsuites>";
        let wide = |big: bool, mark: bool| {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect::<Vec<_>>()
        };
        for bytes in
            [wide(false, true), wide(true, true), wide(false, false), wide(true, false), text.as_bytes().to_vec()]
        {
            let reading = read_from(&bytes[..]);
            assert_eq!((reading.counts.failed, reading.failures[0].name.as_str()), (1, "Ä€"));
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><testsuites><testcase name='\xc4'><failure/></testcase></testsuites>";
        assert_eq!(read_from(&latin[..]).failures[0].name, "Ä");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("<testsuites>{}", "<testsuite>".repeat(DEPTH_LIMIT + 5));
        assert_eq!(word(deep.as_bytes()), "invalid");
        let huge = io::Cursor::new(b"<testsuites a=\"".to_vec()).chain(io::repeat(b'x').take(200 << 20));
        let reading = read_from(huge);
        assert!(matches!(reading.defect, Some(Defect::Invalid(why)) if why.contains("64 MiB")));
    }

    #[test]
    fn a_document_type_is_not_expanded_and_hides_nothing() {
        assert_eq!(word(b"<!DOCTYPE testsuites><testsuites/>"), "complete");
        for bytes in [
            &b"<!DOCTYPE x [<!ENTITY f \"<failure/>\">]><testsuites><testcase>&f;</testcase></testsuites>"[..],
            b"<!DOCTYPE x [<!ATTLIST testcase status CDATA \"failed\">]><testsuites><testcase/></testsuites>",
        ] {
            assert_eq!(word(bytes), "unsupported");
        }
        for bytes in [
            &b"<testsuites><testcase>&nope;</testcase></testsuites>"[..],
            b"<testsuites><testcase status=\"&f;\"/></testsuites>",
        ] {
            assert_eq!(word(bytes), "invalid");
        }
    }

    /// Every XML file of a folder, where it is there.
    fn corpus() -> Vec<(String, Vec<u8>)> {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results");
        let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
        let folders = [own.to_owned(), format!("{shared}/results"), format!("{shared}/pester")];
        let mut files = Vec::new();
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                println!("skipped: {folder} is not there, so cuts of its files were not tried");
                continue;
            };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.extension().is_some_and(|e| e == "xml") {
                    files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
        files
    }

    /// Failures whose element was opened, whole start tag and all, before the cut: an oracle by text.
    fn opened(text: &str) -> u64 {
        let text = without(&without(text, "<!--", "-->"), "<![CDATA[", "]]>");
        let mut failed = 0;
        let mut case_failed = true;
        for tag in text.split('<').skip(1).filter(|tag| tag.contains('>')) {
            let is = |name: &str| {
                tag.strip_prefix(name).is_some_and(|rest| rest.starts_with(['>', ' ', '/', '\t', '\n', '\r']))
            };
            if is("testcase") {
                case_failed = false;
            } else if (is("failure") || is("error")) && !case_failed {
                failed += 1;
                case_failed = true;
            } else if is("test-case") && (tag.contains(r#" result="Failure""#) || tag.contains(r#" result="Error""#)) {
                failed += 1;
            }
        }
        failed
    }

    /// The text without what stands between two marks, the second of which may be cut away.
    fn without(text: &str, open: &str, close: &str) -> String {
        let mut pieces = text.split(open);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            out.push_str(piece.split_once(close).map_or("", |(_, rest)| rest));
        }
        out
    }

    #[test]
    fn a_cut_file_never_panics_and_never_hides_a_failure() {
        let files = corpus();
        assert!(files.len() >= 4, "the project's own files are there");
        for (name, bytes) in &files {
            let places = 500.min(bytes.len());
            for place in 0..places {
                let at = bytes.len() * place / places;
                let reading = read_from(&bytes[..at]);
                let failures = reading.counts.failed + reading.counts.errors;
                let whole = String::from_utf8_lossy(&bytes[..at]);
                if format_of_text(&whole) {
                    assert!(failures >= opened(&whole), "{name} cut at {at}: {failures} < {}", opened(&whole));
                    let complete = whole.trim_end().ends_with('>') && reading.defect.is_none();
                    assert!(reading.defect.is_some() || complete, "{name} cut at {at} reads as whole");
                }
            }
        }
    }

    fn format_of_text(text: &str) -> bool {
        ["<testsuites", "<testsuite", "<test-results"].iter().any(|root| text.contains(root))
    }
}
