//! Hooks: what the agent says it is about to do, judged, recorded and answered.
//!
//! Owns the path from one hook's input to its answer. A failure anywhere on it is a denial for the
//! events that gate an action.
//!
//! Source: architecture of record, section 2; Claude Code findings 1.1 to 1.4.

mod answer;
mod ask;
mod brought;
mod call;
mod decide;
mod executed;
mod expansion;
mod gate;
mod links;
mod mentions;
mod observe;
mod others;
mod outside;
mod payload;
mod prompt;
mod restriction;
mod told;
mod verdicts;

pub use answer::Answer;
pub use ask::Ask;
pub use decide::Gatekeeper;
pub use gate::session_gate;
pub use links::resolve;
pub use observe::Observed;
pub use payload::{Hook, HookKind, PayloadError};

/// How an event gates, by the agent's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// `PreToolUse`.
    Tool,
    /// `UserPromptSubmit`.
    Prompt,
    /// `PermissionRequest`.
    Permission,
    /// `UserPromptExpansion`.
    Expansion,
    /// `ConfigChange`.
    Config,
    /// The event gates nothing.
    None,
}

impl Gate {
    /// The gate of an event word.
    pub fn of(event: &str) -> Self {
        match event {
            "PreToolUse" => Self::Tool,
            "UserPromptSubmit" => Self::Prompt,
            "PermissionRequest" => Self::Permission,
            "UserPromptExpansion" => Self::Expansion,
            "ConfigChange" => Self::Config,
            _ => Self::None,
        }
    }
}
