//! The catalogue of control tests and of the controls they support.
//!
//! Owns the embedded file `data/controls.yaml`, the choice of frameworks, and the results that follow from
//! both and the evidence. Whoever writes a pack takes them from here, and whoever verifies one derives them
//! again. A result supports a control; whether a control is met is for the auditor to say.

use crate::controls::{TestResult, Verdicts, control_result, find};
use crate::evidence::Tables;
use crate::pack::results::{ControlRow, Results, TestRow};
use serde::Deserialize;
use std::collections::BTreeMap;

const CATALOGUE: &str = include_str!("../data/controls.yaml");

/// What the words in a results file mean.
const NOTE: &str = "pass: the test ran over the whole population and found no exception. fail: exceptions, or no evidence. did-not-occur: the control had no occasion to operate. unanswered: the pack does not hold the data. A result supports a control; it does not certify it.";

/// The catalogue, as far as it is used here.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// Tests, in the order of the file.
    pub tests: Vec<TestEntry>,
    /// Controls, in the order of the file.
    pub controls: Vec<ControlEntry>,
}

/// A test of the catalogue.
#[derive(Debug, Deserialize)]
pub struct TestEntry {
    /// Identifier.
    pub id: String,
    /// Title.
    pub title: String,
    /// SQL that counts the population.
    pub population_sql: String,
    /// SQL that lists the exceptions.
    pub exceptions_sql: String,
    /// What an empty population means: `fail` or `did-not-occur`.
    pub on_empty: String,
}

/// A control of the catalogue.
#[derive(Debug, Deserialize)]
pub struct ControlEntry {
    /// Identifier.
    pub id: String,
    /// Framework, for example `SOC2`.
    pub framework: String,
    /// The framework's own number.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Title.
    pub title: String,
    /// Tests whose results support the control.
    pub evidence_queries: Vec<String>,
}

/// A choice of frameworks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// SOC 2.
    Soc2,
    /// FedRAMP: its key security indicators and NIST SP 800-53.
    Fedramp,
    /// PCI DSS.
    Pci,
    /// HIPAA.
    Hipaa,
    /// Every framework of the catalogue.
    All,
}

impl Framework {
    /// Every choice there is.
    pub const EVERY: [Self; 5] = [Self::Soc2, Self::Fedramp, Self::Pci, Self::Hipaa, Self::All];

    /// The catalogue's words for it; empty for all.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Soc2 => &["SOC2"],
            Self::Fedramp => &["KSI", "NIST"],
            Self::Pci => &["PCI"],
            Self::Hipaa => &["HIPAA"],
            Self::All => &[],
        }
    }
}

/// Why the embedded catalogue cannot be used: a mistake made when the program was built.
#[derive(Debug, thiserror::Error)]
#[error("the embedded control catalogue is damaged: {0}")]
pub struct CatalogueError(String);

impl Catalogue {
    /// Reads the embedded catalogue.
    ///
    /// Errors: [`CatalogueError`].
    pub fn embedded() -> Result<Self, CatalogueError> {
        serde_saphyr::from_str(CATALOGUE).map_err(|error| CatalogueError(error.to_string()))
    }

    /// The catalogue as it is embedded, for the pack.
    pub fn text() -> &'static str {
        CATALOGUE
    }

    /// Words of the frameworks that a choice covers, sorted.
    pub fn frameworks(&self, choice: Framework) -> Vec<String> {
        let chosen = self
            .controls
            .iter()
            .map(|control| control.framework.clone());
        let words = choice.words();
        let mut chosen: Vec<String> = chosen
            .filter(|name| words.is_empty() || words.contains(&name.as_str()))
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// The choice that covers exactly these frameworks, in this order; `None` when no choice does.
    pub fn choice_of(&self, frameworks: &[String]) -> Option<Framework> {
        let mut choices = Framework::EVERY.into_iter();
        choices.find(|choice| self.frameworks(*choice) == frameworks)
    }

    /// Runs every test that data can answer, and says of the others that they are unanswered.
    pub fn run(&self, choice: Framework, tables: &Tables, verdicts: &Verdicts) -> Results {
        let mut tests = Vec::new();
        let mut results: BTreeMap<&str, TestResult> = BTreeMap::new();
        for entry in &self.tests {
            let test = find(&entry.id);
            let outcome = test.map(|test| test.run(tables, verdicts));
            let result = match (test, &outcome) {
                (Some(test), Some(outcome)) => test.judge(outcome),
                _ => TestResult::Unanswered,
            };
            results.insert(&entry.id, result);
            let (id, title) = (entry.id.clone(), entry.title.clone());
            tests.push(TestRow {
                id,
                outcome,
                result,
                title,
            });
        }
        tests.sort_by(|left, right| left.id.cmp(&right.id));
        let chosen = self.frameworks(choice);
        let controls = self
            .controls
            .iter()
            .filter(|control| chosen.contains(&control.framework));
        let controls = controls.map(|control| {
            let known: Vec<TestResult> = control
                .evidence_queries
                .iter()
                .map(|id| {
                    results
                        .get(id.as_str())
                        .copied()
                        .unwrap_or(TestResult::Unanswered)
                })
                .collect();
            ControlRow {
                framework: control.framework.clone(),
                id: control.id.clone(),
                reference: control.reference.clone(),
                result: control_result(&known),
                tests: control.evidence_queries.clone(),
                title: control.title.clone(),
            }
        });
        Results {
            controls: controls.collect(),
            note: NOTE.to_owned(),
            schema: 1,
            tests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_native_test_is_in_the_catalogue_with_the_same_rule() {
        let catalogue = Catalogue::embedded().unwrap();
        for test in crate::controls::TESTS {
            let entry = catalogue.tests.iter().find(|entry| entry.id == test.id);
            let entry = entry.unwrap_or_else(|| panic!("{} is not in the catalogue", test.id));
            let wanted = match test.on_empty {
                crate::controls::OnEmpty::Fail => "fail",
                crate::controls::OnEmpty::DidNotOccur => "did-not-occur",
            };
            assert_eq!(entry.on_empty, wanted, "{}", test.id);
        }
    }

    #[test]
    fn every_control_names_known_tests() {
        let catalogue = Catalogue::embedded().unwrap();
        for control in &catalogue.controls {
            for id in &control.evidence_queries {
                assert!(
                    catalogue.tests.iter().any(|test| test.id == *id),
                    "{}: {id}",
                    control.id
                );
            }
        }
        let every = catalogue.frameworks(Framework::All);
        for choice in [
            Framework::Soc2,
            Framework::Fedramp,
            Framework::Pci,
            Framework::Hipaa,
        ] {
            assert!(
                choice
                    .words()
                    .iter()
                    .all(|word| every.contains(&(*word).to_owned()))
            );
        }
    }
}
