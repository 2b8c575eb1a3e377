//! A log that grows: rate, memory, disk, start after a kill, and receipts, from empty to many entries.
//!
//! It owns the windows and what is read from `/proc` and the data folder. Each window has devices of
//! its own, and its events are signed before its time is taken.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bench::figures::{Figures, millis};
use crate::bench::log::{load, receipts};
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::demo::infrastructure::run;

/// Entries when nobody says how many: minutes on two cores.
pub const ENTRIES: u64 = 500_000;

/// Events of one window: their requests take 260 MB of memory in the generator.
const WINDOW: u64 = 200_000;

/// Windows whose mean is the rate at the beginning, and at the end.
const COMPARED: usize = 3;

/// Mean bytes of an entry, and of an entry with its disclosure: the server keeps both.
const ENTRY_BYTES: &str = "scale.entry_bytes";
const FRAME_BYTES: &str = "scale.frame_bytes";

/// Grows a log to about `entries` entries.
///
/// # Errors
/// A program fails or an event is refused.
pub fn measure(
    programs: &Programs,
    root: &Path,
    entries: u64,
    figures: &mut Figures,
) -> Result<()> {
    let mut organisation = Organisation::start(programs, root, &[])?;
    let mut rates = Vec::new();
    for number in 0..entries.div_ceil(WINDOW).max(1) {
        let mut window = Figures::default();
        let mut load = load(programs, "window", &organisation);
        load.args([number, WINDOW.min(entries)].map(|count| count.to_string()));
        window.add_lines(&run(load.arg(organisation.pid.to_string()))?)?;
        rates.push(window.value("scale.batch256")?);
        let at = window.value("scale.size")?;
        let memory = resident(organisation.pid, "VmRSS")? / MIB;
        eprintln!(
            "bench: {at:.0} entries, {:.0} events/s, {memory:.0} MiB resident",
            rates.last().copied().unwrap_or_default()
        );
        figures.replace("scale.size", at, "entries");
        for name in [ENTRY_BYTES, FRAME_BYTES] {
            figures.replace(name, window.value(name)?, "bytes");
        }
    }
    let count = COMPARED.min(rates.len());
    figures.add(
        "scale.rate.first",
        mean(rates.iter().take(count)),
        "events/s",
    );
    figures.add(
        "scale.rate.last",
        mean(rates.iter().rev().take(count)),
        "events/s",
    );
    figures.compare("scale.rate.last", "scale.rate.first")?;
    figures.add(
        "scale.resident.peak",
        resident(organisation.pid, "VmHWM")? / MIB,
        "MiB",
    );
    let size = figures.value("scale.size")?;
    let disk = bytes_below(&organisation.data)? as f64 / size;
    figures.add("scale.disk", disk, "bytes/entry");
    figures.compare("scale.disk", ENTRY_BYTES)?;
    let start = organisation.kill_and_start(programs)?;
    figures.add("scale.start_after_kill", millis(start), "ms");
    receipts(programs, &organisation, figures, size)
}

/// Bytes in a mebibyte.
pub(super) const MIB: f64 = 1_048_576.0;

/// A size that the kernel keeps of a process, in bytes.
pub(super) fn resident(pid: u32, member: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(member));
    let line = line.with_context(|| format!("no `{member}` in `status`"))?;
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    Ok(kib.parse::<f64>()? * 1_024.0)
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kept = entry.metadata()?;
        bytes += if kept.is_dir() {
            bytes_below(&entry.path())?
        } else {
            kept.len()
        };
    }
    Ok(bytes)
}

fn mean<'a>(values: impl ExactSizeIterator<Item = &'a f64>) -> f64 {
    let count = values.len().max(1);
    values.sum::<f64>() / count as f64
}
