//! Measures how long the device context of one event takes, cold and warm.
//!
//! Owns a loop and a table. Cold means an empty digest cache and nothing else: the operating
//! system's own file cache is left alone. The ancestry is this program's own, so within two seconds
//! of a build the program itself is hashed in warm runs too.
//!
//! Usage: `cargo run -p cairn-agent --example context_bench -- [RUNS]`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use cairn_agent::ancestry::{DigestCache, walk};
use cairn_agent::posture::{PostureCollector, PostureScope};

/// Runs measured when the command line names no number.
const RUNS: usize = 50;

/// The most runs: a cold run hashes every ancestor, which may take a second each.
const RUNS_MAX: usize = 10_000;

fn main() -> anyhow::Result<()> {
    let runs = match std::env::args().nth(1) {
        Some(text) => text
            .parse()
            .with_context(|| format!("`{text}` is not a number"))?,
        None => RUNS,
    };
    let runs = runs.clamp(1, RUNS_MAX);
    let shared = Arc::new(DigestCache::new());
    let scope = PostureScope {
        digests: Arc::clone(&shared),
        ..PostureScope::standard()?
    };
    let mut collector = PostureCollector::new(Path::new("/"), scope);
    let started = Instant::now();
    let (mut posture, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    let mut depth = 0;
    for _ in 0..runs {
        let begun = Instant::now();
        let now_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = collector.collect(now_ms);
        posture.push(begun.elapsed());
        drop(report);
        cold.push(timed_walk(&DigestCache::new())?.0);
    }
    timed_walk(&shared)?;
    for _ in 0..runs {
        let (elapsed, processes) = timed_walk(&shared)?;
        warm.push(elapsed);
        depth = processes;
    }
    println!(
        "{runs} runs, {depth} processes in the chain, {} digests remembered",
        shared.len()
    );
    row("posture", &mut posture);
    row("ancestry cold", &mut cold);
    row("ancestry warm", &mut warm);
    Ok(())
}

fn timed_walk(cache: &DigestCache) -> anyhow::Result<(Duration, usize)> {
    let begun = Instant::now();
    let chain = walk(std::process::id(), cache, SystemTime::now(), None)?;
    Ok((begun.elapsed(), chain.processes.len()))
}

fn row(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = times.len().saturating_mul(percent) / 100;
        times
            .get(index.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    println!("{name:<14} p50 {:>10.3?}  p99 {:>10.3?}", at(50), at(99));
}
