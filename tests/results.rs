//! Results files against an independent oracle: a small Python script, never our own reader.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Sandbox, on_path, walk};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

const XML: &[&str] = &["xml", "trx"];
const ALL: &[&str] = &["xml", "trx", "json", "jsonl", "txt"];

/// Every results file below a folder, by these endings.
fn readable(folder: &Path, endings: &[&str]) -> Vec<String> {
    if !folder.is_dir() {
        println!("skipped: {} is not there, so its files were not counted", folder.display());
        return Vec::new();
    }
    let ending = |path: &PathBuf| {
        let ending = path.extension().and_then(std::ffi::OsStr::to_str);
        ending.is_some_and(|ending| endings.contains(&ending))
    };
    let files: Vec<PathBuf> = walk(folder).into_iter().filter(ending).collect();
    files.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
}

const OUTCOMES: [&str; 6] = ["total", "passed", "failed", "errors", "skipped", "notRun"];

/// What the readers say of some files: counts, outcome by outcome, and the status.
fn ours(files: &[String]) -> Vec<(String, String)> {
    let mut arguments = vec!["results", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let readings = Sandbox::new().gate(&arguments).json();
    let row = |reading: &Value| {
        let counts: Vec<String> =
            OUTCOMES.iter().map(|key| reading["counts"][key].to_string()).collect();
        let file = reading["file"].as_str().unwrap().to_owned();
        (file, format!("{} {}", counts.join(" "), reading["status"].as_str().unwrap()))
    };
    readings.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn files_are_counted_as_the_oracle_counts_them() {
    let python = ["python3", "python"].into_iter().find(|name| on_path(name));
    let Some(python) = python else {
        println!("skipped: no Python on PATH, so no results file was compared with the oracle");
        return;
    };
    let own = readable(&folder("tests/data/results"), ALL);
    assert!(own.len() >= 19, "{own:?}");
    let files = [own, readable(&folder("../shared/corpus"), XML)].concat();
    let oracle = Command::new(python).arg(folder("tests/oracle.py")).args(&files).output().unwrap();
    assert!(oracle.status.success(), "{}", String::from_utf8_lossy(&oracle.stderr));
    let oracle: Value = serde_json::from_slice(&oracle.stdout).unwrap();
    let ours = ours(&files);
    assert_eq!(ours.len(), files.len());
    let mut wrong = Vec::new();
    for (file, said) in &ours {
        let counts: Vec<String> =
            OUTCOMES.iter().map(|key| oracle[file][key].to_string()).collect();
        if !said.starts_with(&format!("{} ", counts.join(" "))) {
            wrong.push(format!("{file}: {said}, the oracle says {}", counts.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} files agree with the oracle", files.len());
}

#[test]
fn the_corpus_is_counted_as_the_table_says() {
    let corpus = folder("../shared/corpus");
    let files = readable(&corpus, XML);
    if files.is_empty() {
        return;
    }
    let table = include_str!("data/corpus-counts.txt");
    let mut said: Vec<String> = ours(&files)
        .into_iter()
        .map(|(file, said)| {
            let below = Path::new(&file)
                .strip_prefix(&corpus)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            format!("{below} {said}")
        })
        .collect();
    said.sort();
    let mut owed: Vec<&str> = table.lines().filter(|line| !line.starts_with('#')).collect();
    owed.sort_unstable();
    assert_eq!(said, owed);
}

#[test]
fn the_predecessors_counting_trap_is_counted_right() {
    let file = folder("../shared/corpus/pester/nunit25-linux-20-passed-2-ignored-4-not-run.xml");
    if !file.exists() {
        println!(
            "skipped: the corpus is not there; \
             the same shape stands in tests/data/results/nunit25-pester.xml"
        );
        return;
    }
    let reading =
        &Sandbox::new().gate(&["results", "--format", "json", file.to_str().unwrap()]).json()[0];
    let counts = &reading["counts"];
    assert_eq!(
        (&counts["passed"], &counts["skipped"], &counts["notRun"]),
        (&20.into(), &2.into(), &4.into())
    );
}

#[test]
fn a_huge_file_takes_little_memory() {
    let sandbox = Sandbox::new();
    let path = sandbox.root.join("huge.xml");
    {
        use std::io::Write;
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        file.write_all(b"<testsuites>").unwrap();
        let case = format!(
            "<testcase name=\"case\"><system-out>{}</system-out></testcase>\n",
            "x".repeat(4000)
        );
        for _ in 0..25_000 {
            file.write_all(case.as_bytes()).unwrap();
        }
        file.write_all(b"<testcase name=\"f\"><failure/></testcase></testsuites>").unwrap();
    }
    let mut command =
        sandbox.command(&["results", "--format", "json", path.to_str().unwrap()], &[]);
    let output = limited(&mut command);
    let counts: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(counts[0]["counts"]["total"], 25_001);
    assert_eq!(counts[0]["counts"]["failed"], 1);
}

#[test]
fn huge_events_and_documents_take_little_memory() {
    use std::io::Write;
    let sandbox = Sandbox::new();
    let output = "x".repeat(4000);
    for (name, before, case, behind) in [
        (
            "huge.jsonl",
            "{\"Action\":\"start\",\"Package\":\"p\"}\n".to_owned(),
            format!(
                "{{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\
                 \"Output\":\"{output}\"}}\n\
                 {{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}}\n"
            ),
            "{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"F\"}\n\
             {\"Action\":\"fail\",\"Package\":\"p\"}\n",
        ),
        (
            "huge.json",
            "{\"summary\":{},\"examples\":[".to_owned(),
            format!("{{\"description\":\"a\",\"status\":\"passed\",\"x\":\"{output}\"}},"),
            "{\"description\":\"f\",\"status\":\"failed\"}]}",
        ),
    ] {
        let path = sandbox.root.join(name);
        {
            let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
            file.write_all(before.as_bytes()).unwrap();
            for _ in 0..25_000 {
                file.write_all(case.as_bytes()).unwrap();
            }
            file.write_all(behind.as_bytes()).unwrap();
        }
        let mut command =
            sandbox.command(&["results", "--format", "json", path.to_str().unwrap()], &[]);
        let output = limited(&mut command);
        let read: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let counts = &read[0]["counts"];
        assert_eq!((&counts["total"], &counts["failed"]), (&25_001.into(), &1.into()), "{name}");
    }
}

/// In a process that may not have more than 400 MB of addresses, where the platform can say so: the
/// file has 100 MB, and a document of it would take several times that.
fn limited(command: &mut Command) -> std::process::Output {
    if cfg!(target_os = "linux") {
        let mut limited = Command::new("sh");
        limited
            .arg("-c")
            .arg("ulimit -v 400000; exec \"$0\" \"$@\"")
            .arg(command.get_program())
            .args(command.get_args());
        limited.current_dir(command.get_current_dir().unwrap()).env_clear();
        limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        return limited.output().unwrap();
    }
    println!("skipped: no memory limit on this platform; the counts alone were checked");
    command.output().unwrap()
}
