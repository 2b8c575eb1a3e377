//! Fuzzer of `cairn_fuzz_targets::tlog::note`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::tlog::note(data));
