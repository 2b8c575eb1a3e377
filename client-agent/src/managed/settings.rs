//! Cairn's part of Claude Code's managed settings: what lies in the file, and what the policy helper
//! answers for one user.
//!
//! Owns both. The file alone enforces as well: it has the same hooks, found by a pattern instead of a
//! path, so that a version that passes over the helper is held too.
//!
//! Source: Claude Code findings 0, 1.5 to 1.7 and 1.9.

use super::mcp::Servers;
use super::place::{HELPER, HOOK};
use crate::telemetry::Sink;
use crate::wrapper::{CLAUDE_CODE, Reach, report_to, settings};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Time the policy helper may take: a daemon that is started for it takes one to two seconds.
const HELPER_TIMEOUT_MS: u64 = 20_000;

/// How often a running session asks it again: as often as the agent permits.
const HELPER_REFRESH_MS: u64 = 60_000;

/// The part that is the same for everybody.
fn base(reach: Reach<'_>, deny: &[String]) -> Map<String, Value> {
    let Value::Object(mut members) = settings(Path::new(HOOK), reach, deny) else {
        return Map::new();
    };
    if let Some(Value::Object(env)) = members.get_mut("env") {
        // Empty is unset to the agent: what a shell sets must not stand around a decided command.
        for name in [
            "BASH_ENV",
            "CLAUDE_CODE_PROCESS_WRAPPER",
            "CLAUDE_CODE_SHELL_PREFIX",
        ] {
            env.insert(name.to_owned(), json!(""));
        }
    }
    let locks = json!({
        "allowManagedHooksOnly": true,
        "disableCommandPluginSources": true,
        "disableSideloadFlags": true,
        // The agent's own guard against code that a plug-in loads into it.
        "pluginConfigs": {
            "cc-plugin-sec-default@builtin": { "options": { "allowManagedModsOnly": true } },
        },
        "requiredMinimumVersion": CLAUDE_CODE.oldest.to_string(),
    });
    if let Value::Object(locks) = locks {
        members.extend(locks);
    }
    members
}

/// The settings file.
pub(super) fn file(state: &str, deny: &[String]) -> Value {
    let mut members = base(Reach::State(state), deny);
    let helper = json!({
        "path": HELPER,
        "refreshIntervalMs": HELPER_REFRESH_MS,
        "timeoutMs": HELPER_TIMEOUT_MS,
    });
    members.insert("policyHelper".to_owned(), helper);
    Value::Object(members)
}

/// What holds for one user now.
pub(super) struct Live<'a> {
    /// The daemon's socket.
    pub socket: &'a Path,
    /// Deny rules for the agent's own settings.
    pub deny: &'a [String],
    /// The lists of MCP servers.
    pub servers: &'a Servers,
    /// Whether the wrapper started the agent with servers on its command line, having checked the rest.
    pub wrapped: bool,
    /// Where the agent reports its calls to; absent where nothing can be received.
    pub telemetry: Option<&'a Sink>,
}

/// The settings of one session.
pub(super) fn live(live: &Live<'_>) -> Value {
    let mut members = base(Reach::Socket(live.socket), live.deny);
    if live.wrapped {
        members.insert("disableSideloadFlags".to_owned(), json!(false));
    }
    let servers = live.servers;
    if let Some(allowed) = &servers.allowed {
        members.insert("allowManagedMcpServersOnly".to_owned(), json!(true));
        members.insert("allowedMcpServers".to_owned(), json!(allowed));
    }
    members.insert("deniedMcpServers".to_owned(), json!(servers.denied));
    if !servers.managed.is_empty() {
        members.insert("managedMcpServers".to_owned(), json!(servers.managed));
    }
    let mut made = Value::Object(members);
    if let Some(sink) = live.telemetry {
        report_to(&mut made, sink);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_enforces_without_the_helper_too() {
        let file = file("{home}/.local/state/cairn", &["Bash(rm *)".to_owned()]);
        let hook = &file["hooks"]["PreToolUse"][0]["hooks"][0];
        assert_eq!(hook["command"], HOOK);
        assert_eq!(hook["onFailure"], "block");
        assert_eq!(hook["args"][1], "--state");
        assert_eq!(file["policyHelper"]["path"], HELPER);
        assert_eq!(file["permissions"]["deny"], json!(["Bash(rm *)"]));
        for lock in [
            "allowManagedHooksOnly",
            "disableSideloadFlags",
            "disableCommandPluginSources",
        ] {
            assert_eq!(file[lock], true, "{lock}");
        }
        assert_eq!(file["env"]["LD_PRELOAD"], "");
    }

    #[test]
    fn a_session_has_its_own_socket_and_no_helper() {
        let servers = Servers {
            allowed: Some(vec![json!({ "serverName": "a" })]),
            ..Servers::default()
        };
        let mut given = Live {
            socket: Path::new("/s/daemon.sock"),
            deny: &[],
            servers: &servers,
            wrapped: false,
            telemetry: None,
        };
        let plain = live(&given);
        let args = &plain["hooks"]["PreToolUse"][0]["hooks"][0]["args"];
        assert_eq!(args[2], "/s/daemon.sock");
        assert_eq!(plain["policyHelper"], Value::Null);
        assert_eq!(plain["disableSideloadFlags"], true);
        assert_eq!(plain["allowManagedMcpServersOnly"], true);
        assert!(plain["env"].get("OTEL_LOGS_EXPORTER").is_none());
        let sink = Sink {
            endpoint: "http://127.0.0.1:1/v1/logs".into(),
            token: "t".into(),
        };
        given.telemetry = Some(&sink);
        let endpoint = &live(&given)["env"]["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"];
        assert_eq!(endpoint, "http://127.0.0.1:1/v1/logs");
        given.wrapped = true;
        assert_eq!(live(&given)["disableSideloadFlags"], false);
    }
}
