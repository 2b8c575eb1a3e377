//! How old a policy may be: the steps by which a device that does not hear of its organisation becomes
//! stricter.
//!
//! Owns the steps and what lapses at each. It does not know a clock: the age is an argument, and whoever
//! cannot tell it says the largest. An older policy never allows what a newer one of the same text would
//! not.
//!
//! Source: endpoint findings 6.3.

use crate::bundle::{Bundle, Rule, Scope};
use crate::compile::CompiledBundle;
use crate::index::Index;
use cairn_event::Effect;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The least that a policy counts as fresh: 1 minute. Devices confirm theirs every few minutes, and a
/// limit below that would never be met.
pub const FRESH_LEAST_MS: u64 = MINUTE_MS;

/// The longest that a policy decides without being confirmed: 30 days. Whoever was taken out of the
/// organisation must not keep its rules for ever by staying away from the network.
pub const REFUSE_MOST_MS: u64 = 30 * 24 * HOUR_MS;

/// The steps, as ages in milliseconds since the policy was last known to be the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staleness {
    /// Older: decided as written, with the age in every entry and a warning for the developer.
    pub warn_ms: u64,
    /// Older: what narrows a deny or ends by itself no longer allows.
    pub restrict_ms: u64,
    /// Older: nothing is allowed.
    pub refuse_ms: u64,
}

impl Default for Staleness {
    /// 10 minutes, 24 hours, 72 hours: a long weekend without a network does not stop work, and a device
    /// that avoids the server for longer does not keep an old policy.
    fn default() -> Self {
        Self {
            warn_ms: 10 * MINUTE_MS,
            restrict_ms: 24 * HOUR_MS,
            refuse_ms: 72 * HOUR_MS,
        }
    }
}

/// How a policy counts at its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freshness {
    /// As new as can be expected.
    Fresh,
    /// Decided as written; people are warned.
    Old,
    /// Narrower allows and exceptions have lapsed.
    Restricted,
    /// Too old to allow anything.
    Refused,
}

impl Freshness {
    /// The word for people and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Old => "old",
            Self::Restricted => "restricted",
            Self::Refused => "refused",
        }
    }
}

impl Staleness {
    /// How a policy counts at this age.
    pub fn judge(&self, age_ms: u64) -> Freshness {
        // The largest step first: were the steps out of order, the strictest would count.
        if age_ms > self.refuse_ms {
            Freshness::Refused
        } else if age_ms > self.restrict_ms {
            Freshness::Restricted
        } else if age_ms > self.warn_ms {
            Freshness::Old
        } else {
            Freshness::Fresh
        }
    }

    /// Whether the steps are in order and within what is allowed.
    pub fn is_sound(&self) -> bool {
        FRESH_LEAST_MS <= self.warn_ms
            && self.warn_ms <= self.restrict_ms
            && self.restrict_ms <= self.refuse_ms
            && self.refuse_ms <= REFUSE_MOST_MS
    }
}

impl Bundle {
    /// The steps that hold: the bundle's own or the default ones.
    pub fn ages(&self) -> Staleness {
        self.staleness.unwrap_or_default()
    }

    /// The bundle as it decides once it is [`Freshness::Restricted`]: without the allow rules that lapse,
    /// without the MCP servers that are given to some only, and without an allow where no rule matches. Origin and version stay: it is the same policy.
    pub fn restricted(&self) -> Self {
        let mut restricted = self.clone();
        restricted.rules.retain(|rule| !lapses(rule));
        if restricted.default == Effect::Allow {
            restricted.default = Effect::Ask;
        }
        restricted.mcp.servers = restricted.mcp.for_everybody();
        restricted.mcp.scopes.clear();
        restricted
    }
}

/// An allow that is for some only, or for a time, was given in view of who they were and what held then.
fn lapses(rule: &Rule) -> bool {
    let for_some = rule.scope != Scope::Global;
    let for_a_time = rule.expires_ms.is_some() || rule.approver.is_some();
    rule.effect == Effect::Allow && (for_some || for_a_time)
}

impl CompiledBundle {
    /// What decides when the policy is this old. Trap: one that is [`Freshness::Refused`] decides nothing;
    /// here it decides as if it were restricted.
    pub fn at_age(&self, age_ms: u64) -> &Self {
        if self.bundle.ages().judge(age_ms) < Freshness::Restricted {
            return self;
        }
        self.restricted.get_or_init(|| Box::new(self.restrict()))
    }

    fn restrict(&self) -> Self {
        // A rule that was understood is understood in a shorter list; the order stays the one by id.
        let kept = self.rules.iter().filter(|rule| !lapses(&rule.rule));
        let rules: Vec<_> = kept.cloned().collect();
        let index = Index::of(&rules);
        Self {
            bundle: self.bundle.restricted(),
            rules,
            index,
            restricted: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_stricter_than_the_one_before() {
        let steps = Staleness {
            warn_ms: 100_000,
            restrict_ms: 200_000,
            refuse_ms: 300_000,
        };
        assert!(steps.is_sound() && Staleness::default().is_sound());
        let ages = [0, 100_000, 100_001, 200_000, 200_001, 300_000, 300_001];
        let words = ages.map(|age| steps.judge(age).as_str());
        let expected = [
            "fresh",
            "fresh",
            "old",
            "old",
            "restricted",
            "restricted",
            "refused",
        ];
        assert_eq!(words, expected);
        assert_eq!(steps.judge(u64::MAX), Freshness::Refused);
        let reversed = Staleness {
            warn_ms: 300_000,
            refuse_ms: 100_000,
            ..steps
        };
        assert!(!reversed.is_sound());
        assert_eq!(reversed.judge(150_000), Freshness::Refused);
        for unsound in [
            (0, 1, 2),
            (1, 1, 1),
            (FRESH_LEAST_MS, 1, 2),
            (FRESH_LEAST_MS, FRESH_LEAST_MS, REFUSE_MOST_MS + 1),
        ] {
            let (warn_ms, restrict_ms, refuse_ms) = unsound;
            let steps = Staleness {
                warn_ms,
                restrict_ms,
                refuse_ms,
            };
            assert!(!steps.is_sound(), "{steps:?}");
        }
    }
}
