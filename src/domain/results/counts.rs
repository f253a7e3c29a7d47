//! Counting: what a results file's cases come to.
//!
//! Source of the rules: `docs/results.md`. Cases count, root attributes are only
//! compared; skipped is not not-run; `total` is what ran.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One case's outcome, whatever the format called it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CaseOutcome {
    /// It ran and held.
    Passed,
    /// It ran and an assertion did not hold.
    Failed,
    /// It ran and broke.
    Errored,
    /// It was left out by its own condition.
    Skipped,
    /// It was never meant to run.
    NotRun,
}

/// What the tests of a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Cases run: passed + failed + errors + skipped.
    pub(crate) total: u64,
    /// Cases that held.
    pub(crate) passed: u64,
    /// Cases with a failed assertion.
    pub(crate) failed: u64,
    /// Cases that broke.
    pub(crate) errors: u64,
    /// Cases left out by their own condition.
    pub(crate) skipped: u64,
    /// Cases that were never meant to run; not in `total`.
    pub(crate) not_run: u64,
    /// Setup or teardown blocks that failed; not in `total`.
    pub(crate) failed_blocks: u64,
    /// Files that did not load, or whose own setup or teardown failed; not in `total`.
    pub(crate) failed_files: u64,
}

impl Counts {
    /// Counts one case.
    pub(crate) fn add(&mut self, outcome: CaseOutcome) {
        let field = match outcome {
            CaseOutcome::Passed => &mut self.passed,
            CaseOutcome::Failed => &mut self.failed,
            CaseOutcome::Errored => &mut self.errors,
            CaseOutcome::Skipped => &mut self.skipped,
            CaseOutcome::NotRun => {
                self.not_run = self.not_run.saturating_add(1);
                return;
            }
        };
        *field = field.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    /// Adds another file's counts.
    pub(crate) fn merge(&mut self, other: &Counts) {
        self.total = self.total.saturating_add(other.total);
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.errors = self.errors.saturating_add(other.errors);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.not_run = self.not_run.saturating_add(other.not_run);
        self.failed_blocks = self.failed_blocks.saturating_add(other.failed_blocks);
        self.failed_files = self.failed_files.saturating_add(other.failed_files);
    }

    /// Everything that went wrong.
    pub(crate) const fn failures(&self) -> u64 {
        self.failed
            .saturating_add(self.errors)
            .saturating_add(self.failed_blocks)
            .saturating_add(self.failed_files)
    }

    /// Cases that were executed, skipped ones not among them.
    pub(crate) const fn executed(&self) -> u64 {
        self.passed.saturating_add(self.failed).saturating_add(self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_run_is_outside_the_total_and_skipped_is_inside() {
        let mut counts = Counts::default();
        for outcome in [
            CaseOutcome::Passed,
            CaseOutcome::Failed,
            CaseOutcome::Errored,
            CaseOutcome::Skipped,
            CaseOutcome::NotRun,
        ] {
            counts.add(outcome);
        }
        assert_eq!(
            (counts.total, counts.not_run, counts.executed(), counts.failures()),
            (4, 1, 3, 2)
        );
    }
}
