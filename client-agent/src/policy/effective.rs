//! The deny rules that Claude Code itself is given as a second line of defence.
//!
//! Owns the translation of Cairn's effective denies into Claude Code's flat list. Only rules whose
//! meaning survives are translated: there a deny beats every allow, so a deny that a narrower allow
//! may lift must not be in the list. The first line is the hook, which decides everything. Rules of
//! the file tools stay with the hook as well: Claude Code checks those before it calls any hook, so
//! that its own denial would leave no record.
//!
//! Source: Claude Code findings 0.7 and 6.

use cairn_event::{DecisionMode, Effect};
use cairn_policy::{Bundle, Dialect, Rule, Scope, Subject};

/// Tools whose rules Claude Code applies before its hooks.
const FILE_TOOLS: [&str; 6] = [
    "Read",
    "Edit",
    "Write",
    "NotebookEdit",
    "MultiEdit",
    "NotebookRead",
];

/// Patterns for `permissions.deny` that hold for `subject` whatever else the bundle says.
pub fn second_line(bundle: &Bundle, subject: &Subject, now_ms: u64) -> Vec<String> {
    if bundle.mode == DecisionMode::Monitor {
        return Vec::new();
    }
    let applying: Vec<&Rule> = bundle
        .rules
        .iter()
        .filter(|rule| applies(rule, subject, now_ms))
        .collect();
    let narrow_allow = applying
        .iter()
        .any(|rule| rule.effect == Effect::Allow && rule.scope != Scope::Global);
    let mut patterns: Vec<String> = applying
        .into_iter()
        .filter(|rule| rule.effect == Effect::Deny && (rule.mandatory || !narrow_allow))
        // A condition may change within the session, an anchor has no form in a settings file.
        .filter(|rule| rule.when.is_none() && rule.anchor.is_none())
        .filter(|rule| !is_file_rule(&rule.pattern))
        .flat_map(alternatives)
        .collect();
    patterns.sort();
    patterns.dedup();
    patterns
}

/// Whether Claude Code applies a rule of this pattern before it calls any hook.
pub fn is_file_rule(pattern: &str) -> bool {
    let tool = pattern.split('(').next().unwrap_or(pattern);
    FILE_TOOLS.contains(&tool)
}

fn applies(rule: &Rule, subject: &Subject, now_ms: u64) -> bool {
    let in_scope = rule.scope.covers(subject);
    let alive = rule.expires_ms.is_none_or(|end| now_ms < end);
    in_scope && alive && rule.mode != Some(DecisionMode::Monitor)
}

/// A spaced bar means alternatives in Cairn's dialect and a literal pipeline in Claude Code's.
fn alternatives(rule: &Rule) -> Vec<String> {
    let inner = rule
        .pattern
        .strip_prefix("Bash(")
        .and_then(|rest| rest.strip_suffix(')'));
    match inner {
        Some(inner) if rule.dialect == Dialect::Cairn && inner.contains(" | ") => inner
            .split(" | ")
            .map(|part| format!("Bash({})", part.trim()))
            .collect(),
        _ => vec![rule.pattern.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle(rules: serde_json::Value) -> Bundle {
        let mut bundle = Bundle::empty("log.example", "sec@example.com");
        bundle.rules = serde_json::from_value(rules).unwrap();
        bundle
    }

    #[test]
    fn a_deny_that_may_be_lifted_is_left_to_the_hook() {
        let rules = json!([
            {"id":"a","effect":"deny","pattern":"Bash(kubectl *)","scope":{"global":true},
             "dialect":"cairn"},
            {"id":"b","effect":"deny","pattern":"Bash(curl * | wget *)","scope":{"global":true},
             "dialect":"cairn","mandatory":true},
            {"id":"c","effect":"allow","pattern":"Bash(kubectl *)","scope":{"team":"infra"},
             "dialect":"cairn"},
        ]);
        let infra = Subject {
            teams: vec!["infra".into()],
            ..Subject::default()
        };
        let lines = second_line(&bundle(rules.clone()), &infra, 0);
        assert_eq!(lines, ["Bash(curl *)", "Bash(wget *)"]);
        let lines = second_line(&bundle(rules), &Subject::default(), 0);
        assert_eq!(lines, ["Bash(curl *)", "Bash(kubectl *)", "Bash(wget *)"]);
    }
}
