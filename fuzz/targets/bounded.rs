//! One input of a fuzz target, and the end of a bounded run.

use std::sync::atomic::{AtomicU64, Ordering};

static READ: AtomicU64 = AtomicU64::new(0);

/// Reads the input as it is and inside the format's root, so that a mutant that lost its root is
/// still that format's. With `FUZZ_BYTES` in the environment the process ends well once so many
/// bytes were read.
pub fn read(root: &str, data: &[u8]) {
    read_inside(root, &format!("<{root}>"), data, &format!("</{root}>"));
}

/// The same for a format that is no XML: between what stands before and behind its cases.
pub fn read_inside(name: &str, before: &str, data: &[u8], behind: &str) {
    pester_gate::fuzzing::results(data);
    let inside = [before.as_bytes(), data, behind.as_bytes()].concat();
    pester_gate::fuzzing::results(&inside);
    let read = (data.len() + inside.len()) as u64;
    let all = READ.fetch_add(read, Ordering::Relaxed) + read;
    let enough = std::env::var("FUZZ_BYTES").ok().and_then(|text| text.parse::<u64>().ok());
    if enough.is_some_and(|enough| all >= enough) {
        println!("{name}: {all} bytes read, nothing found");
        // SAFETY: no destructor is waited for; libFuzzer's exit handler takes an exit in a target
        // for a crash.
        unsafe { libc::_exit(0) };
    }
}
