//! `replay DIR`: the evidence of a run that is over, made again from what was kept of it. Nothing
//! is dispatched and nothing in the folder is changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::adapter::journal;
use crate::adapter::receipt_store::{self, Loaded, shown};
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::receipt::{
    CATALOGUE, ContextReceipt, ExecutionReceipt, OperatorOutcome, Provenance, ReadinessReceipt,
    Reason, Receipt, RouteReceipt, SelectionReceipt,
};
use crate::domain::results::triage::{self, Triage};
use crate::domain::run::ids::{GateId, Sha256};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode};
use crate::layer::invocation::{Ending, Invocation, Outcome, Unreported};
use crate::layer::post;

/// What a replay came to.
pub(crate) struct Replayed {
    /// Post's outcome: the verdict.
    pub(crate) post: Outcome,
    /// The plain report.
    pub(crate) text: String,
    /// Where the evidence is.
    pub(crate) folder: PathBuf,
    /// Whether the verdict is that of the retained evidence; none where there was none.
    pub(crate) same_verdict: Option<bool>,
}

/// Makes the evidence again.
pub(crate) fn replay(
    world: &World,
    mut invocation: Invocation,
    dir: &Path,
) -> Result<Result<Replayed, Unreported>> {
    if !files::is_dir(dir) {
        bail!("{} is not a folder", shown(dir));
    }
    let dir = files::canonical(dir);
    // A run of ours is ours, whatever else its tests left.
    let of_ours =
        [Provenance::FILE, ContextReceipt::FILE, ReadinessReceipt::FILE, SelectionReceipt::FILE];
    let ours = of_ours.iter().any(|name| !receipt_store::named(&dir, name).is_empty());
    let predecessor = if ours { None } else { post::predecessor(&dir) };
    let mut request = match predecessor {
        Some(request) => {
            // This job's run is not the one that is told of.
            invocation.facts = Default::default();
            request
        }
        None => retained(&dir, &mut invocation)?,
    };
    let folder = new_folder(world, &invocation, &dir, &mut request)?;
    invocation.out = Some(folder.clone());
    let mut post = match post::run(world, &invocation, &request) {
        Ok(post) => post,
        Err(unreported) => return Ok(Err(unreported)),
    };
    // What was red is not green because something is not here that was there: a variable, a file of
    // post's own.
    if post.same_verdict == Some(false) && post.outcome.ending == Ending::Good {
        let path = shown(&dir.join(OperatorOutcome::FILE));
        let why = "the evidence that was kept says otherwise than what it was made from".to_owned();
        request.found.push(charged(ReceiptFault::Corrupt { layer: Layer::Post, path, why }));
        post = match post::run(world, &invocation, &request) {
            Ok(post) => post,
            Err(unreported) => return Ok(Err(unreported)),
        };
    }
    Ok(Ok(Replayed {
        post: post.outcome,
        text: post.text,
        folder,
        same_verdict: post.same_verdict,
    }))
}

/// A folder of its own, neither in what was kept nor around it.
fn new_folder(
    world: &World,
    invocation: &Invocation,
    dir: &Path,
    request: &mut post::Request,
) -> Result<PathBuf> {
    let base = invocation.out.clone().unwrap_or_else(|| invocation.state.join("replays"));
    let base = world.absolute(base);
    // Before anything is made: its nearest folder that is there says where it would lie.
    let there = base.ancestors().find(|folder| files::exists(folder)).map(files::canonical);
    let around = |base: &Path| dir.starts_with(base) && invocation.out.is_some();
    if there.is_some_and(|there| there.starts_with(dir)) || around(&files::canonical(&base)) {
        bail!(
            "--out {} and the folder that is replayed lie in one another; name another",
            shown(&base)
        );
    }
    files::make_dir(&base).with_context(|| shown(&base))?;
    let base = files::canonical(&base);
    request.receipts_dir = dir.to_owned();
    if invocation.out.is_some() {
        return Ok(base);
    }
    for n in 1..10_000u32 {
        let folder = base.join(n.to_string());
        match files::make_new_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| shown(&folder)),
        }
    }
    bail!("{} is full", shown(&base))
}

/// The request that the retained evidence was made from, with what is wrong with what was kept.
fn retained(dir: &Path, invocation: &mut Invocation) -> Result<post::Request> {
    let found: Vec<Result<Loaded<Provenance>, ReceiptFault>> =
        receipt_store::find::<Provenance>(dir)
            .iter()
            .map(|path| receipt_store::load(path, None))
            .collect();
    let provenance = match choose(&found, invocation.gate_id.as_ref())? {
        Some(provenance) => provenance,
        None => {
            let any_receipt = CATALOGUE.iter().any(|(_, file, _)| {
                files::list(dir).iter().flatten().any(|(path, _)| path.file_name() == *file)
            });
            if !any_receipt {
                bail!("{} holds no receipt and no evidence of a run", shown(dir));
            }
            let path = shown(&dir.join(Provenance::FILE));
            let missing = ReceiptFault::Missing { layer: Layer::Post, path };
            let fault = found.into_iter().find_map(Result::err).unwrap_or(missing);
            let kind = post::Kind::LocalReplay { as_of: None, retained: None };
            invocation.facts = Default::default();
            return Ok(post::Request {
                found: vec![charged(fault)],
                kind,
                ..post::Request::default()
            });
        }
    };
    let receipt = &provenance.receipt;
    if let Some(fault) = foreign(dir, receipt) {
        let kind = post::Kind::LocalReplay { as_of: None, retained: None };
        invocation.facts = Default::default();
        return Ok(post::Request { found: vec![charged(fault)], kind, ..post::Request::default() });
    }
    let Some(stored) = &receipt.request else {
        invocation.facts = Default::default();
        let (path, why) =
            (shown(&provenance.path), "it does not hold the request of post".to_owned());
        let found = vec![charged(ReceiptFault::Corrupt { layer: Layer::Post, path, why })];
        let kind = post::Kind::LocalReplay { as_of: None, retained: None };
        return Ok(post::Request { found, kind, ..post::Request::default() });
    };
    let run = &receipt.run;
    invocation.facts = crate::adapter::runner::Facts {
        run: stored.run_id.clone().zip(stored.run_attempt),
        workflow: run.workflow.clone(),
        job: run.job.clone(),
        event_name: run.event_name.clone(),
        head_sha: stored.head_sha.clone(),
        head_ref: run.head_ref.clone(),
        base_ref: run.base_ref.clone(),
        ..Default::default()
    };
    invocation.host = receipt.host.clone();
    invocation.gate_id = run.gate_id.clone();
    let mut request = post::Request::again(stored, dir.to_owned());
    request.found.extend(altered(dir, provenance.path.parent(), receipt).into_iter().map(charged));
    if let Some(output) = receipt.derived_outputs.iter().find(|output| output.role == "triage") {
        match retained_triage(dir, &output.sha256) {
            Some(triage) => request.against = post::Against::Retained(Box::new(triage)),
            // What the comparison said of the number of tests may have decided.
            None => {
                let path = shown(&dir.join(triage::FILE));
                request.found.push(charged(ReceiptFault::Missing { layer: Layer::Post, path }));
            }
        }
    }
    request.found.extend(journals_altered(dir, receipt));
    let retained = stored_in_the_outcome(dir, receipt, stored.continue_on_failure);
    // One that was changed is told by its digest.
    let known_already =
        request.found.iter().any(|finding| finding.code() == ReasonCode::ReceiptDigestMismatch);
    request.found.extend(retained.as_ref().err().filter(|_| !known_already).cloned().map(charged));
    request.kind =
        post::Kind::LocalReplay { as_of: Some(receipt.generated_at_utc), retained: retained.ok() };
    Ok(request)
}

/// What the operator was told, which must be what the provenance says: the one lists the other with
/// its digest.
fn stored_in_the_outcome(
    dir: &Path,
    provenance: &Provenance,
    continues: bool,
) -> Result<post::Retained, ReceiptFault> {
    let missing = || ReceiptFault::Missing {
        layer: Layer::Post,
        path: shown(&dir.join(OperatorOutcome::FILE)),
    };
    let output = provenance.derived_outputs.iter().find(|output| output.role == "operator-outcome");
    let output = output.ok_or_else(missing)?;
    let is_it =
        |path: &PathBuf| files::digest_file(path).is_ok_and(|(_, digest)| digest == output.sha256);
    let path =
        receipt_store::find::<OperatorOutcome>(dir).into_iter().find(is_it).ok_or_else(missing)?;
    let outcome = receipt_store::load::<OperatorOutcome>(&path, None)?.receipt;
    let codes =
        |reasons: &[Reason]| reasons.iter().map(|reason| reason.code.0.clone()).collect::<Vec<_>>();
    let compared = provenance.derived_outputs.iter().any(|output| output.role == "triage");
    let kept = path.parent().is_some_and(|folder| files::exists(&folder.join(triage::FILE)));
    let agrees = outcome.status == provenance.status
        && codes(&outcome.reasons) == codes(&provenance.reasons)
        && outcome.continue_on_error == continues
        && (compared || !kept);
    if !agrees {
        let why = "the provenance says otherwise than the outcome beside it".to_owned();
        return Err(ReceiptFault::Corrupt { layer: Layer::Post, path: shown(&path), why });
    }
    Ok(post::Retained {
        status: outcome.status,
        codes: codes(&outcome.reasons),
        gate: outcome.gate_status,
    })
}

/// The comparison as it was kept.
fn retained_triage(dir: &Path, sha256: &Sha256) -> Option<Triage> {
    let mut named = receipt_store::named(dir, triage::FILE).into_iter();
    let path =
        named.find(|path| files::digest_file(path).is_ok_and(|(_, digest)| digest == *sha256))?;
    serde_json::from_slice(&files::read_bounded(&path).ok()?).ok()
}

/// The evidence that counts: of the gate that was asked for, of the newest attempt, the newest.
fn choose<'a>(
    found: &'a [Result<Loaded<Provenance>, ReceiptFault>],
    gate: Option<&GateId>,
) -> Result<Option<&'a Loaded<Provenance>>> {
    let own = |loaded: &&Loaded<Provenance>| {
        gate.is_none() || loaded.receipt.run.gate_id.as_ref() == gate
    };
    let mut readable: Vec<&Loaded<Provenance>> = found.iter().flatten().filter(own).collect();
    readable
        .sort_by_key(|loaded| (loaded.receipt.run.run_attempt, loaded.receipt.generated_at_utc));
    if let [first, rest @ ..] = readable.as_slice()
        && rest.iter().any(|other| other.receipt.run.gate_id != first.receipt.run.gate_id)
    {
        bail!("the folder holds evidence of several gates; name one with --gate-id");
    }
    Ok(readable.pop())
}

/// Receipts that are not those that the evidence was made from, and files of the evidence that were
/// changed since. Raw files are held against the execution receipt by post itself.
fn altered(dir: &Path, beside: Option<&Path>, provenance: &Provenance) -> Vec<ReceiptFault> {
    let mut faults = Vec::new();
    let gate = provenance.run.gate_id.as_ref();
    faults.extend(receipts_altered::<RouteReceipt>(dir, provenance, gate));
    faults.extend(receipts_altered::<ContextReceipt>(dir, provenance, gate));
    faults.extend(receipts_altered::<ReadinessReceipt>(dir, provenance, gate));
    faults.extend(receipts_altered::<SelectionReceipt>(dir, provenance, gate));
    faults.extend(receipts_altered::<ExecutionReceipt>(dir, provenance, gate));
    // What was not kept is made again; what was kept must be what was made. It lies beside the
    // provenance: elsewhere in the folder may be evidence of another gate, or of an earlier
    // attempt.
    for output in &provenance.derived_outputs {
        let Some(path) = beside.map(|folder| folder.join(&output.path)) else { continue };
        if let Ok((_, found)) = files::digest_file(&path)
            && found != output.sha256
        {
            faults.push(mismatch(Layer::Post, &shown(&path), &found, &output.sha256));
        }
    }
    faults
}

/// Journals of a run whose execute left no receipt: nothing else says what they were.
fn journals_altered(dir: &Path, provenance: &Provenance) -> Vec<Finding> {
    let listed = files::list(dir)
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.file_name() == journal::FILE);
    let here: Vec<Sha256> =
        listed.filter_map(|(_, path)| Some(files::digest_file(&path).ok()?.1)).collect();
    let recorded = provenance.source_inputs.iter().filter(|input| input.role == "journal");
    let lost = recorded.filter(|input| !here.contains(&input.sha256)).map(|input| {
        let path = input.path.clone();
        match files::exists(&dir.join(&path)) {
            true => Fault::RawArtifactAltered {
                path,
                why: "it is not the journal that post read".to_owned(),
            },
            false => Fault::RawArtifactMissing { path },
        }
    });
    lost.map(|fault| charge(&fault, Layer::Post)).collect()
}

/// Evidence of another run than every receipt beside it: then it is the evidence that does not
/// belong here.
fn foreign(dir: &Path, provenance: &Provenance) -> Option<ReceiptFault> {
    fn of<R: Receipt>(dir: &Path) -> Vec<String> {
        let loaded = receipt_store::find::<R>(dir)
            .into_iter()
            .filter_map(|path| receipt_store::load::<R>(&path, None).ok());
        loaded.map(|loaded| loaded.receipt.run().run_id.to_string()).collect()
    }
    let own = provenance.run.run_id.to_string();
    let (before, after) =
        ([of::<ContextReceipt>(dir), of::<ReadinessReceipt>(dir)], of::<ExecutionReceipt>(dir));
    let runs = [before.concat(), of::<SelectionReceipt>(dir), after].concat();
    let found = runs
        .first()
        .filter(|first| runs.len() > 1 && runs.iter().all(|run| run == *first && *run != own))?;
    Some(ReceiptFault::ForeignRun { layer: Layer::Post, found: own, own: found.clone() })
}

fn receipts_altered<R: Receipt>(
    dir: &Path,
    provenance: &Provenance,
    gate: Option<&GateId>,
) -> Vec<ReceiptFault> {
    let role = format!("{}-receipt", R::LAYER);
    let recorded: Vec<_> =
        provenance.source_inputs.iter().filter(|input| input.role == role).collect();
    let of_gate = |path: &PathBuf| {
        let other = receipt_store::load::<R>(path, None)
            .is_ok_and(|l| l.receipt.run().gate_id.as_ref() != gate);
        R::LAYER == Layer::Route || !other
    };
    let here: Vec<(String, Sha256)> = receipt_store::find::<R>(dir)
        .into_iter()
        .filter(of_gate)
        .filter_map(|path| Some((shown(&path), files::digest_file(&path).ok()?.1)))
        .collect();
    let mut faults = Vec::new();
    for input in &recorded {
        if here.iter().any(|(_, digest)| *digest == input.sha256) {
            continue;
        }
        let stranger =
            here.iter().find(|(_, digest)| recorded.iter().all(|other| other.sha256 != *digest));
        faults.push(match stranger {
            Some((path, found)) => mismatch(R::LAYER, path, found, &input.sha256),
            None => ReceiptFault::Missing { layer: R::LAYER, path: shown(&dir.join(&input.path)) },
        });
    }
    let known = |digest: &Sha256| recorded.iter().any(|input| input.sha256 == *digest);
    if faults.is_empty()
        && let Some((path, _)) = here.iter().find(|(_, digest)| !known(digest))
    {
        let (path, why) =
            (path.clone(), "it is none of those that the evidence was made from".to_owned());
        faults.push(ReceiptFault::Corrupt { layer: R::LAYER, path, why });
    }
    faults
}

fn mismatch(layer: Layer, path: &str, found: &Sha256, expected: &Sha256) -> ReceiptFault {
    let (path, found, expected) = (path.to_owned(), found.to_string(), expected.to_string());
    ReceiptFault::DigestMismatch { layer, path, found, expected }
}

fn charged(fault: ReceiptFault) -> Finding {
    charge(&Fault::from(fault), Layer::Post)
}
