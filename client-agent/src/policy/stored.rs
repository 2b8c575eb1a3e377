//! Roster and policy on disk, so that a device decides after a restart without a network.
//!
//! Owns the two files. What is read back is verified as if the server had just sent it.

use crate::clock::KeptUptime;
use crate::state::{FILE_MODE, FOLDER_MODE, StateDir};
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_durable::file::{CreateDirError, ReadFileError, WriteFileError};
use cairn_durable::{create_dir_durable, read_limited, write_atomic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Largest file: a roster of 50,000 statements with receipts of about 1 KiB, or the largest bundle. A longer
/// roster counts as none at a start: until the server has given it again nothing is decided.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What is stored about the newest policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPolicy {
    /// The newest verified policy, as the server sent it.
    pub policy: Option<PolicyAnswer>,
    /// From when on it is known to be the newest, milliseconds since 1970.
    pub checked_ms: u64,
    /// When this device learned that, by a clock that nobody can set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<KeptUptime>,
    /// Why the server refuses this device, until it answers again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Why policy files were not read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The folder cannot be made. Retry.
    #[error("policy folder: {0}")]
    Folder(#[from] CreateDirError),
    /// A file cannot be read. Retry.
    #[error("policy file: {0}")]
    Read(#[from] ReadFileError),
    /// A file cannot be written. Retry.
    #[error("policy file: {0}")]
    Write(#[from] WriteFileError),
    /// A file is not what was written; the server sends it again.
    #[error("policy file: {0}")]
    Form(#[from] serde_json::Error),
}

/// The two files.
#[derive(Clone, Debug)]
pub struct Stored {
    roster: PathBuf,
    policy: PathBuf,
}

impl Stored {
    /// The files of a state folder; makes their folder.
    ///
    /// Errors: [`StoredError::Folder`].
    pub fn open(state: &StateDir) -> Result<Self, StoredError> {
        let dir = state.policy();
        create_dir_durable(&dir, FOLDER_MODE)?;
        Ok(Self {
            roster: dir.join("roster.json"),
            policy: dir.join("policy.json"),
        })
    }

    /// All roster entries in order.
    ///
    /// Errors: [`StoredError`].
    pub fn roster(&self) -> Result<Vec<ReceiptedFrame>, StoredError> {
        read(&self.roster)
    }

    /// Replaces the roster entries.
    ///
    /// Errors: [`StoredError`].
    pub fn save_roster(&self, entries: &[ReceiptedFrame]) -> Result<(), StoredError> {
        Ok(write_atomic(
            &self.roster,
            &serde_json::to_vec(entries)?,
            FILE_MODE,
        )?)
    }

    /// The newest policy.
    ///
    /// Errors: [`StoredError`].
    pub fn policy(&self) -> Result<StoredPolicy, StoredError> {
        read(&self.policy)
    }

    /// Replaces the newest policy.
    ///
    /// Errors: [`StoredError`].
    pub fn save_policy(&self, policy: &StoredPolicy) -> Result<(), StoredError> {
        Ok(write_atomic(
            &self.policy,
            &serde_json::to_vec(policy)?,
            FILE_MODE,
        )?)
    }
}

fn read<T: DeserializeOwned + Default>(path: &std::path::Path) -> Result<T, StoredError> {
    match read_limited(path, FILE_BYTES_MAX) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(ReadFileError::NotFound { .. }) => Ok(T::default()),
        Err(error) => Err(error.into()),
    }
}
