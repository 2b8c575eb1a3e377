//! The roots that a pack's own material gives, for the beacons of its entries.
//!
//! Owns which sizes those are: each size from the first row to the last, and those before the rows at
//! which the range proof's subtrees end. No other earlier root can be derived from a pack.
//! Source: `docs/formats/pack.md`, "Beacons".

use cairn_tlog::{Frontier, FrontierError, Hash};
use std::collections::{BTreeMap, BTreeSet};

/// Tree heads at `sizes`, as far as the subtrees before `start` and the leaves from there give them.
///
/// Errors: [`FrontierError`] when the subtrees are not those of `start`.
pub fn roots(
    sizes: &BTreeSet<u64>,
    start: u64,
    left: &[Hash],
    leaves: &[[u8; 32]],
) -> Result<BTreeMap<u64, Hash>, FrontierError> {
    let mut frontier = Frontier::from_parts(start, left.to_vec())?;
    let mut roots = BTreeMap::new();
    // `start` without its lowest one-bits is where fewer of the subtrees end.
    let (mut size, mut subtrees) = (start, left);
    while size > 0 {
        roots.insert(size, Frontier::from_parts(size, subtrees.to_vec())?.root());
        size &= size - 1;
        subtrees = subtrees.split_last().map_or(&[][..], |(_, rest)| rest);
    }
    for leaf in leaves {
        frontier.push(Hash(*leaf));
        if sizes.contains(&frontier.size()) {
            roots.insert(frontier.size(), frontier.root());
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_tlog::{MemoryNodes, leaf_hash, range_proof};

    #[test]
    fn the_roots_are_those_of_the_tree_and_none_is_invented() {
        let leaves: Vec<Hash> = (0..40_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let tree: MemoryNodes = leaves.iter().copied().collect();
        let all: BTreeSet<u64> = (0..=40).collect();
        for start in 0..30 {
            let proof = range_proof(&tree, start, 37, 40).unwrap();
            let rows: Vec<[u8; 32]> = leaves[start as usize..37]
                .iter()
                .map(|leaf| leaf.0)
                .collect();
            let found = roots(&all, start, &proof.left, &rows).unwrap();
            for (size, root) in &found {
                assert_eq!(
                    *root,
                    tree.root(*size).unwrap(),
                    "start {start} size {size}"
                );
            }
            let inside = (start.max(1)..=37).all(|size| found.contains_key(&size));
            assert!(inside, "start {start} gives {:?}", found.keys());
            let before = found.keys().filter(|size| **size < start).count() as u32;
            assert_eq!(
                before,
                start.count_ones().saturating_sub(1),
                "start {start}"
            );
        }
    }
}
