//! The generated parts of the documentation, as Markdown.

use std::fmt::Write;

use crate::domain::classify::TIERS;
use crate::domain::counts::CaseOutcome;
use crate::domain::outcome_word::WORDS;
use crate::domain::question::{Cause, word};
use crate::domain::reason::{Row, TABLE};
use crate::domain::receipt::CATALOGUE;

/// The table of reason codes.
pub(crate) fn reason_codes() -> String {
    let mut out = String::from(
        "| code | charged to | severity | meaning | what to do next | next action | a retry can help |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let retry = if row.retry_helps { "yes" } else { "no" };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | `{}` | {retry} |",
            row.code,
            row.home.as_str(),
            row.severity.as_str(),
            row.meaning,
            row.remedy,
            row.next_action
        );
    }
    out
}

/// The deciding order among execute and post.
pub(crate) fn tiers() -> String {
    let mut out = String::from("| tier | codes, in order |\n|---|---|\n");
    for (at, tier) in TIERS.iter().enumerate() {
        let codes: Vec<_> = tier.iter().map(|code| format!("`{code}`")).collect();
        let _ = writeln!(out, "| {} | {} |", at + 1, codes.join(", "));
    }
    out
}

/// What each word of a results file means.
pub(crate) fn outcome_words() -> String {
    let mut out = String::from("| format | where | word | outcome | source |\n|---|---|---|---|---|\n");
    for row in WORDS {
        let outcome = match row.outcome {
            CaseOutcome::Passed => "passed",
            CaseOutcome::Failed => "failed",
            CaseOutcome::Errored => "errors",
            CaseOutcome::Skipped => "skipped",
            CaseOutcome::NotRun => "notRun",
        };
        let _ =
            writeln!(out, "| {} | {} | `{}` | {outcome} | {} |", row.format.name(), row.place, row.word, row.source);
    }
    out
}

/// The receipts and their files.
pub(crate) fn receipts() -> String {
    let mut out = String::from("| layer | schema id | file |\n|---|---|---|\n");
    for (schema, file, layer) in CATALOGUE {
        let _ = writeln!(out, "| {layer} | `{schema}` | `{file}` |");
    }
    out
}

/// One code, for a person at a terminal.
pub(crate) fn explain(row: &Row) -> String {
    let retry = if row.retry_helps { "yes" } else { "no" };
    format!(
        "{}\n  meaning     {}\n  charged to  {}\n  severity    {}\n  next        {}\n  next action {}\n  retry helps {retry}\n  again       {}\n",
        row.code,
        row.meaning,
        row.home.as_str(),
        row.severity.as_str(),
        row.remedy,
        row.next_action,
        row.replay
    )
}
/// Why GitHub gave no answer: reason, finer word, when.
pub(crate) fn causes() -> String {
    let mut out = "| reason | `lookUp.cause` | when |\n|---|---|---|\n".to_owned();
    for cause in Cause::ALL {
        let name = word(&cause).unwrap_or_default();
        out.push_str(&format!("| `{}` | `{name}` | {} |\n", cause.code(), cause.meaning()));
    }
    out
}
