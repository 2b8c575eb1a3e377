//! Assertions: a device or an administrator proves with its key who asks for a token.
//!
//! Owns the form `cairn-assertion+jwt` and its checks. Does not own the memory of used `jti`s (the
//! server keeps it for [`WINDOW_MS`]) nor who the key belongs to (the ledger). Time is an argument.
//!
//! Form: a compact JWS, header `{"alg":"Ed25519","kid":…,"typ":"cairn-assertion+jwt"}`, payload
//! `{"aud":origin,"device":…?,"exp_ms":…,"iat_ms":…,"jti":…}`, both in canonical JSON.

use cairn_event::encoding::to_base64url;
use cairn_event::entry::ALG;
use cairn_event::json::{parse_canonical, to_canonical};
use cairn_event::key::SignError;
use cairn_event::{EntryError, EntrySigner, Integrity, Kid, PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The `typ` of an assertion.
pub const ASSERTION_TYP: &str = "cairn-assertion+jwt";

/// Difference of clocks tolerated, and the longest life, in milliseconds.
pub const WINDOW_MS: u64 = 60_000;

/// Longest assertion in bytes; the longest we write has under 700.
pub const MAX_ASSERTION_BYTES: usize = 2_048;

/// Longest `jti` in bytes; 16 random bytes need 22.
pub const MAX_JTI_BYTES: usize = 64;

/// What an assertion says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionClaims {
    /// The log origin asked.
    pub aud: String,
    /// The device that asks; absent for an administrator key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Not good from here on, milliseconds since 1970.
    pub exp_ms: u64,
    /// Written at, milliseconds since 1970.
    pub iat_ms: u64,
    /// Random; used once.
    pub jti: String,
}

/// Why an assertion was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Longer than [`MAX_ASSERTION_BYTES`]. Refused.
    #[error("assertion of {0} bytes is longer than {MAX_ASSERTION_BYTES}")]
    TooLong(usize),
    /// Not of the form above. Refused.
    #[error("assertion is malformed")]
    Form,
    /// The signature, or the key, is not the one named. Refused.
    #[error("assertion is not signed by key `{0}`")]
    Signature(Kid),
    /// For another log. Refused.
    #[error("assertion is for log `{0}`")]
    OtherLog(String),
    /// Outside its window. Retry with a fresh one; the clocks may differ.
    #[error("assertion is not within {WINDOW_MS} ms of the server's clock")]
    Times,
    /// The signer refused. Fatal for the caller.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// A parsed assertion. Trap: parsing checks form only; call [`Assertion::verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    bytes: Vec<u8>,
    integrity: Integrity,
    claims: AssertionClaims,
}

impl Assertion {
    /// Reads an assertion.
    ///
    /// Errors: [`AssertionError::TooLong`], [`AssertionError::Form`].
    pub fn parse(text: &str) -> Result<Self, AssertionError> {
        if text.len() > MAX_ASSERTION_BYTES {
            return Err(AssertionError::TooLong(text.len()));
        }
        let integrity = Integrity::parse(text.as_bytes()).map_err(|_| AssertionError::Form)?;
        if integrity.typ != ASSERTION_TYP {
            return Err(AssertionError::Form);
        }
        let value = parse_canonical(&integrity.payload).map_err(|_| AssertionError::Form)?;
        let claims: AssertionClaims =
            serde_json::from_value(value.clone()).map_err(|_| AssertionError::Form)?;
        // A null written out would be a second way to leave a member away.
        let plain = serde_json::to_value(&claims).is_ok_and(|again| again == value);
        if !plain || claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
            return Err(AssertionError::Form);
        }
        Ok(Self {
            bytes: text.as_bytes().to_vec(),
            integrity,
            claims,
        })
    }

    /// The key that claims to have signed.
    pub fn kid(&self) -> &Kid {
        &self.integrity.kid
    }

    /// What is claimed.
    pub fn claims(&self) -> &AssertionClaims {
        &self.claims
    }

    /// Checks audience, times and signature under `key` at `now_ms`, for the log `origin`.
    ///
    /// Errors: [`AssertionError`].
    /// Trap: the caller must also refuse a `jti` it has seen in the last two [`WINDOW_MS`].
    pub fn verify(&self, key: &PublicKey, origin: &str, now_ms: u64) -> Result<(), AssertionError> {
        let claims = &self.claims;
        if claims.aud != origin {
            return Err(AssertionError::OtherLog(claims.aud.clone()));
        }
        let life = claims.exp_ms.checked_sub(claims.iat_ms);
        let timely = claims.iat_ms.abs_diff(now_ms) <= WINDOW_MS
            && claims.exp_ms > now_ms.saturating_sub(WINDOW_MS)
            && life.is_some_and(|life| life > 0 && life <= WINDOW_MS);
        if !timely {
            return Err(AssertionError::Times);
        }
        self.integrity
            .verify(&self.bytes, key)
            .map_err(|error| match error {
                EntryError::Signature(kid) | EntryError::OtherKey { named: kid, .. } => {
                    AssertionError::Signature(kid)
                }
                _ => AssertionError::Form,
            })
    }
}

/// Writes an assertion for the log `origin` at `now_ms` with a random `jti`.
///
/// Errors: [`AssertionError::Sign`]; the key is gone.
pub fn assert_key(
    origin: &str,
    device: Option<&str>,
    now_ms: u64,
    jti: [u8; 16],
    signer: &dyn EntrySigner,
) -> Result<String, AssertionError> {
    let claims = AssertionClaims {
        aud: origin.to_owned(),
        device: device.map(str::to_owned),
        exp_ms: now_ms.saturating_add(WINDOW_MS),
        iat_ms: now_ms,
        jti: to_base64url(&jti),
    };
    let header = json!({ "alg": ALG, "kid": signer.public_key().kid(), "typ": ASSERTION_TYP });
    let payload = serde_json::to_value(&claims).map_err(|_| AssertionError::Form)?;
    let header = to_base64url(&to_canonical(&header));
    let mut text = format!("{header}.{}", to_base64url(&to_canonical(&payload)));
    let signature = signer.sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&to_base64url(&signature));
    Ok(text)
}

#[cfg(test)]
mod tests;
