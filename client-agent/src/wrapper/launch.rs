//! Starting the agent: daemon, gates, servers, settings, and then the agent in our place.

use super::codex::InspectionError;
use super::inventory::ENTERPRISE;
use super::plugins::PLUGIN_OFF;
use super::program::{CLAUDE_CODE, Program, ProgramError};
use super::settings::Reach;
use super::{environment, flags, inventory, settings};
use crate::daemon::{
    AskError, EnsureError, LAUNCH, LaunchAnswer, LaunchRequest, McpJudged, ask, ensure,
};
use crate::enrolment::{Identity, IdentityError};
use crate::hook;
use crate::managed::Place;
use crate::state::{FILE_MODE, FOLDER_MODE, StateDir};
use crate::steered::Pins;
use crate::wrapper::{FlagProblem, Inventory, InventoryError};
use cairn_durable::file::{CreateDirError, WriteFileError};
use cairn_durable::{create_dir_durable, write_atomic};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shim's name; it lies beside this program.
pub(super) const HOOK_NAME: &str = "cairn-hook";

/// Why the agent was not started.
#[derive(Debug, thiserror::Error)]
pub enum WrapperError {
    /// The device is not enrolled.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Flags were refused.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Flags(Vec<FlagProblem>),
    /// No agent.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The shim is not beside this program.
    #[error("`{}` is missing; install Cairn again", .0.display())]
    NoHook(PathBuf),
    /// No daemon.
    #[error(transparent)]
    Daemon(#[from] EnsureError),
    /// The daemon did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A session gate is closed.
    #[error("{0}")]
    Refused(String),
    /// Codex's configuration does not hold, or is not known.
    #[error(transparent)]
    Inspection(#[from] InspectionError),
    /// MCP servers cannot be judged.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A plug-in loads code into the agent itself.
    #[error(
        "the plug-in in `{}` loads code into the agent that overrules every deny; disable it or \
         take it away",
        .0.display()
    )]
    Mod(PathBuf),
    /// The settings folder.
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    /// The settings file.
    #[error(transparent)]
    Write(#[from] WriteFileError),
    /// The agent could not be started.
    #[error("`{}` could not be started: {source}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// This process's own folder or program is unknown.
    #[error("the operating system refused: {0}")]
    Io(#[from] std::io::Error),
}

/// Starts the agent in place of this process with the words after `cairn claude`.
///
/// Errors: [`WrapperError`]; on success this does not return.
pub fn claude(
    state: &StateDir,
    words: &[String],
) -> Result<std::convert::Infallible, WrapperError> {
    let flags = flags::check(words).map_err(WrapperError::Flags)?;
    Identity::load(state)?;
    create_dir_durable(&state.agent_settings(), FOLDER_MODE)?;
    let program = Program::find(state, &CLAUDE_CODE)?;
    let hook = std::env::current_exe()?.with_file_name(HOOK_NAME);
    if !hook.is_file() {
        return Err(WrapperError::NoHook(hook));
    }
    ensure(state)?;
    let cwd = std::env::current_dir()?;
    let found = inventory(
        &cwd,
        &agent_state_file(),
        &agent_config(),
        &flags.mcp_configs,
    )?
    .with_managed_file(&Place::machine().managed_servers());
    if let Some(folder) = found.mods.first() {
        return Err(WrapperError::Mod(folder.clone()));
    }
    for unread in &found.unread {
        tell!("cairn: {unread}; its servers are not started");
    }
    // On a managed machine only managed hooks run.
    let interference: Vec<String> = match Place::machine().is_managed() {
        true => Vec::new(),
        false => found.interference.iter().map(ToString::to_string).collect(),
    };
    let others = Place::machine().variables_of_others();
    let pins = environment::held(&found.variables, |name| std::env::var_os(name), &others);
    let version = program.version.to_string();
    let programs = vec![program.path.clone(), hook.clone()];
    let request = LaunchRequest {
        agent: None,
        name: hook::CLAUDE_CODE.to_owned(),
        version,
        programs,
        servers: found.servers.clone(),
        elsewhere: found.elsewhere.clone(),
        interference: interference.clone(),
        unheld: pins.unheld.iter().map(ToString::to_string).collect(),
    };
    let mut answer: LaunchAnswer = ask(state, LAUNCH, &request)?;
    if let Some(refused) = answer.refused {
        return Err(WrapperError::Refused(refused));
    }
    started_without_us(&answer)?;
    withhold_unapproved(&found, &mut answer);
    announce(&answer, &interference);
    // A policy that only monitors lets through what cannot be held.
    for one in request.unheld.iter().chain(&pins.said) {
        tell!("cairn: {one}");
    }
    let files = write_files(state, &hook, &answer, &pins)?;
    // On success the agent has this process's number, terminal and signals.
    let source = command(&program, &files, &flags.pass).exec();
    Err(WrapperError::Start {
        path: program.path,
        source,
    })
}

/// Refuses a session whose agent would start servers of the machine's own file that may not run: that file is not
/// handed to the agent by anybody, and nothing on the command line takes a server out of it.
fn started_without_us(answer: &LaunchAnswer) -> Result<(), WrapperError> {
    let mut of_the_machine = answer.servers.iter().filter(|one| one.source == ENTERPRISE);
    match of_the_machine.find(|one| !one.allowed) {
        None => Ok(()),
        Some(one) => Err(WrapperError::Refused(format!(
            "Cairn: MCP server `{}` of this machine's `managed-mcp.json` would start and may not: {}; ask {} for help.",
            one.name, one.reason, answer.contact
        ))),
    }
}

/// Says what the developer should know before the agent takes the terminal.
fn announce(answer: &LaunchAnswer, interference: &[String]) {
    if let Some(warning) = &answer.warning {
        tell!("cairn: {warning}");
    }
    // A policy that only monitors stops nobody.
    for one in interference {
        tell!("cairn: {one}");
    }
    // A plug-in that is off would not have started it either.
    let withheld = |judged: &&McpJudged| !judged.allowed && judged.reason != PLUGIN_OFF;
    for judged in answer.servers.iter().filter(withheld) {
        tell!(
            "cairn: MCP server `{}` ({}) was blocked: {}; ask {}",
            judged.name,
            judged.source,
            judged.reason,
            answer.contact
        );
    }
}

/// The agent with Cairn's settings and servers, and without the variables that would weaken them.
fn command(program: &Program, files: &Files, words: &[String]) -> Command {
    let mut command = Command::new(&program.path);
    for (name, reason) in environment::removed(|name| std::env::var_os(name).is_some()) {
        tell!("cairn: {name} was removed from the agent's environment: {reason}");
        command.env_remove(name);
    }
    // On a managed machine only managed hooks run, so that these are not asked beside them.
    command.args(["--settings".as_ref(), files.settings.as_os_str()]);
    // A managed file of servers suffers no others beside it.
    if !Place::machine().has_managed_servers() {
        command
            .args(["--mcp-config".as_ref(), files.servers.as_os_str()])
            .arg("--strict-mcp-config");
    }
    command.args(words);
    command
}

/// A project's own servers are started only when somebody said yes: the organisation by a rule, or
/// the person in the agent's own dialog, which strict mode would pass over. A plug-in's only while the
/// plug-in is enabled.
pub(crate) fn withhold_unapproved(found: &Inventory, answer: &mut LaunchAnswer) {
    for (one, judged) in found.servers.iter().zip(&mut answer.servers) {
        if judged.allowed
            && let Some(waits) = one.held_back(judged.unnamed)
        {
            judged.allowed = false;
            judged.reason = waits.to_owned();
        }
    }
    // What no file lists is a managed server, which replaces whatever else has its name.
    let listed = |name: &String, definition: &Value| {
        found
            .servers
            .iter()
            .any(|found| found.name == *name && found.definition == *definition)
    };
    let mut managed = std::mem::take(&mut answer.mcp);
    managed.retain(|name, definition| !listed(name, definition));
    // Each verdict is about one definition: another one of the same name does not come in by it.
    let judged = found.servers.iter().zip(&answer.servers);
    let started = judged
        .filter(|(found, judged)| {
            judged.allowed && found.name == judged.name && found.source == judged.source
        })
        .map(|(found, _)| (found.name.clone(), found.definition.clone()));
    answer.mcp = started.chain(managed).collect();
}

struct Files {
    settings: PathBuf,
    servers: PathBuf,
}

fn write_files(
    state: &StateDir,
    hook: &Path,
    answer: &LaunchAnswer,
    pins: &Pins,
) -> Result<Files, WrapperError> {
    let dir = state.agent_settings();
    sweep(&dir);
    let pid = std::process::id();
    let files = Files {
        settings: dir.join(format!("{pid}.settings.json")),
        servers: dir.join(format!("{pid}.mcp.json")),
    };
    let mut made = settings::settings(hook, Reach::Socket(&state.socket()), &answer.deny);
    settings::hold(&mut made, pins);
    if let Some(sink) = &answer.telemetry {
        settings::report_to(&mut made, sink);
    }
    write_atomic(&files.settings, made.to_string().as_bytes(), FILE_MODE)?;
    let servers = json!({ "mcpServers": answer.mcp });
    // Definitions may hold secrets, so they are not on the command line.
    write_atomic(&files.servers, servers.to_string().as_bytes(), FILE_MODE)?;
    Ok(files)
}

/// Removes the files of sessions whose process has ended.
pub(crate) fn sweep(dir: &Path) {
    let Ok(listing) = std::fs::read_dir(dir) else {
        return;
    };
    for file in listing.flatten() {
        let name = file.file_name();
        let pid = name.to_str().and_then(|name| name.split('.').next());
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new("/proc").join(pid.to_string()).exists() {
            // One that stays is swept by the next launch.
            let _later = std::fs::remove_file(file.path());
        }
    }
}

/// The agent's configuration folder.
pub(crate) fn agent_config() -> PathBuf {
    std::env::var_os("CLAUDE_CONFIG_DIR").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".claude"),
        PathBuf::from,
    )
}

/// The agent's own state file.
pub(crate) fn agent_state_file() -> PathBuf {
    let folder = std::env::var_os("CLAUDE_CONFIG_DIR").or_else(|| std::env::var_os("HOME"));
    PathBuf::from(folder.unwrap_or_default()).join(".claude.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::McpFound;

    fn found(name: &str, source: &str, command: &str) -> McpFound {
        let (name, source) = (name.to_owned(), source.to_owned());
        let definition = json!({ "command": command });
        McpFound {
            name,
            waits: (source == "project").then(|| "nobody approved it".to_owned()),
            source,
            definition,
        }
    }

    /// What the daemon answers where no entry names any of them.
    fn answer(inventory: &Inventory) -> LaunchAnswer {
        let judged = |found: &McpFound| McpJudged {
            name: found.name.clone(),
            source: found.source.clone(),
            allowed: true,
            unnamed: true,
            reason: "no entry names it".to_owned(),
        };
        let by_name = |found: &McpFound| (found.name.clone(), found.definition.clone());
        LaunchAnswer {
            servers: inventory.servers.iter().map(judged).collect(),
            mcp: inventory.servers.iter().map(by_name).collect(),
            ..LaunchAnswer::default()
        }
    }

    #[test]
    fn a_withheld_server_does_not_come_in_under_an_allowed_name() {
        let mut inventory = Inventory {
            servers: vec![
                found("github", "user", "mine"),
                found("only", "user", "mine"),
                found("github", "project", "theirs"),
                found("theirs", "project", "theirs"),
            ],
            ..Inventory::default()
        };
        let mut given = answer(&inventory);
        given
            .mcp
            .insert("corp".to_owned(), json!({ "command": "corp" }));
        withhold_unapproved(&inventory, &mut given);
        let commands: Vec<_> = given
            .mcp
            .iter()
            .map(|(name, one)| (name.as_str(), one["command"].as_str()))
            .collect();
        let expected = [
            ("corp", Some("corp")),
            ("github", Some("mine")),
            ("only", Some("mine")),
        ];
        assert_eq!(commands, expected);
        inventory.servers[2].waits = None;
        let mut given = answer(&inventory);
        given
            .mcp
            .insert("only".to_owned(), json!({ "command": "managed" }));
        withhold_unapproved(&inventory, &mut given);
        assert_eq!(given.mcp["github"]["command"], "theirs");
        assert_eq!(given.mcp["only"]["command"], "managed");
    }
}
