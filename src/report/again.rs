//! How a run and its parts are repeated: command lines that a person may paste.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::quote::{doubled, program, quoted};
use crate::domain::config::DispatcherKind;
use crate::domain::config::typed::Argument;
use crate::domain::results::accounted::meant;
use crate::domain::results::failure::{Failure, Settled, Sources, is_foreign};
use crate::domain::run::ids::RelPath;

/// What a command repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The failure alone, or a run that failed as a whole.
    Failure,
    /// The whole run, because the failure cannot be run alone.
    WholeRun,
    /// The verdict, from the evidence.
    Evidence,
}

/// The command for a verdict, and what it repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reproduce {
    /// The command.
    pub(crate) command: String,
    /// What it repeats.
    pub(crate) scope: Scope,
}

impl Reproduce {
    /// The words before the command.
    pub(crate) const fn label(&self) -> &'static str {
        match self.scope {
            Scope::Failure => "Reproduce",
            Scope::WholeRun => "Reproduce (whole run)",
            Scope::Evidence => "Reproduce from the evidence",
        }
    }
}

/// How a run is repeated, in whole and in part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replay {
    /// The checkout's root.
    pub(crate) root: String,
    /// Whether the machine is gone once the run has ended: commands are then for a checkout that
    /// the reader is in.
    pub(crate) elsewhere: bool,
    /// Its roots on the hosts that ran the tests: reports name files below these.
    pub(crate) roots: Vec<String>,
    /// The selected files.
    pub(crate) planned: Arc<BTreeSet<RelPath>>,
    /// The dispatcher, where it is known.
    pub(crate) kind: Option<DispatcherKind>,
    /// Its PowerShell.
    pub(crate) powershell: String,
    /// The arguments that repeat the run.
    pub(crate) arguments: Vec<Argument>,
    /// Whether they were typed in a folder of this machine; else they are the effective inputs.
    pub(crate) typed: bool,
    /// What ran the tests, where it was typed behind `--`.
    pub(crate) command: Vec<String>,
    /// Whether the tests are one command that takes no files.
    pub(crate) whole: bool,
    /// GitHub's workspace, where it is one.
    pub(crate) workspace: Option<String>,
}

impl Replay {
    /// The root here and on the hosts that ran the tests, the longest first: one may lie in
    /// another.
    pub(crate) fn all_roots(&self) -> Vec<String> {
        let mut roots: Vec<String> =
            std::iter::once(&self.root).chain(&self.roots).cloned().collect();
        roots.sort_by_key(|root| std::cmp::Reverse(root.len()));
        roots.dedup();
        roots
    }

    /// The root as a command names it: in a checkout of the reader's own, its place below the
    /// workspace.
    pub(crate) fn at(&self) -> &str {
        if !self.elsewhere {
            return &self.root;
        }
        self.below_workspace().filter(|root| !root.is_empty()).unwrap_or(".")
    }

    /// Where the root lies below GitHub's workspace; empty where it is that.
    fn below_workspace(&self) -> Option<&str> {
        let rest = self.root.strip_prefix(self.workspace.as_deref()?)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
    }

    /// The command that was typed behind `--` and no configuration knows.
    fn typed(&self) -> String {
        if self.command.is_empty() {
            return String::new();
        }
        let words: Vec<String> =
            without_secrets(&self.command).iter().map(|word| quoted(word)).collect();
        format!(" -- {}", words.join(" "))
    }

    /// The whole run.
    pub(crate) fn run(&self) -> String {
        self.with(self.arguments.iter())
    }

    /// The failure's file alone, where it has one and the tests can be narrowed to a file.
    pub(crate) fn file(&self, failure: &Failure) -> Option<String> {
        if self.whole {
            return None;
        }
        let file = Argument::new("file", self.file_of(failure)?);
        // What chose the files of the run would add others, or leave this one out.
        let chose = ["file", "include", "refine", "rerun-from", "shards", "durations"];
        let kept =
            self.arguments.iter().filter(|argument| !chose.contains(&argument.flag.as_str()));
        Some(self.with(kept.chain([&file])))
    }

    /// An argument as a checkout of the reader's own takes it: paths below the workspace without
    /// it.
    pub(crate) fn in_checkout(&self, argument: &Argument) -> Argument {
        let below = |value: &String| {
            let workspace = self.workspace.as_deref().unwrap_or_default();
            let rest = value.strip_prefix(workspace).filter(|_| !workspace.is_empty());
            match rest.and_then(|rest| rest.strip_prefix(['/', '\\'])) {
                Some("") | None => value.clone(),
                Some(rest) => rest.to_owned(),
            }
        };
        Argument {
            flag: argument.flag.clone(),
            values: argument.values.iter().map(below).collect(),
        }
    }

    fn with<'a>(&self, arguments: impl Iterator<Item = &'a Argument>) -> String {
        let mut out = String::from("pester-gate run");
        for argument in arguments {
            if argument.values.is_empty() {
                out.push_str(&format!(" --{}", argument.flag));
            }
            for value in &argument.values {
                // A value that begins with a hyphen would be read as a flag.
                match value.starts_with('-') {
                    true => out.push_str(&format!(" --{}={}", argument.flag, quoted(value))),
                    false => out.push_str(&format!(" --{} {}", argument.flag, quoted(value))),
                }
            }
        }
        out.push_str(&self.typed());
        out
    }

    /// The one test, where its runner can be asked for one: Pester, by the line where the test
    /// begins (a name does not find a test that is made from data). Of scripts a file is one.
    pub(crate) fn test(&self, failure: &Failure) -> Option<String> {
        match self.kind? {
            DispatcherKind::Scripts => self.file(failure),
            DispatcherKind::Pester => {
                let text = |text: &str| format!("'{}'", doubled(text));
                let (file, line) = (text(&self.file_of(failure)?), failure.begins?);
                let script = format!(
                    "Set-Location -LiteralPath {}; $f = (Resolve-Path -LiteralPath {file}).Path; \
                     Invoke-Pester -Configuration @{{ Run = @{{ Path = $f; Exit = $true }}; \
                     Filter = @{{ Line = ($f + ':{line}') }} }}",
                    text(self.at())
                );
                Some(format!(
                    "{} -NoProfile -Command {}",
                    program(&self.powershell),
                    quoted(&script)
                ))
            }
            _ => None,
        }
    }

    /// Its file as the command line takes it: below the root, and no option of it.
    pub(crate) fn file_of(&self, failure: &Failure) -> Option<String> {
        let scripts = self.kind == Some(DispatcherKind::Scripts);
        let file = match (&failure.file, scripts) {
            // A script's name is its path, as the plan has it.
            (_, true) => failure.name.clone(),
            (Some(file), false) => self.test_file(file),
            (None, false) => return None,
        };
        Some(if file.starts_with('-') { format!("./{file}") } else { file })
    }

    /// Where it failed: the first place in the repository that its stack trace or its message
    /// names, else where its test is defined. With the checkout at hand a place counts only where
    /// its file has that line.
    pub(crate) fn locate(
        &self,
        failure: &Failure,
        sources: Option<&dyn Sources>,
    ) -> Option<(String, Option<u64>)> {
        let mut named = failure.places();
        let own = failure.file.as_deref().map(|file| self.inside(file));
        let hint = own.as_deref().unwrap_or_default();
        // A traceback of Python begins with the test; what stands above it is text that the test
        // printed or compared.
        if hint.ends_with(".py") {
            named.sort_by_key(|place| self.inside(&place.file) != hint);
        }
        for place in named {
            let file = self.inside(&place.file);
            if is_foreign(&file) || !is_inside(&file) {
                continue;
            }
            let there = match sources {
                None => (!place.partial).then_some(file),
                Some(sources) => find(sources, &file, place.line, hint, &failure.name),
            };
            if let Some(file) = there {
                return Some((file, Some(place.line)));
            }
        }
        let file =
            self.file_of(failure).map(|file| self.inside(&file)).filter(|file| is_inside(file))?;
        match (failure.begins, sources) {
            (Some(line), Some(sources)) => match find(sources, &file, line, hint, &failure.name) {
                Some(file) => Some((file, Some(line))),
                None => Some((file, None)),
            },
            (line, _) => Some((file, line)),
        }
    }

    /// A path below the root, without `./`.
    fn inside(&self, file: &str) -> String {
        let file = self.below_root(file);
        file.strip_prefix("./").map_or_else(|| file.clone(), str::to_owned)
    }

    /// Where it failed, as it was settled.
    pub(crate) fn place(&self, failure: &Failure) -> Option<(String, Option<u64>)> {
        match &failure.place {
            Settled::Open => self.locate(failure, None),
            Settled::At(file, line) => Some((file.clone(), *line)),
            Settled::Nowhere => None,
        }
    }

    /// The same as GitHub takes it: below the workspace, which the root may lie in.
    pub(crate) fn place_in_workspace(&self, failure: &Failure) -> Option<(String, Option<u64>)> {
        let (file, line) = self.place(failure)?;
        let root = self.below_workspace().filter(|root| !root.is_empty());
        Some((root.map_or_else(|| file.clone(), |root| format!("{root}/{file}")), line))
    }

    /// The path of a test's file. A runner such as bats reports the name alone: then the path is
    /// that of the one selected file that the name fits.
    pub(crate) fn test_file(&self, file: &str) -> String {
        let below = self.below_root(file);
        let path = meant(&self.planned, &below, &self.all_roots());
        path.map_or_else(|| below.clone(), ToString::to_string)
    }

    /// A path below the root without it, others as they are; with slashes.
    pub(crate) fn below_root(&self, file: &str) -> String {
        let file = file.replace('\\', "/");
        let below = |root: &String| {
            let rest = file.strip_prefix(root.as_str()).or_else(|| {
                // Windows takes either case for one path.
                let head = file.get(..root.len())?;
                let windows = root.as_bytes().get(1) == Some(&b':');
                (windows && head.eq_ignore_ascii_case(root)).then(|| &file[root.len()..])
            })?;
            rest.strip_prefix('/').map(str::to_owned)
        };
        self.all_roots().iter().filter(|root| !root.is_empty()).find_map(below).unwrap_or(file)
    }
}

/// The words of a command without what can only be a secret: the value of an option that is called
/// so, and the user in an address.
fn without_secrets(words: &[String]) -> Vec<String> {
    const NAMES: [&str; 6] = ["password", "passwd", "token", "secret", "apikey", "api-key"];
    const MASK: &str = "***";
    let is_secret = |option: &str| {
        let option = option.to_ascii_lowercase();
        option.starts_with('-')
            && NAMES.iter().any(|name| option.trim_start_matches('-').ends_with(name))
    };
    let mut hidden = false;
    let each = |word: &String| {
        if std::mem::take(&mut hidden) {
            return MASK.to_owned();
        }
        if let Some((option, _)) = word.split_once('=').filter(|(option, _)| is_secret(option)) {
            return format!("{option}={MASK}");
        }
        hidden = is_secret(word);
        match word.split_once("://").map(|(scheme, rest)| (scheme, rest.split_once('@'))) {
            Some((scheme, Some((user, rest)))) if !user.contains('/') => {
                format!("{scheme}://{MASK}@{rest}")
            }
            _ => word.clone(),
        }
    };
    words.iter().map(each).collect()
}

/// The file of the checkout that a name means: itself, next to the test's own file, or the only one
/// that ends so. It must have that line.
fn find(sources: &dyn Sources, file: &str, line: u64, own: &str, test: &str) -> Option<String> {
    let has = |file: &str| sources.lines(file).is_some_and(|lines| line <= lines);
    // A name without a folder may be that of another file at the root.
    let bare = !file.contains('/');
    if has(file) && (!bare || sources.ending_with(file).len() < 2) {
        return Some(file.to_owned());
    }
    let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
    let near = format!("{folder}/{file}");
    if !folder.is_empty() && has(&near) {
        return Some(near);
    }
    let all: Vec<String> = sources
        .ending_with(file)
        .into_iter()
        .filter(|file| has(file) && !is_foreign(file))
        .collect();
    if let [one] = all.as_slice() {
        return Some(one.clone());
    }
    // Of several the one whose folder the test's own name holds, as a package or a namespace.
    let name = test.replace(['.', ':', '\\'], "/");
    let fits = |file: &&String| {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let last = folder.rsplit('/').next().unwrap_or(folder);
        !last.is_empty() && name.split(['/', ' ']).any(|part| part == last)
    };
    let fitting: Vec<&String> = all.iter().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Some((*one).clone()),
        _ => None,
    }
}

/// Whether a path can only be one below where it starts.
fn is_inside(path: &str) -> bool {
    let up = path.split('/').any(|part| part == "..");
    !up && !path.starts_with(['/', '~']) && path.as_bytes().get(1) != Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_only_be_a_secret_is_masked_in_a_command() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line =
            "x --password=a --api-key b -v --token c https://u:p@h/x https://h/a@b --tokens d";
        let masked = "x --password=*** --api-key *** -v --token *** https://***@h/x \
                      https://h/a@b --tokens d";
        assert_eq!(without_secrets(&words(line)), words(masked));
    }

    #[test]
    fn a_place_is_in_the_repository_or_none() {
        let replay = |root: &str| Replay {
            root: root.to_owned(),
            workspace: Some("/w".to_owned()),
            ..Replay::default()
        };
        let failure = |message: &str, file: Option<&str>| Failure {
            message: message.to_owned(),
            file: file.map(str::to_owned),
            ..Failure::default()
        };
        for (root, failure, expected) in [
            (
                "/w",
                failure("File \"/usr/lib/x.py\", line 7\nFile \"/w/tests/a.py\", line 9", None),
                Some(("tests/a.py", Some(9))),
            ),
            ("/w/pkg", failure("tests/a.py:9: boom", None), Some(("pkg/tests/a.py", Some(9)))),
            ("/w", failure("boom", Some("tests/a.sh")), Some(("tests/a.sh", None))),
            ("/w", failure("boom", Some("/etc/../etc/passwd")), None),
            (
                "C:/w",
                failure("at C:\\w\\tests\\x.Tests.ps1:12", None),
                Some(("tests/x.Tests.ps1", Some(12))),
            ),
            ("C:/w", failure("at D:\\other\\x.Tests.ps1:12", None), None),
            ("/w", failure("boom", None), None),
        ] {
            let place = replay(root).place_in_workspace(&failure);
            assert_eq!(
                place.as_ref().map(|(file, line)| (file.as_str(), *line)),
                expected,
                "{failure:?}"
            );
        }
    }
}
