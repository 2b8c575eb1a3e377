//! `cairn-server prune` on a data folder, whether it is being served or not.
//!
//! Owns who does the work: the running server, asked over `admin.sock`, or this process on a stopped
//! folder that it locks and judges as a start would.

use super::{PruneError, Pruner, Request};
use crate::app::{STORE_FOLDER, TextError, read_text};
use crate::clock::system_clock;
use crate::config::{Config, ConfigError};
use crate::disclosures::DisclosureStore;
use crate::keys::{Keys, KeysError};
use crate::log::Log;
use crate::recover::{LedgerFile, Signatures, StateError, examine};
use crate::snapshot::{self, SnapshotError};
use crate::store::{HeadFile, HeadFileError, KeyedStore, LogStore, Rocks, RocksOpenError};
use cairn_durable::FolderLock;
use cairn_durable::lock::LockError;
use cairn_tlog::{TrustPolicy, TrustPolicyError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The running server refused, or could not be asked.
    #[error(transparent)]
    Ask(#[from] SnapshotError),
    /// The folder holds no log.
    #[error("`{}` holds no log yet", .0.display())]
    NoLog(PathBuf),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] RocksOpenError),
    /// The file `HEAD`.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The stored log contradicts itself.
    #[error(transparent)]
    State(#[from] StateError),
    /// The trust policy cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is none.
    #[error("the trust policy is refused")]
    TrustPolicy(#[from] TrustPolicyError),
    /// The log was witnessed, and nobody says by whom: what they have seen must count.
    #[error(
        "this log has witnesses: name their trust policy with `--trust-policy`, or run the server"
    )]
    NoTrustPolicy,
    /// Nothing was pruned.
    #[error(transparent)]
    Prune(#[from] PruneError),
    /// The answer cannot be read.
    #[error("the answer has not its form")]
    Form(#[from] serde_json::Error),
}

impl Request {
    /// The line that asks a running server, without a line feed.
    #[must_use]
    pub fn to_line(self) -> String {
        let or_dash = |number: Option<u64>| number.map_or("-".to_owned(), |one| one.to_string());
        match self {
            Self::Plan { days, to } => format!("prune-plan {} {}", or_dash(days), or_dash(to)),
            Self::Run => "prune".to_owned(),
        }
    }

    /// Reads such a line.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let number = |text: &str| match text {
            "-" => Some(None),
            digits => cairn_tlog::decimal::parse(digits).map(Some),
        };
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["prune"] => Some(Self::Run),
            ["prune-plan", days, to] => Some(Self::Plan {
                days: number(days)?,
                to: number(to)?,
            }),
            _ => None,
        }
    }
}

/// Answers a request about a data folder; the answer is what `docs/operating/retention.md` shows. `trust` is
/// the trust policy where it is not the configured one; a running server has its own.
///
/// # Errors
/// [`FolderError`].
pub fn of_folder(
    data: &Path,
    request: Request,
    trust: Option<&Path>,
) -> Result<Value, FolderError> {
    match FolderLock::acquire(data) {
        Ok(_lock) => of_stopped(data, request, trust),
        Err(held @ LockError::Held { .. }) => {
            match snapshot::request(data, &request.to_line()) {
                Ok(answer) => Ok(serde_json::from_str(&answer)?),
                // The holder is no server, or one that is only starting.
                Err(SnapshotError::Ask(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(held.into())
                }
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn of_stopped(data: &Path, request: Request, trust: Option<&Path>) -> Result<Value, FolderError> {
    let folder = data.join(STORE_FOLDER);
    if !folder.is_dir() {
        return Err(FolderError::NoLog(data.to_owned()));
    }
    let (keys, config) = (Keys::load(data)?, Config::load(data)?);
    let signed = HeadFile::in_folder(data).read()?;
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(Rocks::open(&folder)?));
    let now_ms = system_clock()();
    let kept = LedgerFile::in_folder(data);
    let signatures = Signatures::Trust;
    let found = examine(
        store.as_ref(),
        signed,
        &keys,
        now_ms,
        signatures,
        Some(&kept),
    )?;
    let configured = config.trust_policy.map(|name| data.join(name));
    let trust = trust.map(Path::to_owned).or(configured);
    let trust = trust.map(|path| read_text(&path)).transpose()?;
    let trust = trust.map(|text| TrustPolicy::parse(&text)).transpose()?;
    if trust.is_none() && found.published.is_some_and(|newest| newest.witnessed) {
        return Err(FolderError::NoTrustPolicy);
    }
    let disclosures = DisclosureStore::new(store.clone(), keys.sealing.clone());
    let pruner = Pruner {
        store: store.as_ref(),
        disclosures: &disclosures,
        origin: &keys.origin,
        least_days: config.retention.days,
        trust: trust.as_ref(),
        now_ms,
    };
    answer(&pruner, request, || found.replayed.ledger)
}

/// Answers a request about a log that runs. Where a write failed the log stops.
///
/// # Errors
/// [`FolderError::Prune`], [`FolderError::Form`].
pub fn of_running(log: &Log, request: Request) -> Result<Value, FolderError> {
    let pruner = Pruner {
        store: log.store(),
        disclosures: log.disclosures(),
        origin: log.origin(),
        least_days: log.config().retention.days,
        trust: log.trust_policy(),
        now_ms: log.now_ms(),
    };
    let answer = answer(&pruner, request, || log.ledger().clone());
    if log.store().is_poisoned() {
        log.stop("a pruning could not be written".to_owned());
    }
    answer
}

fn answer(
    pruner: &Pruner<'_>,
    request: Request,
    ledger: impl FnOnce() -> cairn_identity::Ledger,
) -> Result<Value, FolderError> {
    Ok(match request {
        Request::Plan { days, to } => serde_json::to_value(pruner.plan(days, to)?)?,
        Request::Run => serde_json::to_value(pruner.run(&ledger())?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_written() {
        let plan = |days, to| Request::Plan { days, to };
        for request in [
            Request::Run,
            plan(None, None),
            plan(Some(365), None),
            plan(None, Some(256)),
            plan(Some(u64::MAX), Some(u64::MAX)),
        ] {
            assert_eq!(Request::from_line(&request.to_line()), Some(request));
        }
        for line in [
            "",
            "prune now",
            "prune-plan",
            "prune-plan - 1 -",
            "prune-plan -1 -",
        ] {
            assert_eq!(Request::from_line(line), None, "{line}");
        }
    }
}
