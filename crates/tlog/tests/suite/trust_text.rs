//! The text form of trust policies (C2SP tlog-policy).

use cairn_tlog::{TrustPolicy, TrustPolicyError as E};

use crate::golden::{LOG_VKEY, WIT1_VKEY, WIT2_VKEY};

fn full() -> String {
    format!(
        "# a comment\n\n \tlog \t {LOG_VKEY}  https://log.example/ \n  # indented comment # more\n\
         witness one {WIT1_VKEY} https://w.example/1\nwitness two {WIT2_VKEY}\n\
         group g any one two\nquorum g\n"
    )
}

#[test]
fn tlog_policy_must_parse_and_write_back() {
    let policy = TrustPolicy::parse(&full()).unwrap();
    assert_eq!(
        policy.logs()[0].url.as_deref(),
        Some("https://log.example/")
    );
    assert_eq!(
        policy.witnesses()[0].url.as_deref(),
        Some("https://w.example/1")
    );
    assert_eq!(
        (
            policy.witnesses()[1].name.as_str(),
            &policy.witnesses()[1].url
        ),
        ("two", &None)
    );
    assert_eq!(
        (policy.groups()[0].threshold, policy.quorum()),
        (1, Some("g"))
    );
    assert_eq!(policy.to_string().parse(), Ok(policy));
}

#[test]
fn tlog_policy_must_reject_carriage_returns_and_other_control_characters() {
    for bad in ["\r", "\u{b}", "\u{c}", "\0", "\u{7f}"] {
        let text = full().replace("any one", &format!("any {bad}one"));
        assert_eq!(
            TrustPolicy::parse(&text),
            Err(E::ControlCharacter { line: 7 }),
            "{bad:?}"
        );
    }
}

#[test]
fn tlog_policy_must_split_at_space_and_tab_only() {
    let text = full().replace("one two", "one\u{a0}two");
    let name = "one\u{a0}two".to_owned();
    assert_eq!(
        TrustPolicy::parse(&text),
        Err(E::Undefined { line: 7, name })
    );
}

#[test]
fn tlog_policy_must_not_know_trailing_comments() {
    let text = full().replace("quorum g", "quorum g # why");
    assert_eq!(TrustPolicy::parse(&text), Err(E::WordCount { line: 8 }));
}

#[test]
fn tlog_policy_must_end_each_line_with_a_line_feed() {
    assert_eq!(
        TrustPolicy::parse(full().trim_end()),
        Err(E::MissingLineFeed)
    );
    assert_eq!(TrustPolicy::parse(""), Err(E::MissingLineFeed));
}

#[test]
fn tlog_policy_must_have_exactly_one_quorum_line() {
    let without = full().replace("quorum g\n", "");
    assert_eq!(TrustPolicy::parse(&without), Err(E::MissingQuorum));
    let twice = full() + "quorum one\n";
    assert_eq!(
        TrustPolicy::parse(&twice),
        Err(E::DuplicateQuorum { line: 9 })
    );
    let unknown = full().replace("quorum g", "quorum h");
    assert_eq!(
        TrustPolicy::parse(&unknown),
        Err(E::Undefined {
            line: 8,
            name: "h".into()
        })
    );
    assert!(
        TrustPolicy::parse(&full().replace("quorum g", "quorum none"))
            .unwrap()
            .quorum()
            .is_none()
    );
}

#[test]
fn tlog_policy_must_list_a_log() {
    assert_eq!(TrustPolicy::parse("quorum none\n"), Err(E::MissingLog));
}

#[test]
fn tlog_policy_must_reserve_none_and_keep_one_namespace() {
    for (from, to) in [
        ("witness two", "witness none"),
        ("witness two", "witness one"),
    ] {
        let refused = TrustPolicy::parse(&full().replace(from, to)).unwrap_err();
        assert!(matches!(refused, E::Name { line: 6, .. }), "{to}");
    }
    let refused = TrustPolicy::parse(&full().replace("group g", "group one")).unwrap_err();
    assert_eq!(
        refused,
        E::Name {
            line: 7,
            name: "one".into()
        }
    );
}

#[test]
fn tlog_policy_must_refer_to_earlier_lines_only() {
    let early = full().replace("witness one", "group h any g\nwitness one");
    assert_eq!(
        TrustPolicy::parse(&early),
        Err(E::Undefined {
            line: 5,
            name: "g".into()
        })
    );
    let itself = full().replace("any one two", "any one g");
    assert_eq!(
        TrustPolicy::parse(&itself),
        Err(E::Undefined {
            line: 7,
            name: "g".into()
        })
    );
}

#[test]
fn tlog_policy_must_hold_each_name_in_at_most_one_group_once() {
    let twice = full().replace("any one two", "any one one");
    assert_eq!(
        TrustPolicy::parse(&twice),
        Err(E::DuplicateMember {
            line: 7,
            name: "one".into()
        })
    );
    let two_groups = full().replace("quorum g", "group h any two\nquorum g");
    let refused = TrustPolicy::parse(&two_groups).unwrap_err();
    assert_eq!(
        refused,
        E::DuplicateMember {
            line: 8,
            name: "two".into()
        }
    );
}

#[test]
fn tlog_policy_must_have_a_threshold_from_1_to_the_member_count() {
    for threshold in ["0", "3", "02", "+1", "-1", "some", "ALL"] {
        let text = full().replace("g any", &format!("g {threshold}"));
        let refused = TrustPolicy::parse(&text).unwrap_err();
        assert_eq!(
            refused,
            E::Threshold {
                line: 7,
                threshold: threshold.into()
            }
        );
    }
    let empty = full().replace("any one two", "any");
    assert_eq!(TrustPolicy::parse(&empty), Err(E::WordCount { line: 7 }));
}

#[test]
fn tlog_policy_must_reject_duplicate_public_keys_under_any_name() {
    // The key of witness one under another key name, and so with another id.
    let renamed = cairn_tlog::VerifierKey::new(
        "Other",
        cairn_tlog::KeyAlgorithm::Ed25519Cosignature,
        cairn_tlog::VerifierKey::parse(WIT1_VKEY)
            .unwrap()
            .public_key(),
    );
    let text = full().replace(WIT2_VKEY, &renamed.unwrap().to_string());
    assert_eq!(TrustPolicy::parse(&text), Err(E::DuplicateKey { line: 6 }));
    let text = full() + &format!("log {LOG_VKEY}\n");
    assert_eq!(TrustPolicy::parse(&text), Err(E::DuplicateKey { line: 9 }));
}

#[test]
fn tlog_policy_must_have_keys_of_the_right_type() {
    let text = full().replace(LOG_VKEY, WIT1_VKEY);
    assert_eq!(TrustPolicy::parse(&text), Err(E::KeyType { line: 3 }));
    let text = full().replace(WIT2_VKEY, LOG_VKEY);
    assert_eq!(TrustPolicy::parse(&text), Err(E::KeyType { line: 6 }));
    let text = full().replace("38153445", "38153446");
    assert!(matches!(
        TrustPolicy::parse(&text),
        Err(E::Key { line: 6, .. })
    ));
}

#[test]
fn tlog_policy_must_reject_unknown_keywords_and_wrong_word_counts() {
    let text = full() + "mirror x\n";
    assert_eq!(
        TrustPolicy::parse(&text),
        Err(E::Keyword {
            line: 9,
            word: "mirror".into()
        })
    );
    for line in [
        "log",
        "witness x",
        "group x",
        "group x any",
        "quorum",
        "log a b c",
        "witness a b c d",
    ] {
        let text = full() + line + "\n";
        assert_eq!(
            TrustPolicy::parse(&text),
            Err(E::WordCount { line: 9 }),
            "{line}"
        );
    }
}

#[test]
fn tlog_policy_must_support_32_witnesses_and_bound_nesting() {
    use cairn_tlog::{KeyAlgorithm, SignerKey};
    let mut text = format!("log {LOG_VKEY}\n");
    for seed in 0..80_u8 {
        let key = SignerKey::from_seed("w", KeyAlgorithm::Ed25519Cosignature, &[seed; 32]).unwrap();
        text += &format!("witness w{seed} {}\n", key.verifier());
    }
    text += "group g0 any w0\n";
    for depth in 1..64 {
        text += &format!("group g{depth} any g{} w{depth}\n", depth - 1);
    }
    assert!(TrustPolicy::parse(&(text.clone() + "quorum g63\n")).is_ok());
    let deeper = text + "group g64 any g63\nquorum g64\n";
    assert!(matches!(
        TrustPolicy::parse(&deeper),
        Err(E::GroupDepth { .. })
    ));
}
