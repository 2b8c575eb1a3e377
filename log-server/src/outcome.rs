//! What becomes of a submission: how long the caller waits, and one result for each frame.
//!
//! Owns the vocabulary of the submit call inside the process. Does not own its JSON (`submit`).

use crate::problem::Problem;
use cairn_api::submission::Status;
use cairn_tlog::Hash;

pub use cairn_api::submission::Wait;

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Durable at its index; no receipt yet.
    Sequenced,
    /// Covered by a checkpoint that the log signed and published.
    Published,
    /// Covered by a published checkpoint that satisfies the trust policy's quorum.
    Witnessed,
}

impl Level {
    /// Whether a submitter who asked for `wait` has what it asked for.
    #[must_use]
    pub fn satisfies(self, wait: Wait) -> bool {
        match wait {
            Wait::Sequenced => true,
            Wait::Published => self >= Self::Published,
            Wait::Witnessed => self == Self::Witnessed,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Sequenced => Status::Sequenced,
            Self::Published => Status::Published,
            Self::Witnessed => Status::Witnessed,
        }
    }
}

/// What became of one frame.
#[derive(Debug, Clone, PartialEq)]
pub enum SubmitResult {
    /// The entry is in the log.
    Accepted {
        /// Its index, for ever.
        index: u64,
        /// Its leaf hash.
        leaf: Hash,
        /// Whether the log held these bytes before; a duplicate is success.
        duplicate: bool,
        /// How far it has come.
        level: Level,
        /// tlog-proof against the newest published checkpoint; from `Published` on.
        receipt: Option<String>,
    },
    /// The entry is not in the log.
    Refused(Problem),
}

impl SubmitResult {
    /// The index, if the entry is in the log.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Accepted { index, .. } => Some(*index),
            Self::Refused(_) => None,
        }
    }
}

/// Why a whole submission was turned away; nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The pool has no room for this many entries or bytes. Retry after the pause.
    #[error("the pool is full, try again in {retry_after_s} s")]
    PoolFull {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The disk has less than the reserve left; reads go on. Retry after the operator made room.
    #[error("the disk has {free_bytes} bytes left, less than the reserve")]
    DiskReserve {
        /// Bytes free.
        free_bytes: u64,
    },
    /// A device submits more than its quota. Retry after the pause.
    #[error(transparent)]
    Quota(#[from] crate::quota::QuotaExceeded),
    /// A device starts too many chains. Retry after the pause.
    #[error(transparent)]
    ChainStarts(#[from] crate::chain_starts::TooManyStarts),
    /// The log stopped after a fatal error. What was submitted may or may not be sequenced:
    /// submit the same bytes again after the restart, duplicates are success.
    #[error("the log has stopped")]
    Stopped,
}
