//! An evidence pack over the whole log of the load: written, sized, verified offline.
//!
//! It owns the timing. `cairn-export` verifies all it writes, so its time holds one verification.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::bench::figures::Figures;
use crate::bench::log::VERIFY;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::demo::evidence::files;
use crate::demo::infrastructure::run;

/// Writes and verifies a pack over everything that is published, confidential members withheld, and
/// writes another with them.
///
/// # Errors
/// A program fails; the message holds what it said.
pub fn measure(
    programs: &Programs,
    root: &Path,
    organisation: &Organisation,
    figures: &mut Figures,
) -> Result<()> {
    let pack = root.join("pack");
    let size = figures.value("log.size")?;
    let mut export = export(programs, organisation, &pack);
    let (rows, elapsed) = timed_rows(export.args(["--to", &format!("{size:.0}")]))?;
    figures.add("pack.write", rows / elapsed, "rows/s");
    figures.compare("pack.write", VERIFY)?;

    let mut bytes = 0;
    for file in files(&pack)? {
        bytes += fs::metadata(pack.join(file))?.len();
    }
    figures.add("pack.size", bytes as f64 / rows, "bytes/event");
    figures.compare("pack.size", "log.event.entry")?;

    let mut verify = Command::new(programs.program("cairn-audit"));
    verify.arg("verify").arg(&pack);
    trust(&mut verify, organisation);
    let begun = Instant::now();
    run(&mut verify)?;
    let rate = rows / begun.elapsed().as_secs_f64();
    figures.add("pack.verify", rate, "rows/s");
    figures.compare("pack.verify", VERIFY)?;

    let token = root.join("token.txt");
    let mut ask = organisation.administrator(programs, &["org", "token"]);
    run(ask.arg("--out").arg(&token))?;
    let mut export = self::export(programs, organisation, &root.join("disclosed"));
    export.args(["--to", &format!("{size:.0}")]);
    let (rows, elapsed) = timed_rows(export.arg("--token-file").arg(&token))?;
    figures.add("pack.write_disclosed", rows / elapsed, "rows/s");
    figures.add("pack.write_disclosed.rows", rows, "rows");
    figures.compare("pack.write_disclosed", VERIFY)
}

/// A pack from the beginning of the log; the caller says where it ends.
fn export(programs: &Programs, organisation: &Organisation, out: &Path) -> Command {
    let mut command = Command::new(programs.program("cairn-export"));
    command.args(["pack", "--server", &organisation.server, "--from", "0"]);
    command.arg("--out").arg(out);
    trust(&mut command, organisation);
    command
}

fn trust(command: &mut Command, organisation: &Organisation) {
    command
        .arg("--trust-policy")
        .arg(&organisation.trust_policy)
        .args(["--genesis-hash", &organisation.genesis]);
}

/// Runs an export and gives the rows that it says it wrote, and its seconds.
fn timed_rows(command: &mut Command) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let said = run(command)?;
    let elapsed = begun.elapsed().as_secs_f64();
    // `rows 0 to 1102 of cairn.bench/acme`
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("rows 0 to "));
    let rows = line.and_then(|line| line.split(' ').next());
    let rows = rows.with_context(|| format!("no rows in\n{said}"))?;
    Ok((rows.parse()?, elapsed))
}
