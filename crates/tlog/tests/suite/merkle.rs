//! Trees and proofs against published vectors and, for every small size, against the oracles.

use cairn_tlog::{
    EMPTY_ROOT, Frontier, Hash, MAX_TREE_SIZE, MemoryNodes, ProofError, RangeProof, RangeVerifier,
    VerifyError, consistency_proof, inclusion_proof, leaf_hash, node_hash, range_proof,
    verify_consistency, verify_inclusion,
};

use crate::oracle;

/// Leaf inputs of the Certificate Transparency test set (transparency-dev/merkle, testonly).
const CT_LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Roots of the first 0 to 8 of those leaves.
const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Sizes up to this are tried exhaustively; it crosses two powers of two and their neighbours.
const EXHAUSTIVE: u64 = 34;

#[test]
fn rfc6962_must_give_the_published_roots_of_eight_leaves() {
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().to_hex(), CT_ROOTS[0]);
    for (leaf, root) in CT_LEAVES.iter().zip(&CT_ROOTS[1..]) {
        frontier.push(leaf_hash(&hex::decode(leaf).unwrap()));
        assert_eq!(frontier.root().to_hex(), *root);
    }
}

#[test]
fn rfc6962_must_separate_leaves_from_nodes() {
    let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
    let preimage = [left.0, right.0].concat();
    assert_ne!(node_hash(&left, &right), leaf_hash(&preimage));
}

#[test]
fn every_small_tree_agrees_with_the_recursive_definition() {
    let leaves = oracle::leaves(EXHAUSTIVE);
    let nodes: MemoryNodes = leaves.iter().copied().collect();
    for size in 0..=EXHAUSTIVE {
        let d = &leaves[..size as usize];
        assert_eq!(nodes.root(size).unwrap(), oracle::root(d));
        for index in 0..size {
            let proof = inclusion_proof(&nodes, index, size).unwrap();
            assert_eq!(
                proof,
                oracle::path(index as usize, d),
                "inclusion {index} in {size}"
            );
            verify_inclusion(
                &leaves[index as usize],
                index,
                size,
                &proof,
                &oracle::root(d),
            )
            .unwrap();
        }
        for old in 0..=size {
            let proof = consistency_proof(&nodes, old, size).unwrap();
            assert_eq!(
                proof,
                oracle::consistency(old as usize, d),
                "consistency {old} to {size}"
            );
            let old_root = oracle::root(&d[..old as usize]);
            verify_consistency(old, size, &old_root, &oracle::root(d), &proof).unwrap();
        }
    }
}

#[test]
fn every_small_range_is_proven_and_no_other_range_with_its_proof() {
    let size = 21;
    let leaves = oracle::leaves(size);
    let nodes: MemoryNodes = leaves.iter().copied().collect();
    let root = oracle::root(&leaves);
    for start in 0..=size {
        for end in start..=size {
            let proof = range_proof(&nodes, start, end, size).unwrap();
            let run = &leaves[start as usize..end as usize];
            replay(start, run, &proof).finish(size, &root).unwrap();
            if let [first, rest @ ..] = run {
                let shifted = [rest, &[*first]].concat();
                let outcome = replay(start, &shifted, &proof).finish(size, &root);
                assert_eq!(outcome.is_ok(), rest.is_empty(), "rotated {start}..{end}");
                assert!(replay(start, rest, &proof).finish(size, &root).is_err());
            }
        }
    }
}

fn replay(start: u64, leaves: &[Hash], proof: &RangeProof) -> RangeVerifier {
    let mut verifier = RangeVerifier::new(start, proof).unwrap();
    leaves.iter().for_each(|leaf| verifier.push(*leaf));
    verifier
}

#[test]
fn range_must_have_the_exact_proof_length_on_both_sides() {
    let leaves = oracle::leaves(13);
    let nodes: MemoryNodes = leaves.iter().copied().collect();
    let root = oracle::root(&leaves);
    let good = range_proof(&nodes, 3, 7, 13).unwrap();
    let extra = Hash([0; 32]);

    let mut long_left = good.clone();
    long_left.left.push(extra);
    let refused = RangeVerifier::new(3, &long_left).map(|_| ()).unwrap_err();
    assert_eq!(refused, VerifyError::ProofLength { want: 2, got: 3 });

    let mut long_right = good.clone();
    long_right.right.push(extra);
    let refused = replay(3, &leaves[3..7], &long_right)
        .finish(13, &root)
        .unwrap_err();
    assert!(matches!(refused, VerifyError::ProofLength { .. }));

    let mut short_right = good;
    short_right.right.pop();
    assert!(
        replay(3, &leaves[3..7], &short_right)
            .finish(13, &root)
            .is_err()
    );
}

#[test]
fn range_must_reject_more_leaves_than_the_tree_has() {
    let leaves = oracle::leaves(4);
    let refused = replay(0, &leaves, &RangeProof::default())
        .finish(3, &EMPTY_ROOT)
        .unwrap_err();
    assert_eq!(
        refused,
        VerifyError::OutOfRange {
            start: 0,
            end: 4,
            size: 3
        }
    );
}

#[test]
fn inclusion_must_reject_an_index_outside_the_tree() {
    let leaf = leaf_hash(b"x");
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, 1)] {
        let refused = verify_inclusion(&leaf, index, size, &[], &leaf).unwrap_err();
        assert!(
            matches!(refused, VerifyError::OutOfRange { .. }),
            "{index} in {size}"
        );
    }
    let nodes: MemoryNodes = [leaf].into_iter().collect();
    let refused = inclusion_proof(&nodes, 1, 1).unwrap_err();
    assert!(matches!(refused, ProofError::OutOfRange { start: 1, .. }));
}

#[test]
fn proofs_must_reject_sizes_a_signed_integer_cannot_hold() {
    let size = MAX_TREE_SIZE + 1;
    let refused = verify_inclusion(&EMPTY_ROOT, 0, size, &[], &EMPTY_ROOT).unwrap_err();
    assert_eq!(refused, VerifyError::SizeTooLarge { size });
    let refused = verify_consistency(1, size, &EMPTY_ROOT, &EMPTY_ROOT, &[]).unwrap_err();
    assert_eq!(refused, VerifyError::SizeTooLarge { size });
    assert!(Frontier::from_parts(size, vec![EMPTY_ROOT]).is_err());
}

#[test]
fn the_largest_tree_has_proofs_of_at_most_63_hashes() {
    let one = Hash([1; 32]);
    let refused = verify_inclusion(&one, 0, MAX_TREE_SIZE, &[], &one).unwrap_err();
    assert_eq!(refused, VerifyError::ProofLength { want: 63, got: 0 });
    let refused = verify_consistency(MAX_TREE_SIZE - 1, MAX_TREE_SIZE, &one, &one, &[one]);
    assert_eq!(
        refused.unwrap_err(),
        VerifyError::ProofLength { want: 63, got: 1 }
    );
}

#[test]
fn consistency_must_special_case_the_empty_and_the_equal_tree() {
    let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
    verify_consistency(0, 5, &EMPTY_ROOT, &a, &[]).unwrap();
    verify_consistency(0, 0, &EMPTY_ROOT, &EMPTY_ROOT, &[]).unwrap();
    verify_consistency(5, 5, &a, &a, &[]).unwrap();
    assert!(verify_consistency(0, 5, &EMPTY_ROOT, &a, &[b]).is_err());
    assert!(verify_consistency(0, 5, &b, &a, &[]).is_err());
    assert!(verify_consistency(5, 5, &a, &b, &[]).is_err());
    assert!(verify_consistency(5, 5, &a, &a, &[b]).is_err());
    assert!(verify_consistency(6, 5, &a, &a, &[]).is_err());
    assert!(verify_consistency(0, 0, &EMPTY_ROOT, &a, &[]).is_err());
}

#[test]
fn frontier_must_reject_parts_that_do_not_fit() {
    assert!(Frontier::from_parts(3, vec![EMPTY_ROOT]).is_err());
    assert!(Frontier::from_parts(0, vec![EMPTY_ROOT]).is_err());
    let mut frontier = Frontier::from_parts(3, vec![EMPTY_ROOT, EMPTY_ROOT]).unwrap();
    assert!(frontier.push_subtree(1, EMPTY_ROOT).is_err());
    assert!(frontier.push_subtree(64, EMPTY_ROOT).is_err());
    frontier.push_subtree(0, EMPTY_ROOT).unwrap();
    assert_eq!((frontier.size(), frontier.hashes().len()), (4, 1));
}

#[test]
fn hash_spellings_must_be_canonical() {
    let hash = leaf_hash(b"spelling");
    assert_eq!(Hash::from_base64(&hash.to_string()), Ok(hash));
    assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
    let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(EMPTY_ROOT.to_string(), base64);
    // Non-zero trailing bits, missing padding, URL alphabet, white space, wrong length.
    for text in [
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        " 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "AAAA",
        "",
    ] {
        assert!(Hash::from_base64(text).is_err(), "{text:?}");
    }
    assert!(Hash::from_hex(&hash.to_hex().to_uppercase()).is_err());
    assert!(Hash::from_hex("abc").is_err());
}
