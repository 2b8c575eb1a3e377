//! `cairn-server restore`: a data folder out of a backup, unless the log has gone on since.

use super::copy::{CopyError, FolderCopy};
use super::{
    BackupError, Manifest, ManifestError, UnsoundError, examine, name, partial_of, remove_old,
};
use crate::app::{STORE_FOLDER, TextError, read_text};
use crate::check::CheckReport;
use crate::config::{Config, ConfigError};
use crate::keys::{self, Keys, KeysError};
use crate::store::{KeyedStore, LogStore, Rocks, RocksOpenError, StoreError};
use crate::witnesses::{CosignFailure, HttpLink, Witnesses};
use cairn_durable::create_dir_durable;
use cairn_durable::file::CreateDirError;
use cairn_tlog::{Checkpoint, SignatureError, TrustPolicy, TrustPolicyError};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The backup.
    pub backup: PathBuf,
    /// The new data folder.
    pub data: PathBuf,
    /// Folder with the key files, which no backup holds.
    pub keys: PathBuf,
    /// Whether the operator answers for witnesses that do not: nothing was signed after the backup.
    pub nothing_signed_since: bool,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// What was found in the new folder.
    pub check: CheckReport,
    /// Witnesses that confirmed that they hold no more than the backup.
    pub confirmed_by: Vec<String>,
    /// Witnesses that did not answer.
    pub silent: Vec<String>,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is at the destination. Refused: its `HEAD` may be newer than the backup.
    #[error("`{}` exists; move it away and keep it, it may be newer than the backup", .0.display())]
    Exists(PathBuf),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of the backup is not what the manifest says.
    #[error("`{}` is damaged: it is not the file that was backed up", .0.display())]
    Damaged(PathBuf),
    /// A file cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A folder cannot be made.
    #[error("a folder cannot be made")]
    Folder(#[from] CreateDirError),
    /// The configuration in the backup.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key files.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The restored folder is not sound.
    #[error("the restored folder is not sound")]
    Unsound(#[from] UnsoundError),
    /// The restored store does not open.
    #[error(transparent)]
    Open(#[from] RocksOpenError),
    /// The restored store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The trust policy cannot be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The trust policy is none.
    #[error("the trust policy is refused")]
    TrustPolicy(#[from] TrustPolicyError),
    /// The log key refused to sign.
    #[error("the log key did not sign")]
    Sign(#[from] SignatureError),
    /// The HTTP client for witnesses could not be set up.
    #[error("the client of the witnesses could not be made")]
    Client(#[from] reqwest::Error),
    /// A witness holds more: the log went on after the backup. Refused, and there is no way around.
    #[error(
        "witness `{witness}` holds size {held}, the backup holds {size}: entries were signed after it. \
         Find a newer store or backup; without one the log has ended (recovery, \"A log that ended\")"
    )]
    WitnessAhead {
        /// The witness.
        witness: String,
        /// Size it holds.
        held: u64,
        /// Size of the backup.
        size: u64,
    },
    /// A witness saw another tree. Refused.
    #[error(
        "witness `{witness}` contradicts the backup: another tree was signed with this log's key"
    )]
    WitnessContradicts {
        /// The witness.
        witness: String,
        /// What it said.
        #[source]
        cause: CosignFailure,
    },
    /// Nobody can say whether the log went on. Refused until somebody does.
    #[error(
        "{}. If you know that nothing was signed after the backup, say so with \
         `--nothing-signed-since`",
        silence(.0)
    )]
    Silent(Vec<String>),
    /// The folder could not be given its name.
    #[error(transparent)]
    Name(Box<BackupError>),
}

fn silence(witnesses: &[String]) -> String {
    if witnesses.is_empty() {
        return "no witness is configured that could say whether entries were signed after the \
                backup"
            .to_owned();
    }
    let names = witnesses.join("`, `");
    format!("`{names}` did not answer whether entries were signed after the backup")
}

/// Makes a data folder out of a backup and the keys, verifies it whole and asks the witnesses.
///
/// # Errors
/// [`RestoreError`]; no folder is there that could be served.
pub async fn restore(options: &RestoreOptions) -> Result<RestoreReport, RestoreError> {
    if options.data.exists() {
        return Err(RestoreError::Exists(options.data.clone()));
    }
    let partial = partial_of(&options.data);
    let (from, keys_from) = (options.backup.clone(), options.keys.clone());
    let target = partial.clone();
    let checked = tokio::task::spawn_blocking(move || fill(&from, &keys_from, &target)).await;
    let check = checked.map_err(|error| {
        RestoreError::Copy(CopyError {
            path: partial.clone(),
            doing: "filling",
            source: std::io::Error::other(error),
        })
    })??;
    let asked = ask(&partial, check.size).await?;
    let unknown = asked.confirmed_by.is_empty() || !asked.silent.is_empty();
    if unknown && !options.nothing_signed_since {
        return Err(RestoreError::Silent(asked.silent));
    }
    name(&partial, &options.data).map_err(|error| RestoreError::Name(Box::new(error)))?;
    Ok(RestoreReport {
        check,
        confirmed_by: asked.confirmed_by,
        silent: asked.silent,
    })
}

/// Copies and verifies; what is left after an error has a name that nobody serves.
fn fill(backup: &Path, keys_from: &Path, partial: &Path) -> Result<CheckReport, RestoreError> {
    let manifest = Manifest::read(backup)?;
    remove_old(partial)?;
    create_dir_durable(&partial.join(STORE_FOLDER), 0o700)?;
    create_dir_durable(&partial.join(keys::FOLDER), 0o700)?;
    let mut copied = FolderCopy::new(partial);
    for file in &manifest.files {
        if let Some(folder) = file.path.parent() {
            create_dir_durable(&partial.join(folder), 0o700)?;
        }
        copied.file(backup, &file.path)?;
        if copied.last() != Some(file) {
            return Err(RestoreError::Damaged(backup.join(&file.path)));
        }
    }
    let mut key_copies = FolderCopy::new(&partial.join(keys::FOLDER));
    for key in keys::FILES {
        key_copies.file(keys_from, Path::new(key))?;
    }
    // Keys that were copied elsewhere before there was a record have none; the first start makes it.
    if keys_from.join(keys::FINGERPRINTS_FILE).exists() {
        key_copies.file(keys_from, Path::new(keys::FINGERPRINTS_FILE))?;
    }
    Ok(examine(partial, &Keys::load(partial)?)?)
}

/// What the witnesses said.
struct Asked {
    confirmed_by: Vec<String>,
    silent: Vec<String>,
}

/// Shows every witness the newest published checkpoint, which says nothing new; the answer tells
/// what it holds.
async fn ask(folder: &Path, size: u64) -> Result<Asked, RestoreError> {
    let mut asked = Asked {
        confirmed_by: Vec::new(),
        silent: Vec::new(),
    };
    let config = Config::load(folder)?;
    let Some(path) = &config.trust_policy else {
        return Ok(asked);
    };
    let trust = TrustPolicy::parse(&read_text(&folder.join(path))?)?;
    let keys = Keys::load(folder)?;
    let rocks = Rocks::open_read_only(&folder.join(STORE_FOLDER))?;
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(rocks));
    let mut checkpoint = Checkpoint::empty(&keys.origin);
    if let Some(published) = store.published()? {
        (checkpoint.size, checkpoint.root) = (published.size, published.root);
    }
    let note = checkpoint.sign(&keys.log)?;
    let timeout = Duration::from_millis(config.checkpoint.witness_timeout_ms);
    let link = Arc::new(HttpLink::new(timeout)?);
    let witnesses = Witnesses::new(Some(&trust), checkpoint.size, link);
    for witness in witnesses.all() {
        let name = witness.name.clone();
        match witnesses.cosign(witness, &store, &checkpoint, &note).await {
            Ok(_) => asked.confirmed_by.push(name),
            Err(CosignFailure::Ahead { size: held, .. }) if held <= size => {
                asked.confirmed_by.push(name);
            }
            Err(CosignFailure::Ahead { size: held, .. }) => {
                return Err(RestoreError::WitnessAhead {
                    witness: name,
                    held,
                    size,
                });
            }
            Err(cause @ CosignFailure::Contradiction { .. }) => {
                return Err(RestoreError::WitnessContradicts {
                    witness: name,
                    cause,
                });
            }
            Err(error) => {
                tracing::warn!(witness = name, %error, "witness not asked");
                asked.silent.push(name);
            }
        }
    }
    Ok(asked)
}
