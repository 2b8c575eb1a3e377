//! Entry bytes: freezing a payload into a compact JWS, and reading one back without trusting it.
//!
//! Source: RFC 7515 section 7.1 (compact serialisation), RFC 9864 (`Ed25519`), RFC 9901 section 4,
//! `docs/formats/entry.md`.

use crate::encoding::{Sha256, from_base64url, to_base64url};
use crate::json::{JsonError, parse_canonical, to_canonical};
use crate::key::{EntrySigner, Kid, PublicKey, SignError};
use crate::limits::MAX_ENTRY_BYTES;
use crate::payload::{Payload, PayloadError};
use serde_json::{Value, json};

/// The JWS `typ` of version 1 entries.
pub const TYP_V1: &str = "vnd.cairn.entry.v1+sd-jwt";

/// The one JWS algorithm of version 1 chain, administrator and software device keys (RFC 9864).
pub const ALG: &str = "Ed25519";

/// Why bytes are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY_BYTES`].
    #[error("entry of {0} bytes is longer than {MAX_ENTRY_BYTES}")]
    TooLong(usize),
    /// Not three base64url parts.
    #[error("entry is not a compact JWS of three base64url parts")]
    NotCompact,
    /// The header is not canonical JSON.
    #[error("entry header: {0}")]
    HeaderJson(JsonError),
    /// The header is not exactly `alg`, `kid`, `typ` as version 1 has them.
    #[error("entry header is not {{\"alg\":\"Ed25519\",\"kid\":…,\"typ\":\"{TYP_V1}\"}}")]
    Header,
    /// The payload was refused.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The signature is not valid for the key that the header names.
    #[error("entry signature is not valid for key `{0}`")]
    Signature(Kid),
    /// The key offered is not the one the header names.
    #[error("entry was signed by key `{named}`, not by `{offered}`")]
    OtherKey {
        /// The header's `kid`.
        named: Kid,
        /// The thumbprint of the key offered.
        offered: Kid,
    },
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// An entry's outer shape, readable for any version: enough to check integrity.
#[derive(Clone, Debug, PartialEq)]
pub struct Integrity {
    /// The key that the header names.
    pub kid: Kid,
    /// The header's `typ`.
    pub typ: String,
    /// Payload bytes, decoded.
    pub payload: Vec<u8>,
    signed_bytes: usize,
    signature: Vec<u8>,
}

impl Integrity {
    /// Reads the outer shape of entry bytes of any version.
    ///
    /// Errors: [`EntryError`]; the bytes are not an entry at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EntryError::NotCompact)?;
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(EntryError::NotCompact);
        };
        let signed_bytes = header.len() + 1 + payload.len();
        let decoded = |part| from_base64url(part).ok_or(EntryError::NotCompact);
        let header = decoded(header)?;
        let (kid, typ) = parse_header(&header)?;
        let (payload, signature) = (decoded(payload)?, decoded(signature)?);
        Ok(Self {
            kid,
            typ,
            payload,
            signed_bytes,
            signature,
        })
    }

    /// Checks the signature over `bytes`, which must be those that were parsed.
    ///
    /// Errors: [`EntryError::OtherKey`] or [`EntryError::Signature`]; the entry is refused.
    pub fn verify(&self, bytes: &[u8], key: &PublicKey) -> Result<(), EntryError> {
        if *key.kid_ref() != self.kid {
            return Err(EntryError::OtherKey {
                named: self.kid.clone(),
                offered: key.kid(),
            });
        }
        let signed = bytes
            .get(..self.signed_bytes)
            .ok_or(EntryError::NotCompact)?;
        if key.verifies(signed, &self.signature) {
            Ok(())
        } else {
            Err(EntryError::Signature(self.kid.clone()))
        }
    }
}

/// The header of version 1 in its canonical form, before and after the key identifier.
const HEADER_V1: (&[u8], &[u8]) = (
    br#"{"alg":"Ed25519","kid":""#,
    br#"","typ":"vnd.cairn.entry.v1+sd-jwt"}"#,
);

fn parse_header(bytes: &[u8]) -> Result<(Kid, String), EntryError> {
    let rest = bytes.strip_prefix(HEADER_V1.0);
    if let Some(kid) = rest.and_then(|rest| rest.strip_suffix(HEADER_V1.1))
        && kid
            .iter()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_'))
    {
        let kid = kid.iter().copied().map(char::from).collect();
        return Ok((Kid(kid), TYP_V1.to_owned()));
    }
    let value = parse_canonical(bytes).map_err(EntryError::HeaderJson)?;
    let Value::Object(members) = &value else {
        return Err(EntryError::Header);
    };
    let word = |name: &str| members.get(name).and_then(Value::as_str);
    match (word("alg"), word("kid"), word("typ")) {
        (Some(ALG), Some(kid), Some(typ)) if members.len() == 3 => {
            Ok((Kid(kid.to_owned()), typ.to_owned()))
        }
        _ => Err(EntryError::Header),
    }
}

/// A version 1 entry: its exact bytes and what they say.
///
/// Trap: parsing checks form, not authority. Call [`Entry::verify`] with the key that
/// `cairn-identity` names for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    bytes: Vec<u8>,
    leaf: Sha256,
    integrity: Integrity,
    payload: Payload,
}

impl Entry {
    /// Reads entry bytes of version 1.
    ///
    /// Errors: [`EntryError`]; [`PayloadError::UnknownVersion`] and a foreign `typ` mean that only
    /// [`Integrity`] can be checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let integrity = Integrity::parse(bytes)?;
        if integrity.typ != TYP_V1 {
            return Err(EntryError::Header);
        }
        let payload = Payload::parse(&integrity.payload)?;
        Ok(Self {
            bytes: bytes.to_vec(),
            leaf: Sha256::of_leaf(bytes),
            integrity,
            payload,
        })
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as text; an entry is ASCII.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The key that the header names.
    pub fn kid(&self) -> &Kid {
        &self.integrity.kid
    }

    /// What the entry says.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The RFC 6962 leaf hash of the bytes that were parsed.
    pub fn leaf(&self) -> Sha256 {
        self.leaf
    }

    /// Checks the signature.
    ///
    /// Errors: as [`Integrity::verify`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), EntryError> {
        self.integrity.verify(&self.bytes, key)
    }
}

/// Entry bytes that were just frozen, with the leaf hash the next entry of the chain names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The entry, ASCII.
    pub entry: String,
    /// Its leaf hash.
    pub leaf: Sha256,
}

/// Freezes a payload: canonical bytes, signed once, never serialised again.
///
/// Errors: [`EntryError::Payload`] and [`EntryError::TooLong`] are the writer's mistakes;
/// [`EntryError::Sign`] means the key is gone and the caller fails closed.
pub fn freeze(payload: &Payload, signer: &dyn EntrySigner) -> Result<Frozen, EntryError> {
    let header = json!({ "alg": ALG, "kid": signer.public_key().kid(), "typ": TYP_V1 });
    let header = to_base64url(&to_canonical(&header));
    let payload = to_base64url(&payload.to_bytes()?);
    let mut entry = format!("{header}.{payload}");
    let signature = signer.sign(entry.as_bytes())?;
    entry.push('.');
    entry.push_str(&to_base64url(&signature));
    if entry.len() > MAX_ENTRY_BYTES {
        return Err(EntryError::TooLong(entry.len()));
    }
    let leaf = Sha256::of_leaf(entry.as_bytes());
    Ok(Frozen { entry, leaf })
}
