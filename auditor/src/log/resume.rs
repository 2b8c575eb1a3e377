//! Going on with an audit: when its state is kept, and whether the log still is what was audited.
//!
//! Owns the seam to whoever keeps the state and the evidence of a log that went back. The form of the
//! state is `state`'s.

use super::cold::ColdError;
use super::course::LogAudit;
use super::pass::Pass;
use super::state::{Administrative, Settled, State, StateError};
use super::tiles::{KeptTiles, TileRebuilder};
use crate::report::{Check, Failure};
use crate::source::Tiles;
use crate::walk::{Batch, Item, KeptWalk};
use cairn_event::Entry;
use cairn_event::body::Body;
use cairn_tlog::{Frontier, TileNodes, consistency_proof, verify_consistency};

/// What is to be done after a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Go on.
    Nothing,
    /// Keep the state and go on.
    State,
    /// Keep the state and end.
    End,
}

/// Keeps states; the audit asks it after every bundle.
pub trait Keeper: Sync {
    /// What is due now that `done` entries are judged.
    fn due(&self, done: u64) -> Due;

    /// Keeps a state, which is to be written and replaces the one before. What goes wrong is the keeper's to tell: an
    /// audit does not end because its state could not be kept.
    fn keep(&self, state: &Settled<'_>);
}

/// How an audit goes on and is gone on with.
pub struct Resume<'a> {
    /// The state of an earlier run; `None` to begin at entry 0.
    pub from: Option<State>,
    /// Who keeps the state of this one.
    pub keeper: &'a dyn Keeper,
}

/// Why an audit has no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The keeper said so.
    #[error("ended after {done} of {all} entries, {}", kept_or_not(*.kept))]
    Asked {
        /// Entries done.
        done: u64,
        /// Entries in all.
        all: u64,
        /// Whether there was a state to keep: no check had failed.
        kept: bool,
    },
    /// The state is not one to go on from.
    #[error(transparent)]
    State(#[from] StateError),
    /// Chains could not be put out of memory or back.
    #[error(transparent)]
    Chains(#[from] ColdError),
}

fn kept_or_not(kept: bool) -> &'static str {
    if kept {
        "from where it can go on"
    } else {
        "of which a check has failed: it cannot go on from here"
    }
}

impl LogAudit<'_> {
    /// Whether the log of today begins with the entries that were audited; a failed check where it does
    /// not. The root at the end of the walk says it again, from the entries themselves.
    pub(super) fn check_begins_with(&self, audited: &Frontier) -> Option<Check> {
        let mut check = Check::new("resume");
        check.record(self.begins_with(audited), |reason| {
            Failure::of_file("checkpoint", reason)
        });
        (check.failed > 0).then_some(check)
    }

    fn begins_with(&self, audited: &Frontier) -> Result<(), String> {
        let (size, root) = (audited.size(), audited.root());
        let head = self.head;
        let of_then = format!("{size} entries with root {root} were audited before");
        let of_now = format!(
            "the checkpoint now has {} with root {}",
            head.size, head.root
        );
        if head.size < size {
            return Err(format!(
                "{of_then}, {of_now}: the log went back, or an old state is shown"
            ));
        }
        let nodes = TileNodes::new(Tiles(self.source), head.size);
        let proof = consistency_proof(&nodes, size, head.size).map_err(|error| {
            format!("{of_then}, {of_now}, and no proof could be made that they agree: {error}")
        })?;
        verify_consistency(size, head.size, &root, &head.root, &proof)
            .map_err(|_| format!("{of_then}, {of_now}, which is another history"))
    }
}

impl Pass<'_> {
    /// Puts back a state: the genesis is compared again and the policies' bundles are read again.
    pub(super) fn put_back(&mut self, mut state: State) -> Result<(), Ended> {
        let ledger = state.take_ledger(&mut self.cold)?;
        let size = state.frontier.size();
        let tiles = TileRebuilder::put_back(self.audit.source, &state.tiles, size);
        self.tiles = tiles.ok_or(StateError::Damaged)?;
        self.frontier = state.frontier;
        self.walk.put_back(state.walk, ledger);
        for Administrative { entry, index } in &state.administrative {
            if *index == 0 {
                self.check_genesis(entry.as_bytes());
            }
            let entry = Entry::parse(entry.as_bytes()).ok();
            let body = entry.as_ref().map(|entry| &entry.payload().body);
            if let Some(Body::Policy(statement)) = body {
                self.fetch_bundle(*index, statement);
                self.walk.learn_policy(*index, statement);
            }
        }
        self.administrative = state.administrative;
        Ok(())
    }

    /// The state after the last entry, all of which are settled; `None` where none may be kept.
    pub(super) fn state(&mut self) -> Option<Settled<'_>> {
        self.settle();
        let (tiles, walk) = self.kept()?;
        Some(Settled {
            options: self.audit.options,
            frontier: &self.frontier,
            ledger: self.walk.ledger(),
            cold: &self.cold,
            administrative: &self.administrative,
            published: self.published.compared,
            tiles,
            walk,
        })
    }

    /// What of a state is neither ledger nor tree; `None` where none may be kept. Trap: the last entries are settled.
    pub(super) fn kept(&self) -> Option<(KeptTiles, KeptWalk)> {
        let link = self.link.iter().map(|(check, _)| check);
        let mut checks = link.chain([&self.genesis, &self.blobs]);
        let has_failed = checks.any(|check| check.failed > 0) || self.published.has_failed();
        if !self.may_keep || self.genesis.examined == 0 || has_failed {
            return None;
        }
        self.tiles.kept().zip(self.walk.kept())
    }

    /// Remembers the entries that the ledger is made from, for the state.
    pub(super) fn note_administrative(&mut self, items: Vec<Item>, batch: &Batch) {
        if !self.may_keep {
            return;
        }
        let ledger = self.walk.ledger();
        for (item, entry) in items.into_iter().zip(batch.entries()) {
            let unchained = entry.is_some_and(|entry| entry.payload().link.is_none());
            if unchained
                && ledger.is_administrative(item.index)
                && let Ok(entry) = String::from_utf8(item.bytes)
            {
                let index = item.index;
                self.administrative.push(Administrative { entry, index });
            }
        }
    }
}
