//! How many seeds are played, and that a seed plays the same run again.

use super::play;
use std::time::{Duration, Instant};

/// Seeds from here on where none is asked for.
const FIRST_SEED: u64 = 1;

/// Seeds of an ordinary test run, half a minute on two cores. A number and not a time, so that a faster
/// machine plays the same runs.
const SEEDS: u64 = 80;

/// Runs between two lines of progress in a long run.
const PROGRESS: u64 = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// With `CAIRN_SEED` exactly that run; with `CAIRN_SOAK_SECONDS` as many as fit, from
/// `CAIRN_SOAK_SEED` on; else a fixed number.
#[test]
fn i1_i2_i4_i6_i7_i11_i12_i13_hold_whatever_goes_wrong() {
    if let Some(seed) = number("CAIRN_SEED") {
        println!("seed {seed}: {:?}", play(seed).0);
        return;
    }
    let soak = number("CAIRN_SOAK_SECONDS").map(Duration::from_secs);
    let first = number("CAIRN_SOAK_SEED").unwrap_or(FIRST_SEED);
    let begun = Instant::now();
    let (mut seeds, mut entries, mut checkpoints, mut pruned) = (0_u64, 0, 0, 0_u64);
    while soak.map_or(seeds < SEEDS, |bound| begun.elapsed() < bound) {
        let (ran, _) = play(first + seeds);
        seeds += 1;
        entries += ran.entries;
        checkpoints += ran.checkpoints;
        pruned += u64::from(ran.pruned);
        if soak.is_some() && seeds.is_multiple_of(PROGRESS) {
            println!("{seeds} seeds, {} s", begun.elapsed().as_secs());
        }
    }
    let last = first + seeds - 1;
    println!(
        "seeds {first} to {last}: {entries} entries, {checkpoints} checkpoints verified, {pruned} logs pruned, \
         {} s",
        begun.elapsed().as_secs()
    );
    assert!(seeds > 0 && entries > 0 && checkpoints > 0);
    assert!(pruned > 0 || seeds < 4, "no run pruned");
}

#[test]
fn a_seed_plays_the_same_run_again() {
    for seed in [7, 1_000_003] {
        let (first, again) = (play(seed), play(seed));
        let mut lines = first.1.iter().zip(&again.1);
        let parting = lines.find(|(left, right)| left != right);
        assert_eq!(parting, None, "seed {seed}");
        assert_eq!(first, again, "seed {seed}");
    }
}
