//! Agent sessions: one row of the session list, grown entry by entry.

use super::Row;
use cairn_event::Effect;
use cairn_event::payload::Agent;
use std::collections::VecDeque;

/// One agent session on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The person the device belongs to.
    pub person: String,
    /// Agent name and version.
    pub agent: String,
    /// Device time of its first entry.
    pub started_ms: u64,
    /// Device time of its last entry.
    pub last_ms: u64,
    /// Index of its last entry.
    pub last_index: u64,
    /// Decisions.
    pub decisions: u64,
    /// Decisions that denied.
    pub denied: u64,
    /// Outcomes without a decision.
    pub unverdicted: u64,
    /// Whether it ended.
    pub ended: bool,
    /// Indices of its entries whose rows are kept, ascending.
    pub entries: VecDeque<u64>,
    /// Whether these are all.
    pub is_whole: bool,
}

impl Session {
    pub(super) fn begin(row: &Row, person: String) -> Self {
        Self {
            person,
            agent: String::new(),
            started_ms: row.time_ms,
            last_ms: row.time_ms,
            last_index: row.index,
            decisions: 0,
            denied: 0,
            unverdicted: 0,
            ended: false,
            entries: VecDeque::new(),
            is_whole: true,
        }
    }

    pub(super) fn add(&mut self, row: &Row, agent: Option<&Agent>) {
        if let Some(agent) = agent {
            let version = agent
                .version
                .as_deref()
                .map_or(String::new(), |one| format!(" {one}"));
            self.agent = format!("{}{version}", agent.name);
        }
        self.last_ms = self.last_ms.max(row.time_ms);
        self.last_index = row.index;
        self.entries.push_back(row.index);
        match row.kind {
            "tool.decision" => {
                self.decisions += 1;
                self.denied += u64::from(row.effect == Some(Effect::Deny));
            }
            // A resumed session begins again.
            "session.start" => self.ended = false,
            "session.end" => self.ended = true,
            _ => {}
        }
    }

    /// Forgets its oldest entry, whose row is no longer kept; gives whether none is left.
    pub(super) fn forget(&mut self, index: u64) -> bool {
        if self.entries.front() == Some(&index) {
            self.entries.pop_front();
            self.is_whole = false;
        }
        self.entries.is_empty()
    }
}
