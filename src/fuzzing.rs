//! What the fuzz targets call: a reader, and what must hold of whatever it makes of any bytes.

use std::io::Cursor;

use crate::adapter::results;

/// Reads results from any bytes.
///
/// # Panics
/// Where a count does not add up, or a failure is lost: that is what a fuzz target looks for.
pub fn results(bytes: &[u8]) {
    let reading = results::read_from(Cursor::new(bytes));
    let counts = &reading.counts;
    let cases = counts.passed + counts.failed + counts.errors + counts.skipped;
    assert_eq!(counts.total, cases, "{counts:?}");
    assert!(reading.failures.len() as u64 <= counts.failed + counts.errors, "{counts:?}");
    assert_eq!(reading.failures.is_empty(), counts.failed + counts.errors == 0, "{counts:?}");
    assert!(reading.format.is_some() || (cases == 0 && reading.defect.is_some()), "{reading:?}");
}
