//! The actions: what they run is made from one template, so that no step is repeated by hand.
//! `PESTER_GATE_WRITE_DOCS=1 cargo test actions` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// What one action does.
struct Action {
    path: &'static str,
    /// The layer, or `run`.
    task: &'static str,
    title: &'static str,
    /// Whose receipts it reads from artifacts.
    reads: &'static [&'static str],
    upload: &'static str,
    /// What is uploaded, below the folder of the step.
    files: &'static str,
    /// Whether the upload holds every file that a receipt lists, including dotfiles.
    whole: bool,
}

const ACTIONS: [Action; 7] = [
    Action {
        path: "action.yml",
        task: "run",
        title: "Run all layers",
        reads: &[],
        upload: "Upload receipts, raw results and evidence",
        files: "",
        whole: true,
    },
    Action {
        path: "actions/route/action.yml",
        task: "route",
        title: "Decide",
        reads: &[],
        upload: "Upload the receipt",
        files: "/*.json",
        whole: false,
    },
    Action {
        path: "actions/context/action.yml",
        task: "context",
        title: "Establish the context",
        reads: &[],
        upload: "Upload the receipt",
        files: "/*.json",
        whole: false,
    },
    Action {
        path: "actions/preflight/action.yml",
        task: "preflight",
        title: "Check the host",
        reads: &["context"],
        upload: "Upload the receipt",
        files: "/*.json",
        whole: false,
    },
    Action {
        path: "actions/selection/action.yml",
        task: "selection",
        title: "Select the tests",
        reads: &["context"],
        upload: "Upload the receipt",
        files: "/*.json",
        whole: false,
    },
    Action {
        path: "actions/execute/action.yml",
        task: "execute",
        title: "Run the tests",
        reads: &["context", "preflight", "selection"],
        upload: "Upload the receipt and those that execute read",
        files: "/*.json",
        whole: false,
    },
    Action {
        path: "actions/post/action.yml",
        task: "post",
        title: "Judge the run",
        reads: &[],
        upload: "Upload the evidence",
        files: "",
        whole: true,
    },
];

const POWERSHELL: &str =
    "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command \". '{0}'\"";
const DOWNLOAD: &str =
    "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1";
const UPLOAD: &str = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1";
/// The layers whose artifacts post reads, by the names of their artifacts.
const OF_POST: &str = "pester-{route,context,readiness,selection,execution-contract,run-raw}";

/// An output of the step that found the binary, on either system.
fn found(output: &str) -> String {
    format!("steps.find-windows.outputs.{output} || steps.find.outputs.{output}")
}

fn expression(text: &str) -> String {
    format!("${{{{ {text} }}}}")
}

/// Outputs that are there although the layer wrote no receipt.
fn value(output: &str) -> String {
    match output {
        "status" | "reason" => {
            expression(&format!("steps.gate.outputs.{output} || {}", found(output)))
        }
        "artifact-name" | "raw-artifact-name" => expression(&found(output)),
        _ => expression(&format!("steps.gate.outputs.{output}")),
    }
}

/// The outputs, with the descriptions that they have.
fn outputs(described: &[(String, String)]) -> String {
    let mut out = String::from("outputs:\n");
    for (name, description) in described {
        let value = value(name);
        if name.starts_with("receipt-sha256-") {
            let _ = writeln!(out, "  {name}: {{description: {description}, value: '{value}'}}");
        } else {
            let _ = writeln!(out, "  {name}:\n    description: {description}\n    value: {value}");
        }
    }
    out
}

/// What the action runs.
fn runs(action: &Action) -> String {
    let Action { task, title, .. } = action;
    let folder = if *task == "run" { "actions" } else { ".." };
    let inputs = "PESTER_GATE_INPUTS: '${{ toJSON(inputs) }}'";
    let binary = "PESTER_GATE_BINARY: '${{ inputs.binary }}'";
    let env = format!("env: {{{binary}, {inputs}, PESTER_GATE_LAYER: {task}}}");
    let out = expression(&found("out"));
    let mut text = format!(
        "runs:\n  using: composite\n  steps:
    - name: Find the binary (Windows)
      id: find-windows
      if: runner.os == 'Windows'
      shell: {POWERSHELL}
      {env}
      run: |
        & \"$env:GITHUB_ACTION_PATH/{folder}/bootstrap/bootstrap.ps1\"
        exit $LASTEXITCODE
    - name: Find the binary
      id: find
      if: runner.os != 'Windows'
      shell: sh
      {env}
      run: sh \"$GITHUB_ACTION_PATH/{folder}/bootstrap/bootstrap.sh\"
"
    );
    text.push_str(&download(action));
    let _ = write!(
        text,
        "    - name: {title}
      id: gate
      # The gate is the shell of this step, so that a cancelled job reaches the gate itself.
      shell: pester-gate step \"{{0}}\"
      env: {{{inputs}, PESTER_GATE_OUT: '{out}'}}
      run: {task}
"
    );
    if *task == "execute" {
        let _ = write!(
            text,
            "    - name: Release the lock
      # execute releases the lock unless it is killed; only the holder of this run is asked.
      if: always() && ({}) != ''
      continue-on-error: true
      shell: pester-gate step \"{{0}}\"
      env: {{{inputs}}}
      run: lock release
",
            found("out")
        );
    }
    // A killed gate could not look for secrets: only its journal is uploaded, which was masked as
    // it was written.
    let journal = |below: &str| {
        let path = format!("steps.gate.outputs.receipt-path == '' && '{below}' || ''");
        expression(&path)
    };
    let files = match action.whole {
        true => journal("/**/dispatcher-events.ndjson"),
        false => action.files.to_owned(),
    };
    let names = [(action.upload, "artifact-name", files, action.whole, unless_secret(task))];
    let raw = format!("/raw{}", journal("/dispatcher-events.ndjson"));
    let raw = ("Upload the raw results", "raw-artifact-name", raw, true, RAW_CONDITION);
    for (what, name, files, whole, condition) in
        names.into_iter().chain((*task == "execute").then_some(raw))
    {
        let _ = write!(
            text,
            "    - name: {what}
      if: always() && inputs.upload == 'true' && ({}) != ''{condition}
      uses: {UPLOAD}
      with:
        name: {}
        path: {out}{files}
        retention-days: ${{{{ inputs.retention-days }}}}
        if-no-files-found: ignore
",
            found("out"),
            expression(&found(name)),
        );
        if whole {
            text.push_str("        include-hidden-files: true\n");
        }
    }
    text
}

/// Files that still hold a secret are not uploaded.
fn unless_secret(task: &str) -> &'static str {
    match task {
        "run" | "post" => " && steps.gate.outputs.upload != 'false'",
        _ => "",
    }
}

/// The same for raw results: execute names them unless one holds a secret.
const RAW_CONDITION: &str =
    " && (steps.gate.outputs.receipt-path == '' || steps.gate.outputs.raw-path != '')";

fn download(action: &Action) -> String {
    let from = expression(&found("from"));
    let input = |layer: &&str| format!("inputs.{layer}-artifact");
    let (condition, what) = match (action.task, action.reads) {
        ("post", _) => {
            // Not the artifacts of another gate whose id ends with this one.
            let layers = OF_POST.replace('{', "{{").replace('}', "}}");
            let id = "inputs.gate-id && format('-{0}', inputs.gate-id)";
            let pattern = format!(
                "format('{layers}{{0}}{{{{,-s[0-9],-s[0-9][0-9]}}}}{{{{,-a[0-9],-a[0-9][0-9]}}}}', {id})"
            );
            ("inputs.receipts-dir == ''".to_owned(), format!("pattern: {}", expression(&pattern)))
        }
        (_, []) => return String::new(),
        (_, [one]) => {
            let name = input(one);
            (format!("{name} != ''"), format!("name: {}", expression(&name)))
        }
        (_, several) => {
            let names: Vec<String> = several.iter().map(input).collect();
            let given: Vec<String> = names.iter().map(|name| format!("{name} != ''")).collect();
            let places: Vec<String> = (0..names.len()).map(|at| format!("{{{at}}}")).collect();
            let pattern = format!("format('{{{{{}}}}}', {})", places.join(","), names.join(", "));
            (given.join(" || "), format!("pattern: {}", expression(&pattern)))
        }
    };
    format!(
        "    - name: Download the receipts
      if: {condition}
      # The layer that needs a missing receipt reports it.
      continue-on-error: true
      uses: {DOWNLOAD}
      with:
        {what}
        path: {from}
"
    )
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Names and descriptions of the outputs of an action, as they are written.
fn described(text: &str) -> Vec<(String, String)> {
    let outputs = text.split("\noutputs:\n").nth(1).unwrap().split("\nruns:\n").next().unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in outputs.lines() {
        if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            let (name, rest) = name.split_once(':').unwrap();
            let flow = rest.trim().strip_prefix("{description: ");
            let description = flow.and_then(|rest| rest.split(", value: ").next());
            found.push((name.to_owned(), description.unwrap_or_default().to_owned()));
        } else if let Some(description) = line.strip_prefix("    description: ") {
            found.last_mut().unwrap().1 = description.to_owned();
        }
    }
    found
}

#[test]
fn actions_are_made_from_one_template() {
    let writing = std::env::var_os("PESTER_GATE_WRITE_DOCS").is_some();
    for action in &ACTIONS {
        let text = fs::read_to_string(file(action.path)).unwrap().replace("\r\n", "\n");
        let head = text.split("\noutputs:\n").next().unwrap();
        let own = format!("{head}\n{}{}", outputs(&described(&text)), runs(action));
        if writing {
            fs::write(file(action.path), &own).unwrap();
        }
        assert!(
            writing || own == text,
            "{} is stale: PESTER_GATE_WRITE_DOCS=1 cargo test actions writes it",
            action.path
        );
    }
}

#[test]
fn no_action_sets_a_variable_that_the_host_may_set() {
    for action in &ACTIONS {
        let text = fs::read_to_string(file(action.path)).unwrap();
        let own =
            ["PESTER_GATE_BINARY", "PESTER_GATE_INPUTS", "PESTER_GATE_LAYER", "PESTER_GATE_OUT"];
        let names = text.split("PESTER_GATE_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap();
            format!("PESTER_GATE_{}", &rest[..end])
        });
        for name in names {
            assert!(own.contains(&name.as_str()), "{}: {name}", action.path);
        }
        assert!(!text.contains("env."), "{} reads the workflow's environment", action.path);
    }
}
