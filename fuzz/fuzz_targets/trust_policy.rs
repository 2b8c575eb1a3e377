//! Fuzzer of `cairn_fuzz_targets::tlog::trust_policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::tlog::trust_policy(data));
