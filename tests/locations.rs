//! Where failures are reported: the failing line, in a file that the checkout has. The reports are
//! those of real tools beside the checkout, each read through a run in a checkout of the sources
//! that wrote it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Sandbox, Seen, read_json, walk};

fn tools() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reports/tools");
    tools.join("expected.json").exists().then_some(tools)
}

/// Locations that no file of the checkout has, and lines beyond the end of their file.
pub(crate) fn impossible(seen: &Seen, root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for failure in seen.failures["results"].as_array().into_iter().flatten() {
        let at = &failure["at"];
        let (Some(file), Some(line)) = (at["file"].as_str(), at["line"].as_u64()) else { continue };
        let lines = fs::read(root.join(file))
            .map(|bytes| bytes.split(|byte| *byte == b'\n').count() as u64);
        match lines {
            Ok(lines) if line <= lines => {}
            Ok(lines) => wrong.push(format!("{}: {file}:{line} of {lines} lines", failure["name"])),
            Err(_) => {
                wrong.push(format!("{}: {file}:{line} is no file of the checkout", failure["name"]))
            }
        }
    }
    wrong
}

/// A run whose command copies a recorded report into a checkout of the sources.
fn replayed(report: &Path, sources: &Path) -> (Sandbox, Seen) {
    let sandbox = Sandbox::named("checkout");
    for file in walk(sources) {
        let below = file.strip_prefix(sources).unwrap().to_str().unwrap().replace('\\', "/");
        let bytes = fs::read(&file).unwrap();
        let target = sandbox.root.join(&below);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    let text = fs::read_to_string(report).unwrap();
    // Wherever it was recorded.
    let recorded = regex::Regex::new(r"/\w+/checkout").unwrap();
    let text = recorded.replace_all(&text, regex::NoExpand(sandbox.root.to_str().unwrap()));
    let kept = sandbox.state.with_file_name("recorded");
    fs::write(&kept, text.as_bytes()).unwrap();
    let name = report.file_name().unwrap().to_str().unwrap();
    let seen = sandbox.run(&["--results", name, "--", "cp", kept.to_str().unwrap(), name], &[]);
    (sandbox, seen)
}

/// Whether a failure of the run is the one that is expected: its name ends so.
fn located(seen: &Seen, expected: &Value) -> Option<String> {
    let name = expected["name"].as_str()?;
    let at = expected["at"].as_array()?;
    let failures = seen.failures["results"].as_array()?;
    let own = failures
        .iter()
        .filter(|failure| failure["name"].as_str().is_some_and(|known| known.ends_with(name)));
    let places: Vec<String> = own
        .map(|failure| {
            format!("{}:{}", failure["at"]["file"].as_str().unwrap_or("?"), failure["at"]["line"])
        })
        .collect();
    let fits =
        at.iter().filter_map(Value::as_str).any(|place| places.iter().any(|known| known == place));
    (!fits).then(|| format!("{name}: at {places:?}, expected {at:?}"))
}

#[test]
fn every_recorded_report_names_the_failing_line() {
    let Some(tools) = tools() else {
        println!("skipped: the recorded reports are not there, so their locations were not proven");
        return;
    };
    let expected = read_json(&tools.join("expected.json"));
    let (mut wrong, mut right) = (Vec::new(), 0);
    for (report, expected) in expected.as_object().unwrap() {
        let path = tools.join(report);
        let readable = report.ends_with(".xml") && !report.ends_with("Test.xml");
        if !readable || expected["failures"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let (sandbox, seen) = replayed(&path, &path.parent().unwrap().join("src"));
        wrong.extend(
            impossible(&seen, &sandbox.root).into_iter().map(|why| format!("{report}: {why}")),
        );
        for failure in expected["failures"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|failure| failure["at"].is_array())
        {
            match located(&seen, failure) {
                Some(why) => wrong.push(format!("{report}: {why}")),
                None => right += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{right} locations are the failing lines");
    assert!(right >= 60, "{right}");
}
