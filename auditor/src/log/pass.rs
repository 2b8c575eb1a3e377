//! One pass over all entries of a log, bundle by bundle.
//!
//! Owns growing the tree and having each bundle judged while the signatures of the one before are verified.

use super::ENTRIES;
use super::bundles::{DisclosedByIndex, Slot};
use super::cold::{Cold, ColdError};
use super::course::{Cut, LogAudit};
use super::published::{Coming, Passed};
use super::retention::Pruned;
use super::state::{Administrative, Compared};
use super::succession;
use super::tiles::TileRebuilder;
use crate::beacons::TreeAt;
use crate::evidence::Context;
use crate::pack::check_log_key;
use crate::report::{Check, Failure};
use crate::source::SourceError;
use crate::walk::{Batch, Item, Readings, Walk};
use cairn_event::administrative::{PolicyStatement, Predecessor};
use cairn_event::body::Body;
use cairn_tlog::{Frontier, Hash, leaf_hash};
use std::collections::BTreeMap;

/// The state of one pass over all entries.
pub(super) struct Pass<'a> {
    pub(super) audit: &'a LogAudit<'a>,
    pub(super) walk: Walk,
    /// The chains that the walk has no memory for.
    pub(super) cold: Cold,
    pub(super) pruned: Pruned,
    /// The last bundle: its signatures are verified while the next one is read and judged.
    pub(super) judged: Batch,
    pub(super) tiles: TileRebuilder<'a>,
    pub(super) frontier: Frontier,
    /// The sizes whose roots are wanted beside those of published checkpoints, and those roots.
    pub(super) wanted: BTreeMap<u64, Option<Hash>>,
    pub(super) genesis: Check,
    /// The link to the log that this one succeeds.
    pub(super) link: Option<(Check, Option<Predecessor>)>,
    pub(super) blobs: Check,
    /// The published checkpoints so far.
    pub(super) published: Passed,
    /// Whether a state may be kept: somebody wants it, and nothing has failed before the walk.
    pub(super) may_keep: bool,
    pub(super) administrative: Vec<Administrative>,
}

/// The roots of the entries that a pass remembers.
#[derive(Clone, Copy)]
pub(super) struct Roots<'a>(&'a BTreeMap<u64, Option<Hash>>, &'a Passed);

impl<'a> Roots<'a> {
    pub(super) fn of(wanted: &'a BTreeMap<u64, Option<Hash>>, published: &'a Passed) -> Self {
        Self(wanted, published)
    }

    pub(super) fn at(self, size: u64) -> Option<Hash> {
        let wanted = self.0.get(&size).copied().flatten();
        wanted.or_else(|| self.1.root(size))
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        audit: &'a LogAudit<'a>,
        pruned: Pruned,
        before: Compared,
        since: Option<u64>,
    ) -> Self {
        let sizes = [audit.head.size].into_iter().chain(since);
        let origin = &audit.head.origin;
        let nothing = (Context::default(), BTreeMap::new());
        let mut walk = Walk::new(origin, 0..0, nothing.0, nothing.1).without_tables();
        walk.set_minimum_index(pruned.minimum());
        Self {
            audit,
            walk,
            cold: Cold::new(audit.options.chains),
            pruned,
            judged: Batch::default(),
            tiles: TileRebuilder::new(audit.source),
            frontier: Frontier::new(),
            wanted: sizes.map(|size| (size, None)).collect(),
            genesis: Check::new("genesis"),
            link: None,
            blobs: Check::new("blobs-readable"),
            published: Passed::new(before),
            may_keep: false,
            administrative: Vec::new(),
        }
    }
}

impl Pass<'_> {
    /// Takes the next bundle.
    ///
    /// Errors: [`Cut`] where its entries could not be judged.
    pub(super) fn bundle(
        &mut self,
        first: u64,
        places: Vec<Slot>,
        disclosed: DisclosedByIndex,
    ) -> Result<(), Cut> {
        let last = std::mem::take(&mut self.judged);
        let judge = || self.judge(first, places, disclosed);
        let (verified, judged) = rayon::join(|| last.verify(), judge);
        self.walk.settle(ENTRIES, verified);
        match judged {
            Ok(judged) => self.judged = judged,
            Err(cut) => {
                // The tree has grown by entries that were not judged: this is nothing to go on from.
                self.may_keep = false;
                return Err(cut);
            }
        }
        Ok(())
    }

    /// Takes the published checkpoints up to a size, before the tree grows beyond them.
    ///
    /// Errors: [`SourceError`] where their list cannot be read further.
    pub(super) fn publish_upto(
        &mut self,
        coming: &mut Coming,
        size: u64,
    ) -> Result<(), SourceError> {
        while let Some(looked) = coming.next_upto(size)? {
            self.published.take(looked);
            self.note_root();
        }
        Ok(())
    }

    /// Verifies what is left.
    pub(super) fn settle(&mut self) {
        let last = std::mem::take(&mut self.judged);
        self.walk.settle(ENTRIES, last.verify());
    }

    /// Grows the tree by a bundle and judges its entries.
    fn judge(
        &mut self,
        first: u64,
        places: Vec<Slot>,
        mut disclosed: DisclosedByIndex,
    ) -> Result<Batch, Cut> {
        // Of a pruned place the leaf hash is the log's word, until the root is.
        let mut leaves = Vec::with_capacity(places.len());
        let mut items = Vec::with_capacity(places.len());
        for (place, index) in places.into_iter().zip(first..) {
            leaves.push(match place {
                Slot::Pruned(leaf) => Some(leaf),
                Slot::Entry(bytes) => {
                    let disclosed = disclosed.remove(&index).unwrap_or_default();
                    items.push(Item::new(index, bytes, disclosed));
                    None
                }
            });
        }
        let readings = Walk::read(&items);
        // Reading an entry hashes its bytes.
        let hashed = items.iter().zip(readings.entries());
        let hashed = hashed.map(|(item, entry)| match entry {
            Some(entry) => Hash(entry.leaf().0),
            None => leaf_hash(&item.bytes),
        });
        let hashed: Vec<Hash> = hashed.collect();
        for (item, leaf) in items.iter().zip(&hashed) {
            self.pruned.note(item.index, leaf);
        }
        let mut hashed = hashed.into_iter();
        for leaf in leaves {
            // Places without a hash of their own are the items, in order.
            let Some(leaf) = leaf.or_else(|| hashed.next()) else {
                continue;
            };
            self.tiles.push(leaf);
            self.frontier.push(leaf);
            self.note_root();
        }
        if let Some(genesis) = items.first().filter(|item| item.index == 0) {
            self.check_genesis(&genesis.bytes);
        }
        self.fetch_bundles(&items, &readings);
        let batch = self.judge_read(&items, readings)?;
        self.note_administrative(items, &batch);
        let (audit, roots) = (self.audit, Roots(&self.wanted, &self.published));
        let tree = |size: u64, root: &Hash| audit.tree(roots.at(size), size, root);
        let place = |index, reason| Failure::of_index(ENTRIES, index, reason);
        self.walk.settle_beacons(tree, place);
        Ok(batch)
    }

    /// Judges entries with every chain at hand that they need.
    fn judge_read(&mut self, items: &[Item], readings: Readings) -> Result<Batch, ColdError> {
        let entries = readings.entries().flatten();
        self.cold.recall(self.walk.ledger_mut(), entries)?;
        let batch = self.walk.judge(ENTRIES, items, readings);
        if let Some(chain) = self.walk.away() {
            return Err(ColdError::Away(chain.clone()));
        }
        self.cold.make_room(self.walk.ledger_mut())?;
        Ok(batch)
    }

    /// Notes the root where it is wanted, and compares the published checkpoints that the tree has reached.
    pub(super) fn note_root(&mut self) {
        let size = self.frontier.size();
        if let Some(wanted) = self.wanted.get_mut(&size) {
            *wanted = Some(self.frontier.root());
        }
        while let Some(head) = self.published.reached(size) {
            let tree = if head.size == size {
                TreeAt::Root(self.frontier.root())
            } else {
                // Published after an audit had gone past it.
                self.audit.tree(None, head.size, &head.root)
            };
            self.published.compare(&head, &tree);
            self.pruned.note_head(&head);
        }
    }

    pub(super) fn check_genesis(&mut self, entry: &[u8]) {
        let options = self.audit.options;
        let leaf = leaf_hash(entry);
        let verdict = if leaf == options.genesis {
            check_log_key(entry, options.policy)
        } else {
            Err(format!(
                "entry 0 has leaf {}, pinned is {}",
                leaf.to_hex(),
                options.genesis.to_hex()
            ))
        };
        self.genesis
            .record(verdict, |reason| Failure::of_index(ENTRIES, 0, reason));
        self.link = succession::check_link(self.audit.source, options.policy, entry);
    }

    /// The bundles that policy entries name must be there before the entries are judged.
    fn fetch_bundles(&mut self, items: &[Item], readings: &Readings) {
        for (entry, item) in readings.entries().zip(items) {
            let index = item.index;
            let Some(Body::Policy(statement)) = entry.map(|entry| &entry.payload().body) else {
                continue;
            };
            self.fetch_bundle(index, statement);
        }
    }

    pub(super) fn fetch_bundle(&mut self, index: u64, statement: &PolicyStatement) {
        let read = self.audit.source.blob(&statement.bundle);
        let place = |reason: String| {
            Failure::of_index(&format!("blobs/{}", statement.bundle), index, reason)
        };
        if let Some(blob) = self.blobs.record(read, place) {
            self.walk.add_bundle(statement.bundle, blob);
        }
    }
}
