//! An audit of the whole log of the load, from a copy on disk: no server shares the cores with it. Then one of a log that
//! has many chains.
//!
//! It owns the timing and the memory that they took.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::bench::figures::Figures;
use crate::bench::log::VERIFY;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::bench::scale::{MIB, resident};
use crate::demo::infrastructure::run;

/// Between two looks at the auditor's memory.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Chains of the log of many: three times as many as an audit holds in memory.
const MANY_CHAINS: &str = "100000";

/// What an audit took.
struct Took {
    seconds: f64,
    /// Bytes of memory at most.
    peak: f64,
}

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
    let took = audit(
        programs,
        root,
        &copy,
        &organisation.trust_policy,
        &organisation.genesis,
    )?;
    figures.add(
        "audit.log",
        figures.value("log.size")? / took.seconds,
        "entries/s",
    );
    figures.compare("audit.log", VERIFY)?;
    figures.add("audit.log.resident.peak", took.peak / MIB, "MiB");
    fs::remove_dir_all(copy)?;
    Ok(())
}

/// Makes a log of many chains, of a start, a heartbeat and an end each, and audits it.
///
/// # Errors
/// A program fails, or the log is not verified.
pub fn measure_chains(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<()> {
    let folder = root.join("chains");
    let mut make = Command::new(programs.example("bench_chains"));
    let made = make.arg(&folder).args([MANY_CHAINS, "1"]).output()?;
    if !made.status.success() {
        bail!(
            "no log of many chains: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    let entries: serde_json::Value = serde_json::from_slice(&made.stdout)?;
    let entries = entries["value"].as_f64().context("the number of entries")?;
    let genesis = fs::read_to_string(folder.join("genesis-hash"))?;
    let took = audit(
        programs,
        root,
        &folder,
        &folder.join("trust.policy"),
        &genesis,
    )?;
    figures.add("audit.many_chains", entries / took.seconds, "entries/s");
    figures.compare("audit.many_chains", VERIFY)?;
    figures.add("audit.many_chains_rss", took.peak / MIB, "MiB");
    figures.compare("audit.many_chains_rss", "audit.log.resident.peak")?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Audits the log in a folder.
fn audit(
    programs: &Programs,
    root: &Path,
    folder: &Path,
    trust_policy: &Path,
    genesis: &str,
) -> Result<Took> {
    let mut audit = Command::new(programs.program("cairn-audit"));
    audit.arg("log").arg("--dir").arg(folder);
    audit.arg("--trust-policy").arg(trust_policy);
    audit.args(["--genesis-hash", genesis]);
    // Nobody cosigns this log, so nobody vouches for its age.
    audit.args(["--max-age", "none"]);
    // What does not fit into its memory must not go into a folder in memory.
    audit.env("TMPDIR", root);
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
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        bail!(
            "the log is not verified:\n{}",
            fs::read_to_string(diagnostics)?
        );
    }
    Ok(Took { seconds, peak })
}
