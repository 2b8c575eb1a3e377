//! One witness of many logs: how long a durable cosignature takes, and the memory of the witness.
//!
//! It owns the process and what is compared with what. The load itself is
//! `tests/examples/bench_witness.rs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::bench::figures::Figures;
use crate::bench::programs::Programs;
use crate::bench::scale::{MIB, resident};
use crate::demo::infrastructure::run;
use crate::demo::live::Live;

/// As many logs as a witness serves.
const LOGS: &str = "10000";

/// Milliseconds that a cosignature may take at p99 beside two syncs.
const SURPLUS_MS: f64 = 1.0;

/// Starts the witness, loads it, and ends it.
///
/// # Errors
/// A program fails, or an answer is no cosignature.
pub fn measure(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<()> {
    fs::create_dir_all(root)?;
    let program = programs.program("cairn-witness");
    let load = programs.example("bench_witness");
    run(Command::new(&program)
        .args(["init", "--name", "witness.bench/many", "--out"])
        .arg(root))?;
    let logs = run(Command::new(&load).args(["config", LOGS]))?;
    let config = root.join("witness.toml");
    fs::write(&config, format!("listen = \"127.0.0.1:0\"\n{logs}"))?;
    let mut serve = Command::new(&program);
    serve
        .args(["serve", "--new-state", "--config"])
        .arg(&config);
    serve.arg("--key").arg(root.join("witness.key"));
    serve.arg("--db").arg(root.join("state.redb"));
    let witness = Live::start("cairn-witness", &mut serve, &root.join("witness.txt"))?;
    let mut load = Command::new(&load);
    load.args(["load", witness.address()?, LOGS]);
    figures.add_lines(&run(load.arg(root.join("bare-writes")))?)?;
    let memory = resident(witness.pid(), "VmHWM")? / MIB;
    figures.add("witness.resident.peak", memory, "MiB");
    for percent in ["p50", "p99"] {
        let bare = format!("primitive.fdatasync.{percent}");
        for name in ["witness.first_of_each_log", "witness.add_checkpoint"] {
            figures.compare(&format!("{name}.{percent}"), &bare)?;
        }
    }
    let limit = 2.0 * figures.value("primitive.fdatasync.p99")? + SURPLUS_MS;
    figures.add("limit.witness.add_checkpoint.p99", limit, "ms");
    Ok(())
}
