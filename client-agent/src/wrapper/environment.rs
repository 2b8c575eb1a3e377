//! The agent's environment: variables that would take the session out from under Cairn are removed, and
//! emptied in the settings it is started with.
//!
//! Removed from the process alone they would come back: a repository's settings may set variables.
//!
//! Source: Claude Code findings 0.4 and 1.8.

use serde_json::Value;

/// Removed variables with the reason, for people.
const REMOVED: &[(&str, &str)] = &[
    ("BASH_ENV", "it runs code in every shell the agent starts"),
    ("BUN_OPTIONS", "it can load code into the agent"),
    (
        "CLAUDE_CODE_PLUGIN_DIRS",
        "a plug-in can load code that overrules every deny",
    ),
    (
        "CLAUDE_CODE_PROCESS_WRAPPER",
        "it changes how background processes are started",
    ),
    ("CLAUDE_CODE_SAFE_MODE", "it starts the agent without hooks"),
    (
        "CLAUDE_CODE_SHELL_PREFIX",
        "it changes what a decided command really runs",
    ),
    ("CLAUDE_CODE_SIMPLE", "it starts the agent without hooks"),
    (
        "CODEX_EXEC_SERVER_URL",
        "another process would run the agent's commands",
    ),
    ("ENV", "it runs code in shells that the agent starts"),
    (
        "IS_SANDBOX",
        "it permits skipping the agent's own permission checks",
    ),
    ("LD_AUDIT", "it can load code into the agent"),
    ("LD_PRELOAD", "it can load code into the agent"),
    ("NODE_OPTIONS", "it can load code into the agent"),
];

/// The variables of `present` that must be removed, each with its reason.
pub fn removed(present: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    REMOVED
        .iter()
        .copied()
        .filter(|(name, _)| present(name))
        .collect()
}

/// Every one of them empty, for the settings: to the agent and to shells that is as good as unset, and it
/// wins over what user, project and local settings say.
pub fn emptied() -> impl Iterator<Item = (String, Value)> {
    REMOVED
        .iter()
        .map(|(name, _)| ((*name).to_owned(), Value::from("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_removed() {
        let found = removed(|name| name == "LD_PRELOAD" || name == "PATH");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "LD_PRELOAD");
    }
}
