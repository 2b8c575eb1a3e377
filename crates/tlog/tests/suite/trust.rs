//! Applying trust policies to checkpoints (C2SP tlog-policy).

use cairn_tlog::cosignature::cosign;
use cairn_tlog::trust::MAX_POLICY_BYTES;
use cairn_tlog::{
    Checkpoint, KeyAlgorithm, Note, NoteSignature, SignerKey, TrustError, TrustPolicy,
};

fn log(name: &str, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
}

fn witness(name: &str, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, KeyAlgorithm::Ed25519Cosignature, &[seed; 32]).unwrap()
}

/// A checkpoint of `example.com/a`, signed by its log and cosigned by the given witnesses.
fn note(cosigners: &[&SignerKey]) -> Note {
    let signer = log("example.com/a", 1);
    let mut note = Checkpoint::empty("example.com/a").sign(&signer).unwrap();
    for key in cosigners {
        note.signatures
            .push(cosign(&note.text, key, 1_000).unwrap());
    }
    note
}

fn policy(quorum: &str) -> TrustPolicy {
    let mut text = format!("log {}\n", log("example.com/a", 1).verifier());
    for (name, seed) in [("w1", 11), ("w2", 12), ("w3", 13)] {
        text += &format!(
            "witness {name} {}\n",
            witness(&format!("{name}.example"), seed).verifier()
        );
    }
    TrustPolicy::parse(&(text + quorum)).unwrap()
}

#[test]
fn tlog_policy_must_accept_quorum_none_with_the_log_signature_alone() {
    let verified = policy("quorum none\n")
        .verify_checkpoint(&note(&[]).to_string())
        .unwrap();
    assert!(verified.cosigned.is_empty());
    let unsigned = Note {
        signatures: vec![other_line()],
        ..note(&[])
    };
    let refused = policy("quorum none\n")
        .verify_checkpoint(&unsigned.to_string())
        .unwrap_err();
    assert!(matches!(refused, TrustError::NotSignedByLog { .. }));
}

fn other_line() -> NoteSignature {
    NoteSignature {
        name: "unknown".into(),
        key_id: 7,
        blob: vec![1, 2, 3],
    }
}

#[test]
fn tlog_policy_must_count_thresholds() {
    let (w1, w2, w3) = (
        witness("w1.example", 11),
        witness("w2.example", 12),
        witness("w3.example", 13),
    );
    let two = note(&[&w1, &w3]).to_string();
    for (group, satisfied) in [
        ("any", true),
        ("1", true),
        ("2", true),
        ("3", false),
        ("all", false),
    ] {
        let policy = policy(&format!("group g {group} w1 w2 w3\nquorum g\n"));
        assert_eq!(policy.verify_checkpoint(&two).is_ok(), satisfied, "{group}");
    }
    assert!(policy("quorum w3\n").verify_checkpoint(&two).is_ok());
    let refused = policy("quorum w2\n").verify_checkpoint(&two).unwrap_err();
    assert_eq!(
        refused,
        TrustError::Quorum {
            quorum: "w2".to_owned(),
            cosigned: 2
        }
    );
    let all = note(&[&w1, &w2, &w3]).to_string();
    assert_eq!(
        policy("quorum w2\n")
            .verify_checkpoint(&all)
            .unwrap()
            .cosigned
            .len(),
        3
    );
}

#[test]
fn tlog_policy_must_evaluate_nested_groups() {
    let policy = policy("group inner any w1 w2\ngroup outer all inner w3\nquorum outer\n");
    let (w1, w3) = (witness("w1.example", 11), witness("w3.example", 13));
    assert!(
        policy
            .verify_checkpoint(&note(&[&w1, &w3]).to_string())
            .is_ok()
    );
    assert!(policy.verify_checkpoint(&note(&[&w3]).to_string()).is_err());
    assert!(policy.verify_checkpoint(&note(&[&w1]).to_string()).is_err());
}

#[test]
fn tlog_policy_must_count_each_witness_key_once() {
    let w1 = witness("w1.example", 11);
    // The same key again: repeated lines, and the same public key under another name.
    let same_key_other_name = witness("w2.example", 11);
    let mut repeated = note(&[&w1, &w1, &same_key_other_name]);
    repeated
        .signatures
        .push(cosign(&repeated.text, &w1, 2_000).unwrap());
    let policy = policy("group g 2 w1 w2 w3\nquorum g\n");
    let refused = policy.verify_checkpoint(&repeated.to_string()).unwrap_err();
    assert_eq!(
        refused,
        TrustError::Quorum {
            quorum: "g".to_owned(),
            cosigned: 1
        }
    );
    let listed = policy.verify_log_signature(&repeated.to_string()).unwrap();
    assert_eq!(listed.cosigned, [("w1".to_owned(), 1_000)]);
}

#[test]
fn tlog_policy_must_accept_any_listed_log_of_the_origin() {
    let (first, second) = (log("example.com/a", 1), log("example.com/a", 2));
    let elsewhere = log("example.com/b", 3);
    let text = format!(
        "log {}\nlog {}\nlog {}\nquorum none\n",
        elsewhere.verifier(),
        second.verifier(),
        first.verifier(),
    );
    let policy = TrustPolicy::parse(&text).unwrap();
    let checkpoint = Checkpoint::empty("example.com/a");
    for signer in [&first, &second] {
        let note = checkpoint.sign(signer).unwrap().to_string();
        assert!(policy.verify_checkpoint(&note).is_ok());
    }
    // A listed log of another origin does not speak for this one.
    let note = checkpoint.sign(&elsewhere).unwrap().to_string();
    let refused = policy.verify_checkpoint(&note).unwrap_err();
    assert_eq!(
        refused,
        TrustError::NotSignedByLog {
            origin: "example.com/a".to_owned()
        }
    );
    let unlisted = Checkpoint::empty("example.com/c")
        .sign(&first)
        .unwrap()
        .to_string();
    let refused = policy.verify_checkpoint(&unlisted).unwrap_err();
    assert_eq!(
        refused,
        TrustError::UnknownOrigin {
            origin: "example.com/c".to_owned()
        }
    );
}

#[test]
fn tlog_policy_must_reject_a_note_with_a_failing_known_signature() {
    let (w1, w2) = (witness("w1.example", 11), witness("w2.example", 12));
    let mut bad = note(&[&w1, &w2]);
    bad.signatures[2].blob[30] ^= 1;
    let policy = policy("quorum w1\n");
    let refused = policy.verify_checkpoint(&bad.to_string()).unwrap_err();
    assert!(matches!(refused, TrustError::Signature(error) if error.name == "w2.example"));
    let mut bad_log = note(&[&w1]);
    bad_log.signatures[0].blob[0] ^= 1;
    assert!(matches!(
        policy.verify_log_signature(&bad_log.to_string()),
        Err(TrustError::Signature(_))
    ));
}

#[test]
fn tlog_policy_must_ignore_unknown_signatures() {
    let w1 = witness("w1.example", 11);
    let mut with_more = note(&[&w1, &witness("stranger.example", 99)]);
    with_more.signatures.insert(0, other_line());
    let verified = policy("quorum w1\n")
        .verify_checkpoint(&with_more.to_string())
        .unwrap();
    assert_eq!(verified.cosigned, [("w1".to_owned(), 1_000)]);
}

#[test]
fn less_than_a_quorum_moves_neither_its_first_time_nor_its_last() {
    let policy = policy("group g 2 w1 w2 w3\nquorum g\n");
    let times = |at: [Option<u64>; 3]| {
        let cosigned = ["w1", "w2", "w3"].into_iter().zip(at);
        let cosigned = cosigned.filter_map(|(name, at)| Some((name.to_owned(), at?)));
        let checkpoint = cairn_tlog::VerifiedCheckpoint {
            checkpoint: Checkpoint::empty("example.com/a"),
            cosigned: cosigned.collect(),
        };
        let first = policy.first_quorum_time(&checkpoint);
        (first, policy.quorum_time(&checkpoint))
    };
    assert_eq!(times([Some(10), Some(12), None]), (Some(12), Some(10)));
    assert_eq!(times([Some(10), Some(12), Some(11)]), (Some(11), Some(11)));
    // A third one that is years ahead or behind, or came years later, changes nothing.
    for other in [0, 1, 1_000_000] {
        let (first, last) = times([Some(10), Some(12), Some(other)]);
        let within = |time: Option<u64>| time.is_some_and(|time| (10..=12).contains(&time));
        assert!(within(first) && within(last), "{other}: {first:?} {last:?}");
    }
    assert_eq!(times([Some(10), None, None]), (None, None));
}

#[test]
fn a_policy_as_long_and_as_nested_as_is_allowed_is_judged() {
    const CHAINS: u16 = 620;
    const DEPTH: u16 = 62;
    let key = |number: u16| {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        SignerKey::from_seed("w", KeyAlgorithm::Ed25519Cosignature, &seed).unwrap()
    };
    let mut text = format!("log {}\n", log("example.com/a", 1).verifier());
    let mut ends = Vec::new();
    for number in 0..CHAINS {
        text += &format!("witness w{number} {}\n", key(number).verifier());
        let mut below = format!("w{number}");
        for depth in 0..DEPTH {
            text += &format!("group g{number}.{depth} all {below}\n");
            below = format!("g{number}.{depth}");
        }
        ends.push(below);
    }
    text += &format!("group last 2 {}\nquorum last\n", ends.join(" "));
    assert!(text.len() > MAX_POLICY_BYTES / 10 * 9 && text.len() <= MAX_POLICY_BYTES);
    let policy = TrustPolicy::parse(&text).unwrap();
    assert_eq!(policy.groups().len(), usize::from(CHAINS * DEPTH) + 1);
    let (one, other) = (key(3), key(CHAINS - 1));
    let judged = |keys: &[&SignerKey]| policy.verify_checkpoint(&note(keys).to_string());
    assert!(judged(&[&one, &other]).is_ok());
    assert!(matches!(judged(&[&one]), Err(TrustError::Quorum { .. })));
}
