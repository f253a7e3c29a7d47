//! Readiness: interpreting what probes brought home. Collectors are in the adapter.

use semver::{Version, VersionReq};

/// A version range that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid version range {0:?}: write for example >=8, <10")]
pub(crate) struct RangeError(String);

/// Reads a range such as `>=8, <10`; a bare `8` means `8.x`.
pub(crate) fn parse_range(text: &str) -> Result<VersionReq, RangeError> {
    VersionReq::parse(text.trim()).map_err(|_| RangeError(text.chars().take(40).collect()))
}

/// The first version number in what a tool prints: `git version 2.39.5.windows.1` is 2.39.5.
///
/// Only the first line that holds one counts; a fourth number and suffixes are left out, because
/// ranges speak of the first three.
pub(crate) fn find_version(output: &str) -> Option<Version> {
    output.lines().find_map(version_in_line)
}

fn version_in_line(line: &str) -> Option<Version> {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let word_start =
            at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'v');
        if bytes[at].is_ascii_digit() && word_start {
            let end = bytes[at..]
                .iter()
                .position(|b| !(b.is_ascii_digit() || *b == b'.'))
                .map_or(bytes.len(), |n| at + n);
            let numbers: Vec<u64> =
                line[at..end].split('.').map_while(|part| part.parse().ok()).take(3).collect();
            if numbers.len() >= 2 {
                return Some(Version::new(
                    numbers[0],
                    numbers[1],
                    numbers.get(2).copied().unwrap_or(0),
                ));
            }
            at = end;
        } else {
            at += 1;
        }
    }
    None
}

/// The synchronising service that a path lies in, if any: such folders hold files open, replace
/// them by placeholders and rename them in the middle of a run.
///
/// Source: the predecessor's path hygiene, and the folders these services make on Windows and
/// macOS.
pub(crate) fn managed_root(path: &str) -> Option<&'static str> {
    let path = path.replace('\\', "/").to_lowercase();
    if path.contains("/library/mobile documents/") {
        return Some("iCloud Drive");
    }
    path.split('/').find_map(|part| {
        let begins = |name: &str| {
            part.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '-', '(']))
        };
        if begins("onedrive") {
            Some("OneDrive")
        } else if begins("dropbox") {
            Some("Dropbox")
        } else if begins("google drive") || begins("googledrive") {
            Some("Google Drive")
        } else if begins("icloud drive") || begins("iclouddrive") {
            Some("iCloud Drive")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        for (output, version) in [
            ("git version 2.39.5.windows.1", "2.39.5"),
            ("Python 3.11.7", "3.11.7"),
            ("8.0.100", "8.0.100"),
            ("v20.20.2\n", "20.20.2"),
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", "1.95.0"),
            ("GNU bash, version 5.2.15(1)-release", "5.2.15"),
            ("PowerShell 7.6.5", "7.6.5"),
            ("welcome\ntool x64 1.2\n", "1.2.0"),
        ] {
            assert_eq!(
                find_version(output).map(|v| v.to_string()).as_deref(),
                Some(version),
                "{output}"
            );
        }
        for none in ["", "no numbers", "build 7", "sha1 abc"] {
            assert_eq!(find_version(none), None, "{none}");
        }
    }

    #[test]
    fn ranges_compare() {
        let eight = Version::new(8, 0, 100);
        assert!(parse_range(">=8").unwrap().matches(&eight));
        assert!(parse_range("8").unwrap().matches(&eight));
        assert!(!parse_range(">=8, <8.0.50").unwrap().matches(&eight));
        assert!(parse_range("newest").is_err());
    }

    #[test]
    fn synchronised_folders_are_recognised_by_whole_names() {
        for (path, service) in [
            (r"C:\Users\a\OneDrive\repo", Some("OneDrive")),
            (r"C:\Users\a\OneDrive - Contoso Ltd\repo", Some("OneDrive")),
            ("/Users/a/Library/CloudStorage/GoogleDrive-a@b.c/x", Some("Google Drive")),
            ("/Users/a/Library/Mobile Documents/com~apple~CloudDocs/x", Some("iCloud Drive")),
            ("/home/a/Dropbox (Personal)/x", Some("Dropbox")),
            (r"C:\iCloudDrive\x", Some("iCloud Drive")),
            ("/home/a/onedrivers/x", None),
            ("/home/a/my-dropbox/x", None),
            ("/srv/work", None),
        ] {
            assert_eq!(managed_root(path), service, "{path}");
        }
    }
}
