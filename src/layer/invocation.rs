//! What every layer stands on: root, folders, settings, facts of the run; and how each ends.

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::adapter::lock::Lock;
use crate::adapter::receipt_store::{self, Loaded, Verified, Written, shown};
use crate::adapter::runner::Facts;
use crate::adapter::terminal::Progress;
use crate::adapter::workspace::{files, git};
use crate::adapter::world::World;
use crate::domain::config::LockScope;
use crate::domain::config::settings::{ConfigFile, Settings};
use crate::domain::config::sourced::Source;
use crate::domain::receipt::{
    Classification, ContextReceipt, Head, Host, LayerStatus, Parent, Reason, Receipt, Run, Tool,
};
use crate::domain::run::freshness::Expect;
use crate::domain::run::ids::{CommitSha, GateId, LockGroup, RepoSlug, RunId, Sha256};
use crate::domain::run::redact::Redactor;
use crate::domain::verdict::classify::{class_of, layer_status, open_with_good, order};
use crate::domain::verdict::fault::{Fault, Finding, ReceiptFault, charge};
use crate::domain::verdict::reason::{Layer, ReasonCode};

/// Name of the configuration that is found without `--config`.
pub(crate) const CONFIGURATION: &str = "pester-gate.yml";

/// What is the same for every layer of one invocation.
pub(crate) struct Invocation {
    /// The checkout's root.
    pub(crate) root: PathBuf,
    /// Where this layer's files go, where somebody said so.
    pub(crate) out: Option<PathBuf>,
    /// The state folder.
    pub(crate) state: PathBuf,
    /// Where the folders of several runs are kept, where that is not below the state folder.
    pub(crate) runs: Option<PathBuf>,
    /// What holds.
    pub(crate) settings: Settings,
    /// What the runner says of the run.
    pub(crate) facts: Facts,
    /// The host that receipts name.
    pub(crate) host: Host,
    /// Tells this gate from others of the run.
    pub(crate) gate_id: Option<GateId>,
    /// Masks secrets.
    pub(crate) redactor: Redactor,
    /// Shows progress.
    pub(crate) progress: Progress,
    /// By what the repository is known again, once it was asked for.
    pub(crate) repository: OnceCell<String>,
}

impl Invocation {
    /// Where this layer's files go: `--out`, else a folder of the run below the state folder.
    pub(crate) fn out_dir(&self, run: &RunId, attempt: u32) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let attempt = if attempt > 1 { format!("-a{attempt}") } else { String::new() };
            self.state.join("runs").join(format!("{run}{attempt}"))
        })
    }

    /// Folders of ours: neither tests nor changes.
    pub(crate) fn ours(&self, out: &Path) -> Vec<PathBuf> {
        // The gate's own checkout, where a workflow has put it beside the code under test.
        let actions = self.root.join(".pester-gate");
        let mut ours = vec![self.state.clone(), files::canonical(out), actions];
        ours.extend(self.runs.clone());
        ours
    }

    /// The host's lock.
    pub(crate) fn lock(&self, world: &World) -> io::Result<Lock> {
        let named = &self.settings.lock_directory;
        // A folder that the configuration names is the repository's to name, one that was typed the
        // caller's.
        let folder = named.value.as_ref().map(|folder| match named.is_set_by_hand() {
            true => world.absolute(folder),
            false => self.root.join(folder),
        });
        Lock::new(world, folder, self.lock_group(world)?, &self.state)
    }

    /// The group of the lock: of the whole host, or of this repository on it.
    fn lock_group(&self, world: &World) -> io::Result<LockGroup> {
        let group = &self.settings.lock_group.value;
        match self.settings.lock_scope.value {
            LockScope::Host => Ok(group.clone()),
            LockScope::Repository => {
                let key = self.repository_key(world);
                let digest = files::digest_bytes(format!("{group}\0{key}").as_bytes());
                let short: String = group.as_str().chars().take(24).collect();
                let name = format!("{short}-{}", &digest.as_str()[..12]);
                name.parse().map_err(|error| io::Error::other(format!("{error}")))
            }
        }
    }

    /// The repository, for people: its address, or its folder.
    pub(crate) fn repository_label(&self, world: &World) -> String {
        let key = self.repository_key(world);
        match key.split_once(':') {
            Some(("remote", address)) => address.to_owned(),
            _ => shown(&self.root),
        }
    }

    /// By what this repository is known again on this host: as context saw it, where its receipt
    /// was read.
    pub(crate) fn repository_key(&self, world: &World) -> String {
        self.repository.get_or_init(|| git::identity(world, &self.root)).clone()
    }

    /// Which of the repository's configurations this run uses: its path below the worktree.
    pub(crate) fn configuration_key(&self) -> String {
        if matches!(self.settings.command.source, Source::Flag(_)) {
            return "--".to_owned();
        }
        match &self.settings.config {
            ConfigFile::Read(file) => {
                let top = git::top_level(&self.root).unwrap_or_else(|| self.root.clone());
                let own = file.strip_prefix(&shown(&top)).unwrap_or(file);
                own.trim_start_matches(['/', '\\']).to_owned()
            }
            ConfigFile::Missing(_) => String::new(),
        }
    }

    /// Whether this run uses the configuration that is found without `--config`.
    pub(crate) fn is_main_configuration(&self) -> bool {
        let name = match &self.settings.config {
            ConfigFile::Read(file) => file.rsplit(['/', '\\']).next(),
            ConfigFile::Missing(_) => None,
        };
        name == Some(CONFIGURATION)
    }

    /// What the runner says and cannot mean: every layer stops on it, because what it does not know
    /// it would not check.
    pub(crate) fn fact_findings(&self, layer: Layer) -> Vec<Finding> {
        self.facts.faults.iter().map(|fault| charge(fault, layer)).collect()
    }
}

/// A receipt to be consumed, as the command line names it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiptInput {
    /// Its path; where none was given there is no receipt.
    pub(crate) path: Option<PathBuf>,
    /// The digest that its layer put out.
    pub(crate) sha256: Option<Sha256>,
}

impl ReceiptInput {
    /// Reads the receipt. A path that was not given is a receipt that is not there.
    pub(crate) fn load<R: Receipt>(&self) -> Result<Loaded<R>, ReceiptFault> {
        match &self.path {
            Some(path) => receipt_store::load(path, self.sha256.as_ref()),
            None => Err(ReceiptFault::Missing { layer: R::LAYER, path: String::new() }),
        }
    }
}

/// Run, commit and repository, as far as they are known once context's receipt was read.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// When the layer began.
    pub(crate) started: Timestamp,
    /// Run and attempt.
    pub(crate) run: (RunId, u32),
    /// The commit under test.
    pub(crate) head_sha: Option<CommitSha>,
    /// The repository.
    pub(crate) repository: Option<RepoSlug>,
    /// The branch under test, as context saw it.
    pub(crate) head_ref: Option<String>,
    /// As given to context.
    pub(crate) sample_id: Option<String>,
    /// As given to context.
    pub(crate) correlation_id: Option<String>,
}

impl Identity {
    /// What this process knows by itself.
    pub(crate) fn own(world: &World, invocation: &Invocation) -> Self {
        let local = || (local_run(world), 1);
        Self {
            started: world.now(),
            run: invocation.facts.run.clone().unwrap_or_else(local),
            head_sha: invocation.facts.head_sha.clone(),
            repository: None,
            head_ref: None,
            sample_id: None,
            correlation_id: None,
        }
    }

    /// Takes over what a believed context receipt says and this process does not know.
    pub(crate) fn adopt(&mut self, invocation: &Invocation, context: &ContextReceipt) {
        if invocation.facts.run.is_none() {
            self.run = (context.run.run_id.clone(), context.run.run_attempt);
        }
        if self.head_sha.is_none() {
            self.head_sha.clone_from(&context.run.head_sha);
        }
        // Execute asks no git: what context did not say is the folder.
        let known = context.repository_identity.clone();
        let _ = invocation
            .repository
            .set(known.unwrap_or_else(|| git::folder_identity(&invocation.root)));
        self.repository.clone_from(&context.repository);
        self.head_ref.clone_from(&context.run.head_ref);
        self.sample_id.clone_from(&context.run.sample_id);
        self.correlation_id.clone_from(&context.run.correlation_id);
    }

    /// As it stands in a receipt.
    pub(crate) fn record(&self, invocation: &Invocation) -> Run {
        let mut run = invocation.facts.run_record(self.run.clone(), self.head_sha.clone());
        run.gate_id = invocation.gate_id.clone();
        run.head_ref = run.head_ref.or_else(|| self.head_ref.clone());
        run.sample_id.clone_from(&self.sample_id);
        run.correlation_id.clone_from(&self.correlation_id);
        run
    }
}

/// A new run id for a run outside Actions.
pub(crate) fn local_run(world: &World) -> RunId {
    #[allow(
        clippy::expect_used,
        reason = "`local-` and a UUID hold nothing but letters, digits and hyphens"
    )]
    world.new_local_run().parse().expect("a UUID is a valid run id")
}

/// Reads context's receipt and takes its identity over. The first receipt of a chain is believed
/// against what this process knows by itself; the others are held against it.
pub(crate) fn consume_context(
    world: &World,
    invocation: &Invocation,
    receipt_input: &ReceiptInput,
    identity: &mut Identity,
) -> Result<Verified<ContextReceipt>, ReceiptFault> {
    let own_run = invocation.facts.run.as_ref().map(|(run, attempt)| (run, *attempt));
    let expect = Expect {
        run: own_run,
        head_sha: invocation.facts.head_sha.as_ref(),
        vouched: false,
        now: world.now(),
    };
    let context = receipt_input.load::<ContextReceipt>()?.verify(expect)?;
    identity.adopt(invocation, &context.receipt);
    match context.receipt.status {
        LayerStatus::Blocked => Err(upstream_blocked(Layer::Context, &context.receipt.reasons)),
        _ => Ok(context),
    }
}

/// A receipt whose layer stopped the chain.
pub(crate) fn upstream_blocked(layer: Layer, reasons: &[Reason]) -> ReceiptFault {
    let reason =
        reasons.first().map_or_else(String::new, |r| format!("{} ({})", r.code.0, r.detail));
    ReceiptFault::UpstreamBlocked { layer, reason }
}

/// What this process expects of a receipt, once identity is settled.
pub(crate) fn expect<'a>(world: &World, identity: &'a Identity) -> Expect<'a> {
    Expect {
        run: Some((&identity.run.0, identity.run.1)),
        head_sha: identity.head_sha.as_ref(),
        vouched: false,
        now: world.now(),
    }
}

/// The common fields of a receipt; orders the findings.
pub(crate) fn head<S>(
    world: &World,
    invocation: &Invocation,
    identity: &Identity,
    findings: &mut Vec<Finding>,
    status: impl FnOnce(&[Finding]) -> S,
    parents: Vec<Parent>,
) -> Head<S> {
    order(findings);
    open_with_good(findings);
    Head {
        started_at_utc: identity.started,
        generated_at_utc: world.now(),
        status: status(findings),
        reasons: findings
            .iter()
            .map(|finding| {
                let mut reason = Reason::from(finding);
                reason.detail = invocation.redactor.for_people(&reason.detail);
                reason
            })
            .collect(),
        repository: identity.repository.clone(),
        run: identity.record(invocation),
        host: invocation.host.clone(),
        tool: tool(),
        parents,
    }
}

/// This program.
pub(crate) fn tool() -> Tool {
    Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// How an invocation ended; the cli turns it into an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ready, warning or completed.
    Good,
    /// This classification, and red.
    Bad(Classification),
    /// This classification, let through.
    Notice(Classification),
    /// A usage or configuration error.
    Usage,
    /// A bug of ours.
    Bug,
    /// The exit code of a command that was run for somebody.
    Own(u8),
}

impl Ending {
    /// From what decided.
    pub(crate) fn of(deciding: Option<&Finding>) -> Self {
        match deciding {
            Some(finding) if finding.stops() => match finding.code() {
                ReasonCode::ConfigurationInvalid => Ending::Usage,
                ReasonCode::InternalError => Ending::Bug,
                code => Ending::Bad(class_of(code, finding.layer()).0),
            },
            _ => Ending::Good,
        }
    }

    /// For people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Good => Classification::Completed.words(),
            Self::Bad(classification) => classification.words(),
            Self::Notice(_) => "failed, but allowed to pass by policy",
            Self::Usage => "usage or configuration error",
            Self::Bug => "internal error (please report it)",
            Self::Own(_) => "ended with the exit code of its command",
        }
    }
}

/// What a layer came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The layer.
    pub(crate) layer: Layer,
    /// Its status or classification.
    pub(crate) status: &'static str,
    /// What held, the deciding finding first.
    pub(crate) findings: Vec<Finding>,
    /// How it ended.
    pub(crate) ending: Ending,
    /// Its receipt, as written.
    pub(crate) receipt: serde_json::Value,
    /// Where and what.
    pub(crate) written: Written,
    /// Further step outputs of the layer.
    pub(crate) outputs: Vec<(&'static str, String)>,
}

/// A layer without a receipt: the receipt itself could not be written.
#[derive(Debug)]
pub(crate) struct Unreported {
    /// Whose receipt.
    pub(crate) layer: Layer,
    /// Why not.
    pub(crate) fault: Fault,
}

impl Unreported {
    /// As a finding.
    pub(crate) fn finding(&self) -> Finding {
        charge(&self.fault, self.layer)
    }
}

/// Writes a layer's receipt and makes its outcome.
pub(crate) fn conclude<R: Receipt>(
    invocation: &Invocation,
    folder: &Path,
    receipt: &R,
    findings: Vec<Finding>,
    status: &'static str,
) -> Result<Outcome, Unreported> {
    let written = receipt_store::write(folder, receipt, &invocation.redactor);
    let (written, receipt) = written.map_err(|fault| Unreported { layer: R::LAYER, fault })?;
    Ok(Outcome {
        layer: R::LAYER,
        status,
        ending: Ending::of(findings.first()),
        findings,
        receipt,
        written,
        outputs: Vec::new(),
    })
}

/// The status word of a layer that is not execute or post.
pub(crate) fn status_word(findings: &[Finding]) -> &'static str {
    layer_status(findings).as_str()
}
