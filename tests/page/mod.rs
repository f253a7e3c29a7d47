//! The page in a real browser: what a person sees, filters and opens. `browse.mjs` is that person.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Sandbox, Seen};

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}

/// What the browser saw; none where there is none.
fn browse(page: &Path, word: &str) -> Option<Value> {
    let browser = on_path(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(browser), Some(node)) = (browser, on_path(&["node"])) else {
        println!(
            "skipped: neither Chromium nor Chrome with Node is here, \
             so the page was opened in no browser"
        );
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/browse.mjs");
    let done = Command::new(node).arg(script).arg(browser).arg(page).arg(word).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

/// A run with hostile names and texts in everything that the page shows.
fn hostile() -> (Sandbox, Seen) {
    let sandbox = Sandbox::green();
    let markup =
        "<img src=x onerror=alert(1)><script>alert(2)</script>'\"&amp;</pre></details></script>";
    sandbox.script(
        "tests/c.sh",
        &format!("cat <<'END'\ntests/sums.py:7: Expected 4, but got 5. {markup}\nEND\nexit 1"),
    );
    sandbox.script("tests/<b>d<b>.sh", "echo 'mkdir: /x: Permission denied'; exit 1");
    sandbox.script("tests/e.sh", "sleep 0.3; exit 0");
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    assert_eq!(seen.verdict().2, "tests-failed", "{:?}", seen.ran);
    (sandbox, seen)
}

#[test]
fn the_page_is_whole_loads_nothing_filters_and_can_be_read_by_everyone() {
    let (_sandbox, seen) = hostile();
    let Some(told) = browse(&seen.folder.join("report.html"), "permission") else { return };
    assert_eq!((&told["requests"], &told["complaints"]), (&json!([]), &json!([])), "{told}");
    // Two failures and five tests; the word stands in one failure.
    assert_eq!(
        (&told["before"], &told["after"], &told["shown"]),
        (&json!(7), &json!(1), &json!("1 of 7")),
        "{told}"
    );
    assert!(told["opened"].as_str().unwrap().contains("Permission denied"), "{told}");
    assert_eq!(
        (&told["markup"], &told["unnamed"], &told["headless"]),
        (&json!(0), &json!(0), &json!(0)),
        "{told}"
    );
    assert_eq!(told["language"], "en");
    let headings: Vec<u64> =
        told["headings"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(headings[0], 1);
    assert!(headings.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{headings:?}");
    for section in ["layers", "failures", "tests"] {
        assert!(told["sections"].as_array().unwrap().contains(&json!(section)), "{told}");
    }
    for scheme in ["light", "dark"] {
        let contrast = told["contrast"][scheme].as_f64().unwrap();
        assert!(contrast >= 4.5, "{scheme}: {contrast}");
    }
}

#[test]
fn the_page_of_a_run_without_tests_is_whole_as_well() {
    let sandbox = Sandbox::green();
    sandbox.config("context: {required-paths: [nowhere]}\n");
    sandbox.commit();
    let seen = sandbox.run(&[], &[]);
    let Some(told) = browse(&seen.folder.join("report.html"), "x") else { return };
    assert_eq!(
        (&told["requests"], &told["complaints"], &told["before"]),
        (&json!([]), &json!([]), &json!(0)),
        "{told}"
    );
    assert_eq!((&told["headless"], &told["unnamed"]), (&json!(0), &json!(0)), "{told}");
}
