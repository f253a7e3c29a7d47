//! Selection: patterns, packs, integration mode, profile, and the plan that comes of them.

pub(crate) mod integration;
pub(crate) mod pack;
pub(crate) mod pattern;
pub(crate) mod plan;
pub(crate) mod profile;
pub(crate) mod rerun;
