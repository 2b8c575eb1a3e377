//! What is not an entry: every rule of `docs/formats/entry.md` broken once.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and helpers of tests are not recognised as tests"
)]

use cairn_event::body::{Body, ChainHead, Heartbeat};
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_event::entry::EntryError;
use cairn_event::frame::{FrameError, split_submission};
use cairn_event::json::{parse_canonical, to_canonical};
use cairn_event::payload::PayloadError;
use cairn_event::*;
use serde_json::{Value, json};

fn key() -> SoftwareKey {
    SoftwareKey::from_seed(&[2; 32])
}

fn payload() -> Payload {
    Payload {
        log: "log.example.com".into(),
        time_ms: 1,
        link: Some(Link {
            device: "d_1".into(),
            chain: key().public_key().kid(),
            seq: 1,
            prev: Some(Sha256([1; 32])),
        }),
        context: Context::default(),
        body: Body::Heartbeat(Heartbeat {
            sessions: 0,
            spool_bytes: 0,
            spool_records: 0,
        }),
        approvals: vec![],
        sd: vec![],
        ext: None,
    }
}

/// Signs arbitrary payload bytes under the right header: only the payload rules stand in the way.
fn signed(payload: &[u8]) -> Vec<u8> {
    let header = json!({ "alg": "Ed25519", "kid": key().public_key().kid(), "typ": entry::TYP_V1 });
    signed_with(&to_canonical(&header), payload)
}

fn signed_with(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut text = format!("{}.{}", to_base64url(header), to_base64url(payload));
    let signature = key().sign(text.as_bytes()).unwrap();
    text.push('.');
    text.push_str(&to_base64url(&signature));
    text.into_bytes()
}

fn edited(edit: impl FnOnce(&mut Value)) -> Result<Entry, EntryError> {
    let mut value = payload().to_value().unwrap();
    edit(&mut value);
    Entry::parse(&signed(&to_canonical(&value)))
}

#[test]
fn the_unedited_entry_is_accepted() {
    let entry = edited(|_| {}).unwrap();
    entry.verify(&key().public_key()).unwrap();
}

#[test]
fn members_are_exact() {
    for (what, result) in [
        ("unknown", edited(|v| v["more"] = json!(1))),
        ("unknown in body", edited(|v| v["body"]["more"] = json!(1))),
        ("null", edited(|v| v["session"] = Value::Null)),
        ("empty list written out", edited(|v| v["teams"] = json!([]))),
        ("wrong type", edited(|v| v["time_ms"] = json!("1"))),
        ("negative", edited(|v| v["time_ms"] = json!(-1))),
        (
            "missing",
            edited(|v| {
                v.as_object_mut().unwrap().remove("log");
            }),
        ),
        (
            "hex in capitals",
            edited(|v| v["prev"] = json!("AB".repeat(32))),
        ),
        ("other digest", edited(|v| v["_sd_alg"] = json!("sha-512"))),
        (
            "sd_alg without sd",
            edited(|v| v["_sd_alg"] = json!("sha-256")),
        ),
    ] {
        let refused = matches!(result, Err(EntryError::Payload(PayloadError::Members(_))));
        assert!(refused, "{what}: {result:?}");
    }
}

#[test]
fn places_are_exact() {
    let prev_missing = edited(|v| {
        v.as_object_mut().unwrap().remove("prev");
    });
    assert_eq!(prev_missing, Err(PayloadError::Prev(1).into()));
    let prev_at_zero = edited(|v| v["seq"] = json!(0));
    assert_eq!(prev_at_zero, Err(PayloadError::Prev(0).into()));
    let no_chain = edited(|v| {
        v.as_object_mut().unwrap().remove("chain");
    });
    assert_eq!(no_chain, Err(PayloadError::Family("heartbeat").into()));
    let approvals = edited(|v| v["approvals"] = json!([{ "kid": "x", "sig": "y" }]));
    assert_eq!(approvals, Err(PayloadError::Family("heartbeat").into()));
}

#[test]
fn lists_are_sorted_and_identifiers_plain() {
    let teams = edited(|v| v["teams"] = json!(["b", "a"]));
    assert_eq!(teams, Err(PayloadError::Order("teams").into()));
    let twice = edited(|v| v["teams"] = json!(["a", "a"]));
    assert_eq!(twice, Err(PayloadError::Order("teams").into()));
    let space = edited(|v| v["session"] = json!("a b"));
    assert_eq!(space, Err(PayloadError::Identifier("session").into()));
    let long = edited(|v| v["session"] = json!("x".repeat(257)));
    assert_eq!(long, Err(PayloadError::Identifier("session").into()));
}

#[test]
fn unknown_versions_are_integrity_only() {
    let mut value = payload().to_value().unwrap();
    value["v"] = json!(2);
    let bytes = signed(&to_canonical(&value));
    let refused = Entry::parse(&bytes);
    assert_eq!(refused, Err(PayloadError::UnknownVersion(2).into()));
    Integrity::parse(&bytes)
        .unwrap()
        .verify(&bytes, &key().public_key())
        .unwrap();
    let unknown = edited(|v| v["type"] = json!("tool.dream"));
    assert_eq!(
        unknown,
        Err(PayloadError::UnknownType("tool.dream".into()).into())
    );
}

#[test]
fn payload_bytes_are_canonical() {
    let canonical = payload().to_bytes().unwrap();
    let spaced = [b" ", canonical.as_slice()].concat();
    assert!(matches!(
        Entry::parse(&signed(&spaced)),
        Err(EntryError::Payload(_))
    ));
    let text = String::from_utf8(canonical).unwrap();
    let duplicate = text.replacen("\"v\":1", "\"v\":1,\"v\":1", 1);
    assert!(matches!(
        Entry::parse(&signed(duplicate.as_bytes())),
        Err(EntryError::Payload(_))
    ));
    let escaped = text.replacen("heartbeat", "he\\u0061rtbeat", 1);
    assert!(matches!(
        Entry::parse(&signed(escaped.as_bytes())),
        Err(EntryError::Payload(_))
    ));
}

#[test]
fn headers_are_exact() {
    let body = payload().to_bytes().unwrap();
    let kid = key().public_key().kid();
    for header in [
        json!({ "alg": "EdDSA", "kid": kid, "typ": entry::TYP_V1 }),
        json!({ "alg": "none", "kid": kid, "typ": entry::TYP_V1 }),
        json!({ "alg": "Ed25519", "kid": kid, "typ": "JWT" }),
        json!({ "alg": "Ed25519", "kid": kid }),
        json!({ "alg": "Ed25519", "crit": ["x"], "kid": kid, "typ": entry::TYP_V1 }),
    ] {
        let result = Entry::parse(&signed_with(&to_canonical(&header), &body));
        assert_eq!(result, Err(EntryError::Header), "{header}");
    }
    let loose = format!(
        "{{\"typ\":\"{}\",\"alg\":\"Ed25519\",\"kid\":\"{kid}\"}}",
        entry::TYP_V1
    );
    assert!(parse_canonical(loose.as_bytes()).is_err());
    let result = Entry::parse(&signed_with(loose.as_bytes(), &body));
    assert!(matches!(result, Err(EntryError::HeaderJson(_))));
}

#[test]
fn signatures_bind_every_byte() {
    let frozen = freeze(&payload(), &key()).unwrap();
    let other = SoftwareKey::from_seed(&[9; 32]).public_key();
    let entry = Entry::parse(frozen.entry.as_bytes()).unwrap();
    assert!(matches!(
        entry.verify(&other),
        Err(EntryError::OtherKey { .. })
    ));

    let dot = frozen.entry.rfind('.').unwrap();
    let mut signature = from_base64url(&frozen.entry[dot + 1..]).unwrap();
    signature[0] ^= 1;
    let bad = format!("{}.{}", &frozen.entry[..dot], to_base64url(&signature));
    let entry = Entry::parse(bad.as_bytes()).unwrap();
    assert!(matches!(
        entry.verify(&key().public_key()),
        Err(EntryError::Signature(_))
    ));
}

#[test]
fn signers_cannot_freeze_what_readers_refuse() {
    let mut unsorted = payload();
    unsorted.context.teams = vec!["b".into(), "a".into()];
    assert!(freeze(&unsorted, &key()).is_err());
    let mut float = payload();
    float.ext = Some(json!({ "x": 1.5 }));
    assert!(freeze(&float, &key()).is_err());
    let mut long = payload();
    long.ext = Some(json!({ "x": "y".repeat(70_000) }));
    assert!(matches!(freeze(&long, &key()), Err(EntryError::TooLong(_))));
    let mut missing = payload();
    missing.link = None;
    missing.body = Body::ChainHead(ChainHead {});
    assert!(freeze(&missing, &key()).is_err());
}

#[test]
fn frames_hold_only_what_the_entry_commits_to() {
    let made = Disclosure::new([1; 16], "email", json!("a@b")).unwrap();
    let other = Disclosure::new([2; 16], "email", json!("a@b")).unwrap();
    let mut with = payload();
    with.sd = vec![made.digest()];
    let frozen = freeze(&with, &key()).unwrap();
    let line = |parts: &[&Disclosure]| {
        frame::present(&frozen.entry, parts.iter().map(|one| one.encoded()))
    };
    Frame::parse(&line(&[&made])).unwrap();
    Frame::parse(&line(&[])).unwrap();
    let foreign = Frame::parse(&line(&[&other]));
    assert_eq!(foreign, Err(FrameError::NotCommitted(0)));
    // Nothing of it is read: it need not even be a disclosure.
    let nonsense = Frame::parse(&format!("{}~{}~!~", frozen.entry, made.encoded()));
    assert_eq!(nonsense, Err(FrameError::NotCommitted(1)));
    let twice = Frame::parse(&line(&[&made, &made]));
    assert_eq!(twice, Err(FrameError::Repeated("email".into())));
    assert_eq!(Frame::parse(&frozen.entry), Err(FrameError::Tilde));
    assert!(Frame::parse(&line(&[&made])).unwrap().is_complete());
    assert!(!Frame::parse(&line(&[])).unwrap().is_complete());
}

#[test]
fn names_of_people_and_devices_stand_in_roster_entries_only() {
    let name = format!("email:p_{}", "2".repeat(32));
    let made = Disclosure::new([1; 16], &name, json!("a@b")).unwrap();
    let mut chained = payload();
    chained.sd = vec![made.digest()];
    let frozen = freeze(&chained, &key()).unwrap();
    let frame = Frame::parse(&frame::present(&frozen.entry, [made.encoded()]));
    assert_eq!(frame, Err(FrameError::Misplaced(name)));

    let mut roster = payload();
    (roster.link, roster.sd) = (None, vec![made.digest()]);
    roster.body = Body::Roster(administrative::RosterStatement {
        changes: vec![],
        revision: 1,
    });
    let frozen = freeze(&roster, &key()).unwrap();
    Frame::parse(&frame::present(&frozen.entry, [made.encoded()])).unwrap();
}

#[test]
fn digests_are_whole_and_reserved_members_stand_nowhere_else() {
    let digest = |bytes: usize| to_base64url(&vec![7; bytes]);
    for item in [
        "x".to_owned(),
        digest(31),
        digest(33),
        format!("{}=", digest(32)),
    ] {
        let refused = edited(|v| {
            v["_sd"] = json!([item]);
            v["_sd_alg"] = json!("sha-256");
        });
        assert_eq!(refused, Err(PayloadError::Digest("_sd").into()), "{item}");
    }
    for name in ["_sd", "..."] {
        let deep = edited(|v| v["ext"] = json!({ "x": [{ name: [] }] }));
        assert_eq!(deep, Err(PayloadError::Reserved("ext").into()));
        let field = json!({ "age_ms": 1, "evidence": 0, "source": "s", "value": "v" });
        let posture = edited(|v| v["posture"] = json!({ name: field }));
        assert_eq!(posture, Err(PayloadError::Reserved("posture").into()));
    }
}

#[test]
fn erasures_name_digests_in_order() {
    let erasure = |digests: Vec<String>| {
        let mut payload = payload();
        payload.link = None;
        payload.body = Body::Erasure(administrative::Erasure {
            digests,
            index: 1,
            leaf: Sha256([1; 32]),
            ordered_by: "p_1".into(),
            reason: "r".into(),
        });
        freeze(&payload, &key()).map(|_| ())
    };
    let (a, b) = (to_base64url(&[1; 32]), to_base64url(&[2; 32]));
    assert_eq!(erasure(vec![a.clone(), b.clone()]), Ok(()));
    for (digests, why) in [
        (vec![], PayloadError::NothingErased),
        (vec![b.clone(), a.clone()], PayloadError::Order("digests")),
        (vec![a.clone(), a], PayloadError::Order("digests")),
        (vec!["x".into()], PayloadError::Digest("digests")),
    ] {
        assert_eq!(erasure(digests), Err(why.into()));
    }
}

#[test]
fn submissions_are_whole_lines() {
    assert_eq!(split_submission(b"a\nb\n").unwrap(), ["a", "b"]);
    for body in [&b"a\nb"[..], b"", b"\n", b"a\n\n", b"\xff\n"] {
        assert_eq!(split_submission(body), Err(FrameError::Lines), "{body:?}");
    }
    assert_eq!(
        split_submission("x\n".repeat(257).as_bytes()),
        Err(FrameError::Lines)
    );
}
