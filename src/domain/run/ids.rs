//! Names that can only hold what is valid: parse at the door, carry the proof.
//!
//! Every constructor refuses with an [`IdError`] that names the kind, shows the value and says
//! what would do. Serde goes through the same constructors, so a receipt cannot smuggle in a
//! value that the command line would refuse.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::verdict::reason::Layer;

/// A value that is not of the kind it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {kind} {value:?}: {expected}")]
pub(crate) struct IdError {
    kind: &'static str,
    value: String,
    expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub(crate) struct $name(String);

        impl $name {
            /// The text of it.
            #[allow(dead_code, reason = "every id has it, whether or not this version asks")]
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Option<String> = $check;
                check(text).map(Self).ok_or_else(|| IdError {
                    kind: $kind,
                    value: text.chars().take(80).collect(),
                    expected: $expected,
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn slug_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

id!(
    /// A repository on GitHub: `owner/name`.
    RepoSlug, "repository", "it must read owner/name, in letters, digits, '-', '_' and '.'",
    |text| {
        let (owner, name) = text.split_once('/')?;
        (slug_part(owner) && slug_part(name)).then(|| text.to_owned())
    }
);

impl RepoSlug {
    /// Equality as GitHub sees it: letter case does not tell two repositories apart.
    pub(crate) fn same_as(&self, other: &RepoSlug) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// The part before the slash.
    pub(crate) fn owner(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The part behind it.
    pub(crate) fn name(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }
}

id!(
    /// A full commit id: 40 (SHA-1) or 64 (SHA-256) hex digits, kept in lower case.
    CommitSha, "commit", "it must be a full commit id of 40 or 64 hex digits",
    |text| {
        ((text.len() == 40 || text.len() == 64) && is_hex(text)).then(|| text.to_ascii_lowercase())
    }
);

id!(
    /// A SHA-256 digest: 64 hex digits, kept in lower case.
    Sha256, "sha256 digest", "it must be 64 hex digits",
    |text| (text.len() == 64 && is_hex(text)).then(|| text.to_ascii_lowercase())
);

id!(
    /// A workflow run's id as GitHub gives it, or `local-<uuid>` outside GitHub.
    RunId, "run id", "it must be 1 to 100 letters, digits, '-', '_' or '.'",
    |text| slug_part(text).then(|| text.to_owned())
);

id!(
    /// An artifact's name: what GitHub accepts, and never a path.
    ArtifactName, "artifact name", "it must be 1 to 200 letters, digits, '-', '_' or '.'",
    |text| {
        (!text.is_empty()
            && text.len() <= 200
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
        .then(|| text.to_owned())
    }
);

id!(
    /// A gate's id among several of one run: a part of artifact names.
    GateId, "gate id",
    "it must be 1 to 40 letters, digits, '-' or '_', and must not end like a shard or an attempt \
     (`s1`, `a2`)",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let last = text.rsplit('-').next().unwrap_or(text);
        let number = last.strip_prefix(['s', 'a']).unwrap_or_default();
        let ends_like_one = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let sound = !text.is_empty() && text.len() <= 40 && plain && !ends_like_one;
        sound.then(|| text.to_owned())
    }
);

id!(
    /// A group of runs that share a host one at a time: a part of file names.
    LockGroup, "lock group", "it must be 1 to 40 letters, digits, '-' or '_'",
    |text| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        (!text.is_empty() && text.len() <= 40 && plain).then(|| text.to_ascii_lowercase())
    }
);

impl ArtifactName {
    /// The raw results of execute.
    pub(crate) const RAW: &'static str = "pester-run-raw";

    /// The artifact of a layer.
    pub(crate) const fn base_of(layer: Layer) -> &'static str {
        match layer {
            Layer::Route => "pester-route",
            Layer::Context => "pester-context",
            Layer::Preflight => "pester-readiness",
            Layer::Selection => "pester-selection",
            Layer::Execute => "pester-execution-contract",
            Layer::Post => "pester-evidence",
        }
    }

    /// The name for the second and each further use of an action in one job.
    pub(crate) fn of_use(mut self, number: u32) -> Self {
        if number > 1 {
            self.0.push_str(&format!("-u{number}"));
        }
        self
    }

    /// A layer's artifact: the name of the contract, then the gate's id, the shard, and the attempt
    /// where it is not the first. GitHub refuses a name twice in one run, re-runs included.
    pub(crate) fn for_attempt(
        base: &'static str,
        gate: Option<&GateId>,
        shard: Option<u32>,
        attempt: u32,
    ) -> Self {
        let mut name = base.to_owned();
        if let Some(gate) = gate {
            name.push_str(&format!("-{gate}"));
        }
        if let Some(shard) = shard {
            name.push_str(&format!("-s{shard}"));
        }
        if attempt > 1 {
            name.push_str(&format!("-a{attempt}"));
        }
        Self(name)
    }
}

id!(
    /// An issue: `#12` of the repository under test, or `owner/name#12`.
    IssueRef, "issue", "it must read 12, #12 or owner/name#12",
    |text| {
        let (repository, number) = text.rsplit_once('#').unwrap_or(("", text));
        let number: u64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
        let sound = repository.is_empty() || repository.parse::<RepoSlug>().is_ok();
        (sound && number > 0).then(|| format!("{repository}#{number}"))
    }
);

impl IssueRef {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.0.rsplit('#').next().and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// Its repository, where it is named.
    pub(crate) fn repository(&self) -> Option<RepoSlug> {
        self.0.split('#').next().and_then(|slug| slug.parse().ok())
    }
}

id!(
    /// A path below some folder: `/`-separated, never absolute, never climbing out.
    RelPath, "relative path",
    "it must be relative, with '/' between names, and must not climb out with '..'",
    |text| rel_path(text)
);

/// Normalises `\` to `/` on input that people type; a receipt holds `/` only.
fn rel_path(text: &str) -> Option<String> {
    if text.is_empty() || text.contains('\0') || text.starts_with('/') {
        return None;
    }
    let bytes = text.as_bytes();
    if bytes.len() >= 2 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic() {
        return None;
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

impl RelPath {
    /// The last name of the path.
    pub(crate) fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The path with a folder of ours, one plain name, put before it.
    pub(crate) fn below(&self, folder: &'static str) -> RelPath {
        RelPath(format!("{folder}/{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_hold_owner_and_name_only() {
        assert!("octo/widgets".parse::<RepoSlug>().is_ok());
        for bad in ["octo", "octo/", "/x", "a/b/c", "a b/c", "a/..", "a/b\n", "a/$(x)"] {
            assert!(bad.parse::<RepoSlug>().is_err(), "{bad:?}");
        }
        let (a, b) = ("Octo/W".parse::<RepoSlug>(), "octo/w".parse::<RepoSlug>());
        assert!(a.is_ok_and(|a| b.is_ok_and(|b| a.same_as(&b))));
    }

    #[test]
    fn an_issue_is_a_number_with_or_without_its_repository() {
        for (text, kept, number) in [("12", "#12", 12), ("#3", "#3", 3), ("a/b#7", "a/b#7", 7)] {
            let issue: IssueRef = text.parse().unwrap();
            assert_eq!((issue.as_str(), issue.number()), (kept, number));
            assert_eq!(issue.repository().is_some(), text.contains('/'));
        }
        for bad in ["", "#", "0", "-1", "+1", "a#1", "a/b/c#1", "1 2", "99999999999999999999"] {
            assert!(bad.parse::<IssueRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn commits_are_full_and_lower_case() {
        let sha: CommitSha = "ABCDEF0123456789abcdef0123456789abcdef01".parse().unwrap();
        assert_eq!(sha.as_str(), "abcdef0123456789abcdef0123456789abcdef01");
        assert!("abcdef0".parse::<CommitSha>().is_err());
    }

    #[test]
    fn relative_paths_never_climb() {
        for bad in ["../x", "/etc/passwd", "C:/x", "C:x", "a/../../b", "", "a\0b", "a/.."] {
            assert!(bad.parse::<RelPath>().is_err(), "{bad:?}");
        }
        for (good, kept) in [("a..b", "a..b"), ("./a//b", "a/b"), ("a/b", "a/b"), ("a\\b", "a\\b")]
        {
            assert_eq!(good.parse::<RelPath>().unwrap().as_str(), kept);
        }
    }

    #[test]
    fn an_error_names_kind_value_and_remedy() {
        let error = "nope".parse::<Sha256>().unwrap_err().to_string();
        assert_eq!(error, "invalid sha256 digest \"nope\": it must be 64 hex digits");
    }
}
