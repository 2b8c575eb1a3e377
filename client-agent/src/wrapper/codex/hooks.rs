//! The configuration that Codex is started with: Cairn's hooks, and features that no hook can see, off.
//!
//! Owns the words for its command line. What is said there wins over the user's and a project's
//! configuration; only an organisation's own `requirements.toml` is stronger. Codex runs a hook of the
//! command line only with the digest of its definition beside it, which says that somebody trusts it.
//!
//! Source: Codex 0.169.0, observed by `tests/codex`; `docs/operating/codex.md`.

use cairn_event::Sha256;
use cairn_event::json::to_canonical;
use serde_json::{Value, json};
use std::path::Path;

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodexHook {
    /// Its event as configuration spells it.
    pub event: &'static str,
    /// The event in Codex's key of the hook.
    pub label: &'static str,
    /// The shell command.
    pub command: String,
    /// Codex's time-out in seconds.
    pub timeout_s: u64,
}

/// Events: as configuration spells them, as keys do, and whether a failing hook must block.
const EVENTS: [(&str, &str, bool); 6] = [
    ("PostToolUse", "post_tool_use", false),
    ("PreToolUse", "pre_tool_use", true),
    ("SessionEnd", "session_end", false),
    ("SessionStart", "session_start", false),
    ("Stop", "stop", false),
    ("UserPromptSubmit", "user_prompt_submit", true),
];

/// Codex's time-out for one hook in seconds: twice the shim's own deadline.
const HOOK_TIMEOUT_S: u64 = 10;

/// The same at the end of a session, where Codex takes no more.
const END_TIMEOUT_S: u64 = 3;

/// After how many seconds a shim that does not move is killed: more than its own deadline, less than
/// Codex's, after which the call would run.
const KILL_S: u64 = 7;

/// Configuration that goes with the hooks, key and TOML value. Each takes away what no hook is asked about,
/// or keeps hooks on.
const SETTINGS: [(&str, &str); 12] = [
    ("features.hooks", "true"),
    // A terminal keeps a command's input open, and what is written there afterwards asks no hook.
    ("features.unified_exec_tty", "false"),
    // Run by the model's service, without a hook.
    ("web_search", "\"disabled\""),
    ("features.standalone_web_search", "false"),
    ("features.image_generation", "false"),
    // They bring hooks and servers of their own, after the configuration was looked at.
    ("features.plugins", "false"),
    ("features.remote_plugin", "false"),
    ("features.apps", "false"),
    ("features.browser_use", "false"),
    ("features.computer_use", "false"),
    // A server in the background has the configuration it was started with.
    ("features.daemon_auto_start", "false"),
    ("features.remote_control", "false"),
];

/// The hooks, for a shim that finds its daemon at `socket`; `killer` is the program `timeout` where there is
/// one.
pub fn hooks(hook: &Path, socket: &Path, killer: Option<&Path>) -> Vec<CodexHook> {
    let call = |event: &str| {
        let (hook, socket) = (quoted(hook), quoted(socket));
        format!("{hook} {event} --socket {socket} --agent codex")
    };
    let guarded = |event: &str| {
        let killer = killer.map(|path| format!("{} -s KILL {KILL_S} ", quoted(path)));
        // Any other end than 0 or 2 would let the call run, and 2 counts only with a reason.
        format!(
            "{}{} || {{ [ $? = 2 ] || echo 'Cairn: its hook failed, so this was refused (fail closed); \
             run cairn doctor' >&2; exit 2; }}",
            killer.unwrap_or_default(),
            call(event)
        )
    };
    let hooks = EVENTS.iter().map(|(event, label, gates)| CodexHook {
        event,
        label,
        command: if *gates { guarded(event) } else { call(event) },
        timeout_s: match *event {
            "SessionEnd" => END_TIMEOUT_S,
            _ => HOOK_TIMEOUT_S,
        },
    });
    hooks.collect()
}

impl CodexHook {
    /// Codex's key of the hook.
    pub fn key(&self) -> String {
        format!("/<session-flags>/config.toml:{}:0:0", self.label)
    }

    /// The digest by which Codex knows that this definition is trusted: over its normal form as JSON.
    fn digest(&self) -> String {
        let normal = json!({
            "event_name": self.label,
            "hooks": [{
                "async": false,
                "command": self.command,
                "timeout": self.timeout_s,
                "type": "command",
            }],
        });
        format!("sha256:{}", Sha256::of(&to_canonical(&normal)))
    }
}

/// The words for Codex's command line.
pub fn words(hooks: &[CodexHook]) -> Vec<String> {
    let mut words = Vec::new();
    for (key, value) in SETTINGS {
        setting(&mut words, key, value);
    }
    let mut states = Vec::new();
    for hook in hooks {
        let (command, timeout) = (text(&hook.command), hook.timeout_s);
        let value =
            format!("[{{hooks=[{{type=\"command\",command={command},timeout={timeout}}}]}}]");
        setting(&mut words, &format!("hooks.{}", hook.event), &value);
        states.push(format!(
            "{}={{enabled=true,trusted_hash={}}}",
            text(&hook.key()),
            text(&hook.digest())
        ));
    }
    setting(
        &mut words,
        "hooks.state",
        &format!("{{{}}}", states.join(",")),
    );
    words
}

/// Appends one setting.
pub fn setting(words: &mut Vec<String>, key: &str, value: &str) {
    words.extend(["-c".to_owned(), format!("{key}={value}")]);
}

/// A string in TOML, whose escapes are those of JSON.
pub fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// A path as one word of a POSIX shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Vec<CodexHook> {
        let killer = Path::new("/usr/bin/timeout");
        hooks(
            "/b/cairn-hook".as_ref(),
            "/s t/d.sock".as_ref(),
            Some(killer),
        )
    }

    #[test]
    fn a_hook_that_gates_blocks_however_it_ends() {
        for hook in made() {
            let gates = ["PreToolUse", "UserPromptSubmit"].contains(&hook.event);
            assert_eq!(hook.command.contains("|| {"), gates, "{}", hook.event);
            assert_eq!(hook.command.contains("-s KILL 7 "), gates);
            let call = format!("{} --socket '/s t/d.sock' --agent codex", hook.event);
            assert!(hook.command.contains(&call));
        }
        let plain = hooks("/b/it's".as_ref(), "/s".as_ref(), None);
        assert!(plain[1].command.starts_with(r"'/b/it'\''s' PreToolUse "));
    }

    /// The digest that `codex app-server` 0.169.0 reports for this definition.
    #[test]
    fn the_digest_is_the_one_that_codex_makes() {
        let hook = CodexHook {
            event: "PreToolUse",
            label: "pre_tool_use",
            command: "/opt/hook".to_owned(),
            timeout_s: 10,
        };
        assert_eq!(
            hook.digest(),
            "sha256:3ecee28fa607361fbe415ef1f23c7050bfa98899f697b8b1de8b34a0d711726d"
        );
    }

    #[test]
    fn the_words_are_toml() {
        for pair in words(&made()).chunks(2) {
            assert_eq!(pair[0], "-c");
            toml::from_str::<toml::Table>(&pair[1]).unwrap();
        }
    }
}
