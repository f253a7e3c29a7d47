#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pester_gate_fuzz::read("test-results", data));
