//! The open suites of a reader, for the formats in which a suite says by itself that it failed.

use super::Reading;

#[derive(Debug, Default)]
pub(super) struct Suites {
    open: Vec<Suite>,
}

#[derive(Debug)]
struct Suite {
    depth: usize,
    /// Failures counted when it began.
    before: u64,
    /// It says that it failed.
    failed: bool,
    /// It failed by itself, whatever its cases did.
    by_itself: bool,
}

impl Suites {
    /// A suite begins.
    pub(super) fn begin(&mut self, depth: usize, failed: bool, by_itself: bool, reading: &Reading) {
        self.open.push(Suite { depth, before: reading.counts.failures(), failed, by_itself });
    }

    /// A failure that stands in the innermost suite, outside any case.
    pub(super) fn failure(&mut self) {
        if let Some(suite) = self.open.last_mut() {
            suite.failed = true;
        }
    }

    /// An element has ended. A suite that says it failed and in which nothing did: what failed
    /// stands outside its cases.
    pub(super) fn end(&mut self, depth: usize, reading: &mut Reading) {
        if let Some(suite) = self.open.pop_if(|suite| suite.depth == depth)
            && (suite.by_itself || (suite.failed && reading.counts.failures() == suite.before))
        {
            reading.failed_block();
        }
    }
}
