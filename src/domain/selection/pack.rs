//! Packs: named sets of tests. Only `full` is built in; it has no pattern and means everything.

use crate::domain::config::Pack;
use crate::domain::config::closest::closest;
use crate::domain::verdict::fault::Fault;

/// Name of the built-in pack.
pub(crate) const FULL: &str = "full";

/// The pack that a name or alias means. Blank means `full`, by default.
///
/// Returns the pack and the predecessor's word for where the choice came from.
pub(crate) fn resolve(packs: &[Pack], asked: Option<&str>) -> Result<(Pack, &'static str), Fault> {
    let asked = asked.map(normal).filter(|name| !name.is_empty());
    let source = if asked.is_some() { "declared" } else { "default" };
    let name = asked.unwrap_or_else(|| FULL.to_owned());
    let found = packs.iter().find(|pack| answers_to(pack, &name)).cloned();
    let built_in = || (name == FULL).then(full);
    match found.or_else(built_in) {
        Some(pack) => Ok((pack, source)),
        None => {
            let known = names(packs);
            let near = closest(&name, known.iter().map(String::as_str)).map(str::to_owned);
            Err(Fault::PackUnknown { name, known: known.join(", "), near })
        }
    }
}

/// Every pack's name, sorted, `full` included.
pub(crate) fn names(packs: &[Pack]) -> Vec<String> {
    let mut names: Vec<String> = packs.iter().map(|pack| pack.name.clone()).collect();
    if !packs.iter().any(|pack| answers_to(pack, FULL)) {
        names.push(FULL.to_owned());
    }
    names.sort();
    names
}

/// A name or alias that two packs claim, or a pack without a name.
pub(crate) fn ambiguity(packs: &[Pack]) -> Option<String> {
    let mut seen = std::collections::BTreeMap::new();
    for (at, pack) in packs.iter().enumerate() {
        if normal(&pack.name).is_empty() {
            return Some(format!("packs[{at}] has no name"));
        }
        for name in std::iter::once(&pack.name).chain(&pack.aliases) {
            if let Some(before) = seen.insert(normal(name), at)
                && before != at
            {
                return Some(format!("packs[{before}] and packs[{at}] both answer to {name:?}"));
            }
        }
    }
    None
}

/// The built-in pack.
pub(crate) fn full() -> Pack {
    Pack { name: FULL.to_owned(), description: "every test there is".to_owned(), ..Pack::default() }
}

fn normal(name: &str) -> String {
    name.trim().to_lowercase()
}

fn answers_to(pack: &Pack, name: &str) -> bool {
    normal(&pack.name) == name || pack.aliases.iter().any(|alias| normal(alias) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs() -> Vec<Pack> {
        vec![Pack { name: "Smoke".into(), aliases: vec!["quick".into()], ..Pack::default() }]
    }

    #[test]
    fn names_and_aliases_resolve_and_junk_lists_what_is_known() {
        for (asked, name, source) in [
            (None, "full", "default"),
            (Some(" "), "full", "default"),
            (Some("full"), "full", "declared"),
            (Some(" QUICK "), "Smoke", "declared"),
        ] {
            let (pack, from) = resolve(&packs(), asked).unwrap();
            assert_eq!((pack.name.as_str(), from), (name, source));
        }
        let fault = resolve(&packs(), Some("nope")).unwrap_err();
        assert_eq!(fault.to_string(), "no pack is called \"nope\"; the packs are Smoke, full");
    }

    #[test]
    fn two_packs_may_not_share_a_name() {
        let mut both = packs();
        both.push(Pack { name: "QUICK".into(), ..Pack::default() });
        assert!(ambiguity(&both).unwrap().contains("QUICK"));
        assert_eq!(ambiguity(&packs()), None);
    }
}
