//! `cargo xtask bench`: figures of the real programs, each beside a primitive of the same run.
//!
//! It owns what is measured and in which order. Everything is bounded in count, stays on the loopback
//! interface and stops by itself; the only processes that are ended are those started here.
//!
//! Source: docs/performance.md says what each figure means and what limits it.

pub mod context;
pub mod figures;
pub mod hook;
pub mod log;
pub mod organisation;
pub mod pack;
pub mod programs;

use std::fs;
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

use crate::apt::{self, Use};
use crate::bench::figures::Figures;
use crate::bench::programs::{Profile, Programs};
use crate::context::Context;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Events per second through one server.
    Log,
    /// Latency that the hook adds to a tool call.
    Hook,
    /// Capture of posture and process ancestry.
    Context,
    /// Writing and verifying an evidence pack over the log of `log`.
    Pack,
}

/// How the benchmark was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// One part, or all.
    pub part: Option<Part>,
    /// One JSON object a line on standard output; everything else goes to standard error.
    pub json: bool,
    /// Optimised programs instead of the everyday profile.
    pub release: bool,
}

/// Builds the programs, measures, prints; true means that everything was measured.
///
/// # Errors
/// Something could not be built or started, or answered wrongly: a rate over failures means nothing.
pub fn run(context: &Context, options: &Options) -> Result<bool> {
    if !options.json {
        apt::provide(context, &[Use::Build, Use::Demo])?;
    }
    let profile = if options.release {
        Profile::Release
    } else {
        Profile::Dev
    };
    let programs = programs::build(context, profile)?;
    let root = std::env::temp_dir().join(format!("cairn-bench-{}", std::process::id()));
    fs::create_dir_all(&root)?;
    let mut figures = Figures::default();
    figures.add("machine.load_before", load()?, "");
    let measured = measure(&programs, options.part, &root, &mut figures);
    fs::remove_dir_all(&root)?;
    measured?;
    figures.print(options.json);
    Ok(true)
}

/// Processes that wanted a core during the last minute: well above zero, others share the machine and
/// only ratios mean something.
fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().unwrap_or_default();
    Ok(first.parse()?)
}

fn measure(
    programs: &Programs,
    part: Option<Part>,
    root: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let wanted = |one: Part| part.is_none_or(|part| part == one);
    if wanted(Part::Log) || wanted(Part::Pack) {
        eprintln!("bench: events through one server");
        let folder = root.join("log");
        let loaded = log::measure(programs, &folder, figures)?;
        if wanted(Part::Pack) {
            eprintln!("bench: an evidence pack over that log");
            pack::measure(programs, &folder, &loaded, figures)?;
        }
    }
    if wanted(Part::Hook) {
        eprintln!("bench: hook calls");
        hook::measure(programs, &root.join("hook"), figures)?;
    }
    if wanted(Part::Context) {
        eprintln!("bench: posture and ancestry");
        context::measure(programs, figures)?;
    }
    Ok(())
}
