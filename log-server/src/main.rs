//! The program `cairn-server`: init, serve, check.
//!
//! Owns the command line, the diagnostics and the exit code. Everything else is in the library.

use anyhow::{Context as _, bail};
use cairn_durable::FolderLock;
use cairn_server::app::{self, STORE_FOLDER};
use cairn_server::clock::system_clock;
use cairn_server::config::Config;
use cairn_server::keys::Keys;
use cairn_server::store::{HeadFile, KeyedStore, LogStore, Rocks};
use cairn_server::{check, init, services};
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The transparency log of Cairn.
#[derive(Debug, Parser)]
#[command(version, name = "cairn-server")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a data folder with new keys and a configuration.
    Init(InitArgs),
    /// Serves the log of a data folder.
    Serve(ServeArgs),
    /// Verifies a stopped data folder whole.
    Check {
        /// The data folder.
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Debug, Args)]
struct InitArgs {
    /// The data folder; must not exist or be empty.
    #[arg(long)]
    data: PathBuf,
    /// The log's name for ever, for example `log.example.com/cairn`.
    #[arg(long)]
    origin: String,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// The URL that people and agents use.
    #[arg(long, default_value = "")]
    public_url: String,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The data folder.
    #[arg(long)]
    data: PathBuf,
    /// The genesis frame made by the administrators; needed at the first start.
    #[arg(long)]
    genesis: Option<PathBuf>,
    /// Address to listen on instead of the configured one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The URL that people and agents use instead of the configured one.
    #[arg(long)]
    public_url: Option<String>,
    /// Trust policy file instead of the configured one.
    #[arg(long)]
    trust_policy: Option<PathBuf>,
    /// Reads and validates the configuration, then ends.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("CAIRN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(args) => {
            let public = init::init(&args.data, &args.origin, args.listen, &args.public_url)?;
            println!("{}", serde_json::to_string_pretty(&public)?);
            Ok(())
        }
        Command::Serve(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(serve(args))
        }
        Command::Check { data } => check_folder(&data),
    }
}

async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let mut config = Config::load(&args.data)?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.public_url = args.public_url.unwrap_or(config.public_url);
    if let Some(path) = args.trust_policy {
        // Relative to where the command runs, unlike the configured one.
        config.trust_policy = Some(std::path::absolute(path)?);
    }
    if args.check_config {
        println!("configuration is valid");
        return Ok(());
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .context("the address is not free")?;
    let address = listener.local_addr()?;
    if config.public_url.is_empty() {
        config.public_url = format!("http://{address}");
    }
    let opened = app::open(&args.data, config, args.genesis.as_deref()).await?;
    let services = services::start(&opened.log)?;
    let router = app::router(opened.log.clone(), services);
    println!("listening http://{address}");
    app::serve(listener, router, &opened.log, asked_to_end()).await?;
    drop(opened.lock);
    Ok(())
}

/// Resolves on SIGTERM or SIGINT.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without handlers the signals end the process at once, which is safe as well.
        Err(_) => std::future::pending().await,
    }
}

fn check_folder(data: &std::path::Path) -> anyhow::Result<()> {
    let _lock = FolderLock::acquire(data)?;
    let keys = Keys::load(data)?;
    let folder = data.join(STORE_FOLDER);
    if !folder.is_dir() {
        bail!("`{}` holds no log yet", data.display());
    }
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(Rocks::open(&folder)?));
    let signed = HeadFile::in_folder(data).read()?;
    let report = check::check(&store, signed, &keys, system_clock()())?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
