//! Rows of the route layer.
use super::{Home, Layer, ReasonCode as C, Row, Severity::*};

const fn row(
    code: C,
    severity: super::Severity,
    meaning: &'static str,
    remedy: &'static str,
) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Route))
        .next(if matches!(severity, Blocks) { "inspect-route-receipt" } else { "no-action" })
        .replay("pester-gate route --event {event} --dry-run")
}

pub(super) const ROWS: &[Row] = &[
    row(
        C::TrustedOwnRef,
        Informs,
        "the event runs a ref of this repository itself",
        "nothing to do",
    ),
    row(
        C::TrustedSameRepositoryHead,
        Informs,
        "the pull request's head is a branch of this repository",
        "nothing to do",
    ),
    row(
        C::TrustedSameOwnerHead,
        Informs,
        "the head is in a fork of the same owner and carries the label",
        "nothing to do",
    ),
    row(
        C::WorkflowDispatchDefault,
        Informs,
        "an operator started the run by hand on an own ref",
        "nothing to do",
    ),
    row(
        C::PilotLabelMissing,
        Blocks,
        "the pull request does not carry the label that opens the self-hosted runner",
        "let a maintainer review the head commit and set the label",
    ),
    row(
        C::UntrustedCrossOwnerFork,
        Blocks,
        "the head is in another owner's fork, which never drives a self-hosted runner",
        "review the change, then push it to a branch of this repository",
    ),
    row(
        C::ForkNotTrusted,
        Blocks,
        "the head is in a same-owner fork, and `routing.trust` admits this repository's branches only",
        "push the head to a branch of this repository, or set `routing.trust: same-owner`",
    ),
    row(
        C::HeadRepositoryDeleted,
        Blocks,
        "the head repository is gone, so nothing proves whose code it is",
        "push the head to a branch of this repository",
    ),
    row(
        C::LabelNotBoundToHead,
        Blocks,
        "the label was set on an earlier head commit of this fork",
        "review the new head commit, then remove the label and set it again",
    ),
    row(
        C::EventUnsupported,
        Blocks,
        "this kind of event cannot be routed",
        "trigger the workflow by one of the events that docs list for route",
    ),
    row(
        C::EventMalformed,
        Blocks,
        "the event payload lacks facts that routing needs, or is not JSON",
        "check the file that GITHUB_EVENT_PATH or --event names",
    ),
];
