//! The door for results that are not XML: lines of text, or one JSON document. It owns decoding,
//! bounds and the end of the file; a format is one file with an implementation of [`Lines`] or
//! [`Document`] and one line in `mod.rs`.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use super::walk::Bounded;
use super::{Defect, Reading, document_of, lines_of};
use crate::domain::results::outcome_word::Format;

/// How much of a file is searched for the first line of a known format.
const HEAD: u64 = 1 << 20;
/// A line, or an element of a JSON document, may take this much before the file is refused.
const PIECE_LIMIT: u64 = 32 << 20;
/// How much is read at a time.
const CHUNK: usize = 128 << 10;
/// Values of a JSON document that may come before its format is known, and are needed then.
const EARLY: [&str; 10] = [
    "messages",
    "numFailedTests",
    "numFailedTestSuites",
    "numRuntimeErrorTestSuites",
    "numTotalTests",
    "stats",
    "success",
    "summary",
    "summary_line",
    "wasInterrupted",
];

/// A format that consists of lines.
pub(super) trait Lines {
    /// One line without its line end. A line that is broken beyond doubt is a defect.
    fn line(&mut self, line: &str, reading: &mut Reading);
    /// The file has ended, in the middle of a line where `cut`.
    fn finish(&mut self, cut: bool, reading: &mut Reading);
}

/// A format that is one JSON object.
pub(super) trait Document {
    /// An element of the list that stands at `key` of the root.
    fn element(&mut self, key: &str, element: &Value, reading: &mut Reading);
    /// The beginning of an element in which the file breaks off: only what is known to have failed
    /// counts.
    fn broken(&mut self, key: &str, element: &Value, reading: &mut Reading);
    /// A value at the root that is no list of elements.
    fn value(&mut self, key: &str, value: &Value, reading: &mut Reading);
    /// Whether the lists at this key are read element by element.
    fn lists(&self, key: &str) -> bool;
    /// The file has ended, in the middle where `cut`.
    fn finish(&mut self, cut: bool, reading: &mut Reading);
}

/// How the bytes of a file are to be read.
pub(super) enum Shape {
    /// One element: the XML loop decides.
    Xml,
    /// One JSON value.
    Json(&'static Encoding),
    /// Lines of a known format.
    Lines(&'static Encoding, Format, Box<dyn Lines>),
}

/// Looks at the beginning of a file.
pub(super) fn shape_of(source: &mut (impl Read + Seek)) -> io::Result<Shape> {
    let mut head = Vec::new();
    Read::take(&mut *source, 256).read_to_end(&mut head)?;
    let encoding = encoding_of(&head);
    let first = encoding.decode(&head).0.chars().find(|c| !c.is_whitespace() && *c != '\0');
    if matches!(first, None | Some('<')) {
        source.seek(SeekFrom::Start(0))?;
        return Ok(Shape::Xml);
    }
    Read::take(&mut *source, HEAD).read_to_end(&mut head)?;
    source.seek(SeekFrom::Start(0))?;
    let text = encoding.decode(&head).0;
    if let Some((format, lines)) = text.lines().find_map(lines_of) {
        return Ok(Shape::Lines(encoding, format, lines));
    }
    Ok(if matches!(first, Some('{' | '[')) { Shape::Json(encoding) } else { Shape::Xml })
}

/// Encoding by the byte order mark, or by the shape of the first two bytes; UTF-8 otherwise.
fn encoding_of(head: &[u8]) -> &'static Encoding {
    match (Encoding::for_bom(head), head) {
        (Some((marked, _)), _) => marked,
        (None, [b'{' | b'[', 0, ..]) => UTF_16LE,
        (None, [0, b'{' | b'[', ..]) => UTF_16BE,
        _ => UTF_8,
    }
}

/// Decodes a source; what is no text of its encoding is replaced. No piece may take more than the
/// budget.
fn decoded(source: impl Read, encoding: &'static Encoding, budget: &Rc<Cell<u64>>) -> impl BufRead {
    let bounded = Bounded { source, budget: budget.clone() };
    let decoder =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(bounded);
    BufReader::with_capacity(CHUNK, decoder)
}

/// Reads a format that consists of lines.
pub(super) fn read_lines(
    source: impl Read,
    encoding: &'static Encoding,
    format: Format,
    mut lines: Box<dyn Lines>,
    list: bool,
) -> Reading {
    let mut reading =
        Reading { format: Some(format), tests: list.then(Vec::new), ..Reading::default() };
    let budget = Rc::new(Cell::new(PIECE_LIMIT));
    let mut source = decoded(source, encoding, &budget);
    let mut line = Vec::new();
    let mut whole = true;
    let broken = loop {
        budget.set(PIECE_LIMIT);
        line.clear();
        match source.read_until(b'\n', &mut line) {
            Ok(0) => break None,
            Ok(_) => {
                whole = line.pop_if(|byte| *byte == b'\n').is_some();
                line.pop_if(|byte| *byte == b'\r');
                lines.line(&String::from_utf8_lossy(&line), &mut reading);
            }
            Err(error) => break Some(error),
        }
    };
    lines.finish(!whole || broken.is_some(), &mut reading);
    match broken {
        Some(error) => reading.defect = Some(Defect::Invalid(error.to_string())),
        // A line without an end: what stood behind it is not known.
        None if !whole && reading.defect.is_none() => {
            reading.defect = Some(Defect::Truncated("it ends in the middle of a line".to_owned()));
        }
        None => {}
    }
    reading
}

/// Reads a format that is one JSON object.
pub(super) fn read_json(source: impl Read, encoding: &'static Encoding, list: bool) -> Reading {
    let reading = Reading { tests: list.then(Vec::new), ..Reading::default() };
    let budget = Rc::new(Cell::new(PIECE_LIMIT));
    let mut root = Root { document: None, early: Vec::new(), reading, budget: budget.clone() };
    let mut json = serde_json::Deserializer::from_reader(decoded(source, encoding, &budget));
    let ended = (&mut root).deserialize(&mut json).and_then(|()| json.end());
    let defect = ended.err().map(|error| match error.classify() {
        Category::Eof => Defect::Truncated("it ends in the middle of its JSON".to_owned()),
        Category::Data if root.document.is_none() => {
            Defect::Unsupported("it is JSON, but no object".to_owned())
        }
        Category::Data | Category::Syntax | Category::Io => Defect::Invalid(error.to_string()),
    });
    let mut reading = root.reading;
    match &mut root.document {
        Some(document) => document.finish(defect.is_some(), &mut reading),
        None if defect.is_none() => {
            reading.defect =
                Some(Defect::Unsupported("it is JSON of none of the known formats".to_owned()));
        }
        None => {}
    }
    if defect.is_some() {
        reading.defect = defect;
    }
    reading
}

/// The root object, read key by key.
struct Root {
    document: Option<Box<dyn Document>>,
    early: Vec<(String, Value)>,
    reading: Reading,
    budget: Rc<Cell<u64>>,
}

impl<'de> DeserializeSeed<'de> for &mut Root {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Root {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            self.budget.set(PIECE_LIMIT);
            let Some(key) = map.next_key::<String>()? else { return Ok(()) };
            if self.document.is_none()
                && let Some((format, document)) = document_of(&key)
            {
                self.reading.format = Some(format);
                let document = self.document.insert(document);
                for (key, value) in self.early.drain(..) {
                    document.value(&key, &value, &mut self.reading);
                }
            }
            let wanted = EARLY.contains(&key.as_str());
            match &mut self.document {
                Some(document) if document.lists(&key) => {
                    let (reading, budget) = (&mut self.reading, &self.budget);
                    map.next_value_seed(Elements { key: &key, document, reading, budget })?;
                }
                Some(document) if wanted => {
                    let value = map.next_value()?;
                    document.value(&key, &value, &mut self.reading);
                }
                None if wanted && !self.early.iter().any(|(known, _)| *known == key) => {
                    let value = map.next_value()?;
                    self.early.push((key, value));
                }
                _ => map.next_value_seed(Skip(&self.budget))?,
            }
        }
    }
}

/// A list whose elements are handed on one by one.
struct Elements<'a> {
    key: &'a str,
    document: &'a mut Box<dyn Document>,
    reading: &'a mut Reading,
    budget: &'a Cell<u64>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list at {:?}", self.key)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            self.budget.set(PIECE_LIMIT);
            let mut element = Value::Null;
            match seq.next_element_seed(Partial(&mut element)) {
                Ok(Some(())) => self.document.element(self.key, &element, self.reading),
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.document.broken(self.key, &element, self.reading);
                    return Err(error);
                }
            }
        }
    }
}

/// A value of which everything is kept that was read before it breaks off.
struct Partial<'a>(&'a mut Value);

impl<'de> DeserializeSeed<'de> for Partial<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Partial<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        *self.0 = value.into();
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        *self.0 = value.into();
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.0 = value.into();
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        *self.0 = value.into();
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        *self.0 = value.into();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        *self.0 = Value::Array(Vec::new());
        loop {
            let mut element = Value::Null;
            let read = seq.next_element_seed(Partial(&mut element));
            if let (Value::Array(list), Ok(Some(())) | Err(_)) = (&mut *self.0, &read) {
                list.push(element);
            }
            if read?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        *self.0 = Value::Object(serde_json::Map::new());
        while let Some(key) = map.next_key::<String>()? {
            let mut value = Value::Null;
            let read = map.next_value_seed(Partial(&mut value));
            if let Value::Object(members) = &mut *self.0 {
                members.insert(key, value);
            }
            read?;
        }
        Ok(())
    }
}

/// A value that nobody needs, of any size: no part of it is kept.
struct Skip<'a>(&'a Cell<u64>);

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.set(PIECE_LIMIT);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Skip(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Skip(self.0))?.is_some() {
            map.next_value_seed(Skip(self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_from;
    use super::*;
    use crate::domain::results::counts::Counts;

    fn word(bytes: &[u8]) -> &'static str {
        read_from(io::Cursor::new(bytes)).defect.map_or("complete", |defect| defect.word())
    }

    #[test]
    fn json_that_is_no_results_file_is_distinguished() {
        let deep = ["{\"a\":", &"[".repeat(5000)].concat();
        for (text, expected) in [
            ("{", "truncated"),
            ("{\"testResults\": [", "truncated"),
            ("{\"json\": true}", "unsupported"),
            ("[1, 2]", "unsupported"),
            ("{} trailing", "invalid"),
            ("{\"testResults\": [}", "invalid"),
            ("{\"testResults\": 7}", "invalid"),
            ("{\"examples\": []} {\"examples\": []}", "invalid"),
            (&deep, "invalid"),
            ("neither JSON nor XML", "unsupported"),
        ] {
            assert_eq!(word(text.as_bytes()), expected, "{}", &text[..text.len().min(60)]);
        }
    }

    #[test]
    fn utf16_is_read_and_bytes_that_are_no_text_are_replaced() {
        let text = "{\"summary\": {\"example_count\": 1, \"failure_count\": 1}, \"examples\": \
                    [{\"full_description\": \"ä\", \"status\": \"failed\"}]}";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let marked = [&[0xff, 0xfe][..], &little].concat();
        for bytes in [text.as_bytes(), &little, &big, &marked, &latin1] {
            let reading = read_from(io::Cursor::new(bytes));
            let expected = Counts { total: 1, failed: 1, ..Counts::default() };
            assert_eq!((reading.counts, reading.defect), (expected, None), "{bytes:?}");
        }
    }

    /// The texts in recordings of the tools behind which a test is known to have failed.
    const RECORDINGS: [(&str, &[&str]); 7] = [
        (include_str!("../../../tests/data/results/go/all.jsonl"), &[]),
        (include_str!("../../../tests/data/results/libtest/all.txt"), &["... FAILED\n"]),
        (
            include_str!("../../../tests/data/results/jest/jest.json"),
            &[r#""status":"failed","title""#],
        ),
        (
            include_str!("../../../tests/data/results/jest/vitest.json"),
            &[r#""status":"failed","title""#],
        ),
        (
            include_str!("../../../tests/data/results/mocha/mocha.json"),
            &[
                "  \"pending\": [",
                r#""fullTitle": "hooked \"before all\" hook: opens for \"needs it\"""#,
                r#""fullTitle": "after \"after each\" hook for \"fine\"""#,
            ],
        ),
        (include_str!("../../../tests/data/results/rspec/rspec.json"), &[r#""status":"failed""#]),
        (include_str!("../../../tests/data/results/rspec/load-error.json"), &[r#"],"examples":["#]),
    ];

    /// How many failures a text shows by a plain look at it.
    fn shown(text: &str, marks: &[&str]) -> u64 {
        let fails =
            |line: &&str| line.contains(r#""Action":"fail""#) && line.contains(r#""Test":""#);
        let events =
            text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter(fails).count();
        let marked = marks.iter().map(|mark| text.matches(mark).count()).sum::<usize>();
        (events + marked) as u64
    }

    #[test]
    fn a_cut_file_never_hides_a_failure_and_never_reads_as_whole() {
        for (text, marks) in RECORDINGS {
            let whole = read_from(io::Cursor::new(text));
            assert!(
                shown(text, marks) > 0 && whole.counts.failures() >= shown(text, marks),
                "{whole:?}"
            );
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let reading = read_from(io::Cursor::new(&text[..at]));
                let failures = reading.counts.failures();
                assert!(failures >= shown(&text[..at], marks), "cut at {at}: {reading:?}");
                assert!(failures <= whole.counts.failures(), "cut at {at}: {reading:?}");
                // A stream of events or of test binaries may end between two of them.
                let may_end = match whole.format {
                    Some(Format::Go) => text[..at].lines().last().is_some_and(|line| {
                        line.contains("\"build-fail\"") || line.contains("\"Package\"")
                    }),
                    Some(Format::Libtest) => text[..at]
                        .trim_end()
                        .lines()
                        .last()
                        .is_some_and(|line| line.starts_with("test result: ")),
                    _ => text[at..].trim().is_empty(),
                };
                assert!(reading.defect.is_some() || may_end, "cut at {at} reads as whole");
            }
        }
    }

    #[test]
    fn one_piece_may_not_take_more_than_the_limit() {
        let long = "x".repeat(PIECE_LIMIT as usize + (1 << 20));
        assert_eq!(
            word(format!("{{\"examples\": [{{\"description\": \"{long}\"}}]}}").as_bytes()),
            "invalid"
        );
        assert_eq!(word(format!("running 1 test\n{long}\n").as_bytes()), "invalid");
    }
}
