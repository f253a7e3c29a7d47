//! `results FILE..`: reads results files and prints what they hold.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::adapter::results::{self, Defect, Reading};
use crate::domain::results::case::Case;
use crate::domain::results::failure::Failure;
use crate::domain::results::outcome_word::Format;
use crate::domain::verdict::fault::{Finding, charge};
use crate::domain::verdict::reason::Layer;
use crate::report::quote::printable;
use crate::report::text;

/// Each file with what it came to.
pub(crate) fn read(
    world: &crate::adapter::world::World,
    files: &[String],
) -> Result<Vec<(String, Reading)>> {
    let read = |file: &String| {
        let path = world.absolute(Path::new(file));
        Ok((file.clone(), results::read(&path).with_context(|| file.clone())?))
    };
    files.iter().map(read).collect()
}

/// What is wrong with the files, worst first.
pub(crate) fn findings(readings: &[(String, Reading)]) -> Vec<Finding> {
    let faults =
        readings.iter().filter_map(|(file, reading)| Some(reading.defect.as_ref()?.fault(file)));
    let mut findings: Vec<Finding> = faults.map(|fault| charge(&fault, Layer::Execute)).collect();
    crate::domain::verdict::classify::order(&mut findings);
    findings
}

/// As text.
pub(crate) fn text(readings: &[(String, Reading)]) -> String {
    let mut out = String::new();
    for (file, reading) in readings {
        let counted = text::counts(&reading.counts);
        let counted = if counted.is_empty() { "no test".to_owned() } else { counted };
        let format =
            reading.format.map(|format| format!(" ({})", format.name())).unwrap_or_default();
        let defect = reading
            .defect
            .as_ref()
            .map(|defect| format!(" [{}]", defect.word()))
            .unwrap_or_default();
        out.push_str(&format!("{}: {counted}{format}{defect}\n", printable(file)));
        for failure in &reading.failures {
            out.push_str(&format!(
                "  failed  {}\n",
                printable(&text::failure_line(&Failure::of(failure)))
            ));
        }
        let failed = reading.counts.failed.saturating_add(reading.counts.errors);
        more(&mut out, "failed", failed.saturating_sub(reading.failures.len() as u64));
        for case in &reading.flaky {
            let times = case.attempts.len() + case.more_attempts;
            out.push_str(&format!(
                "  flaky   {} (passed after {times} that failed)\n",
                printable(&case.id())
            ));
        }
        if let Some(defect) = &reading.defect {
            out.push_str(&format!("  defect  {}\n", printable(&defect.fault(file).to_string())));
        }
        for note in &reading.notes {
            out.push_str(&format!("  note    {}\n", printable(note)));
        }
        more(&mut out, "note", reading.more_notes);
    }
    out
}

fn more(out: &mut String, what: &str, count: u64) {
    if count > 0 {
        out.push_str(&format!("  {what:<7} and {count} more\n"));
    }
}

/// As JSON.
pub(crate) fn json(readings: &[(String, Reading)]) -> Value {
    let case = |case: &Case| {
        let mut value = json!(case);
        value["id"] = json!(case.id());
        value
    };
    readings
        .iter()
        .map(|(file, reading)| {
            json!({
                "file": file,
                "format": reading.format.map(Format::name),
                "status": reading.defect.as_ref().map_or("complete", Defect::word),
                "detail": reading.defect.as_ref().map(|defect| defect.fault(file).to_string()),
                "counts": reading.counts,
                "failures": reading.failures.iter().map(case).collect::<Vec<_>>(),
                "flaky": reading.flaky.iter().map(case).collect::<Vec<_>>(),
                "notes": reading.notes,
                "moreNotes": reading.more_notes,
            })
        })
        .collect()
}
