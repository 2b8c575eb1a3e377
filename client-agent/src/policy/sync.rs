//! Bringing policy and roster up to date: fetch, verify, persist, compile, swap, record.
//!
//! Owns that order. A bundle that fails any step leaves the one in force untouched. That a policy is the
//! newest is the log's signed word, and counts from when the witnesses vouched for the checkpoint that it
//! is about: whoever shows an old state for ever makes the policy stale, not current.

mod taking;

use super::activation::activate;
use super::basis::Basis;
use super::stored::{Stored, StoredPolicy};
use super::sync_error::SyncError;
use super::{Enforcement, News};
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
                self.found_again(page.newest)?;
                return Ok(self.entries.len() > before);
            }
        }
    }

    /// Where the roster was lost: it is whole again once there is one up to the `newest` revision of the server.
    ///
    /// A server that has just started, or is not ours, may give an empty page: what is left of the roster on this
    /// device is not the whole by that.
    fn found_again(&mut self, newest: u64) -> Result<(), SyncError> {
        if !self.roster_lost {
            return Ok(());
        }
        let known = self.roster_revision();
        if newest == 0 || newest > known {
            return Err(SyncError::RosterMissing { known, newest });
        }
        self.roster_lost = false;
        self.publish(self.enforcement.now().active.clone());
        Ok(())
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
}
