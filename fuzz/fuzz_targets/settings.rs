//! Fuzzer of `cairn_fuzz_targets::policy::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::policy::settings(data));
