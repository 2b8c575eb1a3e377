//! `cargo xtask soak`: the fault campaigns of the tests, for minutes instead of seconds.
//!
//! It owns how long each campaign runs and in which order. The campaigns themselves are the tests in
//! `tests/faults`: the same code, told by `CAIRN_SOAK_SECONDS` to go on, so a soak finds nothing that an
//! ordinary test run could not replay. Every run ends by itself.
//!
//! Source: docs/reliability.md says what each campaign covers and holds the last result.

mod fuzz;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::ValueEnum;

use crate::apt::{self, Use};
use crate::context::Context;
use crate::process::Process;

/// Minutes where none are asked for: enough for thousands of seeds on two cores.
pub const MINUTES: u64 = 15;

/// What can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Campaign {
    /// Server, witnesses and agents in virtual time, seed after seed.
    Sim,
    /// One system call after the other fails or kills the server.
    Calls,
    /// A power cut after every acknowledgement and every sync.
    Power,
    /// Every kind of damage in every class of file.
    Damage,
    /// Every parser of foreign bytes under a fuzzer.
    Fuzz,
}

impl Campaign {
    const ALL: [Self; 5] = [
        Self::Sim,
        Self::Calls,
        Self::Power,
        Self::Damage,
        Self::Fuzz,
    ];

    /// The tests of `tests/faults` that are the campaign; the fuzzers are programs of their own.
    fn tests(self) -> Option<&'static str> {
        match self {
            Self::Sim => Some("sim::soak::i1_"),
            Self::Calls => Some("process::injection::"),
            Self::Power => Some("process::power::"),
            Self::Damage => Some("process::damage::"),
            Self::Fuzz => None,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Sim => "simulation",
            Self::Calls => "system calls",
            Self::Power => "power cuts",
            Self::Damage => "damage",
            Self::Fuzz => "fuzzers",
        }
    }
}

/// How a soak was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// One campaign, or all.
    pub campaign: Option<Campaign>,
    /// Minutes for each campaign that is not done before.
    pub minutes: u64,
    /// The first seed; a fresh one, which is printed, without it.
    pub seed: Option<u64>,
}

/// Runs the campaigns one after the other; true means that each held.
///
/// # Errors
/// The programs cannot be built or the tests cannot be started.
pub fn run(context: &Context, options: &Options) -> Result<bool> {
    apt::provide(context, &[Use::Build, Use::Tests])?;
    // The fuzzers build what they run by themselves.
    if options.campaign != Some(Campaign::Fuzz) {
        Process::new(context, "build the programs", "cargo")
            .args(["build", "--workspace", "--bins", "--examples"])
            .pulse("compiling")
            .must()?;
    }
    let seed = options.seed.unwrap_or_else(fresh_seed);
    println!("first seed: {seed}");
    let mut held = true;
    for campaign in Campaign::ALL {
        if options.campaign.is_none_or(|wanted| wanted == campaign) {
            held &= soak(context, campaign, options.minutes, seed)?;
        }
    }
    Ok(held)
}

fn soak(context: &Context, campaign: Campaign, minutes: u64, seed: u64) -> Result<bool> {
    let seconds = minutes.saturating_mul(60);
    let Some(tests) = campaign.tests() else {
        return fuzz::run(context, seconds);
    };
    // One test at a time: the campaigns measure nothing, but their time limits are real.
    Process::new(context, format!("soak: {}", campaign.title()), "cargo")
        .args(["test", "--workspace", "--test", "faults", "--"])
        .args([tests, "--nocapture", "--test-threads=1"])
        .env("CAIRN_SOAK_SECONDS", seconds.to_string())
        .env("CAIRN_SOAK_SEED", seed.to_string())
        .pulse(campaign.title())
        .run()
}

/// A seed nobody has chosen: the time, which is as good as any because it is printed.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_campaign_is_a_test_that_exists() {
        let faults = crate::context::checkout().join("tests/faults");
        for campaign in Campaign::ALL {
            let Some(tests) = campaign.tests() else {
                continue;
            };
            let mut path: Vec<&str> = tests.split("::").collect();
            let name = path.pop().unwrap();
            let file = faults.join(path.join("/")).with_extension("rs");
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.contains(&format!("fn {name}")), "{}", file.display());
        }
    }
}
