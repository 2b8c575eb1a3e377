//! Entries, submission frames, disclosures and assertions.

use cairn_event::disclosure::Disclosure;
use cairn_event::entry::{Entry, Integrity};
use cairn_event::frame::{self, Frame};
use cairn_event::json;
use cairn_event::{EntrySigner as _, SoftwareKey};
use cairn_identity::assertion::Assertion;

/// An entry is canonical JSON in canonical base64url, and its signature verifies for no other key.
pub fn entry(data: &[u8]) {
    if let Ok(integrity) = Integrity::parse(data) {
        // Whoever signed it, it was not this key.
        let stranger = SoftwareKey::from_seed(&[0xa5; 32]).public_key();
        assert!(integrity.verify(data, &stranger).is_err());
    }
    let Ok(entry) = Entry::parse(data) else {
        return;
    };
    assert_eq!(entry.bytes(), data);
    assert_eq!(entry.text().as_bytes(), data);
    let payload = Integrity::parse(data).map(|integrity| integrity.payload);
    let payload = payload.unwrap_or_default();
    let value = json::parse_canonical(&payload);
    assert!(value.is_ok_and(|value| json::to_canonical(&value) == payload));
}

/// A submission is split into lines, and a frame is written back as it was read.
pub fn frame(data: &[u8]) {
    let Ok(lines) = frame::split_submission(data) else {
        return;
    };
    for line in lines {
        let Ok(frame) = Frame::parse(line) else {
            continue;
        };
        let disclosures = frame.disclosures().iter().map(Disclosure::encoded);
        assert_eq!(frame::present(frame.entry().text(), disclosures), line);
    }
}

/// A disclosure is written back as it was read, and its digest is of the text.
pub fn disclosure(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(disclosure) = Disclosure::parse(text) else {
        return;
    };
    assert_eq!(disclosure.encoded(), text);
    assert!(!disclosure.name().is_empty());
    assert_eq!(
        cairn_event::encoding::to_base64url(disclosure.raw_digest()),
        disclosure.digest()
    );
}

/// An assertion that is read verifies for no key but its own.
pub fn assertion(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(assertion) = Assertion::parse(text) else {
        return;
    };
    let stranger = SoftwareKey::from_seed(&[0xa5; 32]).public_key();
    assert!(
        assertion
            .verify(&stranger, "log.example.com/acme", 0)
            .is_err()
    );
}
