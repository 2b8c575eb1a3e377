//! The enforcement policy on this device: verified, current, and whose rules apply.
//!
//! Owns what is in force and how it got there. A bundle is used only when its policy entry carries
//! enough authority and a witnessed receipt, so nobody can be served a secret policy. Does not own
//! the decision itself (`cairn-policy`).
//!
//! Source: architecture of record, section 5; endpoint findings 6.2 and 6.3 (activation checks,
//! rollback, staleness).

mod basis;
mod effective;
mod stored;
mod stream;
mod sync;

pub use basis::{Basis, BasisError, VerifiedPolicy};
pub use effective::{is_file_rule, second_line};
pub use stored::{Stored, StoredError};
pub use stream::follow;
pub use sync::{SyncError, Syncer, activate};

use cairn_event::Sha256;
use cairn_policy::{CompiledBundle, Subject};
use std::sync::{Arc, PoisonError, RwLock};

/// How long a policy stays in force after it was last known to be the newest: 72 hours.
///
/// A long weekend without a network must not stop work; a device that avoids the server for longer
/// must not keep an old policy for ever.
pub const STALE_AFTER_MS: u64 = 72 * 3_600 * 1_000;

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
    /// Why the server refuses this device, in its words, until it answers again.
    ///
    /// A revoked device is told so instead of being given the roster entry that says it.
    pub refused: Option<String>,
    /// From when on this is known to be the newest policy, milliseconds since 1970: when the witnesses
    /// vouched for the checkpoint that the server proved it with, without witnesses when it said so.
    pub checked_ms: u64,
}

/// Why nothing may be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInForce {
    /// No bundle was ever verified here.
    #[error("this device has no verified policy yet")]
    NoPolicy,
    /// The last check is too long ago.
    #[error("the policy was last checked {hours} hours ago, more than {} allow", STALE_AFTER_MS / 3_600_000)]
    Stale {
        /// Whole hours since the last check.
        hours: u64,
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
        let age_ms = now_ms.saturating_sub(self.checked_ms);
        if age_ms > STALE_AFTER_MS {
            return Err(NotInForce::Stale {
                hours: age_ms / 3_600_000,
            });
        }
        Ok(active)
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
mod tests {
    use super::*;
    use cairn_policy::{Bundle, compile};

    fn in_force(checked_ms: u64) -> InForce {
        let compiled = compile(&Bundle::empty("log.example", "sec@example.com")).unwrap();
        let active = Active {
            compiled,
            index: 3,
            revision: 1,
            bundle: Sha256([0; 32]),
        };
        InForce {
            active: Some(Arc::new(active)),
            checked_ms,
            ..InForce::default()
        }
    }

    #[test]
    fn without_a_fresh_policy_nothing_is_decided() {
        assert_eq!(
            InForce::default().usable(0).unwrap_err(),
            NotInForce::NoPolicy
        );
        assert!(in_force(10).usable(10 + STALE_AFTER_MS).is_ok());
        let stale = in_force(10).usable(11 + STALE_AFTER_MS).unwrap_err();
        assert_eq!(stale, NotInForce::Stale { hours: 72 });
        let revoked = InForce {
            revoked_at: Some(9),
            ..in_force(10)
        };
        assert_eq!(
            revoked.usable(10).unwrap_err(),
            NotInForce::Revoked { index: 9 }
        );
        let refused = InForce {
            refused: Some("gone".into()),
            ..in_force(10)
        };
        assert_eq!(
            refused.usable(10).unwrap_err(),
            NotInForce::Refused("gone".into())
        );
    }
}
