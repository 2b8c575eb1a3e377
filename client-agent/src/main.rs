//! The program `cairn`: the developer's and the administrator's commands; and, called by
//! its other name, Claude Code's policy helper.

use clap::Parser;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_name() == Some(cairn_agent::managed::HELPER_NAME.as_ref()) {
        return cairn_agent::cli::policy_helper();
    }
    cairn_agent::cli::main(cairn_agent::cli::Arguments::parse())
}
