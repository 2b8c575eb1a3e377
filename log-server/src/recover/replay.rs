//! Reading the whole log once: hashes, and the ledger.

use super::kept::Base;
use crate::publish::{Verified, VerifyError};
use crate::receipts::{StoreTiles, TileError};
use crate::store::{Head, LogStore, StoreError, Stored};
use cairn_event::{Entry, EntryError, Sha256};
use cairn_identity::retention::{KeptDigest, Remainder, Retention, RetentionError};
use cairn_identity::{Ledger, Refusal};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{Frontier, Hash, ProofError, TileNodes, consistency_proof, verify_consistency};
use std::collections::BTreeMap;
use std::ops::Range;

/// Why the stored log is not a log. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The entries cannot be read back.
    #[error("the stored log cannot be read")]
    Read(#[from] VerifyError),
    /// An entry is not readable by this version although it was admitted.
    #[error("the entry at index {index} cannot be read")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// An entry would not be admitted at its index.
    #[error("the entry at index {index} would not be admitted")]
    Refused {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: Box<Refusal>,
    },
    /// The entries hash to another root than the head's.
    #[error("the stored entries hash to `{computed}`, the head has `{root}`")]
    Root {
        /// Recomputed.
        computed: Hash,
        /// Of the head.
        root: Hash,
    },
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was pruned is not what the administrators agreed to.
    #[error("the pruning of the stored log is in doubt")]
    Retention(#[from] RetentionError),
    /// The tiles give no proof about a size before the kept ledger's.
    #[error("the stored tiles give no consistency proof")]
    Tiles(#[from] ProofError<TileNodeError<TileError>>),
    /// What was signed at a size before the kept ledger's is no beginning of the stored tree.
    #[error("at size {size} root `{root}` was signed, which is no beginning of the stored tree")]
    SignedHistory {
        /// The size.
        size: u64,
        /// Signed.
        root: Hash,
        /// Why.
        #[source]
        source: cairn_tlog::VerifyError,
    },
    /// At a size that was signed or published the entries hash to another root.
    #[error("at size {size} the stored entries hash to `{computed}`, `{root}` was signed")]
    SignedRoot {
        /// The size.
        size: u64,
        /// Recomputed.
        computed: Hash,
        /// Signed.
        root: Hash,
    },
}

/// A log read to its end.
pub struct Replayed {
    /// Where reading began: 0, or the size of a kept ledger.
    pub read_from: u64,
    /// The ledger after the last entry.
    pub ledger: Ledger,
    /// The tree recomputed from stored entries.
    pub verified: Verified,
}

/// Whether signatures are verified again: 40 microseconds an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// They were verified at admission, and the signed root covers the bytes.
    Trust,
    /// Verify each again, for a whole check.
    Verify,
}

/// Reads every entry of `head` after `base`, and compares the root at each of the `signed` sizes. Those
/// before the base are compared through the stored tiles.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    store: &dyn LogStore,
    head: &Head,
    origin: &str,
    signed: &BTreeMap<u64, Hash>,
    signatures: Signatures,
    base: Option<Base>,
) -> Result<Replayed, ReplayError> {
    let base = base.unwrap_or_else(|| Base {
        ledger: Ledger::new(origin),
        frontier: Frontier::new(),
    });
    let read_from = base.frontier.size();
    check_signed(store, head, signed.range(..read_from))?;
    let retention = store.retention()?;
    let mut state = State::new(base, signed, signatures, retention.minimum_index);
    state.compare();
    crate::publish::for_each_entry(store, read_from, head.size(), |index, stored| {
        state.add(index, &stored)
    })?;
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    state.check_retention(&retention, read_from)?;
    let computed = state.frontier.root();
    if computed != head.root {
        return Err(ReplayError::Root {
            computed,
            root: head.root,
        });
    }
    Ok(Replayed {
        read_from,
        ledger: state.ledger,
        verified: Verified::from_frontier(state.frontier),
    })
}

/// What must stay of `range`, which begins at the minimum index, by index with its leaf hash: see
/// [`Remainder`]. Reads the log up to the end of the range; nothing is compared but the root there, through
/// the stored tiles.
///
/// # Errors
/// [`ReplayError`].
pub fn keep(
    store: &dyn LogStore,
    head: &Head,
    origin: &str,
    range: Range<u64>,
) -> Result<BTreeMap<u64, Sha256>, ReplayError> {
    let base = Base {
        ledger: Ledger::new(origin),
        frontier: Frontier::new(),
    };
    let (signed, end) = (BTreeMap::new(), range.end);
    let mut state = State::new(base, &signed, Signatures::Trust, range.start);
    state.remainder = Some(Remainder::new(range));
    crate::publish::for_each_entry(store, 0, end, |index, stored| state.add(index, &stored))?;
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    let reached = BTreeMap::from([(end, state.frontier.root())]);
    check_signed(store, head, reached.iter())?;
    let remainder = state.remainder.as_ref();
    Ok(remainder.map(Remainder::so_far).unwrap_or_default())
}

/// Proves from the stored tiles that what was signed is a beginning of the tree of `head`.
fn check_signed<'a>(
    store: &dyn LogStore,
    head: &Head,
    signed: impl Iterator<Item = (&'a u64, &'a Hash)>,
) -> Result<(), ReplayError> {
    let nodes = TileNodes::new(StoreTiles::new(store), head.size());
    for (&size, root) in signed {
        let proof = consistency_proof(&nodes, size, head.size())?;
        verify_consistency(size, head.size(), root, &head.root, &proof).map_err(|source| {
            let root = *root;
            ReplayError::SignedHistory { size, root, source }
        })?;
    }
    Ok(())
}

struct State<'a> {
    ledger: Ledger,
    frontier: Frontier,
    signed: &'a BTreeMap<u64, Hash>,
    signatures: Signatures,
    minimum: u64,
    /// Entries below the minimum index that are left.
    left: BTreeMap<u64, Sha256>,
    remainder: Option<Remainder>,
    failure: Option<ReplayError>,
}

impl<'a> State<'a> {
    fn new(
        base: Base,
        signed: &'a BTreeMap<u64, Hash>,
        signatures: Signatures,
        minimum: u64,
    ) -> Self {
        let mut ledger = base.ledger;
        ledger.set_minimum_index(minimum);
        Self {
            ledger,
            frontier: base.frontier,
            signed,
            signatures,
            minimum,
            left: BTreeMap::new(),
            remainder: None,
            failure: None,
        }
    }

    fn add(&mut self, index: u64, stored: &Stored<'_>) {
        if self.failure.is_some() {
            return;
        }
        let leaf = stored.leaf();
        self.frontier.push(leaf);
        self.compare();
        let Stored::Entry(bytes) = stored else {
            self.ledger.skip();
            return;
        };
        if index < self.minimum {
            self.left.insert(index, Sha256(leaf.0));
        }
        let applied = self.apply(index, bytes, Sha256(leaf.0));
        self.failure = self.failure.take().or(applied.err());
    }

    /// Holds what is left of each range that was read against what the administrators said would be.
    fn check_retention(&self, retention: &Retention, read_from: u64) -> Result<(), ReplayError> {
        for range in &retention.pruned {
            if range.from >= read_from {
                let mut digest = KeptDigest::default();
                for (index, leaf) in self.left.range(range.from..range.to) {
                    digest.push(*index, leaf);
                }
                Retention::check_range(*range, &self.ledger, digest.finish())?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, index: u64, bytes: &[u8], leaf: Sha256) -> Result<(), ReplayError> {
        let entry = Entry::parse(bytes).map_err(|source| ReplayError::Entry { index, source })?;
        let refused = |refusal| ReplayError::Refused {
            index,
            source: Box::new(refusal),
        };
        if self.signatures == Signatures::Verify {
            let key = self.ledger.key_for(&entry, &[]).map_err(refused)?;
            entry
                .verify(&key)
                .map_err(|error| refused(Refusal::Entry(error)))?;
        }
        let admission = self.ledger.admit(&entry).map_err(refused)?;
        self.ledger.apply(&entry, admission);
        if let Some(remainder) = &mut self.remainder {
            remainder.note(index, leaf, Some(&entry), &self.ledger);
        }
        Ok(())
    }

    fn compare(&mut self) {
        let size = self.frontier.size();
        if let Some(&root) = self.signed.get(&size) {
            let computed = self.frontier.root();
            if computed != root {
                self.failure = Some(ReplayError::SignedRoot {
                    size,
                    computed,
                    root,
                });
            }
        }
    }
}
