//! Whether paths over 260 characters may be used: the system's own switch, and git's.
//!
//! Source: Microsoft's "Maximum Path Length Limitation" (`LongPathsEnabled`, a DWORD of 1), and
//! `git help config` (`core.longpaths`, off unless set, on Windows alone).

use super::Said;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LongPaths {
    /// Both allow them; git where it is there.
    Enabled,
    /// Who refuses them.
    Disabled(String),
    /// It cannot be known.
    Unreadable(String),
}

/// `registry` is the value, none where it is not set, or why it cannot be read; `git` is what
/// `git config --type=bool --get core.longpaths` said, none where there is no git.
pub(crate) fn read(registry: Result<Option<u32>, String>, git: Option<&Said<'_>>) -> LongPaths {
    let mut refusing = Vec::new();
    match registry {
        Ok(Some(1)) => {}
        Ok(Some(value)) => refusing.push(format!("LongPathsEnabled is {value}")),
        Ok(None) => refusing.push("LongPathsEnabled is not set".to_owned()),
        Err(why) => return LongPaths::Unreadable(format!("LongPathsEnabled: {why}")),
    }
    if let Some(git) = git {
        match (git.code, git.stdout.trim()) {
            (0, "true") => {}
            (0, "false") => refusing.push("git's core.longpaths is false".to_owned()),
            // Exit code 1: there is no such key.
            (1, "") => refusing.push("git's core.longpaths is not set".to_owned()),
            _ => return LongPaths::Unreadable(format!("git config: {}", git.first_line())),
        }
    }
    match refusing.is_empty() {
        true => LongPaths::Enabled,
        false => LongPaths::Disabled(refusing.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refuses_is_named() {
        let no = |who: &str| LongPaths::Disabled(who.to_owned());
        let unknown = |why: &str| LongPaths::Unreadable(why.to_owned());
        let git = |code, stdout, stderr| Some(Said { code, stdout, stderr });
        for (source, registry, git, expected) in [
            ("both on", Ok(Some(1)), git(0, "true\n", ""), LongPaths::Enabled),
            ("no git here", Ok(Some(1)), None, LongPaths::Enabled),
            (
                "Windows as it is installed",
                Ok(Some(0)),
                git(0, "true\n", ""),
                no("LongPathsEnabled is 0"),
            ),
            ("Windows before 10 1607", Ok(None), None, no("LongPathsEnabled is not set")),
            (
                "git as it is installed",
                Ok(Some(1)),
                git(1, "", ""),
                no("git's core.longpaths is not set"),
            ),
            (
                "neither",
                Ok(None),
                git(0, "false\n", ""),
                no("LongPathsEnabled is not set, git's core.longpaths is false"),
            ),
            (
                "git's own words for a value that is none",
                Ok(Some(1)),
                git(128, "", "fatal: bad boolean config value 'maybe' for 'core.longpaths'\n"),
                unknown("git config: fatal: bad boolean config value 'maybe' for 'core.longpaths'"),
            ),
            (
                "a key that this user may not read",
                Err("Access is denied. (os error 5)".to_owned()),
                None,
                unknown("LongPathsEnabled: Access is denied. (os error 5)"),
            ),
        ] {
            assert_eq!(read(registry, git.as_ref()), expected, "{source}");
        }
    }
}
