//! Floor 4: the verbs that are not layers: they order layers, or answer about what is there.

pub(crate) mod doctor;
pub(crate) mod dry_run;
pub(crate) mod explain;
pub(crate) mod guard;
pub(crate) mod init;
pub(crate) mod lock;
pub(crate) mod packs;
pub(crate) mod replay;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod step;
pub(crate) mod verify;
