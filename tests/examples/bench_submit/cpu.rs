//! CPU time that a process has used, so that a rate can be told from a share of the machine.

use anyhow::{Context as _, Result};

/// Ticks a second in `/proc`: `USER_HZ`, which is 100 on every architecture of Linux we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU time, user and system, of a process and its threads.
pub fn seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name in `stat`")?;
    // Fields 14 and 15, counted from 1 with the identifier and the name.
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
