//! What a decision says: the effect, the deciding rule, the losing ones, and one sentence.
//!
//! Owns the shape of the answer; [`crate::decide`] fills it.
//! Source: architecture section 3 ("In clear") and section 4.

use crate::bundle::RunningSessions;
use cairn_event::{DecisionMode, Effect, RuleRef};
use serde::{Deserialize, Serialize};

/// The version of the decision semantics: it grows with every change of any verdict, which
/// `tests/pinned.rs` holds.
///
/// A decision names the one it was made with, and only that one replays it: to any other program it is
/// `other engine semantics`, and an audit state of another version is not resumed. Whoever audits keeps a
/// `cairn-audit` of every version in their log. Version 2: more commands are seen through and less work is
/// allowed to one line than in 1, gates are asked strictest first, and `running: restrict` exists. Version 4: rules
/// hold behind links that their own paths lead through, and a wildcard below a denied directory is denied.
pub const ENGINE_SEMANTICS: u32 = 4;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The verdict. With [`DecisionMode::Monitor`] it is recorded and not applied.
    pub effect: Effect,
    /// The rule that decided; absent for the organisation's default and for engine errors.
    pub rule: Option<RuleRef>,
    /// Every other rule that matched, each once.
    pub losing: Vec<RuleRef>,
    /// Whether the verdict is applied.
    pub mode: DecisionMode,
    /// What rules in monitor mode would have changed the verdict to.
    pub would: Option<Effect>,
    /// Always [`ENGINE_SEMANTICS`].
    pub semantics: u32,
    /// One sentence for the model: the rule and whom to ask.
    pub sentence: String,
    /// The closed session gate, where one decided.
    pub gate: Option<ClosedGate>,
    /// The simple commands and redirections of a Bash line, or one part for any other call.
    pub parts: Vec<PartDecision>,
}

/// The verdict on one part of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDecision {
    /// The simple command, redirection or tool, in words.
    pub command: String,
    /// What applies to it; `no-opinion` where nothing matched and the default says so.
    pub effect: Effect,
    /// The rule that decided it.
    pub rule: Option<RuleRef>,
}

/// A session gate that is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosedGate {
    /// The gate's id.
    pub id: String,
    /// What the developer is told.
    pub message: String,
    /// What becomes of running sessions.
    pub running: RunningSessions,
    /// Whether it really closes; a policy that only monitors records it, unless the gate says otherwise.
    pub enforced: bool,
}

impl Decision {
    /// What the agent must be told now: the verdict, or no opinion in monitor mode.
    pub fn applied(&self) -> Effect {
        match self.mode {
            DecisionMode::Enforce => self.effect,
            DecisionMode::Monitor => Effect::NoOpinion,
        }
    }
}
