//! Rows of the context layer.
use super::{Home, Layer, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Context))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-context-receipt" })
        .replay("pester-gate context --root {root}")
}

pub(super) const ROWS: &[Row] = &[
    row(C::StandingPriorityAvailable, Informs, "an open issue holds the standing priority", "nothing to do"),
    row(
        C::StandingPriorityOverridden,
        Informs,
        "somebody says which issue holds the standing priority; nothing was looked up",
        "nothing to do; drop `standing-priority.issue` to have it looked up again",
    ),
    row(
        C::StandingPriorityNotRequired,
        Informs,
        "the policy is `off`: no standing priority was looked up",
        "nothing to do",
    ),
    row(
        C::StandingPriorityNone,
        Warns,
        "the look-up succeeded in full and no open issue holds the standing priority",
        "label an open issue; where an idle queue is fine, set `standing-priority.policy: off`",
    ),
    row(
        C::StandingPriorityMultiple,
        Warns,
        "more than one open issue holds the standing priority; the lowest number was taken",
        "remove the label from all issues but one",
    ),
    row(
        C::StandingPriorityUnknown,
        Warns,
        "the standing priority was not looked up, or what was answered does not decide it",
        "repair what the detail names, or set `standing-priority.policy: off` where nobody needs it",
    )
    .retry(),
    row(
        C::TokenMissing,
        Warns,
        "no token is there to ask GitHub with",
        "set GH_TOKEN or GITHUB_TOKEN, or the action's `token`, or set `standing-priority.policy: off`",
    ),
    row(
        C::TokenUnauthorized,
        Warns,
        "GitHub does not know the token (401), or it holds what cannot be sent",
        "renew the token, and see that the secret holds nothing but the token",
    ),
    row(
        C::TokenForbidden,
        Warns,
        "the token lacks a permission",
        "grant the permission that the detail names (the look-up needs `issues: read`)",
    ),
    row(
        C::RateLimited,
        Warns,
        "GitHub's rate limit is used up, or GitHub asks to slow down",
        "wait (the detail says for how long, where GitHub does), or use a token of your own",
    )
    .retry(),
    row(C::ApiUnreachable, Warns, "GitHub's API could not be reached", "check network, proxy and DNS of this host")
        .retry(),
    row(
        C::ApiTimedOut,
        Warns,
        "GitHub's API did not answer in time",
        "run it again; where it lasts, check the proxy, or raise `standing-priority.max-wait`",
    )
    .retry(),
    row(
        C::ApiTlsFailed,
        Warns,
        "no connection to GitHub's API could be trusted",
        "add the certificate authority of the proxy or server to this host's store, and check its clock",
    ),
    row(
        C::ApiServerError,
        Warns,
        "GitHub answered with a server error (5xx)",
        "wait and run it again; see GitHub's status page",
    )
    .retry(),
    row(
        C::ApiMalformed,
        Warns,
        "the API's answer could not be read",
        "check that GITHUB_API_URL names an API and that no proxy answers in its place",
    )
    .retry(),
    row(
        C::ApiRefused,
        Warns,
        "GitHub refused the question as it stands",
        "see what GitHub says in the detail; a server that is too old does not know the API's version",
    ),
    row(
        C::RepositoryNotFound,
        Warns,
        "GitHub knows no such repository, or the token may not see it (404)",
        "check the slug and what the token may read",
    ),
    row(
        C::IssuesDisabled,
        Warns,
        "the repository has its issues switched off",
        "switch issues on, or set `standing-priority.policy: off`",
    ),
    row(
        C::RepositoryUnresolved,
        Blocks,
        "neither option, event, GITHUB_REPOSITORY nor a git remote names a repository",
        "pass --repository owner/name",
    ),
    row(
        C::RepositoryConflict,
        Blocks,
        "--repository, the event and GITHUB_REPOSITORY name different repositories",
        "pass the repository under test once; the detail lists who said what",
    ),
    row(
        C::HeadShaMismatch,
        Blocks,
        "the worktree's head is not the commit under test",
        "check out the commit under test before the gate runs",
    ),
    row(
        C::WorktreeMissing,
        Blocks,
        "the root is not inside a git worktree",
        "check the repository out before the gate runs, or name it by --root",
    ),
    row(
        C::WorktreeUnreadable,
        Warns,
        "git could not be asked about the worktree, so commit and changes are unknown",
        "install git, or repair what its message in the detail says (safe.directory, a damaged repository)",
    ),
    row(
        C::WorktreeNotTrusted,
        Warns,
        "git refuses the worktree because it belongs to another user",
        "git config --global --add safe.directory with the folder that the detail names, or check out as the user who runs the gate",
    ),
    row(
        C::WorktreeDirty,
        Warns,
        "the worktree holds changes that the commit does not",
        "commit or discard the files that the detail lists",
    ),
    row(
        C::RequiredPathMissing,
        Blocks,
        "a path that `context.required-paths` lists is not there",
        "check it out or correct the list",
    ),
    row(
        C::HelperRootMissing,
        Blocks,
        "a folder that `context.helper-roots` lists is not there",
        "check the helpers out before the gate runs, or correct the list",
    ),
];
