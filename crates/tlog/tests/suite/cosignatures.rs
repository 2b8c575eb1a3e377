//! Timestamped cosignatures (C2SP tlog-cosignature).

use cairn_tlog::cosignature::{MAX_TIMESTAMP, cosign, verify};
use cairn_tlog::{CosignError, CosignatureError, Note, SignatureError, SignerKey, VerifierKey};

use crate::golden;

/// A published witness cosignature (FiloSottile/sunlight, cmd/skylight/testdata at ed0bc38).
const SUNLIGHT: &str = "\
rome2026h1.example.org
300
lCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=

\u{2014} rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z
\u{2014} witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==
";
const SUNLIGHT_WITNESS: &str =
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN";

/// A published mirror cosignature from the same place; mirrors use the same format.
const MIRROR: &str = "\
rome2026h1.example.org
300
gw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=

\u{2014} mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJzXC0N0EiZkbqfLdXt/4gVEEuGmxJjAfXKMCISpsJAg==
";
const MIRROR_KEY: &str = "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O";

fn wit1() -> SignerKey {
    let published = SignerKey::parse(golden::WIT1_SIGNER).unwrap();
    published.as_cosigner()
}

#[test]
fn tlog_cosignature_must_verify_published_cosignatures() {
    for (note, key) in [(SUNLIGHT, SUNLIGHT_WITNESS), (MIRROR, MIRROR_KEY)] {
        let note = Note::parse(note).unwrap();
        let key = VerifierKey::parse(key).unwrap();
        assert_eq!(verify(&note, &key), Ok(1_767_139_200));
    }
}

#[test]
fn tlog_cosignature_must_reproduce_the_vector_of_wit1() {
    let note = Note::parse(golden::signed_checkpoint()).unwrap();
    let signature = cosign(&note.text, &wit1(), 1_700_000_000).unwrap();
    assert_eq!(signature, note.signatures[1]);
    let wit2 = VerifierKey::parse(golden::WIT2_VKEY).unwrap();
    assert_eq!(verify(&note, &wit2), Ok(1_700_000_001));
}

#[test]
fn tlog_cosignature_must_cover_the_time_and_the_whole_text() {
    let key = VerifierKey::parse(SUNLIGHT_WITNESS).unwrap();
    let good = Note::parse(SUNLIGHT).unwrap();
    let refused = Err(CosignatureError::Refused(SignatureError::Invalid));

    let mut later = good.clone();
    later.signatures[1].blob[7] ^= 1;
    assert_eq!(verify(&later, &key), refused);
    let mut other_text = good.clone();
    other_text.text = other_text.text.replace("300", "301");
    assert_eq!(verify(&other_text, &key), refused);
    let mut extended = good;
    extended.text.push_str("extension\n");
    assert_eq!(verify(&extended, &key), refused);
}

#[test]
fn tlog_cosignature_must_reject_times_out_of_range() {
    for seconds in [0, MAX_TIMESTAMP + 1, u64::MAX] {
        let refused = cosign("text\n", &wit1(), seconds).unwrap_err();
        assert_eq!(refused, CosignError::Timestamp { seconds });
        let mut note = Note::parse(golden::signed_checkpoint()).unwrap();
        note.signatures[1].blob[..8].copy_from_slice(&seconds.to_be_bytes());
        let refused = verify(&note, wit1().verifier()).unwrap_err();
        assert_eq!(
            refused,
            CosignatureError::Refused(SignatureError::Timestamp)
        );
    }
    assert!(cosign("text\n", &wit1(), MAX_TIMESTAMP).is_ok());
}

#[test]
fn tlog_cosignature_must_have_exactly_72_bytes() {
    for length in [1, 8, 64, 71, 73] {
        let mut note = Note::parse(golden::signed_checkpoint()).unwrap();
        note.signatures[1].blob.resize(length, 0);
        let refused = verify(&note, wit1().verifier()).unwrap_err();
        let cause = SignatureError::Length {
            want: 72,
            got: length,
        };
        assert_eq!(refused, CosignatureError::Refused(cause));
    }
}

#[test]
fn tlog_cosignature_must_come_from_a_cosigner_key() {
    let plain = SignerKey::parse(golden::WIT1_SIGNER).unwrap();
    assert_eq!(
        cosign("text\n", &plain, 1),
        Err(CosignError::WrongAlgorithm)
    );
    let note = Note::parse(golden::signed_checkpoint()).unwrap();
    assert!(verify(&note, &golden::log_key()).is_err());
    let stranger = VerifierKey::parse(MIRROR_KEY).unwrap();
    assert_eq!(verify(&note, &stranger), Err(CosignatureError::Absent));
}

#[test]
fn of_two_cosignatures_by_one_key_the_earliest_counts() {
    let mut note = Note::parse(golden::signed_checkpoint()).unwrap();
    for seconds in [1_600_000_000, 1_800_000_000] {
        note.signatures
            .push(cosign(&note.text, &wit1(), seconds).unwrap());
    }
    assert_eq!(verify(&note, wit1().verifier()), Ok(1_600_000_000));
}
