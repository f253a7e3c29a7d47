//! Shell-like globs for results files and artifacts: `*` stays within a folder, `**` crosses them.
//! (Test selection has patterns of its own, PowerShell's.)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::files;
use crate::domain::ids::RelPath;

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
            let relative: RelPath =
                pattern.replace('\\', "/").parse().map_err(|error: crate::domain::ids::IdError| error.to_string())?;
            let glob = GlobBuilder::new(relative.as_str()).literal_separator(true).build();
            set.add(glob.map_err(|error| error.to_string())?);
            bases.push(relative.as_str().split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect());
        }
        Ok(Self { set: set.build().map_err(|error| error.to_string())?, bases })
    }

    /// Matching files below `root`, by their path below it; nothing below `except`.
    pub(crate) fn find(&self, root: &Path, except: &Path) -> BTreeMap<RelPath, PathBuf> {
        let mut found = BTreeMap::new();
        for base in self.bases.iter().map(|base| root.join(base)) {
            // Walking a file yields the file itself.
            for entry in walkdir::WalkDir::new(&base).follow_links(false).into_iter().filter_map(Result::ok) {
                let Some(path) = entry.path().strip_prefix(root).ok().and_then(files::slashed) else { continue };
                if entry.file_type().is_file() && self.set.is_match(path.as_str()) && !entry.path().starts_with(except)
                {
                    found.insert(path, entry.into_path());
                }
            }
        }
        found
    }
}
