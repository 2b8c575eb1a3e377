//! Tests of assertions.

use super::*;
use cairn_event::SoftwareKey;

const NOW: u64 = 1_795_000_000_000;
const ORIGIN: &str = "log.example";

fn key() -> SoftwareKey {
    SoftwareKey::from_seed(&[3; 32])
}

fn written(device: Option<&str>) -> String {
    assert_key(ORIGIN, device, NOW, [9; 16], &key()).unwrap()
}

#[test]
fn an_assertion_is_read_back_within_its_window() {
    let read = Assertion::parse(&written(Some("d_1"))).unwrap();
    assert_eq!(read.claims().device.as_deref(), Some("d_1"));
    assert_eq!(*read.kid(), key().public_key().kid());
    let at = |now| read.verify(&key().public_key(), ORIGIN, now);
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW + WINDOW_MS), Ok(()));
    assert_eq!(at(NOW - WINDOW_MS), Ok(()));
    assert_eq!(at(NOW + WINDOW_MS + 1), Err(AssertionError::Times));
    assert_eq!(at(NOW - WINDOW_MS - 1), Err(AssertionError::Times));
}

#[test]
fn another_key_or_log_is_refused() {
    let read = Assertion::parse(&written(None)).unwrap();
    let other = SoftwareKey::from_seed(&[4; 32]).public_key();
    let refused = read.verify(&other, ORIGIN, NOW);
    assert_eq!(
        refused,
        Err(AssertionError::Signature(key().public_key().kid()))
    );
    let elsewhere = read.verify(&key().public_key(), "other.example", NOW);
    assert_eq!(elsewhere, Err(AssertionError::OtherLog(ORIGIN.into())));
}

#[test]
fn every_flipped_character_is_refused() {
    let text = written(Some("d_1"));
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let believed = Assertion::parse(&changed)
            .is_ok_and(|read| read.verify(&key().public_key(), ORIGIN, NOW).is_ok());
        assert!(!believed, "character {at}");
    }
}

#[test]
fn a_second_spelling_is_refused() {
    let signed = |payload: &str| {
        let header = json!({ "alg": ALG, "kid": key().public_key().kid(), "typ": ASSERTION_TYP });
        let header = to_base64url(&to_canonical(&header));
        let mut text = format!("{header}.{}", to_base64url(payload.as_bytes()));
        let signature = key().sign(text.as_bytes()).unwrap();
        text.push('.');
        text.push_str(&to_base64url(&signature));
        Assertion::parse(&text).map(|_| ())
    };
    let plain = r#"{"aud":"l","exp_ms":2,"iat_ms":1,"jti":"x"}"#;
    assert_eq!(signed(plain), Ok(()));
    let null = r#"{"aud":"l","device":null,"exp_ms":2,"iat_ms":1,"jti":"x"}"#;
    assert_eq!(signed(null), Err(AssertionError::Form));
    assert_eq!(signed(&plain.replace(',', ", ")), Err(AssertionError::Form));
    assert_eq!(
        signed(r#"{"aud":"l","exp_ms":2,"iat_ms":1,"jti":""}"#),
        Err(AssertionError::Form)
    );
    let more = r#"{"aud":"l","exp_ms":2,"iat_ms":1,"jti":"x","roles":["admin"]}"#;
    assert_eq!(signed(more), Err(AssertionError::Form));
}
