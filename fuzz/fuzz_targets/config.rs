//! Gives libFuzzer the target `config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::config(data));
