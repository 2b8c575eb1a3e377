//! Keys in order, and the rules under each.
//!
//! Owns finding every key that a text begins with, or that goes on from it, without looking at the others.

use super::{Entry, Wanted};
use std::collections::BTreeMap;

/// Keys in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// How each key begins, as a number of the same order: close together, they are searched first.
    heads: Vec<u64>,
    places: Vec<Place>,
}

/// One key, the rules under it with their scopes, in order, and the longest other key that it begins
/// with.
#[derive(Clone, Debug)]
struct Place {
    key: String,
    rules: Vec<(u32, usize)>,
    shorter: Option<usize>,
}

/// The first bytes of a text as a number; of two texts the later one never has the smaller number.
fn head(text: &str) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

impl Keys {
    pub(super) fn of(entries: &[&Entry]) -> Self {
        let mut unsorted: BTreeMap<&str, Vec<(u32, usize)>> = BTreeMap::new();
        for entry in entries {
            let rules = unsorted.entry(&entry.key).or_default();
            rules.push((entry.scope, entry.rule));
        }
        let mut places: Vec<Place> = Vec::with_capacity(unsorted.len());
        let mut open: Vec<usize> = Vec::new();
        for (key, mut rules) in unsorted {
            let begins_with = |at: usize| {
                let shorter = places.get(at);
                shorter.is_some_and(|shorter| key.starts_with(&shorter.key))
            };
            while open.last().is_some_and(|at| !begins_with(*at)) {
                open.pop();
            }
            let shorter = open.last().copied();
            open.push(places.len());
            rules.sort_unstable();
            places.push(Place {
                key: key.to_owned(),
                rules,
                shorter,
            });
        }
        let heads = places.iter().map(|place| head(&place.key)).collect();
        Self { heads, places }
    }

    /// How many keys are not after a text.
    pub(super) fn until(&self, text: &str) -> usize {
        let wanted = head(text);
        let first = self.heads.partition_point(|head| *head < wanted);
        let heads = self.heads.get(first..).unwrap_or_default();
        let alike = heads.partition_point(|head| *head == wanted);
        let alike = self.places.get(first..first + alike).unwrap_or_default();
        first + alike.partition_point(|place| place.key.as_str() <= text)
    }

    /// Adds the rules of these scopes under every key that fits; says how many places and rules it saw.
    pub(super) fn find(
        &self,
        wanted: &Wanted<'_>,
        scopes: &[u32],
        found: &mut Vec<usize>,
    ) -> usize {
        let mut seen = 0;
        let looked_at = self.fitting(wanted, |at| seen += self.rules_at(at, scopes, found));
        looked_at + seen
    }

    /// Names every place whose key fits; says how many it saw.
    pub(super) fn fitting(&self, wanted: &Wanted<'_>, mut name: impl FnMut(usize)) -> usize {
        let text = wanted.text.as_ref();
        // Every key that the text begins with is the last one not after it, or one that this one
        // begins with: whatever stands between begins with the longest of them too.
        let after = self.until(text);
        let mut next = after.checked_sub(1);
        let mut seen = 0;
        while let Some((at, place)) = next.and_then(|at| Some((at, self.places.get(at)?))) {
            seen += 1;
            if text.starts_with(&place.key) {
                name(at);
            }
            next = place.shorter;
        }
        if wanted.goes_on() {
            let longer = self.places.iter().enumerate().skip(after);
            for (at, _) in longer.take_while(|(_, place)| place.key.starts_with(text)) {
                seen += 1;
                name(at);
            }
        }
        seen
    }

    /// Adds the rules of these scopes at one place; says how many scopes and rules it saw.
    pub(super) fn rules_at(&self, at: usize, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        let place = self.places.get(at);
        place.map_or(0, |place| of_scopes(&place.rules, scopes, found))
    }

    /// Adds the rules of these scopes at every place.
    pub(super) fn all(&self, scopes: &[u32], found: &mut Vec<usize>) {
        for place in &self.places {
            of_scopes(&place.rules, scopes, found);
        }
    }
}

/// Adds the rules of these scopes; says how many scopes and rules it saw.
pub(super) fn of_scopes(all: &[(u32, usize)], scopes: &[u32], found: &mut Vec<usize>) -> usize {
    let before = found.len();
    for scope in scopes {
        let first = all.partition_point(|(of, _)| of < scope);
        let rules = all.iter().skip(first);
        let own = rules.take_while(|(of, _)| of == scope);
        found.extend(own.map(|(_, position)| *position));
    }
    scopes.len() + found.len() - before
}
