//! Timestamped Ed25519 cosignatures (signature type 0x04).
//!
//! Owns the signed message and the blob `u64be timestamp || signature`. It does not own the
//! decision to cosign (the witness) nor quorums (`trust`). Source: C2SP tlog-cosignature.
//!
//! A cosignature says: "as of this time, this is the largest consistent tree of this origin that
//! I have observed". The message does not commit to the cosigner's name, so every cosigner needs
//! a key of its own.

use crate::key::{ED25519_SIGNATURE_BYTES, KeyAlgorithm, SignatureError, SignerKey, VerifierKey};
use crate::note::{Note, NoteSignature};

/// Bytes of the timestamp in front of the signature.
const TIMESTAMP_BYTES: usize = 8;

/// The largest timestamp (C2SP tlog-cosignature: at most 2^63 - 1).
pub const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// Why a cosignature was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The key is not of type 0x04.
    #[error("the key is not a cosigner key")]
    WrongAlgorithm,
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
/// `WrongAlgorithm`, or a timestamp of 0 or above `MAX_TIMESTAMP`.
pub fn cosign(text: &str, key: &SignerKey, timestamp: u64) -> Result<NoteSignature, CosignError> {
    if key.verifier().algorithm() != KeyAlgorithm::Ed25519Cosignature {
        return Err(CosignError::WrongAlgorithm);
    }
    if timestamp == 0 || timestamp > MAX_TIMESTAMP {
        return Err(CosignError::Timestamp { seconds: timestamp });
    }
    let mut blob = timestamp.to_be_bytes().to_vec();
    blob.extend_from_slice(&key.sign_bytes(message(text, timestamp).as_bytes()));
    Ok(NoteSignature {
        name: key.name().to_owned(),
        key_id: key.verifier().id(),
        blob,
    })
}

/// Requires a cosignature of the note by `key` and returns its Unix seconds.
///
/// # Errors
/// `Absent`, or `Refused` when a line of the key does not verify.
pub fn verify(note: &Note, key: &VerifierKey) -> Result<u64, CosignatureError> {
    if key.algorithm() != KeyAlgorithm::Ed25519Cosignature {
        return Err(CosignatureError::Refused(SignatureError::WrongAlgorithm));
    }
    let verified = note
        .verify(key)
        .map_err(|error| CosignatureError::Refused(error.cause))?;
    verified
        .and_then(|signature| signature.timestamp)
        .ok_or(CosignatureError::Absent)
}

/// Checks a cosignature blob over a note text and returns its Unix seconds.
pub(crate) fn verify_blob(
    text: &str,
    blob: &[u8],
    key: &VerifierKey,
) -> Result<u64, SignatureError> {
    let want = TIMESTAMP_BYTES + ED25519_SIGNATURE_BYTES;
    let length = SignatureError::Length {
        want,
        got: blob.len(),
    };
    let (timestamp, signature) = blob.split_first_chunk::<TIMESTAMP_BYTES>().ok_or(length)?;
    if signature.len() != ED25519_SIGNATURE_BYTES {
        return Err(length);
    }
    let timestamp = u64::from_be_bytes(*timestamp);
    if timestamp == 0 || timestamp > MAX_TIMESTAMP {
        return Err(SignatureError::Timestamp);
    }
    key.verify_bytes(message(text, timestamp).as_bytes(), signature)?;
    Ok(timestamp)
}

fn message(text: &str, timestamp: u64) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{text}")
}
