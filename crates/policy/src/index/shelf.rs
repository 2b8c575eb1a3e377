//! The ordered list of keys behind [`super::Index`], and what is looked for in it.
//!
//! Owns finding every key that a text begins with, or that goes on from it, without looking at the
//! others; and, of rules that share a key with many, those only of which the text has something else.
//! What a key means is the caller's business.

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

/// What is put on a shelf for one rule.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// What every text begins with that the rule matches.
    pub key: String,
    /// What else is somewhere in every such text.
    pub runs: Vec<String>,
    /// The number of the rule's scope.
    pub scope: u32,
    /// The rule's position.
    pub rule: usize,
}

/// Most rules under one key that are looked at for every text that begins with it.
const CROWD: usize = 24;

/// All keys of a topic, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    keys: Keys,
    /// Rules whose key they share with many others, which are wanted where a text has unknown stretches.
    crowded: Keys,
    /// The same rules by a few characters that a text must have somewhere.
    grams: Vec<(u64, Vec<(u32, usize)>)>,
}

impl Shelf {
    /// Puts entries in order.
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        let mut together: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &entries {
            *together.entry(&entry.key).or_default() += 1;
        }
        let is_crowded = |entry: &&Entry| {
            let many = together
                .get(entry.key.as_str())
                .is_some_and(|many| *many > CROWD);
            many && entry.runs.iter().any(|run| grams(run).next().is_some())
        };
        let (crowded, others): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(is_crowded);
        Self {
            grams: by_gram(&crowded),
            crowded: Keys::of(&crowded),
            keys: Keys::of(&others),
        }
    }

    /// Adds the rules of these scopes that a text may be about; says how many places and rules it saw.
    pub(super) fn find(
        &self,
        wanted: &Wanted<'_>,
        scopes: &[u32],
        found: &mut Vec<usize>,
    ) -> usize {
        let seen = self.keys.find(wanted, scopes, found);
        if self.grams.is_empty() {
            return seen;
        }
        if wanted.open {
            return seen + self.crowded.find(wanted, scopes, found);
        }
        let mut seen = seen;
        for gram in grams(&wanted.text) {
            seen += GRAM_STEPS;
            let at = self.grams.partition_point(|(known, _)| *known < gram);
            if let Some((_, rules)) = self.grams.get(at).filter(|(known, _)| *known == gram) {
                seen += of_scopes(rules, scopes, found);
            }
        }
        seen
    }
}

/// Steps of looking a few characters up.
const GRAM_STEPS: usize = 4;

/// Characters that are looked up together.
const GRAM: usize = 4;

/// Every few neighbouring characters of a text, as numbers. Two that differ may have one number; then a
/// rule is looked at that need not be.
fn grams(text: &str) -> impl Iterator<Item = u64> {
    let mut last = 0;
    let numbers = text.chars().map(move |c| {
        last = last << 16 | u64::from(u32::from(c) & 0xffff);
        last
    });
    numbers.skip(GRAM - 1)
}

/// Each rule under those characters of it that the fewest others have.
fn by_gram(crowded: &[&Entry]) -> Vec<(u64, Vec<(u32, usize)>)> {
    let of = |entry: &Entry| -> Vec<u64> { entry.runs.iter().flat_map(|run| grams(run)).collect() };
    let mut uses: BTreeMap<u64, usize> = BTreeMap::new();
    for gram in crowded.iter().flat_map(|entry| of(entry)) {
        *uses.entry(gram).or_default() += 1;
    }
    let mut rules: BTreeMap<u64, Vec<(u32, usize)>> = BTreeMap::new();
    for entry in crowded {
        let rarest = of(entry).into_iter().min_by_key(|gram| uses.get(gram));
        if let Some(gram) = rarest {
            rules
                .entry(gram)
                .or_default()
                .push((entry.scope, entry.rule));
        }
    }
    let sorted = rules.into_iter().map(|(gram, mut rules)| {
        rules.sort_unstable();
        (gram, rules)
    });
    sorted.collect()
}

/// Keys in order.
#[derive(Clone, Debug, Default)]
struct Keys {
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
    fn of(entries: &[&Entry]) -> Self {
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
    fn until(&self, text: &str) -> usize {
        let wanted = head(text);
        let first = self.heads.partition_point(|head| *head < wanted);
        let heads = self.heads.get(first..).unwrap_or_default();
        let alike = heads.partition_point(|head| *head == wanted);
        let alike = self.places.get(first..first + alike).unwrap_or_default();
        first + alike.partition_point(|place| place.key.as_str() <= text)
    }

    /// Adds the rules of these scopes under every key that fits; says how many places and rules it saw.
    fn find(&self, wanted: &Wanted<'_>, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        let text = wanted.text.as_ref();
        // Every key that the text begins with is the last one not after it, or one that this one
        // begins with: whatever stands between begins with the longest of them too.
        let after = self.until(text);
        let mut next = after.checked_sub(1);
        let mut seen = 0;
        while let Some(place) = next.and_then(|at| self.places.get(at)) {
            seen += 1;
            if text.starts_with(&place.key) {
                seen += of_scopes(&place.rules, scopes, found);
            }
            next = place.shorter;
        }
        if wanted.open {
            let longer = self.places.iter().skip(after);
            for place in longer.take_while(|place| place.key.starts_with(text)) {
                seen += 1 + of_scopes(&place.rules, scopes, found);
            }
        }
        seen
    }
}

/// Adds the rules of these scopes; says how many scopes and rules it saw.
fn of_scopes(all: &[(u32, usize)], scopes: &[u32], found: &mut Vec<usize>) -> usize {
    let before = found.len();
    for scope in scopes {
        let first = all.partition_point(|(of, _)| of < scope);
        let rules = all.iter().skip(first);
        let own = rules.take_while(|(of, _)| of == scope);
        found.extend(own.map(|(_, position)| *position));
    }
    scopes.len() + found.len() - before
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOBAL: u32 = 0;

    fn entry(key: &str, runs: &[&str], scope: u32, rule: usize) -> Entry {
        Entry {
            key: key.to_owned(),
            runs: runs.iter().map(|run| (*run).to_owned()).collect(),
            scope,
            rule,
        }
    }

    #[test]
    fn keys_that_begin_with_one_another_are_all_found() {
        let keys = ["", "a", "ab", "abc", "abd", "b", "ba"];
        let numbered = keys.iter().enumerate();
        let entries =
            numbered.flat_map(|(number, key)| [entry(key, &[], 1, 99), entry(key, &[], 0, number)]);
        let shelf = Shelf::of(entries.collect());
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
        let entries = keys.iter().map(|key| entry(key, &[], GLOBAL, 0));
        let shelf = Shelf::of(entries.collect());
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
            assert_eq!(shelf.keys.until(text), expected, "{text:?}");
        }
    }

    #[test]
    fn of_many_rules_with_one_key_only_those_are_found_that_the_text_has_more_of() {
        let number = |rule: usize| format!("tool{rule:04}");
        let numbered = (0..200).map(|rule| entry("", &[" -x", &number(rule)], GLOBAL, rule));
        let short = [
            entry("", &["abc"], GLOBAL, 500),
            entry("git ", &["tool0007"], GLOBAL, 501),
        ];
        let shelf = Shelf::of(numbered.chain(short).collect());
        let found = |text: &str, open: bool| {
            let known = Wanted::text(Topic::Command, text);
            let mut found = Vec::new();
            shelf.find(&Wanted { open, ..known }, &[GLOBAL], &mut found);
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(found("run tool0007 -x", false), [7, 500]);
        assert_eq!(found("tool0008 and tool0009", false), [8, 9, 500]);
        assert_eq!(found("", false), [500]);
        assert_eq!(found("git x", false), [500, 501], "few share its key");
        assert_eq!(
            found("run", true).len(),
            201,
            "what is not known may be any of them"
        );
    }
}
