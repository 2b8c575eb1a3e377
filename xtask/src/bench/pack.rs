//! An evidence pack over the whole log of the load: written, sized, verified offline.
//!
//! It owns the timing. `cairn-export` verifies all it writes, so its time holds one verification.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::log::VERIFY;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::demo::evidence::files;
use crate::demo::infrastructure::run;

/// Writes and verifies a pack over everything that is published.
///
/// # Errors
/// A program fails; the message holds what it said.
pub fn measure(
    programs: &Programs,
    root: &Path,
    organisation: &Organisation,
    figures: &mut Figures,
) -> Result<()> {
    let (pack, token) = (root.join("pack"), root.join("token.txt"));
    let mut ask = organisation.administrator(programs, &["org", "token"]);
    run(ask.arg("--out").arg(&token))?;
    let rows = figures.value("log.size")?;
    let trusted = |command: &mut Command| {
        command
            .arg("--trust-policy")
            .arg(&organisation.trust_policy)
            .args(["--genesis-hash", &organisation.genesis]);
    };

    let mut export = Command::new(programs.program("cairn-export"));
    export.args(["pack", "--server", &organisation.server]);
    export.args(["--from", "0", "--to", &format!("{rows:.0}")]);
    export.arg("--token-file").arg(&token);
    export.arg("--out").arg(&pack);
    trusted(&mut export);
    let begun = Instant::now();
    run(&mut export)?;
    figures.add("pack.write", rows / begun.elapsed().as_secs_f64(), "rows/s");
    figures.compare("pack.write", VERIFY)?;

    let mut bytes = 0;
    for file in files(&pack)? {
        bytes += fs::metadata(pack.join(file))?.len();
    }
    figures.add("pack.size", bytes as f64 / rows, "bytes/event");
    figures.compare("pack.size", "log.event")?;

    let mut verify = Command::new(programs.program("cairn-audit"));
    verify.arg("verify").arg(&pack);
    trusted(&mut verify);
    let begun = Instant::now();
    run(&mut verify)?;
    let rate = rows / begun.elapsed().as_secs_f64();
    figures.add("pack.verify", rate, "rows/s");
    figures.compare("pack.verify", VERIFY)
}
