//! The answer to a hook, in the agent's own format.
//!
//! Owns the output contract of Claude Code's hooks. Every gated event gets an explicit answer; no
//! output at all would let the action run.
//!
//! Source: Claude Code findings 1.3.

use super::Gate;
use cairn_event::Effect;
use serde_json::{Value, json};

/// Longest reason in characters: the agent cuts at 10,000.
const REASON_CHARS_MAX: usize = 2_000;

/// What the shim prints and how it exits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Exit code; 2 blocks whatever is printed.
    pub code: u8,
    /// Text for standard output.
    pub stdout: String,
    /// Text for standard error.
    pub stderr: String,
}

impl Answer {
    /// Nothing to say.
    pub fn silent() -> Self {
        Self {
            code: 0,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    /// A JSON answer.
    pub fn json(value: &Value) -> Self {
        Self {
            code: 0,
            stdout: value.to_string(),
            stderr: String::new(),
        }
    }

    /// The verdict on an event that gates something.
    pub fn verdict(gate: Gate, effect: Effect, sentence: &str) -> Self {
        let reason: String = sentence.chars().take(REASON_CHARS_MAX).collect();
        match (gate, effect) {
            (Gate::Tool, Effect::Allow) => tool("allow", &reason),
            (Gate::Tool, Effect::Ask) => tool("ask", &reason),
            (Gate::Tool, Effect::Deny) => tool("deny", &reason),
            // An empty object: the agent's own permission flow decides.
            (Gate::Tool, Effect::NoOpinion) => Self::json(&json!({})),
            (Gate::Prompt | Gate::Expansion | Gate::Config, Effect::Deny) => {
                Self::json(&json!({ "decision": "block", "reason": reason }))
            }
            (Gate::Permission, Effect::Deny) => {
                permission(&json!({ "behavior": "deny", "message": reason }))
            }
            // The agent wants a person to look, and an allow of ours must not answer for them.
            (Gate::Prompt | Gate::Permission | Gate::Expansion | Gate::Config, _) => {
                Self::json(&json!({}))
            }
            (Gate::None, _) => Self::silent(),
        }
    }
}

impl Answer {
    /// Whether it tells the agent not to make a tool call.
    pub fn denies_call(&self) -> bool {
        let said: Option<Value> = serde_json::from_str(&self.stdout).ok();
        let said = said.unwrap_or_default();
        self.code == 2 || said["hookSpecificOutput"]["permissionDecision"] == "deny"
    }

    /// A denial of a tool call that also ends the agent's turn.
    pub fn stop(sentence: &str) -> Self {
        let reason: String = sentence.chars().take(REASON_CHARS_MAX).collect();
        Self::json(&json!({
            "continue": false,
            "stopReason": reason,
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            },
        }))
    }
}

fn tool(decision: &str, reason: &str) -> Answer {
    Answer::json(&json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    } }))
}

fn permission(decision: &Value) -> Answer {
    Answer::json(&json!({ "hookSpecificOutput": {
        "hookEventName": "PermissionRequest",
        "decision": decision,
    } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gate_can_deny() {
        let text = |gate| Answer::verdict(gate, Effect::Deny, "because").stdout;
        assert!(text(Gate::Tool).contains(r#""permissionDecision":"deny""#));
        assert!(text(Gate::Prompt).contains(r#""decision":"block""#));
        assert!(text(Gate::Expansion).contains(r#""decision":"block""#));
        assert!(text(Gate::Config).contains(r#""decision":"block""#));
        assert!(text(Gate::Permission).contains(r#""behavior":"deny""#));
    }

    #[test]
    fn a_denied_call_is_told_from_one_that_only_speaks_of_it() {
        let of = |effect| Answer::verdict(Gate::Tool, effect, "\"permissionDecision\":\"deny\"");
        assert!(of(Effect::Deny).denies_call() && Answer::stop("gate").denies_call());
        for effect in [Effect::Allow, Effect::Ask, Effect::NoOpinion] {
            assert!(!of(effect).denies_call());
        }
    }

    #[test]
    fn a_gated_event_is_never_answered_by_silence() {
        for gate in [
            Gate::Tool,
            Gate::Prompt,
            Gate::Permission,
            Gate::Expansion,
            Gate::Config,
        ] {
            for effect in [Effect::Allow, Effect::Deny, Effect::Ask, Effect::NoOpinion] {
                assert!(Answer::verdict(gate, effect, "").stdout.starts_with('{'));
            }
        }
    }
}
