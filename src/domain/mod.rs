//! Floor 0: what is true and what is decided, as values and pure total functions.
//!
//! Nothing in here may read a file, the environment, a clock or a process: facts come in as
//! arguments (`now` included) and decisions go out as values. The lints below hold that.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod config;
pub(crate) mod host;
pub(crate) mod receipt;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod selection;
pub(crate) mod starter;
pub(crate) mod verdict;
