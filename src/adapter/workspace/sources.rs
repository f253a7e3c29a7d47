//! The source files of the checkout, for telling which of them a failure speaks of.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{discovery, files};
use crate::domain::results::failure::Sources;

/// Files of this size and more are not read for their number of lines.
const LARGEST: u64 = 16 << 20;

/// A checkout at hand; it is looked at when it is asked for the first time.
pub(crate) struct Checkout {
    root: PathBuf,
    paths: OnceCell<Vec<String>>,
    lines: RefCell<HashMap<String, Option<u64>>>,
}

impl Checkout {
    /// The checkout at `root`.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), paths: OnceCell::new(), lines: RefCell::default() }
    }

    fn count(&self, file: &str) -> Option<u64> {
        let path = self.root.join(file);
        let (size, _) = files::stamp(&path).filter(|_| files::is_file(&path))?;
        if size >= LARGEST {
            return None;
        }
        let bytes = files::read_bounded(&path).ok()?;
        let ends = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Some(ends + u64::from(!bytes.is_empty() && bytes.last() != Some(&b'\n')))
    }
}

impl Sources for Checkout {
    fn lines(&self, file: &str) -> Option<u64> {
        if let Some(known) = self.lines.borrow().get(file) {
            return *known;
        }
        let count = self.count(file);
        self.lines.borrow_mut().insert(file.to_owned(), count);
        count
    }

    fn ending_with(&self, end: &str) -> Vec<String> {
        let paths = self.paths.get_or_init(|| discovery::survey(&self.root).unwrap_or_default());
        let ends = |path: &&String| {
            path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        paths.iter().filter(ends).cloned().collect()
    }
}
