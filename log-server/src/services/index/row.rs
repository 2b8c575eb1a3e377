//! One row of the index: what a list shows of an entry, without anything confidential.

use super::shown;
use cairn_event::body::Body;
use cairn_event::{DecisionMode, Effect, Entry, RuleRef};
use cairn_identity::Flag;

/// One entry in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its index.
    pub index: u64,
    /// The entry's `type`.
    pub kind: &'static str,
    /// The writer's clock.
    pub time_ms: u64,
    /// The device.
    pub device: Option<String>,
    /// The person.
    pub person: Option<String>,
    /// The agent session.
    pub session: Option<String>,
    /// Place in the chain.
    pub seq: Option<u64>,
    /// The tool or MCP server concerned.
    pub tool: Option<String>,
    /// The call.
    pub use_id: Option<String>,
    /// Verdict.
    pub effect: Option<Effect>,
    /// Whether it was enforced.
    pub mode: Option<DecisionMode>,
    /// The rule that decided.
    pub rule: Option<RuleRef>,
    /// What auditors must be told, in words.
    pub flags: Vec<String>,
}

impl Row {
    /// The row of an entry. `device_person` is whose device it is by the roster: an entry need not
    /// name its person.
    pub(super) fn of(
        index: u64,
        entry: &Entry,
        device_person: Option<String>,
        flags: &[Flag],
    ) -> Self {
        let payload = entry.payload();
        let link = payload.link.as_ref();
        let mut row = Self {
            index,
            kind: payload.body.kind(),
            time_ms: payload.time_ms,
            device: link.map(|link| link.device.clone()),
            person: device_person,
            session: payload.context.session.clone(),
            seq: link.map(|link| link.seq),
            tool: None,
            use_id: None,
            effect: None,
            mode: None,
            rule: None,
            flags: flags.iter().map(words).collect(),
        };
        row.fill(&payload.body);
        row
    }

    fn fill(&mut self, body: &Body) {
        match body {
            Body::ToolDecision(decision) => {
                self.tool = Some(shown(&decision.tool));
                self.use_id = Some(decision.use_id.clone());
                self.effect = Some(decision.effect);
                self.mode = Some(decision.mode);
                self.rule = decision.rule.clone();
            }
            Body::ToolOutcome(outcome) => {
                self.tool = Some(shown(&outcome.tool));
                self.use_id = Some(outcome.use_id.clone());
            }
            Body::McpSeen(seen) => {
                self.tool = Some(shown(&seen.name));
                self.effect = Some(seen.effect);
            }
            Body::AdminAction(action) => {
                self.person = Some(action.person.clone());
                self.tool = Some(shown(&action.action));
            }
            Body::Erasure(erasure) => self.person = Some(erasure.ordered_by.clone()),
            _ => {}
        }
    }
}

fn words(flag: &Flag) -> String {
    match flag {
        Flag::DeviceRevoked => "the device had been revoked when this arrived".to_owned(),
        Flag::HistoryDropped => "the device does not name its previous chain".to_owned(),
        Flag::HistoryRewritten => {
            "the device's previous chain ended elsewhere than this start says".to_owned()
        }
        Flag::Missing { chain, from, to } => {
            format!("entries {from} to {to} of chain {chain} are missing")
        }
    }
}
