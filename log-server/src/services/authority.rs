//! Writing administrative entries with the online authority key.
//!
//! Owns freezing and submitting them one after another, so that roster revisions follow. What the
//! key may say is delegated by genesis and judged by the ledger like everybody else's.

use crate::log::Log;
use crate::outcome::{Level, SubmitError, SubmitResult, Wait};
use crate::problem::{Family, Problem};
use axum::http::StatusCode;
use cairn_event::body::Body;
use cairn_event::disclosure::DisclosureError;
use cairn_event::limits::SALT_BYTES;
use cairn_event::{Context, Disclosure, EntryError, Payload, frame, freeze};
use cairn_identity::Ledger;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;

/// Longest wait for an authority entry to be published; witnesses answer within a second.
const PUBLISH_WAIT: Duration = Duration::from_secs(10);

/// Attempts when an administrator's roster entry came in between and took the revision.
const MAX_ATTEMPTS: usize = 3;

/// Why an authority entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No randomness for salts. Retry.
    #[error("no randomness from the operating system")]
    Randomness(#[from] getrandom::Error),
    /// A confidential member is too long. Refused.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// The entry could not be frozen. Fatal: the key is unusable.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The log took nothing. Retry.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// What is to be said hangs on something that is not known yet. Retry.
    #[error("what the entry is to say is not known yet")]
    NotYet,
    /// The ledger refused the entry, for example because genesis delegates no such right.
    #[error("the log refused the entry: {}", .0.body)]
    Refused(Box<Problem>),
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Submit(error) => error.into(),
            AuthorityError::Refused(problem) => Self::new(
                StatusCode::CONFLICT,
                "authority-refused",
                Family::Refused,
                format!("the log refused the authority's entry: {}", problem.body),
            ),
            other => Self::internal(other.to_string()),
        }
    }
}

/// What is to be said: the body and its confidential members.
pub struct Statement {
    /// The body.
    pub body: Body,
    /// Name and value of each confidential member.
    pub confidential: Vec<(String, Value)>,
    /// The signed extension object, where the body has no member for something.
    pub ext: Option<Value>,
}

/// An entry that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its index.
    pub index: u64,
    /// Whether a published checkpoint covers it already.
    pub published: bool,
}

/// The one writer under the authority key.
pub struct AuthorityWriter {
    log: Log,
    turn: Mutex<()>,
}

impl AuthorityWriter {
    /// Over a log that holds the authority key.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self {
            log,
            turn: Mutex::new(()),
        }
    }

    /// Writes the statement that `say` makes of the ledger as it is, and waits as `wait` asks. Where
    /// `say` makes none, nothing is written ([`AuthorityError::NotYet`]).
    ///
    /// # Errors
    /// [`AuthorityError`]; nothing is in the log, except after `Submit(Stopped)`, which leaves it open.
    pub async fn write(
        &self,
        wait: Wait,
        say: impl Fn(&Ledger) -> Option<Statement> + Send,
    ) -> Result<Written, AuthorityError> {
        let _turn = self.turn.lock().await;
        let mut refused = Box::new(Problem::internal("no attempt was made"));
        for _ in 0..MAX_ATTEMPTS {
            let statement = say(&self.log.ledger());
            let statement = statement.ok_or(AuthorityError::NotYet)?;
            let line = self.freeze(statement)?;
            let results = self.log.submit(vec![line], wait, PUBLISH_WAIT).await?;
            match results.into_iter().next() {
                Some(SubmitResult::Accepted { index, level, .. }) => {
                    return Ok(Written {
                        index,
                        published: level >= Level::Published,
                    });
                }
                Some(SubmitResult::Refused(problem)) => refused = Box::new(problem),
                None => {}
            }
            if refused.code() != "out-of-order" {
                break;
            }
        }
        Err(AuthorityError::Refused(refused))
    }

    fn freeze(&self, statement: Statement) -> Result<String, AuthorityError> {
        let mut disclosures = Vec::with_capacity(statement.confidential.len());
        for (name, value) in statement.confidential {
            let salt: [u8; SALT_BYTES] = super::random()?;
            disclosures.push(Disclosure::new(salt, &name, value)?);
        }
        let mut sd: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
        sd.sort_unstable();
        let payload = Payload {
            log: self.log.origin().to_owned(),
            time_ms: self.log.now_ms(),
            link: None,
            context: Context::default(),
            body: statement.body,
            approvals: Vec::new(),
            sd,
            ext: statement.ext,
        };
        let frozen = freeze(&payload, self.log.authority_signer().as_ref())?;
        Ok(frame::present(
            &frozen.entry,
            disclosures.iter().map(Disclosure::encoded),
        ))
    }
}
