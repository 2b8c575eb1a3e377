//! Agent sessions: one row of the session list, grown entry by entry.

use super::Row;
use cairn_event::Effect;
use cairn_event::payload::Agent;

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
    /// Indices of its entries, ascending.
    pub entries: Vec<u64>,
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
            entries: Vec::new(),
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
        self.entries.push(row.index);
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
}
