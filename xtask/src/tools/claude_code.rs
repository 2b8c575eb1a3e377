//! Claude Code: the coding agent whose hooks and rules the suites drive, in one pinned version.

use std::path::PathBuf;

use anyhow::Result;

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
    std::fs::create_dir_all(&folder)?;
    Process::new(
        context,
        format!("install Claude Code {VERSION}"),
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
    let works = process::answer(&program, &["--version"]);
    Ok(works
        .filter(|text| is_at_least(text, (2, 1)))
        .map(|_| program))
}
