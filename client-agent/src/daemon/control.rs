//! What Cairn's own commands ask the daemon: status, launch of an agent, stop.
//!
//! Owns the commands' bodies. They travel like hooks, with event words beginning `cairn.`.

use super::mcp::Judge;
use super::wire::{self, AskError};
use crate::chain::Draft;
use crate::clock::now_ms;
use crate::device::Launch;
use crate::hook::{Answer, Gatekeeper, Moment, session_gate};
use crate::policy::{Following, second_line};
use crate::state::StateDir;
use crate::telemetry::{Receiver, Sink};
use crate::upload::Progress;
use cairn_event::body::{Body, SessionRefused};
use cairn_event::{DecisionMode, Posture};
use cairn_policy::{Bundle, Freshness, McpPolicy, McpServer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// Command: how things stand.
pub const STATUS: &str = "cairn.status";
/// Command: an agent is about to be started by the wrapper.
pub const LAUNCH: &str = "cairn.launch";
/// Command: deny whatever a session still does, to prove that it can be denied.
pub const CANARY: &str = "cairn.canary";
/// Command: end.
pub const STOP: &str = "cairn.stop";

/// The gate that refuses a session in which somebody else's hooks would be asked as well.
const INTERFERENCE_GATE: &str = "other-hooks";

/// The gate that refuses a session whose commands a settings file would make others.
const VARIABLES_GATE: &str = "settings-variables";

/// What the model of a canary is told.
const CANARY_SENTENCE: &str =
    "Cairn denied this action: it is a canary that proves that denials hold.";

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// Version of the running daemon.
    pub daemon_version: String,
    /// Its process.
    pub pid: u32,
    /// Version of the bundle in force.
    pub policy_version: Option<u64>,
    /// Index of its policy entry.
    pub policy_index: Option<u64>,
    /// Whether the policy in force only records what it would decide.
    #[serde(default)]
    pub monitors: bool,
    /// When the server last confirmed it, milliseconds since 1970.
    pub policy_checked_ms: u64,
    /// How the policy counts at its age: `fresh`, `old`, `restricted` or `refused`.
    #[serde(default)]
    pub policy_freshness: Option<Freshness>,
    /// What people are told about its age.
    #[serde(default)]
    pub policy_warning: Option<String>,
    /// Why policy is not up to date.
    pub policy_problem: Option<String>,
    /// Whether the stream of changes does not come through, so that the server is asked instead.
    #[serde(default)]
    pub policy_asks: bool,
    /// Why nothing may be decided, where that is so.
    pub not_in_force: Option<String>,
    /// The person's teams.
    pub teams: Vec<String>,
    /// Entries without a receipt.
    pub spool_records: u64,
    /// Bytes of the spool's files.
    pub spool_bytes: u64,
    /// Entries that could not be recorded and wait to be declared.
    pub undeclared: u64,
    /// The last receipt: index and when it was stored.
    pub last_receipt: Option<(u64, u64)>,
    /// Why uploads fail.
    pub upload_problem: Option<String>,
    /// Agent sessions alive.
    pub sessions: u64,
    /// Agents of this user that run outside Cairn.
    #[serde(default)]
    pub unmanaged: u64,
    /// Calls that ran without a verdict or against one, by the agent's own account.
    #[serde(default)]
    pub unjudged: u64,
    /// Calls whose end the agent reported and that had a verdict.
    #[serde(default)]
    pub joined: u64,
    /// Posture by field: value and source.
    pub posture: BTreeMap<String, (String, String)>,
}

/// An agent is about to be started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// The agent's process, where the policy helper asks for it; the wrapper becomes the agent itself.
    #[serde(default)]
    pub agent: Option<u32>,
    /// The agent's name in entries.
    pub name: String,
    /// The agent's version; empty where it is not known.
    pub version: String,
    /// Programs whose digests the first hooks will need: the agent and the hook shim.
    pub programs: Vec<PathBuf>,
    /// Every MCP server found configured.
    pub servers: Vec<McpFound>,
    /// Servers found in other places of this device, which this launch does not start.
    #[serde(default)]
    pub elsewhere: Vec<McpFound>,
    /// Hooks of others that could change a call after it was judged, each in words.
    #[serde(default)]
    pub interference: Vec<String>,
    /// Variables of settings files that would make a decided command another and cannot be held, each in words.
    #[serde(default)]
    pub unheld: Vec<String>,
}

/// An MCP server found configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McpFound {
    /// Its configured name.
    pub name: String,
    /// Where: `user`, `project`, `local`, `plugin`, `flag`, `enterprise`.
    pub source: String,
    /// Its definition as in `.mcp.json`.
    pub definition: Value,
    /// Why it does not start although no entry of the policy objects, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

impl McpFound {
    /// Why a server that the policy's list lets pass for this reason does not start all the same.
    ///
    /// An entry that names a project's server is an approval; a plug-in that is off starts nothing.
    pub fn held_back(&self, unnamed: bool) -> Option<&str> {
        let waits = self.waits.as_deref()?;
        (unnamed || self.source != PROJECT).then_some(waits)
    }
}

/// The source of a server that a project brings.
pub const PROJECT: &str = "project";

/// An MCP server judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct McpJudged {
    /// Its configured name.
    pub name: String,
    /// Where it was found.
    pub source: String,
    /// Whether it may be started.
    pub allowed: bool,
    /// Why, in words.
    pub reason: String,
    /// Whether it may be started although no entry names it, so that the agent's own question to the person
    /// stands.
    #[serde(default)]
    pub unnamed: bool,
}

/// Whether the agent may be started, and with what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchAnswer {
    /// Why not; absent when it may.
    pub refused: Option<String>,
    /// Every server found and the verdict on it.
    pub servers: Vec<McpJudged>,
    /// Servers the agent is started with, by name, as in `.mcp.json`.
    pub mcp: BTreeMap<String, Value>,
    /// Deny rules for the agent's own settings.
    pub deny: Vec<String>,
    /// What the developer is told before the agent starts.
    #[serde(default)]
    pub warning: Option<String>,
    /// Whom to ask.
    pub contact: String,
    /// What of the list of MCP servers is enforced for this person, for settings that outlive this launch.
    #[serde(default)]
    pub policy: McpPolicy,
    /// Where the agent reports what it does; absent where nothing can be received.
    #[serde(default)]
    pub telemetry: Option<Sink>,
}

/// A session whose next calls must be denied, whatever the policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRequest {
    /// The agent's session.
    pub session: String,
}

/// What the commands work on.
pub struct Control {
    /// The gatekeeper.
    pub gatekeeper: Arc<Gatekeeper>,
    /// What the uploader shows.
    pub progress: watch::Receiver<Progress>,
    /// How following the server's policy goes.
    pub following: watch::Receiver<Following>,
    /// Receives what agents report; `None` where no port could be had.
    pub telemetry: Option<Arc<Receiver>>,
    /// How many agents run outside Cairn.
    pub unmanaged: watch::Receiver<u64>,
    /// The state folder.
    pub state: StateDir,
    /// Told to end.
    pub stop: Arc<Notify>,
}

/// Asks the daemon of a state folder.
///
/// Errors: [`AskError`].
pub fn ask<B: Serialize, T: DeserializeOwned>(
    state: &StateDir,
    command: &str,
    body: &B,
) -> Result<T, AskError> {
    let body = serde_json::to_vec(body)?;
    Ok(serde_json::from_slice(&wire::call(
        &state.socket(),
        command,
        &body,
    )?)?)
}

impl Control {
    /// Answers a command.
    pub async fn command(&self, command: &str, pid: u32, body: &[u8]) -> Answer {
        let answer = match command {
            STATUS => serde_json::to_value(self.status().await),
            LAUNCH => match serde_json::from_slice(body) {
                Ok(request) => serde_json::to_value(self.launch(pid, request).await),
                Err(error) => Err(error),
            },
            CANARY => match serde_json::from_slice::<CanaryRequest>(body) {
                // It can only make a session stricter, so nobody is asked who they are.
                Ok(request) => {
                    let keeper = &self.gatekeeper;
                    keeper
                        .restrictions
                        .restrict(&request.session, CANARY_SENTENCE.to_owned());
                    Ok(json!({ "restricted": request.session }))
                }
                Err(error) => Err(error),
            },
            STOP => {
                self.stop.notify_one();
                Ok(json!({ "stopping": true }))
            }
            unknown => return refused(&format!("command `{unknown}` is not known")),
        };
        match answer {
            Ok(value) => Answer::json(&value),
            Err(error) => refused(&error.to_string()),
        }
    }

    async fn status(&self) -> StatusAnswer {
        let in_force = self.gatekeeper.enforcement.now();
        let usage = self.gatekeeper.recorder.usage().await.unwrap_or_default();
        let progress = self.progress.borrow().clone();
        let following = self.following.borrow().clone();
        let sight = self
            .gatekeeper
            .vigil
            .sight(self.gatekeeper.posture_max_age());
        let posture = sight.posture.0.clone();
        self.gatekeeper.record_changes(sight).await;
        let active = in_force.active.as_ref();
        StatusAnswer {
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            policy_version: active.map(|active| active.compiled.bundle().version),
            policy_index: active.map(|active| active.index),
            monitors: active
                .is_some_and(|active| active.compiled.bundle().mode == DecisionMode::Monitor),
            policy_checked_ms: in_force.checked_ms,
            policy_freshness: active.map(|_| in_force.freshness(now_ms())),
            policy_warning: in_force.warning(now_ms()),
            policy_problem: following.problem,
            policy_asks: following.asks,
            not_in_force: in_force
                .usable(now_ms())
                .err()
                .map(|cause| cause.to_string()),
            teams: in_force.subject.teams.clone(),
            spool_records: usage.next_record.saturating_sub(progress.next_record),
            spool_bytes: usage.bytes,
            undeclared: usage.undeclared,
            last_receipt: progress.last_receipt,
            upload_problem: progress.problem,
            sessions: self.gatekeeper.sessions(),
            unmanaged: *self.unmanaged.borrow(),
            unjudged: self.gatekeeper.joins.alerts(),
            joined: self.gatekeeper.joins.joined(),
            posture: posture
                .into_iter()
                .map(|(name, field)| (name, (field.value, field.source)))
                .collect(),
        }
    }

    /// Judges a launch: session gates, then every server; records each verdict.
    ///
    /// An agent that was judged before, by the wrapper or a minute ago, is judged anew and not recorded
    /// again.
    async fn launch(&self, pid: u32, request: LaunchRequest) -> LaunchAnswer {
        let askers = &self.gatekeeper.askers;
        let agent = request.agent.unwrap_or(pid);
        let again = request.agent.is_some() && askers.is_known(agent);
        askers.prepare(agent, request.programs.clone());
        let sight = self
            .gatekeeper
            .vigil
            .sight(self.gatekeeper.posture_max_age());
        let posture = sight.posture.clone();
        self.gatekeeper.record_changes(sight).await;
        let in_force = self.gatekeeper.enforcement.now();
        let mut answer = LaunchAnswer::default();
        if let Err((gate, sentence)) = session_gate(&in_force, &posture, Moment::Start) {
            let body = Body::SessionRefused(SessionRefused { gate });
            if !again {
                self.record(body, Vec::new(), Some(posture)).await;
            }
            answer.refused = Some(sentence);
            return answer;
        }
        let Some(active) = in_force.active.as_ref() else {
            answer.refused = Some("Cairn: this device has no verified policy yet.".to_owned());
            return answer;
        };
        let in_view_of_age = active.compiled.at_age(in_force.age_ms(now_ms()));
        let bundle = in_view_of_age.bundle();
        answer.refused = self.interfered(&request, bundle, posture, again).await;
        if answer.refused.is_some() {
            return answer;
        }
        answer.contact.clone_from(&bundle.contact);
        answer.warning = in_force.warning(now_ms());
        // A helper that asks each minute gets the same again, or one session would use up the tokens.
        let fresh = || self.telemetry.as_ref().and_then(|port| port.issue());
        answer.telemetry = askers.telemetry_of(agent).or_else(fresh);
        answer.deny = second_line(bundle, &in_force.subject, now_ms());
        let judge = Judge::new(bundle, &in_force.subject);
        for found in &request.servers {
            let judged = self.server(found, &judge, !again).await;
            if judged.allowed {
                answer
                    .mcp
                    .insert(found.name.clone(), found.definition.clone());
            }
            answer.servers.push(judged);
        }
        self.note(&request, &judge, again).await;
        answer.policy = judge.enforced();
        // A managed server replaces whatever else was configured under its name.
        answer.mcp.extend(judge.managed());
        askers.launched(agent, launch_of(request, &answer));
        answer
    }

    /// Why an agent is not started beside whose hooks others would be asked, or whose commands others would make
    /// other ones; it is recorded.
    ///
    /// One that runs is told nothing of it: what came up since was refused when it changed.
    async fn interfered(
        &self,
        request: &LaunchRequest,
        bundle: &Bundle,
        posture: Posture,
        again: bool,
    ) -> Option<String> {
        if bundle.mode != DecisionMode::Enforce || again {
            return None;
        }
        let contact = &bundle.contact;
        let (gate, sentence) = match (&request.interference[..], &request.unheld[..]) {
            ([one, ..], _) => (
                INTERFERENCE_GATE,
                format!("Cairn: {one}; remove it there, or ask {contact} for help."),
            ),
            ([], [one, ..]) => (
                VARIABLES_GATE,
                format!("Cairn: {one}, or ask {contact} for help."),
            ),
            ([], []) => return None,
        };
        let gate = gate.to_owned();
        let body = Body::SessionRefused(SessionRefused { gate });
        self.record(body, Vec::new(), Some(posture)).await;
        Some(sentence)
    }

    pub(super) async fn record(
        &self,
        body: Body,
        mut confidential: Vec<(&'static str, Value)>,
        posture: Option<Posture>,
    ) {
        let keeper = &self.gatekeeper;
        let mut context = keeper.circumstances.now();
        context.posture = posture;
        confidential.extend(keeper.facts.confidential(&keeper.email));
        let draft = Draft {
            body,
            context,
            confidential,
            time_ms: now_ms(),
        };
        if let Err(error) = keeper.recorder.record(draft).await {
            tracing::error!(%error, "a verdict on a launch is not recorded");
        }
    }
}

/// What is kept of a launch: the agent and the servers that it may start.
fn launch_of(request: LaunchRequest, answer: &LaunchAnswer) -> Launch {
    let known = |(name, one): (&String, &Value)| McpServer::from_definition(name, one);
    Launch {
        name: request.name,
        version: request.version,
        servers: answer.mcp.iter().map(known).collect(),
        managed: request.agent.is_some(),
        telemetry: answer.telemetry.clone(),
        ..Launch::default()
    }
}

fn refused(cause: &str) -> Answer {
    Answer {
        code: 1,
        stdout: String::new(),
        stderr: cause.to_owned(),
    }
}
