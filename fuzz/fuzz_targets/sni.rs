//! Gives libFuzzer the target `sni`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::sni(data));
