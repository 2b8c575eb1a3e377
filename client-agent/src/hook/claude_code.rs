//! Claude Code: its hooks in the words of Cairn, and a verdict in its own.
//!
//! Owns the output contract of its hooks (2.1.330). Every gated event gets an explicit answer; no output at
//! all would let the action run. Its tools have the names that policy rules use.
//!
//! Source: Claude Code findings 1.1 and 1.3.

use super::agent::{Agent, CLAUDE_CODE};
use super::answer::{cut, reason};
use super::payload::{Hook, PayloadError};
use super::{Answer, Gate};
use cairn_event::Effect;
use serde_json::{Value, json};

/// Claude Code.
#[derive(Clone, Copy, Debug)]
pub struct ClaudeCode;

impl Agent for ClaudeCode {
    fn name(&self) -> &'static str {
        CLAUDE_CODE
    }

    fn gate(&self, event: &str) -> Gate {
        match event {
            "PreToolUse" => Gate::Tool,
            "UserPromptSubmit" => Gate::Prompt,
            "PermissionRequest" => Gate::Permission,
            "UserPromptExpansion" => Gate::Expansion,
            "ConfigChange" => Gate::Config,
            _ => Gate::None,
        }
    }

    fn read(&self, event: &str, input: &[u8]) -> Result<Hook, PayloadError> {
        Hook::parse(event, input)
    }

    fn verdict(&self, gate: Gate, effect: Effect, sentence: &str) -> Answer {
        match (gate, effect) {
            (Gate::Tool, Effect::Allow) => tool("allow", &cut(sentence)),
            (Gate::Tool, Effect::Ask) => tool("ask", &cut(sentence)),
            (Gate::Tool, Effect::Deny) => tool("deny", &reason(sentence)),
            // An empty object: the agent's own permission flow decides.
            (Gate::Tool, Effect::NoOpinion) => Answer::json(&json!({})),
            (Gate::Prompt | Gate::Expansion | Gate::Config, Effect::Deny) => {
                Answer::json(&json!({ "decision": "block", "reason": reason(sentence) }))
            }
            (Gate::Permission, Effect::Deny) => {
                permission(&json!({ "behavior": "deny", "message": reason(sentence) }))
            }
            // The agent wants a person to look, and an allow of ours must not answer for them.
            (Gate::Prompt | Gate::Permission | Gate::Expansion | Gate::Config, _) => {
                Answer::json(&json!({}))
            }
            (Gate::None, _) => Answer::silent(),
        }
    }

    fn stop(&self, sentence: &str) -> Answer {
        let reason = reason(sentence);
        Answer::json(&json!({
            "continue": false,
            "stopReason": reason,
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            },
        }))
    }

    fn end(&self, sentence: &str) -> Answer {
        Answer::json(&json!({
            "continue": false,
            "decision": "block",
            "reason": reason(sentence),
            "stopReason": reason(sentence),
        }))
    }

    fn reads_mentions(&self) -> bool {
        true
    }

    fn reads_instructions(&self) -> bool {
        true
    }

    /// With `onFailure` nothing runs whose hook failed.
    fn lets_failed_hooks_pass(&self) -> bool {
        false
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
        let text = |gate| ClaudeCode.verdict(gate, Effect::Deny, "because").stdout;
        assert!(text(Gate::Tool).contains(r#""permissionDecision":"deny""#));
        assert!(text(Gate::Prompt).contains(r#""decision":"block""#));
        assert!(text(Gate::Expansion).contains(r#""decision":"block""#));
        assert!(text(Gate::Config).contains(r#""decision":"block""#));
        assert!(text(Gate::Permission).contains(r#""behavior":"deny""#));
    }

    #[test]
    fn a_denied_call_is_told_from_one_that_only_speaks_of_it() {
        let words = "\"permissionDecision\":\"deny\"";
        let of = |effect| ClaudeCode.verdict(Gate::Tool, effect, words);
        assert!(of(Effect::Deny).denies_call() && ClaudeCode.stop("gate").denies_call());
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
                assert!(ClaudeCode.verdict(gate, effect, "").stdout.starts_with('{'));
            }
        }
    }
}
