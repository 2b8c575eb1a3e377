//! The ordered list of keys behind [`super::Index`], and what is looked for in it.
//!
//! Owns finding every key that a text begins with, or that goes on from it, without looking at the
//! others. What a key means is the caller's business.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a key is about. Each has a shelf of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// A tool, by the beginning of its name.
    Tool,
    /// What a deny or ask is about: a command, by the beginning of its text.
    Command,
    /// As [`Self::Command`], for allows. They are held against the words as written only, so that a
    /// command that may run anything meets no allow by that.
    AllowedCommand,
    /// A file, by a segment that its path must have.
    Path,
    /// A host, by its labels from the last one on.
    Host,
    /// A subagent.
    Agent,
    /// A skill.
    Skill,
}

/// What a call has to offer to keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted<'a> {
    /// What it is about.
    pub topic: Topic,
    /// Keys that it begins with.
    pub text: Cow<'a, str>,
    /// Whether what follows is not known: then all keys that go on from here too.
    pub open: bool,
}

impl<'a> Wanted<'a> {
    /// A text all of which is known.
    pub(super) fn text(topic: Topic, text: impl Into<Cow<'a, str>>) -> Self {
        let (text, open) = (text.into(), false);
        Self { topic, text, open }
    }

    /// The known beginning of a text.
    pub(super) fn beginning(topic: Topic, text: impl Into<Cow<'a, str>>) -> Self {
        let (text, open) = (text.into(), true);
        Self { topic, text, open }
    }
}

/// Keys with the rules under each, and the scopes of these.
pub(super) type Keys = BTreeMap<String, Vec<(u32, usize)>>;

/// All keys of a topic, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
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

impl Shelf {
    /// Puts keys in order.
    pub(super) fn of(unsorted: Keys) -> Self {
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
                key,
                rules,
                shorter,
            });
        }
        let heads = places.iter().map(|place| head(&place.key)).collect();
        Self { heads, places }
    }

    /// How many keys are not after a text.
    fn until(&self, text: &str) -> usize {
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
        let text = wanted.text.as_ref();
        // Every key that the text begins with is the last one not after it, or one that this one
        // begins with: whatever stands between begins with the longest of them too.
        let after = self.until(text);
        let mut next = after.checked_sub(1);
        let mut seen = 0;
        while let Some(place) = next.and_then(|at| self.places.get(at)) {
            seen += 1;
            if text.starts_with(&place.key) {
                seen += place.of(scopes, found);
            }
            next = place.shorter;
        }
        if wanted.open {
            let longer = self.places.iter().skip(after);
            for place in longer.take_while(|place| place.key.starts_with(text)) {
                seen += 1 + place.of(scopes, found);
            }
        }
        seen
    }
}

impl Place {
    fn of(&self, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        let before = found.len();
        for scope in scopes {
            let first = self.rules.partition_point(|(of, _)| of < scope);
            let rules = self.rules.iter().skip(first);
            let own = rules.take_while(|(of, _)| of == scope);
            found.extend(own.map(|(_, position)| *position));
        }
        scopes.len() + found.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBAL: u32 = 0;

    #[test]
    fn keys_that_begin_with_one_another_are_all_found() {
        let keys = ["", "a", "ab", "abc", "abd", "b", "ba"];
        let numbered = keys.iter().enumerate();
        let unsorted =
            numbered.map(|(number, key)| ((*key).to_owned(), vec![(1, 99), (0, number)]));
        let shelf = Shelf::of(unsorted.collect());
        for text in ["", "a", "ab", "aba", "abcx", "abe", "b", "bb", "c", "abz"] {
            for wanted in [
                Wanted::text(Topic::Command, text),
                Wanted::beginning(Topic::Command, text),
            ] {
                let mut found = Vec::new();
                shelf.find(&wanted, &[GLOBAL], &mut found);
                found.sort_unstable();
                let open = wanted.open;
                let expected: Vec<usize> = (0..keys.len())
                    .filter(|at| {
                        text.starts_with(keys[*at]) || (open && keys[*at].starts_with(text))
                    })
                    .collect();
                assert_eq!(found, expected, "{wanted:?}");
            }
        }
    }

    #[test]
    fn keys_that_differ_late_or_early_or_not_in_their_head_are_found_in_order() {
        let keys = [
            "a",
            "git push a",
            "git push b",
            "git pushes",
            "git\0",
            "gitlab",
            "\u{e9}t\u{e9}",
        ];
        let unsorted = keys
            .iter()
            .map(|key| ((*key).to_owned(), vec![(GLOBAL, 0)]));
        let shelf = Shelf::of(unsorted.collect());
        let mut sorted = keys;
        sorted.sort_unstable();
        for text in [
            "",
            "git",
            "git\0",
            "git push",
            "git push a",
            "git push az",
            "git pushes x",
            "z",
            "\u{e9}",
        ] {
            let expected = sorted.iter().filter(|key| **key <= text).count();
            assert_eq!(shelf.until(text), expected, "{text:?}");
        }
    }
}
