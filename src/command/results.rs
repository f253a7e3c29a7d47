//! `results FILE..`: reads results files and prints what they hold.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::adapter::results::{self, Defect, Reading};
use crate::domain::fault::{Finding, charge};
use crate::domain::reason::Layer;
use crate::report::text::{self, FailureLine, printable};

/// Each file with what it came to.
pub(crate) fn read(world: &crate::adapter::world::World, files: &[String]) -> Result<Vec<(String, Reading)>> {
    let read = |file: &String| {
        let path = world.absolute(Path::new(file));
        Ok((file.clone(), results::read(&path).with_context(|| file.clone())?))
    };
    files.iter().map(read).collect()
}

/// What is wrong with the files, worst first.
pub(crate) fn findings(readings: &[(String, Reading)]) -> Vec<Finding> {
    let faults = readings.iter().filter_map(|(file, reading)| Some(reading.defect.as_ref()?.fault(file)));
    let mut findings: Vec<Finding> = faults.map(|fault| charge(&fault, Layer::Execute)).collect();
    crate::domain::classify::order(&mut findings);
    findings
}

/// As text.
pub(crate) fn text(readings: &[(String, Reading)]) -> String {
    let mut out = String::new();
    for (file, reading) in readings {
        let counted = text::counts(&reading.counts);
        let counted = if counted.is_empty() { "no test".to_owned() } else { counted };
        let defect = reading.defect.as_ref().map(|defect| format!(" [{}]", defect.word())).unwrap_or_default();
        out.push_str(&format!("{}: {counted}{defect}\n", printable(file)));
        for failure in &reading.failures {
            let line = FailureLine {
                name: failure.name.clone(),
                file: failure.file.clone(),
                line: failure.line,
                message: failure.message.clone(),
            };
            out.push_str(&format!("  failed  {}\n", printable(&text::failure_line(&line))));
        }
        if let Some(defect) = &reading.defect {
            out.push_str(&format!("  defect  {}\n", printable(&defect.fault(file).to_string())));
        }
        for note in &reading.notes {
            out.push_str(&format!("  note    {}\n", printable(note)));
        }
    }
    out
}

/// As JSON.
pub(crate) fn json(readings: &[(String, Reading)]) -> Value {
    readings
        .iter()
        .map(|(file, reading)| {
            let failures: Vec<Value> = reading
                .failures
                .iter()
                .map(|f| json!({"name": f.name, "file": f.file, "line": f.line, "message": f.message}))
                .collect();
            json!({
                "file": file,
                "status": reading.defect.as_ref().map_or("complete", Defect::word),
                "detail": reading.defect.as_ref().map(|defect| defect.fault(file).to_string()),
                "counts": reading.counts,
                "failures": failures,
                "notes": reading.notes,
            })
        })
        .collect()
}
