//! Process trees on Unix: a process group. A child that leaves it by `setsid` is out of reach here.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};

use crate::domain::outcome::ChildEnd;

/// A child's process group.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    group: Pid,
}

impl Tree {
    /// Starts the command as the leader of a new group.
    pub(super) fn spawn(command: &mut Command) -> std::io::Result<(Child, Tree)> {
        let child = command.process_group(0).spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        match group {
            Some(group) => Ok((child, Tree { group })),
            None => Err(std::io::Error::other("the child has no process id")),
        }
    }

    /// Waits for the leader's end without reaping it: until it is reaped its id stays its own.
    pub(super) fn wait_for_leader(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(self.group), options) {}
    }

    /// SIGTERM to the whole group.
    pub(super) fn ask(&self) {
        let _ = kill_process_group(self.group, Signal::TERM);
    }

    /// SIGKILL to the whole group.
    pub(super) fn kill(&self) {
        let _ = kill_process_group(self.group, Signal::KILL);
    }

    /// Whether anything but the ended leader is left of the group.
    pub(super) fn has_others(&self) -> bool {
        test_kill_process_group(self.group).is_ok() && !self.members().is_empty()
    }

    /// Ids and command lines of the group's living members.
    #[cfg(target_os = "linux")]
    pub(super) fn members(&self) -> Vec<(u32, String)> {
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        processes
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
                let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
                // The name in brackets may hold anything: the fields begin after the last bracket.
                let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
                let state = fields.next()?;
                let group: i32 = fields.nth(1)?.parse().ok()?;
                if group != self.group.as_raw_nonzero().get() || matches!(state, "Z" | "X") {
                    return None;
                }
                let command = std::fs::read(entry.path().join("cmdline")).ok()?;
                let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
                Some((pid, command))
            })
            .collect()
    }

    /// Ids and command lines of the group's living members, as `ps` tells.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn members(&self) -> Vec<(u32, String)> {
        let Ok(listing) = Command::new("ps").args(["-axo", "pid=,pgid=,stat=,command="]).output() else {
            return Vec::new();
        };
        String::from_utf8_lossy(&listing.stdout)
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace();
                let pid: u32 = fields.next()?.parse().ok()?;
                let group: i32 = fields.next()?.parse().ok()?;
                let state = fields.next()?;
                let mine = group == self.group.as_raw_nonzero().get() && !state.starts_with('Z');
                mine.then(|| (pid, fields.collect::<Vec<_>>().join(" ")))
            })
            .collect()
    }
}

/// Exit code or signal.
pub(super) fn end_of(status: ExitStatus) -> ChildEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ChildEnd::Exited(code),
        (None, signal) => ChildEnd::Signalled(signal.unwrap_or(0)),
    }
}
