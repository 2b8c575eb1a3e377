//! The commands of `cairn` as a developer and an operator type them.
//!
//! Owns names, arguments and help. Does not own what they do; administrators' commands are in
//! `administration`.

use super::why::WhyArguments;
use super::{OrgCommand, PolicyCommand};
use clap::{Args, Subcommand};
use std::path::PathBuf;

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
    #[arg(long, alias = "url")]
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
    #[arg(long, alias = "url")]
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

/// Commands about MCP servers.
#[derive(Debug, Subcommand)]
pub enum McpCommand {
    /// List every server configured here and whether it would be started.
    List,
}
