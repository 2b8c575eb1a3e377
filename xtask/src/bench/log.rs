//! Events per second through one server: signed beforehand, verified, chained, durable.
//!
//! It owns the counts. The load itself is `tests/examples/bench_submit`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::demo::infrastructure::run;

/// Events in batches: a second or more of load, and a log worth exporting.
const EVENTS: usize = 20_480;

/// Events in requests of their own.
const SINGLES: usize = 4_096;

/// The bare rate of the same signatures.
pub const VERIFY: &str = "primitive.verify_strict.all_cores";

/// Starts a server, loads it and leaves it up.
///
/// # Errors
/// A program fails or an event is refused.
pub fn measure(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<Organisation> {
    let organisation = Organisation::start(programs, root)?;
    let printed = run(Command::new(programs.example("bench_submit"))
        .arg(&organisation.office)
        .arg(&organisation.server)
        .args([EVENTS, SINGLES].map(|count| count.to_string()))
        .arg(organisation.pid.to_string()))?;
    figures.add_lines(&printed)?;
    for name in ["log.batch256", "log.single"] {
        figures.compare(name, VERIFY)?;
    }
    Ok(organisation)
}
