//! How much reading and comparing one decision may cost, counted in steps and never in time.
//!
//! Owns the two budgets. A count is the same on every device and in every replay; a clock is not. What
//! a step stands for is chosen so that a whole budget is spent within some 20 ms of optimised code, far
//! below what the hook waits for its answer.
//! Source: architecture section 4; Claude Code findings 5.2.

use std::cell::Cell;

/// Steps of reading one line. An ordinary line takes some thousands; the longest that is read at all,
/// 10,000 plain bytes, some hundred thousand.
pub const MAX_READING_STEPS: u64 = 3_000_000;

/// Steps of comparing the parts of one call with the rules of a bundle.
pub const MAX_COMPARING_STEPS: u64 = 4_000_000;

/// A budget of steps.
#[derive(Debug)]
pub(crate) struct Work {
    spent: Cell<u64>,
    limit: u64,
}

impl Work {
    /// The budget for reading a line.
    pub(crate) fn reading() -> Self {
        Self::of(MAX_READING_STEPS)
    }

    /// The budget for comparing a call's parts with rules.
    pub(crate) fn comparing() -> Self {
        Self::of(MAX_COMPARING_STEPS)
    }

    /// For texts that no caller from outside made: the patterns of a bundle against each other.
    pub(crate) fn unbounded() -> Self {
        Self::of(u64::MAX)
    }

    fn of(limit: u64) -> Self {
        Self {
            spent: Cell::new(0),
            limit,
        }
    }

    /// Counts steps; `false` once there are more than the budget has.
    pub(crate) fn spend(&self, steps: usize) -> bool {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.spent.set(self.spent.get().saturating_add(steps));
        !self.is_exhausted()
    }

    /// Whether more was counted than the budget has: what was found so far says nothing then.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.spent.get() > self.limit
    }

    /// Steps until the budget is exhausted.
    pub(crate) fn left(&self) -> usize {
        let left = self.limit.saturating_sub(self.spent.get());
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// What was counted.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.get()
    }
}

/// What one decision cost, in steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Reading the line; at most a little over [`MAX_READING_STEPS`].
    pub reading: u64,
    /// Comparing; at most a little over [`MAX_COMPARING_STEPS`].
    pub comparing: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_exhausted_by_one_step_too_many_and_stays_so() {
        let work = Work::of(10);
        assert!(work.spend(10));
        assert_eq!(work.left(), 0);
        assert!(!work.spend(1));
        assert!(!work.spend(0));
        assert!(work.is_exhausted());
        assert_eq!(work.spent(), 11);
        assert!(!work.spend(usize::MAX));
        assert!(Work::unbounded().spend(usize::MAX - 1));
    }
}
