//! Timestamped cosignatures: Ed25519 (signature type 0x04) and ML-DSA-44 (0x06).
//!
//! Owns the signed messages and the blob `u64be timestamp || signature`. It does not own the
//! decision to cosign (the witness) nor quorums (`trust`). Source: C2SP tlog-cosignature.
//!
//! A cosignature says: "as of this time, this is the largest consistent tree of this origin that
//! I have observed". The Ed25519 message does not commit to the cosigner's name, so every cosigner
//! needs a key of its own; the ML-DSA-44 message does.
//!
//! ML-DSA-44 may have the time 0, which makes no statement of time: a log's own signature, for
//! example. A witness never signs so, and such a line never counts as a witness's.

use crate::checkpoint::Checkpoint;
use crate::key::{KeyAlgorithm, SignatureError, SignerKey, VerifierKey};
use crate::note::{Note, NoteSignature};

/// Bytes of the timestamp in front of the signature.
const TIMESTAMP_BYTES: usize = 8;

/// What an ML-DSA-44 message begins with.
const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// The largest timestamp (C2SP tlog-cosignature: at most 2^63 - 1).
pub const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// Why a cosignature was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The key is of neither cosigner type.
    #[error("the key is not a cosigner key")]
    WrongAlgorithm,
    /// ML-DSA-44 signs origin, size and root, and the text is not a checkpoint.
    #[error("the text to cosign is not a checkpoint")]
    NotACheckpoint,
    /// The timestamp is 0 (reserved for "no statement of time") or above 2^63 - 1.
    #[error("cosignature timestamp {seconds} is out of range")]
    Timestamp {
        /// The refused timestamp.
        seconds: u64,
    },
}

/// Why a cosignature of a note was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// No line carries the key's name and id.
    #[error("the note is not cosigned by the key")]
    Absent,
    /// A line carries them and does not verify.
    #[error("the cosignature is refused")]
    Refused(#[source] SignatureError),
}

/// Cosigns a note text at `timestamp` (Unix seconds).
///
/// Trap: call only after the state that makes the statement true is durable.
///
/// # Errors
/// `WrongAlgorithm`, a timestamp of 0 or above `MAX_TIMESTAMP`, or `NotACheckpoint`.
pub fn cosign(text: &str, key: &SignerKey, timestamp: u64) -> Result<NoteSignature, CosignError> {
    if !key.verifier().algorithm().is_for_cosigners() {
        return Err(CosignError::WrongAlgorithm);
    }
    if timestamp == 0 || timestamp > MAX_TIMESTAMP {
        return Err(CosignError::Timestamp { seconds: timestamp });
    }
    let message = message(text, timestamp, key.verifier()).ok_or(CosignError::NotACheckpoint)?;
    let mut blob = timestamp.to_be_bytes().to_vec();
    blob.extend_from_slice(&key.sign_bytes(&message));
    Ok(NoteSignature {
        name: key.name().to_owned(),
        key_id: key.verifier().id(),
        blob,
    })
}

/// Requires a cosignature of the note by `key` and returns its Unix seconds.
///
/// # Errors
/// `Absent` (also when the only line has no time), or `Refused` when a line of the key does not
/// verify.
pub fn verify(note: &Note, key: &VerifierKey) -> Result<u64, CosignatureError> {
    if !key.algorithm().is_for_cosigners() {
        return Err(CosignatureError::Refused(SignatureError::WrongAlgorithm));
    }
    let verified = note
        .verify(key)
        .map_err(|error| CosignatureError::Refused(error.cause))?;
    verified
        .and_then(|signature| signature.timestamp)
        .ok_or(CosignatureError::Absent)
}

/// Checks a cosignature blob over a note text and returns its Unix seconds; `None` for the time 0.
pub(crate) fn verify_blob(
    text: &str,
    blob: &[u8],
    key: &VerifierKey,
) -> Result<Option<u64>, SignatureError> {
    let want = TIMESTAMP_BYTES + key.algorithm().signature_bytes();
    let length = SignatureError::Length {
        want,
        got: blob.len(),
    };
    let (timestamp, signature) = blob.split_first_chunk::<TIMESTAMP_BYTES>().ok_or(length)?;
    if blob.len() != want {
        return Err(length);
    }
    let timestamp = u64::from_be_bytes(*timestamp);
    let may_be_zero = key.algorithm() == KeyAlgorithm::MlDsa44Cosignature;
    if timestamp > MAX_TIMESTAMP || (timestamp == 0 && !may_be_zero) {
        return Err(SignatureError::Timestamp);
    }
    let message = message(text, timestamp, key).ok_or(SignatureError::NotACheckpoint)?;
    key.verify_bytes(&message, signature)?;
    Ok((timestamp != 0).then_some(timestamp))
}

/// What is signed; `None` when ML-DSA-44 is to sign what is not a checkpoint.
fn message(text: &str, timestamp: u64, key: &VerifierKey) -> Option<Vec<u8>> {
    if key.algorithm() != KeyAlgorithm::MlDsa44Cosignature {
        return Some(format!("cosignature/v1\ntime {timestamp}\n{text}").into_bytes());
    }
    let Checkpoint { origin, size, root } = Checkpoint::parse(text).ok()?;
    let mut message = SUBTREE_LABEL.to_vec();
    push_name(&mut message, key.name())?;
    message.extend_from_slice(&timestamp.to_be_bytes());
    push_name(&mut message, &origin)?;
    // The whole tree: it begins at leaf 0.
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&size.to_be_bytes());
    message.extend_from_slice(&root.0);
    Some(message)
}

/// Names have at most 255 bytes, so their length fits one.
fn push_name(message: &mut Vec<u8>, name: &str) -> Option<()> {
    message.push(u8::try_from(name.len()).ok()?);
    message.extend_from_slice(name.as_bytes());
    Some(())
}
