//! The range proof checked a second time, by an implementation that shares no code with the first.
//!
//! `rs_merkle` with RFC 6962 hashing recomputes the root from the leaf hashes and the proof's own
//! hashes. It works block by block (its proofs cost quadratic time in the number of leaves) and
//! accepts trailing hashes, so the exact number of proof hashes is checked first.
//! Source: architecture section 1 ("Where the required packages live").

use cairn_tlog::Hash;
use rs_merkle::{Hasher, MerkleProof};
use sha2::{Digest as _, Sha256};

/// Leaves that one `rs_merkle` proof covers.
const BLOCK: u64 = 256;

/// Levels that one block climbs.
const BLOCK_LEVELS: u32 = 8;

/// Why the second implementation does not arrive at the root.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecondError {
    /// There is no leaf, or they do not fit the tree.
    #[error("range {start}..{end} is empty or not inside a tree of size {size}")]
    Range {
        /// First leaf.
        start: u64,
        /// Leaf after the last.
        end: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has {got} hashes, a range {start}..{end} of {size} has {want}")]
    Length {
        /// Hashes required.
        want: u64,
        /// Hashes given.
        got: u64,
        /// First leaf.
        start: u64,
        /// Leaf after the last.
        end: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// `rs_merkle` refused.
    #[error("rs_merkle: {0}")]
    Refused(String),
    /// Another root came out.
    #[error("rs_merkle arrives at another root")]
    Root,
}

/// RFC 6962 node hashing; a node without a right sibling is carried up as it is.
#[derive(Clone)]
struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| {
            Sha256::new()
                .chain_update([1])
                .chain_update(left)
                .chain_update(right)
                .finalize()
                .into()
        })
    }
}

/// Recomputes the root of a tree of `size` leaves from the leaves `[start, start + leaves)` and the
/// subtrees around them.
///
/// Errors: [`SecondError`]; the range is not proven.
pub fn check(
    leaves: &[[u8; 32]],
    start: u64,
    size: u64,
    left: &[Hash],
    right: &[Hash],
    root: &[u8; 32],
) -> Result<(), SecondError> {
    let end = start.saturating_add(leaves.len() as u64);
    if leaves.is_empty() || end > size {
        return Err(SecondError::Range { start, end, size });
    }
    let want = u64::from(start.count_ones()) + right_length(end, size);
    let got = (left.len() + right.len()) as u64;
    if want != got || left.len() as u64 != u64::from(start.count_ones()) {
        return Err(SecondError::Length {
            want,
            got,
            start,
            end,
            size,
        });
    }
    let mut sides = Sides::new(start, left, right);
    let mut nodes = leaves.to_vec();
    let (mut first, mut width) = (start, size);
    let mut level = 0;
    while width > 1 {
        nodes = climb(&nodes, first, width, level, size, &mut sides)?;
        first /= BLOCK;
        width = width.div_ceil(BLOCK);
        level += BLOCK_LEVELS;
    }
    if nodes.as_slice() == [*root] {
        Ok(())
    } else {
        Err(SecondError::Root)
    }
}

/// Subtrees right of the range: the steps from `end` to `size`, each the largest that is aligned.
fn right_length(end: u64, size: u64) -> u64 {
    let (mut at, mut count) = (end, 0);
    while at < size {
        let level = at.trailing_zeros().min((size - at).ilog2());
        at += 1 << level;
        count += 1;
    }
    count
}

/// Climbs eight levels: the nodes `[first, first + nodes)` of a level of `width` nodes.
fn climb(
    nodes: &[[u8; 32]],
    first: u64,
    width: u64,
    level: u32,
    size: u64,
    sides: &mut Sides<'_>,
) -> Result<Vec<[u8; 32]>, SecondError> {
    let mut roots = Vec::new();
    let mut rest = nodes;
    let mut at = first;
    while !rest.is_empty() {
        let block = at / BLOCK;
        let local_width = (width - block * BLOCK).min(BLOCK);
        let take = (local_width - at % BLOCK).min(rest.len() as u64);
        let (inside, after) = rest.split_at(usize::try_from(take).unwrap_or(rest.len()));
        let local: Vec<usize> = (at % BLOCK..at % BLOCK + take)
            .map(|index| usize::try_from(index).unwrap_or(usize::MAX))
            .collect();
        let siblings = siblings(at % BLOCK, take, local_width, level, block, size, sides)?;
        let total = usize::try_from(local_width).unwrap_or(usize::MAX);
        let root = MerkleProof::<Rfc6962>::new(siblings)
            .root(&local, inside, total)
            .map_err(|error| SecondError::Refused(error.to_string()))?;
        roots.push(root);
        rest = after;
        at += take;
    }
    Ok(roots)
}

/// The sibling hashes that `rs_merkle` wants for the nodes `[from, from + count)` of a block, level by
/// level, left before right.
fn siblings(
    from: u64,
    count: u64,
    local_width: u64,
    level: u32,
    block: u64,
    size: u64,
    sides: &mut Sides<'_>,
) -> Result<Vec<[u8; 32]>, SecondError> {
    let mut found = Vec::new();
    let (mut low, mut high, mut width) = (from, from + count - 1, local_width);
    let mut height = level;
    while width > 1 {
        if low % 2 == 1 {
            found.push(sides.left_at(height)?);
        }
        if high.is_multiple_of(2) && high + 1 < width {
            // The sibling's own leaves: complete inside the tree, or everything up to its edge.
            let shift = BLOCK_LEVELS - (height - level);
            let global = (block << shift) + high + 1;
            let complete = global
                .checked_add(1)
                .and_then(|next| next.checked_shl(height))
                .is_some_and(|edge| edge <= size);
            found.push(sides.right_at(complete)?);
        }
        low /= 2;
        high /= 2;
        width = width.div_ceil(2);
        height += 1;
    }
    Ok(found)
}

/// The proof's two sides, consumed from the range outwards.
struct Sides<'a> {
    start: u64,
    left: &'a [Hash],
    right: std::slice::Iter<'a, Hash>,
}

impl<'a> Sides<'a> {
    fn new(start: u64, left: &'a [Hash], right: &'a [Hash]) -> Self {
        Self {
            start,
            left,
            right: right.iter(),
        }
    }

    /// The complete subtree of `1 << height` leaves left of the range: one for each one-bit of
    /// `start`, largest first.
    fn left_at(&mut self, height: u32) -> Result<[u8; 32], SecondError> {
        let above = self.start.checked_shr(height).unwrap_or(0).count_ones();
        let place = usize::try_from(above).unwrap_or(0).checked_sub(1);
        let hash = place.and_then(|place| self.left.get(place));
        hash.map(|hash| hash.0)
            .ok_or_else(|| SecondError::Refused("left side is short".into()))
    }

    /// The next subtree right of the range; an incomplete one is folded from all that are left.
    fn right_at(&mut self, complete: bool) -> Result<[u8; 32], SecondError> {
        let short = || SecondError::Refused("right side is short".into());
        if complete {
            return self.right.next().map(|hash| hash.0).ok_or_else(short);
        }
        let rest: Vec<[u8; 32]> = self.right.by_ref().map(|hash| hash.0).collect();
        let folded = rest
            .into_iter()
            .rev()
            .reduce(|right, left| Rfc6962::concat_and_hash(&left, Some(&right)));
        folded.ok_or_else(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_tlog::{MemoryNodes, range_proof};

    fn leaf(n: u64) -> Hash {
        cairn_tlog::leaf_hash(&n.to_be_bytes())
    }

    fn verdict(start: u64, end: u64, size: u64) -> Result<(), SecondError> {
        let tree: MemoryNodes = (0..size).map(leaf).collect();
        let proof = range_proof(&tree, start, end, size).unwrap();
        let root = tree.root(size).unwrap().0;
        let leaves: Vec<[u8; 32]> = (start..end).map(|n| leaf(n).0).collect();
        check(&leaves, start, size, &proof.left, &proof.right, &root)
    }

    #[test]
    fn agrees_with_the_first_implementation_on_every_small_range() {
        for size in 1..=40 {
            for start in 0..size {
                for end in start + 1..=size {
                    assert_eq!(
                        verdict(start, end, size),
                        Ok(()),
                        "{start}..{end} of {size}"
                    );
                }
            }
        }
    }

    #[test]
    fn agrees_around_the_edges_of_blocks() {
        let edges = [0, 1, 255, 256, 257, 511, 512, 513, 700, 769];
        for size in [256, 257, 511, 512, 513, 600, 769] {
            for start in edges {
                for end in edges {
                    if start < end && end <= size {
                        assert_eq!(
                            verdict(start, end, size),
                            Ok(()),
                            "{start}..{end} of {size}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_leaves_and_trailing_hashes_are_refused() {
        let size = 300;
        let tree: MemoryNodes = (0..size).map(leaf).collect();
        let proof = range_proof(&tree, 5, 290, size).unwrap();
        let root = tree.root(size).unwrap().0;
        let mut leaves: Vec<[u8; 32]> = (5..290).map(|n| leaf(n).0).collect();
        let mut long = proof.right.clone();
        long.push(leaf(0));
        let verdict = check(&leaves, 5, size, &proof.left, &long, &root);
        assert!(
            matches!(verdict, Err(SecondError::Length { .. })),
            "{verdict:?}"
        );
        leaves.swap(3, 4);
        let verdict = check(&leaves, 5, size, &proof.left, &proof.right, &root);
        assert_eq!(verdict, Err(SecondError::Root));
    }
}
