//! Rules that never decide: duplicates, and rules that a stronger one always comes before.
//!
//! Owns the comparison of patterns with each other. It says so only where it is certain: a pattern
//! whose wildcards are taken as unknown text must be covered whatever that text is.
//! Source: architecture section 4, items 3 to 5.

use crate::bundle::{Rule, Scope};
use crate::glob::{Match, Sym, Text};
use crate::lint::{Lint, LintKind};
use crate::pattern::{self, Kind};
use crate::work::Work;
use cairn_event::{DecisionMode, Effect};

/// Most rules compared with each other: the work grows with the square.
const MAX_COMPARED: usize = 2_000;

/// Duplicates and shadowed rules among `rules`.
pub(crate) fn lint(rules: &[Rule]) -> Vec<Lint> {
    if rules.len() > MAX_COMPARED {
        return Vec::new();
    }
    let kinds: Vec<Option<Kind>> = rules.iter().map(kind_of).collect();
    let mut found = Vec::new();
    for (position, rule) in rules.iter().enumerate() {
        let others = rules.iter().zip(&kinds).enumerate();
        let mut first = None;
        for (place, (other, kind)) in others {
            if place == position || first.is_some() {
                continue;
            }
            let own = kinds.get(position).and_then(Option::as_ref);
            first = match (own, kind) {
                _ if place < position && same(rule, other) => {
                    Some(LintKind::Duplicate(other.id.clone()))
                }
                (Some(own), Some(kind)) if stronger(other, rule) && covers(kind, own, rule) => {
                    Some(LintKind::Shadowed(other.id.clone()))
                }
                _ => None,
            };
        }
        if let Some(kind) = first {
            found.push(Lint {
                pattern: rule.pattern.clone(),
                rule: Some(rule.id.clone()),
                kind,
                instead: Vec::new(),
            });
        }
    }
    found
}

fn kind_of(rule: &Rule) -> Option<Kind> {
    let anchor = rule.anchor.as_deref();
    pattern::parse(&rule.pattern, rule.effect, rule.dialect, anchor).ok()
}

fn same(one: &Rule, other: &Rule) -> bool {
    (one.effect, &one.pattern, &one.scope, &one.when)
        == (other.effect, &other.pattern, &other.scope, &other.when)
        && (one.mandatory, one.dialect, one.mode) == (other.mandatory, other.dialect, other.mode)
        && (one.expires_ms, &one.anchor) == (other.expires_ms, &other.anchor)
}

/// Whether `winner` comes before `rule` wherever both match, today and later.
fn stronger(winner: &Rule, rule: &Rule) -> bool {
    let always = winner.when.is_none()
        && winner.expires_ms.is_none()
        && winner.mode != Some(DecisionMode::Monitor);
    let same_scope = winner.scope == rule.scope;
    let by_rank = winner.mandatory && winner.effect == Effect::Deny;
    let outranks = by_rank && !rule.mandatory && (same_scope || winner.scope == Scope::Global);
    let order = |effect| match effect {
        Effect::Deny => 2,
        Effect::Ask => 1,
        Effect::Allow | Effect::NoOpinion => 0,
    };
    let posture_deny = rule.effect == Effect::Deny && rule.when.is_some();
    let in_rank =
        same_scope && !rule.mandatory && !posture_deny && order(winner.effect) > order(rule.effect);
    always && (outranks || in_rank)
}

/// Whether every call that `rule` matches is matched by `winner`.
fn covers(winner: &Kind, own: &Kind, rule: &Rule) -> bool {
    match (winner, own) {
        (Kind::Tool(tool), _) => {
            let name = rule.pattern.split('(').next().unwrap_or_default();
            tool == name
        }
        (Kind::Command(winners), Kind::Command(_)) => {
            let specifier = rule
                .pattern
                .split_once('(')
                .and_then(|(_, rest)| rest.strip_suffix(')'))
                .unwrap_or_default();
            specifier.split(" | ").all(|one| {
                let (prefix, tail) = match one.strip_suffix(":*") {
                    Some(prefix) => (prefix, " *"),
                    None => (one, ""),
                };
                let text = format!("{prefix}{tail}");
                let sym = |c| if c == '*' { Sym::Any } else { Sym::Char(c) };
                let text = Text::new(text.trim().chars().map(sym).collect());
                winners.iter().any(|winner| {
                    !winner.whole_line && winner.covers(&text, &Work::unbounded()) == Match::Yes
                })
            })
        }
        (winner, own) => winner == own,
    }
}
