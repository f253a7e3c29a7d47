//! What was answered before, with the `ETag` that it came with: a repeat costs no quota, because
//! GitHub does not count a 304.
//!
//! Nothing is ever answered from here alone; the server says each time that it still holds. The
//! file is one per repository in the state folder, which tests of an earlier run may have written
//! to: so it is sealed with the token, and what another token or nobody sealed is as if it were not
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reqwest::Url;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::adapter::workspace::files;
use crate::domain::run::ids::RepoSlug;
use crate::domain::run::redact::Redactor;

const SCHEMA: &str = "pester-gate-github-cache@v1";
/// How many answers a file keeps, and how large they may be together: what is larger is asked for
/// anew.
const ANSWERS: usize = 200;
const SIZE: usize = 4 << 20;
/// How many repositories the folder keeps.
const FILES: usize = 50;

/// The file: its answers as one text, and the seal of that text.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    schema: String,
    seal: String,
    answers: String,
}

type Answers = BTreeMap<String, Kept>;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    etag: String,
    next: Option<String>,
    /// As text: a tree of values would take several times its memory.
    value: String,
}

/// An answer that was kept.
pub(super) struct Known<T> {
    pub(super) etag: String,
    pub(super) value: T,
    pub(super) next: Option<Url>,
}

/// The cache of one repository.
pub(super) struct Cache {
    path: PathBuf,
    key: hmac::Key,
    answers: Answers,
    /// Those that this look-up met: only they are kept.
    used: BTreeSet<String>,
    size: usize,
    changed: bool,
}

impl Cache {
    /// Reads what is there. What cannot be read or is not ours is as if it were not there.
    pub(super) fn open(folder: &Path, api: &Url, repository: &RepoSlug, token: &str) -> Self {
        let about = format!("{api} {}", repository.as_str().to_ascii_lowercase());
        let path =
            folder.join(format!("{}.json", &files::digest_bytes(about.as_bytes()).as_str()[..32]));
        // For this API and repository only: no file serves in another's place.
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{SCHEMA} {about} {token}").as_bytes());
        let answers = files::read_bounded(&path)
            .ok()
            .and_then(|bytes| unsealed(&key, &bytes))
            .unwrap_or_default();
        Self { path, key, answers, used: BTreeSet::new(), size: 0, changed: false }
    }

    pub(super) fn get<T: serde::de::DeserializeOwned>(&self, url: &Url) -> Option<Known<T>> {
        let kept = self.answers.get(url.as_str())?;
        let next = match &kept.next {
            Some(next) => Some(next.parse().ok()?),
            None => None,
        };
        let value = serde_json::from_str(&kept.value).ok()?;
        Some(Known { etag: kept.etag.clone(), value, next })
    }

    /// It still holds.
    pub(super) fn still_holds(&mut self, url: &Url) {
        self.size += self.answers.get(url.as_str()).map_or(0, |kept| kept.value.len());
        self.used.insert(url.to_string());
    }

    pub(super) fn remember(
        &mut self,
        url: &Url,
        etag: String,
        next: Option<&Url>,
        value: &impl Serialize,
    ) {
        if self.used.len() >= ANSWERS || self.size > SIZE {
            return;
        }
        if let Ok(value) = serde_json::to_string(value) {
            self.size += value.len();
            let next = next.map(Url::to_string);
            self.answers.insert(url.to_string(), Kept { etag, next, value });
            self.used.insert(url.to_string());
            self.changed = true;
        }
    }

    /// Writes what is new. A cache that cannot be kept costs quota and nothing else.
    pub(super) fn keep(mut self, redactor: &Redactor) {
        self.answers.retain(|url, _| self.used.contains(url));
        let Ok(answers) = serde_json::to_string(&self.answers) else { return };
        // A server that repeats a secret is not remembered.
        if !self.changed || self.size > SIZE || redactor.mask_text(&answers) != answers {
            return;
        }
        let sealed = Sealed { schema: SCHEMA.to_owned(), seal: seal(&self.key, &answers), answers };
        let written = serde_json::to_vec(&sealed).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|bytes| files::write_private(&self.path, &bytes)) {
            tracing::debug!("the cache {} was not kept: {error}", self.path.display());
            return;
        }
        if let Some(folder) = self.path.parent() {
            files::keep_newest(folder, FILES, is_ours);
        }
    }
}

fn seal(key: &hmac::Key, answers: &str) -> String {
    hmac::sign(key, answers.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unsealed(key: &hmac::Key, bytes: &[u8]) -> Option<Answers> {
    let sealed: Sealed = serde_json::from_slice(bytes).ok()?;
    let digits = sealed
        .seal
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let tag: Vec<u8> = digits.collect::<Option<_>>()?;
    let ours =
        sealed.schema == SCHEMA && hmac::verify(key, sealed.answers.as_bytes(), &tag).is_ok();
    ours.then(|| serde_json::from_str(&sealed.answers).ok()).flatten()
}

/// Whether a file of the folder is one of these.
fn is_ours(name: &str) -> bool {
    name.strip_suffix(".json")
        .is_some_and(|stem| stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test looks into its own folder")]

    use super::*;

    fn open(folder: &Path, slug: &str, token: &str) -> Cache {
        Cache::open(folder, &"https://api.example/".parse().unwrap(), &slug.parse().unwrap(), token)
    }

    fn redactor() -> Redactor {
        Redactor::new([("A_TOKEN", "a-secret-value")], [])
    }

    #[test]
    fn what_was_kept_is_there_again_and_what_others_wrote_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let url: Url = "https://api.example/x?page=1".parse().unwrap();
        let mut cache = open(folder.path(), "a/b", "token");
        assert!(cache.get::<u32>(&url).is_none());
        cache.remember(&url, "\"e\"".to_owned(), Some(&url), &7_u32);
        let path = cache.path.clone();
        cache.keep(&redactor());
        let known = open(folder.path(), "A/B", "token").get::<u32>(&url).unwrap();
        assert_eq!(
            (known.value, known.etag.as_str(), known.next.as_ref()),
            (7, "\"e\"", Some(&url))
        );
        assert!(
            open(folder.path(), "a/b", "token").get::<Vec<u32>>(&url).is_none(),
            "another shape"
        );
        assert!(open(folder.path(), "a/b", "another").get::<u32>(&url).is_none(), "another token");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("token\""));
        for (from, to) in [
            ("page=1", "page=2"),
            (":\\\"7", ":\\\"8"),
            ("@v1", "@v2"),
            ("\"seal\":\"", "\"seal\":\"0"),
        ] {
            assert!(text.contains(from), "{text}");
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            assert!(open(folder.path(), "a/b", "token").answers.is_empty(), "{from} {to}");
        }
        // Another repository's file in its place.
        std::fs::write(open(folder.path(), "c/d", "token").path, &text).unwrap();
        assert!(open(folder.path(), "c/d", "token").answers.is_empty());
    }

    #[test]
    fn secrets_and_what_is_too_large_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let url: Url = "https://api.example/x".parse().unwrap();
        for value in ["a-secret-value".to_owned(), "x".repeat(SIZE)] {
            let mut cache = open(folder.path(), "a/b", "token");
            cache.remember(&url, "e".to_owned(), None, &value);
            cache.keep(&redactor());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn it_does_not_grow_for_ever_and_removes_nothing_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let api: Url = "https://api.example/".parse().unwrap();
        std::fs::write(folder.path().join("mine.txt"), "x").unwrap();
        let mut cache = open(folder.path(), "a/b", "token");
        for page in 0..ANSWERS + 50 {
            cache.remember(&api.join(&page.to_string()).unwrap(), "e".to_owned(), None, &page);
        }
        assert_eq!(cache.answers.len(), ANSWERS);
        cache.keep(&redactor());
        // What a later look-up does not meet again is dropped.
        let mut cache = open(folder.path(), "a/b", "token");
        cache.still_holds(&api.join("3").unwrap());
        cache.remember(&api, "e".to_owned(), None, &1);
        cache.keep(&redactor());
        assert_eq!(open(folder.path(), "a/b", "token").answers.len(), 2);
        for repository in 0..FILES + 20 {
            let mut cache = open(folder.path(), &format!("a/{repository}"), "token");
            cache.remember(&api, "e".to_owned(), None, &1);
            cache.keep(&redactor());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES + 1);
        assert!(folder.path().join("mine.txt").exists());
    }
}
