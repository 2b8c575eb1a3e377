//! `cargo xtask demo`: the main job from nothing to a verified evidence pack, told as it happens.
//!
//! It owns the order of the story and what is claimed. Every claim is checked on files, processes or
//! by another program; a claim that does not hold fails the demo.

pub mod enrolment;
pub mod errand;
pub mod evidence;
pub mod form;
pub mod infrastructure;
pub mod live;
pub mod programs;
pub mod recorded;
pub mod rules;
pub mod scene;
pub mod story;
mod tell;
mod tell_evidence;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::apt::{self, Use};
use crate::console;
use crate::context::Context;
use crate::demo::errand::Tools;
use crate::demo::programs::Programs;
use crate::demo::story::Story;
use crate::tools::{Need, Toolbox};

/// How the demo was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// End with an exit code instead of staying up.
    pub once: bool,
    /// Keep everything in this folder instead of a temporary one.
    pub keep: Option<PathBuf>,
}

/// Which agent is driven.
#[derive(Clone, Debug)]
pub enum Mode {
    /// The real Claude Code.
    Real(PathBuf),
    /// Recorded hook payloads through the real hook, because Claude Code is not to be had.
    Recorded,
}

/// Installs, builds, tells the story; true means that every claim held.
///
/// # Errors
/// Something could not be installed, built or started.
pub fn run(context: &Context, options: &Options) -> Result<bool> {
    apt::provide(context, &[Use::Build, Use::Demo])?;
    let toolbox = Toolbox::new(context);
    let python = toolbox
        .get(Need::Python)
        .context("the demo needs Python 3")?;
    let mode = match toolbox.get(Need::ClaudeCode) {
        Some(path) => Mode::Real(path),
        None => Mode::Recorded,
    };
    console::build(context, &toolbox)?;
    let programs = programs::build(context)?;
    let root = match &options.keep {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("cairn-demo-{}", std::process::id())),
    };
    if root.exists() {
        bail!(
            "`{}` exists; the demo begins in a new folder",
            root.display()
        );
    }
    fs::create_dir_all(&root)?;
    let tools = tools(context, &programs, &mode, python);
    let told = tell::story(&programs, &tools, &mode, &root, options.once);
    if options.keep.is_none() && told.is_ok() {
        fs::remove_dir_all(&root)?;
    }
    conclude(&told.with_context(|| format!("everything is left in `{}`", root.display()))?)
}

fn tools(context: &Context, programs: &Programs, mode: &Mode, python: PathBuf) -> Tools {
    let claude = match mode {
        Mode::Real(path) => path.clone(),
        Mode::Recorded => PathBuf::new(),
    };
    Tools {
        cairn: programs.dist.join("cairn"),
        claude,
        python,
        model: context.checkout.join("tests/claude/stub_messages_api.py"),
    }
}

fn conclude(story: &Story) -> Result<bool> {
    println!("\nOf the claims of this story:");
    for claim in story.failed() {
        println!("  failed: {claim}");
    }
    println!("{} passed, {} failed", story.held(), story.failed().len());
    Ok(story.failed().is_empty())
}
