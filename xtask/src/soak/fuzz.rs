//! The fuzzers of `fuzz/`, each for its share of the time.
//!
//! It owns how they are started. What must hold is in `tests/fuzz`, which the ordinary tests run on
//! the same seeds; a fuzzer adds the search. It needs a nightly compiler and cargo-fuzz, so where they
//! are missing the campaign is skipped in plain words.

use std::fs;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::process::{self, Process};

/// Where the fuzzers are.
const FOLDER: &str = "fuzz";

/// Bytes of the longest input: above the limits of most formats, below those that only cost time.
const INPUT_BYTES_MAX: u32 = 65_536;

/// Seconds one input may take; a parser that needs longer has a fault.
const SECONDS_PER_INPUT: u32 = 10;

/// Runs every fuzzer for an equal share of `seconds`; true means that none found anything.
///
/// # Errors
/// The list of fuzzers cannot be read or a fuzzer cannot be started.
pub fn run(context: &Context, seconds: u64) -> Result<bool> {
    if process::find("cargo-fuzz").is_none() {
        println!("\n==> soak: fuzzers\n    skipped: cargo-fuzz not installed");
        return Ok(true);
    }
    let manifest = context.checkout.join(FOLDER).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).context("the fuzzers are not there")?;
    let targets = targets(&manifest);
    let share = seconds / (targets.len() as u64).max(1);
    let mut held = true;
    for target in targets {
        held &= fuzz(context, target, share.max(1))?;
    }
    Ok(held)
}

fn fuzz(context: &Context, target: &str, seconds: u64) -> Result<bool> {
    let folder = context.checkout.join(FOLDER);
    let found = context.cache.root().join("fuzz").join(target);
    fs::create_dir_all(&found)?;
    // Rust without `unsafe` has nothing for an address sanitizer to find, and runs faster without.
    Process::new(context, format!("soak: fuzzer {target}"), "cargo")
        .args(["fuzz", "run", "--sanitizer", "none", "--features", "agent"])
        .args([target])
        .args([found, folder.join("seeds").join(target)])
        .args(["--"])
        .args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={INPUT_BYTES_MAX}"),
            format!("-timeout={SECONDS_PER_INPUT}"),
        ])
        .dir(folder)
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .pulse(target)
        .run()
}

/// The names of the programs in the fuzzers' manifest.
fn targets(manifest: &str) -> Vec<&str> {
    let paths = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    paths
        .filter_map(|path| path.strip_suffix(".rs\""))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzzer_has_seeds() {
        let folder = crate::context::checkout().join(FOLDER);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let targets = targets(&manifest);
        assert!(targets.len() >= 15);
        for target in targets {
            let mut seeds = fs::read_dir(folder.join("seeds").join(target)).unwrap();
            assert!(seeds.next().is_some(), "{target}");
        }
    }
}
