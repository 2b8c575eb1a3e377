//! The verdict on one part: which rules match and which of them decides.
//!
//! Owns ranks, carve-outs and ties. The order of the rules never matters.
//! Source: architecture section 4, items 2 to 5.

use crate::compile::{Applies, CompiledRule};
use crate::glob::Match;
use crate::matching;
use crate::parts::{Part, Parts};
use crate::request::Request;
use cairn_event::{Effect, Rank, RuleRef};

/// Steps that one rule and one part cost beside the texts that are compared: with thousands of rules
/// each of them is far away in memory.
const PAIR_STEPS: usize = 40;

/// Steps of each rule that stands for others.
const LEADER_STEPS: usize = 4;

/// A rule that may match a part, and applies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender<'a> {
    /// Where the rule stands in the bundle, which is sorted by id.
    pub position: usize,
    /// The rule.
    pub rule: &'a CompiledRule,
    /// How surely it applies.
    pub applies: Applies,
    /// The pieces of a line that could not be read which may be what it is about.
    pub pieces: &'a [usize],
    /// Whether an allow of it only possibly covers the part.
    pub doubted: bool,
}

/// The verdict on one part.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// What the rules say; `None` where none matches.
    pub effect: Option<Effect>,
    /// The rule that decided.
    pub rule: Option<RuleRef>,
    /// Whether the rule could only not be shown to be irrelevant.
    pub uncertain: bool,
    /// Whether some rule matches for sure; without one the default is a floor.
    pub certain: bool,
    /// Whether some rule, not for the whole tool, would allow the part, were the line to wait for it; only
    /// looked at where it does not wait for everything.
    pub foreground: bool,
}

/// One rule that matched.
#[derive(Clone, Copy)]
struct Hit<'a> {
    position: usize,
    rule: &'a CompiledRule,
    found: Match,
}

/// Evaluates the applicable rules for a part, and adds the position of every one that matches, the
/// deciding one included, to `matched`.
///
/// `leaders` are the first of each rank among the rules that are known to match possibly; where one of them
/// matches for sure it is among `rules` too. Positions are in the order of ids, so that ties do not depend on
/// the order in the bundle. Says nothing that may be believed once the budget of comparing is exhausted.
pub(crate) fn evaluate<'a>(
    rules: impl Iterator<Item = Contender<'a>>,
    leaders: &[(usize, &'a CompiledRule)],
    part: &Part,
    parts: &Parts,
    request: &Request,
    matched: &mut Vec<usize>,
) -> Verdict {
    let mut said = Said::default();
    let mut certain = false;
    let mut foreground = false;
    let is_deferred = !parts.deferred().is_empty();
    for contender in rules {
        if !parts.work.spend(PAIR_STEPS) {
            break;
        }
        let rule = contender.rule;
        let mut found = matching::matches(rule, part, parts, request);
        if found == Match::Possible && matching::reads_as_written(rule, contender.pieces, parts) {
            found = Match::Yes;
        }
        if contender.doubted {
            found = found.min(Match::Possible);
        }
        if found == Match::No {
            continue;
        }
        foreground |= is_deferred && matching::allows_in_the_foreground(rule, found, part, parts);
        matched.push(contender.position);
        certain |= found == Match::Yes && contender.applies == Applies::Surely;
        said.add(Hit {
            position: contender.position,
            rule,
            found,
        });
    }
    parts.work.spend(LEADER_STEPS * leaders.len());
    for (position, rule) in leaders {
        said.add(Hit {
            position: *position,
            rule,
            found: Match::Possible,
        });
    }
    let standing = said.standing();
    Verdict {
        effect: standing.map(|(effect, _)| effect),
        rule: standing.map(|(_, hit)| hit.rule.reference()),
        uncertain: standing.is_some_and(|(_, hit)| hit.found == Match::Possible),
        certain,
        foreground,
    }
}

/// What each rank says: the first rule of each effect.
#[derive(Default)]
struct Said<'a> {
    hits: Vec<(Rank, Effect, Hit<'a>)>,
}

impl<'a> Said<'a> {
    /// A deny that only possibly matches says ask; an allow that cannot be trusted is kept apart as
    /// no-opinion.
    fn add(&mut self, hit: Hit<'a>) {
        let effect = match (hit.rule.rule.effect, hit.found) {
            (Effect::Deny, Match::Yes) => Effect::Deny,
            (Effect::Allow, Match::Yes) => Effect::Allow,
            (Effect::Allow, _) => Effect::NoOpinion,
            _ => Effect::Ask,
        };
        let rank = hit.rule.rank;
        let mut hits = self.hits.iter_mut();
        let alike = hits.find(|(of_rank, says, _)| *of_rank == rank && *says == effect);
        match alike {
            Some((_, _, first)) if first.position == hit.position => {
                first.found = first.found.max(hit.found);
            }
            Some((_, _, first)) if first.position > hit.position => *first = hit,
            Some(_) => {}
            None => self.hits.push((rank, effect, hit)),
        }
    }

    fn of(&self, rank: Rank, effect: Effect) -> Option<(Effect, Hit<'a>)> {
        let mut hits = self.hits.iter();
        let found = hits.find(|(of_rank, says, _)| *of_rank == rank && *says == effect);
        found.map(|(_, _, hit)| (effect, *hit))
    }

    /// What one rank says: deny, then ask, then allow, then an allow that cannot be trusted.
    fn by(&self, rank: Rank) -> Option<(Effect, Hit<'a>)> {
        [Effect::Deny, Effect::Ask, Effect::Allow, Effect::NoOpinion]
            .into_iter()
            .find_map(|effect| self.of(rank, effect))
    }

    /// What all ranks together say.
    fn standing(&self) -> Option<(Effect, Hit<'a>)> {
        let mut standing: Option<(Effect, Hit<'a>)> = None;
        for rank in [Rank::Global, Rank::Team, Rank::Role, Rank::Person] {
            standing = match (standing, self.by(rank)) {
                (earlier, None) => earlier,
                (Some((Effect::Deny, deny)), Some((Effect::Ask, _))) => Some((Effect::Deny, deny)),
                // An allow that cannot be trusted softens a broader deny and does nothing else.
                (Some((Effect::Deny, _)), Some((Effect::NoOpinion, hit))) => {
                    Some((Effect::Ask, hit))
                }
                (earlier, Some((Effect::NoOpinion, _))) => earlier,
                (_, Some(narrower)) => Some(narrower),
            };
        }
        for rank in [Rank::PostureDeny, Rank::Mandatory] {
            standing = match (standing, self.by(rank)) {
                (_, Some((Effect::Deny, hit))) => Some((Effect::Deny, hit)),
                (Some((Effect::Deny, deny)), _) => Some((Effect::Deny, deny)),
                (_, Some((Effect::Ask, hit))) => Some((Effect::Ask, hit)),
                (earlier, _) => earlier,
            };
        }
        standing
    }
}
