//! The last look at what is to be uploaded: does any file still hold a secret? It looks for more
//! than the masks do, in names as well as in bytes. Nothing is repaired here: a finding keeps the
//! folder where it is.

use std::io::Read;
use std::path::Path;

use crate::adapter::workspace::files;
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::reason::Layer;

/// How much is looked at in one piece.
const PIECE: usize = 1 << 20;

/// Where one was found: the file, its name masked, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Below the folder.
    pub(crate) path: String,
    /// What stands there.
    pub(crate) what: &'static str,
}

/// As a fault: the first place, and how many more there are.
pub(crate) fn fault(layer: Layer, found: &[Found]) -> Option<Fault> {
    let first = found.first()?;
    let more = if found.len() > 1 {
        format!(", and {} more files", found.len() - 1)
    } else {
        String::new()
    };
    Some(Fault::SecretInOutput {
        layer,
        path: first.path.clone(),
        what: first.what.to_owned(),
        more,
    })
}

/// Looks through every file of a folder.
pub(crate) fn sweep(redactor: &Redactor, folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for entry in files::list(folder) {
        let (name, absolute) = match entry {
            Ok((path, absolute)) => (path.to_string(), absolute),
            // It cannot be read by name here; whoever uploads it may.
            Err(name) => {
                found.push(Found {
                    path: redactor.mask_text(&name),
                    what: "a name that is not Unicode",
                });
                continue;
            }
        };
        if redactor.is_in(&name) {
            let path = match redactor.mask_text(&name) {
                masked if redactor.is_in(&masked) => "(a file whose name is not shown)".to_owned(),
                masked => masked,
            };
            found.push(Found { path, what: "a secret in its name" });
        } else if let Some(what) = look(redactor, &absolute) {
            found.push(Found { path: name, what });
        }
    }
    found
}

/// Looks through one file; one that cannot be read proves nothing, and is told.
fn look(redactor: &Redactor, path: &Path) -> Option<&'static str> {
    const UNREAD: &str = "what could not be read";
    let Ok(mut file) = files::open(path) else { return Some(UNREAD) };
    // A coded secret takes at most four times its room; the masks hold back as much as the longest
    // form.
    let overlap = redactor.longest() * 4;
    let mut piece: Vec<u8> = Vec::with_capacity(PIECE + overlap);
    loop {
        let kept = piece.len();
        let Ok(read) = file.by_ref().take(PIECE as u64).read_to_end(&mut piece) else {
            return Some(UNREAD);
        };
        if let Some(what) = redactor.left_in(&piece) {
            return Some(what);
        }
        if read == 0 || piece.len() == kept {
            return None;
        }
        piece.drain(..piece.len().saturating_sub(overlap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_across_two_pieces_is_found_and_names_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let redactor = Redactor::new([("DB_PASSWORD", "hunter2hunter2")], []);
        let write = |name: &str, bytes: Vec<u8>| {
            files::write_atomic(&folder.path().join(name), &bytes).unwrap()
        };
        for at in [0, PIECE - 7, PIECE, 3 * PIECE - 1] {
            let mut bytes = vec![b'.'; at];
            bytes.extend(b"hunter2hunter2");
            bytes.extend(vec![b'.'; PIECE / 2]);
            write("a", bytes);
            assert_eq!(sweep(&redactor, folder.path()).len(), 1, "{at}");
        }
        write("a", vec![b'.'; 5 * PIECE]);
        assert!(sweep(&redactor, folder.path()).is_empty());
        write("x-hunter2hunter2.txt", Vec::new());
        let reported = sweep(&redactor, folder.path());
        assert_eq!(
            reported,
            [Found { path: "x-***.txt".to_owned(), what: "a secret in its name" }]
        );
    }
}
