//! From a fault to a verdict: faults, reason codes, the one classification, and what an event or an
//! issue decides.

pub(crate) mod classify;
pub(crate) mod fault;
pub(crate) mod outcome;
pub(crate) mod question;
pub(crate) mod reason;
pub(crate) mod route;
pub(crate) mod standing_priority;
