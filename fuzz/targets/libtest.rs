#![no_main]

const BEFORE: &str = "running 1 test\n";
const BEHIND: &str =
    "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pester_gate_fuzz::read_inside("libtest", BEFORE, data, BEHIND);
});
