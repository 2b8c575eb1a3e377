//! Bodies of the tlog-witness call (C2SP tlog-witness).

use cairn_tlog::add_checkpoint::{
    MAX_REQUEST_BYTES, ResponseParseError, format_response, format_size, parse_response, parse_size,
};
use cairn_tlog::{AddCheckpointParseError as E, AddCheckpointRequest, Note};

use crate::golden::{RECEIPT, signed_checkpoint};

const HASH: &str = "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=";

fn body() -> String {
    format!("old 8\n{HASH}\n\n{}", signed_checkpoint())
}

fn refused(body: &str) -> E {
    AddCheckpointRequest::parse(body.as_bytes())
        .map(|_| ())
        .unwrap_err()
}

#[test]
fn tlog_witness_must_parse_and_write_the_request() {
    let request = AddCheckpointRequest::parse(body().as_bytes()).unwrap();
    assert_eq!(
        (request.old, request.proof.len(), request.checkpoint.size),
        (8, 1, 15)
    );
    assert_eq!(request.note.signatures.len(), 3);
    assert_eq!(request.to_string(), body());
    let first = format!("old 0\n\n{}", signed_checkpoint());
    let request = AddCheckpointRequest::parse(first.as_bytes()).unwrap();
    assert!(request.proof.is_empty());
    assert_eq!(request.to_string(), first);
}

#[test]
fn tlog_witness_must_reject_a_malformed_old_line() {
    for old in [
        "old 08",
        "old +8",
        "old",
        "old ",
        "Old 8",
        "old 8 ",
        "8",
        "old 9223372036854775808",
    ] {
        assert_eq!(refused(&body().replace("old 8", old)), E::Old, "{old:?}");
    }
}

#[test]
fn tlog_witness_must_reject_more_than_63_proof_lines() {
    let with = |count: usize| body().replace(HASH, &vec![HASH; count].join("\n"));
    assert_eq!(
        AddCheckpointRequest::parse(with(63).as_bytes())
            .unwrap()
            .proof
            .len(),
        63
    );
    assert_eq!(refused(&with(64)), E::ProofTooLong);
}

#[test]
fn tlog_witness_must_reject_lenient_base64_in_the_proof() {
    for hash in [
        "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Kt=",
        "AAAA",
        &HASH[..43],
        "x",
    ] {
        assert_eq!(
            refused(&body().replace(HASH, hash)),
            E::ProofLine { line: 0 },
            "{hash:?}"
        );
    }
}

#[test]
fn tlog_witness_must_reject_a_body_without_a_checkpoint_note() {
    assert_eq!(refused(""), E::NoCheckpoint);
    assert_eq!(refused("old 8\n"), E::NoCheckpoint);
    assert!(matches!(refused("old 8\n\n"), E::Note(_)));
    assert!(matches!(refused(&format!("{}\n", body())), E::Note(_)));
    assert!(matches!(
        refused(&body().replace("\n15\n", "\n015\n")),
        E::Checkpoint(_)
    ));
    assert_eq!(
        AddCheckpointRequest::parse(&[0xff]).map(|_| ()),
        Err(E::NotText)
    );
}

#[test]
fn tlog_witness_must_tell_an_undecodable_signature_from_a_malformed_body() {
    let lenient = body().replace("74ewI=", "74ewJ=");
    let expected = E::UndecodableSignature {
        origin: "example.com/log/testdata".to_owned(),
        name: "example.com/log/testdata".to_owned(),
    };
    assert_eq!(refused(&lenient), expected);
}

#[test]
fn tlog_witness_must_limit_the_request() {
    let long = body() + &"x".repeat(MAX_REQUEST_BYTES);
    assert_eq!(refused(&long), E::TooLong { got: long.len() });
}

#[test]
fn tlog_witness_must_write_and_read_the_success_body() {
    let note = Note::parse(signed_checkpoint()).unwrap();
    let body = format_response(&note.signatures[1..]);
    assert!(RECEIPT.ends_with(&body));
    assert_eq!(
        parse_response(body.as_bytes()).unwrap(),
        note.signatures[1..]
    );
    assert!(matches!(
        parse_response(b""),
        Err(ResponseParseError::NotText)
    ));
    assert!(matches!(
        parse_response(b"ok\n"),
        Err(ResponseParseError::Line(_))
    ));
    assert!(matches!(
        parse_response(&vec![b'\n'; 70_000]),
        Err(ResponseParseError::TooLong { .. })
    ));
}

#[test]
fn tlog_witness_must_write_and_read_the_conflict_body() {
    assert_eq!(format_size(3), "3\n");
    assert_eq!(parse_size(b"3\n"), Some(3));
    for body in ["3", "03\n", "", "\n", "3\n\n", "3\r\n", "conflict\n"] {
        assert_eq!(parse_size(body.as_bytes()), None, "{body:?}");
    }
}
