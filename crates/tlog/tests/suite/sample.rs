//! A small log with fixed keys whose receipt, checkpoints and proofs other implementations verify.
//!
//! Generator of `testdata/sample/`, the input of the Go check in `tests/interop/formats/sumdb/`.
//! Seeds: log `[21; 32]`, witnesses `[31; 32]`, `[32; 32]`, `[33; 32]`; 300 leaves, of which number
//! 261 is the golden decision of `cairn-event` and number n of the others the text `sample leaf n`.
//! `CAIRN_WRITE_GOLDEN=1` writes a file that is new; an existing file is never overwritten.

use std::path::PathBuf;

use cairn_tlog::{
    Checkpoint, KeyAlgorithm, MemoryNodes, Note, Receipt, SignerKey, TrustPolicy,
    consistency_proof, cosignature, inclusion_proof, leaf_hash,
};

const ORIGIN: &str = "log.example.com/acme";
/// The place of the real entry: in the second tile, so that the proof crosses a tile's edge.
const INDEX: u64 = 261;
const OLD_SIZE: u64 = 200;
const SIZE: u64 = 300;
const ENTRY: &[u8] = include_bytes!("../../../event/testdata/golden/tool.decision.entry");

fn witness(number: u8) -> SignerKey {
    let name = format!("witness.example.net/w{number}");
    SignerKey::from_seed(&name, KeyAlgorithm::Ed25519Cosignature, &[30 + number; 32]).unwrap()
}

fn log() -> SignerKey {
    SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[21; 32]).unwrap()
}

fn nodes() -> MemoryNodes {
    let leaf = |index: u64| match index {
        INDEX => leaf_hash(ENTRY),
        other => leaf_hash(format!("sample leaf {other}").as_bytes()),
    };
    (0..SIZE).map(leaf).collect()
}

/// Signed by the log and cosigned by the first two of three witnesses.
fn cosigned(nodes: &MemoryNodes, size: u64) -> Note {
    let checkpoint = Checkpoint {
        origin: ORIGIN.into(),
        size,
        root: nodes.root(size).unwrap(),
    };
    let mut note = checkpoint.sign(&log()).unwrap();
    for number in 1..=2 {
        let time = 1_795_000_000 + size + u64::from(number);
        let line = cosignature::cosign(&note.text, &witness(number), time).unwrap();
        note.signatures.push(line);
    }
    note
}

fn trust_policy() -> String {
    let mut text = format!("log {}\n", log().verifier());
    for number in 1..=3 {
        text += &format!("witness w{number} {}\n", witness(number).verifier());
    }
    text + "group two-of-three 2 w1 w2 w3\nquorum two-of-three\n"
}

fn golden(name: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/sample");
    let path = folder.join(name);
    if !path.exists() && std::env::var_os("CAIRN_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == bytes, "{name} differs from its golden bytes");
}

#[test]
fn the_sample_log_keeps_its_bytes() {
    let nodes = nodes();
    let receipt = Receipt {
        extra: None,
        index: INDEX,
        proof: inclusion_proof(&nodes, INDEX, SIZE).unwrap(),
        checkpoint: cosigned(&nodes, SIZE).to_string(),
    };
    let policy = TrustPolicy::parse(&trust_policy()).unwrap();
    let verified = receipt.verify(&leaf_hash(ENTRY), &policy).unwrap();
    assert_eq!(
        (verified.checkpoint.size, verified.cosigned.len()),
        (SIZE, 2)
    );

    let proof = consistency_proof(&nodes, OLD_SIZE, SIZE).unwrap();
    let lines: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    golden("entry", ENTRY);
    golden("receipt", receipt.to_string().as_bytes());
    golden("trust-policy", trust_policy().as_bytes());
    golden(
        "checkpoint.old",
        cosigned(&nodes, OLD_SIZE).to_string().as_bytes(),
    );
    golden("checkpoint.new", receipt.checkpoint.as_bytes());
    golden("consistency", lines.as_bytes());
}
