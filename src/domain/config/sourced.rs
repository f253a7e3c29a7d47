//! A value with where it came from.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", from = "String")]
#[schemars(with = "String")]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file, at this key.
    File(String),
    /// A pack's own key.
    Pack(String),
    /// A profile's own key.
    Profile(String),
    /// An environment variable.
    Env(String),
    /// An input of an action.
    Input(String),
    /// A flag.
    Flag(String),
    /// The selection receipt.
    Receipt,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(key) => write!(f, "file:{key}"),
            Source::Pack(name) => write!(f, "pack:{name}"),
            Source::Profile(name) => write!(f, "profile:{name}"),
            Source::Env(name) => write!(f, "env:{name}"),
            Source::Input(name) => write!(f, "input:{name}"),
            Source::Flag(name) => write!(f, "flag:{name}"),
            Source::Receipt => f.write_str("receipt"),
        }
    }
}

impl Source {
    /// Whether it belongs to one invocation: a flag, an input or a variable.
    pub(crate) fn is_by_hand(&self) -> bool {
        matches!(self, Source::Flag(_) | Source::Input(_) | Source::Env(_))
    }

    /// The flag, variable or key by itself, for a message.
    pub(crate) fn name(&self) -> &str {
        match self {
            Source::Default => "default",
            Source::Receipt => "receipt",
            Source::File(name)
            | Source::Pack(name)
            | Source::Profile(name)
            | Source::Env(name)
            | Source::Input(name)
            | Source::Flag(name) => name,
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

impl From<String> for Source {
    fn from(text: String) -> Source {
        match text.split_once(':') {
            Some(("file", rest)) => Source::File(rest.to_owned()),
            Some(("pack", rest)) => Source::Pack(rest.to_owned()),
            Some(("profile", rest)) => Source::Profile(rest.to_owned()),
            Some(("env", rest)) => Source::Env(rest.to_owned()),
            Some(("input", rest)) => Source::Input(rest.to_owned()),
            Some(("flag", rest)) => Source::Flag(rest.to_owned()),
            _ if text == "receipt" => Source::Receipt,
            _ => Source::Default,
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sourced<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) source: Source,
}

impl<T> Sourced<T> {
    /// A value that nobody set.
    pub(crate) fn default(value: T) -> Self {
        Self { value, source: Source::Default }
    }

    /// A value from somewhere.
    pub(crate) fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }

    /// The value changed, the source kept.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: f(self.value), source: self.source }
    }

    /// Whether somebody set it.
    pub(crate) fn is_set(&self) -> bool {
        self.source != Source::Default
    }

    /// Whether it was set for this invocation: by a flag, an input or a variable.
    pub(crate) fn is_set_by_hand(&self) -> bool {
        self.source.is_by_hand()
    }
}
