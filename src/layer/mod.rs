//! Floor 3: the layers. Each is one
//! `run(&World, &Invocation, Request) -> Result<Outcome, Unreported>`:
//! gather facts (adapter), decide (domain), act and report (adapter, report).
//!
//! Layers never name each other; they meet only through receipts. What they share is in `ground`.

pub(crate) mod context;
pub(crate) mod execute;
pub(crate) mod invocation;
pub(crate) mod post;
pub(crate) mod preflight;
pub(crate) mod route;
pub(crate) mod selection;
