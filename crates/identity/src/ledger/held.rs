//! The chains that a ledger holds in memory, and what it knows of those that it has let go.
//!
//! Owns which chains a judgement looks at, which were used longest ago, and that nothing is judged by the absence
//! of a chain that may only have been let go. Where those are meanwhile is the reader's: nothing here does I/O.
//! A ledger of which nothing is taken holds every chain, as a server's does.

use super::Ledger;
use super::kept::KeptChain;
use crate::chain::ChainState;
use crate::refusal::Refusal;
use cairn_event::body::{Body, ChainStart};
use cairn_event::{Entry, Kid};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Chains by identifier.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    held: BTreeMap<Kid, Held>,
    /// Whether chains were let go: one that is not held may be among them.
    has_let_go: bool,
    /// Chains that are not among those, as it was asked for the entries at hand.
    absent: BTreeSet<Kid>,
}

#[derive(Clone)]
struct Held {
    state: ChainState,
    /// Entries that the ledger counted when the chain was used last.
    used: u64,
}

impl fmt::Debug for Held {
    /// Without when it was used: ledgers that know the same are shown alike.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(formatter)
    }
}

impl Chains {
    /// The chain for a judgement; `None` where it is known that there is none.
    ///
    /// Errors: [`Refusal::ChainAway`] where that is not known.
    pub(super) fn known(&self, chain: &Kid) -> Result<Option<&ChainState>, Refusal> {
        let state = self.held(chain);
        if state.is_none() && self.may_be_away(chain) {
            return Err(Refusal::ChainAway(chain.clone()));
        }
        Ok(state)
    }

    pub(super) fn held(&self, chain: &Kid) -> Option<&ChainState> {
        Some(&self.held.get(chain)?.state)
    }

    fn may_be_away(&self, chain: &Kid) -> bool {
        self.has_let_go && !self.held.contains_key(chain) && !self.absent.contains(chain)
    }

    pub(super) fn insert(&mut self, chain: Kid, state: ChainState, used: u64) {
        self.held.insert(chain, Held { state, used });
    }

    /// The chains that are held, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Kid, &ChainState)> {
        let held = self.held.iter();
        held.map(|(chain, held)| (chain, &held.state))
    }

    /// Keeps the `keep` chains that were used last and gives the others, ascending.
    fn split(&mut self, keep: usize) -> BTreeMap<Kid, Held> {
        let mut used: Vec<(u64, &Kid)> = self
            .held
            .iter()
            .map(|(chain, held)| (held.used, chain))
            .collect();
        let last = used.len().saturating_sub(keep);
        if last == 0 {
            return BTreeMap::new();
        }
        // Chains that were used at one time are told apart by their identifiers: each is unique.
        let first_kept = (last < used.len()).then(|| {
            let (_, (at, chain), _) = used.select_nth_unstable(last);
            (*at, (*chain).clone())
        });
        self.has_let_go = true;
        self.absent.clear();
        let is_cold = |chain: &Kid, held: &mut Held| {
            let kept = first_kept.as_ref();
            kept.is_none_or(|(at, first)| (held.used, chain) < (*at, first))
        };
        self.held.extract_if(.., is_cold).collect()
    }
}

impl Ledger {
    /// How many chains are in memory.
    pub fn held_chains(&self) -> usize {
        self.chains.held.len()
    }

    /// Lets chains go until the `keep` that were used last are left, and gives those, ascending. Which of them is
    /// the newest of its device stays known here.
    ///
    /// Before further entries are judged, [`Ledger::recall_for`] must be told of them: without that the ledger
    /// refuses with [`Refusal::ChainAway`] what it cannot know. A reader of a part of a log gets nothing: its chains
    /// may all have grown unseen, which is known of those in memory only.
    pub fn take_cold(&mut self, keep: usize) -> Vec<KeptChain> {
        if self.partial {
            return Vec::new();
        }
        let cold = self.chains.split(keep).into_iter();
        cold.map(|(chain, held)| self.kept(&chain, &held.state))
            .collect()
    }

    /// Puts back, of the chains that were let go, those that judging `entries` looks at. `find` is asked for each that
    /// is not in memory; `None` says that it was never let go, which is believed.
    ///
    /// Trap: the entries must be all that are judged until the next call.
    ///
    /// Errors: those of `find`; nothing may be judged then.
    pub fn recall_for<'a, E>(
        &mut self,
        entries: impl IntoIterator<Item = &'a Entry>,
        mut find: impl FnMut(&Kid) -> Result<Option<KeptChain>, E>,
    ) -> Result<(), E> {
        if !self.chains.has_let_go {
            return Ok(());
        }
        self.chains.absent.clear();
        for entry in entries {
            for chain in self.looked_at(entry) {
                if !self.chains.may_be_away(&chain) {
                    continue;
                }
                match find(&chain)? {
                    Some(kept) => {
                        if self.partial {
                            self.behind.insert(chain);
                        }
                        self.hold(kept);
                    }
                    None => {
                        self.chains.absent.insert(chain);
                    }
                }
            }
        }
        Ok(())
    }

    /// The chains that judging an entry looks at: its own, and for a start the one that its device has so far and, for
    /// a reader of a part, the one that it names. A chain that becomes its device's newest meanwhile is in memory.
    fn looked_at(&self, entry: &Entry) -> impl Iterator<Item = Kid> + use<> {
        let payload = entry.payload();
        let link = payload.link.as_ref();
        let own = link.map(|link| link.chain.clone());
        let (newest, named) = match (link, &payload.body) {
            (Some(link), Body::ChainStart(ChainStart { previous, .. })) => {
                let named = previous.as_ref().filter(|_| self.partial);
                let newest = self.latest_chain.get(&link.device);
                (newest.cloned(), named.map(|named| named.chain.clone()))
            }
            _ => (None, None),
        };
        own.into_iter().chain(newest).chain(named)
    }
}
