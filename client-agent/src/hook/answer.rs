//! The answer to a hook, as the shim gives it to the agent.
//!
//! Owns its parts. What they say is in the agent's own words (`super::agent`).

use serde_json::Value;

/// Longest reason in characters: Claude Code cuts at 10,000.
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

    /// Whether it tells Claude Code not to make a tool call.
    pub fn denies_call(&self) -> bool {
        let said: Option<Value> = serde_json::from_str(&self.stdout).ok();
        let said = said.unwrap_or_default();
        self.code == 2 || said["hookSpecificOutput"]["permissionDecision"] == "deny"
    }
}

/// A sentence, as long as an agent reads it.
pub(super) fn cut(sentence: &str) -> String {
    sentence.chars().take(REASON_CHARS_MAX).collect()
}

/// The same as the reason of a denial: never empty, because an agent may take a denial without a reason
/// for none.
pub(super) fn reason(sentence: &str) -> String {
    if sentence.is_empty() {
        return "Cairn denied this action.".to_owned();
    }
    cut(sentence)
}
