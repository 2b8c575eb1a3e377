//! Whether what ran is what was judged.
//!
//! Owns the comparison. Another hook can replace a call's input after this one answered; what was
//! executed is told afterwards, with the outcome. It is judged then, and a session in which more ran
//! than the policy lets run goes no further.
//!
//! Source: Claude Code findings 1.1 and 1.3 (`updatedInput`).

use super::call::refusal;
use super::decide::Gatekeeper;
use super::payload::{Beside, End, HookKind, McpOrigin, ToolCall};
use super::restriction;
use super::verdicts::Verdict;
use super::{Agent, Answer, Ask, Hook, Observed};
use cairn_event::json::to_canonical;
use cairn_event::{DecisionMode, Effect, Sha256};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Most judged calls remembered until their outcome: far more than can run at once; the oldest is
/// forgotten first.
const CALLS_MAX: usize = 8_192;

/// What follows the identifier of a call whose executed input is judged.
const EXECUTED: &str = "-executed";

/// The calls that wait for their outcome, with what was judged.
#[derive(Debug, Default)]
pub(super) struct Judged(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_call: HashMap<(String, String), Was>,
    order: VecDeque<(String, String)>,
}

/// A call as it was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Was {
    digest: Sha256,
    told: Effect,
    mcp: Option<McpOrigin>,
}

impl Judged {
    /// Remembers what was judged under an identifier, and what the agent was told.
    pub(super) fn remember(&self, session: &str, use_id: &str, call: &ToolCall, told: Effect) {
        let key = (session.to_owned(), use_id.to_owned());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was = Was {
            digest: digest(&call.tool, &call.input),
            told,
            mcp: call.mcp.clone(),
        };
        if known.by_call.insert(key.clone(), was).is_none() {
            known.order.push_back(key);
        }
        while known.order.len() > CALLS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_call.remove(&oldest);
            }
        }
    }

    /// The call as it was judged; `None` for one that is not remembered.
    fn was(&self, session: &str, use_id: &str) -> Option<Was> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (session.to_owned(), use_id.to_owned());
        known.by_call.get(&key).cloned()
    }
}

fn digest(tool: &str, input: &Value) -> Sha256 {
    Sha256::of(&to_canonical(&json!([tool, input])))
}

/// How strict a verdict is.
fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Allow => 0,
        Effect::NoOpinion => 1,
        Effect::Ask => 2,
        Effect::Deny => 3,
    }
}

impl Gatekeeper {
    /// Records an outcome; where something else ran than was judged, judges that as well.
    ///
    /// The answer ends the agent's turn where more ran than the policy lets run, so that the model
    /// does not see what came of it.
    pub(super) async fn outcome(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        started: Instant,
    ) -> Answer {
        let managed = self.askers.is_managed(ask.agent_pid());
        let (agent, mut recorded) = (ask.agent, hook.clone());
        let mut sentence = None;
        if let HookKind::Outcome {
            tool,
            use_id,
            end,
            input: Some(input),
            beside,
            ..
        } = &hook.kind
        {
            let (told, mcp) = match self.judged.was(&hook.session, use_id) {
                Some(was) if was.digest != digest(tool, input) => (Some(was.told), was.mcp),
                Some(was) if was.told == Effect::Deny && *end == End::Ran => {
                    sentence = Some("A denied call ran.".to_owned());
                    (None, None)
                }
                Some(_) => (None, None),
                // Its hook failed, or the daemon that judged it has ended since.
                None if agent.lets_failed_hooks_pass() => (Some(Effect::NoOpinion), None),
                None => (None, None),
            };
            if let Some(told) = told {
                let executed = format!("{use_id}{EXECUTED}");
                if let HookKind::Outcome { use_id, .. } = &mut recorded.kind {
                    use_id.clone_from(&executed);
                }
                let call = ToolCall {
                    tool: tool.clone(),
                    input: input.clone(),
                    mcp,
                };
                let ran = (call, beside.clone());
                sentence = self
                    .more_ran(told, ask.clone(), &hook, ran, executed, started)
                    .await;
            }
        }
        if let Some(observed) = Observed::of(&recorded, managed) {
            let draft = self.draft(&ask, &hook.session, observed).await;
            if let Err(error) = self.recorder.record(draft).await {
                tracing::error!(%error, event = %hook.event, "an outcome is not recorded");
            }
        }
        match sentence {
            Some(cause) if !self.monitors() => self.ended(agent, &hook, &cause),
            _ => Answer::silent(),
        }
    }

    /// Judges what ran instead of what was judged, with what it did besides; a sentence where that is
    /// more.
    async fn more_ran(
        self: &Arc<Self>,
        told: Effect,
        ask: Ask,
        hook: &Hook,
        (call, beside): (ToolCall, Beside),
        executed: String,
        started: Instant,
    ) -> Option<String> {
        let besides = self.beside(&ask, hook, beside, &executed, started).await;
        let judged = self.verdict(ask, hook.clone(), call, executed, started);
        more_than(told, judged.await).or(besides.err())
    }

    fn ended(&self, agent: &dyn Agent, hook: &Hook, cause: &str) -> Answer {
        let sentence = format!(
            "Cairn ended this session: something else ran than was judged. {cause} Look for hooks or \
             plug-ins that are not Cairn's, remove them, and start a new session."
        );
        let gate = restriction::EXECUTED_GATE;
        self.restrictions
            .restrict_at(&hook.session, gate, sentence.clone());
        agent.end(&sentence)
    }

    /// Whether the policy in force only records what it would decide.
    pub(super) fn monitors(&self) -> bool {
        let in_force = self.enforcement.now();
        let active = in_force.active.as_ref();
        active.is_some_and(|active| active.compiled.bundle().mode == DecisionMode::Monitor)
    }
}

/// Why what ran is more than what was judged allows; `None` where it would have been let run as well.
fn more_than(told: Effect, executed: Result<Verdict, String>) -> Option<String> {
    match executed {
        Ok(verdict) if strictness(verdict.effect) <= strictness(told) && told != Effect::Deny => {
            None
        }
        Ok(verdict) if verdict.sentence.is_empty() => {
            Some(refusal("nobody was asked about what really ran"))
        }
        Ok(verdict) => Some(verdict.sentence),
        Err(sentence) => Some(sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: &str) -> ToolCall {
        ToolCall {
            tool: "Bash".to_owned(),
            input: json!({ "command": command, "timeout": 5 }),
            mcp: None,
        }
    }

    #[test]
    fn a_replaced_input_is_noticed_and_another_order_of_members_is_not() {
        let judged = Judged::default();
        judged.remember("s", "toolu_1", &call("ls"), Effect::Allow);
        let was = judged.was("s", "toolu_1").unwrap();
        let same = json!({ "timeout": 5, "command": "ls" });
        assert_eq!(was.digest, digest("Bash", &same));
        assert_eq!(was.told, Effect::Allow);
        let other = json!({ "command": "rm x", "timeout": 5 });
        assert_ne!(was.digest, digest("Bash", &other));
        assert_ne!(was.digest, digest("Read", &same));
        assert_eq!(judged.was("s", "toolu_2"), None);
        assert_eq!(judged.was("t", "toolu_1"), None);
        for number in 0..CALLS_MAX {
            judged.remember("u", &number.to_string(), &call("ls"), Effect::Allow);
        }
        assert_eq!(judged.was("s", "toolu_1"), None, "the oldest is forgotten");
    }

    #[test]
    fn only_what_would_have_been_let_run_lets_the_session_go_on() {
        let verdict = |effect| {
            Ok(Verdict {
                effect,
                sentence: "because".to_owned(),
                why: "rule".to_owned(),
                ends_turn: false,
                policy: None,
            })
        };
        let order = [Effect::Allow, Effect::NoOpinion, Effect::Ask, Effect::Deny];
        for (stricter, told) in order.iter().enumerate() {
            for (rank, executed) in order.iter().enumerate() {
                let goes_on = rank <= stricter && *told != Effect::Deny;
                let found = more_than(*told, verdict(*executed));
                assert_eq!(found.is_none(), goes_on, "{told:?} {executed:?}");
            }
        }
        assert!(more_than(Effect::Allow, Err("no".to_owned())).is_some());
    }
}
