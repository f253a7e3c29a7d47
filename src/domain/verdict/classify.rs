//! The verdict: one pure, total function of what the layers left and how their jobs ended.
//!
//! The deciding order is [`TIERS`]; `docs/reason-codes.md` prints it. A green verdict needs proof:
//! an execution receipt that says completed and nothing anywhere that stops.

use std::collections::BTreeMap;

use crate::domain::receipt::{Classification, GateStatus, JobResult, LayerStatus, Reason};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode, ReasonCode as C, Severity};

/// Among execute and post, what decides before what; within a tier in the order written.
pub(crate) const TIERS: &[&[ReasonCode]] = &[
    &[C::ConfigurationInvalid, C::InternalError, C::OutputUnwritable],
    &[
        C::ExecutionReceiptMissing,
        C::ReceiptMissing,
        C::ReceiptCorrupt,
        C::ReceiptUnsupportedSchema,
        C::ReceiptDigestMismatch,
        C::ReceiptForeignRun,
        C::ReceiptForeignCommit,
        C::ReceiptStale,
        C::ReceiptFromFuture,
        C::LayerCancelled,
        C::LayerNotReported,
        C::BootstrapBinaryMissing,
        C::BootstrapDownloadFailed,
        C::BootstrapHashRefused,
        C::ShardMissing,
    ],
    &[C::SecretInOutput, C::RawArtifactAltered, C::RawArtifactMissing],
    &[
        C::ResultsDirUnusable,
        C::SetupCommandFailed,
        C::DispatcherMissing,
        C::DispatcherNotStarted,
        C::RunCancelled,
        C::DispatcherTimedOut,
        C::DispatcherFailed,
        C::DispatcherCrashed,
    ],
    &[
        C::ResultsMissing,
        C::ResultsUnsupported,
        C::ResultsInvalid,
        C::ResultsTruncated,
        C::ResultsInconsistent,
    ],
    &[C::TestFileNotAccounted],
    &[C::TestsFailed, C::TestTimedOut, C::TestFileFailedToLoad, C::SetupOrTeardownFailed],
    &[C::ExitCodeMismatch],
    &[C::ZeroTestsExecuted, C::AllTestsSkipped, C::TestCountBelowFloor],
    &[C::LeaksDetected],
];

/// A layer's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    /// How it ended.
    pub(crate) result: JobResult,
    /// Its `reason` output, where that is a code.
    pub(crate) reason: Option<ReasonCode>,
}

/// What became of a layer's receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReceiptState {
    /// There is none.
    Absent,
    /// There is one that cannot be believed.
    Refused(Finding),
    /// It was read; these are its reasons, and whether it stopped the chain.
    Read {
        /// Its reasons.
        findings: Vec<Finding>,
        /// Whether its status was `blocked`, or for execute anything but `completed`.
        stopped: bool,
    },
}

/// Everything that the verdict is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// Receipts of route, context, preflight, selection and execute.
    pub(crate) receipt_states: BTreeMap<Layer, ReceiptState>,
    /// Their jobs; empty where post was not told.
    pub(crate) jobs: BTreeMap<Layer, Job>,
    /// What post found by itself.
    pub(crate) found: Vec<Finding>,
}

/// What it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The classification.
    pub(crate) classification: Classification,
    /// The layer at fault; nothing where none is.
    pub(crate) failed_layer: Option<Layer>,
    /// Every finding, the deciding one first; never empty.
    pub(crate) findings: Vec<Finding>,
}

impl Verdict {
    /// The finding that decided.
    pub(crate) fn deciding(&self) -> Option<&Finding> {
        self.findings.first()
    }
}

/// Severities of a receipt's reasons, given its status: one that is not blocked holds nothing that
/// stops, and one that is blocked is stopped by its first. A receipt's writer put them in order, so
/// a later one that would outrank the first by its usual severity was milder where it was written.
pub(crate) fn read_back(reasons: &[Reason], stopped: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (at, reason) in reasons.iter().enumerate() {
        let Some(code) = reason.code.known() else { continue };
        let usual = code.row().severity;
        let severity = match (stopped, at) {
            (true, 0) => usual.max(Severity::Fails),
            (true, _) => usual,
            (false, _) => usual.min(Severity::Warns),
        };
        let mut finding = Finding::read_back(code, reason.layer, severity, &reason.detail);
        if let Some(first) = findings.first()
            && finding.stops()
            && rank(&finding) < rank(first)
        {
            finding = finding.at_most(Severity::Warns);
        }
        findings.push(finding);
    }
    findings
}

/// Reasons that this version does not know: a reader keeps them.
pub(crate) fn unknown(reasons: &[Reason]) -> impl Iterator<Item = &Reason> {
    reasons.iter().filter(|reason| reason.code.known().is_none())
}

/// Makes the verdict.
pub(crate) fn classify(evidence: &Evidence) -> Verdict {
    let mut findings = Vec::new();
    let mut stopped = false;
    for layer in [Layer::Route, Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute]
    {
        let own = of_layer(evidence, layer, stopped);
        // Preflight and selection run in parallel: neither stops the other.
        stopped |= own.iter().any(Finding::stops) && layer != Layer::Preflight;
        if layer == Layer::Selection {
            stopped |= findings.iter().any(Finding::stops);
        }
        findings.extend(own);
    }
    findings.extend(evidence.found.iter().cloned());
    decide(findings, evidence)
}

fn decide(mut findings: Vec<Finding>, evidence: &Evidence) -> Verdict {
    order(&mut findings);
    let completed = matches!(
        evidence.receipt_states.get(&Layer::Execute),
        Some(ReceiptState::Read { stopped: false, .. })
    );
    if !findings.iter().any(Finding::stops) && !completed {
        let fault =
            ReceiptFault::Missing { layer: Layer::Execute, path: "the receipts folder".to_owned() };
        findings.push(charge(&Fault::from(fault), Layer::Post));
        order(&mut findings);
    }
    let deciding = findings.first().filter(|finding| finding.stops());
    let (classification, failed_layer) =
        deciding.map_or((Classification::Completed, None), |f| class_of(f.code(), f.layer()));
    open_with_good(&mut findings);
    Verdict { classification, failed_layer, findings }
}

/// Puts first what makes a run green, where nothing stops it: warnings follow. An empty run that
/// the configuration lets pass is green for that.
pub(crate) fn open_with_good(findings: &mut [Finding]) {
    let let_pass = |f: &Finding| matches!(f.code(), C::ZeroTestsExecuted | C::AllTestsSkipped);
    let good = |f: &Finding| {
        f.layer() == Layer::Execute && (f.severity() == Severity::Informs || let_pass(f))
    };
    if findings.iter().any(Finding::stops) {
        return;
    }
    if let Some(at) = findings.iter().position(good) {
        findings[..=at].rotate_right(1);
    }
}

/// What a stopping code means, and which layer is at fault.
pub(crate) fn class_of(code: ReasonCode, layer: Layer) -> (Classification, Option<Layer>) {
    match (code, layer) {
        (
            C::TestsFailed | C::TestTimedOut | C::TestFileFailedToLoad | C::SetupOrTeardownFailed,
            _,
        ) => (Classification::TestFailures, None),
        (_, Layer::Route | Layer::Context) => (Classification::ContextBlocked, Some(layer)),
        (_, Layer::Preflight) => (Classification::ReadinessBlocked, Some(layer)),
        (_, Layer::Selection) => (Classification::SelectionBlocked, Some(layer)),
        (_, Layer::Execute | Layer::Post) => (Classification::SeamDefect, Some(layer)),
    }
}

/// Sorts findings into the deciding order and drops repetitions of one fact.
pub(crate) fn order(findings: &mut Vec<Finding>) {
    findings.sort_by_key(rank);
    let mut seen = Vec::new();
    findings.retain(|finding| {
        let key = (finding.code(), finding.layer());
        let several = !matches!(key.0, C::UpstreamLayerBlocked) && !finding.detail().is_empty();
        let repeated = seen.iter().any(|(known, detail): &((ReasonCode, Layer), String)| {
            *known == key && (!several || detail == finding.detail())
        });
        seen.push((key, finding.detail().to_owned()));
        !repeated
    });
}

/// What stops before what warns before what informs; then the layer charged, where a layer's own
/// word stands before another's that it was blocked; in execute and post the tiers.
fn rank(finding: &Finding) -> (u8, Layer, usize, usize) {
    let mild = match finding.severity() {
        Severity::Fails | Severity::Blocks => 0,
        Severity::Warns => 1,
        Severity::Informs => 2,
    };
    match finding.layer() {
        Layer::Execute | Layer::Post => {
            let tier =
                TIERS.iter().position(|tier| tier.contains(&finding.code())).unwrap_or(TIERS.len());
            let within = TIERS
                .get(tier)
                .and_then(|tier| tier.iter().position(|code| *code == finding.code()))
                .unwrap_or(0);
            (mild, Layer::Execute, tier, within)
        }
        layer => (mild, layer, usize::from(finding.code() == C::UpstreamLayerBlocked), 0),
    }
}

/// What a layer's receipt and job say.
fn of_layer(evidence: &Evidence, layer: Layer, stopped_before: bool) -> Vec<Finding> {
    let job = evidence.jobs.get(&layer).copied();
    let state = evidence.receipt_states.get(&layer).unwrap_or(&ReceiptState::Absent);
    let mut findings = Vec::new();
    if let Some(code) = job.and_then(|job| job.reason).filter(|code| {
        matches!(code, C::ConfigurationInvalid | C::OutputUnwritable | C::InternalError)
    }) && !matches!(
        state,
        ReceiptState::Read { findings, .. } if findings.iter().any(|f| f.code() == code)
    ) {
        findings.push(by_job(layer, code));
    }
    match state {
        ReceiptState::Refused(finding) => findings.push(finding.clone()),
        ReceiptState::Read { findings: own, stopped } => {
            findings.extend(own.iter().cloned());
            if *stopped && !own.iter().any(Finding::stops) {
                // It says blocked and gives no reason that this version knows.
                findings.push(charge(
                    &Fault::LayerNotReported {
                        layer,
                        result: "a status that stops and no known reason".to_owned(),
                    },
                    Layer::Post,
                ));
            }
            if !stopped && !findings.iter().any(Finding::stops) {
                findings.extend(contradiction(layer, job, own));
            }
        }
        ReceiptState::Absent => findings.extend(absent(layer, job, stopped_before)),
    }
    findings
}

fn by_job(layer: Layer, code: ReasonCode) -> Finding {
    charge(
        &Fault::ReportedByJob {
            layer,
            code,
            detail: format!("the job of {layer} says {code}; its log says more"),
        },
        Layer::Post,
    )
}

/// A receipt that lets the chain go on, from a job that did not.
fn contradiction(layer: Layer, job: Option<Job>, own: &[Finding]) -> Option<Finding> {
    let job = job?;
    match job.result {
        // A job that was let go on although its layer gave a reason to stop.
        JobResult::Success => job
            .reason
            .filter(|code| code.row().severity >= Severity::Fails)
            .filter(|code| !own.iter().any(|finding| finding.code() == *code))
            .map(|code| by_job(layer, code)),
        JobResult::Cancelled => Some(charge(&Fault::LayerCancelled { layer }, Layer::Post)),
        // A job that never began left no receipt: the one that is here is another attempt's.
        JobResult::Failure | JobResult::Skipped => Some(failed_job(layer, job)),
    }
}

fn failed_job(layer: Layer, job: Job) -> Finding {
    match job.reason.filter(|code| code.row().severity >= Severity::Fails) {
        Some(code) => by_job(layer, code),
        None => charge(
            &Fault::LayerNotReported { layer, result: job.result.as_str().to_owned() },
            Layer::Post,
        ),
    }
}

/// The rules for a layer that left no receipt.
fn absent(layer: Layer, job: Option<Job>, stopped_before: bool) -> Option<Finding> {
    let missing = || {
        let path = "the receipts folder".to_owned();
        Some(charge(&Fault::from(ReceiptFault::Missing { layer, path }), Layer::Post))
    };
    match job {
        None if layer == Layer::Route => None,
        Some(Job { result: JobResult::Skipped, .. }) | None => {
            if stopped_before {
                None
            } else {
                missing()
            }
        }
        // A job that was let go on although its layer gave a reason to stop.
        Some(Job { result: JobResult::Success, reason: Some(code) })
            if code.row().severity >= Severity::Fails =>
        {
            Some(by_job(layer, code))
        }
        Some(Job { result: JobResult::Success, .. }) => missing(),
        Some(Job { result: JobResult::Cancelled, .. }) => {
            Some(charge(&Fault::LayerCancelled { layer }, Layer::Post))
        }
        Some(job) => Some(failed_job(layer, job)),
    }
}

/// A layer's status from its findings: what stops blocks, what warns warns.
pub(crate) fn layer_status(findings: &[Finding]) -> LayerStatus {
    match findings.iter().map(Finding::severity).max() {
        Some(Severity::Fails | Severity::Blocks) => LayerStatus::Blocked,
        Some(Severity::Warns) => LayerStatus::Warning,
        _ => LayerStatus::Ready,
    }
}

/// What a required check is told.
///
/// `policy_notice` holds where the only thing that stopped was an empty or skipped run that the
/// configuration lets through as a notice.
pub(crate) fn gate_status(
    verdict: &Verdict,
    continue_on_failure: bool,
    policy_notice: bool,
) -> GateStatus {
    let let_through = policy_notice
        && verdict
            .deciding()
            .is_some_and(|f| matches!(f.code(), C::ZeroTestsExecuted | C::AllTestsSkipped));
    match verdict.classification {
        Classification::Completed => GateStatus::Pass,
        _ if continue_on_failure || let_through => GateStatus::Notice,
        _ => GateStatus::Fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::fault::good;
    use proptest::prelude::*;

    fn read(findings: Vec<Finding>) -> ReceiptState {
        let stopped = findings.iter().any(Finding::stops);
        ReceiptState::Read { findings, stopped }
    }

    fn ready(layer: Layer) -> ReceiptState {
        let code = match layer {
            Layer::Preflight => C::HostReady,
            Layer::Selection => C::SelectionReady,
            Layer::Execute => C::TestsPassed,
            _ => C::StandingPriorityNotRequired,
        };
        read(vec![good(code, layer, "")])
    }

    fn green() -> Evidence {
        let receipt_states = [Layer::Context, Layer::Preflight, Layer::Selection, Layer::Execute];
        Evidence {
            receipt_states: receipt_states.into_iter().map(|l| (l, ready(l))).collect(),
            ..Evidence::default()
        }
    }

    fn reason(evidence: &Evidence) -> (Classification, Option<Layer>, ReasonCode) {
        let verdict = classify(evidence);
        let code = verdict.deciding().unwrap().code();
        (verdict.classification, verdict.failed_layer, code)
    }

    fn job(result: JobResult, reason: Option<ReasonCode>) -> Job {
        Job { result, reason }
    }

    #[test]
    fn green_needs_every_receipt() {
        assert_eq!(reason(&green()), (Classification::Completed, None, C::TestsPassed));
        for (layer, class, code) in [
            (Layer::Context, Classification::ContextBlocked, C::ReceiptMissing),
            (Layer::Preflight, Classification::ReadinessBlocked, C::ReceiptMissing),
            (Layer::Selection, Classification::SelectionBlocked, C::ReceiptMissing),
            (Layer::Execute, Classification::SeamDefect, C::ExecutionReceiptMissing),
        ] {
            let mut evidence = green();
            evidence.receipt_states.remove(&layer);
            assert_eq!(reason(&evidence), (class, Some(layer), code));
        }
        assert_eq!(reason(&Evidence::default()).0, Classification::ContextBlocked);
    }

    #[test]
    fn job_results_speak_for_absent_receipts() {
        for (result, said, code) in [
            (JobResult::Success, None, C::ReceiptMissing),
            (JobResult::Failure, Some(C::BootstrapHashRefused), C::BootstrapHashRefused),
            (JobResult::Failure, Some(C::HostReady), C::LayerNotReported),
            (JobResult::Failure, None, C::LayerNotReported),
            (JobResult::Cancelled, None, C::LayerCancelled),
            (JobResult::Skipped, None, C::ReceiptMissing),
        ] {
            let mut evidence = green();
            evidence.receipt_states.remove(&Layer::Preflight);
            evidence.jobs.insert(Layer::Preflight, job(result, said));
            assert_eq!(
                reason(&evidence),
                (Classification::ReadinessBlocked, Some(Layer::Preflight), code)
            );
        }
    }

    #[test]
    fn what_was_skipped_after_a_stop_has_no_reason_of_its_own() {
        let mut evidence = Evidence::default();
        let blocked = charge(&Fault::RepositoryUnresolved, Layer::Context);
        evidence.receipt_states.insert(Layer::Context, read(vec![blocked]));
        for layer in [Layer::Preflight, Layer::Selection, Layer::Execute] {
            evidence.jobs.insert(layer, job(JobResult::Skipped, None));
        }
        let verdict = classify(&evidence);
        assert_eq!(verdict.findings.len(), 1);
        assert_eq!(verdict.failed_layer, Some(Layer::Context));
    }

    #[test]
    fn a_blocked_preflight_does_not_hide_a_missing_selection() {
        let mut evidence = green();
        let fault = Fault::ProgramMissing { code: C::ToolMissing, name: "x".into() };
        evidence
            .receipt_states
            .insert(Layer::Preflight, read(vec![charge(&fault, Layer::Preflight)]));
        evidence.receipt_states.remove(&Layer::Selection);
        evidence.receipt_states.remove(&Layer::Execute);
        let codes: Vec<_> = classify(&evidence).findings.iter().map(Finding::code).collect();
        assert_eq!(codes[..2], [C::ToolMissing, C::ReceiptMissing]);
        assert_eq!(reason(&evidence).0, Classification::ReadinessBlocked);
    }

    #[test]
    fn a_failed_job_is_never_green_whatever_its_receipt_says() {
        for result in [JobResult::Failure, JobResult::Cancelled] {
            let mut evidence = green();
            evidence.jobs.insert(Layer::Execute, job(result, None));
            assert_eq!(reason(&evidence).0, Classification::SeamDefect);
        }
    }

    #[test]
    fn the_first_word_is_the_deciding_one_even_after_a_warning_of_an_earlier_layer() {
        let mut evidence = green();
        let warns = charge(&Fault::TokenMissing, Layer::Context);
        evidence.receipt_states.insert(Layer::Context, read(vec![warns]));
        let failed = Fault::TestsFailed { failed: 1, errors: 0, total: 2, first: "t".into() };
        let mismatch = Fault::ExitCodeMismatch("x".into());
        evidence.receipt_states.insert(
            Layer::Execute,
            read(vec![charge(&mismatch, Layer::Execute), charge(&failed, Layer::Execute)]),
        );
        let codes: Vec<_> = classify(&evidence).findings.iter().map(Finding::code).collect();
        assert_eq!(codes[0], C::TestsFailed);
        assert!(codes.contains(&C::TokenMissing) && codes.contains(&C::ExitCodeMismatch));
    }

    #[test]
    fn every_code_that_execute_or_post_stops_with_has_a_tier() {
        for code in ReasonCode::ALL {
            let row = code.row();
            let here = matches!(
                row.home,
                crate::domain::verdict::reason::Home::Layer(Layer::Execute | Layer::Post)
            );
            if here && row.severity >= Severity::Fails {
                assert!(TIERS.iter().any(|tier| tier.contains(code)), "{code}");
            }
        }
    }

    #[test]
    fn the_gate_is_only_green_when_completed() {
        let verdict = classify(&green());
        assert_eq!(gate_status(&verdict, false, false), GateStatus::Pass);
        let mut evidence = green();
        evidence
            .receipt_states
            .insert(Layer::Execute, read(vec![charge(&Fault::AllTestsSkipped(2), Layer::Execute)]));
        let verdict = classify(&evidence);
        assert_eq!(gate_status(&verdict, false, false), GateStatus::Fail);
        assert_eq!(gate_status(&verdict, true, false), GateStatus::Notice);
        assert_eq!(gate_status(&verdict, false, true), GateStatus::Notice);
        evidence.receipt_states.insert(Layer::Execute, ReceiptState::Absent);
        assert_eq!(gate_status(&classify(&evidence), false, true), GateStatus::Fail);
    }

    fn any_finding() -> impl Strategy<Value = Finding> {
        (0..ReasonCode::ALL.len(), 0..Layer::ALL.len(), 0..4usize).prop_map(
            |(code, layer, severity)| {
                let code = ReasonCode::ALL[code];
                let severity =
                    [Severity::Informs, Severity::Warns, Severity::Fails, Severity::Blocks]
                        [severity];
                Finding::read_back(code, Layer::ALL[layer], severity, "x")
            },
        )
    }

    fn any_paper() -> impl Strategy<Value = ReceiptState> {
        prop_oneof![
            Just(ReceiptState::Absent),
            any_finding().prop_map(|f| ReceiptState::Refused(f.blocking())),
            (proptest::collection::vec(any_finding(), 0..4), any::<bool>()).prop_map(
                |(findings, stopped)| {
                    ReceiptState::Read {
                        stopped: stopped || findings.iter().any(Finding::stops),
                        findings,
                    }
                }
            ),
        ]
    }

    fn any_job() -> impl Strategy<Value = Job> {
        (0..4usize, proptest::option::of(0..ReasonCode::ALL.len())).prop_map(|(result, reason)| {
            Job {
                result: [
                    JobResult::Success,
                    JobResult::Failure,
                    JobResult::Cancelled,
                    JobResult::Skipped,
                ][result],
                reason: reason.map(|at| ReasonCode::ALL[at]),
            }
        })
    }

    proptest! {
        /// Total, and green only on proof: whatever comes in, a completed verdict had a completed
        /// execution receipt, no stopping finding and no failed job.
        #[test]
        fn no_evidence_makes_a_false_green(
            receipt_states in proptest::collection::vec((0..5usize, any_paper()), 0..6),
            jobs in proptest::collection::vec((0..5usize, any_job()), 0..6),
            found in proptest::collection::vec(any_finding(), 0..3),
        ) {
            let evidence = Evidence {
                receipt_states: receipt_states
                    .into_iter()
                    .map(|(at, state)| (Layer::ALL[at], state))
                    .collect(),
                jobs: jobs.into_iter().map(|(at, job)| (Layer::ALL[at], job)).collect(),
                found,
            };
            let verdict = classify(&evidence);
            prop_assert!(!verdict.findings.is_empty());
            if verdict.classification == Classification::Completed {
                let execute = evidence.receipt_states.get(&Layer::Execute);
                let completed = matches!(execute, Some(ReceiptState::Read { stopped: false, .. }));
                prop_assert!(completed);
                prop_assert!(evidence.found.iter().all(|f| !f.stops()));
                let refused = |state: &ReceiptState| {
                    matches!(
                        state,
                        ReceiptState::Refused(_) | ReceiptState::Read { stopped: true, .. }
                    )
                };
                let any_refused = evidence.receipt_states.values().any(refused);
                prop_assert!(!any_refused);
                let all_succeeded = evidence.jobs.iter().all(|(layer, job)| {
                    *layer == Layer::Route || job.result == JobResult::Success
                });
                prop_assert!(all_succeeded);
                for layer in [Layer::Context, Layer::Preflight, Layer::Selection] {
                    prop_assert!(evidence.receipt_states.contains_key(&layer));
                }
            } else {
                prop_assert!(verdict.deciding().is_some_and(Finding::stops));
            }
        }
    }
}
