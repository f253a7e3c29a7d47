//! Reading `pester-gate.yml`: an error names the key, the file and the line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::overlay::Invalid;
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::config::Config;
use crate::domain::config::closest::closest;
use crate::domain::config::settings::ConfigFile;
use crate::domain::selection::pack;
pub(crate) use crate::layer::invocation::CONFIGURATION as NAME;

/// Where a configuration is looked for: from a folder up to another, the nearest first.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    folders: Vec<PathBuf>,
}

impl Search {
    /// In this folder and no other.
    pub(crate) fn only(folder: &Path) -> Self {
        Self { folders: vec![folder.to_owned()] }
    }

    /// From `from` up to `top`, both included; where `top` is not above it, in `from` only.
    pub(crate) fn up(from: &Path, top: Option<&Path>) -> Self {
        match top.filter(|top| from.starts_with(top)) {
            Some(top) => {
                let within = |folder: &&Path| folder.starts_with(top);
                Self { folders: from.ancestors().take_while(within).map(Path::to_owned).collect() }
            }
            None => Self::only(from),
        }
    }

    /// The nearest file.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(NAME)).find(|path| files::exists(path))
    }
}

/// Reads the configuration: the named file, which must be there, or the nearest one, if any.
pub(crate) fn load(
    search: &Search,
    named: Option<PathBuf>,
) -> Result<(Config, ConfigFile), Invalid> {
    let Some(path) = named.or_else(|| search.find()) else {
        let searched = search.folders.iter().map(|folder| shown(folder)).collect();
        return Ok((Config::default(), ConfigFile::Missing(searched)));
    };
    let at = |line: Option<usize>| match line {
        Some(line) => format!("{}:{line}", shown(&path)),
        None => shown(&path),
    };
    let bytes =
        files::read_bounded(&path).map_err(|error| Invalid::new(at(None), error.to_string()))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| Invalid::new(at(None), "it is not UTF-8"))?;
    let config = parse(text).map_err(|(line, why)| Invalid::new(at(line), why))?;
    if let Some(why) = pack::ambiguity(&config.packs) {
        return Err(Invalid::new(at(None), why));
    }
    let shown = shown(&path);
    Ok((config, ConfigFile::Read(shown)))
}

/// The document, or the line and what is wrong with it. An empty document is all defaults.
fn parse(text: &str) -> Result<Config, (Option<usize>, String)> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else { return Ok(Config::default()) };
    let config = Option::<Config>::deserialize(first).map_err(|error| {
        let why = error.to_string();
        let line =
            duplicate_line(text, &why).or_else(|| error.location().map(|place| place.line()));
        // The library ends its message with the place, which stands before ours already.
        let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
        let plain = tab(text, line).or_else(|| unknown_key(&why)).or_else(|| unknown_word(&why));
        (line, plain.or_else(|| no_keys(&why)).unwrap_or(why))
    })?;
    if documents.next().is_some() {
        let line = text
            .lines()
            .enumerate()
            .skip(1)
            .find(|(_, line)| line.trim_end() == "---")
            .map(|(at, _)| at + 1);
        return Err((line, "a second document; the configuration is one".to_owned()));
    }
    Ok(config.unwrap_or_default())
}

/// A tab in the indentation, which YAML does not allow: the library speaks of a token there.
fn tab(text: &str, line: Option<usize>) -> Option<String> {
    let line = text.lines().nth(line?.checked_sub(1)?)?;
    let indentation = &line[..line.len() - line.trim_start().len()];
    indentation
        .contains('\t')
        .then(|| "the line is indented with a tab; YAML takes spaces only".to_owned())
}

/// An unknown key with the closest valid one, instead of all of them.
fn unknown_key(why: &str) -> Option<String> {
    let rest = why.split("unknown field `").nth(1)?;
    let key = rest.split('`').next()?;
    let valid: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let before = &why[..why.find("unknown field")?];
    Some(match closest(key, valid.iter().copied()) {
        Some(near) => format!("{before}unknown key `{key}`; did you mean `{near}`?"),
        None => format!("{before}unknown key `{key}`; the keys here are {}", valid.join(", ")),
    })
}

/// An unknown word with the closest valid one.
fn unknown_word(why: &str) -> Option<String> {
    let rest = why.split("unknown variant `").nth(1)?;
    let word = rest.split('`').next()?;
    let valid: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let before = &why[..why.find("unknown variant")?];
    let near = closest(word, valid.iter().copied());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Some(format!("{before}`{word}` is not one of {}{near}", valid.join(", ")))
}

/// A text where keys are expected: most often a colon or the space after it is missing.
fn no_keys(why: &str) -> Option<String> {
    let (before, rest) = why.split_once("invalid type: ")?;
    let (found, _) = rest.split_once(", expected struct ")?;
    Some(format!("{before}expected `key: value`, found {found} (is a colon missing?)"))
}

/// The line of a key's second writing: the library gives none for those.
fn duplicate_line(text: &str, why: &str) -> Option<usize> {
    let key = why
        .split("duplicate field `")
        .nth(1)
        .or_else(|| why.split("duplicate entry with key \"").nth(1))?;
    let key = key.split(['`', '"']).next()?;
    let is_key = |line: &str| {
        line.trim_start()
            .trim_start_matches("- ")
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.lines().enumerate().filter(|(_, line)| is_key(line)).nth(1).map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_carry_key_and_line() {
        for (text, line, part) in [
            ("limits:\n  run: soon\n", 2, "soon"),
            ("limits:\n  rnu: 1m\n", 2, "rnu"),
            ("leaks: report\nlimits: {}\nleaks: fail\n", 3, "leaks"),
            ("leaks: report\n---\nleaks: fail\n", 2, "second document"),
            ("defaults:\n  shards: many\n", 2, "shards"),
            ("limits: {run: [1m\n", 1, "run"),
            ("limits:\n\trun: 1m\n", 2, "tab"),
            ("limts: {run: 1m}\n", 1, "did you mean `limits`?"),
            ("limits: {zzz: 1m}\n", 1, "the keys here are"),
            ("tests path\n", 1, "expected `key: value`, found string \"tests path\""),
            ("dispatcher: {kind: comand}\n", 1, "did you mean `command`?"),
        ] {
            let (found, why) = parse(text).unwrap_err();
            assert_eq!(found, Some(line), "{text}: {why}");
            assert!(why.contains(part), "{text}: {why}");
        }
        assert!(parse("").is_ok() && parse("# nothing\n").is_ok() && parse("---\n").is_ok());
    }
}
