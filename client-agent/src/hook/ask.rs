//! A hook as it arrived, before anything about it is believed.

use super::Agent;
use std::collections::BTreeMap;

/// The agent's variable that says whether somebody sits before it.
const ATTENDED: &str = "CLAUDE_CODE_SESSION_ATTENDED";

/// A hook as it arrived.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The agent whose hook it is, from the shim's arguments.
    pub agent: &'static dyn Agent,
    /// The event's word, from the shim's arguments.
    pub event: String,
    /// The shim's process, by the kernel's word.
    pub pid: u32,
    /// The agent's variables, by the agent's word.
    pub env: BTreeMap<String, String>,
    /// The hook's input, unread.
    pub input: Vec<u8>,
}

impl Ask {
    /// The agent's process by its own account.
    pub fn agent_pid(&self) -> Option<u32> {
        self.env.get("CLAUDE_PID").and_then(|pid| pid.parse().ok())
    }

    /// The same, where nobody can be asked.
    pub fn unattended(&self) -> Self {
        let mut ask = self.clone();
        ask.env.insert(ATTENDED.to_owned(), "0".to_owned());
        ask
    }

    /// Whether a person sits before the agent. The agent's word: a false yes only turns a deny into
    /// a question that nobody answers.
    pub fn is_attended(&self) -> bool {
        match self.env.get(ATTENDED).map(String::as_str) {
            Some(attended) => attended == "1",
            None => self
                .env
                .get("CLAUDE_CODE_ENTRYPOINT")
                .is_some_and(|word| word == "cli"),
        }
    }
}
