//! The process table: who is whose child, since when, with which command line.

use std::collections::HashSet;
#[cfg(target_os = "linux")]
use std::io::Read;
#[cfg(target_os = "linux")]
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};

/// How much of a command line is told.
#[cfg(target_os = "linux")]
const COMMAND_LINE: u64 = 4 << 10;

/// One living process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// In the platform's own unit; [`started`] makes a time of it.
    born: u64,
}

impl Process {
    /// What no other process has, before or after.
    pub(super) fn identity(&self) -> (i32, u64) {
        (self.pid, self.born)
    }
}

/// Every process that lives; what has ended and is not reaped is left out. None where the table
/// cannot be read: that is not the same as nobody.
#[cfg(target_os = "linux")]
pub(super) fn all() -> Option<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let stat = |pid: i32| parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    let all: Vec<Process> = pids.filter_map(stat).collect();
    (!all.is_empty()).then_some(all)
}

/// One of them.
#[cfg(target_os = "linux")]
pub(super) fn of(pid: i32) -> Option<Process> {
    parse(pid, &std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// One of them.
#[cfg(not(target_os = "linux"))]
pub(super) fn of(pid: i32) -> Option<Process> {
    all()?.into_iter().find(|process| process.pid == pid)
}

/// Children of a process that have ended and are not reaped, each with its group.
#[cfg(target_os = "linux")]
pub(super) fn ended_children(of: i32) -> Vec<(i32, i32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ended = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ours = *fields.first()? == "Z" && fields.get(1)?.parse() == Ok(of);
        ours.then_some((pid, fields.get(2)?.parse().ok()?))
    };
    pids.filter_map(ended).collect()
}

/// Without a sub-reaper none are left to us.
#[cfg(not(target_os = "linux"))]
pub(super) fn ended_children(_: i32) -> Vec<(i32, i32)> {
    Vec::new()
}

/// Kills a process, unless its number is another's by now.
#[cfg(target_os = "linux")]
pub(super) fn kill(process: &Process) {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    match pidfd_open(pid, PidfdFlags::empty()) {
        // The descriptor holds on to the process that has the number now: is it still the one?
        Ok(held) => {
            if of(process.pid).is_some_and(|now| now.born == process.born) {
                let _ = pidfd_send_signal(held, Signal::KILL);
            }
        }
        Err(rustix::io::Errno::SRCH) => {}
        // A kernel before 5.3.
        Err(_) => {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Kills a process.
#[cfg(not(target_os = "linux"))]
pub(super) fn kill(process: &Process) {
    if let Some(pid) = Pid::from_raw(process.pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[cfg(target_os = "linux")]
fn parse(pid: i32, stat: &str) -> Option<Process> {
    // The name in brackets may hold anything: the fields begin after the last bracket.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
    // A first thread that has ended while others go on is shown like a process that has ended.
    if *fields.first()? == "X" || (*fields.first()? == "Z" && number(17)? <= 1) {
        return None;
    }
    let small = |at| i32::try_from(number(at)?).ok();
    Some(Process {
        pid,
        parent: small(1)?,
        group: small(2)?,
        born: u64::try_from(number(19)?).ok()?,
    })
}

/// When a process was born.
#[cfg(target_os = "linux")]
pub(super) fn started(process: &Process) -> Option<Timestamp> {
    // Both count from the start of the system, which itself is told to the second only.
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    let born = process.born as f64 / ticks as f64;
    let age = Duration::try_from_secs_f64((up - born).max(0.0)).ok()?;
    let then = Timestamp::now().checked_sub(age).ok()?;
    Timestamp::from_millisecond(then.as_millisecond()).ok()
}

/// Its command line, words parted by blanks; the name of a process that has none.
#[cfg(target_os = "linux")]
pub(super) fn command(pid: i32) -> String {
    let mut line = Vec::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/cmdline")) {
        let _ = file.take(COMMAND_LINE).read_to_end(&mut line);
    }
    let line = String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned();
    if !line.is_empty() {
        return line;
    }
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// The name of its program, of which the system keeps 15 characters.
#[cfg(target_os = "linux")]
pub(super) fn name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// A variable of the environment that it was started with.
#[cfg(target_os = "linux")]
pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let (key, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Every process that lives, as `ps` tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn all() -> Option<Vec<Process>> {
    let listing =
        std::process::Command::new("ps").args(["-axo", "pid=,ppid=,pgid=,stat="]).output().ok()?;
    let text = String::from_utf8_lossy(&listing.stdout).into_owned();
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        let process = Process { pid: number(0)?, parent: number(1)?, group: number(2)?, born: 0 };
        (!fields.get(3)?.starts_with('Z')).then_some(process)
    };
    let all: Vec<Process> = text.lines().filter_map(parse).collect();
    (!all.is_empty()).then_some(all)
}

/// Not told here.
#[cfg(not(target_os = "linux"))]
pub(super) fn started(process: &Process) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(process.born).ok()?)
        .ok()
        .filter(|time| *time != Timestamp::UNIX_EPOCH)
}

/// Its command line, as `ps` tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn command(pid: i32) -> String {
    let reported =
        std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    reported
        .map(|reported| String::from_utf8_lossy(&reported.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// The name of its program, as `ps` tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn name(pid: i32) -> String {
    let reported =
        std::process::Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output();
    let path = reported
        .map(|reported| String::from_utf8_lossy(&reported.stdout).trim().to_owned())
        .unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Another process's environment is not told here.
#[cfg(not(target_os = "linux"))]
pub(super) fn variable(_: i32, _: &str) -> Option<String> {
    None
}

/// Kills processes and, so that what is forked meanwhile goes too, the groups that they are in, and
/// further groups. `me` and its own group are spared.
pub(super) fn kill_all(victims: &[Process], groups: &[i32], me: i32) {
    let own = rustix::process::getpgrp().as_raw_nonzero().get();
    let groups: HashSet<i32> =
        victims.iter().map(|victim| victim.group).chain(groups.iter().copied()).collect();
    let groups = groups.into_iter().filter(|group| *group != own && *group != me);
    for group in groups.filter_map(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    victims.iter().for_each(kill);
}

/// Everything that descends from a process, itself left out.
pub(super) fn descendants(of: i32, table: &[Process]) -> Vec<Process> {
    let (mut known, mut found) = (HashSet::from([of]), Vec::new());
    loop {
        let before = found.len();
        for process in table {
            if known.contains(&process.parent) && known.insert(process.pid) {
                found.push(process.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, group: pid, born: 0 }
    }

    #[test]
    fn descent_goes_through_any_order_and_any_depth() {
        let table = [process(9, 8), process(8, 7), process(7, 2), process(3, 1), process(2, 2)];
        let found: Vec<i32> = descendants(2, &table).iter().map(|p| p.pid).collect();
        assert_eq!(found, [7, 8, 9]);
        assert!(descendants(3, &table).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "12 (a) b (c) S 7 12 12 0 -1 4194304 90 0 0 0 0 0 0 0 20 0 1 0 4321 0";
        // The same, with its first thread ended and another alive.
        let headless = stat.replace(") S", ") Z").replace(" 20 0 1 0 4321", " 20 0 2 0 4321");
        assert!(parse(12, &headless).is_some());
        let process = parse(12, stat).unwrap();
        assert_eq!((process.parent, process.group, process.born), (7, 12, 4321));
        assert!(parse(12, &stat.replace(") S", ") Z")).is_none());
        let own = i32::try_from(std::process::id()).unwrap();
        let me = all().unwrap().into_iter().find(|p| p.pid == own).unwrap();
        let age = Timestamp::now().duration_since(started(&me).unwrap());
        assert!(age.as_secs() < 3600 * 12 && age.as_secs() > -5, "{age:?}");
        assert!(command(own).contains("pester_gate"));
    }
}
