//! Checkpoints (C2SP tlog-checkpoint).

use cairn_tlog::checkpoint::CheckpointOpenError;
use cairn_tlog::{Checkpoint, CheckpointParseError, EMPTY_ROOT, SignatureError};

use crate::golden;

const ROOT: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

#[test]
fn tlog_checkpoint_must_reproduce_the_golden_signatures() {
    let signer = golden::log_signer();
    for (size, root, signature) in golden::rows() {
        let checkpoint = Checkpoint {
            origin: signer.name().to_owned(),
            size,
            root,
        };
        let note = checkpoint.sign(&signer).unwrap().to_string();
        let expected = format!(
            "example.com/log/testdata\n{size}\n{root}\n\n\u{2014} example.com/log/testdata {signature}\n"
        );
        assert_eq!(note, expected);
        let (opened, _) = Checkpoint::open(&expected, &golden::log_key()).unwrap();
        assert_eq!(opened, checkpoint);
    }
}

#[test]
fn tlog_checkpoint_must_accept_the_empty_tree() {
    let text = format!("example.com/log\n0\n{ROOT}\n");
    let checkpoint = Checkpoint::parse(&text).unwrap();
    assert_eq!(checkpoint, Checkpoint::empty("example.com/log"));
    assert_eq!((checkpoint.size, checkpoint.root), (0, EMPTY_ROOT));
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn tlog_checkpoint_must_reject_leading_zero_size() {
    refuses_sizes(&["00", "01", "007"]);
}

#[test]
fn tlog_checkpoint_must_reject_a_size_that_is_not_ascii_decimal() {
    refuses_sizes(&["", "+1", "-1", " 1", "1 ", "0x1", "1e3", "\u{661}"]);
}

#[test]
fn tlog_checkpoint_must_reject_a_size_above_the_limit() {
    refuses_sizes(&["9223372036854775808", "18446744073709551616"]);
    let largest = format!("o\n9223372036854775807\n{ROOT}\n");
    assert!(Checkpoint::parse(&largest).is_ok());
}

fn refuses_sizes(sizes: &[&str]) {
    for size in sizes {
        let refused = Checkpoint::parse(&format!("o\n{size}\n{ROOT}\n")).unwrap_err();
        assert_eq!(refused, CheckpointParseError::Size, "{size:?}");
    }
}

#[test]
fn tlog_checkpoint_must_reject_an_empty_or_illegal_origin() {
    let long = "o".repeat(256);
    for origin in ["", "a b", "a+b", "a\u{2003}b", long.as_str()] {
        let refused = Checkpoint::parse(&format!("{origin}\n1\n{ROOT}\n")).unwrap_err();
        assert_eq!(refused, CheckpointParseError::Origin, "{origin:?}");
    }
    assert!(Checkpoint::parse(&format!("{}\n1\n{ROOT}\n", "o".repeat(255))).is_ok());
}

#[test]
fn tlog_checkpoint_must_reject_a_root_that_is_not_32_canonical_bytes() {
    let short = "AAAA";
    for root in [
        short,
        "",
        &ROOT[..43],
        &ROOT.replace("U=", "V="),
        &format!("{ROOT} "),
    ] {
        let refused = Checkpoint::parse(&format!("o\n1\n{root}\n")).unwrap_err();
        assert_eq!(refused, CheckpointParseError::Root, "{root:?}");
    }
}

#[test]
fn tlog_checkpoint_must_reject_fewer_than_three_lines_and_extension_lines() {
    for text in [
        String::new(),
        "o\n".to_owned(),
        "o\n1\n".to_owned(),
        format!("o\n1\n{ROOT}"),
        format!("o\n1\n{ROOT}\nextension\n"),
        format!("o\n1\n{ROOT}\n\n"),
    ] {
        assert_eq!(
            Checkpoint::parse(&text),
            Err(CheckpointParseError::LineCount),
            "{text:?}"
        );
    }
}

#[test]
fn tlog_checkpoint_must_be_signed_by_the_key_of_its_origin() {
    let signer = golden::log_signer();
    let other = Checkpoint::empty("example.com/other")
        .sign(&signer)
        .unwrap()
        .to_string();
    let refused = Checkpoint::open(&other, signer.verifier()).unwrap_err();
    assert_eq!(
        refused,
        CheckpointOpenError::Origin {
            origin: "example.com/other".to_owned()
        }
    );

    let mut unsigned = Checkpoint::empty(signer.name()).sign(&signer).unwrap();
    unsigned.signatures[0].key_id ^= 1;
    let refused = Checkpoint::open(&unsigned.to_string(), signer.verifier()).unwrap_err();
    assert_eq!(refused, CheckpointOpenError::Unsigned);
}

#[test]
fn tlog_checkpoint_must_not_be_signed_with_a_cosigner_key() {
    let cosigner = golden::log_signer().as_cosigner();
    let refused = Checkpoint::empty(cosigner.name())
        .sign(&cosigner)
        .unwrap_err();
    assert_eq!(refused, SignatureError::WrongAlgorithm);
}
