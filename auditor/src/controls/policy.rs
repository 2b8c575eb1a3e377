//! Tests about policies: named, published before use, and strict where nothing matches.

use super::{Outcome, Verdicts};
use crate::evidence::{EventRow, Tables};
use std::collections::HashSet;

fn of_type<'a>(tables: &'a Tables, kind: &'a str) -> impl Iterator<Item = &'a EventRow> {
    tables
        .events
        .iter()
        .filter(move |row| row.event_type.as_deref() == Some(kind))
}

/// T-CON-03: every decision names what decided, and a policy that the log holds.
pub fn decisions_name_their_policy(tables: &Tables, _: &Verdicts) -> Outcome {
    let known: HashSet<(&str, &str)> = tables
        .policies
        .iter()
        .map(|row| (row.policy_version.as_str(), row.policy_hash.as_str()))
        .collect();
    let nameless = of_type(tables, "tool.decision").filter(|row| {
        let decided =
            row.rule_id.is_some() || matches!(row.decided_by.as_deref(), Some("default" | "gate"));
        let policy = row
            .policy_version
            .as_deref()
            .zip(row.policy_hash.as_deref());
        !decided || !policy.is_some_and(|policy| known.contains(&policy))
    });
    let nameless: Vec<i64> = nameless.map(|row| row.leaf_index).collect();
    Outcome::new(of_type(tables, "tool.decision").count(), nameless)
}

/// T-CON-04: a decision names a policy entry that the log already held.
pub fn policies_precede_their_decisions(tables: &Tables, _: &Verdicts) -> Outcome {
    let early = of_type(tables, "tool.decision").filter(|row| {
        row.policy_index
            .is_some_and(|policy| policy > row.leaf_index)
    });
    let early: Vec<i64> = early.map(|row| row.leaf_index).collect();
    Outcome::new(of_type(tables, "tool.decision").count(), early)
}

/// T-ENF-08: every policy denies or asks where no rule matches.
pub fn default_is_deny_or_ask(tables: &Tables, _: &Verdicts) -> Outcome {
    let strict: HashSet<&str> = tables
        .policy_rules
        .iter()
        .filter(|rule| rule.default_rule && matches!(rule.effect.as_str(), "deny" | "ask"))
        .map(|rule| rule.policy_version.as_str())
        .collect();
    let lax = tables
        .policies
        .iter()
        .filter(|row| !strict.contains(row.policy_version.as_str()));
    Outcome::new(tables.policies.len(), lax.map(|row| row.policy_index))
}

/// T-CHG-06: devices load only policies that the log holds.
pub fn loaded_policies_are_published(tables: &Tables, _: &Verdicts) -> Outcome {
    let known: HashSet<&str> = tables
        .policies
        .iter()
        .map(|row| row.policy_hash.as_str())
        .collect();
    let drifted = of_type(tables, "policy.load").filter(|row| {
        !row.policy_hash
            .as_deref()
            .is_some_and(|hash| known.contains(hash))
    });
    let drifted: Vec<i64> = drifted.map(|row| row.leaf_index).collect();
    Outcome::new(of_type(tables, "policy.load").count(), drifted)
}
