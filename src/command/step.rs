//! `step`: what the actions need besides a layer. `step --prepare` makes the folder of a step and
//! puts this program where the next steps find it; `step SCRIPT` gives the words of a script.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::adapter::runner;
use crate::adapter::workspace::files;
use crate::adapter::world::{INPUTS, World};
use crate::domain::receipt::CATALOGUE;
use crate::domain::run::ids::{ArtifactName, GateId};
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// What a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// One layer.
    Layer(Layer),
    /// All layers.
    Run,
}

impl Task {
    /// By the word in `PESTER_GATE_LAYER`.
    fn parse(word: &str) -> Option<Self> {
        if word == "run" {
            return Some(Self::Run);
        }
        Layer::ALL.into_iter().find(|layer| layer.as_str() == word).map(Self::Layer)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.as_str(),
            Self::Run => "run",
        }
    }

    /// The layer whose artifact holds what the step leaves.
    const fn artifact(self) -> Layer {
        match self {
            Self::Layer(layer) => layer,
            Self::Run => Layer::Post,
        }
    }
}

/// Below this folder lies everything that the steps of one gate write in one job.
pub(crate) fn gate_folder(temp: &Path, gate: Option<&GateId>) -> PathBuf {
    let name = gate.map_or_else(|| "gate".to_owned(), |id| format!("gate-{id}"));
    temp.join("pester-gate").join(name)
}

/// Why the next steps cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unprepared {
    /// The inputs cannot be read.
    #[error("{INPUTS}: {0}")]
    Inputs(String),
    /// A file or folder cannot be written, or the runner's variables are missing.
    #[error("{0:#}")]
    Runner(#[from] anyhow::Error),
}

impl Unprepared {
    /// The reason code.
    pub(crate) const fn reason(&self) -> ReasonCode {
        match self {
            Self::Inputs(_) => ReasonCode::ConfigurationInvalid,
            Self::Runner(_) => ReasonCode::OutputUnwritable,
        }
    }
}

/// The layer that a step is about to run, for the outputs of one that cannot be prepared.
pub(crate) fn asked_layer(world: &World) -> String {
    world.var("PESTER_GATE_LAYER").unwrap_or_default()
}

/// Makes the folder of a step, and sets the step outputs `out`, `from`, `artifact-name` and
/// `raw-artifact-name`. The program's folder is added to PATH for the next steps of the job.
pub(crate) fn prepare(world: &World) -> Result<(), Unprepared> {
    let word = asked_layer(world);
    let task = Task::parse(&word)
        .ok_or_else(|| anyhow!("PESTER_GATE_LAYER is {word:?}, which is not a layer or `run`"))?;
    let temp = world.var("RUNNER_TEMP").context("RUNNER_TEMP is not set")?;
    let temp = world.absolute(temp);
    if let Some(why) = world.inputs().invalid() {
        return Err(Unprepared::Inputs(why.to_owned()));
    }
    // The layer itself refuses an id that is invalid, with a reason.
    let gate: Option<GateId> = world.inputs().get("gate-id").and_then(|id| id.trim().parse().ok());
    let base = gate_folder(&temp, gate.as_ref());
    let (out, use_of) = match task {
        Task::Layer(layer) => (layer_folder(&base, layer)?, 1),
        Task::Run => own_folder(&base, task.as_str())?,
    };

    let attempt = world.var("GITHUB_RUN_ATTEMPT").and_then(|text| text.parse().ok()).unwrap_or(1);
    let shard = world.inputs().get("shard").and_then(|shard| shard.split('/').next()?.parse().ok());
    let name = |base| ArtifactName::for_attempt(base, gate.as_ref(), shard, attempt).of_use(use_of);
    let mut outputs = vec![
        ("out", out.to_string_lossy().into_owned()),
        ("from", base.join("from").to_string_lossy().into_owned()),
        ("artifact-name", name(ArtifactName::base_of(task.artifact())).into()),
    ];
    if task == Task::Layer(Layer::Execute) {
        outputs.push(("raw-artifact-name", name(ArtifactName::RAW).into()));
    }
    publish(world, &temp.join("pester-gate").join("bin"))?;
    Ok(runner::set_outputs(world, &outputs).map_err(|fault| anyhow!("{fault}"))?)
}

/// A new folder for a step: of several steps with one gate id in one job, each has its own.
fn own_folder(base: &Path, name: &str) -> Result<(PathBuf, u32)> {
    files::make_own_dir(base, name)
        .with_context(|| format!("cannot make a folder in {}", base.display()))
}

/// The folder of a layer. What an earlier step of the layer wrote is moved out of the way: later
/// layers must not read it.
fn layer_folder(base: &Path, layer: Layer) -> Result<PathBuf> {
    let folder = base.join(layer.as_str());
    if files::exists(&folder) {
        let of_gate = base.file_name().unwrap_or_default();
        let aside = base.with_file_name("superseded").join(of_gate);
        let (free, _) = own_folder(&aside, layer.as_str())?;
        files::move_folder(&folder, &free.join("files"))
            .with_context(|| format!("cannot move {}", folder.display()))?;
    }
    files::make_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Puts this program under its own name into a folder that holds nothing else, and the folder on
/// the PATH of the next steps.
fn publish(world: &World, folder: &Path) -> Result<()> {
    let program = world.program().context("cannot find this program")?;
    files::make_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let name = format!("pester-gate{}", std::env::consts::EXE_SUFFIX);
    let copy = folder.join(&name);
    files::copy_program(&program, &copy)
        .with_context(|| format!("cannot copy {} to {}", program.display(), copy.display()))?;
    runner::add_path(world, folder).map_err(|fault| anyhow!("{fault}"))
}

/// Where the receipts of a job lie that earlier steps of the same gate wrote or downloaded.
pub(crate) struct JobFolder {
    base: PathBuf,
}

impl JobFolder {
    /// The folder of this job, where this process is a step of an action.
    pub(crate) fn of(world: &World, gate: Option<&GateId>) -> Option<Self> {
        let temp = world.var("RUNNER_TEMP").filter(|_| world.inputs().are_given())?;
        Some(Self { base: gate_folder(&world.absolute(temp), gate) })
    }

    /// The receipt of a layer: what was downloaded, else what the step of the layer wrote.
    pub(crate) fn receipt(&self, layer: Layer) -> Option<PathBuf> {
        let name = receipt_file(layer)?;
        let from = self.base.join("from");
        let downloaded = files::list_folders(&from).into_iter().chain([from]);
        let written = self.base.join(layer.as_str());
        let folders = downloaded.chain([written]);
        folders.map(|folder| folder.join(name)).find(|path| files::exists(path))
    }

    /// Where post finds the receipts: what was downloaded, else what the steps of this job wrote.
    pub(crate) fn evidence(&self) -> PathBuf {
        let from = self.base.join("from");
        let folders = files::list_folders(&from);
        let has_execution = receipt_file(Layer::Execute).is_some_and(|name| {
            folders.iter().chain([&from]).any(|folder| files::exists(&folder.join(name)))
        });
        let is_empty = folders.is_empty() && files::list_names(&from).is_empty();
        let ran_here = files::is_dir(&self.base.join(Layer::Execute.as_str()));
        if !has_execution && (is_empty || ran_here) { self.base.clone() } else { from }
    }
}

/// The name of a layer's receipt.
fn receipt_file(layer: Layer) -> Option<&'static str> {
    CATALOGUE.iter().find(|(_, _, of)| *of == layer).map(|(_, name, _)| *name)
}

/// The words in the script of a step.
pub(crate) fn words(world: &World, script: &str) -> Result<Vec<String>> {
    let path = world.absolute(script);
    let bytes =
        files::read_bounded(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() {
        bail!("{} names no command", path.display());
    }
    Ok(words)
}
