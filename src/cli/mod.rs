//! Floor 5: what was typed, what holds, and the exit code. The only floor that names a flag, a
//! configuration key's source or an exit number.

pub(crate) mod args;
pub(crate) mod config_file;
pub(crate) mod exit;
pub(crate) mod logging;
pub(crate) mod overlay;
mod verbs;

pub use verbs::run;
