//! `packs`: which packs there are.

use serde_json::{Value, json};

use crate::domain::config::Pack;
use crate::domain::selection::pack;
use crate::report::quote::printable;

/// Every pack, `full` included, by name.
pub(crate) fn all(configured: &[Pack]) -> Vec<Pack> {
    let names = pack::names(configured);
    names
        .iter()
        .filter_map(|name| pack::resolve(configured, Some(name)).ok().map(|(pack, _)| pack))
        .collect()
}

/// As text.
pub(crate) fn text(packs: &[Pack]) -> String {
    packs
        .iter()
        .map(|pack| {
            let aliases = if pack.aliases.is_empty() {
                String::new()
            } else {
                format!(" ({})", pack.aliases.join(", "))
            };
            let include = if pack.include.is_empty() {
                "everything".to_owned()
            } else {
                pack.include.join(" ")
            };
            format!(
                "{:<24} {:<28} {}\n",
                printable(&format!("{}{aliases}", pack.name)),
                printable(&include),
                printable(&pack.description)
            )
        })
        .collect()
}

/// As JSON.
pub(crate) fn json(packs: &[Pack]) -> Value {
    packs
        .iter()
        .map(|pack| {
            json!({
                "name": pack.name,
                "aliases": pack.aliases,
                "description": pack.description,
                "include": pack.include,
                "exclude": pack.exclude,
            })
        })
        .collect()
}
