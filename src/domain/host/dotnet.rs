//! `dotnet --version`, asked in the repository, and `dotnet --list-sdks`, read.

use super::Said;

/// What .NET there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// The SDK that this repository gets.
    Chosen(String),
    /// There are none, only runtimes.
    None,
    /// There are some, and none that `global.json` accepts; the line that says so.
    Unmet(String),
    /// What came cannot be read.
    Unreadable(String),
}

/// Versions out of `--list-sdks`: `8.0.100 [C:\Program Files\dotnet\sdk]`, a line each.
pub(crate) fn installed(stdout: &str) -> Vec<String> {
    let version = |line: &str| {
        let (version, folder) = line.trim().split_once(" [")?;
        (folder.ends_with(']') && is_version(version)).then(|| version.to_owned())
    };
    stdout.lines().filter_map(version).collect()
}

fn is_version(text: &str) -> bool {
    let mut parts = text.split('-').next().unwrap_or_default().split('.');
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.clone().count() == 3 && parts.all(number) && !text.contains(' ')
}

/// What `--version` came to where these are installed. The host does not fail in one way: before
/// there was a message of its own it took `--version` for a program (dotnet/sdk#12096).
pub(crate) fn read(version: &Said<'_>, installed: &[String]) -> Sdk {
    let reported = version.stdout.lines().map(str::trim).find(|line| !line.is_empty());
    if let (0, Some(chosen)) = (version.code, reported.filter(|line| is_version(line))) {
        return Sdk::Chosen(chosen.to_owned());
    }
    let all = format!("{}\n{}", version.stdout, version.stderr);
    let names_it =
        |line: &&str| line.contains("global.json") || line.starts_with("Requested SDK version");
    let line =
        all.lines().map(str::trim).find(names_it).map(|line| line.chars().take(300).collect());
    match line {
        _ if installed.is_empty() && version.code != 0 && says_none(&all) => Sdk::None,
        Some(line) if version.code != 0 => Sdk::Unmet(line),
        _ => Sdk::Unreadable(version.first_line()),
    }
}

/// The host's words for a machine with runtimes alone; they are not translated.
fn says_none(all: &str) -> bool {
    [
        "No .NET SDKs were found",
        "Did you mean to run dotnet SDK commands",
        "'--version' does not exist",
    ]
    .iter()
    .any(|words| all.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_are_listed() {
        let two = "3.1.101 [C:\\Program Files\\dotnet\\sdk]\r\n\
                   5.0.100-preview.5.20279.10 [C:\\Program Files\\dotnet\\sdk]\r\n";
        assert_eq!(installed(two), ["3.1.101", "5.0.100-preview.5.20279.10"]);
        assert_eq!(installed("2.1.401 [/usr/share/dotnet/sdk]\n"), ["2.1.401"]);
        assert!(installed("No .NET SDKs were found.\n").is_empty());
    }

    #[test]
    fn what_the_host_says_is_distinguished() {
        let some = ["3.1.101".to_owned()];
        let unmet = |line: &str| Sdk::Unmet(line.to_owned());
        for (source, installed, code, stdout, stderr, expected) in [
            (
                "fsprojects/fantomas#426",
                &some[..],
                0,
                "2.2.105\n",
                "",
                Sdk::Chosen("2.2.105".to_owned()),
            ),
            (
                "the same with CRLF",
                &some,
                0,
                "5.0.100-preview.6.20310.4\r\n",
                "",
                Sdk::Chosen("5.0.100-preview.6.20310.4".to_owned()),
            ),
            (
                "dotnet/core-setup#4497",
                &some,
                145,
                "",
                "A compatible SDK version for global.json version: [2.0.123] from \
                 [/home/user/MySampleProject/global.json] was not found\n",
                unmet(
                    "A compatible SDK version for global.json version: [2.0.123] from \
                     [/home/user/MySampleProject/global.json] was not found",
                ),
            ),
            (
                "dotnet/sdk#12096",
                &some,
                1,
                "",
                concat!(
                    "Could not execute because the application was not found or a compatible ",
                    ".NET SDK is not installed.\n",
                    "Possible reasons for this include:\n",
                    "  * You intended to execute a .NET program:\n",
                    "      The application '--version' does not exist.\n",
                    "  * You intended to execute a .NET SDK command:\n",
                    "      A compatible installed .NET SDK for global.json version ",
                    "[5.0.100-preview.6.20310.4] from [D:\\git\\runtime\\global.json] was not ",
                    "found.\n",
                ),
                unmet(
                    "A compatible installed .NET SDK for global.json version \
                     [5.0.100-preview.6.20310.4] from [D:\\git\\runtime\\global.json] was not \
                     found.",
                ),
            ),
            (
                "dotnet/core-setup#2570",
                &some,
                1,
                "The specified SDK version [] from global.json \
                 [/Users/namc/dev/aspnet/KestrelHttpServer/global.json] not found; install \
                 specified SDK version\n",
                "",
                unmet(
                    "The specified SDK version [] from global.json \
                     [/Users/namc/dev/aspnet/KestrelHttpServer/global.json] not found; install \
                     specified SDK version",
                ),
            ),
            (
                "dotnet/runtime's hostfxr, only runtimes",
                &[],
                145,
                "",
                "No .NET SDKs were found.\n",
                Sdk::None,
            ),
            (
                "dotnet/runtime's hostfxr, out of memory where nothing is listed",
                &[],
                139,
                "",
                "Failed to load libhostfxr.so, error: out of memory\n",
                Sdk::Unreadable("Failed to load libhostfxr.so, error: out of memory".to_owned()),
            ),
            (
                "no version of anything",
                &some,
                0,
                "1..pwned\n",
                "",
                Sdk::Unreadable("1..pwned".to_owned()),
            ),
            (
                "a wrapper that is no dotnet",
                &some,
                0,
                "hello\n",
                "",
                Sdk::Unreadable("hello".to_owned()),
            ),
            (
                "dotnet/runtime's hostpolicy, a broken installation",
                &some,
                137,
                "",
                "Failed to create CoreCLR, HRESULT: 0x80004005\n",
                Sdk::Unreadable("Failed to create CoreCLR, HRESULT: 0x80004005".to_owned()),
            ),
        ] {
            assert_eq!(read(&Said { code, stdout, stderr }, installed), expected, "{source}");
        }
    }
}
