//! Which finished runs are removed: the oldest, by number, by age and by size.

use std::collections::HashMap;
use std::time::Duration;

/// How many runs of one repository stay.
pub(crate) const RUNS_KEPT: usize = 20;
/// For how long a run stays.
pub(crate) const AGE_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How much all runs may take together, in bytes.
pub(crate) const BYTES_KEPT: u64 = 2 << 30;

/// A run, as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aged {
    /// Whose run it is.
    pub(crate) repository: String,
    /// How long ago it began.
    pub(crate) age: Duration,
    /// What its files take, in bytes.
    pub(crate) bytes: u64,
    /// Whether it is never removed: it is in progress, or somebody asked to keep it.
    pub(crate) stays: bool,
}

/// The runs to remove, by their place in the list.
pub(crate) fn surplus(runs: &[Aged]) -> Vec<usize> {
    let mut newest_first: Vec<usize> = (0..runs.len()).collect();
    newest_first.sort_by_key(|at| runs[*at].age);
    let mut of_repository: HashMap<&str, usize> = HashMap::new();
    let mut bytes = 0u64;
    let mut removed = Vec::new();
    for at in newest_first {
        let run = &runs[at];
        let count = of_repository.entry(&run.repository).or_default();
        let fits = *count < RUNS_KEPT
            && run.age <= AGE_KEPT
            && bytes.saturating_add(run.bytes) <= BYTES_KEPT;
        if run.stays || fits {
            *count += 1;
            bytes = bytes.saturating_add(run.bytes);
        } else {
            removed.push(at);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(repository: &str, days: u64, bytes: u64, stays: bool) -> Aged {
        Aged {
            repository: repository.to_owned(),
            age: Duration::from_secs(days * 86_400),
            bytes,
            stays,
        }
    }

    #[test]
    fn the_oldest_go_first_and_what_stays_stays() {
        let many: Vec<Aged> = (0..25)
            .map(|n| Aged { age: Duration::from_secs(n), ..run("a", 0, 1, false) })
            .collect();
        assert_eq!(surplus(&many), [20, 21, 22, 23, 24]);
        assert_eq!(
            surplus(&[run("a", 13, 1, false), run("a", 15, 1, false), run("a", 90, 1, true)]),
            [1]
        );
        let large =
            [run("a", 1, 1 << 30, false), run("b", 2, 1 << 30, false), run("c", 3, 1, false)];
        assert_eq!(surplus(&large), [2]);
        let two: Vec<Aged> =
            (0..40).map(|n| run(if n % 2 == 0 { "a" } else { "b" }, 1, 1, false)).collect();
        assert!(surplus(&two).is_empty(), "twenty of each");
    }
}
