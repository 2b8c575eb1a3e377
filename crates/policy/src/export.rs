//! Exporting a bundle as Claude Code settings.
//!
//! Owns the translation back, and the list of what a settings file cannot say. What is left out is
//! enforced by Cairn and not by the exported file alone.
//! Source: Claude Code findings 2.1; architecture section 4.

use crate::bundle::{Bundle, Rule, Scope};
use crate::command_pattern::alternatives;
use crate::mcp::{McpDefault, McpEntry};
use cairn_event::{DecisionMode, Effect};
use serde_json::{Map, Value, json};

/// Settings, and what they could not hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// A settings file's members.
    pub settings: Value,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// Something that a settings file cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{what}` is left out: {why}")]
pub struct LeftOut {
    /// The rule's id, or the member of the bundle.
    pub what: String,
    /// Why.
    pub why: LeftOutCause,
}

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeftOutCause {
    /// Settings know no teams, roles or persons.
    #[error("it is not for everybody")]
    Scope,
    /// Settings know no posture.
    #[error("it has a condition on posture")]
    Condition,
    /// Settings do not end.
    #[error("it ends")]
    Expiry,
    /// Settings know no monitoring.
    #[error("it is only monitored")]
    Monitor,
    /// A more specific allow lifts it for some people, and settings would deny it to them too.
    #[error("an exception lifts it for somebody")]
    Exception,
    /// Settings have no such member.
    #[error("settings cannot say it")]
    NoSuchMember,
}

/// Exports what is for everybody, always.
pub fn export_settings(bundle: &Bundle) -> Exported {
    let mut lists = [
        (Effect::Allow, "allow", Vec::new()),
        (Effect::Ask, "ask", Vec::new()),
        (Effect::Deny, "deny", Vec::new()),
    ];
    let mut left_out = Vec::new();
    let mut leave = |what: &str, why| {
        left_out.push(LeftOut {
            what: what.to_owned(),
            why,
        });
    };
    let lifted = bundle
        .rules
        .iter()
        .any(|rule| rule.effect == Effect::Allow && rule.scope != Scope::Global);
    for rule in &bundle.rules {
        if let Some(why) = obstacle(rule, bundle.mode, lifted) {
            leave(&rule.id, why);
            continue;
        }
        for (effect, _, list) in &mut lists {
            if *effect == rule.effect {
                list.extend(patterns(rule));
            }
        }
    }
    let nothing_else = [
        ("default", bundle.default != Effect::NoOpinion),
        ("gates", !bundle.gates.is_empty()),
        ("mcp.servers", !bundle.mcp.servers.is_empty()),
    ];
    for (member, present) in nothing_else {
        if present {
            leave(member, LeftOutCause::NoSuchMember);
        }
    }
    let permissions: Map<String, Value> = lists
        .into_iter()
        .map(|(_, name, list)| (name.to_owned(), json!(list)))
        .collect();
    let mut settings = Map::from_iter([("permissions".to_owned(), Value::Object(permissions))]);
    if bundle.mcp.default == McpDefault::Block {
        settings.insert("allowedMcpServers".to_owned(), entries(&bundle.mcp.allow));
    }
    if !bundle.mcp.deny.is_empty() {
        settings.insert("deniedMcpServers".to_owned(), entries(&bundle.mcp.deny));
    }
    Exported {
        settings: Value::Object(settings),
        left_out,
    }
}

fn obstacle(rule: &Rule, mode: DecisionMode, lifted: bool) -> Option<LeftOutCause> {
    if mode == DecisionMode::Monitor || rule.mode == Some(DecisionMode::Monitor) {
        Some(LeftOutCause::Monitor)
    } else if rule.scope != Scope::Global {
        Some(LeftOutCause::Scope)
    } else if rule.when.is_some() {
        Some(LeftOutCause::Condition)
    } else if rule.expires_ms.is_some() {
        Some(LeftOutCause::Expiry)
    } else if rule.effect != Effect::Allow && lifted && !rule.mandatory {
        Some(LeftOutCause::Exception)
    } else {
        None
    }
}

/// The patterns in Claude Code's own reading: alternatives apart, anchored paths from the root.
fn patterns(rule: &Rule) -> Vec<String> {
    let Some((tool, specifier)) = rule
        .pattern
        .split_once('(')
        .and_then(|(tool, rest)| Some((tool, rest.strip_suffix(')')?)))
    else {
        return vec![rule.pattern.clone()];
    };
    if let (Some(anchor), true) = (
        &rule.anchor,
        specifier.starts_with('/') && !specifier.starts_with("//"),
    ) {
        let anchor = anchor.trim_matches('/');
        return vec![format!("{tool}(//{anchor}{specifier})")];
    }
    match tool {
        "Bash" | "Monitor" => alternatives(specifier, rule.effect, rule.dialect)
            .into_iter()
            .map(|one| format!("{tool}({})", one.trim()))
            .collect(),
        _ => vec![rule.pattern.clone()],
    }
}

fn entries(list: &[McpEntry]) -> Value {
    list.iter()
        .map(|entry| match entry {
            McpEntry::Name { name } => json!({ "serverName": name }),
            McpEntry::Command { command } => json!({ "serverCommand": command }),
            McpEntry::Url { url } => json!({ "serverUrl": url }),
        })
        .collect()
}
