//! Codex: the second coding agent that Cairn governs, in one pinned version.

use std::path::PathBuf;

use anyhow::Result;

use crate::context::Context;
use crate::process::{self, Process};

/// The version whose hooks were observed and are tested against.
const VERSION: &str = "0.169.0";
const PACKAGE: &str = "@openai/codex";

/// The program itself, from the package for this platform.
const PROGRAM: &str =
    "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";

/// The `codex` program in the cache; `None` without Node.
///
/// # Errors
/// npm cannot install it.
pub fn codex(context: &Context, node: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let folder = context.cache.codex();
    let program = folder.join(PROGRAM);
    let is_pinned = || {
        let answer = process::answer(&program, &["--version"]);
        answer.is_some_and(|text| text.split_whitespace().last() == Some(VERSION))
    };
    if is_pinned() {
        return Ok(Some(program));
    }
    let Some(node) = node else { return Ok(None) };
    std::fs::create_dir_all(&folder)?;
    Process::new(
        context,
        format!("install Codex {VERSION}"),
        node.join("npm"),
    )
    .args([
        "install",
        "--no-audit",
        "--no-fund",
        "--save-exact",
        "--prefix",
    ])
    .args([&folder])
    .args([format!("{PACKAGE}@{VERSION}")])
    .path_first(&[node])
    .pulse("downloading")
    .must()?;
    Ok(is_pinned().then_some(program))
}
