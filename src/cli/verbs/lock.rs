//! The verbs of the host's lock.

use std::io;
use std::time::Duration;

use super::*;

/// How long a holder may take to end that was asked to.
const RELEASE: Duration = Duration::from_secs(30);

/// Why a lock was not used.
enum LockFailure {
    /// It cannot be.
    Io(io::Error),
    /// Something else was wrong.
    Other(Failure),
}

impl From<io::Error> for LockFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Failure> for LockFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<Invalid> for LockFailure {
    fn from(invalid: Invalid) -> Self {
        Self::Other(invalid.into())
    }
}

impl Session<'_> {
    pub(super) fn lock(&self, invocation: &Invocation) -> Result<Ending, Failure> {
        let settings = &invocation.settings;
        let lock = match invocation.lock(self.world) {
            Ok(lock) => lock,
            Err(error) => {
                return Ok(self.lock_fault(
                    &settings.lock_group.value,
                    &Fault::LockUnusable(error.to_string()),
                ));
            }
        };
        self.use_lock(invocation, &lock).or_else(|failure| match failure {
            LockFailure::Io(error) => {
                Ok(self.lock_fault(lock.group(), &Fault::LockUnusable(error.to_string())))
            }
            LockFailure::Other(failure) => Err(failure),
        })
    }

    fn use_lock(&self, invocation: &Invocation, lock: &Lock) -> Result<Ending, LockFailure> {
        let settings = &invocation.settings;
        let typed = Positional::Command.all(self.matches);
        match (
            Positional::Action.all(self.matches).unwrap_or_default().first().map(String::as_str),
            typed,
        ) {
            (Some("acquire"), Some(argv)) => {
                let wait = settings.lock_wait.value.as_duration();
                let ended =
                    command::lock::acquire(self.world, lock, &invocation.redactor, &argv, wait);
                match ended? {
                    command::lock::Ended::Ran(code) => Ok(Ending::Own(code)),
                    command::lock::Ended::NotStarted(error) => Err(Invalid::new(
                        "lock acquire",
                        format!("the command cannot be run: {error}"),
                    )
                    .into()),
                    command::lock::Ended::InVain(who) => Ok(self.lock_held(lock, who)),
                    command::lock::Ended::Cancelled => {
                        let (code, why) = (
                            ReasonCode::RunCancelled.as_str(),
                            "cancelled while it waited for the lock",
                        );
                        match self.json {
                            true => print_error(
                                self.world,
                                code,
                                why,
                                &format!("lock group {}", lock.group()),
                            ),
                            false => self.world.note(&format!("{code}: {why}")),
                        }
                        // As a shell has it for a command that Ctrl-C ended.
                        Ok(Ending::Own(130))
                    }
                }
            }
            (Some("acquire"), None) => Err(Invalid::new(
                "lock acquire",
                "name the command that is to run: lock acquire -- CMD",
            )
            .into()),
            (Some(action), Some(_)) => {
                Err(Invalid::new(format!("lock {action}"), "it takes no command").into())
            }
            (Some("release"), None) => {
                let (json, text, stays) = command::lock::release(self.world, lock, RELEASE)?;
                if let Some(who) = stays {
                    return Ok(self.lock_held(lock, who));
                }
                self.print(&json, &text)?;
                Ok(Ending::Good)
            }
            _ => {
                let (json, text) = command::lock::inspect(self.world, lock)?;
                self.print(&json, &text)?;
                Ok(Ending::Good)
            }
        }
    }

    fn lock_held(&self, lock: &Lock, holder: String) -> Ending {
        self.lock_fault(lock.group(), &Fault::LockHeld { group: lock.group().to_string(), holder })
    }

    fn lock_fault(&self, group: &LockGroup, fault: &Fault) -> Ending {
        let finding = charge(fault, Layer::Preflight);
        if self.json {
            print_error(
                self.world,
                finding.code().as_str(),
                finding.detail(),
                &format!("lock group {group}"),
            );
        } else {
            self.world.note(&format!("{}: {}", finding.code(), printable(finding.detail())));
            self.world.note(&format!("next: {}", finding.code().row().remedy));
        }
        Ending::of(Some(&finding))
    }
}
