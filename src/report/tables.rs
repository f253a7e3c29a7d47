//! The generated parts of the documentation, as Markdown.

use std::fmt::Write;

use super::text;
use crate::domain::receipt::{CATALOGUE, JobResult};
use crate::domain::results::counts::CaseOutcome;
use crate::domain::results::failure::Class;
use crate::domain::results::outcome_word::WORDS;
use crate::domain::verdict::classify::{Evidence, Job, ReceiptState, TIERS, classify};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge, good};
use crate::domain::verdict::question::{Cause, word};
use crate::domain::verdict::reason::{Home, Layer, RUN, ReasonCode, Row, Severity, TABLE};

/// The table of reason codes.
pub(crate) fn reason_codes() -> String {
    let mut out = String::from(
        "| code | caused by | severity | meaning | fix | next action | a retry can help |\n\
         |---|---|---|---|---|---|---|\n",
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

/// What to do with a red run: the task and its command.
pub(crate) const QUICK: [(&str, &str); 5] = [
    (
        "run only what failed, on this host or another one",
        "pester-gate run --root {root} --rerun-from {dir}",
    ),
    ("run one file", "pester-gate run --root {root} --file {file}"),
    ("compare with an earlier run", "pester-gate run --root {root} --baseline {dir}"),
    ("rebuild the evidence from the stored files", "pester-gate replay {dir}"),
    ("check the receipts of a run", "pester-gate verify {dir}"),
];

/// The same as a table; words in capitals are placeholders.
pub(crate) fn quick() -> String {
    let mut out = String::from("| task | command |\n|---|---|\n");
    for (what, command) in QUICK {
        let command =
            command.replace("{root}", "ROOT").replace("{dir}", "DIR").replace("{file}", "FILE");
        let _ = writeln!(out, "| {what} | `{command}` |");
    }
    out
}

/// The verdict for every combination of a receipt and a job result. Preflight represents the layers
/// before execute.
pub(crate) fn precedence() -> String {
    let layers = [Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute];
    let good_code = |layer| match layer {
        Layer::Preflight => ReasonCode::HostReady,
        Layer::Selection => ReasonCode::SelectionReady,
        Layer::Execute => ReasonCode::TestsPassed,
        _ => ReasonCode::StandingPriorityNotRequired,
    };
    let blocked = |layer| match layer {
        Layer::Execute => Fault::RunCancelled,
        _ => Fault::ProgramMissing { code: ReasonCode::ToolMissing, name: "x".to_owned() },
    };
    let read = |layer, finding: Finding| {
        (layer, ReceiptState::Read { stopped: finding.stops(), findings: vec![finding] })
    };
    let all_good =
        || layers.into_iter().map(|layer| read(layer, good(good_code(layer), layer, ""))).collect();
    let receipt_states = |layer| {
        let corrupt = ReceiptFault::Corrupt { layer, path: String::new(), why: String::new() };
        [
            ("none", None),
            (
                "refused (here `receipt-corrupt`)",
                Some(ReceiptState::Refused(charge(&corrupt.into(), Layer::Post))),
            ),
            ("good", Some(read(layer, good(good_code(layer), layer, "")).1)),
            ("blocked or failed (here by X)", Some(read(layer, charge(&blocked(layer), layer)).1)),
        ]
    };
    let jobs = [
        ("not reported", None),
        ("success", Some(Job { result: JobResult::Success, reason: None })),
        (
            "failure, with a blocking reason (here `configuration-invalid`)",
            Some(Job {
                result: JobResult::Failure,
                reason: Some(ReasonCode::ConfigurationInvalid),
            }),
        ),
        ("failure, without a reason", Some(Job { result: JobResult::Failure, reason: None })),
        ("cancelled", Some(Job { result: JobResult::Cancelled, reason: None })),
        (
            "skipped, although no earlier layer stopped",
            Some(Job { result: JobResult::Skipped, reason: None }),
        ),
    ];
    let mut out =
        String::from("| receipt | job | layer before execute | execute |\n|---|---|---|---|\n");
    for at in 0..receipt_states(Layer::Preflight).len() {
        for (job_word, job) in &jobs {
            let of = |layer: Layer| {
                let (_, state) = receipt_states(layer)[at].clone();
                let mut evidence = Evidence { receipt_states: all_good(), ..Evidence::default() };
                match state {
                    Some(state) => drop(evidence.receipt_states.insert(layer, state)),
                    None => drop(evidence.receipt_states.remove(&layer)),
                }
                evidence.jobs.extend(job.map(|job| (layer, job)));
                let verdict = classify(&evidence);
                let code = verdict.deciding().map_or("", |finding| finding.code().as_str());
                let code = if code == "tool-missing" || code == "run-cancelled" {
                    "X".to_owned()
                } else {
                    format!("`{code}`")
                };
                format!("{code}: `{}`", verdict.classification.as_str())
            };
            let word = receipt_states(Layer::Preflight)[at].0;
            let _ = writeln!(
                out,
                "| {word} | {job_word} | {} | {} |",
                of(Layer::Preflight),
                of(Layer::Execute)
            );
        }
    }
    out
}

/// What each word of a results file means.
pub(crate) fn outcome_words() -> String {
    let mut out =
        String::from("| format | where | word | outcome | source |\n|---|---|---|---|---|\n");
    for row in WORDS {
        let outcome = match row.outcome {
            CaseOutcome::Passed => "passed",
            CaseOutcome::Failed => "failed",
            CaseOutcome::Errored => "errors",
            CaseOutcome::Skipped => "skipped",
            CaseOutcome::NotRun => "notRun",
        };
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {outcome} | {} |",
            row.format.name(),
            row.place,
            row.word,
            row.source
        );
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

/// What causes a reason, in words.
fn cause(row: &Row) -> &'static str {
    match row.home {
        Home::Layer(layer) => text::caused_by(row.code, layer),
        Home::Subject => "the layer that the detail names",
        Home::Job => "the layer whose job it happened in",
    }
}

/// One code, for a person at a terminal.
pub(crate) fn explain(row: &Row) -> String {
    let retry = if row.retry_helps { "A retry can help.\n" } else { "" };
    // A cancelled run is not reproduced by another run.
    let command = match row.command() {
        _ if row.code == ReasonCode::RunCancelled => String::new(),
        command if command == RUN => "  reproduce    pester-gate run\n".to_owned(),
        command => format!("  reproduce    {}\n", capitals(&command)),
    };
    format!(
        "{}: {}\n\n  caused by    {}\n  severity     {}\n  fix          {}\n{command}{retry}",
        row.code,
        row.meaning,
        cause(row),
        row.severity.as_str(),
        row.remedy,
    )
}

/// Why a lookup at GitHub failed: reason code, detailed cause, condition.
pub(crate) fn causes() -> String {
    let mut out = "| reason | `lookUp.cause` | condition |\n|---|---|---|\n".to_owned();
    for cause in Cause::ALL {
        let name = word(&cause).unwrap_or_default();
        out.push_str(&format!("| `{}` | `{name}` | {} |\n", cause.code(), cause.meaning()));
    }
    out
}

/// The runbook: for each code that stops or warns, what to open, how to reproduce it and its fix.
pub(crate) fn runbook() -> String {
    let mut out = String::new();
    let homes = Layer::ALL.map(|layer| (Home::Layer(layer), format!("caused by {layer}")));
    let others = [(Home::Subject, "caused by the layer of the receipt"), (Home::Job, "in any job")];
    for (home, title) in
        homes.into_iter().chain(others.map(|(home, title)| (home, title.to_owned())))
    {
        let rows: Vec<&Row> = TABLE
            .iter()
            .filter(|row| row.home == home && row.severity >= Severity::Warns)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(out, "### {}{}\n", title[..1].to_uppercase(), &title[1..]);
        let _ = writeln!(out, "Open: {}\n", to_open(home));
        out.push_str("| code | problem | reproduce | fix |\n|---|---|---|---|\n");
        for row in rows {
            let again = capitals(&row.command());
            let retry = if row.retry_helps { "; a retry can help" } else { "" };
            let _ = writeln!(
                out,
                "| `{}` | {} | `{again}` | {}{retry} |",
                row.code, row.meaning, row.remedy
            );
        }
        out.push('\n');
    }
    out
}

/// A command whose placeholders are words in capitals.
fn capitals(command: &str) -> String {
    let parts = command.split('{').enumerate().map(|(at, part)| match part.split_once('}') {
        Some((name, rest)) if at > 0 => format!("{}{rest}", name.to_uppercase()),
        _ => part.to_owned(),
    });
    parts.collect()
}

/// The artifact and its files.
fn to_open(home: Home) -> String {
    let files = |layer: Layer| {
        let files = CATALOGUE
            .iter()
            .filter(|(_, _, own)| *own == layer)
            .map(|(_, file, _)| format!("`{file}`"));
        files.collect::<Vec<_>>().join(", ")
    };
    match home {
        Home::Layer(Layer::Execute) => {
            format!(
                "{} in `pester-execution-contract`, the logs in `pester-run-raw`, \
                 `pester-failures.json` in `pester-evidence`",
                files(Layer::Execute)
            )
        }
        Home::Layer(Layer::Post) => format!("{} in `pester-evidence`", files(Layer::Post)),
        Home::Layer(layer) => format!("{} in the artifact of {layer}", files(layer)),
        Home::Subject => {
            "`pester-operator-outcome.json` in `pester-evidence`; its `actionContext` names the \
             receipt"
                .to_owned()
        }
        Home::Job => {
            "the log of the job; if no receipt was written, its outputs `status` and `reason` \
             name the reason"
                .to_owned()
        }
    }
}

/// The classes of failed tests.
pub(crate) fn classes() -> String {
    let mut out = String::from("| class | fix |\n|---|---|\n");
    for class in Class::ALL {
        let _ = writeln!(out, "| `{}` | {} |", class.as_str(), class.remedy());
    }
    out
}
