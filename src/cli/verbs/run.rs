//! `run`: the configuration that was found, and each that it lists in `also-run`.

use super::*;
use crate::domain::config::typed::{Argument, Typed};

/// One configuration of a run.
struct Gate {
    /// The configuration's file, as a reader of the output knows it.
    name: String,
    invocation: Invocation,
    /// What names this configuration on a command line, where more than one runs.
    arguments: Vec<Argument>,
}

/// What became of one configuration.
struct Ran {
    name: String,
    outcome: Outcome,
}

impl Session<'_> {
    pub(super) fn run_all(&self, invocation: Invocation) -> Result<Ending, Failure> {
        let others = self.other_configurations(&invocation)?;
        let gates = self.gates(invocation)?;
        if self.overlay.switch(Flag::DryRun)? {
            return self.dry_run(&gates);
        }
        let is_alone = gates.len() == 1;
        let names: Vec<String> = gates.iter().map(|gate| gate.name.clone()).collect();
        let mut done: Vec<Ran> = Vec::new();
        let mut failure = None;
        for gate in gates {
            if !is_alone {
                gate.invocation.progress.line(&format!("{}:", printable(&gate.name)));
            }
            let name = gate.name.clone();
            let ran = match self.run_one(gate) {
                Ok(ran) => ran,
                Err(why) if is_alone => return Err(why),
                Err(why) => {
                    failure = Some(why);
                    break;
                }
            };
            if is_alone {
                self.set_outputs(&ran.post)?;
                let text = format!("{}{}", ran.text, not_run(&others));
                self.print(&ran.post.receipt, &text)?;
                return Ok(ran.post.ending);
            }
            if !self.json {
                let text = format!("Config     {}\n{}\n", printable(&name), ran.text);
                self.print(&Value::Null, &text)?;
            }
            done.push(Ran { name, outcome: ran.post });
            if self.world.cancel().requests() > 0 {
                break;
            }
        }
        let ending = self.conclude(&names, &done, &others)?;
        failure.map_or(Ok(ending), Err)
    }

    /// Checks this host for every configuration that `run` runs.
    pub(super) fn doctor(&self, invocation: Invocation) -> Result<Ending, Failure> {
        let gates = self.gates(invocation)?;
        let listed: Vec<String> =
            gates.iter().map(|gate| shown(&gate.invocation.root.join(&gate.name))).collect();
        let verbose = self.verbosity == Verbosity::Verbose;
        let (mut documents, mut texts) = (Vec::new(), Vec::new());
        for gate in &gates {
            let checks = command::doctor::check(self.world, &gate.invocation);
            let found = command::doctor::configurations(&gate.invocation, &listed);
            documents.push(command::doctor::json(self.world, &checks, &found));
            texts.push(command::doctor::text(&checks, &found, verbose));
        }
        let json = match documents.as_slice() {
            [one] => one.clone(),
            _ => json!({"configurations": documents}),
        };
        self.print(&json, &texts.join("\n"))?;
        Ok(Ending::Good)
    }

    /// The configurations to run, all of them read before the first one starts.
    fn gates(&self, invocation: Invocation) -> Result<Vec<Gate>, Failure> {
        let first = config_file::NAME.to_owned();
        let also = invocation.settings.also_run.value.clone();
        if also.is_empty() {
            return Ok(vec![Gate { name: first, invocation, arguments: Vec::new() }]);
        }
        for flag in args::OF_ONE_CONFIGURATION {
            if self.overlay.list(flag)?.is_some() {
                let why = format!(
                    "this repository has several configurations, and this option applies to one \
                     of them: add --config {}, or --config {}",
                    config_file::NAME,
                    also.iter().map(RelPath::as_str).collect::<Vec<_>>().join(", or --config ")
                );
                return Err(Invalid::new(flag.to_string(), why).into());
            }
        }
        let mut gates = vec![Gate { arguments: self.naming(&first), name: first, invocation }];
        for name in &also {
            let name = name.to_string();
            if gates.iter().any(|gate| gate.name == name) {
                let why = format!("{name} is listed twice");
                return Err(Invalid::new("also-run", why).into());
            }
            let path = self.root.join(&name);
            if name.ends_with(&format!("/{}", config_file::NAME)) {
                let why = format!(
                    "{name} belongs to its own folder: run `pester-gate run` there, or give the \
                     file another name (its paths are then relative to {})",
                    shown(&self.root)
                );
                return Err(Invalid::new("also-run", why).into());
            }
            if !files::exists(&path) {
                let why = format!("{} does not exist", shown(&path));
                return Err(Invalid::new("also-run", why).into());
            }
            let invocation = self.invocation(Some(path))?;
            if invocation.settings.also_run.is_set() {
                let why = format!("{name} lists further configurations; list them here instead");
                return Err(Invalid::new("also-run", why).into());
            }
            gates.push(Gate { arguments: self.naming(&name), name, invocation });
        }
        Ok(gates)
    }

    /// The options that run one of several configurations alone, from the current folder.
    fn naming(&self, name: &str) -> Vec<Argument> {
        let cwd = files::canonical(self.world.cwd());
        let argument =
            |flag: &str, value: String| Argument { flag: flag.to_owned(), values: vec![value] };
        let config = if cwd == self.root { name.to_owned() } else { shown(&self.root.join(name)) };
        let mut arguments = vec![argument("config", config)];
        // Without `--root`, a configuration that is named belongs to the top of the checkout.
        let top = git::top_level(&cwd).map_or(cwd, |top| files::canonical(&top));
        if top != self.root {
            arguments.push(argument("root", shown(&self.root)));
        }
        arguments
    }

    fn run_one(&self, gate: Gate) -> Result<command::run::RunOutcome, Failure> {
        let invocation = gate.invocation;
        let progress = invocation.progress.clone();
        let say = |line: &str| progress.line(line);
        let mut arguments = self.repeated()?;
        arguments.retain(|argument| !gate.arguments.iter().any(|own| own.flag == argument.flag));
        arguments.extend(gate.arguments);
        let request = command::run::Request {
            context: self.context_request()?,
            continue_on_failure: self.overlay.switch(Flag::ContinueOnFailure)?,
            against: self.against(&invocation)?,
            durations: self.durations(&invocation)?,
            keep: self.overlay.switch(Flag::Keep)?,
            typed: Typed { folder: self.world.cwd().display().to_string(), arguments },
        };
        command::run::run(self.world, invocation, request, &say).map_err(Failure::Unreported)
    }

    /// The verdict over several configurations: every one must have run and passed.
    fn conclude(
        &self,
        names: &[String],
        done: &[Ran],
        others: &[String],
    ) -> Result<Ending, Failure> {
        let rank = |ran: &&Ran| match ran.outcome.ending {
            Ending::Good => 2,
            Ending::Notice(_) => 1,
            _ => 0,
        };
        let deciding = done.iter().min_by_key(rank);
        if let Some(ran) = deciding {
            self.set_outputs(&ran.outcome)?;
        }
        let is_whole = done.len() == names.len();
        // A configuration that failed decides, whether or not the others ran.
        let ending = match deciding {
            Some(ran) if is_whole || rank(&ran) == 0 => ran.outcome.ending,
            _ => Ending::Bad(Classification::SeamDefect),
        };
        let mut outputs = Vec::new();
        if !is_whole && deciding.is_none_or(|ran| rank(&ran) > 0) {
            // The run was cancelled between two configurations that passed.
            outputs.push(("status", Classification::SeamDefect.as_str().to_owned()));
            outputs.push(("classification", Classification::SeamDefect.as_str().to_owned()));
            outputs.push(("reason", ReasonCode::RunCancelled.as_str().to_owned()));
            outputs.push(("gate-status", "fail".to_owned()));
        }
        // The folders of all configurations are uploaded together.
        let is_unsafe = |ran: &Ran| {
            ran.outcome.outputs.iter().any(|(name, value)| *name == "upload" && value == "false")
        };
        if done.iter().any(is_unsafe) {
            outputs.push(("upload", "false".to_owned()));
        }
        runner::set_outputs(self.world, &outputs)
            .map_err(|fault| Failure::Unreported(Unreported { layer: Layer::Post, fault }))?;
        let ran = |name: &String| done.iter().find(|ran| ran.name == *name);
        let mut text = String::from("Summary\n");
        for name in names {
            let words = ran(name).map_or("not run", |ran| ran.outcome.ending.words());
            text.push_str(&format!("  {}: {words}\n", printable(name)));
        }
        let good = done.iter().filter(|ran| rank(ran) == 2).count();
        let word = match ending {
            Ending::Good => "passed",
            Ending::Notice(_) => "failed, but allowed to pass by policy",
            _ => "failed",
        };
        let count = format!("{good} of {} configurations passed", names.len());
        text.push_str(&format!("Verdict    {word}: {count}\n{}", not_run(others)));
        let entry = |name: &String| {
            let outcome = ran(name).map(|ran| ran.outcome.receipt.clone());
            json!({"config": name, "outcome": outcome})
        };
        let configurations: Vec<Value> = names.iter().map(entry).collect();
        self.print(&json!({"configurations": configurations}), &text)?;
        Ok(ending)
    }

    /// What `run` would do, without doing it.
    fn dry_run(&self, gates: &[Gate]) -> Result<Ending, Failure> {
        let mut documents = Vec::new();
        let mut text = String::new();
        for Gate { name, invocation, .. } in gates {
            let planned = selection::preview(self.world, invocation).map_err(|fault| {
                Failure::Unreported(Unreported { layer: Layer::Selection, fault })
            })?;
            let settings = overlay::show(&invocation.settings);
            let json = command::dry_run::json(invocation, &planned, &settings);
            let shown =
                command::dry_run::text(invocation, &planned, &overlay::show_text(&settings));
            documents.push(json!({"config": name, "plan": json}));
            text.push_str(&invocation.redactor.mask_text(&shown));
            if gates.len() > 1 {
                text.push('\n');
            }
        }
        let json = match documents.as_slice() {
            [one] => one["plan"].clone(),
            _ => json!({"configurations": documents}),
        };
        self.print(&json, &text)?;
        Ok(Ending::Good)
    }

    /// Further configurations next to the one that was found, which this run does not cover.
    fn other_configurations(&self, invocation: &Invocation) -> Result<Vec<String>, Failure> {
        let typed = Positional::Command.all(self.matches).is_some();
        if typed || self.overlay.text(Flag::Config)?.is_some() {
            return Ok(Vec::new());
        }
        let listed = &invocation.settings.also_run.value;
        let names = files::list_names(&invocation.root).into_iter();
        let other = |name: &String| {
            let middle =
                name.strip_prefix("pester-gate.").and_then(|rest| rest.strip_suffix(".yml"));
            middle.is_some_and(|middle| !middle.is_empty())
                && !listed.iter().any(|own| own.as_str() == name)
        };
        let mut others: Vec<String> = names.filter(other).collect();
        others.sort();
        Ok(others)
    }

    /// What repeats this run: what was typed, and what came as variables.
    fn repeated(&self) -> Result<Vec<Argument>, Failure> {
        let mut arguments = args::repeated(self.matches);
        for row in args::flags_of_run() {
            if arguments.iter().any(|known| known.flag == row.flag.as_str()) {
                continue;
            }
            let values = match row.kind {
                args::Kind::Switch => self.overlay.switch(row.flag)?.then(Vec::new),
                args::Kind::Value | args::Kind::List => {
                    self.overlay.list(row.flag)?.map(|list| list.value)
                }
            };
            arguments.extend(
                values.map(|values| Argument { flag: row.flag.as_str().to_owned(), values }),
            );
        }
        Ok(arguments)
    }
}

/// A line for each configuration that was not run.
fn not_run(others: &[String]) -> String {
    let line = |name: &String| {
        let command = format!("pester-gate run --config {}", quoted(name));
        format!("Not run    {}: {command}\n", printable(name))
    };
    others.iter().map(line).collect()
}
