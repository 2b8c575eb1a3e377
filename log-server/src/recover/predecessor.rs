//! A log that succeeds another one: what must hold before its first entry is written.
//!
//! Owns the check of the evidence that comes with a successor's genesis. Who may close a log and who may
//! succeed it is judged by `cairn_identity::succession`; the receipt of the close is verified here, by
//! the log key that the closed log's genesis names. Its witnesses are not asked: this server has no
//! trust policy of the other log. Whoever made the genesis has checked them, and every auditor does.
//!
//! Source: `docs/formats/administrative.md`, "Closing a log".

use cairn_event::administrative::Predecessor;
use cairn_event::{Entry, Sha256};
use cairn_identity::succession::{Closing, SuccessionError};
use cairn_tlog::{Hash, Receipt, ReceiptError, ReceiptParseError, TrustPolicy, TrustPolicyError};

/// Why a genesis is not that of a successor. All are fatal for this start.
#[derive(Debug, thiserror::Error)]
pub enum PredecessorError {
    /// The genesis names a predecessor, and the file has no second line with the evidence.
    #[error("the genesis succeeds log `{0}`, and its file does not hold the evidence of the close")]
    NoEvidence(String),
    /// There is evidence of a close, and the genesis does not name it.
    #[error("the file holds the evidence of a close, and the genesis names no predecessor")]
    NotNamed,
    /// The evidence does not hold, or is of another log or checkpoint than the genesis names.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// The receipt of the close cannot be read.
    #[error("the receipt of the close cannot be read")]
    ReceiptForm(#[from] ReceiptParseError),
    /// The closed log's genesis names no log key.
    #[error("the closed log's key `{key}` cannot be used")]
    Key {
        /// As its genesis has it.
        key: String,
        /// Why not.
        #[source]
        source: TrustPolicyError,
    },
    /// The receipt does not prove that the close is in the log.
    #[error("the receipt of the close is not valid")]
    Receipt(#[from] ReceiptError),
}

/// The two lines of a genesis file: the frame and, of a successor, the evidence of the close.
pub fn split(text: &str) -> (&str, Option<&str>) {
    let text = text.strip_suffix('\n').unwrap_or(text);
    match text.split_once('\n') {
        Some((frame, evidence)) => (frame, Some(evidence)),
        None => (text, None),
    }
}

/// Checks that a genesis and the evidence beside it fit: both or neither, and the log that is named was
/// closed at the checkpoint that is named.
///
/// # Errors
/// [`PredecessorError`].
pub fn check(genesis: &Entry, evidence: Option<&[u8]>) -> Result<(), PredecessorError> {
    let named = Predecessor::of(genesis.payload());
    let named = named.transpose().map_err(SuccessionError::Form)?;
    let (named, evidence) = match (named, evidence) {
        (None, None) => return Ok(()),
        (Some(named), None) => return Err(PredecessorError::NoEvidence(named.origin)),
        (None, Some(_)) => return Err(PredecessorError::NotNamed),
        (Some(named), Some(evidence)) => (named, evidence),
    };
    let closing = Closing::parse(evidence)?;
    let closed = closing.judge()?;
    let key = closed.authority.log_key();
    let policy = TrustPolicy::parse(&format!("log {key}\nquorum none\n"));
    let policy = policy.map_err(|source| PredecessorError::Key {
        key: key.to_owned(),
        source,
    })?;
    let receipt = Receipt::parse(&closing.receipt)?;
    let verified = receipt.verify_log_only(&Hash(closed.close.0), &policy)?;
    let head = verified.checkpoint;
    if head.origin != closed.origin {
        let (close, genesis) = (head.origin, closed.origin);
        return Err(SuccessionError::OtherLog { close, genesis }.into());
    }
    let digest = Sha256::of(evidence);
    let shown = closed.predecessor(digest, receipt.index, head.size, Sha256(head.root.0))?;
    // What differs most often, a checkpoint from before the close, is named first.
    if named.origin == shown.origin && named.size != shown.size {
        return Err(SuccessionError::NotFinal {
            size: named.size,
            index: receipt.index,
        }
        .into());
    }
    Ok(closed.check_successor(genesis, &shown)?)
}
