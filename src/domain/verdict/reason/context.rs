//! Rows of the context layer.
use super::{Home, Layer, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Context))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-context-receipt" })
        .replay("pester-gate context --root {root}")
}

pub(super) const ROWS: &[Row] = &[
    row(
        C::StandingPriorityAvailable,
        Informs,
        "an open issue has priority (label `standing-priority`)",
        "nothing to do",
    ),
    row(
        C::StandingPriorityOverridden,
        Informs,
        "a setting names the issue that has priority, so the lookup was skipped",
        "nothing to do; remove `standing-priority.issue` to look the issue up again",
    ),
    row(
        C::StandingPriorityNotRequired,
        Informs,
        "the policy is `off`, so the standing-priority lookup was skipped",
        "nothing to do",
    ),
    row(
        C::StandingPriorityNone,
        Warns,
        "the lookup was complete, and no open issue has priority",
        "label an open issue, or set `standing-priority.policy: off` if no issue needs priority",
    ),
    row(
        C::StandingPriorityMultiple,
        Warns,
        "more than one open issue has priority; the lowest number is used",
        "remove the label from all issues but one",
    ),
    row(
        C::StandingPriorityUnknown,
        Warns,
        "the standing priority was not looked up, or the answer does not decide it",
        "fix the problem that the detail names, or set `standing-priority.policy: off` if you do \
         not need it",
    )
    .retry(),
    row(
        C::TokenMissing,
        Warns,
        "no token is set to ask GitHub with",
        "set GH_TOKEN or GITHUB_TOKEN, or the action's `token`, or set `standing-priority.policy: \
         off`",
    ),
    row(
        C::TokenUnauthorized,
        Warns,
        "GitHub does not accept the token (401), or the token contains characters that cannot be \
         sent",
        "renew the token, and check that the secret contains only the token",
    ),
    row(
        C::TokenForbidden,
        Warns,
        "the token lacks a permission",
        "grant the permission that the detail names (the lookup needs `issues: read`)",
    ),
    row(
        C::RateLimited,
        Warns,
        "GitHub's rate limit is used up, or GitHub asks to slow down",
        "wait (the detail shows how long, if GitHub says so), or use your own token",
    )
    .retry(),
    row(
        C::ApiUnreachable,
        Warns,
        "GitHub's API could not be reached",
        "check the network, the proxy and the DNS of this host",
    )
    .retry(),
    row(
        C::ApiTimedOut,
        Warns,
        "GitHub's API did not answer in time",
        "run the gate again; if the timeout persists, check the proxy or raise \
         `standing-priority.max-wait`",
    )
    .retry(),
    row(
        C::ApiTlsFailed,
        Warns,
        "no trusted TLS connection to GitHub's API was possible",
        "add the certificate authority of the proxy or server to the certificate store of this \
         host, and check its clock",
    ),
    row(
        C::ApiServerError,
        Warns,
        "GitHub answered with a server error (5xx)",
        "wait and run the gate again; check GitHub's status page",
    )
    .retry(),
    row(
        C::ApiMalformed,
        Warns,
        "the answer of the API could not be read",
        "check that GITHUB_API_URL names an API, and that no proxy answers instead",
    )
    .retry(),
    row(
        C::ApiRefused,
        Warns,
        "GitHub refused the request",
        "read GitHub's message in the detail; an old server may not support this version of the \
         API",
    ),
    row(
        C::RepositoryNotFound,
        Warns,
        "the repository does not exist, or the token has no access to it (404)",
        "check the name of the repository and the access of the token",
    ),
    row(
        C::IssuesDisabled,
        Warns,
        "issues are turned off in the repository",
        "turn issues on, or set `standing-priority.policy: off`",
    ),
    row(
        C::RepositoryUnresolved,
        Blocks,
        "the repository could not be determined",
        "set `--repository owner/name`, GITHUB_REPOSITORY or a git remote",
    ),
    row(
        C::RepositoryConflict,
        Blocks,
        "--repository, the event and GITHUB_REPOSITORY name different repositories",
        "name the repository under test only once; the detail lists each source",
    ),
    row(
        C::HeadShaMismatch,
        Blocks,
        "the checked-out commit is not the commit under test",
        "check out the commit under test before the gate runs",
    ),
    row(
        C::WorktreeMissing,
        Blocks,
        "the root is not inside a git worktree",
        "check out the repository before the gate runs, or set --root",
    ),
    row(
        C::WorktreeUnreadable,
        Warns,
        "git could not read the worktree, so the commit and the changes are unknown",
        "install git, or fix the problem that its message names (safe.directory, a damaged \
         repository)",
    ),
    row(
        C::WorktreeNotTrusted,
        Warns,
        "git refuses the worktree because it belongs to another user",
        "run `git config --global --add safe.directory` with the folder that the detail names, or \
         check out as the user who runs the gate",
    ),
    row(
        C::WorktreeDirty,
        Warns,
        "the worktree contains changes that are not in the commit",
        "commit or discard the files that the detail lists",
    ),
    row(
        C::RequiredPathMissing,
        Blocks,
        "a path in `context.required-paths` does not exist",
        "check out the path, or correct the list",
    ),
    row(
        C::HelperRootMissing,
        Blocks,
        "a folder in `context.helper-roots` does not exist",
        "check out the helpers before the gate runs, or correct the list",
    ),
];
