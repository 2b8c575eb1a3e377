//! `cairn-audit log --resume FILE`: the file, when it is written, and the signals that end an audit.
//!
//! Owns these. What is in the file, and whether it may be gone on with, is `cairn_audit::log::state`'s.

use anyhow::{Context as _, Result, bail};
use cairn_audit::log::Options;
use cairn_audit::log::resume::{Due, Keeper};
use cairn_audit::log::state::{MAX_STATE_BYTES, Settled, State};
use cairn_durable::file::ReadFileError;
use cairn_durable::{open_limited, write_atomic_with};
use cairn_event::terminal::lines;
use clap::Args;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Entries after which the state is written: some seconds of work on one core.
const KEEP_EVERY_ENTRIES: u64 = 65_536;

/// Time after which the state is written however few entries were read: over a slow line, what a power
/// cut may cost.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// The state grows with the chains of a log; writing it may take one part in so many of the time.
const MOST_OF_THE_TIME: u32 = 20;

/// It names people and devices by their identifiers, and whoever changes it can hide entries.
const MODE: u32 = 0o600;

/// Permissions by which group or others write.
const OTHERS_WRITE: u32 = 0o022;

/// Exit code of a program that a second signal ends at once.
const ENDED_AT_ONCE: i32 = 130;

/// The argument.
#[derive(Args)]
pub struct Keeping {
    /// File to keep the audit's own state in, every 65,536 entries or 30 s, when SIGINT or SIGTERM ends the
    /// audit, and at its end. Where it is there already, the audit goes on from it: after an interruption,
    /// or over what the log has grown by since the last audit. The report is that of a whole audit. Entries
    /// before the state are not read again, so whoever can write FILE can hide entries: keep it like the
    /// trust policy. It is written only while no check has failed.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
}

impl Keeping {
    /// The file, where one was named.
    pub fn file(&self) -> Option<&Path> {
        self.resume.as_deref()
    }

    /// The folder of the file, where one was named: there is room for more of the audit's own.
    pub fn folder(&self) -> Option<&Path> {
        let folder = self.file()?.parent()?;
        Some(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        })
    }
}

/// The file and its rhythm.
pub struct StateFile {
    path: PathBuf,
    rhythm: Mutex<Rhythm>,
    /// Whether a signal asked the audit to end.
    end: Arc<AtomicBool>,
}

struct Rhythm {
    /// Entries done, and when, at the last time the state was written.
    done: u64,
    at: Instant,
    /// When the state was asked for that is being made.
    asked: Instant,
    /// How long making and writing it took.
    cost: Duration,
}

impl StateFile {
    /// The file at `path`; from now on SIGINT and SIGTERM end the audit after the bundle at hand, and a
    /// second one ends it at once.
    pub fn open(path: &Path) -> Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        watch_signals(end.clone()).context("signals cannot be waited for")?;
        let now = Instant::now();
        Ok(Self {
            path: path.to_owned(),
            rhythm: Mutex::new(Rhythm {
                done: 0,
                at: now,
                asked: now,
                cost: Duration::ZERO,
            }),
            end,
        })
    }

    /// The state to go on from; `None` where there is no file yet.
    pub fn read(&self, options: &Options<'_>) -> Result<Option<State>> {
        let name = self.path.display();
        let file = match open_limited(&self.path, MAX_STATE_BYTES) {
            Ok(file) => file,
            Err(ReadFileError::NotFound { .. }) => {
                eprintln!("cairn-audit: `{name}` is not there yet: begins at entry 0");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        check_owner(&file).with_context(|| refusal(&self.path))?;
        let state = State::read(file, options).with_context(|| refusal(&self.path))?;
        let size = state.frontier.size();
        eprintln!("cairn-audit: goes on at entry {size}, as `{name}` says");
        let mut rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        rhythm.done = size;
        Ok(Some(state))
    }
}

/// Refuses a state that others can change: they could have entries skipped. Who owns the folder, or is root,
/// can do that whatever the file says.
fn check_owner(file: &File) -> Result<()> {
    let found = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    let (owner, mode) = (found.uid(), found.mode());
    if owner != own && owner != 0 {
        bail!("it belongs to user {owner}, this is user {own}");
    }
    if mode & OTHERS_WRITE != 0 {
        bail!(
            "others than its owner can write it (mode {:03o})",
            mode & 0o777
        );
    }
    Ok(())
}

/// What the user does about a state that cannot be gone on with.
pub fn refusal(path: &Path) -> String {
    let name = path.display();
    format!(
        "the audit cannot go on from `{name}`; remove it or name another file to begin at entry 0"
    )
}

impl Keeper for StateFile {
    fn due(&self, done: u64) -> Due {
        let mut rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        let since = rhythm.at.elapsed();
        let enough = done.saturating_sub(rhythm.done) >= KEEP_EVERY_ENTRIES || since >= KEEP_EVERY;
        let due = if self.end.load(Ordering::Relaxed) {
            Due::End
        } else if enough && since >= rhythm.cost.saturating_mul(MOST_OF_THE_TIME) {
            Due::State
        } else {
            return Due::Nothing;
        };
        (rhythm.done, rhythm.asked) = (done, Instant::now());
        due
    }

    fn keep(&self, state: &Settled<'_>) {
        if let Err(error) = write_atomic_with(&self.path, MODE, |file| state.write_to(file)) {
            let error = anyhow::Error::from(error);
            let error = format!("{error:#}");
            eprintln!(
                "cairn-audit: the state of the audit is not kept: {}",
                lines(&error)
            );
        }
        let mut rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        rhythm.cost = rhythm.asked.elapsed();
        rhythm.at = Instant::now();
    }
}

fn watch_signals(end: Arc<AtomicBool>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let wait = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if end.swap(true, Ordering::Relaxed) {
                std::process::exit(ENDED_AT_ONCE);
            }
            eprintln!(
                "cairn-audit: ends after the entries at hand; another signal ends it at once"
            );
        }
    };
    std::thread::Builder::new().spawn(move || runtime.block_on(wait))?;
    Ok(())
}
