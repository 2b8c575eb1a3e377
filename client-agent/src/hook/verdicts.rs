//! Verdicts just given, so that a permission request about the same call gets the same answer.
//!
//! The agent asks `PermissionRequest` without naming the call it belongs to; the call is recognised
//! by session, tool and input.

use super::payload::ToolCall;
use cairn_event::json::to_canonical;
use cairn_event::{Effect, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most verdicts remembered: far more than calls that can wait for a person at once.
const VERDICTS_MAX: usize = 1_024;

/// A verdict as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was answered.
    pub effect: Effect,
    /// The sentence that went with it.
    pub sentence: String,
    /// Why, in a word, as the record has it.
    pub why: String,
    /// Whether nothing more can be done in this turn: the device does not pass a gate.
    pub ends_turn: bool,
    /// Index of the policy entry it was made under.
    pub policy: Option<u64>,
}

/// The verdicts, newest last.
#[derive(Debug, Default)]
pub struct Verdicts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_call: HashMap<Sha256, Verdict>,
    order: VecDeque<Sha256>,
}

impl Verdicts {
    /// Remembers a verdict on a call.
    pub fn remember(&self, session: &str, call: &ToolCall, verdict: Verdict) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(session, call);
        if known.by_call.insert(key, verdict).is_none() {
            known.order.push_back(key);
        }
        while known.order.len() > VERDICTS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_call.remove(&oldest);
            }
        }
    }

    /// The verdict on the same call under the same policy.
    pub fn recall(&self, session: &str, call: &ToolCall, policy: Option<u64>) -> Option<Verdict> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .by_call
            .get(&key(session, call))
            .filter(|one| one.policy == policy)
            .cloned()
    }
}

fn key(session: &str, call: &ToolCall) -> Sha256 {
    let parts = serde_json::json!([session, call.tool, call.input]);
    Sha256::of(&to_canonical(&parts))
}
