//! Naive transcriptions of RFC 6962 section 2.1, and `rs_merkle` with an RFC 6962 hasher.
//!
//! Two independent answers to compare the crate with. The recursion follows the RFC's text line
//! by line and shares no code with the crate but SHA-256.

use cairn_tlog::Hash;
use sha2::{Digest as _, Sha256};

/// The `n` test leaves, all different.
pub fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|i| leaf(&i.to_be_bytes())).collect()
}

/// SHA-256(0x00 || entry), written out.
pub fn leaf(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

fn node(left: Hash, right: Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH(D[n]) of section 2.1, over leaf hashes.
pub fn root(d: &[Hash]) -> Hash {
    match d {
        [] => Hash(Sha256::digest([]).into()),
        [only] => *only,
        _ => {
            let k = split(d.len());
            node(root(&d[..k]), root(&d[k..]))
        }
    }
}

/// PATH(m, D[n]) of section 2.1.1.
pub fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = split(d.len());
    let (mut proof, sibling) = if m < k {
        (path(m, &d[..k]), root(&d[k..]))
    } else {
        (path(m - k, &d[k..]), root(&d[..k]))
    };
    proof.push(sibling);
    proof
}

/// PROOF(m, D[n]) of section 2.1.2, for 0 < m < n; empty otherwise as C2SP has it.
pub fn consistency(m: usize, d: &[Hash]) -> Vec<Hash> {
    if m == 0 || m == d.len() {
        Vec::new()
    } else {
        subproof(m, d, true)
    }
}

fn subproof(m: usize, d: &[Hash], complete: bool) -> Vec<Hash> {
    if m == d.len() {
        return if complete { Vec::new() } else { vec![root(d)] };
    }
    let k = split(d.len());
    let (mut proof, sibling) = if m <= k {
        (subproof(m, &d[..k], complete), root(&d[k..]))
    } else {
        (subproof(m - k, &d[k..], false), root(&d[..k]))
    };
    proof.push(sibling);
    proof
}

/// RFC 6962 node hashing for `rs_merkle`, whose leaves are given as leaf hashes.
#[derive(Clone)]
pub struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| node(Hash(*left), Hash(*right)).0)
    }
}

/// The same leaves in an `rs_merkle` tree.
pub fn rs_tree(d: &[Hash]) -> rs_merkle::MerkleTree<Rfc6962> {
    let raw: Vec<[u8; 32]> = d.iter().map(|hash| hash.0).collect();
    rs_merkle::MerkleTree::from_leaves(&raw)
}
