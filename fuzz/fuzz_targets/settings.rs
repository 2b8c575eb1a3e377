//! Fuzzer of `cairn_fuzz_targets::policy::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: cairn_fuzz_targets::policy::leave_caught_panics(),
    |data: &[u8]| cairn_fuzz_targets::policy::settings(data)
);
