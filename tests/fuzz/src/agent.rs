//! What a coding agent writes to its hooks.

use cairn_agent::hook::{CODEX, agent};

/// The words that hooks are called for.
const EVENTS: [&str; 14] = [
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "InstructionsLoaded",
    "ConfigChange",
    "PermissionRequest",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "StopFailure",
    "SubagentStop",
    "Notification",
];

/// An input is read for the event that it names and for no other, whichever agent it is said to be from.
pub fn hook(data: &[u8]) {
    for agent in [agent(None), agent(Some(CODEX))].into_iter().flatten() {
        let mut read = 0;
        for event in EVENTS {
            let _ = agent.gate(event);
            if let Ok(hook) = agent.read(event, data) {
                assert_eq!(hook.event, event);
                assert!(hook.cwd.starts_with('/'));
                read += 1;
            }
        }
        assert!(read <= 1, "one input was read as {read} events");
    }
}
