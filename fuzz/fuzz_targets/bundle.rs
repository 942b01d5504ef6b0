//! Gives libFuzzer the target `bundle`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::bundle(data));
