//! Gives libFuzzer the target `proxy`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::proxy(data));
