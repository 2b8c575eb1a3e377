//! Enrolment: how a device key comes to belong to a verified person, as a pure state machine.
//!
//! Owns the states of one enrolment, the six-digit challenge, the limits and the words that people
//! compare. Does not own mail, pages or the roster entry at the end: the server does those and tells
//! the machine what happened. Time and randomness are arguments.
//!
//! ```text
//! created -> code sent -> verified -> admitted
//!    |          |  ^  \        \
//!    |          |  +--(new code) +-> refused (the log did not take the entry)
//!    |          +-> code sent, burnt: only a new code goes on
//!    +-> expired (from every state but the last two)
//! ```

pub mod address;
pub mod challenge;
pub mod limits;
pub mod words;

pub use address::{Address, AddressError};
pub use challenge::{Answer, Challenge, ChallengeTerms};
pub use limits::{AttemptLimits, LimitError, source_of};
pub use words::fingerprint_words;

use cairn_event::{Isolation, KeyProtection, PublicKey};

/// Life of an enrolment in milliseconds: two codes in a row and a slow reader fit.
pub const ENROLMENT_MS: u64 = 600_000;

/// Longest host or user name accepted, in bytes; host names end at 253.
pub const MAX_NAME_BYTES: usize = 256;

/// Codes that one enrolment may ask for; more mean that somebody plays with the form.
pub const MAX_CODES: u32 = 5;

/// The device that wants in. Everything but the key is what the device says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Applicant {
    /// The device key; possession was proven.
    pub key: PublicKey,
    /// Host name.
    pub host: String,
    /// Operating-system user.
    pub os_user: String,
    /// What separates daemon and developer.
    pub isolation: Isolation,
    /// Where the key lives.
    pub protection: KeyProtection,
}

/// What the device needs to know once it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The device identifier.
    pub device: String,
    /// The person identifier.
    pub person: String,
    /// The verified address.
    pub email: Address,
    /// Index of the roster entry.
    pub roster_index: u64,
}

/// Where an enrolment stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The page was not used yet.
    Created,
    /// A code is out, or would be if the address could receive one.
    CodeSent(Challenge),
    /// The code was right; the roster entry is on its way.
    Verified(Address),
    /// The device is in the roster.
    Admitted(Admission),
    /// It will not come in, with the reason in words.
    Refused(String),
}

/// Why a step was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// Too late. Start again on the device.
    #[error("the enrolment has expired")]
    Expired,
    /// The enrolment is past this step. Refused.
    #[error("the enrolment is past this step")]
    Over,
    /// No code was asked for yet. Ask for one.
    #[error("no code was asked for")]
    NoCode,
    /// Too many codes in this enrolment. Start again on the device.
    #[error("this enrolment asked for {MAX_CODES} codes already")]
    TooManyCodes,
}

/// One enrolment.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrolment {
    id: String,
    applicant: Applicant,
    created_ms: u64,
    codes: u32,
    state: State,
}

impl Enrolment {
    /// A new enrolment at `now_ms` under a random identifier.
    pub fn new(id: String, applicant: Applicant, now_ms: u64) -> Self {
        Self {
            id,
            applicant,
            created_ms: now_ms,
            codes: 0,
            state: State::Created,
        }
    }

    /// Its identifier; the transaction that codes are bound to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The device.
    pub fn applicant(&self) -> &Applicant {
        &self.applicant
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The code that is out, where one is.
    pub fn challenge(&self) -> Option<&Challenge> {
        match &self.state {
            State::CodeSent(challenge) => Some(challenge),
            _ => None,
        }
    }

    /// Whether its time is over and it did not finish.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        let finished = matches!(self.state, State::Admitted(_) | State::Refused(_));
        !finished && now_ms >= self.created_ms.saturating_add(ENROLMENT_MS)
    }

    /// When it may be forgotten: one more life after it ended, so that the device can still ask.
    pub fn is_stale(&self, now_ms: u64) -> bool {
        now_ms >= self.created_ms.saturating_add(2 * ENROLMENT_MS)
    }

    /// A new code goes out; older ones are void from now on.
    ///
    /// Errors: `Expired`, `Over`, `TooManyCodes`.
    pub fn send_code(&mut self, challenge: Challenge, now_ms: u64) -> Result<(), EnrolmentError> {
        self.still_open(now_ms)?;
        if self.codes >= MAX_CODES {
            return Err(EnrolmentError::TooManyCodes);
        }
        self.codes += 1;
        self.state = State::CodeSent(challenge);
        Ok(())
    }

    /// Somebody typed a code. With [`Answer::Right`] the enrolment is verified; `eligible` is whether the
    /// address that [`Enrolment::challenge`] names may enrol now, and without it no code is right.
    ///
    /// Errors: `Expired`, `Over`, `NoCode`.
    pub fn answer(
        &mut self,
        terms: &ChallengeTerms<'_>,
        code: &str,
        eligible: bool,
        now_ms: u64,
    ) -> Result<Answer, EnrolmentError> {
        self.still_open(now_ms)?;
        let State::CodeSent(challenge) = &mut self.state else {
            return Err(EnrolmentError::NoCode);
        };
        let answer = challenge.answer(terms, code, eligible, now_ms);
        if answer == Answer::Right {
            self.state = State::Verified(challenge.address().clone());
        }
        Ok(answer)
    }

    /// The roster entry has its receipt.
    ///
    /// Errors: `Over` unless the enrolment is verified.
    pub fn admit(&mut self, admission: Admission) -> Result<(), EnrolmentError> {
        if !matches!(self.state, State::Verified(_)) {
            return Err(EnrolmentError::Over);
        }
        self.state = State::Admitted(admission);
        Ok(())
    }

    /// The enrolment will not succeed.
    pub fn refuse(&mut self, reason: &str) {
        if !matches!(self.state, State::Admitted(_)) {
            self.state = State::Refused(reason.to_owned());
        }
    }

    fn still_open(&self, now_ms: u64) -> Result<(), EnrolmentError> {
        match self.state {
            State::Verified(_) | State::Admitted(_) | State::Refused(_) => {
                Err(EnrolmentError::Over)
            }
            _ if self.is_expired(now_ms) => Err(EnrolmentError::Expired),
            State::Created | State::CodeSent(_) => Ok(()),
        }
    }
}

/// Whether a name that a device says of itself can be shown and recorded.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
