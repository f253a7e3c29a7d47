//! The configuration that is written for one framework.

use super::framework::{Run, Setup};
use super::quoted;
use crate::domain::config::PriorityPolicy;

/// `pester-gate.yml` for a setup. `name` is the file it is written to, `also` are the further
/// configurations that `run` runs after it.
pub(crate) fn config(
    setup: &Setup,
    name: &str,
    also: &[String],
    powershell: &str,
    policy: PriorityPolicy,
) -> String {
    let option = if name == "pester-gate.yml" && also.is_empty() {
        String::new()
    } else {
        format!(" --config {name}")
    };
    let framework = setup.framework.name();
    let mut out = format!("# Tests: {framework}. Run them with `pester-gate run{option}`.\n");
    if !also.is_empty() {
        out.push_str(&format!("also-run: {} # `pester-gate run` runs these, too\n", list(also)));
    }
    if setup.has_integration {
        out.push_str("defaults:\n");
        out.push_str("  integration-mode: exclude # `include` runs the integration tests, too\n");
    }
    out.push_str(&format!("tests:\n  path: {}\n", quoted(&setup.folder)));
    match setup.patterns.as_slice() {
        [] => {}
        [one] => out.push_str(&format!("  pattern: {}\n", quoted(one))),
        several => {
            out.push_str("  pattern:\n");
            for pattern in several {
                out.push_str(&format!("    - {}\n", quoted(pattern)));
            }
        }
    }
    if !(setup.requires.is_empty() && setup.exclude.is_empty()) {
        out.push_str("packs:\n  - name: full\n");
    }
    if !setup.exclude.is_empty() {
        out.push_str(&format!("    exclude: {}\n", list(&setup.exclude)));
    }
    if !setup.requires.is_empty() {
        let tools = setup.requires.iter().map(|tool| format!("{{tool: {}}}", quoted(tool)));
        let tools = tools.collect::<Vec<_>>().join(", ");
        out.push_str(&format!("    requires: [{tools}]\n"));
    }
    out.push_str("dispatcher:\n");
    let mut before_lines = String::new();
    match &setup.run {
        Run::Pester => {
            let which = "pwsh is PowerShell 7, powershell is Windows PowerShell 5.1";
            out.push_str(&format!("  kind: pester\n  powershell: {powershell} # {which}\n"));
        }
        Run::Scripts => out.push_str("  kind: scripts\n"),
        Run::Command { command, results, before } => {
            out.push_str(&format!("  kind: command\n  command: {}\n", list(command)));
            let is_output = results.iter().any(|glob| glob == "-");
            let why = if is_output { " # the standard output of the command" } else { "" };
            out.push_str(&format!("  results: {}{why}\n", list(results)));
            if !before.is_empty() {
                before_lines.push_str("profiles:\n  default:\n    before:\n");
                for command in before {
                    before_lines.push_str(&format!("      - {}\n", list(command)));
                }
            }
        }
    }
    out.push_str(&before_lines);
    out.push_str("limits:\n  run: 30m\n");
    out.push_str(&format!("standing-priority:\n  policy: {}\n", quoted(word(policy))));
    out
}

/// Words as a YAML flow sequence.
fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

const fn word(policy: PriorityPolicy) -> &'static str {
    match policy {
        PriorityPolicy::Required => "required",
        PriorityPolicy::Advisory => "advisory",
        PriorityPolicy::Off => "off",
    }
}
