//! Reading complete subtree roots, the only thing proofs need from storage.
//!
//! Owns the `NodeReader` contract, the fold of an incomplete right edge, and a reader that keeps
//! a tree in memory. It does not own tiles (`tile`). Source: RFC 6962 section 2.1.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Access to the roots of complete subtrees.
pub trait NodeReader {
    /// Why a node could not be read.
    type Error;

    /// The root of the complete subtree that covers `[index << level, (index + 1) << level)`.
    ///
    /// Level 0 is the leaf hashes. Proof code asks only for subtrees complete in the tree size it
    /// was given; an implementation answers any other question with an error.
    ///
    /// # Errors
    /// Whatever the storage says; proof code passes it through unchanged.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    type Error = R::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        (**self).node(level, index)
    }
}

/// One complete, aligned subtree of a decomposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    /// The subtree covers `1 << level` leaves.
    pub level: u8,
    /// Position among the subtrees of its level.
    pub index: u64,
}

/// The maximal complete aligned subtrees that exactly cover `[start, end)`, left to right.
///
/// At most 2 x 63 items. An empty or inverted range gives nothing.
pub fn decompose(start: u64, end: u64) -> impl Iterator<Item = Subtree> {
    let mut at = start;
    std::iter::from_fn(move || {
        let rest = end.checked_sub(at).filter(|&rest| rest > 0)?;
        let level = at.trailing_zeros().min(rest.ilog2());
        let subtree = Subtree {
            level: level as u8,
            index: at >> level,
        };
        at += 1 << level;
        Some(subtree)
    })
}

/// The RFC 6962 head of `[start, end)`, where `start` is aligned to a power of two not smaller
/// than the range (the shape of every right edge in a proof).
///
/// # Errors
/// The reader's error.
pub(crate) fn edge_root<R: NodeReader>(reader: &R, start: u64, end: u64) -> Result<Hash, R::Error> {
    let mut roots = Vec::new();
    for subtree in decompose(start, end) {
        roots.push(reader.node(subtree.level, subtree.index)?);
    }
    let folded = roots
        .into_iter()
        .rev()
        .reduce(|right, left| node_hash(&left, &right));
    Ok(folded.unwrap_or(EMPTY_ROOT))
}

/// A whole tree in memory: every complete node of every level.
///
/// For small trees (packs, tests, tools): 64 bytes a leaf. Not for a log's main tree.
#[derive(Debug, Clone, Default)]
pub struct MemoryNodes {
    levels: Vec<Vec<Hash>>,
}

/// The node asked for is not complete in the tree held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no complete node at level {level}, index {index}")]
pub struct MissingNode {
    /// Level asked for.
    pub level: u8,
    /// Index asked for.
    pub index: u64,
}

impl MemoryNodes {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one leaf hash and every node it completes.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else {
                return;
            };
            row.push(node);
            let [.., left, right] = row.as_slice() else {
                return;
            };
            if !row.len().is_multiple_of(2) {
                return;
            }
            node = node_hash(left, right);
            level += 1;
        }
    }

    /// Leaves held.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The tree head of the first `size` leaves.
    ///
    /// # Errors
    /// `MissingNode` when fewer leaves are held.
    pub fn root(&self, size: u64) -> Result<Hash, MissingNode> {
        edge_root(self, 0, size)
    }
}

impl FromIterator<Hash> for MemoryNodes {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

impl NodeReader for MemoryNodes {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MissingNode> {
        let row = self.levels.get(usize::from(level));
        let found = usize::try_from(index)
            .ok()
            .and_then(|at| row?.get(at))
            .copied();
        found.ok_or(MissingNode { level, index })
    }
}
