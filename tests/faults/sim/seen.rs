//! Every checkpoint that anybody outside the server ever held, compared with every other.
//!
//! Owns the split-view check: one root for each size (I2), for ever and for everybody. That checkpoints
//! of different sizes extend each other is shown at the end, when the auditor recomputes each from entries.

use cairn_tlog::{Hash, Receipt, TrustPolicy};
use std::collections::BTreeMap;

/// What was seen.
pub struct Seen {
    trust: TrustPolicy,
    roots: BTreeMap<u64, Hash>,
}

impl Seen {
    pub fn new(trust: TrustPolicy) -> Self {
        Self {
            trust,
            roots: BTreeMap::new(),
        }
    }

    /// Takes a receipt as an agent does: verified with its quorum, or worth nothing.
    pub fn receipt(&mut self, text: &str, leaf: &Hash, index: u64) {
        let receipt = Receipt::parse(text).unwrap();
        assert_eq!(receipt.index, index, "the receipt is of another entry");
        let verified = receipt.verify(leaf, &self.trust).unwrap();
        self.checkpoint(verified.checkpoint.size, verified.checkpoint.root);
    }

    /// Takes a checkpoint of which the signatures hold.
    pub fn checkpoint(&mut self, size: u64, root: Hash) {
        let first = *self.roots.entry(size).or_insert(root);
        assert_eq!(first, root, "two roots of size {size} were witnessed");
    }

    /// Every size and its root.
    pub fn roots(&self) -> &BTreeMap<u64, Hash> {
        &self.roots
    }
}
