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

/// Variables by which a decided command becomes another program, or takes code along: those that every command, or every
/// program of a common language, heeds. The developer may set them in the shell; settings may not. There are more, of
/// single programs, than can be named.
const STEERING: [&str; 14] = [
    "BASHOPTS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "LD_LIBRARY_PATH",
    "NODE_PATH",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PS4",
    "PYTHONHOME",
    "PYTHONPATH",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
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

/// What steers commands, as it is in `own`, the environment that the developer started the agent with; empty where it
/// is not set there, which to all of these is as good as unset. Without a `PATH` there is none to hold on to.
pub fn pinned(own: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let value = |name: &'static str| match own(name) {
        None if name == "PATH" => None,
        value => Some((name, value.unwrap_or_default())),
    };
    STEERING.into_iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_commands_stays_as_the_developer_has_it() {
        let own = |name: &str| (name == "PATH").then(|| "/bin".to_owned());
        let pins = pinned(own);
        assert_eq!(pins.len(), STEERING.len());
        assert!(pins.contains(&("PATH", "/bin".to_owned())));
        assert!(pins.contains(&("PYTHONPATH", String::new())));
        assert!(!pinned(|_| None).iter().any(|(name, _)| *name == "PATH"));
    }

    #[test]
    fn only_what_is_set_is_removed() {
        let found = removed(|name| name == "LD_PRELOAD" || name == "PATH");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "LD_PRELOAD");
    }
}
