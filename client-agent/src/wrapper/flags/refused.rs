//! Flags and commands of the agent that take a session out from under Cairn, with the reasons.
//!
//! Source: Claude Code findings 1.8 and 1.9; the help and the option table of Claude Code 2.1.330.

use super::FlagProblem;

/// Reason: agents.
const AGENTS: &str = "agents given on the command line may bring hooks and servers of their own";
/// Reason: background.
const BACKGROUND: &str = "a background session does not inherit Cairn's settings";
/// Reason: no hooks.
const NO_HOOKS: &str = "it starts the agent without hooks, so nothing would be decided or recorded";
/// Reason: somewhere else.
const ELSEWHERE: &str = "the session would run on another machine, outside Cairn";
/// Reason: another program in control.
const CONTROLLED: &str = "another program would control the session and could replace the settings that Cairn \
     enforces with";
/// Reason: content.
const CONTENT: &str = "it brings in content that no rule was asked about; let the agent read the file, or give the text itself";
/// Reason: plug-ins.
const PLUGIN: &str = "a plug-in can load code into the agent that overrules every deny";
/// Reason: the agent's own settings.
const SETTINGS: &str = "settings come from Cairn's policy";

/// Reason: a flag in no list.
pub(super) const UNKNOWN: &str = "Cairn does not know what it does to the session; `cairn claude --help` lists the agent's flags";

/// Flags that are refused, whatever follows.
pub(super) const FLAGS: &[(&str, &str)] = &[
    ("--agents", AGENTS),
    (
        "--allow-dangerously-skip-permissions",
        "it offers a mode that skips the agent's own permission checks",
    ),
    ("--append-system-prompt-file", CONTENT),
    ("--append-subagent-system-prompt-file", CONTENT),
    ("--await-claim", CONTROLLED),
    ("--await-initialize", CONTROLLED),
    ("--background", BACKGROUND),
    ("--bare", NO_HOOKS),
    ("--bg", BACKGROUND),
    ("--channels", CONTENT),
    ("--cloud", ELSEWHERE),
    ("--dangerously-load-development-channels", CONTENT),
    (
        "--dangerously-skip-permissions",
        "it skips the agent's own permission checks; ask for an allow rule instead",
    ),
    (
        "--desktop",
        "the session would run in another program, outside Cairn",
    ),
    ("--environment", ELSEWHERE),
    ("--exec", BACKGROUND),
    ("--file", CONTENT),
    ("--initialize-fields", CONTROLLED),
    ("--managed-settings", SETTINGS),
    ("--managed-settings-in-initialize", SETTINGS),
    (
        "--permission-prompt-tool",
        "a tool would answer questions that the policy puts to a person",
    ),
    ("--plugin-dir", PLUGIN),
    ("--plugin-dir-no-mcp", PLUGIN),
    ("--plugin-url", PLUGIN),
    ("--pool", ELSEWHERE),
    (
        "--project-config-root",
        "the project's files would come from a folder that Cairn did not look at",
    ),
    ("--rc", CONTROLLED),
    ("--remote", ELSEWHERE),
    ("--remote-control", CONTROLLED),
    ("--routine", BACKGROUND),
    ("--safe-mode", NO_HOOKS),
    ("--sdk-url", CONTROLLED),
    (
        "--settings",
        "it would replace the settings that Cairn enforces with; use your settings files",
    ),
    ("--system-prompt-file", CONTENT),
    (
        "--teleport",
        "the session comes from another machine, outside Cairn",
    ),
    (
        "--tmux",
        "the session would start in a terminal that does not inherit Cairn's environment",
    ),
];

/// What of one of the agent's commands is refused.
pub(super) enum Refused {
    /// All of it, with the reason.
    Always(&'static str),
    /// All but these of its own commands, with the reason.
    Except(&'static [&'static str], &'static str),
}

/// Reason: servers.
const SERVERS: &str = "it starts configured servers without a verdict; use `cairn mcp list`";

/// Commands of the agent that are refused, or refused in part.
pub(super) const COMMANDS: &[(&str, Refused)] = &[
    ("agents", Refused::Always(BACKGROUND)),
    ("attach", Refused::Always(BACKGROUND)),
    (
        "auth",
        Refused::Except(&["help", "login", "logout", "status"], UNKNOWN),
    ),
    (
        "auto-mode",
        Refused::Except(&["config", "defaults", "help", "reset"], UNKNOWN),
    ),
    ("bridge", Refused::Always(CONTROLLED)),
    (
        "daemon",
        Refused::Always("background sessions do not inherit Cairn's settings"),
    ),
    ("gateway", Refused::Always(ELSEWHERE)),
    (
        "import",
        Refused::Always("it brings in hooks and servers of another agent"),
    ),
    (
        "mcp",
        Refused::Except(
            &[
                "add",
                "add-from-claude-desktop",
                "add-json",
                "help",
                "logout",
                "remove",
                "reset-project-choices",
            ],
            SERVERS,
        ),
    ),
    ("plugin", Refused::Except(PLUGIN_COMMANDS, PLUGIN)),
    ("plugins", Refused::Except(PLUGIN_COMMANDS, PLUGIN)),
    ("project", Refused::Always(UNKNOWN)),
    ("rc", Refused::Always(CONTROLLED)),
    ("remote", Refused::Always(CONTROLLED)),
    ("remote-control", Refused::Always(CONTROLLED)),
    ("respawn", Refused::Always(BACKGROUND)),
    ("sandbox", Refused::Always(UNKNOWN)),
    ("self-hosted-runner", Refused::Always(CONTROLLED)),
    ("sync", Refused::Always(CONTROLLED)),
    ("ultrareview", Refused::Always(ELSEWHERE)),
    ("workspace-trust", Refused::Always(UNKNOWN)),
];

/// Commands for plug-ins that run none of them.
const PLUGIN_COMMANDS: &[&str] = &[
    "autoremove",
    "configure",
    "details",
    "disable",
    "enable",
    "help",
    "i",
    "init",
    "install",
    "list",
    "marketplace",
    "new",
    "prune",
    "remove",
    "tag",
    "uninstall",
    "update",
    "validate",
];

impl Refused {
    /// The problem with a command line that begins with this command.
    pub(super) fn problem(&self, name: &str, operands: &[&str]) -> Option<FlagProblem> {
        let own = operands.get(1);
        let (flag, reason) = match (self, own) {
            (Self::Always(reason), _) => (name.to_owned(), *reason),
            // Alone it prints its help.
            (Self::Except(..), None) => return None,
            (Self::Except(passed, _), Some(own)) if passed.contains(own) => return None,
            (Self::Except(_, reason), Some(own)) => (format!("{name} {own}"), *reason),
        };
        Some(FlagProblem { flag, reason })
    }
}
