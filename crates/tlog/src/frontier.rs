//! The compact range of a tree: what an appender must remember.
//!
//! Owns the right edge of `[0, size)` as at most 63 hashes and how a leaf or a complete subtree
//! is appended. It does not store leaves. Source: RFC 6962 section 2.1; the name "compact range"
//! is transparency-dev's.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::proof::MAX_TREE_SIZE;

/// The maximal complete subtrees of `[0, size)`, left to right, one for each one-bit of `size`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// Why parts do not make a frontier, or a subtree does not fit at its right edge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The number of hashes differs from the number of one-bits of the size.
    #[error("a frontier of size {size} has {want} hashes, got {got}")]
    HashCount {
        /// Leaves covered.
        size: u64,
        /// Hashes required.
        want: usize,
        /// Hashes given.
        got: usize,
    },
    /// The size is above `MAX_TREE_SIZE`.
    #[error("tree size {size} is above the largest supported size")]
    SizeTooLarge {
        /// Leaves covered.
        size: u64,
    },
    /// A complete subtree of this level cannot start at this size.
    #[error("a subtree of level {level} cannot be appended at size {size}")]
    Misaligned {
        /// Leaves covered before the append.
        size: u64,
        /// Level of the subtree: it covers `1 << level` leaves.
        level: u8,
    },
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds a frontier that was stored as its size and hashes (left to right).
    ///
    /// # Errors
    /// Refused: the hash count does not fit the size, or the size is too large. The caller treats
    /// its stored state as damaged.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > MAX_TREE_SIZE {
            return Err(FrontierError::SizeTooLarge { size });
        }
        let (want, got) = (size.count_ones() as usize, hashes.len());
        if want != got {
            return Err(FrontierError::HashCount { size, want, got });
        }
        Ok(Self { size, hashes })
    }

    /// Leaves covered.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, left to right (largest subtree first).
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends one leaf hash; amortised less than one extra node hash.
    ///
    /// Trap: takes the leaf *hash*, not the entry.
    pub fn push(&mut self, leaf: Hash) {
        self.merge(0, leaf);
    }

    /// Appends a complete subtree of `1 << level` leaves by its root.
    ///
    /// # Errors
    /// Refused: the current size is not a multiple of the subtree's width, or the new size would
    /// be too large.
    pub fn push_subtree(&mut self, level: u8, root: Hash) -> Result<(), FrontierError> {
        let misaligned = FrontierError::Misaligned {
            size: self.size,
            level,
        };
        let width = 1_u64
            .checked_shl(u32::from(level))
            .ok_or(misaligned.clone())?;
        if !self.size.is_multiple_of(width) {
            return Err(misaligned);
        }
        match self.size.checked_add(width) {
            Some(size) if size <= MAX_TREE_SIZE => self.merge(level, root),
            _ => return Err(misaligned),
        }
        Ok(())
    }

    /// The RFC 6962 tree head of the covered leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded = self
            .hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or(EMPTY_ROOT)
    }

    /// Adds a subtree at an aligned position and joins it with equal neighbours to its left.
    fn merge(&mut self, level: u8, root: Hash) {
        let mut joined = root;
        let mut occupied = self.size >> level;
        while occupied & 1 == 1 {
            // A one-bit of the size is, by the type's invariant, a hash on the stack.
            let Some(left) = self.hashes.pop() else { break };
            joined = node_hash(&left, &joined);
            occupied >>= 1;
        }
        self.hashes.push(joined);
        self.size = self.size.saturating_add(1 << level);
    }
}
