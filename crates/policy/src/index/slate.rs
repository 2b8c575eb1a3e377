//! The rules that may match each part of a call, found when they are asked for.
//!
//! Owns what is looked up once for all parts, and counting what looking up costs. What a part has to offer
//! is [`super::of_part`]'s question.

use super::shelf::{Crowd, Found, Rest, Topic, Wanted};
use super::{Index, about_the_tool, command, of_part};
use crate::parts::{Part, Parts, What};
use crate::request::Request;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Steps of looking one key up.
const LOOK_UP_STEPS: usize = 100;

/// Bytes of a key that are made and compared in one step.
const KEY_BYTES_A_STEP: usize = 2;

/// From so many bytes on a key is looked up once: parts have the text of the whole line in common.
const LONG_KEY: usize = 64;

/// Steps of each rule that is put on a slate.
const SLATE_STEPS: usize = 2;

/// The rules that may match one part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slate {
    /// Their positions, ascending.
    pub rules: Vec<usize>,
    /// Rules about commands that possibly match it, and surely only where they are among the others too.
    pub crowds: Vec<Crowd>,
    /// For a line that could not be read: by rule, the pieces of it that the rule may be about.
    pub pieces: BTreeMap<usize, Vec<usize>>,
}

/// The slates of a call, each made when it is first asked for.
pub(crate) struct Slates<'a> {
    index: &'a Index,
    scopes: Vec<u32>,
    parts: &'a Parts,
    request: &'a Request,
    /// Rules about the tool, whatever the part.
    for_all: Vec<usize>,
    /// What many parts have to offer, each looked up once.
    known: BTreeMap<Wanted<'a>, Found>,
    /// The rules of each crowd that was asked for.
    crowds: BTreeMap<Crowd, Rc<[usize]>>,
    made: Vec<Slate>,
}

impl<'a> Slates<'a> {
    pub(super) fn new(
        index: &'a Index,
        scopes: Vec<u32>,
        parts: &'a Parts,
        request: &'a Request,
    ) -> Self {
        let mut slates = Self {
            index,
            scopes,
            parts,
            request,
            for_all: Vec::new(),
            known: BTreeMap::new(),
            crowds: BTreeMap::new(),
            made: Vec::new(),
        };
        slates.for_all = slates.look_up(about_the_tool(request)).rules;
        slates
    }

    /// The slate of the part at a position; `None` once the budget of comparing is exhausted.
    pub(crate) fn of(&mut self, position: usize) -> Option<&Slate> {
        while self.made.len() <= position {
            if self.parts.work.is_exhausted() {
                return None;
            }
            let part = self.parts.parts.get(self.made.len())?;
            let slate = self.make(part);
            self.made.push(slate);
        }
        self.made.get(position)
    }

    /// The rules of a crowd, ascending.
    pub(crate) fn members(&mut self, crowd: Crowd) -> Rc<[usize]> {
        let made = self.crowds.entry(crowd).or_insert_with(|| {
            let shelf = self.index.shelves.get(&Topic::Command);
            let members = shelf.map_or_else(Vec::new, |shelf| shelf.members(crowd, &self.scopes));
            self.parts.work.spend(SLATE_STEPS * members.len());
            members.into()
        });
        Rc::clone(made)
    }

    /// Those that were asked for so far.
    pub(crate) fn made(&self) -> &[Slate] {
        &self.made
    }

    /// Every rule for every part, as if there were no index.
    #[cfg(test)]
    pub(crate) fn of_everything(
        index: &'a Index,
        rules: usize,
        parts: &'a Parts,
        request: &'a Request,
    ) -> Self {
        let pieces: Vec<usize> = (0..parts.unread.len()).collect();
        let slate = Slate {
            rules: (0..rules).collect(),
            crowds: Vec::new(),
            pieces: (0..rules).map(|rule| (rule, pieces.clone())).collect(),
        };
        let mut slates = Self::new(index, Vec::new(), parts, request);
        slates.made = vec![slate; parts.parts.len()];
        slates
    }

    fn make(&mut self, part: &'a Part) -> Slate {
        let mut wanted = Vec::new();
        of_part(part, self.parts, self.request, &mut wanted);
        wanted.sort_unstable();
        wanted.dedup();
        let Found {
            mut rules,
            mut crowds,
        } = self.look_up(wanted);
        rules.extend_from_slice(&self.for_all);
        // They are some lists that are in order already.
        rules.sort();
        rules.dedup();
        self.parts.work.spend(SLATE_STEPS * rules.len());
        crowds.sort_unstable();
        crowds.dedup();
        let pieces = self.pieces_of(part);
        Slate {
            rules,
            crowds,
            pieces,
        }
    }

    fn look_up(&mut self, wanted: Vec<Wanted<'a>>) -> Found {
        let mut found = Found::default();
        for key in wanted {
            // What all files have in common, all that may be anything, and the line that commands stand on.
            let is_open = key.rest == Rest::Unknown;
            let is_common = is_open || key.text.is_empty() || key.text.len() >= LONG_KEY;
            if let Some(known) = self.known.get(&key).filter(|_| is_common) {
                found.rules.extend_from_slice(&known.rules);
                found.crowds.extend_from_slice(&known.crowds);
                let steps = LOOK_UP_STEPS + known.rules.len() + key.text.len() / LONG_KEY;
                if !self.parts.work.spend(steps) {
                    break;
                }
                continue;
            }
            let before = (found.rules.len(), found.crowds.len());
            let shelf = self.index.shelves.get(&key.topic);
            let looked_at = shelf.map_or(0, |shelf| shelf.find(&key, &self.scopes, &mut found));
            let steps = LOOK_UP_STEPS + looked_at + key.text.len() / KEY_BYTES_A_STEP;
            if !self.parts.work.spend(steps) {
                break;
            }
            if is_common {
                let new = Found {
                    rules: found.rules.get(before.0..).unwrap_or_default().to_vec(),
                    crowds: found.crowds.get(before.1..).unwrap_or_default().to_vec(),
                };
                self.known.insert(key, new);
            }
        }
        found
    }

    fn pieces_of(&mut self, part: &Part) -> BTreeMap<usize, Vec<usize>> {
        let mut rules: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        if !matches!(part.what, What::Unreadable(_)) {
            return rules;
        }
        for (piece, text) in self.parts.unread.iter().enumerate() {
            if self.parts.work.is_exhausted() {
                break;
            }
            let mut wanted = Vec::new();
            command(text, false, &mut wanted);
            // All of a piece is known, so that there are no crowds.
            for rule in self.look_up(wanted).rules {
                rules.entry(rule).or_default().push(piece);
            }
        }
        rules
    }
}
