//! One server under load: events a second, the way to a witnessed receipt, and reading one.
//!
//! It owns the counts and what is compared with what. The load itself is `tests/examples/bench_submit`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::demo::infrastructure::run;

/// Events in batches: some seconds of load, and a log worth exporting.
const EVENTS: usize = 102_400;

/// Events in requests of their own.
const SINGLES: usize = 20_480;

/// Seconds at half of the rate in batches, with witnesses.
const WITNESSED_SECONDS: usize = 15;

/// Receipts read.
const RECEIPTS: usize = 2_000;

/// Witnesses beside the log; two must cosign.
pub const WITNESSES: [&str; 3] = [
    "witness.bench/ada",
    "witness.bench/ben",
    "witness.bench/cleo",
];

/// The bare rate of the same signatures.
pub const VERIFY: &str = "primitive.verify_strict.all_cores";

/// Least time between two checkpoints: what a receipt waits for beside the work.
const INTERVAL: (&str, f64) = ("setting.checkpoint_interval", 250.0);

/// Starts a server, loads it and leaves it up; then a second one with witnesses, at half that rate.
///
/// # Errors
/// A program fails or an event is refused.
pub fn measure(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<Organisation> {
    let organisation = Organisation::start(programs, &root.join("rate"), &[])?;
    let mut load = load(programs, "rate", &organisation);
    load.args([EVENTS, SINGLES].map(|count| count.to_string()));
    figures.add_lines(&run(load.arg(organisation.pid.to_string()))?)?;
    for name in ["log.batch256", "log.single"] {
        figures.compare(name, VERIFY)?;
    }
    receipts(programs, &organisation, figures, figures.value("log.size")?)?;
    witnessed(programs, &root.join("witnessed"), figures)?;
    Ok(organisation)
}

/// The words every load begins with.
#[must_use]
pub fn load(programs: &Programs, mode: &str, organisation: &Organisation) -> Command {
    let mut command = Command::new(programs.example("bench_submit"));
    command.arg(mode).arg(&organisation.office);
    command.arg(&organisation.server);
    command
}

/// Reads receipts of indices spread over a log of `size` entries.
///
/// # Errors
/// A program fails or an answer is no receipt.
pub fn receipts(
    programs: &Programs,
    organisation: &Organisation,
    figures: &mut Figures,
    size: f64,
) -> Result<()> {
    let mut reading = Command::new(programs.example("bench_submit"));
    reading.args(["receipts", &organisation.server]);
    reading.args([RECEIPTS.to_string(), format!("{size:.0}")]);
    figures.add_lines(&run(&mut reading)?)?;
    for percent in ["p50", "p99"] {
        let bare = format!("primitive.http_exchange.{percent}");
        figures.compare(&format!("log.receipt_by_index.{percent}"), &bare)?;
    }
    Ok(())
}

fn witnessed(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<()> {
    let organisation = Organisation::start(programs, root, &WITNESSES)?;
    let half = figures.value("log.batch256")? / 2.0;
    let mut load = load(programs, "witnessed", &organisation);
    load.args([format!("{half:.0}"), WITNESSED_SECONDS.to_string()]);
    figures.add_lines(&run(&mut load)?)?;
    figures.compare("log.witnessed.rate", "log.batch256")?;
    figures.add(INTERVAL.0, INTERVAL.1, "ms");
    for percent in ["p50", "p99"] {
        figures.compare(&format!("log.witnessed.{percent}"), INTERVAL.0)?;
    }
    Ok(())
}
