//! Note keys: who may sign, under which name, with which algorithm.
//!
//! Owns verifier keys (`vkey`), signer keys (`PRIVATE+KEY+…`), key names and key ids; what an
//! algorithm does with its bytes is in `material`. It does not own what is signed (`note`,
//! `cosignature`). Source: C2SP signed-note.
//!
//! Ed25519 validity is `verify_strict` everywhere, and small-order public keys are refused when a
//! key is made, so that every verifier of Cairn accepts exactly the same signatures.

mod material;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use material::{PublicKey, SEED_BYTES, SecretKey};

/// The longest key name or origin: cosignature formats of C2SP write its length in one byte.
pub const MAX_NAME_BYTES: usize = 255;

/// Text in front of a signer key.
const SIGNER_KEY_PREFIX: &str = "PRIVATE+KEY+";

/// The signature type byte of a note key (C2SP signed-note, "Signature types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// 0x01: plain Ed25519 over the note text; what a log signs with.
    Ed25519,
    /// 0x04: timestamped Ed25519 cosignature; what a witness signs with.
    Ed25519Cosignature,
    /// 0x06: timestamped ML-DSA-44 cosignature; what a witness signs with beside 0x04, and what a
    /// log may sign its checkpoints with.
    MlDsa44Cosignature,
}

/// Why a verifier or signer key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyParseError {
    /// Not `name+id+key` (or `PRIVATE+KEY+name+id+key`).
    #[error("key has not the parts name, id and key separated by `+`")]
    Shape,
    /// The name is empty, too long, or has a space, a control character or a plus sign.
    #[error("key name is empty, too long or has a forbidden character")]
    Name,
    /// The id is not eight lower-case hexadecimal digits.
    #[error("key id is not eight lower-case hexadecimal digits")]
    IdSyntax,
    /// The id is not the one computed from name and key.
    #[error("key id is {got:08x}, name and key give {want:08x}")]
    IdMismatch {
        /// Computed id.
        want: u32,
        /// Written id.
        got: u32,
    },
    /// The key is not canonical base64.
    #[error("key is not canonical base64")]
    Base64,
    /// The signature type is not one this crate verifies.
    #[error("signature type {found:#04x} is not supported")]
    Algorithm {
        /// The type byte.
        found: u8,
    },
    /// The key has not the length of its type: 32 bytes, or 1312 of a public ML-DSA-44 key.
    #[error("key has {got} bytes after its type, which has another length")]
    Length {
        /// Bytes found.
        got: usize,
    },
    /// The public key is not a curve point, or one of small order.
    #[error("public key is not a valid Ed25519 point of large order")]
    WeakKey,
}

/// A signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The blob has not the length of the algorithm.
    #[error("signature has {got} bytes, expected {want}")]
    Length {
        /// Bytes required.
        want: usize,
        /// Bytes found.
        got: usize,
    },
    /// The signature is not one of the key over the message.
    #[error("signature does not verify")]
    Invalid,
    /// The key is for another kind of signature.
    #[error("the key does not make this kind of signature")]
    WrongAlgorithm,
    /// The timestamp of a cosignature is above 2^63 - 1.
    #[error("cosignature timestamp is out of range")]
    Timestamp,
    /// ML-DSA-44 signs origin, size and root, and the text is not a checkpoint.
    #[error("the signed text is not a checkpoint")]
    NotACheckpoint,
}

impl KeyAlgorithm {
    /// The type byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Ed25519Cosignature => 0x04,
            Self::MlDsa44Cosignature => 0x06,
        }
    }

    /// Whether signatures of this type may make a checkpoint a log's own (C2SP tlog-checkpoint).
    #[must_use]
    pub fn is_for_logs(self) -> bool {
        matches!(self, Self::Ed25519 | Self::MlDsa44Cosignature)
    }

    /// Whether signatures of this type are timestamped cosignatures (C2SP tlog-cosignature).
    #[must_use]
    pub fn is_for_cosigners(self) -> bool {
        matches!(self, Self::Ed25519Cosignature | Self::MlDsa44Cosignature)
    }

    /// Bytes of a signature of this type, without the timestamp of a cosignature.
    pub(crate) fn signature_bytes(self) -> usize {
        material::signature_bytes(self)
    }

    fn from_byte(byte: u8) -> Result<Self, KeyParseError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::Ed25519Cosignature),
            0x06 => Ok(Self::MlDsa44Cosignature),
            found => Err(KeyParseError::Algorithm { found }),
        }
    }
}

/// A public note key: name, algorithm and public key.
#[derive(Clone)]
pub struct VerifierKey {
    name: String,
    algorithm: KeyAlgorithm,
    id: u32,
    key: PublicKey,
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
            && self.name == other.name
            && self.public_key() == other.public_key()
    }
}

impl Eq for VerifierKey {}

impl VerifierKey {
    /// Makes a key from its parts.
    ///
    /// # Errors
    /// Refused: an illegal name, a wrong length, bytes that are no curve point, a small-order point.
    pub fn new(
        name: &str,
        algorithm: KeyAlgorithm,
        public_key: &[u8],
    ) -> Result<Self, KeyParseError> {
        check_name(name)?;
        let key = PublicKey::from_bytes(algorithm, public_key)?;
        let id = key_id(name, algorithm, public_key);
        Ok(Self {
            name: name.to_owned(),
            algorithm,
            id,
            key,
        })
    }

    /// Reads a `vkey`: `name+id+base64(type || key)`.
    ///
    /// # Errors
    /// Refused with the cause; an id that name and key do not give is a configuration mistake.
    pub fn parse(text: &str) -> Result<Self, KeyParseError> {
        let (name, id, algorithm, payload) = parse_parts(text)?;
        let verifier = Self::new(name, algorithm, payload.get(1..).unwrap_or_default())?;
        verifier.expect_id(id)?;
        Ok(verifier)
    }

    /// The key name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id: the first four bytes, big-endian, of SHA-256(name || LF || type || key).
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What kind of signature the key makes.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The raw public key: 32 bytes, or 1312 of ML-DSA-44.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// Checks a raw signature over `message`: strict Ed25519 rules, or ML-DSA-44 with an empty context.
    ///
    /// Trap: this is not a check of a note line; see `note` and `cosignature`.
    ///
    /// # Errors
    /// `Length` or `Invalid`; both are refusals.
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let want = self.algorithm.signature_bytes();
        if signature.len() != want {
            let got = signature.len();
            return Err(SignatureError::Length { want, got });
        }
        self.key.verify(message, signature)
    }

    fn expect_id(&self, got: u32) -> Result<(), KeyParseError> {
        if self.id == got {
            Ok(())
        } else {
            Err(KeyParseError::IdMismatch { want: self.id, got })
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = encode_key(self.algorithm, self.public_key());
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A private note key; wiped from memory when dropped, never printed by `Debug`.
#[derive(Clone)]
pub struct SignerKey {
    secret: SecretKey,
    verifier: VerifierKey,
}

impl SignerKey {
    /// Makes a key from a 32-byte seed that the caller drew from a secure generator.
    ///
    /// # Errors
    /// Refused: an illegal name.
    pub fn from_seed(
        name: &str,
        algorithm: KeyAlgorithm,
        seed: &[u8; SEED_BYTES],
    ) -> Result<Self, KeyParseError> {
        let secret = SecretKey::from_seed(algorithm, seed);
        let verifier = VerifierKey::new(name, algorithm, &secret.public_bytes())?;
        Ok(Self { secret, verifier })
    }

    /// Reads `PRIVATE+KEY+name+id+base64(type || seed)`.
    ///
    /// # Errors
    /// Refused with the cause; no part of the secret is in the error.
    pub fn parse(text: &str) -> Result<Self, KeyParseError> {
        let parts = text
            .strip_prefix(SIGNER_KEY_PREFIX)
            .ok_or(KeyParseError::Shape)?;
        let (name, id, algorithm, payload) = parse_parts(parts)?;
        let payload = Zeroizing::new(payload);
        let seed = payload.get(1..).unwrap_or_default();
        let seed = seed
            .try_into()
            .map_err(|_| KeyParseError::Length { got: seed.len() })?;
        let signer = Self::from_seed(name, algorithm, seed)?;
        signer.verifier.expect_id(id)?;
        Ok(signer)
    }

    /// The secret text form, for a key file. Trap: this is the private key.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        let VerifierKey {
            name,
            algorithm,
            id,
            ..
        } = &self.verifier;
        let seed = encode_key(*algorithm, self.secret.seed());
        format!("{SIGNER_KEY_PREFIX}{name}+{id:08x}+{seed}")
    }

    /// The key as a witness uses it: a type 0x01 key becomes the same seed of type 0x04 (and so of
    /// another key id), any other stays what it is.
    ///
    /// Witness tools of other projects store type 0x01 keys and sign cosignatures with them.
    #[must_use]
    pub fn as_cosigner(&self) -> Self {
        let mut other = self.clone();
        if other.verifier.algorithm == KeyAlgorithm::Ed25519 {
            let algorithm = KeyAlgorithm::Ed25519Cosignature;
            other.verifier.algorithm = algorithm;
            other.verifier.id = key_id(self.name(), algorithm, self.verifier.public_key());
        }
        other
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The key name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// Signs raw bytes. Trap: the caller owns domain separation; prefer `note` and `cosignature`.
    #[must_use]
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.secret.sign(message)
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({}, secret)", self.verifier)
    }
}

/// Checks a key name or an origin: 1 to 255 bytes, no Unicode space, no control character, no
/// plus sign.
///
/// # Errors
/// `KeyParseError::Name`.
pub fn check_name(name: &str) -> Result<(), KeyParseError> {
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(legal) {
        return Err(KeyParseError::Name);
    }
    Ok(())
}

fn key_id(name: &str, algorithm: KeyAlgorithm, key: &[u8]) -> u32 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', algorithm.byte()])
        .chain_update(key)
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

fn encode_key(algorithm: KeyAlgorithm, key: &[u8]) -> String {
    let mut payload = vec![algorithm.byte()];
    payload.extend_from_slice(key);
    STANDARD.encode(payload)
}

/// Splits `name+id+key`; the base64 of the key may itself contain plus signs. The last part is
/// the decoded payload, type byte included.
fn parse_parts(text: &str) -> Result<(&str, u32, KeyAlgorithm, Vec<u8>), KeyParseError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyParseError::Shape);
    };
    check_name(name)?;
    let id = parse_id(id).ok_or(KeyParseError::IdSyntax)?;
    let payload = STANDARD.decode(key).map_err(|_| KeyParseError::Base64)?;
    let &algorithm = payload.first().ok_or(KeyParseError::Length { got: 0 })?;
    let algorithm = KeyAlgorithm::from_byte(algorithm)?;
    Ok((name, id, algorithm, payload))
}

fn parse_id(text: &str) -> Option<u32> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let canonical = text.len() == 8 && text.bytes().all(lower);
    canonical
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}
