//! `init`: a configuration and a caller workflow for a repository that has none, after a look at
//! it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::adapter::process::capture;
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::{discovery, files, git};
use crate::adapter::world::World;
use crate::domain::config::PriorityPolicy;
use crate::domain::starter::{self, Callee, Form, Framework, Gate, Look, Setup, Survey};
use crate::report::quote::{printable, quoted, shortened};

/// Where this gate was released; a build of one's own does not know.
const RELEASED: Option<&str> = option_env!("PESTER_GATE_HOME");
/// What stands for it then.
const HOME: &str = match RELEASED {
    Some(home) => home,
    None => "OWNER/pester-gate",
};

/// The command to type after `init`: it runs every configuration.
const NEXT: &str = "pester-gate run";
/// Where results files are listed so that git leaves them alone.
const IGNORE: &str = ".gitignore";
/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// How much the standing priority matters.
    pub(crate) priority: Option<PriorityPolicy>,
    /// Whether files that are there are replaced.
    pub(crate) force: bool,
}

/// What was done with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Wrote,
    Replaced,
    /// Lines were added to it.
    Extended,
    /// Somebody wrote something else there.
    Kept,
    /// It holds this already.
    Unchanged,
}

/// One file to write.
struct Planned {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
    did: Did,
    /// What was there before.
    before: Option<Vec<u8>>,
}

/// Whether the program of a framework starts.
struct Started {
    framework: Framework,
    command: String,
    /// The first line that it printed, or why it did not start.
    said: Result<String, String>,
}

/// What was found, done, and is left to do.
pub(crate) struct Done {
    look: Look,
    configs: Vec<String>,
    started: Vec<Started>,
    files: Vec<(String, Did)>,
    notes: Vec<String>,
    to_do: Vec<String>,
    powershell: Option<&'static str>,
}

/// Looks, and writes; nothing is written where one of the files may not be.
pub(crate) fn run(
    world: &World,
    root: &Path,
    config_name: &str,
    request: &Request,
) -> anyhow::Result<Done> {
    // GitHub reads workflows at the top of a repository and nowhere else.
    if let Some(top) =
        git::top_level(root).filter(|top| files::canonical(top) != files::canonical(root))
    {
        bail!("{} is a folder of the repository at {}; run init there", shown(root), shown(&top));
    }
    let repositories = repositories_below(root);
    if let [one, ..] = repositories.as_slice() {
        let count = repositories.len();
        bail!(
            "{} is not a git repository, but holds {count} (for example {}); run init in one of \
             them (nothing was written)",
            shown(root),
            shown(one)
        );
    }
    let survey = look_around(world, root)?;
    let look = Look::over(&survey);
    let Some(first) = look.setups.first() else { return Err(nothing_found(root, &look)) };
    let powershell = ["pwsh", "powershell"]
        .into_iter()
        .find(|program| which::which_in(program, world.path(), root).is_ok());
    let form = request.form.unwrap_or(Form::OneStep);
    let default_runner: &[&str] = match first.framework {
        Framework::Pester if look.setups.len() == 1 => &["self-hosted", "Windows", "X64"],
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
    let configs: Vec<String> =
        (0..look.setups.len()).map(|at| look.config_name(at, config_name)).collect();
    let policy = request.priority.unwrap_or(PriorityPolicy::Off);
    let mut plan = Vec::new();
    for (at, (setup, name)) in look.setups.iter().zip(&configs).enumerate() {
        let also = if at == 0 { &configs[1..] } else { &[] };
        let text = starter::config(setup, name, also, powershell.unwrap_or("pwsh"), policy);
        plan.push(planned(root, name, text, true, request.force)?);
    }
    let is_kept = plan.first().is_some_and(|first| first.did == Did::Kept);
    for (name, text) in look.setups.iter().flat_map(|setup| &setup.files_to_write) {
        // A configuration of another tool is never replaced.
        plan.push(planned(root, name, text.clone(), true, false)?);
    }
    let gates = look.setups.iter().zip(&configs).map(gate_of).collect::<Vec<_>>();
    plan.push(planned(
        root,
        form.path(),
        starter::workflow(form, &callee, &gates),
        false,
        request.force,
    )?);
    plan.extend(ignored(root, &look)?);
    write_all(&plan)?;

    let started = look.setups.iter().filter_map(|setup| start(world, root, setup)).collect();
    let notes = look.setups.iter().flat_map(|setup| {
        setup.notes.iter().map(|note| format!("{}: {note}", setup.framework.name()))
    });
    let mut to_do = to_do(&callee, form, &look, powershell);
    if is_kept && configs.len() > 1 {
        let list = configs[1..].join(", ");
        to_do.insert(
            0,
            format!(
                "add `also-run: [{list}]` to {config_name}, unless it lists them already, so that \
             `pester-gate run` runs every configuration"
            ),
        );
    }
    Ok(Done {
        notes: notes.collect(),
        to_do,
        files: plan.into_iter().map(|planned| (planned.name, planned.did)).collect(),
        look,
        configs,
        started,
        powershell,
    })
}

/// Git repositories directly below a folder that is not in one itself.
fn repositories_below(root: &Path) -> Vec<PathBuf> {
    if git::top_level(root).is_some() {
        return Vec::new();
    }
    files::list_folders(root)
        .into_iter()
        .filter(|folder| files::exists(&folder.join(".git")))
        .collect()
}

/// The paths of the repository, and the texts of the files that tell its frameworks.
fn look_around(world: &World, root: &Path) -> anyhow::Result<Survey> {
    let paths =
        discovery::survey(root).with_context(|| format!("cannot look at {}", shown(root)))?;
    let mut texts = BTreeMap::new();
    for name in starter::wanted(&paths).into_iter().take(starter::TEXTS_MOST) {
        if let Ok(bytes) = files::first_bytes(&root.join(name), starter::TEXT_MOST) {
            let text = String::from_utf8_lossy(&bytes);
            texts.insert(name.to_owned(), text.trim_start_matches('\u{feff}').to_owned());
        }
    }
    let is_here = |name: &&str| which::which_in(name, world.path(), root).is_ok();
    let python = ["python3", "python"].into_iter().find(is_here).unwrap_or("python3");
    Ok(Survey { paths, texts, python })
}

/// The answer where no framework is recognized.
fn nothing_found(root: &Path, look: &Look) -> anyhow::Error {
    let mut why =
        format!("no test framework was recognized in {}; nothing was written.", shown(root));
    if !look.seen.is_empty() {
        let seen: Vec<String> = look.seen.iter().map(|seen| printable(seen)).collect();
        why.push_str(&format!(" Seen: {}.", seen.join("; ")));
    }
    why.push_str(" To use a command of your own: `pester-gate run --results GLOB -- CMD`.");
    anyhow::anyhow!(why)
}

fn gate_of((setup, config): (&Setup, &String)) -> Gate {
    Gate { id: setup.framework.slug(), config: config.clone(), install: setup.install.clone() }
}

/// What will be done with one file. `keeps` says that a file that is there stays as it is.
fn planned(
    root: &Path,
    name: &str,
    text: String,
    keeps: bool,
    force: bool,
) -> anyhow::Result<Planned> {
    may_be_written(root, name)?;
    let path = root.join(name);
    let bytes = text.into_bytes();
    let there = files::exists(&path);
    let before = there.then(|| files::read_bounded(&path)).transpose();
    let before = before.with_context(|| format!("cannot read {name} (nothing was written)"))?;
    let same = before.as_ref() == Some(&bytes);
    let did = match (there, force) {
        (false, _) => Did::Wrote,
        (true, _) if same => Did::Unchanged,
        (true, true) => Did::Replaced,
        // What somebody wrote there since is theirs; the workflow was asked for.
        (true, false) if keeps => Did::Kept,
        (true, false) => {
            bail!("{name} is there already; --force replaces it (nothing was written)")
        }
    };
    Ok(Planned { name: name.to_owned(), path, bytes, did, before })
}

/// `.gitignore` with the results files of every setup, where one is missing.
fn ignored(root: &Path, look: &Look) -> anyhow::Result<Option<Planned>> {
    let lines: Vec<String> = look.setups.iter().flat_map(|setup| setup.ignore.clone()).collect();
    let path = root.join(IGNORE);
    may_be_written(root, IGNORE)?;
    let before = files::exists(&path).then(|| files::read_bounded(&path)).transpose();
    let before = before.with_context(|| format!("cannot read {IGNORE} (nothing was written)"))?;
    let did = if before.is_some() { Did::Extended } else { Did::Wrote };
    let bytes = starter::with_lines(before.as_deref().unwrap_or_default(), &lines);
    Ok(bytes.map(|bytes| Planned { name: IGNORE.to_owned(), path, bytes, did, before }))
}

/// Writes every file or none.
fn write_all(plan: &[Planned]) -> anyhow::Result<()> {
    let writes =
        |planned: &&Planned| matches!(planned.did, Did::Wrote | Did::Replaced | Did::Extended);
    for planned in plan.iter().filter(writes) {
        let folder = planned.path.ancestors().skip(1).find(|folder| files::is_dir(folder));
        if let Some(folder) = folder {
            files::takes_files(folder)
                .with_context(|| format!("cannot write {} (nothing was written)", planned.name))?;
        }
    }
    let mut written: Vec<&Planned> = Vec::new();
    for planned in plan.iter().filter(writes) {
        if let Err(error) = files::write_atomic(&planned.path, &planned.bytes) {
            for done in written {
                // What was there before is put back; a second failure changes nothing about the
                // first.
                let _ = match &done.before {
                    Some(bytes) => files::write_atomic(&done.path, bytes),
                    None => files::remove(&done.path),
                };
            }
            return Err(error)
                .with_context(|| format!("cannot write {} (nothing was written)", planned.name));
        }
        written.push(planned);
    }
    Ok(())
}

/// Starts the program of a setup once, for its version. A wrapper that would download its tool is
/// not started.
fn start(world: &World, root: &Path, setup: &Setup) -> Option<Started> {
    let program = setup.check.first()?;
    let command = setup.check.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let said = if program.contains('/') {
        match files::is_file(&root.join(program)) {
            true if program.ends_with("w") => {
                Ok("it is there; not started, because it may download its tool".to_owned())
            }
            true => version(world, root, &setup.check),
            false => {
                Err(format!("{program} is not there; the install step of the workflow brings it"))
            }
        }
    } else if which::which_in(program, world.path(), root).is_err() {
        Err(format!("`{program}` is not on PATH"))
    } else {
        version(world, root, &setup.check)
    };
    Some(Started { framework: setup.framework, command, said })
}

/// The first line that a program prints, or the last one where it fails.
fn version(world: &World, root: &Path, argv: &[String]) -> Result<String, String> {
    let done = capture(world, argv, root, PATIENCE)?;
    let all = [done.stdout, done.stderr].join("\n");
    let mut lines = all.lines().map(without_colors).filter(|line| !line.is_empty());
    match done.code {
        0 => Ok(shortened(&lines.next().unwrap_or_default(), 120)),
        code => Err(format!(
            "exit code {code}: {}",
            shortened(&lines.next_back().unwrap_or_default(), 120)
        )),
    }
}

/// A line without the escape sequences of a terminal, and trimmed.
fn without_colors(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    let plain = rest.map(|part| part.strip_prefix(|_: char| true).unwrap_or_default());
    plain.fold(first, |line, part| line + part).trim().to_owned()
}

/// Every folder on the way is one, or is not there yet, and nothing leads out of the repository.
fn may_be_written(root: &Path, name: &str) -> anyhow::Result<()> {
    let mut path = root.to_owned();
    let parts: Vec<&str> = name.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        path.push(part);
        let right = if at + 1 < parts.len() {
            files::is_plain_dir(&path)
        } else {
            files::is_plain_file(&path)
        };
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

fn to_do(callee: &Callee, form: Form, look: &Look, powershell: Option<&str>) -> Vec<String> {
    let mut list = Vec::new();
    let is_pester = look.setups.iter().any(|setup| setup.framework == Framework::Pester);
    if is_pester && powershell.is_none() {
        list.push(
            "no PowerShell is here: the runner needs pwsh or powershell, and Pester 5 or later"
                .to_owned(),
        );
    }
    let needs_packages = look.setups.iter().any(|setup| !setup.install.is_empty());
    if needs_packages && form != Form::OneStep {
        list.push(
            "prepare the runner with what the tests need: the five jobs install nothing".to_owned(),
        );
    }
    if form == Form::TrustedPr && look.setups.len() > 1 {
        list.push(
            "add a job for each further configuration: the router runs the first one only"
                .to_owned(),
        );
    }
    if is_pester && callee.runner.iter().any(|label| label == "self-hosted") {
        let labels = callee.runner.join(", ");
        list.push(format!(
            "register a runner with the labels {labels}, because the workflow runs Pester on a \
             self-hosted Windows runner; for a hosted runner, use --runner windows-latest or \
             --runner ubuntu-latest"
        ));
    }
    if callee.repository.starts_with("OWNER/") {
        list.push(format!(
            "in {}, replace OWNER with the owner of the pester-gate repository (or pass \
             --gate-repository OWNER/NAME)",
            form.path()
        ));
    }
    if RELEASED.is_none() {
        list.push(
            "there is no release yet: build pester-gate, copy it to the runner, and set \
             PESTER_GATE_BIN there to its path"
                .to_owned(),
        );
    }
    list.push("commit the files and push".to_owned());
    if form == Form::TrustedPr {
        list.push(
            "gh label create pester-gate: who may set it decides what runs on the machine"
                .to_owned(),
        );
        let why = "a skipped job counts as success";
        list.push(format!("require the check `verdict`, and no other of this workflow: {why}"));
    }
    list
}

impl Did {
    fn word(self) -> &'static str {
        match self {
            Self::Wrote => "wrote",
            Self::Replaced => "replaced",
            Self::Extended => "extended",
            Self::Kept => "kept",
            Self::Unchanged => "unchanged",
        }
    }
}

/// As text.
pub(crate) fn text(done: &Done) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| out.push_str(&format!("{label:<10} {text}\n"));
    for setup in &done.look.setups {
        let files = if setup.files == 1 { "file" } else { "files" };
        if setup.files == 0 {
            line("found", setup.framework.name());
            continue;
        }
        let place = if setup.found_below == "." {
            "the root".to_owned()
        } else {
            printable(&setup.found_below)
        };
        line("found", &format!("{} {} {files} below {place}", setup.files, setup.framework.name()));
    }
    for seen in &done.look.seen {
        line("seen", &format!("{} (not configured)", printable(seen)));
    }
    for Started { framework, command, said } in &done.started {
        let (word, said) = match said {
            Ok(said) => ("starts", said),
            Err(why) => ("missing", why),
        };
        line(word, &format!("{}: `{}`: {}", framework.name(), printable(command), printable(said)));
    }
    for (name, did) in &done.files {
        let why = if *did == Did::Kept { " (it was there; --force replaces it)" } else { "" };
        line(did.word(), &format!("{}{why}", printable(name)));
    }
    for note in &done.notes {
        line("note", &printable(note));
    }
    for step in &done.to_do {
        line("to do", step);
    }
    line("next", NEXT);
    out
}

/// As JSON.
pub(crate) fn json(done: &Done) -> Value {
    let found = |(setup, config): (&Setup, &String)| {
        json!({
            "framework": setup.framework.name(),
            "files": setup.files,
            "folder": setup.found_below,
            "config": config,
        })
    };
    let started = |Started { framework, command, said }: &Started| {
        let (starts, said) = match said {
            Ok(said) => (true, said),
            Err(why) => (false, why),
        };
        json!({"framework": framework.name(), "command": command, "starts": starts, "said": said})
    };
    let file = |(name, did): &(String, Did)| json!({"path": name, "did": did.word()});
    json!({
        "found": done.look.setups.iter().zip(&done.configs).map(found).collect::<Vec<_>>(),
        "seen": done.look.seen,
        "programs": done.started.iter().map(started).collect::<Vec<_>>(),
        "powershell": done.powershell,
        "files": done.files.iter().map(file).collect::<Vec<_>>(),
        "notes": done.notes,
        "toDo": done.to_do,
        "next": [NEXT],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_shown_without_colors() {
        for (line, plain) in [
            ("\u{1b}[1mApache Maven 3.8.7\u{1b}[m", "Apache Maven 3.8.7"),
            ("a\u{1b}[31;1mb\u{1b}[0m c ", "ab c"),
            ("\u{1b}[", ""),
            ("\u{1b}[3é", ""),
        ] {
            assert_eq!(without_colors(line), plain, "{line:?}");
        }
    }
}
