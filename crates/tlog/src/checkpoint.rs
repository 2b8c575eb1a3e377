//! Checkpoints: origin, size and root of a log, as a note text.
//!
//! Owns the three-line text and signing it as a log. It does not own cosignatures
//! (`cosignature`) nor the decision whether a checkpoint is trusted (`trust`).
//! Source: C2SP tlog-checkpoint.
//!
//! Extension lines are refused: they are not recommended, other witnesses refuse them, and ML-DSA
//! cosignatures would not cover them.

use std::fmt;

use crate::decimal;
use crate::hash::{EMPTY_ROOT, Hash};
use crate::key::{SignatureError, SignerKey, VerifierKey, check_name};
use crate::note::{self, Note, NoteParseError, NoteVerifyError};
use crate::proof::MAX_TREE_SIZE;

/// The head of a log: what is signed and cosigned. `Display` writes the note text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, 1 to 255 bytes, equal to the name of its note key.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// RFC 6962 tree head of those leaves.
    pub root: Hash,
}

/// Why a note text is not a checkpoint of the accepted form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointParseError {
    /// Not three lines, each ending in LF (extension lines included).
    #[error("checkpoint does not have exactly three lines")]
    LineCount,
    /// The origin is empty, too long, or has a space, a control character or a plus sign.
    #[error("checkpoint origin is empty, too long or has a forbidden character")]
    Origin,
    /// The size is not a canonical decimal up to `MAX_TREE_SIZE`.
    #[error("checkpoint size is not a canonical decimal in range")]
    Size,
    /// The root is not canonical base64 of 32 bytes.
    #[error("checkpoint root is not canonical base64 of 32 bytes")]
    Root,
}

/// Why a signed checkpoint was not opened with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointOpenError {
    /// Not a note.
    #[error("checkpoint is not a signed note")]
    Note(#[from] NoteParseError),
    /// Not a checkpoint text.
    #[error("note is not a checkpoint")]
    Text(#[from] CheckpointParseError),
    /// The origin is not the key's name.
    #[error("checkpoint is of origin `{origin}`, the key of another")]
    Origin {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// A signature with the key's name and id fails.
    #[error("checkpoint signature is refused")]
    Signature(#[from] NoteVerifyError),
    /// No signature of the key.
    #[error("checkpoint is not signed by the key")]
    Unsigned,
}

impl Checkpoint {
    /// The checkpoint of an empty log.
    #[must_use]
    pub fn empty(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            size: 0,
            root: EMPTY_ROOT,
        }
    }

    /// Parses a note text (including its final LF).
    ///
    /// Trap: a size of 0 with another root than `EMPTY_ROOT` parses; a witness answers 422 to it.
    ///
    /// # Errors
    /// Refused with the cause.
    pub fn parse(text: &str) -> Result<Self, CheckpointParseError> {
        let body = text
            .strip_suffix('\n')
            .ok_or(CheckpointParseError::LineCount)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointParseError::LineCount);
        };
        check_name(origin).map_err(|_| CheckpointParseError::Origin)?;
        let size = decimal::parse(size).filter(|&size| size <= MAX_TREE_SIZE);
        let size = size.ok_or(CheckpointParseError::Size)?;
        let root = Hash::from_base64(root).map_err(|_| CheckpointParseError::Root)?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// Signs as the log: a note with one type 0x01 signature.
    ///
    /// # Errors
    /// `WrongAlgorithm` for a cosigner key.
    pub fn sign(&self, key: &SignerKey) -> Result<Note, SignatureError> {
        let text = self.to_string();
        let signature = note::sign(&text, key)?;
        Ok(Note {
            text,
            signatures: vec![signature],
        })
    }

    /// Parses a signed checkpoint and requires the signature of one log key whose name is the
    /// origin. Witness cosignatures are not looked at.
    ///
    /// # Errors
    /// Refused with the cause.
    pub fn open(note: &str, key: &VerifierKey) -> Result<(Self, Note), CheckpointOpenError> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(&note.text)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointOpenError::Origin {
                origin: checkpoint.origin,
            });
        }
        note.verify(key)?.ok_or(CheckpointOpenError::Unsigned)?;
        Ok((checkpoint, note))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}
