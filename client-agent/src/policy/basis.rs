//! The basis of a policy: who may speak for the organisation and who this device's person is.
//!
//! Owns replaying roster entries in order and verifying policy entries, each with its receipt under
//! the pinned trust policy. The `Ledger` is not used because it numbers entries by its own count,
//! and a device sees only the administrative ones.

use crate::enrolment::{Identity, IdentityError, Pinned};
use cairn_api::distribution::{PolicyAnswer, ReceiptedFrame};
use cairn_api::newest::{Newest, NewestError};
use cairn_event::administrative::PolicyStatement;
use cairn_event::body::Body;
use cairn_event::frame::FrameError;
use cairn_event::payload::Beacon;
use cairn_event::{Entry, EntryError, Frame, Sha256};
use cairn_identity::{Refusal, Roster};
use cairn_policy::Subject;
use cairn_tlog::{Hash, Receipt, ReceiptError, VerifiedNote, receipt::ReceiptParseError};

/// Why an administrative entry is not believed. The device keeps what it has.
#[derive(Debug, thiserror::Error)]
pub enum BasisError {
    /// What was pinned at enrolment is not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The frame does not parse.
    #[error("entry {index}: {source}")]
    Frame {
        /// The index it was offered for.
        index: u64,
        /// What is wrong.
        #[source]
        source: FrameError,
    },
    /// The entry does not parse or its signature is not valid.
    #[error("entry {index}: {source}")]
    Entry {
        /// The index it was offered for.
        index: u64,
        /// What is wrong.
        #[source]
        source: EntryError,
    },
    /// The receipt is not one.
    #[error("receipt of entry {index}: {source}")]
    ReceiptForm {
        /// The index it was offered for.
        index: u64,
        /// What is wrong.
        #[source]
        source: ReceiptParseError,
    },
    /// The receipt does not prove the entry under the pinned trust policy.
    #[error("receipt of entry {index}: {source}")]
    Receipt {
        /// The index it was offered for.
        index: u64,
        /// What is wrong.
        #[source]
        source: ReceiptError,
    },
    /// The receipt is for another place.
    #[error("entry was offered for index {offered}, its receipt says {proven}")]
    OtherIndex {
        /// The index it was offered for.
        offered: u64,
        /// The index in the receipt.
        proven: u64,
    },
    /// The entry lacks authority, is out of order or does not apply.
    #[error("entry {index}: {source}")]
    Refused {
        /// The index it was offered for.
        index: u64,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// The entry says something else than was asked for.
    #[error("entry {index} is `{found}`")]
    OtherKind {
        /// The index it was offered for.
        index: u64,
        /// Its type.
        found: &'static str,
    },
}

/// A policy entry that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPolicy {
    /// What it says.
    pub statement: PolicyStatement,
    /// When the witnesses' quorum vouched for the checkpoint that proves it, milliseconds since 1970;
    /// `None` under a trust policy without witnesses.
    pub witnessed_ms: Option<u64>,
}

/// Genesis, the trust policy and the roster so far.
#[derive(Debug)]
pub struct Basis {
    origin: String,
    person: String,
    device: String,
    pinned: Pinned,
    roster: Roster,
    newest: Option<Beacon>,
    /// The checkpoint to which the last receipt led: the next one often leads to the same.
    known: Option<VerifiedNote>,
}

impl Basis {
    /// The basis before any roster entry.
    ///
    /// Errors: [`BasisError::Identity`].
    pub fn new(identity: &Identity) -> Result<Self, BasisError> {
        let (person, device) = (identity.person.clone(), identity.device.clone());
        Ok(Self {
            person,
            device,
            ..Self::of_log(&identity.origin, identity.pinned()?)
        })
    }

    /// The basis of a log for nobody in particular, as an administrator needs it.
    pub fn of_log(origin: &str, pinned: Pinned) -> Self {
        Self {
            origin: origin.to_owned(),
            person: String::new(),
            device: String::new(),
            pinned,
            roster: Roster::default(),
            newest: None,
            known: None,
        }
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The roster so far.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The newest checkpoint that a receipt verified here led to.
    pub fn newest_checkpoint(&self) -> Option<&Beacon> {
        self.newest.as_ref()
    }

    /// Index of the last roster entry applied.
    pub fn roster_index(&self) -> Option<u64> {
        self.roster.indices.last().copied()
    }

    /// Whether the roster names this device: one that does not is not whole.
    pub fn is_in_roster(&self) -> bool {
        self.roster.devices.contains_key(&self.device)
    }

    /// Index at which this device was revoked.
    pub fn revoked_at(&self) -> Option<u64> {
        self.roster
            .devices
            .get(&self.device)
            .and_then(|device| device.revoked_at)
    }

    /// Whose rules apply: the device's person with their teams and roles now.
    pub fn subject(&self) -> Subject {
        let person = self.roster.people.get(&self.person);
        let membership = person.and_then(|person| person.membership());
        Subject {
            person: self.person.clone(),
            teams: membership.map(|one| one.teams.clone()).unwrap_or_default(),
            roles: membership
                .map(|one| {
                    one.roles
                        .iter()
                        .map(|role| role.as_str().to_owned())
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// Verifies and applies the next roster entry.
    ///
    /// Errors: [`BasisError`]; nothing changes.
    pub fn apply_roster(&mut self, offered: &ReceiptedFrame) -> Result<(), BasisError> {
        let index = offered.index;
        let frame =
            Frame::parse(&offered.frame).map_err(|source| BasisError::Frame { index, source })?;
        let (beacon, _) = self.verify(frame.entry(), index, &offered.receipt)?;
        let body = &frame.entry().payload().body;
        let Body::Roster(statement) = body else {
            return Err(BasisError::OtherKind {
                index,
                found: body.kind(),
            });
        };
        let refused = |source| BasisError::Refused { index, source };
        let (got, expected) = (statement.revision, self.roster.revision.saturating_add(1));
        if got != expected {
            let (kind, what) = ("roster", "revision");
            return Err(refused(Refusal::OutOfOrder {
                kind,
                what,
                got,
                expected,
            }));
        }
        self.roster
            .take(index, statement)
            .map_err(|(position, reason)| refused(Refusal::RosterChange { position, reason }))?;
        self.see(beacon);
        Ok(())
    }

    /// Verifies a policy entry and returns what it says, and since when it is known.
    ///
    /// Errors: [`BasisError`]; the caller keeps the policy it has.
    pub fn policy(&mut self, offered: &PolicyAnswer) -> Result<VerifiedPolicy, BasisError> {
        let index = offered.index;
        let entry = Entry::parse(offered.entry.as_bytes())
            .map_err(|source| BasisError::Entry { index, source })?;
        let (beacon, witnessed_ms) = self.verify(&entry, index, &offered.receipt)?;
        let body = &entry.payload().body;
        let Body::Policy(statement) = body else {
            return Err(BasisError::OtherKind {
                index,
                found: body.kind(),
            });
        };
        self.see(beacon);
        Ok(VerifiedPolicy {
            statement: statement.clone(),
            witnessed_ms,
        })
    }

    /// What the log says was newest, in a note that it signed.
    ///
    /// Errors: [`NewestError`]; nothing is known to be the newest.
    pub fn newest(&self, note: &str) -> Result<Newest, NewestError> {
        let keys = self.pinned.trust_policy.logs().iter().map(|log| &log.key);
        Newest::open(note, &self.origin, keys)
    }

    /// Size of the checkpoint to which the last verified receipt led.
    pub fn proven_size(&self) -> Option<u64> {
        let known = self.known.as_ref()?;
        Some(known.verified().checkpoint.size)
    }

    /// The checkpoint that proves an entry, and when its quorum vouched for it.
    fn verify(
        &mut self,
        entry: &Entry,
        index: u64,
        receipt: &str,
    ) -> Result<(Beacon, Option<u64>), BasisError> {
        let refused = |source| BasisError::Refused { index, source };
        if entry.payload().log != self.origin {
            let (named, origin) = (entry.payload().log.clone(), self.origin.clone());
            return Err(refused(Refusal::OtherLog { named, origin }));
        }
        let authority = &self.pinned.authority;
        let key = authority.key(entry.kid()).ok_or_else(|| {
            refused(Refusal::NotAuthorised {
                kid: entry.kid().clone(),
                kind: entry.payload().body.kind(),
                need: "a key that genesis names".to_owned(),
            })
        })?;
        entry
            .verify(key)
            .map_err(|source| BasisError::Entry { index, source })?;
        authority.check(entry).map_err(refused)?;
        let receipt =
            Receipt::parse(receipt).map_err(|source| BasisError::ReceiptForm { index, source })?;
        if receipt.index != index {
            return Err(BasisError::OtherIndex {
                offered: index,
                proven: receipt.index,
            });
        }
        let leaf = Hash(entry.leaf().0);
        let trust_policy = &self.pinned.trust_policy;
        let unproven = |source| BasisError::Receipt { index, source };
        let known = self.known.take();
        let known = match known.filter(|known| known.note() == receipt.checkpoint) {
            Some(known) => known,
            None => trust_policy
                .verify_note(&receipt.checkpoint)
                .map_err(|source| unproven(ReceiptError::Checkpoint(source)))?,
        };
        receipt.verify_under(&leaf, &known).map_err(unproven)?;
        let witnessed_s = trust_policy.quorum_time(known.verified());
        let checkpoint = &known.verified().checkpoint;
        let beacon = Beacon {
            root: Sha256(*checkpoint.root.as_bytes()),
            size: checkpoint.size,
        };
        self.known = Some(known);
        Ok((beacon, witnessed_s.map(|s| s.saturating_mul(1_000))))
    }

    fn see(&mut self, beacon: Beacon) {
        if self
            .newest
            .as_ref()
            .is_none_or(|known| known.size < beacon.size)
        {
            self.newest = Some(beacon);
        }
    }
}
