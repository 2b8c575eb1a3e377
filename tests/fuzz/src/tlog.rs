//! Formats of the transparency log: notes, keys, paths, bundles, proofs, policies, requests.

use std::sync::LazyLock;

use cairn_tlog::add_checkpoint::{
    AddCheckpointRequest, format_response, format_size, parse_response, parse_size,
};
use cairn_tlog::bundle;
use cairn_tlog::tile::{BundleId, TileId};
use cairn_tlog::{
    Checkpoint, Hash, Note, NoteSignature, Receipt, SignerKey, TrustPolicy, VerifierKey,
    verify_consistency, verify_inclusion,
};

/// A log, a witness that signs with Ed25519 and one that signs with ML-DSA-44: every branch of the
/// verification can be reached.
static POLICY: LazyLock<Option<TrustPolicy>> = LazyLock::new(|| {
    let text = format!(
        "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\n\
         witness w1 Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk\n\
         witness w2 {}group one any w1 w2\nquorum one\n",
        include_str!("../../../crates/tlog/testdata/ml-dsa-44/vkey"),
    );
    TrustPolicy::parse(&text).ok()
});

/// A signed note is written back as it was read, and no key makes its verification panic.
pub fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(note) = Note::parse(text) else { return };
    assert_eq!(note.to_string(), text);
    for line in &note.signatures {
        assert_eq!(NoteSignature::parse(&line.to_string()).as_ref(), Ok(line));
    }
    for policy in POLICY.iter() {
        for witness in policy.witnesses() {
            let _ = note.verify(&witness.key);
        }
    }
}

/// A checkpoint is written back as it was read; a trusted one is one that its log signed.
pub fn checkpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    for policy in POLICY.iter() {
        let trusted = policy.verify_checkpoint(text).is_ok();
        let signed = policy
            .logs()
            .iter()
            .any(|log| Checkpoint::open(text, &log.key).is_ok());
        assert!(signed || !trusted, "trusted without the log's signature");
    }
}

/// A key is written back as it was read: there is one spelling of it.
pub fn vkey(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = SignerKey::parse(text) {
        assert_eq!(key.to_secret_text(), text);
    }
}

/// A resource has one path.
pub fn tile_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(tile) = text.parse::<TileId>() {
        assert_eq!(tile.to_string(), text);
        assert!((1..=8192).contains(&tile.byte_len()));
    }
    if let Ok(bundle) = text.parse::<BundleId>() {
        assert_eq!(bundle.to_string(), text);
    }
}

/// A bundle is its entries and nothing else. The first byte is the width that the path promised.
pub fn entry_bundle(data: &[u8]) {
    let Some((&width, bytes)) = data.split_first() else {
        return;
    };
    let width = u16::from(width) + 1;
    let Ok(entries) = bundle::decode(bytes, width) else {
        return;
    };
    assert_eq!(entries.len(), usize::from(width));
    let again = bundle::encode(entries.iter().copied());
    assert_eq!(again.as_deref(), Ok(bytes));
    let whole = bundle::prefix(bytes, width);
    assert_eq!(whole, Some(bytes));
}

/// Two sizes, a leaf, two roots, and hashes: what proves, proves with exactly these hashes.
pub fn proof(data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk::<8>() else {
        return;
    };
    let Some((second, rest)) = rest.split_first_chunk::<8>() else {
        return;
    };
    let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
    let hashes: Vec<Hash> = rest
        .as_chunks::<32>()
        .0
        .iter()
        .map(|hash| Hash(*hash))
        .collect();
    let [one, two, path @ ..] = hashes.as_slice() else {
        return;
    };
    let longer = [path, &[*one]].concat();
    if verify_inclusion(one, first, second, path, two).is_ok() {
        assert!(first < second && path.len() <= 63);
        assert!(verify_inclusion(one, first, second, &longer, two).is_err());
    }
    if verify_consistency(first, second, one, two, path).is_ok() {
        assert!(first <= second);
        assert!(first != second || one == two);
        assert!(verify_consistency(first, second, one, two, &longer).is_err());
    }
}

/// A receipt is written back as it was read, and what it proves is below its checkpoint's size.
pub fn receipt(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(receipt) = Receipt::parse(text) else {
        return;
    };
    assert_eq!(receipt.to_string(), text);
    for policy in POLICY.iter() {
        let leaf = cairn_tlog::leaf_hash(b"eit");
        if let Ok(verified) = receipt.verify(&leaf, policy) {
            assert!(receipt.index < verified.checkpoint.size);
        }
    }
}

/// A trust policy means the same after it was written and read again.
pub fn trust_policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(policy) = TrustPolicy::parse(text) else {
        return;
    };
    assert_eq!(
        TrustPolicy::parse(&policy.to_string()).as_ref(),
        Ok(&policy)
    );
    let note = include_str!("../../../crates/tlog/testdata/sample/checkpoint.new");
    if policy.verify_checkpoint(note).is_ok() {
        assert!(policy.verify_log_signature(note).is_ok());
    }
}

/// The three bodies of `add-checkpoint` are written back as they were read.
pub fn add_checkpoint(data: &[u8]) {
    if let Ok(request) = AddCheckpointRequest::parse(data) {
        assert_eq!(request.to_string().as_bytes(), data);
    }
    if let Ok(lines) = parse_response(data) {
        assert_eq!(format_response(&lines).as_bytes(), data);
    }
    if let Some(size) = parse_size(data) {
        assert_eq!(format_size(size).as_bytes(), data);
    }
}
