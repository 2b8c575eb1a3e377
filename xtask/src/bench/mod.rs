//! `cargo xtask bench`: figures of the real programs, each beside a primitive of the same run.
//!
//! It owns what is measured and in which order. Everything is bounded in count, stays on the loopback
//! interface and stops by itself; the only processes that are ended are those started here.
//!
//! Source: docs/performance.md says what each figure means and what limits it.

pub mod audit;
pub mod context;
pub mod figures;
pub mod hook;
pub mod log;
pub mod organisation;
pub mod pack;
pub mod policy;
pub mod programs;
pub mod scale;
pub mod tessera;
pub mod witness;

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
    /// Cosignatures of one witness that serves ten thousand logs.
    Witness,
    /// Decisions, `hook`, the way of a policy change to many agents, and the daemon at rest.
    Policy,
    /// Capture of posture and process ancestry.
    Context,
    /// Auditing the log of `log`, and writing and verifying an evidence pack over it.
    Pack,
    /// `log`, and the same raw load through Tessera; only by name.
    Tessera,
    /// A log that grows from empty; only by name.
    Scale,
}

impl Part {
    /// Whether the part is measured when none is named: what needs another language's tools, or
    /// grows with a number that somebody gives, is not.
    fn is_usual(self) -> bool {
        !matches!(self, Self::Tessera | Self::Scale)
    }

    /// Whether the log and what loads it are all that the part needs.
    fn is_about_the_log(self) -> bool {
        matches!(
            self,
            Self::Log | Self::Tessera | Self::Scale | Self::Witness
        )
    }
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
    /// Entries that `scale` grows a log to.
    pub entries: u64,
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
    let programs = programs::build(context, profile, options.part)?;
    let root = std::env::temp_dir().join(format!("cairn-bench-{}", std::process::id()));
    fs::create_dir_all(&root)?;
    let mut figures = Figures::default();
    figures.add("machine.load_before", load()?, "");
    let measured = measure(context, &programs, options, &root, &mut figures);
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
    context: &Context,
    programs: &Programs,
    options: &Options,
    root: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let part = options.part;
    let wanted = |one: Part| part.map_or(one.is_usual(), |part| part == one);
    if wanted(Part::Log) || wanted(Part::Pack) || wanted(Part::Tessera) {
        eprintln!("bench: events through one server");
        let folder = root.join("log");
        let loaded = log::measure(programs, &folder, figures)?;
        if wanted(Part::Pack) {
            eprintln!("bench: an audit of that log");
            audit::measure(programs, &folder, &loaded, figures)?;
            eprintln!("bench: an audit of a log of many chains");
            audit::measure_chains(programs, &folder, figures)?;
            eprintln!("bench: an evidence pack over it");
            pack::measure(programs, &folder, &loaded, figures)?;
        }
    }
    if wanted(Part::Tessera) {
        eprintln!("bench: the same load through Tessera");
        tessera::measure(context, programs, &root.join("tessera"), figures)?;
    }
    if wanted(Part::Scale) {
        eprintln!("bench: a log that grows to {} entries", options.entries);
        scale::measure(programs, &root.join("scale"), options.entries, figures)?;
    }
    let policy = wanted(Part::Policy);
    if policy || wanted(Part::Hook) {
        eprintln!("bench: hook calls");
        hook::measure(programs, &root.join("hook"), policy, figures)?;
    }
    if policy {
        eprintln!("bench: decisions, and a change of policy");
        policy::measure(programs, &root.join("policy"), figures)?;
    }
    if wanted(Part::Witness) {
        eprintln!("bench: one witness of many logs");
        witness::measure(programs, &root.join("witness"), figures)?;
    }
    if wanted(Part::Context) {
        eprintln!("bench: posture and ancestry");
        context::measure(programs, figures)?;
    }
    Ok(())
}
