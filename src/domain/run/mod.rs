//! One run: its ids, events, age, repository, and what of it is masked, kept or read from the
//! original workflows.

pub(crate) mod event;
pub(crate) mod freshness;
pub(crate) mod ids;
pub(crate) mod predecessor;
pub(crate) mod redact;
pub(crate) mod repository;
pub(crate) mod retention;
