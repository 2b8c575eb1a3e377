//! `cairn-audit`: the command line of the auditor.
//!
//! Owns arguments, output and the exit code: 0 for verified, 1 for not verified, 2 when the question
//! itself could not be read or this machine could not answer it, 3 when a signal ended an audit that can be gone on with.

mod history;
mod keeping;

use anyhow::{Context as _, Result};
use cairn_audit::log::Options;
use cairn_audit::log::cold::Room;
use cairn_audit::log::resume::{Ended, Resume};
use cairn_audit::source::{folder::Folder, folder::read_limited, http::Http};
use cairn_audit::{LogSource, Report};
use cairn_event::terminal::lines;
use cairn_tlog::{Hash, TrustPolicy};
use clap::{Args, Parser, Subcommand};
use history::History;
use indicatif::{ProgressBar, ProgressStyle};
use keeping::{Keeping, StateFile};
use mimalloc::MiMalloc;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Entries are read on one core and dropped on another, which the system's allocator does under locks.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Exit code when something was not verified.
const NOT_VERIFIED: u8 = 1;

/// Exit code when arguments or trust material could not be read, or there was no room on disk.
const NOT_ASKED: u8 = 2;

/// Exit code when a signal ended an audit before its verdict.
const ENDED: u8 = 3;

/// Largest entry, receipt, trust policy or token read from a file.
const MAX_INPUT_BYTES: u64 = 4 * 1024 * 1024;

/// Says yes or exactly why not about a log, a receipt or an evidence pack.
#[derive(Parser)]
#[command(name = "cairn-audit", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print the verdict as one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Audit a whole log. Ends with code 0 if it is verified, 1 if not, 2 if it could not begin or had no room on
    /// disk, and 3 if a signal ended it. Of a log with many chains those that memory has no room for are put into a
    /// file without a name, some 500 bytes each: in the folder of the `--resume` file, else in `TMPDIR` or /tmp.
    Log(Box<LogCommand>),
    /// Check the receipt of one entry.
    Receipt {
        /// File with the entry or its frame.
        #[arg(long)]
        entry: PathBuf,
        /// File with the receipt (C2SP tlog-proof).
        #[arg(long)]
        receipt: PathBuf,
        #[command(flatten)]
        trust: Trust,
    },
    /// Verify an evidence pack. Needs no network.
    Verify {
        /// Folder of the pack.
        pack: PathBuf,
        #[command(flatten)]
        trust: Trust,
        /// Leaf hash of entry 0 in hex, obtained from somewhere else than the pack.
        #[arg(long)]
        genesis_hash: String,
    },
}

#[derive(Args)]
struct LogCommand {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    trust: Trust,
    /// Leaf hash of entry 0 in hex, obtained from somewhere else than the log.
    #[arg(long)]
    genesis_hash: String,
    /// File with a bearer token, to read confidential members and replay decisions.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Address of the server of the log that this one succeeds: audited too. The trust policy must list both.
    #[arg(long, alias = "predecessor-url", conflicts_with = "predecessor_dir")]
    predecessor_server: Option<String>,
    /// Folder with a mirror of the log that this one succeeds.
    #[arg(long)]
    predecessor_dir: Option<PathBuf>,
    #[command(flatten)]
    history: History,
    #[command(flatten)]
    keeping: Keeping,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Address of the log's server.
    #[arg(long, alias = "url")]
    server: Option<String>,
    /// Folder with a mirror of the log.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Args)]
struct Tls {
    /// PEM file with the authorities that may certify the server, instead of the system's.
    #[arg(long)]
    ca: Option<PathBuf>,
}

#[derive(Args)]
struct Trust {
    /// File with the trust policy (C2SP tlog-policy), obtained from somewhere else than the log.
    #[arg(long)]
    trust_policy: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.command) {
        Ok(report) => {
            if cli.json {
                println!("{}", report.to_json());
            } else {
                print!("{report}");
            }
            if report.is_good() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(NOT_VERIFIED)
            }
        }
        Err(error) => {
            eprintln!("cairn-audit: {}", lines(&format!("{error:#}")));
            match error.downcast_ref() {
                Some(Ended::Asked { .. }) => ExitCode::from(ENDED),
                _ => ExitCode::from(NOT_ASKED),
            }
        }
    }
}

fn run(command: &Command) -> Result<Report> {
    match command {
        Command::Log(command) => command.run(),
        Command::Receipt {
            entry,
            receipt,
            trust,
        } => {
            let entry = read(entry)?;
            let receipt = String::from_utf8(read(receipt)?).context("the receipt is not UTF-8")?;
            let trust = trust.read()?;
            Ok(cairn_audit::receipt::check(&entry, &receipt, &trust))
        }
        Command::Verify {
            pack,
            trust,
            genesis_hash,
        } => Ok(cairn_audit::pack::verify(
            pack,
            &trust.read()?,
            &pinned(genesis_hash)?,
        )),
    }
}

impl LogCommand {
    fn run(&self) -> Result<Report> {
        let held = self.history.read()?;
        let source = open(&self.place, &self.tls, self.token_file.as_deref())?;
        let before = Place {
            server: self.predecessor_server.clone(),
            dir: self.predecessor_dir.clone(),
        };
        let is_asked = before.server.is_some() || before.dir.is_some();
        let before = is_asked
            .then(|| open(&before, &self.tls, None))
            .transpose()?;
        let (policy, genesis) = (self.trust.read()?, pinned(&self.genesis_hash)?);
        let bar = progress_bar();
        let progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let disclosures = self.token_file.is_some() || self.place.dir.is_some();
        let options = Options {
            policy: &policy,
            genesis,
            disclosures,
            max_age: held.max_age,
            since: held.since.as_deref(),
            chains: Room {
                folder: self.keeping.folder(),
                ..Room::default()
            },
            progress: &progress,
        };
        let report = audit(source.as_ref(), before.as_deref(), &options, &self.keeping);
        bar.finish_and_clear();
        let report = report?;
        self.history.keep(&report)?;
        Ok(report)
    }
}

fn audit(
    source: &dyn LogSource,
    predecessor: Option<&dyn LogSource>,
    options: &Options<'_>,
    keeping: &Keeping,
) -> Result<Report> {
    use cairn_audit::log;
    let Some(path) = keeping.file() else {
        return Ok(log::audit_on(source, predecessor, options, None)?);
    };
    let file = StateFile::open(path)?;
    let from = file.read(options)?;
    let resume = Some(Resume {
        from,
        keeper: &file,
    });
    log::audit_on(source, predecessor, options, resume).map_err(|ended| match ended {
        Ended::State(_) => anyhow::Error::new(ended).context(keeping::refusal(path)),
        _ => ended.into(),
    })
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} entries, {eta}") {
        bar.set_style(style);
    }
    bar
}

impl Trust {
    fn read(&self) -> Result<TrustPolicy> {
        let text = String::from_utf8(read(&self.trust_policy)?).context("trust policy")?;
        TrustPolicy::parse(&text).context("trust policy")
    }
}

fn open(place: &Place, tls: &Tls, token_file: Option<&Path>) -> Result<Box<dyn LogSource>> {
    if let Some(dir) = &place.dir {
        return Ok(Box::new(Folder::open(dir)?));
    }
    let server = place
        .server
        .as_deref()
        .context("neither an address nor a folder was given")?;
    let token = token_file.map(read).transpose()?;
    let token = token.map(String::from_utf8).transpose().context("token")?;
    let token = token.map(|token| token.trim().to_owned());
    let authorities = tls.ca.as_deref().map(read).transpose()?;
    let source = Http::trusting(server, token, authorities.as_deref())?;
    Ok(Box::new(source))
}

fn pinned(hex: &str) -> Result<Hash> {
    Hash::from_hex(hex).context("the genesis hash is not 64 lower-case hex digits")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(read_limited(
        path,
        &path.display().to_string(),
        MAX_INPUT_BYTES,
    )?)
}
