//! Bringing policy and roster up to date: fetch, verify, persist, compile, swap, record.
//!
//! Owns that order. A bundle that fails any step leaves the one in force untouched. That a policy is the
//! newest counts from when the witnesses vouched for the checkpoint that proves it: a server that shows
//! an old state for ever makes it stale, not current.

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
    /// A revision that no log of this length can have reached: every one needs an entry.
    #[error("fast-forward: policy revision {revision} at log index {index}")]
    FastForward {
        /// Revision offered.
        revision: u64,
        /// Its index.
        index: u64,
    },
    /// Two different policies were proven for one index. Tell whoever audits the log: no log with one
    /// tree can do that.
    #[error(
        "two trees: at log index {index} stood the policy {known}, now {found} is proven there"
    )]
    TwoTrees {
        /// The index.
        index: u64,
        /// Digest of the bundle in force.
        known: Sha256,
        /// Digest that was proven now.
        found: Sha256,
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
        let Some(answer) = policy else {
            self.publish(self.enforcement.now().active.clone());
            return Ok(roster_changed);
        };
        let now_ms = now_ms();
        let Some(active) = self.take_policy(answer, now_ms)? else {
            return Ok(roster_changed);
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
        let checked_ms = self.newest_at(witnessed_ms, now_ms);
        self.policy = StoredPolicy {
            policy: Some(answer),
            checked_ms,
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
        self.policy.checked_ms = self.newest_at(verified.witnessed_ms, now_ms);
        if self.policy.checked_ms.saturating_sub(self.written_ms) >= CHECKED_WRITE_INTERVAL_MS {
            self.stored.save_policy(&self.policy)?;
            self.written_ms = self.policy.checked_ms;
        }
        Ok(())
    }

    /// From when on a policy is known to be the newest. Where no witness says, the server's word and
    /// this machine's clock must do.
    fn newest_at(&self, witnessed_ms: Option<u64>, now_ms: u64) -> u64 {
        let seen_ms = witnessed_ms.unwrap_or(now_ms).min(now_ms);
        self.policy.checked_ms.max(seen_ms)
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

/// Verifies a policy entry and its bundle and compiles it; gives when witnesses vouched for it, too.
///
/// Errors: [`SyncError`]; the policy in force stays.
pub fn activate(
    basis: &mut Basis,
    answer: &PolicyAnswer,
) -> Result<(Active, Option<u64>), SyncError> {
    let verified = basis.policy(answer)?;
    let statement = verified.statement;
    let (revision, index) = (statement.revision, answer.index);
    if revision > index {
        return Err(SyncError::FastForward { revision, index });
    }
    let bytes = from_base64url(&answer.bundle).ok_or(SyncError::Encoding)?;
    let (found, named) = (Sha256::of(&bytes), statement.bundle);
    if found != named {
        return Err(SyncError::OtherBundle { found, named });
    }
    let bundle = Bundle::parse(&bytes)?;
    let circumstances = (bundle.origin.clone(), bundle.version);
    let expected = (basis.origin().to_owned(), statement.version);
    if circumstances != expected {
        let words = |(origin, version): &(String, u64)| format!("{origin} version {version}");
        let (found, named) = (words(&circumstances), words(&expected));
        return Err(SyncError::Mismatch { found, named });
    }
    let compiled = compile(&bundle).map_err(SyncError::Compile)?;
    let active = Active {
        compiled,
        index,
        revision,
        bundle: found,
    };
    Ok((active, verified.witnessed_ms))
}
