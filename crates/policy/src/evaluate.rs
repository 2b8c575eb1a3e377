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
    /// Every rule that matched, the deciding one included.
    pub matched: Vec<RuleRef>,
}

/// One rule that matched.
struct Hit<'a> {
    rule: &'a CompiledRule,
    found: Match,
    applies: Applies,
}

/// Evaluates the applicable rules for a part.
///
/// `rules` must be sorted by id, so that ties do not depend on their order in the bundle.
pub(crate) fn evaluate(
    rules: &[(&CompiledRule, Applies)],
    part: &Part,
    parts: &Parts,
    request: &Request,
) -> Verdict {
    let hits: Vec<Hit<'_>> = rules
        .iter()
        .map(|(rule, applies)| Hit {
            rule,
            applies: *applies,
            found: matching::matches(rule, part, parts, request),
        })
        .filter(|hit| hit.found != Match::No)
        .collect();
    let mut standing: Option<(Effect, &Hit<'_>)> = None;
    for rank in [Rank::Global, Rank::Team, Rank::Role, Rank::Person] {
        let said = say(&hits, rank);
        standing = match (standing, said) {
            (earlier, None) => earlier,
            (Some((Effect::Deny, deny)), Some((Effect::Ask, _))) => Some((Effect::Deny, deny)),
            // An allow that cannot be trusted softens a broader deny and does nothing else.
            (Some((Effect::Deny, _)), Some((Effect::NoOpinion, hit))) => Some((Effect::Ask, hit)),
            (earlier, Some((Effect::NoOpinion, _))) => earlier,
            (_, Some(narrower)) => Some(narrower),
        };
    }
    for rank in [Rank::PostureDeny, Rank::Mandatory] {
        standing = match (standing, say(&hits, rank)) {
            (_, Some((Effect::Deny, hit))) => Some((Effect::Deny, hit)),
            (Some((Effect::Deny, deny)), _) => Some((Effect::Deny, deny)),
            (_, Some((Effect::Ask, hit))) => Some((Effect::Ask, hit)),
            (earlier, _) => earlier,
        };
    }
    let uncertain = standing
        .as_ref()
        .is_some_and(|(_, hit)| hit.found == Match::Possible);
    Verdict {
        effect: standing.as_ref().map(|(effect, _)| *effect),
        rule: standing.as_ref().map(|(_, hit)| hit.rule.reference()),
        uncertain,
        certain: hits
            .iter()
            .any(|hit| hit.found == Match::Yes && hit.applies == Applies::Surely),
        matched: hits.iter().map(|hit| hit.rule.reference()).collect(),
    }
}

/// What one rank says: deny, then ask, then allow, then an allow that cannot be trusted.
///
/// A deny that only possibly matches says ask; an untrusted allow is told apart as no-opinion.
fn say<'a, 'b>(hits: &'b [Hit<'a>], rank: Rank) -> Option<(Effect, &'b Hit<'a>)> {
    let of_rank = || hits.iter().filter(|hit| hit.rule.rank == rank);
    let effect_of = |hit: &Hit<'_>| match (hit.rule.rule.effect, hit.found) {
        (Effect::Deny, Match::Yes) => Effect::Deny,
        (Effect::Allow, Match::Yes) => Effect::Allow,
        (Effect::Allow, _) => Effect::NoOpinion,
        _ => Effect::Ask,
    };
    [Effect::Deny, Effect::Ask, Effect::Allow, Effect::NoOpinion]
        .into_iter()
        .find_map(|effect| {
            of_rank()
                .find(|hit| effect_of(hit) == effect)
                .map(|hit| (effect, hit))
        })
}
