//! The ordered list of keys behind [`super::Index`], and what is looked for in it.
//!
//! Owns, of rules that share a key with many, finding those only of which the text has something else, and
//! naming those together that a text of which anything may be is possibly about. What a key means is the
//! caller's business, how one is found that of `keys`.

mod keys;

use keys::{Keys, of_scopes};
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
    /// What follows it.
    pub rest: Rest,
}

/// What follows the known beginning of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// What is not known: all keys that go on from here are wanted too.
    Unknown,
    /// Anything, up to what is known of its end: as [`Self::Unknown`], but rules that share a key with
    /// many are certain to be possible.
    Anything {
        /// What is known of its end, the last character first.
        ending: String,
    },
    /// The text is not the beginning but a stretch from within.
    Around,
    /// There is no text: it may be all that can be.
    Everything,
}

/// Rules that one text is possibly about, all or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crowd {
    /// All of the topic.
    Everything,
    /// Those under one crowded key whose pattern leaves the end open.
    Open(usize),
    /// Those under one crowded key whose pattern says how the text ends.
    Ended(usize),
}

/// What is found for a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Rules that may match it.
    pub rules: Vec<usize>,
    /// Rules that possibly match it, and surely only where they are among the others too.
    pub crowds: Vec<Crowd>,
}

impl<'a> Wanted<'a> {
    /// A text all of which is known.
    pub(super) fn text(topic: Topic, text: impl Into<Cow<'a, str>>) -> Self {
        let (text, rest) = (text.into(), Rest::Nothing);
        Self { topic, text, rest }
    }

    /// The known beginning of a text.
    pub(super) fn beginning(topic: Topic, text: impl Into<Cow<'a, str>>) -> Self {
        let (text, rest) = (text.into(), Rest::Unknown);
        Self { topic, text, rest }
    }

    /// Whether keys are wanted too that are longer than the text.
    fn goes_on(&self) -> bool {
        matches!(self.rest, Rest::Unknown | Rest::Anything { .. })
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
    /// What every such text ends with, the last character first; `None` where anything may follow.
    pub ending: Option<String>,
    /// The rule's position.
    pub rule: usize,
}

/// Most rules under one key that are looked at for every text that begins with it.
const CROWD: usize = 24;

/// All keys of a topic, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    keys: Keys,
    /// Rules whose key they share with many others, which are wanted where a text has unknown stretches:
    /// those that leave its end open, and those that do not, which are also found by how it ends.
    open: Keys,
    ended: Keys,
    endings: Keys,
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
        let grams = by_gram(&crowded);
        let (open, ended): (Vec<&Entry>, Vec<&Entry>) = crowded
            .into_iter()
            .partition(|entry| entry.ending.is_none());
        let by_ending = ended.iter().map(|entry| Entry {
            key: entry.ending.clone().unwrap_or_default(),
            ..(*entry).clone()
        });
        let by_ending: Vec<Entry> = by_ending.collect();
        Self {
            grams,
            open: Keys::of(&open),
            ended: Keys::of(&ended),
            endings: Keys::of(&by_ending.iter().collect::<Vec<_>>()),
            keys: Keys::of(&others),
        }
    }

    /// Adds the rules of these scopes that a text may be about; says how many places and rules it saw.
    pub(super) fn find(&self, wanted: &Wanted<'_>, scopes: &[u32], found: &mut Found) -> usize {
        let rules = &mut found.rules;
        let mut seen = 0;
        match &wanted.rest {
            Rest::Everything => {
                found.crowds.push(Crowd::Everything);
                return 1;
            }
            Rest::Around => {}
            Rest::Nothing => seen += self.keys.find(wanted, scopes, rules),
            Rest::Unknown => {
                let all = [&self.keys, &self.open, &self.ended]
                    .map(|keys| keys.find(wanted, scopes, rules));
                return all.iter().sum();
            }
            Rest::Anything { ending } => {
                seen += self.keys.find(wanted, scopes, rules);
                let crowds = &mut found.crowds;
                seen += self.open.fitting(wanted, |at| crowds.push(Crowd::Open(at)));
                seen += if ending.is_empty() {
                    self.ended
                        .fitting(wanted, |at| crowds.push(Crowd::Ended(at)))
                } else {
                    let ending = Wanted::beginning(wanted.topic, ending.as_str());
                    self.endings.find(&ending, scopes, rules)
                };
            }
        }
        seen + self.find_grams(&wanted.text, scopes, rules)
    }

    /// Adds the crowded rules of which a text has something.
    fn find_grams(&self, text: &str, scopes: &[u32], found: &mut Vec<usize>) -> usize {
        if self.grams.is_empty() {
            return 0;
        }
        let mut seen = 0;
        for gram in grams(text) {
            seen += GRAM_STEPS;
            let at = self.grams.partition_point(|(known, _)| *known < gram);
            if let Some((_, rules)) = self.grams.get(at).filter(|(known, _)| *known == gram) {
                seen += of_scopes(rules, scopes, found);
            }
        }
        seen
    }

    /// The rules of a crowd for these scopes, ascending.
    pub(super) fn members(&self, crowd: Crowd, scopes: &[u32]) -> Vec<usize> {
        let mut found = Vec::new();
        match crowd {
            Crowd::Everything => {
                for keys in [&self.keys, &self.open, &self.ended] {
                    keys.all(scopes, &mut found);
                }
            }
            Crowd::Open(at) => {
                self.open.rules_at(at, scopes, &mut found);
            }
            Crowd::Ended(at) => {
                self.ended.rules_at(at, scopes, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
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

#[cfg(test)]
mod tests;
