//! Advice about rules: what can never match, and what says less than its author meant.
//!
//! Owns the observations. A lint never changes a decision.
//! Source: Claude Code findings 2.1, 2.4 and 2.5.

use crate::bundle::{Bundle, Dialect, Rule, Scope};
use crate::command_pattern::has_bar;
use crate::pattern::{self, Kind, PatternProblem};
use crate::shadow;
use cairn_event::{DecisionMode, Effect};

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The pattern it is about.
    pub pattern: String,
    /// The rule's id, where it has one.
    pub rule: Option<String>,
    /// What was noticed.
    pub kind: LintKind,
    /// Patterns that would say what was probably meant.
    pub instead: Vec<String>,
}

/// What was noticed about a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LintKind {
    /// The rule can never match; an import leaves it out.
    #[error("the rule never matches: {0}")]
    NeverMatches(PatternProblem),
    /// A literal pipeline, where two commands were probably meant.
    #[error("the bar is part of the pattern: only that exact pipeline matches")]
    LiteralBar,
    /// A bar in an allow rule is never read as alternatives.
    #[error("a bar in an allow rule is part of the pattern")]
    AllowBar,
    /// A bare `Edit` deny leaves `Write` and the shell.
    #[error("a bare deny of `Edit` leaves `Write` and the shell; deny the paths")]
    BareEdit,
    /// A bare `Read` deny leaves `cat` in the shell.
    #[error("a bare deny of `Read` leaves `cat` in the shell; deny the paths")]
    BareRead,
    /// A pattern that matches text anywhere in a command.
    #[error("the pattern also matches arguments that merely contain the word")]
    Substring,
    /// A carve-out that is kept as an ask.
    #[error("a `!` carve-out of an allow becomes an ask for the same path")]
    NegatedAllow,
    /// A carve-out that is left out.
    #[error("a `!` carve-out of a deny or ask is left out, which is stricter")]
    NegatedDeny,
    /// Another rule says the same.
    #[error("the rule says the same as rule `{0}`")]
    Duplicate(String),
    /// Another rule always decides first.
    #[error("the rule never decides: rule `{0}` covers every call it matches")]
    Shadowed(String),
    /// The rule has ended.
    #[error("the rule has ended")]
    Ended,
    /// A person's exception that nobody has to think of again.
    #[error("an exception for a person should end; give it `expires_ms` and `approver`")]
    EndlessException,
    /// A gate of a policy that closes nothing.
    #[error("the policy only monitors, so the gate closes nothing")]
    MonitoredGate,
    /// The settings hold something an import does not understand.
    #[error("`{0}` is not imported")]
    NotImported(String),
}

/// Advice about every rule of a bundle that compiles or does not.
pub fn lint_bundle(bundle: &Bundle) -> Vec<Lint> {
    let mut found: Vec<Lint> = bundle.rules.iter().flat_map(lint_rule).collect();
    found.extend(shadow::lint(&bundle.rules));
    if bundle.mode == DecisionMode::Monitor {
        let idle = bundle.gates.iter().filter(|gate| gate.mode.is_none());
        found.extend(idle.map(|gate| Lint {
            pattern: gate.id.clone(),
            rule: Some(gate.id.clone()),
            kind: LintKind::MonitoredGate,
            instead: Vec::new(),
        }));
    }
    found
}

/// As [`lint_bundle`], with what depends on the day: `now_ms` is milliseconds since 1970.
pub fn lint_bundle_at(bundle: &Bundle, now_ms: u64) -> Vec<Lint> {
    let mut found = lint_bundle(bundle);
    for rule in &bundle.rules {
        let kind = match (&rule.scope, rule.effect, rule.expires_ms) {
            (_, _, Some(end)) if end <= now_ms => LintKind::Ended,
            (Scope::Person(_), Effect::Allow, None) => LintKind::EndlessException,
            _ => continue,
        };
        found.push(Lint {
            pattern: rule.pattern.clone(),
            rule: Some(rule.id.clone()),
            kind,
            instead: Vec::new(),
        });
    }
    found
}

/// Advice about one rule.
pub fn lint_rule(rule: &Rule) -> Vec<Lint> {
    let lint = |kind, instead: &[&str]| Lint {
        pattern: rule.pattern.clone(),
        rule: Some(rule.id.clone()),
        kind,
        instead: instead.iter().map(|text| (*text).to_owned()).collect(),
    };
    let kind = match pattern::parse(
        &rule.pattern,
        rule.effect,
        rule.dialect,
        rule.anchor.as_deref(),
    ) {
        Ok(kind) => kind,
        Err(problem) => return vec![lint(LintKind::NeverMatches(problem), &[])],
    };
    let mut found = Vec::new();
    if rule.effect != Effect::Allow {
        match &kind {
            Kind::Tool(tool) if tool == "Edit" => {
                found.push(lint(LintKind::BareEdit, &["Edit(//**)", "Write"]));
            }
            Kind::Tool(tool) if tool == "Read" => {
                found.push(lint(LintKind::BareRead, &["Read(//**)"]))
            }
            _ => {}
        }
    }
    if matches!(kind, Kind::Command(_)) {
        found.extend(lint_command(rule));
    }
    found
}

fn lint_command(rule: &Rule) -> Vec<Lint> {
    let specifier = rule
        .pattern
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or_default()
        .trim();
    let lint = |kind, instead| Lint {
        pattern: rule.pattern.clone(),
        rule: Some(rule.id.clone()),
        kind,
        instead,
    };
    let mut found = Vec::new();
    if has_bar(specifier) {
        let alternatives = specifier
            .split(" | ")
            .map(|part| format!("Bash({})", part.trim()))
            .collect();
        match (rule.effect, rule.dialect) {
            (Effect::Allow, _) => found.push(lint(LintKind::AllowBar, alternatives)),
            (_, Dialect::Claude) => found.push(lint(LintKind::LiteralBar, alternatives)),
            (_, Dialect::Cairn) => {}
        }
    }
    let word = specifier.trim_matches('*').trim();
    if specifier.starts_with('*') && !word.is_empty() && !word.contains(' ') {
        found.push(lint(LintKind::Substring, vec![format!("Bash({word} *)")]));
    }
    found
}
