#![no_main]

const BEFORE: &str = "{\"Action\":\"start\",\"Package\":\"p\"}\n";
const BEHIND: &str = "\n{\"Action\":\"pass\",\"Package\":\"p\"}\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    pester_gate_fuzz::read_inside("go", BEFORE, data, BEHIND);
});
