//! Finding test files and hashing the tree they stand in.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256 as Hasher};

use super::files;
use crate::domain::run::ids::Sha256;
use crate::domain::selection::plan::{to_sha256, tree_digest};

/// One regular file below the tests path.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its path below the tests path, `/` between names, in the file system's own bytes.
    pub(crate) below: Vec<u8>,
}

/// A file's digests: of its bytes, and of its text with CRLF read as LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Of the bytes.
    pub(crate) raw: Sha256,
    /// Of the text.
    pub(crate) text: Sha256,
}

/// Every regular file below `folder`, and every link, in the byte order of whole paths. Links are
/// not followed; `.git`, installed packages and the folders in `ours` are left out.
pub(crate) fn walk(folder: &Path, ours: &[PathBuf]) -> io::Result<(Vec<Found>, Vec<Found>)> {
    let (mut found, mut links) = (Vec::new(), Vec::new());
    let walk =
        walkdir::WalkDir::new(folder).follow_links(false).into_iter().filter_entry(|entry| {
            entry.depth() == 0
                || !(entry.file_name() == OsStr::new(".git")
                    || ours.iter().any(|own| own == entry.path())
                    || entry.file_type().is_dir() && holds_packages(entry.path()))
        });
    for entry in walk {
        let entry = entry.map_err(io::Error::from)?;
        let kind = entry.file_type();
        if kind.is_file() || kind.is_symlink() {
            let below = path_bytes(entry.path().strip_prefix(folder).unwrap_or(entry.path()));
            let list = if kind.is_file() { &mut found } else { &mut links };
            list.push(Found { below, path: entry.into_path() });
        }
    }
    for list in [&mut found, &mut links] {
        list.sort_by(|a, b| a.below.cmp(&b.below));
    }
    Ok((found, links))
}

/// Whether a folder holds installed packages: `node_modules`, or a virtual environment of Python.
fn holds_packages(folder: &Path) -> bool {
    folder.file_name() == Some(OsStr::new("node_modules"))
        || files::exists(&folder.join("pyvenv.cfg"))
}

/// The paths of a repository's own files, `/` between names, in order, for a first look: folders
/// that package managers and builds fill are left out, as are hidden ones other than `.config` and
/// `.github`, and what cannot be read.
pub(crate) fn survey(root: &Path) -> io::Result<Vec<String>> {
    const FOREIGN: [&str; 5] = ["target", "vendor", "venv", "__pycache__", "site-packages"];
    const HIDDEN: [&str; 2] = [".config", ".github"];
    std::fs::read_dir(root)?;
    let is_filled =
        |folder: &Path| holds_packages(folder) || files::exists(&folder.join("CMakeCache.txt"));
    let own = |entry: &walkdir::DirEntry| {
        if entry.depth() == 0 || !entry.file_type().is_dir() {
            return true;
        }
        let name = entry.file_name().to_string_lossy();
        let hidden =
            name.starts_with('.') && !(entry.depth() == 1 && HIDDEN.contains(&name.as_ref()));
        !hidden && !FOREIGN.contains(&name.as_ref()) && !is_filled(entry.path())
    };
    let entries = walkdir::WalkDir::new(root).into_iter().filter_entry(own).filter_map(Result::ok);
    let below = |entry: walkdir::DirEntry| {
        let path = files::slashed(entry.path().strip_prefix(root).ok()?)?;
        Some(path.as_str().to_owned())
    };
    let mut paths: Vec<String> =
        entries.filter(|entry| entry.file_type().is_file()).filter_map(below).collect();
    paths.sort();
    Ok(paths)
}

/// A path's own bytes with `/` between names.
fn path_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in path.components() {
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(part.as_os_str().as_encoded_bytes());
    }
    bytes
}

/// Hashes every file, in input order, on as many threads as there are processors. A file that
/// cannot be read is its own error; the others are hashed all the same.
pub(crate) fn hash_all(found: &[Found]) -> Vec<io::Result<Digests>> {
    const BATCH: usize = 64;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if found.len() < BATCH || workers == 1 {
        return found.iter().map(|file| hash_file(&file.path)).collect();
    }
    let next = AtomicUsize::new(0);
    let mut parts: Vec<(usize, Vec<io::Result<Digests>>)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let from = next.fetch_add(BATCH, Ordering::Relaxed);
                let Some(batch) = found.get(from..).filter(|rest| !rest.is_empty()) else {
                    return done;
                };
                let batch = &batch[..batch.len().min(BATCH)];
                done.push((from, batch.iter().map(|file| hash_file(&file.path)).collect()));
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    parts.sort_by_key(|(from, _)| *from);
    parts.into_iter().flat_map(|(_, part)| part).collect()
}

/// Both digests of one file.
pub(crate) fn hash_file(path: &Path) -> io::Result<Digests> {
    const SMALL: u64 = 8 << 20;
    let mut file = files::open(path)?;
    let mut bytes = Vec::with_capacity(16 << 10);
    file.by_ref().take(SMALL).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == SMALL {
        return hash_large(path);
    }
    let raw = to_sha256(&Hasher::digest(&bytes));
    // Most checkouts hold no CRLF at all, and then one digest is both.
    let text = if bytes.contains(&b'\r') && bytes.windows(2).any(|pair| pair == b"\r\n") {
        let mut hasher = Hasher::new();
        let mut from = 0;
        for at in 0..bytes.len().saturating_sub(1) {
            if bytes[at] == b'\r' && bytes[at + 1] == b'\n' {
                hasher.update(&bytes[from..at]);
                from = at + 1;
            }
        }
        hasher.update(&bytes[from..]);
        to_sha256(&hasher.finalize())
    } else {
        raw.clone()
    };
    Ok(Digests { raw, text })
}

/// The same in pieces, for files that should not be held in memory.
fn hash_large(path: &Path) -> io::Result<Digests> {
    use io::Read;
    let mut file = files::open(path)?;
    let (mut raw, mut text) = (Hasher::new(), Hasher::new());
    let mut buffer = vec![0; 1 << 20];
    let mut held_cr = false;
    loop {
        let read = file.read(&mut buffer)?;
        let piece = &buffer[..read];
        if held_cr && piece.first() != Some(&b'\n') {
            text.update(b"\r");
        }
        if read == 0 {
            return Ok(Digests {
                raw: to_sha256(&raw.finalize()),
                text: to_sha256(&text.finalize()),
            });
        }
        raw.update(piece);
        held_cr = piece.last() == Some(&b'\r');
        let mut from = 0;
        for at in 0..read - 1 {
            if piece[at] == b'\r' && piece[at + 1] == b'\n' {
                text.update(&piece[from..at]);
                from = at + 1;
            }
        }
        text.update(&piece[from..if held_cr { read - 1 } else { read }]);
    }
}

/// Digest over every regular file below the tests path, where all could be read.
pub(crate) fn tree_sha256(found: &[Found], digests: &[io::Result<Digests>]) -> Option<Sha256> {
    let pairs: Option<Vec<_>> = found
        .iter()
        .zip(digests)
        .map(|(file, digest)| {
            digest.as_ref().ok().map(|digest| (file.below.as_slice(), &digest.raw))
        })
        .collect();
    pairs.map(tree_digest)
}

/// Whether a script of this name can be run as a test, by its ending or its exec bit.
pub(crate) fn is_runnable(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    matches!(ending.as_deref(), Some("sh" | "ps1" | "py" | "cmd" | "bat"))
        || files::is_executable(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn digests(bytes: &[u8]) -> (Digests, Digests) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, bytes).unwrap();
        (hash_file(&path).unwrap(), hash_large(&path).unwrap())
    }

    #[test]
    fn crlf_reads_as_lf_in_the_text_digest_and_nothing_else_does() {
        let lf = digests(b"a\nb\n").0;
        assert_eq!(lf.raw, lf.text);
        for (bytes, same) in [
            (&b"a\r\nb\r\n"[..], true),
            (b"a\r\nb\n", true),
            (b"a\rb\n", false),
            (b"a\n\nb\n", false),
        ] {
            let (small, large) = digests(bytes);
            assert_eq!(small, large, "{bytes:?}");
            assert_eq!(small.text == lf.text, same, "{bytes:?}");
        }
        for odd in [&b""[..], b"\r", b"\r\n", b"\n", b"x\r", b"\r\r\n"] {
            let (small, large) = digests(odd);
            assert_eq!(small, large, "{odd:?}");
        }
    }

    #[test]
    fn a_line_end_split_between_two_pieces_is_still_one() {
        let mut bytes = vec![b'x'; (1 << 20) - 1];
        bytes.extend_from_slice(b"\r\ny\r");
        let (small, large) = digests(&bytes);
        assert_eq!(small, large);
    }
}
