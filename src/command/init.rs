//! `init`: a configuration and a caller workflow for a repository that has none, after a look at it.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::{discovery, files, git};
use crate::adapter::world::World;
use crate::domain::starter::{self, Callee, Form, Look, Runner};
use crate::report::quote::printable;

/// Where this gate was released; a build of one's own does not know.
const HOME: &str = match option_env!("PESTER_GATE_HOME") {
    Some(home) => home,
    None => "OWNER/pester-gate",
};

/// What was asked for; what is absent is chosen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Form of the workflow.
    pub(crate) form: Option<Form>,
    /// Where the gate is, owner/name.
    pub(crate) gate_repository: Option<String>,
    /// Its ref.
    pub(crate) gate_ref: Option<String>,
    /// Labels of the runner.
    pub(crate) runner: Option<Vec<String>>,
    /// Whether files that are there are replaced.
    pub(crate) force: bool,
}

/// What was done with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Wrote,
    Replaced,
    /// Somebody wrote something else there.
    Kept,
    /// It holds this already.
    Unchanged,
}

/// What was found, done, and is left to do.
pub(crate) struct Done {
    look: Look,
    files: Vec<(String, Did)>,
    next: Vec<String>,
    powershell: Option<&'static str>,
}

/// Looks, and writes; nothing is written where one of the files may not be.
pub(crate) fn run(world: &World, root: &Path, config_name: &str, request: &Request) -> anyhow::Result<Done> {
    // GitHub reads workflows at the top of a repository and nowhere else.
    if let Some(top) = git::top_level(root).filter(|top| files::canonical(top) != files::canonical(root)) {
        bail!("{} is a folder of the repository at {}; run init there", shown(root), shown(&top));
    }
    let paths = discovery::survey(root).with_context(|| format!("cannot look at {}", shown(root)))?;
    let look = Look::over(&paths);
    let chosen = look.chosen();
    let powershell =
        ["pwsh", "powershell"].into_iter().find(|program| which::which_in(program, world.path(), root).is_ok());
    let form = request.form.unwrap_or(Form::OneStep);
    let default_runner: &[&str] = match (chosen.runner, form) {
        (Runner::Pester, _) => &["self-hosted", "Windows", "X64"],
        _ => &["ubuntu-latest"],
    };
    let callee = Callee {
        repository: request.gate_repository.clone().unwrap_or_else(|| HOME.to_owned()),
        reference: request.gate_ref.clone().unwrap_or_else(major_tag),
        runner: request
            .runner
            .clone()
            .unwrap_or_else(|| default_runner.iter().map(|label| (*label).to_owned()).collect()),
    };
    let owed = [
        (config_name, starter::config(&chosen, powershell.unwrap_or("pwsh"))),
        (form.path(), starter::workflow(form, &callee)),
    ];
    let mut plan = Vec::new();
    for (name, text) in owed {
        let path = root.join(name);
        may_be_written(root, name)?;
        let there = files::exists(&path);
        let same = there && files::read_bounded(&path).is_ok_and(|bytes| bytes == text.as_bytes());
        let did = match (there, request.force) {
            (false, _) => Did::Wrote,
            (true, _) if same => Did::Unchanged,
            (true, true) => Did::Replaced,
            // What somebody wrote there since is theirs; the workflow was asked for.
            (true, false) if name == config_name => Did::Kept,
            (true, false) => bail!("{name} is there already; --force replaces it (nothing was written)"),
        };
        plan.push((name.to_owned(), path, text, did));
    }
    for (name, path, text, did) in &plan {
        if matches!(did, Did::Wrote | Did::Replaced) {
            files::write_atomic(path, text.as_bytes()).with_context(|| format!("cannot write {name}"))?;
        }
    }
    let next = next_steps(&callee, form, chosen.runner, chosen.count, powershell);
    let files = plan.into_iter().map(|(name, _, _, did)| (name, did)).collect();
    Ok(Done { look, files, next, powershell })
}

/// Every folder on the way is one, or is not there yet, and nothing leads out of the repository.
fn may_be_written(root: &Path, name: &str) -> anyhow::Result<()> {
    let mut path = root.to_owned();
    let parts: Vec<&str> = name.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        path.push(part);
        let right = if at + 1 < parts.len() { files::is_plain_dir(&path) } else { files::is_plain_file(&path) };
        if files::exists(&path) && !right {
            bail!("{} is a link or no place to write to (nothing was written)", shown(&path));
        }
    }
    Ok(())
}

/// The tag that moves with every release of this major version.
fn major_tag() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION_MAJOR"))
}

fn next_steps(callee: &Callee, form: Form, runner: Runner, count: usize, powershell: Option<&str>) -> Vec<String> {
    let mut next = Vec::new();
    if count == 0 {
        next.push(
            "no test file was found: put Pester files below tests/, or set tests.path and dispatcher.kind".to_owned(),
        );
    }
    if runner == Runner::Pester && powershell.is_none() {
        next.push("no PowerShell is here: the runner needs pwsh or powershell, and Pester 5 or later".to_owned());
    } else if count > 0 {
        next.push("pester-gate run: the same gate on this machine".to_owned());
    }
    if callee.repository.starts_with("OWNER/") {
        next.push(format!("replace OWNER in {} by where pester-gate lives (--gate-repository)", form.path()));
    }
    if matches!(runner, Runner::Pytest | Runner::Node) {
        next.push(match form {
            Form::OneStep => format!("let {} install what the tests need before the gate's step", form.path()),
            _ => "the runner must have what the tests need: the five jobs install nothing".to_owned(),
        });
    }
    next.push("commit both files and push".to_owned());
    if form == Form::TrustedPr {
        next.push("gh label create pester-gate: who may set it decides what runs on the machine".to_owned());
        next.push(
            "require the check `verdict`, and no other of this workflow: a skipped job counts as success".to_owned(),
        );
    }
    next
}

impl Did {
    fn word(self) -> &'static str {
        match self {
            Self::Wrote => "wrote",
            Self::Replaced => "replaced",
            Self::Kept => "kept",
            Self::Unchanged => "unchanged",
        }
    }
}

/// As text.
pub(crate) fn text(done: &Done) -> String {
    let mut out = String::new();
    for found in &done.look.found {
        let files = if found.count == 1 { "file" } else { "files" };
        let place = if found.folder == "." { "the root".to_owned() } else { printable(&found.folder) };
        out.push_str(&format!("found      {} {} {files} below {place}\n", found.count, found.runner.files()));
    }
    if done.look.found.is_empty() {
        out.push_str("found      no test files\n");
    }
    out.push_str(&format!("PowerShell {}\n", done.powershell.unwrap_or("none on this machine")));
    for (name, did) in &done.files {
        let why = if *did == Did::Kept { " (it was there; --force replaces it)" } else { "" };
        out.push_str(&format!("{:<10} {name}{why}\n", did.word()));
    }
    for (at, step) in done.next.iter().enumerate() {
        out.push_str(&format!("{:<10} {}. {step}\n", if at == 0 { "next" } else { "" }, at + 1));
    }
    out
}

/// As JSON.
pub(crate) fn json(done: &Done) -> Value {
    let found =
        |found: &starter::Found| json!({"runner": found.runner.files(), "files": found.count, "folder": found.folder});
    json!({
        "found": done.look.found.iter().map(found).collect::<Vec<_>>(),
        "powershell": done.powershell,
        "files": done.files.iter().map(|(name, did)| json!({"path": name, "did": did.word()})).collect::<Vec<_>>(),
        "next": done.next,
    })
}
