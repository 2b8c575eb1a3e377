//! `cairn log`: the receipts this device holds.

use super::{moment, print_json};
use crate::enrolment::Identity;
use crate::receipts::{Receipted, read_all};
use crate::state::StateDir;
use cairn_event::body::Body;
use cairn_event::{Effect, Entry};
use cairn_tlog::TrustPolicy;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Serialize)]
struct Row {
    index: u64,
    time_ms: u64,
    kind: &'static str,
    tool: Option<String>,
    effect: Option<Effect>,
    rule: Option<String>,
    use_id: Option<String>,
    witnesses: Vec<String>,
    verified: Option<bool>,
    problem: Option<String>,
}

pub(super) fn run(
    state: &StateDir,
    verify: bool,
    limit: usize,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let identity = Identity::load(state)?;
    let policy = TrustPolicy::parse(&identity.trust_policy)?;
    let all = read_all(&state.receipts())?;
    let newest = all
        .get(all.len().saturating_sub(limit)..)
        .unwrap_or_default();
    let rows = newest
        .iter()
        .map(|one| row(one, &policy, verify))
        .collect::<Result<Vec<_>, _>>()?;
    let bad = rows
        .iter()
        .filter(|row| row.verified == Some(false))
        .count();
    if json {
        print_json(&rows)?;
    } else {
        rows.iter().for_each(print);
        if verify {
            say!(
                "{} receipts verified offline, {bad} failed",
                rows.len() - bad
            );
        }
    }
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn row(one: &Receipted, policy: &TrustPolicy, verify: bool) -> anyhow::Result<Row> {
    let entry = Entry::parse(one.entry.as_bytes())?;
    let payload = entry.payload();
    let mut row = Row {
        index: one.index,
        time_ms: payload.time_ms,
        kind: payload.body.kind(),
        tool: None,
        effect: None,
        rule: None,
        use_id: None,
        witnesses: Vec::new(),
        verified: None,
        problem: None,
    };
    match &payload.body {
        Body::ToolDecision(decision) => {
            row.tool = Some(decision.tool.clone());
            row.effect = Some(decision.effect);
            row.rule = decision.rule.as_ref().map(|rule| rule.id.clone());
            row.use_id = Some(decision.use_id.clone());
        }
        Body::ToolOutcome(outcome) => {
            row.tool = Some(outcome.tool.clone());
            row.use_id = Some(outcome.use_id.clone());
        }
        Body::McpSeen(seen) => {
            row.tool = Some(seen.name.clone());
            row.effect = Some(seen.effect);
        }
        _ => {}
    }
    match one.verify(policy) {
        Ok(shown) => {
            row.witnesses = shown.witnesses.into_iter().map(|(name, _)| name).collect();
            row.verified = verify.then_some(true);
        }
        Err(error) => {
            row.verified = Some(false);
            row.problem = Some(error.to_string());
        }
    }
    Ok(row)
}

fn print(row: &Row) {
    let effect = row
        .effect
        .map_or(String::new(), |effect| format!("{effect:?}").to_lowercase());
    say!(
        "{:>8}  {}  {:<16} {:<10} {:<20} {:<24} {}{}",
        row.index,
        moment(row.time_ms).unwrap_or_else(|| row.time_ms.to_string()),
        row.kind,
        effect,
        row.tool.as_deref().unwrap_or_default(),
        row.rule.as_deref().unwrap_or_default(),
        row.witnesses.join(","),
        row.problem
            .as_ref()
            .map(|problem| format!("  NOT VALID: {problem}"))
            .unwrap_or_default(),
    );
}
