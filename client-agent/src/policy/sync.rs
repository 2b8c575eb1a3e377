//! Bringing policy and roster up to date: fetch, verify, persist, compile, swap, record.
//!
//! Owns that order. A bundle that fails any step leaves the one in force untouched. That a policy is the
//! newest is the log's signed word, and counts from when the witnesses vouched for the checkpoint that it
//! is about: whoever shows an old state for ever makes the policy stale, not current.

use super::activation::activate;
use super::basis::{Basis, BasisError};
use super::stored::{Stored, StoredError, StoredPolicy};
use super::sync_error::SyncError;
use super::{Active, Enforcement, InForce, News};
use crate::access::Access;
use crate::chain::Draft;
use crate::circumstances::Circumstances;
use crate::clock::{KeptUptime, Uptime, now_ms};
use crate::enrolment::Identity;
use crate::key::DeviceKey;
use crate::recorder::Recorder;
use crate::state::StateDir;
use cairn_api::Client;
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_event::body::{Body, PolicyActivated};
use cairn_policy::Staleness;
use std::sync::Arc;

/// How often an unchanged policy's check is written to disk: every 10 minutes.
///
/// A policy that is confirmed is old after ten minutes at the soonest, and after a start the server is asked
/// at once: what a crash loses of it makes a device stricter for a moment.
const CHECKED_WRITE_INTERVAL_MS: u64 = 600_000;

/// Keeps policy and roster current.
pub struct Syncer {
    basis: Basis,
    entries: Vec<ReceiptedFrame>,
    /// How many of the entries are on disk.
    kept: usize,
    /// Whether the roster on disk could not be read whole and the server has not given the rest yet.
    roster_lost: bool,
    policy: StoredPolicy,
    stored: Stored,
    enforcement: Arc<Enforcement>,
    circumstances: Arc<Circumstances>,
    written_ms: u64,
    /// When the policy was last confirmed by a newer proof.
    confirmed: Option<Uptime>,
}

impl Syncer {
    /// Loads what is on disk, verifies it again and puts it in force.
    ///
    /// Errors: [`SyncError`] when nothing can be loaded at all. A damaged file counts as empty: the
    /// server sends it again, and until then nothing is decided. So does a roster of which a part is good:
    /// the part that is not may have given this person to a team whose rules deny.
    pub fn load(
        state: &StateDir,
        identity: &Identity,
        enforcement: Arc<Enforcement>,
        circumstances: Arc<Circumstances>,
    ) -> Result<Self, SyncError> {
        let stored = Stored::open(state)?;
        let (entries, roster_lost) = match stored.roster() {
            Ok(entries) => (entries, false),
            Err(error) => {
                tracing::warn!(%error, "stored roster is not used");
                (Vec::new(), true)
            }
        };
        let policy = stored.policy().unwrap_or_default();
        let confirmed = policy.confirmed.as_ref().and_then(KeptUptime::still);
        let mut syncer = Self {
            basis: Basis::new(identity)?,
            entries: Vec::new(),
            kept: 0,
            roster_lost,
            policy: StoredPolicy::default(),
            stored,
            enforcement,
            circumstances,
            written_ms: policy.checked_ms,
            confirmed,
        };
        for entry in entries {
            if let Err(error) = syncer.basis.apply_roster(&entry) {
                tracing::warn!(%error, "stored roster is not used from here on");
                syncer.roster_lost = true;
                break;
            }
            syncer.entries.push(entry);
        }
        // A file of which a part is bad is written again, also where nothing more is known than that part.
        syncer.kept = if syncer.roster_lost {
            0
        } else {
            syncer.entries.len()
        };
        let active = match &policy.policy {
            Some(answer) => match activate(&mut syncer.basis, answer) {
                Ok((active, _)) => Some(Arc::new(active)),
                Err(error) => {
                    tracing::warn!(%error, "stored policy is not used");
                    None
                }
            },
            None => None,
        };
        if active.is_some() {
            syncer.policy = policy;
        }
        syncer.publish(active);
        Ok(syncer)
    }

    /// Fetches and verifies what is new; returns whether anything changed.
    ///
    /// Errors: [`SyncError`]; retry with backoff, which goes on after the last page that was taken over.
    pub async fn sync(
        &mut self,
        access: &mut Access,
        key: &DeviceKey,
        recorder: &Recorder,
    ) -> Result<bool, SyncError> {
        let client = access.client(key.signer()).await?;
        let roster_changed = self.roster_pages(&client).await?;
        let policy = client.policy(self.policy_index()).await?;
        let was_refused = self.policy.refused.take().is_some();
        if was_refused {
            self.stored.save_policy(&self.policy)?;
        }
        let Some(answer) = policy else {
            self.publish(self.enforcement.now().active.clone());
            return Ok(roster_changed);
        };
        Ok(self.take_newest(answer, &client, recorder).await? || roster_changed)
    }

    /// Takes over what the server told of a change, and fetches what it did not give with it; returns
    /// whether anything changed.
    ///
    /// Errors: as [`Syncer::sync`].
    pub async fn told(
        &mut self,
        news: News,
        access: &mut Access,
        key: &DeviceKey,
        recorder: &Recorder,
    ) -> Result<bool, SyncError> {
        match news {
            News::Roster(event) => {
                let known = self.roster_revision();
                let told = event.notice.revision;
                if told <= known {
                    return Ok(false);
                }
                if let Some(entry) = event.entry.filter(|_| told == known + 1) {
                    return self.take_roster(vec![entry]);
                }
                let client = access.client(key.signer()).await?;
                self.roster_pages(&client).await
            }
            News::Policy(event) => {
                let client = access.client(key.signer()).await?;
                let answer = match event.answer {
                    Some(answer) => Some(answer),
                    None => client.policy(self.policy_index()).await?,
                };
                match answer {
                    Some(answer) => self.take_newest(answer, &client, recorder).await,
                    None => Ok(false),
                }
            }
            News::Other => self.sync(access, key, recorder).await,
        }
    }

    /// How old the policy in force may be.
    pub fn ages(&self) -> Staleness {
        self.enforcement.now().ages()
    }

    /// Index of the policy entry in force.
    pub fn policy_index(&self) -> Option<u64> {
        let now = self.enforcement.now();
        now.active.as_ref().map(|active| active.index)
    }

    /// Revision of the last roster entry that was taken over.
    pub fn roster_revision(&self) -> u64 {
        self.basis.roster().revision
    }

    /// Reads the roster to its end, page by page; what was taken over of it stays, whatever follows.
    async fn roster_pages(&mut self, client: &Client) -> Result<bool, SyncError> {
        let before = self.entries.len();
        loop {
            let page = match client.roster(self.roster_revision()).await {
                Ok(page) => page,
                Err(error) => {
                    self.keep_roster()?;
                    return Err(error.into());
                }
            };
            let is_empty = page.entries.is_empty();
            let taken = self.apply_roster(page.entries);
            let is_last = is_empty || self.roster_revision() >= page.newest;
            // The file is written whole. Written at each page, a long roster would cost the square of its
            // length; what a crash loses is asked for again.
            if is_last || taken.is_err() || self.entries.len() >= self.kept.saturating_mul(2) {
                self.keep_roster()?;
            }
            taken?;
            if is_last {
                if std::mem::take(&mut self.roster_lost) {
                    self.publish(self.enforcement.now().active.clone());
                }
                return Ok(self.entries.len() > before);
            }
        }
    }

    /// Takes over the newest policy, after what is newer of the roster.
    async fn take_newest(
        &mut self,
        answer: PolicyAnswer,
        client: &Client,
        recorder: &Recorder,
    ) -> Result<bool, SyncError> {
        match self.take_and_record(answer.clone(), recorder).await {
            Err(SyncError::RosterBehind { .. }) => {
                self.roster_pages(client).await?;
                self.take_and_record(answer, recorder).await
            }
            taken => taken,
        }
    }

    /// Takes over a policy; where it is another than before its activation is an entry.
    async fn take_and_record(
        &mut self,
        answer: PolicyAnswer,
        recorder: &Recorder,
    ) -> Result<bool, SyncError> {
        let now_ms = now_ms();
        let Some(active) = self.take_policy(answer, now_ms)? else {
            return Ok(false);
        };
        let body = Body::PolicyActivated(PolicyActivated {
            bundle: active.bundle,
            version: active.compiled.bundle().version,
        });
        let context = self.circumstances.now();
        recorder
            .record(Draft {
                body,
                context,
                confidential: vec![],
                time_ms: now_ms,
            })
            .await?;
        Ok(true)
    }

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
    fn apply_roster(&mut self, offered: Vec<ReceiptedFrame>) -> Result<(), BasisError> {
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
    fn keep_roster(&mut self) -> Result<(), StoredError> {
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
    fn publish(&self, active: Option<Arc<Active>>) {
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
