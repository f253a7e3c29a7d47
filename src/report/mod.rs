//! Floor 1: domain values as text for people and as JSON. No I/O.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod again;
pub(crate) mod annotations;
pub(crate) mod evidence;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod quote;
pub(crate) mod screen;
pub(crate) mod tables;
pub(crate) mod text;
