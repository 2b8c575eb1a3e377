//! The commands of `cairn`.
//!
//! Owns which command does what, and what is printed of a failure. Does not own what the commands do, nor
//! how they are typed (`command`, `administration`).

mod admin;
mod administration;
mod closing;
mod command;
mod daemon;
mod doctor;
mod enroll;
mod explain;
mod founding;
mod managed;
mod mcp;
mod org;
mod pipe;
mod policy;
mod pruning;
mod receipts;
mod status;
mod subject;
mod succession;
mod why;

use crate::state::StateDir;
use clap::Parser;
use std::io::IsTerminal;
use std::process::ExitCode;

pub use administration::{AdminArguments, OrgCommand, PolicyCommand};
pub use command::{
    Command, DaemonCommand, EnrollArguments, InstallArguments, McpCommand, UninstallArguments,
};
pub use policy::HaltArguments;
pub use why::WhyArguments;

/// A trust layer for AI coding agents: each action is decided, recorded and provable.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Print JSON where the command has a machine form.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "First steps for a developer:\n  \
    cairn enroll --server https://cairn.example.com\n  cairn claude, or cairn codex\n\n\
    First steps for an administrator:\n  \
    cairn org create --server-keys server-keys.json --name Example --out admin\n  \
    cairn org person-add --admin admin --server URL --email ann@example.com\n  \
    cairn policy apply --admin admin --server URL policy.yaml\n\n\
    The state folder is $CAIRN_HOME, or $XDG_STATE_HOME/cairn, or ~/.local/state/cairn.";

/// Answers Claude Code as its policy helper: settings on standard output, or a sentence and an exit code
/// that keeps it from starting.
pub fn policy_helper() -> ExitCode {
    match crate::managed::help() {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell!("Cairn: {error}");
            ExitCode::from(HELPER_REFUSES)
        }
    }
}

/// Exit code with which the policy helper keeps the agent from starting.
const HELPER_REFUSES: u8 = 3;

/// Runs a command and prints what went wrong.
pub fn main(arguments: Arguments) -> ExitCode {
    let foreground = matches!(
        arguments.command,
        Command::Daemon {
            command: DaemonCommand::Run
        }
    );
    // The daemon must outlive whoever started it and read its first line.
    if !foreground {
        pipe::end_quietly_when_closed();
    }
    let level = if foreground { "info" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CAIRN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // The daemon's diagnostics usually go to a file.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            tell!("cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let json = arguments.json;
    match arguments.command {
        Command::Org { command } => block_on(org::run(command, json)),
        Command::Policy { command } => {
            let done = block_on_any(policy::run(&command, json))?;
            match done {
                Some(code) => Ok(code),
                None => policy::show(&StateDir::from_environment()?, json),
            }
        }
        Command::Why(arguments) if arguments.is_hypothetical() => why::run(&arguments, json),
        Command::Install(arguments) => managed::install(&arguments, json),
        Command::Uninstall(arguments) => managed::uninstall(&arguments, json),
        other => {
            let state = StateDir::from_environment()?;
            with_state(other, &state, json)
        }
    }
}

fn with_state(command: Command, state: &StateDir, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        Command::Enroll(arguments) => block_on(enroll::run(state, &arguments, json)),
        Command::Claude { words } => match crate::wrapper::claude(state, &words)? {},
        Command::Codex { words } => match crate::wrapper::codex(state, &words)? {},
        Command::Status => status::run(state, json),
        Command::Doctor => doctor::run(state),
        Command::Canary => managed::canary(state, json),
        // Handled where no state is needed; here for the sake of the whole list.
        Command::Install(arguments) => managed::install(&arguments, json),
        Command::Uninstall(arguments) => managed::uninstall(&arguments, json),
        Command::Log { verify, limit } => receipts::run(state, verify, limit, json),
        Command::Why(arguments) => match &arguments.what {
            Some(what) => block_on(explain::run(state, what, json)),
            None => anyhow::bail!("say which decision, or give a call with `--call`"),
        },
        Command::Daemon { command } => daemon::run(state, &command),
        // Handled where no state is needed; here for the sake of the whole list.
        Command::Policy { command: _ } => policy::show(state, json),
        Command::Mcp {
            command: McpCommand::List,
        } => mcp::list(state, json),
        Command::Org { command } => block_on(org::run(command, json)),
    }
}

fn block_on(task: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    block_on_any(task)
}

fn block_on_any<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(task)
}

/// A time for people, in UTC and to the second; `None` for one that no calendar has.
fn moment(ms: u64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(format!("{moment:.0}"))
}

/// Prints a value as indented JSON.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
