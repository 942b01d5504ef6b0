//! Gives libFuzzer the target `session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::session(data));
