//! Fuzzer of `cairn_fuzz_targets::event::entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cairn_fuzz_targets::event::entry(data));
