//! The cipher and the stored forms of disclosures and their keys.
//!
//! Owns XChaCha20-Poly1305 with random nonces (192 bits: random is safe) and the byte layouts of
//! `docs/formats/store.md`. Associated data binds a record to its entry and digest, and a key to
//! its name, so that stored values cannot be exchanged for each other.
//!
//! ```text
//! record  0x01 | u16 name length | name | nonce 24 | ciphertext
//! erased  0x02
//! key     0x01 | u64 live records | nonce 24 | sealed 32-byte key
//! ```

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const PRESENT: u8 = 1;
const ERASED: u8 = 2;
const NONCE_BYTES: usize = 24;

/// A 32-byte key that leaves memory with its owner.
pub(super) type SecretKey = Zeroizing<[u8; 32]>;

/// Why something was not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The operating system gave no randomness. Retry.
    #[error("no randomness from the operating system")]
    Randomness,
    /// The stored value has not its form. Fatal.
    #[error("a sealed value is damaged")]
    Form,
    /// The authentication tag does not hold: another key, or changed bytes. Fatal.
    #[error("a sealed value does not open under its key")]
    Open,
    /// The person's key of that month was destroyed.
    #[error("the key of the sealed value was destroyed")]
    KeyGone,
    /// The cipher refused the plaintext; it is too long. Refused.
    #[error("the value cannot be sealed")]
    Seal,
}

/// A fresh random key.
pub(super) fn fresh_key() -> Result<SecretKey, SealError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut()).map_err(|_| SealError::Randomness)?;
    Ok(key)
}

/// The stored form of an erased disclosure.
pub(super) fn erased() -> Vec<u8> {
    vec![ERASED]
}

/// Whether a stored form is that of an erased disclosure.
pub(super) fn is_erased(value: &[u8]) -> bool {
    value == [ERASED]
}

/// The key name a stored record is sealed under; `None` for an erased or damaged one.
pub(super) fn key_name(value: &[u8]) -> Option<&str> {
    split_record(value).map(|(name, _)| name)
}

/// Seals an encoded disclosure.
pub(super) fn seal_record(
    key: &SecretKey,
    name: &str,
    index: u64,
    digest: &[u8; 32],
    encoded: &str,
) -> Result<Vec<u8>, SealError> {
    let length = u16::try_from(name.len()).map_err(|_| SealError::Seal)?;
    let sealed = encrypt(key, encoded.as_bytes(), &bound(index, digest))?;
    let mut value = vec![PRESENT];
    value.extend_from_slice(&length.to_be_bytes());
    value.extend_from_slice(name.as_bytes());
    value.extend_from_slice(&sealed);
    Ok(value)
}

/// Opens a stored record.
pub(super) fn open_record(
    key: &SecretKey,
    index: u64,
    digest: &[u8; 32],
    value: &[u8],
) -> Result<String, SealError> {
    let (_, sealed) = split_record(value).ok_or(SealError::Form)?;
    let plain = decrypt(key, sealed, &bound(index, digest))?;
    String::from_utf8(plain).map_err(|_| SealError::Form)
}

/// Seals a person's key under the master key.
pub(super) fn seal_key(
    master: &SecretKey,
    name: &str,
    key: &SecretKey,
    live: u64,
) -> Result<Vec<u8>, SealError> {
    let mut value = vec![PRESENT];
    value.extend_from_slice(&live.to_be_bytes());
    value.extend_from_slice(&encrypt(master, key.as_ref(), name.as_bytes())?);
    Ok(value)
}

/// Opens a person's key and gives the number of its live records.
pub(super) fn open_key(
    master: &SecretKey,
    name: &str,
    value: &[u8],
) -> Result<(SecretKey, u64), SealError> {
    let (live, sealed) = split_key(value).ok_or(SealError::Form)?;
    let plain = Zeroizing::new(decrypt(master, sealed, name.as_bytes())?);
    let key = plain.as_slice().try_into().map_err(|_| SealError::Form)?;
    Ok((Zeroizing::new(key), live))
}

fn split_key(value: &[u8]) -> Option<(u64, &[u8])> {
    let (&[PRESENT], rest) = value.split_first_chunk::<1>()? else {
        return None;
    };
    let (live, sealed) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*live), sealed))
}

fn split_record(value: &[u8]) -> Option<(&str, &[u8])> {
    let (&[PRESENT], rest) = value.split_first_chunk::<1>()? else {
        return None;
    };
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (name, sealed) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(name).ok()?, sealed))
}

fn bound(index: u64, digest: &[u8; 32]) -> Vec<u8> {
    let mut bytes = index.to_be_bytes().to_vec();
    bytes.extend_from_slice(digest);
    bytes
}

fn encrypt(key: &SecretKey, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| SealError::Randomness)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(**key));
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad });
    let mut value = nonce.to_vec();
    value.extend_from_slice(&sealed.map_err(|_| SealError::Seal)?);
    Ok(value)
}

fn decrypt(key: &SecretKey, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, msg) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(SealError::Form)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(**key));
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg, aad })
        .map_err(|_| SealError::Open)
}
