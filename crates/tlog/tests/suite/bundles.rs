//! Entry bundles (C2SP tlog-tiles, "Log entries").

use cairn_tlog::MAX_ENTRY_BYTES;
use cairn_tlog::bundle::{BundleDecodeError, BundleEncodeError, append, decode, encode, prefix};

#[test]
fn tlog_tiles_must_encode_the_published_bundle_bytes() {
    let bytes = encode([b"one".as_slice(), b"two", b"three"]).unwrap();
    assert_eq!(hex::encode(&bytes), "00036f6e65000374776f00057468726565");
    assert_eq!(
        decode(&bytes, 3).unwrap(),
        [b"one".as_slice(), b"two", b"three"]
    );
}

#[test]
fn tlog_tiles_must_limit_an_entry_to_65535_bytes() {
    let longest = vec![7; MAX_ENTRY_BYTES];
    let bytes = encode([longest.as_slice(), b""]).unwrap();
    assert_eq!(decode(&bytes, 2).unwrap(), [longest.as_slice(), b""]);
    let refused = encode([b"ok".as_slice(), &vec![7; MAX_ENTRY_BYTES + 1]]).unwrap_err();
    assert_eq!(
        refused,
        BundleEncodeError::EntryTooLong {
            position: 1,
            bytes: 65_536
        }
    );
    let mut untouched = Vec::new();
    assert!(append(&mut untouched, &vec![7; MAX_ENTRY_BYTES + 1]).is_err());
    assert!(untouched.is_empty());
}

#[test]
fn tlog_tiles_must_limit_a_bundle_to_256_entries() {
    assert!(encode(std::iter::repeat_n(b"e".as_slice(), 256)).is_ok());
    let refused = encode(std::iter::repeat_n(b"e".as_slice(), 257)).unwrap_err();
    assert_eq!(refused, BundleEncodeError::TooManyEntries);
}

#[test]
fn tlog_tiles_must_reject_a_truncated_bundle_and_a_wrong_width() {
    let bytes = encode([b"one".as_slice(), b"two"]).unwrap();
    assert_eq!(
        decode(&bytes[..9], 2),
        Err(BundleDecodeError::Truncated { position: 1 })
    );
    assert_eq!(
        decode(&bytes[..6], 2),
        Err(BundleDecodeError::Truncated { position: 1 })
    );
    for wrong in [0, 1, 3] {
        assert_eq!(
            decode(&bytes, wrong),
            Err(BundleDecodeError::EntryCount { want: wrong })
        );
    }
}

#[test]
fn tlog_tiles_must_make_a_partial_bundle_a_prefix_of_the_full_one() {
    let entries = [b"one".as_slice(), b"", b"three"];
    let full = encode(entries).unwrap();
    for width in 0..=3 {
        let part = encode(entries[..usize::from(width)].iter().copied()).unwrap();
        assert_eq!(prefix(&full, width), Some(part.as_slice()));
    }
    assert_eq!(prefix(&full, 4), None);
}
