//! Inclusion and consistency proofs, made from nodes and checked without them.
//!
//! Owns RFC 6962 sections 2.1.1 and 2.1.2 for trees of at most `MAX_TREE_SIZE` leaves. It does
//! not own range proofs (`range`) nor the text forms (`receipt`, `add_checkpoint`).
//!
//! Verification computes the exact proof length first: a proof with one hash too many is refused,
//! so that no two byte strings prove the same statement.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::nodes::{NodeReader, edge_root};

/// The largest tree any function here accepts: peers keep sizes in a signed 64-bit integer, and
/// C2SP proofs carry at most 63 hashes.
pub const MAX_TREE_SIZE: u64 = i64::MAX as u64;

/// The most hashes an inclusion proof or a tlog-witness consistency proof may carry (C2SP
/// tlog-proof, tlog-witness).
pub const MAX_PROOF_HASHES: usize = 63;

/// Why a proof could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The leaf or range is not inside the tree, or the old size is above the new one.
    #[error("range {start}..{end} is not inside a tree of size {size}")]
    OutOfRange {
        /// First leaf of the statement.
        start: u64,
        /// Leaf after the last one of the statement.
        end: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The size is above `MAX_TREE_SIZE`.
    #[error("tree size {size} is above the largest supported size")]
    SizeTooLarge {
        /// Size asked for.
        size: u64,
    },
    /// The node reader failed.
    #[error("a tree node could not be read")]
    Read(#[source] E),
}

/// Why a proof does not prove its statement.
///
/// Every variant is a refusal: the caller rejects the artefact, there is nothing to retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf or range is not inside the tree.
    #[error("range {start}..{end} is not inside a tree of size {size}")]
    OutOfRange {
        /// First leaf of the statement.
        start: u64,
        /// Leaf after the last one of the statement.
        end: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The size is above `MAX_TREE_SIZE`.
    #[error("tree size {size} is above the largest supported size")]
    SizeTooLarge {
        /// Size claimed.
        size: u64,
    },
    /// The proof has not exactly the length its statement requires.
    #[error("proof has {got} hashes, its statement requires {want}")]
    ProofLength {
        /// Hashes required.
        want: usize,
        /// Hashes given.
        got: usize,
    },
    /// The proof does not lead to the old root.
    #[error("proof leads to old root `{computed}`, expected `{expected}`")]
    OldRootMismatch {
        /// Root recomputed from the proof.
        computed: Hash,
        /// Root claimed.
        expected: Hash,
    },
    /// The proof does not lead to the root.
    #[error("proof leads to root `{computed}`, expected `{expected}`")]
    RootMismatch {
        /// Root recomputed from the proof.
        computed: Hash,
        /// Root claimed.
        expected: Hash,
    },
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves: the leaf's sibling first, the
/// root's child last (RFC 6962 section 2.1.1).
///
/// # Errors
/// `OutOfRange` and `SizeTooLarge` are refusals of the question; `Read` is the reader's error.
pub fn inclusion_proof<R: NodeReader>(
    r: &R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    check_size(size).map_err(|_| ProofError::SizeTooLarge { size })?;
    if index >= size {
        return Err(ProofError::OutOfRange {
            start: index,
            end: index.saturating_add(1),
            size,
        });
    }
    let mut proof = Vec::new();
    push_path(r, 0, index, size, &mut proof).map_err(ProofError::Read)?;
    Ok(proof)
}

/// The proof that the tree of `new` leaves extends the tree of `old` leaves (RFC 6962 section
/// 2.1.2). Empty when `old` is 0 or equal to `new`.
///
/// # Errors
/// `OutOfRange` when `old > new`, `SizeTooLarge`, or the reader's error.
pub fn consistency_proof<R: NodeReader>(
    r: &R,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProofError<R::Error>> {
    check_size(new).map_err(|_| ProofError::SizeTooLarge { size: new })?;
    if old > new {
        return Err(ProofError::OutOfRange {
            start: 0,
            end: old,
            size: new,
        });
    }
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    // The proof is the path of the last maximal complete subtree of the old tree.
    let level = old.trailing_zeros() as u8;
    let index = (old - 1) >> level;
    if !old.is_power_of_two() {
        proof.push(r.node(level, index).map_err(ProofError::Read)?);
    }
    push_path(r, level, index, new, &mut proof).map_err(ProofError::Read)?;
    Ok(proof)
}

/// Checks that `leaf` is at `index` in the tree with `size` leaves and this `root`.
///
/// # Errors
/// Refused: index outside the tree, a proof not of the exact length, or another root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    check_size(size)?;
    if index >= size {
        return Err(VerifyError::OutOfRange {
            start: index,
            end: index.saturating_add(1),
            size,
        });
    }
    let shape = PathShape::new(0, index, size);
    let (inner, border) = shape.split(proof)?;
    let computed = chain_border(chain_inner(*leaf, index, inner), border);
    expect_root(computed, root)
}

/// Checks that the tree `(new, new_root)` extends the tree `(old, old_root)`.
///
/// For `old == 0` the proof is empty and `old_root` is the empty root; for `old == new` the proof
/// is empty and the roots are equal.
///
/// # Errors
/// Refused: `old > new`, a proof not of the exact length, or either root not reached.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    check_size(new)?;
    if old > new {
        return Err(VerifyError::OutOfRange {
            start: 0,
            end: old,
            size: new,
        });
    }
    if old == 0 || old == new {
        return verify_trivial_consistency(old, new, old_root, new_root, proof);
    }
    let level = old.trailing_zeros() as u8;
    let index = (old - 1) >> level;
    let shape = PathShape::new(level, index, new);
    let (seed, path) = match proof.split_first() {
        _ if old.is_power_of_two() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => {
            return Err(VerifyError::ProofLength {
                want: shape.len() + 1,
                got: 0,
            });
        }
    };
    let extra = proof.len() - path.len();
    let (inner, border) = shape.split(path).map_err(|_| VerifyError::ProofLength {
        want: shape.len() + extra,
        got: proof.len(),
    })?;

    let computed = chain_border(chain_inner_left(seed, index, inner), border);
    if computed != *old_root {
        return Err(VerifyError::OldRootMismatch {
            computed,
            expected: *old_root,
        });
    }
    expect_root(
        chain_border(chain_inner(seed, index, inner), border),
        new_root,
    )
}

/// Refuses sizes above `MAX_TREE_SIZE`.
pub(crate) fn check_size(size: u64) -> Result<(), VerifyError> {
    if size > MAX_TREE_SIZE {
        Err(VerifyError::SizeTooLarge { size })
    } else {
        Ok(())
    }
}

/// Compares a recomputed root with the claimed one.
pub(crate) fn expect_root(computed: Hash, expected: &Hash) -> Result<(), VerifyError> {
    if computed == *expected {
        Ok(())
    } else {
        Err(VerifyError::RootMismatch {
            computed,
            expected: *expected,
        })
    }
}

fn verify_trivial_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if !proof.is_empty() {
        return Err(VerifyError::ProofLength {
            want: 0,
            got: proof.len(),
        });
    }
    if old == 0 && *old_root != EMPTY_ROOT {
        return Err(VerifyError::OldRootMismatch {
            computed: EMPTY_ROOT,
            expected: *old_root,
        });
    }
    if old == new {
        expect_root(*old_root, new_root)
    } else {
        Ok(())
    }
}

/// How the path of one node to the root divides: `inner` levels below the point where it leaves
/// the tree's right edge (one sibling each), then `border` left siblings.
#[derive(Clone, Copy)]
struct PathShape {
    inner: u32,
    border: u32,
}

impl PathShape {
    fn new(level: u8, index: u64, size: u64) -> Self {
        let last = size.saturating_sub(1) >> level;
        let inner = u64::BITS - (index ^ last).leading_zeros();
        let border = index.checked_shr(inner).unwrap_or(0).count_ones();
        Self { inner, border }
    }

    fn len(self) -> usize {
        (self.inner + self.border) as usize
    }

    fn split(self, path: &[Hash]) -> Result<(&[Hash], &[Hash]), VerifyError> {
        let (want, got) = (self.len(), path.len());
        let halves = path.split_at_checked(self.inner as usize);
        halves
            .filter(|_| want == got)
            .ok_or(VerifyError::ProofLength { want, got })
    }
}

/// Appends the siblings on the way from node `(level, index)` to the root.
fn push_path<R: NodeReader>(
    reader: &R,
    level: u8,
    index: u64,
    size: u64,
    proof: &mut Vec<Hash>,
) -> Result<(), R::Error> {
    let shape = PathShape::new(level, index, size);
    let top = u32::from(level) + shape.inner;
    for height in u32::from(level)..top {
        let sibling = (index >> (height - u32::from(level))) ^ 1;
        // Only the topmost inner sibling can touch the tree's incomplete right edge.
        let start = sibling << height;
        let end = start.saturating_add(1 << height).min(size);
        proof.push(edge_root(reader, start, end)?);
    }
    let mut above = index.checked_shr(shape.inner).unwrap_or(0);
    let mut height = top;
    while above != 0 {
        if above & 1 == 1 {
            proof.push(reader.node(height as u8, above ^ 1)?);
        }
        above >>= 1;
        height += 1;
    }
    Ok(())
}

/// Folds inner siblings on the side that the bits of `index` say.
fn chain_inner(seed: Hash, index: u64, siblings: &[Hash]) -> Hash {
    siblings
        .iter()
        .enumerate()
        .fold(seed, |node, (bit, sibling)| {
            if index >> bit & 1 == 0 {
                node_hash(&node, sibling)
            } else {
                node_hash(sibling, &node)
            }
        })
}

/// Folds only the left siblings, which are the ones the old tree already had.
fn chain_inner_left(seed: Hash, index: u64, siblings: &[Hash]) -> Hash {
    siblings
        .iter()
        .enumerate()
        .fold(seed, |node, (bit, sibling)| {
            if index >> bit & 1 == 0 {
                node
            } else {
                node_hash(sibling, &node)
            }
        })
}

/// Folds the left siblings along the right edge.
fn chain_border(seed: Hash, siblings: &[Hash]) -> Hash {
    siblings
        .iter()
        .fold(seed, |node, sibling| node_hash(sibling, &node))
}
