//! `cairn why`: one decision in words, from the entry that the log has.

use super::print_json;
use crate::policy::Stored;
use crate::receipts::{Receipted, read_all};
use crate::state::StateDir;
use anyhow::Context as _;
use cairn_event::body::{Body, ToolDecision};
use cairn_event::encoding::from_base64url;
use cairn_event::{DecisionMode, Effect, Entry, RuleRef};
use cairn_policy::Bundle;
use std::process::ExitCode;

pub(super) fn run(state: &StateDir, what: &str, json: bool) -> anyhow::Result<ExitCode> {
    let index: Option<u64> = what.parse().ok();
    let all = read_all(&state.receipts())?;
    let found = all.iter().find_map(|one| matching(one, what, index));
    let (index, entry, decision) = found.with_context(|| {
        format!("no receipted decision `{what}` on this device; see `cairn log` and `cairn status`")
    })?;
    if json {
        print_json(&decision)?;
        return Ok(ExitCode::SUCCESS);
    }
    let bundle = bundle(state, entry.payload().context.policy);
    println!(
        "log index {index}, tool {}, call {}",
        decision.tool, decision.use_id
    );
    println!("{}", outcome(&decision));
    match &decision.rule {
        Some(rule) => println!("decided by {}", named(rule, bundle.as_ref())),
        None => println!("no rule decided: {}", reason(&decision.why)),
    }
    for rule in &decision.lost {
        println!("lost: {}", named(rule, bundle.as_ref()));
    }
    let context = &entry.payload().context;
    if let (Some(policy), Some(roster)) = (context.policy, context.roster) {
        println!("under policy entry {policy} and roster entry {roster}");
    }
    if let Some(bundle) = &bundle {
        println!("ask {} about it", bundle.contact);
    }
    Ok(ExitCode::SUCCESS)
}

fn matching(one: &Receipted, what: &str, index: Option<u64>) -> Option<(u64, Entry, ToolDecision)> {
    let entry = Entry::parse(one.entry.as_bytes()).ok()?;
    let Body::ToolDecision(decision) = &entry.payload().body else {
        return None;
    };
    if index != Some(one.index) && decision.use_id != what {
        return None;
    }
    let decision = decision.clone();
    Some((one.index, entry, decision))
}

/// The bundle in force, if it is the one the decision used.
fn bundle(state: &StateDir, index: Option<u64>) -> Option<Bundle> {
    let stored = Stored::open(state).ok()?.policy().ok()?.policy?;
    if Some(stored.index) != index {
        return None;
    }
    Bundle::parse(&from_base64url(&stored.bundle)?).ok()
}

fn named(rule: &RuleRef, bundle: Option<&Bundle>) -> String {
    let pattern = bundle
        .and_then(|bundle| bundle.rules.iter().find(|known| known.id == rule.id))
        .map(|known| format!(" ({})", known.pattern))
        .unwrap_or_default();
    let effect = format!("{:?}", rule.effect).to_lowercase();
    let rank = format!("{:?}", rule.rank).to_lowercase();
    format!("{effect} rule `{}`{pattern}, rank {rank}", rule.id)
}

fn outcome(decision: &ToolDecision) -> String {
    let word = match decision.effect {
        Effect::Allow => "allowed",
        Effect::Deny => "denied",
        Effect::Ask => "put to a person",
        Effect::NoOpinion => "left to Claude Code's own permissions",
    };
    match decision.mode {
        DecisionMode::Enforce => format!("It was {word}."),
        DecisionMode::Monitor => format!("It would have been {word}; the policy only monitors."),
    }
}

fn reason(why: &str) -> &'static str {
    match why {
        "default" => "nothing matched, so the organisation's default did",
        "gate" => "a session gate was closed",
        "stale-policy" => "there was no verified, current policy",
        _ => "the call could not be understood, which is a denial",
    }
}
