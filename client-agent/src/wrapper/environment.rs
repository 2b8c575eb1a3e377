//! The agent's environment: variables that would take the session out from under Cairn are removed, and
//! emptied in the settings it is started with.
//!
//! Removed from the process alone they would come back: a repository's settings may set variables.
//!
//! Source: Claude Code findings 0.4 and 1.8.

use crate::steered::{Found, Pins};
use cairn_policy::steering;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;

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

/// Variables that every session holds, whether or not a settings file names them: those of the list in
/// `cairn_policy` that every command, or every program of a common language, heeds. The developer may set them in the
/// shell; settings may not. The rest of that list is held where a settings file names it ([`crate::steered`]).
const ALWAYS_HELD: [&str; 14] = [
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

/// What a session holds at what `own`, the environment that the developer starts the agent with, says: what every
/// session does, and what settings files name. What is in `others` somebody else's settings hold, of more weight, and
/// what Cairn empties stays empty.
pub fn held(
    found: &Found,
    own: impl Fn(&str) -> Option<OsString>,
    others: &BTreeSet<String>,
) -> Pins {
    let mut beside = others.clone();
    beside.extend(REMOVED.iter().map(|(name, _)| (*name).to_owned()));
    let mut pins = found.pins(&own, &beside);
    let named: BTreeSet<String> = pins.values.iter().map(|(name, _)| name.clone()).collect();
    let free = |name: &&str| !others.contains(*name) && !named.contains(*name);
    for name in ALWAYS_HELD.into_iter().filter(free) {
        // Without a `PATH` there is none to hold on to.
        let unset = steering(name).and_then(|known| known.unset);
        let value = own(name).and_then(|value| value.into_string().ok());
        if let Some(value) = value.or_else(|| unset.map(str::to_owned)) {
            pins.values.push((name.to_owned(), value));
        }
    }
    pins
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn own(name: &str) -> Option<OsString> {
        ["PAGER", "PATH"]
            .contains(&name)
            .then(|| OsString::from("mine"))
    }

    fn value<'a>(pins: &'a Pins, name: &str) -> Option<&'a str> {
        let mut named = pins.values.iter().filter(|(known, _)| known == name);
        let found = named.next().map(|(_, value)| value.as_str());
        assert!(named.next().is_none(), "{name} is there twice");
        found
    }

    #[test]
    fn what_steers_commands_stays_as_the_developer_has_it() {
        let pins = held(&Found::default(), own, &BTreeSet::new());
        assert_eq!(pins.values.len(), ALWAYS_HELD.len());
        assert_eq!(value(&pins, "PATH"), Some("mine"));
        assert_eq!(value(&pins, "PYTHONPATH"), Some(""));
        assert_eq!(value(&pins, "PS4"), Some("+ "));
        let nothing = held(&Found::default(), |_| None, &BTreeSet::new());
        assert_eq!(value(&nothing, "PATH"), None);
        for name in ALWAYS_HELD {
            assert!(steering(name).is_some(), "{name} is not in the list");
        }
    }

    #[test]
    fn what_settings_name_is_held_and_what_others_hold_is_left_to_them() {
        let mut found = Found::default();
        let theirs = json!({
            "PAGER": "x", "PATH": "x", "GIT_SSH_COMMAND": "x", "LD_PRELOAD": "x", "XDG_CONFIG_HOME": "x",
            "GIT_CONFIG_KEY_3": "x", "MINE": "x", "CARGO_TERM_COLOR": "x", "START_COMMAND": "x",
        });
        found.add(Path::new("/p/settings.json"), Some(&theirs));
        let others = ["XDG_CONFIG_HOME", "NODE_PATH", "PYTHONPATH"];
        let pins = held(&found, own, &others.map(str::to_owned).into());
        assert_eq!(
            (value(&pins, "PAGER"), value(&pins, "PATH")),
            (Some("mine"), Some("mine"))
        );
        assert_eq!(value(&pins, "GIT_CONFIG_KEY_3"), Some(""));
        for name in [
            "LD_PRELOAD",
            "GIT_SSH_COMMAND",
            "MINE",
            "CARGO_TERM_COLOR",
            "START_COMMAND",
        ] {
            assert_eq!(value(&pins, name), None, "{name}");
        }
        for name in others {
            assert_eq!(value(&pins, name), None, "{name}");
        }
        let [unheld] = &pins.unheld[..] else {
            panic!("{pins:?}")
        };
        assert!(
            unheld
                .to_string()
                .contains("`/p/settings.json` sets `GIT_SSH_COMMAND`")
        );
        assert_eq!(pins.said.len(), 3, "{:?}", pins.said);
    }

    #[test]
    fn only_what_is_set_is_removed() {
        let found = removed(|name| name == "LD_PRELOAD" || name == "PATH");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "LD_PRELOAD");
    }
}
