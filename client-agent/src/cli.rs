//! The commands of `cairn`.
//!
//! Owns the command line and what is printed. Does not own what the commands do.

mod admin;
mod closing;
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
mod succession;
mod why;

use crate::state::StateDir;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol this device: prints a page to open and waits until it is finished.
    Enroll(EnrollArguments),
    /// Start Claude Code under Cairn; everything after it goes to Claude Code.
    #[command(disable_help_flag = true)]
    Claude {
        /// Words for Claude Code.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Start Codex under Cairn; everything after it goes to Codex.
    #[command(disable_help_flag = true)]
    Codex {
        /// Words for Codex.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Show device, policy, record and enforcement.
    Status,
    /// Check this device and say how to repair what is wrong.
    Doctor,
    /// Put this machine under Cairn however Claude Code is started; needs root or your MDM.
    Install(InstallArguments),
    /// Take that away again; developers' own state stays.
    Uninstall(UninstallArguments),
    /// Prove that Claude Code obeys: an allowed and a denied call go through it and into the log.
    Canary,
    /// List the receipts this device holds: proof that the log has its entries.
    Log {
        /// Verify every receipt again, offline, under the pinned trust policy.
        #[arg(long)]
        verify: bool,
        /// Show only the newest so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Explain a recorded decision of this device, or what would be decided on a call: the rule that
    /// decided, the ones that lost, and what would change it.
    Why(WhyArguments),
    /// Run or stop the daemon; `cairn claude` and `cairn codex` start it on demand.
    Daemon {
        /// What to do.
        #[command(subcommand)]
        command: DaemonCommand,
    },
    /// Import, check and put policy in force.
    Policy {
        /// What to do.
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Make an organisation and change its people, teams and devices.
    Org {
        /// What to do.
        #[command(subcommand)]
        command: OrgCommand,
    },
    /// MCP servers configured here and the verdict on each.
    Mcp {
        /// What to do.
        #[command(subcommand)]
        command: McpCommand,
    },
}

/// How to enrol.
#[derive(Debug, Args)]
pub struct EnrollArguments {
    /// Address of your organisation's server.
    #[arg(long)]
    pub server: String,
    /// Do not try to open a browser; print the address only.
    #[arg(long)]
    pub no_browser: bool,
    /// Trust policy (C2SP tlog-policy) you were given; without it the server's own is pinned.
    #[arg(long)]
    pub trust_policy: Option<PathBuf>,
    /// Hash of the genesis entry you were given; without it the server's own is pinned.
    #[arg(long)]
    pub genesis_hash: Option<String>,
    /// Enrol anew although this device is enrolled.
    #[arg(long)]
    pub again: bool,
}

/// What to install.
#[derive(Debug, Args)]
pub struct InstallArguments {
    /// Install among Claude Code's managed settings, for every user of this machine.
    #[arg(long)]
    pub managed: bool,
    /// Folder that plays the machine's file system, for packages and images.
    #[arg(long)]
    pub root: Option<PathBuf>,
    /// Print what would be written and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// State folder of each user, with `{home}` and `{uid}`; the usual one where absent.
    #[arg(long)]
    pub state: Option<String>,
    /// Address at which developers who are not enrolled are told to enrol.
    #[arg(long)]
    pub server: Option<String>,
    /// Policy, YAML or JSON, for the second line in the settings file; the one in force where absent.
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// Let only the policy's own MCP servers run on this machine (`managed-mcp.json`).
    #[arg(long)]
    pub managed_mcp: bool,
}

/// What to take away.
#[derive(Debug, Args)]
pub struct UninstallArguments {
    /// Take away what `cairn install --managed` wrote.
    #[arg(long)]
    pub managed: bool,
    /// Folder that plays the machine's file system.
    #[arg(long)]
    pub root: Option<PathBuf>,
    /// Print what would be taken away and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Commands of the daemon.
#[derive(Debug, Subcommand)]
pub enum DaemonCommand {
    /// Run in the foreground.
    Run,
    /// Stop the running one after it signed the end of its chain.
    Stop,
}

/// Who signs as administrator, and where to.
#[derive(Debug, Args)]
pub struct AdminArguments {
    /// Folder that `cairn org create` made: administrator keys and genesis.
    #[arg(long)]
    pub admin: PathBuf,
    /// Address of the server.
    #[arg(long)]
    pub server: String,
    /// Trust policy (C2SP tlog-policy); without it the server's own is used, with a warning.
    #[arg(long)]
    pub trust_policy: Option<PathBuf>,
}

/// Commands about policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Turn Claude Code settings files into a bundle on standard output.
    Import {
        /// The files; each keeps its exact meaning as global rules.
        #[arg(required = true)]
        settings: Vec<PathBuf>,
        /// Whom a blocked developer asks.
        #[arg(long, default_value = "your security team")]
        contact: String,
    },
    /// Turn a bundle back into Claude Code settings; what they cannot say is named.
    Export {
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Check a bundle: what does not compile, never decides, or says less than it seems.
    Lint {
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Run the tests that lie beside a bundle.
    Test {
        /// The bundle, YAML or JSON, with `tests` in it.
        bundle: PathBuf,
        /// More tests, in a file of their own; may be repeated.
        #[arg(long)]
        tests: Vec<PathBuf>,
    },
    /// Show which rules differ between two bundles, and which calls change.
    Diff {
        /// The old bundle.
        old: PathBuf,
        /// The new bundle.
        new: PathBuf,
    },
    /// Show what `apply` would change against the policy in force; changes nothing.
    Plan {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Replay recorded actions through a proposed bundle; changes nothing.
    Simulate {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
        /// How many days back.
        #[arg(long, default_value_t = 7)]
        days: u64,
    },
    /// Print `{"effective":…,"rule":…}` for rows of permissions and a call, a line a row.
    Verdict {
        /// The rows, a JSON object a line; `-` for standard input.
        #[arg(long)]
        cases: PathBuf,
    },
    /// Put a bundle in force: upload, sign, submit, wait for the witnessed receipt.
    Apply {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON; `version` may be left out.
        bundle: PathBuf,
    },
    /// Show which devices run which version; fails where one that is heard of does not run the newest.
    Status {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Show the policy in force on this device.
    Show,
}

/// Commands about the organisation.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Make administrator keys and the genesis entry, off the server.
    Create {
        /// Public keys of the server (`server-keys.json` of `cairn-server init`).
        #[arg(long)]
        server_keys: PathBuf,
        /// Name of the organisation.
        #[arg(long)]
        name: String,
        /// Folder for keys and genesis; must not exist.
        #[arg(long)]
        out: PathBuf,
        /// How many administrator keys; 1, or as many as the folder of the closed log has.
        #[arg(long)]
        admins: Option<u32>,
        /// How many of them must agree; 1, or as in the closed log.
        #[arg(long)]
        threshold: Option<u32>,
        /// Let the server's online key put policy in force alone (small installations; shown).
        #[arg(long)]
        policy_by_online_key: bool,
        /// Make the successor of a closed log: the evidence that `close-log` wrote.
        #[arg(long, requires_all = ["administrators", "trust_policy"])]
        succeeds: Option<PathBuf>,
        /// Folder with administrator keys of the closed log; they are kept, and sign.
        #[arg(long, requires = "succeeds")]
        administrators: Option<PathBuf>,
        /// Trust policy (C2SP tlog-policy) of the closed log.
        #[arg(long, requires = "succeeds")]
        trust_policy: Option<PathBuf>,
    },
    /// Close the log for ever and write the evidence that a successor needs.
    CloseLog {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Public keys of the successor's server: no other log can then succeed this one.
        #[arg(long)]
        successor_keys: Option<PathBuf>,
        /// File for the evidence; must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Agree that old entries of the log are pruned, as `cairn-server prune --plan` has worked out.
    ///
    /// The log is read up to the end of the range, held against a witnessed checkpoint, and what must stay is
    /// worked out again here: where the server says otherwise, nothing is signed. Needs `--trust-policy`.
    Prune {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// What is signed.
        #[command(flatten)]
        prune: pruning::PruneArguments,
    },
    /// Add a person; the address is confidential in the log.
    PersonAdd {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person's address.
        #[arg(long)]
        email: String,
        /// Role: admin, security, auditor or developer; may be repeated.
        #[arg(long = "role", default_value = "developer")]
        roles: Vec<String>,
        /// Team; may be repeated.
        #[arg(long = "team")]
        teams: Vec<String>,
    },
    /// Replace a person's roles and teams.
    PersonUpdate {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person (`p_…`) or their address.
        #[arg(long)]
        person: String,
        /// Role; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Team; may be repeated.
        #[arg(long = "team")]
        teams: Vec<String>,
    },
    /// Remove a person; their devices are revoked with them.
    PersonRemove {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person (`p_…`) or their address.
        #[arg(long)]
        person: String,
    },
    /// Add a team.
    TeamAdd {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// Identifier: a-z, 0-9 and -.
        #[arg(long)]
        team: String,
        /// Display name.
        #[arg(long)]
        name: String,
    },
    /// Revoke a device.
    DeviceRevoke {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The device (`d_…`).
        #[arg(long)]
        device: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Show people, teams and devices.
    Show {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Write a short-lived access token for `cairn-export` and `cairn-audit` to a file.
    Token {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The file; only its owner can read it.
        #[arg(long)]
        out: PathBuf,
    },
}

/// Commands about MCP servers.
#[derive(Debug, Subcommand)]
pub enum McpCommand {
    /// List every server configured here and whether it would be started.
    List,
}

/// Answers Claude Code as its policy helper: settings on standard output, or a sentence and an exit code
/// that keeps it from starting.
pub fn policy_helper() -> ExitCode {
    match crate::managed::help() {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Cairn: {error}");
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
            eprintln!("cairn: {error:#}");
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

/// Prints a value as indented JSON.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
