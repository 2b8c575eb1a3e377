//! The seeds of every target, and a bounded mutation of them that is the same in every run.
//!
//! Owns the mutation. What must hold is in the library; the open-ended search is in `fuzz/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cairn_fuzz_targets::{TARGETS, Target};

/// Mutations of each target: a second or two for the slowest, so that the whole file stays below a
/// minute in a debug build.
const MUTATIONS: usize = 3_000;

/// Longest input that is made: longer ones only repeat what shorter ones reach.
const LENGTH_MAX: usize = 64 * 1024;

/// Bytes and words that mean something to at least one format.
const WORDS: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"+",
    b"=",
    b"~",
    b".",
    b"/",
    b"..",
    b"%2e",
    b"0",
    b"-1",
    b"18446744073709551616",
    b"9223372036854775808",
    b"\xe2\x80\x94 ",
    b"\xc2\xa0",
    b"\xff",
    b"\"",
    b"\\u0000",
    b"{",
    b"}",
    b"[",
    b"null",
    b"1e400",
    b"*",
    b":*",
    b"$(",
    b"`",
    b"<<E",
    b"&&",
    b"|",
    b">",
    b"#",
    b"none",
    b"quorum",
    b"old ",
    b"index ",
    b"extra ",
    b"x001/",
    b".p/255",
];

/// Steele and Vigna's splitmix64: every run makes the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound.max(1) as u64).unwrap()
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = (length - start).min(64);
        start..start + self.below(most + 1)
    }

    /// One to four changes of one seed.
    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, seeds);
        }
        bytes.truncate(LENGTH_MAX);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let range = self.range(bytes.len());
        match self.below(7) {
            0 if !bytes.is_empty() => {
                let at = self.below(bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            1 => drop(bytes.drain(range)),
            2 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(range.start..range.start, word.iter().copied()));
            }
            3 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(bytes.splice(range, word.iter().copied()));
            }
            4 => {
                let again = bytes[range.clone()].to_vec();
                drop(bytes.splice(range.start..range.start, again));
            }
            5 => bytes.truncate(range.start),
            _ => {
                let other = &seeds[self.below(seeds.len())];
                let piece = other[self.range(other.len())].to_vec();
                drop(bytes.splice(range, piece));
            }
        }
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no seed");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn must_hold(name: &str, target: Target, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        panic!("{name} does not hold for {}", hex::encode(bytes));
    }
}

#[test]
fn every_target_holds_for_its_seeds_and_their_mutations() {
    for (number, (name, target)) in TARGETS.iter().enumerate() {
        let seeds = seeds(name);
        for seed in &seeds {
            must_hold(name, *target, seed);
        }
        let mut random = Random(number as u64);
        for _ in 0..MUTATIONS {
            must_hold(name, *target, &random.mutate(&seeds));
        }
    }
}

// Without the agent one target is left out on purpose.
#[cfg(feature = "agent")]
#[test]
fn every_target_has_a_fuzzer_and_no_fuzzer_is_without_a_target() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut found: Vec<&str> = manifest
        .lines()
        .filter_map(|line| {
            line.strip_prefix("path = \"fuzz_targets/")?
                .strip_suffix(".rs\"")
        })
        .collect();
    let mut named: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    found.sort_unstable();
    named.sort_unstable();
    assert_eq!(found, named);
    for name in named {
        assert!(
            folder.join(format!("fuzz_targets/{name}.rs")).is_file(),
            "{name}"
        );
    }
}
