//! Floor 0: what is true and what is decided, as values and pure total functions.
//!
//! Nothing in here may read a file, the environment, a clock or a process: facts come in as
//! arguments (`now` included) and decisions go out as values. The lints below hold that.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod accounted;
pub(crate) mod bundle;
pub(crate) mod case;
pub(crate) mod classify;
pub(crate) mod closest;
pub(crate) mod config;
pub(crate) mod counts;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod fault;
pub(crate) mod freshness;
pub(crate) mod host;
pub(crate) mod ids;
pub(crate) mod launch;
pub(crate) mod lock;
pub(crate) mod outcome;
pub(crate) mod outcome_word;
pub(crate) mod pester;
pub(crate) mod predecessor;
pub(crate) mod quantity;
pub(crate) mod question;
pub(crate) mod readiness;
pub(crate) mod reason;
pub(crate) mod receipt;
pub(crate) mod redact;
pub(crate) mod repository;
pub(crate) mod retention;
pub(crate) mod route;
pub(crate) mod selection;
pub(crate) mod settings;
pub(crate) mod since_green;
pub(crate) mod sourced;
pub(crate) mod standing_priority;
pub(crate) mod starter;
pub(crate) mod test_list;
pub(crate) mod test_runner;
pub(crate) mod triage;
pub(crate) mod typed;
