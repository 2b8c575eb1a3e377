//! How far the spool has been receipted, and the last entry that was.
//!
//! Owns `uploaded.json`. The spool forgets what it retires; the next chain must still be able to
//! name the last entry of the one before.

use crate::state::{FILE_MODE, StateDir};
use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::Kid;
use cairn_event::body::PreviousChain;
use serde::{Deserialize, Serialize};

/// Largest mark file; a written one has under 512 bytes.
const MARK_BYTES_MAX: u64 = 4_096;

/// The mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Number of the first record without a receipt.
    pub next_record: u64,
    /// The last receipted entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<PreviousChain>,
    /// Whether that entry closed its chain.
    #[serde(default)]
    pub ended: bool,
    /// The chain of which the log refused an entry: what follows in it cannot be admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Kid>,
}

/// Why the mark was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// It cannot be read. Retry.
    #[error("upload mark: {0}")]
    Read(#[from] ReadFileError),
    /// It cannot be written. Retry: the same entries are then uploaded again, which is harmless.
    #[error("upload mark: {0}")]
    Write(#[from] WriteFileError),
    /// It is not what was written. Fatal.
    #[error("upload mark: {0}")]
    Form(#[from] serde_json::Error),
}

impl Mark {
    /// Reads the mark; an absent one is the beginning.
    ///
    /// Errors: [`MarkError`].
    pub fn load(state: &StateDir) -> Result<Self, MarkError> {
        match read_limited(&state.uploaded(), MARK_BYTES_MAX) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(ReadFileError::NotFound { .. }) => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the mark durably; only then may records be retired.
    ///
    /// Errors: [`MarkError`].
    pub fn save(&self, state: &StateDir) -> Result<(), MarkError> {
        Ok(write_atomic(
            &state.uploaded(),
            &serde_json::to_vec(self)?,
            FILE_MODE,
        )?)
    }
}
