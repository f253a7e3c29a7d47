//! Verbs that judge a run: `post`, `replay`; and what they share with `run`.

use std::collections::BTreeMap;

use super::*;
use crate::domain::config::DispatcherKind;
use crate::domain::config::settings::{Rerun, Settings};
use crate::domain::config::sourced::{Source, Sourced};
use crate::domain::results::bundle::{self, Bundle};
use crate::domain::results::test_list::TestList;

impl Session<'_> {
    pub(super) fn post(&self, invocation: &Invocation) -> Result<Ending, Failure> {
        let of_job = self.job_folder()?.map(|folder| folder.evidence());
        let named = self.overlay.path(Flag::ReceiptsDir)?.or(of_job);
        let receipts_dir = match (named, &invocation.out) {
            (Some(dir), _) => dir,
            (None, Some(out)) => out.clone(),
            (None, None) => {
                return Err(
                    Invalid::new("--receipts-dir", "name the folder of the receipts").into()
                );
            }
        };
        let jobs = self.needs()?;
        let request = post::Request {
            receipts_dir: files::canonical(&receipts_dir),
            execute_is_over: jobs.contains_key(&Layer::Execute),
            jobs,
            digests: post::Digests {
                route: self.digest(Layer::Route)?,
                context: self.digest(Layer::Context)?,
                preflight: self.digest(Layer::Preflight)?,
                selection: self.digest(Layer::Selection)?,
                execute: self.execute_digests()?,
            },
            continue_on_failure: self.overlay.switch(Flag::ContinueOnFailure)?,
            found: invocation.fact_findings(Layer::Post),
            against: self.against(invocation)?,
            classes: invocation.settings.classes.clone(),
            ..post::Request::default()
        };
        let done = post::run(self.world, invocation, &request).map_err(Failure::Unreported)?;
        invocation.progress.done();
        self.set_outputs(&done.outcome)?;
        self.print(&done.outcome.receipt, &done.text)?;
        Ok(done.outcome.ending)
    }

    fn needs(
        &self,
    ) -> Result<std::collections::BTreeMap<Layer, crate::domain::verdict::classify::Job>, Failure>
    {
        let Some(needs) = self.overlay.text_whole(Flag::Needs)? else {
            return Ok(Default::default());
        };
        let text = if needs.trim_start().starts_with('{') {
            needs
        } else {
            let path = self.world.absolute(needs.trim());
            let bytes = files::read_bounded(&path)
                .map_err(|error| Invalid::new("--needs", format!("{}: {error}", path.display())))?;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(post::parse_needs(&text).map_err(|why| Invalid::new("--needs", why))?)
    }

    fn execute_digests(&self) -> Result<Vec<(Option<u32>, Sha256)>, Failure> {
        let Some(values) = self.overlay.list(Flag::ExecuteSha256)? else { return Ok(Vec::new()) };
        let parse = |value: &String| -> Result<(Option<u32>, Sha256), Invalid> {
            let invalid = |why: String| Invalid::new("--execute-sha256", why);
            let (shard, hex) = match value.split_once('=') {
                Some((shard, hex)) => {
                    let shard = shard
                        .parse()
                        .map_err(|_| invalid(format!("{shard:?} is not a shard's number")))?;
                    (Some(shard), hex)
                }
                None => (None, value.as_str()),
            };
            Ok((
                shard,
                hex.parse().map_err(|error: crate::domain::run::ids::IdError| {
                    invalid(error.to_string())
                })?,
            ))
        };
        // A workflow lists every shard that there can be: the digest of one that did not run is
        // empty.
        let given = values
            .value
            .iter()
            .filter(|value| !value.trim_end().ends_with('=') && !value.trim().is_empty());
        Ok(given.map(parse).collect::<Result<_, _>>()?)
    }

    pub(super) fn replay(&self, invocation: Invocation) -> Result<Ending, Failure> {
        let folder = self.evidence_folder()?;
        let done =
            command::replay::replay(self.world, invocation, &folder).map_err(Failure::Usage)?;
        let done = done.map_err(Failure::Unreported)?;
        let same = match done.same_verdict {
            Some(true) => "Compared   same verdict as the stored one\n",
            Some(false) => {
                "Compared   the stored verdict is different; see pester-evidence-provenance.json\n"
            }
            None => "Compared   no stored verdict to compare with\n",
        };
        let text = format!("{}{same}Replay     {}\n", done.text, printable(&shown(&done.folder)));
        self.print(&done.post.receipt, &text)?;
        Ok(done.post.ending)
    }

    /// The earlier run that `--baseline` names.
    pub(super) fn against(&self, invocation: &Invocation) -> Result<post::Against, Failure> {
        Ok(match self.earlier(invocation, Flag::Baseline)? {
            Some(Ok(list)) => post::Against::Baseline(Box::new(list)),
            Some(Err(why)) => post::Against::Unreadable(why),
            None => post::Against::Nothing,
        })
    }

    /// How long files took in the run that `--durations` names.
    pub(super) fn durations(
        &self,
        invocation: &Invocation,
    ) -> Result<selection::Durations, Failure> {
        let of = |list: TestList| {
            list.durations().into_iter().map(|(file, ms)| (file.to_owned(), ms)).collect()
        };
        Ok(self
            .earlier(invocation, Flag::Durations)?
            .map_or_else(|| Ok(BTreeMap::new()), |list| list.map(of)))
    }

    /// The tests of the earlier run that a flag names. Where it was typed, one that cannot be read
    /// ends the command; where a workflow names it the verdict is worth more than the comparison,
    /// and says that there is none.
    fn earlier(
        &self,
        invocation: &Invocation,
        flag: Flag,
    ) -> Result<Option<Result<TestList, String>>, Failure> {
        let Some(text) = self.overlay.text(flag)? else { return Ok(None) };
        let path = self.world.absolute(text.value);
        match (post::read_list(&path, invocation.gate_id.as_ref()), text.source) {
            (Err(why), Source::Flag(flag)) => Err(Invalid::new(flag, why).into()),
            (list, _) => Ok(Some(list)),
        }
    }

    /// Takes over what the bundle that `--rerun-from` names says of the run that it repeats.
    pub(super) fn rerun(&self, settings: &mut Settings) -> Result<(), Failure> {
        let Some(path) = self.overlay.path(Flag::RerunFrom)? else { return Ok(()) };
        let place = "--rerun-from";
        let invalid =
            |why: String| Failure::from(Invalid::new(place, format!("{}: {why}", path.display())));
        let path = if files::is_dir(&path) { path.join(bundle::FILE) } else { path.clone() };
        let bytes = files::read_bounded(&path).map_err(|error| invalid(error.to_string()))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let schema: Value =
            serde_json::from_slice(text).map_err(|error| invalid(error.to_string()))?;
        if schema.get("schema").and_then(Value::as_str) != Some(bundle::SCHEMA) {
            return Err(invalid(format!("it is no bundle of schema {}", bundle::SCHEMA)));
        }
        let read: Bundle =
            serde_json::from_slice(text).map_err(|error| invalid(error.to_string()))?;
        for flag in [
            Flag::Pack,
            Flag::Profile,
            Flag::IntegrationMode,
            Flag::File,
            Flag::Include,
            Flag::Exclude,
            Flag::Refine,
            Flag::Shards,
        ] {
            if self.overlay.list(flag)?.is_some_and(|typed| matches!(typed.source, Source::Flag(_)))
            {
                return Err(Invalid::new(
                    flag.to_string(),
                    "the bundle of --rerun-from says what runs",
                )
                .into());
            }
        }
        let typed = settings.kind.value == DispatcherKind::Command
            && matches!(settings.command.source, Source::Flag(_));
        if read.dispatcher.as_ref().is_some_and(|dispatcher| dispatcher.typed) && !typed {
            let why = "the tests were a command typed after `--`; type the command again (a \
                       replay bundle never starts a program)";
            return Err(Invalid::new(place, why).into());
        }
        let source = || Source::Flag(place.to_owned());
        settings.pack = Sourced::new(Some(read.pack.clone()), source());
        if let Some(profile) = &read.profile {
            settings.profile = Sourced::new(profile.clone(), source());
        }
        if let Some(mode) = &read.integration_mode {
            settings.integration_mode = Sourced::new(Some(mode.clone()), source());
        }
        for list in [
            &mut settings.files,
            &mut settings.include,
            &mut settings.exclude,
            &mut settings.refine,
        ] {
            *list = Sourced::default(Vec::new());
        }
        settings.rerun =
            Some(Rerun { sha256: files::digest_bytes(&bytes), bundle: read, path: shown(&path) });
        Ok(())
    }
}
