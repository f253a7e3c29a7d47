//! `explain [CODE]`: what a reason code means and what to do.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::domain::config::closest::closest;
use crate::domain::receipt::Classification;
use crate::domain::verdict::classify::class_of;
use crate::domain::verdict::reason::{Home, ReasonCode, Row, Severity, TABLE};
use crate::report::tables;

/// What was asked about.
pub(crate) enum Asked {
    /// Reason codes.
    Codes(Vec<&'static Row>),
    /// A classification, with the codes that lead to it.
    Verdict(Classification, Vec<&'static Row>),
}

/// What a word means: a reason code, a classification, or everything where none is given. For an
/// unknown word the closest known one is suggested.
pub(crate) fn asked(word: Option<&str>) -> Result<Asked> {
    let Some(word) = word else { return Ok(Asked::Codes(TABLE.iter().collect())) };
    let word = word.trim().to_lowercase();
    if let Some(code) = ReasonCode::parse(&word) {
        return Ok(Asked::Codes(vec![code.row()]));
    }
    if let Some(verdict) = Classification::parse(&word) {
        let leads = |row: &&Row| match row.home {
            Home::Layer(layer) => {
                row.severity >= Severity::Fails && class_of(row.code, layer).0 == verdict
            }
            Home::Subject | Home::Job => false,
        };
        return Ok(Asked::Verdict(verdict, TABLE.iter().filter(leads).collect()));
    }
    let codes = ReasonCode::ALL.iter().map(|code| code.as_str());
    let valid = codes.chain(Classification::ALL.iter().map(|verdict| verdict.as_str()));
    let hint = closest(&word, valid).map_or_else(
        || "run `pester-gate explain` for all codes".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(anyhow!("no reason code or verdict is called {word:?}; {hint}"))
}

/// As text: one code whole, several in a line each.
pub(crate) fn text(asked: &Asked) -> String {
    match asked {
        Asked::Codes(rows) => match rows.as_slice() {
            [row] => tables::explain(row),
            rows => lines(rows),
        },
        Asked::Verdict(verdict, rows) => {
            let (name, code) = (verdict.as_str(), verdict.exit_code());
            let codes = if rows.is_empty() { String::new() } else { format!("\n{}", lines(rows)) };
            format!("{name}: {}\n  exit code {code}\n{codes}", verdict.meaning())
        }
    }
}

fn lines(rows: &[&Row]) -> String {
    rows.iter()
        .map(|row| format!("{:<32} {:<10} {}\n", row.code.as_str(), row.home.as_str(), row.meaning))
        .collect()
}

/// As JSON.
pub(crate) fn json(asked: &Asked) -> Value {
    let (Asked::Codes(rows) | Asked::Verdict(_, rows)) = asked;
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
