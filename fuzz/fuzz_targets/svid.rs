//! Gives libFuzzer the target `svid`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::svid(data));
