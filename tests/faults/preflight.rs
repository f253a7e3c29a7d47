//! Rows of preflight: what tools and services of the host say, by stand-ins on PATH.

use std::fs;

use serde_json::json;

use super::{GREEN, Row, SIX, later, one, pester, readiness, with};
use crate::github::servers;
use crate::harness::{Chain, Sandbox, Seen, file_of};

/// A gate whose pack requires `what`, on a host where this stands for `tool`.
fn tool(what: &str, tool: &str, script: &str) -> Seen {
    standing_for(&requiring(what), tool, script)
}

/// A run of this sandbox on a host where this stands for `tool`.
fn standing_for(sandbox: &Sandbox, tool: &str, script: &str) -> Seen {
    let folder = sandbox.state.with_file_name("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(tool);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths(
        [&folder]
            .into_iter()
            .cloned()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
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
    let list =
        "if [ \"$1\" = --list-sdks ]; then echo '8.0.100 [/usr/share/dotnet/sdk]'; exit 0; fi";
    tool("dotnet", "dotnet", &format!("{list}\n{version}"))
}

fn endpoint(url: &str) -> Seen {
    requiring(&format!("{{http: \"{url}\", name: licence, timeout: 2s}}")).run(&[], &[])
}

pub(super) const ROWS: &[Row] = &[
    one("preflight", "docker answers", GREEN, || {
        docker("echo '{\"ID\":\"x\",\"OSType\":\"linux\",\"ServerVersion\":\"28.0.1\"}'")
    }),
    one("preflight", "docker's engine does not run", readiness("docker-unreachable"), || {
        docker(
            "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. \
             Is the docker daemon running?' >&2; exit 1",
        )
    }),
    one(
        "preflight",
        "docker's engine does not run, and its client exits with 0",
        readiness("docker-unreachable"),
        || {
            docker(
                "echo '{\"ID\":\"\",\"OSType\":\"\",\
                 \"ServerErrors\":[\"Cannot connect to the Docker daemon at tcp://x\"]}'",
            )
        },
    ),
    one("preflight", "docker's engine does not answer", readiness("docker-unreachable"), || {
        let sandbox = requiring("docker");
        sandbox.script("docker", "sleep 60");
        let path = format!("{}:{}", sandbox.root.display(), std::env::var("PATH").unwrap());
        sandbox.git(&["add", "-A"]);
        sandbox.commit();
        sandbox.config(
            "preflight: {disk: {min-free: 1MiB}, probe-timeout: 1s}\n\
             defaults: {pack: p}\n\
             packs: [{name: p, requires: [docker]}]\n",
        );
        sandbox.run(&[], &[("PATH", &path)])
    }),
    one(
        "preflight",
        "docker's engine is closed to this user",
        readiness("docker-access-denied"),
        || {
            docker(
                "echo 'permission denied while trying to connect to the Docker daemon socket' >&2; \
                 exit 1",
            )
        },
    ),
    one("preflight", "docker's client is too new", readiness("docker-api-mismatch"), || {
        docker(
            "echo 'Error response from daemon: client version 1.52 is too new. \
             Maximum supported API version is 1.41' >&2; exit 1",
        )
    }),
    one(
        "preflight",
        "docker's engine has an error of its own",
        readiness("docker-server-error"),
        || {
            docker(
                "echo 'request returned Internal Server Error for \
                 API route and version /v1.47/info' >&2; exit 1",
            )
        },
    ),
    one("preflight", "docker says what nobody can read", readiness("probe-failed"), || {
        docker("echo hello")
    }),
    one(
        "preflight",
        "docker warns of its own configuration first",
        readiness("docker-unreachable"),
        || {
            docker(
                "echo 'WARNING: Error loading config file: \
                 open /root/.docker/config.json: permission denied' >&2; \
                 echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. \
                 Is the docker daemon running?' >&2; exit 1",
            )
        },
    ),
    one(
        "preflight",
        "Windows containers are asked for and Linux' run",
        readiness("docker-engine-not-windows"),
        || engine("windows", "linux"),
    ),
    one(
        "preflight",
        "Linux containers are asked for and Windows' run",
        readiness("docker-engine-not-linux"),
        || engine("linux", "windows"),
    ),
    one("preflight", "either kind of containers will do", GREEN, || engine("any", "windows")),
    one("preflight", "dotnet cannot list its SDKs", readiness("probe-failed"), || {
        tool(
            "dotnet",
            "dotnet",
            "[ \"$1\" = --list-sdks ] && { echo 'Segmentation fault' >&2; exit 139; }; exit 145",
        )
    }),
    one("preflight", "the disk has room for no more files", readiness("disk-low"), || {
        let sandbox =
            with("preflight: {disk: {min-free: 1MiB, min-free-files: 18000000000000000000}}\n");
        let seen = sandbox.run(&[], &[]);
        if seen.receipt("preflight")["probes"]["disk"]["facts"]["workspaceFreeFiles"].is_null() {
            println!(
                "skipped: this volume counts no files, so that it has room for none was not tried"
            );
            return with("preflight: {disk: {min-free: 8000TiB}}\n").run(&[], &[]);
        }
        seen
    }),
    one("preflight", "modules lie in a synchronised folder", readiness("path-hygiene"), || {
        requiring("path-hygiene").run(
            &[],
            &[(
                "PSModulePath",
                "/opt/modules:/home/me/OneDrive - Contoso/Documents/PowerShell/Modules",
            )],
        )
    }),
    one(
        "preflight",
        "temporary files lie in a synchronised folder",
        readiness("path-hygiene"),
        || requiring("path-hygiene").run(&[], &[("RUNNER_TEMP", "/home/me/Dropbox/_temp")]),
    ),
    one("preflight", "this host has no limit of paths", GREEN, || {
        requiring("long-paths").run(&[], &[])
    }),
    one("preflight", "this host's clock is behind", GREEN, || {
        let sandbox = Sandbox::green();
        let ahead =
            |_: &Sandbox, folder: &std::path::Path| later(&folder.join(file_of("context")), 120);
        let elsewhere = json!("0".repeat(32));
        let chain =
            Chain::new(&sandbox).without_digests().edit("context", "/host/machineId", elsewhere);
        let seen = chain.after("context", ahead).run();
        assert!(seen.codes().contains(&"clock-skew".to_owned()), "{:?}", seen.codes());
        assert_eq!(seen.receipt("preflight")["probes"]["clock"]["outcome"], "warn");
        seen
    }),
    one(
        "preflight",
        "the execution policy forbids scripts",
        readiness("execution-policy-forbids"),
        || {
            let sandbox = pester(SIX, "exit 0", "");
            sandbox.script(
                "pwsh",
                "echo \"File $5 cannot be loaded because \
                 running scripts is disabled on this system. \
                 For more information, see about_Execution_Policies at \
                 https:/go.microsoft.com/fwlink/?LinkID=135170.\" >&2; exit 1",
            );
            sandbox.commit();
            sandbox.run(&[], &[])
        },
    ),
    one(
        "preflight",
        "only the Pester that Windows ships",
        readiness("pester-version-unsupported"),
        || {
            let seen =
                pester("[{\"version\":\"3.4.0\",\"path\":\"x\"}]", "exit 0", "").run(&[], &[]);
            assert!(
                seen.outcome["reasons"][0]["detail"]
                    .as_str()
                    .unwrap()
                    .contains("which Windows ships"),
                "{:?}",
                seen.outcome
            );
            seen
        },
    ),
    one("preflight", "the Pester is the other PowerShell's", readiness("pester-missing"), || {
        let sandbox = pester("[]", "exit 0", "");
        let folder = sandbox.state.with_file_name("bin");
        fs::create_dir_all(&folder).unwrap();
        let other = folder.join("powershell");
        let answer = json!({
            "schema": "pester-gate-probe@v1",
            "ps": "5.1.26100.4652",
            "edition": "Desktop",
            "executionPolicy": "Bypass",
            "found": [{"version": "5.7.1", "path": "y"}],
        });
        fs::write(&other, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
        fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let seen = sandbox.run(&[], &[("PATH", &path)]);
        let detail = seen.outcome["reasons"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("powershell has Pester 5.7.1"), "{detail}");
        let probes = &seen.receipt("preflight")["probes"];
        assert_eq!(probes["pester"]["facts"]["otherEdition"]["edition"], "Desktop", "{probes}");
        seen
    }),
    one("preflight", "dotnet chooses an SDK", GREEN, || dotnet("echo 8.0.100")),
    one(
        "preflight",
        "dotnet has no SDK that global.json accepts",
        readiness("dotnet-sdk-missing"),
        || {
            dotnet(
                "echo 'A compatible SDK version for global.json version: [9.0.1] \
                 from [/x/global.json] was not found' >&2; exit 145",
            )
        },
    ),
    one("preflight", "dotnet has only runtimes", readiness("dotnet-sdk-missing"), || {
        tool(
            "dotnet",
            "dotnet",
            "echo 'No .NET SDKs were found.' >&2; [ \"$1\" = --list-sdks ] && exit 0; exit 145",
        )
    }),
    one("preflight", "dotnet says what nobody can read", readiness("probe-failed"), || {
        dotnet("echo hello")
    }),
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
        let listed =
            fact.as_array().unwrap().iter().any(|process| process["pid"] == left_open.id());
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
                "preflight: {disk: {min-free: 1MiB}, labels: [capability-ingress]}\n\
                 defaults: {pack: p}\n\
                 packs: [{name: p, requires: [runner-labels]}]\n",
            );
            sandbox.run(&[], &[])
        },
    ),
    one("preflight", "an endpoint answers", GREEN, || endpoint(&answers("204 No Content"))),
    one(
        "preflight",
        "an endpoint answers with an error",
        readiness("endpoint-unreachable"),
        || endpoint(&answers("503 Service Unavailable")),
    ),
    one("preflight", "nobody answers at an endpoint", readiness("endpoint-unreachable"), || {
        endpoint(&servers::nobody())
    }),
    one(
        "preflight",
        "an endpoint's name has no address",
        readiness("endpoint-unreachable"),
        || endpoint(&format!("http://{}.invalid/health", "a".repeat(64))),
    ),
    one(
        "preflight",
        "an endpoint does not answer in time",
        readiness("endpoint-unreachable"),
        || endpoint(&servers::odd(|_| std::thread::sleep(std::time::Duration::from_secs(20)))),
    ),
    one("preflight", "an endpoint's address is none", readiness("probe-failed"), || {
        endpoint("ftp://licence.example")
    }),
];

fn engine(wanted: &str, there: &str) -> Seen {
    let sandbox = with(&format!(
        "preflight: {{disk: {{min-free: 1MiB}}, docker: {{engine: {wanted}}}}}\n\
         defaults: {{pack: p}}\n\
         packs: [{{name: p, requires: [docker]}}]\n"
    ));
    standing_for(
        &sandbox,
        "docker",
        &format!("echo '{{\"OSType\":\"{there}\",\"ServerVersion\":\"28.0.1\"}}'"),
    )
}

fn labels(told: &[&str]) -> Seen {
    with("preflight: {disk: {min-free: 1MiB}, labels: [self-hosted, Capability-Ingress]}\n")
        .run(told, &[])
}

fn answers(status: &'static str) -> String {
    servers::odd(move |stream| {
        use std::io::Write;
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    })
}
