//! A log is succeeded by the one that its administrators signed, at its final checkpoint, or by none.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and helpers of tests are not recognised as tests"
)]

use cairn_event::administrative::*;
use cairn_event::approval::approve;
use cairn_event::body::Body;
use cairn_event::*;
use cairn_identity::succession::{Closing, SuccessionError};
use cairn_identity::{Ledger, Refusal};
use serde_json::json;

const OLD: &str = "log.example.com/1";
const NEW: &str = "log.example.com/2";
const OLD_KEY: &str = "log.example.com/1+00000000+AQ==";
const NEW_KEY: &str = "log.example.com/2+00000000+AQ==";

fn key(seed: u8) -> SoftwareKey {
    SoftwareKey::from_seed(&[seed; 32])
}

fn frozen(log: &str, body: Body, ext: Option<serde_json::Value>, signers: &[u8]) -> String {
    let mut payload = Payload {
        log: log.into(),
        time_ms: 1,
        link: None,
        context: Context::default(),
        body,
        approvals: vec![],
        sd: vec![],
        ext,
    };
    let (first, others) = signers.split_first().unwrap();
    let approvals = others
        .iter()
        .map(|other| approve(&payload, &key(*other)).unwrap());
    payload.approvals = approvals.collect();
    payload
        .approvals
        .sort_by(|left, right| left.kid.cmp(&right.kid));
    freeze(&payload, &key(*first)).unwrap().entry
}

fn genesis_of(log_key: &str, administrators: &[u8], threshold: u32) -> Body {
    let keys = administrators.iter().map(|seed| key(*seed).public_key());
    Body::Genesis(Genesis {
        administrators: Administrators {
            keys: keys.collect(),
            threshold,
        },
        delegations: vec![],
        log_key: log_key.into(),
        observer: key(9).public_key(),
        organisation: "Acme".into(),
    })
}

fn close(successor: Option<&str>) -> Body {
    Body::LogClose(LogClose {
        reason: "a new log key".into(),
        successor: successor.map(str::to_owned),
    })
}

/// The evidence of a log of three administrators, two of whom must agree.
fn closing(successor: Option<&str>, signers: &[u8]) -> Closing {
    Closing {
        entry: frozen(OLD, close(successor), None, signers),
        genesis: frozen(OLD, genesis_of(OLD_KEY, &[1, 2, 3], 2), None, &[1, 2]),
        receipt: String::new(),
    }
}

fn named(closing: &Closing) -> Predecessor {
    let (digest, root) = (Sha256([7; 32]), Sha256([8; 32]));
    let log = closing.judge().unwrap();
    log.predecessor(digest, 41, 42, root).unwrap()
}

fn successor(named: &Predecessor, administrators: &[u8], threshold: u32, signers: &[u8]) -> Entry {
    let body = genesis_of(NEW_KEY, administrators, threshold);
    let ext = json!({ "succeeds": named });
    Entry::parse(frozen(NEW, body, Some(ext), signers).as_bytes()).unwrap()
}

#[test]
fn the_same_administrators_or_enough_of_them_make_the_successor() {
    let closing = closing(Some(NEW_KEY), &[1, 2]);
    let (log, named) = (closing.judge().unwrap(), named(&closing));
    assert_eq!((log.origin.as_str(), named.size), (OLD, 42));
    let same = successor(&named, &[1, 2, 3], 2, &[1, 3]);
    log.check_successor(&same, &named).unwrap();
    assert!(Ledger::new(NEW).admit(&same).is_ok());
    // A lost key is replaced: two old administrators and a new one, all three sign.
    let renewed = successor(&named, &[1, 2, 4], 3, &[4, 1, 2]);
    log.check_successor(&renewed, &named).unwrap();
    assert!(Ledger::new(NEW).admit(&renewed).is_ok());
    // One old administrator is not enough, however many new ones there are.
    let usurped = successor(&named, &[1, 4, 5], 3, &[1, 4, 5]);
    assert!(Ledger::new(NEW).admit(&usurped).is_ok());
    assert!(matches!(
        log.check_successor(&usurped, &named),
        Err(SuccessionError::Refused(Refusal::BelowThreshold {
            have: 1,
            need: 2,
            ..
        }))
    ));
}

#[test]
fn a_close_without_authority_is_none() {
    let lone = closing(None, &[1]).judge();
    assert!(matches!(
        lone,
        Err(SuccessionError::Refused(Refusal::BelowThreshold { .. }))
    ));
    let stranger = closing(None, &[5]).judge();
    assert!(matches!(
        stranger,
        Err(SuccessionError::Refused(Refusal::NotAuthorised { .. }))
    ));
    let mut forged = closing(None, &[1, 2]);
    forged.genesis = frozen(OLD, genesis_of(OLD_KEY, &[1, 2, 3], 2), None, &[1]);
    assert!(matches!(forged.judge(), Err(SuccessionError::Refused(_))));
    let mut swapped = closing(None, &[1, 2]);
    swapped.genesis = frozen(NEW, genesis_of(NEW_KEY, &[1, 2, 3], 2), None, &[1, 2]);
    assert!(matches!(
        swapped.judge(),
        Err(SuccessionError::OtherLog { .. })
    ));
    let mut mixed = closing(None, &[1, 2]);
    mixed.entry = mixed.genesis.clone();
    assert!(matches!(
        mixed.judge(),
        Err(SuccessionError::OtherType { .. })
    ));
}

#[test]
fn a_checkpoint_that_is_not_final_and_another_one_are_refused() {
    let closing = closing(None, &[1, 2]);
    let (log, named) = (closing.judge().unwrap(), named(&closing));
    let root = Sha256([8; 32]);
    let early = log.predecessor(Sha256([7; 32]), 41, 43, root);
    assert!(matches!(
        early,
        Err(SuccessionError::NotFinal {
            size: 43,
            index: 41
        })
    ));
    let others = [
        (
            "size",
            Predecessor {
                size: 41,
                ..named.clone()
            },
        ),
        (
            "root",
            Predecessor {
                root: Sha256([9; 32]),
                ..named.clone()
            },
        ),
        (
            "genesis",
            Predecessor {
                genesis: root,
                ..named.clone()
            },
        ),
        (
            "closing",
            Predecessor {
                closing: root,
                ..named.clone()
            },
        ),
    ];
    for (what, other) in others {
        let genesis = successor(&other, &[1, 2, 3], 2, &[1, 2]);
        let refused = log.check_successor(&genesis, &named);
        assert!(
            matches!(refused, Err(SuccessionError::Differs(found)) if found == what),
            "{what}"
        );
    }
    let plain = frozen(NEW, genesis_of(NEW_KEY, &[1, 2], 2), None, &[1, 2]);
    let refused = log.check_successor(&Entry::parse(plain.as_bytes()).unwrap(), &named);
    assert!(matches!(refused, Err(SuccessionError::NotNamed)));
}

#[test]
fn a_close_that_names_its_successor_has_no_other() {
    let closing = closing(Some("log.example.com/3+00000000+AQ=="), &[1, 2]);
    let (log, named) = (closing.judge().unwrap(), named(&closing));
    let other = successor(&named, &[1, 2, 3], 2, &[1, 2]);
    assert!(matches!(
        log.check_successor(&other, &named),
        Err(SuccessionError::OtherSuccessor { .. })
    ));
}

#[test]
fn a_genesis_that_succeeds_itself_or_says_it_in_another_form_is_not_admitted() {
    let closing = closing(None, &[1, 2]);
    let itself = Predecessor {
        origin: NEW.into(),
        ..named(&closing)
    };
    let entry = successor(&itself, &[1], 1, &[1]);
    assert!(matches!(
        Ledger::new(NEW).admit(&entry),
        Err(Refusal::Genesis(_))
    ));
    let ext = json!({ "succeeds": { "origin": OLD } });
    let text = frozen(NEW, genesis_of(NEW_KEY, &[1], 1), Some(ext), &[1]);
    let entry = Entry::parse(text.as_bytes()).unwrap();
    assert!(matches!(
        Ledger::new(NEW).admit(&entry),
        Err(Refusal::Genesis(_))
    ));
}
