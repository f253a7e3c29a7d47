//! Processes by the name of LabVIEW, told.

use jiff::Timestamp;

/// A process of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    /// Its id.
    pub(crate) pid: u32,
    /// When it was born, where the platform tells.
    pub(crate) started: Option<Timestamp>,
    /// The session that it belongs to, where the platform has numbers for them.
    pub(crate) session: Option<u32>,
}

/// How many are named.
const NAMED: usize = 5;

/// What they come to: none where nothing runs, else who they are. A host whose processes cannot be
/// listed is not one where nothing runs.
pub(crate) fn read(listed: Option<&[Running]>) -> Result<Option<String>, &'static str> {
    let running = listed.ok_or("this host's processes cannot be listed")?;
    let each = |process: &Running| {
        let since = process.started.map(|at| format!(" since {at}")).unwrap_or_default();
        // Nobody sees a window in session 0: it belongs to services.
        let session = match process.session {
            Some(0) => " in session 0, that of services".to_owned(),
            Some(session) => format!(" in session {session}"),
            None => String::new(),
        };
        format!("pid {}{since}{session}", process.pid)
    };
    let mut reported: Vec<String> = running.iter().take(NAMED).map(each).collect();
    if running.len() > NAMED {
        reported.push(format!("{} more", running.len() - NAMED));
    }
    Ok((!reported.is_empty()).then(|| reported.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields are those of Toolhelp32 (`th32ProcessID`), `GetProcessTimes` and
    /// `ProcessIdToSessionId`.
    #[test]
    fn who_runs_is_named_and_silence_is_not_idleness() {
        let at = |second: i64| Timestamp::from_second(second).ok();
        let running = |pid: u32, started: Option<Timestamp>, session: Option<u32>| Running {
            pid,
            started,
            session,
        };
        let six: Vec<Running> = (1..=6).map(|pid| running(pid, None, None)).collect();
        for (source, listed, expected) in [
            ("an idle host", Some(vec![]), Ok(None)),
            (
                "left open on the desktop",
                Some(vec![running(4711, at(1_700_000_000), Some(1))]),
                Ok(Some("pid 4711 since 2023-11-14T22:13:20Z in session 1")),
            ),
            (
                "started by a service",
                Some(vec![running(4711, at(1_700_000_000), Some(0))]),
                Ok(Some("pid 4711 since 2023-11-14T22:13:20Z in session 0, that of services")),
            ),
            (
                "another user's, whose times this one may not ask",
                Some(vec![running(4711, None, Some(2))]),
                Ok(Some("pid 4711 in session 2")),
            ),
            (
                "two, without sessions",
                Some(vec![running(1, None, None), running(2, None, None)]),
                Ok(Some("pid 1, pid 2")),
            ),
            (
                "more than are named",
                Some(six),
                Ok(Some("pid 1, pid 2, pid 3, pid 4, pid 5, 1 more")),
            ),
            ("a table that cannot be read", None, Err("this host's processes cannot be listed")),
        ] {
            let reported = read(listed.as_deref());
            assert_eq!(
                reported.as_ref().map(Option::as_deref).map_err(|why| *why),
                expected,
                "{source}"
            );
        }
    }
}
