//! Public keys as JWK, their thumbprints as key identifiers, and the signer seam.

use crate::encoding::{Sha256, from_base64url, to_base64url};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A key identifier: the RFC 7638 thumbprint of the public key, base64url, 43 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kid(pub String);

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a public key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// `x` is not 32 bytes of canonical base64url.
    #[error("public key is not 32 bytes of base64url")]
    Encoding,
    /// Not a point of the curve in its canonical encoding.
    #[error("public key is not a canonical curve point")]
    NotAPoint,
    /// A point of small order verifies signatures for every message.
    #[error("public key has small order")]
    SmallOrder,
}

/// An Ed25519 public key that passed every check. In JSON: `{"crv":"Ed25519","kty":"OKP","x":"…"}`.
///
/// Source: RFC 8037 section 2 (JWK), RFC 7638 (thumbprint).
/// Shared when cloned: a server keeps one for each chain and hands it to each signature check.
#[derive(Clone)]
pub struct PublicKey(Arc<Known>);

/// The key as a curve point, worked out once, and its thumbprint.
struct Known {
    key: VerifyingKey,
    kid: Kid,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Checks and wraps 32 key bytes.
    ///
    /// Errors: [`KeyError`]; the caller refuses the enrolment or the entry.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        if key.as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        Ok(Self::checked(key))
    }

    fn checked(key: VerifyingKey) -> Self {
        let x = to_base64url(key.as_bytes());
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = Kid(to_base64url(&Sha256::of(jwk.as_bytes()).0));
        Self(Arc::new(Known { key, kid }))
    }

    /// The 32 key bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.key.as_bytes()
    }

    /// The key's identifier.
    pub fn kid(&self) -> Kid {
        self.0.kid.clone()
    }

    /// The key's identifier, for a look.
    pub fn kid_ref(&self) -> &Kid {
        &self.0.kid
    }

    /// Whether `signature` (64 bytes) is valid for `message` under `verify_strict`.
    ///
    /// Why: one definition of valid, for the server today and an auditor in ten years; batch and
    /// non-strict verification accept signatures this refuses.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match Signature::from_slice(signature) {
            Ok(signature) => self.0.key.verify_strict(message, &signature).is_ok(),
            Err(_) => false,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", to_base64url(self.as_bytes()))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    crv: String,
    kty: String,
    x: String,
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let x = to_base64url(self.as_bytes());
        Jwk {
            crv: "Ed25519".into(),
            kty: "OKP".into(),
            x,
        }
        .serialize(writer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let jwk = Jwk::deserialize(reader)?;
        if jwk.crv != "Ed25519" || jwk.kty != "OKP" {
            return Err(D::Error::custom(
                "expected a JWK with kty OKP and crv Ed25519",
            ));
        }
        let bytes = from_base64url(&jwk.x).and_then(|x| <[u8; 32]>::try_from(x).ok());
        let bytes = bytes.ok_or_else(|| D::Error::custom(KeyError::Encoding))?;
        Self::from_bytes(&bytes).map_err(D::Error::custom)
    }
}

/// Why a signature could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key store refused or is gone; the caller must not downgrade to another key.
    #[error("signer unavailable: {0}")]
    Unavailable(String),
}

/// Something that signs entries: the in-memory chain key, a software device key, later a TPM.
///
/// Why a trait: a TPM signs on its own thread and its key never leaves it.
pub trait EntrySigner: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// Signs `message`; 64 bytes for Ed25519.
    ///
    /// Errors: [`SignError`]; the caller fails closed.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// An Ed25519 key held in memory.
pub struct SoftwareKey(SigningKey);

impl SoftwareKey {
    /// A key from its 32-byte seed (RFC 8032 section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for sealing to disk.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl EntrySigner for SoftwareKey {
    fn public_key(&self) -> PublicKey {
        PublicKey::checked(self.0.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kid_is_the_rfc_7638_thumbprint() {
        // RFC 8037 appendix A.3 gives this key and thumbprint.
        let x = from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = PublicKey::from_bytes(&x.try_into().unwrap()).unwrap();
        assert_eq!(key.kid().0, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn small_order_keys_are_refused() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        assert_eq!(
            PublicKey::from_bytes(&identity).unwrap_err(),
            KeyError::SmallOrder
        );
        assert_eq!(
            PublicKey::from_bytes(&[0u8; 32]).unwrap_err(),
            KeyError::SmallOrder
        );
    }

    #[test]
    fn jwk_is_strict() {
        let key = SoftwareKey::from_seed(&[7; 32]).public_key();
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key);
        let other = text.replace("OKP", "EC");
        assert!(serde_json::from_str::<PublicKey>(&other).is_err());
        let more = text.replace("\"kty\"", "\"d\":\"AA\",\"kty\"");
        assert!(serde_json::from_str::<PublicKey>(&more).is_err());
    }
}
