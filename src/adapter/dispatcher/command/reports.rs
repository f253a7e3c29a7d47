//! Which results files are this run's: those that globs name, or those that changed while the
//! command ran.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use super::output::Output;
use crate::adapter::dispatcher::Plan;
use crate::adapter::process::{copy_masked, copy_masked_from};
use crate::adapter::results::{self, Defect, Reading};
use crate::adapter::workspace::files;
use crate::adapter::workspace::globs::{Globs, Matches};
use crate::domain::config::STANDARD_OUTPUT;
use crate::domain::run::ids::{RelPath, Sha256};
use crate::domain::verdict::fault::Fault;

/// The name under which the standard output is kept as a report.
const OUTPUT: &str = "reports/stdout";
/// Endings that a results file may have.
const ENDINGS: [&str; 4] = ["xml", "trx", "json", "tap"];
/// Folders that hold no report of a run: they are large, and others fill them.
const SKIPPED: [&str; 3] = [".git", "node_modules", ".venv"];
/// What is wrong with a file that no receipt can name.
const NO_NAME: &str = "its name is not Unicode";
/// How many files are looked at below the folder, so that a large tree takes bounded time.
const FILES_MOST: usize = 200_000;

/// What counts as a results file.
pub(super) struct Wanted {
    /// The globs, where some are named.
    globs: Option<Globs>,
    /// Whether the standard output may be a report.
    pub(super) output: bool,
}

/// A file as it was before the run.
pub(super) struct Stamp {
    size: u64,
    modified: SystemTime,
    /// When anything of it changed: the time of modification can be set.
    changed: Option<i128>,
    digest: Option<Sha256>,
}

/// What was there before the run.
#[derive(Default)]
pub(super) struct Before {
    files: BTreeMap<RelPath, Stamp>,
    problems: BTreeSet<String>,
}

/// What the run left.
#[derive(Default)]
pub(super) struct Collected {
    /// Reports of this run.
    pub(super) reports: Vec<(RelPath, Reading)>,
    /// Files that match and are as they were before the run.
    pub(super) stale: Vec<RelPath>,
    /// The files that test cases name.
    pub(super) names: BTreeSet<String>,
    /// How many test cases there are.
    pub(super) cases: u64,
}

impl Wanted {
    /// By the profile: `-` among the globs is the standard output.
    pub(super) fn of(plan: &Plan) -> Result<Self, Fault> {
        let all = &plan.profile.results.value;
        let named: Vec<String> =
            all.iter().filter(|glob| *glob != STANDARD_OUTPUT).cloned().collect();
        let invalid = |why| Fault::ProfileInvalid(format!("dispatcher.results: {why}"));
        let globs =
            (!named.is_empty()).then(|| Globs::compile(&named)).transpose().map_err(invalid)?;
        let output = all.is_empty() || named.len() < all.len();
        Ok(Self { globs, output })
    }

    /// Whether nobody named a results file.
    fn is_open(&self, plan: &Plan) -> bool {
        plan.profile.results.value.is_empty()
    }

    /// What is there before the run.
    pub(super) fn look(&self, plan: &Plan) -> Before {
        let hashed = self.globs.is_some();
        let matches = self.find(plan);
        let found = matches.files.into_iter().filter_map(|(path, absolute)| {
            let (size, modified) = files::stamp(&absolute)?;
            // Of what nobody named only size and time count: everything below the folder is looked
            // at.
            let digest =
                hashed.then(|| files::digest_file(&absolute).ok().map(|(_, digest)| digest));
            let (changed, digest) = (files::changed(&absolute), digest.flatten());
            Some((path, Stamp { size, modified, changed, digest }))
        });
        // With globs every problem counts, also one that was there before. So does a report that
        // cannot be named: whether this run wrote it is not known.
        let known = matches.problems.into_iter().filter(|why| !hashed && !why.ends_with(NO_NAME));
        Before { files: found.collect(), problems: known.collect() }
    }

    fn find(&self, plan: &Plan) -> Matches {
        match &self.globs {
            Some(globs) => globs.find(&plan.root, &plan.results),
            None if self.is_open(plan) => candidates(&plan.root, &plan.results),
            None => Matches::default(),
        }
    }

    /// Copies what is new or changed into `reports/`, masked; names what is as it was before.
    pub(super) fn collect(
        &self,
        plan: &Plan,
        before: &Before,
        faults: &mut Vec<Fault>,
    ) -> Result<Collected, Fault> {
        let mut collected = Collected::default();
        let matches = self.find(plan);
        for why in matches.problems.into_iter().filter(|why| !before.problems.contains(why)) {
            faults.push(Fault::ResultsInvalid { path: "a results file".to_owned(), why });
        }
        for (path, absolute) in matches.files {
            if before.files.get(&path).is_some_and(|stamp| unchanged(&absolute, stamp)) {
                if self.globs.is_some() {
                    collected.stale.push(path);
                }
                continue;
            }
            let target = path.below("reports");
            let unusable = |error: std::io::Error| Fault::ResultsDirUnusable {
                path: target.to_string(),
                why: error.to_string(),
            };
            let reading = match results::list(&absolute) {
                Ok(reading) => reading,
                Err(error) => {
                    let (path, why) = (path.to_string(), error.to_string());
                    faults.push(Fault::ResultsInvalid { path, why });
                    continue;
                }
            };
            if self.globs.is_none() && !is_report(&path, &reading) {
                continue;
            }
            copy_masked(&plan.redactor, &absolute, &plan.results.join(target.as_str()))
                .map_err(unusable)?;
            collected.take(target, reading);
        }
        Ok(collected)
    }
}

impl Collected {
    fn take(&mut self, path: RelPath, mut reading: Reading) {
        self.cases += reading.counts.total;
        let tests = reading.tests.take().unwrap_or_default();
        self.names.extend(tests.into_iter().filter_map(|test| test.file));
        self.reports.push((path, reading));
    }

    /// Takes the standard output for a report: where it was named, and where it is one and no file
    /// is.
    pub(super) fn take_output(
        &mut self,
        plan: &Plan,
        output: &Output,
        wanted: &Wanted,
    ) -> Result<(), Fault> {
        let (file, size) = output.read().map_err(Output::unusable)?;
        let open = wanted.is_open(plan);
        if size == 0 {
            return Ok(());
        }
        let again = file.try_clone().map_err(Output::unusable)?;
        let reading = results::list_from(file);
        // What a person reads is no report, and nobody said that it is one.
        if open && reading.format.is_none() {
            return Ok(());
        }
        copy_masked_from(&plan.redactor, again, &plan.results.join(OUTPUT))
            .map_err(Output::unusable)?;
        let path = OUTPUT.parse().map_err(|error| Fault::InternalError(format!("{error}")))?;
        self.take(path, reading);
        Ok(())
    }
}

/// Whether a file that nobody named is a report: one of a known format, or a results file by its
/// ending that is empty or cut before its format can be told. Other XML and JSON files are the
/// build's own.
fn is_report(path: &RelPath, reading: &Reading) -> bool {
    let markup = path.as_str().ends_with(".xml") || path.as_str().ends_with(".trx");
    let cut = matches!(reading.defect, Some(Defect::Truncated(_)));
    reading.format.is_some() || (markup && cut)
}

/// Files below the folder that may be results by their ending; a link to a file counts as one. What
/// cannot be looked into is a problem: a report could be there.
fn candidates(root: &Path, except: &Path) -> Matches {
    let own = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let skipped = entry.file_type().is_dir() && SKIPPED.contains(&name.as_ref());
        entry.depth() == 0 || !(skipped || entry.path().starts_with(except))
    };
    let mut matches = Matches::default();
    let walk = walkdir::WalkDir::new(root).follow_links(false).into_iter().filter_entry(own);
    for (at, entry) in walk.enumerate() {
        if at >= FILES_MOST {
            let why = format!("more than {FILES_MOST} files; name the results with --results");
            matches.problems.push(why);
            break;
        }
        match entry {
            Ok(entry) => candidate(root, &entry, &mut matches),
            Err(error) => matches.problems.push(error.to_string()),
        }
    }
    matches
}

fn candidate(root: &Path, entry: &walkdir::DirEntry, matches: &mut Matches) {
    let ending =
        entry.path().extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    if entry.file_type().is_dir()
        || !ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    {
        return;
    }
    match entry.path().strip_prefix(root).ok().and_then(files::slashed) {
        Some(path) if files::is_file(entry.path()) => {
            matches.files.insert(path, entry.path().to_owned());
        }
        Some(_) => {}
        None => {
            let name = entry.path().to_string_lossy().into_owned();
            matches.problems.push(format!("{name}: {NO_NAME}"));
        }
    }
}

fn unchanged(path: &Path, stamp: &Stamp) -> bool {
    let Some(now) = files::stamp(path) else { return false };
    if now != (stamp.size, stamp.modified) || files::changed(path) != stamp.changed {
        return false;
    }
    stamp.digest.is_none()
        || files::digest_file(path).ok().map(|(_, digest)| digest) == stamp.digest
}
