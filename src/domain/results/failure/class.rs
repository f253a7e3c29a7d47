//! What kind of failure it is, by its message or by a rule of the repository's own.

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::message::{plain, telling};
use super::place::MENTION;
use crate::domain::verdict::reason::ReasonCode;

/// What kind of failure it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    /// A claim of the test does not hold.
    Assertion,
    /// It took too long.
    Timeout,
    /// A file that is not there.
    MissingFile,
    /// A right that is not given.
    Permission,
    /// A host or service that does not answer.
    Network,
    /// The process or a thread of it broke down.
    Crash,
    /// The file could not be loaded, or its tests not be found.
    Discovery,
    /// A program, a module or room that the host lacks.
    Environment,
    /// None of these can be told.
    Unknown,
}

impl Class {
    /// All of them.
    pub(crate) const ALL: [Class; 9] = [
        Class::Assertion,
        Class::Timeout,
        Class::MissingFile,
        Class::Permission,
        Class::Network,
        Class::Crash,
        Class::Discovery,
        Class::Environment,
        Class::Unknown,
    ];

    /// Of a layer's failure, by its reason.
    pub(crate) const fn of_reason(code: ReasonCode) -> Self {
        use ReasonCode as C;
        match code {
            C::TestsFailed => Class::Assertion,
            C::TestTimedOut | C::DispatcherTimedOut | C::ProbeTimedOut | C::LockHeld => {
                Class::Timeout
            }
            C::RequiredPathMissing
            | C::TestsPathMissing
            | C::TestFileMissing
            | C::FixtureMissing
            | C::ResultsMissing
            | C::ReceiptMissing
            | C::ExecutionReceiptMissing
            | C::RawArtifactMissing
            | C::WorktreeMissing => Class::MissingFile,
            C::TokenMissing
            | C::TokenUnauthorized
            | C::TokenForbidden
            | C::OutputUnwritable
            | C::ResultsDirUnusable
            | C::ExecutionPolicyForbids
            | C::WorktreeNotTrusted
            | C::LockUnusable => Class::Permission,
            C::RateLimited
            | C::ApiUnreachable
            | C::ApiServerError
            | C::EndpointUnreachable
            | C::BootstrapDownloadFailed => Class::Network,
            C::DispatcherCrashed | C::InternalError => Class::Crash,
            C::TestFileFailedToLoad => Class::Discovery,
            C::DotnetMissing
            | C::DockerCliMissing
            | C::DockerUnreachable
            | C::DiskLow
            | C::PathHygiene
            | C::LongPathsDisabled
            | C::LvcompareMissing
            | C::LabviewRunning
            | C::PowershellMissing
            | C::PesterMissing
            | C::PesterVersionUnsupported
            | C::ToolMissing
            | C::ToolVersionUnsupported
            | C::RunnerLabelMissing
            | C::DispatcherMissing
            | C::BootstrapBinaryMissing => Class::Environment,
            _ => Class::Unknown,
        }
    }

    /// As it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Class::Assertion => "assertion",
            Class::Timeout => "timeout",
            Class::MissingFile => "missing-file",
            Class::Permission => "permission",
            Class::Network => "network",
            Class::Crash => "crash",
            Class::Discovery => "discovery",
            Class::Environment => "environment",
            Class::Unknown => "unknown",
        }
    }

    /// As it heads a failure that people read.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Class::Unknown => "failure",
            other => other.as_str(),
        }
    }

    /// What a person does next.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Class::Assertion => "compare the expected value with the actual one",
            Class::Timeout => {
                "check what the test waited for; raise its limit only if the test needs more time"
            }
            Class::MissingFile => {
                "restore the file, or let the test create it; check for paths that differ \
                 between hosts"
            }
            Class::Permission => {
                "give the user of the runner access, or let the test use its own folder"
            }
            Class::Network => {
                "check the service and the network of this host, or remove the dependency on them"
            }
            Class::Crash => "run this file in a debugger or with more output",
            Class::Discovery => {
                "load the file by hand: it does not parse, or something that it loads is missing"
            }
            Class::Environment => {
                "install what the message names, and add it to `requires` of the pack for preflight"
            }
            Class::Unknown => "read the message and the last lines of the output",
        }
    }

    /// By the words of a message: what a test claims comes before the words it may quote.
    pub(super) fn of_message(message: &str) -> Self {
        let reported = telling(message);
        // Our own words for how a process ended.
        let first = reported.lines().next().unwrap_or_default();
        if first.starts_with("the ") && first.contains(" limit of ") && first.contains(" ended it")
        {
            return Class::Timeout;
        }
        if first.starts_with("signal ") && first.contains(" ended it") {
            return Class::Crash;
        }
        let reported = reported.to_lowercase();
        let claims = |line: &str| {
            // Behind a place, and behind pytest's mark.
            let line = line.trim_start();
            let line = line.strip_prefix("e ").unwrap_or(line).trim_start();
            let line = MENTION
                .find(line)
                .filter(|place| place.start() == 0)
                .map_or(line, |place| &line[place.end()..]);
            let line = line.trim_start_matches([':', ' ']);
            CLAIMS.iter().any(|claim| line.starts_with(claim))
                || CLAIM_TYPES.iter().any(|name| has_word(line, name))
        };
        if reported.lines().any(claims) {
            return Class::Assertion;
        }
        let of_words =
            WORDS.iter().find(|(_, words)| words.iter().any(|word| has_word(&reported, word)));
        of_words.map_or(Class::Unknown, |(class, _)| *class)
    }
}

/// Words by which a class is known, in the order in which they are tried.
const WORDS: &[(Class, &[&str])] = &[
    (
        Class::Network,
        &[
            "connection refused",
            "econnrefused",
            "connection reset",
            "connection timed out",
            "etimedout",
            "could not resolve host",
            "name or service not known",
            "no such host",
            "getaddrinfo",
            "network is unreachable",
            "remote name could not be resolved",
            "actively refused it",
            "unable to connect to the remote server",
        ],
    ),
    (
        Class::Crash,
        &[
            "panicked at",
            "segmentation fault",
            "sigsegv",
            "sigabrt",
            "core dumped",
            "access violation",
            "0xc0000005",
            "stack overflow",
            "stackoverflow",
            "ended by signal",
        ],
    ),
    (
        Class::Environment,
        &[
            "is not recognized as a name of a cmdlet",
            "is not recognized as the name of a cmdlet",
            "is not recognized as an internal or external command",
            "command not found",
            ": not found",
            "commandnotfoundexception",
            "no valid module file was found",
            "modulenotfounderror",
            "no module named",
            "cannot find module",
            "no space left on device",
            "not enough space on the disk",
            "out of memory",
            "outofmemory",
        ],
    ),
    (
        Class::Permission,
        &[
            "permission denied",
            "access is denied",
            "eacces",
            "eperm",
            "operation not permitted",
            "unauthorizedaccess",
            "permissionerror",
        ],
    ),
    (
        Class::MissingFile,
        &[
            "no such file or directory",
            "enoent",
            "could not find file",
            "could not find a part of the path",
            "cannot find path",
            "cannot find the file",
            "cannot find the path",
            "filenotfound",
            "file not found",
        ],
    ),
    (Class::Timeout, &["timed out", "timeout", "time limit", "deadline exceeded"]),
];

/// How a claim that does not hold begins, in the runners that we read.
const CLAIMS: &[&str] = &[
    "expected ",
    "expected:",
    "assertion failed",
    "assertion `",
    "assertionerror",
    "assert.",
    "assert ",
    "assertion error",
    "error: expect(",
    "expect(",
    "shouldthrow",
    "but was:",
];

/// Types whose name alone says so, wherever in the line.
const CLAIM_TYPES: &[&str] =
    &["assertionerror", "assertionfailederror", "assertionexception", "comparisonfailure"];

/// One entry of `report.classes`: failures whose message matches are of this class, whatever else
/// they say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct ClassRule {
    pub(crate) class: Class,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) remedy: Option<String>,
}

/// Rules of `report.classes`, ready to be tried.
#[derive(Debug, Default)]
pub(crate) struct ClassRules(Vec<(Regex, ClassRule)>);

impl ClassRules {
    /// From what is written; or why one of them cannot be used.
    pub(crate) fn new(rules: &[ClassRule]) -> Result<Self, String> {
        let each = |rule: &ClassRule| match regex::RegexBuilder::new(&rule.message)
            .size_limit(1 << 20)
            .build()
        {
            Ok(pattern) if !pattern.is_match("") => Ok((pattern, rule.clone())),
            Ok(_) => Err(format!("{:?} matches every message", rule.message)),
            Err(error) => Err(format!("{:?}: {error}", rule.message)),
        };
        Ok(Self(rules.iter().map(each).collect::<Result<_, _>>()?))
    }

    /// The first rule that a message fits.
    pub(super) fn fitting(&self, message: &str) -> Option<&ClassRule> {
        let plain = plain(message);
        self.0.iter().find(|(pattern, _)| pattern.is_match(&plain)).map(|(_, rule)| rule)
    }
}

/// Whether a word stands there, and not inside another.
fn has_word(text: &str, word: &str) -> bool {
    let whole = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    text.match_indices(word)
        .any(|(at, _)| !(whole && text[..at].ends_with(|c: char| c.is_ascii_alphanumeric())))
}
