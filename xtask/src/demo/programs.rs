//! The programs of the demo: built once, with the console inside and a static hook.
//!
//! It owns which packages are built and how. The installer's folder holds copies of two of them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::process::Process;

/// The same selection as the tests', because cargo chooses features by selection and would compile
/// half of the tree a second time for another one; the examples are what brings in the tests' own.
pub const SELECTION: [&str; 4] = ["build", "--workspace", "--bins", "--examples"];

/// What the hook is linked with: no dynamic loader, so that `LD_PRELOAD` and `LD_AUDIT` from a
/// settings file have nothing to act on.
pub const STATIC: &str = "build.rustflags=[\"-C\", \"target-feature=+crt-static\"]";

/// Where the built programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Folder of `cairn-server` and the others.
    pub folder: PathBuf,
    /// Folder that the server hands out: `cairn` and the static `cairn-hook`.
    pub dist: PathBuf,
}

/// Builds everything and fills the installer's folder.
///
/// # Errors
/// A build fails.
pub fn build(context: &Context) -> Result<Programs> {
    Process::new(context, "build the programs", "cargo")
        .args(SELECTION)
        .pulse("RocksDB takes about 25 minutes of CPU time the first time")
        .must()?;
    let hook_target = context.cache.hook_target();
    Process::new(context, "build the static hook", "cargo")
        .args([
            "build",
            "-p",
            "cairn-hook",
            "--release",
            "--config",
            STATIC,
            "--target-dir",
        ])
        .args([&hook_target])
        .must()?;
    let folder = context.cache.programs();
    let dist = context.cache.root().join("dist");
    fs::create_dir_all(&dist)?;
    for (from, name) in [
        (folder.join("cairn"), "cairn"),
        (hook_target.join("release/cairn-hook"), "cairn-hook"),
    ] {
        // A running program cannot be written to, only replaced.
        let fresh = dist.join(format!("{name}.new"));
        fs::copy(&from, &fresh).with_context(|| from.display().to_string())?;
        fs::rename(&fresh, dist.join(name))?;
    }
    Ok(Programs { folder, dist })
}
