//! `cairn-server backup` and `restore`: a copy of a data folder that proves itself.
//!
//! Owns the layout of a backup, its manifest, and both directions. Does not own the consistent view
//! (`crate::snapshot`) nor what makes a folder sound (`crate::check`).
//!
//! A backup is a folder with `backup.json`, `HEAD`, `config.toml`, `server-keys.json`, the trust
//! policy where it lies in the data folder, and `store/`. It holds **no keys**: the signing key in
//! an old copy would be a second log, and the sealing key beside the store brings erased content
//! back. The manifest names the length and SHA-256 of each file. A backup is verified whole before
//! it gets its name, so that a folder without the suffix `.partial` is a good one.
//!
//! A log must never go back: `restore` asks every witness whether it holds more than the backup, and
//! makes no folder that could be served when one does, or when one is silent.

mod copy;
mod manifest;
mod restore;

pub use copy::CopyError;
pub use manifest::{Manifest, ManifestError, ManifestFile};
pub use restore::{RestoreError, RestoreOptions, RestoreReport, restore};

use crate::app::STORE_FOLDER;
use crate::check::{CheckError, CheckReport, check};
use crate::clock::system_clock;
use crate::config::{Config, ConfigError, FILE_NAME};
use crate::keys::{Keys, KeysError, PUBLIC_FILE};
use crate::snapshot::{Snapshot, SnapshotError};
use crate::store::{HeadFile, HeadFileError, KeyedStore, LogStore, Rocks, RocksOpenError};
use cairn_durable::create_dir_durable;
use cairn_durable::file::CreateDirError;
use copy::{FolderCopy, sync_folder};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Name of the file `HEAD`, as `crate::store` writes it.
const HEAD: &str = "HEAD";

/// Files in a stopped store that belong to a process and not to the log.
const NOT_COPIED: [&str; 1] = ["LOCK"];

/// Beginning of the names of RocksDB's diagnostics.
const DIAGNOSTICS: &str = "LOG";

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The destination is there already. Refused: a backup is never overwritten.
    #[error("`{}` exists, a backup needs a new name", .0.display())]
    Exists(PathBuf),
    /// No view of the data folder.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The configuration of the data folder.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys, which the verification needs.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A folder cannot be made.
    #[error("a folder cannot be made")]
    Folder(#[from] CreateDirError),
    /// A file cannot be copied. Retry.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The copy is not sound; the data folder may not be either: run `cairn-server check`.
    #[error("the copy is not sound")]
    Unsound(#[from] UnsoundError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The finished backup cannot be given its name.
    #[error("`{}` cannot be given its name", path.display())]
    Name {
        /// The unfinished folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why a folder with a store and `HEAD` is not a log that could be served.
#[derive(Debug, thiserror::Error)]
pub enum UnsoundError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] RocksOpenError),
    /// The file `HEAD`.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The log contradicts itself.
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// Makes a backup of a data folder, stopped or served, and verifies it whole.
///
/// # Errors
/// [`BackupError`]; a folder named `.partial` may be left and is removed by the next attempt.
pub fn backup(data: &Path, destination: &Path) -> Result<Manifest, BackupError> {
    if destination.exists() {
        return Err(BackupError::Exists(destination.to_owned()));
    }
    let config = Config::load(data)?;
    let keys = Keys::load(data)?;
    let partial = partial_of(destination);
    remove_old(&partial)?;
    create_dir_durable(&partial.join(STORE_FOLDER), 0o700)?;
    let mut copied = FolderCopy::new(&partial);
    {
        let view = Snapshot::take(data)?;
        copied.file(view.folder(), Path::new(HEAD))?;
        let mut names = copy::names(&view.store())?;
        names.retain(|name| is_of_the_log(name));
        for name in names {
            copied.file(view.folder(), &Path::new(STORE_FOLDER).join(name))?;
        }
    }
    copied.file(data, Path::new(FILE_NAME))?;
    copied.file(data, Path::new(PUBLIC_FILE))?;
    if let Some(policy) = config
        .trust_policy
        .as_deref()
        .filter(|path| is_inside(path))
    {
        if let Some(folder) = policy.parent() {
            create_dir_durable(&partial.join(folder), 0o700)?;
        }
        copied.file(data, policy)?;
    }
    let report = examine(&partial, &keys)?;
    let manifest = Manifest::new(&report, system_clock()(), copied.done());
    manifest.write(&partial)?;
    name(&partial, destination)?;
    Ok(manifest)
}

/// Verifies a folder with `HEAD` and a store as `cairn-server check` does; writes nothing.
///
/// # Errors
/// [`UnsoundError`].
pub fn examine(folder: &Path, keys: &Keys) -> Result<CheckReport, UnsoundError> {
    let signed = HeadFile::in_folder(folder).read()?;
    examine_store(&folder.join(STORE_FOLDER), signed, keys)
}

/// As [`examine`], with the signed head from elsewhere.
///
/// # Errors
/// [`UnsoundError`].
pub fn examine_store(
    store: &Path,
    signed: Option<crate::store::SignedHead>,
    keys: &Keys,
) -> Result<CheckReport, UnsoundError> {
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(Rocks::open_read_only(store)?));
    Ok(check(&store, signed, keys, system_clock()())?)
}

fn is_of_the_log(name: &str) -> bool {
    !NOT_COPIED.contains(&name) && !name.starts_with(DIAGNOSTICS)
}

/// Whether a configured path stays in the data folder, so that a backup takes it along.
fn is_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Where a folder is made until it is whole.
fn partial_of(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    folder.with_file_name(name)
}

fn remove_old(partial: &Path) -> Result<(), CopyError> {
    match std::fs::remove_dir_all(partial) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CopyError {
            path: partial.to_owned(),
            doing: "removing",
            source,
        }),
        _ => Ok(()),
    }
}

/// Gives a finished folder its name, durably.
fn name(partial: &Path, folder: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Name {
        path: partial.to_owned(),
        source,
    };
    sync_folder(&partial.join(STORE_FOLDER)).map_err(failed)?;
    sync_folder(partial).map_err(failed)?;
    std::fs::rename(partial, folder).map_err(failed)?;
    let parent = folder.parent().filter(|path| !path.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new("."))).map_err(failed)
}
