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
    row(C::TrustedOwnRef, Informs, "the event runs a ref of this repository", "nothing to do"),
    row(
        C::TrustedSameRepositoryHead,
        Informs,
        "the pull request's head is a branch of this repository",
        "nothing to do",
    ),
    row(
        C::TrustedSameOwnerHead,
        Informs,
        "the head is in a fork of the same owner and has the label",
        "nothing to do",
    ),
    row(
        C::WorkflowDispatchDefault,
        Informs,
        "a user started the run manually on a ref of this repository",
        "nothing to do",
    ),
    row(
        C::PilotLabelMissing,
        Blocks,
        "the pull request does not have the label that allows it to use the self-hosted runner",
        "ask a maintainer to review the head commit and set the label",
    ),
    row(
        C::UntrustedCrossOwnerFork,
        Blocks,
        "the head is in a fork of another owner, which may never use a self-hosted runner",
        "review the change, then push it to a branch of this repository",
    ),
    row(
        C::ForkNotTrusted,
        Blocks,
        "the head is in a fork of the same owner, but `routing.trust` admits only branches of \
         this repository",
        "push the head to a branch of this repository, or set `routing.trust: same-owner`",
    ),
    row(
        C::HeadRepositoryDeleted,
        Blocks,
        "the head repository was deleted, so the owner of the code is unknown",
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
        "trigger the workflow with one of the events that docs/actions.md lists",
    ),
    row(
        C::EventMalformed,
        Blocks,
        "the event payload lacks facts that routing needs, or is not JSON",
        "check the file that GITHUB_EVENT_PATH or --event names",
    ),
];
