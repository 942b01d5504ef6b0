//! Gives libFuzzer the target `hello`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_fuzzing::hello(data));
