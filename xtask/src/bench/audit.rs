//! An audit of the whole log of the load, from a copy on disk: no server shares the cores with it.
//!
//! It owns the timing and the memory that it took.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::figures::Figures;
use crate::bench::log::VERIFY;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::bench::scale::{MIB, resident};
use crate::demo::infrastructure::run;

/// Between two looks at the auditor's memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Copies the log with `cairn-server export-static` and audits the copy.
///
/// # Errors
/// A program fails, or the log is not verified.
pub fn measure(
    programs: &Programs,
    root: &Path,
    organisation: &Organisation,
    figures: &mut Figures,
) -> Result<()> {
    let copy = root.join("static");
    let mut export = Command::new(programs.program("cairn-server"));
    export
        .args(["export-static", "--data"])
        .arg(&organisation.data);
    run(export.arg(&copy))?;
    let mut audit = Command::new(programs.program("cairn-audit"));
    audit.arg("log").arg("--dir").arg(&copy);
    audit.arg("--trust-policy").arg(&organisation.trust_policy);
    audit.args(["--genesis-hash", &organisation.genesis]);
    // Nobody cosigns this log, so nobody vouches for its age.
    audit.args(["--max-age", "none"]);
    let diagnostics = root.join("audit.txt");
    audit
        .stdout(Stdio::null())
        .stderr(fs::File::create(&diagnostics)?);
    let begun = Instant::now();
    let mut audit = audit.spawn()?;
    let mut peak: f64 = 0.0;
    let status = loop {
        if let Some(status) = audit.try_wait()? {
            break status;
        }
        // Gone between two looks: there is no memory to read.
        if let Ok(now) = resident(audit.id(), "VmHWM") {
            peak = peak.max(now);
        }
        thread::sleep(LOOK_EVERY);
    };
    let elapsed = begun.elapsed().as_secs_f64();
    if !status.success() {
        bail!(
            "the log of the load is not verified:\n{}",
            fs::read_to_string(diagnostics)?
        );
    }
    figures.add(
        "audit.log",
        figures.value("log.size")? / elapsed,
        "entries/s",
    );
    figures.compare("audit.log", VERIFY)?;
    figures.add("audit.log.resident.peak", peak / MIB, "MiB");
    fs::remove_dir_all(copy)?;
    Ok(())
}
