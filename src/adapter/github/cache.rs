//! What was answered before, with the `ETag` that it came with: a repeat costs no quota, because
//! GitHub does not count a 304.
//!
//! Nothing is ever answered from here alone; the server says each time that it still holds. The
//! file is one per repository in the state folder, and it holds no token and no trace of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapter::workspace::files;
use crate::domain::ids::RepoSlug;

const SCHEMA: &str = "pester-gate-github-cache@v1";
/// How many answers a file keeps; a longer listing is read in whole each time.
const ANSWERS: usize = 200;
/// How many repositories the folder keeps.
const FILES: usize = 50;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    schema: String,
    answers: BTreeMap<String, Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    etag: String,
    next: Option<String>,
    value: Value,
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
    document: Document,
    changed: bool,
}

impl Cache {
    /// Reads what is there. What cannot be read is as if it were not there.
    pub(super) fn open(folder: &Path, api: &Url, repository: &RepoSlug) -> Self {
        let key = format!("{api} {}", repository.as_str().to_ascii_lowercase());
        let path = folder.join(format!("{}.json", &files::digest_bytes(key.as_bytes()).as_str()[..32]));
        let document =
            files::read_bounded(&path).ok().and_then(|bytes| serde_json::from_slice::<Document>(&bytes).ok());
        let document = document.filter(|document| document.schema == SCHEMA).unwrap_or_default();
        Self { path, document, changed: false }
    }

    pub(super) fn get<T: serde::de::DeserializeOwned>(&self, url: &Url) -> Option<Known<T>> {
        let kept = self.document.answers.get(url.as_str())?;
        let next = match &kept.next {
            Some(next) => Some(next.parse().ok()?),
            None => None,
        };
        let value = T::deserialize(&kept.value).ok()?;
        Some(Known { etag: kept.etag.clone(), value, next })
    }

    pub(super) fn remember(&mut self, url: &Url, etag: String, next: Option<&Url>, value: &impl Serialize) {
        let room = self.document.answers.len() < ANSWERS || self.document.answers.contains_key(url.as_str());
        if let (true, Ok(value)) = (room, serde_json::to_value(value)) {
            let next = next.map(Url::to_string);
            self.document.answers.insert(url.to_string(), Kept { etag, next, value });
            self.changed = true;
        }
    }

    /// Writes what is new. A cache that cannot be kept costs quota and nothing else.
    pub(super) fn keep(mut self) {
        if !self.changed {
            return;
        }
        self.document.schema = SCHEMA.to_owned();
        let written = serde_json::to_vec(&self.document).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|bytes| files::write_atomic(&self.path, &bytes)) {
            tracing::debug!("the cache {} was not kept: {error}", self.path.display());
            return;
        }
        if let Some(folder) = self.path.parent() {
            files::keep_newest(folder, FILES);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test looks into its own folder")]

    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_rubbish_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (api, slug) = ("https://api.example/".parse().unwrap(), "a/b".parse().unwrap());
        let url: Url = "https://api.example/x?page=1".parse().unwrap();
        let mut cache = Cache::open(folder.path(), &api, &slug);
        assert!(cache.get::<u32>(&url).is_none());
        cache.remember(&url, "\"e\"".to_owned(), Some(&url), &7_u32);
        let path = cache.path.clone();
        cache.keep();
        let known = Cache::open(folder.path(), &api, &"A/B".parse().unwrap()).get::<u32>(&url).unwrap();
        assert_eq!((known.value, known.etag.as_str(), known.next.as_ref()), (7, "\"e\"", Some(&url)));
        assert!(Cache::open(folder.path(), &api, &slug).get::<Vec<u32>>(&url).is_none(), "another shape");
        std::fs::write(&path, "{\"schema\":\"other\",\"answers\":{}").unwrap();
        assert!(Cache::open(folder.path(), &api, &slug).get::<u32>(&url).is_none());
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let api: Url = "https://api.example/".parse().unwrap();
        let mut cache = Cache::open(folder.path(), &api, &"a/b".parse().unwrap());
        for page in 0..ANSWERS + 50 {
            cache.remember(&api.join(&page.to_string()).unwrap(), "e".to_owned(), None, &page);
        }
        assert_eq!(cache.document.answers.len(), ANSWERS);
        for repository in 0..FILES + 20 {
            let mut cache = Cache::open(folder.path(), &api, &format!("a/{repository}").parse().unwrap());
            cache.remember(&api, "e".to_owned(), None, &1);
            cache.keep();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES);
    }
}
