//! Rows of the preflight layer.
use super::{Home, Layer, ReasonCode as C, Row, Severity, Severity::*};

const fn row(code: C, severity: Severity, meaning: &'static str, remedy: &'static str) -> Row {
    Row::new(code, severity, meaning, remedy)
        .at(Home::Layer(Layer::Preflight))
        .next(if matches!(severity, Informs) { "no-action" } else { "inspect-readiness-receipt" })
        .replay("pester-gate preflight --root {root} --pack {pack}")
}

pub(super) const ROWS: &[Row] = &[
    row(C::HostReady, Informs, "everything that the pack requires is there", "nothing to do"),
    row(
        C::RunnerLabelMissing,
        Blocks,
        "the runner lacks a label that the configuration asks for",
        "add the label to the runner, or correct `preflight.labels`",
    ),
    row(
        C::SessionLockHeld,
        Warns,
        "another run holds this host's lock at the moment; execute will queue",
        "nothing to do unless execute waits in vain",
    ),
    row(
        C::LockHeld,
        Blocks,
        "the host's lock stayed with another run for the whole of `lock.wait`",
        "let the holder in the detail finish, or raise `lock.wait`",
    )
    .retry(),
    row(
        C::LockUnusable,
        Blocks,
        "the host's lock cannot be used, so nothing would keep another run away",
        "see the detail: give every runner's user the right to what it names, take away what does not belong there, or name another folder by `lock.directory`",
    ),
    row(
        C::HostMismatch,
        Blocks,
        "the readiness receipt was measured on another host",
        "measure readiness in the job that executes",
    )
    .retry(),
    row(
        C::PackMismatch,
        Blocks,
        "readiness was measured for another pack than the one that was selected",
        "give preflight and selection the same --pack",
    ),
    row(C::DotnetMissing, Blocks, "no `dotnet` is on PATH", "install the .NET SDK on this host"),
    row(
        C::DotnetSdkMissing,
        Blocks,
        "`dotnet` is there, and no SDK that the repository's global.json accepts",
        "install the SDK that the detail names, or change global.json",
    ),
    row(C::DockerCliMissing, Blocks, "no `docker` is on PATH", "install the Docker CLI on this host"),
    row(C::DockerUnreachable, Blocks, "the Docker engine does not run, or does not answer", "start the engine").retry(),
    row(
        C::DockerAccessDenied,
        Blocks,
        "this user may not reach the Docker engine",
        "add the runner's user to the group docker-users (Linux: docker), and restart the runner",
    ),
    row(
        C::DockerApiMismatch,
        Blocks,
        "Docker's client and engine speak no common version of its API",
        "update the older of the two; the detail names the versions",
    ),
    row(
        C::DockerServerError,
        Blocks,
        "the Docker engine answers with an error of its own",
        "see the engine's log; restart the engine",
    )
    .retry(),
    row(
        C::DockerEngineNotWindows,
        Blocks,
        "the Docker engine runs Linux containers, and `preflight.docker.engine` (on Windows the default) asks for Windows",
        "switch the engine to Windows containers, or take a host that has them; or correct the setting",
    ),
    row(
        C::DockerEngineNotLinux,
        Blocks,
        "the Docker engine runs Windows containers, and `preflight.docker.engine` asks for Linux",
        "switch the engine to Linux containers, or take a host that has them; or correct the setting",
    ),
    row(C::LabviewRunning, Blocks, "LabVIEW is running on this host", "end the LabVIEW process that the detail names"),
    row(C::LvcompareMissing, Blocks, "LVCompare is not at its path", "install it, or set LVCOMPARE_PATH"),
    row(
        C::PowershellMissing,
        Blocks,
        "the PowerShell that the configuration names is not on this host",
        "install it, or set `dispatcher.powershell`",
    ),
    row(
        C::ExecutionPolicyForbids,
        Blocks,
        "PowerShell's execution policy, set for the whole machine or user, forbids unsigned scripts",
        "set it to RemoteSigned: `Get-ExecutionPolicy -List` names the scope; MachinePolicy and UserPolicy are group policy's",
    ),
    row(C::PesterMissing, Blocks, "PowerShell finds no Pester module", "install Pester for this PowerShell edition"),
    row(
        C::PesterVersionUnsupported,
        Blocks,
        "no Pester of a supported version is installed",
        "install a version in the range that the detail names, beside the one that Windows ships",
    ),
    row(
        C::DiskLow,
        Blocks,
        "the disk has less free space than `preflight.disk.min-free`, or room for fewer files than `min-free-files`",
        "free space on the volume of the path in the detail, or ask for less by `preflight.disk`",
    )
    .retry(),
    row(
        C::PathHygiene,
        Blocks,
        "a folder of the run lies in a synchronised folder (OneDrive, Dropbox, Google Drive, iCloud Drive)",
        "move the checkout, or set --state-dir and --results-dir to a local folder",
    ),
    row(
        C::LongPathsDisabled,
        Blocks,
        "Windows refuses paths over 260 characters on this host",
        "set LongPathsEnabled to 1 and `git config --system core.longpaths true`",
    ),
    row(
        C::ClockSkew,
        Warns,
        "this host's clock is behind that of the host where context was settled: ages and times of receipts mislead",
        "synchronise this host's clock (Windows: `w32tm /resync`)",
    ),
    row(
        C::FixtureMissing,
        Blocks,
        "a fixture file is not there or cannot be read",
        "restore the file that the detail names, or correct `fixtures`",
    ),
    row(
        C::FixtureAltered,
        Blocks,
        "a fixture changed between preflight and execute",
        "find out what writes to it; run preflight again",
    )
    .retry(),
    row(
        C::ToolMissing,
        Blocks,
        "a tool that the pack or the test command needs, or the interpreter of a test file, is missing",
        "install what the detail names on this host, or correct PATH or `dispatcher.command`",
    ),
    row(
        C::ToolVersionUnsupported,
        Blocks,
        "a required tool is not of a version that the pack asks for",
        "install a version in the range that the detail names",
    ),
    row(
        C::EndpointUnreachable,
        Blocks,
        "a required HTTP endpoint does not answer",
        "check the service and this host's network",
    )
    .retry(),
    row(
        C::ProbeTimedOut,
        Blocks,
        "a probe did not answer within `preflight.probe-timeout`",
        "run the probe by hand; raise its timeout when it is only slow",
    )
    .retry(),
    row(
        C::ProbeFailed,
        Blocks,
        "a probe failed, or answered what cannot be read",
        "run that probe's command by hand: the pack's `requires` has it under the name in the detail",
    ),
];
