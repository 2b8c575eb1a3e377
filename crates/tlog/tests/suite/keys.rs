//! Verifier and signer keys (C2SP signed-note).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_tlog::key::MAX_NAME_BYTES;
use cairn_tlog::{KeyAlgorithm, KeyParseError, SignatureError, SignerKey, VerifierKey, note};

use crate::golden;

/// The verifier key of the signed-note specification's example.
pub const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

#[test]
fn signed_note_must_round_trip_published_keys() {
    for text in [
        SPEC_VKEY,
        golden::LOG_VKEY,
        golden::WIT1_VKEY,
        golden::WIT2_VKEY,
    ] {
        assert_eq!(VerifierKey::parse(text).unwrap().to_string(), text);
    }
    for text in [golden::LOG_SIGNER, golden::WIT1_SIGNER] {
        assert_eq!(SignerKey::parse(text).unwrap().to_secret_text(), text);
    }
    assert_eq!(golden::log_signer().verifier(), &golden::log_key());
}

#[test]
fn signed_note_must_give_one_key_different_ids_for_different_types() {
    let plain = SignerKey::parse(golden::WIT1_SIGNER).unwrap();
    let cosigner = plain.as_cosigner();
    assert_eq!(plain.verifier().id(), 0x55ee_4561);
    assert_eq!(cosigner.verifier().to_string(), golden::WIT1_VKEY);
    assert_eq!(
        SignerKey::parse(&cosigner.to_secret_text())
            .unwrap()
            .verifier(),
        cosigner.verifier()
    );
}

#[test]
fn signed_note_must_reject_a_vkey_whose_id_does_not_match() {
    let changed = golden::LOG_VKEY.replace("33d7b496", "33d7b497");
    let refused = VerifierKey::parse(&changed).unwrap_err();
    assert_eq!(
        refused,
        KeyParseError::IdMismatch {
            want: 0x33d7_b496,
            got: 0x33d7_b497
        }
    );
    let renamed = golden::LOG_VKEY.replace("testdata", "testdatb");
    assert!(matches!(
        VerifierKey::parse(&renamed),
        Err(KeyParseError::IdMismatch { .. })
    ));
    let changed = golden::LOG_SIGNER.replace("33d7b496", "33d7b497");
    assert!(matches!(
        SignerKey::parse(&changed),
        Err(KeyParseError::IdMismatch { .. })
    ));
}

#[test]
fn signed_note_must_reject_malformed_keys() {
    let key = "AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let cases = [
        ("name+33d7b496".to_owned(), KeyParseError::Shape),
        (format!("+33d7b496+{key}"), KeyParseError::Name),
        (format!("a b+33d7b496+{key}"), KeyParseError::Name),
        (format!("a\u{a0}b+33d7b496+{key}"), KeyParseError::Name),
        (format!("a\nb+33d7b496+{key}"), KeyParseError::Name),
        (format!("n+33D7B496+{key}"), KeyParseError::IdSyntax),
        (format!("n+33d7b49+{key}"), KeyParseError::IdSyntax),
        (format!("n+33d7b496+{key}="), KeyParseError::Base64),
        ("n+33d7b496+".to_owned(), KeyParseError::Length { got: 0 }),
        (
            "n+33d7b496+AeHT".to_owned(),
            KeyParseError::Length { got: 2 },
        ),
    ];
    for (text, cause) in cases {
        assert_eq!(VerifierKey::parse(&text), Err(cause), "{text:?}");
    }
    assert!(matches!(
        SignerKey::parse(golden::LOG_VKEY),
        Err(KeyParseError::Shape)
    ));
}

#[test]
fn signed_note_must_reject_unsupported_signature_types() {
    for byte in [0x00_u8, 0x02, 0x03, 0x05, 0xfa, 0xff] {
        let payload = [&[byte][..], &[9; 32]].concat();
        let text = format!("n+00000000+{}", STANDARD.encode(payload));
        let refused = VerifierKey::parse(&text).unwrap_err();
        assert_eq!(refused, KeyParseError::Algorithm { found: byte });
    }
}

#[test]
fn names_must_be_capped_at_255_bytes() {
    let seed = [3; 32];
    let longest = "n".repeat(MAX_NAME_BYTES);
    assert!(SignerKey::from_seed(&longest, KeyAlgorithm::Ed25519, &seed).is_ok());
    let longer = "n".repeat(MAX_NAME_BYTES + 1);
    let refused = SignerKey::from_seed(&longer, KeyAlgorithm::Ed25519, &seed).unwrap_err();
    assert_eq!(refused, KeyParseError::Name);
}

#[test]
fn ed25519_must_reject_small_order_public_keys() {
    let mut identity = [0; 32];
    identity[0] = 1;
    // The identity, a point of order 4 (all zero) and one of order 8.
    let order_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let order_8: [u8; 32] = hex::decode(order_8).unwrap().try_into().unwrap();
    for weak in [identity, [0; 32], order_8] {
        let refused = VerifierKey::new("n", KeyAlgorithm::Ed25519, &weak).unwrap_err();
        assert_eq!(refused, KeyParseError::WeakKey, "{}", hex::encode(weak));
    }
}

#[test]
fn ed25519_must_reject_what_verify_strict_rejects() {
    let signer = golden::log_signer();
    let good = note::sign("message\n", &signer).unwrap().blob;
    let key = signer.verifier();
    key.verify_bytes(b"message\n", &good).unwrap();

    let mut small_order_r = good.clone();
    small_order_r[..32].copy_from_slice(&[0; 32]);
    let mut large_s = good.clone();
    large_s[63] |= 0xe0;
    let mut changed = good.clone();
    changed[40] ^= 1;
    for blob in [small_order_r, large_s, changed] {
        assert!(key.verify_bytes(b"message\n", &blob).is_err());
    }
    assert!(key.verify_bytes(b"message", &good).is_err());
    let refused = key.verify_bytes(b"message\n", &good[..63]).unwrap_err();
    assert_eq!(refused, SignatureError::Length { want: 64, got: 63 });
}

#[test]
fn secrets_are_not_in_debug_output() {
    let signer = golden::log_signer();
    let shown = format!("{signer:?}");
    assert!(shown.contains("secret"));
    assert!(!shown.contains("AeymY"));
}

#[test]
fn public_types_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<SignerKey>();
    check::<VerifierKey>();
    check::<cairn_tlog::Note>();
    check::<cairn_tlog::Receipt>();
    check::<cairn_tlog::TrustPolicy>();
    check::<cairn_tlog::MemoryNodes>();
    check::<cairn_tlog::RangeVerifier>();
}
