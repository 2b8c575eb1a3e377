//! Signed notes: text, a blank line, signature lines.
//!
//! Owns the note grammar, its limits, and which signature lines count for a key. It does not own
//! keys (`key`) nor what the text says (`checkpoint`). Source: C2SP signed-note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cosignature;
use crate::key::{KeyAlgorithm, SignatureError, SignerKey, VerifierKey, check_name};

/// The longest note accepted; the limit of the Go implementation.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// The most signature lines accepted; the limit of the Go implementation (the specification asks
/// for at least 16).
pub const MAX_NOTE_SIGNATURES: usize = 100;

/// What every signature line begins with: U+2014 and a space.
const SIGNATURE_PREFIX: &str = "— ";

/// Bytes of the key id in front of a signature.
const KEY_ID_BYTES: usize = 4;

/// A parsed note: its text (ending in LF) and its signature lines in order.
///
/// `Display` writes the note back; for a parsed note that is the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The signed text, including its final LF.
    pub text: String,
    /// The signature lines, known or unknown, in order.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Key name.
    pub name: String,
    /// Key id.
    pub key_id: u32,
    /// The signature after the key id: 64 bytes for type 0x01, 72 for 0x04, 2428
    /// for 0x06.
    pub blob: Vec<u8>,
}

/// What a verified signature line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// Unix seconds of a cosignature; `None` for a plain signature, and for one without a time.
    pub timestamp: Option<u64>,
}

impl VerifiedSignature {
    /// A time is better than none, and the earlier one better than the later.
    fn is_earlier_than(self, known: Self) -> bool {
        match (self.timestamp, known.timestamp) {
            (Some(mine), Some(theirs)) => mine < theirs,
            (mine, theirs) => mine.is_some() && theirs.is_none(),
        }
    }
}

/// Why bytes are not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteParseError {
    /// Longer than `MAX_NOTE_BYTES`.
    #[error("note has {got} bytes, the limit is 1000000")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// A control character other than LF.
    #[error("note has a control character")]
    ControlCharacter,
    /// No blank line followed by at least one signature line that ends in LF.
    #[error("note has no signature block")]
    NoSignatures,
    /// More than `MAX_NOTE_SIGNATURES` lines.
    #[error("note has more than 100 signatures")]
    TooManySignatures,
    /// A line of the signature block is not `— name base64`.
    #[error("signature line {line} is malformed")]
    SignatureLine {
        /// Line of the signature block, from 0.
        line: usize,
    },
    /// The base64 of a signature line is not canonical or too short for a key id and a signature.
    #[error("signature of key name `{name}` cannot be decoded")]
    SignatureEncoding {
        /// Key name on the line.
        name: String,
    },
}

/// A line whose name and id belong to the key does not verify; the whole note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signature of known key `{name}` does not verify")]
pub struct NoteVerifyError {
    /// Name of the key.
    pub name: String,
    /// What is wrong with the signature.
    #[source]
    pub cause: SignatureError,
}

impl Note {
    /// Parses a note.
    ///
    /// # Errors
    /// Refused with the cause. `SignatureEncoding` is separate so that a witness can tell a bad
    /// signature of a known name (403) from a malformed body (400).
    pub fn parse(note: &str) -> Result<Self, NoteParseError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteParseError::TooLong { got: note.len() });
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteParseError::ControlCharacter);
        }
        let (text, block) = note
            .rsplit_once("\n\n")
            .ok_or(NoteParseError::NoSignatures)?;
        let block = block
            .strip_suffix('\n')
            .ok_or(NoteParseError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (line, content) in block.split('\n').enumerate() {
            if line >= MAX_NOTE_SIGNATURES {
                return Err(NoteParseError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse_content(content, line)?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// Checks every line that carries the key's name and id.
    ///
    /// `None` when no line does. Of several valid cosignatures by one key the earliest counts:
    /// each is a true statement and the earliest is the strongest upper bound in time.
    ///
    /// # Errors
    /// One matching line that fails refuses the note, even if another one verifies.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<VerifiedSignature>, NoteVerifyError> {
        let mut earliest: Option<VerifiedSignature> = None;
        for signature in &self.signatures {
            if signature.name != key.name() || signature.key_id != key.id() {
                continue;
            }
            let verified = signature
                .verify(&self.text, key)
                .map_err(|cause| NoteVerifyError {
                    name: key.name().to_owned(),
                    cause,
                })?;
            if earliest.is_none_or(|known| verified.is_earlier_than(known)) {
                earliest = Some(verified);
            }
        }
        Ok(earliest)
    }
}

impl NoteSignature {
    /// Parses one signature line without its LF.
    ///
    /// # Errors
    /// `SignatureLine` or `SignatureEncoding`.
    pub fn parse(line: &str) -> Result<Self, NoteParseError> {
        Self::parse_content(line, 0)
    }

    /// Checks this line over a note text, whatever the key's algorithm.
    ///
    /// Trap: name and id are not compared; use `Note::verify` for whole notes.
    ///
    /// # Errors
    /// A refusal with its cause.
    pub fn verify(
        &self,
        text: &str,
        key: &VerifierKey,
    ) -> Result<VerifiedSignature, SignatureError> {
        match key.algorithm() {
            KeyAlgorithm::Ed25519 => {
                key.verify_bytes(text.as_bytes(), &self.blob)?;
                Ok(VerifiedSignature { timestamp: None })
            }
            KeyAlgorithm::Ed25519Cosignature | KeyAlgorithm::MlDsa44Cosignature => {
                let timestamp = cosignature::verify_blob(text, &self.blob, key)?;
                Ok(VerifiedSignature { timestamp })
            }
        }
    }

    fn parse_content(content: &str, line: usize) -> Result<Self, NoteParseError> {
        let malformed = NoteParseError::SignatureLine { line };
        let rest = content
            .strip_prefix(SIGNATURE_PREFIX)
            .ok_or(malformed.clone())?;
        let (name, encoded) = rest.split_once(' ').ok_or(malformed.clone())?;
        check_name(name).map_err(|_| malformed)?;
        let undecodable = || NoteParseError::SignatureEncoding {
            name: name.to_owned(),
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| undecodable())?;
        let (id, blob) = bytes
            .split_first_chunk::<KEY_ID_BYTES>()
            .ok_or_else(undecodable)?;
        if blob.is_empty() {
            return Err(undecodable());
        }
        let key_id = u32::from_be_bytes(*id);
        Ok(Self {
            name: name.to_owned(),
            key_id,
            blob: blob.to_vec(),
        })
    }
}

/// Signs a note text with a plain Ed25519 key (type 0x01).
///
/// Trap: a log signs only texts that are consistent with everything it signed before.
///
/// # Errors
/// `WrongAlgorithm` for a cosigner key, whose signatures carry a timestamp (`cosignature::cosign`).
pub fn sign(text: &str, key: &SignerKey) -> Result<NoteSignature, SignatureError> {
    if key.verifier().algorithm() != KeyAlgorithm::Ed25519 {
        return Err(SignatureError::WrongAlgorithm);
    }
    Ok(NoteSignature {
        name: key.name().to_owned(),
        key_id: key.verifier().id(),
        blob: key.sign_bytes(text.as_bytes()).to_vec(),
    })
}

impl fmt::Display for NoteSignature {
    /// Writes the line without its LF.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.blob);
        write!(
            f,
            "{SIGNATURE_PREFIX}{} {}",
            self.name,
            STANDARD.encode(bytes)
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
