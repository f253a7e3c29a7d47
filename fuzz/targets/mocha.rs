#![no_main]

const BEFORE: &str = "{\"stats\":{},\"tests\":[";
const BEHIND: &str = "]}";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pester_gate_fuzz::read_inside("mocha", BEFORE, data, BEHIND);
});
