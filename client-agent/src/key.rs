//! The device key: who this device is.
//!
//! Owns the key's file and its label. A software Ed25519 key is sealed with ChaCha20-Poly1305 under
//! a second file in the same folder.
//!
//! What sealing protects: a copy of `device.key` alone (a stray backup, a support bundle) is of no
//! use. What it does not protect: whoever can read both files, which is this user and root, has the
//! key. Entries therefore carry the label `software`. A TPM key is another [`EntrySigner`] behind
//! the same [`DeviceKey`] and is not built yet; a device never changes its kind of key silently.
//!
//! Source: architecture of record, section 3 (keys); RFC 8439 for the sealing.

use crate::random::{self, NoRandomness};
use crate::state::{FILE_MODE, StateDir};
use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::{EntrySigner, KeyProtection, SoftwareKey};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use zeroize::Zeroizing;

/// First bytes of the sealed file, and its associated data.
const MAGIC: &[u8; 8] = b"CAIRNDK1";

/// Bytes of an RFC 8439 nonce.
const NONCE_BYTES: usize = 12;

/// Bytes of a seed and of the sealing key.
const KEY_BYTES: usize = 32;

/// Largest sealed file: magic, nonce, seed and tag have 68 bytes.
const SEALED_BYTES_MAX: u64 = 256;

/// Why there is no device key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key was made yet. Refused: enrol first.
    #[error("this device has no key yet; run `cairn enroll`")]
    Missing,
    /// A key file cannot be read. Retry.
    #[error("key file: {0}")]
    Read(#[from] ReadFileError),
    /// A key file cannot be written. Retry.
    #[error("key file: {0}")]
    Write(#[from] WriteFileError),
    /// The files do not belong together or were changed. Fatal: enrol again.
    #[error("the device key does not open: its files were changed or do not belong together")]
    Damaged,
    /// No random bytes. Fatal.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// The device key and where it lives.
pub struct DeviceKey {
    signer: Box<dyn EntrySigner>,
    protection: KeyProtection,
}

impl DeviceKey {
    /// A software key held in memory.
    pub fn software(key: SoftwareKey) -> Self {
        Self {
            signer: Box::new(key),
            protection: KeyProtection::Software,
        }
    }

    /// The signer.
    pub fn signer(&self) -> &dyn EntrySigner {
        self.signer.as_ref()
    }

    /// Where the key lives; a claim until the server has judged it.
    pub fn protection(&self) -> KeyProtection {
        self.protection
    }

    /// Opens the sealed key.
    ///
    /// Errors: [`KeyError`]; [`KeyError::Missing`] before enrolment.
    pub fn open(state: &StateDir) -> Result<Self, KeyError> {
        let (sealed_path, seal_path) = paths(state);
        let sealed = match read_limited(&sealed_path, SEALED_BYTES_MAX) {
            Ok(sealed) => sealed,
            Err(ReadFileError::NotFound { .. }) => return Err(KeyError::Missing),
            Err(error) => return Err(error.into()),
        };
        let seal = Zeroizing::new(read_limited(&seal_path, KEY_BYTES as u64)?);
        let seed = unseal(&sealed, &seal).ok_or(KeyError::Damaged)?;
        Ok(Self::software(SoftwareKey::from_seed(&seed)))
    }

    /// Opens the sealed key, or makes one where there is none.
    ///
    /// Errors: [`KeyError`]; a damaged key is never replaced silently.
    pub fn open_or_create(state: &StateDir) -> Result<Self, KeyError> {
        match Self::open(state) {
            Err(KeyError::Missing) => {}
            other => return other,
        }
        let (sealed_path, seal_path) = paths(state);
        let seed = Zeroizing::new(random::bytes::<KEY_BYTES>()?);
        let seal = Zeroizing::new(random::bytes::<KEY_BYTES>()?);
        let sealed = sealed(&seed, &seal)?;
        // The seal first: a crash between leaves a seal without a key, which is as good as none.
        write_atomic(&seal_path, seal.as_slice(), FILE_MODE)?;
        write_atomic(&sealed_path, &sealed, FILE_MODE)?;
        Ok(Self::software(SoftwareKey::from_seed(&seed)))
    }
}

fn paths(state: &StateDir) -> (std::path::PathBuf, std::path::PathBuf) {
    (
        state.path().join("device.key"),
        state.path().join("seal.key"),
    )
}

fn cipher(seal: &[u8]) -> Option<ChaCha20Poly1305> {
    Some(ChaCha20Poly1305::new(&Key::try_from(seal).ok()?))
}

fn sealed(seed: &[u8; KEY_BYTES], seal: &[u8; KEY_BYTES]) -> Result<Vec<u8>, KeyError> {
    let nonce = random::bytes::<NONCE_BYTES>()?;
    let cipher = cipher(seal).ok_or(KeyError::Damaged)?;
    let payload = Payload {
        msg: seed.as_slice(),
        aad: MAGIC,
    };
    let text = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| KeyError::Damaged)?;
    Ok([MAGIC.as_slice(), &nonce, &text].concat())
}

fn unseal(sealed: &[u8], seal: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let (nonce, text) = sealed.strip_prefix(MAGIC)?.split_at_checked(NONCE_BYTES)?;
    let nonce = Nonce::try_from(nonce).ok()?;
    let payload = Payload {
        msg: text,
        aad: MAGIC,
    };
    let seed = Zeroizing::new(cipher(seal)?.decrypt(&nonce, payload).ok()?);
    Some(Zeroizing::new(
        <[u8; KEY_BYTES]>::try_from(seed.as_slice()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_survives_and_a_changed_one_does_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().to_owned()).unwrap();
        assert!(matches!(DeviceKey::open(&state), Err(KeyError::Missing)));
        let made = DeviceKey::open_or_create(&state).unwrap();
        let again = DeviceKey::open_or_create(&state).unwrap();
        assert_eq!(made.signer().public_key(), again.signer().public_key());
        let path = dir.path().join("device.key");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(
            DeviceKey::open_or_create(&state),
            Err(KeyError::Damaged)
        ));
    }

    #[test]
    fn the_seed_is_not_in_the_sealed_file() {
        let seed = [7; KEY_BYTES];
        let sealed = sealed(&seed, &[9; KEY_BYTES]).unwrap();
        assert!(!sealed.windows(KEY_BYTES).any(|window| window == seed));
        assert_eq!(unseal(&sealed, &[9; KEY_BYTES]).unwrap().as_slice(), seed);
        assert!(unseal(&sealed, &[8; KEY_BYTES]).is_none());
    }
}
