//! ML-DSA-44 cosignatures, signature type 0x06 (C2SP tlog-cosignature, "ML-DSA-44 signed message").
//!
//! `testdata/ml-dsa-44/` holds the golden checkpoint with a cosignature by the seed `[6; 32]`, which
//! the Go check in `tests/interop/log/` verifies and makes again with an implementation of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_tlog::cosignature::{cosign, verify};
use cairn_tlog::{
    Checkpoint, CosignError, CosignatureError, KeyAlgorithm, KeyParseError, Note, NoteSignature,
    SignatureError, SignerKey, TrustError, TrustPolicy, VerifierKey, note,
};

use crate::golden;

const VKEY: &str = include_str!("../../testdata/ml-dsa-44/vkey");
const COSIGNED: &str = include_str!("../../testdata/ml-dsa-44/checkpoint");
const TIME: u64 = 1_700_000_002;

fn signer() -> SignerKey {
    let name = "witness.example/ml-dsa";
    SignerKey::from_seed(name, KeyAlgorithm::MlDsa44Cosignature, &[6; 32]).unwrap()
}

fn cosigned() -> Note {
    Note::parse(COSIGNED).unwrap()
}

/// The log key `golden::LOG_SIGNER` has no part in: a log that signs with ML-DSA-44.
fn log_line(text: &str, seconds: u64) -> (NoteSignature, VerifierKey) {
    let origin = Checkpoint::parse(text).unwrap().origin;
    let key = SignerKey::from_seed(&origin, KeyAlgorithm::MlDsa44Cosignature, &[8; 32]).unwrap();
    (cosign(text, &key, seconds).unwrap(), key.verifier().clone())
}

#[test]
fn tlog_cosignature_must_reproduce_the_ml_dsa_44_sample() {
    assert_eq!(format!("{}\n", signer().verifier()), VKEY);
    let note = cosigned();
    let line = cosign(&note.text, &signer(), TIME).unwrap();
    assert_eq!(line, note.signatures[1]);
    assert_eq!(verify(&note, signer().verifier()), Ok(TIME));
}

#[test]
fn tlog_cosignature_must_compute_the_ml_dsa_44_key_id() {
    let key = VerifierKey::parse(VKEY.trim_end()).unwrap();
    assert_eq!(key.algorithm(), KeyAlgorithm::MlDsa44Cosignature);
    assert_eq!(key.public_key().len(), 1312);
    assert_eq!(format!("{key}\n"), VKEY);
    let changed = VKEY
        .trim_end()
        .replace(&format!("{:08x}", key.id()), "00000000");
    let refused = VerifierKey::parse(&changed).unwrap_err();
    assert!(matches!(refused, KeyParseError::IdMismatch { want, got: 0 } if want == key.id()));
    for length in [0, 32, 1311, 1313] {
        let payload = [&[0x06][..], &vec![1; length]].concat();
        let text = format!("n+00000000+{}", STANDARD.encode(payload));
        let refused = VerifierKey::parse(&text).unwrap_err();
        assert_eq!(refused, KeyParseError::Length { got: length });
    }
    let secret = signer().to_secret_text();
    let read = SignerKey::parse(&secret).unwrap();
    assert_eq!(read.verifier(), signer().verifier());
}

#[test]
fn tlog_cosignature_must_cover_name_time_origin_size_and_root_with_ml_dsa_44() {
    let refused = Err(CosignatureError::Refused(SignatureError::Invalid));
    let key = signer().verifier().clone();
    let changes: [fn(&mut Note); 4] = [
        |note| note.signatures[1].blob[7] ^= 1,
        |note| note.text = note.text.replace("testdata", "testdatb"),
        |note| note.text = note.text.replace("\n15\n", "\n16\n"),
        |note| note.text = note.text.replace("\nrKbD", "\nrKbE"),
    ];
    for change in changes {
        let mut note = cosigned();
        change(&mut note);
        assert_eq!(verify(&note, &key), refused);
    }
    let renamed = VerifierKey::new("witness.example/x", key.algorithm(), key.public_key()).unwrap();
    let line = &cosigned().signatures[1];
    let refused = line.verify(&cosigned().text, &renamed).unwrap_err();
    assert_eq!(refused, SignatureError::Invalid);
}

#[test]
fn tlog_cosignature_must_have_exactly_2428_bytes_with_ml_dsa_44() {
    for length in [1, 8, 72, 2427, 2429] {
        let mut note = cosigned();
        note.signatures[1].blob.resize(length, 0);
        let cause = SignatureError::Length {
            want: 2428,
            got: length,
        };
        let refused = Err(CosignatureError::Refused(cause));
        assert_eq!(verify(&note, signer().verifier()), refused);
    }
}

#[test]
fn tlog_cosignature_must_not_sign_more_than_three_lines_with_ml_dsa_44() {
    // ML-DSA-44 does not cover extension lines, so a text that has some is not signed or believed.
    let extended = format!("{}extension\n", cosigned().text);
    assert_eq!(
        cosign(&extended, &signer(), TIME),
        Err(CosignError::NotACheckpoint)
    );
    let mut note = cosigned();
    note.text = extended;
    let refused = verify(&note, signer().verifier()).unwrap_err();
    assert_eq!(
        refused,
        CosignatureError::Refused(SignatureError::NotACheckpoint)
    );
    assert!(cosign(&cosigned().text, &signer(), 0).is_err());
}

#[test]
fn tlog_policy_must_count_an_ml_dsa_44_witness() {
    let text = format!("log {}\nwitness w {VKEY}quorum w\n", golden::log_key(),);
    let policy = TrustPolicy::parse(&text).unwrap();
    assert_eq!(policy.to_string(), text);
    let verified = policy.verify_checkpoint(COSIGNED).unwrap();
    assert_eq!(verified.cosigned, [("w".to_owned(), TIME)]);
    let mut bare = cosigned();
    bare.signatures.truncate(1);
    let refused = policy.verify_checkpoint(&bare.to_string()).unwrap_err();
    assert!(matches!(refused, TrustError::Quorum { cosigned: 0, .. }));
}

#[test]
fn tlog_checkpoint_must_accept_a_log_that_signs_with_ml_dsa_44() {
    let mut note = cosigned();
    let (line, key) = log_line(&note.text, TIME);
    note.signatures = vec![line];
    let (checkpoint, _) = Checkpoint::open(&note.to_string(), &key).unwrap();
    assert_eq!(checkpoint.size, 15);
    let policy = TrustPolicy::parse(&format!("log {key}\nquorum none\n")).unwrap();
    assert!(policy.verify_checkpoint(&note.to_string()).is_ok());
    // The plain signing function is for type 0x01 only.
    assert_eq!(
        note::sign("text\n", &signer()),
        Err(SignatureError::WrongAlgorithm)
    );
}
