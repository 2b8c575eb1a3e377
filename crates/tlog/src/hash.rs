//! SHA-256 tree hashes with RFC 6962 domain separation.
//!
//! Owns the hash value, its three spellings (raw, hex, base64) and the leaf and node functions.
//! It does not own tree shapes. Source: RFC 6962 section 2.1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Bytes in one hash: SHA-256 output.
pub const HASH_BYTES: usize = 32;

/// Domain separation byte in front of an entry (RFC 6962 section 2.1).
const LEAF_PREFIX: [u8; 1] = [0x00];
/// Domain separation byte in front of two child hashes (RFC 6962 section 2.1).
const NODE_PREFIX: [u8; 1] = [0x01];

/// One SHA-256 value of the tree: a leaf hash, a node hash or a root.
///
/// `Debug` is lower-case hex, `Display` is standard base64 with padding (44 characters), the
/// spelling of every C2SP text format.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

/// The root of the empty tree: SHA-256 of nothing (RFC 6962 section 2.1).
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Why a spelling of a hash was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashParseError {
    /// The text is not canonical standard base64 with padding.
    #[error("hash is not canonical base64")]
    Base64,
    /// The text is not lower-case hexadecimal of even length.
    #[error("hash is not lower-case hexadecimal")]
    Hex,
    /// The text decodes, but not to 32 bytes.
    #[error("hash has {got} bytes, expected 32")]
    Length {
        /// Bytes found.
        got: usize,
    },
}

/// The leaf hash of an entry: SHA-256(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let digest = Sha256::new()
        .chain_update(LEAF_PREFIX)
        .chain_update(entry)
        .finalize();
    Hash(digest.into())
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update(NODE_PREFIX)
        .chain_update(left.0)
        .chain_update(right.0)
        .finalize();
    Hash(digest.into())
}

impl Hash {
    /// Reads canonical standard base64 with padding.
    ///
    /// # Errors
    /// Refused: anything that does not re-encode to the same text, or is not 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, HashParseError> {
        let bytes = STANDARD.decode(text).map_err(|_| HashParseError::Base64)?;
        Self::from_slice(&bytes)
    }

    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// Refused: upper case, odd length, other characters, or not 32 bytes.
    pub fn from_hex(text: &str) -> Result<Self, HashParseError> {
        let mut bytes = Vec::with_capacity(HASH_BYTES);
        for pair in text.as_bytes().chunks(2) {
            let &[high, low] = pair else {
                return Err(HashParseError::Hex);
            };
            let digits = nibble(high).zip(nibble(low)).ok_or(HashParseError::Hex)?;
            bytes.push(digits.0 << 4 | digits.1);
        }
        Self::from_slice(&bytes)
    }

    /// Reads exactly 32 raw bytes.
    ///
    /// # Errors
    /// Refused: any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HashParseError> {
        let array = bytes
            .try_into()
            .map_err(|_| HashParseError::Length { got: bytes.len() })?;
        Ok(Self(array))
    }

    /// The hash as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("{self:?}")
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}
