//! Gives libFuzzer the target `crl`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::crl(data));
