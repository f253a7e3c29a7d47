//! The outside world as one handle: environment, working folder, clock, streams, signals, host.
//!
//! Made once in `main` and passed down; nothing below asks `std::env` itself. Signals belong here
//! because a handler that a runtime installs swallows the signal when the runtime is dropped.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256 as Hasher};

use crate::domain::receipt::Host;
use crate::domain::run::redact::Redactor;

/// How often somebody asked the process to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicU32>);

impl Cancel {
    /// 0: nobody asked; 1: stop in order; 2 and more: stop at once.
    pub(crate) fn requests(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks.
    pub(crate) fn request(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The world.
#[derive(Clone)]
pub struct World {
    environment: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    cancel: Cancel,
    inputs: Inputs,
}

/// Inputs of the action that this process is a step of.
#[derive(Clone, Default)]
pub(crate) struct Inputs {
    values: BTreeMap<String, String>,
    invalid: Option<String>,
}

/// The variable that holds the inputs of an action as one JSON object.
pub(crate) const INPUTS: &str = "PESTER_GATE_INPUTS";

impl Inputs {
    /// Takes the inputs out of an environment: no child of this process sees them. The token of
    /// the action becomes the variable that tokens are read from.
    fn take(environment: &mut BTreeMap<OsString, OsString>) -> Self {
        let Some(text) = environment.remove(OsStr::new(INPUTS)) else { return Self::default() };
        let text = text.to_string_lossy();
        if text.trim().is_empty() {
            return Self::default();
        }
        let parsed: Result<BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(&text);
        let Ok(parsed) = parsed else {
            // The text may hold a token, so the message does not quote it.
            return Self { invalid: Some("it is not a JSON object".to_owned()), ..Self::default() };
        };
        let mut values = BTreeMap::new();
        for (name, value) in parsed {
            let value = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Null => String::new(),
                other => other.to_string(),
            };
            // GitHub takes either case for one input.
            values.insert(name.to_lowercase(), value);
        }
        if let Some(token) = values.remove("token").filter(|token| !token.is_empty()) {
            environment.insert("GH_TOKEN".into(), token.into());
        }
        Self { values, invalid: None }
    }

    /// Whether this process is a step of an action that passed its inputs.
    pub(crate) fn are_given(&self) -> bool {
        !self.values.is_empty()
    }

    /// Why they cannot be read.
    pub(crate) fn invalid(&self) -> Option<&str> {
        self.invalid.as_deref()
    }

    /// An input that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

/// Names only: what the environment holds is nobody's to print.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.keys().collect();
        f.debug_struct("World")
            .field("environment", &names)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

impl World {
    /// The real one. Installs the signal handler, so it can be made once per process.
    pub fn real() -> io::Result<Self> {
        let cancel = Cancel::default();
        let handler = cancel.clone();
        ctrlc::set_handler(move || handler.request()).map_err(io::Error::other)?;
        let mut environment = std::env::vars_os().collect();
        let inputs = Inputs::take(&mut environment);
        Ok(Self { environment, cwd: std::env::current_dir()?, cancel, inputs })
    }

    /// The inputs of the action.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The program of this process.
    pub(crate) fn program(&self) -> io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// A variable's value, where it is set, Unicode and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<String> {
        let value = self.environment.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A variable's value, where it is set and not empty; what is no Unicode in it is replaced.
    pub(crate) fn var_lossy(&self, name: &str) -> Option<String> {
        let value = self.environment.get(OsStr::new(name))?.to_string_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    }

    /// Every variable.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Where programs are looked for.
    pub(crate) fn path(&self) -> Option<&OsStr> {
        self.environment
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("PATH"))
            .map(|(_, value)| value.as_os_str())
    }

    /// The working folder.
    pub(crate) fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// A path as typed, made absolute.
    pub(crate) fn absolute(&self, path: impl AsRef<Path>) -> PathBuf {
        self.cwd.join(path)
    }

    /// Whether this is a step of GitHub Actions.
    pub(crate) fn under_actions(&self) -> bool {
        self.var("GITHUB_ACTIONS").as_deref() == Some("true")
    }

    /// The time, to the millisecond.
    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// This process.
    pub(crate) fn pid(&self) -> u32 {
        std::process::id()
    }

    /// A clock that only runs forward, for durations.
    pub(crate) fn tick(&self) -> Instant {
        Instant::now()
    }

    /// Lets some time pass.
    pub(crate) fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Whether somebody asked us to stop.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// A new `local-<uuid>`.
    pub(crate) fn new_local_run(&self) -> String {
        format!("local-{}", uuid::Uuid::new_v4())
    }

    /// Writes a result to stdout. A reader that went away is no error.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes progress to stderr; there is nowhere to report that this failed.
    pub(crate) fn note(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes());
        let _ = err.write_all(b"\n");
    }

    /// Whether a result may have colors where nobody asked for them or against them: on a terminal,
    /// and as the variables `NO_COLOR` and `CLICOLOR_FORCE` say.
    pub(crate) fn may_color(&self) -> bool {
        let set =
            |name: &str| self.var(name).is_some_and(|value| !value.is_empty() && value != "0");
        if self.var("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return false;
        }
        let dumb = self.var("TERM").as_deref() == Some("dumb");
        set("CLICOLOR_FORCE") || (io::stdout().is_terminal() && !dumb && console_takes_colors())
    }

    /// Whether progress goes to a person at a terminal.
    pub(crate) fn stderr_is_terminal(&self) -> bool {
        io::stderr().is_terminal()
            && !self.under_actions()
            && self.var("TERM").as_deref() != Some("dumb")
    }

    /// Masks this environment's secrets, tokens by shape, and further literals.
    pub(crate) fn redactor(&self, literals: &[String]) -> Redactor {
        // A variable that is called a key and names a file holds none; the file's path is in every
        // receipt.
        let is_path =
            |value: &OsString| Path::new(value).is_absolute() && Path::new(value).exists();
        let pairs = self.environment.iter().filter(|(_, value)| !is_path(value));
        let pairs = pairs.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
        Redactor::new(pairs, literals.iter().map(String::as_str))
    }

    /// The host. Its machine id is a digest, so that a receipt tells hosts apart and discloses
    /// nothing.
    pub(crate) fn host(&self) -> Host {
        let name = host_name(self);
        let id = machine_uid::get()
            .ok()
            .filter(|id| !id.trim().is_empty())
            .unwrap_or_else(|| format!("name:{name}"));
        let digest = Hasher::digest(format!("pester-gate machine {}", id.trim()).as_bytes());
        let machine_id = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Host {
            machine_id,
            name,
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            runner_name: self.var("RUNNER_NAME"),
        }
    }

    /// Where our files live between runs: `--state-dir`, else the platform's place for state.
    pub(crate) fn state_dir(&self, asked: Option<&Path>) -> Option<PathBuf> {
        if let Some(asked) = asked {
            return Some(self.absolute(asked));
        }
        let below =
            |name: &str, rest: &str| self.var(name).map(|base| PathBuf::from(base).join(rest));
        match std::env::consts::OS {
            "windows" => below("LOCALAPPDATA", "pester-gate"),
            "macos" => below("HOME", "Library/Application Support/pester-gate"),
            _ => below("XDG_STATE_HOME", "pester-gate")
                .or_else(|| below("HOME", ".local/state/pester-gate")),
        }
        .filter(|path| path.is_absolute())
    }
}

#[cfg(unix)]
fn host_name(_: &World) -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name(world: &World) -> String {
    world.var("COMPUTERNAME").unwrap_or_else(|| "unknown".to_owned())
}

/// An older console of Windows has to be told.
#[cfg(windows)]
fn console_takes_colors() -> bool {
    anstyle_query::windows::enable_ansi_colors().unwrap_or(true)
}

#[cfg(not(windows))]
fn console_takes_colors() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_leave_the_environment_and_the_token_becomes_a_variable() {
        let take = |text: &str| {
            let mut environment = BTreeMap::from([(INPUTS.into(), text.into())]);
            let inputs = Inputs::take(&mut environment);
            (inputs, environment)
        };
        let text = "{\"Pack\": \"a\\nb\", \"token\": \"t\", \"root\": \"\", \"n\": 3}";
        let (inputs, environment) = take(text);
        assert_eq!((inputs.get("pack"), inputs.get("root")), (Some("a\nb"), None));
        assert_eq!((inputs.get("n"), inputs.get("token")), (Some("3"), None));
        assert_eq!(environment, BTreeMap::from([("GH_TOKEN".into(), "t".into())]));
        let (inputs, environment) = take("{\"token\": \"ghs_x");
        assert!(environment.is_empty() && !inputs.are_given());
        assert_eq!(inputs.invalid(), Some("it is not a JSON object"));
        assert!(!take("{}").0.are_given() && take(" ").0.invalid().is_none());
    }

    #[test]
    fn no_value_of_the_environment_is_printed() {
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let environment = [pair("GH_TOKEN", "a-value-of-no-known-shape")].into_iter().collect();
        let world = World {
            environment,
            cwd: PathBuf::from("."),
            cancel: Cancel::default(),
            inputs: Inputs::default(),
        };
        let shown = format!("{world:?} {world:#?}");
        assert!(shown.contains("GH_TOKEN") && !shown.contains("no-known-shape"), "{shown}");
    }
}
