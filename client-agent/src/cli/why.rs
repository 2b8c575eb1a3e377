//! `cairn why --call`: what would be decided on a call, and what would change it.
//!
//! Owns the hypothetical call. A recorded decision is [`super::explain`]'s business.

use super::policy::document::Document;
use super::print_json;
use crate::clock::now_ms;
use crate::enrolment::Identity;
use crate::policy::Stored;
use crate::state::StateDir;
use anyhow::{Context as _, bail};
use cairn_event::Effect;
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, CompiledBundle, Decision, Scenario, compile, explain};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which decision to explain.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Tool-use identifier or index of a recorded decision.
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
    /// A team; may be repeated.
    #[arg(long = "team")]
    pub teams: Vec<String>,
    /// A role; may be repeated.
    #[arg(long = "role")]
    pub roles: Vec<String>,
    /// Posture such as `disk_encryption=on`; may be repeated; the rest is unknown.
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
    let decision = scenario.play(&compiled, now_ms())?.decision;
    let changes = changes(&scenario, &decision, &bundle);
    if as_json {
        print_json(&json!({ "decision": decision, "changes": changes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", explain(&decision, &compiled));
    for change in changes {
        println!("would change it: {change}");
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
    scenario.person = arguments.person.clone().or_else(own_person);
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

/// The person of this device; nobody on one that is not enrolled.
fn own_person() -> Option<String> {
    let state = StateDir::from_environment().ok()?;
    Some(Identity::load(&state).ok()?.person)
}

/// Single changes after which the same call is decided otherwise.
fn changes(scenario: &Scenario, decision: &Decision, bundle: &Bundle) -> Vec<String> {
    let play = |scenario: &Scenario, bundle: &Bundle| -> Option<Effect> {
        let compiled: CompiledBundle = compile(bundle).ok()?;
        Some(scenario.play(&compiled, now_ms()).ok()?.decision.effect)
    };
    let mut found = Vec::new();
    let mut note = |what: String, effect: Option<Effect>| {
        if let Some(effect) = effect.filter(|effect| *effect != decision.effect) {
            found.push(format!("{what}: then {}", super::policy::word(effect)));
        }
    };
    let matched = decision.rule.iter().chain(&decision.losing);
    for rule in matched {
        let mut without = bundle.clone();
        without.rules.retain(|known| known.id != rule.id);
        note(
            format!("without rule `{}`", rule.id),
            play(scenario, &without),
        );
    }
    for rule in &bundle.rules {
        let mut other = scenario.clone();
        match &rule.scope {
            cairn_policy::Scope::Team(team) if !scenario.teams.contains(team) => {
                other.teams.push(team.clone());
                note(
                    format!("in team `{team}` (rule `{}`)", rule.id),
                    play(&other, bundle),
                );
            }
            cairn_policy::Scope::Person(person) if scenario.person.as_ref() != Some(person) => {
                other.person = Some(person.clone());
                let what = format!("for person `{person}` (rule `{}`)", rule.id);
                note(what, play(&other, bundle));
            }
            cairn_policy::Scope::Role(role) if !scenario.roles.contains(role) => {
                other.roles.push(role.clone());
                note(
                    format!("with role `{role}` (rule `{}`)", rule.id),
                    play(&other, bundle),
                );
            }
            _ => {}
        }
        for (name, value) in rule.when.iter().flat_map(stated) {
            let mut other = scenario.clone();
            other.posture.insert(name.clone(), value.clone());
            note(
                format!("with {name} {value} (rule `{}`)", rule.id),
                play(&other, bundle),
            );
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The posture values a condition names.
fn stated(condition: &cairn_policy::Condition) -> Vec<(String, String)> {
    use cairn_policy::Condition as C;
    match condition {
        C::Posture { posture, is } => vec![(posture.clone(), is.clone())],
        C::Not { not } => stated(not),
        C::All { all } => all.iter().flat_map(stated).collect(),
        C::Any { any } => any.iter().flat_map(stated).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_decision_is_named() {
        let mut bundle = Bundle::empty("log.example", "security");
        bundle.rules = serde_json::from_value(json!([
            {"id":"all","effect":"deny","pattern":"Bash(kubectl *)","scope":{"global":true},
             "dialect":"cairn"},
            {"id":"infra","effect":"allow","pattern":"Bash(kubectl *)","scope":{"team":"infra"},
             "dialect":"cairn"},
            {"id":"disk","effect":"deny","pattern":"Bash(kubectl *)","scope":{"global":true},
             "when":{"not":{"posture":"disk_encryption","is":"on"}},"dialect":"cairn"},
        ]))
        .unwrap();
        let mut scenario = Scenario::of_command("kubectl get pods");
        scenario
            .posture
            .insert("disk_encryption".into(), "on".into());
        let compiled = compile(&bundle).unwrap();
        let decision = scenario.play(&compiled, 0).unwrap().decision;
        assert_eq!(
            changes(&scenario, &decision, &bundle),
            [
                "in team `infra` (rule `infra`): then allow",
                "without rule `all`: then no-opinion"
            ]
        );
        scenario.teams.push("infra".into());
        scenario.posture.clear();
        let decision = scenario.play(&compiled, 0).unwrap().decision;
        let found = changes(&scenario, &decision, &bundle);
        assert!(
            found.contains(&"with disk_encryption on (rule `disk`): then allow".to_owned()),
            "{found:?}"
        );
    }
}
