//! The index: what the console asks for, projected from the published entries.
//!
//! Owns rows, joins and counts in memory. It is derived: a restart rebuilds it, and lists that read half
//! of the log would be wrong, so that nobody asks it before it stands ([`super::standing`]). Authority is
//! never decided by it. It holds no confidential content, which is read from the disclosure store when it
//! is shown; names are in [`super::people`].

mod follower;
mod names;
mod projection;
mod row;
mod session;

pub use follower::follow;
pub use row::{Decider, Row};
pub use session::Session;

use cairn_event::{Effect, OutcomeState, Posture, Sha256};
use cairn_identity::Ledger;
use names::Names;
use std::collections::{BTreeMap, HashMap};

/// Rows kept in memory, some 300 bytes each with their calls: a good part of what the server takes.
/// Older events stay readable one by one.
pub const MAX_ROWS: usize = 200_000;

/// MCP servers kept, by name and definition; a large organisation has some hundreds. Beyond it those go
/// that nobody has seen for longest.
pub const MAX_MCP: usize = 10_000;

/// Longest name, tool or source kept of an entry, in bytes: what a device says of itself fills 64 KiB if
/// it likes, and is shown in lists.
pub const MAX_SHOWN_BYTES: usize = 256;

/// A call: half of a digest of its device and the agent's identifier. The texts themselves, in two maps,
/// were as large as the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call([u8; 16]);

impl Call {
    /// The call that a row is about, where it is about one.
    fn of(row: &Row) -> Option<Self> {
        let (device, call) = (row.device.as_ref()?, row.use_id.as_ref()?);
        // A device's name has no zero byte: it was admitted.
        let digest = Sha256::of(format!("{device}\0{call}").as_bytes());
        digest.0.first_chunk().copied().map(Self)
    }
}

/// One person's share of the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decisions by effect.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
    /// Asked.
    pub asked: u64,
    /// Left to the agent's own flow.
    pub no_opinion: u64,
    /// Gaps declared or observed.
    pub gaps: u64,
    /// Forks recorded.
    pub forks: u64,
}

/// What is known of a device beyond the roster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceFacts {
    /// Device time of its last entry.
    pub last_seen_ms: Option<u64>,
    /// Posture in its last entry that carries one.
    pub posture: Option<Posture>,
    /// Policy version it last acknowledged.
    pub policy_version: Option<u64>,
    /// Index and device time of the entry that acknowledged it.
    pub acknowledged: Option<(u64, u64)>,
    /// How old the policy was by its last decision or heartbeat; `None` while it was fresh.
    pub policy_age_ms: Option<u64>,
    /// Gaps in its chains.
    pub gaps: u64,
}

/// One MCP server by name and fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpFacts {
    /// `stdio`, `http` or `sse`.
    pub transport: String,
    /// Verdict when last seen.
    pub effect: Effect,
    /// Sources, devices: who saw it where. Device to sources.
    pub seen: BTreeMap<String, Vec<String>>,
    /// Device time when first seen.
    pub first_seen_ms: u64,
    /// Device time when last seen.
    pub last_seen_ms: u64,
    /// Index of the first entry that saw it.
    pub first_index: u64,
    /// Index of the last entry that saw it.
    pub last_index: u64,
}

/// The projection of the published log.
#[derive(Debug)]
pub struct Index {
    ledger: Ledger,
    rows: BTreeMap<u64, Row>,
    names: Names,
    sessions: BTreeMap<(String, String), Session>,
    outcomes: HashMap<Call, OutcomeState>,
    decided: HashMap<Call, u64>,
    devices: HashMap<String, DeviceFacts>,
    mcp: BTreeMap<(String, Sha256), McpFacts>,
    /// The same servers by the last entry that saw each.
    mcp_by_last: BTreeMap<u64, (String, Sha256)>,
    counts: BTreeMap<String, Counts>,
}

/// What is kept of a text that a device chose.
fn shown(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_SHOWN_BYTES);
    text.get(..end).unwrap_or_default()
}

/// The key of counts that belong to no person.
const NOBODY: &str = "";

impl Index {
    /// The index of an empty log.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self {
            ledger: Ledger::new(origin),
            rows: BTreeMap::new(),
            names: Names::default(),
            sessions: BTreeMap::new(),
            outcomes: HashMap::new(),
            decided: HashMap::new(),
            devices: HashMap::new(),
            mcp: BTreeMap::new(),
            mcp_by_last: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Entries projected so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.ledger.size()
    }

    /// The ledger as of the last projected entry; every entry in it is published.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// All rows by index.
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<u64, Row> {
        &self.rows
    }

    /// All sessions by session and device.
    #[must_use]
    pub fn sessions(&self) -> &BTreeMap<(String, String), Session> {
        &self.sessions
    }

    /// What became of the call that a row is about.
    #[must_use]
    pub fn outcome_of(&self, row: &Row) -> Option<OutcomeState> {
        self.outcomes.get(&Call::of(row)?).copied()
    }

    /// What is known of a device.
    #[must_use]
    pub fn device(&self, device: &str) -> Option<&DeviceFacts> {
        self.devices.get(device)
    }

    /// All MCP servers by name and fingerprint.
    #[must_use]
    pub fn mcp(&self) -> &BTreeMap<(String, Sha256), McpFacts> {
        &self.mcp
    }

    /// Counts, of one person or of everybody.
    #[must_use]
    pub fn counts(&self, person: Option<&str>) -> Counts {
        match person {
            Some(person) => self.counts.get(person).copied().unwrap_or_default(),
            None => self
                .counts
                .values()
                .fold(Counts::default(), |sum, one| Counts {
                    allowed: sum.allowed + one.allowed,
                    denied: sum.denied + one.denied,
                    asked: sum.asked + one.asked,
                    no_opinion: sum.no_opinion + one.no_opinion,
                    gaps: sum.gaps + one.gaps,
                    forks: sum.forks + one.forks,
                }),
        }
    }
}

#[cfg(test)]
mod tests;
