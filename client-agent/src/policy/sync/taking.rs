//! What of an offered policy and roster is believed, and what is in force then.
//!
//! Owns the checks against what is in force, and putting policy and roster in force together. Does not own
//! fetching them (`super`).

use super::super::activation::activate;
use super::super::basis::BasisError;
use super::super::stored::{StoredError, StoredPolicy};
use super::super::sync_error::SyncError;
use super::super::{Active, InForce};
use super::Syncer;
use crate::clock::{KeptUptime, Uptime};
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use std::sync::Arc;

/// How often an unchanged policy's check is written to disk: every 10 minutes.
///
/// A policy that is confirmed is old after ten minutes at the soonest, and after a start the server is asked
/// at once: what a crash loses of it makes a device stricter for a moment.
const CHECKED_WRITE_INTERVAL_MS: u64 = 600_000;

impl Syncer {
    /// Takes over the newest policy as the server sent it; returns it where it is another than before.
    ///
    /// Errors: [`SyncError`]; what is in force stays, and counts as no newer than it did.
    pub fn take_policy(
        &mut self,
        answer: PolicyAnswer,
        now_ms: u64,
    ) -> Result<Option<Arc<Active>>, SyncError> {
        let in_force = self.enforcement.now().active.clone();
        if let Some(active) = in_force.filter(|active| active.index == answer.index) {
            match self.confirm(&active, &answer, now_ms) {
                // While witnesses are away nothing proves that it is the newest: it grows old.
                Err(SyncError::Basis(error @ BasisError::Receipt { .. })) => {
                    tracing::warn!(%error, "the policy in force is not confirmed");
                }
                confirmed => confirmed?,
            }
            self.publish(Some(active));
            return Ok(None);
        }
        let (active, witnessed_ms) = activate(&mut self.basis, &answer)?;
        if let Some(old) = &self.enforcement.now().active
            && active.revision <= old.revision
        {
            let (offered, in_force) = (active.revision, old.revision);
            return Err(SyncError::Rollback { offered, in_force });
        }
        self.check_newest(&answer)?;
        let checked_ms = self.newest_at(witnessed_ms, now_ms);
        self.policy = StoredPolicy {
            policy: Some(answer),
            checked_ms,
            confirmed: self.confirmed.map(KeptUptime::of),
            refused: None,
        };
        self.stored.save_policy(&self.policy)?;
        self.written_ms = checked_ms;
        let active = Arc::new(active);
        self.publish(Some(Arc::clone(&active)));
        Ok(Some(active))
    }

    /// Notes that the policy in force is still the newest, as far as the witnesses vouch for it.
    fn confirm(
        &mut self,
        active: &Active,
        answer: &PolicyAnswer,
        now_ms: u64,
    ) -> Result<(), SyncError> {
        let verified = self.basis.policy(answer)?;
        let (index, known, found) = (active.index, active.bundle, verified.statement.bundle);
        if found != known {
            return Err(SyncError::TwoTrees {
                index,
                known,
                found,
            });
        }
        self.check_newest(answer)?;
        self.policy.checked_ms = self.newest_at(verified.witnessed_ms, now_ms);
        self.policy.confirmed = self.confirmed.map(KeptUptime::of);
        if self.policy.checked_ms.abs_diff(self.written_ms) >= CHECKED_WRITE_INTERVAL_MS {
            self.stored.save_policy(&self.policy)?;
            self.written_ms = self.policy.checked_ms;
        }
        Ok(())
    }

    /// Whether the log says that the policy just verified is the newest at the size that its receipt proves, and
    /// that this device has the whole roster of it. A receipt alone says only that the policy is in the log.
    fn check_newest(&self, answer: &PolicyAnswer) -> Result<(), SyncError> {
        let newest = self.basis.newest(&answer.newest)?;
        let proven = self.basis.proven_size().unwrap_or_default();
        if newest.size != proven {
            let said = newest.size;
            return Err(SyncError::OtherSize { said, proven });
        }
        if newest.policy != Some(answer.index) {
            return Err(SyncError::Frozen {
                offered: answer.index,
                newest: newest.policy,
            });
        }
        let (known, newest) = (self.roster_revision(), newest.roster);
        if newest > known {
            return Err(SyncError::RosterBehind { known, newest });
        }
        Ok(())
    }

    /// From when on a policy is known to be the newest. Where no witness says, the server's word and
    /// this machine's clock must do.
    fn newest_at(&mut self, witnessed_ms: Option<u64>, now_ms: u64) -> u64 {
        let Some(witnessed_ms) = witnessed_ms else {
            // Also where this clock was ahead before: it would else be the past until that time comes.
            self.confirmed = Some(Uptime::now());
            return now_ms;
        };
        let seen_ms = witnessed_ms.min(now_ms);
        if seen_ms > self.policy.checked_ms {
            // What the proof's own age was is counted by the clock; from here on time is measured.
            self.confirmed = Some(Uptime::now());
        }
        self.policy.checked_ms.max(seen_ms)
    }

    /// Takes over roster entries as the server sent them; returns whether there were any.
    ///
    /// What holds of them is in force when this returns, with an error as well: whoever was taken out
    /// of a team must not keep its rules because a later entry, the disk or the policy is at fault.
    ///
    /// Errors: [`SyncError`] for the first entry that is not believed, or the disk.
    pub fn take_roster(&mut self, offered: Vec<ReceiptedFrame>) -> Result<bool, SyncError> {
        let before = self.entries.len();
        let taken = self.apply_roster(offered);
        self.keep_roster()?;
        taken?;
        Ok(self.entries.len() > before)
    }

    /// Puts roster entries in force, up to the first that is not believed.
    pub(super) fn apply_roster(&mut self, offered: Vec<ReceiptedFrame>) -> Result<(), BasisError> {
        let before = self.entries.len();
        let mut taken = Ok(());
        for entry in offered {
            taken = self.basis.apply_roster(&entry);
            if taken.is_err() {
                break;
            }
            self.entries.push(entry);
        }
        if self.entries.len() > before {
            self.publish(self.enforcement.now().active.clone());
        }
        taken
    }

    /// Writes the roster where the disk has less of it.
    pub(super) fn keep_roster(&mut self) -> Result<(), StoredError> {
        if self.kept < self.entries.len() {
            self.stored.save_roster(&self.entries)?;
            self.kept = self.entries.len();
        }
        Ok(())
    }

    /// Stops every decision because the server refuses this device; survives a restart.
    ///
    /// Why on the server's unsigned word: it can only make this device stricter, and the entry that
    /// proves a revocation is not given to a revoked device.
    ///
    /// Errors: [`StoredError`]; decisions have stopped for this run all the same.
    pub fn refuse(&mut self, reason: &str) -> Result<(), StoredError> {
        if self.policy.refused.is_some() {
            return Ok(());
        }
        self.policy.refused = Some(reason.to_owned());
        self.publish(self.enforcement.now().active.clone());
        self.stored.save_policy(&self.policy)
    }

    /// Puts bundle, subject and indices in force together.
    pub(super) fn publish(&self, active: Option<Arc<Active>>) {
        let subject = self.basis.subject();
        if let Some(index) = self.basis.roster_index() {
            self.circumstances.set_roster(index, subject.teams.clone());
        }
        if let Some(active) = &active {
            self.circumstances.set_policy(active.index);
        }
        if let Some(beacon) = self.basis.newest_checkpoint() {
            self.circumstances.saw(beacon.clone());
        }
        self.enforcement.swap(InForce {
            active,
            subject,
            roster_index: self.basis.roster_index(),
            roster_lost: self.roster_lost || !self.basis.is_in_roster(),
            revoked_at: self.basis.revoked_at(),
            refused: self.policy.refused.clone(),
            checked_ms: self.policy.checked_ms,
            confirmed: self.confirmed,
        });
    }
}
