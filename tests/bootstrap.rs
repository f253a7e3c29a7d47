//! The actions' bootstrap for Linux and macOS, against a release on loopback: what is found, what
//! is fetched, what is refused and what it says. The PowerShell one keeps to the same rules; it is
//! run on Windows.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::harness::{on_path, sha256};

const BINARY: &str = "#!/bin/sh\necho a pester-gate\n";

/// A release: answers each path with what it has, counts the requests, and can fail a few times
/// first.
struct Release {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// Where these files are served.
pub(crate) fn serve(files: BTreeMap<String, Vec<u8>>) -> String {
    release(files, 0).url
}

fn release(files: BTreeMap<String, Vec<u8>>, failing: usize) -> Release {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let path = text
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned();
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push(path.clone());
                seen.len()
            };
            let (status, body) = match files.get(&path) {
                _ if count <= failing => ("502 Bad Gateway", b"later".as_slice()),
                Some(body) => ("200 OK", body.as_slice()),
                None => ("404 Not Found", b"none".as_slice()),
            };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            )
            .and_then(|()| stream.write_all(body));
        }
    });
    Release { url, requests }
}

fn asset() -> String {
    let os = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-musl" };
    format!("pester-gate-9.9.9-{}-{os}", std::env::consts::ARCH)
}

/// A place with a manifest, a cache and an output file.
struct Place {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Place {
    fn new(manifest_of: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a b [x] 'e");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("binary"), manifest_of).unwrap();
        let digest = sha256(&root.join("binary"));
        fs::write(
            root.join("manifest"),
            format!("{digest}  {}\n{digest}  another-asset\n", asset()),
        )
        .unwrap();
        Self { _folder: folder, root }
    }

    fn cached(&self) -> PathBuf {
        let target = asset().replace("pester-gate-9.9.9-", "");
        self.root.join("cache/pester-gate/9.9.9").join(target).join("pester-gate")
    }

    /// Exit code, stdout, stderr, step outputs.
    fn run(&self, url: &str, more: &[(&str, &str)]) -> (i32, String, String, String) {
        let output = self.root.join("output");
        let _ = fs::remove_file(&output);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("actions/bootstrap/bootstrap.sh");
        let mut command = Command::new("sh");
        command.arg(script).arg(self.root.join("manifest")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("GITHUB_OUTPUT", &output);
        command
            .env("RUNNER_TOOL_CACHE", self.root.join("cache"))
            .env("PESTER_GATE_VERSION", "9.9.9");
        command.env("PESTER_GATE_DOWNLOAD_URL", url).env("PESTER_GATE_LAYER", "context");
        let ran = command.envs(more.iter().copied()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let outputs = fs::read_to_string(&output).unwrap_or_default();
        (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr), outputs)
    }

    fn refused(&self, url: &str, more: &[(&str, &str)], reason: &str) -> String {
        let (code, out, err, outputs) = self.run(url, more);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.lines().any(|line| line.starts_with(&format!("{reason}: "))),
            "{reason} is not in {err}"
        );
        assert_eq!(outputs, format!("status=blocked\nreason={reason}\n"));
        let cache = self.root.join("cache");
        let left = if cache.exists() { crate::harness::walk(&cache) } else { Vec::new() };
        assert!(left.iter().all(|file| !file.to_string_lossy().contains("part.")), "{left:?}");
        err
    }

    fn found(&self, url: &str, more: &[(&str, &str)]) -> PathBuf {
        let (code, out, err, outputs) = self.run(url, more);
        assert_eq!(code, 0, "{err}");
        let path = out.strip_suffix('\n').unwrap();
        assert!(!path.contains('\n'), "{out}");
        assert_eq!(outputs, format!("path={path}\n"));
        PathBuf::from(path)
    }
}

#[test]
fn a_refusal_is_an_annotation_and_stands_in_the_summary() {
    let place = Place::new(BINARY);
    let summary = place.root.join("summary");
    let more = [
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ("PESTER_GATE_BIN", "/no/100%/`x`\n::error::y"),
    ];
    let (code, out, err, outputs) = place.run("http://127.0.0.1:1", &more);
    let line = "PESTER_GATE_BIN names '/no/100%/`x` ::error::y', which is not a file";
    assert_eq!(code, 2);
    assert_eq!(err, format!("bootstrap-binary-missing: {line}\n"));
    let annotated = line.replace('%', "%25");
    assert_eq!(out, format!("::error title=pester-gate::bootstrap-binary-missing: {annotated}\n"));
    let shown =
        format!("### pester-gate could not start\n\n    bootstrap-binary-missing: {line}\n\n");
    assert_eq!(fs::read_to_string(summary).unwrap(), shown);
    assert_eq!(outputs, "status=blocked\nreason=bootstrap-binary-missing\n");
}

#[test]
fn the_binary_prepares_the_next_steps_and_the_input_comes_before_the_variable() {
    let place = Place::new(BINARY);
    let (temp, path) = (place.root.join("temp"), place.root.join("path"));
    let own = env!("CARGO_BIN_EXE_pester-gate");
    let run = |more: &[(&str, &str)]| {
        let (temp, path) = (temp.to_str().unwrap(), path.to_str().unwrap());
        let mut all = vec![("RUNNER_TEMP", temp), ("GITHUB_PATH", path)];
        all.extend(more);
        place.run("http://127.0.0.1:1", &all)
    };
    let inputs = "{\"gate-id\": \"r\", \"shard\": \"2/3\", \"pack\": \"\"}";
    let more = [
        ("PESTER_GATE_BINARY", own),
        ("PESTER_GATE_BIN", "/not/this"),
        ("PESTER_GATE_INPUTS", inputs),
        ("PESTER_GATE_LAYER", "execute"),
    ];
    let (code, out, err, outputs) = run(&more);
    assert_eq!((code, out, err.as_str()), (0, format!("{own}\n"), ""));
    let base = temp.join("pester-gate/gate-r");
    for part in [
        base.join("execute").to_str().unwrap(),
        base.join("from").to_str().unwrap(),
        "\npester-execution-contract-r-s2\n",
        "\npester-run-raw-r-s2\n",
    ] {
        assert!(outputs.contains(part), "{part} is not in {outputs}");
    }
    let bin = temp.join("pester-gate/bin");
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", bin.display()));
    let version = Command::new(bin.join("pester-gate")).arg("--version").output().unwrap();
    assert!(version.status.success());
    // A second use of the one-step action in the same job has names of its own.
    let one_step = [("PESTER_GATE_BIN", own), ("PESTER_GATE_LAYER", "run")];
    assert!(run(&one_step).3.contains("\npester-evidence\n"));
    let second = run(&one_step).3;
    assert!(second.contains("\npester-evidence-u2\n") && second.contains("/run-2\n"), "{second}");
    // What an earlier step of the layer left is out of the way of later layers.
    let receipt = base.join("execute/pester-run-receipt.json");
    fs::write(&receipt, "{}").unwrap();
    let again = [("PESTER_GATE_BIN", own), ("PESTER_GATE_INPUTS", inputs), more[3]];
    assert_eq!(run(&again).0, 0);
    assert!(base.join("execute").is_dir() && !receipt.exists());
    // A refusal by the binary has its own reason.
    for (variable, value, reason) in [
        ("RUNNER_TEMP", "/proc/none", "output-unwritable"),
        ("PESTER_GATE_INPUTS", "{\"token\": \"ghs_", "configuration-invalid"),
    ] {
        let (code, _, err, outputs) = run(&[("PESTER_GATE_BIN", own), (variable, value)]);
        assert!(code == 2 && err.contains(reason) && !err.contains("ghs_"), "{err}");
        assert!(outputs.contains(&format!("\n{reason}\n")), "{outputs}");
    }
    // What is no pester-gate, or an old one, is refused.
    let other = place.root.join("binary");
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
    let (code, _, err, _) = run(&[("PESTER_GATE_BIN", other.to_str().unwrap())]);
    assert!(code == 2 && err.contains("is not a pester-gate that fits these actions"), "{err}");
}

fn whole() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([(asset(), BINARY.into())])
}

#[test]
fn a_release_is_fetched_once_and_hashed_every_time() {
    if !on_path("curl") && !on_path("wget") {
        println!("skipped: neither curl nor wget is there, so the bootstrap fetched nothing");
        return;
    }
    let (place, release) = (Place::new(BINARY), release(whole(), 0));
    let path = place.found(&release.url, &[]);
    assert_eq!(
        (path.clone(), fs::read_to_string(&path).unwrap().as_str()),
        (place.cached(), BINARY)
    );
    assert!(Command::new(&path).status().unwrap().success());
    assert_eq!(place.found(&release.url, &[]), path);
    assert_eq!(release.requests.lock().unwrap().len(), 1, "the second use was the cache's");
    fs::write(&path, "#!/bin/sh\necho something else\n").unwrap();
    assert_eq!(place.found(&release.url, &[]), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), BINARY, "what was altered is fetched again");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        Command::new(place.found(&release.url, &[])).status().unwrap().success(),
        "what cannot run is fetched again"
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    place.refused(&release.url, &[], "bootstrap-download-failed");
}

#[test]
fn what_is_not_what_was_released_is_refused() {
    if !on_path("curl") && !on_path("wget") {
        println!(
            "skipped: neither curl nor wget is there, \
             so the bootstrap refused nothing that it fetched"
        );
        return;
    }
    let place = Place::new(BINARY);
    let other = release(BTreeMap::from([(asset(), "#!/bin/sh\necho evil\n".into())]), 0);
    place.refused(&other.url, &[], "bootstrap-hash-refused");
    assert!(!place.cached().exists(), "what was refused is not kept");
    let none = release(BTreeMap::new(), 0);
    let said = place.refused(&none.url, &[], "bootstrap-download-failed");
    assert!(said.contains("404") || said.contains("400"), "{said}");
    assert_eq!(none.requests.lock().unwrap().len(), 1, "a 4xx is an answer");
    let later = release(whole(), 1);
    place.found(&later.url, &[]);
    assert_eq!(later.requests.lock().unwrap().len(), 2, "what else goes wrong is tried again");
}

#[test]
fn a_binary_that_is_named_is_taken_and_nothing_is_asked() {
    let place = Place::new(BINARY);
    let own = place.root.join("own gate");
    fs::write(&own, BINARY).unwrap();
    let name = own.to_str().unwrap();
    place.refused("http://127.0.0.1:1", &[("PESTER_GATE_BIN", name)], "bootstrap-binary-missing");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(place.found("http://127.0.0.1:1", &[("PESTER_GATE_BIN", name)]), own);
    place.refused(
        "http://127.0.0.1:1",
        &[("PESTER_GATE_BIN", "/no/such/gate")],
        "bootstrap-binary-missing",
    );
}

#[test]
fn a_ref_that_is_no_release_says_what_to_set() {
    let place = Place::new(BINARY);
    for manifest in
        ["", "0123  short\n", &format!("{}  pester-gate-1.0.0-elsewhere\n", "a".repeat(64))]
    {
        fs::write(place.root.join("manifest"), manifest).unwrap();
        let said = place.refused("http://127.0.0.1:1", &[], "bootstrap-binary-missing");
        assert!(said.contains("PESTER_GATE_BIN"), "{said}");
    }
    fs::remove_file(place.root.join("manifest")).unwrap();
    place.refused("http://127.0.0.1:1", &[], "bootstrap-binary-missing");
}
