//! The file `HEAD`: the newest tree head this log ever signed, kept apart from the store.
//!
//! Owns four lines of text and their durability. It exists to notice a store that went back in
//! time (a restored backup, a lost disk): a log that signed size n must never hold less than n.

use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_tlog::{Hash, decimal};
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
const NAME: &str = "HEAD";

/// First line: format and version.
const HEADER: &str = "cairn-head-v1";

/// The longest file: header, two decimals of 20 digits, one hash of 44 characters, line feeds.
const MAX_BYTES: u64 = 128;

/// A tree head that was, or was about to be, signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// Leaves covered.
    pub size: u64,
    /// Tree head.
    pub root: Hash,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
}

/// Why the file could not be used. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// It cannot be read.
    #[error("the file HEAD cannot be read")]
    Read(#[source] ReadFileError),
    /// It is there and not of its form.
    #[error("the file HEAD is damaged")]
    Form,
    /// It cannot be replaced.
    #[error("the file HEAD cannot be written")]
    Write(#[source] WriteFileError),
}

/// Access to the file.
#[derive(Debug, Clone)]
pub struct HeadFile {
    path: PathBuf,
}

impl HeadFile {
    /// The file of a data folder.
    #[must_use]
    pub fn in_folder(dir: &Path) -> Self {
        Self {
            path: dir.join(NAME),
        }
    }

    /// Reads it; `None` when nothing was ever signed here.
    ///
    /// # Errors
    /// Fatal: an operator finds out why before anything is signed.
    pub fn read(&self) -> Result<Option<SignedHead>, HeadFileError> {
        let bytes = match read_limited(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadFileError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(HeadFileError::Read(error)),
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| HeadFileError::Form)?;
        parse(text).map(Some).ok_or(HeadFileError::Form)
    }

    /// Replaces it durably.
    ///
    /// # Errors
    /// Fatal: nothing may be signed.
    pub fn write(&self, head: &SignedHead) -> Result<(), HeadFileError> {
        let text = format!("{HEADER}\n{}\n{}\n{}\n", head.size, head.root, head.time_ms);
        write_atomic(&self.path, text.as_bytes(), 0o600).map_err(HeadFileError::Write)
    }
}

fn parse(text: &str) -> Option<SignedHead> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (Some(HEADER), Some(size), Some(root), Some(time), None) = (
        lines.next(),
        lines.next(),
        lines.next(),
        lines.next(),
        lines.next(),
    ) else {
        return None;
    };
    Some(SignedHead {
        size: decimal::parse(size)?,
        root: Hash::from_base64(root).ok()?,
        time_ms: decimal::parse(time)?,
    })
}
