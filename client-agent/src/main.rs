//! The program `cairn`: the developer's and the administrator's commands.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cairn_agent::cli::main(cairn_agent::cli::Arguments::parse())
}
