//! `run --dry-run`: the configuration, the files and the command of a run, with nothing started.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::adapter::receipt_store::shown;
use crate::domain::config::settings::ConfigFile;
use crate::domain::config::{DispatcherKind, FILES_ARGUMENT};
use crate::layer::invocation::Invocation;
use crate::layer::selection::Preview;
use crate::report::quote::{printable, quoted};

/// The command with the selected files in it; nothing where the gate starts the tests by itself.
fn command(planned: &Preview) -> Vec<String> {
    let profile = &planned.profile;
    if profile.kind.value != DispatcherKind::Command {
        return Vec::new();
    }
    let files = || planned.selection.files.iter().map(|file| file.path.to_string());
    let each = |argument: &String| -> Vec<String> {
        if argument == FILES_ARGUMENT { files().collect() } else { vec![argument.clone()] }
    };
    profile.command.value.iter().flat_map(each).collect()
}

fn configuration(invocation: &Invocation) -> Option<&str> {
    match &invocation.settings.config {
        ConfigFile::Read(file) => Some(file),
        ConfigFile::Missing(_) => None,
    }
}

/// As JSON.
pub(crate) fn json(invocation: &Invocation, planned: &Preview, settings: &Value) -> Value {
    let files: Vec<_> = planned.selection.files.iter().map(|file| file.path.to_string()).collect();
    json!({
        "configuration": configuration(invocation),
        "root": shown(&invocation.root),
        "dispatcher": planned.profile.kind.value,
        "command": command(planned),
        "results": planned.profile.results.value,
        "files": files,
        "excluded": planned.selection.excluded,
        "settings": settings,
    })
}

/// As text.
pub(crate) fn text(invocation: &Invocation, planned: &Preview, settings: &str) -> String {
    let mut out = String::new();
    let file = configuration(invocation).unwrap_or("none: the command was typed");
    let _ = writeln!(out, "Configuration  {}", printable(file));
    let _ = writeln!(out, "Root           {}", printable(&shown(&invocation.root)));
    let words: Vec<String> = command(planned).iter().map(|word| quoted(word)).collect();
    if !words.is_empty() {
        let _ = writeln!(out, "Command        {}", printable(&words.join(" ")));
    }
    let files = &planned.selection.files;
    let _ = writeln!(out, "Files          {}", files.len());
    for file in files {
        let _ = writeln!(out, "  {}", printable(file.path.as_str()));
    }
    if !planned.selection.excluded.is_empty() {
        let _ = writeln!(out, "Left out       {}", planned.selection.excluded.len());
        for excluded in &planned.selection.excluded {
            let _ =
                writeln!(out, "  {}: {}", printable(&excluded.path), printable(&excluded.reason));
        }
    }
    let _ = writeln!(out, "Settings");
    for line in settings.lines() {
        let _ = writeln!(out, "  {}", printable(line));
    }
    out.push_str("Nothing was started.\n");
    out
}
