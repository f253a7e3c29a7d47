//! What every suite stands on: a sandbox with a hostile path, the binary in a scrubbed
//! environment, and a chain of layers run as separate processes, the way jobs would.
#![allow(dead_code, reason = "not every suite uses every helper on every platform")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A folder of its own, whose path holds what paths should not.
pub(crate) struct Sandbox {
    _folder: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) out: PathBuf,
}

/// What a process came to.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one JSON value on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("stdout is not one JSON value: {error}\n{}\n{}", self.stdout, self.stderr)
        })
    }
}

/// The layers' file names.
pub(crate) const FILES: [(&str, &str); 5] = [
    ("route", "pester-route.json"),
    ("context", "pester-context.json"),
    ("preflight", "selfhosted-readiness.json"),
    ("selection", "pester-selection.json"),
    ("execute", "pester-run-receipt.json"),
];

pub(crate) fn file_of(layer: &str) -> &'static str {
    FILES.iter().find(|(name, _)| *name == layer).map(|(_, file)| *file).unwrap()
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self::named("a b [x] 'é")
    }

    /// With a folder name of its own above the root.
    pub(crate) fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().join(name);
        let (root, state, out) = (base.join("root"), base.join("state"), base.join("out"));
        fs::create_dir_all(&root).unwrap();
        Self { _folder: folder, root, state, out }
    }

    /// Two scripts that pass, a git checkout with a remote, and a configuration without surprises.
    pub(crate) fn green() -> Self {
        let sandbox = Self::new();
        sandbox.script("tests/a.sh", "exit 0");
        sandbox.script("tests/b.sh", "echo hello; exit 0");
        sandbox.config("");
        sandbox.git(&["init", "-q", "-b", "main"]);
        sandbox.git(&["remote", "add", "origin", "https://github.com/octo/widgets.git"]);
        sandbox.commit();
        sandbox
    }

    /// A configuration for scripts, with `more` at its end.
    pub(crate) fn config(&self, more: &str) -> &Self {
        self.config_with("dispatcher: {kind: scripts}\n", more)
    }

    pub(crate) fn config_with(&self, dispatcher: &str, more: &str) -> &Self {
        let base = "tests: {path: tests, pattern: \"*.sh\"}\n\
                    standing-priority: {policy: \"off\"}\n\
                    preflight: {disk: {min-free: 1MiB}, probe-timeout: 5s}\n";
        // A key of `more` takes the place of the base's.
        let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        let own: Vec<String> =
            more.lines().filter(|l| !l.starts_with([' ', '-'])).map(key).collect();
        let kept: String = base
            .lines()
            .chain(dispatcher.lines())
            .filter(|line| !own.contains(&key(line)))
            .map(|line| format!("{line}\n"))
            .collect();
        self.file("pester-gate.yml", &format!("{kept}{more}"))
    }

    pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A shell script with its exec bit.
    pub(crate) fn script(&self, path: &str, body: &str) -> &Self {
        self.file(path, &format!("#!/bin/sh\n{body}\n"));
        self.executable(path)
    }

    pub(crate) fn executable(&self, path: &str) -> &Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
        }
        self
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.root, arguments)
    }

    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "state", "--allow-empty"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The binary, in an environment that holds nothing of the machine's own CI.
    pub(crate) fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
        command
            .args(arguments.iter().take(1))
            .arg("--state-dir")
            .arg(&self.state)
            .args(arguments.iter().skip(1));
        command.env_clear().current_dir(&self.root);
        for name in ["PATH", "SystemRoot", "TEMP", "TMP", "PATHEXT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.state.parent().unwrap());
        // The machine's own locks are not the tests' to wait for.
        command.env("PESTER_GATE_LOCK_DIRECTORY", self.state.with_file_name("locks"));
        // The lock is the host's there, as on a runner.
        command.env("PESTER_GATE_LOCK_SCOPE", "host");
        command.envs(environment.iter().copied());
        command
    }

    pub(crate) fn gate(&self, arguments: &[&str]) -> Ran {
        self.gate_in(arguments, &[])
    }

    pub(crate) fn gate_in(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        Ran::of(&self.command(arguments, environment).output().unwrap())
    }

    /// `run`, with the verdict as JSON.
    pub(crate) fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Seen {
        let mut all = vec!["run", "--format", "json", "--out", self.out.to_str().unwrap()];
        all.extend(arguments);
        let mut seen = self.seen(&self.command(&all, environment).output().unwrap());
        seen.pasted = paste(self, &seen, environment);
        seen
    }

    /// `run` of a repository with several configurations: each with its own verdict, and with the
    /// exit code of the whole run.
    pub(crate) fn run_several(&self) -> Vec<Seen> {
        let ran = self.gate(&["run", "--format", "json", "--out", self.out.to_str().unwrap()]);
        let of_one = |entry: &Value| {
            let outcome = &entry["outcome"];
            let is_own = |folder: &PathBuf| {
                let text = fs::read_to_string(folder.join("pester-operator-outcome.json"));
                text.is_ok_and(|text| serde_json::from_str::<Value>(&text).unwrap() == *outcome)
            };
            let folders = fs::read_dir(&self.out).unwrap().map(|run| run.unwrap().path());
            let folder = folders.into_iter().find(is_own).unwrap_or_else(|| self.out.clone());
            let own = Ran { stdout: outcome.to_string(), ..ran.clone() };
            let mut seen = Seen::new(own, folder);
            seen.pasted = paste(self, &seen, &[]);
            seen
        };
        ran.json()["configurations"].as_array().unwrap().iter().map(of_one).collect()
    }

    /// What a `run` said, with its folder: the first below `out`, or `out` itself when there was
    /// none.
    pub(crate) fn seen(&self, output: &Output) -> Seen {
        let folder = fs::read_dir(&self.out)
            .ok()
            .and_then(|mut runs| runs.next())
            .map(|run| run.unwrap().path());
        Seen::new(Ran::of(output), folder.unwrap_or_else(|| self.out.clone()))
    }

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Value {
        read_json(&self.root.join(path))
    }
}

pub(crate) fn read_json(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn sha256(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A verdict, and the folder that it came from.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) ran: Ran,
    pub(crate) outcome: Value,
    pub(crate) folder: PathBuf,
    /// The layers' receipts, read at once: a sandbox may be gone when they are looked at.
    pub(crate) receipts: Vec<(&'static str, Value)>,
    /// What `replay` made of the folder, at once as well; none where post left no evidence there.
    pub(crate) replayed: Option<Ran>,
    /// The job's summary.
    pub(crate) summary: String,
    /// `pester-failures.json`.
    pub(crate) failures: Value,
    /// The last line of the dispatcher's log.
    pub(crate) log: String,
    /// Whether some journal tells of a test file that began.
    pub(crate) began: bool,
    /// What the printed command gave, where that was asked for and one was printed.
    pub(crate) pasted: Option<Ran>,
}

thread_local! {
    /// Whether this thread pastes the printed command of each red run into a shell.
    static PASTES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// From here on this thread pastes the printed command of each red run into a shell.
pub(crate) fn paste_commands() {
    PASTES.set(true);
}

/// A stand-in for GitHub's `gh run download`: the run's artifacts are the folder of its evidence.
const GH: &str = "#!/bin/sh\n\
                  while [ $# -gt 1 ]; do shift; [ \"$1\" = --dir ] && to=$2; done\n\
                  /bin/cp -R \"$EVIDENCE\" \"$to\"\n";

/// Pastes the printed command of a red run into a shell, in the folder where the run was started.
#[cfg(unix)]
fn paste(sandbox: &Sandbox, seen: &Seen, environment: &[(&str, &str)]) -> Option<Ran> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let command = seen.outcome["replay"].as_str().filter(|_| PASTES.get())?;
    let bin = sandbox.state.with_file_name("bin");
    fs::create_dir_all(&bin).unwrap();
    let _ = symlink(env!("CARGO_BIN_EXE_pester-gate"), bin.join("pester-gate"));
    fs::write(bin.join("gh"), GH).unwrap();
    fs::set_permissions(bin.join("gh"), fs::Permissions::from_mode(0o755)).unwrap();
    let own =
        environment.iter().find(|(name, _)| *name == "PATH").map(|(_, path)| (*path).to_owned());
    let path = own.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
    let mut shell = Command::new("/bin/sh");
    // What a reader of a workflow's run has is the checkout and what they download, not its
    // variables.
    let in_workflow = environment.contains(&("GITHUB_ACTIONS", "true"));
    let local = |(name, _): &&(&str, &str)| {
        *name != "PATH" && !(in_workflow && name.starts_with("GITHUB_"))
    };
    shell.args(["-c", command]).env_clear().envs(environment.iter().filter(local).copied());
    shell
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", sandbox.state.parent().unwrap());
    shell.env("PESTER_GATE_FORMAT", "json").env("PESTER_GATE_STATE_DIR", &sandbox.state);
    shell.env("PESTER_GATE_LOCK_DIRECTORY", sandbox.state.with_file_name("locks"));
    shell.env("EVIDENCE", &seen.folder).current_dir(&sandbox.root);
    Some(Ran::of(&shell.output().unwrap()))
}

#[cfg(not(unix))]
fn paste(_: &Sandbox, _: &Seen, _: &[(&str, &str)]) -> Option<Ran> {
    None
}

/// A folder of real files that are not in the repository; says so where it is not here.
pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the real files of {name} are not here; what they come to is not proven");
    None
}

/// `replay` of a folder: by nothing but what lies there, from elsewhere, in an environment that
/// holds nothing.
pub(crate) fn replay(folder: &Path, arguments: &[&str]) -> Ran {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pester-gate"));
    command
        .arg("replay")
        .arg(folder)
        .arg("--format")
        .arg("json")
        .arg("--state-dir")
        .arg(state.path());
    command.args(arguments).env_clear().current_dir(state.path());
    if let Some(value) = std::env::var_os("PATH") {
        command.env("PATH", value);
    }
    Ran::of(&command.output().unwrap())
}

impl Seen {
    pub(crate) fn new(ran: Ran, folder: PathBuf) -> Self {
        let outcome = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
        let read = |(layer, file): &(&'static str, &'static str)| {
            let text = fs::read_to_string(folder.join(file)).ok()?;
            Some((*layer, serde_json::from_str(&text).ok()?))
        };
        let receipts = FILES.iter().filter_map(read).collect();
        let told = outcome.get("classification").is_some();
        let replayed = (told && folder.join("pester-evidence-provenance.json").exists())
            .then(|| replay(&folder, &[]));
        let summary = fs::read_to_string(folder.join("summary.md")).unwrap_or_default();
        let failures = fs::read_to_string(folder.join("pester-failures.json")).ok();
        let failures =
            failures.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let log = fs::read(folder.join("raw/dispatcher.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log)
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or_default()
            .to_owned();
        let journals = if folder.is_dir() { walk(&folder) } else { Vec::new() };
        let journals =
            journals.into_iter().filter(|path| path.ends_with("dispatcher-events.ndjson"));
        let began = journals.filter_map(|path| fs::read(path).ok()).any(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            text.contains("\"file-start\"") || text.contains("\"test-start\"")
        });
        Self {
            ran,
            outcome,
            folder,
            receipts,
            replayed,
            summary,
            failures,
            log,
            began,
            pasted: None,
        }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.outcome[key].as_str().unwrap_or_default()
    }

    /// Classification, layer at fault, deciding reason, exit code.
    pub(crate) fn verdict(&self) -> (&str, &str, &str, i32) {
        (self.text("classification"), self.text("failedLayer"), self.text("reason"), self.ran.code)
    }

    /// Every reason code of the verdict, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let reasons = self.outcome["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn receipt(&self, layer: &str) -> &Value {
        let found = self.receipts.iter().find(|(name, _)| *name == layer);
        &found.unwrap_or_else(|| panic!("no receipt of {layer} that can be read: {:?}", self.ran)).1
    }

    pub(crate) fn has_receipt(&self, layer: &str) -> bool {
        self.receipts.iter().any(|(name, _)| *name == layer)
    }
}

type Change = Box<dyn Fn(&Sandbox, &Path)>;

/// The layers as separate processes, each handed the receipts and digests of those before it, with
/// places to interfere.
pub(crate) struct Chain<'a> {
    sandbox: &'a Sandbox,
    after: Vec<(&'static str, Change)>,
    arguments: Vec<(&'static str, Vec<OsString>)>,
    environment: Vec<(&'static str, String, String)>,
    left_out: Vec<&'static str>,
    jobs: BTreeMap<String, Value>,
    digests: bool,
    /// Which shard execute's digest is handed on for.
    leg: Option<u32>,
    /// How many legs execute has, each with a folder of its own.
    legs: Option<u32>,
    force: bool,
}

/// The digests that are handed on, as flags take them.
type Digests = Vec<(&'static str, String)>;

impl<'a> Chain<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        Self {
            sandbox,
            after: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            left_out: Vec::new(),
            jobs: BTreeMap::new(),
            digests: true,
            leg: None,
            legs: None,
            force: false,
        }
    }

    /// Does something to the folder of receipts after a layer has run.
    pub(crate) fn after(
        mut self,
        layer: &'static str,
        change: impl Fn(&Sandbox, &Path) + 'static,
    ) -> Self {
        self.after.push((layer, Box::new(change)));
        self
    }

    /// Changes a field of a layer's receipt after it was written.
    pub(crate) fn edit(self, layer: &'static str, pointer: &'static str, value: Value) -> Self {
        self.after(layer, move |_, folder| edit(&folder.join(file_of(layer)), pointer, &value))
    }

    pub(crate) fn args(mut self, layer: &'static str, arguments: &[&str]) -> Self {
        self.arguments.push((layer, arguments.iter().map(OsString::from).collect()));
        self
    }

    /// A variable for one layer, or for `*`, all.
    pub(crate) fn env(mut self, layer: &'static str, name: &str, value: &str) -> Self {
        self.environment.push((layer, name.to_owned(), value.to_owned()));
        self
    }

    /// This layer's job never ran; its result is `skipped` unless a job says otherwise.
    pub(crate) fn without(mut self, layer: &'static str) -> Self {
        self.left_out.push(layer);
        self
    }

    /// How a job ended, whatever the layer did.
    pub(crate) fn job(mut self, layer: &str, result: &str, reason: &str) -> Self {
        self.jobs.insert(
            layer.to_owned(),
            serde_json::json!({"result": result, "outputs": {"reason": reason}}),
        );
        self
    }

    /// Nobody hands digests on.
    pub(crate) fn without_digests(mut self) -> Self {
        self.digests = false;
        self
    }

    /// Execute ran this shard of a plan, and its digest is handed on as that shard's.
    pub(crate) fn leg(mut self, shard: u32) -> Self {
        self.leg = Some(shard);
        self
    }

    /// Execute runs every shard of a plan, as a matrix does.
    pub(crate) fn every_leg(mut self, of: u32) -> Self {
        self.legs = Some(of);
        self
    }

    /// Layers run although one before them was blocked.
    pub(crate) fn forced(mut self) -> Self {
        self.force = true;
        self
    }

    /// Runs the chain and gives post's verdict.
    pub(crate) fn run(self) -> Seen {
        let folder = self.sandbox.out.clone();
        fs::create_dir_all(&folder).unwrap();
        let mut needs: BTreeMap<String, Value> = BTreeMap::new();
        let mut digests: Digests = Vec::new();
        let mut stopped = false;
        for layer in ["context", "preflight", "selection", "execute"] {
            // Preflight and selection run in parallel: only context stops them both.
            let blocked_before = match layer {
                "selection" => needs.get("context").is_some_and(|job| job["result"] != "success"),
                _ => stopped,
            };
            if self.left_out.contains(&layer) || (blocked_before && !self.force) {
                needs.insert(
                    layer.to_owned(),
                    serde_json::json!({"result": "skipped", "outputs": {}}),
                );
                continue;
            }
            let (mut good, mut reason) = (true, None);
            for (leg, out) in self.outs(layer, &folder) {
                let ran = self.layer(layer, &folder, &out, leg, &digests);
                let receipt = out.join(file_of(layer));
                if receipt.exists() {
                    let leg = leg.or(self.leg.filter(|_| layer == "execute"));
                    let leg = leg.map(|leg| format!("{leg}=")).unwrap_or_default();
                    digests.push((layer, format!("{leg}{}", sha256(&receipt))));
                }
                let told = serde_json::from_str::<Value>(&ran.stdout).unwrap_or_default();
                if good {
                    reason = told["reason"]
                        .as_str()
                        .or_else(|| told["error"]["code"].as_str())
                        .map(str::to_owned);
                }
                good &= ran.code == 0;
            }
            let result = if good { "success" } else { "failure" };
            needs.insert(
                layer.to_owned(),
                serde_json::json!({"result": result, "outputs": {"reason": reason}}),
            );
            stopped |= !good;
            self.interfere(layer, &folder);
        }
        needs.extend(self.jobs.clone());
        self.post(&folder, &needs, &digests)
    }

    fn interfere(&self, layer: &str, folder: &Path) {
        for (_, change) in self.after.iter().filter(|(name, _)| *name == layer) {
            change(self.sandbox, folder);
        }
    }

    /// Where a layer writes to, for each of its legs.
    fn outs(&self, layer: &str, folder: &Path) -> Vec<(Option<u32>, PathBuf)> {
        match self.legs.filter(|_| layer == "execute") {
            Some(of) => {
                (1..=of).map(|leg| (Some(leg), folder.join(format!("leg-{leg}")))).collect()
            }
            None => vec![(None, folder.to_owned())],
        }
    }

    fn layer(
        &self,
        layer: &str,
        folder: &Path,
        out: &Path,
        leg: Option<u32>,
        digests: &Digests,
    ) -> Ran {
        let parents: &[&str] = match layer {
            "context" => &[],
            "execute" => &["context", "preflight", "selection"],
            _ => &["context"],
        };
        let mut command = self.command(layer);
        command.arg("--format").arg("json").arg("--out").arg(out);
        if let Some((leg, of)) = leg.zip(self.legs) {
            command.arg("--shard").arg(format!("{leg}/{of}"));
        }
        for parent in parents {
            command.arg(format!("--{parent}-receipt")).arg(folder.join(file_of(parent)));
            let digest = digests.iter().find(|(layer, _)| layer == parent);
            if let Some((_, digest)) = digest.filter(|_| self.digests) {
                command.arg(format!("--{parent}-sha256")).arg(digest);
            }
        }
        self.arguments.iter().filter(|(name, _)| *name == layer).for_each(|(_, args)| {
            command.args(args);
        });
        Ran::of(&command.output().unwrap())
    }

    fn post(&self, folder: &Path, needs: &BTreeMap<String, Value>, digests: &Digests) -> Seen {
        let mut command = self.command("post");
        command
            .arg("--format")
            .arg("json")
            .arg("--out")
            .arg(folder)
            .arg("--receipts-dir")
            .arg(folder);
        command.arg("--needs").arg(serde_json::to_string(needs).unwrap());
        for (layer, digest) in digests.iter().filter(|_| self.digests) {
            command.arg(format!("--{layer}-sha256")).arg(digest);
        }
        self.arguments.iter().filter(|(name, _)| *name == "post").for_each(|(_, args)| {
            command.args(args);
        });
        let mut seen = Seen::new(Ran::of(&command.output().unwrap()), folder.to_owned());
        let own = self.environment.iter().filter(|(layer, ..)| *layer == "*");
        let own: Vec<(&str, &str)> =
            own.map(|(_, name, value)| (name.as_str(), value.as_str())).collect();
        seen.pasted = paste(self.sandbox, &seen, &own);
        seen
    }

    fn command(&self, layer: &str) -> Command {
        let own: Vec<(&str, &str)> = self
            .environment
            .iter()
            .filter(|(name, _, _)| *name == layer || *name == "*")
            .map(|(_, name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.sandbox.command(&[layer], &own)
    }
}

/// Sets a field of a JSON file; null takes it away.
pub(crate) fn edit(path: &Path, pointer: &str, value: &Value) {
    let mut document = read_json(path);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(fields), Value::Null) => {
            fields.remove(key);
        }
        (Value::Object(fields), value) => {
            fields.insert(key.to_owned(), value.clone());
        }
        (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer} is not a field"),
    }
    fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

/// Whether a program is on PATH, for suites that need one and say so where it is not.
pub(crate) fn on_path(program: &str) -> bool {
    which::which(program).is_ok()
}

/// Every file below a folder.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

/// Sends a signal; the shell's own `kill` is there where no program of that name is.
pub(crate) fn signal(pid: u32, name: &str) {
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
}

/// Starts a `run`, sends it a signal once `when` holds for its folder, and gives the verdict.
pub(crate) fn signal_when(
    sandbox: &Sandbox,
    arguments: &[&str],
    name: &str,
    when: impl Fn(&Path) -> bool,
) -> Seen {
    let mut all = vec!["run", "--format", "json", "--out", sandbox.out.to_str().unwrap()];
    all.extend(arguments);
    let mut command = sandbox.command(&all, &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..500 {
        let run = fs::read_dir(&sandbox.out).ok().and_then(|mut runs| runs.next());
        if run.is_some_and(|run| when(&run.unwrap().path())) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(child.id(), name);
    let mut seen = sandbox.seen(&child.wait_with_output().unwrap());
    seen.pasted = paste(sandbox, &seen, &[]);
    seen
}

/// Processes that carry this mark in their command line.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let carries = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(mark)
    };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(carries).collect()
}

/// Ends them.
pub(crate) fn end_marked(mark: &str) {
    for pid in marked(mark) {
        signal(pid, "KILL");
    }
}

/// What git says in that folder, with nobody's configuration.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.invalid",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A short sequence of numbers from a seed (xorshift64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}
