//! A wall clock is believed about small steps, about larger ones that stand, and never about leaps.

use cairn_tlog::WatchedClock;
use cairn_tlog::time::{CONFIRMATION_MS, MAX_CONFIRMED_STEP_MS, MAX_STEP_MS, Reading};

const START_MS: u64 = 1_790_000_000_000;
const TEN_YEARS_MS: u64 = 315_576_000_000;

fn watched() -> WatchedClock {
    let mut clock = WatchedClock::default();
    assert_eq!(clock.read(START_MS, 5), believed(START_MS));
    clock
}

fn believed(now_ms: u64) -> Reading {
    Reading { now_ms, lead_ms: 0 }
}

#[test]
fn a_leap_of_ten_years_is_never_believed_and_leaves_no_mark() {
    let mut clock = watched();
    for minute in 1..=600_u64 {
        let passed = minute * 60_000;
        let reading = clock.read(START_MS + passed + TEN_YEARS_MS, 5 + passed);
        let expected = Reading {
            now_ms: START_MS + passed,
            lead_ms: TEN_YEARS_MS,
        };
        assert_eq!(reading, expected, "minute {minute}");
    }
    let passed = 601 * 60_000;
    assert_eq!(
        clock.read(START_MS + passed, 5 + passed),
        believed(START_MS + passed)
    );
}

#[test]
fn a_step_is_believed_at_once_and_an_hour_after_it_stood_for_a_minute() {
    let mut clock = watched();
    let now = START_MS + MAX_STEP_MS;
    assert_eq!(clock.read(now, 5), believed(now));
    let jumped = now + MAX_CONFIRMED_STEP_MS;
    assert_eq!(clock.read(jumped, 5).now_ms, now);
    let almost = CONFIRMATION_MS - 1;
    assert_eq!(clock.read(jumped + almost, 5 + almost).now_ms, now + almost);
    let stood = CONFIRMATION_MS;
    assert_eq!(
        clock.read(jumped + stood, 5 + stood),
        believed(jumped + stood)
    );
    // One millisecond more than an hour is a leap.
    let mut clock = watched();
    let leap = START_MS + MAX_CONFIRMED_STEP_MS + 1;
    for passed in [0, stood, 10 * stood] {
        assert_ne!(clock.read(leap + passed, 5 + passed).lead_ms, 0);
    }
}

#[test]
fn a_clock_that_wanders_confirms_nothing() {
    let mut clock = watched();
    for minute in 1..=100_u64 {
        // Each time somewhere else within the hour.
        let ahead = 60_000 * (1 + minute % 50);
        let passed = minute * 60_000;
        let reading = clock.read(START_MS + passed + ahead, 5 + passed);
        assert_eq!(reading.now_ms, START_MS + passed, "minute {minute}");
    }
}

#[test]
fn going_back_is_believed_and_coming_forward_again_is_no_jump() {
    let mut clock = watched();
    assert_eq!(
        clock.read(START_MS - 9_000_000, 6),
        believed(START_MS - 9_000_000)
    );
    assert_eq!(clock.read(START_MS + 2, 7), believed(START_MS + 2));
}
