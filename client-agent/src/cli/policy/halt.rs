//! `cairn policy halt` and `resume`: the kill switch.
//!
//! Owns the gate that is always closed. It is a part of the policy like any other gate: signed by the
//! administrators, an entry of the log, and in force on a device with a verified receipt. The rest of the
//! policy stays as it is.
//! Source: `docs/operating/policy.md`, "To halt everything".

use super::super::AdminArguments;
use super::super::admin::Administrator;
use super::apply::{InForce, in_force, put};
use crate::clock::now_ms;
use anyhow::{Context as _, bail};
use cairn_event::{DecisionMode, PersonRole};
use cairn_policy::{Bundle, Condition, Gate, RunningSessions, Scope};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::process::ExitCode;

/// Whom to halt, and how.
#[derive(Debug, Args)]
pub struct HaltArguments {
    /// Only this team; everybody where nobody is named.
    #[arg(long, conflicts_with_all = ["role", "person"])]
    pub team: Option<String>,
    /// Only people with this role.
    #[arg(long, conflicts_with = "person")]
    pub role: Option<String>,
    /// Only this person (`p_…`) or the one with this address.
    #[arg(long)]
    pub person: Option<String>,
    /// What becomes of the sessions that run.
    #[arg(long, value_enum, default_value_t = Running::End)]
    pub running: Running,
    /// What developers are told.
    #[arg(long, default_value = "an administrator halted coding agents")]
    pub message: String,
}

/// What becomes of the sessions that run.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Running {
    /// The agent is ended within seconds.
    End,
    /// Calls are denied and prompts refused until sessions may go on.
    Hold,
    /// Files may still be read, as far as the rules allow.
    Restrict,
}

pub(in crate::cli) async fn halt(
    arguments: &AdminArguments,
    halt: &HaltArguments,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut administrator = Administrator::open(arguments).await?;
    let found = existing(&mut administrator).await?;
    let (scope, id) = whom(&administrator, halt)?;
    let mut bundle = next(&found);
    // Halting again says anew how and why.
    bundle.gates.retain(|gate| gate.id != id);
    bundle.gates.push(Gate {
        id,
        when: Condition::All { all: Vec::new() },
        message: halt.message.clone(),
        running: match halt.running {
            Running::End => RunningSessions::End,
            Running::Hold => RunningSessions::Hold,
            Running::Restrict => RunningSessions::Restrict,
        },
        scope,
        mode: Some(DecisionMode::Enforce),
    });
    put(
        &mut administrator,
        &bundle,
        found.statement.revision,
        as_json,
    )
    .await?;
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) async fn resume(
    arguments: &AdminArguments,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut administrator = Administrator::open(arguments).await?;
    let found = existing(&mut administrator).await?;
    let mut bundle = next(&found);
    bundle.gates.retain(|gate| !gate.is_halt());
    if bundle.gates.len() == found.bundle.gates.len() {
        bail!("nobody is halted");
    }
    put(
        &mut administrator,
        &bundle,
        found.statement.revision,
        as_json,
    )
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn existing(administrator: &mut Administrator) -> anyhow::Result<InForce> {
    let found = in_force(administrator).await?;
    found.context("no policy is in force yet, and without one every action is denied")
}

/// The policy in force with the next version.
fn next(found: &InForce) -> Bundle {
    Bundle {
        version: found.statement.version.saturating_add(1),
        created_ms: now_ms(),
        ..found.bundle.clone()
    }
}

/// Whom the gate is for, and its id.
fn whom(administrator: &Administrator, halt: &HaltArguments) -> anyhow::Result<(Scope, String)> {
    if let Some(team) = &halt.team {
        if !administrator.basis.roster().teams.contains_key(team) {
            bail!("no team `{team}` in the roster");
        }
        return Ok((Scope::Team(team.clone()), format!("halt-team-{team}")));
    }
    if let Some(role) = &halt.role {
        if serde_json::from_value::<PersonRole>(json!(role)).is_err() {
            bail!("no role `{role}`: a person is `admin`, `security`, `auditor` or `developer`");
        }
        return Ok((Scope::Role(role.clone()), format!("halt-role-{role}")));
    }
    if let Some(person) = &halt.person {
        let person = administrator.person(person)?;
        let id = format!("halt-person-{person}");
        return Ok((Scope::Person(person), id));
    }
    Ok((Scope::Global, "halt".to_owned()))
}
