//! Values of the document that have a form of their own: what they look like when they are written.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::config::quantity::Span;
use crate::domain::run::ids::IssueRef;

/// An issue as people write it: `12`, `"#12"` or `owner/name#12`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssueKey(pub(crate) IssueRef);

impl<'de> Deserialize<'de> for IssueKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = IssueKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an issue: 12, \"#12\" or owner/name#12")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<IssueKey, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<IssueKey, E> {
                text.parse().map(IssueKey).map_err(|error| E::custom(format!("issue: {error}")))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for IssueKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IssueKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string"],
            "minimum": 1,
            "description": "12, \"#12\" or owner/name#12",
        })
    }
}

/// A share, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8")]
pub(crate) struct Percent(#[schemars(range(min = 1, max = 100))] u8);

impl Percent {
    /// All of it.
    pub(crate) const ALL: Percent = Percent(100);

    /// The number.
    pub(crate) const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Percent {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        if (1..=100).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} is not from 1 to 100"))
        }
    }
}

/// A list that may be written as one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum OneOrMany {
    /// One value.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub(crate) fn to_vec(&self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one.clone()],
            OneOrMany::Many(many) => many.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = seq.next_element()? {
                    many.push(one);
                }
                Ok(OneOrMany::Many(many))
            }
        }
        deserializer.deserialize_any(V)
    }
}

/// What a pack needs of the host.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Requirement {
    /// One of the built-in names.
    Named(ProbeName),
    /// A program on PATH, of a version where one is given.
    Tool {
        /// Its name on PATH.
        tool: String,
        /// A range, as in `>=8, <10`.
        version: Option<String>,
    },
    /// An address that must answer with success.
    Http {
        /// The address.
        http: String,
        /// Its key among the probes; the address's host by default.
        name: Option<String>,
        /// Its own time limit.
        timeout: Option<Span>,
    },
    /// A command that must exit with 0.
    Command {
        /// Program and arguments; no shell is involved.
        command: Vec<String>,
        /// Its key among the probes; the program's name by default.
        name: Option<String>,
        /// Its own time limit.
        timeout: Option<Span>,
    },
}

/// The built-in requirement names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are described in docs/configuration.md")]
pub(crate) enum ProbeName {
    Powershell,
    Pester,
    Dotnet,
    Docker,
    Lvcompare,
    LabviewIdle,
    SessionLock,
    RunnerLabels,
    PathHygiene,
    LongPaths,
    Disk,
    Fixtures,
}

impl ProbeName {
    /// All of them.
    pub(crate) const ALL: [ProbeName; 12] = [
        ProbeName::Powershell,
        ProbeName::Pester,
        ProbeName::Dotnet,
        ProbeName::Docker,
        ProbeName::Lvcompare,
        ProbeName::LabviewIdle,
        ProbeName::SessionLock,
        ProbeName::RunnerLabels,
        ProbeName::PathHygiene,
        ProbeName::LongPaths,
        ProbeName::Disk,
        ProbeName::Fixtures,
    ];

    /// The name as written in a configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ProbeName::Powershell => "powershell",
            ProbeName::Pester => "pester",
            ProbeName::Dotnet => "dotnet",
            ProbeName::Docker => "docker",
            ProbeName::Lvcompare => "lvcompare",
            ProbeName::LabviewIdle => "labview-idle",
            ProbeName::SessionLock => "session-lock",
            ProbeName::RunnerLabels => "runner-labels",
            ProbeName::PathHygiene => "path-hygiene",
            ProbeName::LongPaths => "long-paths",
            ProbeName::Disk => "disk",
            ProbeName::Fixtures => "fixtures",
        }
    }
}

/// A derived `untagged` would take `{tool: x, vresion: y}` for `{tool: x}`: the keys are checked by
/// hand.
impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Requirement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a requirement: a name, {tool: ..}, {http: ..} or {command: [..]}")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Requirement, E> {
                let known = ProbeName::ALL.into_iter().find(|name| name.as_str() == text);
                known.map(Requirement::Named).ok_or_else(|| {
                    let names: Vec<_> = ProbeName::ALL.iter().map(|n| n.as_str()).collect();
                    E::custom(format!(
                        "unknown requirement {text:?}: write {{tool: {text}}} for a program, \
                         or one of {}",
                        names.join(", ")
                    ))
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Requirement, A::Error> {
                const KEYS: &[&str] = &["tool", "version", "http", "command", "name", "timeout"];
                let (mut tool, mut version, mut http, mut command, mut name, mut timeout) =
                    (None, None, None, None, None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "tool" => tool = Some(map.next_value::<String>()?),
                        "version" => version = Some(map.next_value::<String>()?),
                        "http" => http = Some(map.next_value::<String>()?),
                        "command" => command = Some(map.next_value::<Vec<String>>()?),
                        "name" => name = Some(map.next_value::<String>()?),
                        "timeout" => timeout = Some(map.next_value::<Span>()?),
                        other => return Err(de::Error::unknown_field(other, KEYS)),
                    }
                }
                match (tool, http, command) {
                    (Some(tool), None, None) if name.is_none() && timeout.is_none() => {
                        if let Some(range) = &version {
                            crate::domain::host::readiness::parse_range(range)
                                .map_err(de::Error::custom)?;
                        }
                        Ok(Requirement::Tool { tool, version })
                    }
                    (None, Some(http), None) if version.is_none() => {
                        Ok(Requirement::Http { http, name, timeout })
                    }
                    (None, None, Some(command)) if version.is_none() => {
                        if command.is_empty() {
                            return Err(de::Error::custom("`command` needs a program"));
                        }
                        Ok(Requirement::Command { command, name, timeout })
                    }
                    _ => Err(de::Error::custom(
                        "a requirement has one of `tool` (with `version`), `http` or `command` \
                         (with `name`, `timeout`)",
                    )),
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}
