//! The six-digit code: made from given randomness, kept as a keyed digest, guessed five times.
//!
//! Source: the same limits as NIST SP 800-63B section 5.1.3 (out-of-band, 10 minutes).

use super::address::Address;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Life of a code in milliseconds.
pub const CODE_MS: u64 = 600_000;

/// Wrong guesses until a code is burnt: five guesses hit one time in 200,000.
pub const MAX_TRIES: u32 = 5;

/// Digits of a code.
pub const CODE_DIGITS: usize = 6;

/// What a code is bound to besides the address: the server's secret and the transaction.
#[derive(Clone, Copy)]
pub struct ChallengeTerms<'a> {
    /// Secret of this server process; never stored with the digests.
    pub pepper: &'a [u8; 32],
    /// The enrolment or sign-in.
    pub transaction: &'a str,
}

/// What a typed code was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Right; the code is used up.
    Right,
    /// Wrong, with this many tries left.
    Wrong {
        /// Tries left, at least 1.
        left: u32,
    },
    /// Wrong or right, but no tries are left.
    Burnt,
    /// Too late.
    Expired,
}

/// A code that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    address: Address,
    digest: [u8; 32],
    expires_ms: u64,
    tries_left: u32,
}

impl Challenge {
    /// Makes a code out of 16 random bytes and the challenge that knows it.
    ///
    /// Trap: the code goes into the mail and nowhere else, above all not into diagnostics.
    pub fn issue(
        terms: &ChallengeTerms<'_>,
        address: Address,
        random: [u8; 16],
        now_ms: u64,
    ) -> (Self, String) {
        // 128 bits modulo a million: the bias is below 2^-108.
        let code = format!("{:06}", u128::from_be_bytes(random) % 1_000_000);
        let digest = digest(terms, &address, &code);
        let expires_ms = now_ms.saturating_add(CODE_MS);
        (
            Self {
                address,
                digest,
                expires_ms,
                tries_left: MAX_TRIES,
            },
            code,
        )
    }

    /// Whom it was sent to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Tries left; 0 once it is burnt or used up.
    pub fn tries_left(&self) -> u32 {
        self.tries_left
    }

    /// Judges a typed code; spaces in it are ignored. Comparing takes the same time for each.
    ///
    /// `eligible` is whether the address may have a code now. Where it may not, no mail was sent and no code
    /// is right: somebody who guesses it gets the answer of a wrong one.
    pub fn answer(
        &mut self,
        terms: &ChallengeTerms<'_>,
        typed: &str,
        eligible: bool,
        now_ms: u64,
    ) -> Answer {
        if now_ms >= self.expires_ms {
            return Answer::Expired;
        }
        if self.tries_left == 0 {
            return Answer::Burnt;
        }
        let typed: String = typed
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let typed_digest = digest(terms, &self.address, &typed);
        if bool::from(typed_digest.ct_eq(&self.digest)) & eligible {
            self.tries_left = 0;
            return Answer::Right;
        }
        self.tries_left -= 1;
        match self.tries_left {
            0 => Answer::Burnt,
            left => Answer::Wrong { left },
        }
    }
}

/// HMAC-SHA256(pepper, transaction || 0 || address || 0 || code). No part can hold a zero byte.
fn digest(terms: &ChallengeTerms<'_>, address: &Address, code: &str) -> [u8; 32] {
    // RFC 2104 section 2: a key shorter than the block is padded with zeros.
    let mut key = [0; 64];
    for (padded, byte) in key.iter_mut().zip(terms.pepper) {
        *padded = *byte;
    }
    let mut mac = Hmac::<Sha256>::new(&key.into());
    for part in [terms.transaction, address.as_str(), code] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}
