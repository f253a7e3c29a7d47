#![no_main]

const BEFORE: &str = "{\"testResults\":[{\"name\":\"f\",\"assertionResults\":[";
const BEHIND: &str = "]}]}";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pester_gate_fuzz::read_inside("jest", BEFORE, data, BEHIND);
});
