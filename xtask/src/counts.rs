//! How many tests passed, failed and were skipped, read from what test runners print.
//!
//! It owns the two line forms that are understood: cargo's `test result:` and the plain closing line
//! `N passed, N failed[, N skipped]`. It runs nothing.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ran and held.
    pub passed: u64,
    /// Ran and did not hold.
    pub failed: u64,
    /// Did not run.
    pub skipped: u64,
}

impl Counts {
    /// One test that passed or failed.
    #[must_use]
    pub fn one(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
            skipped: 0,
        }
    }

    /// One test that did not run.
    #[must_use]
    pub fn one_skipped() -> Self {
        Self {
            skipped: 1,
            ..Self::default()
        }
    }

    /// Reads cargo's `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines are `None`.
    #[must_use]
    pub fn from_cargo(line: &str) -> Option<Self> {
        let (_, numbers) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let number = |word: &str| {
            numbers
                .split(';')
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        };
        Some(Self {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
        })
    }

    /// Reads the plain closing line; other lines are `None`.
    #[must_use]
    pub fn from_closing(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.trim().split(", ").collect();
        let number = |part: Option<&&str>, word: &str| {
            part.and_then(|part| part.strip_suffix(word)?.trim_end().parse().ok())
        };
        let skipped = if parts.len() == 3 {
            number(parts.get(2), "skipped")?
        } else {
            0
        };
        if !(2..=3).contains(&parts.len()) {
            return None;
        }
        let passed = number(parts.first(), "passed")?;
        Some(Self {
            passed,
            failed: number(parts.get(1), "failed")?,
            skipped,
        })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s";
        assert_eq!(
            Counts::from_cargo(line),
            Some(Counts {
                passed: 12,
                failed: 2,
                skipped: 1
            })
        );
        assert_eq!(Counts::from_cargo("test log::tests::x ... ok"), None);
        assert_eq!(
            Counts::from_cargo("test result: ok. many passed; 0 failed; 0 ignored"),
            None
        );
    }

    #[test]
    fn the_closing_line_is_what_is_printed() {
        let counts = Counts {
            passed: 3,
            failed: 0,
            skipped: 4,
        };
        assert_eq!(counts.to_string(), "3 passed, 0 failed, 4 skipped");
        assert_eq!(Counts::from_closing(&counts.to_string()), Some(counts));
        assert_eq!(
            Counts::from_closing("3 passed, 1 failed"),
            Some(Counts {
                passed: 3,
                failed: 1,
                skipped: 0
            })
        );
        assert_eq!(Counts::from_closing("3 passed in 2 s"), None);
        assert_eq!(Counts::from_closing("3 passed, 1 failed, later"), None);
    }

    #[test]
    fn counts_add_up() {
        let mut sum = Counts::one(true);
        sum += Counts::one(false);
        sum += Counts::one_skipped();
        assert_eq!(
            sum,
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
    }
}
