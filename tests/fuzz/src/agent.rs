//! What a coding agent writes to its hooks.

use cairn_agent::hook::{Gate, Hook};

/// The words that hooks are called for.
const EVENTS: [&str; 8] = [
    "PreToolUse",
    "PostToolUse",
    "UserPromptSubmit",
    "PermissionRequest",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "Notification",
];

/// An input is read for the event that it names and for no other.
pub fn hook(data: &[u8]) {
    let mut read = 0;
    for event in EVENTS {
        let _ = Gate::of(event);
        if let Ok(hook) = Hook::parse(event, data) {
            assert_eq!(hook.event, event);
            assert!(hook.cwd.starts_with('/'));
            read += 1;
        }
    }
    assert!(read <= 1, "one input was read as {read} events");
}
