//! The seam between Cairn and the coding agents it governs.
//!
//! Owns what a coding agent's hooks have to be translated into, and back: its events to what Cairn judges
//! and records, its tools to the names that policy rules use, a verdict to the words by which this agent
//! blocks. Everything behind it is the same for every agent. Does not own how an agent is started
//! (`crate::wrapper`).
//!
//! Source: architecture of record, section 2; `docs/operating/codex.md` for what differs.

use super::claude_code::ClaudeCode;
use super::codex::Codex;
use super::payload::{Hook, PayloadError};
use super::{Answer, Gate};
use cairn_event::Effect;

/// The name in entries of the agent that a hook without a name belongs to.
pub const CLAUDE_CODE: &str = "claude-code";

/// The name of Codex in entries and in the shim's arguments.
pub const CODEX: &str = "codex";

/// How one coding agent's hooks speak.
///
/// An implementation must answer every gated event by something that its agent takes for the verdict:
/// what lets one agent ask a person or end a turn is, to another, an invalid answer that lets the action
/// run.
pub trait Agent: std::fmt::Debug + Send + Sync {
    /// Its name in entries.
    fn name(&self) -> &'static str;

    /// How an event gates.
    fn gate(&self, event: &str) -> Gate;

    /// Reads a hook's input into the event it is about, with tools by the names of policy rules.
    ///
    /// Errors: [`PayloadError`]; a gated action is denied.
    fn read(&self, event: &str, input: &[u8]) -> Result<Hook, PayloadError>;

    /// The verdict on an event that gates something.
    fn verdict(&self, gate: Gate, effect: Effect, sentence: &str) -> Answer;

    /// A denial of a tool call that ends the agent's turn where the agent lets a hook do that.
    fn stop(&self, sentence: &str) -> Answer;

    /// The answer to an outcome after which the model must not go on.
    fn end(&self, sentence: &str) -> Answer;

    /// Whether a file or resource that a prompt names with `@` reaches the model with it.
    fn reads_mentions(&self) -> bool;

    /// Whether it loads `CLAUDE.md` and what that imports, and asks nobody before.
    fn reads_instructions(&self) -> bool;

    /// Whether a call may run although its hook failed, so that outcomes without a decision are judged
    /// afterwards.
    fn lets_failed_hooks_pass(&self) -> bool;
}

/// The agent of a hook, by the word in the shim's arguments; `None` for one that is not known, which the
/// shim takes as a denial.
pub fn agent(name: Option<&str>) -> Option<&'static dyn Agent> {
    match name {
        None | Some(CLAUDE_CODE) => Some(&ClaudeCode),
        Some(CODEX) => Some(&Codex),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_agent_takes_silence_for_a_denial() {
        for agent in [agent(None), agent(Some(CODEX))].into_iter().flatten() {
            let gate = agent.gate("PreToolUse");
            assert_eq!(gate, Gate::Tool, "{agent:?}");
            for answer in [
                agent.verdict(gate, Effect::Deny, ""),
                agent.verdict(agent.gate("UserPromptSubmit"), Effect::Deny, ""),
                agent.stop(""),
                agent.end(""),
            ] {
                assert!(answer.stdout.starts_with('{') && answer.stdout.len() > 2);
            }
        }
        assert!(agent(Some("another")).is_none());
    }
}
