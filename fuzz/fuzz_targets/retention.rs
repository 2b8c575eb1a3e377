//! Fuzzer of `cairn_fuzz_targets::retention::retention`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::retention::retention(data));
