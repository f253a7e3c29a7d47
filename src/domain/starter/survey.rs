//! What a look at a repository brings: the paths of its files, and the texts of those that tell
//! which frameworks it uses.

use std::collections::BTreeMap;

use crate::domain::selection::pattern::Pattern;

/// How many texts are read.
pub(crate) const TEXTS_MOST: usize = 600;
/// How much of each.
pub(crate) const TEXT_MOST: u64 = 256 << 10;
/// How many source files of one language are read.
const SOURCES_MOST: usize = 100;
/// So many files are listed one by one.
const LISTED_MOST: usize = 200;

/// Paths with `/` between names, and texts by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    /// Every file of the repository's own, in order.
    pub(crate) paths: Vec<String>,
    /// What the wanted files hold.
    pub(crate) texts: BTreeMap<String, String>,
    /// What Python is called here.
    pub(crate) python: &'static str,
}

/// Names of files that say which frameworks a repository uses.
const MANIFESTS: [&str; 35] = [
    "package.json",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "pytest.ini",
    "Pipfile",
    "go.mod",
    "Cargo.toml",
    "nextest.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "CMakeLists.txt",
    "composer.json",
    "phpunit.xml",
    "phpunit.xml.dist",
    "Gemfile",
    ".rspec",
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Taskfile.yml",
    "noxfile.py",
    "Rakefile",
    "jest.config.js",
    "jest.config.ts",
    "jest.config.cjs",
    "jest.config.mjs",
    "vitest.config.ts",
    "vitest.config.js",
    "vitest.config.mts",
];

/// The files whose texts are wanted, the manifests first, each group with the shallowest first.
pub(crate) fn wanted(paths: &[String]) -> Vec<&str> {
    let is_manifest = |path: &&String| {
        let name = name_of(path);
        MANIFESTS.contains(&name)
            || (name.starts_with("requirements") && name.ends_with(".txt"))
            || [".csproj", ".fsproj", ".vbproj"].iter().any(|ending| name.ends_with(ending))
            || path.starts_with(".github/workflows/")
    };
    let mut manifests: Vec<&str> = paths.iter().filter(is_manifest).map(String::as_str).collect();
    manifests.sort_by_key(|path| path.matches('/').count());
    manifests.truncate(TEXTS_MOST - 3 * SOURCES_MOST);
    let sources = |take: fn(&str) -> bool| {
        paths.iter().map(String::as_str).filter(move |path| take(path)).take(SOURCES_MOST)
    };
    manifests.extend(sources(is_python_test));
    manifests.extend(sources(is_script_test));
    manifests.extend(sources(|path| path.ends_with(".rs")));
    manifests
}

/// Whether a file is a Python test by its name.
pub(crate) fn is_python_test(path: &str) -> bool {
    let name = name_of(path);
    !is_fixture(path)
        && (name.ends_with("_test.py") || (name.starts_with("test_") && name.ends_with(".py")))
}

/// Whether a file is a JavaScript or TypeScript test by its name or by its folder.
pub(crate) fn is_script_test(path: &str) -> bool {
    let name = name_of(path);
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let is_script = ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"].contains(&ending);
    let named = stem.ends_with(".test") || stem.ends_with(".spec");
    is_script
        && !is_fixture(path)
        && (named || in_folder(path, "__tests__") || path.starts_with("test/"))
}

/// Whether a file lies among the data of tests: what is named like a test there is none.
pub(crate) fn is_fixture(path: &str) -> bool {
    FIXTURES.iter().any(|name| in_folder(path, name))
}

/// Folders of test data.
const FIXTURES: [&str; 4] = ["fixtures", "__fixtures__", "testdata", "test-data"];

/// The name of a file.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a file, empty at the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a file lies in a folder of this name, at any depth.
pub(crate) fn in_folder(path: &str, name: &str) -> bool {
    folder_of(path).split('/').any(|part| part == name)
}

/// The deepest folder that holds all of these files, `.` for the root.
pub(crate) fn shared_folder(files: &[&str]) -> String {
    let mut files = files.iter();
    let mut shared = files.next().map_or("", |first| folder_of(first));
    for file in files {
        while !shared.is_empty()
            && !file.strip_prefix(shared).is_some_and(|rest| rest.starts_with('/'))
        {
            shared = folder_of(shared);
        }
    }
    if shared.is_empty() { ".".to_owned() } else { shared.to_owned() }
}

impl Survey {
    /// Whether there is this file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.binary_search_by(|known| known.as_str().cmp(path)).is_ok()
            || self.paths.iter().any(|known| known == path)
    }

    /// What a file holds, where it was read.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Whether a file at the root holds a word.
    pub(crate) fn says(&self, path: &str, word: &str) -> bool {
        self.text(path).is_some_and(|text| text.contains(word))
    }

    /// The files that a test is true of.
    pub(crate) fn files(&self, is: impl Fn(&str) -> bool) -> Vec<&str> {
        self.paths.iter().map(String::as_str).filter(|path| is(path)).collect()
    }

    /// The files of this name, the shallowest first.
    pub(crate) fn named(&self, name: &str) -> Vec<&str> {
        let mut found = self.files(|path| name_of(path) == name);
        found.sort_by_key(|path| path.matches('/').count());
        found
    }

    /// The texts of the files that a test is true of.
    pub(crate) fn texts_of(&self, is: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| is(path))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// What selects these files. `usual` are the patterns that a person would write: they select
    /// new test files, too. Folders of test data, and those below `libraries`, are excluded where
    /// they hold files with such names. The files are listed one by one only where this does not
    /// tell them from files that are no tests.
    pub(crate) fn select(&self, files: &[&str], usual: &[&str], libraries: &[&str]) -> Chosen {
        let folder = shared_folder(files);
        let usual: Vec<String> = usual.iter().map(|usual| (*usual).to_owned()).collect();
        let patterns = parsed(&usual);
        let below = |path: &str| {
            let inner = path.strip_prefix(&format!("{folder}/")).unwrap_or(path).to_owned();
            is_below(path, &folder).then_some(inner)
        };
        let fits = |patterns: &[Pattern], path: &str| {
            let inner = below(path);
            inner.is_some_and(|inner| patterns.iter().any(|one| one.matches_file(path, &inner)))
        };
        let named: Vec<&str> = self.files(|path| fits(&patterns, path));
        let exclude: Vec<String> = FIXTURES
            .iter()
            .chain(libraries)
            .flat_map(|name| [format!("{name}/*"), format!("*/{name}/*")])
            .filter(|pattern| {
                let pattern = parsed(std::slice::from_ref(pattern));
                named.iter().any(|path| fits(&pattern, path))
            })
            .collect();
        let excluded = parsed(&exclude);
        let is_chosen = |path: &&&str| !fits(&excluded, path);
        let left: Vec<&str> = named.iter().filter(is_chosen).copied().collect();
        if left == files || files.len() > LISTED_MOST {
            return Chosen { folder, patterns: usual, exclude, is_list: false };
        }
        let patterns = files.iter().map(|file| literal(file)).collect();
        Chosen { folder, patterns, exclude: Vec::new(), is_list: true }
    }
}

fn parsed(patterns: &[String]) -> Vec<Pattern> {
    patterns.iter().filter_map(|text| Pattern::parse(text).ok()).collect()
}

/// What selects the test files of a framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// `tests.path`.
    pub(crate) folder: String,
    /// `tests.pattern`.
    pub(crate) patterns: Vec<String>,
    /// `exclude` of the pack.
    pub(crate) exclude: Vec<String>,
    /// Whether the patterns list the files that exist now, and no others.
    pub(crate) is_list: bool,
}

/// Whether a path lies below a folder, `.` for the root.
fn is_below(path: &str, folder: &str) -> bool {
    folder == "." || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A path as a pattern that selects this path only.
fn literal(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if "*?[]`".contains(c) {
            out.push('`');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(paths: &[&str]) -> Survey {
        let mut paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        paths.sort();
        Survey { paths, texts: BTreeMap::new(), python: "python3" }
    }

    #[test]
    fn the_shared_folder_is_the_deepest_that_holds_them_all() {
        for (files, folder) in [
            (&["tests/a", "tests/sub/b"][..], "tests"),
            (&["a/x/A", "a/xy/B"], "a"),
            (&["a/A", "b/B"], "."),
            (&["A", "b/B"], "."),
            (&["a/b/c"], "a/b"),
            (&[], "."),
        ] {
            assert_eq!(shared_folder(files), folder, "{files:?}");
        }
    }

    #[test]
    fn patterns_select_the_found_files_and_new_ones() {
        let usual = ["*.test.js", "*.spec.js"];
        for (paths, files, owed_folder, expected) in [
            (
                &["t/a.test.js", "t/b.js"][..],
                &["t/a.test.js"][..],
                "t",
                &["*.test.js", "*.spec.js"][..],
            ),
            (
                &["t/a.test.js", "t/fixtures/a.test.js", "t/lib/b.test.js"],
                &["t/a.test.js"],
                "t",
                &usual,
            ),
            // New files at the root are selected, too.
            (
                &["package.json", "src/a.test.js", "x.test.js"],
                &["src/a.test.js", "x.test.js"],
                ".",
                &usual,
            ),
            // Another framework's files have the same names.
            (&["t/a.test.js", "t/b.test.js"], &["t/b.test.js"], "t", &["t/b.test.js"]),
            (&["t/[id].test.js", "t/i.test.js"], &["t/[id].test.js"], "t", &["t/`[id`].test.js"]),
        ] {
            let chosen = survey(paths).select(files, &usual, &["lib"]);
            assert_eq!(
                (chosen.folder.as_str(), &chosen.patterns),
                (owed_folder, &argv(expected)),
                "{paths:?}"
            );
            assert_eq!(chosen.is_list, expected != usual, "{paths:?}");
            assert_eq!(chosen.exclude.is_empty(), !paths.contains(&"t/lib/b.test.js"));
        }
    }

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn manifests_are_wanted_before_sources_and_never_too_many() {
        let mut paths: Vec<String> = (0..50_000).map(|n| format!("a/{n}/package.json")).collect();
        paths.push("go.mod".to_owned());
        paths.extend((0..5000).map(|n| format!("t/test_{n}.py")));
        let wanted = wanted(&paths);
        assert!(wanted.len() <= TEXTS_MOST && wanted[0] == "go.mod", "{}", wanted.len());
    }
}
