//! `controls/results.json`: what the exporter says the control tests gave, and the comparison.
//!
//! Source: `docs/formats/pack.md`, "controls".

use crate::controls::{Outcome, TestResult, Verdicts, control_result, find};
use crate::evidence::Tables;
use crate::report::{Check, Failure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Recomputes every test and every control and compares.
    pub fn check(&self, tables: &Tables, verdicts: &Verdicts) -> Check {
        let mut check = Check::new("controls");
        let mut results = BTreeMap::new();
        for (line, row) in self.tests.iter().enumerate() {
            let (result, outcome) = match find(&row.id) {
                None => (TestResult::Unanswered, None),
                Some(test) => {
                    let outcome = test.run(tables, verdicts);
                    (test.judge(&outcome), Some(outcome))
                }
            };
            results.insert(row.id.as_str(), result);
            let verdict = if row.result != result {
                Err(format!(
                    "test {} says {:?}, recomputed {result:?}",
                    row.id, row.result
                ))
            } else if row.outcome != outcome {
                Err(format!("test {} has other counts than recomputed", row.id))
            } else {
                Ok(())
            };
            let place = |reason: String| Failure {
                row: Some(line as u64),
                ..file(reason)
            };
            check.record(verdict, place);
        }
        for row in &self.controls {
            let tests: Option<Vec<TestResult>> = row
                .tests
                .iter()
                .map(|id| results.get(id.as_str()).copied())
                .collect();
            let verdict = match tests.as_deref().map(control_result) {
                None => Err(format!(
                    "control {} names a test that is not listed",
                    row.id
                )),
                Some(result) if result != row.result => Err(format!(
                    "control {} says {:?}, its tests give {result:?}",
                    row.id, row.result
                )),
                Some(_) => Ok(()),
            };
            check.record(verdict, file);
        }
        check
    }
}

fn file(reason: String) -> Failure {
    Failure::of_file(names::RESULTS, reason)
}
