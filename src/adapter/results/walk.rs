//! The loop over a file's events: decoding, well-formedness, bounds, salvage.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error as XmlError, Reader};

use super::{Defect, Reading};
use crate::domain::results::outcome_word::Format;

/// One element, attribute or text may take this much before the file is refused.
const PIECE_LIMIT: u64 = 32 << 20;
/// Elements may stand this deep.
const DEPTH_LIMIT: usize = 1000;
/// A name of an element or attribute may be this long.
const NAME_LIMIT: usize = 1 << 10;
/// An element may have so many attributes: each is compared with those before it.
const ATTRIBUTES_LIMIT: usize = 1000;
/// How much is read at a time.
const CHUNK: usize = 128 << 10;

/// One format's view of the elements.
pub(super) trait Dialect {
    /// An element begins.
    fn start(&mut self, element: &Element<'_>, reading: &mut Reading);
    /// Text inside the element that began last.
    fn text(&mut self, text: &str);
    /// The element that began last ends.
    fn end(&mut self, name: &str, depth: usize, reading: &mut Reading);
    /// The file has ended, in the middle where `cut`.
    fn finish(&mut self, cut: bool, reading: &mut Reading);
}

/// Which reader a root element has, and in which format it is.
pub(super) type DialectOf = fn(root: &str) -> Option<(Format, Box<dyn Dialect>)>;

/// An element's name and attributes.
pub(super) struct Element<'a> {
    /// Its name without a prefix.
    pub(super) name: &'a str,
    /// How many elements it stands in.
    pub(super) depth: usize,
    tag: &'a str,
    attributes: &'a [Place],
}

/// Where an attribute's key, with its prefix if it has one, and its value stand in the tag.
#[derive(Debug, Clone, Copy)]
struct Place {
    key: (usize, usize),
    value: (usize, usize),
}

impl Element<'_> {
    /// An attribute's value with its entities resolved.
    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        self.raw(name).map(resolved)
    }

    /// An attribute's value as it stands in the file.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let place =
            self.attributes.iter().find(|place| &self.tag[place.key.0..place.key.1] == name)?;
        Some(&self.tag[place.value.0..place.value.1])
    }

    /// Every attribute, its value as it stands in the file.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        let part = |(from, to): (usize, usize)| &self.tag[from..to];
        self.attributes.iter().map(move |place| (part(place.key), part(place.value)))
    }

    /// An attribute that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<Cow<'_, str>> {
        self.attribute(name).filter(|text| !text.trim().is_empty())
    }

    /// A total that a root or suite claims. One that is no number is said so: it must not count as
    /// none.
    pub(super) fn claim(&self, name: &str, reading: &mut Reading) -> Option<u64> {
        let text = self.attribute(name)?;
        let number =
            text.trim().parse::<f64>().ok().filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 9e15);
        if number.is_none() && !text.trim().is_empty() {
            let shown: String = text.chars().take(40).collect();
            reading.defect.get_or_insert(Defect::Inconsistent(format!(
                "{name} is {shown:?}, which is no number of tests"
            )));
        }
        number.map(|n| n as u64)
    }
}

/// A value with its entities resolved. They were checked when the element was read: only of a value
/// that was cut afterwards one may not be whole, and then it stays as it is.
pub(super) fn resolved(raw: &str) -> Cow<'_, str> {
    quick_xml::escape::unescape(raw).unwrap_or(Cow::Borrowed(raw))
}

/// A name that can be one. What was no text in the file must not hide an element that would have
/// counted.
fn check_name(name: &str) -> Result<(), Defect> {
    let odd = name.bytes().any(|byte| byte < b' ' || byte == 0x7f)
        || (!name.is_ascii() && name.contains(char::REPLACEMENT_CHARACTER));
    if odd || name.len() > NAME_LIMIT {
        let shown = super::excerpt(name, 40);
        return Err(Defect::Invalid(format!("{shown:?} is no name of an element or attribute")));
    }
    Ok(())
}

/// Whether every reference in a value is one that XML knows. The usual ones are told without
/// resolving the value.
fn check_references(value: &str) -> Result<(), String> {
    let bytes = value.as_bytes();
    let known = |at: usize| {
        let rest = &bytes[at + 1..];
        [&b"amp;"[..], b"lt;", b"gt;", b"quot;", b"apos;"].iter().any(|name| rest.starts_with(name))
    };
    if memchr::memchr_iter(b'&', bytes).all(known) {
        return Ok(());
    }
    quick_xml::escape::unescape(value).map(drop).map_err(|error| error.to_string())
}

/// Reads results, whatever the bytes hold. What is UTF-8 is read as it stands; where that turns out
/// to be wrong it is read once more with what is no UTF-8 replaced.
pub(super) fn read(mut source: impl Read + Seek, dialect_of: DialectOf, list: bool) -> Reading {
    let mut head = Vec::new();
    if let Err(error) = Read::take(&mut source, 256).read_to_end(&mut head) {
        return Reading { defect: Some(Defect::Invalid(error.to_string())), ..Reading::default() };
    }
    let encoding = encoding_of(&head);
    let begin = |source: &mut _| Seek::seek(source, SeekFrom::Start(0));
    let walked = begin(&mut source)
        .map(|_| (encoding == UTF_8).then(|| Walk::over(&mut source, None, dialect_of, list)));
    let result = walked.and_then(|walked| match walked {
        Some(walk) if !walk.not_utf8 => Ok(walk.reading),
        first => {
            begin(&mut source)?;
            let mut reading = Walk::over(&mut source, Some(encoding), dialect_of, list).reading;
            if first.is_some() {
                reading.note(|| "it holds bytes that are no UTF-8; they were replaced".to_owned());
            }
            Ok(reading)
        }
    });
    result.unwrap_or_else(|error: io::Error| Reading {
        defect: Some(Defect::Invalid(error.to_string())),
        ..Reading::default()
    })
}

/// Encoding by the first bytes or the XML declaration; UTF-8 where nothing says otherwise.
fn encoding_of(head: &[u8]) -> &'static Encoding {
    if let Some((marked, _)) = Encoding::for_bom(head) {
        return marked;
    }
    match head {
        [b'<', 0, ..] => return UTF_16LE,
        [0, b'<', ..] => return UTF_16BE,
        _ => {}
    }
    let declaration = head.split(|byte| *byte == b'>').next().unwrap_or_default();
    let text = String::from_utf8_lossy(declaration);
    let label = text.split_once("encoding").and_then(|(_, rest)| {
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
        rest[1..].split(quote).next()
    });
    match label.and_then(|label| Encoding::for_label(label.as_bytes())) {
        // A file that was read up to here byte by byte is not UTF-16, whatever it says.
        Some(encoding) if ![UTF_16LE, UTF_16BE, encoding_rs::REPLACEMENT].contains(&encoding) => {
            encoding
        }
        _ => UTF_8,
    }
}

/// A source that gives out: one piece must not take more than the budget.
pub(super) struct Bounded<R> {
    pub(super) source: R,
    pub(super) budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        match self.budget.get().checked_sub(read as u64) {
            Some(left) => self.budget.set(left),
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "one element takes more than 32 MiB",
                ));
            }
        }
        Ok(read)
    }
}

#[derive(Default)]
struct Walk {
    reading: Reading,
    dialect: Option<Box<dyn Dialect>>,
    /// Names of the open elements, one behind the other, and where each begins.
    names: String,
    open: Vec<usize>,
    roots: u32,
    budget: Rc<Cell<u64>>,
    places: Vec<Place>,
    /// It stopped at bytes that are no UTF-8.
    not_utf8: bool,
}

impl Walk {
    /// Over a source, decoded where an encoding is named.
    fn over(
        source: &mut impl Read,
        encoding: Option<&'static Encoding>,
        dialect_of: DialectOf,
        list: bool,
    ) -> Self {
        let mut walk = Walk { budget: Rc::new(Cell::new(PIECE_LIMIT)), ..Walk::default() };
        walk.reading.tests = list.then(Vec::new);
        let bounded = Bounded { source, budget: walk.budget.clone() };
        match encoding {
            None => walk.run(BufReader::with_capacity(CHUNK, bounded), dialect_of),
            Some(encoding) => {
                let decoder = DecodeReaderBytesBuilder::new()
                    .encoding(Some(encoding))
                    .bom_override(true)
                    .build(bounded);
                walk.run(BufReader::with_capacity(CHUNK, decoder), dialect_of);
            }
        }
        walk
    }

    fn run(&mut self, source: impl BufRead, dialect_of: DialectOf) {
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
                Ok(event) => self.event(&event, dialect_of).err().map(Some),
                Err(error) => {
                    self.not_utf8 = matches!(error, XmlError::Encoding(_));
                    Some(Some(at_error(&error, &mut reader)))
                }
            };
            if let Some(defect) = ended {
                break defect;
            }
        };
        let cut = matches!(defect, Some(Defect::Truncated(_) | Defect::Invalid(_)));
        if let Some(mut dialect) = self.dialect.take() {
            dialect.finish(cut, &mut self.reading);
        }
        // A file that is broken is that first; what its root claims is no news then.
        if defect.is_some() {
            self.reading.defect = defect;
        }
    }

    fn event(&mut self, event: &Event<'_>, dialect_of: DialectOf) -> Result<(), Defect> {
        match event {
            Event::Start(start) => self.start(start, dialect_of),
            Event::Empty(start) => {
                self.start(start, dialect_of)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) => {
                let text: &str = text;
                if self.open.is_empty()
                    && !text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\0']).is_empty()
                {
                    let shown: String = text.trim().chars().take(40).collect();
                    return Err(if self.roots == 0 {
                        Defect::Unsupported(format!(
                            "it begins with {shown:?} instead of an element"
                        ))
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
            Event::DocType(_) if self.roots > 0 => {
                Err(Defect::Invalid("a document type inside the document".to_owned()))
            }
            Event::DocType(text) if text.contains("<!ENTITY") || text.contains("<!ATTLIST") => {
                Err(Defect::Unsupported(
                    "its document type declares entities or attributes, which are not expanded"
                        .to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, dialect_of: DialectOf) -> Result<(), Defect> {
        let name = start.local_name().into_inner();
        check_name(name)?;
        if self.open.is_empty() {
            self.roots += 1;
            if self.roots > 1 {
                return Err(Defect::Invalid("a second root element".to_owned()));
            }
            let (format, dialect) = dialect_of(name).ok_or_else(|| {
                let shown: String = name.chars().take(40).collect();
                Defect::Unsupported(format!("root element {shown:?}"))
            })?;
            self.reading.format = Some(format);
            self.dialect = Some(dialect);
        }
        if self.open.len() >= DEPTH_LIMIT {
            return Err(Defect::Invalid(format!("elements stand more than {DEPTH_LIMIT} deep")));
        }
        self.find_attributes(start, name)?;
        let element =
            Element { name, depth: self.open.len(), tag: start, attributes: &self.places };
        if let Some(dialect) = &mut self.dialect {
            dialect.start(&element, &mut self.reading);
        }
        self.open.push(self.names.len());
        self.names.push_str(name);
        Ok(())
    }

    /// Notes where each attribute stands; one that is no XML, stands there twice or cannot be
    /// resolved is an error.
    fn find_attributes(&mut self, start: &BytesStart<'_>, name: &str) -> Result<(), Defect> {
        let invalid = |why: String| Defect::Invalid(format!("in <{name}>: {why}"));
        let tag: &str = start;
        let place = |part: &str| {
            let from = part.as_ptr() as usize - tag.as_ptr() as usize;
            (from, from + part.len())
        };
        self.places.clear();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| invalid(error.to_string()))?;
            let value: &str = &attribute.value;
            check_references(value).map_err(invalid)?;
            check_name(attribute.key.into_inner())?;
            if self.places.len() >= ATTRIBUTES_LIMIT {
                return Err(invalid(format!("it has more than {ATTRIBUTES_LIMIT} attributes")));
            }
            self.places.push(Place { key: place(attribute.key.into_inner()), value: place(value) });
        }
        Ok(())
    }

    fn end(&mut self) {
        if let (Some(begin), Some(dialect)) = (self.open.pop(), &mut self.dialect) {
            dialect.end(&self.names[begin..], self.open.len(), &mut self.reading);
            self.names.truncate(begin);
        }
    }

    fn give_text(&mut self, text: &str) {
        if let Some(dialect) = &mut self.dialect {
            dialect.text(text);
        }
    }

    fn at_end(&self) -> Option<Defect> {
        if let Some(begin) = self.open.last() {
            return Some(Defect::Truncated(format!("it ends inside <{}>", &self.names[*begin..])));
        }
        (self.roots == 0).then(|| Defect::Truncated("it holds no element".to_owned()))
    }
}

/// Whether an error is the end of the file in the middle of something, or truly an error.
fn at_error(error: &XmlError, reader: &mut Reader<impl BufRead>) -> Defect {
    let at_end = reader.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty);
    let place = reader.error_position();
    match error {
        XmlError::Syntax(_) if at_end => {
            Defect::Truncated(format!("it ends in the middle of markup (byte {place})"))
        }
        XmlError::Io(error) => Defect::Invalid(error.to_string()),
        other => Defect::Invalid(format!("{other} (byte {place})")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_text as read;
    use super::*;

    fn read_from(bytes: &[u8]) -> Reading {
        super::super::read_from(io::Cursor::new(bytes))
    }

    fn defect(bytes: &[u8]) -> Option<Defect> {
        read_from(bytes).defect
    }

    fn word(bytes: &[u8]) -> &'static str {
        defect(bytes).map_or("complete", |defect| defect.word())
    }

    #[test]
    fn broken_files_are_distinguished() {
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
            (b"<testsuites><!DOCTYPE x [ <failure/> ]></testsuites>", "invalid"),
            (b"<testsuites><testcase name='a'><fail\xffure/></testcase></testsuites>", "invalid"),
            (b"<testsuites><testcase name='a'><fail\0ure/></testcase></testsuites>", "invalid"),
            (b"<testsuites/>\n\n", "complete"),
            (b"\xef\xbb\xbf<testsuites/>", "complete"),
        ] {
            assert_eq!(
                word(bytes),
                expected,
                "{:?} {:?}",
                String::from_utf8_lossy(bytes),
                defect(bytes)
            );
        }
    }

    #[test]
    fn encodings_are_read_by_mark_by_declaration_and_by_shape() {
        let text = "<testsuites><testcase name='Ä€'><failure message='ü'/></testcase></testsuites>";
        let wide = |big: bool, mark: bool| {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            units
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect::<Vec<_>>()
        };
        for bytes in [
            wide(false, true),
            wide(true, true),
            wide(false, false),
            wide(true, false),
            text.as_bytes().to_vec(),
        ] {
            let reading = read_from(&bytes[..]);
            assert_eq!((reading.counts.failed, reading.failures[0].name.as_str()), (1, "Ä€"));
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?>\
                      <testsuites><testcase name='\xc4'><failure/></testcase></testsuites>";
        assert_eq!(read_from(&latin[..]).failures[0].name, "Ä");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!("<testsuites>{}", "<testsuite>".repeat(DEPTH_LIMIT + 5));
        assert_eq!(word(deep.as_bytes()), "invalid");
        let mut huge = b"<testsuites a=\"".to_vec();
        huge.resize(100 << 20, b'x');
        let reading = read_from(&huge);
        assert!(matches!(reading.defect, Some(Defect::Invalid(why)) if why.contains("32 MiB")));
        let long = format!("<testsuites><{}/></testsuites>", "n".repeat(NAME_LIMIT + 1));
        assert_eq!(word(long.as_bytes()), "invalid");
        let odd = format!(
            "<testsuites>{}</testsuites>",
            format!("<testcase time='{}'/>", "\u{1}".repeat(1 << 20)).repeat(60)
        );
        let notes = read(&odd);
        assert!(
            notes.notes.iter().all(|note| note.len() <= 500) && notes.more_notes > 0,
            "{:?}",
            notes.notes.first()
        );
        let many: String = (0..=ATTRIBUTES_LIMIT).map(|n| format!(" a{n}=''")).collect();
        let reading = read(&format!("<testsuites{many}/>"));
        assert!(
            matches!(reading.defect, Some(Defect::Invalid(why)) if why.contains("1000 attributes"))
        );
    }

    #[test]
    fn a_document_type_is_not_expanded_and_hides_nothing() {
        assert_eq!(word(b"<!DOCTYPE testsuites><testsuites/>"), "complete");
        for bytes in [
            &b"<!DOCTYPE x [<!ENTITY f \"<failure/>\">]>\
               <testsuites><testcase>&f;</testcase></testsuites>"[..],
            b"<!DOCTYPE x [<!ATTLIST testcase status CDATA \"failed\">]>\
              <testsuites><testcase/></testsuites>",
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

    #[test]
    fn bytes_that_are_no_utf8_are_replaced_and_the_rest_is_read() {
        let bytes = b"<testsuites><testcase name='a\xff'><failure/></testcase>\
                      <testcase name='b'/></testsuites>";
        let reading = read_from(bytes);
        assert_eq!((reading.counts.failed, reading.counts.passed, reading.defect), (1, 1, None));
        assert_eq!((reading.failures[0].name.as_str(), reading.notes.len()), ("a\u{fffd}", 1));
    }

    #[test]
    fn every_declaration_is_understood() {
        for declaration in [
            "encoding='ISO-8859-1'",
            "encoding = \"iso-8859-1\"",
            "standalone='no' encoding='latin1'",
        ] {
            let text = format!(
                "<?xml version='1.0' {declaration}?>\
                 <testsuites><testcase name='\u{1}'><failure/></testcase></testsuites>"
            );
            let bytes: Vec<u8> = text.bytes().map(|b| if b == 1 { 0xc4 } else { b }).collect();
            assert_eq!(read_from(&bytes).failures[0].name, "Ä", "{declaration}");
        }
        // A mark beats a declaration, and a declaration of UTF-16 in a file that is read byte by
        // byte is wrong.
        let marked = "\u{feff}<?xml version='1.0' encoding='latin1'?>\
                      <testsuites><testcase name='Ä'><failure/></testcase></testsuites>";
        assert_eq!(read(marked).failures[0].name, "Ä");
        let wrong = "<?xml version='1.0' encoding='UTF-16'?>\
                     <testsuites><testcase name='Ä'><failure/></testcase></testsuites>";
        assert_eq!(read(wrong).failures[0].name, "Ä");
    }

    /// Every results file that is there: the project's own and the corpus.
    fn corpus() -> Vec<(String, Vec<u8>)> {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results");
        let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
        let mut files = Vec::new();
        for folder in [own, shared] {
            if !std::path::Path::new(folder).is_dir() {
                println!("skipped: {folder} is not there, so cuts of its files were not tried");
            }
            for entry in
                walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok)
            {
                let ending = entry.path().extension().and_then(|e| e.to_str()).unwrap_or_default();
                if ["xml", "trx"].contains(&ending) {
                    files.push((
                        entry.path().display().to_string(),
                        std::fs::read(entry.path()).unwrap(),
                    ));
                }
            }
        }
        files
    }

    /// For each case that failed, where the start tag that says so is whole: an oracle by text.
    fn failures_opened(text: &str) -> Vec<usize> {
        let (mut places, mut at, mut case_failed) = (Vec::new(), 0, true);
        while let Some(from) = text[at..].find('<').map(|found| at + found) {
            let skip = |open: &str, close: &str| {
                let rest = text[from..].strip_prefix(open)?;
                Some(
                    rest.find(close)
                        .map_or(text.len(), |found| from + open.len() + found + close.len()),
                )
            };
            if let Some(behind) = skip("<!--", "-->").or_else(|| skip("<![CDATA[", "]]>")) {
                at = behind;
                continue;
            }
            let end = text[from..].find('>').map_or(text.len(), |found| from + found + 1);
            let tag = &text[from + 1..end];
            let is = |name: &str| {
                tag.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['>', ' ', '/', '\t', '\n', '\r']))
            };
            let says =
                |attributes: &[&str]| attributes.iter().any(|attribute| tag.contains(attribute));
            if is("testcase") {
                case_failed = false;
            } else if (is("failure") || is("error")) && !case_failed {
                places.push(end);
                case_failed = true;
            } else if is("test-case")
                && (says(&[r#" result="Failure""#, r#" result="Error""#, r#" result="Failed""#])
                    || says(&[r#" success="False""#]) && !says(&[" result="]))
                || is("UnitTestResult")
                    && says(&[
                        r#" outcome="Failed""#,
                        r#" outcome="Error""#,
                        r#" outcome="Timeout""#,
                        r#" outcome="InProgress""#,
                    ])
                    && !says(&["DataDrivenTest"])
            {
                places.push(end);
            }
            at = end;
        }
        places
    }

    #[test]
    fn a_cut_file_never_panics_and_never_hides_a_failure() {
        let files = corpus();
        assert!(files.len() >= 4, "the project's own files are there");
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some((name, bytes)) =
                        files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                    {
                        cut_everywhere(name, bytes);
                    }
                });
            }
        });
    }

    fn cut_everywhere(name: &str, bytes: &[u8]) {
        // What is not UTF-8 is cut too; the oracle reads the others.
        let opened = std::str::from_utf8(bytes).map(failures_opened).unwrap_or_default();
        let whole = read_from(bytes);
        let failed = |reading: &Reading| (reading.counts.failed + reading.counts.errors) as usize;
        if !opened.is_empty() || bytes.is_ascii() {
            assert_eq!(failed(&whole), opened.len(), "{name}: the oracle and the reader differ");
        }
        const EVERY: usize = 64 << 10;
        let beyond = bytes.len().saturating_sub(EVERY);
        let places = (0..bytes.len().min(EVERY))
            .chain((0..2000.min(beyond)).map(|n| EVERY + beyond * n / 2000));
        for at in places {
            let reading = read_from(&bytes[..at]);
            let expected = opened.partition_point(|place| *place <= at);
            assert!(
                failed(&reading) >= expected,
                "{name} cut at {at}: {} < {expected}",
                failed(&reading)
            );
            // In UTF-16 every other byte of the markup is zero.
            let end = bytes[..at].iter().rposition(|byte| !b" \r\n\t\0".contains(byte));
            let complete = end.is_some_and(|end| bytes[end] == b'>');
            assert!(reading.defect.is_some() || complete, "{name} cut at {at} reads as whole");
        }
    }
}
