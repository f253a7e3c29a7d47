//! The fences: floors name only floors below, layers never name layers, the pure floors stay pure.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::walk;

const FLOORS: [&str; 6] = ["domain", "report", "adapter", "layer", "command", "cli"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    walk(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code of a file, without its comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_floor_names_only_the_floors_below_it() {
    for (at, floor) in FLOORS.iter().enumerate() {
        for path in sources(&src().join(floor)) {
            let code = code(&path);
            for upper in &FLOORS[at + 1..] {
                let plain = code.contains(&format!("crate::{upper}"));
                // `use crate::{upper::..}` and `use crate::{x, upper::..}` name it too.
                let grouped = code.split("crate::{").skip(1).any(|group| {
                    let group = group.split(';').next().unwrap();
                    group
                        .split([',', '{', '}', ' ', '\n'])
                        .any(|word| word == *upper || word.starts_with(&format!("{upper}::")))
                });
                assert!(!plain && !grouped, "{} names the floor {upper}", path.display());
            }
        }
    }
}

#[test]
fn layers_meet_only_through_receipts() {
    let layers = ["context", "preflight", "selection", "execute", "post"];
    for layer in layers {
        let folder = src().join("layer").join(layer);
        let files =
            if folder.is_dir() { sources(&folder) } else { vec![folder.with_extension("rs")] };
        for path in files {
            for other in layers.iter().filter(|other| **other != layer) {
                let code = code(&path);
                for name in [format!("layer::{other}"), format!("super::{other}")] {
                    assert!(!code.contains(&name), "{} names {name}", path.display());
                }
            }
        }
    }
}

#[test]
fn domain_and_report_are_pure() {
    for floor in ["domain", "report"] {
        let root = fs::read_to_string(src().join(floor).join("mod.rs")).unwrap();
        assert!(
            root.contains("#![deny(clippy::disallowed_methods, clippy::disallowed_types)]"),
            "{floor} is not fenced"
        );
        for path in sources(&src().join(floor)) {
            let code = code(&path);
            for word in [
                "tokio",
                "octocrab",
                "reqwest",
                "std::fs",
                "std::net",
                "std::env",
                "std::process",
                "allow(clippy::disallowed",
            ] {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn the_fence_bites() {
    // The bans are by full name: a rename or a glob would silently ban nothing.
    let bans =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("clippy.toml")).unwrap();
    for name in [
        "std::env::var",
        "std::time::SystemTime::now",
        "jiff::Timestamp::now",
        "std::fs::read",
        "std::fs::File",
        "std::process::Command",
        "octocrab::Octocrab::post",
        "octocrab::Octocrab::execute",
        "reqwest::Client::post",
    ] {
        assert!(bans.contains(&format!("\"{name}\"")), "{name} is not banned");
    }
    assert!(!bans.contains("::*"));
}

#[test]
fn github_is_asked_in_one_room_and_only_asked() {
    for path in sources(&src()) {
        let (code, room) = (code(&path), path.starts_with(src().join("adapter/github")));
        // Endpoints of a pack's own are asked by their probe, with the same client.
        let http =
            ["adapter/http.rs", "adapter/probe/http.rs"].iter().any(|name| path.ends_with(name));
        for word in ["octocrab", "tokio", "reqwest::"] {
            // An address is no client.
            let named = code.replace("reqwest::Url", "").contains(word);
            assert!(
                room || (http && word != "octocrab") || !named,
                "{} names {word}",
                path.display()
            );
        }
        if room || path.ends_with("adapter/http.rs") {
            for word in [
                "post(",
                "put(",
                "patch(",
                "delete(",
                "graphql(",
                ".execute(",
                ".send(",
                "Method::",
                "request(",
            ] {
                assert!(!code.contains(word), "{} has {word}, which could write", path.display());
            }
        }
    }
    let room = fs::read_to_string(src().join("adapter/github/mod.rs")).unwrap();
    assert!(room.contains("#![deny(clippy::disallowed_methods)]"), "the room is not fenced");
    // What holds the token cannot be printed: neither a panic nor an error can show it.
    for (file, holder) in
        [("transport.rs", "Transport"), ("look_up.rs", "Question<'a>"), ("mod.rs", "Session<'a>")]
    {
        let text = fs::read_to_string(src().join("adapter/github").join(file)).unwrap();
        let before = text.split(&format!("struct {holder} {{")).next().unwrap();
        assert_ne!(before, text, "{file} has no {holder}");
        let above =
            before.lines().rev().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        assert!(
            !above.contains("derive(") && !text.contains(&format!("Debug for {holder}")),
            "{holder} can be printed"
        );
    }
}

/// The packages that the product was asked to stand on, as code names them.
#[test]
fn the_packages_that_were_asked_for_are_direct_and_used() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies =
        manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let all: String = sources(&src()).iter().map(|path| code(path)).collect();
    for package in [
        "octocrab",
        "clap",
        "serde",
        "serde_yaml",
        "serde_json",
        "tokio",
        "reqwest",
        "anyhow",
        "tracing",
    ] {
        assert!(
            dependencies.lines().any(|line| line.starts_with(&format!("{package} = "))),
            "{package} is no direct dependency"
        );
        assert!(all.contains(&format!("{package}::")), "{package} is not used");
    }
}

#[test]
fn unwraps_outside_tests_carry_their_proof() {
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if line.contains(".unwrap()") || line.contains(".expect(") {
                let before = lines[at.saturating_sub(3)..=at].join("\n");
                assert!(
                    before.contains("reason = "),
                    "{}:{} unwraps without a proof",
                    path.display(),
                    at + 1
                );
            }
        }
    }
}
