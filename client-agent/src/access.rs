//! Access to the server: a client that holds a fresh token for a key.
//!
//! Owns exchanging an assertion for a token and renewing it in time.

use crate::clock::now_ms;
use crate::random::{self, NoRandomness};
use cairn_api::{Client, ClientError};
use cairn_event::EntrySigner;
use cairn_identity::assertion::{AssertionError, assert_key};
use std::time::{Duration, Instant};

/// How long before its end a token is renewed: 60 s, the longest a call may take with its retry.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// How long a token is used at most, whatever its server says: one day, far more than ours gives. A time that
/// no clock can hold must not end whoever follows the policy.
const LIFE_MOST: Duration = Duration::from_secs(86_400);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The server did not give one.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The assertion could not be written.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// A client with a token that is renewed when needed.
#[derive(Debug)]
pub struct Access {
    client: Client,
    origin: String,
    device: Option<String>,
    token: Option<(Client, Instant)>,
}

impl Access {
    /// Access for a device's key, or with `None` for an administrator's.
    pub fn new(client: Client, origin: &str, device: Option<&str>) -> Self {
        let (origin, device) = (origin.to_owned(), device.map(str::to_owned));
        Self {
            client,
            origin,
            device,
            token: None,
        }
    }

    /// The client without a token.
    pub fn anonymous(&self) -> &Client {
        &self.client
    }

    /// A client whose token is good for at least a minute.
    ///
    /// Errors: [`AccessError`]; retry as the client's family says.
    pub async fn client(&mut self, key: &dyn EntrySigner) -> Result<Client, AccessError> {
        if let Some((client, until)) = &self.token
            && Instant::now() < *until
        {
            return Ok(client.clone());
        }
        let device = self.device.as_deref();
        let assertion = assert_key(&self.origin, device, now_ms(), random::bytes()?, key)?;
        let answer = self.client.token(assertion).await?;
        let life = Duration::from_secs(answer.expires_in).min(LIFE_MOST);
        let life = life.saturating_sub(RENEW_BEFORE);
        let client = self.client.with_token(&answer.access_token);
        self.token = Some((client.clone(), Instant::now() + life));
        Ok(client)
    }

    /// Forgets the token after the server refused it.
    pub fn forget(&mut self) {
        self.token = None;
    }
}
