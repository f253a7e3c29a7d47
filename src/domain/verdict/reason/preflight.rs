//! Rows of the preflight layer.
use super::{Home, Layer, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Preflight))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-readiness-receipt" })
        .replay("pester-gate preflight --root {root} --pack {pack}")
}

pub(super) const ROWS: &[Row] = &[
    row(C::HostReady, Informs, "this host has everything that the pack requires", "nothing to do"),
    row(
        C::RunnerLabelMissing,
        Blocks,
        "the runner lacks a label that the configuration requires",
        "add the label to the runner, or correct `preflight.labels`",
    ),
    row(
        C::SessionLockHeld,
        Warns,
        "another run holds the lock; execute will wait for it",
        "nothing to do unless execute reports `lock-held`",
    ),
    row(
        C::LockHeld,
        Blocks,
        "another run held the lock longer than `lock.wait`",
        "let the holder that the detail names finish, or raise `lock.wait`",
    )
    .retry(),
    row(
        C::LockUnusable,
        Blocks,
        "the lock cannot be used, so another run could use this host at the same time",
        "give the users of all runners access to the path that the detail names, remove anything \
         else from that path, or set `lock.directory` to another folder",
    ),
    row(
        C::HostMismatch,
        Blocks,
        "the readiness receipt is from another host",
        "run preflight in the job that executes the tests",
    )
    .retry(),
    row(
        C::PackMismatch,
        Blocks,
        "preflight checked another pack than the one that selection used",
        "pass the same --pack to preflight and selection",
    ),
    row(C::DotnetMissing, Blocks, "`dotnet` is not on PATH", "install the .NET SDK on this host"),
    row(
        C::DotnetSdkMissing,
        Blocks,
        "`dotnet` is installed, but no SDK that global.json accepts",
        "install the SDK that the detail names, or change global.json",
    ),
    row(
        C::DockerCliMissing,
        Blocks,
        "`docker` is not on PATH",
        "install the Docker CLI on this host",
    ),
    row(
        C::DockerUnreachable,
        Blocks,
        "the Docker engine is not running or does not answer",
        "start the engine",
    )
    .retry(),
    row(
        C::DockerAccessDenied,
        Blocks,
        "this user has no access to the Docker engine",
        "add the user of the runner to the group docker-users (Linux: docker), and restart the \
         runner",
    ),
    row(
        C::DockerApiMismatch,
        Blocks,
        "the Docker client and engine have no common API version",
        "update the older of the two; the detail names the versions",
    ),
    row(
        C::DockerServerError,
        Blocks,
        "the Docker engine answers with an error",
        "read the log of the engine, and restart the engine",
    )
    .retry(),
    row(
        C::DockerEngineNotWindows,
        Blocks,
        "the Docker engine runs Linux containers, but `preflight.docker.engine` requires Windows \
         containers (the default on Windows)",
        "switch the engine to Windows containers, use another host, or correct the setting",
    ),
    row(
        C::DockerEngineNotLinux,
        Blocks,
        "the Docker engine runs Windows containers, but `preflight.docker.engine` requires Linux \
         containers",
        "switch the engine to Linux containers, use another host, or correct the setting",
    ),
    row(
        C::LabviewRunning,
        Blocks,
        "LabVIEW is running on this host",
        "close the LabVIEW process that the detail names",
    ),
    row(
        C::LvcompareMissing,
        Blocks,
        "LVCompare was not found",
        "install LVCompare, or set LVCOMPARE_PATH",
    ),
    row(
        C::PowershellMissing,
        Blocks,
        "the PowerShell that the configuration names is not installed",
        "install PowerShell, or set `dispatcher.powershell`",
    ),
    row(
        C::ExecutionPolicyForbids,
        Blocks,
        "the execution policy of PowerShell, set for the machine or user, forbids unsigned scripts",
        "set the policy to RemoteSigned; `Get-ExecutionPolicy -List` shows the scope, and group \
         policy sets MachinePolicy and UserPolicy",
    ),
    row(
        C::PesterMissing,
        Blocks,
        "PowerShell finds no Pester module",
        "install Pester for this PowerShell edition",
    ),
    row(
        C::PesterVersionUnsupported,
        Blocks,
        "no supported version of Pester is installed",
        "install a version in the range that the detail names, in addition to the one that \
         Windows includes",
    ),
    row(
        C::DiskLow,
        Blocks,
        "the disk has less free space than `preflight.disk.min-free`, or fewer free inodes than \
         `min-free-files`",
        "free space on the volume of the path in the detail, or lower `preflight.disk`",
    )
    .retry(),
    row(
        C::PathHygiene,
        Blocks,
        "a folder of the run is in a synchronized folder (OneDrive, Dropbox, Google Drive, iCloud \
         Drive)",
        "move the checkout, or set --state-dir and --results-dir to a local folder",
    ),
    row(
        C::LongPathsDisabled,
        Blocks,
        "Windows refuses paths of more than 260 characters on this host",
        "set LongPathsEnabled to 1, and run `git config --system core.longpaths true`",
    ),
    row(
        C::ClockSkew,
        Warns,
        "the clock of this host is behind the clock of the host that ran context, so ages of \
         receipts are wrong",
        "synchronize the clock of this host (Windows: `w32tm /resync`)",
    ),
    row(
        C::FixtureMissing,
        Blocks,
        "a fixture file is missing or cannot be read",
        "restore the file that the detail names, or correct `fixtures`",
    ),
    row(
        C::FixtureAltered,
        Blocks,
        "a fixture changed between preflight and execute",
        "find out which process writes to the fixture, and run preflight again",
    )
    .retry(),
    row(
        C::ToolMissing,
        Blocks,
        "a tool that the pack or the test command needs, or the interpreter of a test file, is \
         missing",
        "install what the detail names on this host, or correct PATH or `dispatcher.command`",
    ),
    row(
        C::ToolVersionUnsupported,
        Blocks,
        "a required tool has a version that the pack does not accept",
        "install a version in the range that the detail names",
    ),
    row(
        C::EndpointUnreachable,
        Blocks,
        "a required HTTP endpoint does not answer",
        "check the service and the network of this host",
    )
    .retry(),
    row(
        C::ProbeTimedOut,
        Blocks,
        "a probe did not answer within `preflight.probe-timeout`",
        "run the probe by hand; raise its timeout if the probe is only slow",
    )
    .retry(),
    row(
        C::ProbeFailed,
        Blocks,
        "a probe failed, or its answer cannot be read",
        "run the command of the probe by hand; `requires` of the pack lists the command under the \
         name in the detail",
    ),
];
