//! Verbs that only answer: nothing is run and no layer is asked.

use super::*;
use crate::adapter::runs;

impl Session<'_> {
    pub(super) fn explain(&self) -> Result<Ending, Failure> {
        let code = Positional::Code.first(self.matches);
        let asked = command::explain::asked(code.as_deref()).map_err(Failure::Usage)?;
        self.print(&command::explain::json(&asked), &command::explain::text(&asked))?;
        Ok(Ending::Good)
    }

    pub(super) fn schema(&self) -> Result<Ending, Failure> {
        let id = Positional::Id.first(self.matches);
        match id {
            Some(id) => {
                let schema = command::schema::one(&id).map_err(Failure::Usage)?.to_value();
                let text = format!("{schema:#}\n");
                self.print(&schema, &text)?;
            }
            None => {
                let ids: Vec<&str> = command::schema::all().into_iter().map(|(id, _)| id).collect();
                self.print(&json!(ids), &format!("{}\n", ids.join("\n")))?;
            }
        }
        Ok(Ending::Good)
    }

    pub(super) fn verify(&self) -> Result<Ending, Failure> {
        let folder = self.evidence_folder()?;
        let verified = command::verify::verify(self.world, &folder).map_err(Failure::Usage)?;
        self.print(&command::verify::json(&verified), &command::verify::text(&verified))?;
        Ok(Ending::of(verified.findings.first()))
    }

    /// The folder that was named, or that of the run that was named.
    pub(super) fn evidence_folder(&self) -> Result<PathBuf, Failure> {
        let word = Positional::Dir.first(self.matches);
        let word = word.unwrap_or_default();
        let folder = self.world.absolute(&word);
        if files::exists(&folder) {
            return Ok(folder);
        }
        let invocation = self.invocation(None)?;
        runs::named(self.world, &invocation.state, &invocation.repository_key(self.world), &word)
            .map_err(|why| Failure::Usage(anyhow::anyhow!(why)))
    }

    /// The run that was named.
    fn run_folder(&self, invocation: &Invocation) -> Result<PathBuf, Failure> {
        let word = Positional::Run.first(self.matches);
        let word = word.unwrap_or_else(|| "last".to_owned());
        runs::named(self.world, &invocation.state, &invocation.repository_key(self.world), &word)
            .map_err(|why| Failure::Usage(anyhow::anyhow!(why)))
    }

    pub(super) fn open(&self, invocation: &Invocation) -> Result<Ending, Failure> {
        let folder = self.run_folder(invocation)?;
        let (page, opened) = command::runs::open(self.world, &folder).map_err(Failure::Usage)?;
        self.print(&json!({"page": page, "opened": opened}), &format!("{}\n", printable(&page)))?;
        if !opened && !self.json {
            self.world.note("No browser could be started. Open this file in a browser.");
        }
        Ok(Ending::Good)
    }

    pub(super) fn runs(&self, invocation: &Invocation) -> Result<Ending, Failure> {
        let action = Positional::Action.first(self.matches);
        match action.as_deref() {
            Some("show") => {
                let folder = self.run_folder(invocation)?;
                let text = command::runs::show(&folder).map_err(Failure::Usage)?;
                self.print(&json!({"folder": shown(&folder), "report": text}), &text)?;
            }
            Some("prune") => {
                let removed = runs::prune(self.world, &invocation.state);
                let bytes: u64 = removed.iter().map(|run| run.bytes).sum();
                let size = crate::domain::config::quantity::Size::from_bytes(bytes).spaced();
                let text = format!("removed {} runs ({size})\n", removed.len());
                self.print(&command::runs::json(&removed), &text)?;
            }
            _ => {
                let runs = runs::all(&invocation.state);
                self.print(&command::runs::json(&runs), &command::runs::text(&runs))?;
            }
        }
        Ok(Ending::Good)
    }

    /// The exit code says whether the files could be read and hold no failure.
    pub(super) fn results(&self) -> Result<Ending, Failure> {
        let files = Positional::Files.all(self.matches).unwrap_or_default();
        let readings = command::results::read(self.world, &files).map_err(Failure::Usage)?;
        self.print(&command::results::json(&readings), &command::results::text(&readings))?;
        let findings = command::results::findings(&readings);
        let failed = readings.iter().any(|(_, reading)| reading.counts.failures() > 0);
        Ok(match findings.first() {
            Some(finding) => Ending::of(Some(finding)),
            None if failed => Ending::Bad(Classification::TestFailures),
            None => Ending::Good,
        })
    }

    pub(super) fn init(&self) -> Result<Ending, Failure> {
        if self.overlay.text(Flag::Config)?.is_some() {
            let why = format!("init writes {} at the root, and no other", config_file::NAME);
            return Err(Invalid::new("--config", why).into());
        }
        let layout = self.overlay.text(Flag::Layout)?.map(|text| text.value);
        let form = match (layout.as_deref(), self.overlay.switch(Flag::TrustedPr)?) {
            (None, false) => None,
            (Some("one-step"), false) => Some(Form::OneStep),
            (Some("five-jobs"), false) => Some(Form::FiveJobs),
            (None | Some("five-jobs"), true) => Some(Form::TrustedPr),
            (Some("one-step"), true) => {
                let why = "the router of --trusted-pr drives five jobs, not one step";
                return Err(Invalid::new("--layout", why).into());
            }
            (Some(other), _) => {
                let why = format!("{other:?} is neither one-step nor five-jobs");
                return Err(Invalid::new("--layout", why).into());
            }
        };
        let gate_ref = self.overlay.text(Flag::GateRef)?.map(|text| text.value);
        if let Some(odd) = gate_ref.as_ref().filter(|name| !is_ref(name)) {
            return Err(
                Invalid::new("--gate-ref", format!("{odd:?} is no tag and no commit")).into()
            );
        }
        let request = command::init::Request {
            form,
            gate_repository: self
                .overlay
                .parsed::<RepoSlug>(Flag::GateRepository)?
                .map(|slug| slug.value.to_string()),
            gate_ref,
            runner: self.overlay.list(Flag::Runner)?.map(|labels| labels.value),
            priority: self.overlay.word(Flag::StandingPriority)?.map(|word| word.value),
            force: self.overlay.switch(Flag::Force)?,
        };
        let done = command::init::run(self.world, &self.root, config_file::NAME, &request)
            .map_err(Failure::Usage)?;
        self.print(&command::init::json(&done), &command::init::text(&done))?;
        Ok(Ending::Good)
    }
}

/// What may stand after the `@` of `uses:`.
fn is_ref(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b))
        && !text.starts_with('-')
}
