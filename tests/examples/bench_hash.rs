//! The primitive below process ancestry: reading and hashing the same files, and nothing else.
//!
//! Usage: `bench_hash RUNS FILE...`; prints one JSON object a line, the time for all files together.

use std::fs::File;
use std::io::Read as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Bytes read at a time.
const CHUNK: usize = 65_536;

/// The most runs: a run hashes every file.
const RUNS_MAX: usize = 10_000;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let runs: usize = words.next().context("expected RUNS FILE...")?.parse()?;
    let files: Vec<String> = words.collect();
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..runs.clamp(1, RUNS_MAX) {
        let begun = Instant::now();
        bytes = 0;
        for file in &files {
            bytes += hash(file).with_context(|| file.clone())?;
        }
        times.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_unstable_by(f64::total_cmp);
    for (name, percent) in [("p50", 50), ("p99", 99)] {
        let index = (times.len() * percent / 100).min(times.len() - 1);
        let value = times.get(index).copied().unwrap_or_default();
        println!("{}", line(&format!("primitive.sha256.{name}"), value, "ms"));
    }
    println!("{}", line("primitive.sha256.bytes", bytes as f64, "bytes"));
    Ok(())
}

fn hash(path: &str) -> Result<usize> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let (mut chunk, mut total) = (vec![0; CHUNK], 0);
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else {
            std::hint::black_box(hasher.finalize());
            return Ok(total);
        };
        hasher.update(part);
        total += read;
    }
}

fn line(name: &str, value: f64, unit: &str) -> String {
    json!({ "name": name, "value": value, "unit": unit }).to_string()
}
