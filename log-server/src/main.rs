//! The program `cairn-server`: init, serve, check, backup, restore, prune, export-static.
//!
//! Owns the order of each command, its output and the exit code. Everything else is in the library.

mod cli;

use anyhow::{Context as _, bail};
use cairn_durable::FolderLock;
use cairn_server::app::{self, STORE_FOLDER};
use cairn_server::backup::{self, RestoreOptions};
use cairn_server::config::Config;
use cairn_server::keys::Keys;
use cairn_server::retention::{self, Request};
use cairn_server::snapshot::Snapshot;
use cairn_server::store::HeadFile;
use cairn_server::tls::Tls;
use cairn_server::{init, mirror, services, traces};
use clap::Parser as _;
use cli::{CheckArgs, Cli, Command, PruneArgs, RestoreArgs, ServeArgs};
use mimalloc::MiMalloc;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::{Arc, Weak};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Also RocksDB's. The system's allocator spent an eighth of a loaded server's time, and what it kept
/// for its threads grew with the age of the process (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // A configuration that cannot be read is reported by the command itself.
    let wanted = match &command {
        Command::Serve(args) => Config::load(&args.data).ok().and_then(|known| known.trace),
        _ => None,
    };
    let traces = match traces::init(wanted.as_ref()) {
        Ok(traces) => traces,
        Err(error) => return fail(&error.into()),
    };
    let ended = run(command);
    drop(traces);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    tracing::error!("{error:#}");
    ExitCode::FAILURE
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(args) => print(&init::init(
            &args.data,
            &args.origin,
            args.listen,
            &args.public_url,
        )?),
        Command::Serve(args) => serve_to_the_end(args),
        Command::Check(args) => check_folder(&args),
        Command::Backup(args) => print(&backup::backup(&args.data, &args.backup)?),
        Command::Restore(args) => restore(args),
        Command::Prune(args) => prune(&args),
        Command::ExportStatic(args) => print(&mirror::export(&args.data, &args.target)?),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

fn print(report: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(report)?);
    Ok(())
}

fn serve_to_the_end(args: ServeArgs) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let mut store = Weak::new();
    let ended = runtime.block_on(serve(args, &mut store));
    drop(runtime);
    app::wait_until_closed(&store);
    ended
}

async fn serve(args: ServeArgs, store: &mut Weak<()>) -> anyhow::Result<()> {
    let mut config = Config::load(&args.data)?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.public_url = args.public_url.unwrap_or(config.public_url);
    if let Some(path) = args.trust_policy {
        // Relative to where the command runs, unlike the configured one.
        config.trust_policy = Some(std::path::absolute(path)?);
    }
    let tls = config.tls.as_ref().map(|tls| Tls::load(&args.data, tls));
    let tls = tls.transpose()?.map(Arc::new);
    if args.check_config {
        println!("configuration is valid");
        return Ok(());
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .context("the address is not free")?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    if config.public_url.is_empty() {
        config.public_url = format!("{scheme}://{address}");
    }
    let opened = app::open(&args.data, config, args.genesis.as_deref()).await?;
    *store = opened.store.clone();
    let services = services::start(&opened.log)?;
    let router = app::router(opened.log.clone(), services);
    if let Some(tls) = &tls {
        tokio::spawn(tls.clone().watch());
    }
    println!("listening {scheme}://{address}");
    app::serve(listener, tls, router, &opened.log, asked_to_end()).await?;
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

fn check_folder(args: &CheckArgs) -> anyhow::Result<()> {
    let keys = Keys::load(&args.data)?;
    if args.live {
        let view = Snapshot::take(&args.data)?;
        let report = backup::examine_store(&view.store(), view.signed()?, &keys)?;
        return print(&report);
    }
    let lock = FolderLock::acquire(&args.data);
    let _lock = lock.context("a served folder is checked with `--live`")?;
    let folder = args.data.join(STORE_FOLDER);
    if !folder.is_dir() {
        bail!("`{}` holds no log yet", args.data.display());
    }
    let signed = HeadFile::in_folder(&args.data).read()?;
    print(&backup::examine_store(&folder, signed, &keys)?)
}

fn prune(args: &PruneArgs) -> anyhow::Result<()> {
    let request = if args.plan {
        let (days, to) = (args.days, args.to);
        Request::Plan { days, to }
    } else {
        Request::Run
    };
    let trust = args.trust_policy.as_deref();
    print(&retention::of_folder(&args.data, request, trust)?)
}

fn restore(args: RestoreArgs) -> anyhow::Result<()> {
    let options = RestoreOptions {
        backup: args.backup,
        data: args.data,
        keys: args.keys,
        nothing_signed_since: args.nothing_signed_since,
    };
    print(&runtime()?.block_on(backup::restore(&options))?)
}
