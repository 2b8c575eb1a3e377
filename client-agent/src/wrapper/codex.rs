//! Starting Codex under Cairn: daemon, gates, servers, hooks, and then Codex in our place.
//!
//! Owns the order. As with Claude Code it needs no privilege and is no boundary: whoever calls `codex`
//! directly is not under Cairn. What holds and what does not is in `docs/operating/codex.md`.

mod flags;
mod hooks;
mod inspection;

pub use flags::CodexFlags;
pub use inspection::InspectionError;

use super::environment;
use super::launch::{HOOK_NAME, WrapperError, sweep};
use super::program::{CODEX, Program};
use crate::daemon::{LAUNCH, LaunchAnswer, LaunchRequest, McpFound, ask, ensure};
use crate::enrolment::Identity;
use crate::hook;
use crate::state::{FILE_MODE, FOLDER_MODE, StateDir};
use cairn_durable::{create_dir_durable, write_atomic};
use inspection::inspect;
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program that ends a hook which does not move.
const KILLER: &str = "timeout";

/// Starts Codex in place of this process with the words after `cairn codex`.
///
/// Errors: [`WrapperError`]; on success this does not return.
pub fn codex(state: &StateDir, words: &[String]) -> Result<std::convert::Infallible, WrapperError> {
    let flags = flags::check(words).map_err(WrapperError::Flags)?;
    Identity::load(state)?;
    create_dir_durable(&state.agent_settings(), FOLDER_MODE)?;
    let program = Program::find(state, &CODEX)?;
    let shim = std::env::current_exe()?.with_file_name(HOOK_NAME);
    if !shim.is_file() {
        return Err(WrapperError::NoHook(shim));
    }
    ensure(state)?;
    let made = hooks::hooks(&shim, &state.socket(), killer().as_deref());
    let mut own = hooks::words(&made);
    let cwd = std::env::current_dir()?;
    let cwd = flags
        .cd
        .as_ref()
        .map_or(cwd.clone(), |named| cwd.join(named));
    let asked: Vec<String> = own.iter().chain(&flags.config).cloned().collect();
    let found = inspect(&program.path, &asked, &cwd, &made)?;
    let request = LaunchRequest {
        agent: None,
        name: hook::CODEX.to_owned(),
        version: program.version.to_string(),
        programs: vec![program.path.clone(), shim],
        servers: found.servers.clone(),
        elsewhere: found.elsewhere.clone(),
        interference: found.interference.clone(),
        // Codex takes no variables from a repository's configuration.
        unheld: Vec::new(),
    };
    let answer: LaunchAnswer = ask(state, LAUNCH, &request)?;
    if let Some(refused) = answer.refused {
        return Err(WrapperError::Refused(refused));
    }
    if let Some(warning) = &answer.warning {
        tell!("cairn: {warning}");
    }
    // A policy that only monitors stops nobody.
    for one in &found.interference {
        tell!("cairn: {one}");
    }
    servers(&mut own, &found.servers, &answer);
    note(state, &own)?;
    // On success Codex has this process's number, terminal and signals.
    let source = command(&program, &own, &flags).exec();
    Err(WrapperError::Start {
        path: program.path,
        source,
    })
}

/// Switches off the servers that may not be started, and adds the policy's own.
fn servers(own: &mut Vec<String>, found: &[McpFound], answer: &LaunchAnswer) {
    let blocked = |name: &str, source: &str, reason: &str| {
        let contact = &answer.contact;
        tell!("cairn: MCP server `{name}` ({source}) was blocked: {reason}; ask {contact}");
    };
    for (server, judged) in found.iter().zip(&answer.servers) {
        // Codex would put the two definitions together.
        let other = answer
            .mcp
            .get(&server.name)
            .is_some_and(|definition| *definition != server.definition);
        if other {
            let reason = "the policy has another server of this name; remove yours";
            blocked(&server.name, &server.source, reason);
        } else if judged.allowed {
            continue;
        } else {
            blocked(&judged.name, &judged.source, &judged.reason);
        }
        let key = format!("mcp_servers.{}.enabled", server.name);
        hooks::setting(own, &key, "false");
    }
    let listed = |name: &str| found.iter().any(|server| server.name == name);
    for (name, definition) in answer.mcp.iter().filter(|(name, _)| !listed(name)) {
        match toml_server(definition) {
            Ok(value) => hooks::setting(own, &format!("mcp_servers.{name}"), &value),
            Err(reason) => blocked(name, "policy", reason),
        }
    }
}

/// A server of the policy as a value for the command line.
///
/// Errors: why it cannot stand there, where everybody on this machine can read it.
fn toml_server(definition: &Value) -> Result<String, &'static str> {
    for member in ["env", "headers"] {
        if definition[member]
            .as_object()
            .is_some_and(|values| !values.is_empty())
        {
            return Err("its credentials cannot be handed to Codex without showing them");
        }
    }
    let value = |name: &str| definition[name].as_str().map(hooks::text);
    if let Some(url) = value("url") {
        return Ok(format!("{{url={url}}}"));
    }
    let command = value("command").ok_or("it has neither a program nor an address")?;
    let words = definition["args"].as_array().into_iter().flatten();
    let words: Vec<String> = words.filter_map(Value::as_str).map(hooks::text).collect();
    Ok(format!("{{command={command},args=[{}]}}", words.join(",")))
}

/// Leaves word for the daemon's lookout that this process is a session of Cairn's.
fn note(state: &StateDir, own: &[String]) -> Result<(), WrapperError> {
    let dir = state.agent_settings();
    sweep(&dir);
    let file = dir.join(format!("{}.settings.json", std::process::id()));
    let noted = json!({ "agent": hook::CODEX, "words": own });
    Ok(write_atomic(
        &file,
        noted.to_string().as_bytes(),
        FILE_MODE,
    )?)
}

/// Codex with Cairn's configuration, and without the variables that would weaken it.
fn command(program: &Program, own: &[String], flags: &CodexFlags) -> Command {
    let mut command = Command::new(&program.path);
    for (name, reason) in environment::removed(|name| std::env::var_os(name).is_some()) {
        tell!("cairn: {name} was removed from the agent's environment: {reason}");
        command.env_remove(name);
    }
    command.args(own);
    // A server in the background would run the session with its own configuration.
    if flags.interactive && !flags.pass.iter().any(|word| word == "--no-daemon") {
        command.arg("--no-daemon");
    }
    command.args(&flags.pass);
    command
}

fn killer() -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin"]
        .map(|folder| Path::new(folder).join(KILLER))
        .into_iter()
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::McpJudged;

    fn found(name: &str, command: &str) -> McpFound {
        McpFound {
            name: name.to_owned(),
            source: "user".to_owned(),
            definition: json!({ "command": command }),
            waits: None,
        }
    }

    #[test]
    fn servers_that_may_not_start_are_switched_off_and_the_policy_s_are_added() {
        let found = [found("yes", "a"), found("no", "b"), found("corp", "mine")];
        let judged = |server: &McpFound| McpJudged {
            name: server.name.clone(),
            source: server.source.clone(),
            allowed: server.name != "no",
            unnamed: false,
            reason: "not on the list".to_owned(),
        };
        let mcp = [
            ("yes", json!({ "command": "a" })),
            ("corp", json!({ "command": "theirs" })),
            (
                "web",
                json!({ "type": "http", "url": "https://mcp.example.com/" }),
            ),
            ("local", json!({ "command": "x", "args": ["a\"b"] })),
            (
                "secret",
                json!({ "command": "x", "env": { "T": "s3cr3t" } }),
            ),
        ];
        let answer = LaunchAnswer {
            servers: found.iter().map(judged).collect(),
            mcp: mcp
                .into_iter()
                .map(|(name, one)| (name.to_owned(), one))
                .collect(),
            ..LaunchAnswer::default()
        };
        let mut own = Vec::new();
        servers(&mut own, &found, &answer);
        let settings: Vec<&str> = own
            .iter()
            .map(String::as_str)
            .filter(|word| *word != "-c")
            .collect();
        let expected = [
            "mcp_servers.no.enabled=false",
            "mcp_servers.corp.enabled=false",
            r#"mcp_servers.local={command="x",args=["a\"b"]}"#,
            r#"mcp_servers.web={url="https://mcp.example.com/"}"#,
        ];
        assert_eq!(settings, expected);
    }
}
