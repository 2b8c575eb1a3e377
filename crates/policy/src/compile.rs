//! From a bundle to something that can decide.
//!
//! Owns the checks that make a bundle usable: a rule that cannot match is an error, because a deny
//! that silently does nothing is worse than none.
//! Source: architecture section 4.

use crate::bundle::{Bundle, Rule, Scope};
use crate::condition::Truth;
use crate::index::Index;
use crate::pattern::{self, Kind, PatternProblem};
use crate::staleness::{FRESH_LEAST_MS, REFUSE_MOST_MS};
use crate::subject::Subject;
use cairn_event::{DecisionMode, Effect, Posture, Rank, RuleRef};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Most rules in a bundle: a line that cannot be read is held against every one of them.
pub const MAX_RULES: usize = 10_000;

/// A bundle whose rules are all understood.
#[derive(Clone, Debug)]
pub struct CompiledBundle {
    pub(crate) bundle: Bundle,
    pub(crate) rules: Vec<CompiledRule>,
    pub(crate) index: Index,
    /// What decides once the policy is old; made when it is first needed.
    pub(crate) restricted: OnceLock<Box<CompiledBundle>>,
}

/// One understood rule.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    pub rule: Rule,
    pub kind: Kind,
    pub rank: Rank,
}

/// Why one rule or gate of a bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{id}`: {cause}")]
pub struct CompileProblem {
    /// The rule's or gate's id.
    pub id: String,
    /// What is wrong.
    pub cause: CompileCause,
}

/// What is wrong with a rule or gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileCause {
    /// No id, or one that another rule or gate has.
    #[error("the id is empty or used twice")]
    Id,
    /// A rule must say something.
    #[error("a rule cannot have the effect no-opinion")]
    NoOpinion,
    /// Only denies can be mandatory.
    #[error("only a deny can be mandatory")]
    Mandatory,
    /// The pattern can never match.
    #[error("pattern `{pattern}`: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        problem: PatternProblem,
    },
    /// Nothing reminds anybody of an exception that does not end.
    #[error("an approved exception needs an end")]
    EndlessException,
    /// A gate that decides before every rule would keep those from being applied.
    #[error("a gate cannot only monitor where the policy enforces")]
    MonitoredGate,
    /// An MCP server that is for somebody and is not defined, or that is for nobody.
    #[error(
        "`mcp.scopes` names a server that `mcp.servers` does not define, or lists nobody for it"
    )]
    McpScope,
    /// More than [`MAX_RULES`].
    #[error("more than {MAX_RULES} rules")]
    TooMany,
    /// The steps of `staleness` are out of order or out of bounds.
    #[error(
        "`staleness` needs {FRESH_LEAST_MS} <= warn_ms <= restrict_ms <= refuse_ms <= {REFUSE_MOST_MS}"
    )]
    Staleness,
}

/// Compiles every rule.
///
/// Errors: all problems at once; the caller refuses the bundle and keeps the one it has.
pub fn compile(bundle: &Bundle) -> Result<CompiledBundle, Vec<CompileProblem>> {
    let mut problems = Vec::new();
    let mut ids = BTreeSet::new();
    let mut rules = Vec::with_capacity(bundle.rules.len());
    if bundle.rules.len() > MAX_RULES {
        return Err(vec![CompileProblem {
            id: String::new(),
            cause: CompileCause::TooMany,
        }]);
    }
    for rule in &bundle.rules {
        if rule.id.is_empty() || !ids.insert(rule.id.as_str()) {
            problems.push(CompileProblem {
                id: rule.id.clone(),
                cause: CompileCause::Id,
            });
        }
        match compile_rule(rule) {
            Ok(compiled) => rules.push(compiled),
            Err(cause) => problems.push(CompileProblem {
                id: rule.id.clone(),
                cause,
            }),
        }
    }
    for gate in &bundle.gates {
        if gate.id.is_empty() || !ids.insert(gate.id.as_str()) {
            problems.push(CompileProblem {
                id: gate.id.clone(),
                cause: CompileCause::Id,
            });
        }
        if gate.mode == Some(DecisionMode::Monitor) {
            problems.push(CompileProblem {
                id: gate.id.clone(),
                cause: CompileCause::MonitoredGate,
            });
        }
    }
    for (name, scopes) in &bundle.mcp.scopes {
        if scopes.is_empty() || !bundle.mcp.servers.contains_key(name) {
            problems.push(CompileProblem {
                id: name.clone(),
                cause: CompileCause::McpScope,
            });
        }
    }
    if !bundle.ages().is_sound() {
        problems.push(CompileProblem {
            id: "staleness".to_owned(),
            cause: CompileCause::Staleness,
        });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // Ties between rules of one rank and effect are broken by id, never by position.
    rules.sort_by(|left, right| left.rule.id.cmp(&right.rule.id));
    let index = Index::of(&rules);
    Ok(CompiledBundle {
        bundle: bundle.clone(),
        rules,
        index,
        restricted: OnceLock::new(),
    })
}

fn compile_rule(rule: &Rule) -> Result<CompiledRule, CompileCause> {
    if rule.effect == Effect::NoOpinion {
        return Err(CompileCause::NoOpinion);
    }
    if rule.mandatory && rule.effect != Effect::Deny {
        return Err(CompileCause::Mandatory);
    }
    if rule.approver.is_some() && rule.expires_ms.is_none() {
        return Err(CompileCause::EndlessException);
    }
    let kind = pattern::parse(
        &rule.pattern,
        rule.effect,
        rule.dialect,
        rule.anchor.as_deref(),
    )
    .map_err(|problem| CompileCause::Pattern {
        pattern: rule.pattern.clone(),
        problem,
    })?;
    let rank = match &rule.scope {
        _ if rule.mandatory => Rank::Mandatory,
        _ if rule.effect == Effect::Deny && rule.when.is_some() => Rank::PostureDeny,
        Scope::Global => Rank::Global,
        Scope::Team(_) => Rank::Team,
        Scope::Role(_) => Rank::Role,
        Scope::Person(_) => Rank::Person,
    };
    Ok(CompiledRule {
        rule: rule.clone(),
        kind,
        rank,
    })
}

impl CompiledBundle {
    /// The bundle as written.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }
}

impl CompiledRule {
    /// The rule as a decision names it.
    pub(crate) fn reference(&self) -> RuleRef {
        RuleRef {
            id: self.rule.id.clone(),
            effect: self.rule.effect,
            rank: self.rank,
        }
    }

    /// Whether the rule is only computed, not enforced.
    pub(crate) fn is_monitored(&self) -> bool {
        self.rule.mode == Some(DecisionMode::Monitor)
    }

    /// Whether the rule speaks about this subject, at this time, on a device in this posture.
    pub(crate) fn applies(
        &self,
        subject: &Subject,
        posture: &Posture,
        max_posture_age_ms: u64,
        now_ms: u64,
    ) -> Applies {
        let in_scope = self.rule.scope.covers(subject);
        let alive = self.rule.expires_ms.is_none_or(|end| now_ms < end);
        if !in_scope || !alive {
            return Applies::No;
        }
        let Some(when) = &self.rule.when else {
            return Applies::Surely;
        };
        match when.evaluate(posture, max_posture_age_ms) {
            Truth::True => Applies::Surely,
            Truth::False => Applies::No,
            Truth::Unknown if self.rule.effect == Effect::Allow => Applies::No,
            Truth::Unknown => Applies::UntilKnown,
        }
    }
}

/// Whether a rule speaks about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applies {
    /// It does not.
    No,
    /// It does.
    Surely,
    /// Its condition cannot be known: it may tighten, and must not soften a stricter default.
    UntilKnown,
}
