//! Selection: exactly which test files run, with which dispatcher profile?
//!
//! It never probes the host and never runs a test.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::invocation::{self, Identity, Invocation, Outcome, ReceiptInput, Unreported};
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::discovery::{self, Digests, Found};
use crate::adapter::workspace::globs::Globs;
use crate::adapter::workspace::{files, git};
use crate::adapter::world::World;
use crate::domain::config::settings::ConfigFile;
use crate::domain::config::sourced::Source;
use crate::domain::config::{DispatcherKind, Pack, STANDARD_OUTPUT};
use crate::domain::receipt::RerunOf;
use crate::domain::receipt::{
    DispatcherProfile, Excluded, SelectedFile, Selection, SelectionReceipt, ShardRecord,
};
use crate::domain::run::ids::{ArtifactName, RelPath, Sha256};
use crate::domain::selection::integration::{self, Mode};
use crate::domain::selection::pattern::{self, Pattern};
use crate::domain::selection::plan::{self, Candidate, Rules};
use crate::domain::selection::{pack, profile, rerun};
use crate::domain::starter;
use crate::domain::verdict::classify::layer_status;
use crate::domain::verdict::fault::{Fault, ReceiptFault, Unconfigured, charge, good};
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};

/// What selection is asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Context's receipt.
    pub(crate) context: ReceiptInput,
    /// How long files took in an earlier run.
    pub(crate) durations: Durations,
}

/// How long each file took in an earlier run, in milliseconds; or why that could not be read.
pub(crate) type Durations = Result<BTreeMap<String, f64>, String>;

/// What was worked out, as far as it got.
#[derive(Default)]
struct Draft {
    selection: Selection,
    profile: Option<DispatcherProfile>,
    tree: Option<Sha256>,
    plan: Option<Sha256>,
    shards: Vec<ShardRecord>,
    /// What runs the tests, once that is settled.
    kind: Option<String>,
}

/// Runs the layer.
pub(crate) fn run(
    world: &World,
    invocation: &Invocation,
    request: Request,
) -> Result<Outcome, Unreported> {
    let mut identity = Identity::own(world, invocation);
    let mut findings = invocation.fact_findings(Layer::Selection);
    let mut parents = Vec::new();
    let mut draft = Draft::default();
    let chained = request.context.path.is_some() || world.under_actions();
    let none = BTreeMap::new();
    let durations = request.durations.as_ref().unwrap_or(&none);
    let consumed = if !findings.is_empty() {
        Err(None)
    } else if chained {
        invocation::consume_context(world, invocation, &request.context, &mut identity)
            .map(|c| parents.push(c.parent()))
            .map_err(Some)
    } else {
        Ok(())
    };
    let out = invocation.out_dir(&identity.run.0, identity.run.1);
    let consumed = consumed.map_err(|fault| fault.map(Fault::from));
    let selected = consumed
        .and_then(|()| same_checkout(world, invocation, &identity).map_err(Some))
        .and_then(|()| select(world, invocation, &out, durations, &mut draft).map_err(Some));
    match selected {
        Ok(()) => {
            let count = draft.selection.files.len();
            let detail = match invocation.settings.is_whole_command() {
                true => "the command runs as a whole".to_owned(),
                false => format!("{count} of {} files", count + draft.selection.excluded.len()),
            };
            findings.push(good(ReasonCode::SelectionReady, Layer::Selection, detail));
        }
        Err(Some(fault)) => findings.push(charge(&fault, Layer::Selection)),
        // What the runner said is among the findings already.
        Err(None) => {}
    }

    if let (Some(rerun), Some(kind)) = (&invocation.settings.rerun, &draft.kind) {
        let here = git::head(world, &invocation.root);
        let of = (identity.repository.as_ref(), kind.as_str());
        let differs = rerun::differs(&rerun.bundle, here.as_ref(), of, &draft.selection.files);
        findings.extend(differs.map(|fault| charge(&fault, Layer::Selection)));
    }

    if let (Err(why), 2..) = (&request.durations, invocation.settings.shards.value) {
        let finding = charge(&Fault::BaselineUnreadable(why.clone()), Layer::Selection);
        findings.push(finding.at_most(Severity::Warns));
    }

    let head = invocation::head(world, invocation, &identity, &mut findings, layer_status, parents);
    let mut receipt = SelectionReceipt::headed(head);
    receipt.rerun_of = invocation.settings.rerun.as_ref().map(|rerun| RerunOf {
        run_id: rerun.bundle.run_id.clone(),
        run_attempt: rerun.bundle.run_attempt,
        sha256: rerun.sha256.clone(),
        path: Some(invocation.redactor.mask_text(&rerun.path)),
    });
    receipt.selection = draft.selection;
    receipt.dispatcher_profile = draft.profile;
    receipt.test_tree_sha256 = draft.tree;
    receipt.plan_sha256 = draft.plan;
    receipt.shards = draft.shards;
    let status = invocation::status_word(&findings);
    let mut outcome = invocation::conclude(invocation, &out, &receipt, findings, status)?;
    let legs: Vec<String> =
        receipt.shards.iter().map(|shard| format!("{}/{}", shard.index, shard.of)).collect();
    outcome.outputs = vec![
        (
            "artifact-name",
            ArtifactName::for_attempt(
                ArtifactName::base_of(Layer::Selection),
                invocation.gate_id.as_ref(),
                None,
                identity.run.1,
            )
            .into(),
        ),
        ("matrix", serde_json::json!({ "shard": legs }).to_string()),
        ("count", receipt.selection.files.len().to_string()),
        ("plan-sha256", receipt.plan_sha256.map(String::from).unwrap_or_default()),
    ];
    Ok(outcome)
}

/// What would be selected, with nothing written and nothing started.
pub(crate) struct Preview {
    /// The files, and those that were left out.
    pub(crate) selection: Selection,
    /// The settings of the run.
    pub(crate) profile: DispatcherProfile,
}

/// Selects without a receipt.
pub(crate) fn preview(world: &World, invocation: &Invocation) -> Result<Preview, Fault> {
    let mut draft = Draft::default();
    select(world, invocation, &invocation.state, &BTreeMap::new(), &mut draft)?;
    let missing = || Fault::InternalError("a selection that is ready has no profile".to_owned());
    Ok(Preview { selection: draft.selection, profile: draft.profile.ok_or_else(missing)? })
}

/// The worktree is at the commit that context certified, as far as git tells.
fn same_checkout(world: &World, invocation: &Invocation, identity: &Identity) -> Result<(), Fault> {
    let (Some(found), Some(own)) = (identity.head_sha.clone(), git::head(world, &invocation.root))
    else {
        return Ok(());
    };
    if found == own {
        return Ok(());
    }
    Err(ReceiptFault::ForeignCommit { layer: Layer::Context, found: Some(found), own }.into())
}

fn select(
    world: &World,
    invocation: &Invocation,
    out: &Path,
    durations: &BTreeMap<String, f64>,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let settings = &invocation.settings;
    draft.selection.execution_pack = settings.pack.value.clone().unwrap_or_default();
    is_configured(invocation)?;
    let (pack, pack_source) = pack::resolve(&settings.packs, settings.pack.value.as_deref())?;
    let origin = settings.integration_mode.source.to_string();
    let asked = settings.integration_mode.value.as_deref().map(|word| (word, origin.as_str()));
    let (mode, mode_source) = integration::resolve(asked, |name| world.var(name))?;
    record_rules(invocation, &pack, pack_source, mode, mode_source, &mut draft.selection);
    let mut rules = rules(invocation, &pack, mode, &draft.selection)?;
    if settings.is_whole_command() {
        return select_command(invocation, &pack, mode, &rules, draft);
    }
    has_pattern(invocation, &rules)?;
    if settings.rerun.is_some() {
        // What narrowed the run that is repeated stands in its plan; here every test of the
        // checkout can be meant.
        (rules.include, rules.refine) = (Vec::new(), Vec::new());
    }

    let (tests_path, (found, links)) = match tests_path(invocation) {
        Ok(path) => {
            let found = walk(invocation, &path, out)?;
            (path, found)
        }
        // Files given by hand need no tests folder.
        Err(_) if rules.explicit_only => (invocation.root.clone(), Default::default()),
        Err(fault) => return Err(fault),
    };
    let (mut kind, candidates) = candidates(invocation, &tests_path, &found)?;
    if rules.explicit_only && settings.kind.value == DispatcherKind::Auto {
        let pesters = |file: &RelPath| file.as_str().to_lowercase().ends_with(".tests.ps1");
        let all = rules.explicit.iter().all(pesters);
        kind = if all { DispatcherKind::Pester } else { DispatcherKind::Scripts };
    }
    let profile = profile::resolve(settings, &pack, kind, mode)?;
    check_globs(&profile)?;
    speaks_no_secret(invocation, &profile)?;
    draft.profile = Some(profile);

    let mut choice = plan::choose(&candidates, &rules);
    if let Some(rerun) = &settings.rerun {
        rerun::narrow(&rerun.bundle, &mut choice)?;
    }
    if let Some(path) = choice.selected.iter().find(|path| invocation.redactor.is_in(path.as_str()))
    {
        let (path, why) =
            (invocation.redactor.mask_text(path.as_str()), "its name holds a secret".to_owned());
        return Err(Fault::TestFileUnusable { path, why });
    }
    draft.selection.excluded = choice.excluded.clone();
    draft.selection.excluded.extend(linked(invocation, &links)?);
    if settings.rerun.is_none() && !rules.explicit_only {
        draft.selection.excluded.extend(outside(invocation, &tests_path, &rules)?);
    }
    for excluded in &mut draft.selection.excluded {
        excluded.path = invocation.redactor.mask_text(&excluded.path);
    }
    let digests = discovery::hash_all(&found);
    draft.tree = discovery::tree_sha256(&found, &digests);
    if choice.selected.is_empty() {
        return Err(plan::empty(
            candidates.len(),
            &choice,
            &shown(&tests_path),
            &settings.tests_pattern.value,
        ));
    }
    draft.selection.files = digest_selected(invocation, &choice.selected, &found, &digests)?;
    draft.plan = Some(plan::plan_digest(&draft.selection.files));
    draft.shards = plan::shards(&draft.selection.files, settings.shards.value, durations);
    draft.kind = kind_word(kind);
    Ok(())
}

/// How many files outside of the tests path are listed.
const OUTSIDE_MOST: usize = 1000;

/// Files that are named like tests and lie outside of the tests path: the test runner would run
/// them, this configuration does not. Several configurations have a part of the repository each.
fn outside(
    invocation: &Invocation,
    tests_path: &Path,
    rules: &Rules,
) -> Result<Vec<Excluded>, Fault> {
    let settings = &invocation.settings;
    let is_only = !settings.has_siblings && invocation.is_main_configuration();
    if !settings.tests_pattern.is_set() || !is_only || tests_path == invocation.root {
        return Ok(Vec::new());
    }
    let patterns = pattern::parse_all("tests.pattern", &settings.tests_pattern.value)?;
    let folder = files::slashed(tests_path.strip_prefix(&invocation.root).unwrap_or(tests_path));
    let folder = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
    let is_outside = |path: &String| {
        !path.starts_with(&folder)
            && !is_built(path)
            && !starter::is_fixture(path)
            && patterns.iter().any(|pattern| pattern.matches_file(path, path))
            && !rules.exclude.iter().any(|pattern| pattern.matches_file(path, path))
    };
    let paths = discovery::survey(&invocation.root).unwrap_or_default().into_iter();
    let reason = || plan::OUTSIDE.to_owned();
    let excluded = paths.filter(is_outside).map(|path| Excluded { path, reason: reason() });
    Ok(excluded.take(OUTSIDE_MOST).collect())
}

/// Whether a file lies in a folder that builds fill.
fn is_built(path: &str) -> bool {
    path.split('/').any(|part| part == "build" || part == "dist")
}

/// A configuration that names a dispatcher or a pattern, or a command that was typed: nothing is
/// guessed.
fn is_configured(invocation: &Invocation) -> Result<(), Fault> {
    let settings = &invocation.settings;
    let typed =
        settings.kind.value == DispatcherKind::Command && settings.kind.source != Source::Default;
    let named = settings.kind.is_set() || settings.tests_pattern.is_set();
    let by_pack = settings.packs.iter().any(|pack| !pack.include.is_empty());
    match &settings.config {
        ConfigFile::Missing(searched) if !typed => {
            Err(Fault::Unconfigured(Unconfigured::File { searched: searched.clone() }))
        }
        ConfigFile::Read(file) if !named && !by_pack => {
            Err(Fault::Unconfigured(Unconfigured::Dispatcher { file: file.clone() }))
        }
        _ => Ok(()),
    }
}

/// Scripts and the files of a command are those that a pattern, a pack or a person names.
fn has_pattern(invocation: &Invocation, rules: &Rules) -> Result<(), Fault> {
    let settings = &invocation.settings;
    if settings.tests_pattern.is_set() || !rules.include.is_empty() || rules.explicit_only {
        return Ok(());
    }
    let file = match &settings.config {
        ConfigFile::Read(file) => file.clone(),
        ConfigFile::Missing(_) => "the command line".to_owned(),
    };
    match settings.kind.value {
        DispatcherKind::Scripts => {
            Err(Fault::Unconfigured(Unconfigured::PatternOfScripts { file }))
        }
        DispatcherKind::Command => Err(Fault::Unconfigured(Unconfigured::PatternOfFiles)),
        DispatcherKind::Auto | DispatcherKind::Pester => Ok(()),
    }
}

/// A command without `{files}` is the one unit of the plan: no file is looked for.
fn select_command(
    invocation: &Invocation,
    pack: &Pack,
    mode: Mode,
    rules: &Rules,
    draft: &mut Draft,
) -> Result<(), Fault> {
    let settings = &invocation.settings;
    let lists = [
        ("--file", &settings.files),
        ("--include", &settings.include),
        ("--exclude", &settings.exclude),
        ("--refine", &settings.refine),
    ];
    if let Some((flag, _)) = lists.into_iter().find(|(_, list)| list.is_set()) {
        let why = format!("{flag} has no effect: the command has no {{files}}");
        return Err(Fault::ProfileInvalid(why));
    }
    debug_assert!(rules.explicit.is_empty(), "--file was refused");
    let profile = profile::resolve(settings, pack, DispatcherKind::Command, mode)?;
    check_globs(&profile)?;
    speaks_no_secret(invocation, &profile)?;
    draft.profile = Some(profile);
    draft.plan = Some(plan::plan_digest(&[]));
    draft.shards = plan::shards(&[], 1, &BTreeMap::new());
    draft.kind = kind_word(DispatcherKind::Command);
    Ok(())
}

fn check_globs(profile: &DispatcherProfile) -> Result<(), Fault> {
    let globs: Vec<String> =
        profile.results.value.iter().filter(|glob| *glob != STANDARD_OUTPUT).cloned().collect();
    for (key, globs) in [("dispatcher.results", &globs), ("artifacts", &profile.artifacts.value)] {
        Globs::compile(globs).map_err(|why| Fault::ProfileInvalid(format!("{key}: {why}")))?;
    }
    Ok(())
}

fn kind_word(kind: DispatcherKind) -> Option<String> {
    serde_json::to_value(kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()))
}

/// What execute is to run stands in the receipt as it is, and in the argument list of a process
/// that others see.
fn speaks_no_secret(invocation: &Invocation, profile: &DispatcherProfile) -> Result<(), Fault> {
    let lists = [("before", &profile.before.value), ("after", &profile.after.value)];
    let commands =
        lists.into_iter().flat_map(|(key, commands)| commands.iter().map(move |argv| (key, argv)));
    let mut all = std::iter::once(("dispatcher.command", &profile.command.value)).chain(commands);
    match all.find(|(_, argv)| argv.iter().any(|argument| invocation.redactor.is_in(argument))) {
        Some((key, _)) => Err(Fault::ProfileInvalid(format!(
            "{key}: an argument holds a secret; let the command read it from its environment"
        ))),
        None => Ok(()),
    }
}

fn record_rules(
    invocation: &Invocation,
    pack: &Pack,
    source: &str,
    mode: Mode,
    mode_source: String,
    into: &mut Selection,
) {
    let settings = &invocation.settings;
    let mut effective = pack.include.clone();
    effective.extend(settings.include.value.iter().cloned());
    let mut exclude = pack.exclude.clone();
    exclude.extend(settings.exclude.value.iter().cloned());
    *into = Selection {
        execution_pack: pack.name.clone(),
        execution_pack_source: source.to_owned(),
        execution_pack_description: pack.description.clone(),
        integration_mode: mode.as_str().to_owned(),
        integration_mode_source: mode_source,
        base_include_patterns: pack.include.clone(),
        refine_include_patterns: settings.refine.value.clone(),
        include_patterns: effective.clone(),
        effective_include_patterns: effective,
        exclude_patterns: exclude,
        fixture_required: mode == Mode::Include,
        ..Selection::default()
    };
}

fn rules(
    invocation: &Invocation,
    pack: &Pack,
    mode: Mode,
    recorded: &Selection,
) -> Result<Rules, Fault> {
    let settings = &invocation.settings;
    let in_pack = |key: &str| format!("pack {} {key}", pack.name);
    // Each list is read on its own, so that a fault names the place where the pattern was written.
    pattern::parse_all(&in_pack("include"), &pack.include)?;
    pattern::parse_all(&in_pack("exclude"), &pack.exclude)?;
    let explicit = explicit_files(invocation)?;
    // A pack says what the host and the run need; which files run a person said.
    let typed_rules = settings.include.is_set();
    Ok(Rules {
        include: pattern::parse_all("include", &recorded.effective_include_patterns)?,
        refine: pattern::parse_all("refine", &settings.refine.value)?,
        exclude: pattern::parse_all("exclude", &recorded.exclude_patterns)?,
        integration: pattern::parse_all(
            "tests.integration.pattern",
            &settings.integration_pattern.value,
        )?,
        mode,
        explicit_only: !explicit.is_empty() && !typed_rules,
        explicit,
    })
}

/// What to say of a file that does not exist: another file of this name may be meant.
fn absent(invocation: &Invocation, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = discovery::survey(&invocation.root).unwrap_or_default();
    let alike = known.iter().find(|known| known.rsplit('/').next() == Some(name));
    match alike {
        Some(alike) => format!("the file does not exist; did you mean {alike}?"),
        None => format!("the file does not exist below {}", shown(&invocation.root)),
    }
}

/// The files given by `--file`: below the root, there, and files.
fn explicit_files(invocation: &Invocation) -> Result<Vec<RelPath>, Fault> {
    let check = |text: &String| {
        let missing = |why: String| Fault::TestFileMissing { path: text.clone(), why };
        // A backslash is a letter of a name where the file is there under it.
        let as_it_is = !cfg!(windows) && files::exists(&invocation.root.join(text));
        let slashed = if as_it_is { text.clone() } else { text.replace('\\', "/") };
        let below =
            Path::new(&slashed).strip_prefix(&invocation.root).map(shown).unwrap_or(slashed);
        let path: RelPath = below.parse().map_err(|error| missing(format!("{error}")))?;
        match files::stamp(&invocation.root.join(path.as_str())) {
            Some(_) => match files::open(&invocation.root.join(path.as_str())) {
                Ok(_) => Ok(path),
                Err(error) => Err(missing(error.to_string())),
            },
            None => Err(missing(absent(invocation, path.as_str()))),
        }
    };
    invocation.settings.files.value.iter().map(check).collect()
}

fn tests_path(invocation: &Invocation) -> Result<PathBuf, Fault> {
    let text = &invocation.settings.tests_path.value;
    let fault = |why: &str| Fault::TestsPathMissing { path: text.clone(), why: why.to_owned() };
    let slashed = text.replace('\\', "/");
    let below = if slashed.trim_end_matches('/') == "." {
        invocation.root.clone()
    } else {
        let path: RelPath =
            slashed.parse().map_err(|_| fault("it must be a folder below the root"))?;
        invocation.root.join(path.as_str())
    };
    if files::is_dir(&below) {
        return Ok(below);
    }
    Err(fault(if files::exists(&below) {
        "it is not a folder"
    } else {
        "the folder does not exist"
    }))
}

fn walk(
    invocation: &Invocation,
    tests_path: &Path,
    out: &Path,
) -> Result<(Vec<Found>, Vec<Found>), Fault> {
    discovery::walk(tests_path, &invocation.ours(out)).map_err(|error: io::Error| {
        Fault::TestFileUnusable { path: shown(tests_path), why: error.to_string() }
    })
}

/// The test files among what was found, and the dispatcher that runs them.
///
/// `auto` is Pester where its pattern matches anything. Where no pattern of the configuration's is
/// set, scripts and the files of a command are narrowed by `include`, or named by `--file`.
fn candidates(
    invocation: &Invocation,
    tests_path: &Path,
    found: &[Found],
) -> Result<(DispatcherKind, Vec<Candidate>), Fault> {
    let settings = &invocation.settings;
    let patterns = pattern::parse_all("tests.pattern", &settings.tests_pattern.value)?;
    let by_pattern =
        || found.iter().filter(|file| matches_name(&patterns, file)).collect::<Vec<_>>();
    let (kind, files) = match settings.kind.value {
        DispatcherKind::Command if !settings.tests_pattern.is_set() => {
            (DispatcherKind::Command, found.iter().collect())
        }
        DispatcherKind::Scripts if !settings.tests_pattern.is_set() => (
            DispatcherKind::Scripts,
            found.iter().filter(|file| discovery::is_runnable(&file.path)).collect(),
        ),
        DispatcherKind::Auto => match by_pattern() {
            files if !files.is_empty() => {
                (auto_kind(settings.tests_pattern.is_set(), &files), files)
            }
            files if settings.tests_pattern.is_set() || settings.kind.is_set() => {
                (DispatcherKind::Pester, files)
            }
            // Only a pack's or a typed `include` selects among these.
            _ => (
                DispatcherKind::Scripts,
                found.iter().filter(|file| discovery::is_runnable(&file.path)).collect(),
            ),
        },
        kind => (kind, by_pattern()),
    };
    let candidates = files
        .into_iter()
        .map(|file| candidate(invocation, tests_path, file))
        .collect::<Result<_, _>>()?;
    Ok((kind, candidates))
}

/// A pattern of the repository's own may well name scripts: Pester is meant where every file is
/// its.
fn auto_kind(own_pattern: bool, files: &[&Found]) -> DispatcherKind {
    let pesters =
        |file: &&Found| String::from_utf8_lossy(&file.below).to_lowercase().ends_with(".tests.ps1");
    if !own_pattern || files.iter().all(pesters) {
        DispatcherKind::Pester
    } else {
        DispatcherKind::Scripts
    }
}

/// Links that are called like tests: they are not followed, and that is said.
fn linked(invocation: &Invocation, links: &[Found]) -> Result<Vec<Excluded>, Fault> {
    let patterns = pattern::parse_all("tests.pattern", &invocation.settings.tests_pattern.value)?;
    let excluded = |link: &Found| Excluded {
        path: shown(link.path.strip_prefix(&invocation.root).unwrap_or(&link.path)),
        reason: "a link; links are not followed".to_owned(),
    };
    Ok(links.iter().filter(|link| matches_name(&patterns, link)).map(excluded).collect())
}

fn matches_name(patterns: &[Pattern], file: &Found) -> bool {
    let below = String::from_utf8_lossy(&file.below);
    patterns.iter().any(|pattern| pattern.matches_file(&below, &below))
}

fn candidate(invocation: &Invocation, tests_path: &Path, file: &Found) -> Result<Candidate, Fault> {
    let unusable = || Fault::TestFileUnusable {
        path: format!("{}/{}", shown(tests_path), String::from_utf8_lossy(&file.below)),
        why: "its name is not Unicode".to_owned(),
    };
    let below_tests = String::from_utf8(file.below.clone()).map_err(|_| unusable())?;
    let path = file
        .path
        .strip_prefix(&invocation.root)
        .ok()
        .and_then(files::slashed)
        .ok_or_else(unusable)?;
    Ok(Candidate { path, below_tests })
}

fn digest_selected(
    invocation: &Invocation,
    selected: &[RelPath],
    found: &[Found],
    digests: &[io::Result<Digests>],
) -> Result<Vec<SelectedFile>, Fault> {
    let known: std::collections::HashMap<&Path, &io::Result<Digests>> =
        found.iter().map(|file| file.path.as_path()).zip(digests).collect();
    selected
        .iter()
        .map(|path| {
            let absolute = invocation.root.join(path.as_str());
            let unusable = |why: &io::Error| Fault::TestFileUnusable {
                path: path.to_string(),
                why: why.to_string(),
            };
            let Digests { raw, text } = match known.get(absolute.as_path()) {
                Some(Ok(digests)) => digests.clone(),
                Some(Err(error)) => return Err(unusable(error)),
                // Given by --file from outside the tests path.
                None => discovery::hash_file(&absolute).map_err(|error| unusable(&error))?,
            };
            Ok(SelectedFile { path: path.clone(), sha256: raw, text_sha256: text })
        })
        .collect()
}
