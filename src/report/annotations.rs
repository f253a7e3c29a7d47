//! Workflow commands that GitHub shows beside the code: the only place where we command the runner.
//!
//! Source: GitHub's "Workflow commands" and the runner's own escaping (`ActionCommand`): in a
//! message `%`, CR and LF are escaped, in a property `:` and `,` as well.

use super::quote::{printable, shortened};
use super::text::RunReport;
use crate::domain::receipt::GateStatus;
use crate::domain::results::failure;

/// GitHub shows this many of one kind for a step.
const MOST: usize = 10;
/// How long a message may be.
const LONGEST: usize = 1000;

/// A command for each group of failures that names a place, the largest first, and one for a layer
/// at fault. Where the gate lets the run through they are warnings.
pub(crate) fn commands(run_report: &RunReport) -> Vec<String> {
    let kind = match run_report.gate {
        GateStatus::Pass => return Vec::new(),
        GateStatus::Notice => "warning",
        GateStatus::Fail => "error",
    };
    let mut commands = Vec::new();
    if let Some(layer) = run_report.failed_layer {
        let title = format!("pester-gate: {layer}");
        let message = format!("{}\nnext: {}", run_report.headline, run_report.next_action);
        commands.push(command(kind, None, &title, &message));
    }
    for group in failure::groups(&run_report.failures) {
        let place = run_report.repeat.place_in_workspace(group.first);
        let more = match group.others.len() {
            0 => String::new(),
            others => format!("\n{others} more with the same cause"),
        };
        let message = format!("{}{more}", group.first.message);
        commands.push(command(kind, place, &group.first.name, &message));
    }
    commands.truncate(MOST);
    commands
}

/// An error without a place.
pub(crate) fn error(title: &str, message: &str) -> String {
    command("error", None, title, message)
}

fn command(kind: &str, place: Option<(String, Option<u64>)>, title: &str, message: &str) -> String {
    let place = match place {
        Some((file, Some(line))) => format!("file={},line={line},", property(&file)),
        Some((file, None)) => format!("file={},", property(&file)),
        None => String::new(),
    };
    format!(
        "::{kind} {place}title={}::{}",
        property(&shortened(title, 200)),
        data(&shortened(message, LONGEST))
    )
}

/// Line by line, so that only ends of lines are left to escape.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| printable(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    printable(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_a_command_or_a_property_of_its_own() {
        let place = Some(("a,line=9:b.sh".to_owned(), Some(3)));
        let hostile = command(
            "error",
            place,
            "t::set-env name=X::y,\r\n::add-mask::z",
            "100%\n::stop-commands::x\r##[group]\u{1b}[31m",
        );
        assert_eq!(hostile.lines().count(), 1, "{hostile:?}");
        assert!(
            hostile.starts_with(
                "::error file=a%2Cline=9%3Ab.sh,line=3,title=t%3A%3Aset-env name=X%3A%3Ay%2C"
            ),
            "{hostile}"
        );
        assert!(hostile.contains("::100%25%0A::stop-commands::x"), "{hostile}");
        assert!(!hostile.contains('\u{1b}') && !hostile.contains("##["), "{hostile}");
    }
}
