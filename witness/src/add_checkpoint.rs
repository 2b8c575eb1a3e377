//! The decision to cosign, from bytes and the last cosigned head to yes or a refusal.
//!
//! Owns the order and meaning of the checks: parse, origin, signature, sizes, state, proof. It is
//! pure: persisting and signing come after it (`state`, `witness`). Source: C2SP tlog-witness,
//! "add-checkpoint".

use cairn_tlog::add_checkpoint::AddCheckpointParseError;
use cairn_tlog::{
    AddCheckpointRequest, Checkpoint, EMPTY_ROOT, Hash, NoteSignature, VerifyError,
    verify_consistency,
};

use crate::logs::LogSet;

/// What a witness cosigned last for an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

/// Before the first cosignature a witness knows the empty tree of every origin.
impl Default for Head {
    fn default() -> Self {
        Self {
            size: 0,
            root: EMPTY_ROOT,
        }
    }
}

/// A request that passed every check that needs no state.
#[derive(Debug, Clone)]
pub struct Candidate {
    old: u64,
    proof: Vec<Hash>,
    checkpoint: Checkpoint,
    log_signatures: Vec<NoteSignature>,
}

/// Why a checkpoint is not cosigned. All are refusals; `SizeConflict` tells the client what to
/// send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not a request (400).
    #[error("request is malformed")]
    Malformed(#[source] AddCheckpointParseError),
    /// The old size is above the checkpoint's size (400).
    #[error("old size {old} is above checkpoint size {size}")]
    OldAboveSize {
        /// Old size of the request.
        old: u64,
        /// Size of the checkpoint.
        size: u64,
    },
    /// The origin is not served (404).
    #[error("origin `{origin}` is not known")]
    UnknownOrigin {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// No valid signature of a key of the origin, or an invalid one (403).
    #[error("checkpoint of `{origin}` has no valid signature of its log, or an invalid one")]
    Signature {
        /// Origin of the checkpoint.
        origin: String,
    },
    /// Size 0 with another root than that of the empty tree (422).
    #[error("checkpoint of the empty tree has another root")]
    EmptyRoot,
    /// The old size is not the one cosigned last (409 with that size).
    #[error("old size {old} is not the last cosigned size {latest}")]
    SizeConflict {
        /// Old size of the request.
        old: u64,
        /// Size cosigned last, 0 for none.
        latest: u64,
    },
    /// Same size as the one cosigned last, another root: the log forked (422).
    #[error("checkpoint of `{origin}` at size {size} has another root than the cosigned one")]
    Fork {
        /// Origin of the checkpoint.
        origin: String,
        /// The size with two roots.
        size: u64,
    },
    /// The consistency proof fails (422).
    #[error("checkpoint is not shown to extend the last cosigned one")]
    Proof(#[source] VerifyError),
}

impl Candidate {
    /// Parses a body and checks everything that needs no state.
    ///
    /// # Errors
    /// `Malformed`, `UnknownOrigin`, `Signature`, `OldAboveSize` or `EmptyRoot`, in this order.
    pub fn examine(body: &[u8], logs: &LogSet) -> Result<Self, Refusal> {
        let request =
            AddCheckpointRequest::parse(body).map_err(|error| refuse_parse(error, logs))?;
        let AddCheckpointRequest {
            old,
            proof,
            checkpoint,
            note,
        } = request;
        let log_signatures = verified_signatures(&checkpoint, &note, logs)?;
        if old > checkpoint.size {
            return Err(Refusal::OldAboveSize {
                old,
                size: checkpoint.size,
            });
        }
        if checkpoint.size == 0 && checkpoint.root != EMPTY_ROOT {
            return Err(Refusal::EmptyRoot);
        }
        Ok(Self {
            old,
            proof,
            checkpoint,
            log_signatures,
        })
    }

    /// Checks the candidate against what was cosigned last; run inside the transaction that
    /// will replace it.
    ///
    /// # Errors
    /// `SizeConflict`, `Fork` or `Proof`, in this order.
    pub fn check_against(&self, latest: &Head) -> Result<(), Refusal> {
        let Checkpoint { origin, size, root } = &self.checkpoint;
        if self.old != latest.size {
            return Err(Refusal::SizeConflict {
                old: self.old,
                latest: latest.size,
            });
        }
        if *size == latest.size && *root != latest.root {
            return Err(Refusal::Fork {
                origin: origin.clone(),
                size: *size,
            });
        }
        verify_consistency(latest.size, *size, &latest.root, root, &self.proof)
            .map_err(Refusal::Proof)
    }

    /// The parsed checkpoint; its `Display` is the text that is persisted and signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The log's signature lines that verified, one for each key; no other line is kept.
    #[must_use]
    pub fn log_signatures(&self) -> &[NoteSignature] {
        &self.log_signatures
    }
}

/// A signature that cannot even be decoded is a bad signature (403) when it claims a known key
/// name, and part of a malformed body otherwise.
fn refuse_parse(error: AddCheckpointParseError, logs: &LogSet) -> Refusal {
    let AddCheckpointParseError::UndecodableSignature { origin, name } = &error else {
        return Refusal::Malformed(error);
    };
    let keys = logs.keys_of(origin);
    if keys.is_empty() {
        Refusal::UnknownOrigin {
            origin: origin.clone(),
        }
    } else if keys.iter().any(|key| key.name() == name) {
        Refusal::Signature {
            origin: origin.clone(),
        }
    } else {
        Refusal::Malformed(error)
    }
}

fn verified_signatures(
    checkpoint: &Checkpoint,
    note: &cairn_tlog::Note,
    logs: &LogSet,
) -> Result<Vec<NoteSignature>, Refusal> {
    let origin = || checkpoint.origin.clone();
    let keys = logs.keys_of(&checkpoint.origin);
    if keys.is_empty() {
        return Err(Refusal::UnknownOrigin { origin: origin() });
    }
    let mut verified = Vec::new();
    for key in keys {
        let by_key = note
            .verify(key)
            .map_err(|_| Refusal::Signature { origin: origin() })?;
        if by_key.is_some() {
            let lines = note.signatures.iter();
            let mut own = lines.filter(|line| line.name == key.name() && line.key_id == key.id());
            verified.extend(own.next().cloned());
        }
    }
    if verified.is_empty() {
        return Err(Refusal::Signature { origin: origin() });
    }
    Ok(verified)
}
