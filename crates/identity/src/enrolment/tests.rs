//! Tests of the enrolment machine, its challenge and its limits.

use super::challenge::{CODE_MS, MAX_TRIES};
use super::limits::{
    CODES_PER_ADDRESS_DAY, CODES_PER_ADDRESS_HOUR, CODES_PER_SOURCE_HOUR, WRONG_CODES_HOUR,
};
use super::*;
use cairn_event::{EntrySigner, SoftwareKey};
use proptest::prelude::*;

const NOW: u64 = 1_795_000_000_000;
const TERMS: ChallengeTerms<'static> = ChallengeTerms {
    pepper: &[5; 32],
    transaction: "e1",
};

fn enrolment() -> Enrolment {
    let applicant = Applicant {
        key: SoftwareKey::from_seed(&[1; 32]).public_key(),
        host: "laptop".into(),
        os_user: "ann".into(),
        isolation: Isolation::SelfAsserted,
        protection: KeyProtection::Software,
    };
    Enrolment::new("e1".into(), applicant, NOW)
}

fn address() -> Address {
    Address::parse("ann@example.com").unwrap()
}

fn challenge(random: u8) -> (Challenge, String) {
    Challenge::issue(&TERMS, address(), [random; 16], NOW)
}

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { '1' } else { '0' };
    format!("{first}{}", &code[1..])
}

#[test]
fn the_straight_way_leads_to_admission() {
    let mut enrolment = enrolment();
    let (challenge, code) = challenge(1);
    assert_eq!(code.len(), 6);
    enrolment.send_code(challenge, NOW).unwrap();
    assert_eq!(
        enrolment.answer(&TERMS, &code, true, NOW),
        Ok(Answer::Right)
    );
    assert_eq!(*enrolment.state(), State::Verified(address()));
    assert_eq!(
        enrolment.answer(&TERMS, &code, true, NOW),
        Err(EnrolmentError::Over),
        "single use"
    );
    let admission = Admission {
        device: "d_1".into(),
        person: "p_1".into(),
        email: address(),
        roster_index: 4,
    };
    enrolment.admit(admission.clone()).unwrap();
    enrolment.refuse("too late to refuse");
    assert_eq!(*enrolment.state(), State::Admitted(admission));
    assert!(!enrolment.is_expired(NOW + 10 * ENROLMENT_MS));
}

#[test]
fn only_the_newest_code_is_good() {
    let mut enrolment = enrolment();
    let (first, first_code) = challenge(1);
    let (second, second_code) = challenge(2);
    assert_ne!(first_code, second_code);
    enrolment.send_code(first, NOW).unwrap();
    enrolment.send_code(second, NOW).unwrap();
    let old = enrolment.answer(&TERMS, &first_code, true, NOW);
    assert_eq!(
        old,
        Ok(Answer::Wrong {
            left: MAX_TRIES - 1
        })
    );
    assert_eq!(
        enrolment.answer(&TERMS, &second_code, true, NOW),
        Ok(Answer::Right)
    );
}

#[test]
fn a_code_burns_after_five_wrong_tries() {
    let (mut challenge, code) = challenge(1);
    for left in (1..MAX_TRIES).rev() {
        assert_eq!(
            challenge.answer(&TERMS, &wrong(&code), true, NOW),
            Answer::Wrong { left }
        );
    }
    assert_eq!(
        challenge.answer(&TERMS, &wrong(&code), true, NOW),
        Answer::Burnt
    );
    assert_eq!(
        challenge.answer(&TERMS, &code, true, NOW),
        Answer::Burnt,
        "even the right one"
    );
}

#[test]
fn no_code_is_right_for_an_address_that_may_have_none() {
    let (mut guessed, code) = challenge(1);
    let (mut missed, _) = challenge(1);
    for _ in 0..=MAX_TRIES {
        let (right, wrong) = (
            guessed.answer(&TERMS, &code, false, NOW),
            missed.answer(&TERMS, &wrong(&code), true, NOW),
        );
        assert_eq!(right, wrong, "the same answers to the end");
    }
    let mut enrolment = enrolment();
    let (challenge, code) = challenge(2);
    enrolment.send_code(challenge, NOW).unwrap();
    let left = MAX_TRIES - 1;
    assert_eq!(
        enrolment.answer(&TERMS, &code, false, NOW),
        Ok(Answer::Wrong { left })
    );
    assert!(matches!(enrolment.state(), State::CodeSent(_)));
}

#[test]
fn wrong_codes_have_a_limit_over_all_sources() {
    let mut limits = AttemptLimits::default();
    for number in 0..WRONG_CODES_HOUR as u64 {
        limits.try_code(NOW + number).unwrap();
        limits.note_wrong(NOW + number);
    }
    let refused = limits.try_code(NOW + 1_000).unwrap_err();
    assert_eq!(refused.retry_after_s(), 3_599);
    let after = NOW + 3_600_000;
    limits.try_code(after).unwrap();
    limits.note_wrong(after);
    limits.note_wrong(after);
    limits.note_wrong(after);
    limits.try_code(after).unwrap_err();
}

#[test]
fn a_subscriber_is_one_source() {
    let of = |text: &str| source_of(text.parse().unwrap());
    assert_eq!(of("192.0.2.7"), "192.0.2.7");
    assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(of("2001:db8:1:2:ffff::"), of("2001:db8:1:2::1"));
    assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
}

#[test]
fn a_code_is_bound_to_its_transaction_and_time() {
    let (mut challenge, code) = challenge(1);
    let elsewhere = ChallengeTerms {
        transaction: "e2",
        ..TERMS
    };
    assert!(matches!(
        challenge.answer(&elsewhere, &code, true, NOW),
        Answer::Wrong { .. }
    ));
    let other_server = ChallengeTerms {
        pepper: &[6; 32],
        ..TERMS
    };
    assert!(matches!(
        challenge.answer(&other_server, &code, true, NOW),
        Answer::Wrong { .. }
    ));
    assert_eq!(
        challenge.clone().answer(&TERMS, &code, true, NOW + CODE_MS),
        Answer::Expired
    );
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    assert_eq!(
        challenge.answer(&TERMS, &spaced, true, NOW + CODE_MS - 1),
        Answer::Right
    );
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut fresh = enrolment();
    assert_eq!(
        fresh.answer(&TERMS, "000000", true, NOW),
        Err(EnrolmentError::NoCode)
    );
    let admission = Admission {
        device: "d".into(),
        person: "p".into(),
        email: address(),
        roster_index: 1,
    };
    assert_eq!(fresh.admit(admission), Err(EnrolmentError::Over));
    for _ in 0..MAX_CODES {
        fresh.send_code(challenge(1).0, NOW).unwrap();
    }
    assert_eq!(
        fresh.send_code(challenge(1).0, NOW),
        Err(EnrolmentError::TooManyCodes)
    );
    let late = NOW + ENROLMENT_MS;
    assert!(fresh.is_expired(late));
    assert_eq!(
        fresh.answer(&TERMS, "000000", true, late),
        Err(EnrolmentError::Expired)
    );
    fresh.refuse("no");
    assert_eq!(
        fresh.send_code(challenge(1).0, NOW),
        Err(EnrolmentError::Over)
    );
}

#[test]
fn addresses_have_one_spelling() {
    assert_eq!(
        Address::parse("  Ann.B+x@Example.COM ").unwrap().as_str(),
        "ann.b+x@example.com"
    );
    assert_eq!(address().domain(), "example.com");
    assert!(Address::parse("ann@localhost").is_ok());
    for bad in [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a@b@c",
        "ann@exa mple.com",
        "an\nn@example.com",
        "ann@example..com",
        ".ann@example.com",
        "\"a b\"@example.com",
        "ann@-example.com",
        "änn@example.com",
        "ann@example.com\r\nBcc: eve@example.com",
        "<ann@example.com>",
    ] {
        assert_eq!(Address::parse(bad), Err(AddressError::Form), "{bad:?}");
    }
    let long = format!("{}@example.com", "a".repeat(250));
    assert_eq!(Address::parse(&long), Err(AddressError::TooLong(262)));
}

#[test]
fn limits_hold_per_address_and_per_source() {
    let mut limits = AttemptLimits::default();
    for _ in 0..CODES_PER_ADDRESS_HOUR {
        limits.ask("ann", "s1", NOW).unwrap();
    }
    let refused = limits.ask("ann", "s2", NOW + 1_000);
    assert_eq!(
        refused,
        Err(LimitError::Address {
            retry_after_s: 3_599
        })
    );
    assert_eq!(limits.ask("ann", "s2", NOW + 3_600_000), Ok(()));
    let mut limits = AttemptLimits::default();
    for number in 0..CODES_PER_SOURCE_HOUR {
        limits.ask(&format!("a{number}"), "s1", NOW).unwrap();
    }
    let refused = limits.ask("new", "s1", NOW);
    assert_eq!(
        refused,
        Err(LimitError::Source {
            retry_after_s: 3_600
        })
    );
    assert_eq!(limits.ask("new", "s2", NOW), Ok(()));
}

#[test]
fn a_day_has_a_limit_of_its_own() {
    let mut limits = AttemptLimits::default();
    let mut taken = 0;
    for hour in 0..24 {
        for _ in 0..CODES_PER_ADDRESS_HOUR {
            let source = format!("s{hour}");
            taken += usize::from(limits.ask("ann", &source, NOW + hour * 3_600_000).is_ok());
        }
    }
    assert_eq!(taken, CODES_PER_ADDRESS_DAY);
}

#[test]
fn names_that_cannot_be_shown_are_refused() {
    assert!(is_plain_name("Ann's laptop"));
    assert!(!is_plain_name("") && !is_plain_name("a\u{7}") && !is_plain_name(&"a".repeat(257)));
}

proptest! {
    #[test]
    fn codes_are_six_digits_and_their_own_answer(random: [u8; 16]) {
        let (mut challenge, code) = Challenge::issue(&TERMS, address(), random, NOW);
        prop_assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
        prop_assert_eq!(challenge.answer(&TERMS, &code, true, NOW), Answer::Right);
    }

    #[test]
    fn no_text_makes_a_challenge_panic(text in "\\PC*") {
        let (mut challenge, _) = challenge(1);
        challenge.answer(&TERMS, &text, true, NOW);
        let _ = Address::parse(&text);
    }
}
