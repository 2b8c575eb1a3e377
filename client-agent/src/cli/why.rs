//! `cairn why --call`: what would be decided on a call, and what would change it.
//!
//! Owns the hypothetical call. A recorded decision is [`super::explain`]'s business.

use super::policy::document::Document;
use super::{print_json, subject};
use crate::clock::now_ms;
use crate::daemon::{STATUS, StatusAnswer, ask};
use crate::enrolment::Identity;
use crate::policy::Stored;
use crate::state::StateDir;
use anyhow::{Context as _, bail};
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, Changes, Scenario, compile, explain};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Which decision to explain.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// A recorded decision: its index in the log, its leaf hash, the agent's tool-use identifier, the identifier of a
    /// session that was refused, or the name of an MCP server.
    #[arg(conflicts_with_all = ["call", "tool"])]
    pub what: Option<String>,
    /// A shell command that was not run, in place of a recorded decision.
    #[arg(long)]
    pub call: Option<String>,
    /// Another tool than the shell.
    #[arg(long)]
    pub tool: Option<String>,
    /// Its input as JSON.
    #[arg(long, requires = "tool")]
    pub input: Option<String>,
    /// Decide under this bundle instead of the policy in force here.
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// The person; without one this device's, where it is enrolled.
    #[arg(long)]
    pub person: Option<String>,
    /// A team; may be repeated; without one those of this device's person, unless `--policy` or `--person` is
    /// given.
    #[arg(long = "team")]
    pub teams: Vec<String>,
    /// A role; may be repeated; without one as with `--team`.
    #[arg(long = "role")]
    pub roles: Vec<String>,
    /// Posture such as `disk_encryption=on`; may be repeated; the rest is this device's, and unknown with
    /// `--policy` or while the daemon does not run.
    #[arg(long = "posture")]
    pub posture: Vec<String>,
}

impl WhyArguments {
    /// Whether a call is asked about that nobody made.
    pub fn is_hypothetical(&self) -> bool {
        self.call.is_some() || self.tool.is_some()
    }
}

pub(super) fn run(arguments: &WhyArguments, as_json: bool) -> anyhow::Result<ExitCode> {
    let bundle = bundle(arguments)?;
    let compiled = compile(&bundle).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the policy does not compile: {}", all.join("; "))
    })?;
    let scenario = scenario(arguments)?;
    let now_ms = now_ms();
    let decision = scenario.play(&compiled, now_ms)?.decision;
    let found = scenario.changes(&compiled, now_ms)?;
    if as_json {
        let Changes { changes, complete } = found;
        print_json(&json!({ "decision": decision, "changes": changes, "complete": complete }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in explain(&decision, &compiled) {
        say!("{line}");
    }
    for change in found.changes {
        say!("would change it: {change}");
    }
    if !found.complete {
        say!("not everything was tried: deciding this call is expensive");
    }
    Ok(ExitCode::SUCCESS)
}

fn bundle(arguments: &WhyArguments) -> anyhow::Result<Bundle> {
    if let Some(path) = &arguments.policy {
        return Ok(Document::open(path)?.bundle);
    }
    let stored = Stored::open(&StateDir::from_environment()?)?
        .policy()?
        .policy;
    let stored = stored.context("this device has no verified policy; give one with `--policy`")?;
    let bytes = from_base64url(&stored.bundle).context("the stored bundle is damaged")?;
    Ok(Bundle::parse(&bytes)?)
}

fn scenario(arguments: &WhyArguments) -> anyhow::Result<Scenario> {
    let mut scenario = Scenario::of_command("");
    scenario.command.clone_from(&arguments.call);
    scenario.tool.clone_from(&arguments.tool);
    if let Some(input) = &arguments.input {
        scenario.input = Some(serde_json::from_str(input).context("`--input` is not JSON")?);
    }
    scenario.teams.clone_from(&arguments.teams);
    scenario.roles.clone_from(&arguments.roles);
    scenario.person.clone_from(&arguments.person);
    if let Ok(state) = StateDir::from_environment() {
        of_this_device(&state, arguments, &mut scenario);
    }
    for posture in &arguments.posture {
        let Some((name, value)) = posture.split_once('=') else {
            bail!("`{posture}` is not a posture such as `disk_encryption=on`");
        };
        scenario.posture.insert(name.to_owned(), value.to_owned());
    }
    if let (Ok(folder), None) = (std::env::current_dir(), &arguments.policy) {
        scenario.cwd = folder.to_string_lossy().into_owned();
    }
    Ok(scenario)
}

/// Fills in what was not said: the call is supposed to be made here and now. Where another policy is asked
/// about, only the person; on a device that is not enrolled nothing.
fn of_this_device(state: &StateDir, arguments: &WhyArguments, scenario: &mut Scenario) {
    if scenario.person.is_some() {
        return;
    }
    let Ok(own) = subject::of_device(state) else {
        scenario.person = Identity::load(state).ok().map(|identity| identity.person);
        return;
    };
    scenario.person = Some(own.person);
    if arguments.policy.is_some() {
        return;
    }
    if scenario.teams.is_empty() {
        scenario.teams = own.teams;
    }
    if scenario.roles.is_empty() {
        scenario.roles = own.roles;
    }
    let status: Result<StatusAnswer, _> = ask(state, STATUS, &Value::Null);
    let posture = status.map(|status| status.posture).unwrap_or_default();
    let values = posture.into_iter().map(|(name, (value, _))| (name, value));
    scenario.posture.extend(values);
}
