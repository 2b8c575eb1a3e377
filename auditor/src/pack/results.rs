//! `controls/results.json`: what the exporter says the control tests gave, and the comparison with what the
//! catalogue gives for the same evidence.
//!
//! Source: `docs/formats/pack.md`, "controls".

use crate::controls::{Outcome, TestResult};
use crate::report::{Check, Failure};
use serde::{Deserialize, Serialize};

use super::names;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Controls of the frameworks asked for, in the order of the catalogue.
    pub controls: Vec<ControlRow>,
    /// What the words mean.
    pub note: String,
    /// Version of this shape, 1.
    pub schema: u64,
    /// Every test of the catalogue, by identifier.
    pub tests: Vec<TestRow>,
}

/// A control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlRow {
    /// The framework.
    pub framework: String,
    /// Identifier in the catalogue.
    pub id: String,
    /// The framework's own number.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What the tests together say.
    pub result: TestResult,
    /// Tests whose results support the control.
    pub tests: Vec<String>,
    /// Title.
    pub title: String,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRow {
    /// Identifier.
    pub id: String,
    /// Counts; absent where the test is unanswered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What they mean.
    pub result: TestResult,
    /// Title.
    pub title: String,
}

impl Results {
    /// Compares every test and every control with `derived`, which the catalogue gives for the evidence:
    /// none may be missing, none more, and each in its place.
    pub(super) fn compare(&self, derived: &Self, check: &mut Check) {
        let place = |line: usize, reason: String| Failure {
            row: Some(line as u64),
            ..file(reason)
        };
        let rows = |results: &Self| results.tests.iter().map(|row| row.id.clone()).collect();
        same_names("test", rows(self), rows(derived), check);
        for (line, row) in self.tests.iter().enumerate() {
            if let Some(wanted) = derived.tests.iter().find(|wanted| wanted.id == row.id) {
                check.record(row.compare(wanted), |reason| place(line, reason));
            }
        }
        let rows = |results: &Self| results.controls.iter().map(|row| row.id.clone()).collect();
        same_names("control", rows(self), rows(derived), check);
        for row in &self.controls {
            if let Some(wanted) = derived.controls.iter().find(|wanted| wanted.id == row.id) {
                check.record(row.compare(wanted), file);
            }
        }
    }
}

impl TestRow {
    fn compare(&self, wanted: &Self) -> Result<(), String> {
        let Self { id, result, .. } = self;
        if *result != wanted.result {
            let recomputed = wanted.result;
            return Err(format!(
                "test {id} says {result:?}, recomputed {recomputed:?}"
            ));
        }
        if self.outcome != wanted.outcome {
            return Err(format!("test {id} has other counts than recomputed"));
        }
        (self.title == wanted.title)
            .then_some(())
            .ok_or_else(|| format!("test {id} has another title than in the catalogue"))
    }
}

impl ControlRow {
    fn compare(&self, wanted: &Self) -> Result<(), String> {
        let Self { id, result, .. } = self;
        if *result != wanted.result {
            let recomputed = wanted.result;
            return Err(format!(
                "control {id} says {result:?}, its tests give {recomputed:?}"
            ));
        }
        (self == wanted)
            .then_some(())
            .ok_or_else(|| format!("control {id} is described otherwise than in the catalogue"))
    }
}

/// Fails once for each name that is missing, too many or not in its place.
fn same_names(kind: &str, listed: Vec<String>, wanted: Vec<String>, check: &mut Check) {
    if listed == wanted {
        check.pass();
        return;
    }
    let mut more = listed.clone();
    for name in &wanted {
        match more.iter().position(|one| one == name) {
            Some(at) => drop(more.remove(at)),
            None => check.fail(file(format!("{kind} {name} of the catalogue is left out"))),
        }
    }
    for name in &more {
        check.fail(file(format!(
            "{kind} {name} is listed twice or is none of the catalogue"
        )));
    }
    if listed.len() == wanted.len() && more.is_empty() {
        check.fail(file(format!(
            "the {kind}s are not in the order of the catalogue"
        )));
    }
}

fn file(reason: String) -> Failure {
    Failure::of_file(names::RESULTS, reason)
}
