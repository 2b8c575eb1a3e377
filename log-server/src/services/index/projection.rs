//! Projecting one published entry into the index.

use super::{Call, DeviceFacts, Index, MAX_MCP, MAX_ROWS, McpFacts, NOBODY, Row, Session, shown};
use cairn_event::body::Body;
use cairn_event::{Effect, Entry};
use cairn_identity::Flag;

/// Sources kept of one MCP server on one device; agents know six places to configure one.
const MAX_SOURCES: usize = 16;

impl Index {
    /// Projects the next entry.
    pub(super) fn project(&mut self, index: u64, entry: &Entry) {
        // The log judged the entry already; judging again gives its flags and the next state.
        let flags = match self.ledger.admit(entry) {
            Ok(admission) => {
                let flags = admission.flags.clone();
                self.ledger.apply(entry, admission);
                flags
            }
            Err(refusal) => {
                tracing::warn!(index, %refusal, "a published entry is not understood");
                self.ledger.skip();
                Vec::new()
            }
        };
        let link = entry.payload().link.as_ref();
        let person = link.and_then(|link| {
            self.ledger
                .roster()
                .devices
                .get(&link.device)
                .map(|device| device.person.as_str())
        });
        let row = Row::of(index, entry, person, &flags, &mut self.names);
        self.note_device(&row, entry, &flags);
        self.count(&row, entry, &flags);
        self.note_call(&row, entry);
        self.note_session(&row, entry);
        self.note_mcp(&row, entry);
        self.rows.insert(index, row);
        if self.rows.len() > MAX_ROWS
            && let Some((_, oldest)) = self.rows.pop_first()
        {
            self.forget(oldest);
        }
    }

    /// Forgets the call of a row that is no longer kept, and its session with the last row of it.
    fn forget(&mut self, row: Row) {
        if let (Some(device), Some(session)) = (&row.device, &row.session) {
            let key = (session.to_string(), device.to_string());
            if let Some(known) = self.sessions.get_mut(&key)
                && known.forget(row.index)
            {
                self.sessions.remove(&key);
            }
        }
        if let Some(call) = Call::of(&row) {
            if self.decided.get(&call) == Some(&row.index) {
                self.decided.remove(&call);
            }
            self.outcomes.remove(&call);
        }
    }

    /// Learns that the log was pruned below this index, and drops the rows of the entries that are gone.
    /// What was counted of them stays counted until the next start.
    pub(super) fn set_minimum_index(&mut self, minimum: u64, gone: &[u64]) {
        self.ledger.set_minimum_index(minimum);
        for index in gone {
            if let Some(row) = self.rows.remove(index) {
                self.forget(row);
            }
        }
    }

    /// Counts an entry that was pruned, or is of a version this program cannot read.
    pub(super) fn pass_over(&mut self) {
        self.ledger.skip();
    }

    fn note_device(&mut self, row: &Row, entry: &Entry, flags: &[Flag]) {
        let Some(device) = &row.device else { return };
        let facts: &mut DeviceFacts = self.devices.entry(device.to_string()).or_default();
        facts.last_seen_ms = facts.last_seen_ms.max(Some(row.time_ms));
        if let Some(posture) = &entry.payload().context.posture {
            facts.posture = Some(posture.clone());
        }
        if let Body::PolicyActivated(activated) = &entry.payload().body {
            facts.policy_version = Some(activated.version);
            facts.acknowledged = Some((row.index, row.time_ms));
        }
        // Only these say it each time: what the others leave out says nothing.
        if matches!(
            entry.payload().body,
            Body::ToolDecision(_) | Body::Heartbeat(_)
        ) {
            facts.policy_age_ms = entry.payload().context.policy_age_ms;
        }
        facts.gaps += gaps_in(entry, flags);
    }

    fn count(&mut self, row: &Row, entry: &Entry, flags: &[Flag]) {
        let person = row.person.as_deref().unwrap_or(NOBODY).to_owned();
        let counts = self.counts.entry(person).or_default();
        if row.kind == "tool.decision" {
            match row.effect {
                Some(Effect::Allow) => counts.allowed += 1,
                Some(Effect::Deny) => counts.denied += 1,
                Some(Effect::Ask) => counts.asked += 1,
                Some(Effect::NoOpinion) | None => counts.no_opinion += 1,
            }
        }
        counts.gaps += gaps_in(entry, flags);
        counts.forks += u64::from(matches!(entry.payload().body, Body::Fork(_)));
    }

    fn note_call(&mut self, row: &Row, entry: &Entry) {
        let Some(call) = Call::of(row) else { return };
        match &entry.payload().body {
            Body::ToolDecision(_) => {
                self.decided.insert(call, row.index);
            }
            Body::ToolOutcome(outcome) => {
                self.outcomes.insert(call, outcome.state);
            }
            _ => {}
        }
    }

    fn note_session(&mut self, row: &Row, entry: &Entry) {
        let (Some(session), Some(device)) = (&row.session, &row.device) else {
            return;
        };
        let person = row.person.as_deref().unwrap_or_default().to_owned();
        let key = (session.to_string(), device.to_string());
        let known = self
            .sessions
            .entry(key)
            .or_insert_with(|| Session::begin(row, person));
        known.add(row, entry.payload().context.agent.as_ref());
        // In a session older than the rows kept, the decision may have been forgotten.
        if row.kind == "tool.outcome"
            && known.is_whole
            && let Some(call) = Call::of(row)
            && !self.decided.contains_key(&call)
        {
            known.unverdicted += 1;
        }
    }

    fn note_mcp(&mut self, row: &Row, entry: &Entry) {
        let Body::McpSeen(seen) = &entry.payload().body else {
            return;
        };
        let key = (shown(&seen.name).to_owned(), seen.fingerprint);
        let facts = self.mcp.entry(key.clone()).or_insert_with(|| McpFacts {
            transport: shown(&seen.transport).to_owned(),
            effect: seen.effect,
            seen: std::collections::BTreeMap::new(),
            first_seen_ms: row.time_ms,
            last_seen_ms: row.time_ms,
            first_index: row.index,
            last_index: row.index,
        });
        self.mcp_by_last.remove(&facts.last_index);
        self.mcp_by_last.insert(row.index, key);
        facts.last_index = row.index;
        facts.effect = seen.effect;
        facts.last_seen_ms = facts.last_seen_ms.max(row.time_ms);
        facts.first_seen_ms = facts.first_seen_ms.min(row.time_ms);
        let device = row.device.as_deref().unwrap_or_default().to_owned();
        let sources = facts.seen.entry(device).or_default();
        let source = shown(&seen.source).to_owned();
        if sources.len() < MAX_SOURCES && !sources.contains(&source) {
            sources.push(source);
            sources.sort_unstable();
        }
        if self.mcp.len() > MAX_MCP
            && let Some((_, longest_unseen)) = self.mcp_by_last.pop_first()
        {
            self.mcp.remove(&longest_unseen);
        }
    }
}

/// Gaps that an entry declares or shows; a declared gap also raises the flag, and counts once.
fn gaps_in(entry: &Entry, flags: &[Flag]) -> u64 {
    let declared = matches!(entry.payload().body, Body::Gap(_) | Body::ObservedGap(_));
    let shown = flags.iter().any(|flag| {
        matches!(
            flag,
            Flag::Missing { .. } | Flag::HistoryDropped | Flag::HistoryRewritten
        )
    });
    u64::from(declared || shown)
}
