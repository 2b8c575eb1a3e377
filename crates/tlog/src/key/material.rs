//! The bytes of note keys and what each algorithm does with them.
//!
//! Owns the raw keys of Ed25519 and ML-DSA-44: lengths, checks, signing, verifying. It does not own
//! names, ids or text forms (`key`), nor what is signed. Sources: RFC 8032, FIPS 204 with an empty
//! context, C2SP tlog-cosignature.

use std::sync::Arc;

use ed25519_dalek::Signer as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa44};

use super::{KeyAlgorithm, KeyParseError, SignatureError};

/// Bytes of an Ed25519 signature.
const ED25519_SIGNATURE_BYTES: usize = 64;

/// Bytes of an ML-DSA-44 signature (FIPS 204, table 2).
const ML_DSA_44_SIGNATURE_BYTES: usize = 2420;

/// Bytes of the seed of either algorithm.
pub(super) const SEED_BYTES: usize = 32;

/// A public key. The ML-DSA one is large (its matrix is expanded once), so copies share it.
#[derive(Clone)]
pub(super) enum PublicKey {
    Ed25519(ed25519_dalek::VerifyingKey),
    MlDsa44 {
        key: Arc<ml_dsa::VerifyingKey<MlDsa44>>,
        bytes: Arc<[u8]>,
    },
}

/// A secret key; both kinds wipe themselves when dropped.
#[derive(Clone)]
pub(super) enum SecretKey {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Arc<ml_dsa::SigningKey<MlDsa44>>),
}

/// Bytes of a signature without its timestamp.
pub(super) fn signature_bytes(algorithm: KeyAlgorithm) -> usize {
    match algorithm {
        KeyAlgorithm::Ed25519 | KeyAlgorithm::Ed25519Cosignature => ED25519_SIGNATURE_BYTES,
        KeyAlgorithm::MlDsa44Cosignature => ML_DSA_44_SIGNATURE_BYTES,
    }
}

impl PublicKey {
    /// Takes the raw bytes. Any 1312 bytes are an ML-DSA-44 key.
    pub(super) fn from_bytes(algorithm: KeyAlgorithm, bytes: &[u8]) -> Result<Self, KeyParseError> {
        let length = |_| KeyParseError::Length { got: bytes.len() };
        match algorithm {
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Ed25519Cosignature => {
                let bytes: &[u8; 32] = bytes.try_into().map_err(length)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
                    .map_err(|_| KeyParseError::WeakKey)?;
                if key.is_weak() {
                    return Err(KeyParseError::WeakKey);
                }
                Ok(Self::Ed25519(key))
            }
            KeyAlgorithm::MlDsa44Cosignature => {
                let encoded: &EncodedVerifyingKey<MlDsa44> = bytes.try_into().map_err(length)?;
                Ok(Self::MlDsa44 {
                    key: Arc::new(ml_dsa::VerifyingKey::decode(encoded)),
                    bytes: bytes.into(),
                })
            }
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::MlDsa44 { bytes, .. } => bytes,
        }
    }

    /// The caller has checked the length.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let invalid = SignatureError::Invalid;
        match self {
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature);
                let signature = signature.map_err(|_| invalid)?;
                key.verify_strict(message, &signature).map_err(|_| invalid)
            }
            Self::MlDsa44 { key, .. } => {
                let signature = ml_dsa::Signature::<MlDsa44>::try_from(signature);
                let signature = signature.map_err(|_| invalid)?;
                let good = key.verify_with_context(message, &[], &signature);
                good.then_some(()).ok_or(invalid)
            }
        }
    }
}

impl SecretKey {
    pub(super) fn from_seed(algorithm: KeyAlgorithm, seed: &[u8; SEED_BYTES]) -> Self {
        match algorithm {
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Ed25519Cosignature => {
                Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            KeyAlgorithm::MlDsa44Cosignature => {
                Self::MlDsa44(Arc::new(ml_dsa::SigningKey::from_seed(seed.into())))
            }
        }
    }

    pub(super) fn seed(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::MlDsa44(key) => key.as_seed().as_slice(),
        }
    }

    pub(super) fn public_bytes(&self) -> Vec<u8> {
        use ml_dsa::signature::Keypair as _;
        match self {
            Self::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Self::MlDsa44(key) => key.verifying_key().encode().to_vec(),
        }
    }

    /// Signs without randomness: the same message gives the same signature with either algorithm.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::MlDsa44(key) => key.sign(message).encode().to_vec(),
        }
    }
}
