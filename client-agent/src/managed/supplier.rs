//! The policy helper: what Claude Code is told at each start on a managed machine, and each minute after.
//!
//! Owns the order: who asks, whose device this is, daemon, servers, gates, settings. Any failure is a
//! sentence and an exit code that keeps Claude Code from starting. What a running session is told again
//! is not recorded again.
//!
//! The state folder comes from the installation and the kernel, never from the environment.
//!
//! Source: Claude Code findings 1.6 and 6.

use super::agent::AgentProcess;
use super::manifest::{Manifest, ManifestError};
use super::mcp;
use super::merge;
use super::pattern::{PatternError, state_folder};
use super::place::Place;
use super::settings::{Live, live};
use crate::daemon::{AskError, EnsureError, LAUNCH, LaunchAnswer, LaunchRequest, ask, ensure};
use crate::enrolment::{Identity, IdentityError};
use crate::state::{FILE_MODE, FOLDER_MODE, StateDir, StateError};
use crate::steered::Pins;
use crate::wrapper::{
    ENTERPRISE, Inventory, InventoryError, agent_config, agent_state_file, held, hold, inventory,
    sweep, withhold_unapproved,
};
use cairn_durable::file::{CreateDirError, WriteFileError};
use cairn_durable::{create_dir_durable, write_atomic};
use cairn_policy::McpServer;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;

/// The name under which this program is the policy helper.
pub const HELPER_NAME: &str = "cairn-policy-helper";

/// The variable in which Claude Code says its version to the helper.
const VERSION_VARIABLE: &str = "CLAUDE_CODE_VERSION";

/// The variable that says how the agent was started.
const ENTRY_VARIABLE: &str = "CLAUDE_CODE_ENTRYPOINT";

/// How an agent says there that a person sits before it.
const ATTENDED_ENTRY: &str = "cli";

/// Why the agent is not started.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// No installation, or none that is believed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The state pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// This user's device is not enrolled.
    #[error("this device is not enrolled; run `cairn enroll --server {0}`, then start again")]
    NotEnrolled(String),
    /// What was pinned cannot be used.
    #[error(transparent)]
    Identity(IdentityError),
    /// The agent's process cannot be read.
    #[error("the agent's process cannot be read: {0}")]
    Agent(#[from] std::io::Error),
    /// No daemon.
    #[error(transparent)]
    Daemon(#[from] EnsureError),
    /// The daemon did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// MCP servers cannot be judged.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A session gate is closed, or there is no policy.
    #[error("{0}")]
    Refused(String),
    /// The folder of settings.
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    /// The copy of the settings.
    #[error(transparent)]
    Write(#[from] WriteFileError),
}

/// The answer for the agent that started this process.
///
/// Errors: [`HelperError`]; the agent is not started, or a running one keeps what it was told before.
pub fn help() -> Result<Value, HelperError> {
    let place = Place::machine();
    let manifest = Manifest::load(&place)?;
    let uid = rustix::process::getuid().as_raw();
    let state = StateDir::at(state_folder(&manifest.state, uid)?)?;
    if let Err(error) = Identity::load(&state) {
        return Err(match error {
            IdentityError::NotEnrolled => {
                HelperError::NotEnrolled(manifest.server.unwrap_or_else(|| "URL".to_owned()))
            }
            other => HelperError::Identity(other),
        });
    }
    let agent = AgentProcess::parent()?;
    ensure(&state)?;
    create_dir_durable(&state.agent_settings(), FOLDER_MODE)?;
    let own_servers = state
        .agent_settings()
        .join(format!("{}.mcp.json", agent.pid));
    let found = servers_of(&agent, &own_servers)?;
    let environment = agent.environment()?;
    let pins = held(
        &found.variables,
        |name| environment.get(OsStr::new(name)).cloned(),
        &place.variables_of_others(),
    );
    let answer = asked(&state, &agent, &found, &pins)?;
    let mut servers = mcp::servers(&answer.policy, &withheld(&found, &answer));
    // The agent starts what the machine's own file lists, whether or not it is on a list of servers that may run.
    let of_the_machine = answer.servers.iter().filter(|one| one.source == ENTERPRISE);
    servers.deny_by_name(of_the_machine.filter(|one| !one.allowed));
    let socket = state.socket();
    let mut own = live(&Live {
        socket: &socket,
        deny: &answer.deny,
        servers: &servers,
        wrapped: agent.is_wrapped(&own_servers),
        telemetry: answer.telemetry.as_ref(),
    });
    hold(&mut own, &pins);
    let settings = merge::answer(&place, &own);
    leave_copy(&state, &agent, &settings)?;
    Ok(json!({ "managedSettings": settings }))
}

fn servers_of(agent: &AgentProcess, own: &Path) -> Result<Inventory, InventoryError> {
    let look =
        |flags: &[String]| inventory(&agent.cwd, &agent_state_file(), &agent_config(), flags);
    let file = Place::machine().managed_servers();
    // A file on the command line that cannot be read is the agent's own error to tell.
    let found = look(&agent.server_files(own)).or_else(|_| look(&[]))?;
    Ok(found.with_managed_file(&file))
}

fn asked(
    state: &StateDir,
    agent: &AgentProcess,
    found: &Inventory,
    pins: &Pins,
) -> Result<LaunchAnswer, HelperError> {
    let request = LaunchRequest {
        agent: Some(agent.pid),
        name: crate::hook::CLAUDE_CODE.to_owned(),
        version: std::env::var(VERSION_VARIABLE).unwrap_or_default(),
        programs: vec![agent.exe.clone(), super::place::HOOK.into()],
        servers: found.servers.clone(),
        elsewhere: found.elsewhere.clone(),
        // Only managed hooks run here.
        interference: Vec::new(),
        unheld: pins.unheld.iter().map(ToString::to_string).collect(),
    };
    let mut answer: LaunchAnswer = ask(state, LAUNCH, &request)?;
    match answer.refused.take() {
        Some(refused) => Err(HelperError::Refused(refused)),
        None => Ok(answer),
    }
}

/// Servers of this project that no rule names and nobody can be asked about. With a person before it the
/// agent asks by itself.
fn withheld(found: &Inventory, answer: &LaunchAnswer) -> Vec<McpServer> {
    let mut withheld = steered(found, answer);
    if std::env::var(ENTRY_VARIABLE).is_ok_and(|entry| entry == ATTENDED_ENTRY) {
        return withheld;
    }
    let mut strict = answer.clone();
    withhold_unapproved(found, &mut strict);
    let newly = strict
        .servers
        .iter()
        .zip(&answer.servers)
        .filter(|(strict, judged)| judged.allowed && !strict.allowed && strict.source == "project");
    withheld.extend(newly.filter_map(|(judged, _)| {
        let found = found
            .servers
            .iter()
            .find(|one| one.name == judged.name && one.source == judged.source)?;
        Some(McpServer::from_definition(&found.name, &found.definition))
    }));
    withheld
}

/// Servers that have an allowed command and a variable that makes it another: the agent compares commands
/// only, so that here the command itself is denied.
fn steered(found: &Inventory, answer: &LaunchAnswer) -> Vec<McpServer> {
    let judged = found.servers.iter().zip(&answer.servers);
    let denied = judged.filter(|(_, judged)| !judged.allowed);
    let servers = denied.map(|(one, _)| McpServer::from_definition(&one.name, &one.definition));
    servers.filter(|server| server.steered).collect()
}

/// Leaves what this very process was told: the daemon knows managed runs by it, and people can read it.
fn leave_copy(state: &StateDir, agent: &AgentProcess, settings: &Value) -> Result<(), HelperError> {
    let folder = state.agent_settings();
    sweep(&folder);
    let file = folder.join(format!("{}.managed.json", agent.pid));
    Ok(write_atomic(
        &file,
        settings.to_string().as_bytes(),
        FILE_MODE,
    )?)
}
