//! One row of the index: what a list shows of an entry, without anything confidential.

use super::names::Names;
use super::shown;
use cairn_event::body::Body;
use cairn_event::{DecisionMode, Effect, Entry, Rank, RuleRef};
use cairn_identity::Flag;
use std::sync::Arc;

/// The rule that decided a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    effect: Effect,
    id: Arc<str>,
    rank: Rank,
}

impl Decider {
    fn of(rule: &RuleRef, names: &mut Names) -> Self {
        Self {
            effect: rule.effect,
            id: names.share(&rule.id),
            rank: rule.rank,
        }
    }

    /// The rule as entries name it.
    #[must_use]
    pub fn to_ref(&self) -> RuleRef {
        RuleRef {
            effect: self.effect,
            id: self.id.to_string(),
            rank: self.rank,
        }
    }
}

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
    pub device: Option<Arc<str>>,
    /// The person.
    pub person: Option<Arc<str>>,
    /// The agent session.
    pub session: Option<Arc<str>>,
    /// Place in the chain.
    pub seq: Option<u64>,
    /// The tool or MCP server concerned.
    pub tool: Option<Arc<str>>,
    /// The call.
    pub use_id: Option<Box<str>>,
    /// Verdict.
    pub effect: Option<Effect>,
    /// Whether it was enforced.
    pub mode: Option<DecisionMode>,
    /// The rule that decided.
    pub rule: Option<Decider>,
    /// What auditors must be told, in words.
    pub flags: Box<[String]>,
}

impl Row {
    /// The row of an entry. `device_person` is whose device it is by the roster: an entry need not
    /// name its person.
    pub(super) fn of(
        index: u64,
        entry: &Entry,
        device_person: Option<&str>,
        flags: &[Flag],
        names: &mut Names,
    ) -> Self {
        let payload = entry.payload();
        let link = payload.link.as_ref();
        let mut row = Self {
            index,
            kind: payload.body.kind(),
            time_ms: payload.time_ms,
            device: link.map(|link| names.share(&link.device)),
            person: device_person.map(|person| names.share(person)),
            session: payload
                .context
                .session
                .as_deref()
                .map(|one| names.share(one)),
            seq: link.map(|link| link.seq),
            tool: None,
            use_id: None,
            effect: None,
            mode: None,
            rule: None,
            flags: flags.iter().map(words).collect(),
        };
        row.fill(&payload.body, names);
        row
    }

    fn fill(&mut self, body: &Body, names: &mut Names) {
        match body {
            Body::ToolDecision(decision) => {
                self.tool = Some(names.share(shown(&decision.tool)));
                self.use_id = Some(decision.use_id.as_str().into());
                self.effect = Some(decision.effect);
                self.mode = Some(decision.mode);
                self.rule = decision.rule.as_ref().map(|rule| Decider::of(rule, names));
            }
            Body::ToolOutcome(outcome) => {
                self.tool = Some(names.share(shown(&outcome.tool)));
                self.use_id = Some(outcome.use_id.as_str().into());
            }
            Body::McpSeen(seen) => {
                self.tool = Some(names.share(shown(&seen.name)));
                self.effect = Some(seen.effect);
            }
            Body::AdminAction(action) => {
                self.person = Some(names.share(&action.person));
                self.tool = Some(names.share(shown(&action.action)));
            }
            Body::Erasure(erasure) => self.person = Some(names.share(&erasure.ordered_by)),
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
