//! `docker info --format {{json .}}`, read.

use serde::Deserialize;

use super::Said;

/// The engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    /// `windows` or `linux`.
    pub(crate) os: String,
    /// Its version.
    pub(crate) version: String,
}

/// Why none answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Its pipe or socket is not there: it does not run.
    NotRunning,
    /// This user may not reach it.
    AccessDenied,
    /// Client and engine speak no common version of the API.
    ApiMismatch,
    /// It answers with an error of its own.
    ServerError,
    /// What came cannot be read.
    Unreadable,
}

/// The answer, or why there is none with the line that says so. The exit code alone proves nothing:
/// the client exits with 0 and lists what the engine did not answer (docker/cli#5900).
pub(crate) fn read(said: &Said<'_>) -> Result<Engine, (Silence, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        #[serde(default, rename = "OSType")]
        os_type: String,
        #[serde(default)]
        server_version: String,
        #[serde(default)]
        server_errors: Option<Vec<String>>,
    }
    let json = said.stdout.lines().find(|line| line.trim_start().starts_with('{'));
    let info = json.and_then(|line| serde_json::from_str::<Info>(line).ok());
    let errors = info.as_ref().and_then(|info| info.server_errors.clone()).unwrap_or_default();
    if let Some(info) = info
        && said.code == 0
        && errors.is_empty()
        && matches!(info.os_type.as_str(), "windows" | "linux")
    {
        return Ok(Engine { os: info.os_type, version: info.server_version });
    }
    // Its own warnings come before what is amiss.
    let lines = said.stderr.lines().chain(said.stdout.lines()).map(str::trim);
    let lines = lines
        .filter(|line| !line.is_empty() && !line.starts_with("WARNING") && !line.starts_with('{'));
    // What can be told apart says more than what comes before it.
    let lines: Vec<String> = errors.into_iter().chain(lines.map(str::to_owned)).collect();
    let telling = lines.iter().find(|line| silence(line) != Silence::Unreadable);
    let line = telling.or(lines.first()).cloned().unwrap_or_else(|| said.first_line());
    Err((silence(&line), line.chars().take(300).collect()))
}

fn silence(line: &str) -> Silence {
    let line = line.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| line.contains(word));
    match () {
        () if any(&["is too new", "is too old"]) => Silence::ApiMismatch,
        // What the engine itself says is never about the way to it.
        () if line.contains("error response from daemon") => Silence::ServerError,
        () if any(&["permission denied", "access is denied"])
            && any(&["daemon", "docker.sock", "/pipe/"]) =>
        {
            Silence::AccessDenied
        }
        // The pipe's message goes on about elevation; what is missing is the pipe.
        () if any(&[
            "cannot connect to the docker daemon",
            "the system cannot find the file specified",
            "failed to connect to the docker api",
            "no such file or directory",
            "connection refused",
        ]) =>
        {
            Silence::NotRunning
        }
        () if any(&["internal server error", "server misbehaving"]) => Silence::ServerError,
        () => Silence::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, stdout: &str, stderr: &str) -> Result<Engine, Silence> {
        read(&Said { code, stdout, stderr }).map_err(|(silence, _)| silence)
    }

    #[test]
    fn what_the_client_says_is_distinguished() {
        let engine =
            |os: &str, version: &str| Ok(Engine { os: os.to_owned(), version: version.to_owned() });
        // The fields of moby's api/types/system.Info.
        let running = |os: &str| {
            format!(
                "{{\"ID\":\"x\",\"OSType\":\"{os}\",\"ServerVersion\":\"28.0.1\",\
                 \"Warnings\":null}}\n"
            )
        };
        assert_eq!(said(0, &running("windows"), ""), engine("windows", "28.0.1"));
        assert_eq!(
            said(0, &running("linux"), "WARNING: No swap limit support\n"),
            engine("linux", "28.0.1")
        );
        for (source, code, stdout, stderr, expected) in [
            (
                "docker/for-win#7310",
                1,
                "",
                "ERROR: error during connect: Get \
                 http://%2F%2F.%2Fpipe%2Fdocker_engine/v1.40/info: open //./pipe/docker_engine: \
                 The system cannot find the file specified. In the default daemon configuration \
                 on Windows, the docker client must be run elevated to connect. This error may \
                 also indicate that the docker daemon is not running.\n",
                Silence::NotRunning,
            ),
            (
                "docker/cli#5900: exit code 0",
                0,
                "",
                "Cannot connect to the Docker daemon at unix:///non-existent. Is the docker \
                 daemon running?\n",
                Silence::NotRunning,
            ),
            (
                "the same in JSON, as docker/cli's cli/command/system/info.go writes it",
                0,
                "{\"ID\":\"\",\"Containers\":0,\"OSType\":\"\",\"ServerErrors\":[\"Cannot \
                 connect to the Docker daemon at unix:///non-existent. Is the docker daemon \
                 running?\"],\"ClientInfo\":{\"Debug\":false}}\n",
                "",
                Silence::NotRunning,
            ),
            (
                "docker/cli#3844",
                1,
                "",
                "Got permission denied while trying to connect to the Docker daemon socket at \
                 unix:///var/run/docker.sock: Get \
                 \"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info\": dial unix \
                 /var/run/docker.sock: connect: permission denied\n",
                Silence::AccessDenied,
            ),
            (
                "the error of Windows for a pipe that one may not open, in the client's frame \
                 of docker/for-win#7310",
                1,
                "",
                "error during connect: Get http://%2F%2F.%2Fpipe%2Fdocker_engine/v1.40/info: \
                 open //./pipe/docker_engine: Access is denied.\n",
                Silence::AccessDenied,
            ),
            (
                "docker-library/docker#569",
                1,
                "",
                "Error response from daemon: client version 1.52 is too new. Maximum supported \
                 API version is 1.41\n",
                Silence::ApiMismatch,
            ),
            (
                "moby's client/request.go, for an answer 500 without a body",
                1,
                "",
                "request returned Internal Server Error for API route and version \
                 http://%2F%2F.%2Fpipe%2FdockerDesktopLinuxEngine/v1.47/info, check if the \
                 server supports the requested API version\n",
                Silence::ServerError,
            ),
            (
                "docker/cli's cli/config: a file that it may not read, then what is amiss",
                1,
                "",
                "WARNING: Error loading config file: open /root/.docker/config.json: permission \
                 denied\n\
                 Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the \
                 docker daemon running?\n",
                Silence::NotRunning,
            ),
            (
                "the same where it is the credentials' helper that may not read",
                1,
                "",
                "error getting credentials: permission denied: /root/.docker/config.json\n\
                 Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the \
                 docker daemon running?\n",
                Silence::NotRunning,
            ),
            (
                "an engine that misses a file of its own",
                0,
                "{\"OSType\":\"\",\"ServerErrors\":[\"Error response from daemon: open \
                 /var/lib/docker/x: no such file or directory\"]}\n",
                "",
                Silence::ServerError,
            ),
            (
                "an answer beside an exit code that takes it back",
                1,
                "{\"OSType\":\"linux\",\"ServerVersion\":\"1\"}\n",
                "Error response from daemon: dead\n",
                Silence::ServerError,
            ),
            ("an engine of no known kind", 0, "{\"OSType\":\"banana\"}\n", "", Silence::Unreadable),
            ("a wrapper that is no docker", 0, "hello\n", "", Silence::Unreadable),
            ("nothing at all", 0, "", "", Silence::Unreadable),
            ("JSON of something else", 0, "{\"a\": 1}\n", "", Silence::Unreadable),
        ] {
            assert_eq!(said(code, stdout, stderr), Err(expected), "{source}");
        }
    }
}
