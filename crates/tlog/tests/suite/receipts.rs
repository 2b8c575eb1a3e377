//! Receipts (C2SP tlog-proof).

use cairn_tlog::{
    Receipt, ReceiptError, ReceiptParseError, TrustError, TrustPolicy, VerifyError, leaf_hash,
};

use crate::golden::{LOG_VKEY, RECEIPT, WIT1_VKEY, WIT2_VKEY};

fn policy() -> TrustPolicy {
    let text = format!(
        "log {LOG_VKEY}\nwitness one {WIT1_VKEY}\nwitness two {WIT2_VKEY}\n\
         group both all one two\nquorum both\n"
    );
    TrustPolicy::parse(&text).unwrap()
}

#[test]
fn tlog_proof_must_verify_the_vector() {
    let receipt = Receipt::parse(RECEIPT).unwrap();
    assert_eq!(receipt.to_string(), RECEIPT);
    assert_eq!(
        (receipt.index, receipt.proof.len(), &receipt.extra),
        (7, 4, &None)
    );
    let verified = receipt.verify(&leaf_hash(b"eit"), &policy()).unwrap();
    assert_eq!(verified.checkpoint.size, 15);
    let expected = [
        ("one".to_owned(), 1_700_000_000),
        ("two".to_owned(), 1_700_000_001),
    ];
    assert_eq!(verified.cosigned, expected);
}

#[test]
fn tlog_proof_must_prove_the_entry() {
    let receipt = Receipt::parse(RECEIPT).unwrap();
    let refused = receipt.verify(&leaf_hash(b"eight"), &policy()).unwrap_err();
    assert!(matches!(
        refused,
        ReceiptError::Inclusion(VerifyError::RootMismatch { .. })
    ));
}

#[test]
fn tlog_proof_must_reject_an_index_outside_the_tree() {
    let receipt = Receipt::parse(&RECEIPT.replace("index 7", "index 15")).unwrap();
    let refused = receipt.verify(&leaf_hash(b"eit"), &policy()).unwrap_err();
    assert!(matches!(
        refused,
        ReceiptError::Inclusion(VerifyError::OutOfRange { .. })
    ));
}

#[test]
fn tlog_proof_must_have_the_exact_proof_length() {
    let mut receipt = Receipt::parse(RECEIPT).unwrap();
    receipt.proof.push(leaf_hash(b"one too many"));
    let refused = receipt.verify(&leaf_hash(b"eit"), &policy()).unwrap_err();
    let cause = VerifyError::ProofLength { want: 4, got: 5 };
    assert_eq!(refused, ReceiptError::Inclusion(cause));
}

#[test]
fn tlog_proof_must_apply_the_policy_to_the_checkpoint() {
    let leaf = leaf_hash(b"eit");
    let without_wit2 = RECEIPT.split_once("\u{2014} Wit2").unwrap().0;
    let receipt = Receipt::parse(without_wit2).unwrap();
    let refused = receipt.verify(&leaf, &policy()).unwrap_err();
    assert!(matches!(
        refused,
        ReceiptError::Checkpoint(TrustError::Quorum { cosigned: 1, .. })
    ));
    assert_eq!(
        receipt
            .verify_log_only(&leaf, &policy())
            .unwrap()
            .cosigned
            .len(),
        1
    );

    let other_origin =
        Receipt::parse(&RECEIPT.replace("log/testdata\n15", "log/other\n15")).unwrap();
    let refused = other_origin.verify(&leaf, &policy()).unwrap_err();
    assert!(matches!(
        refused,
        ReceiptError::Checkpoint(TrustError::UnknownOrigin { .. })
    ));
}

#[test]
fn a_checkpoint_verified_before_counts_for_its_own_bytes_only() {
    let receipt = Receipt::parse(RECEIPT).unwrap();
    let known = policy().verify_note(&receipt.checkpoint).unwrap();
    let leaf = leaf_hash(b"eit");
    receipt.verify_under(&leaf, &known).unwrap();
    assert_eq!(known.note(), receipt.checkpoint);
    assert_eq!(*known.verified(), receipt.verify(&leaf, &policy()).unwrap());
    let refused = receipt.verify_under(&leaf_hash(b"eight"), &known);
    assert!(matches!(refused, Err(ReceiptError::Inclusion(_))));
    // Another note, were it of the same tree, was not verified.
    let fewer = RECEIPT.split_once("\u{2014} Wit2").unwrap().0;
    let fewer = Receipt::parse(fewer).unwrap();
    let refused = fewer.verify_under(&leaf, &known);
    assert_eq!(refused, Err(ReceiptError::OtherCheckpoint));
    let untrusted = policy().verify_note(&fewer.checkpoint);
    assert!(matches!(untrusted, Err(TrustError::Quorum { .. })));
}

#[test]
fn tlog_proof_must_reject_trailing_bytes_after_the_checkpoint() {
    for tail in ["\n", "x", "x\n", "\n\n", " "] {
        let text = format!("{RECEIPT}{tail}");
        let outcome = Receipt::parse(&text)
            .unwrap()
            .verify(&leaf_hash(b"eit"), &policy());
        assert!(
            matches!(outcome, Err(ReceiptError::Checkpoint(_))),
            "{tail:?}"
        );
    }
}

#[test]
fn tlog_proof_must_carry_extra_data_without_trusting_it() {
    let text = RECEIPT.replace("index 7", "extra aGVsbG8=\nindex 7");
    let receipt = Receipt::parse(&text).unwrap();
    assert_eq!(receipt.extra.as_deref(), Some(b"hello".as_slice()));
    assert_eq!(receipt.to_string(), text);
    receipt.verify(&leaf_hash(b"eit"), &policy()).unwrap();
    let empty = Receipt::parse(&RECEIPT.replace("index 7", "extra \nindex 7")).unwrap();
    assert_eq!(empty.extra.as_deref(), Some(b"".as_slice()));
}

#[test]
fn tlog_proof_must_reject_malformed_text() {
    use ReceiptParseError as E;
    let hash = "2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=\n";
    let cases = [
        (RECEIPT.replace("@v1", "@v2"), E::Header),
        (RECEIPT.replace("c2sp.org", "C2SP.org"), E::Header),
        (format!("\n{RECEIPT}"), E::Header),
        (
            RECEIPT.replace("index 7", "extra aGVsbG8\nindex 7"),
            E::Extra,
        ),
        (RECEIPT.replace("index 7", "index 07"), E::Index),
        (RECEIPT.replace("index 7", "index +7"), E::Index),
        (RECEIPT.replace("index 7", "index  7"), E::Index),
        (RECEIPT.replace("index 7\n", ""), E::Index),
        (
            RECEIPT.replace("index 7", "extra AAAA\nextra AAAA\nindex 7"),
            E::Index,
        ),
        (RECEIPT.replace("zsw=", "zsx="), E::ProofLine { line: 0 }),
        (RECEIPT.replace(hash, &hash.repeat(61)), E::ProofTooLong),
        (RECEIPT.replace('\n', "\r\n"), E::NoCheckpoint),
        (
            "c2sp.org/tlog-proof@v1\nindex 7\n\n".to_owned(),
            E::NoCheckpoint,
        ),
        (
            "c2sp.org/tlog-proof@v1\nindex 7\n".to_owned(),
            E::NoCheckpoint,
        ),
    ];
    for (text, cause) in cases {
        let refused = Receipt::parse(&text).map(|_| ());
        assert_eq!(refused, Err(cause), "{text:?}");
    }
    let long = format!("{RECEIPT}{}", "x".repeat(1_200_000));
    assert!(matches!(Receipt::parse(&long), Err(E::TooLong { .. })));
}
