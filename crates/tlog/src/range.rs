//! Proof that a contiguous run of leaves `[start, end)` is what a tree holds there.
//!
//! Owns the proof form used by evidence packs and its streaming verifier (63 + 126 hashes of
//! memory, whatever the run's length). It does not own how a pack stores the proof.
//! Source: RFC 6962 section 2.1 (tree shape); the proof form is Cairn's (`docs/formats/`).

use crate::frontier::Frontier;
use crate::hash::Hash;
use crate::nodes::{NodeReader, decompose};
use crate::proof::{ProofError, VerifyError, check_size, expect_root};

/// The maximal complete subtrees around `[start, end)` in a tree of some size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeProof {
    /// Subtrees of `[0, start)`, left to right: one for each one-bit of `start`, largest first.
    pub left: Vec<Hash>,
    /// Subtrees of `[end, size)`, left to right, each the largest that is aligned and fits.
    pub right: Vec<Hash>,
}

/// Makes the proof for `[start, end)` in the tree of `size` leaves.
///
/// An empty range is legal: it proves the two sides only.
///
/// # Errors
/// `OutOfRange` unless `start <= end <= size`, `SizeTooLarge`, or the reader's error.
pub fn range_proof<R: NodeReader>(
    r: &R,
    start: u64,
    end: u64,
    size: u64,
) -> Result<RangeProof, ProofError<R::Error>> {
    check_size(size).map_err(|_| ProofError::SizeTooLarge { size })?;
    if start > end || end > size {
        return Err(ProofError::OutOfRange { start, end, size });
    }
    let read = |from, to| {
        decompose(from, to)
            .map(|subtree| r.node(subtree.level, subtree.index))
            .collect()
    };
    let left: Result<Vec<Hash>, R::Error> = read(0, start);
    let right: Result<Vec<Hash>, R::Error> = read(end, size);
    Ok(RangeProof {
        left: left.map_err(ProofError::Read)?,
        right: right.map_err(ProofError::Read)?,
    })
}

/// Recomputes a root from a range proof and the streamed leaf hashes of the range.
#[derive(Debug, Clone)]
pub struct RangeVerifier {
    start: u64,
    frontier: Frontier,
    right: Vec<Hash>,
}

impl RangeVerifier {
    /// Begins at leaf `start` with the left side of the proof.
    ///
    /// # Errors
    /// Refused: `proof.left` has not exactly one hash for each one-bit of `start`.
    pub fn new(start: u64, proof: &RangeProof) -> Result<Self, VerifyError> {
        check_size(start)?;
        let (want, got) = (start.count_ones() as usize, proof.left.len());
        let frontier = Frontier::from_parts(start, proof.left.clone())
            .map_err(|_| VerifyError::ProofLength { want, got })?;
        Ok(Self {
            start,
            frontier,
            right: proof.right.clone(),
        })
    }

    /// Takes the leaf hash of the next index.
    pub fn push(&mut self, leaf: Hash) {
        self.frontier.push(leaf);
    }

    /// The index the next pushed leaf will have; after the last one, the end of the range.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.frontier.size()
    }

    /// Appends the right side and compares with the tree `(size, root)`.
    ///
    /// # Errors
    /// Refused: more leaves than the tree has, a right side not of the exact length, another root.
    pub fn finish(mut self, size: u64, root: &Hash) -> Result<(), VerifyError> {
        check_size(size)?;
        let end = self.frontier.size();
        let out_of_range = VerifyError::OutOfRange {
            start: self.start,
            end,
            size,
        };
        if end > size {
            return Err(out_of_range);
        }
        let subtrees: Vec<_> = decompose(end, size).collect();
        let (want, got) = (subtrees.len(), self.right.len());
        if want != got {
            return Err(VerifyError::ProofLength { want, got });
        }
        for (subtree, hash) in subtrees.iter().zip(&self.right) {
            let pushed = self.frontier.push_subtree(subtree.level, *hash);
            pushed.map_err(|_| out_of_range.clone())?;
        }
        expect_root(self.frontier.root(), root)
    }
}
