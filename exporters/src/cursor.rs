//! The cursor of a stream: the index up to which a sink has taken everything, on disk.
//!
//! Owns the file and its durability. It is keyed by origin, so that a cursor of one log is never used
//! for another. It moves only after delivery: after a crash some records are delivered twice, none is
//! lost. Source: `docs/formats/ocsf.md`, "delivery".

use cairn_durable::file::{read_limited, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Largest cursor file accepted.
const MAX_CURSOR_BYTES: u64 = 4_096;

/// Permissions of the file: it says nothing secret, and nobody else should move it.
const MODE: u32 = 0o600;

/// Why a cursor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The file could not be read or written.
    #[error("cursor `{path}`: {reason}")]
    Disk {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The file is not a cursor.
    #[error("cursor `{0}` is damaged; remove it to deliver everything again")]
    Damaged(String),
    /// The file belongs to another log.
    #[error("cursor `{path}` belongs to log `{found}`, this is `{wanted}`")]
    OtherLog {
        /// The file.
        path: String,
        /// The log in the file.
        found: String,
        /// The log that is followed.
        wanted: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    next: u64,
    origin: String,
}

/// Where a stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    path: PathBuf,
    origin: String,
    next: u64,
}

impl Cursor {
    /// Opens the cursor of `origin`, at 0 when there is no file yet.
    ///
    /// Errors: [`CursorError`]; the stream does not start.
    pub fn open(path: &Path, origin: &str) -> Result<Self, CursorError> {
        let name = path.display().to_string();
        let (path, origin) = (path.to_owned(), origin.to_owned());
        if !path.exists() {
            return Ok(Self {
                path,
                origin,
                next: 0,
            });
        }
        let bytes = read_limited(&path, MAX_CURSOR_BYTES).map_err(|error| CursorError::Disk {
            path: name.clone(),
            reason: error.to_string(),
        })?;
        let content: Content =
            serde_json::from_slice(&bytes).map_err(|_| CursorError::Damaged(name.clone()))?;
        if content.origin != origin {
            let (found, wanted) = (content.origin, origin);
            return Err(CursorError::OtherLog {
                path: name,
                found,
                wanted,
            });
        }
        Ok(Self {
            path,
            origin,
            next: content.next,
        })
    }

    /// The first index that has not been delivered for certain.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Moves on, durably. Call only after the sink has taken everything below `next`.
    ///
    /// Errors: [`CursorError::Disk`]; the stream stops, and delivers again from the old place.
    pub fn advance(&mut self, next: u64) -> Result<(), CursorError> {
        let disk = |reason: String| CursorError::Disk {
            path: self.path.display().to_string(),
            reason,
        };
        let content = Content {
            next,
            origin: self.origin.clone(),
        };
        let bytes = serde_json::to_vec(&content).map_err(|error| disk(error.to_string()))?;
        write_atomic(&self.path, &bytes, MODE).map_err(|error| disk(error.to_string()))?;
        self.next = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_belongs_to_one_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cursor");
        let mut cursor = Cursor::open(&path, "a").unwrap();
        assert_eq!(cursor.next(), 0);
        cursor.advance(17).unwrap();
        assert_eq!(Cursor::open(&path, "a").unwrap().next(), 17);
        assert!(matches!(
            Cursor::open(&path, "b"),
            Err(CursorError::OtherLog { .. })
        ));
        std::fs::write(&path, b"{\"next\":").unwrap();
        assert!(matches!(
            Cursor::open(&path, "a"),
            Err(CursorError::Damaged(_))
        ));
    }
}
