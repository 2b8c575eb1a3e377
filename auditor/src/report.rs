//! What an audit found: one line for each check, and every failure with its place and reason.
//!
//! Owns the shape of a verdict and how it is printed. It does not judge anything itself.
//! Source: architecture section 2, step 9 ("says yes or exactly why not").

use cairn_event::terminal::line;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most failures of one check that are kept word for word; the rest are only counted.
///
/// Why: a log of ten million damaged entries must not exhaust the memory of its auditor, and nobody
/// reads more than this of one kind.
pub const MAX_KEPT_FAILURES: usize = 100;

/// Where something is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file or resource, relative to the pack or the log.
    pub file: String,
    /// 0-based row or line in that file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Index in the log, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Why it is refused, in one sentence without a full stop.
    pub reason: String,
}

impl Failure {
    /// A failure of a whole file.
    pub fn of_file(file: &str, reason: impl ToString) -> Self {
        Self {
            file: file.to_owned(),
            row: None,
            index: None,
            reason: reason.to_string(),
        }
    }

    /// A failure of one row of a file.
    pub fn of_row(file: &str, row: u64, index: u64, reason: impl ToString) -> Self {
        let (row, index) = (Some(row), Some(index));
        Self {
            file: file.to_owned(),
            row,
            index,
            reason: reason.to_string(),
        }
    }

    /// A failure of one entry of a log.
    pub fn of_index(file: &str, index: u64, reason: impl ToString) -> Self {
        Self {
            file: file.to_owned(),
            row: None,
            index: Some(index),
            reason: reason.to_string(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(row) = self.row {
            write!(f, " row {row}")?;
        }
        if let Some(index) = self.index {
            write!(f, " index {index}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// One check over one population.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The check's name, stable for programs.
    pub name: &'static str,
    /// How many things were looked at.
    pub examined: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first [`MAX_KEPT_FAILURES`] failures.
    pub failures: Vec<Failure>,
}

impl Check {
    /// A check that has looked at nothing yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            examined: 0,
            failed: 0,
            failures: Vec::new(),
        }
    }

    /// A check that has looked at `examined` things, all of which are as they must be.
    pub fn passed(name: &'static str, examined: u64) -> Self {
        Self {
            examined,
            ..Self::new(name)
        }
    }

    /// Counts one thing that is as it must be.
    pub fn pass(&mut self) {
        self.examined = self.examined.saturating_add(1);
    }

    /// Counts one thing that is not.
    pub fn fail(&mut self, failure: Failure) {
        self.examined = self.examined.saturating_add(1);
        self.failed = self.failed.saturating_add(1);
        if self.failures.len() < MAX_KEPT_FAILURES {
            self.failures.push(failure);
        }
    }

    /// Adds what another check of the same kind has seen, after what this one has.
    pub fn add(&mut self, other: Self) {
        self.examined = self.examined.saturating_add(other.examined);
        self.failed = self.failed.saturating_add(other.failed);
        let room = MAX_KEPT_FAILURES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
    }

    /// Counts a result, turning an error into a failure.
    pub fn record<T, E: ToString>(
        &mut self,
        result: Result<T, E>,
        place: impl FnOnce(String) -> Failure,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.pass();
                Some(value)
            }
            Err(error) => {
                self.fail(place(error.to_string()));
                None
            }
        }
    }
}

/// The whole verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every check in the order in which it ran.
    pub checks: Vec<Check>,
    /// Numbers that are neither good nor bad, by name: entries, withheld disclosures, flags.
    pub counts: BTreeMap<String, u64>,
    /// Facts to compare with what was obtained elsewhere, by name: pack root, tree root.
    pub facts: BTreeMap<String, String>,
    /// The newest checkpoint of a log that the trust policy believed, as it was read: what a later audit
    /// may be held to. Not part of the printed verdict.
    #[serde(skip)]
    pub checkpoint: Option<String>,
}

impl Report {
    /// Adds a finished check.
    pub fn push(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds the checks and counts of another report.
    pub fn take(&mut self, other: Self) {
        self.checks.extend(other.checks);
        for (name, count) in &other.counts {
            self.count(name, *count);
        }
    }

    /// Adds to a count.
    pub fn count(&mut self, name: &str, by: u64) {
        let slot = self.counts.entry(name.to_owned()).or_default();
        *slot = slot.saturating_add(by);
    }

    /// Notes a fact.
    pub fn fact(&mut self, name: &str, value: impl ToString) {
        self.facts.insert(name.to_owned(), value.to_string());
    }

    /// The check of this name, where it ran.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Whether every check ran without a failure; a report without checks is not good.
    pub fn is_good(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.failed == 0)
    }

    /// The report as one JSON object with a `verdict` of `good` or `bad`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "verdict": if self.is_good() { "good" } else { "bad" },
            "checks": self.checks,
            "counts": self.counts,
            "facts": self.facts,
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for check in &self.checks {
            let word = if check.failed == 0 { "ok  " } else { "BAD " };
            writeln!(
                f,
                "{word} {:<24} {} examined, {} failed",
                check.name, check.examined, check.failed
            )?;
            for failure in &check.failures {
                writeln!(f, "       {}", line(&failure.to_string()))?;
            }
            let hidden = check.failed.saturating_sub(check.failures.len() as u64);
            if hidden > 0 {
                writeln!(f, "       and {hidden} more")?;
            }
        }
        for (name, count) in &self.counts {
            writeln!(f, "     {}: {count}", line(name))?;
        }
        for (name, fact) in &self.facts {
            writeln!(f, "     {}: {}", line(name), line(&fact.to_string()))?;
        }
        let verdict = if self.is_good() {
            "verified"
        } else {
            "NOT verified"
        };
        writeln!(f, "{verdict}")
    }
}
