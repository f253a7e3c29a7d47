//! The environment that children get: no token, no channel to the runner.

use std::ffi::OsString;

use crate::adapter::world::World;
use crate::domain::run::redact::withheld_from_children;

/// The world's variables without what must not reach a child, and `extra` on top.
pub(crate) fn child_environment(
    world: &World,
    extra: &[(String, OsString)],
) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<(OsString, OsString)> = world
        .environment()
        .filter(|(name, value)| {
            !withheld_from_children(&name.to_string_lossy(), &value.to_string_lossy())
        })
        .filter(|(name, _)| !extra.iter().any(|(own, _)| *name == own.as_str()))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    environment.extend(extra.iter().map(|(name, value)| (name.into(), value.clone())));
    environment
}
