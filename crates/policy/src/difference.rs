//! What changes between two policies: which rules, and which calls.
//!
//! Owns the example calls that a policy's own patterns suggest and their comparison under both. A list
//! of examples proves nothing about the calls that are not in it; it shows what an author should look
//! at. Source: architecture section 4.

use crate::bundle::{Bundle, Rule, Scope};
use crate::compile::CompiledBundle;
use crate::scenario::Scenario;
use cairn_event::{DecisionMode, Effect};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Most example calls compared: a quarter of a million decisions take seconds.
const MAX_EXAMPLES: usize = 20_000;

/// A rule that is in one policy and not, or not alike, in the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Only the new policy has it.
    Added(Rule),
    /// Only the old policy has it.
    Removed(Rule),
    /// Both have one of this id.
    Changed {
        /// As it was.
        from: Box<Rule>,
        /// As it is.
        to: Box<Rule>,
    },
}

/// A call that the two policies decide differently.
#[derive(Clone, Debug, PartialEq)]
pub struct CallChange {
    /// The call and whose it is.
    pub scenario: Scenario,
    /// The old verdict.
    pub from: Effect,
    /// The rule behind it.
    pub from_rule: Option<String>,
    /// The new verdict.
    pub to: Effect,
    /// The rule behind it.
    pub to_rule: Option<String>,
}

/// The rules that differ, by id.
pub fn changed_rules(old: &Bundle, new: &Bundle) -> Vec<RuleChange> {
    let by_id = |bundle: &Bundle| -> BTreeMap<String, Rule> {
        let rules = bundle.rules.iter();
        rules.map(|rule| (rule.id.clone(), rule.clone())).collect()
    };
    let (old, new) = (by_id(old), by_id(new));
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    ids.into_iter()
        .filter_map(|id| match (old.get(id), new.get(id)) {
            (None, Some(rule)) => Some(RuleChange::Added(rule.clone())),
            (Some(rule), None) => Some(RuleChange::Removed(rule.clone())),
            (Some(from), Some(to)) if from != to => Some(RuleChange::Changed {
                from: Box::new((*from).clone()),
                to: Box::new((*to).clone()),
            }),
            _ => None,
        })
        .collect()
}

/// Members outside the rules that differ, by name.
pub fn changed_members(old: &Bundle, new: &Bundle) -> Vec<&'static str> {
    let mut changed = Vec::new();
    let mut note = |name, differs: bool| {
        if differs {
            changed.push(name);
        }
    };
    note("default", old.default != new.default);
    note("mode", old.mode != new.mode);
    note(
        "max_posture_age_ms",
        old.max_posture_age_ms != new.max_posture_age_ms,
    );
    note("spool_full", old.spool_full != new.spool_full);
    note("prompts", old.prompts != new.prompts);
    note("contact", old.contact != new.contact);
    note("mcp", old.mcp != new.mcp);
    note("gates", old.gates != new.gates);
    note("staleness", old.staleness != new.staleness);
    changed
}

/// The example calls that two policies decide differently.
///
/// Examples are the given scenarios and, for each pattern of either policy, calls it suggests, once for
/// each team, role and person that a rule of either names, and once for nobody in particular.
pub fn changed_calls(
    old: &CompiledBundle,
    new: &CompiledBundle,
    given: &[Scenario],
    now_ms: u64,
) -> Vec<CallChange> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for scenario in given {
        // Both documents may hold the same test; what it expects makes no other call of it.
        let call = Scenario {
            name: String::new(),
            expect: None,
            by: None,
            ..scenario.clone()
        };
        if !scenarios.contains(&call) {
            scenarios.push(call);
        }
    }
    let people = people(old.bundle(), new.bundle());
    for call in calls(old.bundle(), new.bundle()) {
        for person in &people {
            if scenarios.len() >= MAX_EXAMPLES {
                break;
            }
            scenarios.push(Scenario {
                tool: call.tool.clone(),
                input: call.input.clone(),
                command: call.command.clone(),
                ..person.clone()
            });
        }
    }
    scenarios
        .into_iter()
        .filter_map(|scenario| {
            // A given scenario that is no call was reported when it was read.
            let (from, to) = (
                scenario.play(old, now_ms).ok()?.decision,
                scenario.play(new, now_ms).ok()?.decision,
            );
            let was = (from.applied(), from.effect, from.mode);
            let is = (to.applied(), to.effect, to.mode);
            (was != is).then(|| CallChange {
                scenario,
                from: from.effect,
                from_rule: from.rule.map(|rule| rule.id),
                to: to.effect,
                to_rule: to.rule.map(|rule| rule.id),
            })
        })
        .collect()
}

/// Nobody, and one for each scope that a rule names; each with every posture value it is tested for.
fn people(old: &Bundle, new: &Bundle) -> Vec<Scenario> {
    let mut people = vec![Scenario::of_command("")];
    for rule in old.rules.iter().chain(&new.rules) {
        let mut one = Scenario::of_command("");
        match &rule.scope {
            Scope::Global => continue,
            Scope::Team(team) => one.teams = vec![team.clone()],
            Scope::Role(role) => one.roles = vec![role.clone()],
            Scope::Person(person) => one.person = Some(person.clone()),
        }
        if !people.contains(&one) {
            people.push(one);
        }
    }
    people
}

/// One call for each pattern, its wildcards filled in.
fn calls(old: &Bundle, new: &Bundle) -> Vec<Scenario> {
    let mut calls = Vec::new();
    for rule in old.rules.iter().chain(&new.rules) {
        for call in example(rule) {
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
    }
    calls
}

/// Calls that a rule's own pattern suggests; none where its tool takes input nobody can guess.
pub(crate) fn example(rule: &Rule) -> Vec<Scenario> {
    let (tool, specifier) = match rule.pattern.split_once('(') {
        Some((tool, rest)) => (tool, rest.strip_suffix(')').unwrap_or(rest)),
        None => (rule.pattern.as_str(), ""),
    };
    let filled = |text: &str| text.replace("**", "x").replace('*', "x");
    match tool {
        "Bash" | "Monitor" => specifier
            .split(" | ")
            .map(|one| {
                let one = one
                    .strip_suffix(":*")
                    .map_or_else(|| filled(one), |one| format!("{one} x"));
                Scenario::of_command(if one.is_empty() { "make" } else { &one })
            })
            .collect(),
        "Read" | "Edit" => {
            let path = match specifier {
                "" => "x".to_owned(),
                path => filled(path.strip_prefix("./").unwrap_or(path)),
            };
            let path = match (
                path.strip_prefix("//"),
                &rule.anchor,
                path.strip_prefix('/'),
            ) {
                (Some(absolute), ..) => format!("/{absolute}"),
                (None, Some(anchor), Some(below)) => format!("{anchor}/{below}"),
                _ => path,
            };
            vec![of_tool(tool, json!({ "file_path": path }))]
        }
        "WebFetch" => {
            let host = filled(specifier.strip_prefix("domain:").unwrap_or("example.com"));
            vec![of_tool(tool, json!({ "url": format!("https://{host}/") }))]
        }
        "Agent" | "Task" => vec![of_tool("Agent", json!({ "subagent_type": specifier }))],
        "Skill" => vec![of_tool(tool, json!({ "skill": filled(specifier) }))],
        "" => Vec::new(),
        mcp if mcp.starts_with("mcp__") => {
            let name = filled(mcp);
            let whole_server = name.matches("__").count() == 1;
            let name = if whole_server {
                format!("{name}__x")
            } else {
                name
            };
            vec![of_tool(&name, json!({}))]
        }
        tool => vec![of_tool(&filled(tool), json!({}))],
    }
}

fn of_tool(tool: &str, input: serde_json::Value) -> Scenario {
    Scenario {
        tool: Some(tool.to_owned()),
        input: Some(input),
        command: None,
        ..Scenario::of_command("")
    }
}

/// Whether a change of rules can make some call less strict than before, by the rules alone.
///
/// Over-approximates: a removed deny or ask, an added allow, a rule that no longer applies to all it did.
pub fn may_widen(change: &RuleChange) -> bool {
    let enforced = |rule: &Rule| rule.mode != Some(DecisionMode::Monitor);
    match change {
        RuleChange::Added(rule) => rule.effect == Effect::Allow && enforced(rule),
        RuleChange::Removed(rule) => rule.effect != Effect::Allow && enforced(rule),
        RuleChange::Changed { from, to } => {
            let told_apart = Rule {
                note: to.note.clone(),
                ..from.as_ref().clone()
            };
            told_apart != **to
        }
    }
}
