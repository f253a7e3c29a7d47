//! `runs list|show|prune` and `open`: the runs that are kept on this machine.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use crate::adapter::opener;
use crate::adapter::receipt_store::shown;
use crate::adapter::runs::Run;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::config::quantity::Size;
use crate::domain::receipt::{Classification, OperatorOutcome, Receipt};
use crate::domain::verdict::reason::ReasonCode;
use crate::report::quote::printable;

/// Every run as JSON, the newest first.
pub(crate) fn json(runs: &[Run]) -> Value {
    let each = |run: &Run| {
        let (verdict, reason) = verdict(&run.folder);
        json!({
            "run": run.name, "folder": shown(&run.folder),
            "repository": run.repository, "root": run.root,
            "startedAtUtc": run.started, "bytes": run.bytes,
            "keep": run.keep, "inProgress": run.running,
            "classification": verdict, "reason": reason,
        })
    };
    runs.iter().map(each).collect()
}

/// The same as lines.
pub(crate) fn text(runs: &[Run]) -> String {
    if runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let line = |run: &Run| {
        let (verdict, reason) = verdict(&run.folder);
        let state = match (run.running, verdict) {
            (true, _) => "in progress".to_owned(),
            (false, _) if reason.as_deref() == Some(ReasonCode::RunCancelled.as_str()) => {
                "cancelled".to_owned()
            }
            (false, Some(name)) if let Some(known) = Classification::parse(&name) => {
                format!("{} ({})", known.words(), reason.unwrap_or_default())
            }
            (false, Some(verdict)) => format!("{verdict} ({})", reason.unwrap_or_default()),
            (false, None) => "no verdict".to_owned(),
        };
        let keep = if run.keep { ", kept" } else { "" };
        let started = run.started.strftime("%Y-%m-%d %H:%M:%SZ");
        let id = run.name.strip_prefix("local-").unwrap_or(&run.name);
        let id: String = id.chars().take(8).collect();
        let (size, root) = (Size::from_bytes(run.bytes).spaced(), printable(&run.root));
        format!("{started}  {}  {:<36}  {root}  {size}{keep}\n", printable(&id), printable(&state))
    };
    runs.iter().map(line).collect()
}

/// Classification and reason of a run that has ended.
fn verdict(folder: &Path) -> (Option<String>, Option<String>) {
    let bytes = files::read_bounded(&folder.join(OperatorOutcome::FILE)).ok();
    let outcome: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let field = |name: &str| outcome.as_ref()?.get(name)?.as_str().map(str::to_owned);
    (field("classification"), field("reason"))
}

/// The report of one run, as it was printed.
pub(crate) fn show(folder: &Path) -> Result<String> {
    let path = folder.join("report.txt");
    let bytes = files::read_bounded(&path)
        .map_err(|_| anyhow!("{} holds no report: the run did not end", shown(folder)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens the page of a run; returns its path, and whether a program was started for it.
pub(crate) fn open(world: &World, folder: &Path) -> Result<(String, bool)> {
    let page = folder.join("report.html");
    if !files::exists(&page) {
        bail!("{} holds no page: the run did not end, or `report.html` is false", shown(folder));
    }
    Ok((shown(&page), opener::open(world, &page)))
}
