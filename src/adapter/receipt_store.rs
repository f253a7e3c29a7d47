//! Receipts on disk: written atomically, read with suspicion.
//!
//! Holding a [`Verified`] is the evidence that a receipt was read, is of its schema, has the digest
//! that was put out for it, and belongs to this run and commit: it can be made here only.

use std::io;
use std::path::{Path, PathBuf};

use crate::adapter::workspace::files;
use crate::domain::receipt::{CATALOGUE, Parent, Receipt};
use crate::domain::run::freshness::{self, Expect};
use crate::domain::run::ids::{RelPath, Sha256};
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::fault::{Fault, ReceiptFault};
use crate::domain::verdict::reason::Layer;

/// A receipt as read: its shape is right, whether it belongs here is not known yet.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<R> {
    /// The receipt.
    pub(crate) receipt: R,
    /// Where it was read.
    pub(crate) path: PathBuf,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
    vouched: bool,
}

/// A receipt that belongs to this run and commit.
#[derive(Debug, Clone)]
pub(crate) struct Verified<R>(Loaded<R>);

impl<R> std::ops::Deref for Verified<R> {
    type Target = Loaded<R>;
    fn deref(&self) -> &Loaded<R> {
        &self.0
    }
}

impl<R: Receipt> Loaded<R> {
    /// Checks run, attempt, commit and clock.
    pub(crate) fn verify(self, expect: Expect<'_>) -> Result<Verified<R>, ReceiptFault> {
        freshness::check(&self.receipt, &Expect { vouched: self.vouched, ..expect })?;
        Ok(Verified(self))
    }

    /// As an entry of `parents[]`.
    pub(crate) fn parent(&self) -> Parent {
        Parent {
            schema: R::SCHEMA.to_owned(),
            path: shown(&self.path),
            sha256: self.sha256.clone(),
        }
    }
}

/// Reads a receipt. Where a digest is given it must be that one.
///
/// What cannot be read at all is corrupt, whatever its digest: the more telling fact comes first.
pub(crate) fn load<R: Receipt>(
    path: &Path,
    digest: Option<&Sha256>,
) -> Result<Loaded<R>, ReceiptFault> {
    let layer = R::LAYER;
    let corrupt = |why: String| ReceiptFault::Corrupt { layer, path: shown(path), why };
    let bytes = match files::read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ReceiptFault::Missing { layer, path: shown(path) });
        }
        Err(error) => return Err(corrupt(error.to_string())),
    };
    let text = text_of(&bytes).map_err(&corrupt)?;
    let document: serde_json::Value =
        serde_json::from_str(text).map_err(|error| corrupt(error.to_string()))?;
    let sha256 = files::digest_bytes(&bytes);
    if let Some(expected) = digest
        && *expected != sha256
    {
        return Err(ReceiptFault::DigestMismatch {
            layer,
            path: shown(path),
            found: sha256.to_string(),
            expected: expected.to_string(),
        });
    }
    match document.get("schema").and_then(serde_json::Value::as_str) {
        Some(schema) if schema == R::SCHEMA => {}
        found => {
            let found = found.unwrap_or("none").chars().take(80).collect();
            return Err(ReceiptFault::UnsupportedSchema {
                layer,
                path: shown(path),
                found,
                known: R::SCHEMA,
            });
        }
    }
    // From the text, not from the document: errors then name line and column.
    let receipt: R = serde_json::from_str(text).map_err(|error| corrupt(error.to_string()))?;
    if receipt.reasons().is_empty() {
        return Err(corrupt("it gives no reason".to_owned()));
    }
    Ok(Loaded { receipt, path: path.to_owned(), sha256, vouched: digest.is_some() })
}

/// The text of a receipt: UTF-8, a byte order mark allowed, not empty.
fn text_of(bytes: &[u8]) -> Result<&str, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text)
}

/// What was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Where.
    pub(crate) path: PathBuf,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
    /// How many bytes.
    pub(crate) size: u64,
}

/// Writes a receipt under its name into a folder, its texts masked.
pub(crate) fn write<R: Receipt>(
    folder: &Path,
    receipt: &R,
    redactor: &Redactor,
) -> Result<(Written, serde_json::Value), Fault> {
    let path = folder.join(R::FILE);
    let unwritable = |why: String| Fault::OutputUnwritable(format!("{}: {why}", shown(&path)));
    let mut document =
        serde_json::to_value(receipt).map_err(|error| unwritable(error.to_string()))?;
    mask(&mut document, redactor);
    if let Some((place, what)) = left(&document, redactor, R::FILE) {
        let (path, what) = (place, what.to_owned());
        return Err(Fault::SecretInOutput { layer: R::LAYER, path, what, more: String::new() });
    }
    let mut bytes =
        serde_json::to_vec_pretty(&document).map_err(|error| unwritable(error.to_string()))?;
    bytes.push(b'\n');
    files::write_atomic(&path, &bytes).map_err(|error| unwritable(error.to_string()))?;
    let (sha256, size) = (files::digest_bytes(&bytes), bytes.len() as u64);
    Ok((Written { path, sha256, size }, document))
}

/// Fields that hold our own words, what is public anyway, or what was masked where it was put
/// together; and every time.
fn is_ours(key: &str) -> bool {
    const OURS: [&str; 17] = [
        "repository",
        "code",
        "reason",
        "layer",
        "classification",
        "failedLayer",
        "gateStatus",
        "headline",
        "nextAction",
        "nextActionId",
        "sha256",
        "textSha256",
        "runId",
        "schema",
        "machineId",
        "headSha",
        "status",
    ];
    OURS.contains(&key) || key.ends_with("Utc")
}

/// Fields that the next layer acts on: a mask would change what runs, so a secret there is refused
/// instead.
fn is_acted_on(key: &str) -> bool {
    ["path", "files", "planSha256", "testTreeSha256", "dispatcherProfile"].contains(&key)
}

/// Masks every text that may be masked.
fn mask(value: &mut serde_json::Value, redactor: &Redactor) {
    match value {
        serde_json::Value::String(text) => *text = redactor.for_people(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| mask(item, redactor)),
        serde_json::Value::Object(fields) => {
            let open = fields.iter_mut().filter(|(key, _)| !is_ours(key) && !is_acted_on(key));
            open.for_each(|(_, item)| mask(item, redactor));
        }
        _ => {}
    }
}

/// Where a text that came from outside still holds a secret: what the next layer acts on was not
/// masked.
fn left(
    value: &serde_json::Value,
    redactor: &Redactor,
    place: &str,
) -> Option<(String, &'static str)> {
    match value {
        serde_json::Value::String(text) => {
            redactor.left_in(text.as_bytes()).map(|what| (place.to_owned(), what))
        }
        serde_json::Value::Array(items) => {
            items.iter().find_map(|item| left(item, redactor, place))
        }
        serde_json::Value::Object(fields) => {
            let mut outside = fields.iter().filter(|(key, _)| !is_ours(key));
            outside.find_map(|(key, item)| left(item, redactor, &format!("{place}: {key}")))
        }
        _ => None,
    }
}

/// What stands in the `source` of an execution receipt that post wrote because execute left none.
pub(crate) const FINALIZED: &str = "post/finalize";

/// Every file of this receipt's name below a folder, in path order. One that post wrote in
/// execute's place is evidence of post and none of execute.
pub(crate) fn find<R: Receipt>(folder: &Path) -> Vec<PathBuf> {
    named(folder, R::FILE)
        .into_iter()
        .filter(|path| R::LAYER != Layer::Execute || !is_finalized(path))
        .collect()
}

/// Every file of a name below a folder, in path order, but those among raw results: what tests
/// leave there is theirs, and may be a receipt of anybody's.
pub(crate) fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let listed: Vec<(RelPath, PathBuf)> = files::list(folder).into_iter().flatten().collect();
    let raw = raw_folders(&listed);
    let is_raw =
        |path: &RelPath| raw.iter().any(|folder| path.as_str().starts_with(folder.as_str()));
    listed
        .into_iter()
        .filter(|(path, _)| path.file_name() == name && !is_raw(path))
        .map(|(_, path)| path)
        .collect()
}

/// Folders of raw results, each with its slash: where a journal lies, and what is called as they
/// are uploaded.
fn raw_folders(listed: &[(RelPath, PathBuf)]) -> Vec<String> {
    let mut folders = Vec::new();
    for (path, _) in listed {
        let text = path.as_str();
        if path.file_name() == JOURNAL {
            let folder = text.strip_suffix(JOURNAL).unwrap_or_default();
            // Beside receipts, where artifacts were laid in one folder, only what lies deeper is
            // raw.
            let beside = |(other, _): &(RelPath, PathBuf)| {
                let name = other.as_str().strip_prefix(folder);
                name.is_some_and(|name| CATALOGUE.iter().any(|(_, file, _)| name == *file))
            };
            if folder.is_empty() || listed.iter().any(beside) {
                folders.extend(
                    ["artifacts/", "reports/", "logs/", "pester/"]
                        .map(|part| format!("{folder}{part}")),
                );
            } else {
                folders.push(folder.to_owned());
            }
        }
        let mut at = 0;
        for part in text.split_inclusive('/') {
            at += part.len();
            if part == "raw/" || (part.starts_with("pester-run-raw") && part.ends_with('/')) {
                folders.push(text[..at].to_owned());
                break;
            }
        }
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The journal's name.
const JOURNAL: &str = crate::adapter::journal::FILE;

fn is_finalized(path: &Path) -> bool {
    let bytes = files::read_bounded(path).unwrap_or_default();
    let document = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    document.is_some_and(|document| {
        document.get("source").and_then(serde_json::Value::as_str) == Some(FINALIZED)
    })
}

/// A path for people and receipts: `/` between names.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() }
}
