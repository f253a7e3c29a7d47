//! What the shipped script's `-Probe` came to, read: which PowerShell, which Pester, or why no
//! script runs.

use serde::Deserialize;

use super::Said;
use crate::domain::results::pester::PROBE_SCHEMA;

/// The Pester that every Windows ships: it shadows nothing, and too often it is all there is.
pub(crate) const SHIPPED: &str = "3.4.0";
/// The newest major version that the script was tried with.
const NEWEST_MAJOR: u64 = 6;

/// What one PowerShell tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostInfo {
    schema: String,
    /// Its version.
    pub(crate) ps: String,
    /// `Core`, or `Desktop` for Windows PowerShell.
    pub(crate) edition: String,
    /// The policy that holds for its scripts.
    #[serde(default)]
    pub(crate) execution_policy: String,
    /// Every Pester that it finds.
    pub(crate) found: Vec<Found>,
}

/// One Pester.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Found {
    /// Its version.
    pub(crate) version: String,
    /// Where it is.
    #[serde(default)]
    pub(crate) path: String,
}

/// Why a PowerShell tells nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Its execution policy forbids the script; the line that says so.
    Forbidden(String),
    /// What came cannot be read.
    Unreadable(String),
}

/// The answer: one line of JSON, wherever it stands. A policy that is set for the whole machine
/// holds against `-ExecutionPolicy Bypass`; its message is translated, the name of its help page is
/// not.
pub(crate) fn read(said: &Said<'_>) -> Result<HostInfo, Silence> {
    let answer = |line: &str| {
        serde_json::from_str::<HostInfo>(line.trim().trim_start_matches('\u{feff}')).ok()
    };
    if let Some(reported) =
        said.stdout.lines().filter_map(answer).find(|reported| reported.schema == PROBE_SCHEMA)
    {
        return Ok(reported);
    }
    let all = || said.stderr.lines().chain(said.stdout.lines()).map(str::trim);
    if all().any(|line| line.contains("about_Execution_Policies") || is_unauthorized(line)) {
        let line = all().find(|line| !line.is_empty()).unwrap_or_default();
        return Err(Silence::Forbidden(line.chars().take(300).collect()));
    }
    Err(Silence::Unreadable(said.first_line()))
}

/// `UnauthorizedAccess` as a whole id, with or without the command behind it; a file that may not
/// be written has an id that only ends like it.
fn is_unauthorized(line: &str) -> bool {
    let id = line
        .split_once("FullyQualifiedErrorId")
        .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
    id.is_some_and(|id| id.trim().split(',').next() == Some("UnauthorizedAccess"))
}

/// What the Pesters of one PowerShell come to for a range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// One of them will do.
    Fits,
    /// There is none.
    None,
    /// There is the one that Windows ships, and no other.
    OnlyShipped,
    /// There are some, and none in the range.
    OutOfRange,
}

/// Whether a Pester in the range (its ends included) is among them.
pub(crate) fn fit(found: &[Found], least: &str, most: Option<&str>) -> Fit {
    let (least, most) = (version(least).unwrap_or_default(), most.and_then(version));
    let fits = |found: &Found| {
        version(&found.version).is_some_and(|own| {
            own >= least && most.is_none_or(|most| own <= most) && own.0 <= NEWEST_MAJOR
        })
    };
    match found {
        [] => Fit::None,
        found if found.iter().any(fits) => Fit::Fits,
        found if found.iter().all(|found| found.version == SHIPPED) => Fit::OnlyShipped,
        _ => Fit::OutOfRange,
    }
}

/// A module's version: up to four numbers, missing ones are zero. Anything else is none.
fn version(text: &str) -> Option<(u64, u64, u64, u64)> {
    let numbers: Vec<u64> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
    (numbers.len() <= 4).then(|| (number(0), number(1), number(2), number(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: &str = concat!(
        r#"{"schema":"pester-gate-probe@v1","ps":"7.5.4","edition":"Core","#,
        r#""executionPolicy":"Bypass","found":[{"version":"5.7.1","#,
        r#""path":"C:\\Program Files\\PowerShell\\Modules\\Pester\\5.7.1\\Pester.psd1"}]}"#,
    );
    const FIVE: &str = concat!(
        r#"{"schema":"pester-gate-probe@v1","ps":"5.1.26100.4652","edition":"Desktop","#,
        r#""executionPolicy":"RemoteSigned","found":[{"version":"3.4.0","#,
        r#""path":"C:\\Program Files\\WindowsPowerShell\\Modules\\Pester\\3.4.0\\Pester.psd1"}]}"#,
    );

    #[test]
    fn what_a_powershell_says_is_distinguished() {
        enum Owed {
            HostInfo(&'static str, usize),
            Forbidden,
            Unreadable,
        }
        for (source, code, stdout, stderr, expected) in [
            (
                "the shipped script's line on PowerShell 7",
                0,
                format!("{SEVEN}\n"),
                "",
                Owed::HostInfo("Core", 1),
            ),
            (
                "the same on Windows PowerShell, CRLF",
                0,
                format!("{FIVE}\r\n"),
                "",
                Owed::HostInfo("Desktop", 1),
            ),
            (
                "a byte order mark and a profile's greeting before it",
                0,
                format!("Loading personal and system profiles took 812ms.\n\u{feff}{SEVEN}\n"),
                "",
                Owed::HostInfo("Core", 1),
            ),
            (
                "StrawberryPerl/psperl#13: Restricted",
                1,
                String::new(),
                concat!(
                    "File C:\\git\\strawberry\\_psperl\\psperl.ps1 cannot be loaded because ",
                    "running scripts is disabled on this\n",
                    "system. For more information, see about_Execution_Policies at ",
                    "https:/go.microsoft.com/fwlink/?LinkID=135170.\n",
                    "    + CategoryInfo          : SecurityError: (:) [], ",
                    "ParentContainsErrorRecordException\n",
                    "    + FullyQualifiedErrorId : UnauthorizedAccess\n",
                ),
                Owed::Forbidden,
            ),
            (
                "MilestoneSystemsInc/PowerShellSamples#94: AllSigned",
                1,
                String::new(),
                concat!(
                    "File C:\\cam\\Set-MilestoneNames.ps1 cannot be loaded. The file ",
                    "C:\\cam\\Set-MilestoneNames.ps1 is not digitally signed. You \n",
                    "cannot run this script on the current system. For more information about ",
                    "running scripts and setting execution policy, see \n",
                    "about_Execution_Policies at ",
                    "https:/go.microsoft.com/fwlink/?LinkID=135170.\n",
                    "    + CategoryInfo          : SecurityError: (:) [], ",
                    "ParentContainsErrorRecordException\n",
                    "    + FullyQualifiedErrorId : UnauthorizedAccess\n",
                ),
                Owed::Forbidden,
            ),
            (
                "the last two lines of the same, as every language of Windows ends it",
                1,
                String::new(),
                concat!(
                    "    + CategoryInfo          : Fehler: (:) [], ",
                    "ParentContainsErrorRecordException\n",
                    "    + FullyQualifiedErrorId : UnauthorizedAccess\n",
                ),
                Owed::Forbidden,
            ),
            (
                "Windows PowerShell's id for a file that may not be written",
                1,
                String::new(),
                concat!(
                    "Access to the path 'C:\\logs\\profile.log' is denied.\n",
                    "    + FullyQualifiedErrorId : GetContentWriterUnauthorizedAccessError,",
                    "Microsoft.PowerShell.Commands.AddContentCommand\n",
                ),
                Owed::Unreadable,
            ),
            ("Wine's powershell.exe: nothing, exit code 0", 0, String::new(), "", Owed::Unreadable),
            (
                "another probe's answer",
                0,
                SEVEN.replace("probe@v1", "probe@v9"),
                "",
                Owed::Unreadable,
            ),
            (
                "PowerShell/PowerShell#4850: a program that is no PowerShell takes -File for \
                 its own",
                64,
                String::new(),
                "The argument '-File' is not recognized as the name of a script file.\n",
                Owed::Unreadable,
            ),
        ] {
            let read = read(&Said { code, stdout: &stdout, stderr });
            let as_owed = match (&read, expected) {
                (Ok(reported), Owed::HostInfo(edition, found)) => {
                    reported.edition == edition && reported.found.len() == found
                }
                (Err(Silence::Forbidden(line)), Owed::Forbidden) => !line.is_empty(),
                (Err(Silence::Unreadable(_)), Owed::Unreadable) => true,
                _ => false,
            };
            assert!(as_owed, "{source}: {read:?}");
        }
    }

    #[test]
    fn a_pester_is_in_the_range_or_named_for_what_it_is() {
        let all = |versions: &[&str]| -> Vec<Found> {
            versions
                .iter()
                .map(|version| Found { version: (*version).to_owned(), path: String::new() })
                .collect()
        };
        for (found, most, expected) in [
            (&["5.7.1"][..], None, Fit::Fits),
            (&["3.4.0", "5.7.1"], None, Fit::Fits),
            (&["5.0.0"], Some("5.0.0"), Fit::Fits),
            (&["6.0.1"], Some("5.99.99"), Fit::OutOfRange),
            (&["7.0.0"], None, Fit::OutOfRange),
            (&["4.10.1", "3.4.0"], None, Fit::OutOfRange),
            (&["6.x.y-alpha"], None, Fit::OutOfRange),
            (&["3.4.0"], None, Fit::OnlyShipped),
            (&[], None, Fit::None),
        ] {
            assert_eq!(fit(&all(found), "5.0.0", most), expected, "{found:?} {most:?}");
        }
    }
}
