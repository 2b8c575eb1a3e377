//! The enforcement policy on this device: verified, current, and whose rules apply.
//!
//! Owns what is in force and how it got there. A bundle is used only when its policy entry carries
//! enough authority and a witnessed receipt, so nobody can be served a secret policy. Does not own
//! the decision itself (`cairn-policy`).
//!
//! Source: architecture of record, section 5; endpoint findings 6.2 and 6.3 (activation checks,
//! rollback, staleness).

mod activation;
mod basis;
mod effective;
mod news;
mod stored;
mod stream;
mod sync;
mod sync_error;

pub use activation::activate;
pub use basis::{Basis, BasisError, VerifiedPolicy};
pub use effective::{is_file_rule, second_line};
pub use news::News;
pub use stored::{Stored, StoredError};
pub use stream::{Following, Patience, follow};
pub use sync::Syncer;
pub use sync_error::SyncError;

use crate::clock::Uptime;
use cairn_event::Sha256;
use cairn_policy::{CompiledBundle, Freshness, Staleness, Subject};
use std::sync::{Arc, PoisonError, RwLock};

/// How far this machine's clock may go back before it is not believed: 5 minutes, more than it is ever
/// corrected by. Whoever sets it back further could otherwise keep an old policy young.
const CLOCK_BACK_MS: u64 = 300_000;

/// A verified bundle in force.
#[derive(Debug)]
pub struct Active {
    /// The bundle with its rules understood.
    pub compiled: CompiledBundle,
    /// Index of the policy entry.
    pub index: u64,
    /// Revision of the policy entry.
    pub revision: u64,
    /// SHA-256 of the bundle's bytes.
    pub bundle: Sha256,
}

/// Everything a decision needs besides the request and posture.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The bundle; `None` before the first verified one.
    pub active: Option<Arc<Active>>,
    /// Whose rules apply.
    pub subject: Subject,
    /// Index of the roster entry the subject was read from; `None` before the first check.
    pub roster_index: Option<u64>,
    /// Index of the entry that revoked this device.
    pub revoked_at: Option<u64>,
    /// Whether the roster on this device is not whole, so that nobody can say which teams and roles hold.
    pub roster_lost: bool,
    /// Why the server refuses this device, until it answers again.
    ///
    /// A revoked device is told so instead of being given the roster entry that says it.
    pub refused: Option<String>,
    /// From when on this is known to be the newest policy, milliseconds since 1970: when the witnesses
    /// vouched for the checkpoint that the server proved it with, without witnesses when it said so.
    pub checked_ms: u64,
    /// When this device last learned that, by a clock that nobody can set; `None` where the machine was
    /// started again since.
    pub confirmed: Option<Uptime>,
}

/// Why nothing may be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// No bundle was ever verified here.
    #[error("this device has no verified policy yet")]
    NoPolicy,
    /// The stored roster is missing, damaged or too long to be read.
    ///
    /// Without it the rules for teams and roles would not hold, the denying ones among them.
    #[error("the roster on this device is damaged or missing; it is read from the server again")]
    NoRoster,
    /// The last check is too long ago.
    #[error("the policy was last checked {} ago, more than {} are allowed", span(*.age_ms), span(*.limit_ms))]
    Stale {
        /// Milliseconds since the last check.
        age_ms: u64,
        /// Milliseconds after which nothing is decided any more.
        limit_ms: u64,
    },
    /// The server does not know or no longer accepts this device's key.
    #[error("the server refuses this device: {0}")]
    Refused(String),
    /// The device was revoked.
    #[error("this device was revoked at log index {index}")]
    Revoked {
        /// Index of the revocation.
        index: u64,
    },
}

impl InForce {
    /// The bundle to decide with at `now_ms`.
    ///
    /// Errors: [`NotInForce`]; the action is denied with that reason.
    pub fn usable(&self, now_ms: u64) -> Result<Arc<Active>, NotInForce> {
        if let Some(index) = self.revoked_at {
            return Err(NotInForce::Revoked { index });
        }
        if let Some(reason) = &self.refused {
            return Err(NotInForce::Refused(reason.clone()));
        }
        let active = self.active.clone().ok_or(NotInForce::NoPolicy)?;
        if self.roster_lost {
            return Err(NotInForce::NoRoster);
        }
        let age_ms = self.age_ms(now_ms);
        let limit_ms = active.compiled.bundle().ages().refuse_ms;
        if age_ms > limit_ms {
            return Err(NotInForce::Stale { age_ms, limit_ms });
        }
        Ok(active)
    }

    /// How long ago the policy was last known to be the newest.
    ///
    /// The machine's clock says so, and the time that the machine has been up since, asleep or not, where
    /// that is longer. A clock that went back makes the policy at least old enough to be restricted.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        let told_ms = now_ms.saturating_sub(self.checked_ms);
        let ran = self.confirmed.map(|at| at.elapsed().as_millis());
        let ran_ms = ran.map_or(0, |ran| u64::try_from(ran).unwrap_or(u64::MAX));
        let age_ms = told_ms.max(ran_ms);
        if self.checked_ms > now_ms.saturating_add(CLOCK_BACK_MS) {
            return age_ms.max(self.ages().restrict_ms.saturating_add(1));
        }
        age_ms
    }

    /// How the policy counts at its age.
    pub fn freshness(&self, now_ms: u64) -> Freshness {
        self.ages().judge(self.age_ms(now_ms))
    }

    /// The steps of the policy in force.
    pub fn ages(&self) -> Staleness {
        let active = self.active.as_ref();
        active.map_or_else(Staleness::default, |active| active.compiled.bundle().ages())
    }

    /// The age as entries say it: where it is not what is to be expected.
    pub fn recorded_age_ms(&self, now_ms: u64) -> Option<u64> {
        self.active.as_ref()?;
        let is_old = self.freshness(now_ms) > Freshness::Fresh;
        is_old.then(|| self.age_ms(now_ms))
    }

    /// What a developer is told about the policy's age; `None` while it is fresh.
    pub fn warning(&self, now_ms: u64) -> Option<String> {
        self.active.as_ref()?;
        let ago = span(self.age_ms(now_ms));
        match self.freshness(now_ms) {
            Freshness::Fresh => None,
            Freshness::Old => Some(format!("the policy was last checked {ago} ago")),
            Freshness::Restricted => Some(format!(
                "the policy was last checked {ago} ago: exceptions and what is allowed to some only have lapsed"
            )),
            Freshness::Refused => Some(format!(
                "the policy was last checked {ago} ago: nothing is allowed"
            )),
        }
    }
}

/// A time in the largest unit of which it has two.
pub fn span(ms: u64) -> String {
    match ms / 60_000 {
        minutes @ 0..120 => format!("{minutes} minutes"),
        minutes => format!("{} hours", minutes / 60),
    }
}

/// The policy in force, shared between threads and swapped whole.
#[derive(Debug, Default)]
pub struct Enforcement(RwLock<Arc<InForce>>);

impl Enforcement {
    /// What is in force now.
    pub fn now(&self) -> Arc<InForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what is in force at once for everybody.
    pub fn swap(&self, next: InForce) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

#[cfg(test)]
mod tests;
