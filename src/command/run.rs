//! `run`: all layers here, in order, in one folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapter::receipt_store::shown;
use crate::adapter::runs::{self, RUNS};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::config::typed::Typed;
use crate::domain::receipt::JobResult;
use crate::domain::verdict::classify::Job;
use crate::domain::verdict::fault::Fault;
use crate::domain::verdict::reason::{Layer, Severity};
use crate::layer::invocation::{self, Ending, Invocation, Outcome, ReceiptInput, Unreported};
use crate::layer::{context, execute, post, preflight, selection};
use crate::report::text::layer_line;

/// What `run` came to.
pub(crate) struct RunOutcome {
    /// Post's outcome: the verdict.
    pub(crate) post: Outcome,
    /// The plain report.
    pub(crate) text: String,
}

/// What `run` is asked.
pub(crate) struct Request {
    /// Of context.
    pub(crate) context: context::Request,
    /// Whether the caller asked to continue.
    pub(crate) continue_on_failure: bool,
    /// What the run is compared with.
    pub(crate) against: post::Against,
    /// How long files took in an earlier run.
    pub(crate) durations: selection::Durations,
    /// What was typed.
    pub(crate) typed: Typed,
    /// Whether its files are never removed by rule.
    pub(crate) keep: bool,
}

/// Runs all layers. `say` is given a line for each as it ends.
pub(crate) fn run(
    world: &World,
    mut invocation: Invocation,
    request: Request,
    say: &dyn Fn(&str),
) -> Result<RunOutcome, Unreported> {
    let (run, attempt) =
        invocation.facts.run.clone().unwrap_or_else(|| (invocation::local_run(world), 1));
    invocation.facts.run = Some((run.clone(), attempt));
    let by_rule = invocation.out.is_none();
    let base = invocation.out.take().unwrap_or_else(|| invocation.state.join(RUNS));
    let folder = match own_folder(&base, run.as_str(), attempt) {
        Ok(folder) => folder,
        Err(error) => {
            // The first layer is the one that has nowhere to write.
            let fault = Fault::OutputUnwritable(format!("{}: {error}", shown(&base)));
            return Err(Unreported { layer: Layer::Context, fault });
        }
    };
    // What somebody asked to be written elsewhere is theirs to remove.
    let name =
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|_| by_rule);
    let (repository, root) = (invocation.repository_key(world), shown(&invocation.root));
    let in_progress = name
        .map(|name| runs::begin(world, &invocation.state, &name, &repository, &root, request.keep));
    invocation.runs = Some(files::canonical(&base));
    invocation.out = Some(folder.clone());

    let mut jobs = BTreeMap::new();
    let mut digests = post::Digests::default();
    let Request { context, continue_on_failure, against, durations, typed, .. } = request;
    let typed = typed.masked(&|text| invocation.redactor.mask_text(text));
    let ran = layers(world, &invocation, (context, durations), &mut jobs, &mut digests, say);
    invocation.progress.done();
    ran?;
    let request = post::Request {
        receipts_dir: folder.clone(),
        jobs,
        digests,
        continue_on_failure,
        found: invocation.fact_findings(Layer::Post),
        against,
        classes: invocation.settings.classes.clone(),
        typed: Some(typed),
        ..post::Request::default()
    };
    let post = post::run(world, &invocation, &request)?;
    if in_progress.is_some() {
        let removed = runs::prune(world, &invocation.state);
        tracing::info!("{} earlier runs were removed by rule", removed.len());
    }
    drop(in_progress);
    Ok(RunOutcome { post: post.outcome, text: post.text })
}

/// Context; preflight and selection, both, whatever the other says; execute if neither blocked.
fn layers(
    world: &World,
    invocation: &Invocation,
    (request, durations): (context::Request, selection::Durations),
    jobs: &mut BTreeMap<Layer, Job>,
    digests: &mut post::Digests,
    say: &dyn Fn(&str),
) -> Result<(), Unreported> {
    let mut done = |outcome: &Outcome| {
        let result =
            if outcome.ending == Ending::Good { JobResult::Success } else { JobResult::Failure };
        // Execute's job is not told: its receipt says more than success or failure does.
        if outcome.layer != Layer::Execute {
            let reason = outcome.findings.first().map(crate::domain::verdict::fault::Finding::code);
            jobs.insert(outcome.layer, Job { result, reason });
        }
        // What stops a layer is the verdict's to say.
        let detail =
            outcome.findings.first().filter(|finding| finding.severity() == Severity::Informs);
        let detail = detail.map(|finding| finding.detail().to_owned()).unwrap_or_default();
        let digest = Some(outcome.written.sha256.clone());
        match outcome.layer {
            Layer::Context => digests.context = digest,
            Layer::Preflight => digests.preflight = digest,
            Layer::Selection => digests.selection = digest,
            _ => digests.execute = digest.into_iter().map(|digest| (None, digest)).collect(),
        }
        let detail = invocation.redactor.mask_text(&detail);
        // A warning that stops nothing is told with the verdict, where the reader can act on it.
        let status = if outcome.status == "warning" { "ready" } else { outcome.status };
        say(&layer_line(outcome.layer, status, detail.trim_end_matches([':', ' '])));
        result == JobResult::Success
    };
    let receipt_input = |outcome: &Outcome| ReceiptInput {
        path: Some(outcome.written.path.clone()),
        sha256: Some(outcome.written.sha256.clone()),
    };
    invocation.progress.now("context");
    let context = context::run(world, invocation, request)?;
    if !done(&context) {
        return Ok(());
    }
    invocation.progress.now("preflight");
    let preflight =
        preflight::run(world, invocation, preflight::Request { context: receipt_input(&context) })?;
    let ready = done(&preflight);
    invocation.progress.now("selection");
    let selection = selection::run(
        world,
        invocation,
        selection::Request { context: receipt_input(&context), durations },
    )?;
    if !done(&selection) || !ready {
        return Ok(());
    }
    invocation.progress.now("execute");
    let request = execute::Request {
        context: receipt_input(&context),
        preflight: receipt_input(&preflight),
        selection: receipt_input(&selection),
        ..execute::Request::default()
    };
    done(&execute::run(world, invocation, request)?);
    Ok(())
}

/// A new folder for this run below `base`: two runs of one workflow attempt never share one,
/// however close together they begin.
fn own_folder(base: &Path, run: &str, attempt: u32) -> std::io::Result<PathBuf> {
    let name = if attempt > 1 { format!("{run}-a{attempt}") } else { run.to_owned() };
    files::make_own_dir(base, &name).map(|(folder, _)| files::canonical(&folder))
}
