//! Gives libFuzzer the target `spiffe`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::spiffe(data));
