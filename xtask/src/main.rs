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
        /// Install what is missing without asking.
        #[arg(long, short)]
        yes: bool,
    },
    /// Check the rules of the house that a compiler does not.
    Tidy,
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
            yes,
        } => {
            let options = xtask::bench::Options {
                part,
                json,
                release,
            };
            Context::new(yes).and_then(|context| xtask::bench::run(&context, &options))
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
