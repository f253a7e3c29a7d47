//! Floor 2: everything that touches the world, one room per part of it.
//!
//! Adapters bring facts home and carry decisions out; they decide nothing about the gate. They
//! return `Result<_, Fault>` or a type of their own that maps onto one.

pub(crate) mod dispatcher;
pub(crate) mod github;
pub(crate) mod green;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod opener;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod receipt_store;
pub(crate) mod results;
pub(crate) mod runner;
pub(crate) mod runs;
pub(crate) mod sweep;
pub(crate) mod terminal;
pub(crate) mod when_over;
pub(crate) mod workspace;
pub(crate) mod world;
