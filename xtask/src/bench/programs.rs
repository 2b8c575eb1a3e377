//! The programs that are measured: the product's own, the static hook, and what makes the load.
//!
//! It owns which packages are built and in which profile. Cargo's output goes to standard error.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::bench::Part;
use crate::context::Context;
use crate::demo::programs::{SELECTION, STATIC};
use crate::process::Process;

/// How the programs are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The everyday profile: signatures, hashes and RocksDB optimised, everything else a little.
    Dev,
    /// What is shipped.
    Release,
}

/// Where the built programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// The hook as it is installed: static, and optimised in both profiles.
    pub hook: PathBuf,
}

impl Programs {
    /// A program of the product.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program that makes load.
    #[must_use]
    pub fn example(&self, name: &str) -> PathBuf {
        self.folder.join("examples").join(name)
    }
}

/// The server, its witnesses, what founds an organisation, and the load.
const ABOUT_THE_LOG: [&str; 11] = [
    "build",
    "-p",
    "cairn-server",
    "-p",
    "cairn-witness",
    "-p",
    "cairn-agent",
    "-p",
    "cairn-tests",
    "--bins",
    "--examples",
];

/// Builds what a part, or all of them, needs. The everyday profile builds all in any case: it is there.
///
/// # Errors
/// A build fails; cargo said why.
pub fn build(context: &Context, profile: Profile, part: Option<Part>) -> Result<Programs> {
    let little = part.is_some_and(Part::is_about_the_log);
    let mut words = match profile {
        Profile::Release if little => ABOUT_THE_LOG.to_vec(),
        _ => SELECTION.to_vec(),
    };
    let folder = match profile {
        Profile::Dev => context.cache.programs(),
        Profile::Release => {
            words.push("--release");
            context.cache.target().join("release")
        }
    };
    let programs = Process::new(context, "the measured programs", "cargo").args(words);
    must(programs.into_command())?;
    let target = context.cache.hook_target();
    let hook = target.join("release/cairn-hook");
    if little {
        return Ok(Programs { folder, hook });
    }
    let build = Process::new(context, "the static hook", "cargo")
        .args(["build", "-p", "cairn-hook", "--release", "--config", STATIC])
        .args(["--target-dir".as_ref(), target.as_os_str()]);
    must(build.into_command())?;
    Ok(Programs { folder, hook })
}

fn must(mut cargo: Command) -> Result<()> {
    if cargo.status()?.success() {
        Ok(())
    } else {
        bail!("the programs that are measured cannot be built")
    }
}
