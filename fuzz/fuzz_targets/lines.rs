//! Gives libFuzzer the target `lines`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::lines(data));
