//! The command line of `cairn-server`.
//!
//! Owns names, arguments and their help. Does not own what a command does.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The transparency log of Cairn.
#[derive(Debug, Parser)]
#[command(version, name = "cairn-server")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a data folder with new keys and a configuration.
    Init(InitArgs),
    /// Serves the log of a data folder.
    Serve(ServeArgs),
    /// Verifies a data folder whole.
    Check(CheckArgs),
    /// Copies a data folder without its keys, stopped or served, and verifies the copy.
    Backup(BackupArgs),
    /// Makes a data folder out of a backup, unless the log has gone on since.
    Restore(RestoreArgs),
    /// Prunes entries that are older than the retention period, as administrators have signed.
    ///
    /// First `--plan` works out what could go and what must stay; `cairn org prune --plan FILE` signs it
    /// into the log; then `prune` without `--plan` carries it out. Hashes stay: every receipt, checkpoint
    /// and consistency proof of the log holds as before. The server may run meanwhile.
    Prune(PruneArgs),
    /// Writes the published log as static files, adding to what is there.
    ExportStatic(ExportStaticArgs),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The data folder; must not exist or be empty.
    #[arg(long)]
    pub data: PathBuf,
    /// The log's name for ever, for example `log.example.com/cairn`.
    #[arg(long)]
    pub origin: String,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8480")]
    pub listen: SocketAddr,
    /// The URL that people and agents use.
    #[arg(long, default_value = "")]
    pub public_url: String,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The data folder.
    #[arg(long)]
    pub data: PathBuf,
    /// The genesis frame made by the administrators; needed at the first start.
    #[arg(long)]
    pub genesis: Option<PathBuf>,
    /// Address to listen on instead of the configured one.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// The URL that people and agents use instead of the configured one.
    #[arg(long)]
    pub public_url: Option<String>,
    /// Trust policy file instead of the configured one.
    #[arg(long)]
    pub trust_policy: Option<PathBuf>,
    /// Reads and validates the configuration, then ends.
    #[arg(long)]
    pub check_config: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The data folder.
    #[arg(long)]
    pub data: PathBuf,
    /// Checks a snapshot of a folder that is being served; without it the folder must be stopped.
    #[arg(long)]
    pub live: bool,
}

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The data folder.
    #[arg(long)]
    pub data: PathBuf,
    /// The new folder of the backup; must not exist.
    pub backup: PathBuf,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup.
    pub backup: PathBuf,
    /// The new data folder; must not exist.
    #[arg(long)]
    pub data: PathBuf,
    /// Folder with the five key files, which no backup holds.
    #[arg(long)]
    pub keys: PathBuf,
    /// You answer for witnesses that do not: nothing was signed after the backup.
    #[arg(long)]
    pub nothing_signed_since: bool,
}

/// Arguments of `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// The data folder; it may be served meanwhile.
    #[arg(long)]
    pub data: PathBuf,
    /// Works out what could be pruned, and prunes nothing.
    #[arg(long)]
    pub plan: bool,
    /// Days for which entries are kept; at least, and by default, the configured `retention.days`.
    #[arg(long, requires = "plan")]
    pub days: Option<u64>,
    /// The minimum index to be, a multiple of 256; by default the largest that the days allow.
    #[arg(long, requires = "plan")]
    pub to: Option<u64>,
    /// Trust policy of a folder that is not served, where it is not the configured one.
    #[arg(long)]
    pub trust_policy: Option<PathBuf>,
}

/// Arguments of `export-static`.
#[derive(Debug, Args)]
pub struct ExportStaticArgs {
    /// The data folder.
    #[arg(long)]
    pub data: PathBuf,
    /// The folder that a web server serves.
    pub target: PathBuf,
}
