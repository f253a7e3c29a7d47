//! The plan: which files run, why each other one does not, the digests, and the shards.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256 as Hasher};

use super::integration::Mode;
use super::pattern::Pattern;
use crate::domain::receipt::{Excluded, SelectedFile, ShardRecord};
use crate::domain::run::ids::{RelPath, Sha256};
use crate::domain::verdict::fault::Fault;

/// A file that discovery found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Relative to the root.
    pub(crate) path: RelPath,
    /// Relative to the tests path.
    pub(crate) below_tests: String,
}

/// Why a file is left out where only files given by hand run.
pub(crate) const ONLY_FILES: &str = "not among the files given by --file";

/// Why a file that is named like a test is not selected: its folder.
pub(crate) const OUTSIDE: &str = "outside `tests.path`";

/// How the reason begins where the integration mode leaves a file out.
pub(crate) const INTEGRATION: &str = "integration test";

/// The rules that choose.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Pack and command line together; empty means everything.
    pub(crate) include: Vec<Pattern>,
    /// Always narrows; empty means no narrowing.
    pub(crate) refine: Vec<Pattern>,
    /// Wins over both.
    pub(crate) exclude: Vec<Pattern>,
    /// What an integration test is called.
    pub(crate) integration: Vec<Pattern>,
    /// Whether those run.
    pub(crate) mode: Mode,
    /// Explicit files; they bypass every rule.
    pub(crate) explicit: Vec<RelPath>,
    /// Whether only the explicit files run.
    pub(crate) explicit_only: bool,
}

/// What the rules came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Selected, in path order, each once.
    pub(crate) selected: Vec<RelPath>,
    /// Left out, in path order, with the rule.
    pub(crate) excluded: Vec<Excluded>,
}

impl Rules {
    fn verdict(&self, candidate: &Candidate) -> Result<(), String> {
        if self.explicit_only {
            return Err(ONLY_FILES.to_owned());
        }
        if let Some(pattern) = matches_any(&self.exclude, candidate) {
            return Err(format!("exclude {pattern}"));
        }
        if self.mode == Mode::Exclude
            && let Some(pattern) = matches_any(&self.integration, candidate)
        {
            return Err(format!("{INTEGRATION} ({pattern}), and the integration mode is exclude"));
        }
        if !self.include.is_empty() && matches_any(&self.include, candidate).is_none() {
            return Err(format!("no include pattern matches ({})", listed(&self.include)));
        }
        if !self.refine.is_empty() && matches_any(&self.refine, candidate).is_none() {
            return Err(format!("no refine pattern matches ({})", listed(&self.refine)));
        }
        Ok(())
    }
}

fn listed(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ")
}

fn matches_any<'p>(patterns: &'p [Pattern], candidate: &Candidate) -> Option<&'p str> {
    patterns
        .iter()
        .find(|pattern| pattern.matches_file(candidate.path.as_str(), &candidate.below_tests))
        .map(Pattern::as_str)
}

/// Applies the rules to what was found.
pub(crate) fn choose(candidates: &[Candidate], rules: &Rules) -> Choice {
    let mut selected: Vec<RelPath> = rules.explicit.clone();
    let mut excluded = Vec::new();
    for candidate in candidates {
        if rules.explicit.contains(&candidate.path) {
            continue;
        }
        match rules.verdict(candidate) {
            Ok(()) => selected.push(candidate.path.clone()),
            Err(reason) => excluded.push(Excluded { path: candidate.path.to_string(), reason }),
        }
    }
    selected.sort();
    selected.dedup();
    excluded.sort_by(|a, b| a.path.cmp(&b.path));
    Choice { selected, excluded }
}

/// Why nothing is left, in one line.
pub(crate) fn empty(
    candidates: usize,
    choice: &Choice,
    tests_path: &str,
    patterns: &[String],
) -> Fault {
    let mut rules = std::collections::BTreeMap::new();
    for excluded in &choice.excluded {
        *rules.entry(excluded.reason.as_str()).or_insert(0u64) += 1;
    }
    let rules: Vec<_> = rules.iter().map(|(rule, count)| format!("{count} by: {rule}")).collect();
    Fault::SelectionEmpty(match (candidates, rules.is_empty()) {
        (0, _) | (_, true) => {
            format!("no file below {tests_path} matches `tests.pattern` ({})", patterns.join(", "))
        }
        (found, false) => {
            format!("all {found} files below {tests_path} were left out ({})", rules.join("; "))
        }
    })
}

/// Digest over `path NUL hex LF` of each entry, whole paths in byte order.
///
/// Known-answer vectors are in the tests; they pin the order, on which implementations differ.
pub(crate) fn tree_digest<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a Sha256)>) -> Sha256 {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_key(|(path, _)| *path);
    let mut hasher = Hasher::new();
    for (path, digest) in entries {
        hasher.update(path);
        hasher.update([0]);
        hasher.update(digest.as_str().as_bytes());
        hasher.update(b"\n");
    }
    to_sha256(&hasher.finalize())
}

/// A finished SHA-256 as our type.
pub(crate) fn to_sha256(bytes: &[u8]) -> Sha256 {
    let mut hex = String::with_capacity(64);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    #[allow(clippy::expect_used, reason = "32 bytes make 64 hex digits; callers pass a SHA-256")]
    hex.parse().expect("a SHA-256 is 32 bytes")
}

/// Digest of the plan: path and text digest of each selected file.
pub(crate) fn plan_digest(files: &[SelectedFile]) -> Sha256 {
    tree_digest(files.iter().map(|file| (file.path.as_str().as_bytes(), &file.text_sha256)))
}

/// Cuts the plan into `asked` parts, never more than there are files. Without durations file i goes
/// to part i modulo; with them each file, the longest first, goes to the part that is shortest so
/// far. A file of which nothing is known counts as the middle one of those that are.
pub(crate) fn shards(
    files: &[SelectedFile],
    asked: u32,
    durations: &BTreeMap<String, f64>,
) -> Vec<ShardRecord> {
    let most = u32::try_from(files.len()).unwrap_or(u32::MAX);
    let of = asked.min(most).max(1);
    let part = parts(files, of as usize, durations);
    (1..=of)
        .map(|index| ShardRecord {
            index,
            of,
            files: files
                .iter()
                .zip(&part)
                .filter(|(_, part)| **part as u64 == u64::from(index - 1))
                .map(|(file, _)| file.path.clone())
                .collect(),
        })
        .collect()
}

/// The part of each file.
fn parts(files: &[SelectedFile], of: usize, durations: &BTreeMap<String, f64>) -> Vec<usize> {
    let reported = |file: &SelectedFile| {
        durations.get(file.path.as_str()).copied().filter(|ms| ms.is_finite() && *ms >= 0.0)
    };
    let mut known: Vec<f64> = files.iter().filter_map(reported).collect();
    if known.is_empty() {
        return (0..files.len()).map(|at| at % of).collect();
    }
    known.sort_by(f64::total_cmp);
    let middle = known[known.len() / 2];
    let mut order: Vec<(usize, f64)> =
        files.iter().map(|file| reported(file).unwrap_or(middle)).enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut load = vec![(0.0f64, 0usize); of];
    let mut part = vec![0; files.len()];
    for (at, ms) in order {
        // Of equally long ones the one with fewer files: none stays empty.
        let shortest = (0..of).min_by(|a, b| {
            let empty = |n: &usize| load[*n].1 > 0;
            empty(a)
                .cmp(&empty(b))
                .then(load[*a].0.total_cmp(&load[*b].0))
                .then(load[*a].1.cmp(&load[*b].1))
        });
        let shortest = shortest.unwrap_or(0);
        load[shortest] = (load[shortest].0 + ms, load[shortest].1 + 1);
        part[at] = shortest;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(text: &str) -> Sha256 {
        to_sha256(&Hasher::digest(text.as_bytes()))
    }

    /// The vectors of the algorithm's description: whole paths in byte order, not folder by folder.
    #[test]
    fn the_tree_digest_has_known_answers() {
        let script = digest("#!/bin/sh\nexit 0\n");
        let a = tree_digest([(b"run.sh".as_slice(), &script)]);
        assert_eq!(a.as_str(), "c9426e6352f5ecf14c20bd3690312074f836b3573e7e409837b58eb968a88281");
        let (x, y) = (digest("a"), digest("b"));
        let b =
            tree_digest([(b"run.sh".as_slice(), &script), (b"data/a.txt", &x), (b"data.txt", &y)]);
        assert_eq!(b.as_str(), "5093d53af6f4d81beeea13b81fbc1cef9ecffa50255d031eae62d6d808a58ea6");
    }

    fn candidate(path: &str) -> Candidate {
        let path: RelPath = path.parse().unwrap();
        let below_tests = path.as_str().trim_start_matches("tests/").to_owned();
        Candidate { path, below_tests }
    }

    fn rules() -> Rules {
        Rules {
            include: vec![],
            refine: vec![],
            exclude: vec![],
            integration: vec![Pattern::parse("*.Integration.Tests.ps1").unwrap()],
            mode: Mode::Exclude,
            explicit: vec![],
            explicit_only: false,
        }
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn exclude_wins_refine_narrows_include_is_or_and_explicit_bypasses() {
        let found: Vec<_> =
            ["tests/a.ps1", "tests/b.ps1", "tests/u/c.ps1", "tests/x.Integration.Tests.ps1"]
                .map(candidate)
                .to_vec();
        let names = |rules: &Rules| {
            choose(&found, rules).selected.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&rules()), ["tests/a.ps1", "tests/b.ps1", "tests/u/c.ps1"]);
        assert_eq!(names(&Rules { mode: Mode::Include, ..rules() }).len(), 4);
        let include = Rules { include: patterns(&["a.ps1", "u/*"]), ..rules() };
        assert_eq!(names(&include), ["tests/a.ps1", "tests/u/c.ps1"]);
        let refined = Rules { refine: patterns(&["c*"]), ..include.clone() };
        assert_eq!(names(&refined), ["tests/u/c.ps1"]);
        let excluded = Rules { exclude: patterns(&["a*"]), ..include };
        assert_eq!(names(&excluded), ["tests/u/c.ps1"]);
        let explicit = Rules {
            exclude: patterns(&["*"]),
            explicit: vec!["tests/x.Integration.Tests.ps1".parse().unwrap()],
            explicit_only: true,
            ..rules()
        };
        assert_eq!(names(&explicit), ["tests/x.Integration.Tests.ps1"]);
        assert_eq!(choose(&found, &explicit).excluded.len(), 3);
    }

    fn files(count: usize) -> Vec<SelectedFile> {
        (0..count)
            .map(|n| SelectedFile {
                path: format!("t/{n:04}").parse().unwrap(),
                sha256: digest("x"),
                text_sha256: digest("x"),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn shards_are_disjoint_complete_and_even(
            count in 1usize..60,
            asked in 1u32..20,
            reported in proptest::collection::btree_map(0usize..60, 0.0f64..5000.0, 0..60),
        ) {
            let files = files(count);
            let durations = reported.iter().map(|(n, ms)| (format!("t/{n:04}"), *ms)).collect();
            let shards = shards(&files, asked, &durations);
            // No part is longer than the mean and one file: what the longest-first rule promises.
            let parts = parts(&files, shards.len(), &durations);
            if files.iter().all(|file| durations.contains_key(file.path.as_str())) {
                let ms: Vec<f64> = files.iter().map(|file| durations[file.path.as_str()]).collect();
                let longest = ms.iter().copied().fold(0.0, f64::max);
                for part in 0..shards.len() {
                    let own = ms.iter().zip(&parts).filter(|(_, p)| **p == part);
                    let load: f64 = own.map(|(ms, _)| ms).sum();
                    let mean = ms.iter().sum::<f64>() / shards.len() as f64;
                    prop_assert!(load <= mean + longest + 1e-6);
                }
            }
            let mut all: Vec<_> = shards.iter().flat_map(|s| s.files.clone()).collect();
            let whole = |s: &ShardRecord| !s.files.is_empty() && s.of as usize == shards.len();
            prop_assert!(shards.iter().all(whole));
            all.sort();
            prop_assert_eq!(all, files.iter().map(|f| f.path.clone()).collect::<Vec<_>>());
        }
    }
}
