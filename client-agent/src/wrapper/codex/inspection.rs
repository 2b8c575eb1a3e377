//! What Codex says about its own configuration before it is started.
//!
//! Owns asking it: `codex app-server` with the very words the session will have, over standard input and
//! output. Its answer tells which hooks it would run and which MCP servers it would start, from every file
//! and level, without another reader of that configuration. Nothing is started by it.
//!
//! Source: Codex 0.169.0, `hooks/list` and `config/read` of its app-server protocol.

use super::hooks::CodexHook;
use crate::daemon::McpFound;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long Codex may take for all answers: 30 s, a slow fetch of an organisation's requirements included.
const DEADLINE: Duration = Duration::from_secs(30);

/// Events whose hooks can change or permit a call after Cairn judged it.
const INTERFERING: [(&str, &str); 2] = [
    ("preToolUse", "PreToolUse"),
    ("permissionRequest", "PermissionRequest"),
];

/// Why a server does not start that Codex's configuration has switched off.
const SWITCHED_OFF: &str = "it is switched off in Codex's configuration";

/// Most characters of a foreign hook's command that are shown.
const SHOWN_CHARS_MAX: usize = 120;

/// Why Codex's configuration could not be looked at, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// It could not be started.
    #[error("`{}` could not be asked for its configuration: {source}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No answer, or none of the expected shape.
    #[error("codex did not answer `{0}` as expected, so that what it would run is not known")]
    NoAnswer(&'static str),
    /// It would not run one of Cairn's hooks.
    #[error(
        "codex would not run Cairn's {event} hook ({state}); its configuration, your organisation's \
         `requirements.toml` or its version does not let it"
    )]
    Hook {
        /// The event.
        event: &'static str,
        /// What Codex says of it.
        state: String,
    },
    /// A server's name would be taken for another's.
    #[error("the MCP server `{0}` has a name in which calls cannot be told apart; rename it")]
    Name(String),
}

/// What Codex would run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Hooks of others that could change a call after it was judged, each in words.
    pub interference: Vec<String>,
    /// MCP servers it would start.
    pub servers: Vec<McpFound>,
    /// MCP servers that are configured and switched off.
    pub elsewhere: Vec<McpFound>,
}

/// Asks `program`, with the words `flags`, about a session in `cwd` that must have `hooks`.
///
/// Errors: [`InspectionError`]; the session is not started.
pub fn inspect(
    program: &Path,
    flags: &[String],
    cwd: &Path,
    hooks: &[CodexHook],
) -> Result<Inspection, InspectionError> {
    let mut asked = Asked::start(program, flags, cwd)?;
    let client = json!({ "clientInfo": { "name": "cairn", "version": env!("CARGO_PKG_VERSION") } });
    asked.call("initialize", &client)?;
    let listed = asked.call("hooks/list", &json!({ "cwds": [cwd] }))?;
    let config = asked.call(
        "config/read",
        &json!({ "cwd": cwd, "includeLayers": false }),
    )?;
    drop(asked);
    let listed = listed["data"][0]["hooks"].as_array();
    let listed = listed.ok_or(InspectionError::NoAnswer("hooks/list"))?;
    let mut found = Inspection {
        interference: interference(listed, hooks)?,
        ..Inspection::default()
    };
    let servers = config["config"]["mcp_servers"].as_object();
    let origins = config["origins"].as_object();
    let (Some(servers), Some(origins)) = (servers, origins) else {
        return Err(InspectionError::NoAnswer("config/read"));
    };
    let mut written = BTreeSet::new();
    for (name, definition) in servers {
        let server = server(name, definition, origins)?;
        // So Codex writes it in the names of its tools.
        if !written.insert(name.replace('-', "_")) {
            return Err(InspectionError::Name(name.clone()));
        }
        if definition["enabled"] == false {
            found.elsewhere.push(server);
        } else {
            found.servers.push(server);
        }
    }
    Ok(found)
}

/// Hooks of others among those that would run; an error where one of ours would not.
fn interference(listed: &[Value], hooks: &[CodexHook]) -> Result<Vec<String>, InspectionError> {
    for hook in hooks {
        let key = hook.key();
        let entry = listed.iter().find(|entry| entry["key"] == key.as_str());
        let holds = entry.is_some_and(|entry| {
            entry["enabled"] == true
                && entry["trustStatus"] == "trusted"
                && entry["command"] == hook.command.as_str()
        });
        if !holds {
            let state = entry.map_or_else(
                || "it is not there".to_owned(),
                |entry| {
                    format!(
                        "enabled {}, trust {}",
                        entry["enabled"], entry["trustStatus"]
                    )
                },
            );
            let event = hook.event;
            return Err(InspectionError::Hook { event, state });
        }
    }
    let ours: Vec<String> = hooks.iter().map(CodexHook::key).collect();
    let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let others = listed.iter().filter(|entry| {
        // What an administrator of the machine installed is not for Cairn to refuse.
        entry["enabled"] != false
            && !["untrusted", "modified", "managed"].contains(&word(entry, "trustStatus").as_str())
            && !ours.contains(&word(entry, "key"))
    });
    Ok(others
        .filter_map(|entry| {
            let event = word(entry, "eventName");
            let (_, event) = INTERFERING.iter().find(|(name, _)| *name == event)?;
            let shown: String = word(entry, "command").chars().take(SHOWN_CHARS_MAX).collect();
            Some(format!(
                "`{}` defines a {event} hook ({shown}), which could change a call after it was judged",
                word(entry, "sourcePath")
            ))
        })
        .collect())
}

/// A server as it is judged: its definition in the words of `.mcp.json`.
fn server(
    name: &str,
    definition: &Value,
    origins: &Map<String, Value>,
) -> Result<McpFound, InspectionError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    // A tool is `mcp__SERVER__TOOL`, and a part of the command line is the server's key.
    if name.is_empty() || !name.chars().all(plain) || name.contains("__") {
        return Err(InspectionError::Name(name.to_owned()));
    }
    let mut plain = Map::new();
    let members = [
        ("command", "command"),
        ("args", "args"),
        ("env", "env"),
        ("url", "url"),
        ("http_headers", "headers"),
    ];
    for (theirs, ours) in members {
        if let Some(value) = definition.get(theirs).filter(|value| !value.is_null()) {
            plain.insert(ours.to_owned(), value.clone());
        }
    }
    if plain.contains_key("url") {
        plain.insert("type".to_owned(), Value::from("http"));
    }
    let below = format!("mcp_servers.{name}.");
    let levels = origins.iter().filter(|(key, _)| key.starts_with(&below));
    let mut levels = levels.filter_map(|(_, origin)| origin["name"]["type"].as_str());
    let source = match levels.clone().next() {
        // Any part of it may come from the project.
        Some(_) if levels.clone().any(|level| level == "project") => "project",
        _ => levels.next().unwrap_or("unknown"),
    };
    Ok(McpFound {
        name: name.to_owned(),
        source: source.to_owned(),
        definition: Value::Object(plain),
        waits: (definition["enabled"] == false).then(|| SWITCHED_OFF.to_owned()),
    })
}

/// A running `codex app-server`; ended when dropped.
struct Asked {
    child: Child,
    lines: Receiver<String>,
    until: Instant,
    calls: u64,
}

impl Asked {
    fn start(program: &Path, flags: &[String], cwd: &Path) -> Result<Self, InspectionError> {
        let failed = |source| InspectionError::Start {
            path: program.to_owned(),
            source,
        };
        let mut child = Command::new(program)
            .args(flags)
            .arg("app-server")
            .current_dir(cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (sender, lines) = mpsc::channel();
        let output = child.stdout.take();
        // Reading a pipe cannot be timed out.
        let reading = std::thread::Builder::new().spawn(move || {
            let lines = output.map(|output| BufReader::new(output).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let asked = Self {
            child,
            lines,
            until: Instant::now() + DEADLINE,
            calls: 0,
        };
        reading.map_err(failed)?;
        Ok(asked)
    }

    fn call(&mut self, method: &'static str, params: &Value) -> Result<Value, InspectionError> {
        let no_answer = || InspectionError::NoAnswer(method);
        self.calls = self.calls.saturating_add(1);
        let id = self.calls;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let input = self.child.stdin.as_mut().ok_or_else(no_answer)?;
        writeln!(input, "{request}").map_err(|_| no_answer())?;
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|_| no_answer())?;
            let Ok(mut answer) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            // Notifications and requests of its own have no such number.
            if answer["id"] == id && answer.get("method").is_none() {
                return answer
                    .get_mut("result")
                    .map(Value::take)
                    .ok_or_else(no_answer);
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // It keeps nothing, and one that is gone already needs no end.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[cfg(test)]
mod tests;
