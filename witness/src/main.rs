//! `cairn-witness`: command line, diagnostics and process life of the witness.
//!
//! Owns nothing of the protocol; see the library. The first line on standard output of `serve` is
//! `listening http://ADDRESS:PORT`, so that a caller that asked for port 0 learns the port.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use cairn_tlog::KeyAlgorithm;
use cairn_witness::http::Service;
use cairn_witness::{Config, Settings, Store, Witness, key};
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Cosign transparency-log checkpoints that extend what was cosigned before.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a new witness key and print its verifier key.
    Init {
        /// Name of the witness key, such as `witness.example.org/1`.
        #[arg(long)]
        name: String,
        /// Folder for the key file; created if absent.
        #[arg(long)]
        out: PathBuf,
        /// Make an ML-DSA-44 key, for a second cosignature beside the Ed25519 one.
        #[arg(long)]
        ml_dsa: bool,
    },
    /// Print the verifier key of a key file.
    Vkey {
        /// Key file made by `init`.
        #[arg(long)]
        key: PathBuf,
    },
    /// Serve the witness protocol until SIGTERM or SIGINT.
    Serve(ServeArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// TOML file with `listen`, `key`, `database` and `logs`; flags win over it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Address and port; port 0 takes a free one.
    #[arg(long)]
    listen: Option<String>,
    /// Key file made by `init`.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Key file made by `init --ml-dsa`: give a second, ML-DSA-44 cosignature in every answer.
    #[arg(long)]
    ml_dsa_key: Option<PathBuf>,
    /// State file; must exist unless `--new-state` is given.
    #[arg(long)]
    db: Option<PathBuf>,
    /// Begin with an empty state file. Only for a key that has never signed: a witness that forgets
    /// can be made to cosign a fork. Refused where a state exists.
    #[arg(long)]
    new_state: bool,
    /// Cosign although the last cosignature is more than 400 days old: you looked at the clock, and
    /// it is right.
    #[arg(long)]
    confirm_clock: bool,
    /// Verifier key of a log to serve; repeat for several.
    #[arg(long = "log", value_name = "VKEY")]
    logs: Vec<String>,
    /// Check the configuration and the key file, then exit.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // Diagnostics usually go to a file or a journal.
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .init();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "cairn-witness: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init { name, out, ml_dsa } => {
            let algorithm = match ml_dsa {
                true => KeyAlgorithm::MlDsa44Cosignature,
                false => KeyAlgorithm::Ed25519Cosignature,
            };
            let (signer, _) = key::init(&out, &name, algorithm)?;
            print_line(&signer.verifier().to_string())
        }
        Command::Vkey { key } => print_line(&key::load_any(&key)?.verifier().to_string()),
        Command::Serve(args) => serve(args),
    }
}

#[tokio::main]
async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let (check_only, new_state) = (args.check_config, args.new_state);
    let clock_confirmed = args.confirm_clock;
    let settings = settings(args)?;
    let signer = key::load(&settings.key, KeyAlgorithm::Ed25519Cosignature)?;
    let second = settings.ml_dsa_key.as_deref();
    let second = second.map(|path| key::load(path, KeyAlgorithm::MlDsa44Cosignature));
    let second = second.transpose()?;
    if check_only {
        return print_line("configuration is good");
    }
    let store = if new_state {
        Store::create(&settings.database)?
    } else {
        Store::open(&settings.database)?
    };
    let store = if clock_confirmed {
        store.with_confirmed_clock()
    } else {
        store
    };
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::info!(vkey = %signer.verifier(), logs = settings.logs.len(), "serving");
    print_line(&format!("listening http://{}", listener.local_addr()?))?;

    let mut witness = Witness::new(signer, settings.logs, store);
    if let Some(second) = second {
        tracing::info!(vkey = %second.verifier(), "a second cosignature is given");
        witness = witness.with_second_signer(second);
    }
    let service = Service::new(witness);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    Ok(service.serve(listener, stop).await?)
}

fn settings(args: ServeArgs) -> anyhow::Result<Settings> {
    let file = match &args.config {
        None => Config::default(),
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Config::parse(&text).with_context(|| format!("{} is refused", path.display()))?
        }
    };
    let flags = Config {
        listen: args.listen,
        key: args.key,
        ml_dsa_key: args.ml_dsa_key,
        database: args.db,
        logs: args.logs,
    };
    file.overridden_by(flags).validate().map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect();
        anyhow::anyhow!(
            "the configuration has {} problems:{}",
            lines.len(),
            lines.concat()
        )
    })
}

fn print_line(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
