//! `POST /v1/token`: devices and administrators trade a signed assertion for an access token.
//!
//! Owns finding the key's holder and the memory of used assertions. The form of assertions and
//! tokens is in `cairn-identity`.

use super::access::unauthorised;
use super::request::{Body, internal};
use super::{Services, locked, random};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use cairn_api::access::{TokenAnswer, TokenRequest};
use cairn_event::{PersonRole, PublicKey};
use cairn_identity::Ledger;
use cairn_identity::assertion::{Assertion, AssertionError, WINDOW_MS};
use cairn_identity::token::{ADMINISTRATOR, Subject};
use serde_json::Value;
use std::collections::HashMap;

/// Used assertions remembered; at 1,000 tokens a second two minutes fit.
pub const MAX_USED: usize = 120_000;

/// Where the token key is published (RFC 8414 by convention).
pub const JWKS: &str = "/.well-known/jwks.json";

/// The memory of used assertions, for as long as they could be used again.
#[derive(Debug, Default)]
pub struct UsedAssertions {
    until: HashMap<String, u64>,
}

/// Why an assertion is not taken as fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFresh {
    /// It was used before.
    Used,
    /// The memory is full of live ones.
    Full,
}

impl UsedAssertions {
    /// Remembers an identifier, or says why it is not fresh.
    ///
    /// # Errors
    /// [`NotFresh`].
    pub fn take(&mut self, identifier: String, now_ms: u64) -> Result<(), NotFresh> {
        if self.until.contains_key(&identifier) {
            return Err(NotFresh::Used);
        }
        if self.until.len() >= MAX_USED {
            self.until.retain(|_, until| *until > now_ms);
        }
        if self.until.len() >= MAX_USED {
            return Err(NotFresh::Full);
        }
        // Good for a window after it was written, which may be a window in our future.
        let until = now_ms.saturating_add(3 * WINDOW_MS);
        self.until.insert(identifier, until);
        Ok(())
    }
}

/// `POST /v1/token`.
pub(super) async fn token(
    State(services): State<Services>,
    Body(request): Body<TokenRequest>,
) -> Result<Json<TokenAnswer>, Problem> {
    let log = services.log();
    let now_ms = log.now_ms();
    let assertion = Assertion::parse(&request.assertion).map_err(|error| refuse(&error))?;
    let (key, subject) = holder(&log.ledger(), &assertion)?;
    assertion
        .verify(&key, log.origin(), now_ms)
        .map_err(|error| refuse(&error))?;
    // What was used before the start is forgotten, so what was written before it is refused.
    if assertion.claims().iat_ms < services.0.started_ms {
        return Err(refuse(&AssertionError::Times));
    }
    let identifier = format!("{}.{}", assertion.kid(), assertion.claims().jti);
    locked(&services.0.used)
        .take(identifier, now_ms)
        .map_err(|not| match not {
            NotFresh::Used => unauthorised("assertion-used", "the assertion was used before"),
            NotFresh::Full => Problem::retry(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-tokens",
                WINDOW_MS / 1_000,
                "too many tokens were asked for in the last minutes",
            ),
        })?;
    issue(&services, subject).map(Json)
}

/// Issues a token for somebody whose identity was just proven.
pub(super) fn issue(services: &Services, subject: Subject) -> Result<TokenAnswer, Problem> {
    let jti = random().map_err(|error| internal(&error, "issuing a token"))?;
    let now_s = services.log().now_ms() / 1_000;
    let (access_token, claims) = services
        .0
        .issuer
        .issue(&subject, now_s, jti)
        .map_err(|error| internal(&error, "issuing a token"))?;
    Ok(TokenAnswer {
        access_token,
        expires_in: claims.exp - claims.iat,
        person: claims.sub,
        roles: claims.roles,
    })
}

/// Whose key the assertion names, and what they may do.
fn holder(ledger: &Ledger, assertion: &Assertion) -> Result<(PublicKey, Subject), Problem> {
    let unknown = || unauthorised("unknown-key", "the key belongs to nobody who may ask");
    let Some(device) = &assertion.claims().device else {
        let authority = ledger.authority().ok_or_else(unknown)?;
        let kid = assertion.kid();
        let key = authority
            .key(kid)
            .filter(|_| authority.is_administrator(kid));
        let subject = Subject {
            person: ADMINISTRATOR.to_owned(),
            roles: vec![PersonRole::Admin],
            device: None,
        };
        return key.map(|key| (key.clone(), subject)).ok_or_else(unknown);
    };
    let roster = ledger.roster();
    let known = roster
        .devices
        .get(device)
        .filter(|known| known.revoked_at.is_none());
    let known = known.ok_or_else(unknown)?;
    let person = roster
        .people
        .get(&known.person)
        .and_then(|person| person.membership());
    let person = person.ok_or_else(unknown)?;
    // Whoever holds the authority key can admit a device for anybody, so a device acts as a developer
    // only; the other roles are had by signing in, or with an administrator key.
    let roles = person.roles.iter().copied();
    let subject = Subject {
        person: known.person.clone(),
        roles: roles
            .filter(|role| *role == PersonRole::Developer)
            .collect(),
        device: Some(device.clone()),
    };
    Ok((known.key.clone(), subject))
}

fn refuse(error: &AssertionError) -> Problem {
    let code = match error {
        AssertionError::TooLong(_) | AssertionError::Form => "malformed-assertion",
        AssertionError::OtherLog(_) => "other-log",
        AssertionError::Times => "assertion-times",
        AssertionError::Signature(_) | AssertionError::Sign(_) => "bad-signature",
    };
    unauthorised(code, error.to_string())
}

/// `GET /.well-known/jwks.json`: the key that verifies this server's tokens.
pub(super) async fn jwks(
    State(services): State<Services>,
) -> ([(HeaderName, HeaderValue); 1], Json<Value>) {
    let caching = HeaderValue::from_static("public, max-age=300");
    (
        [(header::CACHE_CONTROL, caching)],
        Json(services.0.issuer.jwks()),
    )
}
