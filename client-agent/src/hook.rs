//! Hooks: what the agent says it is about to do, judged, recorded and answered.
//!
//! Owns the path from one hook's input to its answer. A failure anywhere on it is a denial for the
//! events that gate an action.
//!
//! What the agents say differently is in one place each, behind [`Agent`].
//!
//! Source: architecture of record, section 2; Claude Code findings 1.1 to 1.4.

mod agent;
mod answer;
mod ask;
mod brought;
mod call;
mod claude_code;
mod codex;
mod decide;
mod directory;
mod executed;
mod expansion;
mod gate;
mod instructions;
mod judge;
mod links;
mod mentions;
mod observe;
mod others;
mod outside;
mod payload;
mod prompt;
mod record;
mod restriction;
mod rule_links;
mod running;
mod told;
mod verdicts;

pub use agent::{Agent, CLAUDE_CODE, CODEX, agent};
pub use answer::Answer;
pub use ask::Ask;
pub use decide::Gatekeeper;
pub use gate::{Moment, session_gate};
pub use links::resolve;
pub use observe::Observed;
pub use payload::{Hook, HookKind, PayloadError};

/// How an event gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A tool is about to be used.
    Tool,
    /// A prompt is about to reach the model.
    Prompt,
    /// A person is about to be asked for permission.
    Permission,
    /// A command or skill is about to become a prompt.
    Expansion,
    /// Changed settings are about to take effect.
    Config,
    /// The event gates nothing.
    None,
}
