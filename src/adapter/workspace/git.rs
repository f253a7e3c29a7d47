//! What git says of a checkout: head, remotes, changes. Asked of the `git` on PATH, bounded in
//! time; never by reading below `.git` ourselves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapter::process::capture;
use crate::adapter::receipt_store::shown;
use crate::adapter::world::World;
use crate::domain::run::ids::CommitSha;

const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of the checkout that a folder lies in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checkout {
    /// The commit that is checked out; nothing before the first commit.
    pub(crate) head: Option<CommitSha>,
    /// The branch, where one is checked out.
    pub(crate) branch: Option<String>,
    /// Name and address of each remote.
    pub(crate) remotes: Vec<(String, String)>,
    /// Changed and untracked files, as git prints them.
    pub(crate) dirty: Vec<String>,
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// There is no worktree here.
    NoWorktree,
    /// There is one, and it is another user's, whom git does not trust (`safe.directory`).
    NotTrusted(String),
    /// There is one, and git is not on PATH or refuses.
    Unreadable(String),
}

/// The top of the worktree that a folder lies in: the nearest folder that holds `.git`.
pub(crate) fn top_level(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|folder| super::files::exists(&folder.join(".git"))).map(Path::to_owned)
}

/// The commit that is checked out at `root`, where there is a worktree and git answers.
pub(crate) fn head(world: &World, root: &Path) -> Option<CommitSha> {
    top_level(root)?;
    let root = root.to_string_lossy().into_owned();
    let argv =
        ["git", "--no-optional-locks", "-C", &root, "rev-parse", "--verify", "--quiet", "HEAD"]
            .map(str::to_owned);
    capture(world, &argv, Path::new(&root), PATIENCE).ok()?.stdout.trim().parse().ok()
}

/// By what a repository is known again on this host: its remote, else its first commit, else its
/// path.
pub(crate) fn identity(world: &World, root: &Path) -> String {
    let path = || folder_identity(root);
    let Some(top) = top_level(root) else { return path() };
    let ask = |arguments: &[&str]| {
        let mut argv = vec!["git".to_owned(), "--no-optional-locks".to_owned(), "-C".to_owned()];
        argv.push(top.to_string_lossy().into_owned());
        argv.extend(arguments.iter().map(|a| (*a).to_owned()));
        let said = capture(world, &argv, &top, PATIENCE).ok()?.stdout;
        said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    };
    if let Some(remote) = ask(&["config", "--get", "remote.origin.url"]) {
        return format!("remote:{}", address(&remote));
    }
    match ask(&["rev-list", "--max-parents=0", "HEAD"]) {
        Some(commit) if commit.parse::<CommitSha>().is_ok() => format!("commit:{commit}"),
        _ => path(),
    }
}

/// A repository that is known by its folder only.
pub(crate) fn folder_identity(root: &Path) -> String {
    format!("path:{}", shown(&super::files::canonical(root)))
}

/// An address without what may hold a secret and without what differs between two ways to the same
/// repository.
fn address(remote: &str) -> String {
    let rest = remote.split_once("://").map_or(remote, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.replacen(':', "/", 1).trim_end_matches('/').trim_end_matches(".git").to_lowercase()
}

/// Asks git about the checkout at `root`. Files below `ours` do not count as changes.
pub(crate) fn inspect(world: &World, root: &Path, ours: &[PathBuf]) -> Result<Checkout, Unknown> {
    let top = top_level(root).ok_or(Unknown::NoWorktree)?;
    let ask = |arguments: &[&str]| -> Result<(i32, String, String), Unknown> {
        let mut argv = vec!["git".to_owned(), "--no-optional-locks".to_owned(), "-C".to_owned()];
        argv.push(root.to_string_lossy().into_owned());
        argv.extend(arguments.iter().map(|a| (*a).to_owned()));
        let done = capture(world, &argv, root, PATIENCE)
            .map_err(|end| Unknown::Unreadable(format!("git: {end}")))?;
        Ok((done.code, done.stdout, done.stderr))
    };
    // --verify fails on a repository without a commit; that is no fault of the repository.
    let (code, head, error) = ask(&["rev-parse", "--verify", "--quiet", "HEAD"])?;
    if code != 0 && !error.trim().is_empty() {
        return Err(refused(&error));
    }
    let (_, branch, _) = ask(&["rev-parse", "--abbrev-ref", "HEAD"])?;
    let (_, remotes, _) = ask(&["config", "--null", "--get-regexp", r"^remote\..*\.url$"])?;
    let (code, status, error) = ask(&["status", "--porcelain", "-z", "--untracked-files=all"])?;
    if code != 0 {
        return Err(refused(&error));
    }
    Ok(Checkout {
        head: head.trim().parse().ok(),
        branch: Some(branch.trim().to_owned()).filter(|name| !name.is_empty() && name != "HEAD"),
        remotes: parse_remotes(&remotes),
        dirty: parse_status(&status)
            .into_iter()
            .filter(|file| !ours.iter().any(|own| top.join(file).starts_with(own)))
            .collect(),
    })
}

/// What git says when it refuses. Its remedy for another user's worktree is the name of a setting,
/// which no translation changes.
fn refused(error: &str) -> Unknown {
    let first = error.trim().lines().next().unwrap_or_default().to_owned();
    match error.contains("safe.directory") {
        true => Unknown::NotTrusted(first.trim_start_matches("fatal: ").to_owned()),
        false => Unknown::Unreadable(format!("git: {}", error.trim())),
    }
}

/// `remote.<name>.url LF <address> NUL`, repeated.
fn parse_remotes(text: &str) -> Vec<(String, String)> {
    text.split('\0')
        .filter_map(|entry| {
            let (key, address) = entry.split_once('\n')?;
            let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
            Some((name.to_owned(), address.to_owned()))
        })
        .collect()
}

/// `XY path NUL`; a rename is followed by its old path in an entry of its own.
fn parse_status(text: &str) -> Vec<String> {
    let mut entries = text.split('\0');
    let mut files = Vec::new();
    while let Some(entry) = entries.next() {
        let Some((state, path)) = entry.split_at_checked(3).filter(|(_, path)| !path.is_empty())
        else {
            continue;
        };
        if state.starts_with(['R', 'C']) {
            entries.next();
        }
        files.push(path.to_owned());
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_own_formats_are_read() {
        assert_eq!(
            parse_remotes("remote.origin.url\nhttps://x/a/b\0remote.my.fork.url\ngit@h:c/d\0"),
            [
                ("origin".to_owned(), "https://x/a/b".to_owned()),
                ("my.fork".to_owned(), "git@h:c/d".to_owned())
            ]
        );
        assert_eq!(parse_status(" M a b\0R  new\0old\0?? x\n\0"), ["a b", "new", "x\n"]);
        assert!(parse_status("").is_empty());
    }

    #[test]
    fn a_remote_is_the_same_by_every_protocol_and_without_its_credentials() {
        for remote in [
            "https://user:secret@example.com/Octo/widgets.git",
            "git@example.com:octo/widgets.git",
            "ssh://git@example.com/octo/widgets/",
        ] {
            assert_eq!(address(remote), "example.com/octo/widgets", "{remote}");
        }
    }

    #[test]
    fn another_users_worktree_is_not_a_broken_one() {
        let dubious = "fatal: detected dubious ownership in repository at '/w'\n\
                       To add an exception for this directory, call:\n\n\
                       \tgit config --global --add safe.directory /w\n";
        assert_eq!(
            refused(dubious),
            Unknown::NotTrusted("detected dubious ownership in repository at '/w'".to_owned())
        );
        assert_eq!(
            refused("fatal: bad object HEAD\n"),
            Unknown::Unreadable("git: fatal: bad object HEAD".to_owned())
        );
    }
}
