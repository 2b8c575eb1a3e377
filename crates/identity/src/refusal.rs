//! Why an entry is not admitted: one variant a cause, with what the submitter needs to know.

use cairn_event::{EntryError, Kid, Sha256};

/// Why the ledger does not take an entry. Each is the submitter's fault unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Form or signature.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Meant for another log.
    #[error("entry names log `{named}`, this is `{origin}`")]
    OtherLog {
        /// The entry's `log`.
        named: String,
        /// Our origin.
        origin: String,
    },
    /// The log has no genesis yet, or already has one.
    #[error("genesis: {0}")]
    Genesis(&'static str),
    /// The key that signed has no authority for this type of entry.
    #[error("key `{kid}` may not sign `{kind}`: {need}")]
    NotAuthorised {
        /// Who signed.
        kid: Kid,
        /// The entry's type.
        kind: &'static str,
        /// What would be needed.
        need: String,
    },
    /// Not enough administrators agreed.
    #[error("`{kind}` has {have} of {need} administrator signatures")]
    BelowThreshold {
        /// The entry's type.
        kind: &'static str,
        /// Distinct valid administrator signatures found.
        have: usize,
        /// The threshold.
        need: usize,
    },
    /// An approval that is not a valid signature of an administrator, that stands out of order or
    /// where none is needed.
    #[error("approval by `{0}` is not valid")]
    BadApproval(Kid),
    /// A revision or version that does not follow the last one.
    #[error("`{kind}` has {what} {got}, expected {expected}")]
    OutOfOrder {
        /// The entry's type.
        kind: &'static str,
        /// `revision` or `version`.
        what: &'static str,
        /// What it says.
        got: u64,
        /// What would follow.
        expected: u64,
    },
    /// A roster change that does not apply.
    #[error("roster change {position}: {reason}")]
    RosterChange {
        /// 0-based position in the statement.
        position: usize,
        /// Why not.
        reason: String,
    },
    /// The device is not in the roster.
    #[error("device `{0}` is not enrolled")]
    UnknownDevice(String),
    /// The device was revoked; it can start no new chain.
    #[error("device `{device}` was revoked at index {index}")]
    RevokedDevice {
        /// The device.
        device: String,
        /// Index of the revocation.
        index: u64,
    },
    /// No `chain.start` for this chain. Retry after submitting it.
    #[error("chain `{0}` has no start in this log")]
    UnknownChain(Kid),
    /// The reader of the log let the chain go and did not put it back before the entry was judged. Fatal: the entry
    /// is not at fault, the program is.
    #[error("chain `{0}` was put out of memory and not back: a fault of this program")]
    ChainAway(Kid),
    /// A start for a chain whose start is known from elsewhere.
    #[error("chain `{0}` was already started")]
    ChainExists(Kid),
    /// The chain certificate does not hold.
    #[error("chain start: {0}")]
    ChainStart(&'static str),
    /// The chain was closed by its device key.
    #[error("chain `{0}` has ended")]
    ChainEnded(Kid),
    /// Entries before this one are missing. Retry after submitting them, or send a gap entry.
    #[error("chain `{chain}` continues at seq {expected}, got {got}")]
    MissingBefore {
        /// The chain.
        chain: Kid,
        /// The next `seq` the log wants.
        expected: u64,
        /// The entry's `seq`.
        got: u64,
    },
    /// Another entry already has this place in the chain.
    #[error("chain `{chain}` already has another entry at seq {seq}")]
    Fork {
        /// The chain.
        chain: Kid,
        /// The contested place.
        seq: u64,
    },
    /// The chain's own gap entry gave this place up before the entry came. Final: the log's history of
    /// the chain goes on without it. The writer keeps the entry as evidence of its own.
    #[error(
        "chain `{chain}` declared seq {from} to {to} lost before this entry for seq {seq} came; \
         keep it, the log takes no entry into a declared gap"
    )]
    GapDeclared {
        /// The chain.
        chain: Kid,
        /// The entry's `seq`.
        seq: u64,
        /// First place of the gap.
        from: u64,
        /// Last place of the gap, inclusive.
        to: u64,
    },
    /// `prev` is not the leaf hash of the chain's last entry: the chain key signed two histories.
    #[error("chain `{chain}` seq {seq} names prev {named}, the log has {last}")]
    BrokenLink {
        /// The chain.
        chain: Kid,
        /// The entry's `seq`.
        seq: u64,
        /// The entry's `prev`.
        named: Sha256,
        /// Leaf hash of the last entry.
        last: Sha256,
    },
    /// The entry claims circumstances that the roster contradicts.
    #[error("entry claims `{member}` {claimed}, the roster has {known}")]
    Contradiction {
        /// Payload member.
        member: &'static str,
        /// What it claims.
        claimed: String,
        /// What the roster says.
        known: String,
    },
    /// `roster` or `policy` names an index that holds no such entry.
    #[error("entry names {what} entry {index}, which is not one")]
    NoSuchBasis {
        /// `roster` or `policy`.
        what: &'static str,
        /// The index named.
        index: u64,
    },
    /// What the administrators want pruned is no range that a log can be pruned by.
    #[error("the pruning cannot be: {0}")]
    Prune(&'static str),
    /// The log was closed and takes no entry any more. Final: what was not submitted before belongs
    /// to no log; the writer keeps it, and goes on at the successor.
    #[error(
        "the log was closed by the entry at index {index} and takes no entry any more; keep what was \
         not submitted, and enrol at the successor"
    )]
    LogClosed {
        /// Index of the `log.close` entry.
        index: u64,
    },
}

impl Refusal {
    /// Stable code for problem bodies and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Entry(EntryError::Signature(_) | EntryError::OtherKey { .. }) => "bad-signature",
            Self::Entry(_) => "malformed-entry",
            Self::OtherLog { .. } => "other-log",
            Self::Genesis(_) => "genesis",
            Self::NotAuthorised { .. } => "not-authorised",
            Self::BelowThreshold { .. } => "below-threshold",
            Self::BadApproval(_) => "bad-approval",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::RosterChange { .. } => "roster-change",
            Self::UnknownDevice(_) => "unknown-device",
            Self::RevokedDevice { .. } => "revoked-device",
            Self::UnknownChain(_) => "unknown-chain",
            Self::ChainAway(_) => "chain-away",
            Self::ChainExists(_) => "chain-exists",
            Self::ChainStart(_) => "chain-start",
            Self::ChainEnded(_) => "chain-ended",
            Self::MissingBefore { .. } => "missing-before",
            Self::Fork { .. } => "chain-fork",
            Self::GapDeclared { .. } => "chain-gap-declared",
            Self::BrokenLink { .. } => "broken-link",
            Self::Contradiction { .. } => "contradiction",
            Self::NoSuchBasis { .. } => "no-such-basis",
            Self::Prune(_) => "prune-range",
            Self::LogClosed { .. } => "log-closed",
        }
    }

    /// Whether the same bytes may be admitted later, once what is missing has been submitted.
    pub fn may_pass_later(&self) -> bool {
        matches!(
            self,
            Self::UnknownChain(_)
                | Self::UnknownDevice(_)
                | Self::MissingBefore { .. }
                | Self::NoSuchBasis { .. }
        )
    }
}
