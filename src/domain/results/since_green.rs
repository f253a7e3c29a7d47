//! What changed on a host since it was last green: its facts, tools, settings and plan then and
//! now, the worst suspect first. What differs from run to run anyway (free room, process ids,
//! times) is no change.

use std::collections::BTreeMap;

use crate::domain::receipt::{
    Change, Host, LastGreen, ProbeRecord, ReadinessReceipt, SelectionReceipt, SinceGreen,
};
use crate::domain::run::ids::CommitSha;

/// How many files of a plan are told one by one.
const FILES_MOST: usize = 1000;
/// How many changes are told.
const CHANGES_MOST: usize = 40;

/// What is known of a run, by names that stay the same: host, tools, settings, plan.
pub(crate) fn facts(
    host: &Host,
    head_sha: Option<&CommitSha>,
    gate: &str,
    readiness: Option<&ReadinessReceipt>,
    selection: Option<&SelectionReceipt>,
) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut put = |name: String, value: String| facts.insert(name, value);
    put("host.name".to_owned(), host.name.clone());
    put("host.os".to_owned(), format!("{} {}", host.os, host.arch));
    put("gate.version".to_owned(), gate.to_owned());
    if let Some(sha) = head_sha {
        put("commit".to_owned(), sha.to_string());
    }
    for (name, probe) in readiness.iter().flat_map(|receipt| &receipt.probes) {
        put(format!("probe.{name}"), word(probe));
        for (fact, value) in &probe.facts {
            flatten(&format!("probe.{name}.{fact}"), value, &mut put);
        }
    }
    let Some(selection) = selection else { return facts };
    let mut put = |name: &str, value: String| facts.insert(name.to_owned(), value);
    put("selection.pack", selection.selection.execution_pack.clone());
    put("selection.integration-mode", selection.selection.integration_mode.clone());
    put("selection.patterns", selection.selection.effective_include_patterns.join(" "));
    if let Some(sum) = &selection.plan_sha256 {
        put("plan", sum.to_string());
    }
    let profile = selection
        .dispatcher_profile
        .as_ref()
        .and_then(|profile| serde_json::to_value(profile).ok());
    for (key, entry) in
        profile.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten()
    {
        let value = entry.get("value").filter(|value| !value.is_null());
        value.map(|value| put(&format!("profile.{key}"), plain(value)));
    }
    // All of them or none: a window would move.
    for file in
        selection.selection.files.iter().filter(|_| selection.selection.files.len() <= FILES_MOST)
    {
        put(&format!("file.{}", file.path), file.text_sha256.as_str()[..16].to_owned());
    }
    facts
}

fn word(probe: &ProbeRecord) -> String {
    serde_json::to_value(probe.outcome).map_or_else(|_| String::new(), |word| plain(&word))
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Every leaf of a fact but those that differ from run to run.
fn flatten(
    name: &str,
    value: &serde_json::Value,
    put: &mut dyn FnMut(String, String) -> Option<String>,
) {
    let volatile = ["free", "pid", "held", "holder", "since", "seconds", "ms", "uptime", "time"];
    let last = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    if volatile.iter().any(|word| last.contains(word)) {
        return;
    }
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, put));
        }
        serde_json::Value::Null => {}
        other => drop(put(name.to_owned(), plain(other))),
    }
}

/// What is another now, the worst suspect first. `failing` are the files of the tests that fail,
/// `left_out` those that were there and not taken up.
pub(crate) fn since(
    last: &LastGreen,
    now: &BTreeMap<String, String>,
    failing: &[String],
    left_out: &[&str],
) -> SinceGreen {
    let taken_up =
        |name: &str| name.strip_prefix("file.").is_none_or(|file| !left_out.contains(&file));
    // What was not measured this time says nothing: a layer that never came has no facts.
    let measured = |name: &str| now.keys().any(|own| group(own) == group(name));
    let names: std::collections::BTreeSet<&String> = last.facts.keys().chain(now.keys()).collect();
    let mut changes: Vec<Change> = names
        .into_iter()
        .filter(|name| {
            last.facts.get(*name) != now.get(*name)
                && measured(name)
                && taken_up(name)
                && name.as_str() != "plan"
        })
        .map(|name| {
            let (was, is) = (last.facts.get(name).cloned(), now.get(name).cloned());
            let suspicion = suspicion(name, is.as_deref(), failing);
            Change { what: name.clone(), was, is, suspicion }
        })
        .collect();
    changes.sort_by(|a, b| b.suspicion.cmp(&a.suspicion).then_with(|| a.what.cmp(&b.what)));
    let more = changes.len().saturating_sub(CHANGES_MOST) as u64;
    changes.truncate(CHANGES_MOST);
    SinceGreen {
        run_id: last.run_id.clone(),
        run_attempt: last.run_attempt,
        at_utc: last.at_utc,
        changes,
        more,
    }
}

/// Facts of one group are measured together.
fn group(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn suspicion(name: &str, is: Option<&str>, failing: &[String]) -> u32 {
    let probe = name.strip_prefix("probe.");
    let file = name.strip_prefix("file.");
    let tool =
        ["version", "path", "edition", "sdk"].iter().any(|word| name.to_lowercase().contains(word));
    match (probe, file) {
        // A probe's own word: it does not pass any more.
        (Some(probe), _) if !probe.contains('.') && is != Some("pass") => 100,
        (_, Some(file)) if failing.iter().any(|failing| failing == file) => 95,
        (Some(_), _) if tool => 90,
        _ if name.starts_with("profile.") || name.starts_with("selection.") => 80,
        _ if name.starts_with("host.") => 70,
        (_, Some(_)) => 65,
        (Some(_), _) => 60,
        _ if name == "gate.version" => 50,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(facts: &[(&str, &str)]) -> LastGreen {
        LastGreen {
            run_id: "local-1".parse().unwrap(),
            run_attempt: 1,
            at_utc: jiff::Timestamp::UNIX_EPOCH,
            head_sha: None,
            facts: map(facts),
        }
    }

    fn map(facts: &[(&str, &str)]) -> BTreeMap<String, String> {
        facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_worst_suspect_comes_first_and_what_was_not_measured_is_no_change() {
        let then = [
            ("commit", "a"),
            ("host.name", "h"),
            ("probe.dotnet", "pass"),
            ("probe.dotnet.version", "8.0.1"),
            ("probe.powershell.windows.path", "C:/x"),
            ("profile.jobs", "1"),
            ("file.tests/a.ps1", "11"),
            ("file.tests/b.ps1", "22"),
        ];
        let now = [
            ("commit", "b"),
            ("host.name", "h"),
            ("probe.dotnet", "fail"),
            ("probe.powershell.windows.path", "D:/x"),
            ("profile.jobs", "4"),
            ("file.tests/a.ps1", "12"),
            ("file.tests/b.ps1", "23"),
        ];
        let reported = since(&last(&then), &map(&now), &["tests/b.ps1".to_owned()], &[]);
        let names: Vec<&str> = reported.changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(
            names,
            [
                "probe.dotnet",
                "file.tests/b.ps1",
                "probe.dotnet.version",
                "probe.powershell.windows.path",
                "profile.jobs",
                "file.tests/a.ps1",
                "commit"
            ]
        );
        // A file that was left out was not changed, as far as anybody knows.
        let reported = since(&last(&then), &map(&now[..6]), &[], &["tests/a.ps1", "tests/b.ps1"]);
        assert!(
            reported.changes.iter().all(|change| !change.what.starts_with("file.")),
            "{reported:?}"
        );
        // Selection never came: nothing is said of its plan and profile.
        let reported = since(&last(&then), &map(&now[..4]), &[], &[]);
        assert!(
            reported.changes.iter().all(|change| !change.what.starts_with("file.")),
            "{reported:?}"
        );
        assert!(since(&last(&then), &map(&then), &[], &[]).changes.is_empty());
    }

    #[test]
    fn what_differs_from_run_to_run_is_no_fact() {
        let mut facts = BTreeMap::new();
        let value = serde_json::json!({
            "outFreeBytes": 1, "version": "7", "pid": 12, "inner": {"path": "/x", "heldBy": "y"},
        });
        flatten("probe.x", &value, &mut |name, value| facts.insert(name, value));
        assert_eq!(facts, map(&[("probe.x.version", "7"), ("probe.x.inner.path", "/x")]));
    }
}
