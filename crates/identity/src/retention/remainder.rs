//! What stays of a range, with the digest that administrators sign.
//!
//! Owns the leaf hashes of what may have to stay, so that server, administrator and auditor get the same
//! digest from the same entries without holding their bytes.
//!
//! Source: `docs/formats/administrative.md`, "Pruning a log".

use super::{Keeping, KeptDigest};
use crate::Ledger;
use cairn_event::{Entry, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;

/// Leaf hashes held of entries that may have to stay, before those that need not are let go.
const CANDIDATES: usize = 65_536;

/// Works out what stays of a range from its entries in order. It holds 40 bytes for each entry that stays
/// so far, and for as many others at most; the entries themselves are the caller's to forget.
#[derive(Clone, Debug)]
pub struct Remainder {
    keeping: Keeping,
    leaves: BTreeMap<u64, Sha256>,
    room: usize,
}

impl Remainder {
    /// Nothing was read yet.
    pub fn new(range: Range<u64>) -> Self {
        Self {
            keeping: Keeping::new(range),
            leaves: BTreeMap::new(),
            room: CANDIDATES,
        }
    }

    /// Notes the entry at `index`, which `ledger` has applied, as [`Keeping::note`] does.
    pub fn note(&mut self, index: u64, leaf: Sha256, entry: Option<&Entry>, ledger: &Ledger) {
        if !self.keeping.range.contains(&index) {
            return;
        }
        self.keeping.note(index, entry, ledger);
        self.leaves.insert(index, leaf);
        // Leaves of entries that their chains have gone on from are not needed any more.
        if self.leaves.len() > self.room {
            let kept = self.keeping.clone().finish();
            self.leaves.retain(|index, _| kept.contains(index));
            self.room = self.leaves.len().saturating_mul(2).max(CANDIDATES);
        }
    }

    /// What stays if the range ends after the entry that was noted last, by index.
    pub fn so_far(&self) -> BTreeMap<u64, Sha256> {
        let kept = self.keeping.clone().finish().into_iter();
        kept.filter_map(|index| Some((index, *self.leaves.get(&index)?)))
            .collect()
    }
}

/// The digest over what stays, by index.
pub fn digest(kept: &BTreeMap<u64, Sha256>) -> Sha256 {
    let mut digest = KeptDigest::default();
    for (index, leaf) in kept {
        digest.push(*index, leaf);
    }
    digest.finish()
}
