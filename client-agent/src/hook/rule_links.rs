//! Links that the paths of rules lead through, as they are at the moment of a call.
//!
//! A rule for `lib/**` also holds for `src` where `lib` is a link to it. Owns when the links that were found
//! for a policy and a directory still hold, and when they are looked for again. How they are found is in
//! `survey`.
//!
//! Source: `cairn_policy::RuleLink`.

mod survey;

use crate::policy::Active;
use cairn_policy::{RuleLink, rule_paths};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use survey::{Survey, Tree};

/// Most directories in which agents work whose links are remembered; the oldest is forgotten first.
const DIRECTORIES_MAX: usize = 64;

/// How long one look may take before others do without: a file system that does not answer must not hold
/// up every call, and the rules hold by their own names all the same.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was found, by policy and directory.
#[derive(Debug, Default)]
pub(super) struct RuleLinks(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: VecDeque<Known>,
    /// When each look began that has not ended.
    looking: Vec<Instant>,
}

/// What was found for one policy and one directory.
#[derive(Clone, Debug)]
struct Known {
    policy: Weak<Active>,
    cwd: String,
    home: String,
    tree: Arc<Tree>,
    survey: Arc<Survey>,
}

impl RuleLinks {
    /// The links for a policy, seen from a directory. Reads the file system and blocks.
    pub(super) fn of(&self, active: &Arc<Active>, cwd: &str, home: &str) -> Vec<RuleLink> {
        let now = Instant::now();
        let (known, is_stuck) = {
            let state = self.lock();
            let known = state.find(active, cwd, home).cloned();
            (known, state.is_stuck(now))
        };
        let links_of = |known: &Known| known.survey.links.clone();
        if known.as_ref().is_some_and(|known| known.tree.is_empty()) {
            return Vec::new();
        }
        if is_stuck {
            tracing::warn!(
                "a file system does not answer: links on the paths of rules are not looked at"
            );
            return known.as_ref().map(links_of).unwrap_or_default();
        }
        self.lock().looking.push(now);
        let found = look(known.as_ref(), active, cwd, home);
        let mut state = self.lock();
        if let Some(at) = state.looking.iter().position(|began| *began == now) {
            state.looking.swap_remove(at);
        }
        match found {
            Some(found) => {
                let links = links_of(&found);
                state.keep(found);
                links
            }
            None => known.as_ref().map(links_of).unwrap_or_default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is found now; `None` where what is known still holds.
fn look(known: Option<&Known>, active: &Arc<Active>, cwd: &str, home: &str) -> Option<Known> {
    if known.is_some_and(|known| known.survey.holds()) {
        return None;
    }
    let tree = match known {
        Some(known) => Arc::clone(&known.tree),
        None => Arc::new(Tree::of(&rule_paths(&active.compiled, cwd, home))),
    };
    Some(Known {
        policy: Arc::downgrade(active),
        cwd: cwd.to_owned(),
        home: home.to_owned(),
        survey: Arc::new(tree.survey()),
        tree,
    })
}

impl State {
    fn find(&self, active: &Arc<Active>, cwd: &str, home: &str) -> Option<&Known> {
        let mut known = self.known.iter();
        known.find(|known| {
            known.cwd == cwd
                && known.home == home
                && std::ptr::eq(known.policy.as_ptr(), Arc::as_ptr(active))
        })
    }

    fn is_stuck(&self, now: Instant) -> bool {
        let mut looking = self.looking.iter();
        looking.any(|began| now.saturating_duration_since(*began) > PATIENCE)
    }

    /// Replaces what was known for the directory, of a policy that is no longer in force too.
    fn keep(&mut self, found: Known) {
        self.known
            .retain(|known| known.cwd != found.cwd || known.home != found.home);
        if self.known.len() >= DIRECTORIES_MAX {
            self.known.pop_front();
        }
        self.known.push_back(found);
    }
}

#[cfg(test)]
mod tests;
