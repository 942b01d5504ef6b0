//! Gives libFuzzer the target `resource`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::resource(data));
