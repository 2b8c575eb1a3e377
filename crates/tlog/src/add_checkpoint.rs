//! Bodies of the tlog-witness `add-checkpoint` call, for both sides.
//!
//! Owns the request text, the success body (cosignature lines) and the conflict body (a size). It
//! does not own HTTP nor the witness's decision. Source: C2SP tlog-witness.

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::decimal;
use crate::hash::Hash;
use crate::note::{Note, NoteParseError, NoteSignature};
use crate::proof::{MAX_PROOF_HASHES, MAX_TREE_SIZE};

/// The largest request Cairn sends or reads: omniwitness refuses more than 16 KiB.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// The largest response a client reads: several post-quantum signature lines fit.
pub const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Content type of the 409 body that carries the witness's size.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// A request to cosign a checkpoint. `Display` writes the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpointRequest {
    /// Size of the checkpoint that the sender believes the witness cosigned last; 0 for none.
    pub old: u64,
    /// Consistency proof from `old` to the checkpoint's size.
    pub proof: Vec<Hash>,
    /// The checkpoint as parsed from the note.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Note,
}

/// Why a body is not an add-checkpoint request.
///
/// A witness answers 400 to all of them but `UndecodableSignature`, which is 404 or 403 when
/// origin and key name are (not) known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointParseError {
    /// Longer than `MAX_REQUEST_BYTES`.
    #[error("request has {got} bytes, the limit is 16384")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// Not UTF-8.
    #[error("request is not text")]
    NotText,
    /// The first line is not `old <decimal>`.
    #[error("request does not begin with a canonical old size line")]
    Old,
    /// A proof line is not a canonical base64 hash.
    #[error("request proof line {line} is not a canonical base64 hash")]
    ProofLine {
        /// Proof line, from 0.
        line: usize,
    },
    /// More than 63 proof lines.
    #[error("request has more than 63 proof lines")]
    ProofTooLong,
    /// No blank line and note after the proof.
    #[error("request has no checkpoint")]
    NoCheckpoint,
    /// The note is malformed.
    #[error("request checkpoint is not a signed note")]
    Note(#[source] NoteParseError),
    /// The note text is not a checkpoint.
    #[error("request note is not a checkpoint")]
    Checkpoint(#[source] CheckpointParseError),
    /// All is well formed but the base64 of one signature line.
    #[error("request has an undecodable signature of key name `{name}`")]
    UndecodableSignature {
        /// Origin of the checkpoint.
        origin: String,
        /// Key name on the line.
        name: String,
    },
}

/// Why a success body was refused by the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseParseError {
    /// Longer than `MAX_RESPONSE_BYTES`.
    #[error("response has {got} bytes, the limit is 65536")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// Not UTF-8 or without a final LF.
    #[error("response is not text that ends in a line feed")]
    NotText,
    /// A line is not a signature line.
    #[error("response has a malformed signature line")]
    Line(#[source] NoteParseError),
}

impl AddCheckpointRequest {
    /// Parses a request body.
    ///
    /// # Errors
    /// Refused with the cause; see `AddCheckpointParseError` for the status.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointParseError> {
        use AddCheckpointParseError as E;
        if body.len() > MAX_REQUEST_BYTES {
            return Err(E::TooLong { got: body.len() });
        }
        let body = std::str::from_utf8(body).map_err(|_| E::NotText)?;
        let (head, note) = body.split_once("\n\n").ok_or(E::NoCheckpoint)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old
            .and_then(decimal::parse)
            .filter(|&old| old <= MAX_TREE_SIZE);
        let old = old.ok_or(E::Old)?;
        let mut proof = Vec::new();
        for (line, hash) in lines.enumerate() {
            if line >= MAX_PROOF_HASHES {
                return Err(E::ProofTooLong);
            }
            proof.push(Hash::from_base64(hash).map_err(|_| E::ProofLine { line })?);
        }
        let (checkpoint, note) = parse_note(note)?;
        Ok(Self {
            old,
            proof,
            checkpoint,
            note,
        })
    }
}

impl fmt::Display for AddCheckpointRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

/// Writes a success body: one line for each cosignature.
#[must_use]
pub fn format_response(signatures: &[NoteSignature]) -> String {
    signatures
        .iter()
        .map(|signature| format!("{signature}\n"))
        .collect()
}

/// Reads a success body; the client then verifies the lines of keys it knows and ignores others.
///
/// # Errors
/// Refused with the cause; the client treats the witness as failing and may retry later.
pub fn parse_response(body: &[u8]) -> Result<Vec<NoteSignature>, ResponseParseError> {
    if body.len() > MAX_RESPONSE_BYTES {
        return Err(ResponseParseError::TooLong { got: body.len() });
    }
    let text = std::str::from_utf8(body).map_err(|_| ResponseParseError::NotText)?;
    let text = text.strip_suffix('\n').ok_or(ResponseParseError::NotText)?;
    text.split('\n')
        .map(|line| NoteSignature::parse(line).map_err(ResponseParseError::Line))
        .collect()
}

/// Writes the 409 body: the size the witness cosigned last.
#[must_use]
pub fn format_size(size: u64) -> String {
    format!("{size}\n")
}

/// Reads a 409 body. Trap: only when the content type is `SIZE_CONTENT_TYPE`; a 409 without it is
/// an alarm about another root at the same size, not a size.
#[must_use]
pub fn parse_size(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    decimal::parse(text).filter(|&size| size <= MAX_TREE_SIZE)
}

fn parse_note(text: &str) -> Result<(Checkpoint, Note), AddCheckpointParseError> {
    use AddCheckpointParseError as E;
    match Note::parse(text) {
        Ok(note) => {
            let checkpoint = Checkpoint::parse(&note.text).map_err(E::Checkpoint)?;
            Ok((checkpoint, note))
        }
        Err(NoteParseError::SignatureEncoding { name }) => {
            let (body, _) = text.rsplit_once("\n\n").ok_or(E::NoCheckpoint)?;
            let checkpoint = Checkpoint::parse(&format!("{body}\n")).map_err(E::Checkpoint)?;
            Err(E::UndecodableSignature {
                origin: checkpoint.origin,
                name,
            })
        }
        Err(error) => Err(E::Note(error)),
    }
}
