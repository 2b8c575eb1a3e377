//! Random trees and random damage: the crate agrees with two oracles and refuses every change.

use cairn_tlog::{
    Frontier, Hash, MemoryNodes, RangeVerifier, TileId, TileNodes, TileReader, consistency_proof,
    inclusion_proof, range_proof, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::oracle;

/// Largest random tree: several tiles at level 0 and a partial one at level 1.
const LARGEST: u64 = 1200;

fn size_and_index() -> impl Strategy<Value = (u64, u64)> {
    (1..=LARGEST).prop_flat_map(|size| (Just(size), 0..size))
}

fn size_and_two() -> impl Strategy<Value = (u64, u64, u64)> {
    (1..=LARGEST).prop_flat_map(|size| (Just(size), 0..=size, 0..=size))
}

/// Serves level-wise tile bytes cut out of the leaves by definition.
struct Tiles<'a>(&'a [Hash]);

impl TileReader for Tiles<'_> {
    type Error = std::convert::Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        let span = 256_usize.pow(u32::from(id.level));
        let first = id.index as usize * 256;
        let hashes = (first..first + usize::from(id.width))
            .flat_map(|node| oracle::root(&self.0[node * span..(node + 1) * span]).0);
        Ok(hashes.collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inclusion_agrees_with_both_oracles((size, index) in size_and_index()) {
        let leaves = oracle::leaves(size);
        let nodes: MemoryNodes = leaves.iter().copied().collect();
        let root = oracle::root(&leaves);
        let proof = inclusion_proof(&nodes, index, size).unwrap();
        prop_assert_eq!(&proof, &oracle::path(index as usize, &leaves));

        let other = oracle::rs_tree(&leaves);
        prop_assert_eq!(other.root(), Some(root.0));
        let other_proof = other.proof(&[index as usize]);
        let raw: Vec<[u8; 32]> = proof.iter().map(|hash| hash.0).collect();
        prop_assert_eq!(other_proof.proof_hashes(), raw.as_slice());
        verify_inclusion(&leaves[index as usize], index, size, &proof, &root).unwrap();
    }

    #[test]
    fn a_changed_inclusion_proof_is_refused(
        (size, index) in size_and_index(), place in any::<prop::sample::Index>(), bit in 0..256_usize,
    ) {
        let leaves = oracle::leaves(size);
        let nodes: MemoryNodes = leaves.iter().copied().collect();
        let root = oracle::root(&leaves);
        let leaf = leaves[index as usize];
        let proof = inclusion_proof(&nodes, index, size).unwrap();

        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
        if !proof.is_empty() {
            prop_assert!(verify_inclusion(&leaf, index, size, &proof[1..], &root).is_err());
            let mut flipped = proof.clone();
            let at = place.index(flipped.len());
            flipped[at].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(&leaf, index, size, &flipped, &root).is_err());
        }
        if size > 1 {
            let elsewhere = (index + 1) % size;
            prop_assert!(verify_inclusion(&leaf, elsewhere, size, &proof, &root).is_err());
        }
    }

    #[test]
    fn consistency_agrees_with_the_oracle_and_refuses_damage(
        (size, old, other) in size_and_two(), place in any::<prop::sample::Index>(), bit in 0..256_usize,
    ) {
        let leaves = oracle::leaves(size);
        let nodes: MemoryNodes = leaves.iter().copied().collect();
        let root = oracle::root(&leaves);
        let old_root = oracle::root(&leaves[..old as usize]);
        let proof = consistency_proof(&nodes, old, size).unwrap();
        prop_assert_eq!(&proof, &oracle::consistency(old as usize, &leaves));
        verify_consistency(old, size, &old_root, &root, &proof).unwrap();

        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert!(verify_consistency(old, size, &old_root, &root, &longer).is_err());
        if !proof.is_empty() {
            prop_assert!(verify_consistency(old, size, &old_root, &root, &proof[1..]).is_err());
            let mut flipped = proof.clone();
            let at = place.index(flipped.len());
            flipped[at].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, size, &old_root, &root, &flipped).is_err());
        }
        if other != old {
            let wrong = oracle::root(&leaves[..other as usize]);
            prop_assert!(verify_consistency(old, size, &wrong, &root, &proof).is_err());
        }
    }

    #[test]
    fn ranges_are_proven_and_damage_is_refused(
        (size, a, b) in size_and_two(), place in any::<prop::sample::Index>(),
    ) {
        let (start, end) = (a.min(b), a.max(b));
        let leaves = oracle::leaves(size);
        let nodes: MemoryNodes = leaves.iter().copied().collect();
        let root = oracle::root(&leaves);
        let proof = range_proof(&nodes, start, end, size).unwrap();
        let run = &leaves[start as usize..end as usize];

        let mut verifier = RangeVerifier::new(start, &proof).unwrap();
        run.iter().for_each(|leaf| verifier.push(*leaf));
        prop_assert_eq!(verifier.next_index(), end);
        verifier.clone().finish(size, &root).unwrap();
        prop_assert!(verifier.finish(size, &leaves[0]).is_err() || root == leaves[0]);

        if !run.is_empty() {
            let mut changed = run.to_vec();
            let at = place.index(changed.len());
            changed[at].0[0] ^= 1;
            let mut verifier = RangeVerifier::new(start, &proof).unwrap();
            changed.iter().for_each(|leaf| verifier.push(*leaf));
            prop_assert!(verifier.finish(size, &root).is_err());
        }
    }

    #[test]
    fn a_frontier_restored_at_any_point_continues_to_the_same_root((size, cut) in size_and_index()) {
        let leaves = oracle::leaves(size);
        let mut frontier: Frontier = Frontier::new();
        leaves[..cut as usize].iter().for_each(|leaf| frontier.push(*leaf));
        prop_assert_eq!(frontier.root(), oracle::root(&leaves[..cut as usize]));
        let mut restored = Frontier::from_parts(cut, frontier.hashes().to_vec()).unwrap();
        leaves[cut as usize..].iter().for_each(|leaf| restored.push(*leaf));
        prop_assert_eq!(restored.root(), oracle::root(&leaves));
    }

    #[test]
    fn proofs_made_from_tiles_equal_proofs_made_from_nodes((size, index) in size_and_index()) {
        let leaves = oracle::leaves(size);
        let tiles = TileNodes::new(Tiles(&leaves), size);
        let proof = inclusion_proof(&tiles, index, size).unwrap();
        prop_assert_eq!(proof, oracle::path(index as usize, &leaves));
        let proof = consistency_proof(&tiles, index, size).unwrap();
        prop_assert_eq!(proof, oracle::consistency(index as usize, &leaves));
    }
}
