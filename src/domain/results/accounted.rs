//! Which selected files the reports name: proof that what was selected also ran.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::run::ids::RelPath;

/// What the reports say about the selected files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// No test case names its file.
    NoNames,
    /// Of each selected file, whether a test case names it.
    Named(BTreeMap<RelPath, bool>),
}

/// Matches the file names of test cases with the selected files. A name is taken as it stands,
/// below one of the roots, or as the end of exactly one selected path (a runner may name files from
/// a folder of its own).
pub(crate) fn account<'a>(
    selected: &[RelPath],
    names: impl IntoIterator<Item = &'a str>,
    roots: &[String],
) -> Accounts {
    let names: BTreeSet<String> = names.into_iter().map(|name| plain(name, roots)).collect();
    if names.is_empty() {
        return Accounts::NoNames;
    }
    let whole: BTreeSet<RelPath> = selected.iter().cloned().collect();
    let found: BTreeSet<&RelPath> =
        names.iter().filter_map(|name| meant(&whole, name, roots)).collect();
    Accounts::Named(selected.iter().map(|path| (path.clone(), found.contains(path))).collect())
}

/// Returns the selected file that a name means. A name that fits several files means none of them.
pub(crate) fn meant<'a>(
    selected: &'a BTreeSet<RelPath>,
    name: &str,
    roots: &[String],
) -> Option<&'a RelPath> {
    if let Some(exact) = name.parse::<RelPath>().ok().and_then(|path| selected.get(&path)) {
        return Some(exact);
    }
    let mut alike = selected.iter().filter(|path| means(path.as_str(), name, roots));
    match (alike.next(), alike.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// Whether a name means this path: the end of the path, or the path below a folder that the root
/// itself ends with (the runner was started above the root).
fn means(path: &str, name: &str, roots: &[String]) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let below_root = name.strip_suffix(path).and_then(|folder| folder.strip_suffix('/'));
    ends(path, name)
        || below_root.is_some_and(|folder| {
            !folder.is_empty()
                && !folder.starts_with('/')
                && roots.iter().any(|root| ends(root, folder))
        })
}

/// A path with slashes, without a root and without `./`.
fn plain(name: &str, roots: &[String]) -> String {
    let name = name.trim().replace('\\', "/");
    let name = name.strip_prefix("file://").unwrap_or(&name);
    let below = roots
        .iter()
        .filter_map(|root| name.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'))
        .min_by_key(|rest| rest.len());
    let mut rest = below.unwrap_or(name);
    while let Some(inner) = rest.strip_prefix("./") {
        rest = inner;
    }
    rest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(selected: &[&str], names: &[&str]) -> Option<Vec<String>> {
        let selected: Vec<RelPath> = selected.iter().map(|path| path.parse().unwrap()).collect();
        match account(&selected, names.iter().copied(), &["/w".to_owned()]) {
            Accounts::NoNames => None,
            Accounts::Named(files) => Some(
                files
                    .into_iter()
                    .filter(|(_, ran)| *ran)
                    .map(|(path, _)| path.to_string())
                    .collect(),
            ),
        }
    }

    #[test]
    fn a_file_is_proven_by_a_name_that_fits_it_and_no_other() {
        let files = ["tests/a.py", "tests/b.py", "pkg/tests/a.py"];
        assert_eq!(proven(&files, &[]), None);
        for (names, expected) in [
            (&["tests/a.py"][..], &["tests/a.py"][..]),
            (&["/w/tests/b.py"], &["tests/b.py"]),
            (&["./tests/b.py"], &["tests/b.py"]),
            (&["tests\\b.py"], &["tests/b.py"]),
            (&["b.py"], &["tests/b.py"]),
            (&["/elsewhere/tests/b.py"], &[]),
            (&["lib/tests/b.py"], &[]),
            // The runner's own root is above the gate's.
            (&["w/tests/b.py"], &["tests/b.py"]),
            // It fits two files, so it proves neither.
            (&["a.py"], &[]),
            (&["ests/b.py"], &[]),
            (&["other.py"], &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(proven(&files, names), Some(expected), "{names:?}");
        }
    }
}
