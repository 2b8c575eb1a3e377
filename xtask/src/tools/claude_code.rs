//! Claude Code: the coding agent whose hooks and rules the suites drive, in one pinned version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::is_at_least;
use crate::context::Context;
use crate::process::{self, Process};

/// The version whose hook protocol and rule verdicts were observed and are tested against.
const VERSION: &str = "2.1.330";
const PACKAGE: &str = "@anthropic-ai/claude-code";

/// The program itself, from the package for this platform: npm runs no install scripts unasked, so the
/// link that the package's own script would make cannot be relied on.
const PROGRAM: &str = "node_modules/@anthropic-ai/claude-code-linux-x64/claude";

/// The `claude` program in the cache; `None` without Node.
///
/// A `claude` elsewhere on the machine is left alone: its version is somebody else's choice.
///
/// # Errors
/// npm cannot install it.
pub fn claude_code(context: &Context, node: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let folder = context.cache.claude_code();
    let program = folder.join(PROGRAM);
    let found = process::answer(&program, &["--version"]);
    if found.is_some_and(|text| text.split_whitespace().next() == Some(VERSION)) {
        return Ok(Some(program));
    }
    let Some(node) = node else { return Ok(None) };
    install(context, &node, &folder, VERSION)
}

/// Another version beside the pinned one, by number or by npm's word for it, such as `latest`.
///
/// # Errors
/// npm cannot install it, or it does not start.
pub fn other(context: &Context, node: &Path, version: &str) -> Result<PathBuf> {
    let folder = context.cache.tool("claude-code", version);
    let program = install(context, node, &folder, version)?;
    program.with_context(|| format!("Claude Code {version} does not say its version"))
}

fn install(
    context: &Context,
    node: &Path,
    folder: &Path,
    version: &str,
) -> Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let title = format!("install Claude Code {version}");
    Process::new(context, title, node.join("npm"))
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--save-exact",
            "--prefix",
        ])
        .args([folder])
        .args([format!("{PACKAGE}@{version}")])
        .path_first(&[node.to_owned()])
        .pulse("downloading")
        .must()?;
    let program = folder.join(PROGRAM);
    let works = process::answer(&program, &["--version"]);
    Ok(works
        .filter(|text| is_at_least(text, (2, 1)))
        .map(|_| program))
}
