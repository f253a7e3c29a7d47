//! What holds: each value with where it came from.
//!
//! The cli's overlay makes the [`Settings`] from flags, environment, file and defaults. Values that
//! pack and profile also have a say in (limits, leaks) are kept per source here and settled in
//! [`crate::domain::selection::profile`], because only selection knows pack and profile.

use crate::domain::config::quantity::{Size, Span};
use crate::domain::config::sourced::{Source, Sourced};
use crate::domain::config::{
    DispatcherKind, EmptyPolicy, Engine, FILES_ARGUMENT, Fixture, Isolation, Leaks, Limits,
    LockScope, Multiple, Pack, Percent, PriorityPolicy, Profile, Trust, WarnOrFail, WhenRefused,
};
use crate::domain::results::bundle::Bundle;
use crate::domain::results::failure::ClassRule;
use crate::domain::run::ids::{IssueRef, LockGroup, RelPath, Sha256};

/// One limit as flag or environment set it; the file's own stand in [`Settings::limits`].
pub(crate) type TypedLimit = Option<Sourced<Span>>;

/// Limits from flags or environment.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct TypedLimits {
    pub(crate) run: TypedLimit,
    pub(crate) file: TypedLimit,
    pub(crate) test: TypedLimit,
    pub(crate) no_output: TypedLimit,
    pub(crate) kill_grace: TypedLimit,
}

/// What is taken up of a run that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rerun {
    /// The bundle.
    pub(crate) bundle: Bundle,
    /// Digest of its bytes.
    pub(crate) sha256: Sha256,
    /// Where it is.
    pub(crate) path: String,
}

/// Where the configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigFile {
    /// This file.
    Read(String),
    /// None: these folders hold no `pester-gate.yml`.
    Missing(Vec<String>),
}

/// Everything that was configured, before pack and profile are known.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Settings {
    pub(crate) also_run: Sourced<Vec<RelPath>>,
    /// Whether the configuration lists others, whether they run or not.
    pub(crate) has_siblings: bool,
    pub(crate) pack: Sourced<Option<String>>,
    pub(crate) profile: Sourced<String>,
    pub(crate) integration_mode: Sourced<Option<String>>,
    pub(crate) shards: Sourced<u32>,
    pub(crate) tests_path: Sourced<String>,
    pub(crate) tests_pattern: Sourced<Vec<String>>,
    pub(crate) integration_pattern: Sourced<Vec<String>>,
    pub(crate) integration_tag: Sourced<String>,
    pub(crate) include: Sourced<Vec<String>>,
    pub(crate) exclude: Sourced<Vec<String>>,
    pub(crate) refine: Sourced<Vec<String>>,
    pub(crate) files: Sourced<Vec<String>>,
    pub(crate) required_paths: Sourced<Vec<String>>,
    pub(crate) packs: Vec<Pack>,
    pub(crate) fixtures: Vec<Fixture>,
    pub(crate) profiles: Vec<(String, Profile)>,
    pub(crate) kind: Sourced<DispatcherKind>,
    pub(crate) command: Sourced<Vec<String>>,
    pub(crate) results: Sourced<Vec<String>>,
    pub(crate) isolation: Sourced<Isolation>,
    pub(crate) jobs: Sourced<u32>,
    pub(crate) script: Sourced<Option<String>>,
    pub(crate) powershell: Sourced<String>,
    pub(crate) pester_minimum_version: Sourced<String>,
    pub(crate) pester_maximum_version: Sourced<Option<String>>,
    pub(crate) helper_roots: Sourced<Vec<String>>,
    pub(crate) priority_policy: Sourced<PriorityPolicy>,
    pub(crate) priority_labels: Sourced<Vec<String>>,
    pub(crate) priority_fork_labels: Sourced<Vec<String>>,
    pub(crate) priority_excluded_label: Sourced<String>,
    pub(crate) priority_epics: Sourced<Vec<u64>>,
    pub(crate) priority_multiple: Sourced<Multiple>,
    pub(crate) priority_issue: Sourced<Option<IssueRef>>,
    pub(crate) priority_max_wait: Sourced<Span>,
    pub(crate) routing_label: Sourced<String>,
    pub(crate) routing_trust: Sourced<Trust>,
    pub(crate) routing_when_refused: Sourced<WhenRefused>,
    pub(crate) min_free: Sourced<Size>,
    pub(crate) min_free_files: Sourced<u64>,
    pub(crate) docker_engine: Sourced<Engine>,
    pub(crate) labels: Sourced<Vec<String>>,
    pub(crate) runner_labels: Sourced<Option<Vec<String>>>,
    pub(crate) freshness: Sourced<Span>,
    pub(crate) probe_timeout: Sourced<Span>,
    pub(crate) lock_group: Sourced<LockGroup>,
    pub(crate) lock_scope: Sourced<LockScope>,
    pub(crate) lock_wait: Sourced<Span>,
    pub(crate) lock_directory: Sourced<Option<String>>,
    pub(crate) limits: Limits,
    pub(crate) typed_limits: TypedLimits,
    pub(crate) leaks: Sourced<Leaks>,
    pub(crate) zero_tests: Sourced<EmptyPolicy>,
    pub(crate) all_skipped: Sourced<EmptyPolicy>,
    pub(crate) redact: Vec<String>,
    pub(crate) summary: Sourced<bool>,
    pub(crate) html: Sourced<bool>,
    pub(crate) annotations: Sourced<bool>,
    pub(crate) classes: Vec<ClassRule>,
    pub(crate) test_floor: Sourced<Percent>,
    pub(crate) below_floor: Sourced<WarnOrFail>,
    pub(crate) unaccounted: Sourced<WarnOrFail>,
    /// The configuration file, or the folders that were searched for one.
    pub(crate) config: ConfigFile,
    /// What a run is to repeat of another.
    pub(crate) rerun: Option<Rerun>,
}

impl Settings {
    /// Whether the dispatcher is one command that takes no files: then the whole command is the one
    /// unit that runs. A pattern of the configuration's still lists the files, but for a command
    /// that was typed.
    pub(crate) fn is_whole_command(&self) -> bool {
        let typed = matches!(self.command.source, Source::Flag(_));
        self.kind.value == DispatcherKind::Command
            && !takes_files(&self.command.value)
            && (typed || !self.tests_pattern.is_set())
    }

    /// Whether the profile runs commands before the tests, which may install what the tests need.
    pub(crate) fn is_prepared(&self) -> bool {
        let profile = self.profiles.iter().find(|(name, _)| *name == self.profile.value);
        profile.is_some_and(|(_, profile)| {
            profile.before.as_ref().is_some_and(|list| !list.is_empty())
        })
    }
}

/// Whether a command is given the selected files.
pub(crate) fn takes_files(command: &[String]) -> bool {
    command.iter().any(|argument| argument == FILES_ARGUMENT)
}
