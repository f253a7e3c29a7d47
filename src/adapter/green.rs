//! What a host was like when a pack was last green there, kept in the state folder. It only ever
//! explains a red run: what cannot be read or written is left out.

use std::path::{Path, PathBuf};

use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::receipt::LastGreen;
use crate::domain::run::ids::GateId;
use crate::domain::run::redact::Redactor;

/// Of how many packs it is kept.
const MOST: usize = 50;

/// Which of them.
pub(crate) struct Key<'a> {
    /// Whose tests.
    pub(crate) repository: &'a str,
    /// On which host: a state folder may be shared.
    pub(crate) machine: &'a str,
    /// The gate, where a run has several.
    pub(crate) gate: Option<&'a GateId>,
    /// The configuration, where a repository has several; another one for a typed command.
    pub(crate) configuration: &'a str,
    /// The pack.
    pub(crate) pack: &'a str,
}

impl Key<'_> {
    fn path(&self, state: &Path) -> PathBuf {
        let part = |text: Option<String>| text.unwrap_or_default();
        let key = [
            self.repository.to_owned(),
            self.machine.to_owned(),
            part(self.gate.map(ToString::to_string)),
            self.configuration.to_owned(),
            self.pack.to_owned(),
        ];
        let digest = files::digest_bytes(key.join("\0").as_bytes());
        state.join("green").join(format!("{}.json", &digest.as_str()[..16]))
    }
}

/// Without the facts that tell a secret, as their names or in them.
fn without_secrets(mut last: LastGreen, redactor: &Redactor) -> LastGreen {
    last.facts.retain(|name, value| {
        redactor.mask_text(name) == *name && redactor.mask_text(value) == *value
    });
    last.facts.retain(|name, value| !redactor.is_in(name) && !redactor.is_in(value));
    last
}

/// As it was. What was none then may be a secret now.
pub(crate) fn read(state: &Path, key: &Key<'_>, redactor: &Redactor) -> Option<LastGreen> {
    let path = key.path(state);
    let bytes = files::read_bounded(&path).ok()?;
    let read = serde_json::from_slice(&bytes);
    let read = read.map_err(|error| tracing::warn!("{}: {error}", shown(&path))).ok();
    read.map(|last| without_secrets(last, redactor))
}

/// As it is.
pub(crate) fn write(state: &Path, key: &Key<'_>, last: &LastGreen, redactor: &Redactor) {
    let path = key.path(state);
    let last = without_secrets(last.clone(), redactor);
    let written =
        serde_json::to_vec_pretty(&last).map_err(std::io::Error::from).and_then(|bytes| {
            path.parent().map_or(Ok(()), files::make_dir)?;
            files::write_private(&path, &bytes)
        });
    match written {
        Ok(()) => path
            .parent()
            .into_iter()
            .for_each(|folder| files::keep_newest(folder, MOST, |n| n.ends_with(".json"))),
        Err(error) => tracing::warn!("{}: {error}", shown(&path)),
    }
}
