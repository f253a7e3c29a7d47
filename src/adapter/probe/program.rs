//! The program that starts the tests: whether it is there, and whether it finds what it starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Answer, Surroundings};
use crate::adapter::process::capture_end;
use crate::adapter::receipt_store::shown;
use crate::adapter::workspace::files;
use crate::domain::host::launch::{Launch, interpreter, launch};
use crate::domain::verdict::fault::{Fault, MissingProgram};

/// Its key in the receipt.
pub(super) const NAME: &str = "test-command";
/// How much of a script is read for its first line.
const FIRST_LINE: u64 = 256;
/// Tells whether Python finds a module, without importing it.
const FIND_MODULE: &str =
    "import importlib.util as u, sys; sys.exit(0 if u.find_spec(sys.argv[1]) else 3)";

pub(super) fn probe(around: &Surroundings, command: &[String]) -> Answer {
    let mut answer = Answer::default();
    let Some(program) = command.first() else { return answer };
    answer.fact("command", command.to_vec());
    let path = match find(around, program) {
        Ok(path) => path,
        Err(fault) => {
            answer.faults.push(fault);
            return answer;
        }
    };
    answer.fact("path", shown(&path));
    let missing = missing_interpreter(around, &path).or_else(|| missing_part(around, command));
    answer.faults.extend(missing);
    answer
}

fn on_path(around: &Surroundings, program: &str) -> Option<PathBuf> {
    which::which_in(program, around.world.path(), &around.root).ok()
}

/// Where the program is. One with a folder in its name is looked for below the root only.
fn find(around: &Surroundings, program: &str) -> Result<PathBuf, Fault> {
    on_path(around, program).ok_or_else(|| {
        let own = program.contains(['/', '\\']);
        let why = match own {
            true => {
                MissingProgram::NoFile { program: program.to_owned(), root: shown(&around.root) }
            }
            false => MissingProgram::NotOnPath {
                program: program.to_owned(),
                searched: searched(around.world.path()),
            },
        };
        Fault::TestProgramMissing(why)
    })
}

/// The folders of `PATH`, as far as a message has room.
fn searched(path: Option<&std::ffi::OsStr>) -> String {
    const SHOWN: usize = 6;
    let folders: Vec<String> = std::env::split_paths(&OsString::from(path.unwrap_or_default()))
        .map(|path| shown(&path))
        .collect();
    let listed = folders.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match folders.len() {
        0 => "an empty PATH".to_owned(),
        count if count > SHOWN => format!("{listed} and {} more folders", count - SHOWN),
        _ => listed,
    }
}

/// A script whose first line names a program that is not there.
fn missing_interpreter(around: &Surroundings, script: &Path) -> Option<Fault> {
    let head = files::first_bytes(script, FIRST_LINE).ok()?;
    let name = interpreter(&head)?;
    let there = match name.starts_with('/') {
        // Windows has no such paths: there a script is started by its ending.
        true => cfg!(windows) || files::exists(Path::new(&name)),
        false => on_path(around, &name).is_some(),
    };
    let script = shown(script);
    (!there).then_some(Fault::TestProgramMissing(MissingProgram::Interpreter {
        script,
        interpreter: name,
    }))
}

/// What a launcher starts, where that can be asked for without starting a test.
fn missing_part(around: &Surroundings, command: &[String]) -> Option<Fault> {
    let why = match launch(command)? {
        Launch::Module { python, module } => {
            // To look for a part of a package its own code would have to run.
            let top = module.split('.').next().unwrap_or(&module).to_owned();
            let argv = [python.clone(), "-c".to_owned(), FIND_MODULE.to_owned(), top];
            let done =
                capture_end(&around.world, &argv, &around.root, around.patience(around.timeout));
            // Only its own answer is proof: a Python that fails says nothing of the module.
            let absent = done.is_ok_and(|done| done.code == 3);
            absent.then_some(MissingProgram::Module { python, module })?
        }
        Launch::Package { launcher, tool } => {
            let near = around.root.ancestors().any(|folder| {
                let bin = folder.join("node_modules/.bin");
                files::exists(&bin.join(&tool)) || files::exists(&bin.join(format!("{tool}.cmd")))
            });
            (!near && on_path(around, &tool).is_none())
                .then_some(MissingProgram::Package { launcher, tool })?
        }
        Launch::Subcommand { launcher, tool } => {
            let home = around.world.var("CARGO_HOME").map(PathBuf::from).or_else(|| {
                let home = around.world.var(if cfg!(windows) { "USERPROFILE" } else { "HOME" })?;
                Some(PathBuf::from(home).join(".cargo"))
            });
            let ending = if cfg!(windows) { ".exe" } else { "" };
            let near = home.is_some_and(|home| {
                files::exists(&home.join("bin").join(format!("{tool}{ending}")))
            });
            (!near && on_path(around, &tool).is_none())
                .then_some(MissingProgram::Package { launcher, tool })?
        }
    };
    Some(Fault::TestProgramMissing(why))
}
