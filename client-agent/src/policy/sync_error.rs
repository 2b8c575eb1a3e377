//! Why a policy or a roster that was offered is not taken over.
//!
//! Owns the causes in words and what they ask of whoever tries again.

use super::basis::BasisError;
use super::stored::StoredError;
use crate::access::AccessError;
use crate::recorder::RecordError;
use cairn_api::newest::NewestError;
use cairn_api::{ClientError, Problem};
use cairn_event::Sha256;
use cairn_policy::{BundleError, CompileProblem};
use std::time::Duration;

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
    /// The log does not say what is newest, or it is not its word.
    #[error(transparent)]
    Newest(#[from] NewestError),
    /// The log's word is about another size than the receipt: an old one beside a new receipt.
    #[error("what is newest is said of {said} entries, the receipt proves {proven}")]
    OtherSize {
        /// In the log's word.
        said: u64,
        /// Of the receipt's checkpoint.
        proven: u64,
    },
    /// By the log's own word another policy is the newest: somebody on the way, or the server, holds it back.
    #[error(
        "freeze: the policy at log index {offered} is offered, the log says that another is the newest{}",
        .newest.map_or_else(String::new, |index| format!(": at index {index}"))
    )]
    Frozen {
        /// Index offered.
        offered: u64,
        /// Index of the newest.
        newest: Option<u64>,
    },
    /// The roster has entries that this device was not given. Retry: ask for them.
    #[error("freeze: the log has roster revision {newest}, this device was given {known}")]
    RosterBehind {
        /// Revision that was given.
        known: u64,
        /// Revision by the log's word.
        newest: u64,
    },
    /// The roster was lost on this device, and the server did not give the whole of it. Retry.
    #[error(
        "the roster on this device is not whole, and the server gave it up to revision {known} of {newest}"
    )]
    RosterMissing {
        /// Revision that is known now.
        known: u64,
        /// Revision that the server has by its own word; 0 where it has none.
        newest: u64,
    },
    /// The activation could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl SyncError {
    /// The problem with which the server refused this device's key, where that is the cause.
    pub fn key_refused(&self) -> Option<&Problem> {
        match self.of_client()? {
            ClientError::Problem(problem) if matches!(problem.status, 401 | 403) => Some(problem),
            _ => None,
        }
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.of_client()?.retry_after()
    }

    fn of_client(&self) -> Option<&ClientError> {
        match self {
            Self::Client(client) | Self::Access(AccessError::Client(client)) => Some(client),
            _ => None,
        }
    }
}
