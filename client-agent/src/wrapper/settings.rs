//! The settings file the agent is started with: Cairn's hooks and the second line of defence.
//!
//! Owns its JSON. Flag settings win over user, project and local ones, so `disableAllHooks` set
//! there has no effect.
//!
//! Source: Claude Code findings 0.1, 0.2, 1.2, 1.3 and 6.

use super::environment;
use crate::steered::Pins;
use crate::telemetry::Sink;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Events that gate an action: a hook that fails there blocks.
const GATING: [&str; 5] = [
    "ConfigChange",
    "PermissionRequest",
    "PreToolUse",
    "UserPromptExpansion",
    "UserPromptSubmit",
];

/// Events that are only recorded.
const OBSERVED: [&str; 8] = [
    "InstructionsLoaded",
    "PostToolUse",
    "PostToolUseFailure",
    "SessionEnd",
    "SessionStart",
    "Stop",
    "StopFailure",
    "SubagentStop",
];

/// The agent's time-out for one hook in seconds: twice the shim's own deadline.
const HOOK_TIMEOUT_S: u64 = 10;

/// How the hook shim finds the daemon.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// By its socket.
    Socket(&'a Path),
    /// By a pattern of each user's state folder, where one file serves every user of a machine.
    State(&'a str),
}

/// Time between two reports in milliseconds: an alert comes within seconds, at one request each.
const EXPORT_INTERVAL_MS: u32 = 1_000;

/// The settings: exec-form hooks by absolute path, deny rules, no bypass mode.
pub fn settings(hook: &Path, reach: Reach<'_>, deny: &[String]) -> Value {
    let mut hooks = Map::new();
    for event in GATING {
        hooks.insert(event.to_owned(), handler(hook, reach, event, true));
    }
    for event in OBSERVED {
        hooks.insert(event.to_owned(), handler(hook, reach, event, false));
    }
    let mut variables: Map<String, Value> = environment::emptied().collect();
    // A proxy from a repository's settings must not stand between the agent and loopback.
    for name in ["NO_PROXY", "no_proxy"] {
        variables.insert(name.to_owned(), json!("127.0.0.1,localhost"));
    }
    json!({
        "disableAllHooks": false,
        "env": variables,
        "hooks": hooks,
        "permissions": { "deny": deny, "disableBypassPermissionsMode": "disable" },
    })
}

/// Adds where the agent reports its tool calls to: the daemon, with the session's token.
///
/// Only events are asked for, without inputs, prompts or answers; metrics and traces that somebody else
/// has configured stay as they are.
pub fn report_to(settings: &mut Value, sink: &Sink) {
    let variables = [
        ("CLAUDE_CODE_ENABLE_TELEMETRY", "1".to_owned()),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none".to_owned()),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", sink.endpoint.clone()),
        (
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            format!("authorization=Bearer {}", sink.token),
        ),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/json".to_owned()),
        ("OTEL_LOGS_EXPORTER", "otlp".to_owned()),
        ("OTEL_LOGS_EXPORT_INTERVAL", EXPORT_INTERVAL_MS.to_string()),
        ("OTEL_SDK_DISABLED", "false".to_owned()),
    ];
    set(settings, variables);
}

/// Has the agent hold these variables at these values, whatever settings of less weight say.
pub fn hold(settings: &mut Value, pins: &Pins) {
    set(settings, pins.values.iter().cloned());
}

fn set(settings: &mut Value, variables: impl IntoIterator<Item = (impl Into<String>, String)>) {
    if let Some(environment) = settings.get_mut("env").and_then(Value::as_object_mut) {
        for (name, value) in variables {
            environment.insert(name.into(), Value::from(value));
        }
    }
}

fn handler(hook: &Path, reach: Reach<'_>, event: &str, block: bool) -> Value {
    let words = match reach {
        Reach::Socket(socket) => json!([event, "--socket", socket]),
        Reach::State(pattern) => json!([event, "--state", pattern]),
    };
    let mut command = json!({
        "type": "command",
        "command": hook,
        // With `args` the agent starts the program itself and no shell.
        "args": words,
        "timeout": HOOK_TIMEOUT_S,
    });
    if block && let Some(members) = command.as_object_mut() {
        members.insert("onFailure".to_owned(), json!("block"));
    }
    json!([{ "matcher": "*", "hooks": [command] }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_go_to_the_daemon_and_hold_no_content() {
        let mut made = settings("/b/cairn-hook".as_ref(), Reach::Socket("/s".as_ref()), &[]);
        let sink = Sink {
            endpoint: "http://127.0.0.1:1/v1/logs".into(),
            token: "t".into(),
        };
        report_to(&mut made, &sink);
        let environment = made["env"].as_object().unwrap();
        assert_eq!(environment["NO_PROXY"], "127.0.0.1,localhost");
        assert_eq!(
            environment["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"],
            "http://127.0.0.1:1/v1/logs"
        );
        assert_eq!(
            environment["OTEL_EXPORTER_OTLP_LOGS_HEADERS"],
            "authorization=Bearer t"
        );
        assert!(!environment.keys().any(|name| name.starts_with("OTEL_LOG_")));
    }

    #[test]
    fn gating_hooks_block_on_failure() {
        let made = settings(
            "/b/cairn-hook".as_ref(),
            Reach::Socket("/s".as_ref()),
            &["Bash(rm *)".into()],
        );
        for event in GATING {
            assert_eq!(made["hooks"][event][0]["hooks"][0]["onFailure"], "block");
        }
        assert!(
            made["hooks"]["SessionEnd"][0]["hooks"][0]
                .get("onFailure")
                .is_none()
        );
        assert_eq!(
            made["hooks"]["PreToolUse"][0]["hooks"][0]["args"][1],
            "--socket"
        );
        assert_eq!(made["permissions"]["deny"][0], "Bash(rm *)");
        assert_eq!(made["disableAllHooks"], false);
    }

    #[test]
    fn what_is_removed_from_the_environment_does_not_come_back_by_other_settings() {
        let made = settings("/h".as_ref(), Reach::Socket("/s".as_ref()), &[]);
        for (name, _) in environment::removed(|_| true) {
            assert_eq!(made["env"][name], "", "{name}");
        }
        assert_eq!(made["env"]["NO_PROXY"], "127.0.0.1,localhost");
    }
}
