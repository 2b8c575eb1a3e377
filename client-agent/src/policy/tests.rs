//! What may be decided with, by the age of the policy.

use super::*;
use cairn_policy::{Bundle, compile};

const CHECKED_MS: u64 = 1_795_392_000_000;

fn in_force(staleness: Option<Staleness>) -> InForce {
    let bundle = Bundle {
        staleness,
        ..Bundle::empty("log.example", "sec@example.com")
    };
    let active = Active {
        compiled: compile(&bundle).unwrap(),
        index: 3,
        revision: 1,
        bundle: Sha256([0; 32]),
    };
    InForce {
        active: Some(Arc::new(active)),
        checked_ms: CHECKED_MS,
        ..InForce::default()
    }
}

#[test]
fn without_a_fresh_policy_nothing_is_decided() {
    assert_eq!(
        InForce::default().usable(0).unwrap_err(),
        NotInForce::NoPolicy
    );
    let limit_ms = Staleness::default().refuse_ms;
    let known = in_force(None);
    let lost = InForce {
        roster_lost: true,
        ..known.clone()
    };
    assert_eq!(lost.usable(CHECKED_MS).unwrap_err(), NotInForce::NoRoster);
    assert!(known.usable(CHECKED_MS + limit_ms).is_ok());
    let stale = known.usable(CHECKED_MS + limit_ms + 1).unwrap_err();
    let age_ms = limit_ms + 1;
    assert_eq!(stale, NotInForce::Stale { age_ms, limit_ms });
    let words = "the policy was last checked 72 hours ago, more than 72 hours are allowed";
    assert_eq!(stale.to_string(), words);
    let revoked = InForce {
        revoked_at: Some(9),
        ..in_force(None)
    };
    assert_eq!(
        revoked.usable(CHECKED_MS).unwrap_err(),
        NotInForce::Revoked { index: 9 }
    );
    let refused = InForce {
        refused: Some("gone".into()),
        ..in_force(None)
    };
    assert_eq!(
        refused.usable(CHECKED_MS).unwrap_err(),
        NotInForce::Refused("gone".into())
    );
}

#[test]
fn the_organisation_says_how_old_is_old() {
    let steps = Staleness {
        warn_ms: 60_000,
        restrict_ms: 120_000,
        refuse_ms: 180_000,
    };
    let known = in_force(Some(steps));
    let at = |age: u64| known.freshness(CHECKED_MS + age);
    assert_eq!(
        [60_000, 120_000, 180_000, 180_001].map(at),
        [
            Freshness::Fresh,
            Freshness::Old,
            Freshness::Restricted,
            Freshness::Refused
        ]
    );
    assert_eq!(known.recorded_age_ms(CHECKED_MS + 60_000), None);
    assert_eq!(known.recorded_age_ms(CHECKED_MS + 60_001), Some(60_001));
    assert_eq!(known.warning(CHECKED_MS), None);
    let warned = known.warning(CHECKED_MS + 130_000).unwrap();
    assert!(
        warned.contains("2 minutes") && warned.contains("lapsed"),
        "{warned}"
    );
    assert!(known.usable(CHECKED_MS + 180_001).is_err());
}

#[test]
fn a_clock_that_goes_back_makes_no_policy_younger() {
    let known = in_force(None);
    let back = |ms: u64| known.freshness(CHECKED_MS - ms);
    assert_eq!(back(CLOCK_BACK_MS), Freshness::Fresh);
    assert_eq!(back(CLOCK_BACK_MS + 1), Freshness::Restricted);
    assert_eq!(back(CHECKED_MS), Freshness::Restricted);
    // What the machine has been up since counts whatever the clock says.
    let Some(long_ago) = Uptime::now().0.checked_sub(1_200).map(Uptime) else {
        // A machine that has not been up for twenty minutes cannot say so.
        return;
    };
    let lived = InForce {
        confirmed: Some(long_ago),
        ..known
    };
    assert!(lived.age_ms(CHECKED_MS) >= 1_200_000);
    assert_eq!(lived.freshness(CHECKED_MS), Freshness::Old);
}
