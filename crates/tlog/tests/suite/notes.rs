//! Signed notes (C2SP signed-note).

use cairn_tlog::note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES};
use cairn_tlog::{Note, NoteParseError, NoteSignature, VerifierKey, note};

use crate::golden;
use crate::keys::SPEC_VKEY;

/// The note of the specification's example.
const SPEC_NOTE: &str = "\
This is an example message.

\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
";

fn spec_key() -> VerifierKey {
    VerifierKey::parse(SPEC_VKEY).unwrap()
}

#[test]
fn signed_note_must_verify_the_published_example() {
    let note = Note::parse(SPEC_NOTE).unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(note.to_string(), SPEC_NOTE);
    assert_eq!(note.verify(&spec_key()).unwrap().unwrap().timestamp, None);
}

#[test]
fn signed_note_must_split_at_the_last_blank_line() {
    let signer = golden::log_signer();
    let text = "first\n\nsecond\n";
    let signature = note::sign(text, &signer).unwrap();
    let note = Note::parse(&format!("{text}\n{signature}\n")).unwrap();
    assert_eq!(note.text, text);
    assert!(note.verify(signer.verifier()).unwrap().is_some());
}

#[test]
fn signed_note_must_reject_control_characters() {
    for bad in ['\r', '\t', '\0', '\u{1f}'] {
        let text = SPEC_NOTE.replacen("example", &format!("exa{bad}mple"), 1);
        assert_eq!(Note::parse(&text), Err(NoteParseError::ControlCharacter));
    }
}

#[test]
fn signed_note_must_reject_a_missing_signature_block() {
    for text in [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\n\n",
        &SPEC_NOTE[..SPEC_NOTE.len() - 1],
    ] {
        let refused = Note::parse(text).unwrap_err();
        let legal = matches!(
            refused,
            NoteParseError::NoSignatures | NoteParseError::SignatureLine { .. }
        );
        assert!(legal, "{text:?} gave {refused:?}");
    }
}

#[test]
fn signed_note_must_reject_malformed_signature_lines() {
    let line = SPEC_NOTE.lines().last().unwrap();
    for bad in [
        line.replacen('\u{2014}', "-", 1),
        line.replacen('\u{2014}', "\u{2013}", 1),
        line.replacen("\u{2014} ", "\u{2014}", 1),
        line.replacen("example.com/foo", "example.com+foo", 1),
        line.replacen("example.com/foo", "", 1),
        line.replacen("example.com/foo ", "example.com/foo", 1),
        line.replacen("example.com/foo", "example\u{a0}foo", 1),
        "trailing".to_owned(),
    ] {
        let refused = Note::parse(&format!("text\n\n{line}\n{bad}\n")).unwrap_err();
        assert_eq!(
            refused,
            NoteParseError::SignatureLine { line: 1 },
            "{bad:?}"
        );
    }
}

#[test]
fn signed_note_must_reject_undecodable_signatures_by_name() {
    // Missing padding, trailing bits, key id without signature, a second space.
    for encoded in ["AAAAAAA", "AAAAAAB=", "AAAAAA==", "AAAA AAAA", ""] {
        let refused = Note::parse(&format!("text\n\n\u{2014} name {encoded}\n")).unwrap_err();
        assert_eq!(
            refused,
            NoteParseError::SignatureEncoding {
                name: "name".to_owned()
            }
        );
    }
}

#[test]
fn signed_note_must_ignore_unknown_signatures() {
    let key = spec_key();
    let same_name_other_id = NoteSignature {
        name: key.name().into(),
        key_id: 1,
        blob: vec![1],
    };
    let other_name_same_id = NoteSignature {
        name: "other".into(),
        key_id: key.id(),
        blob: vec![1],
    };
    let mut note = Note::parse(SPEC_NOTE).unwrap();
    note.signatures.insert(0, same_name_other_id);
    note.signatures.push(other_name_same_id);
    let note = Note::parse(&note.to_string()).unwrap();
    assert_eq!(note.signatures.len(), 3);
    assert!(note.verify(&key).unwrap().is_some());
    assert!(note.verify(&golden::log_key()).unwrap().is_none());
}

#[test]
fn signed_note_must_reject_the_note_when_a_known_key_fails() {
    let key = spec_key();
    let mut note = Note::parse(SPEC_NOTE).unwrap();
    let mut bad = note.signatures[0].clone();
    bad.blob[5] ^= 1;
    // The bad line is refused even beside a good line of the same key.
    note.signatures.push(bad);
    assert_eq!(note.verify(&key).unwrap_err().name, "example.com/foo");
    note.text.push('x');
    assert!(note.verify(&key).is_err());
}

#[test]
fn signed_note_must_accept_16_signatures_and_is_limited_to_100() {
    let with = |count| {
        let mut note = Note::parse(SPEC_NOTE).unwrap();
        note.signatures = vec![note.signatures[0].clone(); count];
        Note::parse(&note.to_string())
    };
    assert!(with(16).unwrap().verify(&spec_key()).unwrap().is_some());
    assert_eq!(
        with(MAX_NOTE_SIGNATURES).unwrap().signatures.len(),
        MAX_NOTE_SIGNATURES
    );
    assert_eq!(
        with(MAX_NOTE_SIGNATURES + 1),
        Err(NoteParseError::TooManySignatures)
    );
}

#[test]
fn signed_note_must_be_limited_in_length() {
    let long = format!("{}{SPEC_NOTE}", "x".repeat(MAX_NOTE_BYTES));
    assert_eq!(
        Note::parse(&long),
        Err(NoteParseError::TooLong { got: long.len() })
    );
}
