//! Receipts: one leaf's inclusion proof together with the checkpoint it leads to.
//!
//! Owns the text `c2sp.org/tlog-proof@v1` and its verification against a trust policy. It does
//! not own how the leaf hash is made from an entry. Source: C2SP tlog-proof.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::Checkpoint;
use crate::decimal;
use crate::hash::Hash;
use crate::proof::{MAX_PROOF_HASHES, VerifyError, verify_inclusion};
use crate::trust::{TrustError, TrustPolicy, VerifiedCheckpoint, VerifiedNote};

/// First line of the format.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The longest receipt: a note of the largest size plus proof lines and a bounded `extra`.
pub const MAX_RECEIPT_BYTES: usize = 1_200_000;

/// A parsed tlog-proof. `Display` writes it back; for a parsed receipt that is the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Application data. Trap: nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// Index of the leaf.
    pub index: u64,
    /// Inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim, with all its signatures.
    pub checkpoint: String,
}

/// Why text is not a tlog-proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptParseError {
    /// Longer than `MAX_RECEIPT_BYTES`.
    #[error("receipt has {got} bytes, the limit is 1200000")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// The first line is not the format's name and version.
    #[error("receipt does not begin with the line c2sp.org/tlog-proof@v1")]
    Header,
    /// The extra line is not canonical base64.
    #[error("receipt has an extra line that is not canonical base64")]
    Extra,
    /// The index line is missing or not a canonical decimal.
    #[error("receipt has no canonical index line")]
    Index,
    /// A proof line is not a canonical base64 hash.
    #[error("receipt proof line {line} is not a canonical base64 hash")]
    ProofLine {
        /// Proof line, from 0.
        line: usize,
    },
    /// More than 63 proof lines.
    #[error("receipt has more than 63 proof lines")]
    ProofTooLong,
    /// No blank line and checkpoint after the proof.
    #[error("receipt has no checkpoint")]
    NoCheckpoint,
}

/// Why a receipt does not prove its leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The checkpoint is not trusted under the policy.
    #[error("receipt checkpoint is not trusted")]
    Checkpoint(#[source] TrustError),
    /// The receipt leads to another checkpoint than the one that was verified.
    #[error("receipt leads to another checkpoint")]
    OtherCheckpoint,
    /// The inclusion proof does not lead from the leaf to the checkpoint's root.
    #[error("receipt does not prove the entry")]
    Inclusion(#[source] VerifyError),
}

impl Receipt {
    /// Parses the text of a tlog-proof. The checkpoint is checked by `verify`, not here.
    ///
    /// # Errors
    /// Refused with the cause.
    pub fn parse(text: &str) -> Result<Self, ReceiptParseError> {
        if text.len() > MAX_RECEIPT_BYTES {
            return Err(ReceiptParseError::TooLong { got: text.len() });
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(ReceiptParseError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ReceiptParseError::Header);
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            None => None,
            Some(line) => Some(parse_extra(line)?),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index
            .and_then(decimal::parse)
            .ok_or(ReceiptParseError::Index)?;
        let mut proof = Vec::new();
        for (line, hash) in lines.enumerate() {
            if line >= MAX_PROOF_HASHES {
                return Err(ReceiptParseError::ProofTooLong);
            }
            let hash =
                Hash::from_base64(hash).map_err(|_| ReceiptParseError::ProofLine { line })?;
            proof.push(hash);
        }
        if checkpoint.is_empty() {
            return Err(ReceiptParseError::NoCheckpoint);
        }
        Ok(Self {
            extra,
            index,
            proof,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Checks the checkpoint under `policy` (log signature and quorum), then that `leaf` is at
    /// `index` in its tree.
    ///
    /// # Errors
    /// Refused with the cause; there is nothing to retry with the same receipt.
    pub fn verify(
        &self,
        leaf: &Hash,
        policy: &TrustPolicy,
    ) -> Result<VerifiedCheckpoint, ReceiptError> {
        let verified = policy.verify_checkpoint(&self.checkpoint);
        self.check_inclusion(leaf, verified.map_err(ReceiptError::Checkpoint)?)
    }

    /// Like `verify`, for a checkpoint whose note was verified before: many receipts lead to one, and its
    /// signatures are most of the work.
    ///
    /// # Errors
    /// Refused with the cause; `OtherCheckpoint` when the receipt carries another note, byte for byte.
    pub fn verify_under(&self, leaf: &Hash, known: &VerifiedNote) -> Result<(), ReceiptError> {
        if self.checkpoint != known.note() {
            return Err(ReceiptError::OtherCheckpoint);
        }
        self.prove(leaf, &known.verified().checkpoint)
    }

    /// Like `verify`, without the witness quorum: the log's own word only.
    ///
    /// # Errors
    /// Refused with the cause.
    pub fn verify_log_only(
        &self,
        leaf: &Hash,
        policy: &TrustPolicy,
    ) -> Result<VerifiedCheckpoint, ReceiptError> {
        let verified = policy.verify_log_signature(&self.checkpoint);
        self.check_inclusion(leaf, verified.map_err(ReceiptError::Checkpoint)?)
    }

    fn check_inclusion(
        &self,
        leaf: &Hash,
        verified: VerifiedCheckpoint,
    ) -> Result<VerifiedCheckpoint, ReceiptError> {
        self.prove(leaf, &verified.checkpoint)?;
        Ok(verified)
    }

    fn prove(&self, leaf: &Hash, head: &Checkpoint) -> Result<(), ReceiptError> {
        verify_inclusion(leaf, self.index, head.size, &self.proof, &head.root)
            .map_err(ReceiptError::Inclusion)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, ReceiptParseError> {
    let encoded = line
        .strip_prefix("extra ")
        .ok_or(ReceiptParseError::Extra)?;
    STANDARD
        .decode(encoded)
        .map_err(|_| ReceiptParseError::Extra)
}
