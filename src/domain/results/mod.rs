//! The results of tests: cases, counts, failures, lists, and how they compare with another run.

pub(crate) mod accounted;
pub(crate) mod bundle;
pub(crate) mod case;
pub(crate) mod counts;
pub(crate) mod failure;
pub(crate) mod outcome_word;
pub(crate) mod pester;
pub(crate) mod since_green;
pub(crate) mod test_list;
pub(crate) mod test_runner;
pub(crate) mod triage;
