//! From what was collected to what it means: failures digested, every test listed, the run compared
//! with a baseline and with the host's last green one.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use super::collect::Collected;
use super::run_report::pack_of;
use super::{Against, Request};
use crate::adapter::receipt_store::{self, shown};
use crate::adapter::workspace::files;
use crate::adapter::workspace::sources::Checkout;
use crate::adapter::world::World;
use crate::domain::receipt::SinceGreen;
use crate::domain::receipt::{Accounted, Classification, ExecutionReceipt};
use crate::domain::results::failure::{ClassRules, Settled, Sources};
use crate::domain::results::since_green;
use crate::domain::results::test_list::{self, TestList};
use crate::domain::results::triage::{self, FloorRule, Triage};
use crate::domain::run::ids::GateId;
use crate::domain::verdict::classify::Verdict;
use crate::domain::verdict::fault::{Fault, Finding, charge};
use crate::domain::verdict::reason::{Layer, Severity};
use crate::layer::invocation::{Identity, Invocation};
use crate::report::again::Replay;

/// Failures and tests as they are told: masked, their places told from the root, their classes by
/// the rules.
pub(super) fn digest(
    invocation: &Invocation,
    request: &Request,
    repeat: &Replay,
    collected: &mut Collected,
) {
    // What a results file held decoded may hold what was masked in it as it was written.
    let mask = |text: &str| invocation.redactor.for_people(text);
    let roots = repeat.all_roots();
    // Rules that cannot be used were refused where they were read.
    let rules = ClassRules::new(&request.classes).unwrap_or_default();
    let failures =
        collected.failures.iter().map(|failure| failure.masked(&mask).below(&roots).ruled(&rules));
    collected.failures = failures.collect();
    let checkout = at_hand(invocation, repeat).then(|| Checkout::at(&invocation.root));
    for failure in &mut collected.failures {
        let place =
            repeat.locate(failure, checkout.as_ref().map(|checkout| checkout as &dyn Sources));
        failure.place = place.map_or(Settled::Nowhere, |(file, line)| Settled::At(file, line));
    }
    // Of several of one name each has its own, in the reports' order.
    let mut signatures: HashMap<(Option<String>, &str), VecDeque<String>> = HashMap::new();
    for failure in &collected.failures {
        let file = failure.file.as_deref().map(|file| repeat.test_file(file));
        signatures.entry((file, &failure.name)).or_default().push_back(failure.signature());
    }
    // Many tests share a file.
    let mut known: HashMap<String, String> = HashMap::new();
    for test in &mut collected.tests {
        test.name = mask(&test.name);
        test.file = test.file.take().map(|file| {
            known.entry(file).or_insert_with_key(|file| repeat.test_file(&mask(file))).clone()
        });
        if test.failed() {
            let of_name = signatures.get_mut(&(test.file.clone(), test.name.as_str()));
            test.signature = of_name.and_then(VecDeque::pop_front);
        }
    }
}

/// Whether the checkout that the tests ran in is here: post may run on a machine that has another
/// one, or none.
fn at_hand(invocation: &Invocation, repeat: &Replay) -> bool {
    let here = shown(&invocation.root);
    !repeat.roots.is_empty()
        && repeat.roots.iter().all(|root| *root == here)
        && files::is_dir(&invocation.root)
}

/// Every test with what it came to.
pub(super) fn list(
    world: &World,
    invocation: &Invocation,
    request: &Request,
    identity: &Identity,
    collected: &mut Collected,
) -> TestList {
    let (missing, tests) = (missing(collected), std::mem::take(&mut collected.tests));
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let profile = selection.and_then(|selection| selection.dispatcher_profile.as_ref());
    let kind = profile.and_then(|profile| serde_json::to_value(profile.kind.value).ok());
    let own = |receipts: &mut dyn Iterator<Item = String>| receipts.collect::<Vec<_>>();
    TestList {
        schema: test_list::SCHEMA.to_owned(),
        generated_at_utc: world.now(),
        repository: identity.repository.clone(),
        gate_id: invocation.gate_id.clone(),
        run_id: identity.run.0.clone(),
        run_attempt: identity.run.1,
        head_sha: identity.head_sha.clone(),
        classification: Classification::SeamDefect,
        reason: crate::domain::verdict::reason::ReasonCode::LayerNotReported.into(),
        pack: Some(pack_of(invocation, request, collected)),
        integration_mode: selection.map(|selection| selection.selection.integration_mode.clone()),
        dispatcher: kind.and_then(|kind| kind.as_str().map(str::to_owned)),
        plan_sha256: selection.and_then(|selection| selection.plan_sha256.clone()),
        files: own(&mut selection
            .into_iter()
            .flat_map(|s| s.selection.files.iter().map(|f| f.path.to_string()))),
        left_out: own(&mut selection
            .into_iter()
            .flat_map(|s| s.selection.excluded.iter().map(|f| f.path.clone()))),
        counts: collected.counts,
        missing,
        tests,
    }
}

/// Why tests of the plan may be told of nowhere.
fn missing(collected: &Collected) -> Vec<String> {
    let mut why = Vec::new();
    if collected.execution.is_empty() && collected.tests.is_empty() {
        return vec!["nothing was executed".to_owned()];
    }
    let ended_early = |receipt: &&ExecutionReceipt| {
        receipt.outcome.as_ref().is_none_or(|end| end.kind != "exited")
    };
    if let Some(receipt) =
        collected.execution.iter().map(|loaded| &loaded.receipt).find(ended_early)
    {
        why.push(format!("the run ended early ({})", receipt.reason.0));
    }
    let silent =
        |state: Accounted| matches!(state, Accounted::NotReached | Accounted::FailedToLoad);
    let accounting = || collected.execution.iter().flat_map(|loaded| &loaded.receipt.accounting);
    let files = accounting().filter(|entry| silent(entry.state)).count();
    if files > 0 {
        why.push(format!("{files} files were not reached or did not load"));
    }
    let listed = collected
        .tests
        .iter()
        .filter(|test| test.outcome != crate::domain::results::counts::CaseOutcome::NotRun)
        .count();
    if listed as u64 != collected.counts.total {
        why.push(format!(
            "{} tests were counted, the reports name {listed}",
            collected.counts.total
        ));
    }
    let unsound = |code| {
        use crate::domain::verdict::reason::ReasonCode as C;
        matches!(code, C::ShardMissing | C::RawArtifactMissing | C::RawArtifactAltered)
    };
    if collected.evidence.found.iter().any(|finding| unsound(finding.code())) {
        why.push("shards or raw files are missing".to_owned());
    }
    why
}

/// The comparison that was asked for, and what it says of the number of tests.
pub(super) fn compare(
    invocation: &Invocation,
    request: &Request,
    now: &TestList,
) -> Option<(Triage, Option<Finding>)> {
    let fails = invocation.settings.below_floor.value == crate::domain::config::WarnOrFail::Fail;
    let mut triage = match &request.against {
        Against::Nothing => return None,
        Against::Retained(triage) => (**triage).clone(),
        Against::Baseline(baseline) => {
            let percent = invocation.settings.test_floor.value.get();
            triage::triage(baseline, now, FloorRule { percent, fails })
        }
        Against::Unreadable(why) => triage::unreadable(why.clone(), fails),
    };
    // Texts of the earlier run were masked by what was a secret then.
    for limit in &mut triage.limits {
        *limit = invocation.redactor.for_people(limit);
    }
    for entry in &mut triage.entries {
        entry.name = invocation.redactor.for_people(&entry.name);
        entry.file = entry.file.as_deref().map(|file| invocation.redactor.for_people(file));
    }
    if triage.baseline.is_none() {
        let fault = Fault::BaselineUnreadable(triage.limits.join("; "));
        let finding = charge(&fault, Layer::Post);
        let finding = if triage.binding { finding } else { finding.at_most(Severity::Warns) };
        return Some((triage, Some(finding)));
    }
    let finding = triage.floor.as_ref().filter(|floor| floor.below).map(|floor| {
        let fault = Fault::TestCountBelowFloor {
            ran: floor.ran,
            least: floor.least,
            baseline: floor.baseline,
        };
        let finding = charge(&fault, Layer::Post);
        if floor.fails { finding } else { finding.at_most(Severity::Warns) }
    });
    Some((triage, finding))
}

/// What changed on the host since it was last green.
pub(super) fn since(
    invocation: &Invocation,
    collected: &Collected,
    verdict: &Verdict,
    tests: &TestList,
) -> Option<SinceGreen> {
    if verdict.classification == Classification::Completed {
        return None;
    }
    let readiness = &collected.readiness.as_ref()?.receipt;
    let last = readiness.last_green.as_ref()?;
    let selection = collected.selection.as_ref().map(|loaded| &loaded.receipt);
    let head_sha = readiness.run.head_sha.as_ref();
    let now = since_green::facts(
        &readiness.host,
        head_sha,
        &readiness.tool.version,
        Some(readiness),
        selection,
    );
    let failing: Vec<String> = tests
        .tests
        .iter()
        .filter(|test| test.failed())
        .filter_map(|test| test.file.clone())
        .collect();
    let left_out: Vec<&str> = selection
        .iter()
        .flat_map(|s| s.selection.excluded.iter().map(|excluded| excluded.path.as_str()))
        .collect();
    let mut since = since_green::since(last, &now, &failing, &left_out);
    let mask = |text: &mut String| *text = invocation.redactor.for_people(text);
    for change in &mut since.changes {
        mask(&mut change.what);
        change.was.as_mut().into_iter().chain(change.is.as_mut()).for_each(mask);
    }
    Some(since)
}

/// The list of tests of an earlier run: the file itself, or the newest of this gate below a folder.
/// Lists there that cannot be read are told as its limits.
pub(crate) fn read_list(path: &Path, gate: Option<&GateId>) -> Result<TestList, String> {
    if !files::is_dir(path) {
        return read_one(path);
    }
    let found: Vec<_> =
        receipt_store::named(path, test_list::FILE).iter().map(|path| read_one(path)).collect();
    let (lists, unread): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let unread: Vec<String> = unread.into_iter().filter_map(Result::err).collect();
    let (mut lists, others): (Vec<TestList>, Vec<TestList>) = lists
        .into_iter()
        .flatten()
        // A list that names no gate is of before there were several, or of the one there is.
        .partition(|list| list.gate_id.is_none() || list.gate_id.as_ref() == gate);
    lists.sort_by_key(|list| {
        (list.gate_id.as_ref() == gate, list.generated_at_utc, list.run_attempt)
    });
    let Some(mut list) = lists.pop() else {
        let gates: Vec<String> =
            others.iter().filter_map(|list| Some(list.gate_id.as_ref()?.to_string())).collect();
        return Err(match (unread.first(), gates.is_empty()) {
            (Some(why), _) => why.clone(),
            (None, true) => format!("{}: no {} is below it", path.display(), test_list::FILE),
            (None, false) => {
                format!("{}: only the gates {} are below it", path.display(), gates.join(", "))
            }
        });
    };
    list.missing.extend(unread);
    Ok(list)
}

fn read_one(path: &Path) -> Result<TestList, String> {
    let reported = |why: String| format!("{}: {why}", path.display());
    let bytes = files::read_bounded(path).map_err(|error| reported(error.to_string()))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let list: TestList =
        serde_json::from_slice(text).map_err(|error| reported(error.to_string()))?;
    if list.schema != test_list::SCHEMA {
        return Err(reported(format!(
            "it has schema {:?}; this version reads {}",
            list.schema,
            test_list::SCHEMA
        )));
    }
    Ok(list)
}
