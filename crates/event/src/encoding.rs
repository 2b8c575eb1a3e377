//! The two text encodings of binary values: base64url without padding (JOSE) and lower-case hex.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Encodes bytes as base64url without padding (RFC 7515 section 2).
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes canonical base64url: no padding, no white space, no stray trailing bits.
///
/// Returns `None` for anything else; the caller refuses the input.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Whether `text` is the base64url of 32 bytes, as `_sd` lists a digest.
pub(crate) fn is_digest(text: &str) -> bool {
    // The decoder asks for room for a whole last group.
    let mut room = [0; 33];
    text.len() == 43 && matches!(URL_SAFE_NO_PAD.decode_slice(text, &mut room), Ok(32))
}

/// A SHA-256 digest, written as 64 lower-case hex digits in JSON (as `sha256sum` prints it).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The RFC 6962 leaf hash of an entry: SHA-256(0x00 || entry).
    ///
    /// Source: RFC 6962 section 2.1; the same value as `cairn_tlog::leaf_hash`.
    pub fn of_leaf(entry: &[u8]) -> Self {
        use sha2::Digest;
        let mut hasher = sha2::Sha256::new();
        hasher.update([0u8]);
        hasher.update(entry);
        Self(hasher.finalize().into())
    }

    /// Parses 64 lower-case hex digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let mut out = [0u8; 32];
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Some(Self(out))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Sha256 {
    /// Writes the 64 digits into `room`.
    fn hex<'a>(&self, room: &'a mut [u8; 64]) -> &'a str {
        for (pair, byte) in room.chunks_exact_mut(2).zip(self.0) {
            for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            }
        }
        std::str::from_utf8(room).unwrap_or_default()
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut [0; 64]))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(self.hex(&mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(HexDigits)
    }
}

struct HexDigits;

impl serde::de::Visitor<'_> for HexDigits {
    type Value = Sha256;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 lower-case hex digits")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sha256, E> {
        Sha256::from_hex(text).ok_or_else(|| E::custom("expected 64 lower-case hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_exact() {
        let digest = Sha256::of(b"");
        let text = digest.to_string();
        assert_eq!(
            text,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Sha256::from_hex(&text), Some(digest));
        assert_eq!(Sha256::from_hex(&text.to_uppercase()), None);
        assert_eq!(Sha256::from_hex(&text[1..]), None);
    }

    #[test]
    fn base64url_is_canonical() {
        assert_eq!(to_base64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(from_base64url("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(from_base64url("-_9"), None, "stray trailing bits");
        assert_eq!(from_base64url("-_8="), None, "padding");
        assert_eq!(from_base64url("+/8"), None, "the other alphabet");
    }

    #[test]
    fn leaf_hash_has_the_rfc_6962_prefix() {
        assert_eq!(
            Sha256::of_leaf(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }
}
