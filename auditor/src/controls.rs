//! Control tests that a pack can answer, run natively over its tables.
//!
//! Owns one function for each test and the rule that turns counts into a result. Which control of
//! which framework a test supports is the catalogue; the same tests in SQL are there too,
//! so that an auditor can run them without this program.
//! Source: `docs/formats/pack.md`, "controls".

mod chains;
mod decisions;
mod identity;
mod integrity;
mod policy;

use crate::evidence::Tables;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most exceptions of one test that are listed by index; all are counted.
pub const MAX_LISTED_EXCEPTIONS: usize = 20;

/// What only a verifier can know; never read from a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Indices whose leaf hash does not recompute.
    pub bad_leaves: BTreeSet<i64>,
    /// Indices whose signature, authority or place was refused.
    pub bad_signatures: BTreeSet<i64>,
    /// Tree sizes of checkpoints whose root is not that of the entries before them.
    pub inconsistent: BTreeSet<i64>,
    /// Whether the range proof leads to a checkpoint that the trust policy believes.
    pub range_proven: bool,
    /// Whether a believed checkpoint has exactly the size at which the range begins (or it is 0).
    pub begins_at_checkpoint: bool,
    /// Whether a believed checkpoint has exactly the size at which the range ends.
    pub ends_at_checkpoint: bool,
    /// Decisions whose replay gave another answer.
    pub replay_mismatches: BTreeSet<i64>,
    /// Decisions that could not be replayed: what they decided on is withheld, erased or redacted, or
    /// no policy was in force.
    pub not_replayed: BTreeSet<i64>,
    /// Whether rows, kinds and effects are counted in the manifest as they are in the tables.
    pub totals_agree: bool,
}

/// What one test found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Things the test is about.
    pub population: u64,
    /// Things that are not as they must be.
    pub exceptions: u64,
    /// The first [`MAX_LISTED_EXCEPTIONS`] of them: log indices, or tree sizes for checkpoints.
    pub listed: Vec<i64>,
    /// Things of the population that the pack does not let anybody look at.
    pub unexamined: u64,
}

impl Outcome {
    /// An outcome over `population` with these exceptions.
    pub fn new(population: usize, exceptions: impl IntoIterator<Item = i64>) -> Self {
        let mut outcome = Self {
            population: population as u64,
            ..Self::default()
        };
        for exception in exceptions {
            outcome.exceptions = outcome.exceptions.saturating_add(1);
            if outcome.listed.len() < MAX_LISTED_EXCEPTIONS {
                outcome.listed.push(exception);
            }
        }
        outcome
    }

    /// The same, where so many of the population could not be looked at.
    #[must_use]
    pub fn without(self, unexamined: usize) -> Self {
        Self {
            unexamined: unexamined as u64,
            ..self
        }
    }
}

/// What an empty population means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEmpty {
    /// There is no evidence.
    Fail,
    /// The control had no occasion to operate.
    DidNotOccur,
}

/// The result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestResult {
    /// No exceptions.
    Pass,
    /// Exceptions, or no evidence.
    Fail,
    /// The control had no occasion to operate; neither pass nor fail.
    DidNotOccur,
    /// The pack does not hold the data the test needs, or not for everything the test is about.
    Unanswered,
}

/// One test that this version can run.
pub struct ControlTest {
    /// Identifier, as in the catalogue.
    pub id: &'static str,
    /// What an empty population means.
    pub on_empty: OnEmpty,
    run: fn(&Tables, &Verdicts) -> Outcome,
}

impl ControlTest {
    /// Runs the test.
    pub fn run(&self, tables: &Tables, verdicts: &Verdicts) -> Outcome {
        (self.run)(tables, verdicts)
    }

    /// What the counts mean. No exception is tolerated: approved exceptions are the auditor's
    /// business and not the program's.
    pub fn judge(&self, outcome: &Outcome) -> TestResult {
        match (outcome.exceptions, outcome.population, self.on_empty) {
            (0, _, _) if outcome.unexamined > 0 => TestResult::Unanswered,
            (0, 0, OnEmpty::Fail) => TestResult::Fail,
            (0, 0, OnEmpty::DidNotOccur) => TestResult::DidNotOccur,
            (0, _, _) => TestResult::Pass,
            _ => TestResult::Fail,
        }
    }
}

/// Every test this version can run, by identifier. All others are unanswered.
pub const TESTS: &[ControlTest] = &[
    test(
        "T-CHG-06",
        OnEmpty::DidNotOccur,
        policy::loaded_policies_are_published,
    ),
    test("T-CMP-01", OnEmpty::Fail, chains::sequences_have_no_gap),
    test(
        "T-CMP-02",
        OnEmpty::Fail,
        chains::entries_name_their_predecessor,
    ),
    test(
        "T-CON-03",
        OnEmpty::Fail,
        policy::decisions_name_their_policy,
    ),
    test(
        "T-CON-04",
        OnEmpty::Fail,
        policy::policies_precede_their_decisions,
    ),
    test("T-CRY-01", OnEmpty::Fail, identity::algorithms_are_approved),
    test(
        "T-ENF-01",
        OnEmpty::DidNotOccur,
        decisions::nothing_ran_after_a_deny,
    ),
    test(
        "T-ENF-02",
        OnEmpty::Fail,
        decisions::results_follow_a_decision,
    ),
    test("T-ENF-03", OnEmpty::Fail, decisions::decisions_are_enforced),
    test("T-ENF-04", OnEmpty::Fail, decisions::replay_reproduces),
    test("T-ENF-06", OnEmpty::Fail, decisions::posture_was_fresh),
    test("T-ENF-08", OnEmpty::Fail, policy::default_is_deny_or_ask),
    test(
        "T-IDN-01",
        OnEmpty::Fail,
        identity::actors_are_on_the_roster,
    ),
    test(
        "T-IDN-03",
        OnEmpty::DidNotOccur,
        identity::leavers_lose_access,
    ),
    test("T-IDN-05", OnEmpty::Fail, identity::keys_live_in_hardware),
    test(
        "T-IDN-06",
        OnEmpty::Fail,
        identity::device_keys_are_attested,
    ),
    test(
        "T-IDN-07",
        OnEmpty::Fail,
        identity::sessions_have_one_person,
    ),
    test("T-INT-01", OnEmpty::Fail, integrity::leaves_recompute),
    test("T-INT-02", OnEmpty::Fail, integrity::indices_are_contiguous),
    test("T-INT-03", OnEmpty::Fail, integrity::range_is_proven),
    test(
        "T-INT-04",
        OnEmpty::Fail,
        integrity::checkpoints_are_consistent,
    ),
    test("T-INT-05", OnEmpty::Fail, integrity::signatures_verify),
    test("T-INT-06", OnEmpty::Fail, identity::signing_keys_were_good),
    test(
        "T-INT-07",
        OnEmpty::Fail,
        integrity::checkpoints_are_frequent,
    ),
    test(
        "T-INT-08",
        OnEmpty::Fail,
        integrity::range_ends_at_checkpoints,
    ),
    test("T-INT-09", OnEmpty::Fail, integrity::no_row_is_withheld),
    test("T-IPE-02", OnEmpty::Fail, integrity::totals_agree),
    test("T-LOG-02", OnEmpty::Fail, chains::running_agents_are_heard),
    test("T-TIM-03", OnEmpty::Fail, integrity::times_are_bounded),
];

const fn test(
    id: &'static str,
    on_empty: OnEmpty,
    run: fn(&Tables, &Verdicts) -> Outcome,
) -> ControlTest {
    ControlTest { id, on_empty, run }
}

/// The test with this identifier, where this version can run it.
pub fn find(id: &str) -> Option<&'static ControlTest> {
    TESTS.iter().find(|test| test.id == id)
}

/// A parameter as a number, or its default.
fn parameter(tables: &Tables, name: &str, default: i64) -> i64 {
    let row = tables.params.iter().find(|row| row.name == name);
    row.and_then(|row| row.value.parse().ok())
        .unwrap_or(default)
}

/// Microseconds in a second.
const US_PER_S: i64 = 1_000_000;

/// What the results of a control's tests mean for the control.
///
/// One failure is a failure; without one, an unanswered test leaves the control unanswered, because a
/// pack that lacks data supports nothing.
pub fn control_result(tests: &[TestResult]) -> TestResult {
    let any = |wanted: TestResult| tests.contains(&wanted);
    if any(TestResult::Fail) {
        TestResult::Fail
    } else if any(TestResult::Unanswered) || tests.is_empty() {
        TestResult::Unanswered
    } else if any(TestResult::Pass) {
        TestResult::Pass
    } else {
        TestResult::DidNotOccur
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unanswered_test_never_passes_a_control() {
        use TestResult::{DidNotOccur, Fail, Pass, Unanswered};
        assert_eq!(control_result(&[]), Unanswered);
        assert_eq!(control_result(&[Pass, Unanswered]), Unanswered);
        assert_eq!(control_result(&[Pass, Unanswered, Fail]), Fail);
        assert_eq!(control_result(&[DidNotOccur, Pass]), Pass);
        assert_eq!(control_result(&[DidNotOccur]), DidNotOccur);
    }

    #[test]
    fn tests_are_sorted_and_named_once() {
        assert!(TESTS.is_sorted_by(|left, right| left.id < right.id));
    }

    #[test]
    fn an_empty_population_is_never_a_pass() {
        for test in TESTS {
            assert_ne!(
                test.judge(&Outcome::default()),
                TestResult::Pass,
                "{}",
                test.id
            );
        }
    }
}
