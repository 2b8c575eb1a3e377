//! Tests of family T-ENF about decisions and what became of them.

use super::{Outcome, US_PER_S, Verdicts, parameter};
use crate::evidence::{EventRow, Tables};
use std::collections::HashMap;

/// The call a decision or result belongs to: session and the agent's identifier of the call.
type Call<'a> = (&'a str, &'a str);

fn of_type<'a>(tables: &'a Tables, kind: &'a str) -> impl Iterator<Item = &'a EventRow> {
    tables
        .events
        .iter()
        .filter(move |row| row.event_type.as_deref() == Some(kind))
}

fn decisions(tables: &Tables) -> impl Iterator<Item = &EventRow> {
    of_type(tables, "tool.decision")
}

fn results(tables: &Tables) -> impl Iterator<Item = &EventRow> {
    of_type(tables, "tool.result")
}

fn call(row: &EventRow) -> Option<Call<'_>> {
    row.session_id.as_deref().zip(row.tool_use_id.as_deref())
}

fn decisions_by_call(tables: &Tables) -> HashMap<Call<'_>, Vec<&EventRow>> {
    let mut calls: HashMap<Call<'_>, Vec<&EventRow>> = HashMap::new();
    for row in decisions(tables) {
        if let Some(call) = call(row) {
            calls.entry(call).or_default().push(row);
        }
    }
    calls
}

/// T-ENF-01: nothing that was denied ran, unless an allow of the same call came in between.
pub fn nothing_ran_after_a_deny(tables: &Tables, _: &Verdicts) -> Outcome {
    let calls = decisions_by_call(tables);
    let is = |row: &EventRow, effect: &str| row.decision.as_deref() == Some(effect);
    let mut ran = Vec::new();
    for result in results(tables).filter(|row| row.outcome.as_deref() == Some("success")) {
        let decided = call(result).and_then(|call| calls.get(&call));
        for deny in decided.into_iter().flatten().filter(|row| {
            is(row, "deny")
                && row.decision_mode.as_deref() == Some("enforce")
                && row.event_time <= result.event_time
        }) {
            let lifted = decided.into_iter().flatten().any(|row| {
                is(row, "allow")
                    && row.event_time >= deny.event_time
                    && row.event_time <= result.event_time
            });
            if !lifted {
                ran.push(result.leaf_index);
            }
        }
    }
    Outcome::new(decisions(tables).filter(|row| is(row, "deny")).count(), ran)
}

/// T-ENF-02: every result follows a decision of the same call.
///
/// Trap: a call decided before the range and finished in it is an exception; choose the period at a
/// quiet moment or look at the entry before.
pub fn results_follow_a_decision(tables: &Tables, _: &Verdicts) -> Outcome {
    let calls = decisions_by_call(tables);
    let orphaned = results(tables).filter(|result| {
        let decided = call(result).and_then(|call| calls.get(&call));
        !decided
            .into_iter()
            .flatten()
            .any(|row| row.event_time <= result.event_time)
    });
    let orphaned: Vec<i64> = orphaned.map(|row| row.leaf_index).collect();
    Outcome::new(results(tables).count(), orphaned)
}

/// T-ENF-03: decisions are enforced, not only recorded.
pub fn decisions_are_enforced(tables: &Tables, _: &Verdicts) -> Outcome {
    let monitored = decisions(tables).filter(|row| row.decision_mode.as_deref() != Some("enforce"));
    let monitored: Vec<i64> = monitored.map(|row| row.leaf_index).collect();
    Outcome::new(decisions(tables).count(), monitored)
}

/// T-ENF-04: replaying the recorded inputs against the recorded policy gives the same decision. A
/// decision whose inputs are not here was not replayed, and the test is not passed for it.
pub fn replay_reproduces(tables: &Tables, verdicts: &Verdicts) -> Outcome {
    Outcome::new(
        decisions(tables).count(),
        verdicts.replay_mismatches.iter().copied(),
    )
    .without(verdicts.not_replayed.len())
}

/// T-ENF-06: posture was at most `posture_max_age_s` old when the decision was made.
pub fn posture_was_fresh(tables: &Tables, _: &Verdicts) -> Outcome {
    let limit = parameter(tables, "posture_max_age_s", 300).saturating_mul(US_PER_S);
    let stale = decisions(tables).filter(|row| match (row.event_time, row.posture_checked_at) {
        (Some(event), Some(checked)) => event.saturating_sub(checked) > limit,
        _ => true,
    });
    let stale: Vec<i64> = stale.map(|row| row.leaf_index).collect();
    Outcome::new(decisions(tables).count(), stale)
}
