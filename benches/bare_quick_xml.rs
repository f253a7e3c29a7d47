//! What the XML library itself takes for a file: every event, and every attribute with its entities
//! resolved. The yardstick of the benchmark `reader`; prints how many of each there were.

#![allow(clippy::print_stdout, missing_docs, reason = "a program for the benchmarks")]

use std::fs::File;
use std::io::BufReader;

use quick_xml::Reader;
use quick_xml::events::Event;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: bare-quick-xml FILE")?;
    let mut reader = Reader::from_reader(BufReader::with_capacity(128 << 10, File::open(path)?));
    let (mut events, mut attributes, mut buffer) = (0_u64, 0_u64, Vec::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Eof => break,
            Event::Start(start) | Event::Empty(start) => {
                for attribute in start.attributes() {
                    let value = attribute?.value;
                    attributes += u64::from(!quick_xml::escape::unescape(&value)?.is_empty());
                }
            }
            _ => {}
        }
        events += 1;
    }
    println!("{events} events, {attributes} attributes");
    Ok(())
}
