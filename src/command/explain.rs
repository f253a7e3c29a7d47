//! `explain [CODE]`: what a reason code means and what to do.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::domain::reason::{ReasonCode, Row, TABLE};
use crate::report::tables;

/// The rows asked for; a code that is not known comes with those that look like it.
pub(crate) fn rows(code: Option<&str>) -> Result<Vec<&'static Row>> {
    let Some(code) = code else { return Ok(TABLE.iter().collect()) };
    let code = code.trim().to_lowercase();
    match ReasonCode::parse(&code) {
        Some(known) => Ok(vec![known.row()]),
        None => {
            let words: Vec<&str> = code.split('-').filter(|word| word.len() > 2).collect();
            let near: Vec<&str> = ReasonCode::ALL
                .iter()
                .map(|known| known.as_str())
                .filter(|known| words.iter().any(|word| known.contains(word)))
                .take(5)
                .collect();
            let hint = if near.is_empty() {
                "run `pester-gate explain` for all".to_owned()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            Err(anyhow!("no reason code {code:?}; {hint}"))
        }
    }
}

/// As text: one code whole, all codes one line each.
pub(crate) fn text(rows: &[&Row]) -> String {
    match rows {
        [row] => tables::explain(row),
        rows => rows
            .iter()
            .map(|row| format!("{:<32} {:<10} {}\n", row.code.as_str(), row.home.as_str(), row.meaning))
            .collect(),
    }
}

/// As JSON.
pub(crate) fn json(rows: &[&Row]) -> Value {
    rows.iter()
        .map(|row| {
            json!({
                "code": row.code,
                "chargedTo": row.home.as_str(),
                "severity": row.severity,
                "meaning": row.meaning,
                "remedy": row.remedy,
                "nextActionId": row.next_action,
                "retryHelps": row.retry_helps,
                "replay": row.command(),
            })
        })
        .collect()
}
