//! The witness: examine, persist, sign, in this order and no other.
//!
//! Owns the order and the two answers (cosignatures, the published checkpoint). It does not own
//! HTTP, nor the clock: the time is an argument. Source: C2SP tlog-witness.

use cairn_tlog::add_checkpoint::format_response;
use cairn_tlog::cosignature::cosign;
use cairn_tlog::{Checkpoint, CosignError, NoteSignature, SignerKey};

use crate::add_checkpoint::{Candidate, Refusal};
use crate::logs::LogSet;
use crate::state::{AdvanceError, Record, Store, StoreError};

/// A witness with its key, its logs and its memory.
#[derive(Debug)]
pub struct Witness {
    signers: Vec<SignerKey>,
    logs: LogSet,
    store: Store,
}

/// Why no cosignature was given.
#[derive(Debug, thiserror::Error)]
pub enum AddCheckpointError {
    /// The request is refused; the client is told why by status.
    #[error("checkpoint is refused")]
    Refused(#[source] Refusal),
    /// The store failed: fatal.
    #[error(transparent)]
    Store(StoreError),
    /// The clock is too far ahead of the last cosignature: the operator looks at it.
    #[error("the clock says {now} s, the last cosignature is of {recorded} s")]
    ClockAhead {
        /// The clock, Unix seconds.
        now: u64,
        /// Unix seconds of the last cosignature for the log.
        recorded: u64,
    },
    /// The head is stored but cannot be signed, because the clock or the key is unusable.
    #[error("checkpoint cannot be cosigned")]
    Sign(#[source] CosignError),
}

/// Why the published checkpoint cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The store failed: fatal.
    #[error(transparent)]
    Store(StoreError),
    /// The stored time or the key is unusable.
    #[error("checkpoint cannot be cosigned")]
    Sign(#[source] CosignError),
}

impl Witness {
    /// A witness that signs with a type 0x04 key.
    #[must_use]
    pub fn new(signer: SignerKey, logs: LogSet, store: Store) -> Self {
        Self {
            signers: vec![signer],
            logs,
            store,
        }
    }

    /// The same witness, which makes a second cosignature with a type 0x06 key in every answer.
    #[must_use]
    pub fn with_second_signer(mut self, signer: SignerKey) -> Self {
        self.signers.push(signer);
        self
    }

    /// Handles one add-checkpoint body at Unix time `now`; the cosignatures are in the order of the
    /// keys.
    ///
    /// # Errors
    /// `Refused` is the client's to mend, `Store` stops the process, `Sign` needs the operator.
    pub fn add_checkpoint(
        &self,
        body: &[u8],
        now: u64,
    ) -> Result<Vec<NoteSignature>, AddCheckpointError> {
        use AddCheckpointError as E;
        let candidate = Candidate::examine(body, &self.logs).map_err(E::Refused)?;
        let record = self
            .store
            .advance(&candidate, now)
            .map_err(|error| match error {
                AdvanceError::Refused(refusal) => E::Refused(refusal),
                AdvanceError::ClockAhead { now, recorded } => E::ClockAhead { now, recorded },
                AdvanceError::Store(cause) => E::Store(cause),
            })?;
        // The text is encoded from what was parsed, not copied from the request.
        let text = candidate.checkpoint().to_string();
        self.sign(&text, record.timestamp).map_err(E::Sign)
    }

    /// The latest cosigned checkpoint of the origin with this SHA-256 (lower-case hex), with the
    /// log's verified signatures and this witness's cosignature; `None` if there is none.
    ///
    /// The cosignatures are made again from the stored time: both algorithms sign without randomness,
    /// so they are the ones that were returned, and none has to exist before the state is durable.
    ///
    /// # Errors
    /// `Store` is fatal, `Sign` needs the operator.
    pub fn published(&self, origin_hash: &str) -> Result<Option<String>, PublishedError> {
        let Some(origin) = self.logs.origin_by_hash(origin_hash) else {
            return Ok(None);
        };
        let Some(record) = self.store.latest(origin).map_err(PublishedError::Store)? else {
            return Ok(None);
        };
        let Record {
            head,
            timestamp,
            log_signatures,
        } = record;
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: head.size,
            root: head.root,
        };
        let text = checkpoint.to_string();
        let own = self.sign(&text, timestamp).map_err(PublishedError::Sign)?;
        let own = format_response(&own);
        Ok(Some(format!("{text}\n{log_signatures}{own}")))
    }

    fn sign(&self, text: &str, timestamp: u64) -> Result<Vec<NoteSignature>, CosignError> {
        let signers = self.signers.iter();
        signers.map(|key| cosign(text, key, timestamp)).collect()
    }
}
