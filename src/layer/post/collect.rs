//! Gathering the evidence: which receipt of each layer counts, whether it can be believed, and
//! whether the raw files are those that execute recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Request, tail};
use crate::adapter::dispatcher::pester;
use crate::adapter::journal;
use crate::adapter::receipt_store::{self, Loaded, shown};
use crate::adapter::results;
use crate::adapter::workspace::files;
use crate::adapter::world::World;
use crate::domain::receipt::{
    Accounted, Accounting, Classification, ContextReceipt, ExecutionReceipt, FileRecord, InFlight,
    LayerStatus, Parent, RawFile, ReadinessReceipt, Reason, Receipt, RouteReceipt,
    SelectionReceipt,
};
use crate::domain::results::counts::Counts;
use crate::domain::results::failure::Failure;
use crate::domain::results::test_list::Test;
use crate::domain::run::freshness::Expect;
use crate::domain::run::ids::{CommitSha, GateId, RelPath, RunId, Sha256};
use crate::domain::verdict::classify::{Evidence, ReceiptState, Verdict, read_back, unknown};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode, Severity};
use crate::layer::invocation::Invocation;

/// How many failures are told of, each with its message and the end of its output.
const FAILURES_TOLD: usize = 5000;

/// What was found.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) evidence: Evidence,
    pub(super) context: Option<Loaded<ContextReceipt>>,
    pub(super) selection: Option<Loaded<SelectionReceipt>>,
    /// One, or one per shard.
    pub(super) execution: Vec<Loaded<ExecutionReceipt>>,
    /// Status of each layer whose receipt was read or refused.
    pub(super) statuses: BTreeMap<Layer, String>,
    pub(super) execution_status: String,
    pub(super) parents: Vec<Parent>,
    pub(super) inputs: Vec<FileRecord>,
    pub(super) counts: Counts,
    pub(super) failures: Vec<Failure>,
    /// Every test that the reports name.
    pub(super) tests: Vec<Test>,
    /// When each layer began and ended, in milliseconds since 1970.
    pub(super) spans: Vec<(Layer, i64, i64)>,
    /// The end of the log that tells most; empty where nothing was printed, none where nobody
    /// knows.
    pub(super) log_end: Option<Vec<String>>,
    /// Readiness as execute had it.
    pub(super) readiness: Option<Loaded<ReadinessReceipt>>,
    pub(super) gate_notice: bool,
    pub(super) raw: &'static str,
    pub(super) raw_dirs: Vec<PathBuf>,
    /// Reasons that this version does not know.
    pub(super) unknown: Vec<Reason>,
    /// What was running when execute left no receipt, by its journal.
    pub(super) last_known: Option<InFlight>,
}

impl Collected {
    /// Whether some receipt gives this reason.
    pub(super) fn says(&self, code: ReasonCode) -> bool {
        let read = |state: &ReceiptState| {
            matches!(
                state,
                ReceiptState::Read { findings, .. } if findings.iter().any(|f| f.code() == code)
            )
        };
        self.evidence.receipt_states.values().any(read)
    }

    /// What the operator opens first: the deciding layer's receipt, else the raw results.
    pub(super) fn open_first(&self, verdict: &Verdict) -> Vec<String> {
        let role = verdict.failed_layer.map(|layer| format!("{layer}-receipt"));
        let mut files: Vec<String> = self
            .inputs
            .iter()
            .filter(|f| Some(&f.role) == role.as_ref())
            .map(|f| f.path.clone())
            .collect();
        if verdict.classification != Classification::Completed && files.is_empty() {
            files.extend(
                self.inputs.iter().filter(|f| f.role == "raw").take(3).map(|f| f.path.clone()),
            );
        }
        files
    }
}

/// What every receipt is held against.
struct Anchor {
    run: Option<(RunId, u32)>,
    head_sha: Option<CommitSha>,
    now: Timestamp,
    /// Which gate of the run this is.
    gate: Option<GateId>,
}

/// Gathers everything.
pub(super) fn collect(world: &World, invocation: &Invocation, request: &Request) -> Collected {
    let mut collected = Collected { raw: "not-requested", ..Collected::default() };
    collected.evidence.jobs = request.jobs.clone();
    collected.evidence.found.clone_from(&request.found);
    let (dir, gate) = (&request.receipts_dir, invocation.gate_id.as_ref());
    let executions = Executions::choose(invocation, request, all::<ExecutionReceipt>(dir, gate));
    // What the execution receipts that count name as parents vouches for those, and says which
    // count. One that is not what execute put out, or another run's, vouches for nothing.
    let own_run = |e: &&Loaded<ExecutionReceipt>| {
        invocation.facts.run.as_ref().is_none_or(|(run, _)| *run == e.receipt.run.run_id)
            && executions.unmatched.is_none()
    };
    let named: Vec<Parent> =
        executions.chosen.iter().filter(own_run).flat_map(|e| e.receipt.parents.clone()).collect();
    let now = match request.kind {
        super::Kind::LocalReplay { as_of: Some(then), .. } => then,
        _ => world.now(),
    };
    let anchor = anchor(invocation, now, &all::<ContextReceipt>(dir, gate), &executions, &named);

    let digests = &request.digests;
    take::<RouteReceipt>(&mut collected, dir, &anchor, digests.route.as_ref(), &named, |r| {
        r.status
    });
    collected.context = take(
        &mut collected,
        dir,
        &anchor,
        digests.context.as_ref(),
        &named,
        |r: &ContextReceipt| r.status,
    );
    collected.readiness = take(
        &mut collected,
        dir,
        &anchor,
        digests.preflight.as_ref(),
        &named,
        |r: &ReadinessReceipt| r.status,
    );
    collected.selection = take(
        &mut collected,
        dir,
        &anchor,
        digests.selection.as_ref(),
        &named,
        |r: &SelectionReceipt| r.status,
    );
    take_executions(&mut collected, request, executions, &anchor);
    check_raw(&mut collected, dir);
    if collected.execution.is_empty() {
        collected.last_known = tail::last_known(dir);
        for (_, path) in files::list(dir)
            .into_iter()
            .flatten()
            .filter(|(path, _)| path.file_name() == journal::FILE)
        {
            record_input(&mut collected, dir, &path, "journal", None);
        }
    }
    check_accounting(&mut collected);
    let in_flight = collected.execution.iter().find_map(|loaded| loaded.receipt.in_flight.as_ref());
    collected.log_end = tail::log_end(dir, in_flight.or(collected.last_known.as_ref()));
    collected
}

/// The execution receipts of a folder.
#[derive(Default)]
struct Executions {
    /// One, or the newest of each shard.
    chosen: Vec<Loaded<ExecutionReceipt>>,
    /// Whether there is one that cannot be read, and nothing vouches for those that can.
    broken: Option<ReceiptFault>,
    /// A digest that was put out and is no receipt's here.
    unmatched: Option<Sha256>,
}

impl Executions {
    fn choose(
        invocation: &Invocation,
        request: &Request,
        found: Vec<Result<Loaded<ExecutionReceipt>, ReceiptFault>>,
    ) -> Self {
        let given = &request.digests.execute;
        let fits = |(shard, digest): &(Option<u32>, Sha256), loaded: &Loaded<ExecutionReceipt>| {
            *digest == loaded.sha256 && (shard.is_none() || *shard == shard_index(&loaded.receipt))
        };
        let vouched =
            |loaded: &Loaded<ExecutionReceipt>| given.iter().any(|entry| fits(entry, loaded));
        let mut this = Self::default();
        let any_readable = found.iter().any(Result::is_ok);
        let mut readable = Vec::new();
        for loaded in found {
            match loaded {
                Ok(loaded) => readable.push(loaded),
                Err(fault) => this.broken = Some(fault),
            }
        }
        // A leg of which there is no receipt at all is missing, which is told elsewhere and says
        // more.
        let there = |shard: Option<u32>| {
            let of_leg = |loaded: &Loaded<ExecutionReceipt>| {
                let leg = shard_index(&loaded.receipt);
                shard.is_none() || leg.is_none() || leg == shard
            };
            this.broken.is_some() || readable.is_empty() || readable.iter().any(of_leg)
        };
        let unmatched = given
            .iter()
            .find(|entry| there(entry.0) && !readable.iter().any(|loaded| fits(entry, loaded)));
        this.unmatched = unmatched.map(|(_, digest)| digest.clone());
        if any_readable && !given.is_empty() && this.unmatched.is_none() {
            // Every receipt that was put out is here: what else lies about is history, or was
            // planted.
            this.broken = None;
            readable.retain(vouched);
        }
        // An earlier attempt's receipt for which nobody vouches is history where the attempt is
        // known.
        let own = invocation.facts.run.as_ref().map(|(_, attempt)| *attempt);
        if request.jobs.contains_key(&Layer::Execute) || readable.len() > 1 {
            readable.retain(|loaded| {
                vouched(loaded) || own.is_none_or(|own| loaded.receipt.run.run_attempt >= own)
            });
        }
        let age =
            |l: &Loaded<ExecutionReceipt>| (l.receipt.run.run_attempt, l.receipt.generated_at_utc);
        readable.sort_by_key(|loaded| std::cmp::Reverse(age(loaded)));
        for loaded in readable {
            // What was put out counts, each of it; of the others the newest of each shard.
            if vouched(&loaded)
                || !this.chosen.iter().any(|known| known.receipt.shard == loaded.receipt.shard)
            {
                this.chosen.push(loaded);
            }
        }
        this.chosen.sort_by_key(|loaded| loaded.receipt.shard.clone());
        this
    }
}

/// The K of a receipt's `K/N`.
fn shard_index(receipt: &ExecutionReceipt) -> Option<u32> {
    receipt.shard.as_ref()?.split('/').next()?.parse().ok()
}

/// Every receipt of one kind below the folder, readable or not.
/// The receipts of this layer and this gate: several gates of one run may lie in one folder. One
/// that cannot be read could be anybody's; the router stands before all gates.
fn all<R: Receipt>(dir: &Path, gate: Option<&GateId>) -> Vec<Result<Loaded<R>, ReceiptFault>> {
    let loaded =
        receipt_store::find::<R>(dir).into_iter().map(|path| receipt_store::load::<R>(&path, None));
    let own = |loaded: &Result<Loaded<R>, ReceiptFault>| {
        R::LAYER == Layer::Route
            || loaded.as_ref().map_or(true, |l| l.receipt.run().gate_id.as_ref() == gate)
    };
    loaded.filter(own).collect()
}

fn anchor(
    invocation: &Invocation,
    now: Timestamp,
    contexts: &[Result<Loaded<ContextReceipt>, ReceiptFault>],
    executions: &Executions,
    named: &[Parent],
) -> Anchor {
    let context = pick(contexts.iter().flatten().collect(), named);
    let run = invocation.facts.run.clone().or_else(|| {
        let run = context.map(|context| &context.receipt.run);
        let run = run.or_else(|| executions.chosen.first().map(|e| &e.receipt.run))?;
        Some((run.run_id.clone(), run.run_attempt))
    });
    let head_sha =
        invocation.facts.head_sha.clone().or_else(|| context?.receipt.run.head_sha.clone());
    Anchor { run, head_sha, now, gate: invocation.gate_id.clone() }
}

/// The one that an execution receipt names; without that the newest attempt, then the newest.
fn pick<'a, R: Receipt>(loaded: Vec<&'a Loaded<R>>, named: &[Parent]) -> Option<&'a Loaded<R>> {
    let is_named = |loaded: &&&Loaded<R>| named.iter().any(|parent| parent.sha256 == loaded.sha256);
    loaded.iter().find(is_named).copied().or_else(|| {
        loaded
            .iter()
            .max_by_key(|l| (l.receipt.run().run_attempt, l.receipt.generated_at()))
            .copied()
    })
}

/// Takes the receipt of one layer before execute into the evidence.
fn take<R: Receipt + Clone>(
    collected: &mut Collected,
    dir: &Path,
    anchor: &Anchor,
    digest: Option<&Sha256>,
    named: &[Parent],
    status: impl Fn(&R) -> LayerStatus,
) -> Option<Loaded<R>> {
    let found = all::<R>(dir, anchor.gate.as_ref());
    if found.is_empty() {
        return None;
    }
    let readable: Vec<&Loaded<R>> = found.iter().flatten().collect();
    let result = match (pick(readable.clone(), named), found.iter().find_map(|f| f.as_ref().err()))
    {
        (None, Some(fault)) => Err(fault.clone()),
        (None, None) => return None,
        (Some(chosen), broken) => believe(chosen, &readable, broken, digest, named, anchor),
    };
    let (state, word) = match &result {
        Ok(loaded) => {
            let status = status(&loaded.receipt);
            let stopped = status == LayerStatus::Blocked;
            collected.parents.push(loaded.parent());
            collected.spans.extend(span(&loaded.receipt));
            collected.unknown.extend(unknown(loaded.receipt.reasons()).cloned());
            (
                ReceiptState::Read {
                    findings: read_back(loaded.receipt.reasons(), stopped),
                    stopped,
                },
                status.as_str().to_owned(),
            )
        }
        Err(fault) => {
            let finding = charge(&Fault::from(fault.clone()), Layer::Post);
            let word = finding.code().to_string();
            (ReceiptState::Refused(finding), word)
        }
    };
    collected.evidence.receipt_states.insert(R::LAYER, state);
    collected.statuses.insert(R::LAYER, word);
    record_inputs::<R>(collected, dir);
    result.ok()
}

/// Checks the chosen receipt: digest, run, commit, clock.
fn believe<R: Receipt + Clone>(
    chosen: &Loaded<R>,
    readable: &[&Loaded<R>],
    broken: Option<&ReceiptFault>,
    digest: Option<&Sha256>,
    named: &[Parent],
    anchor: &Anchor,
) -> Result<Loaded<R>, ReceiptFault> {
    let of_kind: Vec<&Parent> = named.iter().filter(|parent| parent.schema == R::SCHEMA).collect();
    let is_named = of_kind.iter().any(|parent| parent.sha256 == chosen.sha256);
    // The digest that was put out must be some receipt's here; execute consumed exactly what it
    // named. Where the one that was meant is there and broken, that says more than the digest of
    // another.
    if let Some(digest) = digest
        && !readable.iter().any(|loaded| loaded.sha256 == *digest)
    {
        return Err(broken.cloned().unwrap_or_else(|| mismatch(chosen, digest)));
    }
    // Every leg of a matrix measured its own host; of what ran there is one.
    let same = R::LAYER != Layer::Preflight;
    let foreign = |parent: &&&Parent| {
        let there = readable.iter().any(|loaded| loaded.sha256 == parent.sha256);
        !there || (same && parent.sha256 != chosen.sha256)
    };
    if let Some(parent) = of_kind.iter().find(foreign) {
        return Err(broken.cloned().unwrap_or_else(|| mismatch(chosen, &parent.sha256)));
    }
    let vouched = is_named || digest == Some(&chosen.sha256);
    // Beside one that cannot be read, only what is vouched for counts: the other may be the one
    // that was meant.
    if let Some(broken) = broken.filter(|_| !vouched) {
        return Err(broken.clone());
    }
    let run = anchor.run.as_ref().map(|(run, attempt)| (run, *attempt));
    let expect = Expect { run, head_sha: anchor.head_sha.as_ref(), vouched, now: anchor.now };
    crate::domain::run::freshness::check(&chosen.receipt, &expect)?;
    Ok(chosen.clone())
}

fn span<R: Receipt>(receipt: &R) -> Option<(Layer, i64, i64)> {
    let from = receipt.started_at()?.as_millisecond();
    Some((R::LAYER, from, receipt.generated_at().as_millisecond().max(from)))
}

fn record_inputs<R: Receipt>(collected: &mut Collected, dir: &Path) {
    for path in receipt_store::find::<R>(dir) {
        record_input(collected, dir, &path, &format!("{}-receipt", R::LAYER), Some(R::SCHEMA));
    }
}

pub(super) fn record_input(
    collected: &mut Collected,
    dir: &Path,
    path: &Path,
    role: &str,
    schema: Option<&str>,
) {
    if let Ok((size_bytes, sha256)) = files::digest_file(path) {
        collected.inputs.push(FileRecord {
            role: role.to_owned(),
            path: shown(path.strip_prefix(dir).unwrap_or(path)),
            size_bytes,
            sha256,
            schema: schema.map(str::to_owned),
        });
    }
}

/// Takes the execution receipts that count into the evidence.
fn take_executions(
    collected: &mut Collected,
    request: &Request,
    executions: Executions,
    anchor: &Anchor,
) {
    "missing".clone_into(&mut collected.execution_status);
    record_inputs::<ExecutionReceipt>(collected, &request.receipts_dir);
    if let Some(fault) = executions.broken {
        refuse_execution(collected, fault);
        return;
    }
    if let Some(digest) = &executions.unmatched {
        let fault = match executions.chosen.first() {
            Some(chosen) => mismatch(chosen, digest),
            None => ReceiptFault::Missing {
                layer: Layer::Execute,
                path: format!("(none has sha256 {digest})"),
            },
        };
        refuse_execution(collected, fault);
        return;
    }
    if executions.chosen.is_empty() {
        return;
    }
    let (mut findings, mut stopped) = (Vec::new(), false);
    for loaded in executions.chosen {
        if let Err(fault) = believe_execution(&loaded, request, anchor) {
            refuse_execution(collected, fault);
            return;
        }
        let own_stopped = loaded.receipt.status != Classification::Completed;
        findings.extend(read_back(&loaded.receipt.reasons, own_stopped));
        collected.unknown.extend(unknown(&loaded.receipt.reasons).cloned());
        stopped |= own_stopped;
        collected.counts.merge(&loaded.receipt.counts);
        collected.gate_notice |= loaded.receipt.gate_notice;
        collected.parents.push(loaded.parent());
        collected.spans.extend(span(&loaded.receipt));
        collected.statuses.insert(Layer::Execute, loaded.receipt.status.as_str().to_owned());
        collected.execution.push(loaded);
    }
    collected
        .evidence
        .receipt_states
        .insert(Layer::Execute, ReceiptState::Read { findings, stopped });
    "ok".clone_into(&mut collected.execution_status);
    check_shards(collected);
}

fn mismatch<R: Receipt>(chosen: &Loaded<R>, expected: &Sha256) -> ReceiptFault {
    ReceiptFault::DigestMismatch {
        layer: R::LAYER,
        path: shown(&chosen.path),
        found: chosen.sha256.to_string(),
        expected: expected.to_string(),
    }
}

fn refuse_execution(collected: &mut Collected, fault: ReceiptFault) {
    let finding = charge(&Fault::from(fault), Layer::Post);
    finding.code().as_str().clone_into(&mut collected.execution_status);
    collected.statuses.insert(Layer::Execute, finding.code().to_string());
    collected.evidence.receipt_states.insert(Layer::Execute, ReceiptState::Refused(finding));
}

fn believe_execution(
    loaded: &Loaded<ExecutionReceipt>,
    request: &Request,
    anchor: &Anchor,
) -> Result<(), ReceiptFault> {
    let receipt = &loaded.receipt;
    let vouched = request.digests.execute.iter().any(|(_, digest)| *digest == loaded.sha256);
    let run = anchor.run.as_ref().map(|(run, attempt)| (run, *attempt));
    let expect = Expect { run, head_sha: anchor.head_sha.as_ref(), vouched, now: anchor.now };
    crate::domain::run::freshness::check(receipt, &expect)?;
    match contradiction(receipt) {
        Some(why) => Err(ReceiptFault::Corrupt {
            layer: Layer::Execute,
            path: shown(&loaded.path),
            why: why.to_owned(),
        }),
        None => Ok(()),
    }
}

/// What a receipt that says completed cannot say: one that contradicts itself is believed in
/// nothing.
fn contradiction(receipt: &ExecutionReceipt) -> Option<&'static str> {
    if receipt.status != Classification::Completed {
        return None;
    }
    let stops = |reason: &Reason| {
        let empty = [ReasonCode::ZeroTestsExecuted, ReasonCode::AllTestsSkipped];
        reason
            .code
            .known()
            .is_some_and(|code| code.row().severity >= Severity::Fails && !empty.contains(&code))
    };
    let parents: BTreeSet<&str> =
        receipt.parents.iter().map(|parent| parent.schema.as_str()).collect();
    let unfinished =
        |entry: &Accounting| matches!(entry.state, Accounted::NotReached | Accounted::FailedToLoad);
    if receipt.counts.failures() > 0 {
        Some("it says completed and counts failures")
    } else if receipt.reasons.first().is_some_and(stops) {
        Some("it says completed and its reason says otherwise")
    } else if receipt.outcome.as_ref().is_none_or(|outcome| outcome.kind != "exited") {
        Some("it says completed and its dispatcher did not exit by itself")
    } else if receipt.accounting.iter().any(unfinished) {
        Some("it says completed and a file was not reached or did not load")
    } else if receipt.files.is_empty() {
        Some("it says completed and lists no raw file")
    } else if [ContextReceipt::SCHEMA, ReadinessReceipt::SCHEMA, SelectionReceipt::SCHEMA]
        .iter()
        .any(|s| !parents.contains(s))
    {
        Some("it says completed and does not name its three parents")
    } else {
        None
    }
}

/// Every shard of the plan left a receipt, unless one receipt is for the whole plan.
fn check_shards(collected: &mut Collected) {
    let Some(selection) = &collected.selection else { return };
    if selection.receipt.shards.len() < 2
        || collected.execution.iter().any(|e| e.receipt.shard.is_none())
    {
        return;
    }
    let missing: Vec<Finding> = selection
        .receipt
        .shards
        .iter()
        .filter(|shard| {
            let name = format!("{}/{}", shard.index, shard.of);
            !collected.execution.iter().any(|e| e.receipt.shard.as_ref() == Some(&name))
        })
        .map(|shard| charge(&Fault::ShardMissing { index: shard.index, of: shard.of }, Layer::Post))
        .collect();
    collected.evidence.found.extend(missing);
}

/// The raw files are there and are those that execute recorded; their failures are read for the
/// report.
fn check_raw(collected: &mut Collected, dir: &Path) {
    let listed = files::list(dir);
    for at in 0..collected.execution.len() {
        let recorded = collected.execution[at].receipt.files.clone();
        if recorded.is_empty() {
            continue;
        }
        let Some(raw) = raw_dir(dir, &listed, &recorded, &collected.raw_dirs) else {
            collected.raw = "missing";
            let path = recorded[0].path.to_string();
            collected.evidence.found.push(charge(&Fault::RawArtifactMissing { path }, Layer::Post));
            continue;
        };
        collected.raw = "staged";
        for file in &recorded {
            if let Err(fault) = check_file(&raw, file) {
                collected.evidence.found.push(charge(&fault, Layer::Post));
            }
            record_input(collected, dir, &raw.join(file.path.as_str()), "raw", None);
        }
        read_failures(collected, &raw, &recorded);
        collected.raw_dirs.push(raw);
    }
}

/// The folder below which most of the recorded files are as recorded, or at least there.
fn raw_dir(
    dir: &Path,
    listed: &[Result<(RelPath, PathBuf), String>],
    recorded: &[RawFile],
    taken: &[PathBuf],
) -> Option<PathBuf> {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (path, _) in listed.iter().flatten() {
        for file in recorded {
            let folder = match path.as_str().strip_suffix(file.path.as_str()) {
                Some("") => dir.to_owned(),
                Some(folder) if folder.ends_with('/') => dir.join(folder.trim_end_matches('/')),
                _ => continue,
            };
            *folders.entry(folder).or_default() += 1;
        }
    }
    // Another leg's folder is not this one's, however alike the names.
    folders.retain(|folder, _| !taken.contains(folder));
    let most = folders.values().max().copied()?;
    let best: Vec<PathBuf> =
        folders.into_iter().filter(|(_, count)| *count == most).map(|(folder, _)| folder).collect();
    // Legs of a matrix hold files of the same names: there the digests tell.
    let fitting = |folder: &&PathBuf| recorded.iter().all(|file| check_file(folder, file).is_ok());
    best.iter().find(fitting).or_else(|| best.first()).cloned()
}

fn check_file(raw: &Path, file: &RawFile) -> Result<(), Fault> {
    let path = file.path.to_string();
    match files::digest_file(&raw.join(file.path.as_str())) {
        Ok((size, _)) if size != file.size => Err(Fault::RawArtifactAltered {
            path,
            why: format!("it has {size} bytes, execute recorded {}", file.size),
        }),
        Ok((_, sha256)) if sha256 != file.sha256 => Err(Fault::RawArtifactAltered {
            path,
            why: format!("its sha256 is {sha256}, execute recorded {}", file.sha256),
        }),
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::RawArtifactMissing { path }),
    }
}

fn read_failures(collected: &mut Collected, raw: &Path, recorded: &[RawFile]) {
    // A run's own reports; what it copied as an artifact may be anybody's.
    let is_report = |file: &&RawFile| {
        let path = file.path.as_str();
        path.starts_with("reports/") || (path.ends_with(".junit.xml") && !path.contains('/'))
    };
    let is_run = |file: &&RawFile| {
        file.path.file_name() == pester::RUN_FILE && file.path.as_str().starts_with("pester/")
    };
    for file in recorded.iter().filter(is_run) {
        let (failures, tests) = pester::recorded(&raw.join(file.path.as_str()));
        collected.failures.extend(failures);
        collected.tests.extend(tests);
    }
    for file in recorded.iter().filter(is_report) {
        if let Ok(reading) = results::list(&raw.join(file.path.as_str())) {
            collected.failures.extend(reading.failures.iter().map(Failure::of));
            collected.tests.extend(reading.tests.unwrap_or_default());
        }
    }
    collected.failures.truncate(FAILURES_TOLD);
}

/// Every selected file stands in some accounting.
fn check_accounting(collected: &mut Collected) {
    let (Some(selection), false) = (&collected.selection, collected.execution.is_empty()) else {
        return;
    };
    if collected.execution.iter().any(|e| e.receipt.status != Classification::Completed) {
        return;
    }
    let accounted: std::collections::BTreeSet<&RelPath> = collected
        .execution
        .iter()
        .flat_map(|e| e.receipt.accounting.iter().map(|entry| &entry.path))
        .collect();
    let missing: Vec<Finding> = selection
        .receipt
        .selection
        .files
        .iter()
        .filter(|file| !accounted.contains(&file.path))
        .map(|file| {
            charge(&Fault::TestFileNotAccounted { path: file.path.to_string() }, Layer::Post)
        })
        .collect();
    // With a shard missing its files are missing too; the shard is the reason.
    if !collected.evidence.found.iter().any(|f| f.code() == ReasonCode::ShardMissing) {
        collected.evidence.found.extend(missing.into_iter().take(1));
    }
}
