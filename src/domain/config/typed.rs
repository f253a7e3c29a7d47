//! What a person typed to start a run: the arguments that repeat it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One argument with its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Argument {
    /// The flag without its hyphens.
    pub(crate) flag: String,
    /// Its values; none of a switch.
    pub(crate) values: Vec<String>,
}

impl Argument {
    /// A flag with one value.
    pub(crate) fn new(flag: &str, value: impl Into<String>) -> Self {
        Self { flag: flag.to_owned(), values: vec![value.into()] }
    }
}

/// A command line of `run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Typed {
    /// The folder where it was typed.
    pub(crate) folder: String,
    /// Its arguments, without those that only change what is shown; the command after `--` is the
    /// dispatcher's.
    pub(crate) arguments: Vec<Argument>,
}

impl Typed {
    /// The same with every value masked.
    pub(crate) fn masked(&self, mask: &dyn Fn(&str) -> String) -> Self {
        let arguments = self.arguments.iter().map(|argument| Argument {
            flag: argument.flag.clone(),
            values: argument.values.iter().map(|value| mask(value)).collect(),
        });
        Self { folder: mask(&self.folder), arguments: arguments.collect() }
    }
}
