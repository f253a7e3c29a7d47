//! The file system: files, discovery and hashing, and what git says of a checkout.

pub(crate) mod discovery;
pub(crate) mod files;
pub(crate) mod git;
pub(crate) mod globs;
pub(crate) mod sources;
