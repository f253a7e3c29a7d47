//! Shell-like globs for results files and artifacts: `*` stays within a folder, `**` crosses them.
//! (Test selection has patterns of its own, PowerShell's.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::files;
use crate::domain::run::ids::RelPath;

/// Globs relative to some folder.
#[derive(Debug)]
pub(crate) struct Globs {
    set: GlobSet,
    /// Where to look: each glob's path up to its first wildcard.
    bases: Vec<PathBuf>,
}

impl Globs {
    /// Reads the globs; the error names the one that cannot be used.
    pub(crate) fn compile(patterns: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        let mut bases = Vec::new();
        for pattern in patterns {
            let relative: RelPath = pattern
                .replace('\\', "/")
                .parse()
                .map_err(|error: crate::domain::run::ids::IdError| error.to_string())?;
            let glob = GlobBuilder::new(relative.as_str()).literal_separator(true).build();
            set.add(glob.map_err(|error| error.to_string())?);
            bases.push(
                relative
                    .as_str()
                    .split('/')
                    .take_while(|part| !part.contains(['*', '?', '[', '{']))
                    .collect(),
            );
        }
        Ok(Self { set: set.build().map_err(|error| error.to_string())?, bases })
    }

    /// What matches below `root`, nothing below `except`. A match that cannot be taken as a file (a
    /// pipe, a link to nowhere, a folder that cannot be read, a name that no receipt can hold) is a
    /// problem and not silence.
    pub(crate) fn find(&self, root: &Path, except: &Path) -> Matches {
        let mut matches = Matches::default();
        for base in self.bases.iter().map(|base| root.join(base)) {
            if !files::exists(&base) {
                continue;
            }
            // Walking a file yields the file itself.
            for entry in walkdir::WalkDir::new(&base).follow_links(false) {
                match entry {
                    Ok(entry) if entry.file_type().is_dir() || entry.path().starts_with(except) => {
                    }
                    Ok(entry) => self.take(root, entry.path(), &mut matches),
                    Err(error) => matches.problems.push(error.to_string()),
                }
            }
        }
        matches
    }

    fn take(&self, root: &Path, path: &Path, matches: &mut Matches) {
        let below = path.strip_prefix(root).unwrap_or(path);
        if !self.set.is_match(below) && !self.set.is_match(below.to_string_lossy().as_ref()) {
            return;
        }
        match (files::slashed(below), files::stamp(path)) {
            (Some(name), Some(_)) if files::open(path).is_ok() => {
                matches.files.insert(name, path.to_owned());
            }
            (None, _) => matches
                .problems
                .push(format!("{}: its name is not Unicode", below.to_string_lossy())),
            (Some(name), _) => {
                matches.problems.push(format!("{name}: it is no file that can be read"))
            }
        }
    }
}

/// What globs match.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// Files, by their path below the root. A link to a file counts as one.
    pub(crate) files: BTreeMap<RelPath, PathBuf>,
    /// Matches that cannot be taken, in words.
    pub(crate) problems: Vec<String>,
}
