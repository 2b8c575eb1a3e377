//! The command line of `cargo xtask`: it parses, calls the library and turns the outcome into an exit
//! code. It owns no step itself.
//!
//! Source: CONTRIBUTING.md, "set-up".

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::context::Context;
use xtask::steps::Step;

/// Set-up, checks and tests of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that continuous integration checks.
    Test {
        /// Run only these steps; see `--list`.
        #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',')]
        only: Vec<Step>,
        /// List the steps and the suites, and stop.
        #[arg(long)]
        list: bool,
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Install what the build, the demo and the tests need, and stop.
    Setup {
        /// Install without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Run the main job end to end and tell it as it happens.
    Demo {
        /// End with an exit code instead of staying up.
        #[arg(long)]
        once: bool,
        /// Keep everything in this new folder.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<std::path::PathBuf>,
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Measure the real programs, each figure beside a primitive of the same run.
    Bench {
        /// Only this part; all without one.
        part: Option<xtask::bench::Part>,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
        /// Measure optimised programs.
        #[arg(long)]
        release: bool,
        /// Entries that `scale` grows a log to.
        #[arg(long, default_value_t = xtask::bench::scale::ENTRIES)]
        entries: u64,
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Compare policy verdicts with those of a real coding agent, on fresh rules and calls.
    Conformance {
        /// The agent.
        #[command(subcommand)]
        agent: Agent,
    },
    /// Run the fault campaigns for minutes; every run ends by itself.
    Soak {
        /// Only this campaign; all without one.
        campaign: Option<xtask::soak::Campaign>,
        /// Minutes for each campaign.
        #[arg(long, default_value_t = xtask::soak::MINUTES)]
        minutes: u64,
        /// The first seed of the simulation.
        #[arg(long)]
        seed: Option<u64>,
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Check the rules of the house that a compiler does not.
    Tidy,
}

#[derive(Subcommand)]
enum Agent {
    /// Claude Code; exit code 1 where Cairn is wider on any call.
    Claude {
        /// Repeat the rules and calls of this seed.
        #[arg(long)]
        seed: Option<u64>,
        /// How many calls.
        #[arg(long, default_value_t = 400)]
        cases: usize,
        /// Another version than the pinned one.
        #[arg(long, value_name = "PROGRAM")]
        claude: Option<std::path::PathBuf>,
        /// Ask this version too, for example `latest`, and report what it decides otherwise.
        #[arg(long, value_name = "VERSION")]
        against: Option<String>,
        /// A built `cairn`, instead of building one.
        #[arg(long, value_name = "PROGRAM")]
        cairn: Option<std::path::PathBuf>,
        /// Write every call with both verdicts, a JSON object a line.
        #[arg(long, value_name = "FILE")]
        out: Option<std::path::PathBuf>,
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test { list: true, .. } => Ok(xtask::test::list()),
        Command::Test { only, yes, .. } => {
            Context::new(yes).and_then(|context| xtask::test::run(&context, &only))
        }
        Command::Setup { yes } => {
            Context::new(yes).and_then(|context| xtask::steps::setup(&context))
        }
        Command::Demo { once, keep, yes } => Context::new(yes)
            .and_then(|context| xtask::demo::run(&context, &xtask::demo::Options { once, keep })),
        Command::Bench {
            part,
            json,
            release,
            entries,
            yes,
        } => {
            let options = xtask::bench::Options {
                part,
                json,
                release,
                entries,
            };
            Context::new(yes).and_then(|context| xtask::bench::run(&context, &options))
        }
        Command::Conformance { agent } => compare(agent),
        Command::Soak {
            campaign,
            minutes,
            seed,
            yes,
        } => {
            let options = xtask::soak::Options {
                campaign,
                minutes,
                seed,
            };
            Context::new(yes).and_then(|context| xtask::soak::run(&context, &options))
        }
        Command::Tidy => xtask::tidy::print(&xtask::context::checkout()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(agent: Agent) -> anyhow::Result<bool> {
    let Agent::Claude {
        seed,
        cases,
        claude,
        against,
        cairn,
        out,
        yes,
    } = agent;
    let options = xtask::conformance::Options {
        seed,
        cases,
        claude,
        against,
        cairn,
        out,
    };
    let context = Context::new(yes)?;
    xtask::conformance::run(&context, &options)
}
