//! The trust policy: which logs and which witnesses make a checkpoint believable.
//!
//! Owns the rule and its application to a signed checkpoint; the text form is in `text`. It is
//! not the enforcement policy of the agent. Source: C2SP tlog-policy.
//!
//! A checkpoint is valid when any listed log of its origin signed it and the quorum is satisfied.
//! The quorum counts each witness public key once, whatever lines a note repeats.

mod text;

use std::collections::BTreeSet;

use crate::checkpoint::{Checkpoint, CheckpointParseError};
use crate::key::VerifierKey;
use crate::note::{Note, NoteParseError, NoteVerifyError};

pub use text::{MAX_POLICY_BYTES, TrustPolicyError};

/// A log the policy accepts. Its origin is the key's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// Note key of type 0x01 or 0x06.
    pub key: VerifierKey,
    /// Where to read the log, if given.
    pub url: Option<String>,
}

/// A witness the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedWitness {
    /// The policy's name for it; need not be the key's name.
    pub name: String,
    /// Cosigner key of type 0x04 or 0x06.
    pub key: VerifierKey,
    /// Submission prefix, if given: `<url>/add-checkpoint`.
    pub url: Option<String>,
}

/// A named set of witnesses and groups, satisfied by `threshold` of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessGroup {
    /// Name of the group.
    pub name: String,
    /// Members that must be satisfied, 1 to the number of members.
    pub threshold: usize,
    /// Names of witnesses or of groups defined earlier.
    pub members: Vec<String>,
}

/// Which witnesses must have cosigned. Values come only from `TrustPolicy::parse`.
///
/// `Display` writes a canonical policy file that parses to the same policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<WitnessGroup>,
    /// Name of a witness or group; `None` is the policy's `quorum none`.
    quorum: Option<String>,
}

/// A checkpoint that passed a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// Every witness of the policy whose cosignature verified, in the policy's order, with its
    /// Unix seconds. More may be listed than the quorum needs.
    pub cosigned: Vec<(String, u64)>,
}

/// A signed checkpoint that passed a policy, kept with its text so that its signatures need not be
/// verified again for every receipt that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote {
    note: String,
    verified: VerifiedCheckpoint,
}

impl VerifiedNote {
    /// The signed note, verbatim.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What was verified of it.
    #[must_use]
    pub fn verified(&self) -> &VerifiedCheckpoint {
        &self.verified
    }
}

/// Why a checkpoint is not trusted under a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not a signed note.
    #[error("checkpoint is not a signed note")]
    Note(#[from] NoteParseError),
    /// Not a checkpoint text.
    #[error("note is not a checkpoint")]
    Checkpoint(#[from] CheckpointParseError),
    /// No listed log has this origin.
    #[error("origin `{origin}` is not a trusted log")]
    UnknownOrigin {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// A line of a listed key does not verify: the whole note is refused.
    #[error("a signature by a trusted key is refused")]
    Signature(#[from] NoteVerifyError),
    /// No listed log of the origin signed.
    #[error("checkpoint of `{origin}` is not signed by a trusted key of that log")]
    NotSignedByLog {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// Too few witnesses cosigned.
    #[error("quorum `{quorum}` is not satisfied, {cosigned} witnesses cosigned")]
    Quorum {
        /// Name of the required witness or group.
        quorum: String,
        /// Witnesses of the policy that did cosign.
        cosigned: usize,
    },
}

impl TrustPolicy {
    /// The accepted logs, in file order.
    #[must_use]
    pub fn logs(&self) -> &[TrustedLog] {
        &self.logs
    }

    /// The named witnesses, in file order.
    #[must_use]
    pub fn witnesses(&self) -> &[TrustedWitness] {
        &self.witnesses
    }

    /// The groups, in file order.
    #[must_use]
    pub fn groups(&self) -> &[WitnessGroup] {
        &self.groups
    }

    /// Name of the required witness or group; `None` when the policy asks for no witness.
    #[must_use]
    pub fn quorum(&self) -> Option<&str> {
        self.quorum.as_deref()
    }

    /// Verifies a signed checkpoint: a listed log of its origin signed and the quorum cosigned.
    ///
    /// Timestamps are returned, not judged: freshness is the caller's rule.
    ///
    /// # Errors
    /// Refused with the cause. `Quorum` may be cured by fetching a later version of the note.
    pub fn verify_checkpoint(&self, note: &str) -> Result<VerifiedCheckpoint, TrustError> {
        let verified = self.verify_log_signature(note)?;
        let cosigners = verified
            .cosigned
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        match &self.quorum {
            Some(quorum) if !self.is_satisfied(quorum, &cosigners) => Err(TrustError::Quorum {
                quorum: quorum.clone(),
                cosigned: verified.cosigned.len(),
            }),
            _ => Ok(verified),
        }
    }

    /// As `verify_checkpoint`, keeping the note for [`crate::Receipt::verify_under`].
    ///
    /// # Errors
    /// As `verify_checkpoint`.
    pub fn verify_note(&self, note: &str) -> Result<VerifiedNote, TrustError> {
        let verified = self.verify_checkpoint(note)?;
        let note = note.to_owned();
        Ok(VerifiedNote { note, verified })
    }

    /// Verifies the log's signature and whatever cosignatures are there, without the quorum.
    ///
    /// # Errors
    /// As `verify_checkpoint`, never `Quorum`.
    pub fn verify_log_signature(&self, note: &str) -> Result<VerifiedCheckpoint, TrustError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        let origin = || checkpoint.origin.clone();
        if !self
            .logs
            .iter()
            .any(|log| log.key.name() == checkpoint.origin)
        {
            return Err(TrustError::UnknownOrigin { origin: origin() });
        }
        let mut signed = false;
        for log in &self.logs {
            let by_this_key = note.verify(&log.key)?.is_some();
            signed |= by_this_key && log.key.name() == checkpoint.origin;
        }
        if !signed {
            return Err(TrustError::NotSignedByLog { origin: origin() });
        }
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            let timestamp = note
                .verify(&witness.key)?
                .and_then(|verified| verified.timestamp);
            cosigned.extend(timestamp.map(|seconds| (witness.name.clone(), seconds)));
        }
        Ok(VerifiedCheckpoint {
            checkpoint,
            cosigned,
        })
    }

    /// Unix seconds from which on the cosignatures of a verified checkpoint satisfy the quorum by
    /// themselves: when the policy's witnesses last vouched for it together. Without a quorum the newest
    /// cosignature counts; `None` where there is none.
    ///
    /// Trap: these are the witnesses' clocks. A quorum whose members may be a minority of liars should
    /// be larger than that minority.
    #[must_use]
    pub fn quorum_time(&self, checkpoint: &VerifiedCheckpoint) -> Option<u64> {
        let times = times(checkpoint).into_iter().rev();
        self.first_satisfied(times, checkpoint, |at, time| at >= time)
    }

    /// Unix seconds by which the cosignatures of a verified checkpoint satisfied the quorum: when the
    /// policy's witnesses first vouched for it together. Fewer of them than a quorum cannot make it
    /// earlier. Without a quorum the oldest cosignature counts; `None` where there is none.
    #[must_use]
    pub fn first_quorum_time(&self, checkpoint: &VerifiedCheckpoint) -> Option<u64> {
        let times = times(checkpoint).into_iter();
        self.first_satisfied(times, checkpoint, |at, time| at <= time)
    }

    /// The first of `times` for which the cosignatures that `count` satisfy the quorum.
    fn first_satisfied(
        &self,
        mut times: impl Iterator<Item = u64>,
        checkpoint: &VerifiedCheckpoint,
        count: impl Fn(u64, u64) -> bool,
    ) -> Option<u64> {
        times.find(|time| {
            let counted = checkpoint.cosigned.iter();
            let counted = counted.filter(|(_, at)| count(*at, *time));
            let cosigners = counted.map(|(name, _)| name.as_str()).collect();
            match &self.quorum {
                Some(quorum) => self.is_satisfied(quorum, &cosigners),
                None => true,
            }
        })
    }

    /// Whether the named witness cosigned, or enough members of the named group did.
    ///
    /// Parsing guarantees that a group refers only to earlier lines, so one pass over the groups in file
    /// order settles each of them, and that no two witnesses share a public key, so each key counts once.
    fn is_satisfied(&self, name: &str, cosigners: &BTreeSet<&str>) -> bool {
        let mut satisfied = cosigners.clone();
        for group in &self.groups {
            let members = group.members.iter();
            let there = members.filter(|member| satisfied.contains(member.as_str()));
            if there.count() >= group.threshold {
                satisfied.insert(&group.name);
            }
        }
        satisfied.contains(name)
    }
}

/// The times of its cosignatures, ascending.
fn times(checkpoint: &VerifiedCheckpoint) -> BTreeSet<u64> {
    checkpoint.cosigned.iter().map(|(_, at)| *at).collect()
}
