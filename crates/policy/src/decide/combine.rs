//! The verdict on a call from the verdicts on its parts.
//!
//! Owns which rules are asked, the combination of parts, and the one case in which a part that is allowed by
//! itself makes the whole of it doubtful. What one part gets is [`crate::evaluate`]'s business.
//! Source: architecture section 4; observed verdicts of Claude Code 2.1.330.

use super::{Inputs, Ruling};
use crate::claude_default;
use crate::compile::{Applies, CompiledRule};
use crate::decision::PartDecision;
use crate::evaluate::{Contender, Verdict, evaluate};
use crate::index::{Crowd, Slate, Slates};
use crate::matching;
use crate::parts::{self, Part, Parts};
use cairn_event::{Effect, Rank, RuleRef};
use std::collections::{BTreeMap, BTreeSet};

/// Most parts a decision lists: the record must fit an entry, and the strictest come first.
const MAX_LISTED_PARTS: usize = 32;

/// Most losing rules a decision lists.
const MAX_LISTED_LOSING: usize = 64;

/// Steps of each rule of a crowd that is looked at.
const MEMBER_STEPS: usize = 8;

/// Which rules count, and for how much.
#[derive(Clone, Copy)]
struct Asked {
    /// Whether those in monitor mode do.
    monitored: bool,
    /// Whether an allow of the whole tool, in the words of Claude Code, only possibly covers what it covers.
    doubted: bool,
}

impl Inputs<'_> {
    /// The rules of a slate that apply; those in monitor mode only where they are wanted.
    fn contenders<'b>(
        &'b self,
        slate: &'b Slate,
        asked: Asked,
    ) -> impl Iterator<Item = Contender<'b>> {
        slate.rules.iter().filter_map(move |position| {
            let pieces = slate.pieces.get(position).map_or(&[][..], Vec::as_slice);
            self.contender(*position, pieces, asked)
        })
    }

    /// The rule at a position, where it applies.
    fn contender<'b>(
        &'b self,
        position: usize,
        pieces: &'b [usize],
        asked: Asked,
    ) -> Option<Contender<'b>> {
        let rule = self.bundle.rules.get(position)?;
        if rule.is_monitored() && !asked.monitored || self.without == Some(rule.rule.id.as_str()) {
            return None;
        }
        let max_age = self.bundle.bundle.max_posture_age_ms;
        let applies = rule.applies(self.subject, self.posture, max_age, self.now_ms);
        (applies != Applies::No).then_some(Contender {
            position,
            rule,
            applies,
            pieces,
            doubted: asked.doubted && matching::allows_the_tool(rule),
        })
    }

    /// The first rule of each rank in a crowd that applies; all that do are noted as matching.
    fn leaders(
        &self,
        members: &[usize],
        asked: Asked,
        matched: &mut Vec<usize>,
    ) -> Vec<(usize, &CompiledRule)> {
        let mut ranks: BTreeSet<Rank> = BTreeSet::new();
        let mut leaders = Vec::new();
        for one in members {
            let Some(contender) = self.contender(*one, &[], asked) else {
                continue;
            };
            matched.push(*one);
            if ranks.insert(contender.rule.rank) {
                leaders.push((*one, contender.rule));
            }
        }
        leaders
    }

    /// Combines the parts: deny > ask > unmatched default > allow. Also tells whether a rule in monitor
    /// mode is among those that may match.
    ///
    /// Where the whole tool is allowed Claude Code asks about a `&` all the same, if every command between
    /// two pipes of the line would be allowed without that, and only then.
    pub(super) fn combine(
        &self,
        slates: &mut Slates<'_>,
        parts: &Parts,
        monitored: bool,
    ) -> (Ruling, bool) {
        let asked = Asked {
            monitored,
            doubted: false,
        };
        let (ruling, by_the_tool) = self.of_parts(slates, parts, asked);
        let mut deferred = parts.deferred().iter();
        let is_asked = deferred.any(|stretch| !by_the_tool.contains(stretch));
        let ruling = if is_asked && ruling.effect == Effect::Allow {
            let doubted = Asked {
                doubted: true,
                ..asked
            };
            self.of_parts(slates, parts, doubted).0
        } else {
            ruling
        };
        let is_monitored = |position: &usize| {
            let rule = self.bundle.rules.get(*position);
            rule.is_some_and(CompiledRule::is_monitored)
        };
        let made = slates.made();
        let crowds: BTreeSet<Crowd> = made.iter().flat_map(|slate| slate.crowds.clone()).collect();
        let mut single = made.iter().flat_map(|slate| &slate.rules);
        let has_monitored = single.any(is_monitored)
            || crowds
                .into_iter()
                .any(|crowd| slates.members(crowd).iter().any(is_monitored));
        (ruling, has_monitored)
    }

    /// Combines the parts, and names the stretches of the line in which something needs a rule for the whole
    /// tool, even were the line to wait for it.
    fn of_parts(
        &self,
        slates: &mut Slates<'_>,
        parts: &Parts,
        asked: Asked,
    ) -> (Ruling, BTreeSet<usize>) {
        let mut ruling = Ruling::deny(None, &self.request.tool);
        let mut strictest: Option<Effect> = None;
        let mut matched = Vec::new();
        let mut by_the_tool = BTreeSet::new();
        let mut led: BTreeMap<Crowd, Vec<(usize, &CompiledRule)>> = BTreeMap::new();
        for (position, part) in parts.parts.iter().enumerate() {
            let crowds = slates.of(position).map(|slate| slate.crowds.clone());
            let mut leaders = Vec::new();
            for crowd in crowds.unwrap_or_default() {
                let of_crowd = led.entry(crowd).or_insert_with(|| {
                    let members = slates.members(crowd);
                    parts.work.spend(MEMBER_STEPS * members.len());
                    self.leaders(&members, asked, &mut matched)
                });
                leaders.extend_from_slice(of_crowd);
            }
            let Some(slate) = slates.of(position) else {
                break;
            };
            if parts.work.is_exhausted() {
                break;
            }
            let rules = self.contenders(slate, asked);
            let verdict = evaluate(rules, &leaders, part, parts, self.request, &mut matched);
            if self.needs_the_tool(&verdict, part, parts) {
                by_the_tool.insert(part.stretch);
            }
            let Some(effect) = self.effect_of(&verdict, part, parts) else {
                continue;
            };
            let label = part.label(parts, self.request);
            let rule = verdict.rule.clone().filter(|_| verdict.effect.is_some());
            if strictest.is_none_or(|so_far| strictness(effect) > strictness(so_far)) {
                strictest = Some(effect);
                ruling.rule.clone_from(&rule);
                ruling.subject.clone_from(&label);
                ruling.uncertain = verdict.uncertain;
                ruling.unread = part.unread();
            }
            ruling.parts.push(PartDecision {
                command: label,
                effect,
                rule,
            });
        }
        // Only assignments that need no rule: nothing is left to have an opinion on.
        ruling.effect = strictest.unwrap_or(match self.bundle.bundle.default {
            Effect::NoOpinion if self.claude => Effect::Allow,
            default => default,
        });
        ruling.losing = self.losing(matched, ruling.rule.as_ref());
        ruling
            .parts
            .sort_by_key(|part| std::cmp::Reverse(strictness(part.effect)));
        ruling.parts.dedup();
        ruling.parts.truncate(MAX_LISTED_PARTS);
        (ruling, by_the_tool)
    }

    /// The first rules at these positions but the one that decided, each once, by effect and id. The
    /// positions are in the order of ids.
    fn losing(&self, mut matched: Vec<usize>, decided: Option<&RuleRef>) -> Vec<RuleRef> {
        // It is one list in order after another.
        matched.sort();
        matched.dedup();
        let rules = matched.iter().filter_map(|at| self.bundle.rules.get(*at));
        let lost = rules.filter(|rule| decided.is_none_or(|one| one.id != rule.rule.id));
        let mut lost: Vec<&CompiledRule> = lost.collect();
        lost.sort_by_key(|rule| rule.rule.effect);
        let listed = lost.into_iter().take(MAX_LISTED_LOSING);
        listed.map(CompiledRule::reference).collect()
    }

    /// Whether a part needs a rule for the whole tool, even were the line to wait for it; only looked at
    /// where the line does not wait for everything.
    fn needs_the_tool(&self, verdict: &Verdict, part: &Part, parts: &Parts) -> bool {
        let unasked = || claude_default::runs_unasked_in_the_foreground(part, parts, self.request);
        let is_looked_at = part.required && !parts.deferred().is_empty();
        is_looked_at && !verdict.foreground && !unasked()
    }

    /// The effect of one part; `None` for a part that only had to be not denied, and was not.
    fn effect_of(&self, verdict: &Verdict, part: &parts::Part, parts: &Parts) -> Option<Effect> {
        match (verdict.effect, part.required) {
            // A rule that only may match, or may apply, must not soften a default of deny to an ask.
            (Some(_), true) if !verdict.certain && self.bundle.bundle.default == Effect::Deny => {
                Some(Effect::Deny)
            }
            (Some(effect @ (Effect::Deny | Effect::Ask)), _) => Some(effect),
            (Some(effect), true) => Some(effect),
            (None, true) if claude_default::is_harmless(part, parts) => None,
            (None, true) => {
                let default = self.bundle.bundle.default;
                Some(if self.claude && default == Effect::NoOpinion {
                    claude_default::of(part, parts, self.request)
                } else if matches!(part.what, parts::What::Unreadable(_))
                    && default == Effect::Allow
                {
                    // What cannot be read is never allowed.
                    Effect::Ask
                } else {
                    default
                })
            }
            (_, false) => None,
        }
    }
}

fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 3,
        Effect::Ask => 2,
        Effect::NoOpinion => 1,
        Effect::Allow => 0,
    }
}

#[cfg(test)]
mod tests;
