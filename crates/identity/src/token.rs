//! Access tokens: short-lived JWTs that say who calls and in which roles.
//!
//! Owns the claims, their issue and the one strict way to read them, and the JWKS document. Does
//! not own how the caller proved who they are (`assertion`, `enrolment`) nor which route needs
//! which role. Time and randomness are arguments.
//!
//! Source: RFC 7519, RFC 9068 (`at+jwt`), RFC 8037 (EdDSA).

use cairn_event::encoding::to_base64url;
use cairn_event::{EntrySigner, PersonRole, PublicKey, SoftwareKey};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Life of a token in seconds: short, because a token cannot be called back.
pub const TOKEN_SECONDS: u64 = 600;

/// Difference of clocks tolerated, in seconds; issuer and reader are one machine or few.
pub const LEEWAY_SECONDS: u64 = 30;

/// Longest token in bytes; the longest we issue has under 1,000.
pub const MAX_TOKEN_BYTES: usize = 4_096;

/// The `typ` of an access token (RFC 9068 section 2.1).
pub const TOKEN_TYP: &str = "at+jwt";

/// The `sub` of an administrator who signs with a key of genesis and is nobody in the roster.
pub const ADMINISTRATOR: &str = "administrator";

/// RFC 8410 section 7: what stands before the 32-byte seed in the PKCS#8 form of an Ed25519 key.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The log origin that issued it.
    pub iss: String,
    /// The log origin it is for.
    pub aud: String,
    /// Person identifier, or [`ADMINISTRATOR`].
    pub sub: String,
    /// Roles at the time of issue.
    pub roles: Vec<PersonRole>,
    /// The device that asked, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
    /// Issued at, seconds since 1970.
    pub iat: u64,
    /// Not good from this second on.
    pub exp: u64,
    /// Random identifier.
    pub jti: String,
}

impl Claims {
    /// Whether the caller holds a role.
    pub fn has_role(&self, role: PersonRole) -> bool {
        self.roles.contains(&role)
    }
}

/// For whom a token is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Person identifier, or [`ADMINISTRATOR`].
    pub person: String,
    /// Roles.
    pub roles: Vec<PersonRole>,
    /// The device that asked, where one did.
    pub device: Option<String>,
}

/// Why a token was not made or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`]. Refused.
    #[error("token of {0} bytes is longer than {MAX_TOKEN_BYTES}")]
    TooLong(usize),
    /// Not a JWT of our form, algorithm, type or key. Refused.
    #[error("token is not one of this server")]
    Form,
    /// The signature does not verify. Refused.
    #[error("token signature is not valid")]
    Signature,
    /// Issued by or for another log. Refused.
    #[error("token is for another log")]
    OtherOrigin,
    /// Past its time. Get a new one.
    #[error("token has expired")]
    Expired,
    /// From the future, or valid for longer than this server issues. Refused.
    #[error("token times are not plausible")]
    Times,
    /// The key could not sign. Fatal: the key file is damaged.
    #[error("token could not be signed")]
    Sign,
}

/// Issues tokens under one key.
pub struct TokenIssuer {
    origin: String,
    key: EncodingKey,
    public: PublicKey,
}

impl TokenIssuer {
    /// An issuer for the log `origin` with an Ed25519 seed.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Self {
        let mut der = PKCS8_PREFIX.to_vec();
        der.extend_from_slice(seed);
        let public = SoftwareKey::from_seed(seed).public_key();
        Self {
            origin: origin.to_owned(),
            key: EncodingKey::from_ed_der(&der),
            public,
        }
    }

    /// Issues a token at `now_s` (seconds since 1970) with a random `jti`.
    ///
    /// Errors: [`TokenError::Sign`]; the server's key is unusable.
    pub fn issue(
        &self,
        subject: &Subject,
        now_s: u64,
        jti: [u8; 16],
    ) -> Result<(String, Claims), TokenError> {
        let claims = Claims {
            iss: self.origin.clone(),
            aud: self.origin.clone(),
            sub: subject.person.clone(),
            roles: subject.roles.clone(),
            did: subject.device.clone(),
            iat: now_s,
            exp: now_s.saturating_add(TOKEN_SECONDS),
            jti: to_base64url(&jti),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYP.to_owned());
        header.kid = Some(self.public.kid().0);
        let token = jsonwebtoken::encode(&header, &claims, &self.key);
        Ok((token.map_err(|_| TokenError::Sign)?, claims))
    }

    /// What reads the tokens of this issuer.
    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new(&self.origin, &self.public)
    }

    /// The JWKS document (RFC 7517 section 5) with the one key of this issuer.
    pub fn jwks(&self) -> Value {
        let x = to_base64url(self.public.as_bytes());
        json!({ "keys": [{
            "alg": "EdDSA", "crv": "Ed25519", "kid": self.public.kid(), "kty": "OKP",
            "use": "sig", "x": x,
        }]})
    }
}

/// Reads tokens of one issuer.
#[derive(Clone)]
pub struct TokenVerifier {
    key: DecodingKey,
    kid: String,
    validation: Validation,
}

impl TokenVerifier {
    /// For tokens that `key` signed for the log `origin`.
    pub fn new(origin: &str, key: &PublicKey) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[origin]);
        validation.set_audience(&[origin]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library reads the system's clock; ours is an argument, so times are checked below.
        validation.validate_exp = false;
        validation.leeway = LEEWAY_SECONDS;
        let kid = key.kid().0;
        Self {
            key: DecodingKey::from_ed_der(key.as_bytes()),
            kid,
            validation,
        }
    }

    /// Reads a token at `now_s`, seconds since 1970.
    ///
    /// Errors: [`TokenError`]; only `Expired` is cured by asking for a new token.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong(token.len()));
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).map_err(
            |error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::Signature,
                ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => TokenError::OtherOrigin,
                _ => TokenError::Form,
            },
        )?;
        let ours = data.header.typ.as_deref() == Some(TOKEN_TYP)
            && data.header.kid.as_deref() == Some(self.kid.as_str());
        if !ours {
            return Err(TokenError::Form);
        }
        check_times(&data.claims, now_s)?;
        Ok(data.claims)
    }
}

fn check_times(claims: &Claims, now_s: u64) -> Result<(), TokenError> {
    let latest = now_s.saturating_add(LEEWAY_SECONDS);
    let life = claims.exp.checked_sub(claims.iat);
    if claims.iat > latest || life.is_none_or(|life| life > TOKEN_SECONDS) {
        return Err(TokenError::Times);
    }
    if claims.exp.saturating_add(LEEWAY_SECONDS) <= now_s {
        return Err(TokenError::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
