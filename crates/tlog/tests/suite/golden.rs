//! Shared published keys and vectors: Tessera's golden log and the cosigner keys of its tests.

use cairn_tlog::{Frontier, Hash, MemoryNodes, SignerKey, VerifierKey, leaf_hash};

/// Private key of Tessera's test log (published test data).
pub const LOG_SIGNER: &str =
    "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";
/// Its public key.
pub const LOG_VKEY: &str =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
/// Cosigner key Wit1 in its published type 0x01 spelling.
pub const WIT1_SIGNER: &str =
    "PRIVATE+KEY+Wit1+55ee4561+AeadRiG7XM4XiieCHzD8lxysXMwcViy5nYsoXURWGrlE";
/// Public cosigner key Wit1.
pub const WIT1_VKEY: &str = "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk";
/// Public cosigner key Wit2.
pub const WIT2_VKEY: &str = "Wit2+38153445+BGVbwFJte9wMQIPSnEnj4KibeO6vSIOEDUTDp3o63c2x";

/// A self-made tlog-proof of entry "eit" with Tessera's own log signature and two cosignatures.
pub const RECEIPT: &str = "\
c2sp.org/tlog-proof@v1
index 7
2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=
ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=
zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=
5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=

example.com/log/testdata
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

\u{2014} example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=
\u{2014} Wit1 mz+y1QAAAABlU/EAYEDMPd8Ge7XzsHcNU+F3AzavfsuzhRT3gC4BORiySViMAWQq5znn5g+ruu+iDztzMS3EeF6xr4ug+O66ORoSAw==
\u{2014} Wit2 OBU0RQAAAABlU/EBrDBVZNhp8DEo80z37UjX3WCiaYdzrMK0aqiG6vXMVyllGqNnbAiYcUE05keOxntqpvx9wE/A+yEDiTM2LbFpAw==
";

/// The fifteen entries, in order.
pub const ENTRIES: [&str; 15] = [
    "one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven", "twelf",
    "threeten", "fourten", "fivten",
];

/// The signed checkpoint inside `RECEIPT`.
pub fn signed_checkpoint() -> &'static str {
    RECEIPT.split_once("\n\n").unwrap().1
}

/// The log's signer.
pub fn log_signer() -> SignerKey {
    SignerKey::parse(LOG_SIGNER).unwrap()
}

/// The log's public key.
pub fn log_key() -> VerifierKey {
    VerifierKey::parse(LOG_VKEY).unwrap()
}

/// Leaf hashes of the fifteen entries.
pub fn leaves() -> Vec<Hash> {
    ENTRIES
        .iter()
        .map(|entry| leaf_hash(entry.as_bytes()))
        .collect()
}

/// Rows of the golden log: size, root, base64 of the signature line.
pub fn rows() -> Vec<(u64, Hash, String)> {
    let file = include_str!("../../testdata/tessera_log.txt");
    let rows = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [size, root, signature] = words.as_slice() else {
                panic!("bad row {line:?}")
            };
            (
                size.parse().unwrap(),
                Hash::from_base64(root).unwrap(),
                (*signature).to_owned(),
            )
        });
    rows.collect()
}

#[test]
fn the_golden_log_has_sixteen_checkpoints_and_our_roots() {
    let rows = rows();
    assert_eq!(rows.len(), 16);
    let mut frontier = Frontier::new();
    for (size, root, _) in rows {
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), root, "size {size}");
        if let Some(entry) = ENTRIES.get(size as usize) {
            frontier.push(leaf_hash(entry.as_bytes()));
        }
    }
}

#[test]
fn the_golden_proofs_are_reproduced() {
    let nodes: MemoryNodes = leaves().into_iter().collect();
    let text = |proof: Vec<Hash>| -> Vec<String> { proof.iter().map(Hash::to_string).collect() };
    let inclusion = |index| text(cairn_tlog::inclusion_proof(&nodes, index, 15).unwrap());
    let consistency = |old, new| text(cairn_tlog::consistency_proof(&nodes, old, new).unwrap());
    assert_eq!(
        inclusion(0),
        [
            "qxq38Hx8j+Dv9LpvqlPH5EEukaWZFT6KpOAb7s5beCU=",
            "Fn6xZD9sPWKLwgCo+qZLMAqFlh0MMf5ytM55jhjCpmM=",
            "g0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=",
            "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=",
        ]
    );
    assert_eq!(
        inclusion(14),
        [
            "GiUtVP0XhIaZ/fl7ReMLgw+9YUtjFAt8kaTdfOe2u/I=",
            "3cFRCtyHVxAUTugFyRgo30efbl+BVxdTQDIGg5H61SA=",
            "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=",
        ]
    );
    assert_eq!(
        consistency(8, 15),
        ["5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks="]
    );
    assert_eq!(
        consistency(6, 8),
        [
            "ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=",
            "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=",
            "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
        ]
    );
    assert_eq!(
        consistency(3, 7),
        [
            "Zx8UbF5HHooag6PCFM5LqQe486WIjRTMjNPOdbsS75Q=",
            "9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=",
            "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=",
            "wVNSoGEUdzQTVZfXnUuDiK7m3gJ5rbJqmQx/6vHF+yA=",
        ]
    );
}
