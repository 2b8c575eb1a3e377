//! Fuzzer of `cairn_fuzz_targets::policy::bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::policy::bundle(data));
