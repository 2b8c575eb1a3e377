//! Bringing policy and roster up to date: fetch, verify, persist, compile, swap, record.
//!
//! Owns that order. A bundle that fails any step leaves the one in force untouched.

use super::basis::{Basis, BasisError};
use super::stored::{Stored, StoredError, StoredPolicy};
use super::{Active, Enforcement, InForce};
use crate::access::{Access, AccessError};
use crate::chain::Draft;
use crate::circumstances::Circumstances;
use crate::clock::now_ms;
use crate::enrolment::Identity;
use crate::key::DeviceKey;
use crate::recorder::{RecordError, Recorder};
use crate::state::StateDir;
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_api::{ClientError, Problem};
use cairn_event::Sha256;
use cairn_event::body::{Body, PolicyActivated};
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, BundleError, CompileProblem, compile};
use std::sync::Arc;

/// How often an unchanged policy's check is written to disk: every 10 minutes.
///
/// The staleness limit is 72 hours, so losing 10 minutes of it in a crash changes nothing.
const CHECKED_WRITE_INTERVAL_MS: u64 = 600_000;

/// Why the newest policy is not in force. The one before stays.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// No token.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The server did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An entry is not believed.
    #[error(transparent)]
    Basis(#[from] BasisError),
    /// Disk.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The bundle's bytes are not base64url.
    #[error("the bundle is not base64url")]
    Encoding,
    /// The bundle's bytes are not the ones the policy entry names.
    #[error("the bundle has digest {found}, its policy entry names {named}")]
    OtherBundle {
        /// Digest of the bytes.
        found: Sha256,
        /// Digest in the entry.
        named: Sha256,
    },
    /// The bundle does not parse.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle is for another log, or its version is not the entry's.
    #[error("the bundle says `{found}`, its policy entry `{named}`")]
    Mismatch {
        /// What the bundle says.
        found: String,
        /// What the entry says.
        named: String,
    },
    /// The rules do not compile.
    #[error("the bundle does not compile: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Compile(Vec<CompileProblem>),
    /// The server offers an older policy than the one in force.
    #[error("rollback: the server offers policy revision {offered}, in force is {in_force}")]
    Rollback {
        /// Revision offered.
        offered: u64,
        /// Revision in force.
        in_force: u64,
    },
    /// The activation could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Keeps policy and roster current.
pub struct Syncer {
    basis: Basis,
    entries: Vec<ReceiptedFrame>,
    policy: StoredPolicy,
    stored: Stored,
    enforcement: Arc<Enforcement>,
    circumstances: Arc<Circumstances>,
    written_ms: u64,
}

impl SyncError {
    /// The problem with which the server refused this device's key, where that is the cause.
    pub fn key_refused(&self) -> Option<&Problem> {
        let (Self::Client(client) | Self::Access(AccessError::Client(client))) = self else {
            return None;
        };
        match client {
            ClientError::Problem(problem) if matches!(problem.status, 401 | 403) => Some(problem),
            _ => None,
        }
    }
}

impl Syncer {
    /// Loads what is on disk, verifies it again and puts it in force.
    ///
    /// Errors: [`SyncError`] when nothing can be loaded at all. A damaged file counts as empty: the
    /// server sends it again, and until then nothing is decided.
    pub fn load(
        state: &StateDir,
        identity: &Identity,
        enforcement: Arc<Enforcement>,
        circumstances: Arc<Circumstances>,
    ) -> Result<Self, SyncError> {
        let stored = Stored::open(state)?;
        let entries = stored.roster().unwrap_or_default();
        let policy = stored.policy().unwrap_or_default();
        let mut syncer = Self {
            basis: Basis::new(identity)?,
            entries: Vec::new(),
            policy: StoredPolicy::default(),
            stored,
            enforcement,
            circumstances,
            written_ms: policy.checked_ms,
        };
        for entry in entries {
            if let Err(error) = syncer.basis.apply_roster(&entry) {
                tracing::warn!(%error, "stored roster is not used from here on");
                break;
            }
            syncer.entries.push(entry);
        }
        let active = match &policy.policy {
            Some(answer) => match syncer.activate(answer) {
                Ok(active) => Some(Arc::new(active)),
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
    /// Errors: [`SyncError`]; retry with backoff.
    pub async fn sync(
        &mut self,
        access: &mut Access,
        key: &DeviceKey,
        recorder: &Recorder,
    ) -> Result<bool, SyncError> {
        let client = access.client(key.signer()).await?;
        let roster = client.roster(self.basis.roster().revision).await?;
        let roster_changed = self.take_roster(roster.entries)?;
        let policy = client.policy().await?;
        let was_refused = self.policy.refused.take().is_some();
        if was_refused {
            self.stored.save_policy(&self.policy)?;
        }
        let in_force = self.enforcement.now().active.clone();
        let checked_ms = now_ms();
        let Some(answer) = policy else {
            self.publish(in_force);
            return Ok(roster_changed);
        };
        if in_force
            .as_ref()
            .is_some_and(|active| active.index == answer.index)
        {
            self.checked(checked_ms)?;
            self.publish(in_force);
            return Ok(roster_changed);
        }
        let active = Arc::new(self.activate(&answer)?);
        if let Some(old) = &in_force
            && active.revision <= old.revision
        {
            let (offered, in_force) = (active.revision, old.revision);
            return Err(SyncError::Rollback { offered, in_force });
        }
        self.policy = StoredPolicy {
            policy: Some(answer),
            checked_ms,
            refused: None,
        };
        self.stored.save_policy(&self.policy)?;
        self.written_ms = checked_ms;
        let body = Body::PolicyActivated(PolicyActivated {
            bundle: active.bundle,
            version: active.compiled.bundle().version,
        });
        self.publish(Some(active));
        let context = self.circumstances.now();
        recorder
            .record(Draft {
                body,
                context,
                confidential: vec![],
                time_ms: checked_ms,
            })
            .await?;
        Ok(true)
    }

    /// Takes over roster entries as the server sent them; returns whether there were any.
    ///
    /// What holds of them is in force when this returns, with an error as well: whoever was taken out
    /// of a team must not keep its rules because a later entry, the disk or the policy is at fault.
    ///
    /// Errors: [`SyncError`] for the first entry that is not believed, or the disk.
    pub fn take_roster(&mut self, offered: Vec<ReceiptedFrame>) -> Result<bool, SyncError> {
        let mut refused = None;
        let before = self.entries.len();
        for entry in offered {
            match self.basis.apply_roster(&entry) {
                Ok(()) => self.entries.push(entry),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let changed = self.entries.len() > before;
        if changed {
            self.publish(self.enforcement.now().active.clone());
            self.stored.save_roster(&self.entries)?;
        }
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(changed),
        }
    }

    /// Stops every decision because the server refuses this device; survives a restart.
    ///
    /// Why on the server's unsigned word: it can only make this device stricter, and the entry that
    /// proves a revocation is not given to a revoked device.
    ///
    /// Errors: [`StoredError`]; decisions have stopped for this run all the same.
    pub fn refuse(&mut self, problem: &Problem) -> Result<(), StoredError> {
        if self.policy.refused.is_some() {
            return Ok(());
        }
        self.policy.refused = Some(problem.to_string());
        self.publish(self.enforcement.now().active.clone());
        self.stored.save_policy(&self.policy)
    }

    fn checked(&mut self, now_ms: u64) -> Result<(), StoredError> {
        self.policy.checked_ms = now_ms;
        if now_ms.saturating_sub(self.written_ms) >= CHECKED_WRITE_INTERVAL_MS {
            self.stored.save_policy(&self.policy)?;
            self.written_ms = now_ms;
        }
        Ok(())
    }

    /// Verifies a policy entry and its bundle and compiles it.
    fn activate(&mut self, answer: &PolicyAnswer) -> Result<Active, SyncError> {
        let statement = self.basis.policy(answer)?;
        let bytes = from_base64url(&answer.bundle).ok_or(SyncError::Encoding)?;
        let (found, named) = (Sha256::of(&bytes), statement.bundle);
        if found != named {
            return Err(SyncError::OtherBundle { found, named });
        }
        let bundle = Bundle::parse(&bytes)?;
        let circumstances = (bundle.origin.clone(), bundle.version);
        let expected = (self.basis.origin().to_owned(), statement.version);
        if circumstances != expected {
            let words = |(origin, version): &(String, u64)| format!("{origin} version {version}");
            let (found, named) = (words(&circumstances), words(&expected));
            return Err(SyncError::Mismatch { found, named });
        }
        let compiled = compile(&bundle).map_err(SyncError::Compile)?;
        let (index, revision) = (answer.index, statement.revision);
        Ok(Active {
            compiled,
            index,
            revision,
            bundle: found,
        })
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
            revoked_at: self.basis.revoked_at(),
            refused: self.policy.refused.clone(),
            checked_ms: self.policy.checked_ms,
        });
    }
}
