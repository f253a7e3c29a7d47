#![no_main]

const BEFORE: &str = "{\"summary\":{},\"examples\":[";
const BEHIND: &str = "]}";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pester_gate_fuzz::read_inside("rspec", BEFORE, data, BEHIND);
});
