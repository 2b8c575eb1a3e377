//! Capture of the device context: posture, and process ancestry cold and warm.
//!
//! It owns the comparison: cold ancestry beside bare SHA-256 of the same executables, posture and warm
//! ancestry beside bare reads of the same processes' `stat` files.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::bench::figures::Figures;
use crate::bench::programs::Programs;
use crate::demo::infrastructure::run;

/// Runs of each kind; a cold run hashes every ancestor's executable.
const RUNS: usize = 50;

/// The longest chain of processes followed.
const DEPTH_MAX: usize = 64;

/// Bare reads of the `stat` files of the chain.
const READS: &str = "primitive.proc_stat_reads";

/// Measures capture with the agent's own example.
///
/// # Errors
/// A program fails or prints something else than its table.
pub fn measure(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let program = programs.example("context_bench");
    let chain = Chain::above(&program)?;
    let hashed = run(Command::new(programs.example("bench_hash"))
        .arg(RUNS.to_string())
        .args(&chain.executables))?;
    figures.add_lines(&hashed)?;
    let mut reads: Vec<Duration> = (0..RUNS).map(|_| chain.read_stats()).collect();
    figures.add_times(READS, &mut reads);
    figures.add("context.processes", chain.pids.len() as f64 + 1.0, "");

    let table = run(Command::new(program).arg(RUNS.to_string()))?;
    for (row, name, baseline) in [
        ("posture", "context.posture", READS),
        ("ancestry cold", "context.ancestry_cold", "primitive.sha256"),
        ("ancestry warm", "context.ancestry_warm", READS),
    ] {
        for percentile in ["p50", "p99"] {
            let name = format!("{name}.{percentile}");
            figures.add(&name, cell(&table, row, percentile)?, "ms");
            figures.compare(&name, &format!("{baseline}.{percentile}"))?;
        }
    }
    Ok(())
}

/// The processes above the measured one: this program and its ancestors.
struct Chain {
    pids: Vec<u32>,
    executables: BTreeSet<PathBuf>,
}

impl Chain {
    /// Follows the parents of a child of this process whose executable is `program`.
    fn above(program: &std::path::Path) -> Result<Self> {
        let mut chain = Self {
            pids: Vec::new(),
            executables: BTreeSet::from([program.to_owned()]),
        };
        let mut pid = std::process::id();
        while pid != 0 && chain.pids.len() < DEPTH_MAX {
            chain.pids.push(pid);
            // Another user's executable cannot be read; the agent cannot hash it either.
            if let Ok(executable) = fs::read_link(format!("/proc/{pid}/exe"))
                && fs::File::open(&executable).is_ok()
            {
                chain.executables.insert(executable);
            }
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            pid = parent(&stat).with_context(|| format!("`{stat}` names no parent"))?;
        }
        Ok(chain)
    }

    fn read_stats(&self) -> Duration {
        let begun = Instant::now();
        for pid in &self.pids {
            // A process that ended in between costs its failed open, which is as bare.
            let read = fs::read(format!("/proc/{pid}/stat"));
            std::hint::black_box(read.is_ok());
        }
        begun.elapsed()
    }
}

/// The fourth field; the second is in parentheses and may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// A percentile of the table's row, in milliseconds.
fn cell(table: &str, row: &str, percentile: &str) -> Result<f64> {
    let line = table.lines().find_map(|line| line.strip_prefix(row));
    let mut words = line.into_iter().flat_map(str::split_whitespace);
    let found = words.find(|word| *word == percentile).and(words.next());
    let text = found.with_context(|| format!("no {percentile} of `{row}` in\n{table}"))?;
    for (ending, factor) in [("ns", 1e-6), ("µs", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(number) = text.strip_suffix(ending) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("`{text}` is no duration")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_example_is_read() {
        let table = "50 runs, 6 processes in the chain, 6 digests remembered\n\
                     posture        p50    1.250ms  p99    2.000ms\n\
                     ancestry warm  p50  310.000µs  p99     1.500s\n";
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        assert!(close(cell(table, "posture", "p50").unwrap(), 1.25));
        assert!(close(cell(table, "ancestry warm", "p50").unwrap(), 0.31));
        assert!(close(cell(table, "ancestry warm", "p99").unwrap(), 1500.0));
        assert!(cell(table, "ancestry cold", "p50").is_err());
    }

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_parent() {
        assert_eq!(parent("12 (a) b) S 7 12 12"), Some(7));
        assert_eq!(parent("nothing"), None);
    }
}
