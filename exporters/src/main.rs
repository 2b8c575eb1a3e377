//! `cairn-export`: the command line of the exporter.
//!
//! Owns arguments, output and the exit code: 0 when everything was written, 1 when it was not.

use anyhow::{Context as _, Result, bail};
use cairn_audit::source::LogSource;
use cairn_audit::source::folder::{Folder, read_limited};
use cairn_audit::source::http::Http;
use cairn_event::terminal::{line, lines};
use cairn_export::catalogue::Framework;
use cairn_export::cursor::Cursor;
use cairn_export::pack::{self, Options};
use cairn_export::period::Bound;
use cairn_export::sink::{self, SinkAddress};
use cairn_export::tail::{Tail, TailError};
use cairn_tlog::{Hash, TrustPolicy};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Largest trust policy or token read from a file.
const MAX_INPUT_BYTES: u64 = 4 * 1024 * 1024;

/// Pause between two looks at the newest checkpoint: the log publishes about once a second.
const POLL: Duration = Duration::from_secs(1);

/// Longest pause after failures.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Writes evidence packs and SIEM streams from the published log.
#[derive(Parser)]
#[command(name = "cairn-export", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write an evidence pack for a period.
    Pack(PackArgs),
    /// Follow the log as OCSF records, at least once, from a cursor.
    Tail(TailArgs),
}

#[derive(Args)]
struct Common {
    /// Address of the log's server.
    #[arg(
        long,
        alias = "url",
        conflicts_with = "dir",
        required_unless_present = "dir"
    )]
    server: Option<String>,
    /// Folder with a mirror of the log.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// PEM file with the authorities that may certify the server, instead of the system's.
    #[arg(long, conflicts_with = "dir")]
    ca: Option<PathBuf>,
    /// File with the trust policy (C2SP tlog-policy).
    #[arg(long)]
    trust_policy: PathBuf,
    /// File with a bearer token of an administrator, a security officer or an auditor. Without one,
    /// confidential members are withheld.
    #[arg(long)]
    token_file: Option<PathBuf>,
}

#[derive(Args)]
struct PackArgs {
    #[command(flatten)]
    common: Common,
    /// Leaf hash of entry 0 in hex.
    #[arg(long)]
    genesis_hash: String,
    /// Beginning of the period: an index, a date or a time.
    #[arg(long)]
    from: Bound,
    /// End of the period: an index, a date or a time.
    #[arg(long)]
    to: Bound,
    /// Whose controls are looked at.
    #[arg(long, value_enum, default_value = "all")]
    framework: FrameworkName,
    /// A parameter of control tests, NAME=VALUE; may be repeated.
    #[arg(long = "param", value_parser = parameter)]
    params: Vec<(String, String)>,
    /// Prove the rows in the newest tree instead of the one that ends with them.
    #[arg(long)]
    proven_by_newest: bool,
    /// What the confidential members are read for. The server puts it into the log, where everybody
    /// can read it.
    #[arg(long, default_value = "evidence pack")]
    purpose: String,
    /// Folder to make; it must not exist.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
struct TailArgs {
    #[command(flatten)]
    common: Common,
    /// File that remembers what was delivered.
    #[arg(long)]
    cursor: PathBuf,
    /// stdout, file:PATH or syslog:HOST:PORT.
    #[arg(long)]
    sink: SinkAddress,
    /// Send a checkpoint record at least this often, in records.
    #[arg(long, default_value_t = 1_000)]
    checkpoint_every: u64,
    /// Deliver what there is and end.
    #[arg(long)]
    once: bool,
    /// Where entries were pruned before they were delivered, go on at the log's minimum index.
    #[arg(long)]
    skip_pruned: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FrameworkName {
    Soc2,
    Fedramp,
    Pci,
    Hipaa,
    All,
}

impl From<FrameworkName> for Framework {
    fn from(name: FrameworkName) -> Self {
        match name {
            FrameworkName::Soc2 => Self::Soc2,
            FrameworkName::Fedramp => Self::Fedramp,
            FrameworkName::Pci => Self::Pci,
            FrameworkName::Hipaa => Self::Hipaa,
            FrameworkName::All => Self::All,
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Pack(args) => write_pack(&args),
        Command::Tail(args) => follow(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cairn-export: {}", lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn write_pack(args: &PackArgs) -> Result<()> {
    let (source, policy) = args.common.open()?;
    let genesis = Hash::from_hex(&args.genesis_hash)
        .context("the genesis hash is not 64 lower-case hex digits")?;
    let options = Options {
        policy: &policy,
        genesis,
        from: args.from,
        to: args.to,
        proven_by_newest: args.proven_by_newest,
        framework: args.framework.into(),
        params: args.params.clone(),
        purpose: &args.purpose,
        out: args.out.clone(),
        progress: &|_, _| {},
    };
    let summary = pack::export(source.as_ref(), &options)?;
    let report = pack::verify(&args.out, &policy, &genesis);
    if !report.is_good() {
        bail!("the written pack does not verify\n{report}");
    }
    let range = summary.manifest.range;
    println!("pack {}", args.out.display());
    println!(
        "rows {} to {} of {}",
        range.start,
        range.end,
        line(&summary.manifest.origin)
    );
    println!("pack root {}", summary.pack_root);
    Ok(())
}

fn follow(args: &TailArgs) -> Result<()> {
    let (source, policy) = args.common.open()?;
    let origin = policy.logs().first().map(|log| log.key.name().to_owned());
    let origin = origin.context("the trust policy names no log")?;
    let mut pause = POLL;
    loop {
        let cursor = Cursor::open(&args.cursor, &origin)?;
        let mut tail = Tail::new(source.as_ref(), &policy, cursor, args.checkpoint_every)
            .skipping_pruned(args.skip_pruned);
        match deliver(&mut tail, args) {
            Ok(()) => return Ok(()),
            Err(error) if error.may_pass() && !args.once => {
                eprintln!(
                    "cairn-export: {}; trying again in {} s",
                    lines(&error.to_string()),
                    pause.as_secs()
                );
                std::thread::sleep(pause);
                pause = (pause * 2).min(MAX_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn deliver(tail: &mut Tail<'_>, args: &TailArgs) -> Result<(), TailError> {
    let mut sink = sink::open(&args.sink)?;
    loop {
        let delivered = tail.step(sink.as_mut())?;
        if args.once {
            return Ok(());
        }
        if delivered == 0 {
            std::thread::sleep(POLL);
        }
    }
}

impl Common {
    fn open(&self) -> Result<(Box<dyn LogSource>, TrustPolicy)> {
        let text = String::from_utf8(read(&self.trust_policy)?).context("trust policy")?;
        let policy = TrustPolicy::parse(&text).context("trust policy")?;
        if let Some(dir) = &self.dir {
            return Ok((Box::new(Folder::open(dir)?), policy));
        }
        let server = self
            .server
            .as_deref()
            .context("neither a server nor a folder was given")?;
        let token = self.token_file.as_deref().map(read).transpose()?;
        let token = token.map(String::from_utf8).transpose().context("token")?;
        let token = token.map(|token| token.trim().to_owned());
        let authorities = self.ca.as_deref().map(read).transpose()?;
        let source = Http::trusting(server, token, authorities.as_deref())?;
        Ok((Box::new(source), policy))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(read_limited(
        path,
        &path.display().to_string(),
        MAX_INPUT_BYTES,
    )?)
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
