//! pester-gate: a test gate in five layers, each of which can fail for one kind of reason only.
//!
//! Six floors; a floor names only the floors below it, and `tests/architecture.rs` holds that.
//!
//! | floor | room | what belongs in it |
//! |---|---|---|
//! | 5 | `cli` | what was typed, what holds, the exit code |
//! | 4 | `command` | verbs that order layers or answer about what is there |
//! | 3 | `layer` | context, preflight, selection, execute, post: request to receipt |
//! | 2 | `adapter` | everything that touches the world |
//! | 1 | `report` | domain values as text; no I/O |
//! | 0 | `domain` | what is true and what is decided; pure |
//!
//! Layers meet only through receipts (`domain::receipt`). A fault is a value
//! (`domain::fault::Fault`) and becomes a reason code in one place
//! (`domain::fault::charge`); the verdict is one pure function
//! (`domain::classify::classify`).

mod adapter;
mod cli;
mod command;
pub mod docs;
mod domain;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod layer;
mod report;

pub use adapter::world::World;
pub use cli::run;
