//! What holds: each value with where it came from.
//!
//! The cli's overlay makes the [`Settings`] from flags, environment, file and defaults. Values that
//! pack and profile also have a say in (limits, leaks) are kept per source here and settled in
//! [`super::selection::profile`], because only selection knows pack and profile.

use super::bundle::Bundle;
use super::config::{
    BelowFloor, DispatcherKind, EmptyPolicy, Engine, Fixture, Isolation, Leaks, Limits, Multiple, Pack, Percent,
    PriorityPolicy, Profile, Trust, WhenRefused,
};
use super::failure::ClassRule;
use super::ids::{IssueRef, LockGroup, Sha256};
use super::quantity::{Size, Span};
use super::sourced::Sourced;

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

/// Everything that was configured, before pack and profile are known.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the keys are described in docs/configuration.md")]
pub(crate) struct Settings {
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
    pub(crate) below_floor: Sourced<BelowFloor>,
    /// What a run is to repeat of another.
    pub(crate) rerun: Option<Rerun>,
}
