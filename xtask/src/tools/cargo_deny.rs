//! cargo-deny: checks licences, bans and sources; compiled into the cache once per version.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::context::Context;
use crate::process::{self, Process};

const VERSION: &str = "0.20.2";

/// The `cargo-deny` program in the cache.
///
/// It is compiled without optimisation: that takes about two CPU-minutes instead of more than ten, and
/// one check of this workspace takes five seconds with it. Its build output is removed afterwards.
///
/// # Errors
/// cargo cannot install it, or its build output cannot be removed.
pub fn cargo_deny(context: &Context) -> Result<PathBuf> {
    let folder = context.cache.tool("cargo-deny", VERSION);
    let program = folder.join("bin/cargo-deny");
    let version = process::answer(&program, &["--version"]);
    if version.is_some_and(|text| text.ends_with(VERSION)) {
        return Ok(program);
    }
    let output = context.cache.target().join("cargo-deny");
    Process::new(context, format!("compile cargo-deny {VERSION}"), "cargo")
        .args([
            "install",
            "cargo-deny",
            "--version",
            VERSION,
            "--locked",
            "--debug",
            "--root",
        ])
        .args([&folder])
        .env("CARGO_TARGET_DIR", &output)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .pulse("cargo-deny is compiled once and takes one to three minutes")
        .must()?;
    fs::remove_dir_all(&output)?;
    Ok(program)
}
