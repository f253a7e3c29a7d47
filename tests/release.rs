//! What a release consists of: `scripts/release`, which the release workflow calls, from a program
//! to the tagged manifest, and the bootstrap that finds the program by it. Only what GitHub does is
//! not here: see `release.yml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{git, on_path, sha256};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A checkout in which the script may commit.
struct Checkout {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("a b [x] 'e");
        for name in ["scripts", "actions/bootstrap"] {
            fs::create_dir_all(at.join(name)).unwrap();
        }
        let files =
            ["scripts/release", "actions/bootstrap/bootstrap.sh", "actions/bootstrap/version.txt"];
        for name in files.into_iter().chain(["Cargo.toml", "README.md", "LICENSE", "SECURITY.md"]) {
            fs::copy(root().join(name), at.join(name)).unwrap();
        }
        fs::write(at.join("actions/bootstrap/manifest.sha256"), "").unwrap();
        let log = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
        fs::write(
            at.join("CHANGELOG.md"),
            format!("{log}\n## [{VERSION}] - 2026-11-21\n\n- What is new.\n"),
        )
        .unwrap();
        git(&at, &["init", "-q", "-b", "main"]);
        git(&at, &["add", "-A"]);
        git(&at, &["commit", "-q", "-m", "x"]);
        Self { _folder: folder, root: at }
    }

    /// Whether it went well, and what it said.
    fn release(&self, arguments: &[&str]) -> (bool, String) {
        let script = self.root.join("scripts/release");
        let ran = Command::new("python3")
            .arg(script)
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .unwrap();
        (
            ran.status.success(),
            String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned(),
        )
    }

    fn refused(&self, arguments: &[&str], why: &str) {
        let (went, said) = self.release(arguments);
        assert!(
            !went && said.starts_with("release: ") && said.contains(why),
            "{arguments:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }

    fn went(&self, arguments: &[&str]) -> String {
        let (went, said) = self.release(arguments);
        assert!(went, "{arguments:?}: {said}");
        said
    }
}

/// The script's targets, each with its runner; none without Python.
pub(crate) fn targets() -> Option<Vec<(String, String)>> {
    if !on_path("python3") {
        return None;
    }
    let ran = Command::new("python3")
        .arg(root().join("scripts/release"))
        .arg("targets")
        .output()
        .unwrap();
    let rows: Vec<BTreeMap<String, String>> = serde_json::from_slice(&ran.stdout).unwrap();
    Some(rows.into_iter().map(|row| (row["target"].clone(), row["runner"].clone())).collect())
}

fn no_python() -> bool {
    let none = !on_path("python3");
    if none {
        println!(
            "skipped: no Python, so that scripts/release makes a whole release was not proven"
        );
    }
    none
}

/// A file that is a program for that target by its first bytes.
fn program_for(target: &str) -> Vec<u8> {
    let arm = target.starts_with("aarch64");
    let mut bytes = vec![0; 256];
    if target.contains("-linux-") {
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[18] = if arm { 183 } else { 62 };
    } else if target.contains("-windows-") {
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = 128;
        bytes[128..132].copy_from_slice(b"PE\0\0");
        bytes[132..134].copy_from_slice(if arm { b"\x64\xaa" } else { b"\x64\x86" });
    } else {
        bytes[..4].copy_from_slice(b"\xcf\xfa\xed\xfe");
        bytes[4..8].copy_from_slice(if arm { b"\x0c\0\0\x01" } else { b"\x07\0\0\x01" });
    }
    bytes
}

#[test]
#[cfg(target_os = "linux")]
fn a_release_is_packed_tagged_and_found_by_its_bootstrap() {
    if no_python() {
        return;
    }
    let place = Checkout::new();
    let local = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    // A static program that says what the gate would say: the gate itself is linked that way by the
    // workflow.
    let source = place.root.join("../gate.rs");
    fs::write(&source, format!("fn main() {{ println!(\"pester-gate {VERSION}\"); }}")).unwrap();
    let program = place.root.join("../gate");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(compiler)
        .args(["-C", "target-feature=+crt-static", "-C", "opt-level=0", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    if !built.status.success() {
        println!(
            "skipped: no static C library, \
             so that a release is found by its bootstrap was not proven"
        );
        return;
    }
    let gate = program.to_str().unwrap();
    let said = place.went(&["pack", &local, gate, "dist"]);
    assert_eq!(said.trim(), format!("pester-gate-{VERSION}-{local} {}", sha256(&program)));
    let archive = place.root.join(format!("dist/pester-gate-{VERSION}-{local}.tar.gz"));
    let first = sha256(&archive);
    place.went(&["pack", &local, gate, "dist"]);
    assert_eq!(sha256(&archive), first, "the same files are the same bytes");
    let listed = Command::new("tar").arg("-tzf").arg(&archive).output().unwrap();
    let top = format!("pester-gate-{VERSION}-{local}");
    let owed: String = ["pester-gate", "README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"]
        .map(|name| format!("{top}/{name}\n"))
        .concat();
    assert_eq!(String::from_utf8_lossy(&listed.stdout), owed);

    // The other targets' files are there under their names, as the other machines would have sent
    // them.
    let url = "https://github.invalid/acme/pester-gate";
    place.refused(&["manifest", "dist", url], "is not the whole release: missing");
    for (target, _) in targets().unwrap().iter().filter(|(target, _)| *target != local) {
        let windows = target.contains("-windows-");
        let base = place.root.join(format!("dist/pester-gate-{VERSION}-{target}"));
        let name = base.to_str().unwrap();
        fs::write(format!("{name}{}", if windows { ".exe" } else { "" }), program_for(target))
            .unwrap();
        fs::write(format!("{name}{}", if windows { ".zip" } else { ".tar.gz" }), "archive")
            .unwrap();
    }
    place.refused(&["manifest", "dist", "nowhere"], "not the address of a repository");
    place.refused(&["tag"], "the manifest is empty");
    place.went(&["manifest", "dist", url]);
    let sums = fs::read_to_string(place.root.join("dist/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 12, "{sums}");
    let manifest =
        fs::read_to_string(place.root.join("actions/bootstrap/manifest.sha256")).unwrap();
    assert_eq!(manifest.lines().count(), 6, "{manifest}");

    let built = git(&place.root, &["rev-parse", "HEAD"]);
    fs::write(place.root.join("README.md"), "changed").unwrap();
    place.refused(&["tag"], "other changes");
    git(&place.root, &["checkout", "-q", "--", "README.md"]);
    let commit = place.went(&["tag"]).trim().to_owned();
    assert_eq!(git(&place.root, &["rev-parse", &format!("v{VERSION}^{{commit}}")]), commit);
    assert_eq!(
        git(&place.root, &["rev-parse", &format!("v{VERSION}^")]),
        built,
        "on top of what was built"
    );
    let changed = git(&place.root, &["diff", "--name-only", &built, &commit]);
    assert_eq!(changed, "actions/bootstrap/manifest.sha256\nactions/bootstrap/release-url.txt");
    place.refused(&["tag"], "exists already");
    place.refused(&["check", VERSION], "exists already");

    // The tag's own bootstrap asks where the release says it is, and takes from there what the
    // manifest names.
    let asset = format!("pester-gate-{VERSION}-{local}");
    let served =
        crate::bootstrap::serve(BTreeMap::from([(asset.clone(), fs::read(&program).unwrap())]));
    let run = |more: &[(&str, &str)]| {
        let mut command = Command::new("sh");
        command.arg(place.root.join("actions/bootstrap/bootstrap.sh")).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("RUNNER_TOOL_CACHE", place.root.join("../cache"));
        let ran = command.envs(more.iter().copied()).output().unwrap();
        (
            ran.status.code(),
            String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).trim().to_owned(),
        )
    };
    let fails = place.root.join("../curl");
    fs::create_dir_all(&fails).unwrap();
    let curl = fails.join("curl");
    fs::write(&curl, "#!/bin/sh\nprintf 404\n").unwrap();
    fs::set_permissions(&curl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", fails.display(), std::env::var("PATH").unwrap());
    let (code, said) = run(&[("PATH", &path)]);
    assert_eq!(code, Some(2));
    assert!(said.contains(&format!("{url}/releases/download/v{VERSION}/{asset}")), "{said}");
    let (code, found) = run(&[("PESTER_GATE_DOWNLOAD_URL", &served)]);
    assert_eq!(code, Some(0), "{found}");
    let says = Command::new(&found).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&says.stdout).trim(), format!("pester-gate {VERSION}"));
}

#[test]
fn what_is_not_that_release_is_refused() {
    if no_python() {
        return;
    }
    let place = Checkout::new();
    place.went(&["check", VERSION]);
    assert_eq!(place.went(&["notes"]).trim(), "- What is new.");
    place.refused(&["check", "99.0.0"], &format!("Cargo.toml says {VERSION}"));
    place.refused(&["pack", "sparc-sun-solaris", "x", "dist"], "is not one of");
    place.refused(&["pack", "x86_64-apple-darwin", "no-such-file", "dist"], "is not a file");
    let binary = place.root.join("binary");
    let name = binary.to_str().unwrap();
    let targets = targets().unwrap();
    for (target, _) in &targets {
        for (other, _) in &targets {
            fs::write(&binary, program_for(other)).unwrap();
            // What is right by its first bytes is run, and this is no program.
            let why =
                if target == other { "--version" } else { &format!("the binary for {target} is ") };
            place.refused(&["pack", target, name, "dist"], why);
        }
        fs::write(&binary, "").unwrap();
        place.refused(&["pack", target, name, "dist"], "the binary for");
    }
    let mut loaded = program_for("x86_64-unknown-linux-musl");
    loaded[32] = 64;
    loaded[54] = 56;
    loaded[56] = 1;
    loaded[64] = 3;
    fs::write(&binary, loaded).unwrap();
    place.refused(&["pack", "x86_64-unknown-linux-musl", name, "dist"], "it is not static");
    let mut runtime = program_for("x86_64-pc-windows-msvc");
    runtime.extend(b"VCRUNTIME140.dll\0");
    fs::write(&binary, runtime).unwrap();
    place.refused(&["pack", "x86_64-pc-windows-msvc", name, "dist"], "+crt-static");
    assert!(!place.root.join("dist").exists(), "what is refused leaves nothing");
    fs::write(place.root.join("CHANGELOG.md"), "# Changelog\n").unwrap();
    place.refused(&["check", VERSION], "has no section for");
}

#[test]
fn the_bootstraps_ask_for_the_names_that_a_release_has() {
    let Some(targets) = targets() else {
        println!(
            "skipped: no Python, so that the bootstraps ask for a release's names was not proven"
        );
        return;
    };
    let scripts: Vec<String> = ["bootstrap.sh", "bootstrap.ps1"]
        .map(|name| fs::read_to_string(root().join("actions/bootstrap").join(name)).unwrap())
        .into();
    for (target, _) in targets {
        let (arch, rest) = target.split_once('-').unwrap();
        for script in &scripts {
            let windows_of_sh = rest == "pc-windows-msvc" && script.starts_with("#!/bin/sh");
            assert!(script.contains(&format!("arch-{rest}")) || windows_of_sh, "{target}");
            assert!(script.contains(arch), "{target}");
        }
    }
    let noted = fs::read_to_string(root().join("actions/bootstrap/version.txt")).unwrap();
    assert_eq!(noted.trim(), VERSION);
    // Empty on the branch; at a tag, that version's.
    let manifest = fs::read_to_string(root().join("actions/bootstrap/manifest.sha256")).unwrap();
    assert!(
        manifest.lines().all(|line| line.contains(&format!("  pester-gate-{VERSION}-"))),
        "{manifest}"
    );
}
