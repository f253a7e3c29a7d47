//! Rows of preflight: what tools and services of the host say, by stand-ins on PATH.

use std::fs;

use super::{Row, one, readiness, with};
use crate::github::servers;
use crate::harness::{Sandbox, Seen};

/// A gate whose pack requires `what`, on a host where this stands for `tool`.
fn tool(what: &str, tool: &str, script: &str) -> Seen {
    let sandbox = requiring(what);
    let folder = sandbox.state.with_file_name("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(tool);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths(
        [&folder].into_iter().cloned().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    sandbox.run(&[], &[("PATH", path.unwrap().to_str().unwrap())])
}

fn requiring(what: &str) -> Sandbox {
    with(&format!("defaults: {{pack: p}}\npacks: [{{name: p, requires: [{what}]}}]\n"))
}

fn docker(script: &str) -> Seen {
    tool("docker", "docker", script)
}

fn dotnet(version: &str) -> Seen {
    let list = "if [ \"$1\" = --list-sdks ]; then echo '8.0.100 [/usr/share/dotnet/sdk]'; exit 0; fi";
    tool("dotnet", "dotnet", &format!("{list}\n{version}"))
}

fn endpoint(url: &str) -> Seen {
    requiring(&format!("{{http: \"{url}\", name: licence, timeout: 2s}}")).run(&[], &[])
}

const GREEN: (&str, &str, &str, i32) = ("completed", "none", "tests-passed", 0);

pub(super) const ROWS: &[Row] = &[
    one("preflight", "docker answers", GREEN, || {
        docker("echo '{\"ID\":\"x\",\"OSType\":\"linux\",\"ServerVersion\":\"28.0.1\"}'")
    }),
    one("preflight", "docker's engine does not run", readiness("docker-unreachable"), || {
        docker(
            "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1",
        )
    }),
    one(
        "preflight",
        "docker's engine does not run, and its client exits with 0",
        readiness("docker-unreachable"),
        || {
            docker(
                "echo '{\"ID\":\"\",\"OSType\":\"\",\"ServerErrors\":[\"Cannot connect to the Docker daemon at tcp://x\"]}'",
            )
        },
    ),
    one("preflight", "docker's engine does not answer", readiness("docker-unreachable"), || {
        let sandbox = requiring("docker");
        sandbox.script("docker", "sleep 60");
        let path = format!("{}:{}", sandbox.root.display(), std::env::var("PATH").unwrap());
        sandbox.git(&["add", "-A"]);
        sandbox.commit();
        sandbox.config("preflight: {disk: {min-free: 1MiB}, probe-timeout: 1s}\ndefaults: {pack: p}\npacks: [{name: p, requires: [docker]}]\n");
        sandbox.run(&[], &[("PATH", &path)])
    }),
    one("preflight", "docker's engine is closed to this user", readiness("docker-access-denied"), || {
        docker("echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1")
    }),
    one("preflight", "docker's client is too new", readiness("docker-api-mismatch"), || {
        docker(
            "echo 'Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41' >&2; exit 1",
        )
    }),
    one("preflight", "docker's engine has an error of its own", readiness("docker-server-error"), || {
        docker("echo 'request returned Internal Server Error for API route and version /v1.47/info' >&2; exit 1")
    }),
    one("preflight", "docker says what nobody can read", readiness("probe-failed"), || docker("echo hello")),
    one("preflight", "dotnet chooses an SDK", GREEN, || dotnet("echo 8.0.100")),
    one("preflight", "dotnet has no SDK that global.json accepts", readiness("dotnet-sdk-missing"), || {
        dotnet(
            "echo 'A compatible SDK version for global.json version: [9.0.1] from [/x/global.json] was not found' >&2; exit 145",
        )
    }),
    one("preflight", "dotnet has only runtimes", readiness("dotnet-sdk-missing"), || {
        tool("dotnet", "dotnet", "echo 'No .NET SDKs were found.' >&2; [ \"$1\" = --list-sdks ] && exit 0; exit 145")
    }),
    one("preflight", "dotnet says what nobody can read", readiness("probe-failed"), || dotnet("echo hello")),
    one("preflight", "LVCompare is not at its path", readiness("lvcompare-missing"), || {
        requiring("lvcompare").run(&[], &[("LVCOMPARE_PATH", "/nowhere/LVCompare.exe")])
    }),
    one("preflight", "LVCompare is at the path that is named", GREEN, || {
        requiring("lvcompare").run(&[], &[("LVCOMPARE_PATH", "/bin/sh")])
    }),
    #[cfg(target_os = "linux")]
    one("preflight", "LabVIEW was left open", readiness("labview-running"), || {
        let sandbox = requiring("labview-idle");
        let program = sandbox.state.with_file_name("LabVIEW");
        // A process is called by the name that it was started with.
        std::os::unix::fs::symlink(which::which("sleep").unwrap(), &program).unwrap();
        let mut left_open = std::process::Command::new(&program).arg("60").spawn().unwrap();
        let seen = sandbox.run(&[], &[]);
        left_open.kill().unwrap();
        left_open.wait().unwrap();
        let fact = &seen.receipt("preflight")["probes"]["labview-idle"]["facts"]["processes"];
        let listed = fact.as_array().unwrap().iter().any(|process| process["pid"] == left_open.id());
        assert!(listed, "{fact} does not list {}", left_open.id());
        seen
    }),
    one("preflight", "the runner lacks a label", readiness("runner-label-missing"), || {
        labels(&["--runner-label", "self-hosted", "--runner-label", "linux"])
    }),
    one("preflight", "the runner has every label", GREEN, || {
        labels(&["--runner-label", "SELF-HOSTED", "--runner-label", "capability-ingress"])
    }),
    one(
        "preflight",
        "nobody says which labels the runner has, and the pack requires it",
        readiness("probe-failed"),
        || {
            let sandbox = with(
                "preflight: {disk: {min-free: 1MiB}, labels: [capability-ingress]}\ndefaults: {pack: p}\npacks: [{name: p, requires: [runner-labels]}]\n",
            );
            sandbox.run(&[], &[])
        },
    ),
    one("preflight", "an endpoint answers", GREEN, || endpoint(&answers("204 No Content"))),
    one("preflight", "an endpoint answers with an error", readiness("endpoint-unreachable"), || {
        endpoint(&answers("503 Service Unavailable"))
    }),
    one("preflight", "nobody answers at an endpoint", readiness("endpoint-unreachable"), || {
        endpoint(&servers::nobody())
    }),
    one("preflight", "an endpoint's name has no address", readiness("endpoint-unreachable"), || {
        endpoint(&format!("http://{}.invalid/health", "a".repeat(64)))
    }),
    one("preflight", "an endpoint does not answer in time", readiness("endpoint-unreachable"), || {
        endpoint(&servers::odd(|_| std::thread::sleep(std::time::Duration::from_secs(20))))
    }),
    one("preflight", "an endpoint's address is none", readiness("probe-failed"), || endpoint("ftp://licence.example")),
];

fn labels(told: &[&str]) -> Seen {
    with("preflight: {disk: {min-free: 1MiB}, labels: [self-hosted, Capability-Ingress]}\n").run(told, &[])
}

fn answers(status: &'static str) -> String {
    servers::odd(move |stream| {
        use std::io::Write;
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    })
}
