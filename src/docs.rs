//! The generated parts of the documentation: what `tests/docs.rs` compares with what is committed.

use crate::{cli, command, report};

/// A generated part: the file it stands in, the name of its place there, and its text.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file, relative to the repository.
    pub file: String,
    /// The name between the markers; nothing where the part is the whole file.
    pub place: Option<&'static str>,
    /// The text.
    pub text: String,
}

/// Every generated part.
pub fn parts() -> Vec<Part> {
    let part = |file: &str, place, text| Part { file: file.to_owned(), place: Some(place), text };
    let mut parts = vec![
        part("docs/reason-codes.md", "codes", report::tables::reason_codes()),
        part("docs/reason-codes.md", "order", report::tables::tiers()),
        part("docs/reason-codes.md", "precedence", report::tables::precedence()),
        part("docs/runbook.md", "quick", report::tables::quick()),
        part("docs/runbook.md", "runbook", report::tables::runbook()),
        part("docs/runbook.md", "classes", report::tables::classes()),
        part("docs/receipts.md", "receipts", report::tables::receipts()),
        part("docs/standing-priority.md", "causes", report::tables::causes()),
        part("docs/results.md", "words", report::tables::outcome_words()),
        part("docs/exit-codes.md", "codes", cli::exit::table()),
        part("docs/configuration.md", "flags", cli::args::table()),
    ];
    parts.extend(command::schema::all().into_iter().map(|(id, schema)| Part {
        file: format!("docs/schemas/{id}.json"),
        place: None,
        text: format!("{:#}\n", schema.to_value()),
    }));
    parts
}

/// Every command by which something is seen again, with its places for values.
pub fn replay_commands() -> Vec<String> {
    let mut commands: Vec<_> =
        crate::domain::verdict::reason::TABLE.iter().map(|row| row.command()).collect();
    commands.extend(report::tables::QUICK.map(|(_, command)| command.to_owned()));
    commands.sort_unstable();
    commands.dedup();
    commands
}

/// Every reason code.
pub fn reason_codes() -> Vec<&'static str> {
    crate::domain::verdict::reason::ReasonCode::ALL.iter().map(|code| code.as_str()).collect()
}
